//! What is wrong with an uploaded file: all of it at once, each with its line.

use std::fmt;

/// What is wrong with one field. Never repeats a name of a person, a badge number or a PIN.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    /// It is not there.
    #[error("is required")]
    Missing,
    /// It does not parse; says what was expected.
    #[error("{0}")]
    Malformed(String),
    /// It names something that is not there, or not the caller's.
    #[error("`{0}` is not known")]
    Unknown(String),
    /// It names a person or badge that is not there, or not the caller's.
    #[error("this {0} is not known")]
    UnknownHolder(&'static str),
    /// The same was said before.
    #[error("is the same as in line {0}")]
    Duplicate(u32),
    /// There are more than allowed.
    #[error("there may be at most {0}")]
    TooMany(usize),
    /// It is well formed and not allowed; says why.
    #[error("{0}")]
    Refused(String),
}

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// Line of the file, 1-based; 0 where no line stands for it.
    pub line: u32,
    /// Path of the field, for example `area.customers[1]`, or a resource name.
    pub field: String,
    /// What is wrong with it.
    pub problem: Problem,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            0 => write!(f, "{}: {}", self.field, self.problem),
            line => write!(f, "line {line}: {}: {}", self.field, self.problem),
        }
    }
}

/// Everything that is wrong with a file.
#[derive(Debug, Clone, PartialEq, Eq, Default, thiserror::Error)]
#[error("the file has {} faults", .0.len())]
pub struct Faults(Vec<Fault>);

impl Faults {
    /// Starts with none.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds one.
    pub fn add(&mut self, line: u32, field: impl Into<String>, problem: Problem) {
        self.0.push(Fault {
            line,
            field: field.into(),
            problem,
        });
    }

    /// The value of a parse, or a fault that says what was expected.
    pub fn keep<T, E: fmt::Display>(
        &mut self,
        line: u32,
        field: impl Into<String>,
        parsed: Result<T, E>,
    ) -> Option<T> {
        parsed
            .map_err(|expected| self.add(line, field, Problem::Malformed(expected.to_string())))
            .ok()
    }

    /// All of them, by line.
    pub fn list(&self) -> &[Fault] {
        &self.0
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// `value` if nothing is wrong, or all faults sorted by line.
    pub fn or<T>(mut self, value: T) -> Result<T, Self> {
        if self.0.is_empty() {
            return Ok(value);
        }
        self.0.sort_by_key(|fault| fault.line);
        Err(self)
    }
}
