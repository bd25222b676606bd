//! `slussd` from its command line: a site is made, its certificates managed, its store verified.
//!
//! `SLUSS_BLESS=1 cargo test --test slussd` writes the help anew; the change shows in the diff.
#![expect(
    clippy::unwrap_used,
    reason = "a test that cannot go on says so by stopping"
)]

use std::fs;
use std::path::{Path, PathBuf};

use assert_cmd::Command;

/// Exit code, standard output and standard error.
type Ended = (i32, String, String);

fn slussd(arguments: &[&str]) -> Ended {
    slussd_reads(arguments, "")
}

fn slussd_reads(arguments: &[&str], typed: &str) -> Ended {
    let mut command = Command::cargo_bin("slussd").unwrap();
    let ended = command
        .env_remove("COLUMNS")
        .args(arguments)
        .write_stdin(typed)
        .output()
        .unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    let code = ended.status.code().unwrap();
    (code, text(ended.stdout), text(ended.stderr))
}

struct Site {
    root: tempfile::TempDir,
    config: String,
}

/// A site made by `init`.
fn site() -> Site {
    let root = tempfile::tempdir().unwrap();
    let (code, _, stderr) = init(root.path());
    assert_eq!(code, 0, "{stderr}");
    let config = root.path().join("slussd.toml").display().to_string();
    Site { root, config }
}

fn init(folder: &Path) -> Ended {
    let folder = folder.display().to_string();
    slussd(&[
        "init",
        "--folder",
        &folder,
        "--site",
        "dc1",
        "--name",
        "Data centre 1",
        "--zone",
        "Europe/Stockholm",
    ])
}

impl Site {
    fn reader_key(&self, command: &str, arguments: &[&str], typed: &str) -> Ended {
        let fixed = ["reader-key", command, "--config", &self.config];
        slussd_reads(&[&fixed, arguments].concat(), typed)
    }

    fn cert(&self, command: &str, arguments: &[&str]) -> Ended {
        slussd(&[&["cert", command, "--config", &self.config], arguments].concat())
    }
}

#[test]
fn a_second_init_stops_and_says_what_is_there() {
    let site = site();
    let (code, stdout, stderr) = init(site.root.path());
    assert_eq!((code, stdout.as_str()), (1, ""));
    assert!(
        stderr.contains("is not empty (identities, keys, pki, slussd.toml"),
        "{stderr}"
    );
}

#[test]
fn init_prints_the_next_commands() {
    let root = tempfile::tempdir().unwrap();
    let (_, stdout, _) = init(root.path());
    let config = root.path().join("slussd.toml");
    assert!(
        stdout.contains(&format!("slussd serve --config {}", config.display())),
        "{stdout}"
    );
}

#[test]
fn a_certificate_is_issued_listed_and_revoked() {
    let site = site();
    let (code, stdout, stderr) = site.cert("issue", &["controller", "gate-1"]);
    assert_eq!(code, 0, "{stderr}");
    let out = PathBuf::from(stdout.trim());
    assert_eq!(out, site.root.path().join("identities/controller-gate-1"));
    for name in ["ca.pem", "cert.pem", "key.pem", "log.pub"] {
        assert!(out.join(name).exists(), "{name}");
    }
    let rows = || {
        let (_, csv, _) = site.cert("list", &["-o", "csv"]);
        let rows = csv.lines().skip(1).map(str::to_owned);
        rows.map(|row| row.split(',').map(str::to_owned).collect())
            .collect::<Vec<Vec<String>>>()
    };
    let before = rows();
    let states: Vec<_> = before
        .iter()
        .map(|row| (row[0].as_str(), row[1].as_str()))
        .collect();
    let subjects = ["controller/gate-1", "operator/first", "server"];
    assert_eq!(states, subjects.map(|subject| (subject, "valid")));
    let serial = &before[0][3];
    assert_eq!(site.cert("revoke", &[serial]).0, 0);
    assert_eq!(rows()[0][1], "revoked");
    assert_eq!(rows()[1][1], "valid");
}

#[test]
fn an_id_that_is_none_is_a_wrong_command_line() {
    let (code, stdout, stderr) = site().cert("issue", &["customer", "Acme"]);
    assert_eq!((code, stdout.as_str()), (2, ""));
    assert!(stderr.starts_with("slussd: <ID>: an id is "), "{stderr}");
}

#[test]
fn a_certificate_is_not_written_over_another() {
    let site = site();
    assert_eq!(site.cert("issue", &["customer", "acme"]).0, 0);
    let (code, _, stderr) = site.cert("issue", &["customer", "acme"]);
    assert_eq!(code, 1);
    assert!(
        stderr.contains("is not overwritten; name another folder with --out"),
        "{stderr}"
    );
}

#[test]
fn a_readers_key_is_made_printed_once_and_kept() {
    let site = site();
    let (code, stdout, stderr) = site.reader_key("new", &["r-1"], "");
    assert_eq!(code, 0, "{stderr}");
    assert_eq!(stdout.trim().len(), 32);
    assert!(stderr.contains("This key is not shown again"), "{stderr}");
    assert!(!stderr.contains(stdout.trim()));
    let file = site.root.path().join("keys/readers/r-1.key");
    assert_eq!(fs::read_to_string(&file).unwrap(), stdout);
    let (code, again, stderr) = site.reader_key("new", &["r-1"], "");
    assert_eq!((code, again.as_str()), (1, ""));
    assert!(
        stderr.contains("is not overwritten; use --replace"),
        "{stderr}"
    );
    let (code, other, _) = site.reader_key("new", &["r-1", "--replace"], "");
    assert_eq!(code, 0);
    assert_ne!(other, stdout);
    assert_eq!(fs::read_to_string(&file).unwrap(), other);
}

#[test]
fn a_readers_key_is_taken_from_standard_input_if_it_is_one() {
    let site = site();
    let file = site.root.path().join("keys/readers/r-1.key");
    for (typed, why) in [
        ("30313233 34353637 38393A3B 3C3D3E3F\n", "the default key"),
        ("0123\n", "32 hexadecimal digits"),
        ("", "32 hexadecimal digits"),
        ("00112233445566778899aabbccddeeff", "counts up or down"),
    ] {
        let (code, stdout, stderr) = site.reader_key("set", &["r-1"], typed);
        assert_eq!((code, stdout.as_str()), (2, ""));
        assert!(stderr.contains(why), "{stderr}");
        assert!(!file.exists());
    }
    let digits = "8f3a9c0112b7e65d40f19b2ce87a6d55";
    let (code, stdout, stderr) = site.reader_key("set", &["r-1"], digits);
    assert_eq!((code, stdout.as_str()), (0, ""), "{stderr}");
    assert!(!stderr.contains(digits));
    assert_eq!(fs::read_to_string(file).unwrap(), format!("{digits}\n"));
    let (code, _, stderr) = site.reader_key("set", &["Reader 1"], digits);
    assert_eq!(code, 2, "{stderr}");
}

#[test]
fn a_new_store_is_sound() {
    let site = site();
    for command in ["rebuild", "check"] {
        let (code, stdout, stderr) = slussd(&[command, "--config", &site.config]);
        assert_eq!(code, 0, "{command}: {stdout}{stderr}");
    }
}

#[test]
fn a_damaged_store_fails_its_check() {
    let site = site();
    let store = site.root.path().join("store");
    let segment = fs::read_dir(store)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    let segment = segment
        .filter(|path| path.is_file())
        .max_by_key(|path| fs::metadata(path).unwrap().len());
    let path = segment.unwrap();
    let mut bytes = fs::read(&path).unwrap();
    let at = bytes.windows(3).position(|part| part == b"dc1").unwrap();
    bytes[at] ^= 1;
    fs::write(&path, bytes).unwrap();
    let (code, stdout, stderr) = slussd(&["check", "--config", &site.config]);
    assert_eq!(code, 1, "{stdout}{stderr}");
}

#[test]
fn a_wrong_configuration_is_named_by_file_line_and_key_with_exit_code_2() {
    let site = site();
    let text = fs::read_to_string(&site.config).unwrap();
    fs::write(&site.config, text.replace("queue = 4096", "queue = 0")).unwrap();
    let line = text
        .lines()
        .position(|line| line == "queue = 4096")
        .unwrap()
        + 1;
    for command in ["serve", "check", "rebuild"] {
        let (code, stdout, stderr) = slussd(&[command, "--config", &site.config]);
        assert_eq!((code, stdout.as_str()), (2, ""), "{command}");
        let expected = format!(
            "slussd: {}:{line}: limits.queue: expected a number from 64 to 65536\n",
            site.config
        );
        assert_eq!(stderr, expected);
    }
}

#[test]
fn a_wrong_command_line_ends_with_exit_code_2() {
    let site = site();
    for arguments in [
        &["issue", "guard", "a"][..],
        &["issue", "controller", "a", "--days", "0"],
        &["revoke", "xyz"],
        &["burn"],
    ] {
        let (code, stdout, stderr) = site.cert(arguments[0], &arguments[1..]);
        assert_eq!((code, stdout.as_str()), (2, ""), "{stderr}");
    }
    assert_eq!(site.cert("revoke", &["4a"]).0, 1, "never issued");
}

#[test]
fn the_help_of_every_command_is_as_written() {
    let commands = [
        "",
        "init",
        "serve",
        "cert",
        "cert issue",
        "cert revoke",
        "cert list",
        "reader-key",
        "reader-key new",
        "reader-key set",
    ];
    let mut found = String::new();
    for command in commands {
        let arguments: Vec<&str> = command.split_whitespace().chain(["--help"]).collect();
        let (code, stdout, _) = slussd(&arguments);
        assert_eq!(code, 0);
        found.extend(["===== slussd ", command, "\n", &stdout, "\n"]);
    }
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/cli/slussd_help.txt");
    if std::env::var_os("SLUSS_BLESS").is_some() {
        fs::write(&path, &found).unwrap();
    }
    assert_eq!(found, fs::read_to_string(&path).unwrap_or_default());
}
