use super::testing::*;
use super::*;
use crate::store::keyring::{Category, Holder, KeyScope};
use crate::store::lists::{DraftLine, plan_list};
use crate::store::rows::{RowSource as _, load_parts};
use crate::store::tables::{FeedHeads, ListEntries, ListVersions, Persons, Pins};
use crate::types::{
    AreaId, BadgeNumber, BadgeState, CardFormat, DoorDrive, PersonState, Pin, ReaderSecurity,
    ScheduleId, Scope, Validity,
};

/// Lets adam into acme's cage, on ann's word.
fn let_adam_in(bench: &mut Bench) {
    let line = DraftLine {
        holder: crate::store::lists::Holder::Person(person_id("adam")),
        display_name: None,
        scope: Scope {
            areas: vec![AreaId::parse("cage-a").unwrap()],
            doors: Vec::new(),
        },
        schedule: ScheduleId::parse("office").unwrap(),
        validity: Validity::ALWAYS,
        approver: crate::store::lists::Holder::Person(person_id("ann")),
    };
    let lines = vec![Lined {
        line: 1,
        item: line,
    }];
    let sources = (&bench.base, &bench.vault);
    let plan = plan_list(&bench.rules, &customer("acme"), sources, lines, bench.now).unwrap();
    let (change, _) = plan.build(&bench.rules, sources, bench.author()).unwrap();
    bench.commit(change);
}

#[test]
fn the_same_file_twice_changes_nothing() {
    let bench = Bench::with_site();
    assert_eq!(bench.planned(file()), Vec::<String>::new());
}

#[test]
fn what_is_stored_loads_as_the_rules_in_force() {
    let bench = Bench::with_site();
    let open = |id: &_, row: &_| bench.vault.open_number(id, row);
    let loaded = load_parts(&bench.base, open).unwrap();
    assert_eq!(loaded, *bench.rules.parts);
    assert_eq!(loaded.badges.len(), 4);
}

#[test]
fn a_change_names_its_fields_and_what_is_left_out_goes() {
    let bench = Bench::with_site();
    let changed = file()
        .without(&["badges/bea"])
        .with("areas/cage-b", area("cage-b", &["acme", "bolt"]))
        .person("persons/bea", |bea| {
            bea.display_name = text("Beata");
            bea.person.state = PersonState::Suspended;
        })
        .badge("badges/adam", |adam| adam.state = BadgeState::Lost);
    let plan = bench.plan_site(changed.clone()).unwrap().plan;
    assert!(plan.takes_away());
    assert_eq!(
        bench.planned(changed),
        [
            "Change areas/cage-b: customers",
            "Change badges/adam: state",
            "Change persons/bea: state, display_name",
            "Remove badges/bea: ",
        ]
    );
}

#[test]
fn a_plan_writes_nothing_and_makes_no_key() {
    let bench = Bench::empty();
    let before = bench.base.row_count();
    bench.plan_site(file()).unwrap();
    assert_eq!(bench.base.row_count(), before);
    let scope = KeyScope::Person {
        person: person_id("ann"),
        holder: Holder::Site,
        category: Category::Contact,
    };
    assert_eq!(bench.keyring.key_for(&scope), None);
}

#[test]
fn a_person_has_its_keys_before_its_first_attempt() {
    let bench = Bench::with_site();
    let acme = Holder::Customer(customer("acme"));
    for (holder, category) in [
        (Holder::Site, Category::Contact),
        (Holder::Site, Category::Log),
        (acme, Category::Log),
    ] {
        let scope = KeyScope::Person {
            person: person_id("ann"),
            holder,
            category,
        };
        assert!(bench.keyring.key_for(&scope).is_some(), "{scope:?}");
    }
}

#[test]
fn names_and_numbers_reach_the_store_sealed_only() {
    let bench = Bench::empty();
    let plan = bench.plan_site(file()).unwrap();
    let change = plan
        .build(&bench.vault, &bench.base, bench.author())
        .unwrap();
    let bytes = change.batch.encode();
    let holds = |text: &str| bytes.windows(text.len()).any(|w| w == text.as_bytes());
    assert!(holds("cage-a"));
    assert!(!holds("Name of ann") && !holds("A-1"));
}

#[test]
fn everything_that_is_wrong_is_told_with_its_line() {
    let bench = Bench::empty();
    let wrong = file()
        .without(&["customers/bolt", "accessPoints/b-in"])
        .with("schedules/always", schedule("always"))
        .with(
            "accessPoints/a-in",
            point("a-in", "d-a", ("lobby", "lobby")),
        )
        .with("badges/z", badge("z", "nobody", ("A-1", 2)));
    assert_eq!(
        bench.faults(wrong),
        [
            "line 1: access_point.to_area: an access point leads from one area to another",
            "line 3: area.customers: `customers/bolt` is not known",
            "line 9: badge.person: `persons/nobody` is not known",
            "line 9: badge.card: is the same as in line 5",
            "line 9: badge.badge_number: is the same as in line 6",
            "line 13: doors/d-b: a door needs at least one access point",
            "line 16: person.memberships: `customers/bolt` is not known",
            "line 17: person.memberships: `customers/bolt` is not known",
            "line 18: schedule.name: `schedules/always` is built in",
        ]
    );
}

#[test]
fn an_id_given_twice_names_the_first_line() {
    let bench = Bench::empty();
    let twice = file().with("areas/other", area("lobby", &[]));
    let faults = bench.faults(twice);
    assert_eq!(faults, ["line 6: areas/lobby: is the same as in line 5"]);
}

#[test]
fn a_file_without_its_site_is_refused() {
    let faults = Bench::empty().faults(file().without(&["site"]));
    assert_eq!(faults, ["site: is required"]);
}

#[test]
fn the_zone_stays_once_it_is_set() {
    let bench = Bench::with_site();
    let faults = bench.faults(file().with("site", site("Europe/Helsinki")));
    assert!(
        faults[0].contains("the zone of the site is `Europe/Stockholm`"),
        "{faults:?}"
    );
}

#[test]
fn removing_a_person_ends_its_entries_and_says_so() {
    let mut bench = Bench::with_site();
    let_adam_in(&mut bench);
    let without = file().without(&["persons/adam", "badges/adam"]);
    assert_eq!(
        bench.planned(without.clone()),
        [
            "Remove persons/adam: 1 entry of an access list ends",
            "Remove badges/adam: ",
        ]
    );
    bench.now = bench.now.plus_seconds(60);
    bench.apply_site(without);
    assert!(bench.rules.parts.entries.is_empty());
    let key = ("acme".to_owned(), 1);
    let entry = bench.base.one::<ListEntries>(&key).unwrap().unwrap();
    assert_eq!(entry.removed_in, Some(2));
    let edition = bench.base.one::<ListVersions>(&("acme".to_owned(), 2));
    let edition = edition.unwrap().unwrap();
    assert_eq!((edition.removed_count, edition.entry_count), (1, 0));
    assert_eq!(edition.applied_by, "operator/ops");
}

#[test]
fn leaving_a_customer_ends_the_entries_on_its_list() {
    let mut bench = Bench::with_site();
    let_adam_in(&mut bench);
    bench.apply_site(file().person("persons/adam", |adam| {
        adam.person.memberships[0].customer = customer("bolt");
    }));
    assert!(bench.rules.parts.entries.is_empty());
    bench.apply_site(file());
    assert!(
        bench.rules.parts.entries.is_empty(),
        "a right does not come back by itself"
    );
}

#[test]
fn an_approver_whose_word_counts_cannot_be_removed() {
    let mut bench = Bench::with_site();
    let_adam_in(&mut bench);
    let without = file().without(&["persons/ann", "badges/ann"]);
    let faults = bench.faults(without.clone());
    assert!(
        faults[0].starts_with("persons/ann: approved 1 entries in force"),
        "{faults:?}"
    );
    let both = without.without(&["persons/adam", "badges/adam"]);
    assert!(
        bench.plan_site(both).is_ok(),
        "with the entry its approver may go"
    );
}

#[test]
fn suspending_an_approver_says_whose_rights_rest_on_it() {
    let mut bench = Bench::with_site();
    let_adam_in(&mut bench);
    let suspended = file().person("persons/ann", |ann| {
        ann.person.state = PersonState::Suspended;
    });
    assert_eq!(
        bench.planned(suspended),
        [
            "Change persons/ann: state, 1 entries that this person approved give no right \
             until approved anew"
        ]
    );
}

#[test]
fn places_and_times_that_lists_name_stay() {
    let mut bench = Bench::with_site();
    let_adam_in(&mut bench);
    let without = file().without(&[
        "areas/cage-a",
        "doors/d-a",
        "accessPoints/a-in",
        "schedules/office",
    ]);
    let why = "1 entries in force name it, on the lists of customers/acme; change those lists \
               first";
    assert_eq!(
        bench.faults(without),
        [
            format!("areas/cage-a: {why}"),
            format!("schedules/office: {why}")
        ]
    );
}

#[test]
fn a_customer_with_a_feed_stays() {
    let mut bench = Bench::with_site();
    let without = file().without(&[
        "customers/bolt",
        "areas/cage-b",
        "doors/d-b",
        "accessPoints/b-in",
        "persons/bo",
        "persons/bea",
        "badges/bo",
        "badges/bea",
    ]);
    assert!(bench.plan_site(without.clone()).is_ok());
    let mut batch = crate::store::batch::Batch::new();
    batch.put::<FeedHeads>(
        &"bolt".to_owned(),
        &crate::pb::store::FeedHeadRow::default(),
    );
    bench.base.apply(&batch);
    let faults = bench.faults(without);
    assert!(
        faults[0].starts_with("customers/bolt: a customer that has a feed"),
        "{faults:?}"
    );
}

#[test]
fn a_pin_that_is_the_same_keeps_its_row() {
    let mut bench = Bench::with_site();
    let with_pin = |pin: &str| {
        let pin = Pin::parse(pin).unwrap();
        file().person("persons/ann", move |ann| ann.pin = Some(pin.clone()))
    };
    let row = |bench: &Bench| bench.base.one::<Pins>(&"ann".to_owned()).unwrap();
    assert_eq!(bench.planned(with_pin("4711")), ["Change persons/ann: pin"]);
    bench.apply_site(with_pin("4711"));
    let first = row(&bench).unwrap();
    assert_eq!(bench.planned(with_pin("4711")), Vec::<String>::new());
    assert_eq!(bench.planned(file()), Vec::<String>::new());
    bench.apply_site(with_pin("4712"));
    let second = row(&bench).unwrap();
    assert!(first.salt != second.salt && first.tag != second.tag);
}

#[test]
fn an_erased_person_does_not_come_back_under_its_id() {
    let bench = Bench::with_site();
    let scope = KeyScope::Person {
        person: person_id("ann"),
        holder: Holder::Site,
        category: Category::Contact,
    };
    bench.keyring.erase(&[scope], 1).unwrap();
    let faults = bench.faults(file());
    assert_eq!(faults.len(), 1);
    assert!(
        faults[0].contains("the data of this person was erased"),
        "{faults:?}"
    );
}

#[test]
fn a_new_number_is_sealed_for_the_new_holder() {
    let mut bench = Bench::with_site();
    let moved = file().badge("badges/adam", |adam| {
        adam.person = person_id("ann");
        adam.number = BadgeNumber::parse("A-9").unwrap();
    });
    assert_eq!(
        bench.planned(moved.clone()),
        ["Change badges/adam: person, badge_number"]
    );
    bench.apply_site(moved);
    let open = |id: &_, row: &_| bench.vault.open_number(id, row);
    let loaded = load_parts(&bench.base, open).unwrap();
    let numbers = loaded.badges.values().map(|b| b.number.clone().unwrap());
    let numbers: Vec<_> = numbers.map(|n| n.reveal().to_owned()).collect();
    assert_eq!(numbers, ["A-9", "A-1", "B-2", "B-1"]);
}

#[test]
fn suspending_a_person_ends_its_access() {
    let mut bench = Bench::with_site();
    let_adam_in(&mut bench);
    let ended = |bench: &Bench| {
        let row = bench.base.one::<Persons>(&"adam".to_owned()).unwrap();
        row.unwrap().access_ended
    };
    assert_eq!(ended(&bench), None);
    bench.apply_site(file().person("persons/adam", |adam| {
        adam.person.state = PersonState::Suspended;
    }));
    assert_eq!(ended(&bench), Some(NOON));
    bench.apply_site(file());
    assert_eq!(ended(&bench), None);
}

/// The site with a reader that drives the door of acme's cage.
fn with_reader() -> File {
    file()
        .with("doors/d-a", wired_door("d-a", "r-a"))
        .with("readers/r-a", reader("r-a", "a-in", ("north", 1)))
}

#[test]
fn readers_are_added_changed_and_removed_as_other_things_are() {
    let mut bench = Bench::with_site();
    let changed = ["Change doors/d-a: controller, wiring", "Add readers/r-a: "];
    assert_eq!(bench.planned(with_reader()), changed);
    bench.apply_site(with_reader());
    assert_eq!(bench.planned(with_reader()), Vec::<String>::new());
    let open = |id: &_, row: &_| bench.vault.open_number(id, row);
    let loaded = load_parts(&bench.base, open).unwrap();
    assert_eq!(loaded, *bench.rules.parts);
    assert_eq!(loaded.readers.len(), 1);
    let moved = with_reader().with("readers/r-a", reader("r-a", "a-in", ("south", 2)));
    assert_eq!(bench.planned(moved), ["Change readers/r-a: bus, address"]);
    let plan = bench.plan_site(file()).unwrap().plan;
    assert!(plan.takes_away());
    assert_eq!(
        bench.planned(file()),
        [
            "Change doors/d-a: controller, wiring",
            "Remove readers/r-a: "
        ]
    );
}

#[test]
fn a_reader_that_goes_counts_as_something_taken_away() {
    let mut bench = Bench::with_site();
    let spare = file().with("readers/r-a", reader("r-a", "a-in", ("north", 1)));
    assert!(!bench.plan_site(spare.clone()).unwrap().plan.takes_away());
    bench.apply_site(spare);
    assert_eq!(bench.planned(file()), ["Remove readers/r-a: "]);
    assert!(bench.plan_site(file()).unwrap().plan.takes_away());
}

#[test]
fn a_reader_in_clear_is_told_in_plan_and_journal() {
    let mut bench = Bench::with_site();
    let plain = || {
        let DraftItem::Reader(mut item) = reader("r-a", "a-in", ("north", 1)) else {
            panic!("a reader");
        };
        item.security = ReaderSecurity::Plain;
        with_reader().with("readers/r-a", DraftItem::Reader(item))
    };
    let told = "in clear: whoever reaches its wire can open the door";
    let planned = bench.planned(plain());
    assert_eq!(planned[1], format!("Add readers/r-a: {told}"));
    bench.apply_site(with_reader());
    let planned = bench.planned(plain());
    assert_eq!(planned, [format!("Change readers/r-a: security, {told}")]);
    let found = bench.plan_site(plain()).unwrap();
    let change = found.build(&bench.vault, &bench.base, bench.author());
    let change = change.unwrap();
    assert_eq!(
        change.detail,
        "site file applied: 0 added, 1 changed, 0 removed; in clear now: readers/r-a"
    );
    bench.commit(change);
    assert_eq!(bench.planned(plain()), Vec::<String>::new());
    let secured = bench.planned(with_reader());
    assert_eq!(secured, ["Change readers/r-a: security"]);
}

#[test]
fn the_order_of_card_formats_means_nothing() {
    let mut bench = Bench::with_site();
    let with_formats = |names: [&str; 2]| {
        let DraftItem::Reader(mut item) = reader("r-a", "a-in", ("north", 1)) else {
            panic!("a reader");
        };
        item.card_formats = names.map(|n| CardFormat::parse(n).unwrap()).to_vec();
        with_reader().with("readers/r-a", DraftItem::Reader(item))
    };
    bench.apply_site(with_formats(["UID", "H10301"]));
    let again = bench.planned(with_formats(["H10301", "UID"]));
    assert_eq!(again, Vec::<String>::new());
}

#[test]
fn formats_that_cannot_be_told_apart_are_refused() {
    let bench = Bench::empty();
    let refused = |names: &[&str]| {
        let DraftItem::Reader(mut item) = reader("r-a", "a-in", ("north", 1)) else {
            panic!("a reader");
        };
        let formats = names.iter().map(|name| CardFormat::parse(name).unwrap());
        item.card_formats = formats.collect();
        bench.faults(with_reader().with("readers/r-a", DraftItem::Reader(item)))
    };
    assert_eq!(
        refused(&["H10304", "H10302"]),
        ["line 19: reader.card_formats: `H10302` and `H10304` both have 37 bits"]
    );
    let none = "line 19: reader.card_formats: a reader accepts at least one format";
    assert_eq!(refused(&[]), [none]);
    let unknown = refused(&["H99999"]);
    assert!(
        unknown[0].contains("`H99999` is none of H10301"),
        "{unknown:?}"
    );
}

#[test]
fn a_line_has_one_reader_of_each_address() {
    let bench = Bench::empty();
    let twins = with_reader().with("readers/r-b", reader("r-b", "b-in", ("north", 1)));
    assert_eq!(
        bench.faults(twins),
        ["line 20: reader.address: is the same as in line 19"]
    );
    let elsewhere = with_reader().with("readers/r-b", reader("r-b", "b-in", ("south", 1)));
    assert!(bench.plan_site(elsewhere).is_ok());
}

#[test]
fn a_door_hangs_on_a_reader_of_its_own() {
    let bench = Bench::empty();
    let none = with_reader().without(&["readers/r-a"]);
    assert_eq!(
        bench.faults(none),
        ["line 13: door.wiring.reader: `readers/r-a` is not known"]
    );
    let others = with_reader().with("readers/r-a", reader("r-a", "b-in", ("north", 1)));
    assert_eq!(
        bench.faults(others),
        [
            "line 13: door.wiring.reader: `readers/r-a` hangs at `accessPoints/b-in`, which is \
             no side of this door"
        ]
    );
    let nowhere = with_reader().with("readers/r-a", reader("r-a", "ghost", ("north", 1)));
    assert_eq!(
        bench.faults(nowhere),
        ["line 19: reader.access_point: `accessPoints/ghost` is not known"]
    );
}

#[test]
fn one_input_is_not_both_contact_and_button() {
    let DraftItem::Door(mut door) = wired_door("d-a", "r-a") else {
        panic!("a door");
    };
    let DoorDrive::Reader(wiring) = &mut door.drive else {
        panic!("a wiring");
    };
    wiring.request_to_exit_input = wiring.contact_input;
    let faults = Bench::empty().faults(with_reader().with("doors/d-a", DraftItem::Door(door)));
    assert_eq!(
        faults,
        ["line 13: door.wiring.request_to_exit_input: the contact has this input already"]
    );
}

#[test]
fn the_duress_switch_is_planned_stored_and_in_force() {
    let mut bench = Bench::with_site();
    let DraftItem::Site(mut switched) = site("Europe/Stockholm") else {
        panic!("a site");
    };
    switched.duress_pin = true;
    let switched = || file().with("site", DraftItem::Site(switched.clone()));
    assert_eq!(
        bench.planned(switched()),
        ["Change sites/north: duress_pin"]
    );
    bench.apply_site(switched());
    assert!(bench.rules.parts.duress_pin);
    let open = |id: &_, row: &_| bench.vault.open_number(id, row);
    assert!(load_parts(&bench.base, open).unwrap().duress_pin);
    bench.apply_site(file());
    assert!(!bench.rules.parts.duress_pin);
}
