//! What a line's thread and the rest of the program share: plans down, statuses up.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::control::lines::{LinkCounters, LinkState, LinkStatus, ReaderOrder, ReaderPlan};
use crate::types::{BusName, ReaderId};

/// Counted of a line since the server started.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct PortCounters {
    /// How often its port was opened.
    pub opened: u64,
    /// How often its port could not be opened, or stopped working.
    pub faults: u64,
    /// Turns that were ended because more came than a turn may have.
    pub floods: u64,
    /// Cards and keys dropped because too many reports waited.
    pub reports_dropped: u64,
    /// Bytes received.
    pub bytes: u64,
    /// Bytes that belong to no frame.
    pub noise_bytes: u64,
    /// Frames whose check is wrong.
    pub bad_checks: u64,
    /// Own commands heard again.
    pub echoes: u64,
    /// Replies of a reader that was not asked.
    pub wrong_address: u64,
    /// Bytes that came while nobody was asked.
    pub unasked_bytes: u64,
}

/// A line as its thread sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LineStatus {
    /// Its name.
    pub bus: BusName,
    /// Path of its port.
    pub port: String,
    /// Whether the port is open.
    pub is_open: bool,
    /// Why it is not, in words; empty if it is.
    pub trouble: String,
    /// Counted since the server started.
    pub counters: PortCounters,
}

/// What wakes a thread that waits.
#[derive(Debug)]
pub(super) enum Message {
    /// Something is to be done.
    Order(ReaderId, ReaderOrder),
    /// There are new plans, or it is time to stop.
    Look,
}

/// Shared by one thread and everybody else. The lock is held for as long as a copy takes.
#[derive(Debug)]
pub(super) struct Shared {
    is_stopping: AtomicBool,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    line: LineStatus,
    /// Plans that the thread has not taken yet.
    plans: Option<Vec<ReaderPlan>>,
    readers: BTreeMap<ReaderId, LinkStatus>,
}

impl Shared {
    pub(super) fn new(bus: BusName, port: String) -> Self {
        let line = LineStatus {
            bus,
            port,
            is_open: false,
            trouble: String::new(),
            counters: PortCounters::default(),
        };
        Self {
            is_stopping: AtomicBool::new(false),
            state: Mutex::new(State {
                line,
                plans: None,
                readers: BTreeMap::new(),
            }),
        }
    }

    pub(super) fn stop(&self) {
        self.is_stopping.store(true, Ordering::Release);
    }

    pub(super) fn is_stopping(&self) -> bool {
        self.is_stopping.load(Ordering::Acquire)
    }

    /// Sets the readers; from now on orders to others are unknown.
    pub(super) fn plan(&self, plans: Vec<ReaderPlan>) {
        let mut state = self.state();
        let port = state.line.port.clone();
        let mut before = std::mem::take(&mut state.readers);
        for plan in &plans {
            let kept = before.remove(&plan.reader).filter(|s| s.plan == *plan);
            let status = kept.unwrap_or_else(|| unheard(plan.clone(), port.clone()));
            state.readers.insert(plan.reader.clone(), status);
        }
        state.plans = Some(plans);
    }

    /// The plans, if they are new.
    pub(super) fn take_plans(&self) -> Option<Vec<ReaderPlan>> {
        self.state().plans.take()
    }

    /// What a reader is like; `None` where it is not on this line.
    pub(super) fn state_of(&self, reader: &ReaderId) -> Option<LinkState> {
        self.state().readers.get(reader).map(|status| status.state)
    }

    /// Changes what is known of a reader that is still planned.
    pub(super) fn update(&self, reader: &ReaderId, change: impl FnOnce(&mut LinkStatus)) {
        if let Some(status) = self.state().readers.get_mut(reader) {
            change(status);
        }
    }

    /// Changes what is known of the line.
    pub(super) fn update_line(&self, change: impl FnOnce(&mut LineStatus)) {
        change(&mut self.state().line);
    }

    pub(super) fn statuses(&self) -> Vec<LinkStatus> {
        self.state().readers.values().cloned().collect()
    }

    pub(super) fn line(&self) -> LineStatus {
        self.state().line.clone()
    }

    /// The thread has ended: nothing can be ordered any more.
    pub(super) fn ended(&self) {
        const WHY: &str = "the thread of this bus has ended: restart the server";
        let mut state = self.state();
        state.line.is_open = false;
        WHY.clone_into(&mut state.line.trouble);
        for status in state.readers.values_mut() {
            status.state = LinkState::LineDown;
            WHY.clone_into(&mut status.trouble);
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing that is done under this lock can leave it half done.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A reader of which nothing is known yet.
fn unheard(plan: ReaderPlan, port: String) -> LinkStatus {
    LinkStatus {
        plan,
        port,
        state: LinkState::Offline,
        trouble: super::link::NOT_YET.to_owned(),
        vendor: String::new(),
        model: String::new(),
        serial: String::new(),
        firmware: String::new(),
        is_tampered: false,
        is_power_failing: false,
        inputs: Vec::new(),
        heard_at: None,
        counters: LinkCounters::default(),
    }
}
