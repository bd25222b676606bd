//! The rules in memory that decisions use: compiled once, never changed, shared by all.

use std::collections::HashMap;
use std::fmt;
use std::ops::Range;

use crate::types::{
    AccessPoint, AccessPointId, Area, AreaId, Badge, BadgeId, CardCheck, CardKey, Controller,
    ControllerId, Customer, CustomerId, Direction, Door, DoorId, EntryNumber, EntryRef,
    FactorRequirement, Person, PersonId, PresentedCard, ScheduleId, SiteZone, UtcTime, Validity,
    ValidityState,
};

use super::readers::Readers;
use super::rows::{Keyed, Rows, Slot};
use super::{CompiledSchedule, PinVerifier, Resource};

/// The compiled rules of a site.
///
/// A decision costs one look-up of the access point, one of the card, and a walk over the
/// holder's own entries, which lie side by side. `Debug` prints counts only.
pub struct Roster {
    pub(super) version: u64,
    pub(super) zone: SiteZone,
    pub(super) duress_pin: bool,
    pub(super) areas: Rows<AreaRow>,
    pub(super) doors: Rows<Door>,
    pub(super) readers: Readers,
    pub(super) controllers: Rows<Controller>,
    pub(super) customers: Rows<CustomerRow>,
    pub(super) schedules: Rows<ScheduleRow>,
    pub(super) scopes: Rows<ScopeRow>,
    pub(super) points: Rows<PointRow>,
    pub(super) point_slots: HashMap<AccessPointId, Slot<PointRow>>,
    pub(super) persons: Rows<PersonRow>,
    /// Entries by person, and of one person by entry.
    pub(super) entries: Vec<EntryRow>,
    pub(super) badges: Rows<BadgeRow>,
    pub(super) badge_slots: HashMap<CardKey, Slot<BadgeRow>>,
    /// Badges by holder.
    pub(super) held: Vec<(Slot<PersonRow>, Slot<BadgeRow>)>,
    /// PIN verifiers by person.
    pub(super) pins: Vec<(Slot<PersonRow>, PinVerifier)>,
}

/// An area and its owners.
#[derive(Debug)]
pub(super) struct AreaRow {
    pub(super) area: Area,
    /// Rising.
    pub(super) owners: Box<[Slot<CustomerRow>]>,
}

/// A customer and who may approve for it, whether or not they are admitted now.
#[derive(Debug)]
pub(super) struct CustomerRow {
    pub(super) customer: Customer,
    /// Rising.
    pub(super) approvers: Vec<Slot<PersonRow>>,
}

/// A schedule under its id.
#[derive(Debug)]
pub(super) struct ScheduleRow {
    pub(super) id: ScheduleId,
    pub(super) schedule: CompiledSchedule,
}

/// Areas and doors; entries with the same ones share a row.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct ScopeRow {
    /// Rising.
    pub(super) areas: Box<[Slot<AreaRow>]>,
    /// Rising.
    pub(super) doors: Box<[Slot<Door>]>,
}

/// An access point with everything a decision there needs.
#[derive(Debug)]
pub(super) struct PointRow {
    pub(super) point: AccessPoint,
    pub(super) door: Slot<Door>,
    pub(super) governing: Slot<AreaRow>,
    /// Customers whose lists count; empty where the governing area is shared. Rising.
    pub(super) owners: Box<[Slot<CustomerRow>]>,
    /// Customers that own either side. Rising.
    pub(super) either_side: Box<[Slot<CustomerRow>]>,
    pub(super) factor_rules: Box<[(Slot<ScheduleRow>, FactorRequirement)]>,
}

/// A person and where its entries lie.
#[derive(Debug)]
pub(super) struct PersonRow {
    pub(super) person: Person,
    pub(super) entries: Range<usize>,
}

/// A badge and its holder.
#[derive(Debug)]
pub(super) struct BadgeRow {
    pub(super) badge: Badge,
    pub(super) holder: Slot<PersonRow>,
}

/// A line of a customer's list.
#[derive(Debug)]
pub(super) struct EntryRow {
    pub(super) customer: Slot<CustomerRow>,
    pub(super) number: EntryNumber,
    pub(super) scope: Slot<ScopeRow>,
    pub(super) schedule: Slot<ScheduleRow>,
    pub(super) validity: Validity,
    pub(super) approver: Slot<PersonRow>,
    /// Whether the person belongs to the customer; otherwise the entry does not count.
    pub(super) holder_belongs: bool,
    /// Whether the approver belongs to the customer and may approve for it.
    pub(super) approver_may_approve: bool,
}

impl ScopeRow {
    /// Whether an access point lies in it: by its governing area or by its door.
    pub(super) fn covers(&self, point: &PointRow) -> bool {
        self.areas.binary_search(&point.governing).is_ok()
            || self.doors.binary_search(&point.door).is_ok()
    }
}

impl PointRow {
    /// Whether a customer's list counts here: that of an owner of the governing area, or any
    /// where it has none.
    pub(super) fn list_counts(&self, customer: Slot<CustomerRow>) -> bool {
        self.owners.is_empty() || self.owners.binary_search(&customer).is_ok()
    }

    /// Whether an entry counts here: its list does, and its person belongs to that customer.
    pub(super) fn counts(&self, entry: &EntryRow) -> bool {
        entry.holder_belongs && self.list_counts(entry.customer)
    }
}

impl Roster {
    /// Version the roster was compiled as; a grant carries it.
    pub fn version(&self) -> u64 {
        self.version
    }

    /// The site's zone.
    pub fn zone(&self) -> SiteZone {
        self.zone
    }

    /// Whether duress PINs are understood.
    pub fn duress_pin(&self) -> bool {
        self.duress_pin
    }

    /// Number of badges.
    pub fn badge_count(&self) -> usize {
        self.badges.count()
    }

    /// An access point.
    pub fn access_point(&self, id: &AccessPointId) -> Option<&AccessPoint> {
        self.point(id).map(|row| &row.point)
    }

    /// The entry side of a door; of several the one with the lowest id.
    pub fn entry_side(&self, door: &DoorId) -> Option<&AccessPoint> {
        self.points
            .iter()
            .map(|row| &row.point)
            .find(|point| point.door == *door && point.direction == Direction::Entry)
    }

    /// The controller that drives the door of an access point; `None` where a reader does.
    pub fn controller_of(&self, id: &AccessPointId) -> Option<&ControllerId> {
        let door = self.point(id)?.door;
        self.doors.get(door)?.drive.controller()
    }

    /// An area.
    pub fn area(&self, id: &AreaId) -> Option<&Area> {
        self.areas.by_key(id).map(|row| &row.area)
    }

    /// A door.
    pub fn door(&self, id: &DoorId) -> Option<&Door> {
        self.doors.by_key(id)
    }

    /// A controller.
    pub fn controller(&self, id: &ControllerId) -> Option<&Controller> {
        self.controllers.by_key(id)
    }

    /// A customer.
    pub fn customer(&self, id: &CustomerId) -> Option<&Customer> {
        self.customers.by_key(id).map(|row| &row.customer)
    }

    /// All customers, by id.
    pub fn customers(&self) -> impl Iterator<Item = &Customer> {
        self.customers.iter().map(|row| &row.customer)
    }

    /// A person.
    pub fn person(&self, id: &PersonId) -> Option<&Person> {
        self.persons.by_key(id).map(|row| &row.person)
    }

    /// A badge.
    pub fn badge(&self, id: &BadgeId) -> Option<&Badge> {
        self.badges.by_key(id).map(|row| &row.badge)
    }

    /// The badge that has a card.
    ///
    /// Of what was presented ask [`Roster::badge_of`]: a card that was misread has no badge.
    pub fn badge_by_card(&self, card: &CardKey) -> Option<&Badge> {
        let slot = *self.badge_slots.get(card)?;
        self.badges.get(slot).map(|row| &row.badge)
    }

    /// The badge of a card as presented; `None` for one that is not sound, whatever its bits.
    pub fn badge_of(&self, card: &PresentedCard) -> Option<&Badge> {
        self.badge_and_holder(card).map(|(badge, _)| &badge.badge)
    }

    /// A person's badges, by id.
    pub fn badges_of<'a>(&'a self, person: &PersonId) -> impl Iterator<Item = &'a Badge> + use<'a> {
        let slot = self.persons.find(person);
        let from = self.held.partition_point(|(p, _)| Some(*p) < slot);
        let held = self.held.get(from..).unwrap_or_default();
        held.iter()
            .take_while(move |(p, _)| Some(*p) == slot)
            .filter_map(|(_, badge)| self.badges.get(*badge))
            .map(|row| &row.badge)
    }

    /// The verifier of a person's PIN; `None` if the person has none.
    pub fn pin_verifier(&self, person: &PersonId) -> Option<&PinVerifier> {
        let slot = self.persons.find(person)?;
        let found = self.pins.binary_search_by_key(&slot, |(p, _)| *p).ok()?;
        self.pins.get(found).map(|(_, verifier)| verifier)
    }

    /// Whether a person has an entry on a customer's list that is valid now, whatever its
    /// schedule, its approver and where it leads.
    pub fn is_on_list_of(&self, person: &PersonId, customer: &CustomerId, now: UtcTime) -> bool {
        let (Some(person), Some(customer)) =
            (self.persons.by_key(person), self.customers.find(customer))
        else {
            return false;
        };
        self.entries_of(person)
            .iter()
            .any(|e| e.customer == customer && e.validity.at(now) == ValidityState::Holds)
    }

    /// An access point's row.
    pub(super) fn point(&self, id: &AccessPointId) -> Option<&PointRow> {
        let slot = *self.point_slots.get(id)?;
        self.points.get(slot)
    }

    /// The badge of a card as presented, and who holds it; `None` for a card that is not sound.
    pub(super) fn badge_and_holder(&self, card: &PresentedCard) -> Option<(&BadgeRow, &PersonRow)> {
        match card.check {
            CardCheck::Sound => {}
            CardCheck::ParityFailed | CardCheck::FormatNotAccepted => return None,
        }
        let badge = self.badges.get(*self.badge_slots.get(&card.key)?)?;
        Some((badge, self.persons.get(badge.holder)?))
    }

    /// A person's entries, by reference.
    pub(super) fn entries_of(&self, person: &PersonRow) -> &[EntryRow] {
        self.entries.get(person.entries.clone()).unwrap_or_default()
    }

    /// Names an entry.
    pub(super) fn entry_ref(&self, entry: &EntryRow) -> Option<EntryRef> {
        let customer = self.customers.get(entry.customer)?;
        Some(EntryRef {
            customer: customer.customer.id.clone(),
            number: entry.number,
        })
    }
}

impl fmt::Debug for Roster {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Roster")
            .field("version", &self.version)
            .field("access_points", &self.points.count())
            .field("persons", &self.persons.count())
            .field("badges", &self.badges.count())
            .field("entries", &self.entries.len())
            .finish_non_exhaustive()
    }
}

/// Says by which id a row is found.
macro_rules! keyed {
    ($row:ty, $key:ty, $resource:ident, $($field:ident).+) => {
        impl Keyed for $row {
            type Key = $key;

            fn key(&self) -> &$key {
                &self.$($field).+
            }

            fn resource(key: &$key) -> Resource {
                Resource::$resource(key.clone())
            }
        }
    };
}

keyed!(AreaRow, AreaId, Area, area.id);
keyed!(Door, DoorId, Door, id);
keyed!(Controller, ControllerId, Controller, id);
keyed!(CustomerRow, CustomerId, Customer, customer.id);
keyed!(ScheduleRow, ScheduleId, Schedule, id);
keyed!(PointRow, AccessPointId, AccessPoint, point.id);
keyed!(PersonRow, PersonId, Person, person.id);
keyed!(BadgeRow, BadgeId, Badge, badge.id);
