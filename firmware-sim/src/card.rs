//! Cards as a reader hands them over.

use std::fmt;

use crate::pb;

/// Longest identity of a card in bits.
const CARD_BITS_MAX: u32 = 512;
/// Longest name of a card format in characters.
const FORMAT_CHARS_MAX: usize = 16;
/// Lengths of a contactless card's UID in bytes (ISO/IEC 14443-3).
const UID_BYTES: [usize; 3] = [4, 7, 10];

/// How a Wiegand card is laid out: a parity bit, its data, a parity bit.
struct Wiegand {
    format: &'static str,
    /// Bits between the parity bits.
    data_bits: u32,
    /// Data bits from the front under even parity, and as many from behind under odd parity.
    parity_bits: u32,
}

const H10301: Wiegand = Wiegand {
    format: "H10301",
    data_bits: 24,
    parity_bits: 12,
};
const N10002: Wiegand = Wiegand {
    format: "N10002",
    data_bits: 32,
    parity_bits: 16,
};
/// 35 data bits: the one in the middle counts for both parities.
const H10302: Wiegand = Wiegand {
    format: "H10302",
    data_bits: 35,
    parity_bits: 18,
};
const H10304: Wiegand = Wiegand {
    format: "H10304",
    ..H10302
};

impl Wiegand {
    fn card(&self, data: u64) -> Card {
        let ones = (1_u64 << self.parity_bits) - 1;
        let in_front = data >> (self.data_bits - self.parity_bits);
        let even = u64::from((in_front & ones).count_ones() & 1);
        let odd = u64::from((data & ones).count_ones() & 1) ^ 1;
        let word = (even << (self.data_bits + 1)) | (data << 1) | odd;
        let bit_length = self.data_bits + 2;
        let mut bits = (word << (u64::BITS - bit_length)).to_be_bytes().to_vec();
        bits.truncate(usize::try_from(bit_length.div_ceil(8)).unwrap_or(usize::MAX));
        Card {
            format: self.format.to_owned(),
            bit_length,
            bits,
        }
    }
}

/// A card that no reader hands over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidCard {
    /// The format's name is not 1..=16 characters of `A-Za-z0-9_-`.
    #[error("a card format is 1 to 16 characters of A-Z, a-z, 0-9, - and _")]
    Format,
    /// Not 1..=512 bits, or not `ceil(bits / 8)` bytes.
    #[error("a card has 1 to 512 bits in as many bytes as they need")]
    Length,
    /// A UID has 4, 7 or 10 bytes.
    #[error("a UID has 4, 7 or 10 bytes")]
    UidLength,
    /// The number does not fit the format.
    #[error("the number does not fit the card's format")]
    Number,
}

/// A card as a reader hands it over: format, number of bits, bits.
///
/// It leads to a person, so `Debug` redacts the bits.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Card {
    format: String,
    bit_length: u32,
    bits: Vec<u8>,
}

impl Card {
    /// A 26-bit Wiegand card, with its two parity bits.
    ///
    /// Source: HID H10301; even parity over the first 12 data bits in front, odd parity over the
    /// last 12 behind.
    pub fn h10301(facility: u8, number: u16) -> Self {
        H10301.card((u64::from(facility) << 16) | u64::from(number))
    }

    /// A 34-bit Wiegand card with its two parity bits: 16 bits facility, 16 bits number.
    ///
    /// Source: HID N10002, also called H10306; even parity over the first 16 data bits in front,
    /// odd parity over the last 16 behind.
    pub fn n10002(facility: u16, number: u16) -> Self {
        N10002.card((u64::from(facility) << 16) | u64::from(number))
    }

    /// A 37-bit Wiegand card with its two parity bits and no facility; a number of 35 bits.
    ///
    /// Source: HID H10302; even parity over the first 18 data bits in front, odd parity over the
    /// last 18 behind.
    pub fn h10302(number: u64) -> Result<Self, InvalidCard> {
        if number >= 1 << 35 {
            return Err(InvalidCard::Number);
        }
        Ok(H10302.card(number))
    }

    /// A 37-bit Wiegand card with its two parity bits: 16 bits facility, a number of 19 bits.
    ///
    /// Source: HID H10304; parity as in H10302.
    pub fn h10304(facility: u16, number: u32) -> Result<Self, InvalidCard> {
        if number >= 1 << 19 {
            return Err(InvalidCard::Number);
        }
        Ok(H10304.card((u64::from(facility) << 19) | u64::from(number)))
    }

    /// A contactless card known by its UID alone: 4, 7 or 10 bytes (ISO/IEC 14443-3).
    pub fn uid(uid: &[u8]) -> Result<Self, InvalidCard> {
        if !UID_BYTES.contains(&uid.len()) {
            return Err(InvalidCard::UidLength);
        }
        let bytes = u32::try_from(uid.len()).map_err(|_| InvalidCard::UidLength)?;
        Self::raw("UID", bytes * 8, uid)
    }

    /// A card of any format; `bits` holds the first bit in the highest bit of byte 0.
    pub fn raw(format: &str, bit_length: u32, bits: &[u8]) -> Result<Self, InvalidCard> {
        let good = |c: u8| c.is_ascii_alphanumeric() || c == b'-' || c == b'_';
        if !(1..=FORMAT_CHARS_MAX).contains(&format.len()) || !format.bytes().all(good) {
            return Err(InvalidCard::Format);
        }
        let fits = (1..=CARD_BITS_MAX).contains(&bit_length)
            && u32::try_from(bits.len()) == Ok(bit_length.div_ceil(8));
        if !fits {
            return Err(InvalidCard::Length);
        }
        Ok(Self {
            format: format.to_owned(),
            bit_length,
            bits: bits.to_vec(),
        })
    }

    /// Name of its format.
    pub fn format(&self) -> &str {
        &self.format
    }

    /// Its length in bits.
    pub fn bit_length(&self) -> u32 {
        self.bit_length
    }

    /// Its bits, the first in the highest bit of byte 0.
    pub fn bits(&self) -> &[u8] {
        &self.bits
    }

    pub(crate) fn to_message(&self) -> pb::Card {
        pb::Card {
            format: self.format.clone(),
            bit_length: self.bit_length,
            bits: self.bits.clone(),
        }
    }
}

impl fmt::Debug for Card {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "Card({} {} bits [redacted])",
            self.format, self.bit_length
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn h10301_has_its_parity_bits() {
        let card = Card::h10301(42, 12_345);
        assert_eq!(card.bit_length(), 26);
        assert_eq!(card.bits(), [0x95, 0x18, 0x1C, 0xC0]);
    }

    #[test]
    fn h10301_parity_holds_for_every_number() {
        for number in 0..=u16::MAX {
            let facility = number.to_be_bytes()[1];
            let card = Card::h10301(facility, number);
            let bytes: [u8; 4] = card.bits().try_into().unwrap();
            let word = u32::from_be_bytes(bytes) >> 6;
            assert_eq!((word >> 13).count_ones() % 2, 0, "{facility} {number}");
            assert_eq!((word & 0x1FFF).count_ones() % 2, 1, "{facility} {number}");
            assert_eq!((word >> 1) & 0xFFFF, u32::from(number));
        }
    }

    #[test]
    fn longer_cards_have_their_parity_bits() {
        let first_bits = |card: &Card, count: usize| {
            let bit = |at: usize| card.bits()[at / 8] >> (7 - at % 8) & 1;
            (0..count).map(bit).collect::<Vec<u8>>()
        };
        let ones = |bits: &[u8]| bits.iter().map(|bit| u32::from(*bit)).sum::<u32>();
        for number in [0, 1, 2, 0x5A5A, 0xFFFF, 0x1234] {
            let bits = first_bits(&Card::n10002(number, number ^ 0x0F0F), 34);
            assert_eq!((ones(&bits[..17]) % 2, ones(&bits[17..]) % 2), (0, 1));
            let facility = Card::h10304(number, u32::from(number)).unwrap();
            let plain = Card::h10302(u64::from(number) << 18 | 1).unwrap();
            for card in [facility, plain] {
                let bits = first_bits(&card, 37);
                assert_eq!((ones(&bits[..19]) % 2, ones(&bits[18..]) % 2), (0, 1));
            }
        }
        let one = Card::h10304(1, 1).unwrap();
        assert_eq!((one.bit_length(), one.bits().len()), (37, 5));
        // Bit 17 is the facility's last, bit 36 the number's.
        let set: Vec<usize> = (0..37)
            .filter(|at| first_bits(&one, 37)[*at] == 1)
            .collect();
        assert_eq!(set, [0, 16, 35]);
        assert_eq!(Card::h10302(1 << 35), Err(InvalidCard::Number));
        assert_eq!(Card::h10304(0, 1 << 19), Err(InvalidCard::Number));
    }

    #[test]
    fn a_card_that_no_reader_hands_over_is_refused() {
        assert_eq!(Card::uid(&[1; 5]), Err(InvalidCard::UidLength));
        assert_eq!(Card::raw("a b", 8, &[1]), Err(InvalidCard::Format));
        assert_eq!(
            Card::raw(&"x".repeat(17), 8, &[1]),
            Err(InvalidCard::Format)
        );
        assert_eq!(Card::raw("UID", 513, &[0; 65]), Err(InvalidCard::Length));
        assert_eq!(Card::raw("UID", 0, &[]), Err(InvalidCard::Length));
        assert_eq!(Card::raw("UID", 9, &[1]), Err(InvalidCard::Length));
    }

    #[test]
    fn debug_redacts_the_bits() {
        let shown = format!("{:?}", Card::uid(&[0xAB, 0xCD, 0xEF, 0x77]).unwrap());
        assert!(!shown.contains("AB") && !shown.contains("171") && !shown.contains("77"));
    }
}
