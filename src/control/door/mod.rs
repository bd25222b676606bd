//! One door, pure: what it hears goes in, what is to be done comes out (docs/doors.md).
//!
//! [`DoorState::step`] reads no clock and touches nothing. The strike is energised by
//! [`DoorEffect::Release`] alone, which carries what a durable entry has become (invariant 1).

mod words;

mod state;

mod orders;

mod passage;

mod position;

mod strike;

mod contact;

mod exit;

mod held;

pub use contact::SETTLES_WITHIN;
pub use exit::{EXIT_SHUNT, EXIT_SHUNT_MAX};
pub use orders::ANSWERED_WITHIN;
pub use passage::WAITING_MAX;
pub use state::DoorState;
pub use strike::{HEARD_WITHIN, KEPT_EVERY, LOCK_AGAIN_AFTER, LOCK_TRIES_MAX, LOCKS_BEHIND};
pub use words::{
    ContactReading, DoorEffect, DoorInput, DoorSetup, DriveKind, ExitReading, OrderResult,
    ReleaseKind, Warning,
};

#[cfg(test)]
mod fixture;
#[cfg(test)]
mod oracle;
#[cfg(test)]
mod property_tests;
#[cfg(test)]
mod table_tests;
