//! Persons, badges and PINs as rows. What names a person is sealed and stays so here.

use super::{Code, DamagedField, damaged};
use crate::pb::store as pb;
use crate::policy::PinVerifier;
use crate::types::{
    Badge, BadgeId, BadgeNumber, BadgeState, CardKey, CustomerId, Membership, Person, PersonId,
    PersonState, UtcTime, Validity,
};

/// A validity from two stored ends.
pub fn validity_of(from: Option<i64>, until: Option<i64>) -> Result<Validity, DamagedField> {
    let instant = |unix: Option<i64>| unix.map(UtcTime::from_unix).transpose();
    let from = instant(from).map_err(damaged("valid_from"))?;
    let until = instant(until).map_err(damaged("valid_until"))?;
    Validity::new(from, until).map_err(damaged("valid_until"))
}

/// Row of a person; the fields that are not among the rules are empty.
pub fn person_row(person: &Person) -> pb::PersonRow {
    let memberships = person.memberships.iter().map(|m| pb::MembershipRow {
        customer: m.customer.to_string(),
        may_approve: m.may_approve,
    });
    pb::PersonRow {
        state: person.state.number(),
        memberships: memberships.collect(),
        valid_from: person.validity.from().map(UtcTime::unix),
        valid_until: person.validity.until().map(UtcTime::unix),
        contact: None,
        access_ended: None,
        restricted: false,
        from_list: false,
    }
}

/// Reads a person back.
pub fn person_from_row(key: &str, row: &pb::PersonRow) -> Result<Person, DamagedField> {
    let membership = |m: &pb::MembershipRow| {
        Ok(Membership {
            customer: CustomerId::parse(&m.customer).map_err(damaged("memberships"))?,
            may_approve: m.may_approve,
        })
    };
    Ok(Person {
        id: PersonId::parse(key).map_err(damaged("key"))?,
        state: PersonState::from_number(row.state).ok_or(DamagedField("state"))?,
        validity: validity_of(row.valid_from, row.valid_until)?,
        memberships: row
            .memberships
            .iter()
            .map(membership)
            .collect::<Result<_, _>>()?,
    })
}

/// Row of a badge without its sealed number.
pub fn badge_row(badge: &Badge) -> pb::BadgeRow {
    pb::BadgeRow {
        person: badge.person.to_string(),
        state: badge.state.number(),
        valid_from: badge.validity.from().map(UtcTime::unix),
        valid_until: badge.validity.until().map(UtcTime::unix),
        card_key: badge.card.as_bytes().to_vec(),
        ..pb::BadgeRow::default()
    }
}

/// Reads a badge back; `None` for one without a card, which no decision knows.
pub fn badge_from_row(
    key: &str,
    row: &pb::BadgeRow,
    number: Option<BadgeNumber>,
) -> Result<Option<Badge>, DamagedField> {
    if row.card_key.is_empty() {
        return Ok(None);
    }
    let card = row.card_key.as_slice().try_into();
    Ok(Some(Badge {
        id: BadgeId::parse(key).map_err(damaged("key"))?,
        person: PersonId::parse(&row.person).map_err(damaged("person"))?,
        state: BadgeState::from_number(row.state).ok_or(DamagedField("state"))?,
        validity: validity_of(row.valid_from, row.valid_until)?,
        card: CardKey::from_bytes(card.map_err(damaged("card_key"))?),
        number,
    }))
}

/// Row of a PIN verifier.
pub fn pin_row(pin: &PinVerifier) -> pb::PinRow {
    pb::PinRow {
        salt: pin.salt.to_vec(),
        tag: pin.tag.to_vec(),
    }
}

/// Reads a PIN verifier back.
pub fn pin_verifier(row: &pb::PinRow) -> Result<PinVerifier, DamagedField> {
    Ok(PinVerifier {
        salt: row.salt.as_slice().try_into().map_err(damaged("salt"))?,
        tag: row.tag.as_slice().try_into().map_err(damaged("tag"))?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_person_reads_back_as_it_was_written() {
        let person = Person {
            id: PersonId::parse("p-1").unwrap(),
            state: PersonState::Suspended,
            validity: validity_of(None, Some(99)).unwrap(),
            memberships: vec![Membership {
                customer: CustomerId::parse("acme").unwrap(),
                may_approve: true,
            }],
        };
        assert_eq!(person_from_row("p-1", &person_row(&person)), Ok(person));
    }

    #[test]
    fn a_badge_without_a_card_is_not_among_the_rules() {
        let row = pb::BadgeRow {
            person: "p-1".to_owned(),
            state: 6,
            ..pb::BadgeRow::default()
        };
        assert_eq!(badge_from_row("b-1", &row, None), Ok(None));
        let short = pb::BadgeRow {
            card_key: vec![1; 15],
            ..row
        };
        assert_eq!(
            badge_from_row("b-1", &short, None),
            Err(DamagedField("card_key"))
        );
    }

    #[test]
    fn a_validity_that_ends_before_it_begins_is_damage() {
        assert_eq!(
            validity_of(Some(20), Some(10)),
            Err(DamagedField("valid_until"))
        );
        assert_eq!(validity_of(Some(-1), None), Err(DamagedField("valid_from")));
    }
}
