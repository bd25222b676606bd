//! Lines that run until they are ended, told what to do on standard input.

use std::fs;
use std::io;
use std::path::Path;
use std::thread;
use std::time::Duration;

use anyhow::{Context as _, bail};
use sluss_sim::{
    BusSettings, DoorWiring, Order, ReaderHandle, ReaderSettings, SecureKey, SimBus, SimDoor,
    describe,
};

use crate::args;

/// What orders can be given to.
struct Bench {
    bus: SimBus,
    /// The reader that orders without an address go to.
    only: Option<ReaderHandle>,
    door: Option<SimDoor>,
}

pub(crate) fn reader(args: &args::Reader) -> anyhow::Result<()> {
    let (bus, only) = one(&args.one)?;
    let (only, door) = (Some(only), None);
    obey(&Bench { bus, only, door })
}

pub(crate) fn door(args: &args::Door) -> anyhow::Result<()> {
    let (bus, only) = one(&args.one)?;
    let wiring = DoorWiring {
        strike_output: args.strike_output,
        contact_input: args.contact_input,
        request_to_exit_input: args.exit_input,
    };
    let door = Some(SimDoor::wire(&only, wiring));
    let only = Some(only);
    obey(&Bench { bus, only, door })
}

pub(crate) fn bus(args: &args::Bus) -> anyhow::Result<()> {
    let mut readers = Vec::new();
    for (address, file) in &args.readers {
        readers.push(ReaderSettings::secure(*address, key(file)?));
    }
    let plain = args.plain_readers.iter();
    readers.extend(plain.map(|address| ReaderSettings::plain(*address)));
    let addresses: Vec<u8> = readers.iter().map(|reader| reader.address).collect();
    let bus = start(&args.line, readers)?;
    for address in addresses {
        watch(&bus, address)?;
    }
    let (only, door) = (None, None);
    obey(&Bench { bus, only, door })
}

/// A line with one reader.
fn one(args: &args::One) -> anyhow::Result<(SimBus, ReaderHandle)> {
    let key = args.key_file.as_deref().map(key).transpose()?;
    let settings = ReaderSettings {
        key,
        is_secure_enforced: !args.plain,
        is_install_mode: args.install_mode,
        ..ReaderSettings::plain(args.address)
    };
    let bus = start(&args.line, vec![settings])?;
    let reader = watch(&bus, args.address)?;
    Ok((bus, reader))
}

fn key(file: &Path) -> anyhow::Result<SecureKey> {
    let text = fs::read_to_string(file).with_context(|| format!("`{}`", file.display()))?;
    SecureKey::from_hex(&text).with_context(|| format!("`{}`", file.display()))
}

fn start(args: &args::Line, readers: Vec<ReaderSettings>) -> anyhow::Result<SimBus> {
    let mut settings = BusSettings::new(&args.port, args.baud);
    settings.turnaround = Duration::from_millis(args.turnaround_ms.into());
    let bus = SimBus::start(settings, readers)
        .with_context(|| format!("the line at `{}`", args.port.display()))?;
    println!("the port is {}", bus.path().display());
    Ok(bus)
}

/// Prints what is seen of a reader as long as its line runs.
fn watch(bus: &SimBus, address: u8) -> anyhow::Result<ReaderHandle> {
    let reader = bus.reader(address).context("no such reader")?;
    let observed = reader.observe();
    thread::Builder::new()
        .name("watch".to_owned())
        .spawn(move || {
            for observed in observed {
                println!("{address}: {}", describe(&observed.what));
            }
        })?;
    Ok(reader)
}

/// Gives orders until `quit`; where standard input ends the line runs on.
fn obey(bench: &Bench) -> anyhow::Result<()> {
    for line in io::stdin().lines() {
        let line = line?;
        match line.trim() {
            "" => {}
            "quit" => return Ok(()),
            order => {
                if let Err(error) = give(bench, order) {
                    eprintln!("sluss-sim: {error:#}");
                }
            }
        }
    }
    loop {
        thread::park();
    }
}

fn give(bench: &Bench, text: &str) -> anyhow::Result<()> {
    let (first, rest) = text.split_once(' ').unwrap_or((text, ""));
    let (reader, text) = match first.parse() {
        Ok(address) => {
            let reader = bench.bus.reader(address);
            (Some(reader.context("no such reader")?), rest)
        }
        Err(_) => (bench.only.clone(), text),
    };
    match Order::parse(text).map_err(anyhow::Error::msg)? {
        Order::Reader(order) => order.give(&reader.context("to which reader? ADDRESS ORDER")?),
        Order::Line(order) => order.give(&bench.bus)?,
        Order::Door(order) => match &bench.door {
            Some(door) => order.give(door),
            None => bail!("there is no door here; `sluss-sim door` has one"),
        },
    }
    Ok(())
}
