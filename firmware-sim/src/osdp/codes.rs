//! The standard's numbers.

/// Commands (OSDP 2.2, table 3).
pub(crate) mod command {
    pub(crate) const POLL: u8 = 0x60;
    pub(crate) const ID: u8 = 0x61;
    pub(crate) const CAP: u8 = 0x62;
    pub(crate) const LSTAT: u8 = 0x64;
    pub(crate) const ISTAT: u8 = 0x65;
    pub(crate) const OSTAT: u8 = 0x66;
    pub(crate) const RSTAT: u8 = 0x67;
    pub(crate) const OUT: u8 = 0x68;
    pub(crate) const LED: u8 = 0x69;
    pub(crate) const BUZ: u8 = 0x6A;
    pub(crate) const TEXT: u8 = 0x6B;
    pub(crate) const COMSET: u8 = 0x6E;
    pub(crate) const KEYSET: u8 = 0x75;
    pub(crate) const CHLNG: u8 = 0x76;
    pub(crate) const SCRYPT: u8 = 0x77;
    pub(crate) const ACURXSIZE: u8 = 0x7B;
    pub(crate) const ABORT: u8 = 0xA2;
    pub(crate) const KEEPACTIVE: u8 = 0xA7;
}

/// Replies (OSDP 2.2, table 4).
pub(crate) mod reply {
    pub(crate) const ACK: u8 = 0x40;
    pub(crate) const NAK: u8 = 0x41;
    pub(crate) const PDID: u8 = 0x45;
    pub(crate) const PDCAP: u8 = 0x46;
    pub(crate) const LSTATR: u8 = 0x48;
    pub(crate) const ISTATR: u8 = 0x49;
    pub(crate) const OSTATR: u8 = 0x4A;
    pub(crate) const RSTATR: u8 = 0x4B;
    pub(crate) const RAW: u8 = 0x50;
    pub(crate) const FMT: u8 = 0x51;
    pub(crate) const KEYPPAD: u8 = 0x53;
    pub(crate) const COM: u8 = 0x54;
    pub(crate) const CCRYPT: u8 = 0x76;
    pub(crate) const RMAC_I: u8 = 0x78;
    pub(crate) const BUSY: u8 = 0x79;
}

/// Types of a security block (OSDP 2.2, D.1.3).
pub(crate) mod scs {
    pub(crate) const CHALLENGE: u8 = 0x11;
    pub(crate) const CLIENT_CRYPTOGRAM: u8 = 0x12;
    pub(crate) const SERVER_CRYPTOGRAM: u8 = 0x13;
    pub(crate) const INITIAL_MAC: u8 = 0x14;
    pub(crate) const COMMAND_MAC: u8 = 0x15;
    pub(crate) const REPLY_MAC: u8 = 0x16;
    pub(crate) const COMMAND_ENCRYPTED: u8 = 0x17;
    pub(crate) const REPLY_ENCRYPTED: u8 = 0x18;
}

/// Why a command is refused (OSDP 2.2, 7.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Nak {
    Length,
    UnknownCommand,
    Sequence,
    SecurityBlock,
    SecurityRequired,
    Record,
}

impl Nak {
    pub(crate) fn code(self) -> u8 {
        match self {
            Self::Length => 0x02,
            Self::UnknownCommand => 0x03,
            Self::Sequence => 0x04,
            Self::SecurityBlock => 0x05,
            Self::SecurityRequired => 0x06,
            Self::Record => 0x09,
        }
    }
}
