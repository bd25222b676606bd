//! One door on a line of time, for tests: tells when what came of it, in words.

use std::time::Duration;

use super::{
    ContactReading, DoorEffect, DoorInput, DoorSetup, DoorState, DriveKind, ExitReading,
    ReleaseKind,
};
use crate::control::{Ordered, Unlock};
use crate::store::{order_receipt_for_tests, receipt_for_tests};
use crate::types::{AccessPointId, DoorId, DoorOrder, DoorTiming, Moment, UtcTime};

/// On a reader, with everything: 5 s strike, held after 30 s, warns 10 s before.
pub(super) const FULL: DoorSetup = DoorSetup {
    drive: DriveKind::Reader,
    timing: DoorTiming::USUAL,
    has_contact: true,
    has_request_to_exit: true,
};

pub(super) fn at(ms: u64) -> Moment {
    Moment::from_start(Duration::from_millis(ms))
}

pub(super) fn ms(moment: Moment) -> u64 {
    u64::try_from(moment.since(at(0)).as_millis()).unwrap()
}

/// What a test does to a door.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Do {
    /// A grant at this side, `in` or `out`.
    Grant(&'static str),
    /// A grant whose entry was written two seconds ago while it was on its way here.
    LateGrant,
    Open,
    Lock,
    /// For so many milliseconds.
    Unlock(u64),
    Opens,
    Closes,
    Press,
    Leave,
    Online,
    Offline,
    Set(bool),
    Refused,
    Tick,
    Setup(DoorSetup),
}

fn unlock(recorded: u64) -> Unlock {
    let receipt = receipt_for_tests(at(recorded));
    Unlock::from_receipt(receipt, at(recorded)).unwrap().0
}

fn ordered(order: DoorOrder, lasts: u64, now: u64) -> DoorInput {
    let receipt = order_receipt_for_tests(order, at(now));
    let lasts = Duration::from_millis(lasts);
    DoorInput::Ordered(Ordered::from_receipt(receipt, lasts, at(now)).unwrap())
}

pub(super) fn input(what: Do, now: u64) -> DoorInput {
    let until = UtcTime::EPOCH;
    match what {
        Do::Grant(side) => DoorInput::Granted {
            unlock: unlock(now),
            access_point: AccessPointId::parse(side).unwrap(),
        },
        Do::LateGrant => DoorInput::Granted {
            unlock: unlock(now.saturating_sub(2_000)),
            access_point: AccessPointId::parse("in").unwrap(),
        },
        Do::Open => ordered(DoorOrder::Open, 0, now),
        Do::Lock => ordered(DoorOrder::Lock, 0, now),
        Do::Unlock(lasts) => ordered(DoorOrder::Unlock { until }, lasts, now),
        Do::Opens => DoorInput::Contact(ContactReading::Open),
        Do::Closes => DoorInput::Contact(ContactReading::Closed),
        Do::Press => DoorInput::RequestToExit(ExitReading::Active),
        Do::Leave => DoorInput::RequestToExit(ExitReading::Inactive),
        Do::Online => DoorInput::DriveOnline,
        Do::Offline => DoorInput::DriveOffline,
        Do::Set(is_release) => DoorInput::StrikeSet { is_release },
        Do::Refused => DoorInput::StrikeRefused,
        Do::Tick => DoorInput::Tick,
        Do::Setup(setup) => DoorInput::Reconfigured(setup),
    }
}

/// An effect in a few words.
pub(super) fn words(effect: &DoorEffect) -> String {
    match effect {
        DoorEffect::Release { release, kind } => {
            let name = match kind {
                ReleaseKind::Once => "release",
                ReleaseKind::Standing => "keep",
            };
            format!("{name} {}", release.lasts().as_millis())
        }
        DoorEffect::Lock(None) => "lock".to_owned(),
        DoorEffect::Lock(Some(_)) => "lock by order".to_owned(),
        DoorEffect::Event { kind, access_point } => match access_point {
            Some(side) => format!("{kind:?} {side}"),
            None => format!("{kind:?}"),
        },
        DoorEffect::Raise { kind, .. } => format!("raise {kind:?}"),
        DoorEffect::Clear(kind) => format!("clear {kind:?}"),
        DoorEffect::Show(warning) => format!("warning {warning:?}"),
        DoorEffect::Stale(_) => "stale".to_owned(),
        DoorEffect::Answer { result, .. } => format!("answer {result:?}"),
    }
}

/// A door, and all that came of it, with the time in milliseconds.
#[derive(Debug)]
pub(super) struct Line {
    pub(super) state: DoorState,
    pub(super) log: Vec<(u64, String)>,
}

impl Line {
    pub(super) fn new(setup: DoorSetup) -> Self {
        let state = DoorState::new(DoorId::parse("d").unwrap(), setup, at(0));
        Self {
            state,
            log: Vec::new(),
        }
    }

    /// Closed, locked and online since the beginning.
    pub(super) fn ready(setup: DoorSetup) -> Self {
        let mut line = Self::new(setup);
        for what in [Do::Online, Do::Set(false), Do::Closes, Do::Leave] {
            line.step(what, 0);
        }
        line.log.clear();
        line
    }

    /// Steps once, exactly now.
    pub(super) fn step(&mut self, what: Do, now: u64) -> Vec<DoorEffect> {
        let effects = self.state.step(input(what, now), at(now));
        self.log.extend(effects.iter().map(|e| (now, words(e))));
        effects
    }

    /// Ticks at each deadline up to and with a moment.
    pub(super) fn run_to(&mut self, now: u64) {
        while let Some(deadline) = self.state.next_deadline().filter(|d| *d <= at(now)) {
            self.step(Do::Tick, ms(deadline));
        }
    }

    /// Does things at their times, with the ticks between.
    pub(super) fn play(&mut self, story: &[(u64, Do)]) {
        for (now, what) in story {
            self.run_to(*now);
            self.step(*what, *now);
        }
    }
}
