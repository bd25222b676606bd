//! Errors in TOML files: file, line, key, and what was expected there.

use std::fmt::Display;
use std::io;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};

use toml::Spanned;

/// A configuration file that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// It cannot be read.
    #[error("{}: cannot be read: {}", file.display(), why(*kind))]
    Unreadable {
        /// The file.
        file: PathBuf,
        /// Why.
        kind: io::ErrorKind,
    },
    /// It is longer than 64 KiB.
    #[error("{}: a configuration file has at most 65536 bytes", .0.display())]
    TooLarge(PathBuf),
    /// Something in it is wrong.
    #[error("{}:{}: {}: {}", file.display(), fault.line, fault.key, fault.expected)]
    Fault {
        /// The file.
        file: PathBuf,
        /// What, and where.
        fault: TomlFault,
    },
}

fn why(kind: io::ErrorKind) -> String {
    if kind == io::ErrorKind::NotFound {
        return "no such file or folder".to_owned();
    }
    kind.to_string()
}

/// What is wrong in a TOML text, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TomlFault {
    /// Number of the line, from 1.
    pub line: usize,
    /// The key with its tables, for example `limits.queue`.
    pub key: String,
    /// What was expected there.
    pub expected: String,
}

/// Says where in a text a parser's error lies. For every TOML file that people write.
pub fn toml_fault(text: &str, error: &toml::de::Error) -> TomlFault {
    let offset = error.span().map_or(0, |span| span.start);
    let message = error.message();
    let mut key = key_at(text, offset);
    // A missing key has no place of its own; the parser points at the table it should be in.
    if let Some(missing) = quoted_after(message, "missing field ") {
        key = match table_at(text, offset) {
            Some(table) => format!("{table}.{missing}"),
            None => missing.to_owned(),
        };
    }
    TomlFault {
        line: line_number(text, offset),
        key,
        expected: plain(message.lines().next().unwrap_or_default()),
    }
}

/// The parser's words for types, in words of people who write files.
fn plain(message: &str) -> String {
    message
        .replace("expected i64", "expected a whole number")
        .replace("expected a string", "expected text in quotes")
        .replace("unknown field", "unknown key")
        .replace("missing field", "missing key")
        .replace("unknown variant", "unknown word")
}

fn quoted_after<'a>(message: &'a str, start: &str) -> Option<&'a str> {
    message.strip_prefix(start)?.split('`').nth(1)
}

fn line_number(text: &str, offset: usize) -> usize {
    let before = text.get(..offset).unwrap_or_default();
    before.matches('\n').count().saturating_add(1)
}

/// The table that a line of a text is in.
fn table_at(text: &str, offset: usize) -> Option<&str> {
    let line_count = line_number(text, offset);
    text.lines()
        .take(line_count)
        .filter_map(table_header)
        .last()
}

fn table_header(line: &str) -> Option<&str> {
    let inner = line.trim_start().strip_prefix('[')?;
    let name = inner.trim_start_matches('[').split(']').next()?;
    Some(name.trim())
}

/// The key of a line of a text, with its table.
fn key_at(text: &str, offset: usize) -> String {
    let line = line_number(text, offset).saturating_sub(1);
    let line = text.lines().nth(line).unwrap_or_default();
    let key = match line.split_once('=') {
        Some((key, _)) if table_header(line).is_none() => Some(key.trim()),
        _ => None,
    };
    match (table_at(text, offset), key) {
        (Some(table), Some(key)) => format!("{table}.{key}"),
        (Some(table), None) => table.to_owned(),
        (None, Some(key)) => key.to_owned(),
        (None, None) => "file".to_owned(),
    }
}

/// Makes errors about a text.
pub(super) struct Locator<'a> {
    pub(super) text: &'a str,
    pub(super) file: &'a Path,
}

impl Locator<'_> {
    /// What the parser found.
    pub(super) fn toml(&self, error: &toml::de::Error) -> ConfigError {
        ConfigError::Fault {
            file: self.file.to_owned(),
            fault: toml_fault(self.text, error),
        }
    }

    /// A value that is not what was expected.
    pub(super) fn at<T>(&self, key: &str, value: &Spanned<T>, expected: String) -> ConfigError {
        ConfigError::Fault {
            file: self.file.to_owned(),
            fault: TomlFault {
                line: line_number(self.text, value.span().start),
                key: key.to_owned(),
                expected,
            },
        }
    }

    /// A number within a range, or the default where there is none.
    pub(super) fn range(
        &self,
        key: &str,
        value: Option<&Spanned<i64>>,
        default: u32,
        range: RangeInclusive<u32>,
    ) -> Result<u32, ConfigError> {
        let Some(value) = value else {
            return Ok(default);
        };
        u32::try_from(*value.get_ref())
            .ok()
            .filter(|number| range.contains(number))
            .ok_or_else(|| {
                let (low, high) = range.into_inner();
                self.at(
                    key,
                    value,
                    format!("expected a number from {low} to {high}"),
                )
            })
    }

    /// A text that means something.
    pub(super) fn parsed<T, E: Display>(
        &self,
        key: &str,
        value: &Spanned<String>,
        parse: impl FnOnce(&str) -> Result<T, E>,
    ) -> Result<T, ConfigError> {
        parse(value.get_ref()).map_err(|error| self.at(key, value, error.to_string()))
    }
}
