//! The port of a line's thread: open or not, what others were told of it, and when it is tried
//! again.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use super::port::{Looks, Port, PortFault};
use super::readers::Events;
use super::reopen::{LOOK_EVERY, RECOVERED_AFTER, Reopening};
use super::shared::PortCounters;
use super::thread::{LineThread, WAIT_MAX};
use crate::types::Moment;

/// A reader that has not come back so long after its port did is offline itself.
const OFFLINE_AFTER: Duration = Duration::from_secs(8);

/// The port, and how it goes with it.
pub(super) struct PortState {
    pub(super) port: Option<Port>,
    pub(super) counters: PortCounters,
    reopening: Reopening,
    opened_at: Moment,
    /// What others were told is wrong.
    told: Option<PortFault>,
}

impl PortState {
    /// Not open yet.
    pub(super) fn new(now: Moment) -> Self {
        Self {
            port: None,
            counters: PortCounters::default(),
            reopening: Reopening::new(now),
            opened_at: now,
            told: None,
        }
    }
}

impl LineThread {
    /// Tries to open the port if it is time; how long to wait after it.
    pub(super) fn open(&mut self, now: Moment) -> Duration {
        let Some(path) = self.path.clone() else {
            return WAIT_MAX;
        };
        let looks = Looks::of(&path);
        if !self.state.reopening.is_due(looks, now) {
            return self.state.reopening.wait(now);
        }
        match Port::open(&path, self.baud.bits_per_second()) {
            Ok(port) => {
                self.opened(port, now);
                Duration::ZERO
            }
            Err(fault) => {
                self.state.reopening.failed(looks, now);
                self.down(fault, now);
                LOOK_EVERY
            }
        }
    }

    fn opened(&mut self, port: Port, now: Moment) {
        self.state.port = Some(port);
        self.state.opened_at = now;
        let opened = &mut self.state.counters.opened;
        *opened = opened.saturating_add(1);
        self.shared.update_line(|line| {
            line.is_open = true;
            line.trouble.clear();
        });
        for link in self.readers.all() {
            link.line_up();
        }
        self.tell(Events::new(), now);
        if self.state.told.is_none() {
            tracing::info!(bus = %self.name, "the port is open");
        }
    }

    /// The port stays open: what was wrong with it is over.
    pub(super) fn recovered(&mut self) {
        if self.state.told.take().is_some() {
            tracing::info!(bus = %self.name, "the port is open again");
        }
        self.state.reopening.recovered();
    }

    /// The port failed while it was open.
    pub(super) fn lost(&mut self, error: &io::Error) {
        let now = self.now();
        self.bus.port_lost(now);
        self.take_events();
        if let Some(path) = self.path.clone() {
            self.state.reopening.failed(Looks::of(&path), now);
            self.down(PortFault::lost(&path, error), now);
        }
    }

    /// The port cannot be used: says so, once for each reason.
    fn down(&mut self, fault: PortFault, now: Moment) {
        let faults = &mut self.state.counters.faults;
        *faults = faults.saturating_add(1);
        let why: Arc<str> = Arc::from(fault.to_string());
        self.shared.update_line(|line| {
            line.is_open = false;
            why.as_ref().clone_into(&mut line.trouble);
        });
        let before = self.state.told.replace(fault);
        let is_news = match (&before, &self.state.told) {
            // The path of an adapter that was unplugged is gone a moment later.
            (Some(PortFault::Lost { .. }), Some(PortFault::Missing(_))) => false,
            (before, after) => before != after,
        };
        if is_news {
            tracing::warn!(bus = %self.name, "{why}");
        }
        self.mark_down(&why, is_news, now);
    }

    /// Tells of readers that were planned while the line is down.
    pub(super) fn mark_new(&mut self, now: Moment) {
        let why = match (&self.path, &self.state.port, &self.state.told) {
            (None, ..) => "its bus is not in the configuration: add it with its port".to_owned(),
            (Some(_), None, Some(fault)) => fault.to_string(),
            (Some(_), ..) => return,
        };
        self.mark_down(&Arc::from(why), false, now);
    }

    /// All readers are down with their line: told of each once, and again if there is news.
    fn mark_down(&mut self, why: &Arc<str>, is_news: bool, now: Moment) {
        let mut events = Events::new();
        for link in self.readers.all() {
            let reader = link.plan.reader.clone();
            let told = link.line_down(why, is_news);
            events.extend(told.into_iter().map(|event| (reader.clone(), event)));
        }
        self.tell(events, now);
    }

    /// What is to be seen to while the port is open.
    pub(super) fn look_at_port(&mut self, now: Moment) {
        if self.state.port.is_none() {
            return;
        }
        let events = self.readers.look_at_keys(&mut self.bus, now);
        self.tell(events, now);
        let open_for = now.since(self.state.opened_at);
        if open_for >= RECOVERED_AFTER {
            self.recovered();
        }
        if open_for >= OFFLINE_AFTER {
            let events = self.readers.left_behind();
            self.tell(events, now);
        }
    }
}
