//! Readers that were not written here: peripherals of the library libosdp on pseudo-terminals,
//! driven by the real server, which decides from customers' lists and releases doors by their
//! outputs.
//!
//! The peer is installed into the build folder. Where it cannot be had the test says loudly what
//! it skipped, and fails if `CI=true`.

#[path = "interop/house.rs"]
mod house;
#[path = "osdp_interop/peer.rs"]
mod peer;
#[path = "interop/venv.rs"]
mod venv;

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use house::{House, Papers, slussd, text};
use peer::Peer;
use serde_json::{Value, json};

const SITE: &str = include_str!("osdp_interop/site.toml");
const ACME: &str = include_str!("osdp_interop/acme.csv");
const BOLT: &str = include_str!("osdp_interop/bolt.csv");
/// The lines and their speeds.
const LINES: [(&str, u32); 2] = [("north", 115_200), ("south", 9_600)];
/// All readers of the site, each of which gets a key of its own.
const READERS: [&str; 5] = [
    "annex-outside",
    "cage-inside",
    "cage-outside",
    "vault-inside",
    "vault-outside",
];

/// Where a line is found, whether it is there already or not.
fn line_path(house: &House, line: &str) -> PathBuf {
    house.file(&format!("tty-{line}"))
}

/// A file that says to the peer that the site and the lists are there.
fn furnished(house: &House) -> PathBuf {
    house.file("furnished")
}

/// Names the lines in the server's configuration.
fn wire(house: &House) -> anyhow::Result<()> {
    let mut config = fs::read_to_string(house.config())?;
    for (line, baud) in LINES {
        let port = line_path(house, line);
        write!(
            config,
            "\n[[bus]]\nname = \"{line}\"\nport = {:?}\nbaud = {baud}\n",
            text(&port)?
        )?;
    }
    fs::write(house.config(), config)?;
    Ok(())
}

/// Gives each reader a key of its own, and returns them as 32 hex digits each.
fn keys(house: &House) -> anyhow::Result<Value> {
    let config = house.config();
    let mut keys = serde_json::Map::new();
    for reader in READERS {
        let key = slussd(&["reader-key", "new", "--config", text(&config)?, reader])?;
        keys.insert(reader.to_owned(), json!(key.trim()));
    }
    Ok(Value::Object(keys))
}

/// What the peer needs to know, as its one argument's file.
fn task(house: &House, customers: [&Papers; 2]) -> anyhow::Result<PathBuf> {
    let operator = house.issue("operator", "watch")?;
    let [acme, bolt] = customers.map(Papers::folder);
    let lines = LINES.map(|(line, _)| (line.to_owned(), json!(line_path(house, line))));
    let task = json!({
        "server": house.address().to_string(),
        "sluss": env!("CARGO_BIN_EXE_sluss"),
        "identities": { "acme": acme, "bolt": bolt, "operator": operator.folder() },
        "lines": Value::Object(lines.into_iter().collect()),
        "keys": keys(house)?,
        "furnished": furnished(house),
    });
    let file = house.file("task.json");
    fs::write(&file, task.to_string())?;
    Ok(file)
}

#[test]
fn libosdp_s_readers_open_doors_after_their_entries_alone() -> anyhow::Result<()> {
    let Some(python) = venv::python("osdp_interop")? else {
        return Ok(());
    };
    let folder = tempfile::tempdir()?;
    let mut house = House::make(folder.path())?;
    wire(&house)?;
    let acme = house.issue("customer", "acme")?;
    let bolt = house.issue("customer", "bolt")?;
    let task = task(&house, [&acme, &bolt])?;
    let script = Path::new("tests/osdp_interop/readers.py");
    let mut peer = Peer::start(&python, script, &task)?;
    for (line, _) in LINES {
        peer.wait_until_there(&line_path(&house, line))?;
    }
    house.start()?;
    house.furnish(SITE, &[(&acme, ACME), (&bolt, BOLT)])?;
    fs::write(furnished(&house), "")?;
    let told = peer.wait().with_context(|| house.last_words())?;
    print!("{told}");
    Ok(())
}
