//! Files that are read, and files that are not.

use super::*;

const LINE: &str = r#"[[line]]
name = "a"
path = "line"
baud = 9600
reader = [{ address = 1 }]
"#;

fn error(steps: &str) -> String {
    let file = format!("{LINE}{steps}");
    Scenario::parse(&file).unwrap_err().to_string()
}

#[test]
fn a_step_knows_its_line_and_when() {
    let steps = "[[step]]\nafter = \"1s\"\nreader = 1\ndo = \"restart\"\n";
    let scenario = Scenario::parse(&format!("{LINE}{steps}")).unwrap();
    assert_eq!(scenario.steps[0].line_number, 9);
    assert_eq!(scenario.steps[0].line, "a");
    assert!(matches!(scenario.steps[0].when, When::After(time) if time.as_secs() == 1));
}

#[test]
fn what_is_wrong_is_said_with_its_line() {
    for (steps, line) in [
        ("[[step]]\nreader = 1\ndo = \"open\"\n", 8),
        ("[[step]]\nreader = 1\ndoo = \"restart\"\n", 8),
        ("[[step]]\nreader = 2\ndo = \"restart\"\n", 8),
        ("[[step]]\ndo = \"restart\"\n", 7),
        ("[[step]]\nreader = 1\nexpect = \"output 0 on\"\n", 8),
        ("[[step]]\nline = \"b\"\ndo = \"unplug\"\n", 8),
        ("[[step]]\ndoor = \"d\"\ndo = \"close\"\n", 8),
    ] {
        let told = error(steps);
        assert!(told.contains(&format!("line {line}")), "{steps}\n{told}");
    }
}

#[test]
fn two_readers_or_names_alike_are_refused() {
    assert!(error(LINE).contains("twice"));
    let door = "[[door]]\nname = \"d\"\nline = \"a\"\nreader = 9\nstrike_output = 0\n";
    assert!(error(door).contains("no reader 9"));
    let bad = LINE.replace("address = 1", "address = 127");
    assert!(Scenario::parse(&bad).is_err());
    let key = LINE.replace("address = 1", "address = 1, key = \"12\"");
    let told = Scenario::parse(&key).unwrap_err().to_string();
    assert!(told.contains("32 hexadecimal digits"));
}

#[test]
fn the_examples_can_be_read() {
    for text in [
        include_str!("../../scenarios/granted.toml"),
        include_str!("../../scenarios/denied.toml"),
        include_str!("../../scenarios/troubled.toml"),
        include_str!("../../scenarios/wrong-key.toml"),
    ] {
        assert!(Scenario::parse(text).is_ok());
    }
}
