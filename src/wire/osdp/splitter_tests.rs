use proptest::prelude::*;

use super::*;
use crate::wire::osdp::frame::Envelope;
use crate::wire::osdp::{Address, CheckKind};

fn frame(data: &[u8]) -> Vec<u8> {
    let envelope = Envelope {
        address: Address::new(9).unwrap(),
        is_reply: true,
        sequence: 2,
        check: CheckKind::Crc,
        block: None,
    };
    envelope.seal(0x40, data)
}

/// Hands bytes over in pieces, and returns the data of all frames found.
fn split(bytes: &[u8], piece_bytes: usize) -> (Vec<Vec<u8>>, LineCounters) {
    let mut splitter = Splitter::new();
    let mut line = LineCounters::default();
    let mut found = Vec::new();
    for piece in bytes.chunks(piece_bytes.max(1)) {
        let mut later = piece;
        loop {
            later = splitter.push(later);
            while let Some(frame) = splitter.next(&mut line) {
                found.push(frame.data);
            }
            assert!(splitter.len() < FRAME_BYTES_MAX);
            if later.is_empty() {
                break;
            }
        }
    }
    (found, line)
}

#[test]
fn a_frame_behind_noise_is_found() {
    let good = frame(&[1, 2, 3]);
    for noise in [
        &b"\x53"[..],
        b"\x53\x53\x53\x53\x53",
        b"\x53\x89\xFF\xFF\x04",
        b"\x53\x89\x00\x00\x04",
        b"\x53\x89\x07\x00\x04",
        b"\xFF",
        b"\xFF\xFF\xFF",
        b"\x00\xAA\x55",
        b"\x53\x89\x0A\x00\x04\x40\x01\x02\x03\x04",
    ] {
        let bytes = [noise, &good].concat();
        for piece_bytes in [1, 3, 1_000] {
            let (found, _) = split(&bytes, piece_bytes);
            assert_eq!(found, [[1, 2, 3]], "after {noise:02x?}");
        }
    }
}

#[test]
fn marks_before_a_frame_are_no_noise() {
    let bytes = [&[0xFF][..], &frame(&[7])].concat();
    let (found, line) = split(&bytes, 4);
    assert_eq!(found, [[7]]);
    assert_eq!(line, LineCounters::default());
}

#[test]
fn a_frame_with_a_flipped_bit_is_dropped_and_the_next_one_found() {
    let good = frame(&[1]);
    for bit in 0..good.len() * 8 {
        let mut bad = good.clone();
        bad[bit / 8] ^= 1 << (bit % 8);
        // A length that grew swallows what follows until there is enough of it.
        let follow = [bad, frame(&[2]), vec![0; FRAME_BYTES_MAX]].concat();
        let (found, _) = split(&follow, 16);
        assert_eq!(found, [[2]], "bit {bit}");
    }
}

#[test]
fn what_does_not_fit_is_handed_back() {
    let mut splitter = Splitter::new();
    let rest = splitter.push(&[0x53; 5_000]);
    assert_eq!(rest.len(), 5_000 - 2 * FRAME_BYTES_MAX);
}

proptest! {
    #[test]
    fn frames_between_any_noise_without_a_start_are_all_found(
        noise in proptest::collection::vec(any::<u8>().prop_filter("start", |b| *b != START), 0..50),
        data in proptest::collection::vec(any::<u8>(), 0..60),
        piece_bytes in 1_usize..40,
    ) {
        let bytes = [&noise[..], &frame(&data), &noise, &frame(&[5])].concat();
        let (found, _) = split(&bytes, piece_bytes);
        prop_assert_eq!(found, [data, vec![5]]);
    }

    #[test]
    fn any_bytes_end_in_bounded_memory_and_every_byte_is_accounted_for(
        bytes in proptest::collection::vec(
            prop_oneof![any::<u8>(), Just(START), Just(0x89), Just(0), Just(4)],
            0..6_000,
        ),
        piece_bytes in 1_usize..2_000,
    ) {
        split(&bytes, piece_bytes);
    }
}
