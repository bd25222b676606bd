//! Whether readers fit their lines and access points, and doors the readers that drive them.

use std::collections::BTreeMap;

use super::check::known;
use super::draft::{Lined, Wanted};
use super::fault::{Faults, Problem};
use crate::types::{CardFormat, Door, DoorWiring, Reader};

/// Adds a fault for every reader and every wiring that does not fit.
///
/// Whether a reader's line is configured is not asked: lines are the server's, and one that is
/// not there shows in the state of its readers.
pub(super) fn check_readers(wanted: &Wanted, faults: &mut Faults) {
    let mut by_line: Vec<_> = wanted.readers.values().collect();
    by_line.sort_by_key(|reader| reader.line);
    let mut addresses = BTreeMap::new();
    for Lined { line, item } in by_line {
        known(&wanted.access_points, &item.access_point, || {
            let name = item.access_point.name();
            faults.add(*line, "reader.access_point", Problem::Unknown(name));
        });
        // Two of one address would answer at once, and neither be understood.
        if let Some(first) = addresses.insert((&item.bus, item.address), *line) {
            faults.add(*line, "reader.address", Problem::Duplicate(first));
        }
        check_formats(item, *line, faults);
    }
    for Lined { line, item } in wanted.doors.values() {
        if let Some(wiring) = item.drive.wiring() {
            check_wiring(item, wiring, (*line, wanted), faults);
        }
    }
}

fn check_formats(reader: &Reader, line: u32, faults: &mut Faults) {
    if let Err(why) = accepted(&reader.card_formats) {
        faults.add(line, "reader.card_formats", Problem::Refused(why));
    }
}

/// Names of formats and the lengths of their cards in bits.
const FORMATS: [(&str, &[u16]); 5] = [
    ("H10301", &[26]),
    ("N10002", &[34]),
    ("H10302", &[37]),
    ("H10304", &[37]),
    ("UID", &[32, 56, 80]),
];

/// Whether a reader can be told to accept these formats: all known, one of each length at most.
fn accepted(formats: &[CardFormat]) -> Result<(), String> {
    if formats.is_empty() {
        return Err("a reader accepts at least one format".to_owned());
    }
    let mut by_length = BTreeMap::<u16, &CardFormat>::new();
    for format in formats {
        let found = FORMATS.iter().find(|(name, _)| *name == format.as_str());
        let Some((_, lengths)) = found else {
            let names: Vec<_> = FORMATS.iter().map(|(name, _)| *name).collect();
            let format = format.as_str();
            return Err(format!("`{format}` is none of {}", names.join(", ")));
        };
        for length in *lengths {
            if let Some(other) = by_length.insert(*length, format) {
                let (other, format) = (other.as_str(), format.as_str());
                return Err(format!("`{other}` and `{format}` both have {length} bits"));
            }
        }
    }
    Ok(())
}

fn check_wiring(door: &Door, wiring: &DoorWiring, at: (u32, &Wanted), faults: &mut Faults) {
    let (line, wanted) = at;
    match wanted.readers.get(&wiring.reader) {
        None => {
            let name = wiring.reader.name();
            faults.add(line, "door.wiring.reader", Problem::Unknown(name));
        }
        Some(reader) => {
            let point = wanted.access_points.get(&reader.item.access_point);
            // A point that is not there was told with its reader.
            if point.is_some_and(|point| point.item.door != door.id) {
                let why = format!(
                    "`{}` hangs at `{}`, which is no side of this door",
                    wiring.reader.name(),
                    reader.item.access_point.name()
                );
                faults.add(line, "door.wiring.reader", Problem::Refused(why));
            }
        }
    }
    if wiring.contact_input.is_some() && wiring.contact_input == wiring.request_to_exit_input {
        let why = "the contact has this input already".to_owned();
        let field = "door.wiring.request_to_exit_input";
        faults.add(line, field, Problem::Refused(why));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn formats(names: &[&str]) -> Result<(), String> {
        let formats: Vec<_> = names
            .iter()
            .map(|n| CardFormat::parse(n).unwrap())
            .collect();
        accepted(&formats)
    }

    #[test]
    fn formats_are_known_and_one_of_each_length() {
        assert_eq!(formats(&["H10301", "N10002", "H10302", "UID"]), Ok(()));
        let bad: [(&[&str], &str); 4] = [
            (&[], "a reader accepts at least one format"),
            (
                &["H10302", "H10304"],
                "`H10302` and `H10304` both have 37 bits",
            ),
            (&["UID", "UID"], "`UID` and `UID` both have 32 bits"),
            (
                &["H10306"],
                "`H10306` is none of H10301, N10002, H10302, H10304, UID",
            ),
        ];
        for (names, expected) in bad {
            assert_eq!(formats(names), Err(expected.to_owned()));
        }
    }
}
