//! A controller that was not written here: Python's gRPC library against the real server.
//!
//! The peer is installed into the build folder. Where it cannot be had the test says loudly what
//! it skipped, and fails if `CI=true`.

#[path = "interop/house.rs"]
mod house;
#[path = "interop/venv.rs"]
mod venv;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Context as _;
use house::{House, Papers, run, slussd, text};
use serde_json::json;

const SITE: &str = include_str!("interop/site.toml");
const ACME: &str = include_str!("interop/acme.csv");

/// What the peer needs to know, as its one argument's file.
fn task(house: &House, customer: &Papers) -> anyhow::Result<PathBuf> {
    let controller = house.issue("controller", "gate-1")?;
    let revoked = house.issue_into("revoked", "controller", "gate-1")?;
    revoke(house, &revoked)?;
    let stranger = stranger(house, &controller)?;
    let identities = json!({
        "controller": folder_of(&controller),
        "customer": folder_of(customer),
        "revoked": folder_of(&revoked),
        "stranger": folder_of(&stranger),
    });
    let task = json!({
        "server": house.address().to_string(),
        "server_name": "",
        "identities": identities,
        "customer": "acme",
        "other_customer": "bolt",
        "access_point": "cage-in",
        "other_access_point": "vault-in",
        "granted_badge_number": "A-100",
        "cards": {
            "granted": ["H10301", 26, "95181cc0"],
            "denied": ["UID", 56, "04a1b2c3d4e5f6"],
            "unknown": ["UID", 32, "deadbeef"],
        },
    });
    let file = house.file("task.json");
    fs::write(&file, task.to_string())?;
    Ok(file)
}

/// Papers of another site, which trust this one.
fn stranger(house: &House, controller: &Papers) -> anyhow::Result<Papers> {
    let folder = house.file("elsewhere");
    fs::create_dir(&folder)?;
    let elsewhere = House::make(&folder)?;
    let papers = elsewhere.issue("controller", "gate-1")?;
    fs::copy(
        controller.folder().join("ca.pem"),
        papers.folder().join("ca.pem"),
    )?;
    Ok(papers)
}

/// Revokes a certificate by its serial number.
fn revoke(house: &House, papers: &Papers) -> anyhow::Result<()> {
    let pem = fs::read_to_string(papers.folder().join("cert.pem"))?;
    let (_, block) = x509_parser::pem::parse_x509_pem(pem.as_bytes())?;
    let serial = data_encoding::HEXLOWER.encode(block.parse_x509()?.raw_serial());
    let config = house.config();
    slussd(&["cert", "revoke", "--config", text(&config)?, &serial])?;
    Ok(())
}

fn folder_of(papers: &Papers) -> String {
    papers.folder().display().to_string()
}

#[test]
fn python_s_grpc_finds_the_api_as_promised() -> anyhow::Result<()> {
    let Some(python) = venv::python("interop")? else {
        return Ok(());
    };
    let folder = tempfile::tempdir()?;
    let mut house = House::make(folder.path())?;
    house.start()?;
    let customer = house.issue("customer", "acme")?;
    house.furnish(SITE, &[(&customer, ACME)])?;
    let task = task(&house, &customer)?;
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let told = run(Command::new(python)
        .arg(root.join("tests/interop/peer.py"))
        .arg(&task)
        .env("SLUSS_EXAMPLES", root.join("docs/examples"))
        .env("PYTHONDONTWRITEBYTECODE", "1"))
    .with_context(|| house.last_words())?;
    print!("{told}");
    Ok(())
}
