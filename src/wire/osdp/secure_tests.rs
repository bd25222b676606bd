//! Vectors computed with AES of Python's `cryptography` 48 from the description of annex D
//! alone: derived keys, cryptograms and chains by ECB and CBC over whole messages, frames put
//! together by hand. Session keys of the first are those of the sample in OSDP 2.2, annex D
//! (default key, random numbers B0..B7 and A0..A7).

use data_encoding::HEXLOWER;
use proptest::prelude::*;

use super::*;
use crate::wire::osdp::{Address, CheckKind, OutputControl, PeripheralOrder, Reply};

struct Vector {
    key: [u8; 16],
    randoms: Randoms,
    client: &'static str,
    server: &'static str,
    initial: &'static str,
    poll: &'static str,
    ack: &'static str,
    out: &'static str,
    raw: &'static str,
}

const DEFAULT: Vector = Vector {
    key: *b"0123456789:;<=>?",
    randoms: Randoms {
        panel: [0xB0, 0xB1, 0xB2, 0xB3, 0xB4, 0xB5, 0xB6, 0xB7],
        reader: [0xA0, 0xA1, 0xA2, 0xA3, 0xA4, 0xA5, 0xA6, 0xA7],
    },
    client: "fde5d2f428ec16312471ea3c02bd7796",
    server: "26d3356e07762d262801fc8e6665a891",
    initial: "b2a30057eb98ba2229ec1f875662b524",
    poll: "53050e000f0215608862a58e5a30",
    ack: "53850e000f021640a2d831c852e5",
    out: "53051e000d021768b0b9040bdc6f6f76e58192ff118f7a801ab16ef1dc18",
    raw: "53851e000d021850bd3eeeaa0b83dd71a3c0b4af958c31cdb7c6c8a2b087",
};

const OWN: Vector = Vector {
    key: *b"\x9b\x01\x42\xd7\x66\x2c\xe0\x58\x13\xfa\x7f\x35\xc4\x8e\xa9\x20",
    randoms: Randoms {
        panel: [0x00, 0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77],
        reader: [0x88, 0x99, 0xAA, 0xBB, 0xCC, 0xDD, 0xEE, 0xFF],
    },
    client: "364dde512871afd29ae820b8c20cfcc7",
    server: "286ce3f76bda21479519c3c9b212c435",
    initial: "169112b000c5d959ec5d3509ebc28161",
    poll: "53050e000f0215602846e4fe40c0",
    ack: "53850e000f0216401b622167bc99",
    out: "53051e000d0217680c0a1b796fc922dce6741d541da73062ea1e2ea7b30f",
    raw: "53851e000d021850d0dd931d8cffc5690a5480b0c5e9b1618d77519470dc",
};

fn hex(text: &str) -> Vec<u8> {
    HEXLOWER.decode(text.as_bytes()).unwrap()
}

fn envelope(sequence: u8) -> Envelope<'static> {
    Envelope {
        address: Address::new(5).unwrap(),
        is_reply: false,
        sequence,
        check: CheckKind::Crc,
        block: None,
    }
}

fn channel(vector: &Vector) -> SecureChannel {
    let key = SecureKey::unchecked(vector.key);
    let keys = SessionKeys::derive(&key, vector.randoms.panel);
    let server = keys.server_cryptogram(vector.randoms);
    let initial = keys.initial_mac(&server);
    assert_eq!(
        keys.client_cryptogram(vector.randoms)[..],
        hex(vector.client)
    );
    assert_eq!(server[..], hex(vector.server));
    assert_eq!(initial[..], hex(vector.initial));
    SecureChannel::new(keys, initial)
}

#[test]
fn session_keys_are_those_of_the_sample_in_the_standard() {
    let key = SecureKey::unchecked(DEFAULT.key);
    let keys = SessionKeys::derive(&key, DEFAULT.randoms.panel);
    // AES of a block of zeros under each key.
    let cipher = Aes128::new_from_slice(&hex("bf8dc2a8329acb8c67c6d0cd9a451682")).unwrap();
    let inner = Aes128::new_from_slice(&hex("5e86c676603bdee2d8beafe178637332")).unwrap();
    let last = Aes128::new_from_slice(&hex("6fda86e857777e81132035758239172e")).unwrap();
    for (derived, known) in [
        (&keys.cipher, &cipher),
        (&keys.mac_inner, &inner),
        (&keys.mac_last, &last),
    ] {
        assert_eq!(encrypt(derived, [0; 16]), encrypt(known, [0; 16]));
    }
}

#[test]
fn a_session_goes_on_as_computed_elsewhere() {
    for vector in [DEFAULT, OWN] {
        let mut channel = channel(&vector);
        assert_eq!(channel.seal(envelope(3), &Command::Poll), hex(vector.poll));
        let ack = Frame::parse(&hex(vector.ack)).unwrap();
        assert!(channel.open(&ack).unwrap().data.is_empty());
        let order = PeripheralOrder::Output {
            number: 0,
            control: OutputControl::OnFor(50.try_into().unwrap()),
        };
        let out = channel.seal(envelope(1), &Command::Order(order));
        assert_eq!(out, hex(vector.out));
        let raw = Frame::parse(&hex(vector.raw)).unwrap();
        let opened = channel.open(&raw).unwrap();
        assert!(opened.is_encrypted);
        let Ok(Reply::Card(card)) = Reply::parse(raw.code, &opened.data) else {
            panic!("a card");
        };
        assert_eq!(
            (card.bit_length(), card.bits()),
            (26, &b"\x95\x18\x1C\xC0"[..])
        );
    }
}

#[test]
fn a_reply_is_believed_only_once() {
    let mut channel = channel(&OWN);
    channel.seal(envelope(3), &Command::Poll);
    let ack = Frame::parse(&hex(OWN.ack)).unwrap();
    assert!(channel.open(&ack).is_ok());
    channel.seal(envelope(1), &Command::Poll);
    assert_eq!(channel.open(&ack).err(), Some(OpenError::Mac));
}

#[test]
fn any_changed_bit_that_the_mac_covers_is_found() {
    let sealed = Frame::parse(&hex(OWN.ack)).unwrap();
    for bit in 0..sealed.covered.len() * 8 {
        let mut changed = sealed.clone();
        changed.covered[bit / 8] ^= 1 << (bit % 8);
        let mut channel = channel(&OWN);
        channel.seal(envelope(3), &Command::Poll);
        assert_eq!(channel.open(&changed).err(), Some(OpenError::Mac));
    }
    for bit in 0..32 {
        let mut changed = sealed.clone();
        changed.mac.as_mut().unwrap()[bit / 8] ^= 1 << (bit % 8);
        let mut channel = channel(&OWN);
        channel.seal(envelope(3), &Command::Poll);
        assert_eq!(channel.open(&changed).err(), Some(OpenError::Mac));
    }
}

#[test]
fn keys_are_not_printed() {
    let channel = channel(&OWN);
    let printed = format!("{:?} {:?}", channel.keys, SecureKey::unchecked(OWN.key));
    assert_eq!(printed, "SessionKeys([redacted]) SecureKey([redacted])");
}

proptest! {
    #[test]
    fn encrypted_data_reads_back(
        key in any::<[u8; 16]>(),
        mac in any::<[u8; 16]>(),
        data in proptest::collection::vec(any::<u8>(), 0..100),
    ) {
        let keys = SessionKeys::derive(&SecureKey::unchecked(key), [7; 8]);
        let encrypted = keys.encrypt_data(&mac, &data);
        prop_assert_eq!(encrypted.len() % 16, 0);
        prop_assert!(encrypted.len() > data.len());
        prop_assert_eq!(keys.decrypt_data(&mac, &encrypted), Some(data));
    }

    #[test]
    fn any_bytes_decrypt_to_something_or_nothing(
        data in proptest::collection::vec(any::<u8>(), 0..200),
    ) {
        let keys = SessionKeys::derive(&SecureKey::unchecked([1; 16]), [7; 8]);
        let plain = keys.decrypt_data(&[0; 16], &data);
        prop_assert!(plain.is_none_or(|plain| plain.len() < data.len()));
    }
}
