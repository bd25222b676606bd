//! How a session ends and begins again, and how soon.

use std::time::Duration;

use super::{
    InFlight, OfflineCause, OrderFailure, PeripheralEvent, Phase, Purpose, Reported, SecurityFault,
    Session,
};
use crate::types::Moment;
use crate::wire::osdp::counters::count;

/// How often the same bytes are sent before the session begins anew.
pub(super) const TRIES_MAX: u8 = 3;
/// After so many slots without a reply a reader is silent and gets a slot now and then.
const MISSES_MAX: u8 = 3;
/// When a busy reader is asked again.
const BUSY_PAUSE: Duration = Duration::from_millis(50);
/// For how long a command is repeated to a busy reader before the session begins anew.
const BUSY_MAX: Duration = Duration::from_secs(2);
/// Pause before the next attempt after a refused or failed handshake.
const FAILURE_PAUSES: [Duration; 3] = [
    Duration::from_millis(100),
    Duration::from_millis(300),
    Duration::from_secs(1),
];
/// Pause after bad MACs that follow each other. The longest one leaves a guesser of 32 bits
/// more than a century and lets an honest reader back within 3 s.
const MAC_PAUSES: [Duration; 5] = [
    Duration::ZERO,
    Duration::ZERO,
    Duration::from_millis(500),
    Duration::from_secs(1),
    Duration::from_secs(2),
];
/// A session this long without a bad MAC makes the next one the first again.
const MAC_MEMORY: Duration = Duration::from_mins(1);
/// Sessions that begin anew within this time of each other are paused between.
const RESTART_SPACING: Duration = Duration::from_secs(1);
/// That pause.
const RESTART_PAUSE: Duration = Duration::from_millis(500);

/// Times that the bus decides.
#[derive(Debug, Clone, Copy)]
pub(in crate::wire::osdp) struct Timing {
    pub(in crate::wire::osdp) offline_after: Duration,
    pub(in crate::wire::osdp) probe_every: Duration,
}

/// What a reader did wrong lately.
#[derive(Debug)]
pub(super) struct Recovery {
    /// When its next slot may be.
    not_before: Moment,
    /// Slots without a reply, in a row; it has never been heard at first.
    misses: u8,
    /// Handshakes that failed, in a row.
    failures: usize,
    /// Bad MACs in a row.
    bad_macs: usize,
    last_bad_mac: Option<Moment>,
    last_restart: Option<Moment>,
    pub(super) last_fault: Option<SecurityFault>,
    reported: Reported,
    /// When it was last sound, or when its time began to run.
    last_sound: Moment,
    trouble: OfflineCause,
}

impl Recovery {
    pub(super) fn new(now: Moment) -> Self {
        Self {
            not_before: now,
            misses: MISSES_MAX,
            failures: 0,
            bad_macs: 0,
            last_bad_mac: None,
            last_restart: None,
            last_fault: None,
            reported: Reported::Nothing,
            last_sound: now,
            trouble: OfflineCause::NoReply,
        }
    }
}

/// The entry for the n-th time, from 1; the last for all after it.
fn pause(pauses: &[Duration], times: usize) -> Duration {
    let last = pauses.last().copied().unwrap_or_default();
    let index = times.saturating_sub(1);
    pauses.get(index).copied().unwrap_or(last)
}

impl Session {
    /// When its next slot may be.
    pub(in crate::wire::osdp) fn due(&self) -> Moment {
        self.recovery.not_before
    }

    /// How many slots in a row had no reply; several also where it was never heard.
    pub(in crate::wire::osdp) fn misses(&self) -> u8 {
        self.recovery.misses
    }

    /// Reports it offline when its time is over.
    pub(in crate::wire::osdp) fn tick(&mut self, now: Moment, timing: Timing) {
        let is_over = now.since(self.recovery.last_sound) >= timing.offline_after;
        if is_over && self.recovery.reported != Reported::Offline {
            self.begin_again();
            self.report_offline(self.recovery.trouble);
        }
        self.drop_old_orders(now);
    }

    /// Its slot ended without a reply.
    pub(in crate::wire::osdp) fn missed(&mut self, now: Moment, timing: Timing) {
        count(&mut self.counters.timeouts);
        self.recovery.misses = self.recovery.misses.saturating_add(1);
        self.recovery.trouble = OfflineCause::NoReply;
        let tries = self.in_flight.as_ref().map_or(0, |sent| sent.tries);
        if tries >= TRIES_MAX {
            self.begin_again();
        }
        self.recovery.not_before = if self.recovery.misses >= MISSES_MAX {
            now.plus(timing.probe_every)
        } else {
            now
        };
    }

    /// The port is gone; there is nobody to speak to until it is back.
    pub(in crate::wire::osdp) fn port_lost(&mut self, now: Moment) {
        self.begin_again();
        if self.recovery.reported == Reported::Online {
            self.report_offline(OfflineCause::PortLost);
        }
        self.recovery.trouble = OfflineCause::PortLost;
        self.recovery.not_before = now;
    }

    /// It said something in its turn.
    pub(super) fn heard(&mut self, now: Moment) {
        self.recovery.misses = 0;
        self.recovery.not_before = now;
    }

    /// It said something that is believed, in a session that is up.
    pub(super) fn sound(&mut self, now: Moment) {
        self.recovery.last_sound = now;
    }

    /// It is busy: the same bytes again later, but not for ever.
    pub(super) fn busy(&mut self, now: Moment) {
        count(&mut self.counters.busy);
        self.heard(now);
        self.recovery.trouble = OfflineCause::Busy;
        self.recovery.not_before = now.plus(BUSY_PAUSE);
        let Some(sent) = &mut self.in_flight else {
            return;
        };
        // A reader that is busy is there: it is no try that failed.
        sent.tries = sent.tries.saturating_sub(1);
        let since = *sent.busy_since.get_or_insert(now);
        if now.since(since) >= BUSY_MAX {
            self.begin_again();
        }
    }

    /// A session is fully up.
    pub(super) fn came_up(&mut self, now: Moment) {
        count(&mut self.counters.sessions);
        self.recovery.failures = 0;
        self.recovery.last_fault = None;
        self.recovery.reported = Reported::Online;
        self.sound(now);
    }

    /// It lost the session or the sequence; the next one begins at once, or soon if that
    /// happens all the time.
    pub(super) fn restart(&mut self, now: Moment) {
        let is_again = |last: Moment| now.since(last) < RESTART_SPACING;
        let pause = if self.recovery.last_restart.is_some_and(is_again) {
            RESTART_PAUSE
        } else {
            Duration::ZERO
        };
        self.recovery.last_restart = Some(now);
        self.recovery.trouble = OfflineCause::SessionRefused;
        self.begin_again();
        self.recovery.not_before = now.plus(pause);
    }

    /// It refuses to open a session.
    pub(super) fn fail(&mut self, now: Moment) {
        count(&mut self.counters.handshake_failures);
        self.recovery.failures = self.recovery.failures.saturating_add(1);
        self.recovery.trouble = OfflineCause::SessionRefused;
        self.begin_again();
        let pause = pause(&FAILURE_PAUSES, self.recovery.failures);
        self.recovery.not_before = now.plus(pause);
    }

    /// It did not prove who it is.
    pub(super) fn distrust(&mut self, fault: SecurityFault, now: Moment) {
        self.fail(now);
        self.recovery.trouble = OfflineCause::Security;
        self.tell_fault(fault);
        if fault == SecurityFault::RepeatedRandom {
            // Some readers repeat a row of numbers after a restart: it is soon through.
            self.recovery.not_before = now.plus(pause(&FAILURE_PAUSES, 1));
        }
    }

    /// Somebody forged a frame, or the two sides have lost each other: the session ends.
    pub(super) fn bad_mac(&mut self, now: Moment) {
        count(&mut self.counters.bad_macs);
        let is_old = |last: Moment| now.since(last) >= MAC_MEMORY;
        if self.recovery.last_bad_mac.is_none_or(is_old) {
            self.recovery.bad_macs = 0;
        }
        self.recovery.last_bad_mac = Some(now);
        self.recovery.bad_macs = self.recovery.bad_macs.saturating_add(1);
        self.recovery.trouble = OfflineCause::Security;
        self.begin_again();
        let pause = pause(&MAC_PAUSES, self.recovery.bad_macs);
        self.recovery.not_before = now.plus(pause);
        self.tell_fault(SecurityFault::BadMac);
    }

    /// Tells of a fault unless the one before was the same.
    pub(super) fn tell_fault(&mut self, fault: SecurityFault) {
        if self.recovery.last_fault != Some(fault) {
            self.recovery.last_fault = Some(fault);
            self.tell(PeripheralEvent::SecurityFault(fault));
        }
    }

    /// Forgets the session with its keys and orders.
    pub(super) fn begin_again(&mut self) {
        let in_flight = match self.in_flight.take() {
            Some(InFlight {
                purpose: Purpose::Order(order),
                ..
            }) => Some(order),
            Some(_) | None => None,
        };
        let outputs = std::mem::take(&mut self.outputs);
        let others = std::mem::take(&mut self.others);
        let waiting = outputs.into_iter().chain(others).map(|w| w.order);
        for order in in_flight.into_iter().chain(waiting) {
            let failure = OrderFailure::SessionEnded;
            self.tell(PeripheralEvent::Refused { order, failure });
        }
        self.phase = Phase::Identify;
        self.next_sequence = 0;
        self.identity = None;
        self.unique = None;
    }

    fn report_offline(&mut self, cause: OfflineCause) {
        self.recovery.reported = Reported::Offline;
        self.recovery.last_fault = None;
        self.tell(PeripheralEvent::Offline { cause });
    }
}
