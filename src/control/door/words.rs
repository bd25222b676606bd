//! What a door hears, and what is to be done for it.

use crate::control::{DoorPosition, Ordered, Stale, StrikeRelease, Unlock};
use crate::store::JournalRef;
use crate::types::{AccessPointId, AlarmKind, Door, DoorDrive, DoorEventKind, DoorTiming};

/// What kind of device drives a door.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum DriveKind {
    /// An output of a reader: Sluss times the strike and watches the inputs.
    Reader,
    /// A controller: it times, locks and watches by itself, and gets orders only.
    Controller,
}

/// What a door is made of, as far as it matters to what happens at it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DoorSetup {
    /// What drives it.
    pub drive: DriveKind,
    /// How long things may take.
    pub timing: DoorTiming,
    /// Whether Sluss sees its contact.
    pub has_contact: bool,
    /// Whether Sluss sees its request to exit.
    pub has_request_to_exit: bool,
}

impl DoorSetup {
    /// Of a door as it is configured.
    pub fn of(door: &Door) -> Self {
        let wiring = door.drive.wiring();
        Self {
            drive: match door.drive {
                DoorDrive::Controller(_) => DriveKind::Controller,
                DoorDrive::Reader(_) => DriveKind::Reader,
            },
            timing: door.timing,
            has_contact: wiring.is_some_and(|w| w.contact_input.is_some()),
            has_request_to_exit: wiring.is_some_and(|w| w.request_to_exit_input.is_some()),
        }
    }
}

/// What a contact says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ContactReading {
    /// The door is open.
    Open,
    /// The door is closed.
    Closed,
}

impl ContactReading {
    /// The same, as the desk is told it.
    pub fn position(self) -> DoorPosition {
        match self {
            Self::Open => DoorPosition::Open,
            Self::Closed => DoorPosition::Closed,
        }
    }
}

/// What a request-to-exit input says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ExitReading {
    /// Somebody asks to leave; the hardware holds the door released.
    Active,
    /// Nobody does.
    Inactive,
}

/// What a door hears.
///
/// For readings `now` is when they were made, which may be a little before what was stepped last.
#[derive(Debug)]
pub enum DoorInput {
    /// Somebody may pass.
    Granted {
        /// The leave.
        unlock: Unlock,
        /// Where it was asked for.
        access_point: AccessPointId,
    },
    /// An operator's order is on disk.
    Ordered(Ordered),
    /// The contact was read; the same reading may come again and again.
    Contact(ContactReading),
    /// The request to exit was read; the same reading may come again and again.
    RequestToExit(ExitReading),
    /// What drives the door can be reached, or has started again. Inputs are to be read afresh.
    DriveOnline,
    /// What drives the door cannot be reached any more.
    DriveOffline,
    /// An order to the strike came through.
    StrikeSet {
        /// Whether it was a release.
        is_release: bool,
    },
    /// The newest order to the strike was refused, or could not be handed over in time.
    StrikeRefused,
    /// A deadline has come.
    Tick,
    /// The door is configured anew. What drives it is the same; else a new state is made.
    Reconfigured(DoorSetup),
}

/// Why a strike is released.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ReleaseKind {
    /// For one passage, by a grant or by an order.
    Once,
    /// Because the door is left unlocked; comes again and again until that ends.
    Standing,
}

/// Whether a reader warns that the door stands open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Warning {
    /// It does.
    On,
    /// It no longer does.
    Off,
}

/// What became of an order, as far as is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum OrderResult {
    /// The door has done it.
    Done,
    /// It was not done.
    Refused,
    /// It was sent, and nothing was heard: nobody knows.
    Silent,
}

/// What is to be done for a door.
#[derive(Debug)]
#[must_use]
pub enum DoorEffect {
    /// Release the strike. The only effect that energises it.
    Release {
        /// What allows it, and for how long.
        release: StrikeRelease,
        /// Why.
        kind: ReleaseKind,
    },
    /// Lock the strike; with the entry of the order where one is behind it.
    Lock(Option<JournalRef>),
    /// Write an event.
    Event {
        /// What happened.
        kind: DoorEventKind,
        /// Where, if it happened at one side.
        access_point: Option<AccessPointId>,
    },
    /// Raise an alarm of this door; it does not stand yet.
    Raise {
        /// What is wrong.
        kind: AlarmKind,
        /// What is known of it, one sentence.
        detail: String,
    },
    /// The cause of an alarm that stands has ended.
    Clear(AlarmKind),
    /// Show that the door stands open, or no longer.
    Show(Warning),
    /// A leave came too late and opened nothing. It is to be written, and an order answered.
    Stale(Stale),
    /// An operator's order has come to an end.
    Answer {
        /// Its entry.
        entry: JournalRef,
        /// What became of it.
        result: OrderResult,
    },
}
