//! A line with readers on it, which a server opens like a serial port.

mod door;
mod engine;
mod handle;
mod pty;
mod settings;
mod sim_door;
mod state;
mod wire;

#[cfg(test)]
mod tests;

pub use door::{DoorWiring, Person};
pub use handle::{ReaderHandle, SimBus};
pub use settings::{BusSettings, LineCounters};
pub use sim_door::SimDoor;
