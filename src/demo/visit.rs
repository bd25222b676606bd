//! What a visitor may try while the server stays up, and the devices go on for them.

use std::io::BufRead as _;

use anyhow::{Context as _, Result};
use sluss_sim::{Order, Seen, describe};
use tokio::sync::mpsc;

use super::devices::Devices;
use super::site::Scene;
use crate::client::print::note;
use crate::types::{DoorId, ReaderId};

/// Lines typed ahead at most.
const LINES_MAX: usize = 16;

/// Tells what to try, and does what is typed, until an interrupt.
pub(super) async fn visit(scene: &Scene, devices: &mut Devices) -> Result<()> {
    tell_what_to_try(scene, devices);
    devices.let_pass();
    devices.forget();
    let mut typed = typed_lines()?;
    let mut has_keyboard = true;
    loop {
        tokio::select! {
            stopped = tokio::signal::ctrl_c() => {
                return stopped.context("signals cannot be waited for");
            }
            line = typed.recv(), if has_keyboard => match line {
                Some(line) => obey(devices, &line),
                None => has_keyboard = false,
            },
            Some((reader, seen)) = devices.next() => {
                if is_worth_telling(&seen.what) {
                    note(&format!("{reader}: {}", describe(&seen.what)));
                }
            }
        }
    }
}

/// Lines from standard input, read by a thread that the program's end takes with it.
fn typed_lines() -> Result<mpsc::Receiver<String>> {
    let (tell, typed) = mpsc::channel(LINES_MAX);
    let read = move || {
        for line in std::io::stdin().lock().lines().map_while(Result::ok) {
            if tell.blocking_send(line).is_err() {
                return;
            }
        }
    };
    let thread = std::thread::Builder::new().name("demo-keyboard".to_owned());
    thread.spawn(read).context("a thread")?;
    Ok(typed)
}

/// Does what a line says to a reader or a door.
fn obey(devices: &Devices, line: &str) {
    let Some((id, order)) = line.trim().split_once(' ') else {
        if !line.trim().is_empty() {
            note("expected a reader or a door, and what happens there");
        }
        return;
    };
    let reader = ReaderId::parse(id).ok();
    let reader = reader.and_then(|id| devices.reader(&id).cloned());
    let door = DoorId::parse(id).ok();
    let door = door.and_then(|id| devices.door(&id).cloned());
    match (Order::parse(order), reader, door) {
        (Ok(Order::Reader(order)), Some(reader), _) => order.give(&reader),
        (Ok(Order::Door(order)), _, Some(wired)) => order.give(&wired.door),
        (Ok(_), None, None) => note(&format!("there is no simulated `{id}`")),
        (Ok(_), _, _) => note(&format!("`{id}` cannot do that")),
        (Err(error), _, _) => note(&error),
    }
}

fn is_worth_telling(seen: &Seen) -> bool {
    if let Seen::Text(text) = seen {
        // Blanks end what was shown before.
        return !text.trim().is_empty();
    }
    !matches!(
        seen,
        Seen::CardReported | Seen::KeysReported | Seen::Online | Seen::SecureChannelUp { .. }
    )
}

fn tell_what_to_try(scene: &Scene, devices: &Devices) {
    let identities = scene.folder().join("identities");
    let (identities, sluss) = (identities.display(), sluss_command());
    note("the server stays up until Ctrl-C; try, in another terminal:\n");
    note(&format!("  export SLUSS_SERVER={}", scene.url()));
    let customer = [
        "feed list",
        "feed watch",
        "list show",
        "why 5",
        "why --badge A-1002 --door d-cage-a --with-pin",
    ];
    let operator = [
        "reader list",
        "door status",
        "door open d-hall",
        "alarm list",
        "list history --customer acme",
    ];
    for (who, commands) in [
        ("customer-acme", &customer[..]),
        ("customer-bolt", &["feed list -o csv"]),
        ("operator-first", &operator),
    ] {
        note(&format!("\n  export SLUSS_IDENTITY={identities}/{who}"));
        for command in commands {
            note(&format!("  {sluss} {command}"));
        }
    }
    if devices.reader_count() > 0 {
        note("\nor type here what happens at a reader or a door:\n");
        for line in [
            "hall-in present H10301 42 1001",
            "cage-a-in present H10301 42 1001",
            "cage-a-in keys 2846#",
            "d-hall force",
            "d-hall close",
            "hall-out tamper on",
        ] {
            note(&format!("  {line}"));
        }
        note("");
    }
}

/// How to call `sluss` from here: the one beside this program, or the one that cargo builds.
fn sluss_command() -> String {
    let ours = std::env::current_exe().unwrap_or_default();
    let beside = ours.with_file_name("sluss");
    if beside.is_file() {
        return beside.display().to_string();
    }
    "cargo run -q --release --bin sluss --".to_owned()
}
