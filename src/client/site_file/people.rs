//! Persons and badges.

use data_encoding::HEXLOWER_PERMISSIVE;

use super::item::{Item, Reader};
use super::places::customer_name;
use crate::client::local_time::Edge;
use crate::pb::v1::site_part::Part;
use crate::pb::v1::{
    Badge, BadgeState, Card, Membership, Person, PersonState, SiteBadge, SitePerson,
};
use crate::types::{BadgeId, BadgeNumber, CardFormat, DisplayName, PersonId, Pin};

const PERSON_STATES: [(&str, PersonState); 2] = [
    ("active", PersonState::Active),
    ("suspended", PersonState::Suspended),
];
const BADGE_STATES: [(&str, BadgeState); 8] = [
    ("active", BadgeState::Active),
    ("blocked", BadgeState::Blocked),
    ("lost", BadgeState::Lost),
    ("stolen", BadgeState::Stolen),
    ("damaged", BadgeState::Damaged),
    ("inactive", BadgeState::Inactive),
    ("returned", BadgeState::Returned),
    ("destroyed", BadgeState::Destroyed),
];
/// Longest card in bits.
const CARD_BITS_MAX: u32 = 512;

pub(super) fn person(reader: &mut Reader, mut item: Item<'_>) -> Vec<Part> {
    let person = Person {
        name: item.id(reader, "id", |id| PersonId::parse(id).map(|id| id.name())),
        display_name: item.checked(reader, "name", DisplayName::parse),
        state: item
            .word(reader, "state", &PERSON_STATES)
            .unwrap_or_default()
            .into(),
        memberships: memberships(reader, &mut item),
        valid_from: item.instant(reader, "valid_from", Edge::From),
        valid_until: item.instant(reader, "valid_until", Edge::Until),
        has_pin: false,
    };
    let pin = item.optional(reader, "pin", Pin::parse).unwrap_or_default();
    item.finish(reader);
    vec![Part::Person(SitePerson {
        person: Some(person),
        pin,
    })]
}

/// Who may approve for a customer belongs to it, whether it is named twice or once.
fn memberships(reader: &mut Reader, item: &mut Item<'_>) -> Vec<Membership> {
    let mut customers = item.ids(reader, "customers", customer_name);
    let approves = item.ids(reader, "may_approve_for", customer_name);
    customers.extend(approves.iter().cloned());
    customers.sort();
    customers.dedup();
    customers
        .into_iter()
        .map(|customer| Membership {
            may_approve: approves.contains(&customer),
            customer,
        })
        .collect()
}

pub(super) fn badge(reader: &mut Reader, mut item: Item<'_>) -> Vec<Part> {
    let badge = Badge {
        name: item.id(reader, "id", |id| BadgeId::parse(id).map(|id| id.name())),
        badge_number: item.checked(reader, "number", BadgeNumber::parse),
        person: item.id(reader, "person", |id| {
            PersonId::parse(id).map(|id| id.name())
        }),
        state: item
            .word(reader, "state", &BADGE_STATES)
            .unwrap_or_default()
            .into(),
        valid_from: item.instant(reader, "valid_from", Edge::From),
        valid_until: item.instant(reader, "valid_until", Edge::Until),
    };
    let card = item
        .required_table(reader, "card")
        .and_then(|found| card(reader, found));
    item.finish(reader);
    vec![Part::Badge(SiteBadge {
        badge: Some(badge),
        card,
    })]
}

fn card(reader: &mut Reader, mut item: Item<'_>) -> Option<Card> {
    let format = item.checked(reader, "format", CardFormat::parse);
    let bit_length = item.required_number(reader, "bits", 1..=CARD_BITS_MAX);
    let hex = item.checked(reader, "hex", decode_hex);
    let (line, key) = (item.line(), item.key("hex"));
    item.finish(reader);
    let bits = decode_hex(&hex).ok()?;
    let wanted = bit_length.div_ceil(8);
    if bit_length != 0 && !bits.is_empty() && u32::try_from(bits.len()) != Ok(wanted) {
        let digits = wanted.saturating_mul(2);
        let what = format!("expected {digits} digits for {bit_length} bits");
        reader.faults.push(line, key, what);
    } else if !bit_length.is_multiple_of(8)
        && bits
            .last()
            .is_some_and(|last| last << (bit_length % 8) != 0)
    {
        let what = format!("expected zeros after the first {bit_length} bits");
        reader.faults.push(line, key, what);
    }
    Some(Card {
        format,
        bit_length,
        bits,
    })
}

fn decode_hex(text: &str) -> Result<Vec<u8>, &'static str> {
    let digits: Vec<u8> = text.bytes().filter(|c| *c != b' ').collect();
    HEXLOWER_PERMISSIVE
        .decode(&digits)
        .map_err(|_| "expected hexadecimal digits, two for each byte")
}
