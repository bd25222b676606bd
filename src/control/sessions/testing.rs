//! Clocks, releases and locks for the tests of sessions.

use std::sync::Mutex;
use std::time::Duration;

use super::SessionCommand;
use crate::control::{StrikeRelease, Unlock};
use crate::store::{JournalRef, receipt_for_tests};
use crate::types::{ControllerId, DoorId, Moment, Now, SiteId, UtcTime, World};

/// A clock that is set by hand.
#[derive(Debug, Default)]
pub(crate) struct Hands(Mutex<Duration>);

impl Hands {
    /// So long after the start.
    pub(crate) fn set(&self, elapsed: Duration) {
        *self.0.lock().unwrap() = elapsed;
    }
}

impl World for Hands {
    fn now(&self) -> Now {
        let elapsed = *self.0.lock().unwrap();
        let seconds = i64::try_from(elapsed.as_secs()).unwrap();
        Now {
            utc: UtcTime::from_unix(seconds).unwrap(),
            moment: Moment::from_start(elapsed),
        }
    }

    fn fill_random(&self, buffer: &mut [u8]) {
        buffer.fill(0xA5);
    }
}

/// A clock that goes by itself, for what wakes by itself.
#[derive(Debug)]
pub(crate) struct Ticking;

impl World for Ticking {
    fn now(&self) -> Now {
        let elapsed = std::time::UNIX_EPOCH.elapsed().unwrap();
        Now {
            utc: UtcTime::EPOCH,
            moment: Moment::from_start(elapsed),
        }
    }

    fn fill_random(&self, _: &mut [u8]) {}
}

/// A controller.
pub(crate) fn gate() -> ControllerId {
    ControllerId::parse("gate").unwrap()
}

/// Leave to release door `d` for 5 s, of an entry that was recorded then.
pub(crate) fn release(recorded: Duration) -> StrikeRelease {
    let recorded = Moment::from_start(recorded);
    let (unlock, _) = Unlock::from_receipt(receipt_for_tests(recorded), recorded).unwrap();
    unlock.release(Duration::from_secs(5), recorded).unwrap()
}

/// An order to lock door `d`.
pub(crate) fn lock() -> SessionCommand {
    SessionCommand::Lock {
        door: DoorId::parse("d").unwrap(),
        entry: JournalRef {
            site: SiteId::parse("s").unwrap(),
            node: 1,
            sequence: 7,
        },
    }
}
