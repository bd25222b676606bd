//! What is wrong in a file that a person wrote, line by line.

use std::fmt;

use super::safe_text::visible;

/// Faults kept of one file; whoever has more starts with these.
const FAULTS_MAX: usize = 200;

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct FileFault {
    /// Line, 1-based.
    pub line: u32,
    /// The key or column.
    pub key: String,
    /// What was expected; ends with what was found where that helps.
    pub what: String,
}

/// Everything that is wrong in one file. Never empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileFaults {
    file: String,
    faults: Vec<FileFault>,
    more: usize,
}

impl FileFaults {
    /// The first 200 faults, in the order of their lines.
    pub fn new(file: &str, mut faults: Vec<FileFault>) -> Self {
        faults.sort();
        let more = faults.len().saturating_sub(FAULTS_MAX);
        faults.truncate(FAULTS_MAX);
        Self {
            file: file.to_owned(),
            faults,
            more,
        }
    }

    /// The faults.
    pub fn faults(&self) -> &[FileFault] {
        &self.faults
    }

    /// `FILE:LINE: key: what`, one line each.
    pub fn lines(&self) -> Vec<String> {
        let show = |fault: &FileFault| {
            let FileFault { line, key, what } = fault;
            let place = format!("{}:{line}", self.file);
            visible(&format!("{place}: {key}: {what}")).into_owned()
        };
        let mut lines: Vec<String> = self.faults.iter().map(show).collect();
        if self.more > 0 {
            lines.push(format!("{}: and {} more", self.file, self.more));
        }
        lines
    }
}

impl fmt::Display for FileFaults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.lines().join("\n"))
    }
}

impl std::error::Error for FileFaults {}

/// Collects faults while a file is read.
#[derive(Debug, Default)]
pub struct FaultList {
    faults: Vec<FileFault>,
}

impl FaultList {
    /// Notes a fault and goes on.
    pub fn push(&mut self, line: u32, key: impl Into<String>, what: impl Into<String>) {
        self.faults.push(FileFault {
            line,
            key: key.into(),
            what: what.into(),
        });
    }

    /// Whether nothing was noted.
    pub fn is_empty(&self) -> bool {
        self.faults.is_empty()
    }

    /// The value if nothing was noted, else the faults.
    pub fn finish<T>(self, file: &str, value: T) -> Result<T, FileFaults> {
        if self.faults.is_empty() {
            Ok(value)
        } else {
            Err(FileFaults::new(file, self.faults))
        }
    }
}

/// What the API calls a field where the file calls it otherwise; indices are left out.
const KEYS: [(&str, &str); 14] = [
    ("site.display_name", "site.name"),
    ("customer.display_name", "customer.name"),
    ("area.display_name", "area.name"),
    ("area.protection_class", "area.class"),
    ("door.display_name", "door.name"),
    ("access_point.from_area", "door.from"),
    ("access_point.to_area", "door.to"),
    ("access_point.factor_rules.schedule", "door.rules.schedule"),
    ("schedule.special.special_days", "schedule.special"),
    ("person.memberships", "person.customers"),
    ("badge.badge_number", "badge.number"),
    ("badge_number", "badge"),
    ("display_name", "name"),
    ("valid_until", "valid until"),
];

/// Line and key of a server's field violation about an upload.
///
/// Uploads carry the line of each item; violations name it as `lines[12].areas`,
/// `parts[12].door.name` or `line 12: areas`. A field without a line is returned whole.
pub fn violation_line(field: &str) -> (Option<u32>, String) {
    let bracketed = ["lines[", "parts["]
        .iter()
        .find_map(|list| field.strip_prefix(list)?.split_once(']'));
    let worded = field.strip_prefix("line ").map(|rest| {
        rest.split_at(
            rest.find(|c: char| !c.is_ascii_digit())
                .unwrap_or(rest.len()),
        )
    });
    worded
        .or(bracketed)
        .and_then(|(line, key)| Some((line.parse().ok()?, key)))
        .map_or_else(
            || (None, field.to_owned()),
            |(line, key)| (Some(line), key_in_file(key)),
        )
}

/// The field as the file calls it.
fn key_in_file(field: &str) -> String {
    let field = field.trim_start_matches(['.', ':', ' ']);
    let mut plain = String::new();
    for (index, part) in field.split('[').enumerate() {
        let after = part.split_once(']').map_or(part, |(_, after)| after);
        plain.push_str(if index == 0 { part } else { after });
    }
    let known = KEYS.iter().find(|(api, _)| *api == plain);
    match known {
        Some((_, key)) => (*key).to_owned(),
        None if field.is_empty() => "line".to_owned(),
        None => field.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn violations_of_uploads_name_their_line() {
        let cases = [
            ("lines[12].areas[0]", Some(12), "areas[0]"),
            ("parts[7]", Some(7), "line"),
            ("line 3: door.name", Some(3), "door.name"),
            ("parent", None, "parent"),
            ("reasons[7]", None, "reasons[7]"),
        ];
        for (field, line, key) in cases {
            assert_eq!(violation_line(field), (line, key.to_owned()));
        }
    }

    #[test]
    fn violations_name_keys_as_the_file_does() {
        let cases = [
            (
                "line 9: schedule.special[0].special_days",
                "schedule.special",
            ),
            ("line 9: access_point.to_area", "door.to"),
            ("line 9: badge.badge_number", "badge.number"),
            ("line 9: display_name", "name"),
            ("line 9: persons/p-1", "persons/p-1"),
        ];
        for (field, key) in cases {
            assert_eq!(violation_line(field), (Some(9), key.to_owned()));
        }
    }

    #[test]
    fn faults_come_in_the_order_of_their_lines_and_are_bounded() {
        let mut list = FaultList::default();
        for line in (1..=205).rev() {
            list.push(line, "id", "expected an id");
        }
        let lines = list.finish("f.toml", ()).unwrap_err().lines();
        assert_eq!(lines[0], "f.toml:1: id: expected an id");
        assert_eq!(lines.last().unwrap(), "f.toml: and 5 more");
    }
}
