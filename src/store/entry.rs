//! What the scribe is asked to write, and what it answers.

use crate::store::receipt::{JournalRef, Receipt};
use crate::types::{
    AccessPointId, Caller, Decision, Denial, DoorEventKind, DoorId, DoorOrder, Grant, Moment,
    PinEvidence, PresentedCard, ReasonSet, SourceEvent, UtcTime,
};

/// Where an entry was born, and a keyed hash of the request that brought it.
///
/// The hash tells the same request from another one under the same counter (invariant 14).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// The event's identity.
    pub event: SourceEvent,
    /// Keyed hash of the request's body.
    pub body: [u8; 16],
}

/// An attempt that Sluss decided.
#[derive(Debug, Clone)]
pub struct AttemptEntry {
    /// Where it was born; `None` for a reader that Sluss polls.
    pub source: Option<Source>,
    /// Where it was made.
    pub access_point: AccessPointId,
    /// The card.
    pub card: PresentedCard,
    /// What was known of the PIN.
    pub pin: PinEvidence,
    /// What was decided.
    pub decision: Decision,
    /// Version of the rules it was decided with.
    pub rules_version: u64,
    /// When it was decided, by the wall clock.
    pub event_at: UtcTime,
    /// When it was decided; the age of a grant counts from here.
    pub decided: Moment,
}

/// Something that a controller reports after the fact, or that Sluss sees at a door of its own.
#[derive(Debug, Clone)]
pub struct ReportedEntry {
    /// Where it was born; `None` for a door that Sluss watches itself.
    pub source: Option<Source>,
    /// Where it happened.
    pub access_point: AccessPointId,
    /// When, by the clock of whoever saw it.
    pub event_at: UtcTime,
    /// What happened.
    pub what: Reported,
}

/// What a controller reports.
#[derive(Debug, Clone)]
pub enum Reported {
    /// A field event.
    DoorEvent(DoorEventKind),
    /// An attempt that it decided by its own rules.
    Attempt {
        /// The card.
        card: PresentedCard,
        /// Whether it let the person pass.
        granted: bool,
        /// Why not, where it knows.
        reasons: ReasonSet,
    },
}

/// What somebody orders at a door.
#[derive(Debug, Clone)]
pub struct OrderEntry {
    /// The door.
    pub door: DoorId,
    /// What is to be done.
    pub order: DoorOrder,
    /// Who orders it.
    pub actor: Caller,
    /// When, by the wall clock.
    pub event_at: UtcTime,
    /// When it was ordered; its age counts from here.
    pub ordered: Moment,
}

/// What became of an attempt.
#[derive(Debug)]
#[must_use]
pub enum Recorded {
    /// Granted, and on disk.
    Grant(Receipt<Grant>),
    /// Denied, and on disk.
    Denial(Receipt<Denial>),
    /// Known already, and too old to be answered again.
    AlreadyDecided(JournalRef),
    /// The rules have lost something since it was decided: decide again (invariant 10).
    DecideAgain,
}

/// That a reported entry is on disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Acknowledged {
    /// Its number at the source; 0 where Sluss saw it itself.
    pub counter: u64,
    /// Its entry.
    pub entry: JournalRef,
    /// Whether it was known before.
    pub already_known: bool,
}

/// An act of somebody, or of the server itself, for the journal alone.
#[derive(Debug, Clone)]
pub struct Act {
    /// Its kind.
    pub kind: crate::pb::store::JournalKind,
    /// Who; `None` for the server itself.
    pub actor: Option<Caller>,
    /// What, in words without names.
    pub detail: String,
}

/// Why nothing was written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AppendError {
    /// The queue is full; try again, or decide by your own rules.
    #[error("the log's queue is full")]
    QueueFull,
    /// The log cannot be written.
    #[error("the log cannot be written: {0}")]
    Unavailable(String),
    /// The access point was removed meanwhile.
    #[error("access point `{0}` was removed")]
    Gone(AccessPointId),
    /// The door was removed meanwhile.
    #[error("door `{0}` was removed")]
    DoorGone(DoorId),
    /// The counter was used for another request.
    #[error("counter {0} was used for another request")]
    CounterReused(u64),
}
