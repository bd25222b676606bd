//! Doors and the readers on which some hang, as rows.

use std::time::Duration;

use super::places::name;
use super::{Code as _, DamagedField, Stored, damaged};
use crate::pb::store as pb;
use crate::store::tables;
use crate::types::{
    AccessPointId, BusName, CardFormat, ControllerId, Door, DoorDrive, DoorId, DoorTiming,
    DoorWiring, InvalidReader, Reader, ReaderAddress, ReaderId, ReaderSecurity, Terminal,
};

impl Stored for Door {
    type Table = tables::Doors;

    fn key(&self) -> &str {
        self.id.as_str()
    }

    fn name(&self) -> String {
        self.id.name()
    }

    fn to_row(&self) -> pb::DoorRow {
        let controller = self.drive.controller();
        pb::DoorRow {
            display_name: self.display_name.reveal().to_owned(),
            controller: controller.map(ToString::to_string).unwrap_or_default(),
            wiring: self.drive.wiring().map(wiring_row),
            strike_tenths: number(self.timing.strike_time().as_millis() / 100),
            held_after_seconds: number(self.timing.held_after().as_secs().into()),
            pre_alarm_seconds: number(self.timing.pre_alarm().as_secs().into()),
        }
    }

    fn from_row(key: &str, row: &pb::DoorRow) -> Result<Self, DamagedField> {
        Ok(Self {
            id: DoorId::parse(key).map_err(damaged("key"))?,
            display_name: name(&row.display_name)?,
            drive: drive(row)?,
            timing: timing(row)?,
        })
    }

    fn differences(&self, other: &Self) -> Vec<&'static str> {
        // In the words of the API: a file says `controller` or `wiring`, never `drive`.
        let differ = [
            ("display_name", self.display_name != other.display_name),
            (
                "controller",
                self.drive.controller() != other.drive.controller(),
            ),
            ("wiring", self.drive.wiring() != other.drive.wiring()),
            ("timing", self.timing != other.timing),
        ];
        let differ = differ.into_iter().filter(|(_, differs)| *differs);
        differ.map(|(field, _)| field).collect()
    }
}

/// A time of a door in its unit; the type's bounds are far below 2^32.
fn number(units: u128) -> u32 {
    u32::try_from(units).unwrap_or(u32::MAX)
}

fn drive(row: &pb::DoorRow) -> Result<DoorDrive, DamagedField> {
    match (&row.wiring, row.controller.as_str()) {
        (None, controller) => ControllerId::parse(controller)
            .map(DoorDrive::Controller)
            .map_err(damaged("controller")),
        (Some(row), "") => wiring(row).map(DoorDrive::Reader),
        // Nobody knows which of the two releases it.
        (Some(_), _) => Err(DamagedField("wiring")),
    }
}

fn timing(row: &pb::DoorRow) -> Result<DoorTiming, DamagedField> {
    let seconds = |seconds: u32| Some(Duration::from_secs(seconds.into()));
    let strike_time = Duration::from_millis(u64::from(row.strike_tenths).saturating_mul(100));
    let timing = DoorTiming::new(
        Some(strike_time),
        seconds(row.held_after_seconds),
        seconds(row.pre_alarm_seconds),
    );
    timing.map_err(|fault| {
        DamagedField(match fault {
            InvalidReader::StrikeTime => "strike_tenths",
            InvalidReader::HeldAfter => "held_after_seconds",
            InvalidReader::PreAlarm | InvalidReader::Address | InvalidReader::Terminal => {
                "pre_alarm_seconds"
            }
        })
    })
}

fn wiring_row(wiring: &DoorWiring) -> pb::DoorWiringRow {
    pb::DoorWiringRow {
        reader: wiring.reader.to_string(),
        strike_output: wiring.strike_output.number().into(),
        contact_input: input_number(wiring.contact_input),
        request_to_exit_input: input_number(wiring.request_to_exit_input),
    }
}

fn wiring(row: &pb::DoorWiringRow) -> Result<DoorWiring, DamagedField> {
    Ok(DoorWiring {
        reader: ReaderId::parse(&row.reader).map_err(damaged("wiring.reader"))?,
        strike_output: Terminal::new(row.strike_output).map_err(damaged("wiring.strike_output"))?,
        contact_input: input(row.contact_input).map_err(damaged("wiring.contact_input"))?,
        request_to_exit_input: input(row.request_to_exit_input)
            .map_err(damaged("wiring.request_to_exit_input"))?,
    })
}

/// An input plus one; 0 for none.
fn input_number(input: Option<Terminal>) -> u32 {
    input.map_or(0, |input| u32::from(input.number()).saturating_add(1))
}

fn input(number: u32) -> Result<Option<Terminal>, InvalidReader> {
    number.checked_sub(1).map(Terminal::new).transpose()
}

impl Stored for Reader {
    type Table = tables::Readers;

    fn key(&self) -> &str {
        self.id.as_str()
    }

    fn name(&self) -> String {
        self.id.name()
    }

    fn to_row(&self) -> pb::ReaderRow {
        let formats = self.card_formats.iter();
        pb::ReaderRow {
            display_name: self.display_name.reveal().to_owned(),
            access_point: self.access_point.to_string(),
            bus: self.bus.to_string(),
            address: self.address.number().into(),
            security: self.security.number(),
            card_formats: formats.map(|f| f.as_str().to_owned()).collect(),
            has_keypad: self.has_keypad,
        }
    }

    fn from_row(key: &str, row: &pb::ReaderRow) -> Result<Self, DamagedField> {
        let formats = row.card_formats.iter().map(|f| CardFormat::parse(f));
        Ok(Self {
            id: ReaderId::parse(key).map_err(damaged("key"))?,
            display_name: name(&row.display_name)?,
            access_point: AccessPointId::parse(&row.access_point)
                .map_err(damaged("access_point"))?,
            bus: BusName::parse(&row.bus).map_err(damaged("bus"))?,
            address: ReaderAddress::new(row.address).map_err(damaged("address"))?,
            security: ReaderSecurity::from_number(row.security).ok_or(DamagedField("security"))?,
            card_formats: formats
                .collect::<Result<_, _>>()
                .map_err(damaged("card_formats"))?,
            has_keypad: row.has_keypad,
        })
    }

    fn differences(&self, other: &Self) -> Vec<&'static str> {
        super::differing!(self, other;
            display_name, access_point, bus, address, security, card_formats, has_keypad)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::DisplayName;

    fn wired() -> Door {
        Door {
            id: DoorId::parse("d-1").unwrap(),
            display_name: DisplayName::parse("Door").unwrap(),
            drive: DoorDrive::Reader(DoorWiring {
                reader: ReaderId::parse("r-1").unwrap(),
                strike_output: Terminal::new(0).unwrap(),
                contact_input: Some(Terminal::new(0).unwrap()),
                request_to_exit_input: None,
            }),
            timing: DoorTiming::new(
                Some(Duration::from_millis(1_500)),
                Some(Duration::from_secs(4)),
                Some(Duration::ZERO),
            )
            .unwrap(),
        }
    }

    fn reader() -> Reader {
        Reader {
            id: ReaderId::parse("r-1").unwrap(),
            display_name: DisplayName::parse("Reader").unwrap(),
            access_point: AccessPointId::parse("d-1-in").unwrap(),
            bus: BusName::parse("north").unwrap(),
            address: ReaderAddress::new(7).unwrap(),
            security: ReaderSecurity::Plain,
            card_formats: vec![CardFormat::parse("H10301").unwrap()],
            has_keypad: true,
        }
    }

    /// The field that is told when a row of a good door was changed.
    fn damage(edit: impl Fn(&mut pb::DoorRow)) -> &'static str {
        let mut row = wired().to_row();
        edit(&mut row);
        Door::from_row("d-1", &row).unwrap_err().0
    }

    #[test]
    fn a_door_reads_back_as_it_was_written() {
        let door = wired();
        let row = door.to_row();
        assert_eq!((row.strike_tenths, row.held_after_seconds), (15, 4));
        assert_eq!(Door::from_row("d-1", &row), Ok(door.clone()));
        let driven = Door {
            drive: DoorDrive::Controller(ControllerId::parse("c-1").unwrap()),
            timing: DoorTiming::USUAL,
            ..door.clone()
        };
        assert_eq!(Door::from_row("d-1", &driven.to_row()), Ok(driven.clone()));
        let words = ["controller", "wiring", "timing"];
        assert_eq!(door.differences(&driven), words);
    }

    #[test]
    fn a_reader_reads_back_as_it_was_written() {
        let reader = reader();
        assert_eq!(Reader::from_row("r-1", &reader.to_row()), Ok(reader));
    }

    #[test]
    fn a_door_that_nothing_or_everything_drives_is_damage() {
        assert_eq!(damage(|row| row.wiring = None), "controller");
        assert_eq!(damage(|row| row.controller = "c-1".to_owned()), "wiring");
    }

    #[test]
    fn a_time_or_terminal_that_cannot_be_is_damage_and_no_default() {
        assert_eq!(damage(|row| row.strike_tenths = 0), "strike_tenths");
        assert_eq!(
            damage(|row| row.held_after_seconds = 0),
            "held_after_seconds"
        );
        assert_eq!(damage(|row| row.pre_alarm_seconds = 4), "pre_alarm_seconds");
        let far = |row: &mut pb::DoorRow| row.wiring.as_mut().unwrap().contact_input = 17;
        assert_eq!(damage(far), "wiring.contact_input");
    }
}
