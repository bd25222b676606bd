//! Alarms: what is wrong, and where.

use std::fmt;

use super::{BusName, Caller, ControllerId, DoorId, ReaderId, UtcTime};

/// What is wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum AlarmKind {
    /// A door opened without a grant, an order or a request to exit.
    DoorForced,
    /// A door stays open too long.
    DoorHeld,
    /// A reader's tamper switch is open.
    Tamper,
    /// A reader reports that its power fails.
    ReaderPower,
    /// A reader does not answer.
    ReaderOffline,
    /// What came from a reader's line was not from a reader with its key.
    ReaderSecurity,
    /// A serial port cannot be used.
    BusDown,
    /// A controller that had a session has gone silent.
    ControllerOffline,
    /// Nothing can be written: no door opens.
    StoreTrouble,
    /// A PIN was typed that says that its holder is being forced.
    Duress,
}

impl AlarmKind {
    /// All kinds, in the order of their numbers.
    pub const ALL: [Self; 10] = [
        Self::DoorForced,
        Self::DoorHeld,
        Self::Tamper,
        Self::ReaderPower,
        Self::ReaderOffline,
        Self::ReaderSecurity,
        Self::BusDown,
        Self::ControllerOffline,
        Self::StoreTrouble,
        Self::Duress,
    ];

    /// Its number, 1..=10; the same in the API.
    pub fn number(self) -> u8 {
        match self {
            Self::DoorForced => 1,
            Self::DoorHeld => 2,
            Self::Tamper => 3,
            Self::ReaderPower => 4,
            Self::ReaderOffline => 5,
            Self::ReaderSecurity => 6,
            Self::BusDown => 7,
            Self::ControllerOffline => 8,
            Self::StoreTrouble => 9,
            Self::Duress => 10,
        }
    }

    /// Its name as the API and the journal write it, without a prefix.
    pub fn name(self) -> &'static str {
        match self {
            Self::DoorForced => "DOOR_FORCED",
            Self::DoorHeld => "DOOR_HELD",
            Self::Tamper => "TAMPER",
            Self::ReaderPower => "READER_POWER",
            Self::ReaderOffline => "READER_OFFLINE",
            Self::ReaderSecurity => "READER_SECURITY",
            Self::BusDown => "BUS_DOWN",
            Self::ControllerOffline => "CONTROLLER_OFFLINE",
            Self::StoreTrouble => "STORE_TROUBLE",
            Self::Duress => "DURESS",
        }
    }
}

/// Where something is wrong.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum AlarmSubject {
    /// A door.
    Door(DoorId),
    /// A reader.
    Reader(ReaderId),
    /// A controller.
    Controller(ControllerId),
    /// A serial line.
    Bus(BusName),
    /// The store.
    Store,
}

impl fmt::Display for AlarmSubject {
    /// `doors/x`, `readers/x`, `controllers/x`, `buses/x`, or `store`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Door(id) => f.write_str(&id.name()),
            Self::Reader(id) => f.write_str(&id.name()),
            Self::Controller(id) => f.write_str(&id.name()),
            Self::Bus(name) => write!(f, "buses/{name}"),
            Self::Store => f.write_str("store"),
        }
    }
}

/// Number of an alarm; rises, and is never used again within a site.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AlarmNumber(pub u64);

impl AlarmNumber {
    /// Resource name, `alarms/{number}`.
    pub fn name(self) -> String {
        format!("alarms/{}", self.0)
    }

    /// Parses a resource name; `None` if it is none.
    pub fn from_name(name: &str) -> Option<Self> {
        name.strip_prefix("alarms/")?.parse().ok().map(Self)
    }
}

/// An alarm as it is now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Alarm {
    /// Its number.
    pub number: AlarmNumber,
    /// What is wrong.
    pub kind: AlarmKind,
    /// Where.
    pub subject: AlarmSubject,
    /// What is known of it, one sentence, without names of people.
    pub detail: String,
    /// When it was raised.
    pub raised_at: UtcTime,
    /// When its cause ended; `None` while it stands.
    pub cleared_at: Option<UtcTime>,
    /// When it was acknowledged, and by whom.
    pub acknowledged: Option<(UtcTime, Caller)>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_names_of_kinds_are_their_own() {
        let numbers: Vec<u8> = AlarmKind::ALL.iter().map(|kind| kind.number()).collect();
        assert_eq!(numbers, (1..=10).collect::<Vec<_>>());
        for kind in AlarmKind::ALL {
            let wire = format!("ALARM_KIND_{}", kind.name());
            let number = crate::pb::v1::AlarmKind::from_str_name(&wire).map(i32::from);
            assert_eq!(number, Some(i32::from(kind.number())), "{wire}");
        }
    }

    #[test]
    fn alarm_names_read_back() {
        let number = AlarmNumber(17);
        assert_eq!(AlarmNumber::from_name(&number.name()), Some(number));
        assert_eq!(AlarmNumber::from_name("alarms/x"), None);
    }
}
