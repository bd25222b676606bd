//! A simulated line with its readers, and somebody who swipes.

use std::path::Path;
use std::sync::mpsc::Receiver;
use std::thread::park_timeout;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use sluss_sim::{
    BusSettings, Card, Observed, ReaderHandle, ReaderSettings, SecureKey, Seen, SimBus,
};

use super::house::wait_for;
use super::{Case, STRIKE_TIME};

/// From the last byte of a command to the first of its reply, as the simulator has it.
pub(super) const TURNAROUND: Duration = Duration::from_millis(3);
/// All readers are online within this, or something is wrong.
const ONLINE_WITHIN: Duration = Duration::from_secs(30);
/// Polls after which a reader counts as online.
const POLLS_MIN: u64 = 8;
/// For how long the line is watched to see how long a slot is.
const WATCHED: Duration = Duration::from_secs(4);
/// Rounds between a swipe and the next: lights and tones of the one before are through.
const QUIET_ROUNDS: u32 = 4;
/// A door that is not unlocked within this will not be.
const UNLOCKED_WITHIN: Duration = Duration::from_secs(5);

#[expect(clippy::disallowed_methods, reason = "a bench reads the clock")]
fn ticks() -> Instant {
    Instant::now()
}

/// The card that opens.
pub(super) fn card() -> Card {
    Card::h10301(9, 1)
}

/// Numbers that look random and are the same in every run.
pub(super) struct Chance(u32);

impl Chance {
    pub(super) fn new() -> Self {
        Self(0x9E37_79B9)
    }

    /// From 0 up to, not including, 1.
    fn share(&mut self) -> f64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 17;
        self.0 ^= self.0 << 5;
        f64::from(self.0) / (f64::from(u32::MAX) + 1.0)
    }
}

/// One swipe.
#[derive(Debug, Clone, Copy)]
pub(super) struct Swipe {
    /// From presenting the card to the end of the POLL that fetches it.
    pub(super) wait: Duration,
    /// From there to the strike.
    pub(super) response: Duration,
}

impl Swipe {
    /// From presenting the card to the strike.
    pub(super) fn total(&self) -> Duration {
        self.wait + self.response
    }
}

/// A line, whose port can be opened.
pub(super) struct Stand {
    readers: Vec<(ReaderHandle, Receiver<Observed>)>,
    /// Dropped last: the line is there as long as this.
    _bus: SimBus,
}

impl Stand {
    pub(super) fn start(path: &Path, case: &Case, keys: &[[u8; 16]]) -> anyhow::Result<Self> {
        let mut settings = BusSettings::new(path, case.baud);
        settings.turnaround = TURNAROUND;
        let of =
            |(address, key): (u8, &[u8; 16])| ReaderSettings::secure(address, SecureKey::new(*key));
        let readers = case.addresses().zip(keys).map(of).collect();
        let bus = SimBus::start(settings, readers)?;
        let mut readers = Vec::new();
        for address in case.addresses() {
            let reader = bus.reader(address).context("a reader")?;
            let observed = reader.observe();
            readers.push((reader, observed));
        }
        Ok(Self { readers, _bus: bus })
    }

    /// Waits until every reader is polled over a secure channel.
    pub(super) fn wait_online(&self) -> anyhow::Result<()> {
        wait_for("all readers are online", ONLINE_WITHIN, || {
            let is_online = |(reader, _): &(ReaderHandle, _)| {
                let counters = reader.counters();
                counters.secure_channels > 0 && counters.polls >= POLLS_MIN
            };
            Ok(self.readers.iter().all(is_online).then_some(()))
        })
    }

    /// From one command to the next, on average over some time.
    pub(super) fn slot(&self) -> Duration {
        let commands = || {
            let all = self.readers.iter();
            all.map(|(reader, _)| reader.counters().commands)
                .sum::<u64>()
        };
        let (begun, before) = (ticks(), commands());
        wait_until(begun + WATCHED);
        let (elapsed, count) = (begun.elapsed(), commands() - before);
        elapsed / u32::try_from(count).unwrap_or(u32::MAX).max(1)
    }

    /// Swipes at one reader after another. Phases are spread over the round in which readers are
    /// polled: each of `count` equal parts has one swipe, at a random place in it.
    pub(super) fn swipes(
        &self,
        count: u32,
        round: Duration,
        chance: &mut Chance,
    ) -> anyhow::Result<Vec<Swipe>> {
        let mut swipes = Vec::new();
        let mut last = ticks();
        for (number, (reader, observed)) in (0..count).zip(self.readers.iter().cycle()) {
            let part = (f64::from(number) + chance.share()) / f64::from(count);
            let quiet = STRIKE_TIME + round * QUIET_ROUNDS;
            wait_until(last + quiet + round.mul_f64(part));
            let told = observed.try_iter().count();
            let presented = reader.present(&card());
            let (swipe, unlocked) = follow(observed, presented)
                .with_context(|| format!("swipe {number}, {told} told before"))?;
            swipes.push(swipe);
            last = unlocked;
        }
        Ok(swipes)
    }
}

/// Follows a card to the strike; when that was.
fn follow(observed: &Receiver<Observed>, presented: Instant) -> anyhow::Result<(Swipe, Instant)> {
    let mut reported = None;
    let unlocked = loop {
        let left = UNLOCKED_WITHIN.saturating_sub(presented.elapsed());
        let seen = observed.recv_timeout(left);
        let Observed { at, what } = seen.context("the door is not unlocked")?;
        if what == Seen::CardReported {
            reported = Some(at);
        }
        if matches!(what, Seen::Output { is_on: true, .. }) {
            break at;
        }
    };
    let reported = reported.context("unlocked without a card")?;
    let swipe = Swipe {
        wait: reported - presented,
        response: unlocked - reported,
    };
    Ok((swipe, unlocked))
}

fn wait_until(at: Instant) {
    loop {
        let left = at.saturating_duration_since(ticks());
        if left.is_zero() {
            return;
        }
        park_timeout(left);
    }
}
