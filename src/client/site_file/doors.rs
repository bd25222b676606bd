//! Doors with their two sides, and the readers on which some hang.

use super::item::{Item, Reader};
use super::places::{area_name, controller_name};
use super::spans::duration;
use crate::pb::v1::site_part::Part;
use crate::pb::v1::{
    self, AccessPoint, Direction, Door, DoorTiming, DoorWiring, FactorRequirement, FactorRule,
    ReaderSecurity,
};
use crate::types::{
    AccessPointId, BusName, CardFormat, DisplayName, DoorId, ReaderAddress, ReaderId, ScheduleId,
    Terminal,
};

const REQUIREMENTS: [(&str, FactorRequirement); 3] = [
    ("badge", FactorRequirement::Badge),
    ("badge+pin", FactorRequirement::BadgeAndPin),
    ("badge+finger", FactorRequirement::BadgeAndFinger),
];
const SECURITIES: [(&str, ReaderSecurity); 2] = [
    ("secure", ReaderSecurity::SecureChannel),
    ("plain", ReaderSecurity::Plain),
];

/// A door and its two sides. Where one side says from where to where, the other goes back.
pub(super) fn door(reader: &mut Reader, mut item: Item<'_>) -> Vec<Part> {
    let id = item.checked(reader, "id", DoorId::parse);
    let (controller, wiring) = drive(reader, &mut item);
    let door = Door {
        name: DoorId::parse(&id).map(|id| id.name()).unwrap_or_default(),
        display_name: item.checked(reader, "name", DisplayName::parse),
        controller,
        wiring,
        timing: timing(reader, &mut item),
    };
    let entry = item.table(reader, "entry");
    let exit = item.table(reader, "exit");
    if entry.is_none() && exit.is_none() {
        let (line, key) = (item.line(), item.key("entry"));
        reader
            .faults
            .push(line, key, "expected `entry`, `exit` or both");
    }
    item.finish(reader);
    let mut sides = Vec::new();
    let known_way = |sides: &[AccessPoint]| {
        sides
            .first()
            .map(|other| (other.to_area.clone(), other.from_area.clone()))
    };
    for (found, direction) in [(entry, Direction::Entry), (exit, Direction::Exit)] {
        if let Some(found) = found {
            let back = known_way(&sides);
            sides.push(side(reader, found, &door.name, (direction, back)));
        }
    }
    let sides = sides.into_iter().map(Part::AccessPoint);
    std::iter::once(Part::Door(door)).chain(sides).collect()
}

fn side(
    reader: &mut Reader,
    mut item: Item<'_>,
    door: &str,
    (direction, back): (Direction, Option<(String, String)>),
) -> AccessPoint {
    let default_id = match direction {
        Direction::Exit => format!("{}-out", door.trim_start_matches("doors/")),
        Direction::Entry | Direction::Unspecified => {
            format!("{}-in", door.trim_start_matches("doors/"))
        }
    };
    let id = item
        .optional(reader, "id", AccessPointId::parse)
        .unwrap_or(default_id);
    let (from_area, to_area) = match back {
        Some((from, to)) => (
            item.optional(reader, "from", area_name)
                .and_then(|id| area_name(&id).ok())
                .unwrap_or(from),
            item.optional(reader, "to", area_name)
                .and_then(|id| area_name(&id).ok())
                .unwrap_or(to),
        ),
        None => (
            item.id(reader, "from", area_name),
            item.id(reader, "to", area_name),
        ),
    };
    let point = AccessPoint {
        name: format!("{}/{id}", AccessPointId::COLLECTION),
        door: door.to_owned(),
        from_area,
        to_area,
        direction: direction.into(),
        default_requirement: requirement(reader, &mut item),
        factor_rules: item
            .tables(reader, "rules")
            .into_iter()
            .map(|rule| factor_rule(reader, rule))
            .collect(),
    };
    item.finish(reader);
    point
}

fn requirement(reader: &mut Reader, item: &mut Item<'_>) -> i32 {
    item.word(reader, "requires", &REQUIREMENTS)
        .unwrap_or_default()
        .into()
}

fn factor_rule(reader: &mut Reader, mut item: Item<'_>) -> FactorRule {
    let rule = FactorRule {
        schedule: item.id(reader, "schedule", |id| {
            ScheduleId::parse(id).map(|id| id.name())
        }),
        requirement: requirement(reader, &mut item),
    };
    item.finish(reader);
    rule
}

/// The controller or the wiring of a door; one of the two.
fn drive(reader: &mut Reader, item: &mut Item<'_>) -> (String, Option<DoorWiring>) {
    let name = |id: &str| controller_name(id);
    let controller = item.optional(reader, "controller", name);
    let has_controller = item.has("controller");
    let has_wiring = item.has("wiring");
    let found = item.table(reader, "wiring");
    let wiring = found.map(|found| wiring(reader, found));
    let (line, key) = (item.line(), item.key("controller"));
    match (has_controller, has_wiring) {
        (false, false) => {
            let what = "expected `controller` or `wiring`";
            reader.faults.push(line, key, what);
        }
        (true, true) => {
            let what = "expected `controller` or `wiring`, not both";
            reader.faults.push(line, key, what);
        }
        (true, false) | (false, true) => {}
    }
    let controller = controller.and_then(|id| controller_name(&id).ok());
    (controller.unwrap_or_default(), wiring)
}

fn wiring(reader: &mut Reader, mut item: Item<'_>) -> DoorWiring {
    const TERMINALS: std::ops::RangeInclusive<u32> = 0..=15;
    const _: () = assert!(Terminal::MAX == 15);
    let wiring = DoorWiring {
        reader: item.id(reader, "reader", |id| {
            ReaderId::parse(id).map(|id| id.name())
        }),
        strike_output: item.required_number(reader, "strike_output", TERMINALS),
        contact_input: item.number(reader, "contact_input", TERMINALS),
        request_to_exit_input: item.number(reader, "request_to_exit_input", TERMINALS),
    };
    item.finish(reader);
    wiring
}

/// The times that a file says; none where it says none.
fn timing(reader: &mut Reader, item: &mut Item<'_>) -> Option<DoorTiming> {
    let mut time = |key| {
        let found = item.optional(reader, key, duration);
        found.and_then(|text| duration(&text).ok())
    };
    let timing = DoorTiming {
        strike_time: time("strike_time"),
        held_after: time("held_after"),
        pre_alarm: time("pre_alarm"),
    };
    (timing != DoorTiming::default()).then_some(timing)
}

/// A reader on a serial line.
pub(super) fn reader(reader: &mut Reader, mut item: Item<'_>) -> Vec<Part> {
    let part = Part::Reader(v1::Reader {
        name: item.id(reader, "id", |id| ReaderId::parse(id).map(|id| id.name())),
        display_name: item.checked(reader, "name", DisplayName::parse),
        access_point: item.id(reader, "access_point", |id| {
            AccessPointId::parse(id).map(|id| id.name())
        }),
        bus: item.checked(reader, "bus", BusName::parse),
        address: item.required_number(reader, "address", 0..=ReaderAddress::MAX.into()),
        security: item
            .word(reader, "security", &SECURITIES)
            .unwrap_or_default()
            .into(),
        card_formats: card_formats(reader, &mut item),
        has_keypad: item.flag(reader, "keypad"),
    });
    item.finish(reader);
    vec![part]
}

fn card_formats(reader: &mut Reader, item: &mut Item<'_>) -> Vec<String> {
    let key = item.key("card_formats");
    if !item.has("card_formats") {
        reader.faults.push(item.line(), key.clone(), "is required");
    }
    let mut formats = Vec::new();
    for found in item.texts(reader, "card_formats") {
        match CardFormat::parse(&found.text) {
            Ok(_) => formats.push(found.text),
            Err(error) => reader
                .faults
                .push(found.line, key.clone(), error.to_string()),
        }
    }
    formats
}
