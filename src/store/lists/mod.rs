//! Customers' access lists: drafts, plans, editions, and reading any edition again.

mod draft;
mod edition;

mod resolve;

mod plan;

mod history;

use std::collections::{BTreeMap, BTreeSet};

pub use draft::{DraftLine, Holder, PLACES_PER_LINE_MAX};
pub use edition::Edition;
pub(in crate::store) use edition::{EditionChange, Stamp, write_edition};
pub use history::{ListedEntry, entries_page};
pub use plan::{ListPlan, PlanListError, plan_list};

use crate::policy::RosterParts;
use crate::types::{AreaId, CustomerId, DoorId};

/// Areas that a customer may name: its own and shared ones.
pub fn areas_of<'a>(parts: &'a RosterParts, customer: &CustomerId) -> BTreeSet<&'a AreaId> {
    let areas = parts.areas.values();
    areas
        .filter(|a| a.customers.is_empty() || a.customers.contains(customer))
        .map(|a| &a.id)
        .collect()
}

/// Doors that a customer may name: those with a side in an area of its own, and those that lie
/// wholly in shared areas.
pub fn doors_of<'a>(parts: &'a RosterParts, customer: &CustomerId) -> BTreeSet<&'a DoorId> {
    let owners = |area: &AreaId| parts.areas.get(area).map_or(&[][..], |a| &a.customers);
    let mut own = BTreeSet::new();
    let mut shared = BTreeMap::<&DoorId, bool>::new();
    for point in parts.access_points.values() {
        let either_side = [owners(&point.from_area), owners(&point.to_area)];
        if either_side.iter().any(|side| side.contains(customer)) {
            own.insert(&point.door);
        }
        let is_shared = either_side.iter().all(|side| side.is_empty());
        *shared.entry(&point.door).or_insert(true) &= is_shared;
    }
    let shared = shared.into_iter().filter(|(_, is_shared)| *is_shared);
    own.extend(shared.map(|(door, _)| door));
    own
}

#[cfg(test)]
mod tests;
