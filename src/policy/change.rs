//! Changes of the rules, or of what is presented, that may let an attempt pass.

use crate::types::{
    AccessListEntry, AccessPoint, AccessPointId, Attempt, Badge, BadgeId, BadgeState, CustomerId,
    DoorId, EntryNumber, EntryRef, FactorRequirement, Membership, Person, PersonId, PersonState,
    PinEvidence, Precision, ScheduleId, Scope, SiteZone, UtcTime, Validity, ValidityState,
};

use super::{Resource, RosterParts};

/// How sentences tell the instant at which an attempt was made.
#[derive(Debug, Clone, Copy)]
pub struct TimeTold {
    /// No finer than this.
    pub precision: Precision,
    /// By these clocks: an hour of theirs may begin within one of UTC.
    pub zone: SiteZone,
}

/// One part of a change. It names ids only, never a person's name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// Change a badge.
    Badge {
        /// Which.
        badge: BadgeId,
        /// How.
        edit: BadgeEdit,
    },
    /// Change a person.
    Person {
        /// Who.
        person: PersonId,
        /// How.
        edit: PersonEdit,
    },
    /// Change a line of a list.
    Entry {
        /// Which.
        entry: EntryRef,
        /// How.
        edit: EntryEdit,
    },
    /// Add a line to a list; it holds at any time and for one door.
    NewEntry {
        /// Whose list.
        customer: CustomerId,
        /// Whom the line lets pass.
        person: PersonId,
        /// Where.
        door: DoorId,
        /// On whose word.
        approver: PersonId,
    },
    /// Ask for other factors at an access point.
    Requirement {
        /// Where.
        access_point: AccessPointId,
        /// Place of the factor rule that is in force, from 0; `None` for the default.
        rule: Option<usize>,
        /// What is to be asked for.
        requirement: FactorRequirement,
    },
    /// Do something about the PIN.
    Pin {
        /// Whose.
        person: PersonId,
        /// What.
        edit: PinEdit,
    },
}

/// How a badge is changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BadgeEdit {
    /// Put it in use.
    Activate,
    /// Move one end of its validity just so far that an instant lies in it.
    MoveValidity {
        /// The instant.
        include: UtcTime,
    },
}

/// How a person is changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PersonEdit {
    /// Lift the suspension.
    Activate,
    /// Move one end of the validity just so far that an instant lies in it.
    MoveValidity {
        /// The instant.
        include: UtcTime,
    },
    /// Make the person a member of a customer.
    Join {
        /// The customer.
        customer: CustomerId,
    },
    /// Let the person approve for a customer, as a member of it.
    LetApprove {
        /// The customer.
        customer: CustomerId,
    },
}

/// How a line of a list is changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EntryEdit {
    /// Add a door to it.
    AddDoor {
        /// The door.
        door: DoorId,
    },
    /// Move one end of its validity just so far that an instant lies in it.
    MoveValidity {
        /// The instant.
        include: UtcTime,
    },
    /// Let it hold at any time.
    HoldAlways,
    /// Let somebody else answer for it.
    ReplaceApprover {
        /// The new approver.
        approver: PersonId,
    },
}

/// What is done about a PIN.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PinEdit {
    /// Present the right one.
    Present,
    /// Give the person one, and present it.
    Set,
    /// Wait until the lockout has ended, and present the right one then.
    WaitForLockout,
}

impl Change {
    /// What is changed.
    pub fn resource(&self) -> Resource {
        match self {
            Self::Badge { badge, .. } => Resource::Badge(badge.clone()),
            Self::Person { person, .. } | Self::Pin { person, .. } => {
                Resource::Person(person.clone())
            }
            Self::Entry { entry, .. } => Resource::Entry(entry.clone()),
            Self::NewEntry { customer, .. } => Resource::AccessList(customer.clone()),
            Self::Requirement { access_point, .. } => Resource::AccessPoint(access_point.clone()),
        }
    }

    /// What to do, as an English sentence with ids and without names. Where the instant of the
    /// attempt is told coarsely, the sentence asks for the whole hour or minute it lies in.
    pub fn sentence(&self, told: TimeTold) -> String {
        let it = self.resource().name();
        match self {
            Self::Badge { edit, .. } => edit.sentence(&it, told),
            Self::Person { edit, .. } => edit.sentence(&it, told),
            Self::Entry { edit, .. } => edit.sentence(&it, told),
            Self::NewEntry {
                person,
                door,
                approver,
                ..
            } => format!(
                "Add {} to {it} for {} at any time, approved by {}.",
                person.name(),
                door.name(),
                approver.name()
            ),
            Self::Requirement { requirement, .. } => {
                let factors = match requirement {
                    FactorRequirement::Badge => "the badge alone",
                    FactorRequirement::BadgeAndPin => "badge and PIN",
                    FactorRequirement::BadgeAndFinger => "badge and finger",
                };
                format!("Let {it} ask for {factors} at this time.")
            }
            Self::Pin { edit, .. } => match edit {
                PinEdit::Present => format!("Present the right PIN of {it}."),
                PinEdit::Set => format!("Set a PIN for {it} and present it."),
                PinEdit::WaitForLockout => {
                    format!("Wait until the PIN of {it} is unlocked, then present the right one.")
                }
            },
        }
    }

    /// Makes the change. Where what it names does not exist it does nothing.
    ///
    /// A change about a PIN changes what the attempt knows of it, never what is stored.
    pub fn apply(&self, parts: &mut RosterParts, attempt: &mut Attempt) {
        match self {
            Self::Badge { badge, edit } => {
                if let Some(badge) = parts.badges.get_mut(badge) {
                    edit.apply(badge);
                }
            }
            Self::Person { person, edit } => {
                if let Some(person) = parts.persons.get_mut(person) {
                    edit.apply(person);
                }
            }
            Self::Entry { entry, edit } => {
                if let Some(entry) = parts.entries.get_mut(entry) {
                    edit.apply(entry);
                }
            }
            Self::NewEntry {
                customer,
                person,
                door,
                approver,
            } => add_entry(parts, customer, |entry| AccessListEntry {
                entry,
                person: person.clone(),
                scope: Scope {
                    areas: Vec::new(),
                    doors: vec![door.clone()],
                },
                schedule: ScheduleId::always(),
                validity: Validity::ALWAYS,
                approver: approver.clone(),
            }),
            Self::Requirement {
                access_point,
                rule,
                requirement,
            } => {
                if let Some(point) = parts.access_points.get_mut(access_point) {
                    require(point, *rule, *requirement);
                }
            }
            Self::Pin { edit, .. } => match edit {
                PinEdit::Present | PinEdit::Set | PinEdit::WaitForLockout => {
                    attempt.pin = PinEvidence::Verified;
                }
            },
        }
    }
}

impl BadgeEdit {
    fn sentence(&self, it: &str, told: TimeTold) -> String {
        match self {
            Self::Activate => format!("Set {it} to active."),
            Self::MoveValidity { include } => move_sentence(it, *include, told),
        }
    }

    fn apply(&self, badge: &mut Badge) {
        match self {
            Self::Activate => badge.state = BadgeState::Active,
            Self::MoveValidity { include } => badge.validity = moved(badge.validity, *include),
        }
    }
}

impl PersonEdit {
    fn sentence(&self, it: &str, told: TimeTold) -> String {
        match self {
            Self::Activate => format!("Set {it} to active."),
            Self::MoveValidity { include } => move_sentence(it, *include, told),
            Self::Join { customer } => format!("Make {it} a member of {}.", customer.name()),
            Self::LetApprove { customer } => format!("Let {it} approve for {}.", customer.name()),
        }
    }

    fn apply(&self, person: &mut Person) {
        match self {
            Self::Activate => person.state = PersonState::Active,
            Self::MoveValidity { include } => person.validity = moved(person.validity, *include),
            Self::Join { customer } => join(person, customer),
            Self::LetApprove { customer } => let_approve(person, customer),
        }
    }
}

impl EntryEdit {
    fn sentence(&self, it: &str, told: TimeTold) -> String {
        match self {
            Self::AddDoor { door } => format!("Add {} to {it}.", door.name()),
            Self::MoveValidity { include } => move_sentence(it, *include, told),
            Self::HoldAlways => format!("Let {it} hold at any time."),
            Self::ReplaceApprover { approver } => {
                format!("Have {it} approved by {}.", approver.name())
            }
        }
    }

    fn apply(&self, entry: &mut AccessListEntry) {
        match self {
            Self::AddDoor { door } => entry.scope.doors.push(door.clone()),
            Self::MoveValidity { include } => entry.validity = moved(entry.validity, *include),
            Self::HoldAlways => entry.schedule = ScheduleId::always(),
            Self::ReplaceApprover { approver } => entry.approver = approver.clone(),
        }
    }
}

fn move_sentence(it: &str, include: UtcTime, told: TimeTold) -> String {
    let local = told.zone.local(include);
    let within_minute = i64::from(local.second);
    let within_hour = i64::from(local.minute_of_day % 60)
        .saturating_mul(60)
        .saturating_add(within_minute);
    let (span, past) = match told.precision {
        Precision::Hour => ("the hour from ", within_hour),
        Precision::Minute => ("the minute from ", within_minute),
        Precision::Second => ("", 0),
    };
    let from = UtcTime::from_unix(include.unix().saturating_sub(past)).unwrap_or(UtcTime::EPOCH);
    let from = from.rfc3339();
    format!("Move the validity of {it} so that it includes {span}{from}.")
}

/// The same validity with the nearer end moved so far that the instant lies in it.
fn moved(validity: Validity, include: UtcTime) -> Validity {
    let moved = match validity.at(include) {
        ValidityState::Holds => Ok(validity),
        ValidityState::NotYet => Validity::new(Some(include), validity.until()),
        ValidityState::Over => Validity::new(validity.from(), Some(include.plus_seconds(1))),
    };
    // The last second of time has none after it: then the validity has no end.
    moved
        .ok()
        .filter(|validity| validity.at(include) == ValidityState::Holds)
        .unwrap_or(Validity::ALWAYS)
}

/// Makes the person a member of a customer if it is none.
fn join(person: &mut Person, customer: &CustomerId) {
    if !person.belongs_to(customer) {
        person.memberships.push(Membership {
            customer: customer.clone(),
            may_approve: false,
        });
    }
}

fn let_approve(person: &mut Person, customer: &CustomerId) {
    join(person, customer);
    let memberships = person.memberships.iter_mut();
    memberships
        .filter(|m| m.customer == *customer)
        .for_each(|m| m.may_approve = true);
}

/// Adds an entry under the number after the customer's highest.
fn add_entry(
    parts: &mut RosterParts,
    customer: &CustomerId,
    entry: impl FnOnce(EntryRef) -> AccessListEntry,
) {
    let numbered = |number| EntryRef {
        customer: customer.clone(),
        number: EntryNumber(number),
    };
    let taken = parts.entries.range(numbered(0)..=numbered(u64::MAX));
    let highest = taken.last().map_or(0, |(entry, _)| entry.number.0);
    let next = numbered(highest.saturating_add(1));
    parts.entries.insert(next.clone(), entry(next));
}

fn require(point: &mut AccessPoint, rule: Option<usize>, requirement: FactorRequirement) {
    let Some(place) = rule else {
        point.default_requirement = requirement;
        return;
    };
    if let Some(rule) = point.factor_rules.get_mut(place) {
        rule.requirement = requirement;
    }
}
