//! Builds the change that a site plan stands for: rows, sealed fields, rules.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::in_clear;
use super::people::{BadgeEdit, PersonEdit};
use super::right::{note_end, persons_with_right};
use super::site::SitePlan;
use super::vault::{Vault, VaultError};
use crate::pb::store as pb;
use crate::policy::{CompileError, Roster, RosterParts};
use crate::store::lists::{EditionChange, Stamp, write_edition};
use crate::store::rows::{LoadError, RowSource, badge_row, person_row, pin_row};
use crate::store::rule_change::RuleChange;
use crate::store::rules_cell::Rules;
use crate::store::tables::{Badges, Persons, PinFailures, Pins};
use crate::types::{Badge, Caller, CustomerId, PersonId, UtcTime};

/// A change that could not be built. Nothing was written but keys that nothing uses yet.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// A key could not be made or used.
    #[error(transparent)]
    Vault(#[from] VaultError),
    /// A row could not be read.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// The rules do not fit together though they were checked; our fault.
    #[error(transparent)]
    Compile(#[from] CompileError),
}

/// Who changes the rules, and when.
#[derive(Debug, Clone, Copy)]
pub struct Author<'a> {
    /// Who.
    pub caller: &'a Caller,
    /// When.
    pub now: UtcTime,
}

impl SitePlan {
    /// Builds the change. Keys are made and synced here, before the commit that uses them.
    pub fn build(
        mut self,
        vault: &Vault,
        rows: &impl RowSource,
        author: Author<'_>,
    ) -> Result<RuleChange, BuildError> {
        let persons = self.people.persons.iter().map(|e| &e.draft.person);
        vault.prepare(persons)?;
        let mut person_rows = std::mem::take(&mut self.rows.persons);
        self.remove_people(&mut person_rows);
        for edit in std::mem::take(&mut self.people.persons) {
            self.write_person(edit, &mut person_rows, vault)?;
        }
        for edit in std::mem::take(&mut self.people.badges) {
            self.write_badge(edit, vault)?;
        }
        let lists = self.close_entries(rows, author)?;
        self.write_rights(&mut person_rows, author.now);
        let version = self.base_version.saturating_add(1);
        let roster = Roster::compile(&self.parts, version)?;
        Ok(RuleChange {
            base_version: self.base_version,
            batch: self.batch,
            rules: Rules {
                parts: Arc::new(self.parts),
                roster: Arc::new(roster),
            },
            kind: pb::JournalKind::SiteChanged,
            actor: author.caller.clone(),
            detail: format!(
                "site file applied: {}{}",
                self.plan.summary(),
                in_clear::words(&self.in_clear)
            ),
            takes_away: self.plan.takes_away(),
            lists,
        })
    }

    fn remove_people(&mut self, rows: &mut BTreeMap<PersonId, pb::PersonRow>) {
        for id in std::mem::take(&mut self.people.persons_removed) {
            let key = id.to_string();
            self.batch.remove::<Persons>(&key);
            self.batch.remove::<Pins>(&key);
            self.batch.remove::<PinFailures>(&key);
            rows.remove(&id);
            self.parts.persons.remove(&id);
            self.parts.pins.remove(&id);
        }
        for id in std::mem::take(&mut self.people.badges_removed) {
            self.batch.remove::<Badges>(&id.to_string());
            self.parts.badges.remove(&id);
        }
    }

    fn write_person(
        &mut self,
        edit: PersonEdit,
        rows: &mut BTreeMap<PersonId, pb::PersonRow>,
        vault: &Vault,
    ) -> Result<(), BuildError> {
        let person = edit.draft.person;
        let id = person.id.clone();
        let before = rows.remove(&id).unwrap_or_default();
        let contact = if edit.seal_name {
            Some(vault.seal_name(&id, &edit.draft.display_name)?)
        } else {
            before.contact
        };
        let row = pb::PersonRow {
            contact,
            access_ended: before.access_ended,
            restricted: before.restricted,
            ..person_row(&person)
        };
        self.batch.put::<Persons>(&id.to_string(), &row);
        rows.insert(id.clone(), row);
        if let (true, Some(pin)) = (edit.set_pin, edit.draft.pin) {
            let verifier = vault.new_pin(&id, &pin);
            self.batch.put::<Pins>(&id.to_string(), &pin_row(&verifier));
            self.parts.pins.insert(id.clone(), verifier);
            self.batch.remove::<PinFailures>(&id.to_string());
        }
        self.parts.persons.insert(id, person);
        Ok(())
    }

    fn write_badge(&mut self, edit: BadgeEdit, vault: &Vault) -> Result<(), BuildError> {
        let draft = edit.draft;
        let before = self.rows.badges.get(&draft.id);
        let number = if edit.seal_number {
            Some(vault.seal_number(&draft.id, &draft.person, &draft.number)?)
        } else {
            before.and_then(|row| row.number.clone())
        };
        let badge = Badge {
            id: draft.id,
            person: draft.person,
            state: draft.state,
            validity: draft.validity,
            card: edit.card_key,
            number: Some(draft.number),
        };
        let row = pb::BadgeRow {
            number,
            number_key: edit.number_key.to_vec(),
            card_format: draft.card.format().as_str().to_owned(),
            card_bit_length: draft.card.bit_length(),
            ..badge_row(&badge)
        };
        self.batch.put::<Badges>(&badge.id.to_string(), &row);
        self.parts.badges.insert(badge.id.clone(), badge);
        Ok(())
    }

    /// Ends the entries of people who go, in an edition of each list.
    fn close_entries(
        &mut self,
        rows: &impl RowSource,
        author: Author<'_>,
    ) -> Result<Vec<CustomerId>, BuildError> {
        let mut by_customer = BTreeMap::<CustomerId, EditionChange>::new();
        for entry in std::mem::take(&mut self.people.closed) {
            let change = by_customer.entry(entry.customer).or_default();
            change.removed.push(entry.number);
        }
        let by = author.caller.to_string();
        let stamp = Stamp {
            by: &by,
            now: author.now,
        };
        let customers: Vec<_> = by_customer.keys().cloned().collect();
        for (customer, change) in by_customer {
            let into = (&mut self.batch, &mut self.parts);
            write_edition(rows, &customer, change, stamp, into)?;
        }
        Ok(customers)
    }

    /// Notes for everybody whether an access right remains.
    fn write_rights(&mut self, rows: &mut BTreeMap<PersonId, pb::PersonRow>, now: UtcTime) {
        let with_right = persons_with_right(&self.parts, now);
        for (id, row) in rows {
            if note_end(row, with_right.contains(id), now) {
                self.batch.put::<Persons>(&id.to_string(), row);
            }
        }
    }
}

/// Rules with nothing in them but the zone, compiled; for a site on its first day.
pub fn empty_rules(parts: RosterParts, version: u64) -> Result<Rules, CompileError> {
    let roster = Roster::compile(&parts, version)?;
    Ok(Rules {
        parts: Arc::new(parts),
        roster: Arc::new(roster),
    })
}
