//! Persons and badges.

use super::time::{timestamp_message, validity};
use super::{Line, Reading};
use crate::pb::v1 as pb;
use crate::store::directory::{DraftBadge, DraftPerson};
use crate::store::rows::Code as _;
use crate::types::{
    BadgeId, BadgeNumber, BadgeState, Card, CardFormat, CustomerId, DisplayName, InvalidCard,
    Membership, Person, PersonId, Pin, Validity,
};

/// Most customers that a person belongs to; keeps the row under 4 KiB.
const MEMBERSHIPS_MAX: usize = 32;

pub(super) fn person(line: &mut Line<'_>, message: &pb::SitePerson) -> Reading<DraftPerson> {
    let person = line.required("", message.person.as_ref())?;
    let id = line.text("name", &person.name, PersonId::from_name);
    let display_name = line.text("display_name", &person.display_name, DisplayName::parse);
    let state = line.code("state", person.state);
    let (from, until) = (person.valid_from.as_ref(), person.valid_until.as_ref());
    let validity = validity(line, from, until);
    let memberships = &person.memberships;
    let memberships = line.each("memberships", memberships, MEMBERSHIPS_MAX, membership);
    let pin = Some(message.pin.as_str()).filter(|pin| !pin.is_empty());
    let pin = line.keep("pin", pin.map(Pin::parse).transpose());
    Some(DraftPerson {
        person: Person {
            id: id?,
            state: state?,
            validity: validity?,
            memberships: memberships?,
        },
        display_name: display_name?,
        pin: pin?,
    })
}

fn membership(line: &mut Line<'_>, field: &str, message: &pb::Membership) -> Reading<Membership> {
    let field = format!("{field}.customer");
    let customer = line.text(&field, &message.customer, CustomerId::from_name);
    Some(Membership {
        customer: customer?,
        may_approve: message.may_approve,
    })
}

pub(super) fn badge(line: &mut Line<'_>, message: &pb::SiteBadge) -> Reading<DraftBadge> {
    let badge = line.required("", message.badge.as_ref())?;
    let id = line.text("name", &badge.name, BadgeId::from_name);
    let number = line.text("badge_number", &badge.badge_number, BadgeNumber::parse);
    let person = line.text("person", &badge.person, PersonId::from_name);
    let state = line.code("state", badge.state);
    let (from, until) = (badge.valid_from.as_ref(), badge.valid_until.as_ref());
    let validity = validity(line, from, until);
    let card = line.required("card", message.card.as_ref());
    let card = card.and_then(|message| line.keep("card", card_of(message)));
    Some(DraftBadge {
        id: id?,
        person: person?,
        state: state?,
        validity: validity?,
        number: number?,
        card: card?,
    })
}

fn card_of(message: &pb::Card) -> Result<Card, InvalidCard> {
    let format = CardFormat::parse(&message.format)?;
    Card::new(format, message.bit_length, message.bits.clone())
}

/// A person as a message, with what the caller may see of it.
pub(in crate::service) fn person_message(
    person: &Person,
    display_name: Option<&DisplayName>,
    has_pin: bool,
) -> pb::Person {
    let memberships = person.memberships.iter().map(|m| pb::Membership {
        customer: m.customer.name(),
        may_approve: m.may_approve,
    });
    pb::Person {
        name: person.id.name(),
        display_name: display_name
            .map(|n| n.reveal().to_owned())
            .unwrap_or_default(),
        state: person.state.wire(),
        memberships: memberships.collect(),
        valid_from: person.validity.from().map(timestamp_message),
        valid_until: person.validity.until().map(timestamp_message),
        has_pin,
    }
}

/// A badge as a message; its card is never sent.
pub(in crate::service) fn badge_message(
    id: &BadgeId,
    person: &PersonId,
    (state, validity): (BadgeState, Validity),
    number: Option<&BadgeNumber>,
) -> pb::Badge {
    pb::Badge {
        name: id.name(),
        badge_number: number.map(|n| n.reveal().to_owned()).unwrap_or_default(),
        person: person.name(),
        state: state.wire(),
        valid_from: validity.from().map(timestamp_message),
        valid_until: validity.until().map(timestamp_message),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::directory::Faults;

    fn message() -> pb::SitePerson {
        pb::SitePerson {
            person: Some(pb::Person {
                name: "persons/p-1".to_owned(),
                display_name: "Anna Ek".to_owned(),
                state: 1,
                memberships: vec![pb::Membership {
                    customer: "customers/acme".to_owned(),
                    may_approve: true,
                }],
                valid_from: Some(prost_types::Timestamp {
                    seconds: 100,
                    nanos: 0,
                }),
                valid_until: None,
                has_pin: false,
            }),
            pin: "4711".to_owned(),
        }
    }

    fn read(message: &pb::SitePerson) -> (Option<DraftPerson>, Vec<String>) {
        let mut faults = Faults::new();
        let read = person(
            &mut Line {
                number: 5,
                root: "person",
                faults: &mut faults,
            },
            message,
        );
        (
            read,
            faults.list().iter().map(ToString::to_string).collect(),
        )
    }

    #[test]
    fn a_person_comes_back_as_it_was_sent_but_for_its_pin() {
        let draft = read(&message()).0.unwrap();
        let back = person_message(&draft.person, Some(&draft.display_name), false);
        assert_eq!(Some(back), message().person);
    }

    #[test]
    fn faults_of_a_person_repeat_neither_name_nor_pin() {
        let mut bad = message();
        bad.pin = "47x1".to_owned();
        let person = bad.person.as_mut().unwrap();
        person.display_name = "Anna\nEk".to_owned();
        person.valid_until = Some(prost_types::Timestamp {
            seconds: 100,
            nanos: 0,
        });
        let (draft, faults) = read(&bad);
        assert!(draft.is_none());
        let all = faults.join("\n");
        assert_eq!(faults.len(), 3, "{all}");
        assert!(!all.contains("Anna") && !all.contains("47x1"), "{all}");
        assert!(
            all.contains("person.valid_until: the end must lie after"),
            "{all}"
        );
    }

    #[test]
    fn a_badge_needs_its_card() {
        let mut faults = Faults::new();
        let message = pb::SiteBadge {
            badge: Some(pb::Badge {
                name: "badges/b-1".to_owned(),
                badge_number: "B-1".to_owned(),
                person: "persons/p-1".to_owned(),
                state: 1,
                ..pb::Badge::default()
            }),
            card: None,
        };
        let mut line = Line {
            number: 6,
            root: "badge",
            faults: &mut faults,
        };
        assert!(badge(&mut line, &message).is_none());
        assert_eq!(
            faults.list()[0].to_string(),
            "line 6: badge.card: is required"
        );
    }
}
