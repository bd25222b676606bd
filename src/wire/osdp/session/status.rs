//! Local status and inputs: told by readers themselves, and asked for to be sure.
//!
//! A reader tells a change in answer to its next POLL. It is asked all the same, since some do
//! not; each question takes time from whoever waits for the next POLL, so that questions have
//! slots of their own and get no more than a share of the line. A reader that was found not to
//! tell is asked every few seconds, whatever that costs.

use std::time::Duration;

use super::{Purpose, Session};
use crate::types::Moment;
use crate::wire::osdp::reply::Reply;

/// How often each is asked for at most.
const ASK_EVERY: Duration = Duration::from_secs(4);

/// What the reader was asked for or told, and when it is asked next.
#[derive(Debug)]
struct Question<T> {
    /// `None` where it refuses to answer.
    ask_at: Option<Moment>,
    /// What is known of this session; `None` is to be asked at once.
    known: Option<T>,
    /// Whether, as far as is known, it tells changes by itself.
    is_told: bool,
}

impl<T: PartialEq> Question<T> {
    const fn new() -> Self {
        Self {
            ask_at: None,
            known: None,
            is_told: true,
        }
    }

    fn begin(&mut self, now: Moment) {
        self.ask_at = Some(now);
        self.known = None;
    }

    fn is_due(&self, now: Moment, may_wait: bool) -> bool {
        let can_wait = self.is_told && self.known.is_some();
        self.ask_at.is_some_and(|at| at <= now) && !(may_wait && can_wait)
    }

    fn asked(&mut self, now: Moment) {
        self.ask_at = Some(now.plus(ASK_EVERY));
    }

    /// What it is now. A change that had to be asked for was not told.
    fn learn(&mut self, value: T, was_asked: bool) {
        let is_changed = self.known.as_ref().is_some_and(|known| *known != value);
        if !was_asked {
            self.is_told = true;
        } else if is_changed {
            self.is_told = false;
        }
        self.known = Some(value);
    }
}

/// When the state of the device is asked for next.
#[derive(Debug)]
pub(super) struct StatusPlan {
    local: Question<(bool, bool)>,
    inputs: Question<Vec<bool>>,
}

impl StatusPlan {
    pub(super) const fn new() -> Self {
        Self {
            local: Question::new(),
            inputs: Question::new(),
        }
    }

    /// A session has begun: everything is asked for at once.
    pub(super) fn begin(&mut self, now: Moment) {
        self.local.begin(now);
        self.inputs.begin(now);
    }

    /// What is asked for now, if anything is due; of what may wait nothing if it has to.
    pub(super) fn ask(&mut self, now: Moment, may_wait: bool) -> Option<Purpose> {
        if self.local.is_due(now, may_wait) {
            self.local.asked(now);
            return Some(Purpose::LocalStatus);
        }
        if self.inputs.is_due(now, may_wait) {
            self.inputs.asked(now);
            return Some(Purpose::Inputs);
        }
        None
    }

    /// It does not answer this question.
    pub(super) fn refused(&mut self, purpose: &Purpose) {
        match purpose {
            Purpose::LocalStatus => self.local.ask_at = None,
            Purpose::Inputs => self.inputs.ask_at = None,
            Purpose::Open | Purpose::Poll | Purpose::Order(_) => {}
        }
    }

    /// Notes what it says of itself.
    pub(super) fn learn(&mut self, reply: &Reply, was_asked: bool) {
        if let Reply::LocalStatus {
            tamper,
            power_failed,
        } = reply
        {
            self.local.learn((*tamper, *power_failed), was_asked);
        }
        if let Reply::Inputs(states) = reply {
            self.inputs.learn(states.clone(), was_asked);
        }
    }
}

impl Session {
    /// Since when a question about its state waits; `None` where there is none to ask.
    pub(in crate::wire::osdp) fn asks_at(&self) -> Option<Moment> {
        let both = [self.status.local.ask_at, self.status.inputs.ask_at];
        both.into_iter().flatten().min().filter(|_| self.is_up())
    }

    /// Whether what is on its way is such a question.
    pub(in crate::wire::osdp) fn is_asking(&self) -> bool {
        let purpose = self.in_flight.as_ref().map(|sent| &sent.purpose);
        matches!(purpose, Some(Purpose::LocalStatus | Purpose::Inputs))
    }
}
