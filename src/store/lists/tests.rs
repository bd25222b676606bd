use super::edition::in_force_with;
use super::*;
use crate::store::directory::Lined;
use crate::store::directory::testing::{Bench, at, card, customer, file, person_id, text};
use crate::store::rows::{RowSource as _, load_parts};
use crate::store::tables::{Badges, ListEntries, Persons};
use crate::types::{AreaId, BadgeNumber, Caller, DoorId, ScheduleId, Scope, UtcTime, Validity};

fn line(number: &str, areas: &[&str], doors: &[&str]) -> DraftLine {
    DraftLine {
        holder: Holder::Badge(BadgeNumber::parse(number).unwrap()),
        display_name: None,
        scope: Scope {
            areas: areas.iter().map(|a| AreaId::parse(a).unwrap()).collect(),
            doors: doors.iter().map(|d| DoorId::parse(d).unwrap()).collect(),
        },
        schedule: ScheduleId::parse("always").unwrap(),
        validity: Validity::ALWAYS,
        approver: Holder::Badge(BadgeNumber::parse("A-1").unwrap()),
    }
}

fn named(number: &str, name: &str) -> DraftLine {
    DraftLine {
        display_name: Some(text(name)),
        ..line(number, &["cage-a"], &[])
    }
}

fn by_id(id: &str) -> DraftLine {
    DraftLine {
        holder: Holder::Person(person_id(id)),
        ..line("A-2", &["cage-a"], &[])
    }
}

fn lined(lines: Vec<DraftLine>) -> Vec<Lined<DraftLine>> {
    let numbered = lines.into_iter().zip(2..);
    numbered.map(|(item, line)| Lined { line, item }).collect()
}

fn plan(bench: &Bench, lines: Vec<DraftLine>) -> Result<ListPlan, PlanListError> {
    let sources = (&bench.base, &bench.vault);
    plan_list(
        &bench.rules,
        &customer("acme"),
        sources,
        lined(lines),
        bench.now,
    )
}

fn faults(bench: &Bench, lines: Vec<DraftLine>) -> Vec<String> {
    let Err(PlanListError::Faults(faults)) = plan(bench, lines) else {
        panic!("no faults");
    };
    faults.list().iter().map(ToString::to_string).collect()
}

fn planned(bench: &Bench, lines: Vec<DraftLine>) -> Vec<String> {
    let plan = plan(bench, lines).unwrap().plan;
    plan.lines
        .iter()
        .map(|l| format!("{:?} {}: {}", l.action, l.resource, l.detail))
        .collect()
}

fn apply(bench: &mut Bench, lines: Vec<DraftLine>) -> Edition {
    let plan = plan(bench, lines).unwrap();
    let sources = (&bench.base, &bench.vault);
    let (change, edition) = plan.build(&bench.rules, sources, bench.author()).unwrap();
    bench.commit(change);
    edition
}

/// Numbers of acme's entries in force.
fn in_force(bench: &Bench) -> Vec<u64> {
    let entries = bench.rules.parts.entries.keys();
    entries.map(|entry| entry.number.0).collect()
}

#[test]
fn the_same_lines_twice_change_nothing() {
    let mut bench = Bench::with_site();
    let lines = vec![line("A-2", &["cage-a"], &["d-a"]), by_id("ann")];
    apply(&mut bench, lines.clone());
    assert_eq!(planned(&bench, lines), Vec::<String>::new());
}

#[test]
fn an_unchanged_line_keeps_its_number_and_a_changed_one_gets_a_new_one() {
    let mut bench = Bench::with_site();
    apply(
        &mut bench,
        vec![by_id("ann"), line("A-2", &["cage-a"], &[])],
    );
    assert_eq!(in_force(&bench), [1, 2]);
    let mut changed = line("A-2", &["cage-a"], &[]);
    changed.schedule = ScheduleId::parse("office").unwrap();
    let lines = vec![by_id("ann"), changed];
    assert_eq!(
        planned(&bench, lines.clone()),
        ["Change persons/adam: schedule: areas/cage-a; schedules/office"]
    );
    let edition = apply(&mut bench, lines);
    assert_eq!(in_force(&bench), [1, 3]);
    let row = (
        edition.number,
        edition.row.added_count,
        edition.row.removed_count,
    );
    assert_eq!(row, (2, 1, 1));
    assert_eq!(edition.row.entry_count, 2);
}

#[test]
fn a_customer_naming_another_customers_area_is_told_it_is_unknown() {
    let bench = Bench::with_site();
    let theirs = line("A-2", &["cage-b"], &["d-b"]);
    let nobodys = line("A-2", &["cage-x"], &["d-x"]);
    assert_eq!(
        faults(&bench, vec![theirs, nobodys]),
        [
            "line 2: areas: `areas/cage-b` is not known",
            "line 2: doors: `doors/d-b` is not known",
            "line 3: areas: `areas/cage-x` is not known",
            "line 3: doors: `doors/d-x` is not known",
        ]
    );
}

#[test]
fn a_shared_area_may_be_named_by_everybody() {
    let bench = Bench::with_site();
    assert!(plan(&bench, vec![line("A-2", &["lobby"], &[])]).is_ok());
}

#[test]
fn another_customers_person_answers_as_one_that_does_not_exist() {
    let bench = Bench::with_site();
    let faults = faults(&bench, vec![by_id("bea"), by_id("nobody")]);
    assert_eq!(
        faults,
        [
            "line 2: person: this person is not known",
            "line 3: person: this person is not known",
        ]
    );
}

#[test]
fn another_customers_badge_number_answers_as_one_that_nobody_has() {
    let bench = Bench::with_site();
    let theirs = planned(&bench, vec![named("B-2", "Bea")]);
    let nobodys = planned(&bench, vec![named("X-9", "Bea")]);
    assert_eq!(theirs, nobodys);
    let unnamed = |number| faults(&bench, vec![line(number, &["cage-a"], &[])]);
    assert_eq!(unnamed("B-2"), unnamed("X-9"));
}

#[test]
fn a_number_taken_from_another_customer_opens_nothing() {
    let mut bench = Bench::with_site();
    apply(&mut bench, vec![named("B-2", "Bea")]);
    let roster = &bench.rules.roster;
    let bea = person_id("bea");
    assert!(!roster.is_on_list_of(&bea, &customer("acme"), bench.now));
    assert_eq!(bench.rules.parts.badges.len(), 4);
    let of_acme = bench.rules.parts.persons.values();
    let made: Vec<_> = of_acme.filter(|p| p.id.as_str().len() == 36).collect();
    assert_eq!(made.len(), 1);
    assert_eq!(roster.badges_of(&made[0].id).count(), 0);
}

#[test]
fn lines_with_one_new_number_make_one_person_who_is_found_again() {
    let mut bench = Bench::with_site();
    let mut second = named("N-1", "Nora");
    second.scope.areas = vec![AreaId::parse("lobby").unwrap()];
    let lines = vec![named("N-1", "Nora"), second];
    assert_eq!(plan(&bench, lines.clone()).unwrap().new_person_count(), 1);
    apply(&mut bench, lines.clone());
    assert_eq!(plan(&bench, lines).unwrap().new_person_count(), 0);
    let rows = bench.base.all::<Persons>().unwrap();
    let made: Vec<_> = rows.iter().filter(|(_, row)| row.from_list).collect();
    assert_eq!(made.len(), 1);
    let name = bench.vault.open_name(&person_id(&made[0].0), &made[0].1);
    assert_eq!(name, Some(text("Nora")));
}

#[test]
fn two_names_for_one_new_number_are_a_fault() {
    let bench = Bench::with_site();
    let lines = vec![named("N-1", "Nora"), named("N-1", "Nils")];
    let faults = faults(&bench, lines);
    assert!(faults[0].starts_with("line 3: display_name: must be the same"));
    assert!(!faults[0].contains("N-1") && !faults[0].contains("Nora"));
}

#[test]
fn only_an_active_member_that_may_approve_is_an_approver() {
    let mut bench = Bench::with_site();
    let approved_by = |holder: Holder| DraftLine {
        approver: holder,
        ..by_id("adam")
    };
    let number = |n: &str| Holder::Badge(BadgeNumber::parse(n).unwrap());
    let lines = vec![
        approved_by(number("A-2")),
        approved_by(number("B-1")),
        approved_by(Holder::Person(person_id("nobody"))),
    ];
    let told = "approver: must be an active person of this customer that may approve";
    let all: Vec<_> = (2..5).map(|line| format!("line {line}: {told}")).collect();
    assert_eq!(faults(&bench, lines), all);
    bench.apply_site(file().person("persons/ann", |ann| {
        ann.person.state = crate::types::PersonState::Suspended;
    }));
    let faults = faults(&bench, vec![by_id("adam")]);
    assert_eq!(faults, [format!("line 2: {told}")]);
}

#[test]
fn a_line_said_twice_is_a_fault() {
    let bench = Bench::with_site();
    let faults = faults(&bench, vec![by_id("adam"), line("A-2", &["cage-a"], &[])]);
    assert_eq!(faults, ["line 3: line: is the same as in line 2"]);
}

#[test]
fn badge_number_and_person_have_to_agree() {
    let bench = Bench::with_site();
    let both = |number: &str, id: &str| DraftLine {
        holder: Holder::Both(BadgeNumber::parse(number).unwrap(), person_id(id)),
        ..by_id("adam")
    };
    assert!(plan(&bench, vec![both("A-2", "adam")]).is_ok());
    assert!(plan(&bench, vec![both("A-1", "adam")]).is_err());
}

#[test]
fn any_edition_can_be_read_again() {
    let mut bench = Bench::with_site();
    let acme = customer("acme");
    let noon = bench.now;
    apply(&mut bench, vec![by_id("ann"), by_id("adam")]);
    bench.now = noon.plus_seconds(60);
    apply(&mut bench, vec![by_id("adam")]);
    bench.now = noon.plus_seconds(120);
    apply(&mut bench, Vec::new());
    let edition = |time: UtcTime| Edition::as_of(&bench.base, &acme, time).unwrap().number;
    assert_eq!(edition(at(noon.unix() - 1)), 0);
    assert_eq!(edition(noon), 1);
    assert_eq!(edition(noon.plus_seconds(59)), 1);
    assert_eq!(edition(noon.plus_seconds(60)), 2);
    assert_eq!(edition(noon.plus_seconds(999)), 3);
    let rows = bench.base.all::<ListEntries>().unwrap();
    let with = |edition| {
        let rows = rows.iter().filter(|(_, row)| in_force_with(row, edition));
        rows.map(|(key, _)| key.1).collect::<Vec<_>>()
    };
    assert_eq!(
        [with(0), with(1), with(2), with(3)],
        [vec![], vec![1, 2], vec![2], vec![]]
    );
}

#[test]
fn the_newest_edition_is_found_however_many_there_are() {
    let mut bench = Bench::with_site();
    let acme = customer("acme");
    for count in 0..20_u64 {
        assert_eq!(Edition::newest(&bench.base, &acme).unwrap().number, count);
        let who = if count % 2 == 0 { "ann" } else { "adam" };
        apply(&mut bench, vec![by_id(who)]);
    }
}

#[test]
fn access_ends_with_the_last_entry_and_begins_with_the_next() {
    let mut bench = Bench::with_site();
    let ended = |bench: &Bench, id: &str| {
        let row = bench.base.one::<Persons>(&id.to_owned()).unwrap();
        row.unwrap().access_ended
    };
    let noon = bench.now;
    assert_eq!(ended(&bench, "adam"), Some(noon.unix()));
    apply(&mut bench, vec![by_id("adam")]);
    assert_eq!(ended(&bench, "adam"), None);
    bench.now = noon.plus_seconds(60);
    apply(&mut bench, Vec::new());
    assert_eq!(ended(&bench, "adam"), Some(noon.unix() + 60));
    bench.now = noon.plus_seconds(90);
    let mut over = by_id("adam");
    over.validity = Validity::new(None, Some(noon)).unwrap();
    apply(&mut bench, vec![over]);
    assert_eq!(ended(&bench, "adam"), Some(noon.unix() + 60));
}

#[test]
fn what_is_stored_loads_as_the_rules_in_force() {
    let mut bench = Bench::with_site();
    apply(&mut bench, vec![named("N-1", "Nora"), by_id("adam")]);
    let open = |id: &_, row: &_| bench.vault.open_number(id, row);
    let loaded = load_parts(&bench.base, open).unwrap();
    assert_eq!(loaded, *bench.rules.parts);
}

#[test]
fn a_list_is_applied_in_its_customers_name() {
    let mut bench = Bench::with_site();
    bench.caller = Caller::Customer(customer("acme"));
    let edition = apply(&mut bench, vec![by_id("adam")]);
    assert_eq!(edition.row.applied_by, "customer/acme");
}

#[test]
fn once_an_operator_binds_a_card_the_line_is_about_a_person_who_can_enter() {
    let mut bench = Bench::with_site();
    apply(&mut bench, vec![named("N-1", "Nora")]);
    let badges = bench.base.all::<Badges>().unwrap();
    let (id, row) = badges.iter().find(|(_, r)| r.card_key.is_empty()).unwrap();
    let bound = crate::store::directory::testing::badge(id, &row.person, ("N-1", 77));
    bench.apply_site(file().with("badges/bound", bound));
    let badges = &bench.rules.parts.badges;
    assert_eq!(badges.len(), 5);
    assert!(badges.values().any(|b| b.person.as_str() == row.person));
    assert_ne!(card(77), card(4));
    assert!(plan(&bench, vec![named("N-1", "Nora")]).unwrap().is_empty());
}
