//! Reads fields: each parse either gives a value or leaves a fault with line and path.

use std::fmt::Display;

use crate::store::directory::{Faults, Problem};
use crate::store::rows::Code;

/// A line of a file being read.
#[derive(Debug)]
pub(in crate::service) struct Line<'a> {
    /// Its number; 0 for a request that is no file.
    pub(in crate::service) number: u32,
    /// What its paths begin with.
    pub(in crate::service) root: &'static str,
    /// Where faults go.
    pub(in crate::service) faults: &'a mut Faults,
}

/// What reading one message gives: a value, or nothing and at least one fault.
pub(in crate::service) type Reading<T> = Option<T>;

impl Line<'_> {
    /// Path of a field of this line.
    pub(super) fn path(&self, field: &str) -> String {
        match (self.root, field) {
            ("", field) => field.to_owned(),
            (root, "") => root.to_owned(),
            (root, field) => format!("{root}.{field}"),
        }
    }

    /// Adds a fault.
    pub(super) fn fault(&mut self, field: &str, problem: Problem) {
        let path = self.path(field);
        self.faults.add(self.number, path, problem);
    }

    /// The value of a parse.
    pub(super) fn keep<T, E: Display>(&mut self, field: &str, parsed: Result<T, E>) -> Reading<T> {
        let path = self.path(field);
        self.faults.keep(self.number, path, parsed)
    }

    /// A field that has to be there.
    pub(super) fn required<T>(&mut self, field: &str, value: Option<T>) -> Reading<T> {
        if value.is_none() {
            self.fault(field, Problem::Missing);
        }
        value
    }

    /// The parse of a text that has to be there.
    pub(super) fn text<T, E: Display>(
        &mut self,
        field: &str,
        text: &str,
        parse: impl FnOnce(&str) -> Result<T, E>,
    ) -> Reading<T> {
        if text.is_empty() {
            self.fault(field, Problem::Missing);
            return None;
        }
        self.keep(field, parse(text))
    }

    /// A case of a closed set.
    pub(super) fn code<C: Code>(&mut self, field: &str, number: i32) -> Reading<C> {
        let case = C::from_wire(number);
        if case.is_none() {
            let problem = match number {
                0 => Problem::Missing,
                other => Problem::Malformed(format!("`{other}` is none of the values of the enum")),
            };
            self.fault(field, problem);
        }
        case
    }

    /// All parts of a repeated field, at most `max` of them.
    pub(super) fn each<S, T>(
        &mut self,
        field: &str,
        parts: &[S],
        max: usize,
        mut read: impl FnMut(&mut Self, &str, &S) -> Reading<T>,
    ) -> Reading<Vec<T>> {
        if parts.len() > max {
            self.fault(field, Problem::TooMany(max));
            return None;
        }
        let mut values = Vec::with_capacity(parts.len());
        let mut whole = true;
        for (index, part) in parts.iter().enumerate() {
            // Every part is read, so that all faults are found.
            match read(self, &format!("{field}[{index}]"), part) {
                Some(value) => values.push(value),
                None => whole = false,
            }
        }
        whole.then_some(values)
    }
}
