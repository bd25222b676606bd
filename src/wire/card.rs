//! Cards as readers hand them over.

use std::fmt;

/// The bits of a card as a reader handed them over, the first in the highest bit of byte 0.
#[derive(Clone, PartialEq, Eq)]
pub struct RawCard {
    bit_length: u16,
    bits: Vec<u8>,
}

impl RawCard {
    /// From a reader's answer; `None` unless there are 1..=512 bits in as many bytes as they need.
    pub fn new(bit_length: u16, bits: Vec<u8>) -> Option<Self> {
        let bytes = usize::from(bit_length).div_ceil(8);
        let fits = (1..=512).contains(&bit_length) && bits.len() == bytes;
        fits.then_some(Self { bit_length, bits })
    }

    /// Number of bits.
    pub fn bit_length(&self) -> u16 {
        self.bit_length
    }

    /// The bits; those past the length mean nothing.
    pub fn bits(&self) -> &[u8] {
        &self.bits
    }
}

impl fmt::Debug for RawCard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RawCard({} bits [redacted])", self.bit_length)
    }
}
