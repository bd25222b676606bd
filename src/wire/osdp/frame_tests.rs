//! Vectors: POLL to address 0 with sequence 0 and its ACK, checks computed apart in Python.

use proptest::prelude::*;

use super::*;

const POLL: [u8; 8] = [0x53, 0x00, 0x08, 0x00, 0x04, 0x60, 0xEB, 0xAA];
const ACK: [u8; 8] = [0x53, 0x80, 0x08, 0x00, 0x05, 0x40, 0x68, 0x9F];
const POLL_WITH_CHECKSUM: [u8; 7] = [0x53, 0x00, 0x07, 0x00, 0x00, 0x60, 0x46];

fn envelope(check: CheckKind) -> Envelope<'static> {
    Envelope {
        address: Address::new(0).unwrap(),
        is_reply: false,
        sequence: 0,
        check,
        block: None,
    }
}

#[test]
fn poll_and_ack_are_the_known_bytes() {
    assert_eq!(envelope(CheckKind::Crc).seal(0x60, &[]), POLL);
    let summed = envelope(CheckKind::Checksum).seal(0x60, &[]);
    assert_eq!(summed, POLL_WITH_CHECKSUM);
    let ack = Frame::parse(&ACK).unwrap();
    assert!(ack.is_reply);
    assert_eq!((ack.address, ack.sequence, ack.code), (0, 1, 0x40));
    assert_eq!(Frame::parse(&POLL_WITH_CHECKSUM).unwrap().code, 0x60);
}

#[test]
fn lengths_out_of_range_are_no_header() {
    for (length, control, is_header) in [
        (7_u16, 4, false),
        (8, 4, true),
        (1_440, 4, true),
        (1_441, 4, false),
        (u16::MAX, 4, false),
        (0, 4, false),
        (6, 0, false),
        (7, 0, true),
        (8, 0x14, false),
    ] {
        let [low, high] = length.to_le_bytes();
        let header = Header::read(&[0x53, 0x80, low, high, control]);
        assert_eq!(header.is_ok(), is_header, "length {length}");
    }
}

#[test]
fn a_security_block_longer_than_its_frame_is_refused() {
    let mut bytes = vec![0x53, 0x80, 0x0A, 0x00, 0x0C, 0x09, 0x16, 0x40];
    bytes.extend(crc(&bytes).to_le_bytes());
    assert_eq!(Frame::parse(&bytes), Err(FrameError::Parts));
    for len in [0, 1] {
        bytes[5] = len;
        let checked = crc(&bytes[..8]).to_le_bytes();
        bytes[8..].copy_from_slice(&checked);
        assert_eq!(Frame::parse(&bytes), Err(FrameError::Parts));
    }
}

#[test]
fn a_frame_with_data_is_not_printed() {
    let frame = Frame::parse(&envelope(CheckKind::Crc).seal(0x50, &[0xAB, 0xCD])).unwrap();
    let printed = format!("{frame:?}");
    assert!(
        !printed.contains("171") && !printed.contains("data"),
        "{printed}"
    );
}

fn any_block() -> impl Strategy<Value = Option<(u8, Vec<u8>)>> {
    proptest::option::of((0x11_u8..0x20, proptest::collection::vec(any::<u8>(), 0..4)))
}

proptest! {
    #[test]
    fn any_frame_reads_back(
        address in 0_u8..127,
        is_reply: bool,
        sequence in 0_u8..4,
        is_summed: bool,
        block in any_block(),
        code: u8,
        data in proptest::collection::vec(any::<u8>(), 0..200),
    ) {
        let block = block.map(|(number, data)| (BlockKind::from_number(number), data));
        let check = if is_summed { CheckKind::Checksum } else { CheckKind::Crc };
        let envelope = Envelope {
            address: Address::new(address).unwrap(),
            is_reply,
            sequence,
            check,
            block: block.as_ref().map(|(kind, data)| (*kind, &data[..])),
        };
        let mut writer = envelope.open(code, &data);
        let has_mac = block.as_ref().is_some_and(|(kind, _)| kind.has_mac());
        let covered = writer.as_bytes().to_vec();
        if has_mac {
            writer.bytes(&[1, 2, 3, 4]);
        }
        let bytes = close(writer, check);
        let frame = Frame::parse(&bytes).unwrap();
        let expected = Frame {
            address,
            is_reply,
            sequence,
            check,
            block: block.map(|(kind, data)| SecurityBlock { kind, data }),
            code,
            data,
            mac: has_mac.then_some([1, 2, 3, 4]),
            covered,
        };
        prop_assert_eq!(frame, expected);
    }

    #[test]
    fn any_bytes_are_a_frame_or_an_error(
        mut bytes in proptest::collection::vec(any::<u8>(), 0..64),
        is_framed: bool,
    ) {
        if is_framed && bytes.len() >= 8 {
            // Reaches past start, length and check.
            let [low, high] = u16::try_from(bytes.len()).unwrap().to_le_bytes();
            bytes[0] = START;
            bytes[2] = low;
            bytes[3] = high;
            bytes[4] = (bytes[4] & 0x0F) | CRC_BIT;
            let end = bytes.len() - 2;
            let check = crc(&bytes[..end]).to_le_bytes();
            bytes[end..].copy_from_slice(&check);
            prop_assert_ne!(Frame::parse(&bytes), Err(FrameError::Check));
        }
        let _ = Frame::parse(&bytes);
    }
}
