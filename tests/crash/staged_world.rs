//! Clocks that the test sets, and entropy from a seed.

use std::{
    sync::{Condvar, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use sluss::types::{Moment, Now, UtcTime, World};

use crate::random::Random;

/// A day in November 2026; months end while the workload runs.
const BEGIN: i64 = 1_795_000_000;

#[derive(Debug)]
struct Inner {
    utc: i64,
    moment: Duration,
    random: Random,
    is_begun: bool,
}

/// A world that can be played again.
///
/// The scribe reads the clock first of all in every round. It waits there until the work begins,
/// so that what was asked before is one batch, and the same one whenever it is played.
#[derive(Debug)]
pub(crate) struct StagedWorld {
    inner: Mutex<Inner>,
    begun: Condvar,
}

impl StagedWorld {
    /// A world in which nothing is done before [`StagedWorld::begin`].
    pub(crate) fn waiting(random: Random) -> Self {
        let inner = Inner {
            utc: BEGIN,
            moment: Duration::ZERO,
            random,
            is_begun: false,
        };
        Self {
            inner: Mutex::new(inner),
            begun: Condvar::new(),
        }
    }

    /// A world that waits for nothing.
    pub(crate) fn begun(random: Random) -> Self {
        let world = Self::waiting(random);
        world.begin();
        world
    }

    /// Lets the work begin.
    pub(crate) fn begin(&self) {
        self.lock().is_begun = true;
        self.begun.notify_all();
    }

    /// Reads both clocks without waiting.
    pub(crate) fn time(&self) -> Now {
        read(&self.lock())
    }

    /// Lets time pass; the wall clock may go by more, or backwards.
    pub(crate) fn pass(&self, moment: Duration, wall_seconds: i64) {
        let mut inner = self.lock();
        inner.moment = inner.moment.saturating_add(moment);
        inner.utc = inner.utc.saturating_add(wall_seconds);
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn read(inner: &Inner) -> Now {
    Now {
        utc: UtcTime::from_unix(inner.utc).unwrap_or(UtcTime::EPOCH),
        moment: Moment::from_start(inner.moment),
    }
}

impl World for StagedWorld {
    fn now(&self) -> Now {
        let waiting = |inner: &mut Inner| !inner.is_begun;
        let inner = self.begun.wait_while(self.lock(), waiting);
        read(&inner.unwrap_or_else(PoisonError::into_inner))
    }

    fn fill_random(&self, buffer: &mut [u8]) {
        let mut inner = self.lock();
        for chunk in buffer.chunks_mut(8) {
            let bytes = inner.random.next().to_be_bytes();
            chunk
                .iter_mut()
                .zip(bytes)
                .for_each(|(out, byte)| *out = byte);
        }
    }
}
