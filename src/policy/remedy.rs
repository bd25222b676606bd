//! The smallest change after which an attempt is granted.
//!
//! Badge, holder and factors each need what they lack. For the list there is a choice: every
//! entry of the holder can be mended, and a new one can be made on every list that counts; the
//! one that takes the fewest parts is chosen, and on a tie an existing entry rather than a new
//! one. Whatever is chosen, no smaller choice would do, so no part can be left out.
//!
//! Nobody is ever suggested as approver of an entry of their own. A customer who reads it is told
//! of its own list and its own people only, and what is on other lists makes no difference to it.

use crate::types::{
    BadgeState, CustomerId, FactorRequirement, Person, PersonId, PersonState, PinEvidence, UtcTime,
    ValidityState,
};

use super::change::{BadgeEdit, Change, EntryEdit, PersonEdit, PinEdit};
use super::explain::Case;
use super::roster::{BadgeRow, CustomerRow, EntryRow, PersonRow, PointRow};
use super::rows::Slot;

/// The smallest change for a denied attempt. Empty where nothing helps.
pub(super) fn smallest_change(case: &Case<'_>) -> Vec<Change> {
    let (Some(point), Some((badge, holder))) = (case.point, case.known) else {
        return Vec::new();
    };
    let now = case.scene.now;
    let mut changes = for_badge(badge, now);
    changes.extend(for_person(&holder.person, now));
    changes.extend(for_factors(case, point, &holder.person.id));
    if case.scene.look_in_lists(point, holder).is_ok() {
        return changes;
    }
    let search = Search {
        case,
        point,
        holder,
        holder_slot: badge.holder,
        made: &changes,
    };
    match search.smallest() {
        Some(for_list) => changes.into_iter().chain(for_list).collect(),
        None => Vec::new(),
    }
}

fn for_badge(row: &BadgeRow, now: UtcTime) -> Vec<Change> {
    let activate = (row.badge.state != BadgeState::Active).then_some(BadgeEdit::Activate);
    let lacks_now = row.badge.validity.at(now) != ValidityState::Holds;
    let extend = lacks_now.then_some(BadgeEdit::MoveValidity { include: now });
    let change = |edit| Change::Badge {
        badge: row.badge.id.clone(),
        edit,
    };
    activate.into_iter().chain(extend).map(change).collect()
}

fn for_person(person: &Person, now: UtcTime) -> Vec<Change> {
    let activate = (person.state != PersonState::Active).then_some(PersonEdit::Activate);
    let lacks_now = person.validity.at(now) != ValidityState::Holds;
    let extend = lacks_now.then_some(PersonEdit::MoveValidity { include: now });
    let edits = activate.into_iter().chain(extend);
    edits.map(|edit| for_one(person, edit)).collect()
}

fn for_one(person: &Person, edit: PersonEdit) -> Change {
    Change::Person {
        person: person.id.clone(),
        edit,
    }
}

fn let_approve(person: &Person, customer: &CustomerId) -> Change {
    let customer = customer.clone();
    for_one(person, PersonEdit::LetApprove { customer })
}

fn for_factors(case: &Case<'_>, point: &PointRow, person: &PersonId) -> Option<Change> {
    let has_pin = case.scene.roster.pin_verifier(person).is_some();
    let pin = |edit| {
        let person = person.clone();
        Some(Change::Pin { person, edit })
    };
    match (case.scene.requirement(point), case.attempt.pin) {
        (FactorRequirement::Badge, _)
        | (FactorRequirement::BadgeAndPin, PinEvidence::Verified | PinEvidence::Duress) => None,
        (FactorRequirement::BadgeAndPin, PinEvidence::LockedOut) => pin(PinEdit::WaitForLockout),
        (FactorRequirement::BadgeAndPin, PinEvidence::NotGiven | PinEvidence::Wrong) => {
            pin(if has_pin {
                PinEdit::Present
            } else {
                PinEdit::Set
            })
        }
        (FactorRequirement::BadgeAndFinger, evidence) => Some(Change::Requirement {
            access_point: point.point.id.clone(),
            rule: case.scene.factor_rule(point).map(|(place, _)| place),
            requirement: strongest(evidence),
        }),
    }
}

/// The strongest requirement that what was presented meets.
fn strongest(evidence: PinEvidence) -> FactorRequirement {
    match evidence {
        PinEvidence::Verified | PinEvidence::Duress => FactorRequirement::BadgeAndPin,
        PinEvidence::NotGiven | PinEvidence::Wrong | PinEvidence::LockedOut => {
            FactorRequirement::Badge
        }
    }
}

/// The search for what the list lacks.
struct Search<'a> {
    case: &'a Case<'a>,
    point: &'a PointRow,
    holder: &'a PersonRow,
    holder_slot: Slot<PersonRow>,
    /// Parts that are needed anyway; they may mend an entry that its holder approves.
    made: &'a [Change],
}

impl Search<'_> {
    fn smallest(&self) -> Option<Vec<Change>> {
        let mended = self.mended_entry();
        if mended.as_ref().is_some_and(|parts| parts.len() <= 1) {
            return mended;
        }
        // On a tie `min_by_key` takes the first.
        let choices = mended.into_iter().chain(self.new_entry());
        choices.min_by_key(Vec::len)
    }

    /// The entry that takes the fewest parts to mend; of equals one that covers the access point.
    fn mended_entry(&self) -> Option<Vec<Change>> {
        let scene = &self.case.scene;
        let entries = self.case.entries_of(self.holder);
        let counting = entries.filter(|entry| self.point.list_counts(entry.customer));
        let mended = counting.filter_map(|entry| {
            let covers = scene.covers(self.point, entry);
            Some((self.mend(entry, covers)?, covers))
        });
        let smallest = mended.min_by_key(|(parts, covers)| (parts.len(), !covers));
        smallest.map(|(parts, _)| parts)
    }

    /// What an entry lacks; `None` where nobody could approve it.
    fn mend(&self, entry: &EntryRow, covers: bool) -> Option<Vec<Change>> {
        let scene = &self.case.scene;
        let name = scene.roster.entry_ref(entry)?;
        let mut edits = Vec::new();
        if !covers {
            edits.push(EntryEdit::AddDoor {
                door: self.point.point.door.clone(),
            });
        }
        if entry.validity.at(scene.now) != ValidityState::Holds {
            edits.push(EntryEdit::MoveValidity { include: scene.now });
        }
        let schedule = scene.roster.schedules.get(entry.schedule)?;
        if !schedule.schedule.holds(&scene.local) {
            edits.push(EntryEdit::HoldAlways);
        }
        let edits = edits.into_iter().map(|edit| Change::Entry {
            entry: name.clone(),
            edit,
        });
        let join = (!entry.holder_belongs).then(|| self.join(&name.customer));
        let approver = self.mend_approver(entry)?;
        Some(join.into_iter().chain(edits).chain(approver).collect())
    }

    fn join(&self, customer: &CustomerId) -> Change {
        let customer = customer.clone();
        for_one(&self.holder.person, PersonEdit::Join { customer })
    }

    /// What an entry's approver lacks, or another approver if that takes no more parts.
    fn mend_approver(&self, entry: &EntryRow) -> Option<Vec<Change>> {
        let roster = self.case.scene.roster;
        let customer = roster.customers.get(entry.customer)?;
        let approver = &roster.persons.get(entry.approver)?.person;
        let mut mended = for_person(approver, self.case.scene.now);
        mended.retain(|part| !self.made.contains(part));
        if !entry.approver_may_approve {
            mended.push(let_approve(approver, &customer.customer.id));
        }
        if mended.is_empty() {
            return Some(mended);
        }
        let name = roster.entry_ref(entry)?;
        let replaced = self.approver(customer).map(|(person, enabled)| {
            let approver = person.id.clone();
            let edit = EntryEdit::ReplaceApprover { approver };
            let replace = Change::Entry { entry: name, edit };
            [replace].into_iter().chain(enabled).collect::<Vec<_>>()
        });
        let own = entry.approver == self.holder_slot && !entry.approver_may_approve;
        let may_mend = !own && self.case.tells_person(approver);
        let mended = may_mend.then_some(mended);
        // To replace an approver opens no door to anybody else, so it goes first on a tie.
        replaced.into_iter().chain(mended).min_by_key(Vec::len)
    }

    /// The new entry that takes the fewest parts.
    fn new_entry(&self) -> Option<Vec<Change>> {
        let mut smallest: Option<Vec<Change>> = None;
        let customers = &self.case.scene.roster.customers;
        let counting = customers
            .slots()
            .filter(|slot| self.point.list_counts(*slot) && self.case.tells_list(*slot));
        for customer in counting.filter_map(|slot| customers.get(slot)) {
            let Some(parts) = self.new_entry_of(customer) else {
                continue;
            };
            if parts.len() <= 1 {
                return Some(parts);
            }
            if smallest
                .as_ref()
                .is_none_or(|best| parts.len() < best.len())
            {
                smallest = Some(parts);
            }
        }
        smallest
    }

    fn new_entry_of(&self, customer: &CustomerRow) -> Option<Vec<Change>> {
        let (approver, enabled) = self.approver(customer)?;
        let person = &self.holder.person;
        let customer = &customer.customer.id;
        let join = (!person.belongs_to(customer)).then(|| self.join(customer));
        let entry = Change::NewEntry {
            customer: customer.clone(),
            person: person.id.clone(),
            door: self.point.point.door.clone(),
            approver: approver.id.clone(),
        };
        Some(join.into_iter().chain(enabled).chain([entry]).collect())
    }

    /// Who can approve for a customer with the fewest parts, and these parts; never the holder.
    fn approver(&self, customer: &CustomerRow) -> Option<(&Person, Vec<Change>)> {
        let roster = self.case.scene.roster;
        let now = self.case.scene.now;
        let id = &customer.customer.id;
        let appointed = customer.approvers.iter().copied();
        let all = appointed
            .map(|slot| (slot, 0))
            .chain(roster.persons.slots().map(|slot| (slot, 1)));
        let mut smallest: Option<(&Person, Vec<Change>)> = None;
        for (slot, parts_min) in all.filter(|(slot, _)| *slot != self.holder_slot) {
            if smallest
                .as_ref()
                .is_some_and(|(_, best)| best.len() <= parts_min)
            {
                break;
            }
            let person = &roster.persons.get(slot)?.person;
            if !self.case.tells_person(person) {
                continue;
            }
            let mut parts = for_person(person, now);
            if !person.may_approve_for(id) {
                parts.push(let_approve(person, id));
            }
            if smallest
                .as_ref()
                .is_none_or(|(_, best)| parts.len() < best.len())
            {
                smallest = Some((person, parts));
            }
        }
        smallest
    }
}
