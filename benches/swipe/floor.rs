//! What a swipe takes at least: as the bytes have it, and with a host that answers at once.

use std::io::{ErrorKind, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{JoinHandle, park_timeout};
use std::time::Duration;

use anyhow::Context as _;
use serialport::{SerialPort as _, TTYPort};
use sluss::env::System;
use sluss::types::{Moment, World as _};
use sluss::wire::osdp::{
    Address, Baud, Bus, BusSettings, CheckKind, OutputControl, PeripheralEvent, PeripheralOrder,
    PeripheralSettings, Progress, SecureKey, Security, Step,
};

use super::Case;
use super::stand::TURNAROUND;

/// Bytes of silence between two frames.
const GAP_BYTES: usize = 2;
/// Bits of a byte: start, eight, stop.
const BITS_PER_BYTE: f64 = 10.0;
/// For how long the strike is released, in tenths of a second.
const STRIKE_TENTHS: std::num::NonZeroU16 = std::num::NonZeroU16::MIN;

/// Bytes of frames, as they were on the line.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Lengths {
    pub(super) poll: usize,
    pub(super) ack: usize,
    pub(super) card: usize,
    pub(super) out: usize,
}

/// What the bytes alone take.
///
/// ```text
/// slot     = POLL + ACK + turnaround + gap         gap: 2 bytes of silence
/// round    = readers x slot
/// response = turnaround + card + gap + OUT         from the end of POLL to the strike
/// worst    = round + response
/// mean     = round / 2 + response                  over the phase at which the card comes
/// ```
/// Secured frames are POLL 15 bytes, ACK 14, card 30, OUT 31, marks included; those of the run
/// are used. A card that comes while its POLL is on the way is still handed over by it, so that
/// the wait ends with the end of a POLL. Counted from its beginning, as is also done, the floor
/// would be a POLL higher and the goal easier.
#[derive(Debug, Clone, Copy)]
pub(super) struct Floor {
    pub(super) slot: Duration,
    pub(super) response: Duration,
    pub(super) mean: Duration,
    pub(super) worst: Duration,
}

impl Floor {
    pub(super) fn of(case: &Case, lengths: Lengths) -> Self {
        let Lengths {
            poll,
            ack,
            card,
            out,
        } = lengths;
        let byte = Duration::from_secs_f64(BITS_PER_BYTE / f64::from(case.baud));
        let time = |bytes: usize| byte * u32::try_from(bytes).unwrap_or(u32::MAX);
        let slot = time(poll + ack + GAP_BYTES) + TURNAROUND;
        let response = TURNAROUND + time(card + GAP_BYTES + out);
        let round = slot * u32::from(case.readers);
        Self {
            slot,
            response,
            mean: round / 2 + response,
            worst: round + response,
        }
    }
}

/// A host that unlocks for every card at once: no decision, no store, no server.
pub(super) struct Host {
    is_over: Arc<AtomicBool>,
    thread: Option<JoinHandle<anyhow::Result<Lengths>>>,
}

impl Host {
    /// Opens the line and serves it in a thread.
    pub(super) fn start(path: &Path, case: &Case, keys: &[[u8; 16]]) -> anyhow::Result<Self> {
        let baud = Baud::from_bits_per_second(case.baud).context("a speed of OSDP")?;
        let mut bus = Bus::new(BusSettings::new(baud));
        let system = System::start();
        for (address, key) in case.addresses().zip(keys) {
            let settings = PeripheralSettings {
                security: Security::Secure(SecureKey::new(*key)?),
                check: CheckKind::Crc,
            };
            bus.add(Address::new(address)?, settings, system.now().moment)?;
        }
        let port = open(path.to_owned(), case.baud)?;
        let is_over = Arc::new(AtomicBool::new(false));
        let mut line = Line {
            bus,
            port,
            system,
            lengths: Lengths::default(),
        };
        let is_told = Arc::clone(&is_over);
        let thread = std::thread::Builder::new().spawn(move || line.serve(&is_told))?;
        Ok(Self {
            is_over,
            thread: Some(thread),
        })
    }

    /// Ends it; what its frames were like.
    pub(super) fn stop(mut self) -> anyhow::Result<Lengths> {
        self.end().context("it has ended")?
    }

    fn end(&mut self) -> Option<anyhow::Result<Lengths>> {
        self.is_over.store(true, Ordering::Relaxed);
        let thread = self.thread.take()?;
        Some(
            thread
                .join()
                .unwrap_or_else(|_| Err(anyhow::anyhow!("the host failed"))),
        )
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        if let Some(Err(error)) = self.end() {
            eprintln!("the host without a server: {error:#}");
        }
    }
}

fn open(path: PathBuf, baud: u32) -> anyhow::Result<TTYPort> {
    let path = path.into_os_string().into_string();
    let path = path.ok().context("a path that is not UTF-8")?;
    Ok(serialport::new(path, baud).exclusive(true).open_native()?)
}

struct Line {
    bus: Bus,
    port: TTYPort,
    system: System,
    lengths: Lengths,
}

impl Line {
    fn serve(&mut self, is_over: &AtomicBool) -> anyhow::Result<Lengths> {
        while !is_over.load(Ordering::Relaxed) {
            let now = self.now();
            let system = &self.system;
            match self.bus.next(now, &mut |buffer| system.fill_random(buffer)) {
                Step::Wait { until } => park_timeout(until.since(now)),
                Step::Transmit {
                    bytes, reply_by, ..
                } => self.exchange(&bytes, reply_by)?,
            }
        }
        Ok(self.lengths)
    }

    fn exchange(&mut self, command: &[u8], mut reply_by: Moment) -> anyhow::Result<()> {
        self.port.write_all(command)?;
        let mut buffer = [0; 512];
        let mut reply_bytes = 0;
        loop {
            let left = reply_by.since(self.now()).max(Duration::from_millis(1));
            self.port.set_timeout(left)?;
            match self.port.read(&mut buffer) {
                Err(error) if error.kind() == ErrorKind::TimedOut => {
                    self.bus.timed_out(self.now());
                    break;
                }
                read => {
                    let count = read?;
                    reply_bytes += count;
                    let now = self.now();
                    match self
                        .bus
                        .received(buffer.get(..count).unwrap_or_default(), now)
                    {
                        Progress::Done => break,
                        Progress::Waiting { reply_by: later } => reply_by = later,
                    }
                }
            }
        }
        self.answer(command.len(), reply_bytes);
        Ok(())
    }

    /// Unlocks for every card, and notes how long frames were.
    fn answer(&mut self, command_bytes: usize, reply_bytes: usize) {
        let events = self.bus.take_events();
        if events.is_empty() && command_bytes == self.lengths.poll {
            self.lengths.ack = reply_bytes;
        }
        for (address, event) in events {
            if matches!(event, PeripheralEvent::Performed { .. }) {
                self.lengths.out = command_bytes;
            }
            if !matches!(event, PeripheralEvent::Card(_)) {
                continue;
            }
            self.lengths.poll = command_bytes;
            self.lengths.card = reply_bytes;
            let order = PeripheralOrder::Output {
                number: 0,
                control: OutputControl::OnFor(STRIKE_TENTHS),
            };
            let now = self.now();
            if let Err(error) = self.bus.order(address, order, now) {
                eprintln!("an order was refused: {error}");
            }
        }
    }

    fn now(&self) -> Moment {
        self.system.now().moment
    }
}
