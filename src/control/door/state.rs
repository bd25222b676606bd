//! The state of one door, and its steps.

use super::contact::Contact;
use super::exit::Exit;
use super::held::OpenCount;
use super::orders::Answers;
use super::passage::WaitingGrants;
use super::strike::{Strike, Told};
use super::words::{
    ContactReading, DoorEffect, DoorInput, DoorSetup, DriveKind, OrderResult, ReleaseKind,
};
use crate::control::{DoorPosition, LockState, StrikeRelease};
use crate::store::JournalRef;
use crate::types::{AccessPointId, DoorEventKind, DoorId, Moment};

/// Deadlines met in one step at most; each is met once, and few begin another.
const DEADLINES_MAX: usize = 64;

/// One door.
///
/// ```text
///            grant, order to open                order to unlock
///  Locked ------------------------> Released ----------------------> Unlocked
///    ^   strike time over, opened,     |        order to lock, time over  |
///    +------ order to lock, refused ---+------------------------------<---+
///
///  Unknown: what drives the door cannot be reached, or did not say that it locked.
/// ```
#[derive(Debug)]
pub struct DoorState {
    pub(super) door: DoorId,
    pub(super) setup: DoorSetup,
    /// Never goes back.
    pub(super) clock: Moment,
    pub(super) is_online: bool,
    pub(super) strike: Strike,
    pub(super) waiting: WaitingGrants,
    pub(super) contact: Contact,
    pub(super) exit: Exit,
    pub(super) count: OpenCount,
    pub(super) is_forced: bool,
    /// Whether it was forced or held, and has not been seen closed since.
    pub(super) has_to_close: bool,
    pub(super) answers: Answers,
    /// Of the step that is being made.
    pub(super) effects: Vec<DoorEffect>,
}

/// What has come when a deadline has.
#[derive(Debug, Clone, Copy)]
enum Deadline {
    ContactSettles,
    ReleaseEnds,
    LingeringEnds,
    StandingEnds,
    Keep,
    LockAgain,
    Warn,
    Held,
    Unanswered,
}

impl DoorState {
    /// A door of which nothing is known yet; what drives it counts as offline.
    pub fn new(door: DoorId, setup: DoorSetup, now: Moment) -> Self {
        Self {
            door,
            setup,
            clock: now,
            is_online: false,
            strike: Strike::default(),
            waiting: WaitingGrants::default(),
            contact: Contact::default(),
            exit: Exit::default(),
            count: OpenCount::default(),
            is_forced: false,
            has_to_close: false,
            answers: Answers::default(),
            effects: Vec::new(),
        }
    }

    /// Takes what was heard, and tells what is to be done, in this order.
    ///
    /// Deadlines that have passed are met first. Times that go back count as the latest one.
    pub fn step(&mut self, input: DoorInput, now: Moment) -> Vec<DoorEffect> {
        self.clock = self.clock.max(now);
        self.meet_deadlines();
        match input {
            DoorInput::Granted {
                unlock,
                access_point,
            } => self.granted(unlock, access_point),
            DoorInput::Ordered(ordered) => self.ordered(ordered),
            DoorInput::Contact(reading) => self.contact_read(reading, now),
            DoorInput::RequestToExit(reading) => self.exit_read(reading, now),
            DoorInput::DriveOnline => self.online(),
            DoorInput::DriveOffline => self.lose(),
            DoorInput::StrikeSet { is_release } => self.strike_set(is_release),
            DoorInput::StrikeRefused => self.strike_refused(),
            DoorInput::Tick => {}
            DoorInput::Reconfigured(setup) => self.reconfigured(setup),
        }
        self.meet_deadlines();
        std::mem::take(&mut self.effects)
    }

    /// When to step with [`DoorInput::Tick`]; always after the last step. `None`: not by itself.
    pub fn next_deadline(&self) -> Option<Moment> {
        self.deadline().map(|(at, _)| at)
    }

    /// Ends the door, because it is taken away or hangs on something else from now on.
    pub fn end(mut self) -> Vec<DoorEffect> {
        if self.strike.end(self.clock) {
            self.lock(None);
        }
        self.lose();
        self.all_clear();
        self.effects
    }

    /// Whether what drives it can be reached.
    pub fn is_online(&self) -> bool {
        self.is_online
    }

    /// Whether it is locked.
    pub fn lock_state(&self) -> LockState {
        if !self.is_online {
            LockState::Unknown
        } else if self.strike.standing().is_some() {
            LockState::Unlocked
        } else if self.strike.is_released() {
            LockState::Released
        } else if self.strike.is_known {
            LockState::Locked
        } else {
            LockState::Unknown
        }
    }

    /// Whether it stands open.
    pub fn position(&self) -> DoorPosition {
        self.contact
            .settled()
            .map_or(DoorPosition::Unknown, ContactReading::position)
    }

    /// Until when it is left unlocked.
    pub fn unlocked_until(&self) -> Option<Moment> {
        self.strike.standing_ends_at()
    }

    fn deadline(&self) -> Option<(Moment, Deadline)> {
        let timing = &self.setup.timing;
        [
            (self.contact.settles_at(), Deadline::ContactSettles),
            (self.strike.release_ends_at(), Deadline::ReleaseEnds),
            (self.strike.lingers_until(), Deadline::LingeringEnds),
            (self.strike.standing_ends_at(), Deadline::StandingEnds),
            (self.strike.kept_at(), Deadline::Keep),
            (self.strike.lock_again_at(), Deadline::LockAgain),
            (self.count.warns_at(timing), Deadline::Warn),
            (self.count.held_at(timing), Deadline::Held),
            (self.answers.next_silent_at(), Deadline::Unanswered),
        ]
        .into_iter()
        .filter_map(|(at, deadline)| Some((at?, deadline)))
        .min_by_key(|(at, _)| *at)
    }

    fn meet_deadlines(&mut self) {
        for _ in 0..DEADLINES_MAX {
            match self.deadline() {
                Some((at, deadline)) if at <= self.clock => self.meet(deadline, at),
                Some(_) | None => return,
            }
        }
    }

    fn meet(&mut self, deadline: Deadline, at: Moment) {
        match deadline {
            Deadline::ContactSettles => self.contact_settles(),
            Deadline::ReleaseEnds | Deadline::StandingEnds => {
                self.end_release(at);
                self.lock(None);
            }
            Deadline::LingeringEnds => {
                self.strike.linger_no_more();
                self.end_waiting();
            }
            Deadline::Keep => self.keep(),
            Deadline::LockAgain => {
                self.strike.lock_again_no_more();
                self.lock(None);
            }
            Deadline::Warn => self.warn(),
            Deadline::Held => self.held(),
            Deadline::Unanswered => {
                let silent = self.answers.take_silent(self.clock);
                self.answer(silent, OrderResult::Silent);
            }
        }
    }

    /// What drives the door has begun anew: it is told where it stands before anything else.
    fn online(&mut self) {
        self.lose();
        self.is_online = true;
        if self.strike.standing().is_some() {
            self.keep();
        } else {
            self.lock(None);
        }
    }

    /// What was heard of the door no longer counts. Alarms stand until it is seen closed.
    fn lose(&mut self) {
        self.is_online = false;
        self.strike.lose();
        self.waiting.forget();
        self.contact = Contact::default();
        self.exit = Exit::default();
        self.stop_counting();
        let unanswered = self.answers.take_all();
        self.answer(unanswered, OrderResult::Silent);
    }

    fn reconfigured(&mut self, setup: DoorSetup) {
        self.setup = setup;
        if !setup.has_contact {
            self.contact = Contact::default();
            self.waiting.lose_sight();
            self.stop_counting();
            self.all_clear();
        }
        if !setup.has_request_to_exit {
            self.exit = Exit::default();
        }
    }

    /// Releases the strike, if this is the door that may be opened.
    pub(super) fn release(&mut self, release: StrikeRelease, kind: ReleaseKind) -> bool {
        if !self.is_online || *release.door() != self.door {
            return false;
        }
        self.effects.push(DoorEffect::Release { release, kind });
        true
    }

    /// Tells the strike to lock. A controller locks by itself and is told orders only.
    pub(super) fn lock(&mut self, entry: Option<JournalRef>) {
        if self.is_online && (entry.is_some() || self.setup.drive == DriveKind::Reader) {
            self.strike.told(Told::Lock);
            self.effects.push(DoorEffect::Lock(entry));
        }
    }

    pub(super) fn event(&mut self, kind: DoorEventKind, access_point: Option<AccessPointId>) {
        self.effects.push(DoorEffect::Event { kind, access_point });
    }
}
