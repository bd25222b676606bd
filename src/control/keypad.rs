//! Badge and PIN at one reader: joins a card and the keys typed after it into one attempt.
//!
//! Pure: the caller says what happened and when, and does what it is told. Every card comes out
//! again as one attempt, with a PIN, without one, or with something that cannot be one; a card
//! that nobody typed a PIN for is presented too, so that its denial is written.
//!
//! ```text
//!            card, PIN asked for                keys
//!          ,--------- Ask ---------.         ,--------.
//!          |                       v         |        v
//!        idle                   waiting for the PIN --'
//!          ^                       |   |
//!          '--- Clear, Present ----'   '--- another card: Present, and on with that one
//!            `#`, or nothing in time
//! ```
//!
//! Without a keypad, or where no PIN is asked for now, a card goes straight through.

use std::fmt;
use std::time::Duration;

use zeroize::Zeroizing;

use super::lines::TypedKeys;
use crate::types::{CardCheck, FactorRequirement, Moment, Pin};
use crate::wire::card::ReadCard;

/// How long nobody needs to touch a key after the card.
pub const FIRST_KEY_WITHIN: Duration = Duration::from_secs(10);
/// How long nobody needs to touch a key after the last one.
pub const NEXT_KEY_WITHIN: Duration = Duration::from_secs(5);
/// How long the whole entry may take, so that leaning on the keys does not hold a card back.
pub const ENTRY_WITHIN: Duration = Duration::from_mins(1);
/// Most digits that are kept: those of the longest PIN.
const DIGITS_MAX: usize = 12;

/// What happened at the reader.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeypadInput {
    /// A card was held against it.
    Card {
        /// The card.
        card: ReadCard,
        /// What has to be presented there at this moment.
        requirement: FactorRequirement,
        /// Whether the reader has keys at all.
        has_keypad: bool,
    },
    /// Keys were pressed, in this order: digits, `*` for "what I typed does not count", `#` for
    /// "that was all". Anything else makes what is typed no PIN.
    Keys(TypedKeys),
    /// Time went by.
    Tick,
}

/// What was typed for a PIN.
#[derive(Debug, Clone)]
pub enum PinTyped {
    /// None was asked for, or none was finished: `#` did not come in time or ended nothing.
    NotGiven,
    /// Digits that can be a PIN.
    Given(Pin),
    /// Something was finished that cannot be a PIN, by its length. It counts as a wrong PIN, in
    /// the decision and towards the lock-out: it was an answer to "which is your PIN?".
    Malformed,
}

/// What is to be done.
#[derive(Debug, Clone)]
pub enum KeypadOutput {
    /// The reader shows that it waits for a PIN; again after `*`.
    Ask,
    /// The reader shows that it waits no longer.
    Clear,
    /// An attempt is made.
    Present {
        /// With this card.
        card: ReadCard,
        /// And this PIN.
        pin: PinTyped,
    },
}

/// The dialogue of one reader.
///
/// Holds one card at most and 12 digits at most, which are wiped. Keys without a card are not
/// kept, only counted.
#[derive(Debug, Default)]
pub struct Dialogue {
    waiting: Option<Waiting>,
    ignored_key_count: u64,
}

/// A card whose PIN is being typed.
#[derive(Debug)]
struct Waiting {
    card: ReadCard,
    digits: Digits,
    deadline: Moment,
    /// The deadline is never later.
    last_deadline: Moment,
}

/// Digits typed so far.
struct Digits {
    /// Room for all of them is made at once and stays where it is, so that no copy stays behind.
    ascii: Zeroizing<Vec<u8>>,
    is_malformed: bool,
}

impl fmt::Debug for Digits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Digits([redacted])")
    }
}

impl Dialogue {
    /// Waits for a card.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes in what happened, and says what is to be done, in this order.
    ///
    /// What ran out before `now` is ended first, whether or not a tick came in between.
    pub fn step(&mut self, input: KeypadInput, now: Moment) -> Vec<KeypadOutput> {
        let mut out = Vec::new();
        if self.next_deadline().is_some_and(|deadline| now >= deadline) {
            self.end(PinTyped::NotGiven, &mut out);
        }
        match input {
            KeypadInput::Card {
                card,
                requirement,
                has_keypad,
            } => {
                if has_keypad && asks_for_pin(&card, requirement) {
                    self.ask(card, now, &mut out);
                } else {
                    self.end(PinTyped::NotGiven, &mut out);
                    let pin = PinTyped::NotGiven;
                    out.push(KeypadOutput::Present { card, pin });
                }
            }
            KeypadInput::Keys(keys) => {
                for key in keys.0.bytes() {
                    self.press(key, now, &mut out);
                }
            }
            KeypadInput::Tick => {}
        }
        out
    }

    /// When a tick is due at the latest; `None` while no PIN is waited for.
    pub fn next_deadline(&self) -> Option<Moment> {
        self.waiting.as_ref().map(|waiting| waiting.deadline)
    }

    /// How many keys were pressed without a card, since the beginning.
    pub fn ignored_key_count(&self) -> u64 {
        self.ignored_key_count
    }

    /// Begins to wait for the PIN of a card. One that was waited for is presented without.
    fn ask(&mut self, card: ReadCard, now: Moment, out: &mut Vec<KeypadOutput>) {
        let next = Waiting {
            card,
            digits: Digits::none(),
            deadline: now.plus(FIRST_KEY_WITHIN),
            last_deadline: now.plus(ENTRY_WITHIN),
        };
        if let Some(Waiting { card, .. }) = self.waiting.replace(next) {
            let pin = PinTyped::NotGiven;
            out.push(KeypadOutput::Present { card, pin });
        }
        out.push(KeypadOutput::Ask);
    }

    fn press(&mut self, key: u8, now: Moment, out: &mut Vec<KeypadOutput>) {
        let Some(waiting) = &mut self.waiting else {
            self.ignored_key_count = self.ignored_key_count.saturating_add(1);
            return;
        };
        waiting.deadline = now.plus(NEXT_KEY_WITHIN).min(waiting.last_deadline);
        match key {
            b'*' => {
                waiting.digits = Digits::none();
                out.push(KeypadOutput::Ask);
            }
            b'#' => {
                let pin = waiting.digits.typed();
                self.end(pin, out);
            }
            key => waiting.digits.push(key),
        }
    }

    /// Ends the waiting, if there is any, with an attempt.
    fn end(&mut self, pin: PinTyped, out: &mut Vec<KeypadOutput>) {
        if let Some(Waiting { card, .. }) = self.waiting.take() {
            out.push(KeypadOutput::Clear);
            out.push(KeypadOutput::Present { card, pin });
        }
    }
}

/// Whether a PIN is worth typing. A card that is not sound is denied whatever is typed, so its
/// holder learns it at once.
fn asks_for_pin(card: &ReadCard, requirement: FactorRequirement) -> bool {
    let is_sound = match card.check {
        CardCheck::Sound => true,
        CardCheck::ParityFailed | CardCheck::FormatNotAccepted => false,
    };
    is_sound
        && match requirement {
            FactorRequirement::BadgeAndPin => true,
            FactorRequirement::Badge | FactorRequirement::BadgeAndFinger => false,
        }
}

impl Digits {
    fn none() -> Self {
        Self {
            ascii: Zeroizing::new(Vec::with_capacity(DIGITS_MAX)),
            is_malformed: false,
        }
    }

    fn push(&mut self, key: u8) {
        if key.is_ascii_digit() && self.ascii.len() < DIGITS_MAX {
            self.ascii.push(key);
        } else {
            self.is_malformed = true;
        }
    }

    /// What was typed when `#` came. Nothing at all is no PIN, rather than a wrong one.
    fn typed(&self) -> PinTyped {
        if self.is_malformed {
            return PinTyped::Malformed;
        }
        if self.ascii.is_empty() {
            return PinTyped::NotGiven;
        }
        let text = str::from_utf8(&self.ascii).unwrap_or_default();
        Pin::parse(text).map_or(PinTyped::Malformed, PinTyped::Given)
    }
}

#[cfg(test)]
#[path = "keypad_tests.rs"]
mod tests;
