//! The site, its customers, areas, controllers and doors.

use super::item::{Item, Reader};
use crate::pb::v1::site_part::Part;
use crate::pb::v1::{
    AccessPoint, Area, Controller, Customer, Direction, Door, FactorRequirement, FactorRule,
    Precision, Site,
};
use crate::types::{
    AccessPointId, AreaId, ControllerId, CustomerId, DisplayName, DoorId, InvalidId, ScheduleId,
    SiteId, SiteZone,
};

const REQUIREMENTS: [(&str, FactorRequirement); 3] = [
    ("badge", FactorRequirement::Badge),
    ("badge+pin", FactorRequirement::BadgeAndPin),
    ("badge+finger", FactorRequirement::BadgeAndFinger),
];
const PRECISIONS: [(&str, Precision); 3] = [
    ("hour", Precision::Hour),
    ("minute", Precision::Minute),
    ("second", Precision::Second),
];

pub(super) fn site(reader: &mut Reader, mut item: Item<'_>) -> Part {
    let id = item.optional(reader, "id", SiteId::parse);
    let display_name = item.checked(reader, "name", DisplayName::parse);
    let time_zone = item.checked(reader, "time_zone", SiteZone::parse);
    reader.zone = SiteZone::parse(&time_zone).ok();
    item.finish(reader);
    Part::Site(Site {
        name: id.map(|id| format!("sites/{id}")).unwrap_or_default(),
        display_name,
        time_zone,
        etag: String::new(),
        duress_pin: false,
    })
}

pub(super) fn customer(reader: &mut Reader, mut item: Item<'_>) -> Vec<Part> {
    let part = Part::Customer(Customer {
        name: item.id(reader, "id", customer_name),
        display_name: item.checked(reader, "name", DisplayName::parse),
        precision: item
            .word(reader, "precision", &PRECISIONS)
            .unwrap_or_default()
            .into(),
        shared_area_grants: item.flag(reader, "shared_area_grants"),
    });
    item.finish(reader);
    vec![part]
}

pub(super) fn area(reader: &mut Reader, mut item: Item<'_>) -> Vec<Part> {
    let part = Part::Area(Area {
        name: item.id(reader, "id", area_name),
        display_name: item.checked(reader, "name", DisplayName::parse),
        protection_class: item.required_number(reader, "class", 1..=4),
        customers: item.ids(reader, "customers", customer_name),
    });
    item.finish(reader);
    vec![part]
}

pub(super) fn controller(reader: &mut Reader, mut item: Item<'_>) -> Vec<Part> {
    let part = Part::Controller(Controller {
        name: item.id(reader, "id", controller_name),
        display_name: item.checked(reader, "name", DisplayName::parse),
    });
    item.finish(reader);
    vec![part]
}

/// A door and its two sides. Where one side says from where to where, the other goes back.
pub(super) fn door(reader: &mut Reader, mut item: Item<'_>) -> Vec<Part> {
    let id = item.checked(reader, "id", DoorId::parse);
    let door = Door {
        name: DoorId::parse(&id).map(|id| id.name()).unwrap_or_default(),
        display_name: item.checked(reader, "name", DisplayName::parse),
        controller: item.id(reader, "controller", controller_name),
        wiring: None,
        timing: None,
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

pub(super) fn customer_name(id: &str) -> Result<String, InvalidId> {
    CustomerId::parse(id).map(|id| id.name())
}

fn area_name(id: &str) -> Result<String, InvalidId> {
    AreaId::parse(id).map(|id| id.name())
}

fn controller_name(id: &str) -> Result<String, InvalidId> {
    ControllerId::parse(id).map(|id| id.name())
}
