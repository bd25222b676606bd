//! What the tests of this folder share: a small site, and words for times.

mod oracle;
mod world;

use chrono::{DateTime, NaiveDate};

use super::{PinVerifier, Roster, RosterParts};
use crate::types::{
    AccessListEntry, AccessPoint, AccessPointId, Area, AreaId, Attempt, Badge, BadgeId,
    BadgeNumber, BadgeState, BusName, CardCheck, CardFormat, CardKey, Controller, ControllerId,
    Customer, CustomerId, DaySpan, Direction, DisplayName, Door, DoorDrive, DoorId, DoorTiming,
    DoorWiring, EntryNumber, EntryRef, FactorRequirement, Membership, Person, PersonId,
    PersonState, PinEvidence, Precision, PresentedCard, ProtectionClass, Reader, ReaderAddress,
    ReaderId, ReaderSecurity, Schedule, ScheduleId, Scope, SiteZone, SpecialDays, SpecialDaysId,
    SpecialSpans, Terminal, UtcTime, Validity, Weekday, WeeklySpan,
};

pub(super) use oracle::decide_slowly;
pub(super) use world::{World, each_world};

/// An instant, `2026-11-23T08:15:00Z`.
pub(super) fn t(rfc3339: &str) -> UtcTime {
    UtcTime::from_unix(DateTime::parse_from_rfc3339(rfc3339).unwrap().timestamp()).unwrap()
}

/// A date, `2026-11-23`.
pub(super) fn date(iso: &str) -> NaiveDate {
    iso.parse().unwrap()
}

pub(super) fn zone() -> SiteZone {
    SiteZone::parse("Europe/Stockholm").unwrap()
}

/// A Monday, 09:15 by the site's clocks.
pub(super) fn monday_morning() -> UtcTime {
    t("2026-11-23T08:15:00Z")
}

/// From one instant to another; `-` leaves the end open.
pub(super) fn valid(from: &str, until: &str) -> Validity {
    let end = |text: &str| (text != "-").then(|| t(text));
    Validity::new(end(from), end(until)).unwrap()
}

/// Ids of every kind from text.
macro_rules! ids {
    ($($name:ident => $id:ident),* $(,)?) => {
        $(pub(super) fn $name(text: &str) -> $id {
            $id::parse(text).unwrap()
        })*
    };
}

ids! {
    access_point => AccessPointId, area => AreaId, badge => BadgeId, customer => CustomerId,
    controller => ControllerId, door => DoorId, person => PersonId, schedule_id => ScheduleId,
    reader_id => ReaderId, special_days_id => SpecialDaysId,
}

pub(super) fn entry(customer_id: &str, number: u64) -> EntryRef {
    EntryRef {
        customer: customer(customer_id),
        number: EntryNumber(number),
    }
}

pub(super) fn label() -> DisplayName {
    DisplayName::parse("x").unwrap()
}

pub(super) fn spans(minutes: &[(u32, u32)]) -> Vec<DaySpan> {
    let spans = minutes.iter();
    spans
        .map(|(from, until)| DaySpan::new(*from, *until).unwrap())
        .collect()
}

/// A schedule of (weekday, first minute, end).
pub(super) fn schedule(id: &str, week: &[(u32, u32, u32)]) -> Schedule {
    let weekly = week.iter().map(|(day, from, until)| WeeklySpan {
        weekday: Weekday::new(*day).unwrap(),
        span: DaySpan::new(*from, *until).unwrap(),
    });
    Schedule {
        id: schedule_id(id),
        display_name: label(),
        weekly: weekly.collect(),
        special: Vec::new(),
    }
}

/// Monday to Friday, 07:00 to 18:00.
pub(super) fn office_hours() -> Schedule {
    schedule("office", &[1, 2, 3, 4, 5].map(|day| (day, 420, 1080)))
}

pub(super) fn special_days(id: &str, dates: &[&str]) -> (SpecialDaysId, SpecialDays) {
    let set = SpecialDays {
        id: special_days_id(id),
        display_name: label(),
        dates: dates.iter().map(|iso| date(iso)).collect(),
    };
    (set.id.clone(), set)
}

pub(super) fn card(number: u8) -> CardKey {
    CardKey::from_bytes([number; 16])
}

/// The card with this number is held against a reader, without a PIN.
pub(super) fn attempt(card_number: u8, at: &str) -> Attempt {
    Attempt {
        access_point: access_point(at),
        card: PresentedCard {
            format: CardFormat::parse("H10301").unwrap(),
            bit_length: 26,
            key: card(card_number),
            check: CardCheck::Sound,
        },
        pin: PinEvidence::NotGiven,
    }
}

pub(super) fn compiled(parts: &RosterParts) -> Roster {
    Roster::compile(parts, 7).unwrap()
}

/// Handles on the parts of a site, for tests that change one thing.
impl RosterParts {
    pub(super) fn badge_mut(&mut self, id: &str) -> &mut Badge {
        self.badges.get_mut(&badge(id)).unwrap()
    }

    pub(super) fn person_mut(&mut self, id: &str) -> &mut Person {
        self.persons.get_mut(&person(id)).unwrap()
    }

    pub(super) fn entry_mut(&mut self, customer: &str, number: u64) -> &mut AccessListEntry {
        self.entries.get_mut(&entry(customer, number)).unwrap()
    }

    pub(super) fn point_mut(&mut self, id: &str) -> &mut AccessPoint {
        self.access_points.get_mut(&access_point(id)).unwrap()
    }

    pub(super) fn customer_mut(&mut self, id: &str) -> &mut Customer {
        self.customers.get_mut(&customer(id)).unwrap()
    }

    pub(super) fn add_area(&mut self, id: &str, owners: &[&str]) {
        let new = Area {
            id: area(id),
            display_name: label(),
            class: ProtectionClass::new(2).unwrap(),
            customers: owners.iter().map(|owner| customer(owner)).collect(),
        };
        self.areas.insert(new.id.clone(), new);
    }

    pub(super) fn add_customer(&mut self, id: &str, precision: Precision) {
        let new = Customer {
            id: customer(id),
            display_name: label(),
            precision,
            shared_area_grants: false,
        };
        self.customers.insert(new.id.clone(), new);
    }

    pub(super) fn add_door(&mut self, id: &str) {
        let new = Door {
            id: door(id),
            display_name: label(),
            drive: DoorDrive::Controller(controller("c-1")),
            timing: DoorTiming::USUAL,
        };
        self.doors.insert(new.id.clone(), new);
    }

    /// A reader at a side of a door, on the line `east`.
    pub(super) fn add_reader(&mut self, id: &str, at: &str, address: u32) {
        let new = Reader {
            id: reader_id(id),
            display_name: label(),
            access_point: access_point(at),
            bus: BusName::parse("east").unwrap(),
            address: ReaderAddress::new(address).unwrap(),
            security: ReaderSecurity::SecureChannel,
            card_formats: vec![CardFormat::parse("H10301").unwrap()],
            has_keypad: false,
        };
        self.readers.insert(new.id.clone(), new);
    }

    /// Hangs a door on a reader: its output 0, its inputs 0 and 1.
    pub(super) fn drive_by(&mut self, at: &str, reader: &str) -> &mut DoorWiring {
        let terminal = |number| Terminal::new(number).unwrap();
        let door = self.doors.get_mut(&door(at)).unwrap();
        door.drive = DoorDrive::Reader(DoorWiring {
            reader: reader_id(reader),
            strike_output: terminal(0),
            contact_input: Some(terminal(0)),
            request_to_exit_input: Some(terminal(1)),
        });
        let DoorDrive::Reader(wiring) = &mut door.drive else {
            unreachable!("it was just hung there");
        };
        wiring
    }

    pub(super) fn add_controller(&mut self, id: &str) {
        let new = Controller {
            id: controller(id),
            display_name: label(),
        };
        self.controllers.insert(new.id.clone(), new);
    }

    /// A side of a door: `from` is left, `to` is entered.
    pub(super) fn add_point(&mut self, id: &str, at: &str, way: (&str, &str), dir: Direction) {
        let new = AccessPoint {
            id: access_point(id),
            door: door(at),
            from_area: area(way.0),
            to_area: area(way.1),
            direction: dir,
            default_requirement: FactorRequirement::Badge,
            factor_rules: Vec::new(),
        };
        self.access_points.insert(new.id.clone(), new);
    }

    /// Person `p-N` of a customer, with badge `b-N`, card N, and number `B-100N`.
    pub(super) fn add_person(&mut self, number: u8, of: &str, may_approve: bool) {
        let new = Person {
            id: person(&format!("p-{number}")),
            state: PersonState::Active,
            validity: Validity::ALWAYS,
            memberships: vec![Membership {
                customer: customer(of),
                may_approve,
            }],
        };
        let held = Badge {
            id: badge(&format!("b-{number}")),
            person: new.id.clone(),
            state: BadgeState::Active,
            validity: Validity::ALWAYS,
            card: card(number),
            number: Some(BadgeNumber::parse(&format!("B-100{number}")).unwrap()),
        };
        self.persons.insert(new.id.clone(), new);
        self.badges.insert(held.id.clone(), held);
    }

    pub(super) fn add_entry(&mut self, at: EntryRef, who: (&str, &str), scope: Scope, when: &str) {
        let new = AccessListEntry {
            entry: at,
            person: person(who.0),
            scope,
            schedule: schedule_id(when),
            validity: Validity::ALWAYS,
            approver: person(who.1),
        };
        self.entries.insert(new.entry.clone(), new);
    }
}

pub(super) fn scope(areas: &[&str], doors: &[&str]) -> Scope {
    Scope {
        areas: areas.iter().map(|id| area(id)).collect(),
        doors: doors.iter().map(|id| door(id)).collect(),
    }
}

/// A small site that two customers share.
///
/// ```text
///            front-in        a-in               a-to-b
///   street  ---------> lobby ----> hall-a (acme) ----> hall-b (borea)
///           <---------       <----                     |
///            front-out      a-out                      | b-out
///                      lobby ---- b-in, badge + PIN ---'
/// ```
///
/// p-1 works for acme, p-2 approves for it; p-3 works for borea, p-4 approves for it.
/// p-1 may enter hall-a in office hours, p-3 hall-b at any time, both the lobby at any time.
pub(super) fn site() -> RosterParts {
    let mut site = RosterParts::new(zone());
    site.add_customer("acme", Precision::Hour);
    site.add_customer("borea", Precision::Minute);
    site.add_controller("c-1");
    site.add_area("street", &[]);
    site.add_area("lobby", &[]);
    site.add_area("hall-a", &["acme"]);
    site.add_area("hall-b", &["borea"]);
    for id in ["d-front", "d-a", "d-b", "d-ab"] {
        site.add_door(id);
    }
    site.add_point("front-in", "d-front", ("street", "lobby"), Direction::Entry);
    site.add_point("front-out", "d-front", ("lobby", "street"), Direction::Exit);
    site.add_point("a-in", "d-a", ("lobby", "hall-a"), Direction::Entry);
    site.add_point("a-out", "d-a", ("hall-a", "lobby"), Direction::Exit);
    site.add_point("b-in", "d-b", ("lobby", "hall-b"), Direction::Entry);
    site.add_point("b-out", "d-b", ("hall-b", "lobby"), Direction::Exit);
    site.add_point("a-to-b", "d-ab", ("hall-a", "hall-b"), Direction::Entry);
    site.point_mut("b-in").default_requirement = FactorRequirement::BadgeAndPin;
    site.add_person(1, "acme", false);
    site.add_person(2, "acme", true);
    site.add_person(3, "borea", false);
    site.add_person(4, "borea", true);
    let (holidays, dates) = special_days("holidays", &["2026-12-25"]);
    let mut office = office_hours();
    office.special = vec![SpecialSpans {
        special_days: holidays.clone(),
        spans: Vec::new(),
    }];
    site.special_days.insert(holidays, dates);
    site.schedules.insert(office.id.clone(), office);
    let acme = |number| entry("acme", number);
    let borea = |number| entry("borea", number);
    site.add_entry(acme(1), ("p-1", "p-2"), scope(&["hall-a"], &[]), "office");
    site.add_entry(acme(2), ("p-1", "p-2"), scope(&[], &["d-front"]), "always");
    site.add_entry(borea(1), ("p-3", "p-4"), scope(&["hall-b"], &[]), "always");
    site.add_entry(borea(2), ("p-3", "p-4"), scope(&["lobby"], &[]), "always");
    let verifier = PinVerifier {
        salt: [0; 16],
        tag: [0; 32],
    };
    site.pins.insert(person("p-3"), verifier);
    site
}
