//! What `sluss` prints without a server is held by files in `tests/golden/cli`.
//!
//! `SLUSS_BLESS=1 cargo test --test cli_golden` writes them anew; the change shows in the diff.
#![expect(
    clippy::unwrap_used,
    reason = "a test that cannot go on says so by stopping"
)]

use std::fs;
use std::path::PathBuf;
use std::process::Output;

use assert_cmd::Command;

fn sluss(arguments: &[&str]) -> Output {
    let mut command = Command::cargo_bin("sluss").unwrap();
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("SLUSS_") {
            command.env_remove(name);
        }
    }
    command
        .env_remove("COLUMNS")
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .args(arguments)
        .output()
        .unwrap()
}

fn check(golden: &str, found: &[u8]) {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("tests/golden/cli")
        .join(golden);
    let found = String::from_utf8(found.to_vec()).unwrap();
    if std::env::var_os("SLUSS_BLESS").is_some() {
        fs::write(&path, &found).unwrap();
    }
    let expected = fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(found, expected, "{}", path.display());
}

#[test]
fn the_help_of_every_command_is_as_written() {
    let commands = [
        "",
        "site",
        "site plan",
        "site apply",
        "list",
        "list show",
        "list plan",
        "list apply",
        "list history",
        "feed",
        "feed list",
        "feed watch",
        "door",
        "door open",
        "door lock",
        "door unlock",
        "door status",
        "alarm",
        "alarm list",
        "alarm watch",
        "alarm ack",
        "reader",
        "reader list",
        "why",
    ];
    for command in commands {
        let mut arguments: Vec<&str> = command.split_whitespace().collect();
        arguments.push("--help");
        let output = sluss(&arguments);
        assert_eq!(output.status.code(), Some(0), "{command}");
        assert!(output.stderr.is_empty(), "{command}");
        let name = if command.is_empty() { "sluss" } else { command };
        check(
            &format!("help-{}.txt", name.replace(' ', "-")),
            &output.stdout,
        );
    }
}

#[test]
fn every_fault_of_a_site_file_is_told_and_nothing_is_called() {
    let output = sluss(&["site", "apply", "tests/golden/cli/wrong-site.toml"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(output.stdout.is_empty());
    check("wrong-site.txt", &output.stderr);
}

#[test]
fn a_missing_option_or_file_is_a_usage_error_in_one_line() {
    let server = "https://127.0.0.1:1";
    let cases: [&[&str]; 7] = [
        &["list", "show"],
        &["feed", "list", "--server", server],
        &[
            "feed",
            "list",
            "--server",
            "http://x",
            "--identity",
            "/nowhere",
        ],
        &["feed", "list", "--server", server, "--identity", "/nowhere"],
        &["feed", "watch", "-o", "json"],
        &["site", "plan", "/nowhere/site.toml"],
        &["alarm", "watch", "-o", "json"],
    ];
    let mut said = String::new();
    for arguments in cases {
        let output = sluss(arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        assert!(output.stdout.is_empty(), "{arguments:?}");
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert_eq!(stderr.lines().count(), 1, "{stderr}");
        said.push_str(&stderr);
    }
    check("usage.txt", said.as_bytes());
}

#[test]
fn a_command_line_that_cannot_be_is_a_usage_error() {
    for arguments in [
        &["why"][..],
        &["why", "17", "--door", "d-1"],
        &["why", "--person", "p-1"],
        &["list", "show", "--customer", "NOT AN ID"],
        &["feed", "list", "--limit", "5", "--follow"],
        &["door", "open"],
        &["door", "open", "areas/x"],
        &["door", "unlock", "d-1"],
        &["door", "unlock", "d-1", "--for", "10"],
        &["door", "unlock", "d-1", "--for", "10m", "--until", "17:30"],
        &["alarm", "ack"],
        &["alarm", "ack", "seventeen"],
        &["alarm", "ack", "17", "--all"],
        &["nonsense"],
    ] {
        assert_eq!(sluss(arguments).status.code(), Some(2), "{arguments:?}");
    }
}

#[cfg(unix)]
#[test]
fn a_reader_that_left_is_no_failure() {
    use std::process::{Command, Stdio};
    let mut child = Command::new(assert_cmd::cargo::cargo_bin("sluss"))
        .arg("--help")
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0));
    assert!(output.stderr.is_empty());
}
