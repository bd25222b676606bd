//! L1, pure: the rules, compiled and asked.
//!
//! [`RosterParts`] are the rules as they are written, [`Roster`] the same in the form in which
//! they are asked, [`decide`] the question. [`route`] says which customers' feeds learn of it,
//! [`explain`] why a door stays shut and what would open it.
//! Nothing here reads a clock, makes a random number, waits, locks or touches a file.
#![cfg_attr(not(test), deny(clippy::arithmetic_side_effects))]

mod parts;
mod resource;

mod schedule;

mod compile;
mod fault;
mod readers;
mod roster;
mod rows;

mod decide;

mod lockout;
mod pin;

mod routing;

mod attempt_for;
mod change;
mod explain;
mod finding;
mod remedy;

#[cfg(test)]
mod testing;

pub use attempt_for::{WhatIf, attempt_for};
pub use change::{BadgeEdit, Change, EntryEdit, PersonEdit, PinEdit, TimeTold};
pub use decide::decide;
pub use explain::{Explanation, explain};
pub use fault::{CompileError, Fault};
pub use finding::{ApproverLack, FailedRule, Finding};
pub use lockout::{LOCKOUT, Lockouts, PinFailures, PinOutcome, PinTry, WRONG_PINS_MAX};
pub use parts::RosterParts;
pub use pin::PinVerifier;
pub use resource::Resource;
pub use roster::Roster;
pub use routing::{DoorEventTarget, FeedTarget, Passage, SubjectRule, route, route_door_event};
pub use schedule::CompiledSchedule;
