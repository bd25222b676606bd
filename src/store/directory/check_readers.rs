//! Whether readers fit their lines and access points, and doors the readers that drive them.

use std::collections::BTreeMap;

use super::check::known;
use super::draft::{Lined, Wanted};
use super::fault::{Faults, Problem};
use crate::types::{Door, DoorWiring, Reader};
use crate::wire::card::accepted;

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
    if let Err(fault) = accepted(&reader.card_formats) {
        faults.add(
            line,
            "reader.card_formats",
            Problem::Refused(fault.to_string()),
        );
    }
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
