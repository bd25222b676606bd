//! Doors and the readers on which some hang.

use std::time::Duration;

use super::{Line, Reading};
use crate::pb::v1 as pb;
use crate::store::directory::Problem;
use crate::store::rows::Code as _;
use crate::types::{
    AccessPointId, BusName, CardFormat, ControllerId, DisplayName, Door, DoorDrive, DoorId,
    DoorTiming, DoorWiring, InvalidReader, Reader, ReaderAddress, ReaderId, Terminal,
};

/// Most card formats of a reader; there are fewer lengths of cards than these.
const FORMATS_MAX: usize = 8;

pub(super) fn door(line: &mut Line<'_>, message: &pb::Door) -> Reading<Door> {
    let id = line.text("name", &message.name, DoorId::from_name);
    let display_name = line.text("display_name", &message.display_name, DisplayName::parse);
    let drive = drive(line, message);
    let timing = match &message.timing {
        Some(timing) => self::timing(line, timing),
        None => Some(DoorTiming::USUAL),
    };
    Some(Door {
        id: id?,
        display_name: display_name?,
        drive: drive?,
        timing: timing?,
    })
}

fn drive(line: &mut Line<'_>, message: &pb::Door) -> Reading<DoorDrive> {
    match (message.controller.as_str(), &message.wiring) {
        ("", Some(wiring)) => self::wiring(line, wiring).map(DoorDrive::Reader),
        ("", None) => {
            let why = "either `controller` or `wiring` is required".to_owned();
            line.fault("controller", Problem::Refused(why));
            None
        }
        (controller, None) => line
            .text("controller", controller, ControllerId::from_name)
            .map(DoorDrive::Controller),
        (_, Some(_)) => {
            let why = "a door has `controller` or `wiring`, never both".to_owned();
            line.fault("wiring", Problem::Refused(why));
            None
        }
    }
}

fn wiring(line: &mut Line<'_>, message: &pb::DoorWiring) -> Reading<DoorWiring> {
    let reader = line.text("wiring.reader", &message.reader, ReaderId::from_name);
    let strike_output = Terminal::new(message.strike_output);
    let strike_output = line.keep("wiring.strike_output", strike_output);
    let contact_input = message.contact_input.map(Terminal::new).transpose();
    let contact_input = line.keep("wiring.contact_input", contact_input);
    let request = message.request_to_exit_input.map(Terminal::new).transpose();
    let request = line.keep("wiring.request_to_exit_input", request);
    Some(DoorWiring {
        reader: reader?,
        strike_output: strike_output?,
        contact_input: contact_input?,
        request_to_exit_input: request?,
    })
}

fn timing(line: &mut Line<'_>, message: &pb::DoorTiming) -> Reading<DoorTiming> {
    let strike_time = time(line, "timing.strike_time", message.strike_time.as_ref());
    let held_after = time(line, "timing.held_after", message.held_after.as_ref());
    let pre_alarm = time(line, "timing.pre_alarm", message.pre_alarm.as_ref());
    let timing = DoorTiming::new(strike_time?, held_after?, pre_alarm?);
    let field = match timing {
        Err(InvalidReader::StrikeTime) => "timing.strike_time",
        Err(InvalidReader::HeldAfter) => "timing.held_after",
        Err(InvalidReader::PreAlarm) => "timing.pre_alarm",
        Err(InvalidReader::Address | InvalidReader::Terminal) | Ok(_) => "timing",
    };
    line.keep(field, timing)
}

/// A time, if one is said.
fn time(
    line: &mut Line<'_>,
    field: &str,
    message: Option<&prost_types::Duration>,
) -> Reading<Option<Duration>> {
    let Some(message) = message else {
        return Some(None);
    };
    let time = Duration::try_from(*message);
    let time = time.map_err(|_| "must be a time that is not negative");
    line.keep(field, time).map(Some)
}

pub(super) fn reader(line: &mut Line<'_>, message: &pb::Reader) -> Reading<Reader> {
    let id = line.text("name", &message.name, ReaderId::from_name);
    let display_name = line.text("display_name", &message.display_name, DisplayName::parse);
    let access_point = line.text(
        "access_point",
        &message.access_point,
        AccessPointId::from_name,
    );
    let bus = line.text("bus", &message.bus, BusName::parse);
    let address = line.keep("address", ReaderAddress::new(message.address));
    let security = line.code("security", message.security);
    let formats = &message.card_formats;
    let card_formats = line.each("card_formats", formats, FORMATS_MAX, |l, field, name| {
        l.text(field, name, CardFormat::parse)
    });
    Some(Reader {
        id: id?,
        display_name: display_name?,
        access_point: access_point?,
        bus: bus?,
        address: address?,
        security: security?,
        card_formats: card_formats?,
        has_keypad: message.has_keypad,
    })
}

/// A door as a message.
pub(in crate::service) fn door_message(door: &Door) -> pb::Door {
    let controller = door.drive.controller();
    pb::Door {
        name: door.id.name(),
        display_name: door.display_name.reveal().to_owned(),
        controller: controller.map(ControllerId::name).unwrap_or_default(),
        wiring: door.drive.wiring().map(wiring_message),
        timing: Some(pb::DoorTiming {
            strike_time: time_message(door.timing.strike_time()),
            held_after: time_message(door.timing.held_after()),
            pre_alarm: time_message(door.timing.pre_alarm()),
        }),
    }
}

fn wiring_message(wiring: &DoorWiring) -> pb::DoorWiring {
    let number = |terminal: Terminal| u32::from(terminal.number());
    pb::DoorWiring {
        reader: wiring.reader.name(),
        strike_output: number(wiring.strike_output),
        contact_input: wiring.contact_input.map(number),
        request_to_exit_input: wiring.request_to_exit_input.map(number),
    }
}

/// Every time of a door is at most an hour, which a message can hold.
fn time_message(time: Duration) -> Option<prost_types::Duration> {
    prost_types::Duration::try_from(time).ok()
}

/// A reader as a message.
pub(in crate::service) fn reader_message(reader: &Reader) -> pb::Reader {
    let formats = reader.card_formats.iter();
    pb::Reader {
        name: reader.id.name(),
        display_name: reader.display_name.reveal().to_owned(),
        access_point: reader.access_point.name(),
        bus: reader.bus.to_string(),
        address: reader.address.number().into(),
        security: reader.security.wire(),
        card_formats: formats.map(|f| f.as_str().to_owned()).collect(),
        has_keypad: reader.has_keypad,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::directory::Faults;

    fn seconds(seconds: i64) -> prost_types::Duration {
        prost_types::Duration { seconds, nanos: 0 }
    }

    fn wired() -> pb::Door {
        pb::Door {
            name: "doors/d1".to_owned(),
            display_name: "Door".to_owned(),
            controller: String::new(),
            wiring: Some(pb::DoorWiring {
                reader: "readers/r1".to_owned(),
                strike_output: 15,
                contact_input: Some(0),
                request_to_exit_input: None,
            }),
            timing: Some(pb::DoorTiming {
                strike_time: Some(prost_types::Duration {
                    seconds: 1,
                    nanos: 500_000_000,
                }),
                held_after: Some(seconds(60)),
                pre_alarm: Some(seconds(0)),
            }),
        }
    }

    fn polled() -> pb::Reader {
        pb::Reader {
            name: "readers/r1".to_owned(),
            display_name: "Reader".to_owned(),
            access_point: "accessPoints/d1-in".to_owned(),
            bus: "north".to_owned(),
            address: 126,
            security: 2,
            card_formats: vec!["H10301".to_owned(), "UID".to_owned()],
            has_keypad: true,
        }
    }

    fn read<T>(with: impl Fn(&mut Line<'_>) -> Reading<T>) -> (Option<T>, Vec<String>) {
        let mut faults = Faults::new();
        let mut line = Line {
            number: 7,
            root: "x",
            faults: &mut faults,
        };
        let read = with(&mut line);
        let told = faults.list().iter().map(ToString::to_string);
        (read, told.collect())
    }

    /// What is wrong with the door after something was changed.
    fn wrong(edit: impl Fn(&mut pb::Door)) -> Vec<String> {
        let mut message = wired();
        edit(&mut message);
        let (door, faults) = read(|line| door(line, &message));
        assert!(door.is_none());
        faults
    }

    #[test]
    fn doors_and_readers_come_back_as_they_were_sent() {
        let door = read(|line| door(line, &wired())).0.unwrap();
        assert_eq!(door_message(&door), wired());
        let reader = read(|line| reader(line, &polled())).0.unwrap();
        assert_eq!(reader_message(&reader), polled());
    }

    #[test]
    fn times_that_are_not_said_are_the_usual_ones() {
        let mut message = wired();
        message.timing = None;
        let usual = read(|line| door(line, &message)).0.unwrap();
        assert_eq!(usual.timing, DoorTiming::USUAL);
        message.timing = Some(pb::DoorTiming {
            held_after: Some(seconds(9)),
            ..pb::DoorTiming::default()
        });
        let partly = read(|line| door(line, &message)).0.unwrap().timing;
        assert_eq!(partly.strike_time(), Duration::from_secs(5));
        assert_eq!(partly.pre_alarm(), Duration::from_secs(3));
    }

    #[test]
    fn a_door_is_driven_by_exactly_one() {
        let none = wrong(|door| door.wiring = None);
        assert_eq!(
            none,
            ["line 7: x.controller: either `controller` or `wiring` is required"]
        );
        let both = wrong(|door| door.controller = "controllers/c1".to_owned());
        assert_eq!(
            both,
            ["line 7: x.wiring: a door has `controller` or `wiring`, never both"]
        );
    }

    #[test]
    fn terminals_and_times_out_of_range_are_faults_with_their_path() {
        let faults = wrong(|door| {
            let wiring = door.wiring.as_mut().unwrap();
            (wiring.strike_output, wiring.contact_input) = (16, Some(99));
            let timing = door.timing.as_mut().unwrap();
            timing.pre_alarm = Some(seconds(60));
        });
        assert_eq!(
            faults,
            [
                "line 7: x.wiring.strike_output: inputs and outputs are numbered 0 to 15",
                "line 7: x.wiring.contact_input: inputs and outputs are numbered 0 to 15",
                "line 7: x.timing.pre_alarm: the warning must come less than `held_after` \
                 before the alarm, in whole seconds",
            ]
        );
        let negative = wrong(|door| {
            door.timing.as_mut().unwrap().held_after = Some(seconds(-1));
        });
        assert_eq!(
            negative,
            ["line 7: x.timing.held_after: must be a time that is not negative"]
        );
    }

    #[test]
    fn everything_wrong_with_a_reader_is_told() {
        let message = pb::Reader {
            name: "doors/r1".to_owned(),
            bus: "North 1".to_owned(),
            address: 127,
            security: 0,
            card_formats: vec!["H10301".to_owned(), String::new()],
            ..polled()
        };
        let (read, faults) = read(|line| reader(line, &message));
        assert!(read.is_none());
        let fields: Vec<_> = faults
            .iter()
            .map(|fault| fault.split(": ").nth(1).unwrap())
            .collect();
        assert_eq!(
            fields,
            [
                "x.name",
                "x.bus",
                "x.address",
                "x.security",
                "x.card_formats[1]"
            ]
        );
    }
}
