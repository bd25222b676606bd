//! What can be wrong with rules that are to be compiled.

use std::collections::BTreeMap;

use crate::types::{BadgeId, DoorId, PersonId, ReaderId, ScheduleId};

use super::{Resource, RosterParts};

/// Rules that do not fit together. The fault of whoever wrote them.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{} of the rules do not fit together", faults.len())]
pub struct CompileError {
    /// Every one that does not; never empty.
    pub faults: Vec<Fault>,
}

/// A rule that does not fit the others.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, thiserror::Error)]
pub enum Fault {
    /// A resource names one that does not exist.
    #[error("`{by}` names `{missing}`, which does not exist")]
    Missing {
        /// What names it.
        by: Resource,
        /// What is not there.
        missing: Resource,
    },
    /// There is a PIN of a person that does not exist.
    #[error("there is a PIN of `{}`, which does not exist", person.name())]
    OrphanedPin {
        /// The person that is not there.
        person: PersonId,
    },
    /// Two badges have one card.
    #[error("`{}` and `{}` have the same card", first.name(), second.name())]
    SameCard {
        /// The badge with the lower id.
        first: BadgeId,
        /// The other badge.
        second: BadgeId,
    },
    /// Two readers answer at one address of one line.
    #[error("`{}` and `{}` have the same address on one line", first.name(), second.name())]
    SameAddress {
        /// The reader with the lower id.
        first: ReaderId,
        /// The other reader.
        second: ReaderId,
    },
    /// A door hangs on a reader that is at another door.
    #[error("`{}` hangs on `{}`, which is at another door", door.name(), reader.name())]
    ForeignReader {
        /// The door.
        door: DoorId,
        /// The reader.
        reader: ReaderId,
    },
    /// A door has its contact and its request to exit on one input.
    #[error("`{}` has contact and request to exit on one input", door.name())]
    SharedInput {
        /// The door.
        door: DoorId,
    },
    /// A resource stands under an id that is not its own.
    #[error("what stands under `{under}` has another id")]
    Misfiled {
        /// The id under which it stands.
        under: Resource,
    },
    /// A schedule is called `always`, which is built in.
    #[error("`schedules/always` is built in and cannot be defined")]
    ReservedSchedule,
}

/// Checks that every value stands under its own id, and that none takes a built-in one.
pub(super) fn check_ids(parts: &RosterParts) -> Vec<Fault> {
    let mut faults = Vec::new();
    let out = &mut faults;
    misfiled(out, &parts.areas, |v| &v.id, Resource::Area);
    misfiled(out, &parts.doors, |v| &v.id, Resource::Door);
    misfiled(out, &parts.access_points, |v| &v.id, Resource::AccessPoint);
    misfiled(out, &parts.readers, |v| &v.id, Resource::Reader);
    misfiled(out, &parts.controllers, |v| &v.id, Resource::Controller);
    misfiled(out, &parts.customers, |v| &v.id, Resource::Customer);
    misfiled(out, &parts.persons, |v| &v.id, Resource::Person);
    misfiled(out, &parts.badges, |v| &v.id, Resource::Badge);
    misfiled(out, &parts.schedules, |v| &v.id, Resource::Schedule);
    misfiled(out, &parts.special_days, |v| &v.id, Resource::SpecialDays);
    misfiled(out, &parts.entries, |v| &v.entry, Resource::Entry);
    if parts.schedules.keys().any(ScheduleId::is_always) {
        faults.push(Fault::ReservedSchedule);
    }
    faults
}

fn misfiled<K: Ord + Clone, V>(
    faults: &mut Vec<Fault>,
    values: &BTreeMap<K, V>,
    id: impl Fn(&V) -> &K,
    resource: impl Fn(K) -> Resource,
) {
    let wrong = values.iter().filter(|(key, value)| id(value) != *key);
    faults.extend(wrong.map(|(key, _)| Fault::Misfiled {
        under: resource(key.clone()),
    }));
}
