//! Layouts as in OSDP 2.2, clause 7; bytes written down by hand.

use proptest::prelude::*;

use super::*;

#[test]
fn replies_read_as_laid_out() {
    let identity = [1, 2, 3, 4, 5, 0x78, 0x56, 0x34, 0x12, 6, 7, 8];
    let expected = Identity {
        vendor: [1, 2, 3],
        model: 4,
        version: 5,
        serial: 0x1234_5678,
        firmware: [6, 7, 8],
        unique: None,
    };
    assert_eq!(Reply::parse(0x45, &identity), Ok(Reply::Identity(expected)));
    let capability = Capability {
        function: 4,
        compliance: 1,
        count: 2,
    };
    let expected = Capabilities(vec![capability]);
    assert_eq!(
        Reply::parse(0x46, &[4, 1, 2]),
        Ok(Reply::Capabilities(expected))
    );
    let expected = Reply::LocalStatus {
        tamper: true,
        power_failed: false,
    };
    assert_eq!(Reply::parse(0x48, &[1, 0]), Ok(expected));
    assert_eq!(
        Reply::parse(0x49, &[0, 1]),
        Ok(Reply::Inputs(vec![false, true]))
    );
    assert_eq!(Reply::parse(0x4A, &[1]), Ok(Reply::Outputs(vec![true])));
    let heads = vec![
        HeadStatus::Normal,
        HeadStatus::NotConnected,
        HeadStatus::Tamper,
    ];
    assert_eq!(Reply::parse(0x4B, &[0, 1, 2]), Ok(Reply::Heads(heads)));
    let expected = Reply::Communication {
        address: 1,
        baud: 9_600,
    };
    assert_eq!(Reply::parse(0x54, &[1, 0x80, 0x25, 0, 0]), Ok(expected));
    assert_eq!(
        Reply::parse(0x41, &[6, 1]),
        Ok(Reply::Nak(NakCode::SecurityRequired))
    );
    assert_eq!(Reply::parse(0x79, &[]), Ok(Reply::Busy));
}

#[test]
fn a_card_has_exactly_the_bytes_its_bits_need_and_pad_bits_are_cleared() {
    let card = |data: &[u8]| Reply::parse(0x50, data);
    let expected = RawCard::new(26, vec![0x95, 0x18, 0x1C, 0xC0]).unwrap();
    let padded = [0, 1, 26, 0, 0x95, 0x18, 0x1C, 0xFF];
    assert_eq!(card(&padded), Ok(Reply::Card(expected)));
    for data in [
        &[0, 0, 26, 0, 0x95, 0x18, 0x1C][..],
        &[0, 0, 26, 0, 0x95, 0x18, 0x1C, 0xC0, 0],
        &[0, 0, 0, 0],
        &[0, 0, 1, 2],
        &[0, 2, 8, 0, 1],
        &[1, 0, 8, 0, 1],
        &[0, 0, 0xFF, 0xFF],
        &[],
    ] {
        assert_eq!(card(data), Err(ReplyError::Malformed), "{data:?}");
    }
}

#[test]
fn keys_and_formatted_cards_are_what_they_count() {
    let keys = Keys(vec![Key::Digit(0), Key::Hash]);
    assert_eq!(
        Reply::parse(0x53, &[0, 2, b'0', 0x0D]),
        Ok(Reply::Keys(keys))
    );
    for data in [
        &[0, 0][..],
        &[0, 2, b'0'],
        &[0, 1, b'A'],
        &[0, 1, b'1', b'2'],
    ] {
        assert_eq!(Reply::parse(0x53, data), Err(ReplyError::Malformed));
    }
    let card = FormattedCard {
        is_reverse: true,
        characters: "42".to_owned(),
    };
    assert_eq!(
        Reply::parse(0x51, &[0, 1, 2, b'4', b'2']),
        Ok(Reply::Formatted(card))
    );
    assert_eq!(Reply::parse(0x51, &[0, 1, 0]), Err(ReplyError::Malformed));
}

#[test]
fn codes_that_are_not_understood_are_no_replies() {
    assert_eq!(Reply::parse(0x00, &[]), Err(ReplyError::UnknownCode(0)));
    assert_eq!(
        Reply::parse(0x58, &[0; 3]),
        Err(ReplyError::UnknownCode(0x58))
    );
    let refused = Reply::parse(0x46, &[0; 3 * 65]);
    assert_eq!(refused, Err(ReplyError::Malformed));
}

#[test]
fn cards_and_keys_are_not_printed() {
    let card = Reply::parse(0x50, &[0, 0, 8, 0, 0xAB]).unwrap();
    let keys = Reply::parse(0x53, &[0, 1, b'7']).unwrap();
    let formatted = Reply::parse(0x51, &[0, 1, 1, b'7']).unwrap();
    for reply in [card, keys, formatted] {
        let printed = format!("{reply:?}");
        assert!(
            !printed.contains("171") && !printed.contains('7'),
            "{printed}"
        );
    }
}

proptest! {
    #[test]
    fn any_content_is_a_reply_or_an_error(
        code: u8,
        data in proptest::collection::vec(any::<u8>(), 0..200),
    ) {
        let _ = Reply::parse(code, &data);
        for code in ReplyCode::ALL {
            let _ = Reply::parse(code.number(), &data);
        }
    }

    #[test]
    fn any_card_reads_back(bits in proptest::collection::vec(any::<u8>(), 1..=64), cut in 0_u16..8) {
        let bit_length = u16::try_from(bits.len()).unwrap() * 8 - cut;
        let [low, high] = bit_length.to_le_bytes();
        let data = [&[0, 0, low, high], &bits[..]].concat();
        let Ok(Reply::Card(card)) = Reply::parse(0x50, &data) else {
            panic!("a card");
        };
        prop_assert_eq!(card.bit_length(), bit_length);
        let mut expected = bits;
        *expected.last_mut().unwrap() &= u8::MAX << cut;
        prop_assert_eq!(card.bits(), expected);
    }
}
