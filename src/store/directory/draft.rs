//! A site file after parsing: every value is well formed, nothing is known of how they fit.

use std::collections::BTreeMap;

use super::fault::{Faults, Problem};
use crate::types::{
    AccessPoint, AccessPointId, Area, AreaId, BadgeId, BadgeNumber, BadgeState, Card, Controller,
    ControllerId, Customer, CustomerId, DisplayName, Door, DoorId, Person, PersonId, Pin, Reader,
    ReaderId, Schedule, ScheduleId, SiteZone, SpecialDays, SpecialDaysId, Validity,
};

/// The site itself, as a file gives it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DraftSite {
    /// Name shown to people.
    pub display_name: DisplayName,
    /// Its zone.
    pub zone: SiteZone,
    /// Whether duress PINs are understood.
    pub duress_pin: bool,
}

/// A person as a file gives it.
#[derive(Debug, Clone)]
pub struct DraftPerson {
    /// The person.
    pub person: Person,
    /// The name, to be sealed.
    pub display_name: DisplayName,
    /// PIN to set; `None` leaves it as it is.
    pub pin: Option<Pin>,
}

/// A badge as a file gives it.
#[derive(Debug, Clone)]
pub struct DraftBadge {
    /// Its id.
    pub id: BadgeId,
    /// Who holds it.
    pub person: PersonId,
    /// Its state.
    pub state: BadgeState,
    /// When it may be used.
    pub validity: Validity,
    /// The printed number, to be sealed.
    pub number: BadgeNumber,
    /// The card in it.
    pub card: Card,
}

/// One item of a file.
#[derive(Debug, Clone)]
pub enum DraftItem {
    /// The site.
    Site(DraftSite),
    /// An area.
    Area(Area),
    /// A door.
    Door(Door),
    /// One side of a door.
    AccessPoint(AccessPoint),
    /// A reader.
    Reader(Reader),
    /// A controller.
    Controller(Controller),
    /// A customer.
    Customer(Customer),
    /// A person.
    Person(DraftPerson),
    /// A badge.
    Badge(DraftBadge),
    /// A schedule.
    Schedule(Schedule),
    /// A set of special days.
    SpecialDays(SpecialDays),
}

/// Something and the line it stands in.
#[derive(Debug, Clone)]
pub struct Lined<T> {
    /// Line of the file, 1-based.
    pub line: u32,
    /// What stands there.
    pub item: T,
}

/// The items of a file by kind and id.
#[derive(Debug, Default)]
pub(super) struct Wanted {
    pub(super) site: Option<Lined<DraftSite>>,
    pub(super) areas: BTreeMap<AreaId, Lined<Area>>,
    pub(super) doors: BTreeMap<DoorId, Lined<Door>>,
    pub(super) access_points: BTreeMap<AccessPointId, Lined<AccessPoint>>,
    pub(super) readers: BTreeMap<ReaderId, Lined<Reader>>,
    pub(super) controllers: BTreeMap<ControllerId, Lined<Controller>>,
    pub(super) customers: BTreeMap<CustomerId, Lined<Customer>>,
    pub(super) persons: BTreeMap<PersonId, Lined<DraftPerson>>,
    pub(super) badges: BTreeMap<BadgeId, Lined<DraftBadge>>,
    pub(super) schedules: BTreeMap<ScheduleId, Lined<Schedule>>,
    pub(super) special_days: BTreeMap<SpecialDaysId, Lined<SpecialDays>>,
}

impl Wanted {
    /// Sorts the items by kind and id; an id given twice is a fault.
    pub(super) fn gather(items: Vec<Lined<DraftItem>>, faults: &mut Faults) -> Self {
        let mut wanted = Self::default();
        for Lined { line, item } in items {
            wanted.take(line, item, faults);
        }
        if wanted.site.is_none() {
            faults.add(0, "site", Problem::Missing);
        }
        wanted
    }

    fn take(&mut self, line: u32, item: DraftItem, faults: &mut Faults) {
        match item {
            DraftItem::Site(site) => {
                if let Some(first) = &self.site {
                    faults.add(line, "site", Problem::Duplicate(first.line));
                    return;
                }
                self.site = Some(Lined { line, item: site });
            }
            DraftItem::Area(mut area) => {
                area.customers.sort();
                let key = (area.id.clone(), AreaId::name);
                once(&mut self.areas, key, (line, area), faults);
            }
            DraftItem::Door(door) => {
                let key = (door.id.clone(), DoorId::name);
                once(&mut self.doors, key, (line, door), faults);
            }
            DraftItem::AccessPoint(point) => {
                let key = (point.id.clone(), AccessPointId::name);
                once(&mut self.access_points, key, (line, point), faults);
            }
            DraftItem::Reader(mut reader) => {
                reader.card_formats.sort();
                let key = (reader.id.clone(), ReaderId::name);
                once(&mut self.readers, key, (line, reader), faults);
            }
            DraftItem::Controller(item) => {
                let key = (item.id.clone(), ControllerId::name);
                once(&mut self.controllers, key, (line, item), faults);
            }
            DraftItem::Customer(item) => {
                let key = (item.id.clone(), CustomerId::name);
                once(&mut self.customers, key, (line, item), faults);
            }
            DraftItem::Schedule(item) => {
                let key = (item.id.clone(), ScheduleId::name);
                once(&mut self.schedules, key, (line, item), faults);
            }
            DraftItem::SpecialDays(item) => {
                let key = (item.id.clone(), SpecialDaysId::name);
                once(&mut self.special_days, key, (line, item), faults);
            }
            DraftItem::Person(mut item) => {
                let memberships = &mut item.person.memberships;
                memberships.sort_by(|a, b| a.customer.cmp(&b.customer));
                let key = (item.person.id.clone(), PersonId::name);
                once(&mut self.persons, key, (line, item), faults);
            }
            DraftItem::Badge(badge) => {
                let key = (badge.id.clone(), BadgeId::name);
                once(&mut self.badges, key, (line, badge), faults);
            }
        }
    }
}

/// Inserts where nothing stands yet; otherwise it is a fault that names the first line.
fn once<I: Ord, T>(
    map: &mut BTreeMap<I, Lined<T>>,
    (id, name): (I, impl Fn(&I) -> String),
    (line, item): (u32, T),
    faults: &mut Faults,
) {
    if let Some(first) = map.get(&id) {
        faults.add(line, name(&id), Problem::Duplicate(first.line));
        return;
    }
    map.insert(id, Lined { line, item });
}
