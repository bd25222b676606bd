//! The thread of one line: it owns the port and the bus, and does one thing after another.
//!
//! Per round: new plans, one turn on the line, what came of it, then orders. It waits for orders
//! alone, so that one is on the line as soon as the turn before it is over.

use std::io;
use std::num::NonZeroU64;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::Duration;

use super::outbox::Outbox;
use super::port::{Port, Wire};
use super::port_state::PortState;
use super::readers::{Events, Readers};
use super::shared::{Message, PortCounters, Shared};
use super::slot::{SlotEnd, Turn, look_between};
use crate::control::lines::{FromReader, ReaderEvent};
use crate::types::{BusName, Moment, World};
use crate::wire::osdp::{Address, Baud, Bus, Step};

/// Longest wait for an order, after which the port is looked at again.
pub(super) const WAIT_MAX: Duration = Duration::from_secs(1);
/// Longest wait while reports wait for room.
const WAIT_MAX_REPORTING: Duration = Duration::from_millis(20);
/// Orders taken in a row before the line goes on.
const ORDERS_IN_A_ROW: usize = 32;
/// How long readers have to acknowledge that their strikes are locked when the thread stops.
const LOCK_TIME_MAX: Duration = Duration::from_millis(500);

/// What a thread is given.
pub(super) struct LineThread {
    pub(super) name: BusName,
    /// Path of the port; `None` for the readers of buses that nobody configured.
    pub(super) path: Option<Arc<str>>,
    pub(super) baud: Baud,
    pub(super) shared: Arc<Shared>,
    pub(super) orders: Receiver<Message>,
    pub(super) world: Arc<dyn World>,
    pub(super) bus: Bus,
    pub(super) readers: Readers,
    pub(super) outbox: Outbox,
    pub(super) state: PortState,
}

/// Tells everybody who asks when the thread has ended, for whatever reason.
struct Ended(Arc<Shared>, BusName);

impl Drop for Ended {
    fn drop(&mut self) {
        if std::thread::panicking() {
            tracing::error!(bus = %self.1, "the thread of this bus has failed");
        }
        self.0.ended();
    }
}

/// Lets the waits of this thread end when they are over. The system ends them up to 50 us later
/// otherwise, and the silence between two frames is not much longer than that at 115,200 baud.
fn wait_exactly() {
    if let Err(error) = rustix::thread::set_current_timer_slack(Some(NonZeroU64::MIN)) {
        tracing::debug!(%error, "waits on the line end later than need be");
    }
}

impl LineThread {
    /// Runs until told to stop.
    pub(super) fn run(mut self) {
        let _ended = Ended(Arc::clone(&self.shared), self.name.clone());
        wait_exactly();
        while !self.shared.is_stopping() {
            self.take_plans();
            let wait = self.turn();
            self.after_turn();
            self.take_orders(wait);
        }
        self.lock_up();
    }

    pub(super) fn now(&self) -> Moment {
        self.world.now().moment
    }

    fn take_plans(&mut self) {
        let Some(plans) = self.shared.take_plans() else {
            return;
        };
        let now = self.now();
        let events = self.readers.plan(plans, &mut self.bus, now);
        self.tell(events, now);
        self.mark_new(now);
    }

    /// One turn on the line, or one try to open it; how long to wait for an order after it.
    fn turn(&mut self) -> Option<Duration> {
        let now = self.now();
        let Some(mut port) = self.state.port.take() else {
            return Some(self.open(now));
        };
        let shared = Arc::clone(&self.shared);
        match self.turn_on(&mut port, &|| shared.is_stopping()) {
            Ok(wait) => {
                self.state.port = Some(port);
                wait
            }
            Err(error) => {
                // Closed before its path is looked at.
                drop(port);
                self.lost(&error);
                Some(Duration::ZERO)
            }
        }
    }

    /// Does what the bus says; how long to wait for an order after it.
    fn turn_on(
        &mut self,
        port: &mut Port,
        is_over: &dyn Fn() -> bool,
    ) -> io::Result<Option<Duration>> {
        let now = self.now();
        let world = Arc::clone(&self.world);
        let step = self.bus.next(now, &mut |buffer| world.fill_random(buffer));
        // Orders that have become too old are told before what is sent is looked at.
        self.take_events();
        match step {
            Step::Wait { until } => {
                look_between(port, &mut self.bus, now)?;
                Ok(Some(until.since(now)))
            }
            Step::Transmit {
                address,
                bytes,
                reply_by,
            } => {
                if self.readers.has_stale(address, now) {
                    let events = self.readers.restart(address, &mut self.bus, now);
                    self.tell(events, now);
                    return Ok(None);
                }
                self.exchange(port, (address, &bytes, reply_by), is_over)?;
                Ok(None)
            }
        }
    }

    fn exchange(
        &mut self,
        port: &mut dyn Wire,
        (address, bytes, reply_by): (Address, &[u8], Moment),
        is_over: &dyn Fn() -> bool,
    ) -> io::Result<()> {
        let before = *self.bus.line_counters();
        let replies = |bus: &Bus| bus.counters(address).map_or(0, |counters| counters.replies);
        let replies_before = replies(&self.bus);
        let world = Arc::clone(&self.world);
        let mut turn = Turn {
            wire: port,
            world: &*world,
            is_over,
        };
        let end = turn.take(&mut self.bus, bytes, reply_by)?;
        if end == SlotEnd::Flooded {
            let floods = &mut self.state.counters.floods;
            *floods = floods.saturating_add(1);
        }
        let is_heard = replies(&self.bus) > replies_before;
        if let Some(link) = self.readers.at(address) {
            link.tally.turn(&before, self.bus.line_counters());
            if is_heard {
                link.heard_at = Some(self.world.now().utc);
            }
            let counters = link.tally.total(self.bus.counters(address));
            let heard_at = link.heard_at;
            self.shared.update(&link.plan.reader, |status| {
                status.counters = counters;
                status.heard_at = heard_at;
            });
        }
        self.take_events();
        Ok(())
    }

    /// Reports what the bus has to tell.
    pub(super) fn take_events(&mut self) {
        let events = self.bus.take_events();
        if events.is_empty() {
            return;
        }
        let now = self.now();
        let mut told = Events::new();
        for (address, event) in events {
            if let Some(link) = self.readers.at(address) {
                let reader = link.plan.reader.clone();
                let events = link.hear(event, now);
                told.extend(events.into_iter().map(|event| (reader.clone(), event)));
            }
        }
        if told.iter().any(|(_, event)| *event == ReaderEvent::Online) {
            self.recovered();
        }
        self.tell(told, now);
    }

    /// Shows what readers have become by what has happened, logs it, then tells it: whoever
    /// hears that a reader is online may give it orders at once.
    pub(super) fn tell(&mut self, events: Events, at: Moment) {
        for link in self.readers.all() {
            if link.take_change() {
                let shared = &self.shared;
                shared.update(&link.plan.reader, |status| link.write(status));
            }
        }
        for (reader, event) in events {
            self.outbox.tell(FromReader { reader, at, event });
        }
    }

    fn after_turn(&mut self) {
        let now = self.now();
        self.look_at_port(now);
        self.outbox.flush();
        let line = *self.bus.line_counters();
        let counters = PortCounters {
            reports_dropped: self.outbox.dropped(),
            bytes: line.bytes,
            noise_bytes: line.noise_bytes,
            bad_checks: line.bad_checks,
            echoes: line.echoes,
            wrong_address: line.wrong_address,
            unasked_bytes: line.unasked_bytes,
            ..self.state.counters
        };
        self.shared.update_line(|status| status.counters = counters);
    }

    /// Takes the orders that are there, waiting for the first for so long.
    fn take_orders(&mut self, wait: Option<Duration>) {
        let longest = if self.outbox.is_waiting() {
            WAIT_MAX_REPORTING
        } else {
            WAIT_MAX
        };
        let wait = wait.unwrap_or(Duration::ZERO).min(longest);
        let mut next = match self.orders.recv_timeout(wait) {
            Ok(message) => Some(message),
            Err(RecvTimeoutError::Timeout) => None,
            Err(RecvTimeoutError::Disconnected) => return self.shared.stop(),
        };
        for _ in 0..ORDERS_IN_A_ROW {
            match next {
                Some(Message::Order(reader, order)) => {
                    let now = self.now();
                    let events = self.readers.order(&reader, order, &mut self.bus, now);
                    self.tell(events, now);
                }
                Some(Message::Look) => {}
                None => return,
            }
            next = self.orders.try_recv().ok();
        }
    }

    /// Locks what is released, as far as readers acknowledge it soon.
    fn lock_up(&mut self) {
        let Some(mut port) = self.state.port.take() else {
            return;
        };
        let started = self.now();
        let world = Arc::clone(&self.world);
        let is_late = || world.now().moment.since(started) >= LOCK_TIME_MAX;
        self.readers.lock_all(&mut self.bus, started);
        while self.readers.is_waiting() && !is_late() {
            match self.turn_on(&mut port, &is_late) {
                // Whoever orders something now is too late.
                Ok(Some(wait)) => drop(self.orders.recv_timeout(wait.min(LOCK_TIME_MAX))),
                Ok(None) => {}
                Err(_) => return,
            }
        }
        self.outbox.flush();
    }
}
