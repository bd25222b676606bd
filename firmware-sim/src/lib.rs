//! Devices as they would behave: a second reading of every protocol that Sluss speaks.
//!
//! A [`Controller`] asks Sluss over mutual TLS, repeats what got no answer, decides by its own
//! rules while the server is away, and hands in later what it decided. [`Load`] drives many.
//! Depends on nothing of Sluss but the published API in `proto/`.

mod card;
mod controller;
mod error;
mod line;
mod load;
mod own_rules;
mod words;

mod clock;
mod pb;

#[cfg(test)]
mod fixture;

pub use card::{Card, InvalidCard};
pub use controller::{Controller, Passage};
pub use error::{CallError, Refusal};
pub use line::{ControllerSettings, DEADLINE, TRIES_MAX};
pub use load::{Acknowledged, Load, LoadReport, Station, Until};
pub use words::{Acknowledgement, Answer, DoorEvent, DoorEventKind, Verdict};
