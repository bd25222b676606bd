//! Credentials: cards, badges, PINs.
//!
//! Everything here is personal data or leads to it: no `Display`, and a `Debug` that redacts.

use std::fmt;
use std::sync::Arc;

use zeroize::Zeroizing;

use super::{BadgeId, PersonId, Validity};

/// Longest card identity in bits.
const CARD_BITS_MAX: u32 = 512;
/// Longest printed badge number in bytes.
const BADGE_NUMBER_BYTES_MAX: usize = 40;

/// A card that cannot be one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidCard {
    /// The format's name is not 1..=16 characters of `A-Za-z0-9_-`.
    #[error("a card format is 1 to 16 characters of A-Z, a-z, 0-9, - and _")]
    Format,
    /// Not 1..=512 bits.
    #[error("a card has 1 to 512 bits")]
    BitLength,
    /// Not `ceil(bit_length / 8)` bytes.
    #[error("`bits` must be ceil(bit_length / 8) bytes long")]
    ByteLength,
}

/// A PIN that cannot be one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a PIN is 4 to 12 digits")]
pub struct InvalidPin;

/// Text that is too long, empty, or holds control characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be 1 to {0} bytes of text without control characters")]
pub struct InvalidText(pub usize);

/// Checks a text that people read: not empty, bounded, no control characters.
pub(super) fn parse_text(text: &str, bytes_max: usize) -> Result<Arc<str>, InvalidText> {
    let fits = !text.trim().is_empty() && text.len() <= bytes_max;
    if fits && !text.chars().any(char::is_control) {
        Ok(Arc::from(text))
    } else {
        Err(InvalidText(bytes_max))
    }
}

/// Name of a card format, for example `H10301`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CardFormat(Arc<str>);

impl CardFormat {
    /// Parses it.
    pub fn parse(text: &str) -> Result<Self, InvalidCard> {
        let good = |c: u8| c.is_ascii_alphanumeric() || c == b'-' || c == b'_';
        if (1..=16).contains(&text.len()) && text.bytes().all(good) {
            Ok(Self(Arc::from(text)))
        } else {
            Err(InvalidCard::Format)
        }
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Identity of a card: format, bit length and exact bits (READERS.md, "Cards").
///
/// Bits past the length are cleared, so that equal cards are equal values.
#[derive(Clone, PartialEq, Eq)]
pub struct Card {
    format: CardFormat,
    bit_length: u32,
    bits: Vec<u8>,
}

impl Card {
    /// From what a reader handed over; `bits` holds the first bit in the highest bit of byte 0.
    pub fn new(
        format: CardFormat,
        bit_length: u32,
        mut bits: Vec<u8>,
    ) -> Result<Self, InvalidCard> {
        if !(1..=CARD_BITS_MAX).contains(&bit_length) {
            return Err(InvalidCard::BitLength);
        }
        if u32::try_from(bits.len()) != Ok(bit_length.div_ceil(8)) {
            return Err(InvalidCard::ByteLength);
        }
        let pad = bits
            .len()
            .saturating_mul(8)
            .saturating_sub(usize::try_from(bit_length).unwrap_or(0));
        if let Some(last) = bits.last_mut() {
            *last &= 0xFF_u8
                .checked_shl(u32::try_from(pad).unwrap_or(0))
                .unwrap_or(0);
        }
        Ok(Self {
            format,
            bit_length,
            bits,
        })
    }

    /// Its format.
    pub fn format(&self) -> &CardFormat {
        &self.format
    }

    /// Its length in bits.
    pub fn bit_length(&self) -> u32 {
        self.bit_length
    }

    /// Its bits, those past the length cleared.
    pub fn bits(&self) -> &[u8] {
        &self.bits
    }
}

impl fmt::Debug for Card {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "Card({} {} bits [redacted])",
            self.format.as_str(),
            self.bit_length
        )
    }
}

/// Keyed look-up of a card's identity: HMAC-SHA-256 under the index key, cut to 16 bytes.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CardKey([u8; 16]);

impl CardKey {
    /// From its bytes.
    pub fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// Its bytes.
    pub fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }
}

impl fmt::Debug for CardKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CardKey([redacted])")
    }
}

/// The number printed on a badge; text, 1..=40 bytes.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct BadgeNumber(Arc<str>);

impl BadgeNumber {
    /// Parses it.
    pub fn parse(text: &str) -> Result<Self, InvalidText> {
        parse_text(text, BADGE_NUMBER_BYTES_MAX).map(Self)
    }

    /// The text, for those who may have it.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for BadgeNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("BadgeNumber([redacted])")
    }
}

/// A PIN as typed, 4..=12 digits; wiped when dropped.
#[derive(Clone)]
pub struct Pin(Zeroizing<String>);

impl Pin {
    /// Parses it.
    pub fn parse(text: &str) -> Result<Self, InvalidPin> {
        if (4..=12).contains(&text.len()) && text.bytes().all(|c| c.is_ascii_digit()) {
            Ok(Self(Zeroizing::new(text.to_owned())))
        } else {
            Err(InvalidPin)
        }
    }

    /// The digits, to be hashed.
    pub fn reveal(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

impl fmt::Debug for Pin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Pin([redacted])")
    }
}

/// State of a badge; the words follow ONVIF.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum BadgeState {
    /// In use.
    Active,
    /// Held back by an operator.
    Blocked,
    /// Reported lost.
    Lost,
    /// Reported stolen.
    Stolen,
    /// Broken.
    Damaged,
    /// Not used for too long.
    Inactive,
    /// Handed back.
    Returned,
    /// Destroyed.
    Destroyed,
}

/// A badge and who holds it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Badge {
    /// Its id.
    pub id: BadgeId,
    /// Who holds it.
    pub person: PersonId,
    /// Its state.
    pub state: BadgeState,
    /// When it may be used.
    pub validity: Validity,
    /// Keyed look-up of the card in it.
    pub card: CardKey,
    /// The printed number; `None` where its key is lost.
    pub number: Option<BadgeNumber>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pad_bits_do_not_make_another_card() {
        let format = CardFormat::parse("H10301").unwrap();
        let a = Card::new(format.clone(), 26, vec![0x95, 0x18, 0x1C, 0xC0]).unwrap();
        let b = Card::new(format.clone(), 26, vec![0x95, 0x18, 0x1C, 0xFF]).unwrap();
        assert_eq!(a, b);
        assert_eq!(
            Card::new(format.clone(), 26, vec![0; 3]),
            Err(InvalidCard::ByteLength)
        );
        assert_eq!(
            Card::new(format, 513, vec![0; 65]),
            Err(InvalidCard::BitLength)
        );
    }

    #[test]
    fn debug_redacts() {
        let pin = Pin::parse("4711").unwrap();
        let number = BadgeNumber::parse("B-1042").unwrap();
        let shown = format!("{pin:?} {number:?} {:?}", CardKey::from_bytes([7; 16]));
        assert!(!shown.contains("4711") && !shown.contains("1042") && !shown.contains('7'));
    }
}
