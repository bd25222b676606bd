//! Whether the items of a site file fit together, and with what stays of the site as it is.

use std::collections::{BTreeMap, BTreeSet};

use super::check_readers::check_readers;
use super::draft::{Lined, Wanted};
use super::fault::{Faults, Problem};
use crate::store::rows::Stored;
use crate::types::{CustomerId, PersonId, ScheduleId, SiteZone};

/// Most doors; the roster's bit sets are dimensioned for them.
const DOORS_MAX: usize = 4_096;
/// Most access points: two to a door.
const ACCESS_POINTS_MAX: usize = 2 * DOORS_MAX;
/// Most readers: one to an access point.
const READERS_MAX: usize = ACCESS_POINTS_MAX;
/// Most areas, as many as doors.
const AREAS_MAX: usize = 4_096;
/// Most controllers; each drives at least a door.
const CONTROLLERS_MAX: usize = 4_096;
/// Most customers; each has a feed with a tree of its own.
const CUSTOMERS_MAX: usize = 1_024;
/// Most schedules; each takes 10,080 bits of the roster.
const SCHEDULES_MAX: usize = 1_024;
/// Most sets of special days.
const SPECIAL_DAYS_SETS_MAX: usize = 64;

/// What of the present site outlives the file.
#[derive(Debug)]
pub(super) struct Kept<'a> {
    /// The zone, once one is set.
    pub(super) zone: Option<SiteZone>,
    /// Persons that access lists made.
    pub(super) persons: &'a BTreeSet<PersonId>,
}

/// Adds a fault for everything that does not fit.
pub(super) fn check(wanted: &Wanted, kept: &Kept<'_>, faults: &mut Faults) {
    check_zone(wanted, kept, faults);
    check_counts(wanted, faults);
    check_areas(wanted, faults);
    check_doors(wanted, faults);
    check_access_points(wanted, faults);
    check_readers(wanted, faults);
    check_schedules(wanted, faults);
    check_persons(wanted, faults);
    check_badges(wanted, kept, faults);
}

fn check_zone(wanted: &Wanted, kept: &Kept<'_>, faults: &mut Faults) {
    let (Some(site), Some(zone)) = (&wanted.site, kept.zone) else {
        return;
    };
    if site.item.zone != zone {
        let why = format!(
            "the zone of the site is `{}` and stays so: dates and hours in the log are told in it",
            zone.name()
        );
        faults.add(site.line, "site.time_zone", Problem::Refused(why));
    }
}

fn check_counts(wanted: &Wanted, faults: &mut Faults) {
    let counts = [
        ("areas", wanted.areas.len(), AREAS_MAX),
        ("doors", wanted.doors.len(), DOORS_MAX),
        (
            "accessPoints",
            wanted.access_points.len(),
            ACCESS_POINTS_MAX,
        ),
        ("readers", wanted.readers.len(), READERS_MAX),
        ("controllers", wanted.controllers.len(), CONTROLLERS_MAX),
        ("customers", wanted.customers.len(), CUSTOMERS_MAX),
        ("schedules", wanted.schedules.len(), SCHEDULES_MAX),
        (
            "specialDays",
            wanted.special_days.len(),
            SPECIAL_DAYS_SETS_MAX,
        ),
    ];
    for (kind, count, max) in counts {
        if count > max {
            faults.add(0, kind, Problem::TooMany(max));
        }
    }
}

fn check_areas(wanted: &Wanted, faults: &mut Faults) {
    for Lined { line, item } in wanted.areas.values() {
        check_customers(*line, "area.customers", &item.customers, wanted, faults);
    }
}

fn check_customers(
    line: u32,
    field: &str,
    sorted: &[CustomerId],
    wanted: &Wanted,
    faults: &mut Faults,
) {
    for (index, customer) in sorted.iter().enumerate() {
        known(&wanted.customers, customer, || {
            faults.add(line, field, Problem::Unknown(customer.name()));
        });
        if index > 0 && sorted.get(index - 1) == Some(customer) {
            faults.add(line, field, Problem::Duplicate(line));
        }
    }
}

fn check_doors(wanted: &Wanted, faults: &mut Faults) {
    let with_points: BTreeSet<_> = wanted
        .access_points
        .values()
        .map(|p| p.item.door.clone())
        .collect();
    for (id, Lined { line, item }) in &wanted.doors {
        if let Some(controller) = item.drive.controller() {
            known(&wanted.controllers, controller, || {
                faults.add(
                    *line,
                    "door.controller",
                    Problem::Unknown(controller.name()),
                );
            });
        }
        if !with_points.contains(id) {
            let why = "a door needs at least one access point".to_owned();
            faults.add(*line, item.name(), Problem::Refused(why));
        }
    }
}

fn check_access_points(wanted: &Wanted, faults: &mut Faults) {
    for Lined { line, item } in wanted.access_points.values() {
        known(&wanted.doors, &item.door, || {
            let name = item.door.name();
            faults.add(*line, "access_point.door", Problem::Unknown(name));
        });
        for (field, area) in [
            ("access_point.from_area", &item.from_area),
            ("access_point.to_area", &item.to_area),
        ] {
            known(&wanted.areas, area, || {
                faults.add(*line, field, Problem::Unknown(area.name()));
            });
        }
        if item.from_area == item.to_area {
            let why = "an access point leads from one area to another".to_owned();
            faults.add(*line, "access_point.to_area", Problem::Refused(why));
        }
        for (index, rule) in item.factor_rules.iter().enumerate() {
            if !knows_schedule(wanted, &rule.schedule) {
                let field = format!("access_point.factor_rules[{index}].schedule");
                faults.add(*line, field, Problem::Unknown(rule.schedule.name()));
            }
        }
    }
}

fn check_schedules(wanted: &Wanted, faults: &mut Faults) {
    for Lined { line, item } in wanted.schedules.values() {
        if item.id.is_always() {
            let why = "`schedules/always` is built in".to_owned();
            faults.add(*line, "schedule.name", Problem::Refused(why));
        }
        for (index, special) in item.special.iter().enumerate() {
            known(&wanted.special_days, &special.special_days, || {
                let field = format!("schedule.special[{index}].special_days");
                faults.add(*line, field, Problem::Unknown(special.special_days.name()));
            });
        }
    }
}

fn check_persons(wanted: &Wanted, faults: &mut Faults) {
    for Lined { line, item } in wanted.persons.values() {
        let memberships = item.person.memberships.iter();
        let customers: Vec<_> = memberships.map(|m| m.customer.clone()).collect();
        check_customers(*line, "person.memberships", &customers, wanted, faults);
    }
}

fn check_badges(wanted: &Wanted, kept: &Kept<'_>, faults: &mut Faults) {
    for Lined { line, item } in wanted.badges.values() {
        let holder = &item.person;
        if !wanted.persons.contains_key(holder) && !kept.persons.contains(holder) {
            faults.add(*line, "badge.person", Problem::Unknown(holder.name()));
        }
    }
    check_twins(wanted, faults);
}

/// Two badges of a file have neither the same card nor the same number.
fn check_twins(wanted: &Wanted, faults: &mut Faults) {
    let mut by_line: Vec<_> = wanted.badges.values().collect();
    by_line.sort_by_key(|badge| badge.line);
    let (mut cards, mut numbers) = (BTreeMap::new(), BTreeMap::new());
    for Lined { line, item } in by_line {
        let card = (item.card.format(), item.card.bit_length(), item.card.bits());
        if let Some(first) = cards.insert(card, *line) {
            faults.add(*line, "badge.card", Problem::Duplicate(first));
        }
        if let Some(first) = numbers.insert(item.number.reveal(), *line) {
            faults.add(*line, "badge.badge_number", Problem::Duplicate(first));
        }
    }
}

fn knows_schedule(wanted: &Wanted, schedule: &ScheduleId) -> bool {
    schedule.is_always() || wanted.schedules.contains_key(schedule)
}

pub(super) fn known<I: Ord, T>(map: &BTreeMap<I, T>, id: &I, otherwise: impl FnOnce()) {
    if !map.contains_key(id) {
        otherwise();
    }
}
