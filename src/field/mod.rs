//! L4, the edge to the serial lines: one thread per port, with readers on it.
//!
//! Read in this order: [`Field`] is what the rest of the program holds; a thread per line drives
//! its bus; readers turn what the bus tells into reports; the outbox never waits; the port is the
//! only thing here that touches a device.

mod lines;

mod shared;

mod thread;

mod port_state;

mod slot;

mod readers;

mod link;

mod tally;

mod strikes;

mod show;

mod outbox;

mod reopen;

mod port;

pub use lines::{Field, FieldParts, FieldThreads, LineConfig, ReaderKeySource};
pub use port::PortFault;
pub use shared::{LineStatus, PortCounters};

#[cfg(test)]
mod tests;
