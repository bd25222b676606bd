//! What operators ask of doors, and what is known of them.

use crate::store::{AppendError, JournalRef};
use crate::types::{DoorId, UtcTime};

/// Whether a door is locked, as far as is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LockState {
    /// Nothing was heard of it yet.
    Unknown,
    /// Locked.
    Locked,
    /// Released for one passage.
    Released,
    /// Left unlocked by an order.
    Unlocked,
}

/// Whether a door stands open, as far as is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DoorPosition {
    /// It has no contact, or nothing was heard of it yet.
    Unknown,
    /// Closed.
    Closed,
    /// Open.
    Open,
}

/// What is known of a door at a moment; nothing of it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DoorStatus {
    /// The door.
    pub door: DoorId,
    /// Whether what drives it can be reached.
    pub is_online: bool,
    /// Whether it is locked.
    pub lock: LockState,
    /// Whether it stands open.
    pub position: DoorPosition,
    /// Until when it is left unlocked.
    pub unlocked_until: Option<UtcTime>,
    /// When something was heard of it last.
    pub heard_at: Option<UtcTime>,
}

/// Why an order was not carried out, as far as is known.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OrderError {
    /// There is no such door.
    #[error("door `{0}` is not there")]
    NoDoor(DoorId),
    /// What drives the door cannot be reached; nothing was written, nothing will be done.
    #[error("what drives door `{0}` cannot be reached")]
    Offline(DoorId),
    /// Nothing could be written, so nothing was done.
    #[error(transparent)]
    Append(#[from] AppendError),
    /// It was written too late to be acted on, and was not done.
    #[error("the order `{}` came too late", .0.name())]
    Stale(JournalRef),
    /// It was sent, and the door did not answer in time: nobody knows.
    #[error("the door did not answer the order `{}`", .0.name())]
    Silent(JournalRef),
    /// The door said that it could not do it.
    #[error("the door could not do the order `{}`", .0.name())]
    Refused(JournalRef),
    /// The server is stopping; whether it was done is not known, the journal tells.
    #[error("the server is stopping; look at door `{0}`")]
    Stopping(DoorId),
}
