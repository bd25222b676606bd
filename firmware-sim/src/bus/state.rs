//! The whole line without a port: wire, readers, doors.

use std::time::{Duration, Instant};

use super::door::Door;
use super::settings::{BusSettings, LineCounters};
use super::wire::{Arrived, FIRST_READER, HOST, NOISE, Wire};
use crate::osdp::{InvalidSettings, Reader, ReaderSettings, Seen};

/// A line with everything on it.
#[derive(Debug)]
pub(crate) struct State {
    pub(crate) readers: Vec<Reader>,
    pub(crate) doors: Vec<Door>,
    pub(crate) counters: LineCounters,
    /// Whether the host hears what it sends.
    pub(crate) has_echo: bool,
    /// What has arrived at the host.
    to_host: Vec<u8>,
    wire: Wire,
    baud: u32,
}

impl State {
    pub(crate) fn new(
        settings: &BusSettings,
        readers: Vec<ReaderSettings>,
        random: fn(&mut [u8]),
    ) -> Result<Self, InvalidSettings> {
        let mut made: Vec<Reader> = Vec::new();
        for reader in readers {
            reader.check()?;
            if made.iter().any(|other| other.address() == reader.address) {
                return Err(InvalidSettings::AddressTwice(reader.address));
            }
            let turnaround = settings.turnaround;
            made.push(Reader::new(reader, settings.baud, turnaround, random));
        }
        Ok(Self {
            wire: Wire::new(settings.byte_time(), made.len()),
            readers: made,
            doors: Vec::new(),
            counters: LineCounters::default(),
            has_echo: false,
            to_host: Vec::new(),
            baud: settings.baud,
        })
    }

    /// The host wrote bytes.
    pub(crate) fn host_sent(&mut self, bytes: &[u8], now: Instant) {
        self.wire.send(HOST, bytes, now);
    }

    /// What the host may read by now.
    pub(crate) fn take_to_host(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.to_host)
    }

    /// Noise on the wire from now on for so long; when it ends.
    pub(crate) fn noise(&mut self, now: Instant, duration: Duration) -> Instant {
        let until = now + duration;
        self.wire.garbage(NOISE, now, Some(until));
        until
    }

    /// Nothing that the host has written goes out any more.
    pub(crate) fn hang_up(&mut self) {
        self.wire.silence(HOST);
        self.to_host.clear();
    }

    /// Lets everything happen that is due.
    pub(crate) fn advance(&mut self, now: Instant) {
        for (number, reader) in self.readers.iter().enumerate() {
            let until = reader.never_stops().then(|| now + super::engine::FOREVER);
            self.wire.garbage(FIRST_READER + number, now, until);
        }
        loop {
            let due = self.own_due().filter(|due| *due <= now);
            let until = due.unwrap_or(now);
            if let Some(arrived) = self.wire.next(until) {
                self.deliver(arrived);
            } else if let Some(due) = due {
                self.let_happen(due);
            } else {
                return;
            }
        }
    }

    /// When to advance again.
    pub(crate) fn due(&self, now: Instant) -> Option<Instant> {
        [self.wire.due(now), self.own_due()]
            .into_iter()
            .flatten()
            .min()
    }

    fn own_due(&self) -> Option<Instant> {
        let readers = self.readers.iter().filter_map(Reader::due);
        let doors = self.doors.iter().filter_map(Door::due);
        readers.chain(doors).min()
    }

    fn let_happen(&mut self, due: Instant) {
        for reader in &mut self.readers {
            reader.advance(due);
        }
        self.settle(due);
    }

    /// A byte comes to all that listen; who completes a command with it may answer.
    fn deliver(&mut self, arrived: Arrived) {
        let Arrived { lane, byte, at, .. } = arrived;
        self.counters.collided_bytes += u64::from(arrived.has_collided);
        if lane == HOST {
            self.counters.host_bytes += 1;
        } else {
            self.counters.other_bytes += 1;
        }
        if lane != HOST || self.has_echo {
            self.to_host.push(byte);
        }
        let mut has_answered = false;
        for (number, reader) in self.readers.iter_mut().enumerate() {
            let own = FIRST_READER + number;
            if own == lane || reader.baud() != self.baud {
                continue;
            }
            if let Some(said) = reader.hear(byte, at) {
                self.wire.send(own, &said.bytes, at + said.delay);
                has_answered = true;
            }
        }
        if has_answered {
            self.settle(at);
        }
    }

    /// Carries outputs to bolts, and contacts and buttons to inputs.
    pub(crate) fn settle(&mut self, at: Instant) {
        for door in &mut self.doors {
            let Some(reader) = self.readers.get_mut(door.reader) else {
                continue;
            };
            door.strike(reader.output(door.wiring.strike_output), at);
            door.advance(at);
            let after = (door.is_released(), door.is_open());
            let before = std::mem::replace(&mut door.told, after);
            if before.0 != after.0 {
                reader.tell(&Seen::DoorReleased(after.0), at);
            }
            if before.1 != after.1 {
                reader.tell(&Seen::DoorOpen(after.1), at);
            }
            if let Some(input) = door.wiring.contact_input {
                reader.set_input(input, door.is_open());
            }
            if let Some(input) = door.wiring.request_to_exit_input {
                reader.set_input(input, door.is_exit_pressed());
            }
        }
    }
}
