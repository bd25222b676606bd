//! Devices as they would behave: a second reading of every protocol that Sluss speaks.
//!
//! A [`Controller`] asks Sluss over mutual TLS, repeats what got no answer, decides by its own
//! rules while the server is away, and hands in later what it decided. [`Load`] drives many.
//! A [`SimBus`] is a serial line with OSDP readers on it, opened like a port: bytes take their
//! time, replies collide, readers fail as they are told to. A [`SimDoor`] is wired to a reader.
//! Depends on nothing of Sluss but the published API in `proto/`.

mod bus;
mod card;
mod controller;
mod error;
mod line;
mod load;
mod osdp;
mod own_rules;
mod scenario;
mod session;
mod words;

mod clock;
mod pb;

#[cfg(test)]
mod fixture;

pub use bus::{BusSettings, DoorWiring, LineCounters, Person, ReaderHandle, SimBus, SimDoor};
pub use card::{Card, InvalidCard};
pub use controller::{Controller, Passage};
pub use error::{CallError, Refusal};
pub use line::{ControllerSettings, DEADLINE, TRIES_MAX};
pub use load::{Acknowledged, Load, LoadReport, Station, Until};
pub use osdp::{
    CardReport, Counters, Exchange, Fault, FaultKind, Identity, InvalidKeys, InvalidSettings,
    LedOrder, LedPattern, Observed, ReaderSettings, SecureKey, Seen,
};
pub use scenario::{
    DoorOrder, Failed, LineOrder, Order, ReaderOrder, Scenario, ScenarioError, describe,
};
pub use session::{Answering, Command, CommandAction, Conduct, Session};
pub use words::{Acknowledgement, Answer, DoorEvent, DoorEventKind, Verdict};
