//! L3, one door at a time: from what was presented to what the door does.
//!
//! Decisions are taken in `policy`, written by `store`; this room joins them and nothing else.

pub mod keypad;

mod runner;
mod unlock;

pub mod lines;

pub mod alarms;

pub mod desk;
pub mod door_desk;

pub mod sessions;

pub mod door;
mod reader_post;

mod door_journal;

mod reported;

mod door_attempts;
mod door_effects;
mod door_task;
mod site_doors;

pub use alarms::{AlarmChange, AlarmStep, AlarmWatch, Alarms};
pub use desk::{DoorPosition, DoorStatus, LockState, OrderError};
pub use door_desk::{Board, DoorDesk, OrderRequest, door_desk};
pub use door_journal::{DoorJournal, flush_alarms, write_alarms};
pub use lines::{FromReader, ReaderEvent, ReaderLines, ReaderOrder};
pub use reported::hear_reported;
pub use runner::{Answer, AuthorizeError, Presented, Runner, RunnerParts, presented_card};
pub use sessions::{
    CommandId, CommandResult, Link, LinkChange, Outgoing, Session, SessionCommand, SessionEnd,
    SessionFault, SessionStep, SessionTimes, Sessions,
};
pub use site_doors::{DoorsInbox, DoorsParts, run_doors};
pub use unlock::{GRANT_AGE_MAX, KEEP_RELEASED, Ordered, Stale, Standing, StrikeRelease, Unlock};
