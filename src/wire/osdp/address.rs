//! Where a reader sits on its line.

use std::fmt;

/// Not an address of a peripheral.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be an address of 0 to 126, not `{0}`")]
pub struct InvalidAddress(pub u8);

/// Address of a peripheral on its line, 0..=126; 127 is everybody and never used here
/// (OSDP 2.2, packet format).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Address(u8);

impl Address {
    /// From its number.
    pub fn new(number: u8) -> Result<Self, InvalidAddress> {
        if number < BROADCAST {
            Ok(Self(number))
        } else {
            Err(InvalidAddress(number))
        }
    }

    /// Its number, 0..=126.
    pub fn number(self) -> u8 {
        self.0
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The address that everybody answers.
const BROADCAST: u8 = 0x7F;
