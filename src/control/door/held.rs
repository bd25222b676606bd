//! How long a door stands open.

use crate::types::{DoorTiming, Moment};

/// Counts while a door stands open that should not.
#[derive(Debug, Default)]
pub(super) struct OpenCount {
    since: Option<Moment>,
    /// Whether the reader warns.
    pub(super) is_warning: bool,
    /// Whether the alarm was raised, and stands.
    pub(super) is_held: bool,
}

impl OpenCount {
    /// Counts from a moment on.
    pub(super) fn begin(&mut self, since: Moment) {
        self.since = Some(since);
    }

    /// Counts no more.
    pub(super) fn stop(&mut self) {
        self.since = None;
    }

    /// Whether it counts.
    pub(super) fn is_counting(&self) -> bool {
        self.since.is_some()
    }

    /// When to warn; a door whose warning would come with the alarm has none.
    pub(super) fn warns_at(&self, timing: &DoorTiming) -> Option<Moment> {
        let since = self.since.filter(|_| !self.is_warning && !self.is_held)?;
        let before = timing.held_after().checked_sub(timing.pre_alarm())?;
        (!timing.pre_alarm().is_zero()).then(|| since.plus(before))
    }

    /// When the door is held.
    pub(super) fn held_at(&self, timing: &DoorTiming) -> Option<Moment> {
        let since = self.since.filter(|_| !self.is_held)?;
        Some(since.plus(timing.held_after()))
    }
}
