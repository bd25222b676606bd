//! Who may pass and has not yet, and an opening with what allowed it.

use crate::types::{AccessPointId, Moment};

/// Grants at one door that wait for it to be opened, at most; of an older one nothing is claimed.
pub const WAITING_MAX: usize = 8;

/// A grant whose holder has not been seen to pass.
#[derive(Debug)]
pub(super) struct Waiting {
    /// Where it was given.
    pub(super) access_point: AccessPointId,
    /// When.
    pub(super) granted_at: Moment,
    /// Whether the door has been seen closed ever since; else nobody knows who passed.
    pub(super) is_watched: bool,
}

/// A contact that opened, with what allowed it at that moment.
#[derive(Debug)]
pub(super) struct Opening {
    /// When.
    pub(super) at: Moment,
    /// Whether anything did.
    pub(super) is_allowed: bool,
    /// The grants that it used.
    pub(super) taken: Vec<Waiting>,
}

/// The grants that wait, oldest first; at most [`WAITING_MAX`].
#[derive(Debug, Default)]
pub(super) struct WaitingGrants(Vec<Waiting>);

impl WaitingGrants {
    /// Adds one.
    pub(super) fn add(&mut self, waiting: Waiting) {
        self.0.push(waiting);
        self.trim();
    }

    /// Takes those that were given no later than this.
    pub(super) fn take_until(&mut self, at: Moment) -> Vec<Waiting> {
        self.0.extract_if(.., |w| w.granted_at <= at).collect()
    }

    /// Gives back what was taken by an opening that was none.
    pub(super) fn give_back(&mut self, mut taken: Vec<Waiting>) {
        taken.append(&mut self.0);
        self.0 = taken;
        self.trim();
    }

    /// The door is open: of those that wait nothing can be said any more unless it opens anew.
    pub(super) fn lose_sight(&mut self) {
        self.0.iter_mut().for_each(|w| w.is_watched = false);
    }

    /// Forgets all without a claim.
    pub(super) fn forget(&mut self) {
        self.0.clear();
    }

    /// Ends all; where those were given that certainly were not used.
    pub(super) fn end(&mut self) -> impl Iterator<Item = AccessPointId> + use<> {
        let ended = std::mem::take(&mut self.0).into_iter();
        ended.filter(|w| w.is_watched).map(|w| w.access_point)
    }

    fn trim(&mut self) {
        let excess = self.0.len().saturating_sub(WAITING_MAX);
        self.0.drain(..excess);
    }
}
