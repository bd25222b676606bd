//! The rules of a site as they are written, before they are compiled.

use std::collections::BTreeMap;

use crate::types::{
    AccessListEntry, AccessPoint, AccessPointId, Area, AreaId, Badge, BadgeId, Controller,
    ControllerId, Customer, CustomerId, Door, DoorId, EntryRef, Person, PersonId, Reader, ReaderId,
    Schedule, ScheduleId, SiteZone, SpecialDays, SpecialDaysId,
};

use super::PinVerifier;

/// All rules of a site. Each value stands under its own id.
///
/// Nothing is checked here: [`super::Roster::compile`] refuses what does not fit together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RosterParts {
    /// The zone in which schedules are read.
    pub zone: SiteZone,
    /// Whether duress PINs are understood.
    pub duress_pin: bool,
    /// Areas.
    pub areas: BTreeMap<AreaId, Area>,
    /// Doors.
    pub doors: BTreeMap<DoorId, Door>,
    /// Sides of doors.
    pub access_points: BTreeMap<AccessPointId, AccessPoint>,
    /// Readers that Sluss polls.
    pub readers: BTreeMap<ReaderId, Reader>,
    /// Controllers.
    pub controllers: BTreeMap<ControllerId, Controller>,
    /// Tenants.
    pub customers: BTreeMap<CustomerId, Customer>,
    /// Persons.
    pub persons: BTreeMap<PersonId, Person>,
    /// Badges.
    pub badges: BTreeMap<BadgeId, Badge>,
    /// Schedules; `always` is built in and never among them.
    pub schedules: BTreeMap<ScheduleId, Schedule>,
    /// Sets of special days.
    pub special_days: BTreeMap<SpecialDaysId, SpecialDays>,
    /// The entries in force of all customers' lists.
    pub entries: BTreeMap<EntryRef, AccessListEntry>,
    /// PIN verifiers of those persons that have a PIN.
    pub pins: BTreeMap<PersonId, PinVerifier>,
}

impl RosterParts {
    /// The rules of a site in which there is nothing yet.
    pub fn new(zone: SiteZone) -> Self {
        Self {
            zone,
            duress_pin: false,
            areas: BTreeMap::new(),
            doors: BTreeMap::new(),
            access_points: BTreeMap::new(),
            readers: BTreeMap::new(),
            controllers: BTreeMap::new(),
            customers: BTreeMap::new(),
            persons: BTreeMap::new(),
            badges: BTreeMap::new(),
            schedules: BTreeMap::new(),
            special_days: BTreeMap::new(),
            entries: BTreeMap::new(),
            pins: BTreeMap::new(),
        }
    }
}
