//! What can be seen of a reader from outside.

use std::time::{Duration, Instant};

/// Something that happened at a reader, and when.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Observed {
    /// When, on the device's monotonic clock.
    pub at: Instant,
    /// What.
    pub what: Seen,
}

/// Something that happened at a reader.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Seen {
    /// An output changed.
    Output {
        /// Its number, from 0.
        number: u8,
        /// What it is now.
        is_on: bool,
    },
    /// A light was ordered.
    Led(LedOrder),
    /// The buzzer was ordered.
    Buzzer {
        /// Tone code: 1 off, 2 the default tone.
        tone: u8,
        /// How often it sounds; 0 until it is stopped.
        count: u8,
    },
    /// A text was shown.
    Text(String),
    /// A secure channel is up.
    SecureChannelUp {
        /// Whether it was made with the default key.
        is_default_key: bool,
    },
    /// The secure channel ended.
    SecureChannelDown,
    /// A handshake was refused: no such key here, or the other side has another one.
    HandshakeRefused,
    /// A control panel began to talk to it.
    Online,
    /// It was not spoken to for 8 s.
    Offline,
    /// It was given a key; used from the next handshake on.
    KeySet,
    /// It was given an address and a baud rate.
    Comset {
        /// Its address from now on.
        address: u8,
        /// Its baud rate from now on.
        baud: u32,
    },
    /// It handed a card over.
    CardReported,
    /// It handed keys over.
    KeysReported,
    /// It restarted.
    Restarted,
    /// The door's bolt was released or locked.
    DoorReleased(bool),
    /// The door was opened or closed.
    DoorOpen(bool),
}

/// How a light shines: colours as the standard numbers them (0 off, 1 red, 2 green, 3 amber,
/// 4 blue, 5 magenta, 6 cyan, 7 white).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LedPattern {
    /// Colour in the first part of a blink.
    pub on_color: u8,
    /// Length of the first part.
    pub on_time: Duration,
    /// Colour in the second part.
    pub off_color: u8,
    /// Length of the second part; zero means no blinking.
    pub off_time: Duration,
}

/// One record of LED (OSDP 2.2, 6.10).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LedOrder {
    /// Number of the light, from 0.
    pub number: u8,
    /// How it shines for a while, and how long.
    pub temporary: Option<(LedPattern, Duration)>,
    /// How it shines otherwise.
    pub permanent: Option<LedPattern>,
}

/// What a reader counted since it was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counters {
    /// Commands to it that were whole and heard.
    pub commands: u64,
    /// POLL among them, repeated ones not counted again.
    pub polls: u64,
    /// Replies that were sent, faulty ones too.
    pub replies: u64,
    /// Commands that came again with the same sequence number and were answered the same.
    pub repeats: u64,
    /// NAKs sent.
    pub naks: u64,
    /// BUSY sent.
    pub busy: u64,
    /// Frames with a bad check.
    pub bad_checks: u64,
    /// Commands whose MAC was wrong.
    pub bad_macs: u64,
    /// Secure channels made.
    pub secure_channels: u64,
    /// Restarts.
    pub restarts: u64,
    /// Events lost because too many waited.
    pub events_lost: u64,
}

/// A command and what was replied, as they were on the wire.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exchange {
    /// The command's bytes, from 0x53 on.
    pub command: Vec<u8>,
    /// The reply's bytes; empty if there was none.
    pub reply: Vec<u8>,
}
