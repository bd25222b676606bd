//! What is seen of a device from outside.

use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use sluss_sim::{Card, LedPattern, Observed, ReaderHandle, Seen};

use crate::house::DEADLINE;

/// How long after a card the next one is shown to a reader that is awaited.
const BETWEEN_CARDS: Duration = Duration::from_millis(100);

/// Colours as the standard numbers them.
pub(crate) const RED: u8 = 1;
pub(crate) const GREEN: u8 = 2;
pub(crate) const AMBER: u8 = 3;

/// Somebody who watches a device and forgets nothing.
pub(crate) struct Watcher {
    device: ReaderHandle,
    receiver: Receiver<Observed>,
    seen: Vec<Observed>,
    /// How much of it was asked for already.
    told: usize,
}

impl Watcher {
    /// Watches from now on.
    pub(crate) fn of(device: &ReaderHandle) -> Self {
        Self {
            device: device.clone(),
            receiver: device.observe(),
            seen: Vec::new(),
            told: 0,
        }
    }

    /// The next thing of this kind, after what was found before.
    #[track_caller]
    pub(crate) fn wait(&mut self, is_it: impl Fn(&Seen) -> bool) -> Observed {
        loop {
            while let Some(observed) = self.seen.get(self.told) {
                self.told += 1;
                if is_it(&observed.what) {
                    return observed.clone();
                }
            }
            match self.receiver.recv_timeout(DEADLINE) {
                Ok(observed) => self.seen.push(observed),
                Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => {
                    panic!("never seen; but {:?}", self.seen)
                }
            }
        }
    }

    /// The next thing of this kind if it comes within a time.
    pub(crate) fn within(
        &mut self,
        time: Duration,
        is_it: impl Fn(&Seen) -> bool,
    ) -> Option<Observed> {
        loop {
            while let Some(observed) = self.seen.get(self.told) {
                self.told += 1;
                if is_it(&observed.what) {
                    return Some(observed.clone());
                }
            }
            self.seen.push(self.receiver.recv_timeout(time).ok()?);
        }
    }

    /// Presents a card again and again until one opens; how long after a moment that was.
    ///
    /// What is read before a session is up is dropped, so that one card is not enough.
    #[track_caller]
    pub(crate) fn opens_after(&mut self, card: &Card, since: Instant) -> Duration {
        self.told = self.all().len();
        for _ in 0..400 {
            self.device.present(card);
            if let Some(opened) = self.within(BETWEEN_CARDS, is_release) {
                return opened.at.saturating_duration_since(since);
            }
        }
        panic!("opens no more: {:?}", self.seen)
    }

    /// Everything seen so far.
    pub(crate) fn all(&mut self) -> Vec<Seen> {
        self.seen.extend(self.receiver.try_iter());
        self.seen.iter().map(|o| o.what.clone()).collect()
    }

    /// How often an output was switched on so far.
    pub(crate) fn releases(&mut self) -> usize {
        self.all().iter().filter(|seen| is_release(seen)).count()
    }

    /// Waits until the device has answered so many more polls: whatever was on its way to it
    /// then has come.
    #[track_caller]
    pub(crate) fn polls(&self, count: u64) {
        let until = self.device.polls() + count;
        let mut waits = 0_u32;
        while self.device.polls() < until {
            std::thread::park_timeout(Duration::from_millis(5));
            waits += 1;
            assert!(waits < 8_000, "{:?}", self.device.counters());
        }
    }
}

/// Whether an output was switched on.
pub(crate) fn is_release(seen: &Seen) -> bool {
    matches!(seen, Seen::Output { is_on: true, .. })
}

/// Whether an output was switched off.
pub(crate) fn is_lock(seen: &Seen) -> bool {
    matches!(seen, Seen::Output { is_on: false, .. })
}

/// Whether a light was ordered for a while: which colour, blinking or steady.
pub(crate) fn shows(color: u8, is_blinking: bool) -> impl Fn(&Seen) -> bool {
    move |seen| {
        let Seen::Led(order) = seen else {
            return false;
        };
        let blinks = |pattern: &LedPattern| pattern.off_color != pattern.on_color;
        let is_it = |(pattern, _): &(LedPattern, _)| {
            pattern.on_color == color && blinks(pattern) == is_blinking
        };
        order.temporary.as_ref().is_some_and(is_it)
    }
}

/// Somebody may pass.
pub(crate) fn granted(seen: &Seen) -> bool {
    shows(GREEN, false)(seen)
}

/// Somebody may not pass.
pub(crate) fn denied(seen: &Seen) -> bool {
    shows(RED, true)(seen)
}

/// Nothing can be decided.
pub(crate) fn trouble(seen: &Seen) -> bool {
    shows(AMBER, false)(seen)
}
