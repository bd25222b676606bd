//! What a bus and a reader on it are told once.

use std::time::Duration;

use super::{Address, SecureKey};

/// Speed of a line; 8 data bits, no parity, 1 stop bit (OSDP 2.2, physical interface).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Baud {
    /// 9,600 bits a second.
    B9600,
    /// 19,200 bits a second.
    B19200,
    /// 38,400 bits a second.
    B38400,
    /// 57,600 bits a second.
    B57600,
    /// 115,200 bits a second.
    B115200,
    /// 230,400 bits a second.
    B230400,
}

impl Baud {
    const ALL: [Self; 6] = [
        Self::B9600,
        Self::B19200,
        Self::B38400,
        Self::B57600,
        Self::B115200,
        Self::B230400,
    ];

    /// From bits a second; `None` where OSDP knows no such speed.
    pub fn from_bits_per_second(bits: u32) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|baud| baud.bits_per_second() == bits)
    }

    /// Bits a second.
    pub fn bits_per_second(self) -> u32 {
        match self {
            Self::B9600 => 9_600,
            Self::B19200 => 19_200,
            Self::B38400 => 38_400,
            Self::B57600 => 57_600,
            Self::B115200 => 115_200,
            Self::B230400 => 230_400,
        }
    }

    /// How long so many bytes are on the line, rounded up to a microsecond.
    pub fn time_of(self, len_bytes: usize) -> Duration {
        let bits = u64::try_from(len_bytes)
            .unwrap_or(u64::MAX)
            .saturating_mul(10_000_000);
        Duration::from_micros(bits.div_ceil(u64::from(self.bits_per_second())))
    }
}

/// How a bus behaves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BusSettings {
    /// Speed of the line.
    pub baud: Baud,
    /// How long a reader may take to begin its reply, counted from the end of the command.
    pub reply_timeout: Duration,
    /// After how long without a sound reply a reader is offline.
    pub offline_after: Duration,
    /// How often a silent reader gets a slot.
    pub probe_every: Duration,
    /// How long the line waits for an order after a card or keys.
    pub decision_hold: Duration,
}

impl BusSettings {
    /// What the standard says (200 ms, 8 s), a probe a second and a hold of 20 ms.
    pub fn new(baud: Baud) -> Self {
        Self {
            baud,
            reply_timeout: Duration::from_millis(200),
            offline_after: Duration::from_secs(8),
            probe_every: Duration::from_secs(1),
            decision_hold: Duration::from_millis(20),
        }
    }
}

/// What protects the words of a reader.
#[derive(Debug, Clone)]
pub enum Security {
    /// The secure channel with this reader's own key; nothing else is believed.
    Secure(SecureKey),
    /// Nothing: anybody on the line can be this reader. Only by an explicit decision.
    Plain,
}

/// What ends the frames that are sent; replies may use either.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CheckKind {
    /// CRC of 16 bits.
    Crc,
    /// Sum of 8 bits, for readers that know no CRC.
    Checksum,
}

/// How one reader is spoken to.
#[derive(Debug, Clone)]
pub struct PeripheralSettings {
    /// What protects its words.
    pub security: Security,
    /// What ends the frames sent to it.
    pub check: CheckKind,
}

/// A reader that cannot be added.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AddError {
    /// There is one at this address.
    #[error("address `{0}` is taken on this bus")]
    Taken(Address),
    /// The bus has as many readers as it serves.
    #[error("a bus has at most {limit} readers")]
    Full {
        /// How many it serves.
        limit: usize,
    },
}
