//! What can be done to a line, a reader or a door, and what can be expected, in words.

use std::time::Duration;

use super::words::Words;
use crate::{Card, Fault, FaultKind, Person, ReaderHandle, Seen, SimBus, SimDoor};

/// Something that is done, as in `present H10301 42 12345`.
#[derive(Debug, Clone, PartialEq, Eq, serde::Deserialize)]
#[serde(try_from = "String")]
pub enum Order {
    /// To a reader.
    Reader(ReaderOrder),
    /// To a line.
    Line(LineOrder),
    /// To a door.
    Door(DoorOrder),
}

/// Something that is done to a reader.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ReaderOrder {
    /// `present H10301|N10002|H10304 FACILITY NUMBER`, `present H10302 NUMBER`, `present UID HEX`,
    /// `present raw FORMAT BITS HEX`.
    Present(Card),
    /// `text DIGITS`: a card that is handed over as characters.
    Text(String),
    /// `keys 1234#`.
    Keys(String),
    /// `tamper on|off`.
    Tamper(bool),
    /// `power_failed on|off`.
    PowerFailed(bool),
    /// `input NUMBER on|off`.
    Input(u8, bool),
    /// `install_mode on|off`.
    InstallMode(bool),
    /// `restart`.
    Restart,
    /// `fault KIND [TIMES]`, until cleared without a number.
    Fault(Fault),
    /// `clear_faults`.
    ClearFaults,
}

/// Something that is done to a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LineOrder {
    /// `unplug`.
    Unplug,
    /// `replug`.
    Replug,
    /// `noise TIME`.
    Noise(Duration),
    /// `echo on|off`.
    Echo(bool),
}

/// Something that is done to a door.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DoorOrder {
    /// `force [TIME]`.
    Force(Option<Duration>),
    /// `hold`.
    Hold,
    /// `close`.
    Close,
    /// `press_exit TIME`.
    PressExit(Duration),
    /// `person stays`, `person opens AFTER [OPEN_FOR]`.
    Person(Person),
}

impl TryFrom<String> for Order {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        Self::parse(&text)
    }
}

impl Order {
    /// Reads an order; the error says what is wrong with it.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut words = Words::new(text);
        let words = &mut words;
        let order = match words.next("what is to be done")? {
            "present" => Self::Reader(ReaderOrder::Present(card(words)?)),
            "text" => Self::Reader(ReaderOrder::Text(words.next("a text")?.to_owned())),
            "keys" => {
                let keys = words.next("the keys")?.to_owned();
                crate::osdp::check_keys(&keys).map_err(|e| e.to_string())?;
                Self::Reader(ReaderOrder::Keys(keys))
            }
            "tamper" => Self::Reader(ReaderOrder::Tamper(words.switch()?)),
            "power_failed" => Self::Reader(ReaderOrder::PowerFailed(words.switch()?)),
            "input" => {
                let number = words.number("an input")?;
                Self::Reader(ReaderOrder::Input(number, words.switch()?))
            }
            "install_mode" => Self::Reader(ReaderOrder::InstallMode(words.switch()?)),
            "restart" => Self::Reader(ReaderOrder::Restart),
            "fault" => Self::Reader(ReaderOrder::Fault(fault(words)?)),
            "clear_faults" => Self::Reader(ReaderOrder::ClearFaults),
            "unplug" => Self::Line(LineOrder::Unplug),
            "replug" => Self::Line(LineOrder::Replug),
            "noise" => Self::Line(LineOrder::Noise(words.time("how long")?)),
            "echo" => Self::Line(LineOrder::Echo(words.switch()?)),
            "force" => Self::Door(DoorOrder::Force(words.optional_time()?)),
            "hold" => Self::Door(DoorOrder::Hold),
            "close" => Self::Door(DoorOrder::Close),
            "press_exit" => Self::Door(DoorOrder::PressExit(words.time("how long")?)),
            "person" => Self::Door(DoorOrder::Person(person(words)?)),
            other => return Err(format!("`{other}` is nothing that can be done")),
        };
        words.end()?;
        Ok(order)
    }
}

fn card(words: &mut Words<'_>) -> Result<Card, String> {
    let invalid = |error: crate::InvalidCard| error.to_string();
    match words.next("a card format")? {
        "H10301" => Ok(Card::h10301(
            words.number("a facility from 0 to 255")?,
            words.number("a number from 0 to 65535")?,
        )),
        "N10002" => Ok(Card::n10002(
            words.number("a facility from 0 to 65535")?,
            words.number("a number from 0 to 65535")?,
        )),
        "H10302" => Card::h10302(words.number("a number")?).map_err(invalid),
        "H10304" => {
            let facility = words.number("a facility from 0 to 65535")?;
            Card::h10304(facility, words.number("a number")?).map_err(invalid)
        }
        "UID" => Card::uid(&words.bytes("the UID")?).map_err(invalid),
        "raw" => {
            let format = words.next("a card format")?;
            let bits = words.number("a number of bits")?;
            Card::raw(format, bits, &words.bytes("the bits")?).map_err(invalid)
        }
        other => Err(format!("`{other}` is no card format")),
    }
}

fn person(words: &mut Words<'_>) -> Result<Person, String> {
    match words.next("what the person does")? {
        "stays" => Ok(Person::Stays),
        "opens" => Ok(Person::Opens {
            after: words.time("how long after")?,
            open_for: words.optional_time()?,
        }),
        other => Err(format!("a person stays or opens, not `{other}`")),
    }
}

fn fault(words: &mut Words<'_>) -> Result<Fault, String> {
    let kind = match words.next("what goes wrong")? {
        "reply_lost" => FaultKind::ReplyLost,
        "reply_late" => FaultKind::ReplyLate(words.time("how late")?),
        "reply_corrupted" => FaultKind::ReplyCorrupted,
        "reply_truncated" => FaultKind::ReplyTruncated,
        "reply_duplicated" => FaultKind::ReplyDuplicated,
        "wrong_sequence" => FaultKind::WrongSequence,
        "wrong_address" => FaultKind::WrongAddress,
        "wrong_mac" => FaultKind::WrongMac,
        "busy" => FaultKind::Busy,
        "silence" => FaultKind::Silence,
        "restart" => FaultKind::Restart,
        "no_security" => FaultKind::NoSecurity,
        "default_key_only" => FaultKind::DefaultKeyOnly,
        "same_random" => FaultKind::SameRandom,
        "never_stops" => FaultKind::NeverStops,
        other => return Err(format!("`{other}` is nothing that goes wrong")),
    };
    let Some(count) = words.optional() else {
        return Ok(kind.until_cleared());
    };
    let count = count
        .parse()
        .map_err(|_| format!("`{count}` is not how often"))?;
    Ok(kind.times(count))
}

impl ReaderOrder {
    /// Does it.
    pub fn give(&self, reader: &ReaderHandle) {
        match self {
            Self::Present(card) => {
                reader.present(card);
            }
            Self::Text(text) => {
                reader.present_text(text);
            }
            // Only keys that there are become an order.
            Self::Keys(keys) => drop(reader.type_keys(keys)),
            Self::Tamper(is_open) => reader.tamper(*is_open),
            Self::PowerFailed(has_failed) => reader.power_failed(*has_failed),
            Self::Input(number, is_active) => reader.input(*number, *is_active),
            Self::InstallMode(is_on) => reader.install_mode(*is_on),
            Self::Restart => {
                reader.restart();
            }
            Self::Fault(fault) => reader.fault(*fault),
            Self::ClearFaults => {
                reader.clear_faults();
            }
        }
    }
}

impl LineOrder {
    /// Does it; fails if a port cannot be made.
    pub fn give(self, bus: &SimBus) -> std::io::Result<()> {
        match self {
            Self::Unplug => bus.unplug()?,
            Self::Replug => bus.replug()?,
            Self::Noise(duration) => {
                bus.noise(duration);
            }
            Self::Echo(is_on) => bus.echo(is_on),
        }
        Ok(())
    }
}

impl DoorOrder {
    /// Does it.
    pub fn give(self, door: &SimDoor) {
        match self {
            Self::Force(open_for) => {
                door.force(open_for);
            }
            Self::Hold => {
                door.hold();
            }
            Self::Close => {
                door.close();
            }
            Self::PressExit(held_for) => {
                door.press_exit(held_for);
            }
            Self::Person(person) => door.person(person),
        }
    }
}

/// Something that is expected of a reader, as in `output 0 on`.
#[derive(Debug, Clone, PartialEq, Eq, serde::Deserialize)]
#[serde(try_from = "String")]
pub(crate) struct Expectation {
    words: String,
}

impl TryFrom<String> for Expectation {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let words: Vec<&str> = text.split_whitespace().collect();
        let is_known = match words.as_slice() {
            ["output", number, "on" | "off"] => number.parse::<u8>().is_ok(),
            ["text", ..] => true,
            [word] => SINGLE_WORDS.contains(word),
            _ => false,
        };
        if !is_known {
            return Err(format!("`{text}` is nothing that can be expected"));
        }
        Ok(Self {
            words: words.join(" "),
        })
    }
}

/// Observations of one word.
const SINGLE_WORDS: [&str; 16] = [
    "led",
    "buzzer",
    "secure_channel_up",
    "secure_channel_down",
    "handshake_refused",
    "online",
    "offline",
    "key_set",
    "comset",
    "card_reported",
    "keys_reported",
    "restarted",
    "door_released",
    "door_locked",
    "door_open",
    "door_closed",
];

impl Expectation {
    /// Whether that is what was expected.
    pub(crate) fn is_met_by(&self, seen: &Seen) -> bool {
        let said = describe(seen);
        let (first, _) = said.split_once(' ').unwrap_or((&said, ""));
        self.words == said || (first != "output" && first != "text" && self.words == first)
    }

    pub(crate) fn words(&self) -> &str {
        &self.words
    }
}

/// What was seen, in the words of an expectation and a few more.
pub fn describe(seen: &Seen) -> String {
    let either = |is_so: bool, so: &str, not: &str| if is_so { so } else { not }.to_owned();
    match seen {
        Seen::Output { number, is_on } => {
            format!("output {number} {}", either(*is_on, "on", "off"))
        }
        Seen::Led(order) => format!("led {} {}", order.number, color_of(order)),
        Seen::Buzzer { tone, count } => format!("buzzer tone {tone}, {count} times"),
        Seen::Text(text) => format!("text {text}"),
        Seen::SecureChannelUp { is_default_key } => format!(
            "secure_channel_up with {}",
            either(*is_default_key, "the default key", "its own key")
        ),
        Seen::SecureChannelDown => "secure_channel_down".to_owned(),
        Seen::HandshakeRefused => "handshake_refused".to_owned(),
        Seen::Online => "online".to_owned(),
        Seen::Offline => "offline".to_owned(),
        Seen::KeySet => "key_set".to_owned(),
        Seen::Comset { address, baud } => format!("comset address {address}, {baud} baud"),
        Seen::CardReported => "card_reported".to_owned(),
        Seen::KeysReported => "keys_reported".to_owned(),
        Seen::Restarted => "restarted".to_owned(),
        Seen::DoorReleased(is_so) => either(*is_so, "door_released", "door_locked"),
        Seen::DoorOpen(is_so) => either(*is_so, "door_open", "door_closed"),
    }
}

fn color_of(order: &crate::LedOrder) -> &'static str {
    let pattern = order.temporary.map(|(pattern, _)| pattern);
    match pattern.or(order.permanent).map(|pattern| pattern.on_color) {
        None => "as before",
        Some(0) => "off",
        Some(1) => "red",
        Some(2) => "green",
        Some(3) => "amber",
        Some(4) => "blue",
        Some(5) => "magenta",
        Some(6) => "cyan",
        Some(_) => "white",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn orders_are_read_whole() {
        let order = Order::parse("present H10301 42 12345");
        let card = Card::h10301(42, 12_345);
        assert_eq!(order, Ok(Order::Reader(ReaderOrder::Present(card))));
        let order = Order::parse("fault reply_late 300ms 2");
        let fault = FaultKind::ReplyLate(Duration::from_millis(300)).times(2);
        assert_eq!(order, Ok(Order::Reader(ReaderOrder::Fault(fault))));
        for bad in [
            "",
            "open",
            "present H10301 256 1",
            "present UID 01",
            "tamper",
            "tamper yes",
            "restart now",
            "keys 12a",
            "fault busy often",
            "noise 2",
        ] {
            assert!(Order::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn an_expectation_is_met_by_what_it_says_alone() {
        let expected = |text: &str| Expectation::try_from(text.to_owned());
        let output = |is_on| Seen::Output { number: 0, is_on };
        let on = expected("output 0 on").unwrap();
        assert!(on.is_met_by(&output(true)) && !on.is_met_by(&output(false)));
        let is_default_key = true;
        let up = expected("secure_channel_up").unwrap();
        assert!(up.is_met_by(&Seen::SecureChannelUp { is_default_key }));
        assert!(!up.is_met_by(&Seen::SecureChannelDown));
        for bad in ["", "output", "output 0", "output x on", "opened"] {
            assert!(expected(bad).is_err(), "{bad}");
        }
    }
}
