//! A reader as it would behave, with its own way of writing frames.

use std::collections::VecDeque;

use crate::wire::osdp::check::{checksum, crc};
use crate::wire::osdp::secure::{Randoms, SessionKeys};
use crate::wire::osdp::{Frame, SecureKey};

pub(super) const KEY: [u8; 16] =
    *b"\x9b\x01\x42\xd7\x66\x2c\xe0\x58\x13\xfa\x7f\x35\xc4\x8e\xa9\x20";

/// Card 12345 of facility 42, H10301 (26 bits).
pub(super) const CARD: [u8; 8] = [0, 0, 26, 0, 0x95, 0x18, 0x1C, 0xC0];

/// How far a reader is with its handshake.
enum Channel {
    None,
    Challenged(SessionKeys, [u8; 16]),
    Live {
        keys: SessionKeys,
        reply_mac: [u8; 16],
    },
}

/// One reader.
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is one thing that can be wrong with it"
)]
pub(super) struct Model {
    pub(super) address: u8,
    pub(super) key: [u8; 16],
    pub(super) is_plain: bool,
    pub(super) uses_checksum: bool,
    /// Answers of the next polls.
    pub(super) news: VecDeque<(u8, Vec<u8>)>,
    /// Outputs switched: number, code, tenths.
    pub(super) switched: Vec<(u8, u8, u16)>,
    /// Codes of all other orders.
    pub(super) told: Vec<u8>,
    pub(super) is_busy: bool,
    pub(super) is_dead: bool,
    /// Flag of the security block of CCRYPT; 0 is the default key.
    pub(super) key_flag: u8,
    /// Its next random number.
    pub(super) random: u8,
    pub(super) repeats_random: bool,
    pub(super) is_unencrypted: bool,
    pub(super) refuses: Vec<u8>,
    /// It says nothing to secured frames outside a session.
    pub(super) is_mute_outside: bool,
    /// What it answers when it is asked for its inputs; it never tells them by itself.
    pub(super) inputs: Vec<u8>,
    pub(super) polls: u32,
    pub(super) handshakes: u32,
    pub(super) answers: u32,
    channel: Channel,
    last: Option<(Vec<u8>, Vec<u8>)>,
    last_sequence: Option<u8>,
}

impl Model {
    pub(super) fn new(address: u8) -> Self {
        Self {
            address,
            key: KEY,
            is_plain: false,
            uses_checksum: false,
            news: VecDeque::new(),
            switched: Vec::new(),
            told: Vec::new(),
            is_busy: false,
            is_dead: false,
            key_flag: 1,
            random: address,
            repeats_random: false,
            is_unencrypted: false,
            refuses: Vec::new(),
            is_mute_outside: false,
            inputs: vec![0, 1],
            polls: 0,
            handshakes: 0,
            answers: 0,
            channel: Channel::None,
            last: None,
            last_sequence: None,
        }
    }

    /// Power gone and back: it knows nothing of a session.
    pub(super) fn restart(&mut self) {
        self.channel = Channel::None;
        self.last = None;
        self.last_sequence = None;
    }

    /// What it answers to bytes that are one frame.
    pub(super) fn hear(&mut self, bytes: &[u8]) -> Option<Vec<u8>> {
        let frame = Frame::parse(bytes).ok()?;
        if frame.is_reply || frame.address != self.address || self.is_dead {
            return None;
        }
        self.answers += 1;
        if self.is_busy {
            return Some(self.frame(0, &[], 0x79, &[]));
        }
        if let Some((asked, answered)) = &self.last
            && asked == bytes
            && frame.sequence != 0
        {
            return Some(answered.clone());
        }
        let is_secured = frame
            .block
            .as_ref()
            .is_some_and(|block| block.kind.has_mac());
        let is_outside = !matches!(self.channel, Channel::Live { .. });
        if is_secured && is_outside && self.is_mute_outside {
            return None;
        }
        let answer = self.answer(&frame);
        self.last = Some((bytes.to_vec(), answer.clone()));
        Some(answer)
    }

    fn answer(&mut self, frame: &Frame) -> Vec<u8> {
        let sequence = frame.sequence;
        let expected = self.last_sequence.map(|last| last % 3 + 1);
        if sequence == 0 {
            self.channel = Channel::None;
        } else if Some(sequence) != expected {
            return self.frame(sequence, &[], 0x41, &[4]);
        }
        let block = frame.block.as_ref().map(|block| block.kind.number());
        match block {
            None if matches!(self.channel, Channel::Live { .. }) => {
                return self.frame(sequence, &[], 0x41, &[6]);
            }
            Some(0x15 | 0x17) => return self.secured(frame),
            None | Some(_) => {}
        }
        self.last_sequence = Some(sequence);
        match (block, frame.code) {
            (Some(0x11), 0x76) => self.challenged(frame),
            (Some(0x13), 0x77) => self.proved(frame),
            (None, 0x61 | 0x62) => {
                let (code, data) = self.reply(frame.code, &frame.data);
                self.frame(sequence, &[], code, &data)
            }
            (None, code) if self.is_plain => {
                let (code, data) = self.reply(code, &frame.data);
                self.frame(sequence, &[], code, &data)
            }
            _ => self.frame(sequence, &[], 0x41, &[6]),
        }
    }

    fn challenged(&mut self, frame: &Frame) -> Vec<u8> {
        if !self.repeats_random {
            self.random = self.random.wrapping_add(7);
        }
        self.handshakes += 1;
        let randoms = Randoms {
            panel: frame.data.clone().try_into().unwrap(),
            reader: [self.random; 8],
        };
        let key = SecureKey::unchecked(self.key);
        let keys = SessionKeys::derive(&key, randoms.panel);
        let mut data = [0xC1, 2, 3, 4, 5, 6, 7, self.address].to_vec();
        data.extend(randoms.reader);
        data.extend(keys.client_cryptogram(randoms));
        self.channel = Channel::Challenged(
            keys,
            SessionKeys::derive(&key, randoms.panel).server_cryptogram(randoms),
        );
        self.frame(frame.sequence, &[3, 0x12, self.key_flag], 0x76, &data)
    }

    fn proved(&mut self, frame: &Frame) -> Vec<u8> {
        let old = std::mem::replace(&mut self.channel, Channel::None);
        let Channel::Challenged(keys, expected) = old else {
            return self.frame(frame.sequence, &[], 0x41, &[5]);
        };
        if frame.data != expected {
            return self.frame(frame.sequence, &[3, 0x14, 0xFF], 0x78, &[0; 16]);
        }
        let reply_mac = keys.initial_mac(&expected);
        self.channel = Channel::Live { keys, reply_mac };
        self.frame(frame.sequence, &[3, 0x14, 1], 0x78, &reply_mac)
    }

    fn secured(&mut self, frame: &Frame) -> Vec<u8> {
        let old = std::mem::replace(&mut self.channel, Channel::None);
        let Channel::Live { keys, reply_mac } = old else {
            return self.frame(frame.sequence, &[], 0x41, &[5]);
        };
        let command_mac = keys.mac(&reply_mac, &frame.covered);
        if frame.mac != Some(command_mac[..4].try_into().unwrap()) {
            return self.frame(frame.sequence, &[], 0x41, &[6]);
        }
        self.last_sequence = Some(frame.sequence);
        let data = if frame.data.is_empty() {
            Vec::new()
        } else {
            keys.decrypt_data(&reply_mac, &frame.data).unwrap()
        };
        let (code, data) = self.reply(frame.code, &data);
        let is_open = data.is_empty() || self.is_unencrypted;
        let (kind, data) = if is_open {
            (0x16, data)
        } else {
            (0x18, keys.encrypt_data(&command_mac, &data))
        };
        let mut bytes = self.header(frame.sequence, &[2, kind], data.len() + 1 + 4);
        bytes.push(code);
        bytes.extend(data);
        let reply_mac = keys.mac(&command_mac, &bytes);
        bytes.extend(&reply_mac[..4]);
        self.channel = Channel::Live { keys, reply_mac };
        self.checked(bytes)
    }

    fn reply(&mut self, code: u8, data: &[u8]) -> (u8, Vec<u8>) {
        if self.refuses.contains(&code) {
            return (0x41, vec![3]);
        }
        match code {
            0x60 => {
                self.polls += 1;
                self.news.pop_front().unwrap_or((0x40, Vec::new()))
            }
            0x61 => (0x45, vec![1, 2, 3, 4, 5, 0x78, 0x56, 0x34, 0x12, 1, 2, 3]),
            0x62 => (0x46, vec![1, 1, 2, 4, 1, 1, 9, 1, 1]),
            0x64 => (0x48, vec![0, 0]),
            0x65 => (0x49, self.inputs.clone()),
            0x68 => {
                let tenths = u16::from_le_bytes([data[2], data[3]]);
                self.switched.push((data[0], data[1], tenths));
                (0x4A, vec![1, 0])
            }
            0x69..=0x6B => {
                self.told.push(code);
                (0x40, Vec::new())
            }
            _ => (0x41, vec![3]),
        }
    }

    fn header(&self, sequence: u8, block: &[u8], rest: usize) -> Vec<u8> {
        let check = if self.uses_checksum { 1 } else { 2 };
        let len = u16::try_from(5 + block.len() + rest + check).unwrap();
        let [low, high] = len.to_le_bytes();
        let crc_bit = if self.uses_checksum { 0 } else { 4 };
        let block_bit = if block.is_empty() { 0 } else { 8 };
        let control = sequence | crc_bit | block_bit;
        let mut bytes = vec![0x53, self.address | 0x80, low, high, control];
        bytes.extend(block);
        bytes
    }

    /// A frame without MAC.
    pub(super) fn frame(&self, sequence: u8, block: &[u8], code: u8, data: &[u8]) -> Vec<u8> {
        let mut bytes = self.header(sequence, block, 1 + data.len());
        bytes.push(code);
        bytes.extend(data);
        self.checked(bytes)
    }

    fn checked(&self, mut bytes: Vec<u8>) -> Vec<u8> {
        if self.uses_checksum {
            bytes.push(checksum(&bytes));
        } else {
            bytes.extend(crc(&bytes).to_le_bytes());
        }
        bytes
    }
}

/// The same frame with another check, after its bytes were changed.
pub(super) fn rechecked(mut bytes: Vec<u8>) -> Vec<u8> {
    bytes.truncate(bytes.len() - 2);
    bytes.extend(crc(&bytes).to_le_bytes());
    bytes
}
