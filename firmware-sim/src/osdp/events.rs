//! What a reader has to tell, until it is asked.

use std::collections::VecDeque;
use std::fmt;

use super::codes::reply;

/// Events that wait at most; a card presented to a full reader is lost.
const EVENTS_MAX: usize = 64;
/// Keys in one reply at most, so that it fits the smallest buffer.
const KEYS_MAX: usize = 32;
/// Number of the reader within the device.
const READER: u8 = 0;

/// Keys that no keypad has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a keypad has 0 to 9, * and #")]
pub struct InvalidKeys;

/// A reply to POLL that waits.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Event {
    pub(crate) code: u8,
    pub(crate) data: Vec<u8>,
}

impl fmt::Debug for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Event({:#04x} [redacted])", self.code)
    }
}

impl Event {
    /// A card as bits (RAW): format 0 is unspecified, 1 is Wiegand with its parity.
    pub(crate) fn raw(format: u8, bit_length: u16, bits: &[u8]) -> Self {
        let [low, high] = bit_length.to_le_bytes();
        let mut data = vec![READER, format, low, high];
        data.extend_from_slice(bits);
        Self {
            code: reply::RAW,
            data,
        }
    }

    /// A card as characters (FMT), read forwards; at most 64.
    pub(crate) fn fmt(text: &str) -> Self {
        let digits = text.as_bytes();
        let digits = digits.get(..64).unwrap_or(digits);
        let count = u8::try_from(digits.len()).unwrap_or(u8::MAX);
        let mut data = vec![READER, 0, count];
        data.extend_from_slice(digits);
        Self {
            code: reply::FMT,
            data,
        }
    }

    /// Keys (KEYPPAD), in as many replies as they need; `*` is 7F and `#` is 0D.
    pub(crate) fn keys(keys: &str) -> Result<Vec<Self>, InvalidKeys> {
        let code_of = |key: char| match key {
            '*' => Ok(0x7F),
            '#' => Ok(0x0D),
            digit if digit.is_ascii_digit() => u8::try_from(digit).map_err(|_| InvalidKeys),
            _ => Err(InvalidKeys),
        };
        let codes = keys.chars().map(code_of).collect::<Result<Vec<u8>, _>>()?;
        let one = |codes: &[u8]| {
            let mut data = vec![READER, u8::try_from(codes.len()).unwrap_or(u8::MAX)];
            data.extend_from_slice(codes);
            Self {
                code: reply::KEYPPAD,
                data,
            }
        };
        Ok(codes.chunks(KEYS_MAX).map(one).collect())
    }
}

/// Refuses keys that no keypad has.
pub(crate) fn check_keys(keys: &str) -> Result<(), InvalidKeys> {
    Event::keys(keys).map(|_| ())
}

/// Events in the order in which they happened.
#[derive(Debug, Default)]
pub(crate) struct Events {
    waiting: VecDeque<Event>,
    pub(crate) lost: u64,
}

impl Events {
    pub(crate) fn push(&mut self, event: Event) {
        if self.waiting.len() < EVENTS_MAX {
            self.waiting.push_back(event);
        } else {
            self.lost += 1;
        }
    }

    pub(crate) fn pop(&mut self) -> Option<Event> {
        self.waiting.pop_front()
    }

    pub(crate) fn clear(&mut self) {
        self.waiting.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_have_the_standard_s_codes() {
        let events = Event::keys("19*#").unwrap();
        assert_eq!(events[0].data, [0, 4, 0x31, 0x39, 0x7F, 0x0D]);
        assert_eq!(Event::keys("12a"), Err(InvalidKeys));
        assert_eq!(Event::keys(&"1".repeat(70)).unwrap().len(), 3);
        assert!(!format!("{events:?}").contains("49"));
    }

    #[test]
    fn waiting_events_are_bounded() {
        let mut events = Events::default();
        for _ in 0..1000 {
            events.push(Event::fmt("1"));
        }
        assert_eq!(events.lost, 1000 - 64);
    }
}
