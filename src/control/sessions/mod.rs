//! Controllers that keep a line open, and the commands that go to them over it.
//!
//! A controller has one session at a time; a new one ends the one before. A command is handed to
//! its session, and whoever ordered it waits a short while for the acknowledgement. What could not
//! be handed over is never kept for later: an order is carried out now or not at all.

mod words;

mod lines;

mod session;

pub use lines::{SessionTimes, Sessions};
pub use session::Session;
pub use words::{
    CommandId, CommandResult, Link, LinkChange, Outgoing, SessionCommand, SessionEnd, SessionFault,
    SessionStep,
};

#[cfg(test)]
pub(crate) mod testing;

#[cfg(test)]
mod tests;
