//! The story's clock: the wall clock is set by hand, the monotonic one is real.

use std::sync::{Mutex, PoisonError};

use crate::env::System;
use crate::types::{Now, UtcTime, World};

/// A world whose wall clock the story sets.
#[derive(Debug)]
pub(super) struct StoryClock {
    system: System,
    /// What the wall clock shows; `None` once it goes on by itself.
    shows: Mutex<Option<UtcTime>>,
}

impl StoryClock {
    pub(super) fn start(at: UtcTime) -> Self {
        Self {
            system: System::start(),
            shows: Mutex::new(Some(at)),
        }
    }

    /// Sets the wall clock.
    pub(super) fn set(&self, at: UtcTime) {
        *self.shows.lock().unwrap_or_else(PoisonError::into_inner) = Some(at);
    }

    /// Lets the wall clock show the real time from now on.
    pub(super) fn go_on(&self) {
        *self.shows.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}

impl World for StoryClock {
    fn now(&self) -> Now {
        let now = self.system.now();
        let shows = *self.shows.lock().unwrap_or_else(PoisonError::into_inner);
        Now {
            utc: shows.unwrap_or(now.utc),
            moment: now.moment,
        }
    }

    fn fill_random(&self, buffer: &mut [u8]) {
        self.system.fill_random(buffer);
    }
}
