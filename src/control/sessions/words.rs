//! Commands for controllers, and what can be said of the lines to them.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::control::StrikeRelease;
use crate::store::JournalRef;
use crate::types::{ControllerId, DoorId, Moment, UtcTime};

/// What a controller is to do.
#[derive(Debug)]
pub enum SessionCommand {
    /// Release a strike once. There is no way to ask this without a durable entry (invariant 1).
    Open(StrikeRelease),
    /// Leave a door unlocked until a time.
    Unlock(StrikeRelease, UtcTime),
    /// Lock a door.
    Lock {
        /// The door.
        door: DoorId,
        /// The order's entry.
        entry: JournalRef,
    },
}

impl SessionCommand {
    /// The door.
    pub fn door(&self) -> &DoorId {
        match self {
            Self::Open(release) | Self::Unlock(release, _) => release.door(),
            Self::Lock { door, .. } => door,
        }
    }

    /// The entry.
    pub fn entry(&self) -> &JournalRef {
        match self {
            Self::Open(release) | Self::Unlock(release, _) => release.entry(),
            Self::Lock { entry, .. } => entry,
        }
    }

    /// How much longer it may be acted on; `None` for what never becomes too old.
    pub fn valid_for(&self, now: Moment) -> Option<Duration> {
        match self {
            Self::Open(release) | Self::Unlock(release, _) => Some(release.valid_for(now)),
            Self::Lock { .. } => None,
        }
    }

    /// Whether it came too late to be acted on.
    pub fn is_stale(&self, now: Moment) -> bool {
        self.valid_for(now).is_some_and(|left| left.is_zero())
    }
}

/// What became of a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CommandResult {
    /// It was done.
    Done,
    /// It came too late, and was not done.
    Expired,
    /// The door could not do it.
    Failed,
}

/// Why it is not known what became of a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SessionFault {
    /// The controller has no session, or too many commands wait for it. Nothing was sent.
    #[error("the controller cannot be reached")]
    Offline,
    /// It did not answer in time. The command may have been carried out.
    #[error("the controller does not answer")]
    Silent,
}

/// Names a command; no two of a site are alike.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommandId(pub(super) Arc<str>);

impl fmt::Display for CommandId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A command on its way to a controller.
#[derive(Debug)]
pub struct Outgoing {
    /// Its name.
    pub id: CommandId,
    /// What is to be done.
    pub command: SessionCommand,
}

/// What is known of the line to a controller.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Link {
    /// It has a session.
    Online,
    /// It has said goodbye, or the server has ended its session on purpose.
    Left,
    /// Its session broke off, or it went silent.
    Lost,
}

/// That a session was opened, or that a controller has none any more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LinkChange {
    /// The controller.
    pub controller: ControllerId,
    /// What is known of its line now. `Online` is told anew when a session replaces another.
    pub link: Link,
}

/// Why the server ends a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SessionEnd {
    /// The controller has opened another.
    Replaced,
    /// Nothing was heard for two beats.
    Silent,
}

/// What a session has to do next.
#[derive(Debug)]
pub enum SessionStep {
    /// Send a command.
    Command(Outgoing),
    /// Say that the server is there.
    Beat,
    /// End.
    Ended(SessionEnd),
}
