//! Frames: `53 ADDR LEN LEN CTRL [security block] CODE DATA [MAC] CRC CRC | CKSUM`.

use std::time::{Duration, Instant};

use super::codes::scs;

/// First byte of a frame (OSDP 2.2, 5.9.1).
const START: u8 = 0x53;
/// Bit of the address that marks a reply.
pub(crate) const REPLY_BIT: u8 = 0x80;
/// The address that every reader answers.
pub(crate) const EVERYBODY: u8 = 0x7F;
/// Start, address, length, control.
const HEAD_BYTES: usize = 5;
/// Control bits: two of sequence, CRC, security block.
const SEQUENCE_BITS: u8 = 0x03;
const CRC_BIT: u8 = 0x04;
const SECURITY_BIT: u8 = 0x08;
/// Bytes of a MAC that are sent.
pub(crate) const MAC_BYTES: usize = 4;
/// A frame whose next byte does not come within this is given up (OSDP 2.2, 5.7).
const GAP_MAX: Duration = Duration::from_millis(20);

/// How a frame ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Check {
    Crc,
    Checksum,
}

impl Check {
    fn bytes(self) -> usize {
        match self {
            Self::Crc => 2,
            Self::Checksum => 1,
        }
    }
}

/// A frame taken apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Frame {
    /// With the reply bit.
    pub(crate) address: u8,
    pub(crate) sequence: u8,
    pub(crate) check: Check,
    /// Type and data of the security block.
    pub(crate) security: Option<(u8, Vec<u8>)>,
    pub(crate) code: u8,
    /// Encrypted where the security block says so.
    pub(crate) data: Vec<u8>,
    pub(crate) mac: Option<[u8; MAC_BYTES]>,
    /// What the MAC covers: all bytes before it.
    pub(crate) signed: Vec<u8>,
}

/// CRC-16 of the standard: polynomial 0x1021 from 0x1D0F, not reflected (OSDP 2.2, annex C).
fn crc(bytes: &[u8]) -> [u8; 2] {
    let mut crc: u16 = 0x1D0F;
    for byte in bytes {
        crc ^= u16::from(*byte) << 8;
        for _ in 0..8 {
            let carry = crc & 0x8000 != 0;
            crc <<= 1;
            if carry {
                crc ^= 0x1021;
            }
        }
    }
    crc.to_le_bytes()
}

/// Two's complement of the sum of all bytes.
fn checksum(bytes: &[u8]) -> u8 {
    bytes
        .iter()
        .fold(0_u8, |sum, byte| sum.wrapping_add(*byte))
        .wrapping_neg()
}

/// Begins a frame: everything up to the MAC, with the final length already in it.
pub(crate) fn begin(frame: &FrameHead<'_>) -> Vec<u8> {
    let mac = frame.has_mac();
    let security = frame.security.map_or(0, |(_, data)| data.len() + 2);
    let tail = frame.check.bytes() + if mac { MAC_BYTES } else { 0 };
    let len = HEAD_BYTES + security + 1 + frame.data.len() + tail;
    let [low, high] = u16::try_from(len).unwrap_or(u16::MAX).to_le_bytes();
    let mut control = frame.sequence & SEQUENCE_BITS;
    if frame.check == Check::Crc {
        control |= CRC_BIT;
    }
    if frame.security.is_some() {
        control |= SECURITY_BIT;
    }
    let mut bytes = vec![START, frame.address, low, high, control];
    if let Some((kind, data)) = frame.security {
        bytes.push(u8::try_from(data.len() + 2).unwrap_or(u8::MAX));
        bytes.push(kind);
        bytes.extend_from_slice(data);
    }
    bytes.push(frame.code);
    bytes.extend_from_slice(frame.data);
    bytes
}

/// What a frame is begun from.
#[derive(Debug, Clone, Copy)]
pub(crate) struct FrameHead<'a> {
    pub(crate) address: u8,
    pub(crate) sequence: u8,
    pub(crate) check: Check,
    pub(crate) security: Option<(u8, &'a [u8])>,
    pub(crate) code: u8,
    pub(crate) data: &'a [u8],
}

impl FrameHead<'_> {
    fn has_mac(&self) -> bool {
        self.security.is_some_and(|(kind, _)| carries_mac(kind))
    }
}

/// Whether frames with such a security block end with a MAC.
fn carries_mac(kind: u8) -> bool {
    (scs::COMMAND_MAC..=scs::REPLY_ENCRYPTED).contains(&kind)
}

/// Ends a frame with its check.
pub(crate) fn finish(bytes: &mut Vec<u8>, check: Check) {
    match check {
        Check::Crc => bytes.extend_from_slice(&crc(bytes)),
        Check::Checksum => bytes.push(checksum(bytes)),
    }
}

/// Puts a good check in place of the one of a whole frame that was changed.
pub(crate) fn check_again(bytes: &mut Vec<u8>) {
    let is_crc = bytes.get(4).is_some_and(|control| control & CRC_BIT != 0);
    let check = if is_crc { Check::Crc } else { Check::Checksum };
    bytes.truncate(bytes.len().saturating_sub(check.bytes()));
    finish(bytes, check);
}

/// Whether a whole frame ends with a MAC.
pub(crate) fn has_mac(bytes: &[u8]) -> bool {
    let [_, _, _, _, control, _, kind, ..] = bytes else {
        return false;
    };
    control & SECURITY_BIT != 0 && carries_mac(*kind)
}

/// Puts a wrong MAC with a good check into a whole frame that has one.
pub(crate) fn spoil_mac(bytes: &mut Vec<u8>) {
    let before_check = bytes.len().saturating_sub(3);
    if let Some(byte) = bytes.get_mut(before_check) {
        *byte ^= 0x01;
    }
    check_again(bytes);
}

/// Takes a whole frame apart; `None` if its check or its inner lengths are wrong.
pub(crate) fn parse(bytes: &[u8]) -> Option<Frame> {
    let [START, address, _, _, control, ..] = *bytes else {
        return None;
    };
    let check = if control & CRC_BIT == 0 {
        Check::Checksum
    } else {
        Check::Crc
    };
    let (body, tail) = bytes.split_at_checked(bytes.len().checked_sub(check.bytes())?)?;
    let good = match check {
        Check::Crc => tail == crc(body),
        Check::Checksum => tail == [checksum(body)],
    };
    let (_, mut rest) = body.split_at_checked(HEAD_BYTES)?;
    let mut security = None;
    if control & SECURITY_BIT != 0 {
        let block_bytes = usize::from(*rest.first()?);
        let (block, after) = rest.split_at_checked(block_bytes)?;
        let [_, kind, data @ ..] = block else {
            return None;
        };
        security = Some((*kind, data.to_vec()));
        rest = after;
    }
    let mut signed = body;
    let mut mac = None;
    if security
        .as_ref()
        .is_some_and(|(kind, _)| carries_mac(*kind))
    {
        let (before, last) = rest.split_last_chunk::<MAC_BYTES>()?;
        mac = Some(*last);
        rest = before;
        (signed, _) = body.split_at_checked(body.len().checked_sub(MAC_BYTES)?)?;
    }
    let (code, data) = rest.split_first()?;
    good.then(|| Frame {
        address,
        sequence: control & SEQUENCE_BITS,
        check,
        security,
        code: *code,
        data: data.to_vec(),
        mac,
        signed: signed.to_vec(),
    })
}

/// Puts bytes together to frames.
#[derive(Debug)]
pub(crate) struct Assembler {
    bytes: Vec<u8>,
    bytes_max: usize,
    last_at: Option<Instant>,
    /// Number of things that began like a frame and were none.
    pub(crate) bad_checks: u64,
}

impl Assembler {
    pub(crate) fn new(bytes_max: u16) -> Self {
        Self {
            bytes: Vec::new(),
            bytes_max: usize::from(bytes_max),
            last_at: None,
            bad_checks: 0,
        }
    }

    pub(crate) fn clear(&mut self) {
        self.bytes.clear();
    }

    /// Takes a byte that ended at `at`; never holds more than the largest frame.
    pub(crate) fn push(&mut self, byte: u8, at: Instant) -> Option<(Frame, Vec<u8>)> {
        let gap = self.last_at.map(|last| at.saturating_duration_since(last));
        if gap.is_some_and(|gap| gap > GAP_MAX) {
            self.bytes.clear();
        }
        self.last_at = Some(at);
        self.bytes.push(byte);
        loop {
            let garbage = self.bytes.iter().take_while(|byte| **byte != START).count();
            self.bytes.drain(..garbage);
            let [_, _, low, high, ..] = *self.bytes.as_slice() else {
                return None;
            };
            let len = usize::from(u16::from_le_bytes([low, high]));
            if (HEAD_BYTES + 2..=self.bytes_max).contains(&len) {
                let whole = self.bytes.get(..len)?;
                if let Some(frame) = parse(whole) {
                    let rest = self.bytes.split_off(len);
                    return Some((frame, std::mem::replace(&mut self.bytes, rest)));
                }
                self.bad_checks += 1;
            }
            // A start byte in noise: the true start may be among the bytes behind it.
            self.bytes.remove(0);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::ticks;

    fn poll() -> Vec<u8> {
        let mut bytes = begin(&FrameHead {
            address: 0x05,
            sequence: 2,
            check: Check::Crc,
            security: None,
            code: 0x60,
            data: &[],
        });
        finish(&mut bytes, Check::Crc);
        bytes
    }

    #[test]
    fn check_values_are_those_of_the_standard() {
        // CRC-16/SPI-FUJITSU (poly 1021, init 1D0F) of "123456789".
        assert_eq!(crc(b"123456789"), 0xE5CC_u16.to_le_bytes());
        assert_eq!(checksum(&[0x53, 0x80, 0x06]), 0x27);
        let bytes = poll();
        assert_eq!(bytes[..6], [0x53, 0x05, 0x08, 0x00, 0x06, 0x60]);
    }

    #[test]
    fn a_frame_behind_a_false_start_is_found_with_its_last_byte() {
        let at = ticks();
        let mut assembler = Assembler::new(128);
        let mut found = 0;
        let false_start = [0x53, 0x01, 0x0D, 0x00, 0x04];
        for byte in false_start.iter().chain(&poll()) {
            found += usize::from(assembler.push(*byte, at).is_some());
        }
        assert_eq!((found, assembler.bad_checks), (1, 1));
    }

    #[test]
    fn half_a_frame_is_given_up_after_20_ms() {
        let at = ticks();
        let mut assembler = Assembler::new(128);
        for byte in [0x53, 0x01, 0x50, 0x00] {
            assert!(assembler.push(byte, at).is_none());
        }
        let later = at + Duration::from_millis(21);
        let found = poll()
            .into_iter()
            .filter_map(|byte| assembler.push(byte, later))
            .count();
        assert_eq!(found, 1);
    }

    #[test]
    fn no_bytes_hold_more_than_the_largest_frame() {
        let at = ticks();
        let mut assembler = Assembler::new(128);
        let mut state = 1_u32;
        for _ in 0..200_000 {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let [.., top] = state.to_be_bytes();
            let byte = if state.is_multiple_of(5) { START } else { top };
            assembler.push(byte, at);
            assert!(assembler.bytes.len() <= 128);
        }
    }

    #[test]
    fn a_frame_cut_anywhere_is_no_frame() {
        let whole = poll();
        assert!(parse(&whole).is_some());
        for len in 0..whole.len() {
            assert!(parse(&whole[..len]).is_none());
        }
    }
}
