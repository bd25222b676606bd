//! One line: whose turn it is, what goes on it, what came of it.

use std::collections::VecDeque;

use super::{
    AddError, Address, BusSettings, Counters, LineCounters, OrderRefused, PeripheralEvent,
    PeripheralOrder, PeripheralSettings,
};
use crate::types::Moment;

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

/// The controlling end of one line, without the port.
///
/// The owner calls [`Bus::next`], does what it says, hands in bytes as they come, and takes the
/// events. Whatever comes, memory stays bounded and nothing panics.
#[derive(Debug)]
pub struct Bus {
    settings: BusSettings,
    line: LineCounters,
    events: VecDeque<(Address, PeripheralEvent)>,
}

impl Bus {
    /// A line without readers.
    pub fn new(settings: BusSettings) -> Self {
        Self {
            settings,
            line: LineCounters::default(),
            events: VecDeque::new(),
        }
    }

    /// Adds a reader; its offline time runs from `now`.
    pub fn add(
        &mut self,
        _address: Address,
        _settings: PeripheralSettings,
        _now: Moment,
    ) -> Result<(), AddError> {
        Ok(())
    }

    /// Forgets a reader, its orders and its session. A reply that is awaited is dropped.
    pub fn remove(&mut self, _address: Address) {}

    /// What to do next. `random` fills its argument from the system's entropy.
    pub fn next(&mut self, now: Moment, _random: &mut dyn FnMut(&mut [u8])) -> Step {
        Step::Wait {
            until: now.plus(self.settings.probe_every),
        }
    }

    /// Takes what the port received, in pieces of any size.
    pub fn received(&mut self, _bytes: &[u8], _now: Moment) -> Progress {
        Progress::Done
    }

    /// The awaited reply did not come in time.
    pub fn timed_out(&mut self, _now: Moment) {}

    /// Gives a reader an order. Outputs go before everything else, and an order ends a decision
    /// hold. An order is sent within 2 s, or not at all.
    pub fn order(
        &mut self,
        _address: Address,
        _order: PeripheralOrder,
        _now: Moment,
    ) -> Result<(), OrderRefused> {
        Err(OrderRefused::Unknown)
    }

    /// Takes what happened, oldest first. What nobody takes is bounded; the newest are dropped.
    pub fn take_events(&mut self) -> Vec<(Address, PeripheralEvent)> {
        self.events.drain(..).collect()
    }

    /// What a reader did; `None` where there is none.
    pub fn counters(&self, _address: Address) -> Option<&Counters> {
        None
    }

    /// What the line carried.
    pub fn line_counters(&self) -> &LineCounters {
        &self.line
    }

    /// The port is gone: readers are offline at once, and all sessions start again.
    pub fn port_lost(&mut self, _now: Moment) {}
}
