//! Card formats as data, and what a reader hands over read into them.
//!
//! A reader on a line hands over bits and their number, and nothing says which format they are:
//! the site says it, reader by reader, with at most one format of each length. The identity of a
//! card is that format, the number of bits and every one of them, parity bits too; never the
//! printed number alone, which exists once in each facility.
//!
//! Parity finds a misread card, not a forged one: whoever can write one bit can write two.

use std::fmt;

use crate::types::{Card, CardCheck, CardFormat, InvalidCard};

/// Name of the format of a card whose length no format of its reader has. No reader can be given it.
pub const RAW: &str = "RAW";
/// Name of the serial number of a contactless card (ISO/IEC 14443-3, UID).
pub const UID: &str = "UID";
/// First byte of a UID of four bytes that the card makes anew each time (ISO/IEC 14443-3).
const UID_RANDOM: u8 = 0x08;

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

/// A card, and whether its reader may hand it over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReadCard {
    /// The card; its format is [`RAW`] where the reader has none of this length.
    pub card: Card,
    /// Whether it may be looked up at all.
    pub check: CardCheck,
}

/// Bits that lie side by side, counted from 1 as data sheets do, both ends included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BitSpan {
    /// The first.
    pub first: u16,
    /// The last.
    pub last: u16,
}

/// Whether the ones among some bits and their parity bit are to be even or odd in number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Parity {
    /// Even.
    Even,
    /// Odd.
    Odd,
}

/// A parity bit, and what it is taken over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ParityRule {
    /// The parity bit, counted from 1.
    pub bit: u16,
    /// The bits it is taken over.
    pub over: BitSpan,
    /// Even or odd, the parity bit counted in.
    pub parity: Parity,
}

/// How the bits of a card of one format and length are laid out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CardLayout {
    /// Name of the format.
    pub format: &'static str,
    /// How many bits.
    pub bit_length: u16,
    /// Where the facility code is.
    pub facility: Option<BitSpan>,
    /// Where the card number is, at most 64 bits.
    pub number: Option<BitSpan>,
    /// The parity bits.
    pub parity: &'static [ParityRule],
}

const fn span(first: u16, last: u16) -> BitSpan {
    BitSpan { first, last }
}

const fn even(bit: u16, over: BitSpan) -> ParityRule {
    let parity = Parity::Even;
    ParityRule { bit, over, parity }
}

const fn odd(bit: u16, over: BitSpan) -> ParityRule {
    let parity = Parity::Odd;
    ParityRule { bit, over, parity }
}

const fn uid(bit_length: u16) -> CardLayout {
    CardLayout {
        format: UID,
        bit_length,
        facility: None,
        number: None,
        parity: &[],
    }
}

/// The parity of both formats of 37 bits; bit 19 is under both.
const PARITY_37: &[ParityRule] = &[even(1, span(2, 19)), odd(37, span(19, 36))];

/// All layouts that are known (HID, "Understanding card data formats"; ISO/IEC 14443-3).
///
/// Vendors contradict each other: `N10002` is 34 bits here with a facility code of 16, which
/// others give 8 and the card number 32. As the identity is every bit, that changes only what
/// [`describe`] says.
pub const LAYOUTS: [CardLayout; 7] = [
    CardLayout {
        format: "H10301",
        bit_length: 26,
        facility: Some(span(2, 9)),
        number: Some(span(10, 25)),
        parity: &[even(1, span(2, 13)), odd(26, span(14, 25))],
    },
    CardLayout {
        format: "N10002",
        bit_length: 34,
        facility: Some(span(2, 17)),
        number: Some(span(18, 33)),
        parity: &[even(1, span(2, 17)), odd(34, span(18, 33))],
    },
    CardLayout {
        format: "H10302",
        bit_length: 37,
        facility: None,
        number: Some(span(2, 36)),
        parity: PARITY_37,
    },
    CardLayout {
        format: "H10304",
        bit_length: 37,
        facility: Some(span(2, 17)),
        number: Some(span(18, 36)),
        parity: PARITY_37,
    },
    uid(32),
    uid(56),
    uid(80),
];

/// Formats that a reader cannot have. The operator's fault.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FormatsFault {
    /// None is named.
    #[error("a reader accepts at least one format")]
    Empty,
    /// There is no such format.
    #[error("`{}` is none of {}", .0.as_str(), names())]
    Unknown(CardFormat),
    /// Two formats have cards of one length, so that nobody could say which a card is of.
    #[error("`{}` and `{}` both have {bit_length} bits", first.as_str(), second.as_str())]
    SameLength {
        /// The one named first.
        first: CardFormat,
        /// The other; the same where one is named twice.
        second: CardFormat,
        /// The length of both.
        bit_length: u16,
    },
}

/// Whether a reader can have these formats: at least one, all known, and no two of one length.
pub fn accepted(formats: &[CardFormat]) -> Result<(), FormatsFault> {
    if formats.is_empty() {
        return Err(FormatsFault::Empty);
    }
    let mut taken: Vec<(u16, &CardFormat)> = Vec::new();
    for format in formats {
        let mut layouts = layouts_of(format).peekable();
        if layouts.peek().is_none() {
            return Err(FormatsFault::Unknown(format.clone()));
        }
        for CardLayout { bit_length, .. } in layouts {
            let same = taken.iter().find(|(length, _)| length == bit_length);
            if let Some((_, first)) = same {
                return Err(FormatsFault::SameLength {
                    first: CardFormat::clone(first),
                    second: format.clone(),
                    bit_length: *bit_length,
                });
            }
            taken.push((*bit_length, format));
        }
    }
    Ok(())
}

/// Reads what a reader with these formats handed over.
///
/// Takes the format of the card's length, by the first named of several, and checks the parity.
/// Where there is none the card is of [`RAW`] and not accepted. What a [`RawCard`] holds can be a
/// card, so the error is one of types, not of what readers send.
pub fn read(formats: &[CardFormat], raw: RawCard) -> Result<ReadCard, InvalidCard> {
    let RawCard { bit_length, bits } = raw;
    let found = formats
        .iter()
        .find_map(|format| Some((format, layout(format, bit_length)?)));
    let format = match found {
        Some((format, _)) => format.clone(),
        None => CardFormat::parse(RAW)?,
    };
    let card = Card::new(format, u32::from(bit_length), bits)?;
    let check = match found {
        Some((_, layout)) => layout.check(card.bits()),
        None => CardCheck::FormatNotAccepted,
    };
    Ok(ReadCard { card, check })
}

/// The numbers in a card, for an operator who compares them with what is printed on it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct CardNumbers {
    /// The facility code, where the format has one.
    pub facility: Option<u64>,
    /// The card number.
    pub number: u64,
}

impl fmt::Debug for CardNumbers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CardNumbers([redacted])")
    }
}

/// The numbers in a card; `None` where its format has none. Never compared with anything.
pub fn describe(card: &Card) -> Option<CardNumbers> {
    let bit_length = u16::try_from(card.bit_length()).ok()?;
    let layout = layout(card.format(), bit_length)?;
    Some(CardNumbers {
        facility: layout.facility.map(|span| number_in(card.bits(), span)),
        number: number_in(card.bits(), layout.number?),
    })
}

/// The layouts of a format, one for each length it has; none of one that is not known.
pub fn layouts_of(format: &CardFormat) -> impl Iterator<Item = &'static CardLayout> {
    LAYOUTS.iter().filter(|l| l.format == format.as_str())
}

/// The layout of a format at one length.
pub fn layout(format: &CardFormat, bit_length: u16) -> Option<&'static CardLayout> {
    layouts_of(format).find(|l| l.bit_length == bit_length)
}

impl CardLayout {
    /// Checks bits that are as many as the layout has.
    fn check(&self, bits: &[u8]) -> CardCheck {
        let is_random = self.format == UID && self.bit_length == 32;
        if is_random && bits.first() == Some(&UID_RANDOM) {
            // A number that is another at the next tap is nobody's.
            return CardCheck::FormatNotAccepted;
        }
        if self.parity.iter().all(|rule| rule.holds(bits)) {
            CardCheck::Sound
        } else {
            CardCheck::ParityFailed
        }
    }
}

impl ParityRule {
    fn holds(self, bits: &[u8]) -> bool {
        let under = (self.over.first..=self.over.last).chain([self.bit]);
        let ones = under.filter(|number| bit(bits, *number)).count();
        match self.parity {
            Parity::Even => ones.is_multiple_of(2),
            Parity::Odd => !ones.is_multiple_of(2),
        }
    }
}

/// A bit, counted from 1; zero past the end.
fn bit(bits: &[u8], number: u16) -> bool {
    let place = number.saturating_sub(1);
    let mask = 0x80_u8.checked_shr(u32::from(place % 8)).unwrap_or(0);
    let byte = bits.get(usize::from(place / 8));
    byte.is_some_and(|byte| byte & mask != 0)
}

/// The number that some bits are, the first the highest.
fn number_in(bits: &[u8], span: BitSpan) -> u64 {
    (span.first..=span.last).fold(0, |number: u64, place| {
        number.wrapping_shl(1) | u64::from(bit(bits, place))
    })
}

/// The names of all formats, for whoever named another.
fn names() -> String {
    let mut names: Vec<&str> = LAYOUTS.iter().map(|l| l.format).collect();
    names.dedup();
    names.join(", ")
}

#[cfg(test)]
#[path = "card_tests.rs"]
#[expect(clippy::arithmetic_side_effects, reason = "an overflow fails the test")]
mod tests;
