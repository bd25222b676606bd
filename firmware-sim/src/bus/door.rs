//! A door and who stands before it: a bolt, a contact, a button.

use std::time::{Duration, Instant};

/// How a door is wired to a reader.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DoorWiring {
    /// The output that releases the bolt while it is on.
    pub strike_output: u8,
    /// The input that is active while the door is open.
    pub contact_input: Option<u8>,
    /// The input that is active while the exit button is pressed.
    pub request_to_exit_input: Option<u8>,
}

/// Who stands before the door.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Person {
    /// Nobody opens it.
    #[default]
    Stays,
    /// Somebody opens it so long after its release, and lets it close so long after that.
    Opens {
        /// From the release to opening; too long, and the bolt is locked again.
        after: Duration,
        /// How long it is open; `None` until it is closed by hand.
        open_for: Option<Duration>,
    },
}

/// A door, without a clock.
#[derive(Debug)]
pub(crate) struct Door {
    pub(crate) reader: usize,
    pub(crate) wiring: DoorWiring,
    pub(crate) person: Person,
    /// What its observers were told last: whether it is released, and open.
    pub(crate) told: (bool, bool),
    strike_on: bool,
    exit_until: Option<Instant>,
    is_open: bool,
    opens_at: Option<Instant>,
    closes_at: Option<Instant>,
}

impl Door {
    pub(crate) fn new(reader: usize, wiring: DoorWiring) -> Self {
        Self {
            reader,
            wiring,
            person: Person::default(),
            told: (false, false),
            strike_on: false,
            exit_until: None,
            is_open: false,
            opens_at: None,
            closes_at: None,
        }
    }

    pub(crate) fn is_open(&self) -> bool {
        self.is_open
    }

    /// Whether the bolt is released: by the strike, or by the exit button's own contact.
    pub(crate) fn is_released(&self) -> bool {
        self.strike_on || self.is_exit_pressed()
    }

    pub(crate) fn is_exit_pressed(&self) -> bool {
        self.exit_until.is_some()
    }

    /// The strike is energised or not.
    pub(crate) fn strike(&mut self, is_on: bool, at: Instant) {
        let was_released = self.is_released();
        self.strike_on = is_on;
        self.bolt(was_released, at);
    }

    /// The exit button is pressed for so long.
    pub(crate) fn press_exit(&mut self, held_for: Duration, at: Instant) {
        let was_released = self.is_released();
        self.exit_until = Some(at + held_for);
        self.bolt(was_released, at);
    }

    /// Opens it whether it is released or not.
    pub(crate) fn force(&mut self, open_for: Option<Duration>, at: Instant) {
        self.is_open = true;
        self.opens_at = None;
        self.closes_at = open_for.map(|time| at + time);
    }

    /// Keeps it open until it is closed.
    pub(crate) fn hold(&mut self) {
        self.closes_at = None;
    }

    pub(crate) fn close(&mut self) {
        self.is_open = false;
        self.closes_at = None;
    }

    fn bolt(&mut self, was_released: bool, at: Instant) {
        match (was_released, self.is_released(), self.person) {
            (false, true, Person::Opens { after, .. }) if !self.is_open => {
                self.opens_at = Some(at + after);
            }
            (_, false, _) => self.opens_at = None,
            _ => {}
        }
    }

    /// When something happens by itself next.
    pub(crate) fn due(&self) -> Option<Instant> {
        let times = [self.exit_until, self.opens_at, self.closes_at];
        times.into_iter().flatten().min()
    }

    /// Lets happen what is due, in its order.
    pub(crate) fn advance(&mut self, now: Instant) {
        while let Some(due) = self.due().filter(|due| *due <= now) {
            if self.opens_at == Some(due) {
                self.opens_at = None;
                self.is_open = true;
                if let Person::Opens { open_for, .. } = self.person {
                    self.closes_at = open_for.map(|time| due + time);
                }
            } else if self.closes_at == Some(due) {
                self.close();
            } else {
                self.exit_until = None;
                self.bolt(true, due);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::ticks;

    const SECOND: Duration = Duration::from_secs(1);

    fn door(person: Person) -> Door {
        let wiring = DoorWiring {
            strike_output: 0,
            contact_input: Some(0),
            request_to_exit_input: Some(1),
        };
        let mut door = Door::new(0, wiring);
        door.person = person;
        door
    }

    const PASSES: Person = Person::Opens {
        after: SECOND,
        open_for: Some(SECOND),
    };

    #[test]
    fn a_released_door_is_opened_and_closes() {
        let at = ticks();
        let mut door = door(PASSES);
        door.strike(true, at);
        door.advance(at + SECOND / 2);
        assert!(!door.is_open());
        door.advance(at + SECOND);
        assert!(door.is_open());
        door.strike(false, at + SECOND);
        door.advance(at + SECOND * 2);
        assert!(!door.is_open());
        assert_eq!(door.due(), None);
    }

    #[test]
    fn who_comes_too_late_or_stays_opens_nothing() {
        let at = ticks();
        for person in [PASSES, Person::Stays] {
            let mut door = door(person);
            door.strike(true, at);
            door.strike(false, at + SECOND / 2);
            door.advance(at + SECOND * 9);
            assert!(!door.is_open());
        }
    }

    #[test]
    fn the_exit_button_releases_without_the_strike() {
        let at = ticks();
        let mut door = door(PASSES);
        door.press_exit(SECOND * 2, at);
        assert!(door.is_released());
        door.advance(at + SECOND);
        assert!(door.is_open());
        door.advance(at + SECOND * 2);
        assert!(!door.is_released());
    }

    #[test]
    fn a_held_door_stays_open() {
        let at = ticks();
        let mut door = door(Person::Stays);
        door.force(Some(SECOND), at);
        door.hold();
        door.advance(at + SECOND * 9);
        assert!(door.is_open());
        door.close();
        assert!(!door.is_open());
    }
}
