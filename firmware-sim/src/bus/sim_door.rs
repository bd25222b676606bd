//! What a test, a demonstration or a command holds of a door.

use std::time::{Duration, Instant};

use super::door::{Door, DoorWiring, Person};
use super::handle::ReaderHandle;
use crate::clock::ticks;

/// A door wired to a reader; clones are the same door.
///
/// What happens to it is among the reader's observations.
#[derive(Debug, Clone)]
pub struct SimDoor {
    reader: ReaderHandle,
    number: usize,
}

impl SimDoor {
    /// Wires a closed door to a reader; nobody stands before it.
    pub fn wire(reader: &ReaderHandle, wiring: DoorWiring) -> Self {
        let number = reader.with_line(|line, _| {
            line.state.doors.push(Door::new(reader.number, wiring));
            line.state.doors.len().saturating_sub(1)
        });
        Self {
            reader: reader.clone(),
            number,
        }
    }

    /// Who stands before it from now on.
    pub fn person(&self, person: Person) {
        self.with(|door, _| door.person = person);
    }

    /// Opens it whether it is released or not, for so long or until it is closed; when.
    pub fn force(&self, open_for: Option<Duration>) -> Instant {
        self.with(|door, now| door.force(open_for, now))
    }

    /// Keeps it open until it is closed; a closed one stays closed.
    pub fn hold(&self) -> Instant {
        self.with(|door, _| door.hold())
    }

    /// Closes it; when.
    pub fn close(&self) -> Instant {
        self.with(|door, _| door.close())
    }

    /// Presses the exit button for so long: its own contact releases the bolt meanwhile.
    pub fn press_exit(&self, held_for: Duration) -> Instant {
        self.with(|door, now| door.press_exit(held_for, now))
    }

    /// Whether it is open.
    pub fn is_open(&self) -> bool {
        let mut is_open = false;
        self.with(|door, _| is_open = door.is_open());
        is_open
    }

    /// Whether its bolt is released.
    pub fn is_released(&self) -> bool {
        let mut is_released = false;
        self.with(|door, _| is_released = door.is_released());
        is_released
    }

    fn with(&self, act: impl FnOnce(&mut Door, Instant)) -> Instant {
        let mut acted_at = None;
        self.reader.with_line(|line, now| {
            if let Some(door) = line.state.doors.get_mut(self.number) {
                act(door, now);
                acted_at = Some(now);
            }
        });
        acted_at.unwrap_or_else(ticks)
    }
}
