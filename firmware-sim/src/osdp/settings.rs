//! What a reader is and how it behaves.

use std::fmt;
use std::time::Duration;

/// Highest address of a reader (OSDP 2.2, 5.9.2); 0x7F is everybody's.
pub(crate) const ADDRESS_MAX: u8 = 126;
/// Smallest receive buffer of a reader in bytes (OSDP 2.2, 5.7).
pub(crate) const RECEIVE_BYTES_MIN: u16 = 128;
/// Largest frame in bytes (OSDP 2.2, 5.6).
pub(crate) const RECEIVE_BYTES_MAX: u16 = 1440;
/// Inputs or outputs of one reader at most.
const CONTACTS_MAX: u8 = 32;
/// Bytes of a key.
const KEY_BYTES: usize = 16;

/// Settings that no reader has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidSettings {
    /// Addresses are 0..=126.
    #[error("a reader's address is 0 to 126, not {0}")]
    Address(u8),
    /// Two readers on one line have the same address.
    #[error("two readers have the address {0}")]
    AddressTwice(u8),
    /// A receive buffer holds 128..=1440 bytes.
    #[error("a reader receives 128 to 1440 bytes, not {0}")]
    ReceiveBytes(u16),
    /// A reader has at most 32 inputs and 32 outputs.
    #[error("a reader has at most 32 inputs and 32 outputs, not {0}")]
    Contacts(u8),
    /// A key is 32 hexadecimal digits.
    #[error("a key is 32 hexadecimal digits")]
    Key,
    /// There is no reader of that address on the line.
    #[error("there is no reader with the address {0}")]
    NoReader(u8),
}

/// A key of the secure channel (SCBK), 128 bits.
///
/// `Debug` redacts it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct SecureKey([u8; KEY_BYTES]);

impl SecureKey {
    /// The key that every reader has before it is given one (SCBK-D; OSDP 2.2, D.3).
    pub const DEFAULT: Self = Self([
        0x30, 0x31, 0x32, 0x33, 0x34, 0x35, 0x36, 0x37, 0x38, 0x39, 0x3A, 0x3B, 0x3C, 0x3D, 0x3E,
        0x3F,
    ]);

    /// A key of these bytes.
    pub const fn new(bytes: [u8; KEY_BYTES]) -> Self {
        Self(bytes)
    }

    /// A key from 32 hexadecimal digits of either case; space around them is ignored.
    pub fn from_hex(text: &str) -> Result<Self, InvalidSettings> {
        let digits = text.trim().as_bytes();
        if digits.len() != 2 * KEY_BYTES {
            return Err(InvalidSettings::Key);
        }
        let mut bytes = [0; KEY_BYTES];
        for (byte, pair) in bytes.iter_mut().zip(digits.chunks(2)) {
            for digit in pair {
                let value = char::from(*digit).to_digit(16);
                let value = value.and_then(|value| u8::try_from(value).ok());
                *byte = (*byte << 4) | value.ok_or(InvalidSettings::Key)?;
            }
        }
        Ok(Self(bytes))
    }

    pub(crate) const fn bytes(&self) -> &[u8; KEY_BYTES] {
        &self.0
    }
}

impl fmt::Debug for SecureKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecureKey([redacted])")
    }
}

/// Who a reader says it is (PDID; OSDP 2.2, 7.4).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Identity {
    /// The vendor, an IEEE OUI.
    pub vendor: [u8; 3],
    /// The vendor's number of the model.
    pub model: u8,
    /// Its version.
    pub version: u8,
    /// Serial number.
    pub serial: u32,
    /// Firmware: major, minor, build.
    pub firmware: [u8; 3],
}

impl Identity {
    /// The 12 bytes of PDID.
    pub(crate) fn bytes(&self) -> [u8; 12] {
        let [v0, v1, v2] = self.vendor;
        let [s0, s1, s2, s3] = self.serial.to_le_bytes();
        let [f0, f1, f2] = self.firmware;
        [
            v0,
            v1,
            v2,
            self.model,
            self.version,
            s0,
            s1,
            s2,
            s3,
            f0,
            f1,
            f2,
        ]
    }

    /// The client's UID of the handshake: the first 8 bytes of PDID (OSDP 2.2, D.4).
    pub(crate) fn client_uid(&self) -> [u8; 8] {
        let [u0, u1, u2, u3, u4, u5, u6, u7, ..] = self.bytes();
        [u0, u1, u2, u3, u4, u5, u6, u7]
    }
}

/// In which reply a reader hands a card over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum CardReport {
    /// As bits: RAW (OSDP 2.2, 7.10).
    #[default]
    Raw,
    /// As characters, two hexadecimal digits a byte: FMT (OSDP 2.2, 7.11).
    Fmt,
}

/// What a reader is and how it behaves.
#[expect(
    clippy::struct_excessive_bools,
    reason = "switches of a device, each on its own"
)]
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReaderSettings {
    /// Its address on the line, 0..=126.
    pub address: u8,
    /// Its key; without one it has the default key alone, and that in install mode.
    pub key: Option<SecureKey>,
    /// Whether it does nothing outside the secure channel but say who it is.
    pub is_secure_enforced: bool,
    /// Whether it answers the default key and so can be given a key.
    pub is_install_mode: bool,
    /// Whether a new address or baud rate is taken (COMSET).
    pub accepts_comset: bool,
    /// Who it says it is.
    pub identity: Identity,
    /// Number of inputs, 0..=32.
    pub inputs: u8,
    /// Number of outputs, 0..=32.
    pub outputs: u8,
    /// Whether a change of an output is reported on POLL.
    pub reports_outputs: bool,
    /// How cards are handed over.
    pub card_report: CardReport,
    /// Largest frame it takes in bytes, 128..=1440.
    pub receive_bytes: u16,
    /// From the last byte of a command to the first of the reply; `None` is the line's.
    pub turnaround: Option<Duration>,
}

impl ReaderSettings {
    /// A reader with the secure channel enforced under `key`, 4 inputs and 2 outputs.
    pub fn secure(address: u8, key: SecureKey) -> Self {
        Self {
            key: Some(key),
            is_secure_enforced: true,
            ..Self::plain(address)
        }
    }

    /// A reader that knows no key and does everything in clear, 4 inputs and 2 outputs.
    pub fn plain(address: u8) -> Self {
        Self {
            address,
            key: None,
            is_secure_enforced: false,
            is_install_mode: false,
            accepts_comset: false,
            identity: Identity {
                vendor: [0x5C, 0x26, 0x23],
                model: 1,
                version: 1,
                serial: 0x0001_0000 | u32::from(address),
                firmware: [1, 0, 0],
            },
            inputs: 4,
            outputs: 2,
            reports_outputs: false,
            card_report: CardReport::Raw,
            receive_bytes: 256,
            turnaround: None,
        }
    }

    pub(crate) fn check(&self) -> Result<(), InvalidSettings> {
        if self.address > ADDRESS_MAX {
            return Err(InvalidSettings::Address(self.address));
        }
        if !(RECEIVE_BYTES_MIN..=RECEIVE_BYTES_MAX).contains(&self.receive_bytes) {
            return Err(InvalidSettings::ReceiveBytes(self.receive_bytes));
        }
        let contacts = self.inputs.max(self.outputs);
        if contacts > CONTACTS_MAX {
            return Err(InvalidSettings::Contacts(contacts));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_32_hexadecimal_digits() {
        let default = "303132333435363738393a3b3c3d3E3F\n";
        assert_eq!(SecureKey::from_hex(default), Ok(SecureKey::DEFAULT));
        for bad in ["", "30", "3031323334353637383x3a3b3c3d3e3f"] {
            assert_eq!(SecureKey::from_hex(bad), Err(InvalidSettings::Key));
        }
    }

    #[test]
    fn debug_redacts_the_key() {
        let shown = format!("{:?}", ReaderSettings::secure(1, SecureKey::DEFAULT));
        assert!(shown.contains("[redacted]") && !shown.contains("49"));
    }
}
