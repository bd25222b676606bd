//! What happens at a door.

/// Field events of a door.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum DoorEventKind {
    /// The door was opened after a grant.
    AccessTaken,
    /// A grant was not used.
    AccessNotTaken,
    /// Somebody asked to leave by button or sensor.
    RequestToExit,
    /// The door opened without a grant or a request to exit.
    DoorForced,
    /// The door stayed open too long.
    DoorHeld,
    /// The door closed after it had been forced or held.
    DoorClosed,
    /// A reader or its line was tampered with.
    Tamper,
    /// An operator ordered it to be opened once.
    OpenedByOrder,
    /// An operator ordered it to be left unlocked for a time.
    UnlockedByOrder,
    /// An operator ordered it to be locked.
    LockedByOrder,
}

impl DoorEventKind {
    /// All kinds, in the order of their numbers.
    pub const ALL: [Self; 10] = [
        Self::AccessTaken,
        Self::AccessNotTaken,
        Self::RequestToExit,
        Self::DoorForced,
        Self::DoorHeld,
        Self::DoorClosed,
        Self::Tamper,
        Self::OpenedByOrder,
        Self::UnlockedByOrder,
        Self::LockedByOrder,
    ];

    /// Its number, 1..=10; the same in the API, in feeds and in the store.
    pub fn number(self) -> u8 {
        match self {
            Self::AccessTaken => 1,
            Self::AccessNotTaken => 2,
            Self::RequestToExit => 3,
            Self::DoorForced => 4,
            Self::DoorHeld => 5,
            Self::DoorClosed => 6,
            Self::Tamper => 7,
            Self::OpenedByOrder => 8,
            Self::UnlockedByOrder => 9,
            Self::LockedByOrder => 10,
        }
    }

    /// The kind with this number.
    pub fn from_number(number: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.number() == number)
    }

    /// Whether it happens at the door, and so may be reported by what watches it.
    pub fn is_of_field(self) -> bool {
        match self {
            Self::AccessTaken
            | Self::AccessNotTaken
            | Self::RequestToExit
            | Self::DoorForced
            | Self::DoorHeld
            | Self::DoorClosed
            | Self::Tamper => true,
            Self::OpenedByOrder | Self::UnlockedByOrder | Self::LockedByOrder => false,
        }
    }
}
