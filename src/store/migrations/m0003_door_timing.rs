//! 2 to 3: a door's row says how long things may take at it.

use super::chain::Migration;
use crate::{
    pb::store::DoorRow,
    store::{
        base::{BaseTables, RowError},
        batch::Batch,
        tables::Doors,
    },
    types::UtcTime,
};

/// What every door of format 2 was meant to do: 5 s, 30 s, 10 s.
///
/// Written out here, not taken from `DoorTiming`: should what is usual change one day, doors that
/// were brought up before stay as they are.
const STRIKE_TENTHS: u32 = 50;
const HELD_AFTER_SECONDS: u32 = 30;
const PRE_ALARM_SECONDS: u32 = 10;

/// Gives every door the usual timing.
///
/// Format 2 had no such fields. Readers and wirings are new with format 3, and the duress switch
/// is off where it is not stored, so nothing else changes.
#[derive(Debug)]
pub(super) struct UsualTiming;

impl Migration for UsualTiming {
    fn from(&self) -> u32 {
        2
    }

    fn to(&self) -> u32 {
        3
    }

    fn description(&self) -> &'static str {
        "doors get the usual times for their strike and their alarms"
    }

    fn run(&self, tables: &BaseTables, _: UtcTime) -> Result<Batch, RowError> {
        let mut batch = Batch::new();
        for row in tables.rows::<Doors>() {
            let (id, door) = row?;
            if !has_timing(&door) {
                let door = DoorRow {
                    strike_tenths: STRIKE_TENTHS,
                    held_after_seconds: HELD_AFTER_SECONDS,
                    pre_alarm_seconds: PRE_ALARM_SECONDS,
                    ..door
                };
                batch.put::<Doors>(&id, &door);
            }
        }
        Ok(batch)
    }

    fn validate(&self, tables: &BaseTables, _: UtcTime) -> Result<Option<&'static str>, RowError> {
        for row in tables.rows::<Doors>() {
            let (_, door) = row?;
            if !has_timing(&door) {
                return Ok(Some("a door is without its times"));
            }
        }
        Ok(None)
    }
}

/// Neither of the two may be 0; the warning may.
fn has_timing(door: &DoorRow) -> bool {
    door.strike_tenths != 0 && door.held_after_seconds != 0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::rows::Stored as _;
    use crate::types::{Door, DoorTiming};

    fn tables(doors: &[(&str, DoorRow)]) -> BaseTables {
        let mut batch = Batch::new();
        for (id, row) in doors {
            batch.put::<Doors>(&(*id).to_owned(), row);
        }
        let mut tables = BaseTables::default();
        tables.apply(&batch);
        tables
    }

    fn door() -> DoorRow {
        DoorRow {
            display_name: "Door".to_owned(),
            controller: "c-1".to_owned(),
            ..DoorRow::default()
        }
    }

    #[test]
    fn stored_doors_get_the_usual_timing_and_keep_the_rest() {
        let mut tables = tables(&[("d-1", door()), ("d-2", door())]);
        let now = UtcTime::EPOCH;
        assert!(UsualTiming.validate(&tables, now).unwrap().is_some());
        assert!(Door::from_row("d-1", &door()).is_err());
        tables.apply(&UsualTiming.run(&tables, now).unwrap());
        assert_eq!(UsualTiming.validate(&tables, now), Ok(None));
        for id in ["d-1", "d-2"] {
            let row = tables.get::<Doors>(&id.to_owned()).unwrap().unwrap();
            let read = Door::from_row(id, &row).unwrap();
            assert_eq!(read.timing, DoorTiming::USUAL);
            assert_eq!(
                (read.display_name.reveal(), row.controller.as_str()),
                ("Door", "c-1")
            );
        }
    }

    #[test]
    fn a_door_that_has_its_times_keeps_them() {
        let timed = DoorRow {
            strike_tenths: 7,
            held_after_seconds: 9,
            ..door()
        };
        let tables = tables(&[("d-1", timed)]);
        assert!(UsualTiming.run(&tables, UtcTime::EPOCH).unwrap().is_empty());
        assert_eq!(UsualTiming.validate(&tables, UtcTime::EPOCH), Ok(None));
    }
}
