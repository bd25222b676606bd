//! Names a resource of any kind.

use std::fmt;

use crate::types::{
    AccessPointId, AreaId, BadgeId, ControllerId, CustomerId, DoorId, EntryRef, PersonId, ReaderId,
    ScheduleId, SpecialDaysId,
};

/// A resource of the site, by id. `Display` is its resource name; no name of a person is in it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Resource {
    /// An area.
    Area(AreaId),
    /// A door.
    Door(DoorId),
    /// One side of a door.
    AccessPoint(AccessPointId),
    /// A reader on a serial line.
    Reader(ReaderId),
    /// A controller.
    Controller(ControllerId),
    /// A tenant.
    Customer(CustomerId),
    /// A person.
    Person(PersonId),
    /// A badge.
    Badge(BadgeId),
    /// A schedule.
    Schedule(ScheduleId),
    /// A set of special days.
    SpecialDays(SpecialDaysId),
    /// A line of a customer's list.
    Entry(EntryRef),
    /// A customer's list as a whole.
    AccessList(CustomerId),
}

impl Resource {
    /// The resource name (AIP-122), for example `doors/d-1`.
    pub fn name(&self) -> String {
        match self {
            Self::Area(id) => id.name(),
            Self::Door(id) => id.name(),
            Self::AccessPoint(id) => id.name(),
            Self::Reader(id) => id.name(),
            Self::Controller(id) => id.name(),
            Self::Customer(id) => id.name(),
            Self::Person(id) => id.name(),
            Self::Badge(id) => id.name(),
            Self::Schedule(id) => id.name(),
            Self::SpecialDays(id) => id.name(),
            Self::Entry(entry) => entry.name(),
            Self::AccessList(customer) => format!("{}/accessList", customer.name()),
        }
    }
}

impl fmt::Display for Resource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name())
    }
}
