//! What a reader can be told to do.

use std::fmt;
use std::num::NonZeroU16;

/// What an output shall do (OSDP 2.2, `osdp_OUT`).
///
/// A strike is driven with [`OutputControl::OnFor`] alone, so that a line that breaks leaves
/// it shut.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum OutputControl {
    /// Off for good (code 01).
    Off,
    /// On for good (code 02).
    On,
    /// On for so many tenths of a second, then as before (code 05). Never 0, which some readers
    /// take for ever.
    OnFor(NonZeroU16),
}

/// Colour of a light (OSDP 2.2, `osdp_LED`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum LedColor {
    /// Dark.
    Black,
    /// Red.
    Red,
    /// Green.
    Green,
    /// Amber.
    Amber,
    /// Blue.
    Blue,
    /// Magenta.
    Magenta,
    /// Cyan.
    Cyan,
    /// White.
    White,
}

/// A light that alternates between two colours; a steady one has `off` of 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Blink {
    /// First colour.
    pub on_color: LedColor,
    /// How long it shows, in tenths of a second.
    pub on_tenths: u8,
    /// Second colour.
    pub off_color: LedColor,
    /// How long it shows, in tenths of a second.
    pub off_tenths: u8,
}

impl Blink {
    /// One colour, for as long as nothing else is said.
    pub fn steady(color: LedColor) -> Self {
        Self {
            on_color: color,
            on_tenths: 1,
            off_color: color,
            off_tenths: 0,
        }
    }
}

/// A light for a while, after which the permanent one shows again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct TemporaryBlink {
    /// What it shows.
    pub blink: Blink,
    /// For how long, in tenths of a second.
    pub tenths: u16,
}

/// One light of a reader.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct LedOrder {
    /// Number of the light, from 0.
    pub led: u8,
    /// Shown for a while first; `None` leaves a temporary state that runs alone.
    pub temporary: Option<TemporaryBlink>,
    /// Shown for good; `None` leaves it as it is.
    pub permanent: Option<Blink>,
}

/// What the buzzer plays (OSDP 2.2, `osdp_BUZ`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Tone {
    /// Silence.
    Off,
    /// The reader's own tone.
    Default,
}

/// The buzzer of a reader.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct BuzzerOrder {
    /// What it plays.
    pub tone: Tone,
    /// How long it sounds, in tenths of a second; at least 1 where it sounds.
    pub on_tenths: u8,
    /// How long it is quiet between, in tenths of a second.
    pub off_tenths: u8,
    /// How often; 0 is until told otherwise.
    pub count: u8,
}

/// Longest text in characters that fits a frame every reader can take.
const TEXT_CHARS_MAX: usize = 32;

/// A text that cannot be shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidText {
    /// Too long.
    #[error("must have at most {limit} characters")]
    Long {
        /// How many it may have.
        limit: usize,
    },
    /// Not printable ASCII.
    #[error("must be printable ASCII")]
    Character,
    /// Rows and columns count from 1.
    #[error("row and column count from 1")]
    Place,
}

/// Text on the display of a reader (OSDP 2.2, `osdp_TEXT`).
///
/// It may greet a person, so that it is not printed.
#[derive(Clone, PartialEq, Eq)]
pub struct TextOrder {
    row: u8,
    column: u8,
    seconds: u8,
    text: String,
}

impl TextOrder {
    /// At a place counted from 1, for so many seconds or with 0 for good; printable ASCII only.
    pub fn new(place: (u8, u8), seconds: u8, text: &str) -> Result<Self, InvalidText> {
        let (row, column) = place;
        if row == 0 || column == 0 {
            return Err(InvalidText::Place);
        }
        if text.len() > TEXT_CHARS_MAX {
            return Err(InvalidText::Long {
                limit: TEXT_CHARS_MAX,
            });
        }
        if !text.bytes().all(|byte| (0x20..=0x7E).contains(&byte)) {
            return Err(InvalidText::Character);
        }
        let text = text.to_owned();
        Ok(Self {
            row,
            column,
            seconds,
            text,
        })
    }

    /// Row, from 1.
    pub fn row(&self) -> u8 {
        self.row
    }

    /// Column, from 1.
    pub fn column(&self) -> u8 {
        self.column
    }

    /// For how many seconds; 0 is for good.
    pub fn seconds(&self) -> u8 {
        self.seconds
    }

    /// The text.
    pub fn text(&self) -> &str {
        &self.text
    }
}

impl fmt::Debug for TextOrder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TextOrder([redacted])")
    }
}

/// One thing a reader is told to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PeripheralOrder {
    /// Switch an output, a strike for example. Goes before everything else.
    Output {
        /// Its number, from 0.
        number: u8,
        /// What it shall do.
        control: OutputControl,
    },
    /// Show a light.
    Led(LedOrder),
    /// Sound the buzzer.
    Buzzer(BuzzerOrder),
    /// Show a text.
    Text(TextOrder),
}

/// An order that was not taken. Nothing of it will ever be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum OrderRefused {
    /// No reader was added at this address.
    #[error("no reader is configured at this address")]
    Unknown,
    /// There is no session with the reader now; an order does not wait for one.
    #[error("the reader is not online")]
    NotOnline,
    /// More orders wait than the reader can be told soon.
    #[error("too many orders wait for this reader")]
    QueueFull,
}
