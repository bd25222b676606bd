//! One turn of one reader: send its command, hand in what comes until its reply is there.
//!
//! Whatever comes, a turn ends: after its time, after so many bytes, or when told to stop.

use std::io::{self, ErrorKind};
use std::time::Duration;

use super::port::Wire;
use crate::types::{Moment, World};
use crate::wire::osdp::{Bus, Progress};

/// Bytes taken in one turn: the own echo and a reply of 1,440 bytes each, and as much noise.
const SLOT_BYTES_MAX: usize = 3 * 1_440;
/// Longest turn, whatever the bus says: 1,440 bytes at 9,600 baud take half of it.
const SLOT_TIME_MAX: Duration = Duration::from_secs(3);
/// Longest time until the port takes all bytes of a command.
const WRITE_TIME_MAX: Duration = Duration::from_millis(500);
/// A turn of this length is not broken off, so that a reader that answers is heard out.
const USUAL_TIME: Duration = Duration::from_millis(250);
/// How long a read waits before it is asked whether to stop.
const READ_WAIT_MAX: Duration = Duration::from_millis(50);
/// Bytes read at a time.
const READ_BYTES: usize = 512;

/// How a turn ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum SlotEnd {
    /// The bus has what it awaited, or knows that it did not come.
    Over,
    /// More came than a turn may have.
    Flooded,
    /// It was told to stop.
    Stopped,
}

/// What a turn needs besides the bus.
pub(super) struct Turn<'a> {
    pub(super) wire: &'a mut dyn Wire,
    pub(super) world: &'a dyn World,
    /// Whether to stop, once a turn has had its usual time.
    pub(super) is_over: &'a dyn Fn() -> bool,
}

impl Turn<'_> {
    /// Sends a command and hands in what comes, until `reply_by` or as the bus says later.
    pub(super) fn take(
        &mut self,
        bus: &mut Bus,
        command: &[u8],
        mut reply_by: Moment,
    ) -> io::Result<SlotEnd> {
        self.wire.clear()?;
        self.send(command)?;
        let started = self.now();
        let mut buffer = [0; READ_BYTES];
        let mut budget = SLOT_BYTES_MAX;
        loop {
            let now = self.now();
            if now >= reply_by {
                bus.timed_out(now);
                return Ok(SlotEnd::Over);
            }
            if now.since(started) >= USUAL_TIME && (self.is_over)() {
                bus.timed_out(now);
                return Ok(SlotEnd::Stopped);
            }
            let wait = reply_by.since(now).min(READ_WAIT_MAX);
            let count = self.wire.read(&mut buffer, wait)?;
            let now = self.now();
            if count > budget || now.since(started) > SLOT_TIME_MAX {
                bus.timed_out(now);
                return Ok(SlotEnd::Flooded);
            }
            budget = budget.saturating_sub(count);
            let read = buffer.get(..count).unwrap_or_default();
            if read.is_empty() {
                continue;
            }
            match bus.received(read, now) {
                Progress::Done => return Ok(SlotEnd::Over),
                Progress::Waiting { reply_by: later } => reply_by = later,
            }
        }
    }

    /// Sends all of it. A port that takes no more for too long is broken.
    fn send(&mut self, command: &[u8]) -> io::Result<()> {
        let give_up_at = self.now().plus(WRITE_TIME_MAX);
        let mut rest = command;
        while !rest.is_empty() {
            let wait = give_up_at.since(self.now());
            if wait.is_zero() {
                return Err(io::Error::new(ErrorKind::TimedOut, "it takes no bytes"));
            }
            let count = self.wire.write(rest, wait)?;
            rest = rest.get(count..).unwrap_or_default();
        }
        Ok(())
    }

    fn now(&self) -> Moment {
        self.world.now().moment
    }
}

/// Hands in what came while nobody was asked, which the bus counts; tells if the port is gone.
pub(super) fn look_between(wire: &mut dyn Wire, bus: &mut Bus, now: Moment) -> io::Result<()> {
    let mut buffer = [0; READ_BYTES];
    let count = wire.read(&mut buffer, Duration::ZERO)?;
    if let Some(read) = buffer.get(..count).filter(|read| !read.is_empty()) {
        bus.received(read, now);
    }
    Ok(())
}

#[cfg(test)]
#[path = "slot_tests.rs"]
mod tests;
