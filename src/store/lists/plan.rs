//! Plans a list against the one in force, and builds the change.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use super::draft::DraftLine;
use super::edition::{Edition, EditionChange, NewEntry, Stamp, write_edition};
use super::resolve::{Content, NewPerson, Resolved, Resolver, Subject, Wanted};
use crate::pb::store as pb;
use crate::policy::{Roster, RosterParts};
use crate::store::batch::Batch;
use crate::store::directory::{
    Action, Author, BuildError, Faults, Lined, Plan, Vault, note_end, persons_with_right,
};
use crate::store::rows::{Code as _, LoadError, RowSource, person_row};
use crate::store::rule_change::RuleChange;
use crate::store::rules_cell::Rules;
use crate::store::tables::{Badges, Persons};
use crate::types::{
    AccessListEntry, BadgeId, BadgeState, CustomerId, EntryNumber, EntryRef, Membership, Person,
    PersonId, PersonState, Validity,
};

/// A list file against the list in force.
#[derive(Debug)]
pub struct ListPlan {
    /// What would change. A changed entry is one that ends and one that begins.
    pub plan: Plan,
    /// Entries that begin.
    pub added_count: u32,
    /// Entries that end.
    pub removed_count: u32,
    /// The edition in force that it was planned against.
    pub edition: Edition,
    customer: CustomerId,
    added: Vec<Wanted>,
    removed: Vec<(EntryNumber, PersonId)>,
    new_persons: Vec<NewPerson>,
}

/// Why a list could not be planned.
#[derive(Debug, thiserror::Error)]
pub enum PlanListError {
    /// The file is wrong.
    #[error(transparent)]
    Faults(#[from] Faults),
    /// The store could not be read.
    #[error(transparent)]
    Load(#[from] LoadError),
}

/// Plans a list. All faults are found, not only the first; nothing is written, sealed or made.
pub fn plan_list(
    rules: &Rules,
    customer: &CustomerId,
    (rows, vault): (&impl RowSource, &Vault),
    lines: Vec<Lined<DraftLine>>,
    now: crate::types::UtcTime,
) -> Result<ListPlan, PlanListError> {
    let parts = &rules.parts;
    let resolver = Resolver::new(customer, parts, rows, vault, now)?;
    let Resolved {
        wanted,
        new_persons,
    } = resolver.resolve(lines)?;
    let mut in_force = BTreeMap::new();
    for entry in entries_of(parts, customer) {
        in_force.insert(content_of(entry), entry);
    }
    let mut added = Vec::new();
    for wanted in wanted {
        if in_force.remove(&wanted.content).is_none() {
            added.push(wanted);
        }
    }
    let mut ended: Vec<_> = in_force.into_values().collect();
    ended.sort_by_key(|entry| entry.entry.number);
    let removed = ended
        .iter()
        .map(|e| (e.entry.number, e.person.clone()))
        .collect::<Vec<_>>();
    Ok(ListPlan {
        added_count: u32::try_from(added.len()).unwrap_or(u32::MAX),
        removed_count: u32::try_from(removed.len()).unwrap_or(u32::MAX),
        plan: describe(&added, ended),
        edition: Edition::newest(rows, customer)?,
        customer: customer.clone(),
        added,
        removed,
        new_persons,
    })
}

/// The entries in force of a customer's list, by number.
fn entries_of<'a>(
    parts: &'a RosterParts,
    customer: &CustomerId,
) -> impl Iterator<Item = &'a AccessListEntry> {
    let at = |number| EntryRef {
        customer: customer.clone(),
        number: EntryNumber(number),
    };
    parts
        .entries
        .range(at(0)..=at(u64::MAX))
        .map(|(_, entry)| entry)
}

fn content_of(entry: &AccessListEntry) -> Content {
    let mut areas = entry.scope.areas.clone();
    let mut doors = entry.scope.doors.clone();
    areas.sort();
    doors.sort();
    Content {
        subject: Subject::Known(entry.person.clone()),
        areas,
        doors,
        schedule: entry.schedule.clone(),
        valid_from: entry.validity.from(),
        valid_until: entry.validity.until(),
        approver: entry.approver.clone(),
    }
}

/// Puts what ends and what begins for the same person side by side, as a change.
fn describe(added: &[Wanted], ended: Vec<&AccessListEntry>) -> Plan {
    let mut by_person = BTreeMap::<&PersonId, VecDeque<Content>>::new();
    for entry in ended {
        let ended = by_person.entry(&entry.person).or_default();
        ended.push_back(content_of(entry));
    }
    let mut plan = Plan::default();
    for Wanted { content, line, .. } in added {
        let Subject::Known(person) = &content.subject else {
            let detail = format!(
                "{}; makes the person, and a badge without a card that opens nothing \
                 until an operator binds one",
                words(content)
            );
            plan.add(Action::Add, "persons/-".to_owned(), detail, *line);
            continue;
        };
        let before = by_person.get_mut(person).and_then(VecDeque::pop_front);
        let (action, detail) = match before {
            Some(before) => (Action::Change, differences(&before, content)),
            None => (Action::Add, words(content)),
        };
        plan.add(action, person.name(), detail, *line);
    }
    for (person, ended) in by_person {
        for content in ended {
            plan.add(Action::Remove, person.name(), words(&content), 0);
        }
    }
    plan.sort();
    plan
}

fn words(content: &Content) -> String {
    let areas = content.areas.iter().map(crate::types::AreaId::name);
    let doors = content.doors.iter().map(crate::types::DoorId::name);
    let places: Vec<_> = areas.chain(doors).collect();
    let mut words = format!("{}; {}", places.join(", "), content.schedule.name());
    if let Some(from) = content.valid_from {
        words.push_str("; from ");
        words.push_str(&from.rfc3339());
    }
    if let Some(until) = content.valid_until {
        words.push_str("; until ");
        words.push_str(&until.rfc3339());
    }
    words
}

fn differences(before: &Content, after: &Content) -> String {
    let fields = [
        ("areas", before.areas != after.areas),
        ("doors", before.doors != after.doors),
        ("schedule", before.schedule != after.schedule),
        ("valid_from", before.valid_from != after.valid_from),
        ("valid_until", before.valid_until != after.valid_until),
        ("approver", before.approver != after.approver),
    ];
    let differing = fields.into_iter().filter(|(_, differs)| *differs);
    let differing: Vec<_> = differing.map(|(field, _)| field).collect();
    format!("{}: {}", differing.join(", "), words(after))
}

impl ListPlan {
    /// Whether applying would change nothing.
    pub fn is_empty(&self) -> bool {
        self.added.is_empty() && self.removed.is_empty()
    }

    /// Number of persons that applying makes.
    pub fn new_person_count(&self) -> u32 {
        u32::try_from(self.new_persons.len()).unwrap_or(u32::MAX)
    }

    /// Builds the change, and the edition that it makes.
    ///
    /// Keys are made and synced here, before the commit that uses them.
    pub fn build(
        self,
        rules: &Rules,
        (rows, vault): (&impl RowSource, &Vault),
        author: Author<'_>,
    ) -> Result<(RuleChange, Edition), BuildError> {
        let mut parts = RosterParts::clone(&rules.parts);
        let mut batch = Batch::new();
        let detail = format!(
            "access list of {} applied: {} entries added, {} removed, {} persons made",
            self.customer.name(),
            self.added_count,
            self.removed_count,
            self.new_persons.len()
        );
        let made = self.make_persons(&mut parts, vault, author)?;
        let mut touched: Vec<_> = self.removed.iter().map(|(_, p)| p.clone()).collect();
        let mut change = EditionChange {
            added: Vec::with_capacity(self.added.len()),
            removed: self.removed.iter().map(|(number, _)| *number).collect(),
        };
        for wanted in self.added {
            let entry = new_entry(&self.customer, wanted, &made);
            touched.extend(entry.as_ref().map(|e| e.entry.person.clone()));
            change.added.extend(entry);
        }
        let by = author.caller.to_string();
        let stamp = Stamp {
            by: &by,
            now: author.now,
        };
        let into = (&mut batch, &mut parts);
        let edition = write_edition(rows, &self.customer, change, stamp, into)?;
        write_rights(rows, &parts, touched, &made, (&mut batch, author))?;
        let base_version = rules.roster.version();
        let roster = Roster::compile(&parts, base_version.saturating_add(1))?;
        let change = RuleChange {
            base_version,
            batch,
            rules: Rules {
                parts: Arc::new(parts),
                roster: Arc::new(roster),
            },
            kind: pb::JournalKind::ListChanged,
            actor: author.caller.clone(),
            detail,
            takes_away: self.removed_count > 0,
            lists: vec![self.customer],
        };
        Ok((change, edition))
    }

    fn make_persons(
        &self,
        parts: &mut RosterParts,
        vault: &Vault,
        author: Author<'_>,
    ) -> Result<Vec<Made>, BuildError> {
        let persons: Vec<_> = self
            .new_persons
            .iter()
            .map(|_| Person {
                id: vault.opaque_id(author.now, PersonId::parse),
                state: PersonState::Active,
                validity: Validity::ALWAYS,
                memberships: vec![Membership {
                    customer: self.customer.clone(),
                    may_approve: false,
                }],
            })
            .collect();
        vault.prepare(persons.iter())?;
        let mut made = Vec::with_capacity(persons.len());
        for (person, new) in persons.into_iter().zip(&self.new_persons) {
            let badge = vault.opaque_id(author.now, BadgeId::parse);
            let badge_row = pb::BadgeRow {
                person: person.id.to_string(),
                state: BadgeState::Inactive.number(),
                number: Some(vault.seal_number(&badge, &person.id, &new.number)?),
                number_key: new.number_key.to_vec(),
                ..pb::BadgeRow::default()
            };
            let row = pb::PersonRow {
                contact: Some(vault.seal_name(&person.id, &new.display_name)?),
                from_list: true,
                ..person_row(&person)
            };
            made.push(Made {
                person: person.id.clone(),
                row,
                badge,
                badge_row,
            });
            parts.persons.insert(person.id.clone(), person);
        }
        Ok(made)
    }
}

/// A person that was made, and its badge.
#[derive(Debug)]
struct Made {
    person: PersonId,
    row: pb::PersonRow,
    badge: BadgeId,
    badge_row: pb::BadgeRow,
}

fn new_entry(customer: &CustomerId, wanted: Wanted, made: &[Made]) -> Option<NewEntry> {
    let content = &wanted.content;
    let (person, badge) = match &content.subject {
        Subject::Known(person) => (person.clone(), wanted.badge),
        Subject::New(index) => {
            let made = made.get(*index)?;
            (made.person.clone(), Some(made.badge.clone()))
        }
    };
    Some(NewEntry {
        entry: AccessListEntry {
            entry: EntryRef {
                customer: customer.clone(),
                number: EntryNumber(0),
            },
            person,
            scope: content.scope(),
            schedule: content.schedule.clone(),
            validity: content.validity(),
            approver: content.approver.clone(),
        },
        badge,
    })
}

/// Writes the persons made, and whether a right remains for those whose entries began or ended.
fn write_rights(
    rows: &impl RowSource,
    parts: &RosterParts,
    mut touched: Vec<PersonId>,
    made: &[Made],
    (batch, author): (&mut Batch, Author<'_>),
) -> Result<(), LoadError> {
    let with_right = persons_with_right(parts, author.now);
    for made in made {
        let mut row = made.row.clone();
        note_end(&mut row, with_right.contains(&made.person), author.now);
        batch.put::<Persons>(&made.person.to_string(), &row);
        batch.put::<Badges>(&made.badge.to_string(), &made.badge_row);
    }
    touched.sort();
    touched.dedup();
    for person in touched {
        let key = person.to_string();
        let Some(mut row) = rows.one::<Persons>(&key)? else {
            continue;
        };
        if note_end(&mut row, with_right.contains(&person), author.now) {
            batch.put::<Persons>(&key, &row);
        }
    }
    Ok(())
}
