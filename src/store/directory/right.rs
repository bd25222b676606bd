//! When the last access right of a person ended.

use std::collections::BTreeSet;

use crate::pb::store as pb;
use crate::policy::RosterParts;
use crate::types::{Person, PersonId, PersonState, UtcTime, ValidityState};

/// Persons that have an access right, now or at a later time.
///
/// A right is an entry in force that is not over, on the list of a customer to which the person
/// belongs, while the person is neither suspended nor past its own end.
pub(in crate::store) fn persons_with_right(
    parts: &RosterParts,
    now: UtcTime,
) -> BTreeSet<&PersonId> {
    let entries = parts.entries.values();
    let open = entries.filter(|e| e.validity.at(now) != ValidityState::Over);
    open.filter(|e| {
        let person = parts.persons.get(&e.person);
        person.is_some_and(|p| is_admitted(p, now) && p.belongs_to(&e.entry.customer))
    })
    .map(|e| &e.person)
    .collect()
}

fn is_admitted(person: &Person, now: UtcTime) -> bool {
    person.state == PersonState::Active && person.validity.at(now) != ValidityState::Over
}

/// Keeps `access_ended` true: set once no right remains, gone while there is one.
///
/// Says whether the row changed. An end that was noted before stays as it was noted.
pub(in crate::store) fn note_end(row: &mut pb::PersonRow, has_right: bool, now: UtcTime) -> bool {
    let ended = match (has_right, row.access_ended) {
        (true, _) => None,
        (false, noted) => noted.or(Some(now.unix())),
    };
    let changed = row.access_ended != ended;
    row.access_ended = ended;
    changed
}
