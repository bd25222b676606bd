use super::*;
use crate::pb::v1::{Direction, FactorRequirement};

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
            "site.toml:20: door.controller: is required",
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
    assert_eq!(parts.len(), 46);
    let zone = crate::types::SiteZone::parse("Europe/Stockholm").unwrap();
    for (list, count) in [("acme.csv", 6), ("bolt.csv", 2)] {
        let lines = crate::client::list_file::read(&folder.join(list), zone).unwrap();
        assert_eq!(lines.len(), count);
    }
}
