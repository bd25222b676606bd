//! Makes a roster of the rules, or says what does not fit together.

use std::collections::HashMap;

use crate::types::{
    AccessListEntry, AccessPoint, AreaId, CardKey, Controller, CustomerId, Direction, Door,
    DoorDrive, ScheduleId,
};

use super::fault::check_ids;
use super::readers::Readers;
use super::roster::{
    AreaRow, BadgeRow, CustomerRow, EntryRow, PersonRow, PointRow, ScheduleRow, ScopeRow,
};
use super::rows::{Keyed, Rows, Slot};
use super::{CompileError, CompiledSchedule, Fault, PinVerifier, Resource, Roster, RosterParts};

impl Roster {
    /// Compiles the rules. `version` rises with every change of them and is chosen by the caller.
    ///
    /// Fails with every reference that leads nowhere, not only the first.
    pub fn compile(parts: &RosterParts, version: u64) -> Result<Self, CompileError> {
        let schedule_ids = schedule_ids(parts);
        let mut compiler = Compiler::new(parts, &schedule_ids);
        let roster = compiler.roster(version);
        if compiler.faults.is_empty() {
            Ok(roster)
        } else {
            Err(CompileError {
                faults: compiler.faults,
            })
        }
    }
}

/// Slots by id, while references are being resolved.
struct Index<'a, T: Keyed>(HashMap<&'a T::Key, Slot<T>>);

impl<'a, T: Keyed> Index<'a, T> {
    /// Of ids in the order of their rows.
    fn new(keys: impl Iterator<Item = &'a T::Key>) -> Self {
        let slots = keys.enumerate();
        Self(
            slots
                .filter_map(|(i, key)| Some((key, Slot::at(i)?)))
                .collect(),
        )
    }
}

/// The ids of all schedules, the built-in one too, in their order.
fn schedule_ids(parts: &RosterParts) -> Vec<ScheduleId> {
    let mut ids: Vec<_> = parts.schedules.keys().cloned().collect();
    ids.push(ScheduleId::always());
    ids.sort();
    ids
}

struct Compiler<'a> {
    parts: &'a RosterParts,
    schedule_ids: &'a [ScheduleId],
    schedules: Index<'a, ScheduleRow>,
    areas: Index<'a, AreaRow>,
    doors: Index<'a, Door>,
    controllers: Index<'a, Controller>,
    customers: Index<'a, CustomerRow>,
    persons: Index<'a, PersonRow>,
    faults: Vec<Fault>,
}

/// What is made of the entries.
struct Entries {
    rows: Vec<EntryRow>,
    scopes: Rows<ScopeRow>,
}

impl<'a> Compiler<'a> {
    fn new(parts: &'a RosterParts, schedule_ids: &'a [ScheduleId]) -> Self {
        Self {
            parts,
            schedule_ids,
            schedules: Index::new(schedule_ids.iter()),
            areas: Index::new(parts.areas.keys()),
            doors: Index::new(parts.doors.keys()),
            controllers: Index::new(parts.controllers.keys()),
            customers: Index::new(parts.customers.keys()),
            persons: Index::new(parts.persons.keys()),
            faults: check_ids(parts),
        }
    }

    fn roster(&mut self, version: u64) -> Roster {
        let schedules = self.schedules();
        let areas = self.areas();
        let points = self.points(&areas);
        let mut persons = self.persons();
        let Entries { rows, scopes } = self.entries(&mut persons);
        let (badges, badge_slots) = self.badges();
        let mut held: Vec<_> = badges
            .iter()
            .map(|b| b.holder)
            .zip(badges.slots())
            .collect();
        held.sort_unstable();
        let point_slots = points.iter().map(|p| p.point.id.clone());
        Roster {
            version,
            zone: self.parts.zone,
            duress_pin: self.parts.duress_pin,
            point_slots: point_slots.zip(points.slots()).collect(),
            areas,
            doors: self.doors(),
            readers: Readers::new(self.parts, &mut self.faults),
            controllers: Rows::new(self.parts.controllers.values().cloned().collect()),
            customers: self.customers(&persons),
            schedules,
            scopes,
            points,
            persons,
            entries: rows,
            badges,
            badge_slots,
            held,
            pins: self.pins(),
        }
    }

    /// Resolves a reference; where it leads nowhere that becomes a fault.
    fn resolve<T: Keyed>(
        faults: &mut Vec<Fault>,
        index: &Index<'_, T>,
        key: &T::Key,
        by: impl Fn() -> Resource,
    ) -> Option<Slot<T>> {
        let found = index.0.get(key).copied();
        if found.is_none() {
            faults.push(Fault::Missing {
                by: by(),
                missing: T::resource(key),
            });
        }
        found
    }

    fn schedules(&mut self) -> Rows<ScheduleRow> {
        let sets = &self.parts.special_days;
        for schedule in self.parts.schedules.values() {
            for special in &schedule.special {
                if !sets.contains_key(&special.special_days) {
                    self.faults.push(Fault::Missing {
                        by: Resource::Schedule(schedule.id.clone()),
                        missing: Resource::SpecialDays(special.special_days.clone()),
                    });
                }
            }
        }
        let rows = self.schedule_ids.iter().map(|id| ScheduleRow {
            id: id.clone(),
            schedule: match self.parts.schedules.get(id) {
                Some(schedule) => CompiledSchedule::new(schedule, sets),
                None => CompiledSchedule::always(),
            },
        });
        Rows::new(rows.collect())
    }

    fn owners(&mut self, area: &AreaId, customers: &[CustomerId]) -> Box<[Slot<CustomerRow>]> {
        let faults = &mut self.faults;
        let by = || Resource::Area(area.clone());
        let mut owners: Vec<_> = customers
            .iter()
            .filter_map(|c| Self::resolve(faults, &self.customers, c, by))
            .collect();
        owners.sort_unstable();
        owners.dedup();
        owners.into()
    }

    fn areas(&mut self) -> Rows<AreaRow> {
        let parts = self.parts;
        let rows = parts.areas.values().map(|area| AreaRow {
            area: area.clone(),
            owners: self.owners(&area.id, &area.customers),
        });
        Rows::new(rows.collect())
    }

    fn doors(&mut self) -> Rows<Door> {
        for door in self.parts.doors.values() {
            let by = || Resource::Door(door.id.clone());
            if let DoorDrive::Controller(controller) = &door.drive {
                Self::resolve(&mut self.faults, &self.controllers, controller, by);
            }
        }
        Rows::new(self.parts.doors.values().cloned().collect())
    }

    fn points(&mut self, areas: &Rows<AreaRow>) -> Rows<PointRow> {
        let points = self.parts.access_points.values();
        let rows = points.filter_map(|point| self.point(point, areas));
        Rows::new(rows.collect())
    }

    fn point(&mut self, point: &AccessPoint, areas: &Rows<AreaRow>) -> Option<PointRow> {
        let faults = &mut self.faults;
        let by = || Resource::AccessPoint(point.id.clone());
        let door = Self::resolve(faults, &self.doors, &point.door, by);
        let from = Self::resolve(faults, &self.areas, &point.from_area, by);
        let to = Self::resolve(faults, &self.areas, &point.to_area, by);
        let mut factor_rules = Vec::new();
        for rule in &point.factor_rules {
            let schedule = Self::resolve(faults, &self.schedules, &rule.schedule, by);
            factor_rules.extend(schedule.map(|s| (s, rule.requirement)));
        }
        let governing = match point.direction {
            Direction::Entry => to?,
            Direction::Exit => from?,
        };
        let owners_of = |slot| areas.get(slot).map_or(&[][..], |row| &row.owners[..]);
        let mut either_side = [owners_of(from?), owners_of(to?)].concat();
        either_side.sort_unstable();
        either_side.dedup();
        Some(PointRow {
            point: point.clone(),
            door: door?,
            governing,
            owners: owners_of(governing).into(),
            either_side: either_side.into(),
            factor_rules: factor_rules.into(),
        })
    }

    fn persons(&mut self) -> Rows<PersonRow> {
        for person in self.parts.persons.values() {
            let by = || Resource::Person(person.id.clone());
            for membership in &person.memberships {
                Self::resolve(&mut self.faults, &self.customers, &membership.customer, by);
            }
        }
        let rows = self.parts.persons.values().map(|person| PersonRow {
            person: person.clone(),
            entries: 0..0,
        });
        Rows::new(rows.collect())
    }

    fn customers(&self, persons: &Rows<PersonRow>) -> Rows<CustomerRow> {
        let rows = self.parts.customers.values().map(|customer| CustomerRow {
            customer: customer.clone(),
            approvers: Vec::new(),
        });
        let mut rows = Rows::new(rows.collect());
        for (slot, row) in persons.slots().zip(persons.iter()) {
            for membership in row.person.memberships.iter().filter(|m| m.may_approve) {
                let customer = self.customers.0.get(&membership.customer);
                if let Some(customer) = customer.and_then(|c| rows.get_mut(*c)) {
                    customer.approvers.push(slot);
                    customer.approvers.dedup();
                }
            }
        }
        rows
    }

    /// Compiles the entries, sorts them by person and tells each person where its own lie.
    fn entries(&mut self, persons: &mut Rows<PersonRow>) -> Entries {
        let parts = self.parts;
        let mut scopes = Vec::new();
        let mut known = HashMap::new();
        let mut rows = Vec::with_capacity(parts.entries.len());
        for entry in parts.entries.values() {
            let scope = self.scope(entry);
            let scope = *known.entry(scope).or_insert_with_key(|scope| {
                scopes.push(scope.clone());
                Slot::at(scopes.len().saturating_sub(1))
            });
            rows.extend(self.entry(entry, scope, persons));
        }
        // Stable: the entries of one person stay in the order of their references.
        rows.sort_by_key(|(holder, _)| *holder);
        let mut start = 0_usize;
        for group in rows.chunk_by(|(a, _), (b, _)| a == b) {
            let end = start.saturating_add(group.len());
            if let Some(person) = group.first().and_then(|(h, _)| persons.get_mut(*h)) {
                person.entries = start..end;
            }
            start = end;
        }
        Entries {
            rows: rows.into_iter().map(|(_, row)| row).collect(),
            scopes: Rows::new(scopes),
        }
    }

    fn entry(
        &mut self,
        entry: &AccessListEntry,
        scope: Option<Slot<ScopeRow>>,
        persons: &Rows<PersonRow>,
    ) -> Option<(Slot<PersonRow>, EntryRow)> {
        let faults = &mut self.faults;
        let customer_id = &entry.entry.customer;
        let by = || Resource::Entry(entry.entry.clone());
        let customer = Self::resolve(faults, &self.customers, customer_id, by);
        let holder = Self::resolve(faults, &self.persons, &entry.person, by);
        let approver = Self::resolve(faults, &self.persons, &entry.approver, by);
        let schedule = Self::resolve(faults, &self.schedules, &entry.schedule, by);
        let (holder, approver) = (holder?, approver?);
        let row = EntryRow {
            customer: customer?,
            number: entry.entry.number,
            scope: scope?,
            schedule: schedule?,
            validity: entry.validity,
            approver,
            holder_belongs: persons.get(holder)?.person.belongs_to(customer_id),
            approver_may_approve: persons.get(approver)?.person.may_approve_for(customer_id),
        };
        Some((holder, row))
    }

    fn scope(&mut self, entry: &AccessListEntry) -> ScopeRow {
        let faults = &mut self.faults;
        let by = || Resource::Entry(entry.entry.clone());
        let areas = entry.scope.areas.iter();
        let areas = areas.filter_map(|a| Self::resolve(faults, &self.areas, a, by));
        let mut areas: Vec<_> = areas.collect();
        let doors = entry.scope.doors.iter();
        let doors = doors.filter_map(|d| Self::resolve(faults, &self.doors, d, by));
        let mut doors: Vec<_> = doors.collect();
        areas.sort_unstable();
        areas.dedup();
        doors.sort_unstable();
        doors.dedup();
        ScopeRow {
            areas: areas.into(),
            doors: doors.into(),
        }
    }

    fn badges(&mut self) -> (Rows<BadgeRow>, HashMap<CardKey, Slot<BadgeRow>>) {
        let mut rows = Vec::with_capacity(self.parts.badges.len());
        for badge in self.parts.badges.values() {
            let by = || Resource::Badge(badge.id.clone());
            let holder = Self::resolve(&mut self.faults, &self.persons, &badge.person, by);
            rows.extend(holder.map(|holder| BadgeRow {
                badge: badge.clone(),
                holder,
            }));
        }
        let rows = Rows::new(rows);
        let mut by_card = HashMap::with_capacity(rows.count());
        for (slot, row) in rows.slots().zip(rows.iter()) {
            if let Some(other) = by_card.insert(row.badge.card, slot) {
                let first = rows.get(other).map(|other| other.badge.id.clone());
                self.faults.extend(first.map(|first| Fault::SameCard {
                    first,
                    second: row.badge.id.clone(),
                }));
            }
        }
        (rows, by_card)
    }

    fn pins(&mut self) -> Vec<(Slot<PersonRow>, PinVerifier)> {
        let mut pins = Vec::with_capacity(self.parts.pins.len());
        for (person, verifier) in &self.parts.pins {
            match self.persons.0.get(person) {
                Some(slot) => pins.push((*slot, verifier.clone())),
                None => self.faults.push(Fault::OrphanedPin {
                    person: person.clone(),
                }),
            }
        }
        pins
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::testing::{
        access_point, area, badge, card, compiled, controller, customer, door, entry,
        monday_morning, person, schedule_id, scope, site, special_days_id, valid,
    };
    use crate::types::{FactorRequirement, FactorRule};

    /// What is wrong with the site after something was changed.
    fn check(edit: impl Fn(&mut RosterParts), expected: &[Fault]) {
        let mut parts = site();
        edit(&mut parts);
        let faults = Roster::compile(&parts, 1).map_or_else(|error| error.faults, |_| Vec::new());
        assert_eq!(faults, expected);
    }

    fn missing(by: Resource, missing: Resource) -> Fault {
        Fault::Missing { by, missing }
    }

    #[test]
    fn a_site_that_fits_together_compiles() {
        check(|_| {}, &[]);
    }

    #[test]
    fn every_reference_of_places_and_people_must_lead_somewhere() {
        let ghost = || Resource::Person(person("ghost"));
        let no_customer = || Resource::Customer(customer("ghost"));
        let no_area = || Resource::Area(area("ghost"));
        let no_door = || Resource::Door(door("ghost"));
        let no_schedule = || Resource::Schedule(schedule_id("ghost"));
        let a_in = || Resource::AccessPoint(access_point("a-in"));
        check(
            |s| s.add_area("hall-c", &["acme", "ghost"]),
            &[missing(Resource::Area(area("hall-c")), no_customer())],
        );
        check(
            |s| {
                let drive = DoorDrive::Controller(controller("ghost"));
                s.doors.get_mut(&door("d-a")).unwrap().drive = drive;
            },
            &[missing(
                Resource::Door(door("d-a")),
                Resource::Controller(controller("ghost")),
            )],
        );
        check(
            |s| s.point_mut("a-in").door = door("ghost"),
            &[missing(a_in(), no_door())],
        );
        check(
            |s| s.point_mut("a-in").from_area = area("ghost"),
            &[missing(a_in(), no_area())],
        );
        check(
            |s| s.point_mut("a-in").to_area = area("ghost"),
            &[missing(a_in(), no_area())],
        );
        let rule = FactorRule {
            schedule: schedule_id("ghost"),
            requirement: FactorRequirement::Badge,
        };
        check(
            |s| s.point_mut("a-in").factor_rules = vec![rule.clone()],
            &[missing(a_in(), no_schedule())],
        );
        check(
            |s| s.person_mut("p-1").memberships[0].customer = customer("ghost"),
            &[missing(Resource::Person(person("p-1")), no_customer())],
        );
        check(
            |s| s.badge_mut("b-1").person = person("ghost"),
            &[missing(Resource::Badge(badge("b-1")), ghost())],
        );
        check(
            |s| s.special_days.clear(),
            &[missing(
                Resource::Schedule(schedule_id("office")),
                Resource::SpecialDays(special_days_id("holidays")),
            )],
        );
    }

    #[test]
    fn every_reference_of_entries_and_pins_must_lead_somewhere() {
        let acme_1 = || Resource::Entry(entry("acme", 1));
        let ghost = || Resource::Person(person("ghost"));
        let no_customer = || Resource::Customer(customer("ghost"));
        let no_area = || Resource::Area(area("ghost"));
        let no_door = || Resource::Door(door("ghost"));
        let no_schedule = || Resource::Schedule(schedule_id("ghost"));
        check(
            |s| s.add_entry(entry("ghost", 1), ("p-1", "p-2"), scope(&[], &[]), "always"),
            &[missing(Resource::Entry(entry("ghost", 1)), no_customer())],
        );
        check(
            |s| s.entry_mut("acme", 1).person = person("ghost"),
            &[missing(acme_1(), ghost())],
        );
        check(
            |s| s.entry_mut("acme", 1).approver = person("ghost"),
            &[missing(acme_1(), ghost())],
        );
        check(
            |s| s.entry_mut("acme", 1).schedule = schedule_id("ghost"),
            &[missing(acme_1(), no_schedule())],
        );
        check(
            |s| s.entry_mut("acme", 1).scope = scope(&["ghost"], &["ghost"]),
            &[missing(acme_1(), no_area()), missing(acme_1(), no_door())],
        );
        check(
            |s| {
                let verifier = s.pins[&person("p-3")].clone();
                s.pins.insert(person("ghost"), verifier);
            },
            &[Fault::OrphanedPin {
                person: person("ghost"),
            }],
        );
    }

    #[test]
    fn all_faults_are_told_at_once() {
        let mut parts = site();
        parts.persons.clear();
        let error = Roster::compile(&parts, 1).unwrap_err();
        // Four badges; two persons of each of four entries; one PIN.
        assert_eq!(error.faults.len(), 4 + 8 + 1);
    }

    #[test]
    fn two_badges_with_one_card_are_refused() {
        check(
            |s| s.badge_mut("b-3").card = card(1),
            &[Fault::SameCard {
                first: badge("b-1"),
                second: badge("b-3"),
            }],
        );
    }

    #[test]
    fn what_stands_under_another_id_is_refused() {
        check(
            |s| s.entry_mut("acme", 1).entry = entry("acme", 7),
            &[Fault::Misfiled {
                under: Resource::Entry(entry("acme", 1)),
            }],
        );
        check(
            |s| s.badge_mut("b-1").id = badge("b-9"),
            &[Fault::Misfiled {
                under: Resource::Badge(badge("b-1")),
            }],
        );
    }

    #[test]
    fn the_built_in_schedule_cannot_be_defined() {
        check(
            |s| {
                let mut never = s.schedules[&schedule_id("office")].clone();
                never.id = schedule_id("always");
                s.schedules.insert(never.id.clone(), never);
            },
            &[Fault::ReservedSchedule],
        );
    }

    #[test]
    fn look_ups_find_what_was_compiled() {
        let roster = compiled(&site());
        assert_eq!((roster.version(), roster.badge_count()), (7, 4));
        let point = roster.access_point(&access_point("a-in")).unwrap();
        assert_eq!(point.door, door("d-a"));
        assert!(roster.access_point(&access_point("ghost")).is_none());
        assert_eq!(roster.controller_of(&point.id), Some(&controller("c-1")));
        let side = roster.entry_side(&door("d-a")).unwrap();
        assert_eq!(side.id, access_point("a-in"));
        assert_eq!(roster.badge_by_card(&card(3)).unwrap().id, badge("b-3"));
        assert!(roster.badge_by_card(&card(9)).is_none());
        assert!(roster.pin_verifier(&person("p-3")).is_some());
        assert!(roster.pin_verifier(&person("p-1")).is_none());
        assert_eq!(roster.customers().count(), 2);
        assert_eq!(
            roster.area(&area("hall-a")).unwrap().customers,
            [customer("acme")]
        );
    }

    #[test]
    fn badges_are_found_by_their_holder() {
        let mut parts = site();
        parts.badge_mut("b-4").person = person("p-2");
        let roster = compiled(&parts);
        let held = |id| {
            let badges = roster.badges_of(&person(id));
            badges.map(|b| b.id.to_string()).collect::<Vec<_>>()
        };
        assert_eq!(held("p-2"), ["b-2", "b-4"]);
        assert_eq!(held("p-4"), <[&str; 0]>::default());
        assert_eq!(held("ghost"), <[&str; 0]>::default());
    }

    #[test]
    fn who_is_on_a_list_is_told_by_the_validity_of_entries_alone() {
        let on_list = |edit: fn(&mut RosterParts)| {
            let mut parts = site();
            parts.entries.remove(&entry("acme", 2));
            edit(&mut parts);
            let roster = compiled(&parts);
            roster.is_on_list_of(&person("p-1"), &customer("acme"), monday_morning())
        };
        assert!(on_list(|_| {}));
        assert!(on_list(|s| s.person_mut("p-2").memberships.clear()));
        assert!(!on_list(
            |s| s.entry_mut("acme", 1).validity = valid("-", "2026-11-01T00:00:00Z")
        ));
        assert!(!on_list(|s| drop(s.entries.remove(&entry("acme", 1)))));
    }

    #[test]
    fn debug_of_a_roster_prints_counts_only() {
        let shown = format!("{:?}", compiled(&site()));
        assert!(
            shown.contains("badges: 4") && !shown.contains("p-1"),
            "{shown}"
        );
    }
}
