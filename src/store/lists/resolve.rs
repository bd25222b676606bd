//! Finds what the lines of a list name, as far as it is the customer's.
//!
//! What belongs to another customer answers as what does not exist does
//! (docs/decisions/2026-11-23-list-lines.md).

use std::collections::{BTreeMap, BTreeSet};

use super::draft::{DraftLine, Holder};
use crate::pb::store as pb;
use crate::policy::RosterParts;
use crate::store::directory::{Faults, Lined, Problem, Vault};
use crate::store::rows::{LoadError, RowSource};
use crate::store::tables::Badges;
use crate::types::{
    AreaId, BadgeId, BadgeNumber, CustomerId, DisplayName, DoorId, PersonId, PersonState,
    ScheduleId, Scope, UtcTime, Validity,
};

/// A person that applying makes, with a badge that has no card yet.
#[derive(Debug, Clone)]
pub(super) struct NewPerson {
    pub(super) number: BadgeNumber,
    pub(super) number_key: [u8; 16],
    pub(super) display_name: DisplayName,
}

/// Whom an entry is about.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Subject {
    /// Somebody who is there.
    Known(PersonId),
    /// The new person with this index.
    New(usize),
}

/// Everything that makes an entry what it is. Entries with equal content are one entry.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Content {
    pub(super) subject: Subject,
    pub(super) areas: Vec<AreaId>,
    pub(super) doors: Vec<DoorId>,
    pub(super) schedule: ScheduleId,
    pub(super) valid_from: Option<UtcTime>,
    pub(super) valid_until: Option<UtcTime>,
    pub(super) approver: PersonId,
}

impl Content {
    pub(super) fn scope(&self) -> Scope {
        Scope {
            areas: self.areas.clone(),
            doors: self.doors.clone(),
        }
    }

    pub(super) fn validity(&self) -> Validity {
        Validity::new(self.valid_from, self.valid_until).unwrap_or_default()
    }
}

/// A line whose names have all been found.
#[derive(Debug, Clone)]
pub(super) struct Wanted {
    pub(super) content: Content,
    /// The badge it was written with, where the person is there.
    pub(super) badge: Option<BadgeId>,
    pub(super) line: u32,
}

/// What the lines come to.
#[derive(Debug, Default)]
pub(super) struct Resolved {
    pub(super) wanted: Vec<Wanted>,
    pub(super) new_persons: Vec<NewPerson>,
}

/// The numbers of a customer's badges: who holds them.
type Numbers = BTreeMap<Vec<u8>, (BadgeId, PersonId)>;

/// Looks names up on behalf of one customer.
#[derive(Debug)]
pub(super) struct Resolver<'a> {
    customer: &'a CustomerId,
    parts: &'a RosterParts,
    vault: &'a Vault,
    numbers: Numbers,
    areas: BTreeSet<&'a AreaId>,
    doors: BTreeSet<&'a DoorId>,
    now: UtcTime,
    new_by_key: BTreeMap<[u8; 16], usize>,
    resolved: Resolved,
    faults: Faults,
}

impl<'a> Resolver<'a> {
    pub(super) fn new(
        customer: &'a CustomerId,
        parts: &'a RosterParts,
        rows: &impl RowSource,
        vault: &'a Vault,
        now: UtcTime,
    ) -> Result<Self, LoadError> {
        Ok(Self {
            customer,
            parts,
            vault,
            numbers: numbers_of(customer, parts, rows)?,
            areas: super::areas_of(parts, customer),
            doors: super::doors_of(parts, customer),
            now,
            new_by_key: BTreeMap::new(),
            resolved: Resolved::default(),
            faults: Faults::new(),
        })
    }

    /// Resolves all lines; all faults are found.
    pub(super) fn resolve(mut self, lines: Vec<Lined<DraftLine>>) -> Result<Resolved, Faults> {
        let mut first_lines = BTreeMap::new();
        for Lined { line, item } in lines {
            let Some(wanted) = self.line(line, item) else {
                continue;
            };
            if let Some(first) = first_lines.get(&wanted.content) {
                self.faults.add(line, "line", Problem::Duplicate(*first));
                continue;
            }
            first_lines.insert(wanted.content.clone(), line);
            self.resolved.wanted.push(wanted);
        }
        self.faults.or(self.resolved)
    }

    fn line(&mut self, line: u32, item: DraftLine) -> Option<Wanted> {
        let places = self.places(line, &item.scope);
        let schedule = self.schedule(line, &item.schedule);
        let approver = self.approver(line, &item.approver);
        let (subject, badge) = self.subject(line, item.holder, item.display_name)?;
        let (Some(()), Some(()), Some(approver)) = (places, schedule, approver) else {
            return None;
        };
        Some(Wanted {
            content: Content {
                subject,
                areas: item.scope.areas,
                doors: item.scope.doors,
                schedule: item.schedule,
                valid_from: item.validity.from(),
                valid_until: item.validity.until(),
                approver,
            },
            badge,
            line,
        })
    }

    fn places(&mut self, line: u32, scope: &Scope) -> Option<()> {
        let (areas, doors) = (&self.areas, &self.doors);
        let faults = &mut self.faults;
        let mut good = Some(());
        for area in scope.areas.iter().filter(|id| !areas.contains(*id)) {
            faults.add(line, "areas", Problem::Unknown(area.name()));
            good = None;
        }
        for door in scope.doors.iter().filter(|id| !doors.contains(*id)) {
            faults.add(line, "doors", Problem::Unknown(door.name()));
            good = None;
        }
        good
    }

    fn schedule(&mut self, line: u32, schedule: &ScheduleId) -> Option<()> {
        if schedule.is_always() || self.parts.schedules.contains_key(schedule) {
            return Some(());
        }
        let problem = Problem::Unknown(schedule.name());
        self.faults.add(line, "schedule", problem);
        None
    }

    /// An active member that may approve, or a fault that does not tell which of it fails.
    fn approver(&mut self, line: u32, holder: &Holder) -> Option<PersonId> {
        let found = self.find(holder).map(|(person, _)| person);
        let may = |id: &PersonId| {
            self.parts.persons.get(id).is_some_and(|p| {
                p.state == PersonState::Active
                    && p.validity.at(self.now) != crate::types::ValidityState::Over
                    && p.may_approve_for(self.customer)
            })
        };
        let approver = found.filter(may);
        if approver.is_none() {
            let why = "must be an active person of this customer that may approve";
            let problem = Problem::Refused(why.to_owned());
            self.faults.add(line, "approver", problem);
        }
        approver
    }

    fn subject(
        &mut self,
        line: u32,
        holder: Holder,
        name: Option<DisplayName>,
    ) -> Option<(Subject, Option<BadgeId>)> {
        if let Some((person, badge)) = self.find(&holder) {
            return Some((Subject::Known(person), badge));
        }
        match holder {
            Holder::Person(_) => {
                self.unknown(line, "person");
                None
            }
            Holder::Both(..) => {
                self.unknown(line, "person with this badge number");
                None
            }
            Holder::Badge(number) => self.newcomer(line, number, name).map(|s| (s, None)),
        }
    }

    fn unknown(&mut self, line: u32, what: &'static str) {
        self.faults
            .add(line, "person", Problem::UnknownHolder(what));
    }

    /// A person that the line makes; the same one for every line with this badge number.
    fn newcomer(
        &mut self,
        line: u32,
        number: BadgeNumber,
        name: Option<DisplayName>,
    ) -> Option<Subject> {
        let number_key = self.vault.number_key(&number);
        if let Some(index) = self.new_by_key.get(&number_key).copied() {
            let first = self.resolved.new_persons.get(index);
            let agrees = name.is_none_or(|n| first.is_some_and(|f| f.display_name == n));
            if !agrees {
                let why = "must be the same in all lines with this new badge number";
                let problem = Problem::Refused(why.to_owned());
                self.faults.add(line, "display_name", problem);
            }
            return Some(Subject::New(index));
        }
        let Some(display_name) = name else {
            let why = "is required: no person of this customer has this badge number, \
                       so that the line makes one";
            let problem = Problem::Refused(why.to_owned());
            self.faults.add(line, "display_name", problem);
            return None;
        };
        let index = self.resolved.new_persons.len();
        self.new_by_key.insert(number_key, index);
        self.resolved.new_persons.push(NewPerson {
            number,
            number_key,
            display_name,
        });
        Some(Subject::New(index))
    }

    /// A person of this customer, and the badge it was named by.
    fn find(&self, holder: &Holder) -> Option<(PersonId, Option<BadgeId>)> {
        let by_number = |number: &BadgeNumber| {
            let key = self.vault.number_key(number);
            self.numbers.get(key.as_slice()).cloned()
        };
        match holder {
            Holder::Badge(number) => {
                let (badge, person) = by_number(number)?;
                Some((person, Some(badge)))
            }
            Holder::Person(id) => {
                let person = self.parts.persons.get(id)?;
                let ours = person.belongs_to(self.customer);
                ours.then(|| (id.clone(), None))
            }
            Holder::Both(number, id) => {
                let (badge, person) = by_number(number)?;
                (person == *id).then_some((person, Some(badge)))
            }
        }
    }
}

/// The badges of a customer's people by number; one with a card goes before one without.
fn numbers_of(
    customer: &CustomerId,
    parts: &RosterParts,
    rows: &impl RowSource,
) -> Result<Numbers, LoadError> {
    let mut numbers = Numbers::new();
    let mut badges = rows.all::<Badges>()?;
    badges.sort_by_key(|(_, row): &(String, pb::BadgeRow)| !row.card_key.is_empty());
    for (key, row) in badges {
        let holder = PersonId::parse(&row.person).ok();
        let person = holder.and_then(|id| parts.persons.get(&id));
        let ours = person.filter(|p| p.belongs_to(customer));
        if let (Some(person), Ok(badge)) = (ours, BadgeId::parse(&key)) {
            numbers.insert(row.number_key, (badge, person.id.clone()));
        }
    }
    Ok(numbers)
}
