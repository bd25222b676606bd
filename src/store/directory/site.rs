//! Plans a site file: what applying it would do to the site that is there.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::check::{Kept, check};
use super::current::CurrentSite;
use super::draft::{DraftItem, DraftSite, Lined, Wanted};
use super::fault::{Faults, Problem};
use super::in_clear::{newly_in_clear, tell};
use super::people::{Before, PeopleEdits};
use super::plan::{Action, Plan};
use super::vault::Vault;
use crate::pb::store as pb;
use crate::policy::RosterParts;
use crate::store::batch::Batch;
use crate::store::rows::Stored;
use crate::store::tables::Site;
use crate::types::{AccessListEntry, AreaId, DoorId, PersonId, ReaderId, ScheduleId};

/// A site file against the site that is there: the plan, and what is to be written for it.
#[derive(Debug)]
pub struct SitePlan {
    /// What would change.
    pub plan: Plan,
    /// Directory version it was planned against.
    pub base_version: u64,
    /// Rules afterwards, but for people and lists.
    pub(super) parts: RosterParts,
    /// Rows of everything but people and lists.
    pub(super) batch: Batch,
    /// Readers that lose their secure channel, or come without one.
    pub(super) in_clear: Vec<ReaderId>,
    pub(super) people: PeopleEdits,
    pub(super) rows: CurrentSite,
}

/// Plans a file. All faults are found, not only the first; nothing is written, sealed or made.
pub fn plan_site(
    parts: &Arc<RosterParts>,
    base_version: u64,
    rows: CurrentSite,
    vault: &Vault,
    items: Vec<Lined<DraftItem>>,
) -> Result<SitePlan, Faults> {
    let mut faults = Faults::new();
    let wanted = Wanted::gather(items, &mut faults);
    let kept = Kept {
        zone: rows.zone(),
        persons: &rows.made_by_lists(),
    };
    check(&wanted, &kept, &mut faults);
    let before = Before::new(parts, &rows, vault);
    check_removals(parts, &before, &rows, &wanted, &mut faults);
    check_erased(&wanted, vault, &mut faults);
    faults.or(())?;

    let mut writes = Writes::default();
    let mut people = PeopleEdits::default();
    let (persons, badges) = (wanted.persons, wanted.badges);
    before.persons(persons, &mut people, &mut writes.plan);
    before.badges(badges, &mut people, &mut writes.plan);
    let mut after = RosterParts::clone(parts);
    if let Some(site) = &wanted.site {
        writes.site(site, &rows);
        after.zone = site.item.zone;
        after.duress_pin = site.item.duress_pin;
    }
    writes.kind(&mut after.areas, wanted.areas);
    writes.kind(&mut after.doors, wanted.doors);
    writes.kind(&mut after.access_points, wanted.access_points);
    writes.kind(&mut after.readers, wanted.readers);
    writes.kind(&mut after.controllers, wanted.controllers);
    writes.kind(&mut after.customers, wanted.customers);
    writes.kind(&mut after.schedules, wanted.schedules);
    writes.kind(&mut after.special_days, wanted.special_days);
    let in_clear = newly_in_clear(parts, &after);
    tell(&in_clear, &mut writes.plan);
    writes.plan.sort();
    Ok(SitePlan {
        plan: writes.plan,
        base_version,
        parts: after,
        batch: writes.batch,
        in_clear,
        people,
        rows,
    })
}

/// Plan and rows of what is written as it stands.
#[derive(Debug, Default)]
struct Writes {
    plan: Plan,
    batch: Batch,
}

impl Writes {
    fn site(&mut self, site: &Lined<DraftSite>, rows: &CurrentSite) {
        let DraftSite {
            display_name,
            zone,
            duress_pin,
        } = &site.item;
        let mut words = Vec::new();
        if rows.display_name().as_ref() != Some(display_name) {
            words.push("display_name");
        }
        if rows.zone() != Some(*zone) {
            words.push("time_zone");
        }
        if rows.site.duress_pin != *duress_pin {
            words.push("duress_pin");
        }
        if words.is_empty() {
            return;
        }
        let row = pb::SiteRow {
            id: rows.site.id.clone(),
            display_name: display_name.reveal().to_owned(),
            time_zone: zone.name().to_owned(),
            duress_pin: *duress_pin,
        };
        self.batch.put::<Site>(&(), &row);
        let name = format!("sites/{}", row.id);
        self.plan
            .add(Action::Change, name, words.join(", "), site.line);
    }

    /// Makes the values of one kind what is wanted.
    fn kind<I: Ord, S: Stored>(
        &mut self,
        values: &mut BTreeMap<I, S>,
        wanted: BTreeMap<I, Lined<S>>,
    ) {
        values.retain(|id, value| {
            let stays = wanted.contains_key(id);
            if !stays {
                self.batch.remove::<S::Table>(&value.key().to_owned());
                self.plan
                    .add(Action::Remove, value.name(), String::new(), 0);
            }
            stays
        });
        for (id, Lined { line, item }) in wanted {
            let now = values.get(&id);
            let words = now.map(|now| now.differences(&item));
            if words.as_ref().is_some_and(Vec::is_empty) {
                continue;
            }
            let action = words.as_ref().map_or(Action::Add, |_| Action::Change);
            let detail = words.unwrap_or_default().join(", ");
            self.plan.add(action, item.name(), detail, line);
            self.batch
                .put::<S::Table>(&item.key().to_owned(), &item.to_row());
            values.insert(id, item);
        }
    }
}

/// Refuses to take away what something that stays rests on.
fn check_removals(
    parts: &RosterParts,
    before: &Before<'_>,
    rows: &CurrentSite,
    wanted: &Wanted,
    faults: &mut Faults,
) {
    for (id, customer) in &parts.customers {
        if !wanted.customers.contains_key(id) {
            let mut people = parts.persons.values().filter(|p| p.belongs_to(id));
            let held = people.any(|p| is_made_by_list(rows, &p.id));
            if rows.feeds.contains(id) || held {
                let why = "a customer that has a feed or people of its own stays: its log outlives \
                           the contract, and only keeps its meaning with it";
                faults.add(0, customer.name(), Problem::Refused(why.to_owned()));
            }
        }
    }
    check_entries(parts, rows, wanted, faults);
    for (id, row) in &rows.persons {
        let approved = before.approved_by(id).iter();
        let approved = approved.filter(|e| outlives(e, rows, wanted)).count();
        if !row.from_list && !wanted.persons.contains_key(id) && approved > 0 {
            let why = format!(
                "approved {approved} entries in force; apply those lists with another approver \
                 first, or suspend this person: its entries and those it approved then give no \
                 right"
            );
            faults.add(0, id.name(), Problem::Refused(why));
        }
    }
}

/// Whether an entry stays in force: its person stays, and stays with the customer.
fn outlives(entry: &AccessListEntry, rows: &CurrentSite, wanted: &Wanted) -> bool {
    match wanted.persons.get(&entry.person) {
        Some(person) => person.item.person.belongs_to(&entry.entry.customer),
        None => is_made_by_list(rows, &entry.person),
    }
}

/// A person whose data was erased does not come back under the same id.
fn check_erased(wanted: &Wanted, vault: &Vault, faults: &mut Faults) {
    for (id, person) in &wanted.persons {
        if vault.is_erased(id) {
            let why = "the data of this person was erased; a person who returns gets a new id";
            let problem = Problem::Refused(why.to_owned());
            faults.add(person.line, "person.name", problem);
        }
    }
}

fn is_made_by_list(rows: &CurrentSite, person: &PersonId) -> bool {
    rows.persons.get(person).is_some_and(|row| row.from_list)
}

/// Areas, doors and schedules that entries in force name stay.
fn check_entries(parts: &RosterParts, rows: &CurrentSite, wanted: &Wanted, faults: &mut Faults) {
    let mut named = BTreeMap::<String, (usize, BTreeSet<String>)>::new();
    for entry in parts.entries.values().filter(|e| outlives(e, rows, wanted)) {
        let areas = entry.scope.areas.iter();
        let doors = entry.scope.doors.iter();
        let gone_areas = areas.filter(|id| !wanted.areas.contains_key(*id));
        let gone_doors = doors.filter(|id| !wanted.doors.contains_key(*id));
        let schedule = Some(&entry.schedule)
            .filter(|id| !id.is_always() && !wanted.schedules.contains_key(*id));
        let gone = gone_areas
            .map(AreaId::name)
            .chain(gone_doors.map(DoorId::name))
            .chain(schedule.map(ScheduleId::name));
        for name in gone {
            let (count, customers) = named.entry(name).or_default();
            *count = count.saturating_add(1);
            customers.insert(entry.entry.customer.name());
        }
    }
    for (name, (count, customers)) in named {
        let customers: Vec<_> = customers.into_iter().collect();
        let why = format!(
            "{count} entries in force name it, on the lists of {}; change those lists first",
            customers.join(", ")
        );
        faults.add(0, name, Problem::Refused(why));
    }
}
