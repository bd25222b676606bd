//! Readers of a site: whether they fit its doors and lines, and how they are found.

use std::collections::BTreeMap;

use crate::types::{
    AccessPoint, BusName, Door, DoorId, DoorWiring, Reader, ReaderAddress, ReaderId,
};

use super::rows::{Keyed, Rows, Slot};
use super::{Fault, Resource, Roster, RosterParts};

/// Where a reader answers: its line, and its address there.
type Line = (BusName, ReaderAddress);

/// The readers, by id and by where they answer.
#[derive(Debug)]
pub(super) struct Readers {
    rows: Rows<Reader>,
    by_line: BTreeMap<Line, Slot<Reader>>,
}

impl Readers {
    /// Takes the readers in; what does not fit becomes a fault.
    pub(super) fn new(parts: &RosterParts, faults: &mut Vec<Fault>) -> Self {
        let rows = Rows::new(parts.readers.values().cloned().collect());
        let mut by_line = BTreeMap::new();
        for (slot, reader) in rows.slots().zip(rows.iter()) {
            if !parts.access_points.contains_key(&reader.access_point) {
                faults.push(Fault::Missing {
                    by: Resource::Reader(reader.id.clone()),
                    missing: Resource::AccessPoint(reader.access_point.clone()),
                });
            }
            let line = (reader.bus.clone(), reader.address);
            if let Some(other) = by_line.insert(line, slot) {
                let first = rows.get(other).map(|other| other.id.clone());
                faults.extend(first.map(|first| Fault::SameAddress {
                    first,
                    second: reader.id.clone(),
                }));
            }
        }
        let doors = parts.doors.values();
        faults.extend(doors.filter_map(|door| wiring_fault(parts, door)));
        Self { rows, by_line }
    }
}

/// What is wrong with the wiring of a door that hangs on a reader.
fn wiring_fault(parts: &RosterParts, door: &Door) -> Option<Fault> {
    let wiring = door.drive.wiring()?;
    let Some(reader) = parts.readers.get(&wiring.reader) else {
        return Some(Fault::Missing {
            by: Resource::Door(door.id.clone()),
            missing: Resource::Reader(wiring.reader.clone()),
        });
    };
    // A reader of an access point that does not exist is a fault of its own.
    let point = parts.access_points.get(&reader.access_point)?;
    if point.door != door.id {
        return Some(Fault::ForeignReader {
            door: door.id.clone(),
            reader: reader.id.clone(),
        });
    }
    shares_input(wiring).then(|| Fault::SharedInput {
        door: door.id.clone(),
    })
}

/// Whether contact and request to exit are one input. Then opening the door would ask for the
/// exit that excuses it, and nobody would hear of a forced door.
fn shares_input(wiring: &DoorWiring) -> bool {
    wiring.contact_input.is_some() && wiring.contact_input == wiring.request_to_exit_input
}

impl Keyed for Reader {
    type Key = ReaderId;

    fn key(&self) -> &ReaderId {
        &self.id
    }

    fn resource(key: &ReaderId) -> Resource {
        Resource::Reader(key.clone())
    }
}

impl Roster {
    /// A reader.
    pub fn reader(&self, id: &ReaderId) -> Option<&Reader> {
        self.readers.rows.by_key(id)
    }

    /// All readers, by id.
    pub fn readers(&self) -> impl Iterator<Item = &Reader> {
        self.readers.rows.iter()
    }

    /// The reader that answers at an address of a line.
    pub fn reader_at(&self, bus: &BusName, address: ReaderAddress) -> Option<&Reader> {
        let slot = self.readers.by_line.get(&(bus.clone(), address))?;
        self.readers.rows.get(*slot)
    }

    /// The sides of a door, by id.
    pub fn access_points_of<'a>(
        &'a self,
        door: &'a DoorId,
    ) -> impl Iterator<Item = &'a AccessPoint> {
        let points = self.points.iter().map(|row| &row.point);
        points.filter(move |point| point.door == *door)
    }

    /// All doors, by id.
    pub fn doors(&self) -> impl Iterator<Item = &Door> {
        self.doors.iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::testing::{access_point, compiled, door, reader_id, site};
    use crate::types::ReaderSecurity;

    /// The site with a reader on each side of `d-a`, which hangs on the outer one.
    fn wired() -> RosterParts {
        let mut parts = site();
        parts.add_reader("r-in", "a-in", 0);
        parts.add_reader("r-out", "a-out", 1);
        parts.drive_by("d-a", "r-in");
        parts
    }

    fn check(edit: impl Fn(&mut RosterParts), expected: &[Fault]) {
        let mut parts = wired();
        edit(&mut parts);
        let faults = Roster::compile(&parts, 1).map_or_else(|error| error.faults, |_| Vec::new());
        assert_eq!(faults, expected);
    }

    fn reader_mut<'a>(parts: &'a mut RosterParts, id: &str) -> &'a mut Reader {
        parts.readers.get_mut(&reader_id(id)).unwrap()
    }

    fn bus(name: &str) -> BusName {
        BusName::parse(name).unwrap()
    }

    fn address(number: u32) -> ReaderAddress {
        ReaderAddress::new(number).unwrap()
    }

    #[test]
    fn a_reader_hangs_at_a_side_of_a_door_that_exists() {
        check(|_| {}, &[]);
        check(
            |s| reader_mut(s, "r-out").access_point = access_point("ghost"),
            &[Fault::Missing {
                by: Resource::Reader(reader_id("r-out")),
                missing: Resource::AccessPoint(access_point("ghost")),
            }],
        );
        check(
            |s| reader_mut(s, "r-out").id = reader_id("r-other"),
            &[Fault::Misfiled {
                under: Resource::Reader(reader_id("r-out")),
            }],
        );
    }

    #[test]
    fn one_address_of_a_line_has_one_reader() {
        check(
            |s| reader_mut(s, "r-out").address = address(0),
            &[Fault::SameAddress {
                first: reader_id("r-in"),
                second: reader_id("r-out"),
            }],
        );
        check(
            |s| {
                reader_mut(s, "r-out").address = address(0);
                reader_mut(s, "r-out").bus = bus("west");
            },
            &[],
        );
    }

    #[test]
    fn a_door_hangs_on_a_reader_of_its_own() {
        check(
            |s| drop(s.readers.remove(&reader_id("r-in"))),
            &[Fault::Missing {
                by: Resource::Door(door("d-a")),
                missing: Resource::Reader(reader_id("r-in")),
            }],
        );
        // The reader on the way out is one of the same door.
        check(
            |s| s.drive_by("d-a", "r-out").reader = reader_id("r-out"),
            &[],
        );
        check(
            |s| reader_mut(s, "r-in").access_point = access_point("b-in"),
            &[Fault::ForeignReader {
                door: door("d-a"),
                reader: reader_id("r-in"),
            }],
        );
    }

    #[test]
    fn contact_and_request_to_exit_are_not_one_input() {
        check(
            |s| {
                let wiring = s.drive_by("d-a", "r-in");
                wiring.request_to_exit_input = wiring.contact_input;
            },
            &[Fault::SharedInput { door: door("d-a") }],
        );
        check(
            |s| {
                let wiring = s.drive_by("d-a", "r-in");
                (wiring.contact_input, wiring.request_to_exit_input) = (None, None);
            },
            &[],
        );
    }

    #[test]
    fn readers_are_found_by_id_and_by_where_they_answer() {
        let mut parts = wired();
        reader_mut(&mut parts, "r-out").security = ReaderSecurity::Plain;
        let roster = compiled(&parts);
        let ids: Vec<_> = roster.readers().map(|r| r.id.to_string()).collect();
        assert_eq!(ids, ["r-in", "r-out"]);
        let out = roster.reader(&reader_id("r-out")).unwrap();
        assert_eq!(out.security, ReaderSecurity::Plain);
        assert_eq!(roster.reader_at(&bus("east"), address(1)), Some(out));
        assert_eq!(roster.reader_at(&bus("east"), address(2)), None);
        assert_eq!(roster.reader_at(&bus("west"), address(1)), None);
        assert_eq!(roster.reader(&reader_id("ghost")), None);
    }

    #[test]
    fn a_door_has_its_sides_in_the_order_of_their_ids() {
        let roster = compiled(&wired());
        let sides = |id| {
            let door = door(id);
            let points = roster.access_points_of(&door);
            points.map(|p| p.id.to_string()).collect::<Vec<_>>()
        };
        assert_eq!(sides("d-a"), ["a-in", "a-out"]);
        assert_eq!(sides("ghost"), <[&str; 0]>::default());
        assert_eq!(roster.doors().count(), 4);
    }

    #[test]
    fn a_door_on_a_reader_has_no_controller() {
        let roster = compiled(&wired());
        assert_eq!(roster.controller_of(&access_point("a-in")), None);
        let own = roster.door(&door("d-a")).unwrap();
        assert_eq!(own.drive.wiring().unwrap().reader, reader_id("r-in"));
    }
}
