//! The controlling end of an OSDP line, sans-I/O: bytes and moments in, bytes and events out.
//!
//! Facts are those of SIA OSDP 2.2 (IEC 60839-11-5).
//! Read in this order: [`Bus`] is what an owner of a port drives; a session per reader decides
//! which command comes next and what a reply means; the secure channel, replies, commands and
//! frames are codecs.

mod bus;

mod schedule;

mod session;

mod secure;

mod reply;

mod command;

mod splitter;

mod frame;

mod check;

mod settings;

mod event;

mod order;

mod counters;

mod key;

mod address;

pub use address::{Address, InvalidAddress};
pub use bus::{Bus, Progress, Step};
pub use command::{Command, CommandCode};
pub use counters::{Counters, LineCounters};
pub use event::{
    Capabilities, Capability, FormattedCard, HeadStatus, Identity, Key, Keys, NakCode,
    OfflineCause, OrderFailure, PeripheralEvent, SecurityFault,
};
pub use frame::{BlockKind, FRAME_BYTES_MAX, Frame, FrameError, SecurityBlock};
pub use key::{SecureKey, WeakKey};
pub use order::{
    Blink, BuzzerOrder, InvalidText, LedColor, LedOrder, OrderRefused, OutputControl,
    PeripheralOrder, TemporaryBlink, TextOrder, Tone,
};
pub use reply::{ClientProof, Reply, ReplyCode, ReplyError};
pub use settings::{AddError, Baud, BusSettings, CheckKind, PeripheralSettings, Security};
pub use splitter::Splitter;

#[cfg(test)]
mod tests;
