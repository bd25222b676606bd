//! What a customer can find out by asking, on a site that two customers share.

use tonic::Code;
use tonic_types::StatusExt as _;

use super::*;
use crate::policy::{Roster, RosterParts};
use crate::types::{
    AccessListEntry, AccessPoint, Area, AreaId, Badge, BadgeId, BadgeState, Controller,
    ControllerId, Customer, Direction, DisplayName, Door, DoorDrive, DoorTiming, EntryNumber,
    EntryRef, FactorRequirement, Membership, Person, PersonState, ProtectionClass, ScheduleId,
    Scope, SiteZone, Validity,
};

fn acme() -> CustomerId {
    CustomerId::parse("acme").unwrap()
}

fn name() -> DisplayName {
    DisplayName::parse("x").unwrap()
}

fn person(id: &str) -> PersonId {
    PersonId::parse(id).unwrap()
}

fn add_place(parts: &mut RosterParts, customer: &str, precision: Precision) {
    let id = CustomerId::parse(customer).unwrap();
    let owner = Customer {
        id: id.clone(),
        display_name: name(),
        precision,
        shared_area_grants: false,
    };
    parts.customers.insert(id.clone(), owner);
    let area = |text: String, customers: Vec<CustomerId>| Area {
        id: AreaId::parse(&text).unwrap(),
        display_name: name(),
        class: ProtectionClass::new(2).unwrap(),
        customers,
    };
    let (lobby, hall) = (
        area("lobby".into(), Vec::new()),
        area(format!("hall-{customer}"), vec![id]),
    );
    let door = Door {
        id: DoorId::parse(&format!("d-{customer}")).unwrap(),
        display_name: name(),
        drive: DoorDrive::Controller(ControllerId::parse("c-1").unwrap()),
        timing: DoorTiming::USUAL,
    };
    let point = AccessPoint {
        id: AccessPointId::parse(&format!("{customer}-in")).unwrap(),
        door: door.id.clone(),
        from_area: lobby.id.clone(),
        to_area: hall.id.clone(),
        direction: Direction::Entry,
        default_requirement: FactorRequirement::Badge,
        factor_rules: Vec::new(),
    };
    parts.areas.insert(lobby.id.clone(), lobby);
    parts.areas.insert(hall.id.clone(), hall);
    parts.doors.insert(door.id.clone(), door);
    parts.access_points.insert(point.id.clone(), point);
}

fn add_person(parts: &mut RosterParts, number: u8, customer: &str, with_badge: bool) {
    let known = Person {
        id: person(&format!("p-{number}")),
        state: PersonState::Active,
        validity: Validity::ALWAYS,
        memberships: vec![Membership {
            customer: CustomerId::parse(customer).unwrap(),
            may_approve: true,
        }],
    };
    let badge = Badge {
        id: BadgeId::parse(&format!("b-{number}")).unwrap(),
        person: known.id.clone(),
        state: BadgeState::Active,
        validity: Validity::ALWAYS,
        card: CardKey::from_bytes([number; 16]),
        number: Some(BadgeNumber::parse(&format!("N-{number}")).unwrap()),
    };
    parts.persons.insert(known.id.clone(), known);
    if with_badge {
        parts.badges.insert(badge.id.clone(), badge);
    }
}

/// acme and borea each own a hall off a shared lobby. p-1 and p-2 are acme's, p-3 is borea's, and
/// p-4 is acme's without a badge. p-1 is on acme's list, approved by p-2.
fn site() -> RosterParts {
    let mut parts = RosterParts::new(SiteZone::parse("Europe/Stockholm").unwrap());
    let gate = ControllerId::parse("c-1").unwrap();
    let named = Controller {
        id: gate.clone(),
        display_name: name(),
    };
    parts.controllers.insert(gate, named);
    add_place(&mut parts, "acme", Precision::Hour);
    add_place(&mut parts, "borea", Precision::Second);
    for (number, customer, with_badge) in [
        (1, "acme", true),
        (2, "acme", true),
        (3, "borea", true),
        (4, "acme", false),
    ] {
        add_person(&mut parts, number, customer, with_badge);
    }
    let entry = EntryRef {
        customer: acme(),
        number: EntryNumber(1),
    };
    let line = AccessListEntry {
        entry: entry.clone(),
        person: person("p-1"),
        scope: Scope {
            areas: vec![AreaId::parse("hall-acme").unwrap()],
            doors: Vec::new(),
        },
        schedule: ScheduleId::always(),
        validity: Validity::ALWAYS,
        approver: person("p-2"),
    };
    parts.entries.insert(entry, line);
    parts
}

fn rules(parts: &RosterParts) -> Rules {
    Rules {
        roster: Arc::new(Roster::compile(parts, 1).unwrap()),
        parts: Arc::new(parts.clone()),
    }
}

/// 20:47:13 by the site's clocks.
fn evening() -> UtcTime {
    UtcTime::from_unix(1_795_463_233).unwrap()
}

fn ask(
    reader: &Reader,
    parts: &RosterParts,
    who: &str,
    place: &str,
) -> Result<v1::Explanation, Status> {
    let by_id = who.starts_with("persons/");
    let request = WhatIfRequest {
        person: if by_id { who } else { "" }.to_owned(),
        badge_number: if by_id { "" } else { who }.to_owned(),
        access_point: place.to_owned(),
        ..WhatIfRequest::default()
    };
    Asked::read(&request)?.answer(reader, &rules(parts), evening())
}

fn as_acme() -> Reader {
    Reader::Customer(acme())
}

/// What the journal holds of a card at acme's door.
fn recorded_of(card: u8, who: &str, place: &str) -> JournalBody {
    JournalBody {
        event_at: evening().unix(),
        access_point: place.to_owned(),
        person: who.to_owned(),
        card_key: vec![card; 16],
        card_format: "H10301".to_owned(),
        card_bit_length: 26,
        ..JournalBody::default()
    }
}

#[test]
fn whatever_is_not_the_customers_answers_as_one_and_the_same() {
    let parts = site();
    assert!(ask(&as_acme(), &parts, "persons/p-1", "doors/d-acme").is_ok());
    assert!(ask(&as_acme(), &parts, "N-1", "accessPoints/acme-in").is_ok());
    let mut answers = Vec::new();
    for (who, place) in [
        ("persons/ghost", "doors/d-acme"),
        ("persons/p-3", "doors/d-acme"),
        ("persons/p-4", "doors/d-acme"),
        ("N-99", "doors/d-acme"),
        ("N-3", "doors/d-acme"),
        ("persons/p-1", "doors/nowhere"),
        ("persons/p-1", "doors/d-borea"),
        ("persons/p-1", "accessPoints/nowhere"),
        ("persons/p-1", "accessPoints/borea-in"),
        ("N-3", "doors/d-borea"),
        ("N-3", "doors/nowhere"),
    ] {
        let status = ask(&as_acme(), &parts, who, place).unwrap_err();
        let info = status.get_details_error_info().unwrap();
        assert_eq!(
            (status.code(), info.reason.as_str()),
            (Code::NotFound, "NOT_FOUND")
        );
        answers.push((status.message().to_owned(), status.details().to_vec()));
    }
    answers.dedup();
    assert_eq!(answers.len(), 1, "{answers:?}");
}

#[test]
fn a_faulty_request_is_faulty_whomever_it_names() {
    for who in ["persons/p-1", "persons/p-3", "persons/ghost", "N-3"] {
        let status = ask(&as_acme(), &site(), who, "hall").unwrap_err();
        assert_eq!(status.code(), Code::InvalidArgument);
    }
}

#[test]
fn an_operator_is_told_of_every_door_and_what_is_missing() {
    let parts = site();
    let told = ask(&Reader::Operator, &parts, "N-3", "doors/d-acme").unwrap();
    assert_eq!(told.decision(), v1::Decision::Denial);
    assert!(told.changes[1].action.contains("customers/acme"));
    let status = ask(&Reader::Operator, &parts, "N-99", "doors/d-acme").unwrap_err();
    assert_eq!(status.message(), "no such person");
    let status = ask(&Reader::Operator, &parts, "N-1", "doors/nowhere").unwrap_err();
    assert_eq!(status.message(), "no such door");
}

#[test]
fn a_number_is_looked_up_among_the_customers_own_people() {
    let mut parts = site();
    // Numbers can meet where keys changed; the other's badge comes first by its id.
    let mut badge = parts.badges[&BadgeId::parse("b-3").unwrap()].clone();
    badge.id = BadgeId::parse("a-3").unwrap();
    badge.card = CardKey::from_bytes([33; 16]);
    badge.number = Some(BadgeNumber::parse("N-1").unwrap());
    parts.badges.insert(badge.id.clone(), badge);
    let told = ask(&as_acme(), &parts, "N-1", "doors/d-acme").unwrap();
    assert_eq!(told.list_entry, "customers/acme/accessList/entries/1");
}

#[test]
fn an_old_entry_is_not_explained_by_somebody_elses_card_person_or_door() {
    let parts = site();
    let told = |card, who, place| {
        let body = recorded_of(card, who, place);
        today(&as_acme(), &rules(&parts), &body, evening()).is_some()
    };
    assert!(told(1, "p-1", "acme-in"));
    assert!(told(99, "", "acme-in"), "nobody has the card");
    assert!(!told(3, "", "acme-in"), "borea's p-3 has the card now");
    assert!(!told(3, "p-1", "acme-in"), "borea's p-3 has p-1's card");
    assert!(!told(1, "p-3", "acme-in"), "it was borea's p-3 then");
    assert!(!told(1, "p-1", "borea-in"), "the door is borea's now");
    assert!(!told(1, "p-1", "nowhere"), "the door is gone");
    let body = recorded_of(3, "", "borea-in");
    assert!(today(&Reader::Operator, &rules(&parts), &body, evening()).is_some());
}

#[test]
fn of_an_old_entry_a_customer_is_told_the_time_as_its_contract_says() {
    let mut parts = site();
    let until = UtcTime::from_unix(1_700_000_000).unwrap();
    parts.persons.get_mut(&person("p-1")).unwrap().validity =
        Validity::new(None, Some(until)).unwrap();
    let body = recorded_of(1, "p-1", "acme-in");
    let action = |reader: &Reader| {
        let told = today(reader, &rules(&parts), &body, evening()).unwrap();
        told.changes[0].action.clone()
    };
    let customer = action(&as_acme());
    assert!(
        customer.ends_with("the hour from 2026-11-23T19:00:00Z."),
        "{customer}"
    );
    let operator = action(&Reader::Operator);
    assert!(
        operator.ends_with("includes 2026-11-23T19:47:13Z."),
        "{operator}"
    );
}

#[test]
fn a_customer_is_told_of_its_own_list_and_people_only() {
    let mut parts = site();
    let shared = AreaId::parse("hall-acme").unwrap();
    let owners = &mut parts.areas.get_mut(&shared).unwrap().customers;
    owners.push(CustomerId::parse("borea").unwrap());
    parts.entries.clear();
    let told = ask(&as_acme(), &parts, "persons/p-1", "doors/d-acme").unwrap();
    assert!(
        told.failed_rules[0]
            .detail
            .contains("list of customers/acme for")
    );
    assert_eq!(told.changes.len(), 1);
    assert!(told.changes[0].action.ends_with("approved by persons/p-2."));
    let all = format!("{told:?}");
    assert!(!all.contains("borea") && !all.contains("p-3"), "{all}");
    let operator = ask(&Reader::Operator, &parts, "persons/p-1", "doors/d-acme").unwrap();
    assert!(operator.failed_rules[0].detail.contains("customers/borea"));
}

#[test]
fn a_grant_by_anothers_list_names_no_entry() {
    let mut parts = site();
    let shared = AreaId::parse("hall-acme").unwrap();
    let borea = CustomerId::parse("borea").unwrap();
    let owners = &mut parts.areas.get_mut(&shared).unwrap().customers;
    owners.push(borea.clone());
    let both = ["acme", "borea"].map(|of| Membership {
        customer: CustomerId::parse(of).unwrap(),
        may_approve: true,
    });
    for id in ["p-1", "p-2"] {
        parts.persons.get_mut(&person(id)).unwrap().memberships = both.to_vec();
    }
    let (_, mut line) = parts.entries.pop_first().unwrap();
    line.entry.customer = borea;
    parts.entries.insert(line.entry.clone(), line);
    let told = ask(&as_acme(), &parts, "persons/p-1", "doors/d-acme").unwrap();
    assert_eq!(told.decision(), v1::Decision::Grant);
    assert_eq!(told.list_entry, "");
    assert!(told.failed_rules.is_empty() && told.changes.is_empty());
}
