//! Records: what is committed of a genesis, an entry or a door event, in bytes.
//!
//! A record is made here once, already reduced to what its customer may know, and encoded once.
//! Afterwards only its bytes count.

use prost::Message as _;

use super::checkpoint::Origin;
use super::hash::LeafKind;
use super::pseudonym::Pseudonym;
use crate::pb::v1;
use crate::types::{
    AccessPointId, BadgeNumber, CardFormat, CustomerId, DecidedBy, Decision, Direction,
    DoorEventKind, DoorId, EntryRef, FactorSet, LocalTime, PersonId, Precision, ReasonSet,
    SiteZone,
};

/// Version of the records, told in the genesis of each feed.
pub const FORMAT: u32 = 1;

/// Bytes that are no record of their kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the bytes are no record of kind {}", .kind.number())]
pub struct RecordError {
    /// The kind.
    pub kind: LeafKind,
}

/// What a leaf commits to.
#[derive(Debug, Clone, PartialEq)]
pub enum Record {
    /// Opens a feed.
    Genesis(v1::GenesisRecord),
    /// An attempt.
    Entry(v1::EntryRecord),
    /// A field event of a door.
    DoorEvent(v1::DoorEventRecord),
    /// A kind whose records this version does not read.
    Other {
        /// The kind.
        kind: LeafKind,
        /// The committed bytes.
        record: Vec<u8>,
    },
}

impl Record {
    /// Its kind.
    pub fn kind(&self) -> LeafKind {
        match self {
            Self::Genesis(_) => LeafKind::Genesis,
            Self::Entry(_) => LeafKind::Entry,
            Self::DoorEvent(_) => LeafKind::DoorEvent,
            Self::Other { kind, .. } => *kind,
        }
    }

    /// The bytes to commit. Of a record that was decoded keep the bytes it came from instead:
    /// a newer writer may have put more into them.
    pub fn encode(&self) -> Vec<u8> {
        match self {
            Self::Genesis(record) => record.encode_to_vec(),
            Self::Entry(record) => record.encode_to_vec(),
            Self::DoorEvent(record) => record.encode_to_vec(),
            Self::Other { record, .. } => record.clone(),
        }
    }
}

/// Reads committed bytes.
pub fn decode(kind: LeafKind, bytes: &[u8]) -> Result<Record, RecordError> {
    let record = match kind {
        LeafKind::Genesis => v1::GenesisRecord::decode(bytes).map(Record::Genesis),
        LeafKind::Entry => v1::EntryRecord::decode(bytes).map(Record::Entry),
        LeafKind::DoorEvent => v1::DoorEventRecord::decode(bytes).map(Record::DoorEvent),
        LeafKind::ListChange
        | LeafKind::Approval
        | LeafKind::Correction
        | LeafKind::Gap
        | LeafKind::CompleteThrough
        | LeafKind::KeyRotation
        | LeafKind::RetentionMoved
        | LeafKind::Restore => Ok(Record::Other {
            kind,
            record: bytes.to_vec(),
        }),
    };
    record.map_err(|_| RecordError { kind })
}

/// What opens a feed.
#[derive(Debug, Clone)]
pub struct GenesisPieces<'a> {
    /// The feed.
    pub origin: &'a Origin,
    /// The zone its times are told in.
    pub zone: SiteZone,
    /// How finely they are told at first.
    pub precision: Precision,
}

/// The record that opens a feed.
pub fn genesis(pieces: &GenesisPieces<'_>) -> Record {
    Record::Genesis(v1::GenesisRecord {
        format: FORMAT,
        origin: pieces.origin.as_str().to_owned(),
        time_zone: pieces.zone.name().to_owned(),
        precision: precision_number(pieces.precision),
    })
}

/// When something happened, and how finely the feed may tell it.
#[derive(Debug, Clone, Copy)]
pub struct ToldTime {
    /// What the site's clocks showed.
    pub local: LocalTime,
    /// What the contract allows.
    pub precision: Precision,
}

/// Where something happened.
#[derive(Debug, Clone, Copy)]
pub struct Place<'a> {
    /// The side of the door.
    pub access_point: &'a AccessPointId,
    /// The door.
    pub door: &'a DoorId,
}

/// Who stood at the door, as much of it as the feed's customer may know.
#[derive(Debug, Clone, Copy)]
pub enum Subject<'a> {
    /// A person on the customer's list: the number printed on the badge.
    Badge(&'a BadgeNumber),
    /// Anybody else, and whoever's number is no longer known.
    Stranger(&'a Pseudonym),
    /// A card that no badge has; never its bits.
    UnknownCard {
        /// Its format.
        format: &'a CardFormat,
        /// Its length in bits.
        bit_length: u32,
        /// What stands for it in this feed.
        pseudonym: &'a Pseudonym,
    },
}

/// What was decided.
#[derive(Debug, Clone, Copy)]
pub enum Outcome<'a> {
    /// The person may pass.
    Grant {
        /// On what grounds; `None` where the controller decided without Sluss.
        grounds: Option<Grounds<'a>>,
    },
    /// The person may not pass.
    Denial {
        /// Why not.
        reasons: ReasonSet,
    },
}

/// The line of a list that granted, and who stands for it.
#[derive(Debug, Clone, Copy)]
pub struct Grounds<'a> {
    /// The line.
    pub entry: &'a EntryRef,
    /// Who approved it.
    pub approver: &'a PersonId,
}

impl<'a> Outcome<'a> {
    /// Of a decision that Sluss took.
    pub fn of(decision: &'a Decision) -> Self {
        match decision {
            Decision::Grant(grant) => Self::Grant {
                grounds: Some(Grounds {
                    entry: &grant.entry,
                    approver: &grant.approver,
                }),
            },
            Decision::Denial(denial) => Self::Denial {
                reasons: denial.reasons,
            },
        }
    }
}

/// What an attempt's entry in one feed is made of.
#[derive(Debug, Clone)]
pub struct EntryPieces<'a> {
    /// Whose feed it is for.
    pub feed: &'a CustomerId,
    /// When.
    pub time: ToldTime,
    /// Who.
    pub subject: Subject<'a>,
    /// Where.
    pub place: Place<'a>,
    /// In or out.
    pub direction: Direction,
    /// What was decided.
    pub outcome: Outcome<'a>,
    /// The factors that were verified.
    pub verified: FactorSet,
    /// Who decided.
    pub decided_by: DecidedBy,
    /// Whether the controller handed it in after it could not reach Sluss.
    pub handed_in_later: bool,
    /// Number of the event at this access point within this feed, from 1.
    pub source_counter: u64,
}

/// The record of an attempt. Grounds from another customer's list are left out.
pub fn entry(pieces: &EntryPieces<'_>) -> Record {
    let (decision, reasons, grounds) = match pieces.outcome {
        Outcome::Grant { grounds } => (v1::Decision::Grant, ReasonSet::EMPTY, grounds),
        Outcome::Denial { reasons } => (v1::Decision::Denial, reasons, None),
    };
    let own = grounds.filter(|grounds| grounds.entry.customer == *pieces.feed);
    let numbers = |number: u8| i32::from(number);
    Record::Entry(v1::EntryRecord {
        time: Some(feed_time(&pieces.time)),
        subject: Some(subject(&pieces.subject)),
        access_point: pieces.place.access_point.name(),
        door: pieces.place.door.name(),
        direction: direction_number(pieces.direction),
        decision: decision.into(),
        reasons: reasons.iter().map(|r| numbers(r.number())).collect(),
        verified: pieces
            .verified
            .iter()
            .map(|f| numbers(f.number()))
            .collect(),
        list_entry: own.map_or_else(String::new, |own| own.entry.name()),
        approver: own.map_or_else(String::new, |own| own.approver.name()),
        decided_by: decided_by_number(pieces.decided_by),
        handed_in_later: pieces.handed_in_later,
        source_counter: pieces.source_counter,
    })
}

/// What a field event's entry in one feed is made of.
#[derive(Debug, Clone)]
pub struct DoorEventPieces<'a> {
    /// When.
    pub time: ToldTime,
    /// Where.
    pub place: Place<'a>,
    /// What.
    pub kind: DoorEventKind,
    /// Number of the event at this access point within this feed, from 1.
    pub source_counter: u64,
}

/// The record of a field event.
pub fn door_event(pieces: &DoorEventPieces<'_>) -> Record {
    Record::DoorEvent(v1::DoorEventRecord {
        time: Some(feed_time(&pieces.time)),
        access_point: pieces.place.access_point.name(),
        door: pieces.place.door.name(),
        kind: door_event_number(pieces.kind),
        source_counter: pieces.source_counter,
    })
}

fn feed_time(time: &ToldTime) -> v1::FeedTime {
    let local = &time.local;
    let minute = local.minute_of_day.checked_rem(60);
    let (minute, second) = match time.precision {
        Precision::Hour => (None, None),
        Precision::Minute => (minute, None),
        Precision::Second => (minute, Some(local.second)),
    };
    v1::FeedTime {
        date: local.date.format("%Y-%m-%d").to_string(),
        hour: local.minute_of_day.checked_div(60).unwrap_or(0),
        utc_offset_min: local.utc_offset_min,
        minute,
        second,
    }
}

fn subject(subject: &Subject<'_>) -> v1::Subject {
    use v1::subject::Subject as Told;
    let told = match subject {
        Subject::Badge(number) => Told::BadgeNumber(number.reveal().to_owned()),
        Subject::Stranger(pseudonym) => Told::Pseudonym(pseudonym.as_str().to_owned()),
        Subject::UnknownCard {
            format,
            bit_length,
            pseudonym,
        } => Told::UnknownCard(v1::UnknownCard {
            format: format.as_str().to_owned(),
            bit_length: *bit_length,
            pseudonym: pseudonym.as_str().to_owned(),
        }),
    };
    v1::Subject {
        subject: Some(told),
    }
}

fn precision_number(precision: Precision) -> i32 {
    match precision {
        Precision::Hour => v1::Precision::Hour,
        Precision::Minute => v1::Precision::Minute,
        Precision::Second => v1::Precision::Second,
    }
    .into()
}

fn direction_number(direction: Direction) -> i32 {
    match direction {
        Direction::Entry => v1::Direction::Entry,
        Direction::Exit => v1::Direction::Exit,
    }
    .into()
}

fn decided_by_number(decided_by: DecidedBy) -> i32 {
    match decided_by {
        DecidedBy::Server => v1::DecidedBy::Server,
        DecidedBy::Controller => v1::DecidedBy::Controller,
    }
    .into()
}

fn door_event_number(kind: DoorEventKind) -> i32 {
    match kind {
        DoorEventKind::AccessTaken => v1::DoorEventKind::AccessTaken,
        DoorEventKind::AccessNotTaken => v1::DoorEventKind::AccessNotTaken,
        DoorEventKind::RequestToExit => v1::DoorEventKind::RequestToExit,
        DoorEventKind::DoorForced => v1::DoorEventKind::DoorForced,
        DoorEventKind::DoorHeld => v1::DoorEventKind::DoorHeld,
        DoorEventKind::DoorClosed => v1::DoorEventKind::DoorClosed,
        DoorEventKind::Tamper => v1::DoorEventKind::Tamper,
        DoorEventKind::OpenedByOrder => v1::DoorEventKind::OpenedByOrder,
        DoorEventKind::UnlockedByOrder => v1::DoorEventKind::UnlockedByOrder,
        DoorEventKind::LockedByOrder => v1::DoorEventKind::LockedByOrder,
    }
    .into()
}
