//! The site file: areas, doors, customers, people and schedules in one TOML file
//! (docs/site-file.md). Read whole, so that every fault is told at once, with its line.

mod doors;
mod item;
mod people;
mod places;
mod spans;
mod times;

use std::fs;
use std::path::Path;

use toml::de::DeTable;

use self::item::{Item, Reader};
use super::fault::{FaultList, FileFaults};
use crate::pb::v1::SitePart;
use crate::pb::v1::site_part::Part;

/// What an upload may weigh; the server refuses more.
pub const FILE_BYTES_MAX: u64 = 8 * 1024 * 1024;

/// Reads the parts of a site file, in the order in which they stand in it.
///
/// Checks form only: whether a door's areas exist is the server's to say.
pub fn read(path: &Path) -> Result<Vec<SitePart>, FileFaults> {
    let file = path.display().to_string();
    let text = read_text(path)?;
    parse(&file, &text)
}

/// Reads a text file that a person wrote: UTF-8, no larger than an upload may be.
pub(super) fn read_text(path: &Path) -> Result<String, FileFaults> {
    let file = path.display().to_string();
    let fault = |what: String| {
        let mut list = FaultList::default();
        list.push(1, "file", what);
        list.finish(&file, String::new())
    };
    match fs::metadata(path) {
        Err(error) => fault(format!("cannot be read: {error}")),
        Ok(found) if !found.is_file() => fault("expected a file".to_owned()),
        Ok(found) if found.len() > FILE_BYTES_MAX => {
            fault(format!("expected at most {FILE_BYTES_MAX} bytes"))
        }
        Ok(_) => match fs::read(path).map(String::from_utf8) {
            Ok(Ok(text)) => Ok(text
                .strip_prefix('\u{feff}')
                .map_or(text.clone(), str::to_owned)),
            Ok(Err(_)) => fault("expected UTF-8 text".to_owned()),
            Err(error) => fault(format!("cannot be read: {error}")),
        },
    }
}

/// Reads the text of a site file; `file` is what faults call it.
pub fn parse(file: &str, text: &str) -> Result<Vec<SitePart>, FileFaults> {
    let mut reader = Reader::new(text);
    let (root, errors) = DeTable::parse_recoverable(text);
    for error in &errors {
        let line = error.span().map_or(1, |span| reader.line_of(span.start));
        reader.faults.push(line, "toml", error.message());
    }
    if !errors.is_empty() {
        return reader.faults.finish(file, Vec::new());
    }
    let mut root = Item::root(root.get_ref());
    let mut parts = Vec::new();
    // The zone comes first, wherever it stands: dates need it.
    if let Some(site) = root.required_table(&mut reader, "site") {
        parts.push(part(&site, places::site(&mut reader, site.clone())));
    }
    for (key, read) in TABLES {
        for item in root.tables(&mut reader, key) {
            for found in read(&mut reader, item.clone()) {
                parts.push(part(&item, found));
            }
        }
    }
    root.finish(&mut reader);
    parts.sort_by_key(|part| part.line);
    reader.faults.finish(file, parts)
}

fn part(item: &Item<'_>, part: Part) -> SitePart {
    SitePart {
        line: item.line(),
        part: Some(part),
    }
}

type ReadTable = for<'t> fn(&mut Reader, Item<'t>) -> Vec<Part>;

const TABLES: [(&str, ReadTable); 9] = [
    ("customer", places::customer),
    ("area", places::area),
    ("controller", places::controller),
    ("door", doors::door),
    ("reader", doors::reader),
    ("special_days", times::special_days),
    ("schedule", times::schedule),
    ("person", people::person),
    ("badge", people::badge),
];

#[cfg(test)]
mod tests;
