//! A rule that failed: what was looked at and what was found there, as data and in words.

use crate::types::{
    AreaId, BadgeState, CardCheck, CardFormat, CustomerId, DenialReason, DoorId, LocalTime,
    PersonId, Precision, ScheduleId, SiteZone, UtcTime,
};

use super::Resource;

/// A rule that failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FailedRule {
    /// The reason it gives.
    pub reason: DenialReason,
    /// What was looked at.
    pub resource: Resource,
    /// What was found there.
    pub finding: Finding,
}

/// What was found, as data.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Finding {
    /// The card leads to nobody: no badge has it, or its reader should not have read it so.
    CardOfNobody {
        /// What was found of the card itself.
        check: CardCheck,
        /// Its format; `RAW` where the reader has none of this length.
        format: CardFormat,
        /// Its length in bits.
        bit_length: u32,
    },
    /// The badge is in this state.
    BadgeIs(BadgeState),
    /// The person is suspended.
    Suspended,
    /// Valid only from then on.
    Begins(UtcTime),
    /// No longer valid since then.
    Ended(UtcTime),
    /// Nobody knows the access point.
    NoSuchAccessPoint,
    /// None of these lists has a line of the person for the door or the area.
    NotListed {
        /// Who.
        person: PersonId,
        /// The door.
        door: DoorId,
        /// The governing area.
        area: AreaId,
        /// Whose lists count here, of those that the reader may know of; empty if the person
        /// belongs to no customer.
        customers: Vec<CustomerId>,
    },
    /// The reader's own list does not count at the door, and no list that does has a line.
    ListNotCounted {
        /// Who.
        person: PersonId,
        /// The door.
        door: DoorId,
        /// The reader.
        customer: CustomerId,
    },
    /// There is a line, but its person does not belong to the customer.
    NotMember {
        /// Who.
        person: PersonId,
        /// Whose list.
        customer: CustomerId,
    },
    /// The line's schedule does not hold.
    OutsideSchedule {
        /// The schedule.
        schedule: ScheduleId,
        /// What the site's clocks show.
        local: LocalTime,
        /// The site's zone.
        zone: SiteZone,
    },
    /// The line's approver is wanting.
    Approver {
        /// Who.
        approver: PersonId,
        /// In what.
        lack: ApproverLack,
    },
    /// No PIN was given.
    PinMissing,
    /// The PIN was wrong.
    PinWrong,
    /// A PIN was given with a card that leads to nobody.
    PinOfNobody,
    /// The person has no PIN.
    PinNotSet,
    /// Too many wrong PINs before.
    PinLocked,
    /// A finger is asked for, and no reader here can verify one.
    FingerAsked,
}

/// What an approver lacks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ApproverLack {
    /// May not approve for this customer.
    MayNotApprove(CustomerId),
    /// Is suspended.
    Suspended,
    /// Is admitted only from then on.
    Begins(UtcTime),
    /// Is no longer admitted since then.
    Ended(UtcTime),
}

impl FailedRule {
    /// What was found, as an English sentence with ids and without names. It tells the instant
    /// of the attempt no finer than `precision`.
    pub fn sentence(&self, precision: Precision) -> String {
        let it = self.resource.name();
        match &self.finding {
            Finding::CardOfNobody {
                check,
                format,
                bit_length,
            } => {
                let card = format!("{}, {bit_length} bits", format.as_str());
                card_of_nobody(*check, &it, &card)
            }
            Finding::BadgeIs(state) => format!("{it} {}.", badge_words(*state)),
            Finding::Suspended => format!("{it} is suspended."),
            Finding::Begins(at) => format!("{it} is not valid before {}.", at.rfc3339()),
            Finding::Ended(at) => format!("{it} has not been valid since {}.", at.rfc3339()),
            Finding::NoSuchAccessPoint => format!("There is no {it}."),
            Finding::NotListed {
                person,
                door,
                area,
                customers,
            } => not_listed(person, door, area, customers),
            Finding::ListNotCounted {
                person,
                door,
                customer,
            } => list_not_counted(person, door, customer),
            Finding::NotMember { person, customer } => format!(
                "{it} does not count: {} is no member of {}.",
                person.name(),
                customer.name()
            ),
            Finding::OutsideSchedule {
                schedule,
                local,
                zone,
            } => format!(
                "{it} holds at {} only, not on {} {} in {}.",
                schedule.name(),
                local.date.format("%A %Y-%m-%d"),
                clock(local.minute_of_day, precision),
                zone.name()
            ),
            Finding::Approver { approver, lack } => format!(
                "{it} is approved by {}, who {}.",
                approver.name(),
                lack_words(lack)
            ),
            Finding::PinMissing => format!("{it} asks for badge and PIN, and no PIN was given."),
            Finding::PinWrong => format!("The PIN given is not that of {it}."),
            Finding::PinOfNobody => {
                format!("A PIN was given at {it} with a card that leads to nobody.")
            }
            Finding::PinNotSet => format!("{it} has no PIN."),
            Finding::PinLocked => format!("The PIN of {it} is locked after too many wrong ones."),
            Finding::FingerAsked => {
                format!("{it} asks for badge and finger, which no reader here can verify.")
            }
        }
    }
}

fn card_of_nobody(check: CardCheck, it: &str, card: &str) -> String {
    match check {
        CardCheck::Sound => format!(
            "No badge has the card that was presented ({card}); nothing helps but to issue one."
        ),
        CardCheck::ParityFailed => format!(
            "The card at {it} was misread, or is not of the format that its reader expects: a \
             parity bit is wrong ({card})."
        ),
        CardCheck::FormatNotAccepted => {
            format!("The reader at {it} accepts no such card ({card}).")
        }
    }
}

fn badge_words(state: BadgeState) -> &'static str {
    match state {
        BadgeState::Active => "is active",
        BadgeState::Blocked => "is blocked",
        BadgeState::Lost => "is reported lost",
        BadgeState::Stolen => "is reported stolen",
        BadgeState::Damaged => "is damaged",
        BadgeState::Inactive => "is inactive",
        BadgeState::Returned => "has been handed back",
        BadgeState::Destroyed => "has been destroyed",
    }
}

fn lack_words(lack: &ApproverLack) -> String {
    match lack {
        ApproverLack::MayNotApprove(customer) => {
            format!("may not approve for {}", customer.name())
        }
        ApproverLack::Suspended => "is suspended".to_owned(),
        ApproverLack::Begins(at) => format!("is not valid before {}", at.rfc3339()),
        ApproverLack::Ended(at) => format!("has not been valid since {}", at.rfc3339()),
    }
}

fn not_listed(person: &PersonId, door: &DoorId, area: &AreaId, customers: &[CustomerId]) -> String {
    let (person, door, area) = (person.name(), door.name(), area.name());
    if customers.is_empty() {
        return format!("{person} belongs to no customer, so no list counts for {area}.");
    }
    let lists: Vec<String> = customers.iter().map(CustomerId::name).collect();
    let lists = lists.join(", ");
    format!("{person} is not on the list of {lists} for {area} or {door}.")
}

fn list_not_counted(person: &PersonId, door: &DoorId, customer: &CustomerId) -> String {
    format!(
        "The list of {} does not count at {}, and {} is on no list that does.",
        customer.name(),
        door.name(),
        person.name()
    )
}

/// A minute of the day as `at HH:MM`, or the hour that it lies in.
fn clock(minute_of_day: u32, precision: Precision) -> String {
    let hour = minute_of_day / 60;
    match precision {
        Precision::Hour => format!("in the hour from {hour:02}:00"),
        Precision::Minute | Precision::Second => format!("at {hour:02}:{:02}", minute_of_day % 60),
    }
}
