//! What the strike was last told, and until when that allows an opening.

use std::time::Duration;

use crate::control::{KEEP_RELEASED, Standing};
use crate::types::Moment;

/// How long after a release has ended an opening still belongs to it.
///
/// The door may be opened at the last moment, and the slowest line tells it 0.33 s later.
pub const HEARD_WITHIN: Duration = Duration::from_millis(500);

/// How long after it was opened a door is locked again, behind whoever passes.
///
/// Long enough for the leaf to leave the strike, short enough to lock before it falls back.
pub const LOCKS_BEHIND: Duration = Duration::from_millis(500);

/// How often a door that is left unlocked is released anew: three times before it would lock.
pub const KEPT_EVERY: Duration = Duration::from_secs(3);

/// How long after a lock was refused it is tried again.
pub const LOCK_AGAIN_AFTER: Duration = Duration::from_secs(1);

/// How often in a row. A reader that refuses so often locks by its own timer or not at all.
pub const LOCK_TRIES_MAX: u8 = 5;

const _: () = assert!(3 * KEPT_EVERY.as_millis() < KEEP_RELEASED.as_millis());

/// What the strike was told last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Told {
    Release,
    Lock,
}

/// Released for one passage.
#[derive(Debug)]
struct Release {
    since: Moment,
    renewed_at: Moment,
    lasts: Duration,
    ends_at: Moment,
    /// How many orders to release have not been answered.
    unanswered_count: u32,
    /// When it ends because the door was opened.
    locks_at: Option<Moment>,
}

/// Left unlocked.
#[derive(Debug)]
struct Unlocked {
    standing: Standing,
    since: Moment,
    kept_at: Option<Moment>,
}

/// An opening since then still belongs to what has ended, until this is forgotten.
#[derive(Debug)]
struct Lingering {
    since: Moment,
    until: Moment,
}

/// The strike as it was told to be.
#[derive(Debug, Default)]
pub(super) struct Strike {
    release: Option<Release>,
    unlocked: Option<Unlocked>,
    lingering: Option<Lingering>,
    pub(super) told: Option<Told>,
    /// Whether the device has said that it is as it was told.
    pub(super) is_known: bool,
    lock_again_at: Option<Moment>,
    lock_tries: u8,
}

impl Strike {
    /// Whether it is released for a passage.
    pub(super) fn is_released(&self) -> bool {
        self.release.is_some()
    }

    /// The order by which it is left unlocked.
    pub(super) fn standing(&self) -> Option<&Standing> {
        self.unlocked.as_ref().map(|unlocked| &unlocked.standing)
    }

    /// Whether nothing allows an opening now or a moment ago.
    pub(super) fn is_over(&self) -> bool {
        self.release.is_none() && self.unlocked.is_none() && self.lingering.is_none()
    }

    /// Whether an opening at this moment was allowed.
    pub(super) fn allows(&self, at: Moment) -> bool {
        self.release.as_ref().is_some_and(|r| r.since <= at)
            || self.unlocked.as_ref().is_some_and(|u| u.since <= at)
            || self.lingering.as_ref().is_some_and(|l| l.since <= at)
    }

    /// Since when openings have been allowed without a pause.
    fn since(&self, now: Moment) -> Moment {
        let release = self.release.as_ref().map(|r| r.since);
        let unlocked = self.unlocked.as_ref().map(|u| u.since);
        let lingering = self.lingering.as_ref().map(|l| l.since);
        release.or(unlocked).or(lingering).unwrap_or(now)
    }

    /// A release was ordered that has to reach the device within `valid_for`.
    pub(super) fn begin_release(&mut self, lasts: Duration, valid_for: Duration, now: Moment) {
        let unanswered = self.release.as_ref().map_or(0, |r| r.unanswered_count);
        self.release = Some(Release {
            since: self.since(now),
            renewed_at: now,
            lasts,
            ends_at: now.plus(valid_for).plus(lasts),
            unanswered_count: unanswered.saturating_add(1),
            locks_at: None,
        });
        self.lingering = None;
        self.told(Told::Release);
    }

    /// Is left unlocked from now on.
    pub(super) fn begin_standing(&mut self, standing: Standing, now: Moment) {
        let since = self.since(now);
        self.release = None;
        self.lingering = None;
        self.unlocked = Some(Unlocked {
            standing,
            since,
            kept_at: None,
        });
    }

    /// Was kept released; when to do so again.
    pub(super) fn kept(&mut self, again_at: Option<Moment>) {
        if let Some(unlocked) = &mut self.unlocked {
            unlocked.kept_at = again_at;
        }
        self.told(Told::Release);
    }

    /// The device has a new order.
    pub(super) fn told(&mut self, told: Told) {
        self.told = Some(told);
        self.lock_again_at = None;
        if told == Told::Release {
            self.lock_tries = 0;
        }
    }

    /// The device has released: its time counts from here.
    pub(super) fn released(&mut self, now: Moment) {
        if let Some(release) = &mut self.release
            && release.unanswered_count > 0
        {
            release.unanswered_count = release.unanswered_count.saturating_sub(1);
            release.ends_at = now.plus(release.lasts);
        }
    }

    /// The device has locked.
    pub(super) fn locked(&mut self) {
        self.is_known = true;
        self.lock_again_at = None;
        self.lock_tries = 0;
    }

    /// The device refused to lock.
    pub(super) fn lock_refused(&mut self, now: Moment) {
        self.is_known = false;
        if self.lock_tries < LOCK_TRIES_MAX {
            self.lock_tries = self.lock_tries.saturating_add(1);
            self.lock_again_at = Some(now.plus(LOCK_AGAIN_AFTER));
        }
    }

    /// The time to lock once more has come.
    pub(super) fn lock_again_no_more(&mut self) {
        self.lock_again_at = None;
    }

    /// The door was opened: the release ends soon, unless it was given after that.
    pub(super) fn opened(&mut self, at: Moment) {
        if let Some(release) = self.release.as_mut().filter(|r| r.renewed_at <= at) {
            release.locks_at = Some(at.plus(LOCKS_BEHIND));
        }
    }

    /// Ends the release and the standing unlock; whether there was any.
    pub(super) fn end(&mut self, at: Moment) -> bool {
        if self.release.is_none() && self.unlocked.is_none() {
            return false;
        }
        self.lingering = Some(Lingering {
            since: self.since(at),
            until: at.plus(HEARD_WITHIN),
        });
        self.release = None;
        self.unlocked = None;
        true
    }

    /// An opening no longer belongs to what has ended.
    pub(super) fn linger_no_more(&mut self) {
        self.lingering = None;
    }

    /// The device cannot be reached; only the standing order is still known.
    pub(super) fn lose(&mut self) {
        let mut unlocked = self.unlocked.take();
        if let Some(unlocked) = &mut unlocked {
            unlocked.kept_at = None;
        }
        *self = Self {
            unlocked,
            ..Self::default()
        };
    }

    /// When the release ends.
    pub(super) fn release_ends_at(&self) -> Option<Moment> {
        let release = self.release.as_ref()?;
        Some(
            release
                .locks_at
                .unwrap_or(release.ends_at)
                .min(release.ends_at),
        )
    }

    /// When the standing unlock ends.
    pub(super) fn standing_ends_at(&self) -> Option<Moment> {
        self.standing().map(Standing::until)
    }

    /// When to keep the strike released.
    pub(super) fn kept_at(&self) -> Option<Moment> {
        self.unlocked.as_ref()?.kept_at
    }

    /// When openings no longer belong to what has ended.
    pub(super) fn lingers_until(&self) -> Option<Moment> {
        self.lingering.as_ref().map(|l| l.until)
    }

    /// When to lock once more.
    pub(super) fn lock_again_at(&self) -> Option<Moment> {
        self.lock_again_at
    }
}
