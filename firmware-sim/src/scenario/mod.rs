//! Scenarios: lines, doors, and what happens to them, as a file says.

mod file;
mod orders;
mod run;
mod words;

pub use file::{Scenario, ScenarioError};
pub use orders::{DoorOrder, LineOrder, Order, ReaderOrder, describe};
pub use run::Failed;
