//! What a bus has to tell.

use std::fmt;

use super::PeripheralOrder;
use crate::wire::card::RawCard;

/// Who a reader says it is (OSDP 2.2, `osdp_PDID`), read inside the session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// IEEE number of the vendor.
    pub vendor: [u8; 3],
    /// Model.
    pub model: u8,
    /// Version of the model.
    pub version: u8,
    /// Serial number.
    pub serial: u32,
    /// Firmware: major, minor, build.
    pub firmware: [u8; 3],
    /// Unique number told in the handshake; `None` in a plain session.
    pub unique: Option<[u8; 8]>,
}

/// One thing a reader says it can do (OSDP 2.2, `osdp_PDCAP`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Capability {
    /// Code of the function.
    pub function: u8,
    /// How far it goes.
    pub compliance: u8,
    /// How many there are.
    pub count: u8,
}

/// All a reader says it can do; at most 64. Never changes how it is spoken to.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Capabilities(pub Vec<Capability>);

/// Why a reader is offline.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum OfflineCause {
    /// Nothing sound was heard for too long.
    NoReply,
    /// It said nothing but that it is busy.
    Busy,
    /// It refused to open a session.
    SessionRefused,
    /// It does not prove that it knows the key, or somebody forges its words.
    Security,
    /// The port is gone.
    PortLost,
}

/// Why an attempt to speak was not believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SecurityFault {
    /// Its cryptogram is not made with its key.
    WrongKey,
    /// It answers with the key every reader is delivered with.
    DefaultKey,
    /// Its random number was seen before.
    RepeatedRandom,
    /// A frame in a session carries a wrong authentication code; the session has ended.
    BadMac,
    /// A card or keys came unencrypted in a session; they were dropped.
    Unencrypted,
}

/// Why a reader refuses a command (OSDP 2.2, `osdp_NAK`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum NakCode {
    /// Check of the frame is wrong (01).
    BadCheck,
    /// Length of the command is wrong (02).
    CommandLength,
    /// Unknown command (03).
    UnknownCommand,
    /// Unexpected sequence number (04).
    Sequence,
    /// Security block not supported (05).
    SecurityBlock,
    /// A secure channel is required (06).
    SecurityRequired,
    /// Kind of biometric not supported (07).
    BiometricType,
    /// Biometric format not supported (08).
    BiometricFormat,
    /// The command cannot be done (09).
    CannotProcess,
    /// Any other code.
    Other(u8),
}

/// What became of an order that was not done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum OrderFailure {
    /// The reader refused it.
    Nak(NakCode),
    /// The session ended first; whether the reader did it is not known.
    SessionEnded,
    /// It waited too long and was not sent.
    TooOld,
    /// The reader answered something that is no answer to it.
    Unexpected,
}

/// One key of a keypad.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Key {
    /// A digit, 0..=9.
    Digit(u8),
    /// The star, `*`, mostly "clear".
    Star,
    /// The hash, `#`, mostly "enter".
    Hash,
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Key([redacted])")
    }
}

/// Keys in the order they were pressed, at least one.
#[derive(Clone, PartialEq, Eq)]
pub struct Keys(pub Vec<Key>);

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Keys([redacted])")
    }
}

/// A card that the reader turned into characters itself (OSDP 2.2, `osdp_FMT`).
#[derive(Clone, PartialEq, Eq)]
pub struct FormattedCard {
    /// Whether it was read from its end.
    pub is_reverse: bool,
    /// Printable ASCII.
    pub characters: String,
}

impl fmt::Debug for FormattedCard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("FormattedCard([redacted])")
    }
}

/// How a read head of the device is (OSDP 2.2, `osdp_RSTATR`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum HeadStatus {
    /// Well.
    Normal,
    /// Not connected.
    NotConnected,
    /// Tampered with.
    Tamper,
}

/// Something a reader did or said. Cards and keys come from a session that is fully up alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PeripheralEvent {
    /// A session is fully up. Comes again for each new session, also after a break too short
    /// for [`PeripheralEvent::Offline`]; the reader may have restarted, so that lights and
    /// outputs are to be set anew.
    Online {
        /// Who it says it is.
        identity: Identity,
        /// What it says it can do.
        capabilities: Capabilities,
        /// Whether the secure channel protects it.
        is_secure: bool,
    },
    /// Nothing sound was heard for `offline_after`, or the port is gone.
    Offline {
        /// Why.
        cause: OfflineCause,
    },
    /// A card, as bits.
    Card(RawCard),
    /// A card, as characters.
    FormattedCard(FormattedCard),
    /// Keys.
    Keys(Keys),
    /// State of the device: told once after [`PeripheralEvent::Online`], when the reader says so,
    /// and whenever it is asked: every few seconds, more seldom on a slow or full line.
    LocalStatus {
        /// Whether it is tampered with.
        tamper: bool,
        /// Whether its power fails.
        power_failed: bool,
    },
    /// All inputs, from number 0; told as often as the local status.
    Inputs(Vec<bool>),
    /// All outputs, from number 0.
    Outputs(Vec<bool>),
    /// All read heads, from number 0.
    Heads(Vec<HeadStatus>),
    /// The reader acknowledged an order.
    Performed {
        /// Which.
        order: PeripheralOrder,
    },
    /// An order was not done, or nobody can tell.
    Refused {
        /// Which.
        order: PeripheralOrder,
        /// Why.
        failure: OrderFailure,
    },
    /// Something was not believed. Of equal ones in a row the first alone; all are counted.
    SecurityFault(SecurityFault),
}
