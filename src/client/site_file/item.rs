//! One table of the file: its values by key, with lines, and the keys that nobody asked for.

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::client::fault::FaultList;
use crate::client::local_time::{Edge, parse_instant, timestamp};
use crate::types::SiteZone;

/// What reading needs besides the table at hand.
#[derive(Debug)]
pub(super) struct Reader {
    /// Byte offset at which each line begins.
    line_starts: Vec<usize>,
    /// What is wrong so far.
    pub(super) faults: FaultList,
    /// The site's zone, once it is read.
    pub(super) zone: Option<SiteZone>,
}

impl Reader {
    pub(super) fn new(text: &str) -> Self {
        let after_breaks = text.match_indices('\n').map(|(at, _)| at.saturating_add(1));
        Self {
            line_starts: std::iter::once(0).chain(after_breaks).collect(),
            faults: FaultList::default(),
            zone: None,
        }
    }

    /// The 1-based line of a byte offset.
    pub(super) fn line_of(&self, offset: usize) -> u32 {
        let line = self.line_starts.partition_point(|start| *start <= offset);
        u32::try_from(line.max(1)).unwrap_or(u32::MAX)
    }
}

/// A table, where it stands, and which of its keys were asked for.
#[derive(Debug, Clone)]
pub(super) struct Item<'t> {
    table: &'t DeTable<'t>,
    path: String,
    line: u32,
    asked: Vec<&'static str>,
}

/// A text and its line.
#[derive(Debug, Clone)]
pub(super) struct Text {
    pub(super) text: String,
    pub(super) line: u32,
}

impl<'t> Item<'t> {
    pub(super) fn root(table: &'t DeTable<'t>) -> Self {
        Self {
            table,
            path: String::new(),
            line: 1,
            asked: Vec::new(),
        }
    }

    /// The line on which the table begins.
    pub(super) fn line(&self) -> u32 {
        self.line
    }

    /// How faults call a key of this table.
    pub(super) fn key(&self, key: &str) -> String {
        if self.path.is_empty() {
            key.to_owned()
        } else {
            format!("{}.{key}", self.path)
        }
    }

    /// Whether a key is there, whatever it holds.
    pub(super) fn has(&self, key: &str) -> bool {
        self.table.contains_key(key)
    }

    fn value(&mut self, key: &'static str) -> Option<&'t Spanned<DeValue<'t>>> {
        self.asked.push(key);
        self.table.get(key)
    }

    fn missing(&self, reader: &mut Reader, key: &str) {
        let key = self.key(key);
        reader.faults.push(self.line, key, "is required");
    }

    fn wrong_kind(
        &self,
        reader: &mut Reader,
        key: &str,
        wanted: &str,
        found: &Spanned<DeValue<'_>>,
    ) {
        let line = reader.line_of(found.span().start);
        let kind = found.get_ref().type_str();
        let what = format!("expected {wanted}, found a value of type {kind}");
        reader.faults.push(line, self.key(key), what);
    }

    fn inner(&self, reader: &Reader, key: &str, found: &'t Spanned<DeValue<'t>>) -> Option<Self> {
        Some(Self {
            table: found.get_ref().as_table()?,
            path: self.key(key),
            line: reader.line_of(found.span().start),
            asked: Vec::new(),
        })
    }

    /// A table within this one.
    pub(super) fn table(&mut self, reader: &mut Reader, key: &'static str) -> Option<Self> {
        let found = self.value(key)?;
        let inner = self.inner(reader, key, found);
        if inner.is_none() {
            self.wrong_kind(reader, key, "a table", found);
        }
        inner
    }

    /// A table within this one that must be there.
    pub(super) fn required_table(
        &mut self,
        reader: &mut Reader,
        key: &'static str,
    ) -> Option<Self> {
        if !self.table.contains_key(key) {
            self.asked.push(key);
            self.missing(reader, key);
        }
        self.table(reader, key)
    }

    /// An array of tables; empty where it is missing.
    pub(super) fn tables(&mut self, reader: &mut Reader, key: &'static str) -> Vec<Self> {
        let Some(found) = self.value(key) else {
            return Vec::new();
        };
        let Some(array) = found.get_ref().as_array() else {
            let wanted = format!("one or more tables `[[{key}]]`");
            self.wrong_kind(reader, key, &wanted, found);
            return Vec::new();
        };
        let mut tables = Vec::new();
        for element in array {
            match self.inner(reader, key, element) {
                Some(inner) => tables.push(inner),
                None => self.wrong_kind(reader, key, "a table", element),
            }
        }
        tables
    }

    /// A text, if it is there.
    pub(super) fn text(&mut self, reader: &mut Reader, key: &'static str) -> Option<Text> {
        let found = self.value(key)?;
        let text = found.get_ref().as_str().map(|text| Text {
            text: text.to_owned(),
            line: reader.line_of(found.span().start),
        });
        if text.is_none() {
            self.wrong_kind(reader, key, "text in quotes", found);
        }
        text
    }

    /// A text that must be there and that `check` accepts; empty after a fault.
    ///
    /// What was found is not repeated: it may be a name or a PIN.
    pub(super) fn checked<T, E: std::fmt::Display>(
        &mut self,
        reader: &mut Reader,
        key: &'static str,
        check: impl Fn(&str) -> Result<T, E>,
    ) -> String {
        if !self.table.contains_key(key) {
            self.missing(reader, key);
        }
        self.optional(reader, key, check).unwrap_or_default()
    }

    /// A text that `check` accepts, if it is there.
    pub(super) fn optional<T, E: std::fmt::Display>(
        &mut self,
        reader: &mut Reader,
        key: &'static str,
        check: impl Fn(&str) -> Result<T, E>,
    ) -> Option<String> {
        let found = self.text(reader, key)?;
        match check(&found.text) {
            Ok(_) => Some(found.text),
            Err(error) => {
                let what = error.to_string();
                reader.faults.push(found.line, self.key(key), what);
                None
            }
        }
    }

    /// An id that must be there, as the resource name that `name` makes of it.
    pub(super) fn id<E: std::fmt::Display>(
        &mut self,
        reader: &mut Reader,
        key: &'static str,
        name: impl Fn(&str) -> Result<String, E>,
    ) -> String {
        let id = self.checked(reader, key, &name);
        name(&id).unwrap_or_default()
    }

    /// Ids, as the resource names that `name` makes of them; empty where the key is missing.
    pub(super) fn ids<E: std::fmt::Display>(
        &mut self,
        reader: &mut Reader,
        key: &'static str,
        name: impl Fn(&str) -> Result<String, E>,
    ) -> Vec<String> {
        let mut names = Vec::new();
        for found in self.texts(reader, key) {
            match name(&found.text) {
                Ok(name) => names.push(name),
                Err(error) => {
                    let what = format!("expected ids, found `{}`: {error}", found.text);
                    reader.faults.push(found.line, self.key(key), what);
                }
            }
        }
        names
    }

    /// An array of texts; a date counts as text. Empty where it is missing.
    pub(super) fn texts(&mut self, reader: &mut Reader, key: &'static str) -> Vec<Text> {
        let Some(found) = self.value(key) else {
            return Vec::new();
        };
        self.texts_of(reader, key, found)
    }

    fn texts_of(&self, reader: &mut Reader, key: &str, found: &Spanned<DeValue<'_>>) -> Vec<Text> {
        let Some(array) = found.get_ref().as_array() else {
            self.wrong_kind(reader, key, "an array `[...]`", found);
            return Vec::new();
        };
        let mut texts = Vec::new();
        for element in array {
            let line = reader.line_of(element.span().start);
            match written(element.get_ref()) {
                Some(text) => texts.push(Text { text, line }),
                None => self.wrong_kind(reader, key, "text in quotes", element),
            }
        }
        texts
    }

    /// Every key of this table with its array of texts, in the order of the file.
    pub(super) fn arrays_by_key(&mut self, reader: &mut Reader) -> Vec<(Text, Vec<Text>)> {
        let mut members: Vec<_> = self.table.iter().collect();
        members.sort_by_key(|(key, _)| key.span().start);
        let mut arrays = Vec::new();
        for (key, value) in members {
            let text = key.get_ref().to_string();
            let line = reader.line_of(key.span().start);
            let texts = self.texts_of(reader, &text, value);
            arrays.push((Text { text, line }, texts));
        }
        arrays
    }

    /// A whole number in a range, if it is there.
    pub(super) fn number(
        &mut self,
        reader: &mut Reader,
        key: &'static str,
        range: std::ops::RangeInclusive<u32>,
    ) -> Option<u32> {
        let found = self.value(key)?;
        let number = found
            .get_ref()
            .as_integer()
            .and_then(|n| u32::from_str_radix(n.as_str(), n.radix()).ok())
            .filter(|number| range.contains(number));
        if number.is_none() {
            let wanted = format!(
                "expected a number from {} to {}",
                range.start(),
                range.end()
            );
            let line = reader.line_of(found.span().start);
            reader.faults.push(line, self.key(key), wanted);
        }
        number
    }

    /// A number that must be there; 0 after a fault.
    pub(super) fn required_number(
        &mut self,
        reader: &mut Reader,
        key: &'static str,
        range: std::ops::RangeInclusive<u32>,
    ) -> u32 {
        if !self.table.contains_key(key) {
            self.missing(reader, key);
        }
        self.number(reader, key, range).unwrap_or_default()
    }

    /// `true` or `false`; `false` where it is missing.
    pub(super) fn flag(&mut self, reader: &mut Reader, key: &'static str) -> bool {
        let Some(found) = self.value(key) else {
            return false;
        };
        let flag = found.get_ref().as_bool();
        if flag.is_none() {
            self.wrong_kind(reader, key, "true or false", found);
        }
        flag.unwrap_or_default()
    }

    /// One of several words; the first where it is missing.
    pub(super) fn word<T: Copy>(
        &mut self,
        reader: &mut Reader,
        key: &'static str,
        words: &[(&str, T)],
    ) -> Option<T> {
        let default = words.first().map(|(_, value)| *value);
        if !self.table.contains_key(key) {
            self.asked.push(key);
            return default;
        }
        let found = self.text(reader, key)?;
        let known = words.iter().find(|(word, _)| *word == found.text);
        if known.is_none() {
            let all: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
            let what = format!("expected {}, found `{}`", all.join(", "), found.text);
            reader.faults.push(found.line, self.key(key), what);
        }
        known.map(|(_, value)| *value)
    }

    /// A date or time in the site's zone, if it is there.
    pub(super) fn instant(
        &mut self,
        reader: &mut Reader,
        key: &'static str,
        edge: Edge,
    ) -> Option<prost_types::Timestamp> {
        let found = self.value(key)?;
        let Some(text) = written(found.get_ref()) else {
            self.wrong_kind(reader, key, "a date or a time", found);
            return None;
        };
        // Without a zone its own fault is told, and this cannot be looked at.
        let zone = reader.zone?;
        match parse_instant(zone, &text, edge) {
            Ok(instant) => Some(timestamp(instant)),
            Err(error) => {
                let line = reader.line_of(found.span().start);
                reader.faults.push(line, self.key(key), error.to_string());
                None
            }
        }
    }

    /// Tells of the keys that nobody asked for.
    pub(super) fn finish(self, reader: &mut Reader) {
        for key in self.table.keys() {
            let name = key.get_ref();
            if !self.asked.iter().any(|asked| asked == name) {
                let mut known = self.asked.clone();
                known.sort_unstable();
                known.dedup();
                let what = format!("is not known here; expected {}", known.join(", "));
                let line = reader.line_of(key.span().start);
                reader.faults.push(line, self.key(name), what);
            }
        }
    }
}

fn written(value: &DeValue<'_>) -> Option<String> {
    let date = || value.as_datetime().map(ToString::to_string);
    value.as_str().map(str::to_owned).or_else(date)
}
