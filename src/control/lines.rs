//! What passes between doors and the serial lines: reports up, orders down.
//!
//! `field` implements [`ReaderLines`]; nothing here knows what a frame is.

use std::sync::Arc;

use zeroize::Zeroizing;

use super::StrikeRelease;
use crate::types::{BusName, Moment, ReaderAddress, ReaderId, ReaderSecurity, Terminal, UtcTime};
use crate::wire::card::RawCard;

/// A reader as its line has to know it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReaderPlan {
    /// The reader.
    pub reader: ReaderId,
    /// Its line.
    pub bus: BusName,
    /// Its address there.
    pub address: ReaderAddress,
    /// Whether the line has to be secured.
    pub security: ReaderSecurity,
}

/// What a reader is to do.
#[derive(Debug)]
pub enum ReaderOrder {
    /// Release the strike. There is no way to ask this without a durable entry (invariant 1).
    Release {
        /// The output.
        output: Terminal,
        /// What allows it, and for how long.
        release: StrikeRelease,
    },
    /// Lock the strike.
    Lock {
        /// The output.
        output: Terminal,
    },
    /// Show something to whoever stands there.
    Show(Indication),
}

/// What a reader shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Indication {
    /// Nothing in particular.
    Idle,
    /// Type your PIN.
    AskPin,
    /// You may pass.
    Granted,
    /// You may not.
    Denied,
    /// Nothing can be decided now; ask the desk.
    Trouble,
    /// The door stands open and will raise an alarm soon.
    HeldWarning,
}

/// Keys typed at a reader: `0`..`9`, `*` and `#`; at most 12 at a time, wiped when dropped.
#[derive(Clone, PartialEq, Eq)]
pub struct TypedKeys(pub Zeroizing<String>);

impl std::fmt::Debug for TypedKeys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("TypedKeys([redacted])")
    }
}

/// What is heard of a reader.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ReaderEvent {
    /// It answers, as securely as was asked for.
    Online,
    /// It does not answer any more.
    Offline,
    /// Its line cannot be used; why, in words.
    LineDown(Arc<str>),
    /// What came was not from a reader with its key; what it was, in words.
    NotTrusted(&'static str),
    /// A card was presented.
    Card(RawCard),
    /// Keys were typed.
    Keys(TypedKeys),
    /// Its switches.
    Switches {
        /// Its housing is open.
        is_tampered: bool,
        /// Its power fails.
        is_power_failing: bool,
    },
    /// Its inputs, the first first.
    Inputs(Vec<bool>),
    /// An order to its strike came through.
    StrikeSet {
        /// The output.
        output: Terminal,
        /// Whether it was a release.
        is_release: bool,
    },
    /// It would not, or could not in time, do what its strike was ordered.
    StrikeRefused {
        /// The output.
        output: Terminal,
    },
}

/// What is heard of a reader, and when.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FromReader {
    /// The reader.
    pub reader: ReaderId,
    /// When the last byte of it came.
    pub at: Moment,
    /// What.
    pub event: ReaderEvent,
}

/// Why an order was not taken; the door stays as it is.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LineFault {
    /// The reader is not on any line.
    #[error("reader `{0}` is on no line")]
    Unknown(ReaderId),
    /// It does not answer, or is not trusted.
    #[error("reader `{0}` is offline")]
    Offline(ReaderId),
    /// Too many orders wait for it.
    #[error("too many orders wait for reader `{0}`")]
    Full(ReaderId),
}

/// What can be said of a reader.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LinkState {
    /// It answers, over a secured line.
    Secure,
    /// It answers in clear, as it was configured.
    Plain,
    /// It does not answer.
    Offline,
    /// It answers, but not with its key, and is not listened to.
    Refused,
    /// Its line cannot be used.
    LineDown,
}

/// Counted of a reader since the server started.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct LinkCounters {
    /// Frames sent to it.
    pub commands: u64,
    /// Sound answers.
    pub replies: u64,
    /// Answers that did not come.
    pub timeouts: u64,
    /// Frames sent once more.
    pub retries: u64,
    /// Frames whose check was wrong.
    pub bad_frames: u64,
    /// Frames whose authentication code was wrong.
    pub bad_macs: u64,
    /// Frames dropped for their address, sequence or time.
    pub dropped: u64,
    /// Answers that it was busy.
    pub busy: u64,
    /// Refusals.
    pub naks: u64,
    /// Sessions begun.
    pub sessions: u64,
    /// Cards read.
    pub cards: u64,
}

/// A reader as its line sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LinkStatus {
    /// What it is planned as.
    pub plan: ReaderPlan,
    /// Path of the serial port; empty where the line is not configured.
    pub port: String,
    /// What can be said of it.
    pub state: LinkState,
    /// Why it is not online, in words; empty if it is.
    pub trouble: String,
    /// Vendor code, six hex digits; empty until it has told.
    pub vendor: String,
    /// Model and version.
    pub model: String,
    /// Serial number, eight hex digits.
    pub serial: String,
    /// Version of its firmware.
    pub firmware: String,
    /// Whether its tamper switch is open.
    pub is_tampered: bool,
    /// Whether it says that its power fails.
    pub is_power_failing: bool,
    /// Its inputs as they were read last, the first first; empty until they were, and while it is
    /// not online.
    pub inputs: Vec<bool>,
    /// When it answered last.
    pub heard_at: Option<UtcTime>,
    /// Counted since the server started.
    pub counters: LinkCounters,
}

/// The serial lines of the site. No call blocks.
pub trait ReaderLines: Send + Sync + std::fmt::Debug {
    /// Sets which readers there are; those that stay as they were keep their sessions.
    fn plan(&self, plans: Vec<ReaderPlan>);

    /// Hands an order to a reader. That it was done is told as an event.
    fn send(&self, reader: &ReaderId, order: ReaderOrder) -> Result<(), LineFault>;

    /// All planned readers, by id.
    fn statuses(&self) -> Vec<LinkStatus>;
}
