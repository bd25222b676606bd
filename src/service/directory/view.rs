//! What of the site a caller sees.
//!
//! An operator sees everything; a controller itself, its doors and their sides; a customer its
//! own areas and shared ones, the doors between them, and its own people. Where a resource that
//! a caller sees names one that it does not see, the name is left out.

use std::collections::BTreeSet;

use super::super::convert::{
    access_point_message, area_message, controller_message, customer_message, door_message,
    reader_message, schedule_message, special_days_message,
};
use crate::pb::v1 as pb;
use crate::policy::RosterParts;
use crate::store::lists::{areas_of, doors_of};
use crate::types::{
    AccessPoint, Area, AreaId, Caller, Controller, ControllerId, Customer, CustomerId, Door,
    DoorId, Person, Reader, Schedule, SpecialDays,
};

/// How a caller sees the site.
#[derive(Debug)]
pub(super) enum View<'a> {
    /// Everything.
    Operator,
    /// What one controller drives.
    Controller {
        id: &'a ControllerId,
        doors: BTreeSet<&'a DoorId>,
    },
    /// What is one customer's, and what is shared.
    Customer {
        id: &'a CustomerId,
        areas: BTreeSet<&'a AreaId>,
        doors: BTreeSet<&'a DoorId>,
    },
    /// Nothing.
    Nobody,
}

impl<'a> View<'a> {
    /// How a caller sees the site.
    pub(super) fn new(caller: &'a Caller, parts: &'a RosterParts) -> Self {
        match caller {
            Caller::Operator(_) => Self::Operator,
            Caller::Controller(id) => {
                let doors = parts
                    .doors
                    .values()
                    .filter(|d| d.drive.controller() == Some(id));
                let doors = doors.map(|d| &d.id).collect();
                Self::Controller { id, doors }
            }
            Caller::Customer(id) => Self::Customer {
                id,
                areas: areas_of(parts, id),
                doors: doors_of(parts, id),
            },
            Caller::Desk(_) => Self::Nobody,
        }
    }

    pub(super) fn area(&self, area: &Area) -> Option<pb::Area> {
        let message = area_message(area);
        match self {
            Self::Operator => Some(message),
            Self::Customer { id, areas, .. } => areas.contains(&area.id).then(|| pb::Area {
                // Who else owns an area is not this customer's to know.
                customers: area
                    .customers
                    .iter()
                    .filter(|c| c == id)
                    .map(CustomerId::name)
                    .collect(),
                ..message
            }),
            Self::Controller { .. } | Self::Nobody => None,
        }
    }

    pub(super) fn door(&self, door: &Door) -> Option<pb::Door> {
        let message = door_message(door);
        match self {
            Self::Operator => Some(message),
            Self::Controller { doors, .. } => doors.contains(&door.id).then_some(message),
            Self::Customer { doors, .. } => doors.contains(&door.id).then(|| pb::Door {
                // What releases a door, how and for how long is the operator's.
                controller: String::new(),
                wiring: None,
                timing: None,
                ..message
            }),
            Self::Nobody => None,
        }
    }

    pub(super) fn access_point(&self, point: &AccessPoint) -> Option<pb::AccessPoint> {
        let message = access_point_message(point);
        match self {
            Self::Operator => Some(message),
            Self::Controller { doors, .. } => doors.contains(&point.door).then_some(message),
            Self::Customer { areas, doors, .. } => {
                let shown = |area: &AreaId| areas.get(area).map(|a| a.name()).unwrap_or_default();
                doors.contains(&point.door).then(|| pb::AccessPoint {
                    from_area: shown(&point.from_area),
                    to_area: shown(&point.to_area),
                    ..message
                })
            }
            Self::Nobody => None,
        }
    }

    /// Readers are polled by the server itself, so they are nobody's but the operator's.
    pub(super) fn reader(&self, reader: &Reader) -> Option<pb::Reader> {
        match self {
            Self::Operator => Some(reader_message(reader)),
            Self::Controller { .. } | Self::Customer { .. } | Self::Nobody => None,
        }
    }

    pub(super) fn controller(&self, controller: &Controller) -> Option<pb::Controller> {
        let own = match self {
            Self::Operator => true,
            Self::Controller { id, .. } => **id == controller.id,
            Self::Customer { .. } | Self::Nobody => false,
        };
        own.then(|| controller_message(controller))
    }

    pub(super) fn customer(&self, customer: &Customer) -> Option<pb::Customer> {
        let own = match self {
            Self::Operator => true,
            Self::Customer { id, .. } => **id == customer.id,
            Self::Controller { .. } | Self::Nobody => false,
        };
        own.then(|| customer_message(customer))
    }

    /// A person without the customers that are not the caller's.
    pub(super) fn person(&self, person: &Person) -> Option<Person> {
        match self {
            Self::Operator => Some(person.clone()),
            Self::Customer { id, .. } => person.belongs_to(id).then(|| {
                let own = person.memberships.iter().filter(|m| m.customer == **id);
                Person {
                    memberships: own.cloned().collect(),
                    ..person.clone()
                }
            }),
            Self::Controller { .. } | Self::Nobody => None,
        }
    }

    pub(super) fn schedule(&self, schedule: &Schedule) -> Option<pb::Schedule> {
        self.sees_times().then(|| schedule_message(schedule))
    }

    pub(super) fn special_days(&self, days: &SpecialDays) -> Option<pb::SpecialDays> {
        self.sees_times().then(|| special_days_message(days))
    }

    /// Times are the same for all: lists and doors are written with them.
    fn sees_times(&self) -> bool {
        match self {
            Self::Operator | Self::Customer { .. } | Self::Controller { .. } => true,
            Self::Nobody => false,
        }
    }
}
