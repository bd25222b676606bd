//! Cards as readers hand them over, sound and otherwise.

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;

fn formats(names: &[&str]) -> Vec<CardFormat> {
    let names = names.iter();
    names.map(|name| CardFormat::parse(name).unwrap()).collect()
}

fn raw(bit_length: u16, bits: &[u8]) -> RawCard {
    RawCard::new(bit_length, bits.to_vec()).unwrap()
}

fn checked(names: &[&str], bit_length: u16, bits: &[u8]) -> (String, CardCheck) {
    let read = read(&formats(names), raw(bit_length, bits)).unwrap();
    (read.card.format().as_str().to_owned(), read.check)
}

fn is(format: &str, check: CardCheck) -> (String, CardCheck) {
    (format.to_owned(), check)
}

/// Sets a bit, counted from 1.
fn put(bits: &mut [u8], number: u16, value: bool) {
    let place = usize::from(number - 1);
    let mask = 0x80 >> (place % 8);
    if value {
        bits[place / 8] |= mask;
    } else {
        bits[place / 8] &= !mask;
    }
}

/// A sound card of a layout with these bits between its parity bits, made from the table of
/// the data sheets and not from the layout: bits 2 to `middle` even, from `odd_from` on odd.
fn sound(bit_length: u16, middle: u16, odd_from: u16, filling: &[u8]) -> Vec<u8> {
    let mut bits = vec![0; usize::from(bit_length.div_ceil(8))];
    let (mut head, mut tail) = (0, 0);
    for number in 2..bit_length {
        let one = filling[usize::from(number) % filling.len()] & 1 == 1;
        put(&mut bits, number, one);
        head += u32::from(one && number <= middle);
        tail += u32::from(one && number >= odd_from);
    }
    put(&mut bits, 1, head % 2 == 1);
    put(&mut bits, bit_length, tail % 2 == 0);
    bits
}

/// Format, bits, end of the even half, beginning of the odd half.
const SHEETS: [(&str, u16, u16, u16); 4] = [
    ("H10301", 26, 13, 14),
    ("N10002", 34, 17, 18),
    ("H10302", 37, 19, 19),
    ("H10304", 37, 19, 19),
];

/// Facility 42, card 12345: a published example.
const EXAMPLE: [u8; 4] = [0x95, 0x18, 0x1C, 0xC0];

#[test]
fn the_example_card_is_read_as_it_is_printed() {
    let read = read(&formats(&["H10301"]), raw(26, &EXAMPLE)).unwrap();
    assert_eq!(read.check, CardCheck::Sound);
    assert_eq!(
        (read.card.bit_length(), read.card.bits()),
        (26, &EXAMPLE[..])
    );
    let numbers = describe(&read.card).unwrap();
    assert_eq!((numbers.facility, numbers.number), (Some(42), 12_345));
}

const N10002_EXAMPLE: &[u8] = &[0x08, 0x49, 0x6A, 0x18, 0x80];
const H10302_EXAMPLE: &[u8] = &[0xAD, 0xFD, 0xC1, 0xC3, 0x50];
const H10304_EXAMPLE: &[u8] = &[0x08, 0x49, 0x7A, 0x12, 0x10];

/// The cards were computed with Python from these numbers and the parity bits of the data sheets.
#[test]
fn longer_cards_are_read_as_they_are_printed() {
    let check = |format: &str, bit_length, bits: &[u8], facility, number| {
        let read = read(&formats(&[format]), raw(bit_length, bits)).unwrap();
        assert_eq!(read.check, CardCheck::Sound, "{format}");
        let numbers = describe(&read.card).unwrap();
        assert_eq!(
            (numbers.facility, numbers.number),
            (facility, number),
            "{format}"
        );
    };
    check("N10002", 34, N10002_EXAMPLE, Some(4_242), 54_321);
    check("H10302", 37, H10302_EXAMPLE, None, 12_345_678_901);
    check("H10304", 37, H10304_EXAMPLE, Some(4_242), 500_001);
}

#[test]
fn each_flipped_bit_of_a_sound_card_fails_its_parity() {
    // The parity of all four covers every bit, so none is let through.
    for (format, bit_length, middle, odd_from) in SHEETS {
        for filling in [&[0][..], &[1], &[1, 0], &[0, 1, 1], &[1, 1, 0, 1, 0]] {
            let card = sound(bit_length, middle, odd_from, filling);
            let sound = is(format, CardCheck::Sound);
            assert_eq!(checked(&[format], bit_length, &card), sound);
            for number in 1..=bit_length {
                let mut flipped = card.clone();
                put(&mut flipped, number, !bit(&card, number));
                let failed = is(format, CardCheck::ParityFailed);
                assert_eq!(checked(&[format], bit_length, &flipped), failed, "{number}");
            }
        }
    }
}

#[test]
fn two_flipped_bits_under_one_parity_bit_make_another_card() {
    let mut other = EXAMPLE;
    put(&mut other, 24, !bit(&EXAMPLE, 24));
    put(&mut other, 25, !bit(&EXAMPLE, 25));
    let read = |bits| read(&formats(&["H10301"]), raw(26, bits)).unwrap();
    assert_eq!(read(&other).check, CardCheck::Sound);
    assert_ne!(read(&other).card, read(&EXAMPLE).card);
}

#[test]
fn a_card_of_zeros_or_ones_is_no_card() {
    for (format, bit_length, ..) in SHEETS {
        let bytes = usize::from(bit_length.div_ceil(8));
        let failed = is(format, CardCheck::ParityFailed);
        assert_eq!(checked(&[format], bit_length, &vec![0; bytes]), failed);
        // A line that hangs reads as ones.
        assert_eq!(checked(&[format], bit_length, &vec![0xFF; bytes]), failed);
    }
}

#[test]
fn pad_bits_are_no_part_of_the_card() {
    let one = read(&formats(&["H10301"]), raw(26, &EXAMPLE));
    let other = read(&formats(&["H10301"]), raw(26, &[0x95, 0x18, 0x1C, 0xFF]));
    assert_eq!(one, other);
}

#[test]
fn a_length_without_a_format_is_told_as_raw() {
    let refused = is(RAW, CardCheck::FormatNotAccepted);
    assert_eq!(checked(&["H10301"], 27, &EXAMPLE), refused);
    assert_eq!(checked(&["H10301"], 32, &EXAMPLE), refused);
    assert_eq!(checked(&[], 26, &EXAMPLE), refused);
    // A name that nobody knows accepts nothing either, and neither does `RAW`.
    assert_eq!(checked(&["H99999", "RAW"], 26, &EXAMPLE), refused);
    assert_eq!(
        checked(&["UID", "H10301"], 26, &EXAMPLE).1,
        CardCheck::Sound
    );
}

#[test]
fn the_same_bits_in_another_format_are_another_card() {
    let bits = sound(37, 19, 19, &[1, 0, 0]);
    let card = |format: &str| read(&formats(&[format]), raw(37, &bits)).unwrap().card;
    assert_ne!(card("H10302"), card("H10304"));
}

#[test]
fn a_uid_is_taken_unless_it_is_random() {
    let sound = is(UID, CardCheck::Sound);
    let refused = is(UID, CardCheck::FormatNotAccepted);
    assert_eq!(checked(&["UID"], 32, &[4, 1, 2, 3]), sound);
    assert_eq!(checked(&["UID"], 32, &[8, 1, 2, 3]), refused);
    // Longer ones are never random, whatever they begin with.
    assert_eq!(checked(&["UID"], 56, &[8, 1, 2, 3, 4, 5, 6]), sound);
    assert_eq!(checked(&["UID"], 80, &[8; 10]), sound);
    assert_eq!(
        checked(&["UID"], 40, &[4; 5]),
        is(RAW, CardCheck::FormatNotAccepted)
    );
    let uid = read(&formats(&["UID"]), raw(32, &[4, 1, 2, 3])).unwrap();
    assert_eq!(describe(&uid.card), None);
}

#[test]
fn bits_that_cannot_be_a_card_are_refused() {
    let made = |bit_length, bytes| RawCard::new(bit_length, vec![0; bytes]);
    for (bit_length, bytes) in [
        (0, 0),
        (0, 1),
        (513, 65),
        (u16::MAX, 8_192),
        (26, 3),
        (26, 5),
    ] {
        assert_eq!(made(bit_length, bytes), None, "{bit_length} {bytes}");
    }
    for (bit_length, bytes) in [(1, 1), (26, 4), (512, 64)] {
        let raw = made(bit_length, bytes).unwrap();
        assert!(read(&formats(&["H10301"]), raw).is_ok());
    }
}

#[test]
fn formats_of_a_reader_are_known_and_of_different_lengths() {
    let check = |names: &[&str]| accepted(&formats(names));
    assert_eq!(check(&[]), Err(FormatsFault::Empty));
    assert_eq!(check(&["H10301", "N10002", "H10302", "UID"]), Ok(()));
    let [h10301, h10302, h10304, unknown] =
        ["H10301", "H10302", "H10304", "h10301"].map(|name| CardFormat::parse(name).unwrap());
    assert_eq!(
        check(&["H10301", "h10301"]),
        Err(FormatsFault::Unknown(unknown))
    );
    let raw = CardFormat::parse(RAW).unwrap();
    assert_eq!(check(&["RAW"]), Err(FormatsFault::Unknown(raw)));
    let same = FormatsFault::SameLength {
        first: h10304,
        second: h10302,
        bit_length: 37,
    };
    assert_eq!(check(&["H10304", "H10301", "H10302"]), Err(same));
    let twice = FormatsFault::SameLength {
        first: h10301.clone(),
        second: h10301,
        bit_length: 26,
    };
    assert_eq!(check(&["H10301", "H10301"]), Err(twice));
}

#[test]
fn a_fault_of_formats_says_what_there_is() {
    let fault = accepted(&formats(&["H1"])).unwrap_err().to_string();
    assert_eq!(fault, "`H1` is none of H10301, N10002, H10302, H10304, UID");
}

#[test]
fn layouts_lie_within_their_cards() {
    for layout in LAYOUTS {
        let within = |span: BitSpan| span.first < span.last && span.last <= layout.bit_length;
        assert!(layout.facility.is_none_or(within) && layout.number.is_none_or(within));
        for rule in layout.parity {
            assert!(within(rule.over) && (1..=layout.bit_length).contains(&rule.bit));
        }
        assert!(CardFormat::parse(layout.format).is_ok());
    }
}

#[test]
fn debug_redacts() {
    let read = read(&formats(&["H10301"]), raw(26, &EXAMPLE)).unwrap();
    let numbers = describe(&read.card);
    let shown = format!("{:?} {read:?} {numbers:?}", raw(26, &EXAMPLE));
    for secret in ["149", "95", "42", "12345", "[24", "28"] {
        assert!(!shown.contains(secret), "{shown}");
    }
}

proptest! {
    #[test]
    fn whatever_a_reader_hands_over_is_read_or_refused(
        (bit_length, bits) in prop_oneof![
            (any::<u16>(), vec(any::<u8>(), 0..80)),
            (1_u16..=512).prop_flat_map(|length| {
                (Just(length), vec(any::<u8>(), usize::from(length.div_ceil(8))))
            }),
            prop_oneof![Just(26_u16), Just(32), Just(34), Just(37), Just(56), Just(80)]
                .prop_flat_map(|length| {
                    (Just(length), vec(any::<u8>(), usize::from(length.div_ceil(8))))
                }),
        ],
        chosen in vec(0..8_usize, 0..4),
    ) {
        let all = ["H10301", "N10002", "H10302", "H10304", "UID", "RAW", "X", "WHAT-IF"];
        let formats = formats(&chosen.iter().map(|i| all[*i]).collect::<Vec<_>>());
        let Some(raw) = RawCard::new(bit_length, bits.clone()) else {
            let fits = usize::from(bit_length.div_ceil(8)) == bits.len();
            prop_assert!(!fits || bit_length == 0 || bit_length > 512);
            return Ok(());
        };
        let read = read(&formats, raw).unwrap();
        prop_assert_eq!(read.card.bit_length(), u32::from(bit_length));
        for number in 1..=bit_length {
            prop_assert_eq!(bit(read.card.bits(), number), bit(&bits, number));
        }
        let of_length = formats.iter().any(|format| layout(format, bit_length).is_some());
        prop_assert!(of_length || read.check == CardCheck::FormatNotAccepted);
        prop_assert_eq!(read.card.format().as_str() == RAW, !of_length);
    }

    #[test]
    fn a_flipped_bit_of_a_random_sound_card_fails_its_parity(
        filling in vec(any::<u8>(), 37),
        sheet in 0..4_usize,
        place: u16,
    ) {
        let (format, bit_length, middle, odd_from) = SHEETS[sheet];
        let mut card = sound(bit_length, middle, odd_from, &filling);
        prop_assert_eq!(checked(&[format], bit_length, &card).1, CardCheck::Sound);
        let number = 1 + place % bit_length;
        let flipped = !bit(&card, number);
        put(&mut card, number, flipped);
        prop_assert_eq!(checked(&[format], bit_length, &card).1, CardCheck::ParityFailed);
    }
}
