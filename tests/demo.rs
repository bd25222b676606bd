//! The demonstration says what it shows, and fails where something came out otherwise.
#![cfg(feature = "demo")]
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Command, Output, Stdio};

use assert_cmd::cargo::CommandCargoExt as _;

/// Prefix of the table of leaf hashes in the store's keys (`FeedLeafHashes`).
const LEAF_HASHES: u8 = 0x12;

fn demo(arguments: &[&str]) -> Command {
    let mut command = Command::cargo_bin("slussd").unwrap();
    command
        .arg("demo")
        .arg("--once")
        .args(arguments)
        .env("RUST_LOG", "off");
    command
}

/// A copy of the demonstration's files, one of them changed.
fn changed(file: &str, from: &str, to: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for name in ["site.toml", "story.toml", "acme.csv", "bolt.csv"] {
        let text = std::fs::read_to_string(Path::new("deploy/demo").join(name)).unwrap();
        let text = if name == file {
            assert!(text.contains(from), "{file} has changed");
            text.replace(from, to)
        } else {
            text
        };
        std::fs::write(folder.path().join(name), text).unwrap();
    }
    folder
}

fn play(folder: &Path) -> Output {
    demo(&["--from", folder.to_str().unwrap()])
        .output()
        .unwrap()
}

fn faults(output: &Output) -> Vec<String> {
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    told.lines()
        .filter(|l| l.starts_with("NOT AS THE STORY SAYS"))
        .map(str::to_owned)
        .collect()
}

fn told_of(lines: &str, kind: &str) -> Vec<serde_json::Value> {
    lines
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .filter(|line: &serde_json::Value| line["kind"] == kind)
        .collect()
}

#[test]
fn the_story_comes_out_as_it_says() {
    let output = demo(&["--json"]).output().unwrap();
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{told}");
    let lines = String::from_utf8(output.stdout).unwrap();
    let leaves = told_of(&lines, "leaf");
    assert!(leaves.len() > 20);
    let of = |kind: &str| told_of(&lines, kind);
    let swiped = |line: &&serde_json::Value| line["since"] == "card" || line["since"] == "last_key";
    let opened: Vec<_> = of("attempt")
        .into_iter()
        .filter(|line| line["decision"] == "GRANT")
        .collect();
    let timed = opened.iter().filter(swiped);
    assert_eq!(timed.filter(|line| line["ms"].is_f64()).count(), 6);
    let alarms = of("alarm");
    let ended = |line: &&serde_json::Value| line["acknowledged_by"] == "operator/first";
    assert_eq!((alarms.len(), alarms.iter().filter(ended).count()), (6, 3));
    let keys = [
        "customer",
        "index",
        "date",
        "hour",
        "badge_number",
        "access_point",
        "decision",
    ];
    assert!(
        leaves
            .iter()
            .all(|leaf| keys.iter().all(|key| !leaf[*key].is_null()))
    );
}

#[test]
fn a_list_entry_that_is_withheld_is_named() {
    let line =
        "A-1001,Alex Morgan,lobby;office;hall;cage-a,,round-the-clock,2024-01-01,,persons/p-190\n";
    let folder = changed("acme.csv", line, "");
    let output = play(folder.path());
    assert!(!output.status.success());
    let faults = faults(&output);
    assert!(
        faults
            .iter()
            .any(|f| f.contains("step 2 (07:44") && f.contains("NOT_ON_ACCESS_LIST"))
    );
    assert!(faults.iter().any(|f| f.contains("feed of acme, index 1:")));
}

#[test]
fn a_schedule_that_is_shifted_is_named() {
    let folder = changed("site.toml", "mon-fri 07:00-18:00", "mon-fri 12:00-23:00");
    let output = play(folder.path());
    assert!(!output.status.success());
    let faults = faults(&output);
    assert!(
        faults
            .iter()
            .any(|f| f.contains("(21:40") && f.contains("found GRANT")),
        "{faults:?}"
    );
}

#[test]
fn a_reader_with_another_key_is_named() {
    let odd = "[[reader]]\nid = \"hall-in\"\nkey = \"8f3a9c0112b7e65d40f19b2ce87a6d55\"\n";
    let first = "[[step]]\nat = \"07:41\"\n";
    let folder = changed("story.toml", first, &format!("{odd}\n{first}"));
    let output = play(folder.path());
    assert_eq!(output.status.code(), Some(1));
    let faults = faults(&output);
    let at_hall: Vec<_> = faults
        .iter()
        .filter(|f| f.contains("nothing, as reader hall-in"))
        .collect();
    assert!(at_hall[0].contains("step 2 (07:44"), "{faults:?}");
    assert!(at_hall[0].contains("REFUSED"), "{faults:?}");
    let told = String::from_utf8_lossy(&output.stdout);
    // The readers beside it and on the other line do their work.
    for point in ["d-hall-out", "d-cage-a-in", "d-cage-a-out"] {
        let grant = format!("{point:<12}  GRANT");
        assert!(told.contains(&grant), "{told}");
    }
}

#[test]
fn a_site_without_readers_is_played_as_well() {
    let folder = tempfile::tempdir().unwrap();
    let read = |name: &str| std::fs::read_to_string(Path::new("deploy/demo").join(name)).unwrap();
    let site: Vec<String> = read("site.toml")
        .split("\n\n")
        .filter(|part| !part.starts_with("[[reader]]"))
        .map(|part| part.lines().map(over_gate).collect::<Vec<_>>().join("\n"))
        .collect();
    std::fs::write(folder.path().join("site.toml"), site.join("\n\n")).unwrap();
    for name in ["acme.csv", "bolt.csv"] {
        std::fs::write(folder.path().join(name), read(name)).unwrap();
    }
    let story = r#"
        [[step]]
        at = "07:44"
        says = "Alex enters the server hall"
        access_point = "d-hall-in"
        card = { facility = 42, number = 1001 }
        decision = "GRANT"
        feeds = { acme = "A-1001", bolt = "a stranger" }
        then = [{ event = "ACCESS_TAKEN", feeds = ["acme", "bolt"] }]
    "#;
    std::fs::write(folder.path().join("story.toml"), story).unwrap();
    let output = play(folder.path());
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{told}");
}

/// The same line of the site file, of a door that its controller drives.
fn over_gate(line: &str) -> &str {
    if line.starts_with("wiring = ") {
        return "controller = \"gate-1\"";
    }
    line
}

#[test]
fn a_leaf_that_is_flipped_on_disk_is_named() {
    let scratch = tempfile::tempdir().unwrap();
    let site = scratch.path().join("site");
    let mut child = demo(&["--pause", "--folder", site.to_str().unwrap()])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut told = BufReader::new(child.stderr.take().unwrap()).lines();
    let stopped = told.any(|line| line.unwrap().contains("press Enter"));
    assert!(stopped, "the server was never stopped");
    flip_leaf(&site.join("store").join("sled"));
    child.stdin.take().unwrap().write_all(b"\n").unwrap();
    let faults: Vec<String> = told
        .map(Result::unwrap)
        .filter(|l| l.starts_with("NOT AS THE STORY SAYS"))
        .collect();
    assert!(!child.wait().unwrap().success());
    assert!(
        faults
            .iter()
            .any(|f| f.contains("feed of acme") && f.contains("leaf 3:")),
        "{faults:?}"
    );
}

/// Flips one bit of the hash of the fourth leaf of acme's feed, behind the server's back.
fn flip_leaf(folder: &Path) {
    let store = sled::open(folder).unwrap();
    let mut key = vec![LEAF_HASHES];
    key.extend_from_slice(b"acme\0");
    key.extend_from_slice(&3_u64.to_be_bytes());
    let trees = store
        .tree_names()
        .into_iter()
        .map(|name| store.open_tree(name).unwrap());
    let tree = trees
        .into_iter()
        .find(|tree| tree.contains_key(&key).unwrap())
        .unwrap();
    let mut row = tree.get(&key).unwrap().unwrap().to_vec();
    *row.last_mut().unwrap() ^= 1;
    tree.insert(&key, row).unwrap();
    store.flush().unwrap();
}
