//! One frame: `53 ADDR LENlo LENhi CTRL [SCB] CODE DATA [MAC4] CRClo CRChi | CKSUM`
//! (OSDP 2.2, packet format).

use super::check::{checksum, crc};
use super::{Address, CheckKind};
use crate::wire::{CursorError, Reader, Writer};

/// First byte of a frame.
pub(super) const START: u8 = 0x53;
/// Byte that may stand before a frame, to wake the line.
pub(super) const MARK: u8 = 0xFF;
/// Longest frame in bytes (OSDP 2.2).
pub const FRAME_BYTES_MAX: usize = 1_440;
/// Bytes before the security block.
pub(super) const HEADER_BYTES: usize = 5;
/// Bytes of an authentication code on the line.
pub(super) const MAC_BYTES: usize = 4;
/// Bit of the address that a reply carries.
const REPLY_BIT: u8 = 0x80;
const SEQUENCE_BITS: u8 = 0x03;
const CRC_BIT: u8 = 0x04;
const BLOCK_BIT: u8 = 0x08;
/// Bits of the control byte that no frame of ours or of a reader carries.
const RESERVED_BITS: u8 = 0xF0;

/// Bytes that are no frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    /// The header is not one: start, length or control byte.
    #[error("not the header of a frame")]
    Header,
    /// Length of the bytes is not the length they state.
    #[error("the frame is not as long as it says")]
    Length,
    /// CRC or checksum is wrong.
    #[error("the check of the frame is wrong")]
    Check,
    /// Security block, code or authentication code do not fit in.
    #[error("the parts of the frame do not fit into it")]
    Parts,
}

impl From<CursorError> for FrameError {
    fn from(_: CursorError) -> Self {
        Self::Parts
    }
}

/// What the first five bytes say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) address: u8,
    pub(super) is_reply: bool,
    pub(super) len_bytes: usize,
    pub(super) sequence: u8,
    pub(super) check: CheckKind,
    has_block: bool,
}

impl Header {
    /// Reads a header; `Err(Parts)` where bytes are missing.
    pub(super) fn read(bytes: &[u8]) -> Result<Self, FrameError> {
        let mut reader = Reader::new(bytes);
        if reader.u8()? != START {
            return Err(FrameError::Header);
        }
        let address = reader.u8()?;
        let len_bytes = usize::from(reader.u16_le()?);
        let control = reader.u8()?;
        let (check, len_min) = if control & CRC_BIT == 0 {
            (CheckKind::Checksum, 7)
        } else {
            (CheckKind::Crc, 8)
        };
        if control & RESERVED_BITS != 0 || !(len_min..=FRAME_BYTES_MAX).contains(&len_bytes) {
            return Err(FrameError::Header);
        }
        Ok(Self {
            address: address & !REPLY_BIT,
            is_reply: address & REPLY_BIT != 0,
            len_bytes,
            sequence: control & SEQUENCE_BITS,
            check,
            has_block: control & BLOCK_BIT != 0,
        })
    }
}

/// What a security block stands for (OSDP 2.2, `SCS_11` to `SCS_18`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BlockKind {
    /// `SCS_11`, with CHLNG.
    Challenge,
    /// `SCS_12`, with CCRYPT.
    ClientCryptogram,
    /// `SCS_13`, with SCRYPT.
    ServerCryptogram,
    /// `SCS_14`, with `RMAC_I`.
    InitialMac,
    /// `SCS_15`, a command with MAC.
    Command,
    /// `SCS_16`, a reply with MAC.
    Reply,
    /// `SCS_17`, a command with MAC and encrypted data.
    EncryptedCommand,
    /// `SCS_18`, a reply with MAC and encrypted data.
    EncryptedReply,
    /// Anything else.
    Other(u8),
}

impl BlockKind {
    /// From its number on the line.
    pub fn from_number(number: u8) -> Self {
        match number {
            0x11 => Self::Challenge,
            0x12 => Self::ClientCryptogram,
            0x13 => Self::ServerCryptogram,
            0x14 => Self::InitialMac,
            0x15 => Self::Command,
            0x16 => Self::Reply,
            0x17 => Self::EncryptedCommand,
            0x18 => Self::EncryptedReply,
            other => Self::Other(other),
        }
    }

    /// Its number on the line.
    pub fn number(self) -> u8 {
        match self {
            Self::Challenge => 0x11,
            Self::ClientCryptogram => 0x12,
            Self::ServerCryptogram => 0x13,
            Self::InitialMac => 0x14,
            Self::Command => 0x15,
            Self::Reply => 0x16,
            Self::EncryptedCommand => 0x17,
            Self::EncryptedReply => 0x18,
            Self::Other(number) => number,
        }
    }

    /// Whether a frame with it carries an authentication code.
    pub fn has_mac(self) -> bool {
        match self {
            Self::Command | Self::Reply | Self::EncryptedCommand | Self::EncryptedReply => true,
            Self::Challenge
            | Self::ClientCryptogram
            | Self::ServerCryptogram
            | Self::InitialMac
            | Self::Other(_) => false,
        }
    }
}

/// Security block of a frame.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SecurityBlock {
    /// What it stands for.
    pub kind: BlockKind,
    /// What it carries, mostly nothing or one byte.
    pub data: Vec<u8>,
}

/// A frame whose length and check are right; nothing else is known of it yet.
///
/// Its data may be card bits, so that it is not printed.
#[derive(Clone, PartialEq, Eq)]
pub struct Frame {
    /// Address of the reader, 0..=127.
    pub address: u8,
    /// Whether a reader sent it.
    pub is_reply: bool,
    /// Sequence number, 0..=3.
    pub sequence: u8,
    /// What ends it.
    pub check: CheckKind,
    /// Security block, if it has one.
    pub block: Option<SecurityBlock>,
    /// Code of the command or reply.
    pub code: u8,
    /// What follows the code; encrypted where the block says so.
    pub data: Vec<u8>,
    /// Authentication code, where the block asks for one.
    pub mac: Option<[u8; MAC_BYTES]>,
    /// The bytes the authentication code covers: all before it.
    pub covered: Vec<u8>,
}

impl std::fmt::Debug for Frame {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Frame")
            .field("address", &self.address)
            .field("is_reply", &self.is_reply)
            .field("sequence", &self.sequence)
            .field("code", &self.code)
            .finish_non_exhaustive()
    }
}

impl Frame {
    /// Reads a whole frame, from its start byte to its check.
    pub fn parse(bytes: &[u8]) -> Result<Self, FrameError> {
        let header = Header::read(bytes)?;
        if bytes.len() != header.len_bytes {
            return Err(FrameError::Length);
        }
        let checked = checked_part(bytes, header.check)?;
        let mut reader = Reader::new(checked);
        reader.take(HEADER_BYTES)?;
        let block = if header.has_block {
            Some(read_block(&mut reader)?)
        } else {
            None
        };
        let has_mac = block.as_ref().is_some_and(|block| block.kind.has_mac());
        let code = reader.u8()?;
        let mac_bytes = if has_mac { MAC_BYTES } else { 0 };
        let data_bytes = reader
            .remaining()
            .checked_sub(mac_bytes)
            .ok_or(FrameError::Parts)?;
        let data = reader.take(data_bytes)?.to_vec();
        let mac = if has_mac { Some(reader.array()?) } else { None };
        let covered_bytes = checked.len().saturating_sub(mac_bytes);
        let covered = Reader::new(checked).take(covered_bytes)?.to_vec();
        Ok(Self {
            address: header.address,
            is_reply: header.is_reply,
            sequence: header.sequence,
            check: header.check,
            block,
            code,
            data,
            mac,
            covered,
        })
    }
}

/// All bytes before the check, if it is right.
fn checked_part(bytes: &[u8], check: CheckKind) -> Result<&[u8], FrameError> {
    let is_right = match check {
        CheckKind::Crc => {
            let (checked, sent) = bytes.split_last_chunk().ok_or(FrameError::Length)?;
            (crc(checked).to_le_bytes() == *sent).then_some(checked)
        }
        CheckKind::Checksum => {
            let (sent, checked) = bytes.split_last().ok_or(FrameError::Length)?;
            (checksum(checked) == *sent).then_some(checked)
        }
    };
    is_right.ok_or(FrameError::Check)
}

/// A security block says how long it is, itself included.
fn read_block(reader: &mut Reader<'_>) -> Result<SecurityBlock, FrameError> {
    let len_bytes = usize::from(reader.u8()?);
    let kind = BlockKind::from_number(reader.u8()?);
    let data_bytes = len_bytes.checked_sub(2).ok_or(FrameError::Parts)?;
    let data = reader.take(data_bytes)?.to_vec();
    Ok(SecurityBlock { kind, data })
}

/// What a frame to be sent begins with.
#[derive(Debug, Clone, Copy)]
pub(super) struct Envelope<'a> {
    pub(super) address: Address,
    pub(super) is_reply: bool,
    pub(super) sequence: u8,
    pub(super) check: CheckKind,
    pub(super) block: Option<(BlockKind, &'a [u8])>,
}

impl Envelope<'_> {
    /// All bytes before the authentication code or the check.
    ///
    /// What is sent is far shorter than a frame may be; longer data would be cut off by nobody,
    /// so the length is held by an assertion.
    pub(super) fn open(&self, code: u8, data: &[u8]) -> Writer {
        let has_mac = self.block.is_some_and(|(kind, _)| kind.has_mac());
        let block_bytes = self
            .block
            .map_or(0, |(_, data)| data.len().saturating_add(2));
        let check_bytes = match self.check {
            CheckKind::Crc => 2_usize,
            CheckKind::Checksum => 1,
        };
        let len_bytes = [
            HEADER_BYTES,
            block_bytes,
            1,
            data.len(),
            if has_mac { MAC_BYTES } else { 0 },
            check_bytes,
        ]
        .into_iter()
        .fold(0_usize, usize::saturating_add);
        assert!(len_bytes <= FRAME_BYTES_MAX, "a frame is too long");
        let mut writer = Writer::with_capacity(len_bytes);
        writer.u8(START);
        let reply_bit = if self.is_reply { REPLY_BIT } else { 0 };
        writer.u8(self.address.number() | reply_bit);
        writer.u16_le(u16::try_from(len_bytes).unwrap_or(u16::MAX));
        let check_bit = match self.check {
            CheckKind::Crc => CRC_BIT,
            CheckKind::Checksum => 0,
        };
        let block_bit = if self.block.is_some() { BLOCK_BIT } else { 0 };
        writer.u8((self.sequence & SEQUENCE_BITS) | check_bit | block_bit);
        if let Some((kind, data)) = self.block {
            writer.u8(u8::try_from(block_bytes).unwrap_or(u8::MAX));
            writer.u8(kind.number());
            writer.bytes(data);
        }
        writer.u8(code);
        writer.bytes(data);
        writer
    }

    /// The whole frame, for data without authentication code.
    pub(super) fn seal(&self, code: u8, data: &[u8]) -> Vec<u8> {
        close(self.open(code, data), self.check)
    }
}

/// Appends the check.
pub(super) fn close(mut writer: Writer, check: CheckKind) -> Vec<u8> {
    match check {
        CheckKind::Crc => writer.u16_le(crc(writer.as_bytes())),
        CheckKind::Checksum => writer.u8(checksum(writer.as_bytes())),
    }
    writer.into_bytes()
}

#[cfg(test)]
#[path = "frame_tests.rs"]
mod tests;
