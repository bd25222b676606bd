//! L0, the words of the trade: ids, time, credentials, areas, access lists, attempts, decisions.
//!
//! Values that exist are valid: constructors parse and return `Result`.
//! Nothing here reads a clock, makes a random number or touches the world; [`World`] is the
//! promise of somebody who does.

mod id;
mod time;

mod credential;

mod place;

mod reader;

mod order;

mod alarm;

mod schedule;

mod party;

mod access_list;

mod attempt;

mod door_event;

mod world;

pub use access_list::{AccessListEntry, EntryNumber, EntryRef, Scope};
pub use alarm::{Alarm, AlarmKind, AlarmNumber, AlarmSubject};
pub use attempt::{
    Attempt, CardCheck, DecidedBy, Decision, Denial, DenialReason, Factor, FactorSet, Grant,
    PinEvidence, PresentedCard, ReasonSet,
};
pub use credential::{
    Badge, BadgeNumber, BadgeState, Card, CardFormat, CardKey, InvalidCard, InvalidPin,
    InvalidText, Pin,
};
pub use door_event::DoorEventKind;
pub use id::{
    AccessPointId, AreaId, BadgeId, BootId, ControllerId, CustomerId, DoorId, InvalidId, PersonId,
    ReaderId, RequestId, ScheduleId, SiteId, SpecialDaysId,
};
pub use order::{DoorOrder, InvalidOrder};
pub use party::{
    Caller, CallerKind, Customer, DisplayName, Membership, Person, PersonState, Precision,
    SourceEvent,
};
pub use place::{
    AccessPoint, Area, Controller, Direction, Door, FactorRequirement, FactorRule, InvalidClass,
    ProtectionClass, Site,
};
pub use reader::{
    BusName, DoorDrive, DoorTiming, DoorWiring, InvalidReader, Reader, ReaderAddress,
    ReaderSecurity, Terminal,
};
pub use schedule::{
    DaySpan, InvalidSpan, MINUTES_PER_DAY, Schedule, SpecialDays, SpecialSpans, Weekday, WeeklySpan,
};
pub use time::{InvalidTime, LocalTime, Moment, Now, SiteZone, UtcTime, Validity, ValidityState};
pub use world::{BootIdentity, World};
