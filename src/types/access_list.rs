//! A customer's access list.

use super::{AreaId, CustomerId, DoorId, PersonId, ScheduleId, Validity};

/// Number of an entry within its customer's list; never reused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct EntryNumber(pub u64);

/// Names an entry across lists.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct EntryRef {
    /// Whose list.
    pub customer: CustomerId,
    /// Which entry.
    pub number: EntryNumber,
}

impl EntryRef {
    /// Resource name, `customers/{customer}/accessList/entries/{entry}`.
    pub fn name(&self) -> String {
        format!(
            "customers/{}/accessList/entries/{}",
            self.customer, self.number.0
        )
    }
}

/// Where an entry lets its person pass.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Scope {
    /// Areas that may be entered and left.
    pub areas: Vec<AreaId>,
    /// Single doors that may be passed.
    pub doors: Vec<DoorId>,
}

/// One line of a list: person, places, times, approver.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccessListEntry {
    /// Its customer and number.
    pub entry: EntryRef,
    /// Who.
    pub person: PersonId,
    /// Where.
    pub scope: Scope,
    /// At which times.
    pub schedule: ScheduleId,
    /// From when until when.
    pub validity: Validity,
    /// On whose word.
    pub approver: PersonId,
}
