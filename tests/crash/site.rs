//! The site that is cut off: two customers, doors of either, of both and of neither.
//!
//! Its rules follow from their version alone, so that whoever finds a version knows the rest.

use std::sync::Arc;

use anyhow::Result;
use sluss::{
    policy::{Roster, RosterParts},
    store::{
        Batch, Rules,
        rows::{Stored, badge_row, entry_key, entry_row, person_row},
        tables::{Badges, ListEntries, Persons},
    },
    types::{
        AccessListEntry, AccessPoint, AccessPointId, Area, AreaId, Badge, BadgeId, BadgeState,
        CardCheck, CardFormat, CardKey, Controller, ControllerId, Customer, CustomerId, Direction,
        DisplayName, Door, DoorDrive, DoorId, DoorTiming, EntryNumber, EntryRef, FactorRequirement,
        Membership, Person, PersonId, PersonState, Precision, PresentedCard, ProtectionClass,
        ScheduleId, Scope, SiteZone, UtcTime, Validity,
    },
};

/// The site's id.
pub(crate) const SITE: &str = "north";
/// Its zone.
pub(crate) const ZONE: &str = "Europe/Stockholm";
/// Controllers; each drives one door.
pub(crate) const CONTROLLERS: [&str; 4] = ["gate-a", "gate-b", "gate-ab", "gate-hall"];
/// Its customers.
pub(crate) const CUSTOMERS: [&str; 2] = ["acme", "bolt"];
/// Persons that each version of the rules adds.
pub(crate) const PERSONS_PER_VERSION: u64 = 6;

/// Doors by area left, area entered.
const DOORS: [(&str, &str, &str); 4] = [
    ("a", "lobby", "cage-a"),
    ("b", "lobby", "cage-b"),
    ("ab", "cage-a", "cage-b"),
    ("hall", "lobby", "hall"),
];

/// The access point that a controller drives.
pub(crate) fn point(controller: usize) -> Result<AccessPointId> {
    let door = DOORS.get(controller).map_or("a", |door| door.0);
    Ok(AccessPointId::parse(&format!("d-{door}"))?)
}

/// The card of the person with this number; those that are not there yet are unknown cards.
pub(crate) fn card(number: u64) -> Result<PresentedCard> {
    Ok(PresentedCard {
        format: CardFormat::parse("H10301")?,
        bit_length: 26,
        key: card_key(number),
        check: CardCheck::Sound,
    })
}

fn card_key(number: u64) -> CardKey {
    let [bytes, again] = [number.to_be_bytes(), number.to_le_bytes()];
    let mut key = [0; 16];
    key.iter_mut()
        .zip(bytes.into_iter().chain(again))
        .for_each(|(out, byte)| *out = byte);
    CardKey::from_bytes(key)
}

/// How many persons there are under a version of the rules.
pub(crate) fn person_count(version: u64) -> u64 {
    version.saturating_mul(PERSONS_PER_VERSION)
}

/// The person with this number, from 1.
pub(crate) fn person(number: u64) -> Result<PersonId> {
    Ok(PersonId::parse(&format!("p-{number}"))?)
}

/// The rules of a version. Version 0 is a site in which there is nothing.
pub(crate) fn parts(version: u64) -> Result<RosterParts> {
    let mut parts = RosterParts::new(SiteZone::parse(ZONE)?);
    if version > 0 {
        add_places(&mut parts)?;
        for number in 1..=person_count(version) {
            add_person(&mut parts, number)?;
        }
    }
    Ok(parts)
}

/// The rules of a version, ready for use.
pub(crate) fn rules(parts: RosterParts, version: u64) -> Result<Rules> {
    let roster = Arc::new(Roster::compile(&parts, version)?);
    let parts = Arc::new(parts);
    Ok(Rules { parts, roster })
}

/// The rows by which a version differs from the one before.
pub(crate) fn change(version: u64, now: UtcTime) -> Result<Batch> {
    let (before, after) = (parts(version.saturating_sub(1))?, parts(version)?);
    let mut batch = Batch::new();
    put(&mut batch, after.areas.values(), |a| {
        !before.areas.contains_key(&a.id)
    });
    put(&mut batch, after.doors.values(), |d| {
        !before.doors.contains_key(&d.id)
    });
    put(&mut batch, after.access_points.values(), |p| {
        !before.access_points.contains_key(&p.id)
    });
    put(&mut batch, after.controllers.values(), |c| {
        !before.controllers.contains_key(&c.id)
    });
    put(&mut batch, after.customers.values(), |c| {
        !before.customers.contains_key(&c.id)
    });
    for (id, person) in &after.persons {
        if !before.persons.contains_key(id) {
            batch.put::<Persons>(&id.to_string(), &person_row(person));
        }
    }
    for (id, badge) in &after.badges {
        if !before.badges.contains_key(id) {
            batch.put::<Badges>(&id.to_string(), &badge_row(badge));
        }
    }
    for (entry, line) in &after.entries {
        if !before.entries.contains_key(entry) {
            let row = entry_row(line, None, version, now);
            batch.put::<ListEntries>(&entry_key(entry), &row);
        }
    }
    Ok(batch)
}

fn put<'a, S: Stored + 'a>(
    batch: &mut Batch,
    all: impl Iterator<Item = &'a S>,
    is_new: impl Fn(&S) -> bool,
) {
    for value in all.filter(|value| is_new(value)) {
        batch.put::<S::Table>(&value.key().to_owned(), &value.to_row());
    }
}

fn add_places(parts: &mut RosterParts) -> Result<()> {
    for (customer, precision) in CUSTOMERS.iter().zip([Precision::Hour, Precision::Second]) {
        let id = CustomerId::parse(customer)?;
        let value = Customer {
            id: id.clone(),
            display_name: DisplayName::parse(customer)?,
            precision,
            shared_area_grants: true,
        };
        parts.customers.insert(id, value);
    }
    let owners = [
        ("lobby", None),
        ("hall", None),
        ("cage-a", Some("acme")),
        ("cage-b", Some("bolt")),
    ];
    for (area, owner) in owners {
        let id = AreaId::parse(area)?;
        let owner = owner.map(CustomerId::parse).transpose()?;
        let value = Area {
            id: id.clone(),
            display_name: DisplayName::parse(area)?,
            class: ProtectionClass::new(3)?,
            customers: owner.into_iter().collect(),
        };
        parts.areas.insert(id, value);
    }
    for ((door, from, to), controller) in DOORS.into_iter().zip(CONTROLLERS) {
        add_door(parts, (door, controller), (from, to))?;
    }
    Ok(())
}

fn add_door(
    parts: &mut RosterParts,
    (door, controller): (&str, &str),
    (from, to): (&str, &str),
) -> Result<()> {
    let (id, gate) = (DoorId::parse(door)?, ControllerId::parse(controller)?);
    let driven = Controller {
        id: gate.clone(),
        display_name: DisplayName::parse(controller)?,
    };
    parts.controllers.insert(gate.clone(), driven);
    let named = Door {
        id: id.clone(),
        display_name: DisplayName::parse(door)?,
        drive: DoorDrive::Controller(gate),
        timing: DoorTiming::USUAL,
    };
    parts.doors.insert(id.clone(), named);
    let side = AccessPoint {
        id: AccessPointId::parse(&format!("d-{door}"))?,
        door: id,
        from_area: AreaId::parse(from)?,
        to_area: AreaId::parse(to)?,
        direction: Direction::Entry,
        default_requirement: FactorRequirement::Badge,
        factor_rules: Vec::new(),
    };
    parts.access_points.insert(side.id.clone(), side);
    Ok(())
}

/// Persons belong to the customers in turn; each is on its customer's list.
fn add_person(parts: &mut RosterParts, number: u64) -> Result<()> {
    let is_first = number % 2 == 1;
    let (customer, cage) = if is_first {
        ("acme", "cage-a")
    } else {
        ("bolt", "cage-b")
    };
    let (customer, id) = (CustomerId::parse(customer)?, person(number)?);
    let known = Person {
        id: id.clone(),
        state: PersonState::Active,
        validity: Validity::ALWAYS,
        memberships: vec![Membership {
            customer: customer.clone(),
            may_approve: number <= 2,
        }],
    };
    parts.persons.insert(id.clone(), known);
    let badge = Badge {
        id: BadgeId::parse(&format!("b-{number}"))?,
        person: id.clone(),
        state: BadgeState::Active,
        validity: Validity::ALWAYS,
        card: card_key(number),
        number: None,
    };
    parts.badges.insert(badge.id.clone(), badge);
    let entry = EntryRef {
        customer,
        number: EntryNumber(number),
    };
    let line = AccessListEntry {
        entry: entry.clone(),
        person: id,
        scope: Scope {
            areas: vec![AreaId::parse(cage)?],
            doors: Vec::new(),
        },
        schedule: ScheduleId::always(),
        validity: Validity::ALWAYS,
        approver: person(if is_first { 1 } else { 2 })?,
    };
    parts.entries.insert(entry, line);
    Ok(())
}
