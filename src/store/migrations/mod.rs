//! Brings a store of an older format up to this one; one file per step.

mod chain;
mod m0002_access_ended;
mod m0003_door_timing;

pub(super) use chain::run;
pub use chain::{Migration, MigrationError};
