use super::*;
use crate::pb::v1::{Direction, FactorRequirement, ReaderSecurity};

const SMALL: &str = r#"
[site]
name = "Test site"
time_zone = "Europe/Stockholm"

[[customer]]
id = "acme"
name = "Acme"

[[area]]
id = "cage"
name = "Cage"
class = 3
customers = ["acme"]

[[controller]]
id = "gate-1"
name = "Gate"

[[door]]
id = "d1"
name = "Cage door"
controller = "gate-1"
entry = { from = "hall", to = "cage", requires = "badge+pin", rules = [
    { schedule = "office", requires = "badge" } ] }
exit = {}

[[special_days]]
id = "holidays"
name = "Holidays"
dates = [2026-12-24, "2026-12-25"]

[[schedule]]
id = "office"
name = "Office hours"
weekly = ["mon-fri 07:00-18:00"]
special = { zeta = [], holidays = ["08:00-12:00"] }

[[person]]
id = "p-1"
name = "Person One"
customers = ["acme"]
may_approve_for = ["acme"]
valid_from = 2026-01-01
valid_until = 2026-12-31
pin = "4711"

[[badge]]
id = "b-1"
number = "B-1042"
person = "p-1"
card = { format = "H10301", bits = 26, hex = "9518 1cc0" }
"#;

fn parts(text: &str) -> Vec<Part> {
    let parts = parse("site.toml", text).unwrap();
    parts.into_iter().map(|part| part.part.unwrap()).collect()
}

#[test]
fn every_table_becomes_its_parts() {
    let parts = parts(SMALL);
    let names: Vec<String> = parts.iter().map(name_of).collect();
    assert_eq!(
        names,
        [
            "",
            "customers/acme",
            "areas/cage",
            "controllers/gate-1",
            "doors/d1",
            "accessPoints/d1-in",
            "accessPoints/d1-out",
            "specialDays/holidays",
            "schedules/office",
            "persons/p-1",
            "badges/b-1",
        ]
    );
}

fn name_of(part: &Part) -> String {
    match part {
        Part::Site(p) => p.name.clone(),
        Part::Area(p) => p.name.clone(),
        Part::Door(p) => p.name.clone(),
        Part::AccessPoint(p) => p.name.clone(),
        Part::Reader(p) => p.name.clone(),
        Part::Controller(p) => p.name.clone(),
        Part::Customer(p) => p.name.clone(),
        Part::Person(p) => p.person.as_ref().unwrap().name.clone(),
        Part::Badge(p) => p.badge.as_ref().unwrap().name.clone(),
        Part::Schedule(p) => p.name.clone(),
        Part::SpecialDays(p) => p.name.clone(),
    }
}

#[test]
fn the_way_out_leads_back() {
    let Part::AccessPoint(out) = parts(SMALL).swap_remove(6) else {
        panic!("an access point");
    };
    assert_eq!(
        (out.from_area.as_str(), out.to_area.as_str()),
        ("areas/cage", "areas/hall")
    );
    assert_eq!(out.direction(), Direction::Exit);
    assert_eq!(out.default_requirement(), FactorRequirement::Badge);
}

/// The site with its door on a reader.
fn wired() -> String {
    let wiring = "wiring = { reader = \"r-1\", strike_output = 0, contact_input = 0, \
                  request_to_exit_input = 1 }\nstrike_time = \"2.5s\"\nheld_after = \"1min\"\n";
    let reader = r#"
[[reader]]
id = "r-1"
name = "Cage, outside"
access_point = "d1-in"
bus = "north"
address = 1
card_formats = ["H10301", "UID"]
keypad = true
"#;
    let controlled = "controller = \"gate-1\"\n";
    let site = SMALL.replace("[site]\n", "[site]\nduress_pin = true\n");
    format!("{}{reader}", site.replace(controlled, wiring))
}

#[test]
fn a_door_may_hang_on_a_reader() {
    let parts = parts(&wired());
    let Part::Site(site) = &parts[0] else {
        panic!("a site");
    };
    assert!(site.duress_pin);
    let Part::Door(door) = &parts[4] else {
        panic!("a door");
    };
    assert_eq!(door.controller, "");
    let wiring = door.wiring.as_ref().unwrap();
    assert_eq!(
        (wiring.reader.as_str(), wiring.strike_output),
        ("readers/r-1", 0)
    );
    let inputs = (wiring.contact_input, wiring.request_to_exit_input);
    assert_eq!(inputs, (Some(0), Some(1)));
    let timing = door.timing.unwrap();
    let strike = timing.strike_time.unwrap();
    assert_eq!((strike.seconds, strike.nanos), (2, 500_000_000));
    assert_eq!(timing.held_after.unwrap().seconds, 60);
    assert_eq!(timing.pre_alarm, None);
    let Part::Reader(reader) = &parts[11] else {
        panic!("a reader");
    };
    assert_eq!(reader.access_point, "accessPoints/d1-in");
    assert_eq!(reader.security(), ReaderSecurity::SecureChannel);
    assert_eq!(reader.card_formats, ["H10301", "UID"]);
    assert!(reader.has_keypad);
}

#[test]
fn a_door_that_says_nothing_of_times_leaves_them_to_the_server() {
    let Part::Door(door) = parts(SMALL).swap_remove(4) else {
        panic!("a door");
    };
    assert_eq!((door.wiring, door.timing), (None, None));
}

#[test]
fn faults_of_readers_and_wirings_are_told_with_their_lines() {
    let text = wired()
        .replace("strike_output = 0", "strike_output = 16, relay = 1")
        .replace("\"2.5s\"", "\"soon\"\ncontroller = \"gate-1\"")
        .replace("address = 1\n", "address = 127\nsecurity = \"none\"\n")
        .replace("card_formats = [\"H10301\", \"UID\"]\n", "");
    let faults = parse("site.toml", &text).unwrap_err();
    assert_eq!(
        faults.lines(),
        [
            "site.toml:21: door.controller: expected `controller` or `wiring`, not both",
            "site.toml:24: door.wiring.relay: is not known here; expected contact_input, reader, \
             request_to_exit_input, strike_output",
            "site.toml:24: door.wiring.strike_output: expected a number from 0 to 15",
            "site.toml:25: door.strike_time: expected a time such as `5s`, `0.5s` or `2min`, \
             found `soon`",
            "site.toml:58: reader.card_formats: is required",
            "site.toml:63: reader.address: expected a number from 0 to 126",
            "site.toml:64: reader.security: expected secure, plain, found `none`",
        ]
    );
}

#[test]
fn special_days_keep_their_order_and_persons_their_day() {
    let parts = parts(SMALL);
    let Part::Schedule(schedule) = &parts[8] else {
        panic!("a schedule");
    };
    let sets: Vec<&str> = schedule
        .special
        .iter()
        .map(|s| s.special_days.as_str())
        .collect();
    assert_eq!(sets, ["specialDays/zeta", "specialDays/holidays"]);
    let Part::Person(person) = &parts[9] else {
        panic!("a person");
    };
    let until = person.person.as_ref().unwrap().valid_until.unwrap();
    // 2027-01-01T00:00 in Stockholm.
    assert_eq!(until.seconds, 1_798_758_000);
}

#[test]
fn parts_carry_the_line_of_their_table() {
    let lines: Vec<u32> = parse("f", SMALL)
        .unwrap()
        .iter()
        .map(|part| part.line)
        .collect();
    assert_eq!(lines, [2, 6, 10, 16, 20, 20, 20, 28, 33, 39, 48]);
}

#[test]
fn every_fault_is_told_with_its_line() {
    let text = SMALL
        .replace("class = 3", "class = 9")
        .replace("controller = \"gate-1\"\n", "")
        .replace("pin = \"4711\"", "pin = \"47x1\"\ncolour = \"red\"")
        .replace("hex = \"9518 1cc0\"", "hex = \"9518\"")
        .replace("\"mon-fri 07:00-18:00\"", "\"mon-fri 7-18\"");
    let faults = parse("site.toml", &text).unwrap_err();
    assert_eq!(
        faults.lines(),
        [
            "site.toml:13: area.class: expected a number from 1 to 4",
            "site.toml:20: door.controller: expected `controller` or `wiring`",
            "site.toml:35: schedule.weekly: expected `mon-fri 07:00-18:00`, found \
             `mon-fri 7-18`: `7` is not a time from 00:00 to 24:00",
            "site.toml:45: person.pin: a PIN is 4 to 12 digits",
            "site.toml:46: person.colour: is not known here; expected customers, id, \
             may_approve_for, name, pin, state, valid_from, valid_until",
            "site.toml:52: badge.card.hex: expected 8 digits for 26 bits",
        ]
    );
}

#[test]
fn bits_after_the_last_are_a_fault_not_another_card() {
    let text = SMALL.replace("hex = \"9518 1cc0\"", "hex = \"9518 1cc1\"");
    assert_eq!(
        parse("site.toml", &text).unwrap_err().lines(),
        ["site.toml:52: badge.card.hex: expected zeros after the first 26 bits"]
    );
}

#[test]
fn broken_toml_is_told_with_its_line() {
    let faults = parse("site.toml", "[site]\nname = \n").unwrap_err();
    assert_eq!(faults.faults()[0].line, 2);
}

#[test]
fn the_demo_site_and_its_lists_read_without_a_fault() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy/demo");
    let parts = read(&folder.join("site.toml")).unwrap();
    assert_eq!(parts.len(), 50);
    let zone = crate::types::SiteZone::parse("Europe/Stockholm").unwrap();
    for (list, count) in [("acme.csv", 6), ("bolt.csv", 2)] {
        let lines = crate::client::list_file::read(&folder.join(list), zone).unwrap();
        assert_eq!(lines.len(), count);
    }
}
