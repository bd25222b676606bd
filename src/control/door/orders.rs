//! Grants and orders, and what the strike says to them.

use std::time::Duration;

use super::passage::Waiting;
use super::state::DoorState;
use super::strike::{KEPT_EVERY, Told};
use super::words::{DoorEffect, DriveKind, OrderResult, ReleaseKind};
use crate::control::{GRANT_AGE_MAX, Ordered, Standing, Unlock};
use crate::store::JournalRef;
use crate::types::{AccessPointId, DoorEventKind, Moment};

/// How long an order waits for what the strike says to it.
///
/// Longer than an order may wait for its line, so that a refusal comes before it.
pub const ANSWERED_WITHIN: Duration = Duration::from_secs(3);

/// Orders that wait for their answers at most; of an older one nobody knows.
const UNANSWERED_MAX: usize = 8;

const _: () = assert!(GRANT_AGE_MAX.as_millis() < ANSWERED_WITHIN.as_millis());

/// An order that was sent.
#[derive(Debug)]
pub(super) struct Unanswered {
    entry: JournalRef,
    told: Told,
    silent_at: Moment,
}

/// The orders that were sent and are not answered, oldest first.
#[derive(Debug, Default)]
pub(super) struct Answers(Vec<Unanswered>);

impl Answers {
    fn add(&mut self, entry: JournalRef, told: Told, now: Moment) -> Vec<Unanswered> {
        self.0.push(Unanswered {
            entry,
            told,
            silent_at: now.plus(ANSWERED_WITHIN),
        });
        let excess = self.0.len().saturating_sub(UNANSWERED_MAX);
        self.0.drain(..excess).collect()
    }

    fn take(&mut self, told: Told) -> Vec<Unanswered> {
        self.0.extract_if(.., |one| one.told == told).collect()
    }

    /// Takes those that have waited too long.
    pub(super) fn take_silent(&mut self, now: Moment) -> Vec<Unanswered> {
        self.0.extract_if(.., |one| one.silent_at <= now).collect()
    }

    /// Takes all.
    pub(super) fn take_all(&mut self) -> Vec<Unanswered> {
        std::mem::take(&mut self.0)
    }

    /// When the first has waited too long.
    pub(super) fn next_silent_at(&self) -> Option<Moment> {
        self.0.iter().map(|one| one.silent_at).min()
    }
}

impl DoorState {
    /// Somebody may pass.
    pub(super) fn granted(&mut self, unlock: Unlock, access_point: AccessPointId) {
        if !self.is_online || *unlock.door() != self.door {
            self.event(DoorEventKind::AccessNotTaken, Some(access_point));
            return;
        }
        if self.release_once(unlock) && self.strike.standing().is_none() {
            let waiting = Waiting {
                access_point,
                granted_at: self.clock,
                is_watched: self.contact.is_quietly_closed(),
            };
            self.waiting.add(waiting);
        }
    }

    /// An order is on disk.
    pub(super) fn ordered(&mut self, ordered: Ordered) {
        match ordered {
            Ordered::Open(unlock) => self.ordered_open(unlock),
            Ordered::Lock(entry) => self.ordered_lock(entry),
            Ordered::Unlock(standing) => self.ordered_unlock(standing),
        }
    }

    fn ordered_open(&mut self, unlock: Unlock) {
        let entry = unlock.entry().clone();
        if !self.is_online || *unlock.door() != self.door {
            self.answer_one(entry, OrderResult::Refused);
        } else if self.release_once(unlock) {
            if self.strike.standing().is_some() {
                self.answer_one(entry, OrderResult::Done);
            } else {
                self.await_answer(entry, Told::Release);
            }
        }
    }

    /// Ends what was allowed, also where the strike cannot be told now.
    fn ordered_lock(&mut self, entry: JournalRef) {
        self.end_release(self.clock);
        if self.is_online {
            self.lock(Some(entry.clone()));
            self.await_answer(entry, Told::Lock);
        } else {
            self.answer_one(entry, OrderResult::Refused);
        }
    }

    fn ordered_unlock(&mut self, standing: Standing) {
        let entry = standing.entry().clone();
        let is_mine = standing
            .keep(self.clock)
            .is_some_and(|release| *release.door() == self.door);
        if !self.is_online || !is_mine {
            self.answer_one(entry, OrderResult::Refused);
            return;
        }
        self.strike.begin_standing(standing, self.clock);
        self.waiting.forget();
        self.stop_counting();
        self.not_held();
        self.keep();
        self.await_answer(entry, Told::Release);
    }

    /// Releases for one passage; false if that came too late.
    ///
    /// A door that is left unlocked is not told so: its own release lasts longer.
    fn release_once(&mut self, unlock: Unlock) -> bool {
        let lasts = self.setup.timing.strike_time();
        match unlock.release(lasts, self.clock) {
            Err(stale) => {
                self.effects.push(DoorEffect::Stale(stale));
                false
            }
            Ok(_) if self.strike.standing().is_some() => true,
            Ok(release) => {
                let valid_for = release.valid_for(self.clock);
                self.strike.begin_release(lasts, valid_for, self.clock);
                self.count_anew();
                self.release(release, ReleaseKind::Once)
            }
        }
    }

    /// Keeps a door released that is left unlocked. A controller is handed the whole order once.
    pub(super) fn keep(&mut self) {
        let Some(standing) = self.strike.standing() else {
            return;
        };
        let (release, again_at) = match self.setup.drive {
            DriveKind::Reader => (standing.keep(self.clock), Some(self.clock.plus(KEPT_EVERY))),
            DriveKind::Controller => (standing.whole(self.clock), None),
        };
        self.strike.kept(again_at);
        if let Some(release) = release {
            self.release(release, ReleaseKind::Standing);
        }
    }

    /// An order to the strike came through.
    pub(super) fn strike_set(&mut self, is_release: bool) {
        if !self.is_online {
            return;
        }
        if is_release {
            self.strike.released(self.clock);
        }
        if !is_release || self.setup.drive == DriveKind::Controller {
            self.strike.locked();
        }
        let told = if is_release {
            Told::Release
        } else {
            Told::Lock
        };
        let answered = self.answers.take(told);
        self.answer(answered, OrderResult::Done);
    }

    /// The newest order to the strike was refused.
    pub(super) fn strike_refused(&mut self) {
        let Some(told) = self.strike.told else {
            return;
        };
        let refused = self.answers.take(told);
        let is_refused = self
            .strike
            .standing()
            .is_none_or(|standing| refused.iter().any(|one| one.entry == *standing.entry()));
        self.answer(refused, OrderResult::Refused);
        match told {
            Told::Release if is_refused => {
                self.end_release(self.clock);
                self.lock(None);
            }
            // A door that was unlocked before is kept so at the next turn.
            Told::Release => {}
            Told::Lock if self.setup.drive == DriveKind::Reader => {
                self.strike.lock_refused(self.clock);
            }
            Told::Lock => self.strike.is_known = false,
        }
    }

    /// Nothing allows the door to be opened from this moment on.
    pub(super) fn end_release(&mut self, at: Moment) {
        let was_standing = self.strike.standing().is_some();
        self.strike.end(at);
        if was_standing {
            self.count_if_open(at);
        }
    }

    /// Grants that were not used, where that is known.
    pub(super) fn end_waiting(&mut self) {
        for access_point in self.waiting.end() {
            self.event(DoorEventKind::AccessNotTaken, Some(access_point));
        }
    }

    fn await_answer(&mut self, entry: JournalRef, told: Told) {
        let forgotten = self.answers.add(entry, told, self.clock);
        self.answer(forgotten, OrderResult::Silent);
    }

    fn answer_one(&mut self, entry: JournalRef, result: OrderResult) {
        self.effects.push(DoorEffect::Answer { entry, result });
    }

    pub(super) fn answer(&mut self, answered: Vec<Unanswered>, result: OrderResult) {
        for one in answered {
            self.answer_one(one.entry, result);
        }
    }
}
