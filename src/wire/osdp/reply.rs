//! What a reader says.

use super::event::{
    Capabilities, Capability, FormattedCard, HeadStatus, Identity, Key, Keys, NakCode,
};
use crate::wire::card::RawCard;
use crate::wire::{CursorError, Reader};

/// Replies by their names and codes in OSDP 2.2.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ReplyCode {
    /// `osdp_ACK`.
    Ack,
    /// `osdp_NAK`.
    Nak,
    /// `osdp_PDID`.
    PdId,
    /// `osdp_PDCAP`.
    PdCap,
    /// `osdp_LSTATR`.
    LStatR,
    /// `osdp_ISTATR`.
    IStatR,
    /// `osdp_OSTATR`.
    OStatR,
    /// `osdp_RSTATR`.
    RStatR,
    /// `osdp_RAW`.
    Raw,
    /// `osdp_FMT`.
    Fmt,
    /// `osdp_KEYPPAD`.
    KeypPad,
    /// `osdp_COM`.
    Com,
    /// `osdp_BIOREADR`.
    BioReadR,
    /// `osdp_BIOMATCHR`.
    BioMatchR,
    /// `osdp_CCRYPT`.
    CCrypt,
    /// `osdp_RMAC_I`.
    RMacI,
    /// `osdp_BUSY`.
    Busy,
}

impl ReplyCode {
    /// All of them.
    const ALL: [Self; 17] = [
        Self::Ack,
        Self::Nak,
        Self::PdId,
        Self::PdCap,
        Self::LStatR,
        Self::IStatR,
        Self::OStatR,
        Self::RStatR,
        Self::Raw,
        Self::Fmt,
        Self::KeypPad,
        Self::Com,
        Self::BioReadR,
        Self::BioMatchR,
        Self::CCrypt,
        Self::RMacI,
        Self::Busy,
    ];

    /// From its number on the line.
    pub fn from_number(number: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|code| code.number() == number)
    }

    /// Its number on the line.
    pub fn number(self) -> u8 {
        match self {
            Self::Ack => 0x40,
            Self::Nak => 0x41,
            Self::PdId => 0x45,
            Self::PdCap => 0x46,
            Self::LStatR => 0x48,
            Self::IStatR => 0x49,
            Self::OStatR => 0x4A,
            Self::RStatR => 0x4B,
            Self::Raw => 0x50,
            Self::Fmt => 0x51,
            Self::KeypPad => 0x53,
            Self::Com => 0x54,
            Self::BioReadR => 0x57,
            Self::BioMatchR => 0x58,
            Self::CCrypt => 0x76,
            Self::RMacI => 0x78,
            Self::Busy => 0x79,
        }
    }
}

/// A reply whose content is not what its code says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ReplyError {
    /// A code that is not known, or not answered yet.
    #[error("unknown reply code `{0:#04x}`")]
    UnknownCode(u8),
    /// Content of another shape.
    #[error("the reply is not shaped as its code says")]
    Malformed,
}

impl From<CursorError> for ReplyError {
    fn from(_: CursorError) -> Self {
        Self::Malformed
    }
}

/// First half of a reader's handshake.
#[derive(Clone, PartialEq, Eq)]
pub struct ClientProof {
    /// Unique number of the reader.
    pub unique: [u8; 8],
    /// Its random number.
    pub random: [u8; 8],
    /// Its cryptogram.
    pub cryptogram: [u8; 16],
}

impl std::fmt::Debug for ClientProof {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ClientProof([redacted])")
    }
}

/// One reply.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reply {
    /// Done, and nothing new.
    Ack,
    /// Refused.
    Nak(NakCode),
    /// Who it is.
    Identity(Identity),
    /// What it can do.
    Capabilities(Capabilities),
    /// Tamper and power.
    LocalStatus {
        /// Whether it is tampered with.
        tamper: bool,
        /// Whether its power fails.
        power_failed: bool,
    },
    /// Its inputs.
    Inputs(Vec<bool>),
    /// Its outputs.
    Outputs(Vec<bool>),
    /// Its read heads.
    Heads(Vec<HeadStatus>),
    /// A card, as bits.
    Card(RawCard),
    /// A card, as characters.
    Formatted(FormattedCard),
    /// Keys.
    Keys(Keys),
    /// How it communicates: address and bits a second.
    Communication {
        /// Its address.
        address: u8,
        /// Its speed in bits a second.
        baud: u32,
    },
    /// First half of its handshake.
    ClientProof(ClientProof),
    /// Second half of its handshake: where the chain of MACs begins.
    InitialMac([u8; 16]),
    /// Later.
    Busy,
}

/// Most keys in one reply.
const KEYS_MAX: usize = 32;
/// Most inputs, outputs or heads of one device.
const STATES_MAX: usize = 64;
/// Most functions a device can list.
const CAPABILITIES_MAX: usize = 64;

impl Reply {
    /// Reads what a sound frame carries, decrypted.
    pub fn parse(code: u8, data: &[u8]) -> Result<Self, ReplyError> {
        let code = ReplyCode::from_number(code).ok_or(ReplyError::UnknownCode(code))?;
        let mut reader = Reader::new(data);
        let reply = match code {
            ReplyCode::Ack => Self::Ack,
            ReplyCode::Busy => Self::Busy,
            ReplyCode::Nak => {
                let nak = Self::Nak(nak_code(reader.u8()?));
                // Some codes bring more about the command; nothing here needs it.
                reader.rest();
                nak
            }
            ReplyCode::PdId => Self::Identity(read_identity(&mut reader)?),
            ReplyCode::PdCap => Self::Capabilities(read_capabilities(&mut reader)?),
            ReplyCode::LStatR => Self::LocalStatus {
                tamper: reader.u8()? != 0,
                power_failed: reader.u8()? != 0,
            },
            ReplyCode::IStatR => Self::Inputs(read_states(&mut reader)?),
            ReplyCode::OStatR => Self::Outputs(read_states(&mut reader)?),
            ReplyCode::RStatR => Self::Heads(read_heads(&mut reader)?),
            ReplyCode::Raw => Self::Card(read_card(&mut reader)?),
            ReplyCode::Fmt => Self::Formatted(read_formatted(&mut reader)?),
            ReplyCode::KeypPad => Self::Keys(read_keys(&mut reader)?),
            ReplyCode::Com => Self::Communication {
                address: reader.u8()?,
                baud: reader.u32_le()?,
            },
            ReplyCode::CCrypt => Self::ClientProof(ClientProof {
                unique: reader.array()?,
                random: reader.array()?,
                cryptogram: reader.array()?,
            }),
            ReplyCode::RMacI => Self::InitialMac(reader.array()?),
            code @ (ReplyCode::BioReadR | ReplyCode::BioMatchR) => {
                return Err(ReplyError::UnknownCode(code.number()));
            }
        };
        if reader.is_empty() {
            Ok(reply)
        } else {
            Err(ReplyError::Malformed)
        }
    }
}

pub(super) fn nak_code(number: u8) -> NakCode {
    match number {
        1 => NakCode::BadCheck,
        2 => NakCode::CommandLength,
        3 => NakCode::UnknownCommand,
        4 => NakCode::Sequence,
        5 => NakCode::SecurityBlock,
        6 => NakCode::SecurityRequired,
        7 => NakCode::BiometricType,
        8 => NakCode::BiometricFormat,
        9 => NakCode::CannotProcess,
        other => NakCode::Other(other),
    }
}

fn read_identity(reader: &mut Reader<'_>) -> Result<Identity, ReplyError> {
    Ok(Identity {
        vendor: reader.array()?,
        model: reader.u8()?,
        version: reader.u8()?,
        serial: reader.u32_le()?,
        firmware: reader.array()?,
        unique: None,
    })
}

fn read_capabilities(reader: &mut Reader<'_>) -> Result<Capabilities, ReplyError> {
    let mut all = Vec::new();
    while !reader.is_empty() {
        if all.len() == CAPABILITIES_MAX {
            return Err(ReplyError::Malformed);
        }
        all.push(Capability {
            function: reader.u8()?,
            compliance: reader.u8()?,
            count: reader.u8()?,
        });
    }
    Ok(Capabilities(all))
}

fn read_states(reader: &mut Reader<'_>) -> Result<Vec<bool>, ReplyError> {
    let states = reader.rest();
    if states.len() > STATES_MAX {
        return Err(ReplyError::Malformed);
    }
    Ok(states.iter().map(|state| *state != 0).collect())
}

fn read_heads(reader: &mut Reader<'_>) -> Result<Vec<HeadStatus>, ReplyError> {
    let heads = reader.rest();
    if heads.len() > STATES_MAX {
        return Err(ReplyError::Malformed);
    }
    let status = |number: &u8| match number {
        0 => Ok(HeadStatus::Normal),
        1 => Ok(HeadStatus::NotConnected),
        2 => Ok(HeadStatus::Tamper),
        _ => Err(ReplyError::Malformed),
    };
    heads.iter().map(status).collect()
}

/// A device here has one read head, number 0: whose card another one read nobody can tell.
fn first_head(reader: &mut Reader<'_>) -> Result<(), ReplyError> {
    if reader.u8()? == 0 {
        Ok(())
    } else {
        Err(ReplyError::Malformed)
    }
}

fn read_card(reader: &mut Reader<'_>) -> Result<RawCard, ReplyError> {
    first_head(reader)?;
    // Whether the reader itself checked the parity bits (1) or not (0); they are checked anyway.
    if reader.u8()? > 1 {
        return Err(ReplyError::Malformed);
    }
    let bit_length = reader.u16_le()?;
    let mut bits = reader.rest().to_vec();
    if let (Some(last), used @ 1..=7) = (bits.last_mut(), bit_length & 7) {
        *last &= !(0xFF_u8 >> used);
    }
    RawCard::new(bit_length, bits).ok_or(ReplyError::Malformed)
}

fn read_formatted(reader: &mut Reader<'_>) -> Result<FormattedCard, ReplyError> {
    first_head(reader)?;
    let is_reverse = match reader.u8()? {
        0 => false,
        1 => true,
        _ => return Err(ReplyError::Malformed),
    };
    let len_bytes = usize::from(reader.u8()?);
    let bytes = reader.take(len_bytes)?;
    if bytes.is_empty() || !bytes.iter().all(|byte| (0x20..=0x7E).contains(byte)) {
        return Err(ReplyError::Malformed);
    }
    let characters = bytes.iter().map(|byte| char::from(*byte)).collect();
    Ok(FormattedCard {
        is_reverse,
        characters,
    })
}

fn read_keys(reader: &mut Reader<'_>) -> Result<Keys, ReplyError> {
    first_head(reader)?;
    let len_bytes = usize::from(reader.u8()?);
    if !(1..=KEYS_MAX).contains(&len_bytes) {
        return Err(ReplyError::Malformed);
    }
    let key = |byte: &u8| match byte {
        b'0'..=b'9' => Ok(Key::Digit(byte & 0x0F)),
        // Delete stands for the star, carriage return for the hash (OSDP 2.2, `osdp_KEYPPAD`).
        0x7F | b'*' => Ok(Key::Star),
        0x0D | b'#' => Ok(Key::Hash),
        _ => Err(ReplyError::Malformed),
    };
    reader
        .take(len_bytes)?
        .iter()
        .map(key)
        .collect::<Result<_, _>>()
        .map(Keys)
}

#[cfg(test)]
#[path = "reply_tests.rs"]
mod tests;
