//! Readers on serial lines, and how doors hang on them.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::id::parse_slug;
use super::{AccessPointId, CardFormat, ControllerId, DisplayName, InvalidId, ReaderId};

/// A value about readers or doors that cannot be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidReader {
    /// Not 0..=126.
    #[error("an OSDP address is 0 to 126")]
    Address,
    /// Not 0..=15.
    #[error("inputs and outputs are numbered 0 to 15")]
    Terminal,
    /// The strike time is not 0.1..=60 s, to the tenth.
    #[error("a strike is released for 0.1 to 60 s, to the tenth")]
    StrikeTime,
    /// The time after which a door is held is not 1..=3600 whole seconds.
    #[error("a door is held after 1 to 3600 s, in whole seconds")]
    HeldAfter,
    /// The warning does not come before the alarm, or not in whole seconds.
    #[error("the warning must come less than `held_after` before the alarm, in whole seconds")]
    PreAlarm,
}

/// Name of a serial line in the configuration; the grammar of ids.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BusName(Arc<str>);

impl BusName {
    /// Parses it.
    pub fn parse(text: &str) -> Result<Self, InvalidId> {
        parse_slug(text).map(Self)
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for BusName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Address of a peripheral device on its line, 0..=126; 127 is everybody (OSDP 2.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ReaderAddress(u8);

impl ReaderAddress {
    /// Highest address of a single device.
    pub const MAX: u8 = 126;

    /// From its number.
    pub fn new(number: u32) -> Result<Self, InvalidReader> {
        u8::try_from(number)
            .ok()
            .filter(|n| *n <= Self::MAX)
            .map(Self)
            .ok_or(InvalidReader::Address)
    }

    /// Its number.
    pub fn number(self) -> u8 {
        self.0
    }
}

/// Number of an input or output of a reader, 0..=15.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Terminal(u8);

impl Terminal {
    /// Highest number.
    pub const MAX: u8 = 15;

    /// From its number.
    pub fn new(number: u32) -> Result<Self, InvalidReader> {
        u8::try_from(number)
            .ok()
            .filter(|n| *n <= Self::MAX)
            .map(Self)
            .ok_or(InvalidReader::Terminal)
    }

    /// Its number.
    pub fn number(self) -> u8 {
        self.0
    }
}

/// Whether a reader's line has to be secured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ReaderSecurity {
    /// OSDP secure channel with the reader's own key; nothing else is listened to.
    SecureChannel,
    /// In clear: whoever reaches the wire can open the door.
    Plain,
}

/// A card reader on a serial line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reader {
    /// Its id.
    pub id: ReaderId,
    /// Name shown to people.
    pub display_name: DisplayName,
    /// The side of the door at which it hangs.
    pub access_point: AccessPointId,
    /// The line.
    pub bus: BusName,
    /// Its address on the line.
    pub address: ReaderAddress,
    /// Whether the line has to be secured.
    pub security: ReaderSecurity,
    /// Formats of the cards it accepts, at most one of each length.
    pub card_formats: Vec<CardFormat>,
    /// Whether a PIN can be typed.
    pub has_keypad: bool,
}

/// What drives a door.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DoorDrive {
    /// A controller, over gRPC.
    Controller(ControllerId),
    /// An output of a reader that Sluss polls.
    Reader(DoorWiring),
}

impl DoorDrive {
    /// The controller, where one drives the door.
    pub fn controller(&self) -> Option<&ControllerId> {
        match self {
            Self::Controller(controller) => Some(controller),
            Self::Reader(_) => None,
        }
    }

    /// The wiring, where a reader drives the door.
    pub fn wiring(&self) -> Option<&DoorWiring> {
        match self {
            Self::Controller(_) => None,
            Self::Reader(wiring) => Some(wiring),
        }
    }
}

/// How a door hangs on a reader.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DoorWiring {
    /// The reader.
    pub reader: ReaderId,
    /// The output that releases the strike.
    pub strike_output: Terminal,
    /// The input that is active while the door is open.
    pub contact_input: Option<Terminal>,
    /// The input that is active while somebody asks to leave.
    pub request_to_exit_input: Option<Terminal>,
}

/// How long things may take at a door.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DoorTiming {
    strike_time: Duration,
    held_after: Duration,
    pre_alarm: Duration,
}

impl DoorTiming {
    /// What holds where nothing is said: 5 s, 30 s, 10 s.
    pub const USUAL: Self = Self {
        strike_time: Duration::from_secs(5),
        held_after: Duration::from_secs(30),
        pre_alarm: Duration::from_secs(10),
    };

    /// From its parts; what is `None` is as usual, the warning at most a third of `held_after`.
    ///
    /// The strike time is in tenths of a second, the others in whole seconds.
    pub fn new(
        strike_time: Option<Duration>,
        held_after: Option<Duration>,
        pre_alarm: Option<Duration>,
    ) -> Result<Self, InvalidReader> {
        let strike_time = strike_time.unwrap_or(Self::USUAL.strike_time);
        let held_after = held_after.unwrap_or(Self::USUAL.held_after);
        let third = Duration::from_secs(held_after.as_secs() / 3);
        let pre_alarm = pre_alarm.unwrap_or(Self::USUAL.pre_alarm.min(third));
        // What is finer than the store's units is refused, not rounded: a file that is planned
        // again must find what it wrote.
        let tenths = Duration::from_millis(100);
        if strike_time < tenths
            || strike_time > Duration::from_mins(1)
            || !strike_time.as_nanos().is_multiple_of(tenths.as_nanos())
        {
            return Err(InvalidReader::StrikeTime);
        }
        let is_whole = |time: Duration| time.subsec_nanos() == 0;
        if held_after < Duration::from_secs(1)
            || held_after > Duration::from_hours(1)
            || !is_whole(held_after)
        {
            return Err(InvalidReader::HeldAfter);
        }
        if pre_alarm >= held_after || !is_whole(pre_alarm) {
            return Err(InvalidReader::PreAlarm);
        }
        Ok(Self {
            strike_time,
            held_after,
            pre_alarm,
        })
    }

    /// How long the strike is released, 0.1..=60 s.
    pub fn strike_time(&self) -> Duration {
        self.strike_time
    }

    /// How long the door may stand open, 1..=3600 s.
    pub fn held_after(&self) -> Duration {
        self.held_after
    }

    /// How long before that the reader warns; less than `held_after`.
    pub fn pre_alarm(&self) -> Duration {
        self.pre_alarm
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_broadcast_address_is_no_reader() {
        assert_eq!(ReaderAddress::new(126).map(ReaderAddress::number), Ok(126));
        assert_eq!(ReaderAddress::new(127), Err(InvalidReader::Address));
        assert_eq!(Terminal::new(16), Err(InvalidReader::Terminal));
    }

    #[test]
    fn a_warning_comes_before_its_alarm() {
        let s = Duration::from_secs;
        let short = DoorTiming::new(None, Some(s(6)), None).unwrap();
        assert_eq!((short.pre_alarm(), short.strike_time()), (s(2), s(5)));
        let late = DoorTiming::new(None, Some(s(6)), Some(s(6)));
        assert_eq!(late, Err(InvalidReader::PreAlarm));
        let long = DoorTiming::new(Some(s(61)), None, None);
        assert_eq!(long, Err(InvalidReader::StrikeTime));
        assert_eq!(DoorTiming::new(None, None, None), Ok(DoorTiming::USUAL));
        let odd = DoorTiming::new(None, Some(s(4)), None).unwrap();
        assert_eq!(odd.pre_alarm(), s(1));
    }

    #[test]
    fn what_is_finer_than_the_store_keeps_is_refused() {
        let ms = Duration::from_millis;
        let new =
            |strike, held, pre| DoorTiming::new(Some(ms(strike)), Some(ms(held)), Some(ms(pre)));
        assert!(new(1_500, 4_000, 0).is_ok());
        assert_eq!(new(1_550, 4_000, 0), Err(InvalidReader::StrikeTime));
        assert_eq!(new(1_500, 4_500, 0), Err(InvalidReader::HeldAfter));
        assert_eq!(new(1_500, 4_000, 500), Err(InvalidReader::PreAlarm));
    }
}
