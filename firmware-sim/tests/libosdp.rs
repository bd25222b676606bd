//! The simulated reader under a control panel that was not written here: `libosdp` over the port.
//!
//! The peer is installed into the build folder. Where it cannot be had the test says loudly what
//! it skipped, and fails if `CI=true`.

#[path = "libosdp/panel.rs"]
mod panel;

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError};

use anyhow::{Context as _, bail, ensure};
use sluss_sim::{
    BusSettings, Card, DoorWiring, FaultKind, Observed, ReaderHandle, ReaderSettings, SecureKey,
    Seen, SimBus, SimDoor,
};

use panel::{ADDRESS, KEY, PATIENCE, Panel, python_or_skip};

struct Bench {
    _folder: tempfile::TempDir,
    bus: SimBus,
    reader: ReaderHandle,
}

fn bench(baud: u32, others: &[u8]) -> anyhow::Result<Bench> {
    let folder = tempfile::tempdir()?;
    let key = SecureKey::new(KEY);
    let addresses = others.iter().chain(&[ADDRESS]);
    let readers = addresses.map(|address| ReaderSettings::secure(*address, key));
    let settings = BusSettings::new(folder.path().join("line"), baud);
    let bus = SimBus::start(settings, readers.collect())?;
    let reader = bus.reader(ADDRESS).context("no reader")?;
    Ok(Bench {
        _folder: folder,
        bus,
        reader,
    })
}

fn seen(observed: &Receiver<Observed>, what: &Seen) -> anyhow::Result<()> {
    loop {
        match observed.recv_timeout(PATIENCE) {
            Ok(observed) if observed.what == *what => return Ok(()),
            Ok(_) => {}
            Err(RecvTimeoutError::Timeout) => bail!("never seen: {what:?}"),
            Err(RecvTimeoutError::Disconnected) => bail!("the reader is gone"),
        }
    }
}

#[test]
fn libosdp_drives_the_reader_through_the_secure_channel() -> anyhow::Result<()> {
    let Some(python) = python_or_skip()? else {
        return Ok(());
    };
    let bench = bench(115_200, &[1])?;
    let reader = &bench.reader;
    let observed = reader.observe();
    let mut panel = Panel::start(&python, bench.bus.path(), KEY, None)?;
    panel.expect("> secure")?;
    let is_default_key = false;
    seen(&observed, &Seen::SecureChannelUp { is_default_key })?;

    reader.present(&Card::h10301(42, 12_345));
    ensure!(panel.expect("> card")? == "> card 1 26 95181cc0");
    reader.type_keys("1234#")?;
    ensure!(panel.expect("> keys")?.starts_with("> keys 31323334"));

    let wiring = DoorWiring {
        strike_output: 0,
        contact_input: Some(0),
        request_to_exit_input: Some(1),
    };
    let door = SimDoor::wire(reader, wiring);
    panel.order("out 0 5 3")?;
    let (number, on, off) = (0, true, false);
    seen(&observed, &Seen::Output { number, is_on: on })?;
    ensure!(door.is_released());
    seen(&observed, &Seen::Output { number, is_on: off })?;
    panel.order("text")?;
    seen(&observed, &Seen::Text("WELCOME".to_owned()))?;
    panel.order("buzzer")?;
    seen(&observed, &Seen::Buzzer { tone: 2, count: 3 })?;
    reader.tamper(true);
    ensure!(panel.expect("> status")?.ends_with(" 0100"));

    let counters = reader.counters();
    ensure!(counters.secure_channels == 1 && counters.bad_macs == 0);
    Ok(())
}

#[test]
fn a_panel_with_another_key_gets_no_channel_and_no_card() -> anyhow::Result<()> {
    let Some(python) = python_or_skip()? else {
        return Ok(());
    };
    let bench = bench(115_200, &[])?;
    let observed = bench.reader.observe();
    bench.reader.present(&Card::h10301(42, 12_345));
    let mut panel = Panel::start(&python, bench.bus.path(), [0x5A; 16], None)?;
    seen(&observed, &Seen::Online)?;
    panel.expect("Failed to verify PD cryptogram")?;
    panel.expect("Going offline")?;
    let counters = bench.reader.counters();
    ensure!(counters.secure_channels == 0 && counters.polls == 0);
    let reported = observed.try_iter().any(|o| o.what == Seen::CardReported);
    ensure!(!reported && panel.heard.iter().all(|line| !line.starts_with("> card")));
    Ok(())
}

#[test]
fn libosdp_takes_no_reply_with_a_wrong_mac() -> anyhow::Result<()> {
    let Some(python) = python_or_skip()? else {
        return Ok(());
    };
    let bench = bench(115_200, &[])?;
    let mut panel = Panel::start(&python, bench.bus.path(), KEY, None)?;
    panel.expect("> secure")?;
    bench.reader.fault(FaultKind::WrongMac.once());
    panel.expect("> insecure")?;
    Ok(())
}

/// The bits of H10301 42 12345, which the scenarios present.
const GRANTED: &str = "95181cc0";

/// Runs a scenario with libosdp as its server; whether it came to its end, and what it said.
fn scenario(python: &Path, name: &str, grants: Option<&str>) -> anyhow::Result<(bool, String)> {
    let folder = tempfile::tempdir()?;
    let scenarios = Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios");
    let mut running = Command::new(env!("CARGO_BIN_EXE_sluss-sim"))
        .arg("run")
        .arg(scenarios.join(name))
        .arg("--folder")
        .arg(folder.path())
        .stdout(Stdio::piped())
        .spawn()?;
    let mut lines = BufReader::new(running.stdout.take().context("no output")?).lines();
    let mut said = lines.next().context("the scenario did not begin")??;
    let port = folder.path().join("line");
    let _panel = Panel::start(python, &port, KEY, grants)?;
    for line in lines {
        said.push('\n');
        said.push_str(&line?);
    }
    Ok((running.wait()?.success(), said))
}

#[test]
fn the_scenarios_come_to_their_end_with_libosdp() -> anyhow::Result<()> {
    let Some(python) = python_or_skip()? else {
        return Ok(());
    };
    for name in ["granted", "denied", "troubled", "wrong-key"] {
        let (is_met, said) = scenario(&python, &format!("{name}.toml"), Some(GRANTED))?;
        ensure!(is_met, "{name}:\n{said}");
    }
    Ok(())
}

#[test]
fn a_scenario_ends_with_1_where_an_expectation_is_not_met() -> anyhow::Result<()> {
    let Some(python) = python_or_skip()? else {
        return Ok(());
    };
    let (is_met, said) = scenario(&python, "granted.toml", None)?;
    ensure!(!is_met && said.contains("secure_channel_up"), "{said}");
    ensure!(!said.contains("output 0 on"), "{said}");
    Ok(())
}
