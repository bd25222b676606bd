//! A reader as the OSDP standard describes one, without a line: bytes in, bytes out.
//!
//! Written from the standard alone; the server has its own reading of it, and the two meet on
//! the wire.

mod answer;
mod codes;
mod events;
mod fault;
mod frame;
mod observed;
mod orders;
mod outputs;
mod reader;
mod secure;
mod session;
mod settings;

#[cfg(test)]
mod panel;
#[cfg(test)]
mod reader_tests;

pub use events::InvalidKeys;
pub(crate) use events::check_keys;
pub use fault::{Fault, FaultKind};
#[cfg(test)]
pub(crate) use frame::check_again;
pub use observed::{Counters, Exchange, LedOrder, LedPattern, Observed, Seen};
pub(crate) use reader::Reader;
pub use settings::{CardReport, Identity, InvalidSettings, ReaderSettings, SecureKey};
