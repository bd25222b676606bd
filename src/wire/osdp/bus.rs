//! One line: whose turn it is, what goes on it, what came of it.

use std::time::Duration;

use super::counters::{add, count};
use super::schedule::{Schedule, Sessions};
use super::session::{Heard, Session, Timing};
use super::{
    AddError, Address, BusSettings, Counters, Frame, LineCounters, OrderRefused, PeripheralEvent,
    PeripheralOrder, PeripheralSettings, Splitter,
};
use crate::types::Moment;

/// Most readers on one line; more are not polled fast enough at any speed.
const READERS_MAX: usize = 32;
/// Longest time between two bytes of a frame (OSDP 2.2, physical interface).
const BYTE_GAP_MAX: Duration = Duration::from_millis(20);
/// Bytes of silence between two frames.
const IDLE_BYTES: usize = 2;
/// Of the line's time the questions about the state of readers take one part in so many, if
/// they can wait: what they take lengthens the wait of whoever presents a card.
const STATUS_SHARE: u32 = 100;
/// Longest wait between two looks at the line.
const LOOK_AFTER: Duration = Duration::from_secs(1);

/// What the owner of the port is to do next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// Clear what was received, send these bytes, then hand in what comes until
    /// [`Bus::received`] says that it is done, or until `reply_by`, with [`Bus::timed_out`].
    Transmit {
        /// Whom they are for.
        address: Address,
        /// What to send; at most 1,440 bytes.
        bytes: Vec<u8>,
        /// When to stop waiting; a later one may come with [`Progress::Waiting`].
        reply_by: Moment,
    },
    /// Nothing to send. Call [`Bus::next`] again then, or at once after an order.
    Wait {
        /// Until when.
        until: Moment,
    },
}

/// How far a reply is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress {
    /// Not there yet.
    Waiting {
        /// When to stop waiting: later than before while a long reply is on its way.
        reply_by: Moment,
    },
    /// Nothing more is awaited; call [`Bus::next`].
    Done,
}

/// A reader's turn to speak.
#[derive(Debug, Clone, Copy)]
struct Slot {
    address: Address,
    /// When it ends if nothing more comes.
    reply_by: Moment,
    /// Before when its reply must have begun.
    begin_by: Moment,
    /// Since when the line is taken by a question about its state.
    asked_at: Option<Moment>,
}

/// The line waits for a decision about somebody at this reader.
#[derive(Debug, Clone, Copy)]
struct Hold {
    address: Address,
    until: Moment,
}

/// The controlling end of one line, without the port.
///
/// The owner calls [`Bus::next`], does what it says, hands in bytes as they come, and takes the
/// events. Whatever comes, memory stays bounded and nothing panics.
#[derive(Debug)]
pub struct Bus {
    settings: BusSettings,
    pub(super) sessions: Sessions,
    schedule: Schedule,
    splitter: Splitter,
    slot: Option<Slot>,
    hold: Option<Hold>,
    /// Before this the line has not been quiet for long enough.
    quiet_from: Option<Moment>,
    /// Before this no question is asked that can wait.
    questions_from: Option<Moment>,
    line: LineCounters,
}

impl Bus {
    /// A line without readers.
    pub fn new(settings: BusSettings) -> Self {
        Self {
            settings,
            sessions: Sessions::new(),
            schedule: Schedule::default(),
            splitter: Splitter::new(),
            slot: None,
            hold: None,
            quiet_from: None,
            questions_from: None,
            line: LineCounters::default(),
        }
    }

    /// Adds a reader; its offline time runs from `now`.
    pub fn add(
        &mut self,
        address: Address,
        settings: PeripheralSettings,
        now: Moment,
    ) -> Result<(), AddError> {
        if self.sessions.contains_key(&address) {
            return Err(AddError::Taken(address));
        }
        if self.sessions.len() >= READERS_MAX {
            return Err(AddError::Full { limit: READERS_MAX });
        }
        let session = Session::new(address, settings, now);
        self.sessions.insert(address, session);
        Ok(())
    }

    /// Forgets a reader, its orders, its events and its session. A reply that is awaited is
    /// dropped.
    pub fn remove(&mut self, address: Address) {
        self.sessions.remove(&address);
    }

    /// What to do next. `random` fills its argument from the system's entropy.
    ///
    /// A reply that is still awaited is given up.
    pub fn next(&mut self, now: Moment, random: &mut dyn FnMut(&mut [u8])) -> Step {
        self.timed_out(now);
        let timing = self.timing();
        for session in self.sessions.values_mut() {
            session.tick(now, timing);
        }
        if let Some(until) = self.quiet_from.filter(|quiet| now < *quiet) {
            return Step::Wait { until };
        }
        if let Some(until) = self.held_until(now) {
            return Step::Wait { until };
        }
        let Some(address) = self.schedule.pick(&self.sessions, now) else {
            return Step::Wait {
                until: self.next_due(now),
            };
        };
        let may_wait = !self.may_ask(address, now);
        let Some(session) = self.sessions.get_mut(&address) else {
            return Step::Wait { until: now };
        };
        let bytes = session.compose(now, may_wait, random);
        let asked_at = session.is_asking().then_some(now);
        if asked_at.is_some() {
            self.schedule.again(address);
        }
        let sent_at = now.plus(self.settings.baud.time_of(bytes.len()));
        let begin_by = sent_at.plus(self.settings.reply_timeout);
        self.drop_received();
        self.slot = Some(Slot {
            address,
            reply_by: begin_by,
            begin_by,
            asked_at,
        });
        Step::Transmit {
            address,
            bytes,
            reply_by: begin_by,
        }
    }

    /// Takes what the port received, in pieces of any size. Bytes nobody was asked for are
    /// dropped; so are own commands heard again, replies of other readers and old replies.
    pub fn received(&mut self, bytes: &[u8], now: Moment) -> Progress {
        add(&mut self.line.bytes, bytes.len());
        let mut later = bytes;
        while let Some(slot) = self.slot {
            later = self.splitter.push(later);
            while let Some(frame) = self.splitter.next(&mut self.line) {
                if self.is_answered_by(slot, &frame, now) {
                    self.end_slot(now);
                    add(&mut self.line.unasked_bytes, later.len());
                    return Progress::Done;
                }
            }
            if later.is_empty() {
                return self.wait_on(slot, now);
            }
        }
        add(&mut self.line.unasked_bytes, bytes.len());
        Progress::Done
    }

    /// The awaited reply did not come in time.
    pub fn timed_out(&mut self, now: Moment) {
        let Some(slot) = self.slot else { return };
        let timing = self.timing();
        if let Some(session) = self.sessions.get_mut(&slot.address) {
            session.missed(now, timing);
        }
        self.schedule.wasted();
        self.end_slot(now);
    }

    /// Gives a reader an order. Outputs go before everything else, and an order ends a decision
    /// hold. An order is put on the line within 2 s, or not at all; what became of it is an
    /// event. Never waits for a session: orders of one that ends are told as refused.
    pub fn order(
        &mut self,
        address: Address,
        order: PeripheralOrder,
        now: Moment,
    ) -> Result<(), OrderRefused> {
        let session = self.sessions.get_mut(&address);
        session.ok_or(OrderRefused::Unknown)?.order(order, now)
    }

    /// Takes what happened, of each reader oldest first. Where nobody takes it at most 64 are
    /// kept for a reader; the newest are dropped and counted.
    pub fn take_events(&mut self) -> Vec<(Address, PeripheralEvent)> {
        let mut all = Vec::new();
        for (address, session) in &mut self.sessions {
            while let Some(event) = session.take_event() {
                all.push((*address, event));
            }
        }
        all
    }

    /// What a reader did; `None` where there is none.
    pub fn counters(&self, address: Address) -> Option<&Counters> {
        self.sessions.get(&address).map(Session::counters)
    }

    /// What the line carried.
    pub fn line_counters(&self) -> &LineCounters {
        &self.line
    }

    /// The port is gone: readers are offline at once, and all sessions start again.
    pub fn port_lost(&mut self, now: Moment) {
        self.slot = None;
        self.hold = None;
        self.drop_received();
        for session in self.sessions.values_mut() {
            session.port_lost(now);
        }
    }

    #[cfg(test)]
    pub(super) fn held_bytes(&self) -> usize {
        self.splitter.len()
    }

    fn timing(&self) -> Timing {
        Timing {
            offline_after: self.settings.offline_after,
            probe_every: self.settings.probe_every,
        }
    }

    /// Until when the line is held for a decision; an order ends that.
    fn held_until(&mut self, now: Moment) -> Option<Moment> {
        let hold = self.hold?;
        let is_ordered = |session: &Session| session.has_order();
        let is_decided = self.sessions.get(&hold.address).is_none_or(is_ordered);
        if now >= hold.until || is_decided {
            self.hold = None;
            return None;
        }
        // A decision about another reader is no less urgent.
        let is_urgent = |session: &Session| session.has_output() && session.due() <= now;
        let others_wait = self.sessions.values().any(is_urgent);
        (!others_wait).then_some(hold.until)
    }

    /// Whether it is this reader's turn to be asked for its state: the one that waits longest, if
    /// the share of the line is not used up.
    fn may_ask(&self, address: Address, now: Moment) -> bool {
        if self.questions_from.is_some_and(|from| now < from) {
            return false;
        }
        let asks = |(address, session): (&Address, &Session)| Some((session.asks_at()?, *address));
        let longest = self.sessions.iter().filter_map(asks).min();
        longest.is_some_and(|(_, longest)| longest == address)
    }

    fn next_due(&self, now: Moment) -> Moment {
        let latest = now.plus(LOOK_AFTER);
        let due = self.sessions.values().map(Session::due).min();
        due.map_or(latest, |due| due.min(latest))
    }

    /// Whether a frame is the awaited reply; what it is not is counted.
    fn is_answered_by(&mut self, slot: Slot, frame: &Frame, now: Moment) -> bool {
        if !frame.is_reply {
            count(&mut self.line.echoes);
            return false;
        }
        if frame.address != slot.address.number() {
            count(&mut self.line.wrong_address);
            return false;
        }
        let Some(session) = self.sessions.get_mut(&slot.address) else {
            return true;
        };
        match session.accept(frame, now) {
            Heard::Nothing => false,
            Heard::Answer => true,
            Heard::Read => {
                self.hold = Some(Hold {
                    address: slot.address,
                    until: now.plus(self.settings.decision_hold),
                });
                true
            }
        }
    }

    /// Goes on waiting; for longer where a reply has begun in time and needs the time.
    fn wait_on(&mut self, slot: Slot, now: Moment) -> Progress {
        let mut reply_by = slot.reply_by;
        if let Some((missing, len_bytes)) = self.splitter.missing(slot.address.number()) {
            let time_of = |bytes| self.settings.baud.time_of(bytes);
            let needed = now.plus(time_of(missing)).plus(BYTE_GAP_MAX);
            let latest = slot.begin_by.plus(time_of(len_bytes)).plus(BYTE_GAP_MAX);
            reply_by = reply_by.max(needed.min(latest));
        }
        if now >= reply_by {
            self.timed_out(now);
            return Progress::Done;
        }
        self.slot = Some(Slot { reply_by, ..slot });
        Progress::Waiting { reply_by }
    }

    fn end_slot(&mut self, now: Moment) {
        let slot = self.slot.take();
        if let Some(asked_at) = slot.and_then(|slot| slot.asked_at) {
            let taken = now.since(asked_at);
            self.questions_from = Some(now.plus(taken.saturating_mul(STATUS_SHARE)));
        }
        self.drop_received();
        self.quiet_from = Some(now.plus(self.settings.baud.time_of(IDLE_BYTES)));
    }

    fn drop_received(&mut self) {
        let left = self.splitter.clear();
        add(&mut self.line.noise_bytes, left);
    }
}
