//! Persons and badges of a site file against those that are there.

use std::collections::{BTreeMap, BTreeSet};

use super::current::CurrentSite;
use super::draft::{DraftBadge, DraftPerson, Lined};
use super::plan::{Action, Plan};
use super::vault::Vault;
use crate::pb::store as pb;
use crate::policy::RosterParts;
use crate::store::rows::{Code as _, validity_of};
use crate::types::{
    AccessListEntry, BadgeId, CardKey, CustomerId, EntryRef, Person, PersonId, PersonState,
};

/// A person to be written.
#[derive(Debug)]
pub(super) struct PersonEdit {
    pub(super) draft: DraftPerson,
    /// Whether the name is new or differs.
    pub(super) seal_name: bool,
    /// Whether the PIN is new or differs.
    pub(super) set_pin: bool,
}

/// A badge to be written.
#[derive(Debug)]
pub(super) struct BadgeEdit {
    pub(super) draft: DraftBadge,
    pub(super) card_key: CardKey,
    pub(super) number_key: [u8; 16],
    /// Whether the number is new or differs, or is to be sealed for another holder.
    pub(super) seal_number: bool,
}

/// What happens to persons and badges.
#[derive(Debug, Default)]
pub(super) struct PeopleEdits {
    pub(super) persons: Vec<PersonEdit>,
    pub(super) persons_removed: Vec<PersonId>,
    pub(super) badges: Vec<BadgeEdit>,
    pub(super) badges_removed: Vec<BadgeId>,
    /// Entries whose person goes, or leaves the customer.
    pub(super) closed: Vec<EntryRef>,
}

/// What a plan of people is made against.
#[derive(Debug)]
pub(super) struct Before<'a> {
    parts: &'a RosterParts,
    rows: &'a CurrentSite,
    vault: &'a Vault,
    by_person: BTreeMap<&'a PersonId, Vec<&'a AccessListEntry>>,
    by_approver: BTreeMap<&'a PersonId, Vec<&'a AccessListEntry>>,
}

impl<'a> Before<'a> {
    /// Sorts the entries in force by person and approver.
    pub(super) fn new(parts: &'a RosterParts, rows: &'a CurrentSite, vault: &'a Vault) -> Self {
        let (mut by_person, mut by_approver) = (BTreeMap::new(), BTreeMap::new());
        for entry in parts.entries.values() {
            push(&mut by_person, &entry.person, entry);
            push(&mut by_approver, &entry.approver, entry);
        }
        Self {
            parts,
            rows,
            vault,
            by_person,
            by_approver,
        }
    }

    /// Whose approval which entries in force rest on.
    pub(super) fn approved_by(&self, person: &PersonId) -> &[&'a AccessListEntry] {
        self.by_approver.get(person).map_or(&[], Vec::as_slice)
    }

    /// Plans the persons of a file.
    pub(super) fn persons(
        &self,
        wanted: BTreeMap<PersonId, Lined<DraftPerson>>,
        edits: &mut PeopleEdits,
        plan: &mut Plan,
    ) {
        for (id, row) in &self.rows.persons {
            if !wanted.contains_key(id) && !row.from_list {
                let closed = self.entries_lost(id, None);
                let detail = closed_words(closed.len());
                plan.add(Action::Remove, id.name(), detail, 0);
                edits.closed.extend(closed);
                edits.persons_removed.push(id.clone());
            }
        }
        for Lined { line, item } in wanted.into_values() {
            let closed = self.entries_lost(&item.person.id, Some(&item.person));
            let edit = self.person(item);
            let mut words = self.person_words(&edit);
            if !closed.is_empty() {
                words.push(closed_words(closed.len()));
            }
            edits.closed.extend(closed);
            let known = self.rows.persons.contains_key(&edit.draft.person.id);
            if known && words.is_empty() {
                continue;
            }
            let action = if known { Action::Change } else { Action::Add };
            let name = edit.draft.person.id.name();
            plan.add(action, name, words.join(", "), line);
            edits.persons.push(edit);
        }
    }

    fn person(&self, draft: DraftPerson) -> PersonEdit {
        let id = &draft.person.id;
        let row = self.rows.persons.get(id);
        let name = row.and_then(|row| self.vault.open_name(id, row));
        let set = self.parts.pins.get(id);
        let set_pin = draft
            .pin
            .as_ref()
            .is_some_and(|pin| !set.is_some_and(|set| self.vault.pin_matches(id, set, pin)));
        PersonEdit {
            seal_name: name.as_ref() != Some(&draft.display_name),
            set_pin,
            draft,
        }
    }

    /// What of a person that is there changes, in words.
    fn person_words(&self, edit: &PersonEdit) -> Vec<String> {
        let wanted = &edit.draft.person;
        let row = self.rows.persons.get(&wanted.id);
        let (Some(row), Some(now)) = (row, self.parts.persons.get(&wanted.id)) else {
            return Vec::new();
        };
        let fields = [
            ("state", now.state != wanted.state),
            ("validity", now.validity != wanted.validity),
            ("memberships", now.memberships != wanted.memberships),
            ("display_name", edit.seal_name),
            ("pin", edit.set_pin),
            ("kept by the site file from now on", row.from_list),
        ];
        let mut words: Vec<_> = fields
            .into_iter()
            .filter(|(_, differs)| *differs)
            .map(|(field, _)| field.to_owned())
            .collect();
        let silenced = self.approvals_lost(now, wanted);
        if silenced > 0 {
            words.push(format!(
                "{silenced} entries that this person approved give no right until approved anew"
            ));
        }
        words
    }

    /// Entries of a person that end because it goes or leaves the customer.
    fn entries_lost(&self, id: &PersonId, wanted: Option<&Person>) -> Vec<EntryRef> {
        let stays = |customer: &CustomerId| wanted.is_some_and(|p| p.belongs_to(customer));
        let entries = self.by_person.get(id).map_or(&[][..], Vec::as_slice);
        let lost = entries.iter().filter(|e| !stays(&e.entry.customer));
        lost.map(|e| e.entry.clone()).collect()
    }

    /// How many entries count no longer because their approver may not approve any more.
    fn approvals_lost(&self, now: &Person, wanted: &Person) -> usize {
        let may = |person: &Person, customer: &CustomerId| {
            person.state == PersonState::Active && person.may_approve_for(customer)
        };
        self.approved_by(&now.id)
            .iter()
            .filter(|e| may(now, &e.entry.customer) && !may(wanted, &e.entry.customer))
            .count()
    }

    /// Plans the badges of a file; after the persons, whose removal takes their badges along.
    pub(super) fn badges(
        &self,
        wanted: BTreeMap<BadgeId, Lined<DraftBadge>>,
        edits: &mut PeopleEdits,
        plan: &mut Plan,
    ) {
        let gone: BTreeSet<_> = edits.persons_removed.iter().map(PersonId::as_str).collect();
        for (id, row) in &self.rows.badges {
            let made_by_list = row.card_key.is_empty() && !gone.contains(row.person.as_str());
            if !wanted.contains_key(id) && !made_by_list {
                plan.add(Action::Remove, id.name(), String::new(), 0);
                edits.badges_removed.push(id.clone());
            }
        }
        for Lined { line, item } in wanted.into_values() {
            let row = self.rows.badges.get(&item.id);
            let edit = self.badge(item);
            let words = row.map(|row| badge_words(row, &edit)).unwrap_or_default();
            if row.is_some() && words.is_empty() {
                continue;
            }
            let action = row.map_or(Action::Add, |_| Action::Change);
            plan.add(action, edit.draft.id.name(), words.join(", "), line);
            edits.badges.push(edit);
        }
    }

    fn badge(&self, draft: DraftBadge) -> BadgeEdit {
        let number_key = self.vault.number_key(&draft.number);
        let row = self.rows.badges.get(&draft.id);
        let sealed = row.is_some_and(|row| {
            row.number_key == number_key
                && row.person == draft.person.as_str()
                && self.vault.open_number(&draft.id, row).is_some()
        });
        BadgeEdit {
            card_key: self.vault.card_key(&draft.card),
            number_key,
            seal_number: !sealed,
            draft,
        }
    }
}

fn push<'a, K: Ord, V>(map: &mut BTreeMap<K, Vec<&'a V>>, key: K, value: &'a V) {
    map.entry(key).or_default().push(value);
}

fn badge_words(row: &pb::BadgeRow, edit: &BadgeEdit) -> Vec<&'static str> {
    let draft = &edit.draft;
    let card_differs = row.card_key != edit.card_key.as_bytes()
        || row.card_format != draft.card.format().as_str()
        || row.card_bit_length != draft.card.bit_length();
    let number_differs = row.number_key != edit.number_key;
    let fields = [
        ("person", row.person != draft.person.as_str()),
        ("state", row.state != draft.state.number()),
        (
            "validity",
            validity_of(row.valid_from, row.valid_until) != Ok(draft.validity),
        ),
        ("card", card_differs),
        ("badge_number", number_differs),
        (
            "badge_number is readable again",
            edit.seal_number && !number_differs,
        ),
    ];
    let differing = fields.into_iter().filter(|(_, differs)| *differs);
    differing.map(|(field, _)| field).collect()
}

fn closed_words(count: usize) -> String {
    match count {
        0 => String::new(),
        1 => "1 entry of an access list ends".to_owned(),
        count => format!("{count} entries of access lists end"),
    }
}
