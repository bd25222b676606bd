//! Bits of a card as a reader handed them over.

use std::fmt;

/// Most bits of a card that are taken; the longest known formats have 200.
const BITS_MAX: u16 = 512;

/// Bits of a card before any format is read into them.
#[derive(Clone, PartialEq, Eq)]
pub struct RawCard {
    bit_length: u16,
    bits: Vec<u8>,
}

impl RawCard {
    /// From a reader's answer; `None` unless there are 1..=512 bits in as many bytes as they need.
    pub fn new(bit_length: u16, bits: Vec<u8>) -> Option<Self> {
        let bytes = usize::from(bit_length.div_ceil(8));
        let fits = (1..=BITS_MAX).contains(&bit_length) && bits.len() == bytes;
        fits.then_some(Self { bit_length, bits })
    }

    /// Number of bits.
    pub fn bit_length(&self) -> u16 {
        self.bit_length
    }

    /// The bits; the first is the highest of byte 0, those past the length mean nothing.
    pub fn bits(&self) -> &[u8] {
        &self.bits
    }
}

impl fmt::Debug for RawCard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RawCard({} bits [redacted])", self.bit_length)
    }
}
