//! A contact that bounces.

use std::time::Duration;

use super::passage::Opening;
use super::words::ContactReading;
use crate::types::Moment;

/// How long after the first change the contact's position counts.
///
/// Contacts bounce for some milliseconds, and a rattled door makes short openings; nobody passes a
/// door in this time. It is counted from the first change, so that a broken contact cannot put
/// it off for ever.
pub const SETTLES_WITHIN: Duration = Duration::from_millis(50);

/// A contact: what it says, and what of it counts.
#[derive(Debug, Default)]
pub(super) struct Contact {
    /// What counts; `None` until it was read.
    settled: Option<ContactReading>,
    /// What it said last.
    latest: Option<ContactReading>,
    change: Option<Change>,
}

/// A change that does not count yet.
#[derive(Debug)]
struct Change {
    settles_at: Moment,
    /// The newest opening in it.
    opening: Option<Opening>,
}

/// What a reading means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Heard {
    /// It was the first, and counts.
    First,
    /// Nothing new.
    Same,
    /// The door opens, unless it bounces.
    Opens,
    /// The door closes, unless it bounces.
    Closes,
}

/// What has become of a change.
#[derive(Debug)]
pub(super) struct Settled {
    /// What counts now; `None` where the contact only bounced.
    pub(super) position: Option<ContactReading>,
    /// The newest opening in it, whether or not it stayed.
    pub(super) opening: Option<Opening>,
}

impl Contact {
    /// What counts now.
    pub(super) fn settled(&self) -> Option<ContactReading> {
        self.settled
    }

    /// Whether it counts as closed, and nothing says otherwise.
    pub(super) fn is_quietly_closed(&self) -> bool {
        self.settled == Some(ContactReading::Closed) && self.change.is_none()
    }

    /// When a change counts.
    pub(super) fn settles_at(&self) -> Option<Moment> {
        self.change.as_ref().map(|change| change.settles_at)
    }

    /// Takes a reading.
    pub(super) fn read(&mut self, reading: ContactReading, now: Moment) -> Heard {
        let before = self.latest.replace(reading);
        if before.is_none() {
            self.settled = Some(reading);
            return Heard::First;
        }
        if before == Some(reading) {
            return Heard::Same;
        }
        self.change.get_or_insert(Change {
            settles_at: now.plus(SETTLES_WITHIN),
            opening: None,
        });
        match reading {
            ContactReading::Open => Heard::Opens,
            ContactReading::Closed => Heard::Closes,
        }
    }

    /// Takes the newest opening of the change away.
    pub(super) fn take_opening(&mut self) -> Option<Opening> {
        self.change.as_mut()?.opening.take()
    }

    /// Keeps what is known of the newest opening until it counts.
    pub(super) fn keep_opening(&mut self, opening: Opening) {
        if let Some(change) = &mut self.change {
            change.opening = Some(opening);
        }
    }

    /// Ends the change that is under way.
    pub(super) fn settle(&mut self) -> Settled {
        let opening = self.change.take().and_then(|change| change.opening);
        let position = self.latest.filter(|_| self.latest != self.settled);
        self.settled = self.latest;
        Settled { position, opening }
    }
}
