//! Bits of a card as a reader handed them over.

use std::fmt;

/// Bits of a card before any format is read into them.
#[derive(Clone, PartialEq, Eq)]
pub struct RawCard {
    /// How many bits.
    pub bit_length: u16,
    /// The bits; the first is the highest of byte 0, those past the length are cleared.
    pub bits: Vec<u8>,
}

impl fmt::Debug for RawCard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "RawCard {{ bit_length: {}, [redacted] }}",
            self.bit_length
        )
    }
}
