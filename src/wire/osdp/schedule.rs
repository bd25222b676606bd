//! Whose turn it is.
//!
//! Readers that answer are asked one after another without a pause. A reader that did not
//! answer costs a whole time-out, so that after each such slot all others get their turn first.

use std::collections::BTreeMap;
use std::ops::Bound;

use super::Address;
use super::session::Session;
use crate::types::Moment;

/// While a session is being opened so many good slots lie between two doubtful ones at least.
const OPENING_SLOTS: usize = 4;

/// Who was asked last.
#[derive(Debug, Default)]
pub(super) struct Schedule {
    last: Option<Address>,
    /// Who is asked next, before those whose turn it is.
    again: Option<Address>,
    /// Slots of readers that answer since the last one of a reader that may not.
    good_slots: usize,
}

/// Readers of a line by their address.
pub(super) type Sessions = BTreeMap<Address, Session>;

impl Schedule {
    /// Who is asked now; `None` where nobody is due.
    pub(super) fn pick(&mut self, sessions: &Sessions, now: Moment) -> Option<Address> {
        let urgent = |session: &Session| session.has_output() && session.misses() <= 1;
        let again = self.again.take().filter(|address| {
            let session = sessions.get(address);
            session.is_some_and(|session| session.due() <= now && is_good(session))
        });
        let picked = self
            .first(sessions, now, urgent)
            .or(again)
            .or_else(|| self.doubtful(sessions, now))
            .or_else(|| self.first(sessions, now, is_good))
            .or_else(|| self.first(sessions, now, |_| true))?;
        if sessions.get(&picked).is_some_and(is_good) {
            self.good_slots = self.good_slots.saturating_add(1);
        } else {
            self.good_slots = 0;
        }
        self.last = Some(picked);
        Some(picked)
    }

    /// What a reader was asked was no POLL: it gets another slot, so that nobody who stands there
    /// waits for a whole round more.
    pub(super) fn again(&mut self, address: Address) {
        self.again = Some(address);
    }

    /// A slot was wasted: everybody else first.
    pub(super) fn wasted(&mut self) {
        self.good_slots = 0;
    }

    /// A reader that may not answer, the one due for longest, if the others had their turns.
    fn doubtful(&self, sessions: &Sessions, now: Moment) -> Option<Address> {
        let good = sessions.values().filter(|session| is_good(session));
        let is_opening = good.clone().any(|session| !session.is_up());
        let slots_between = match (good.count(), is_opening) {
            (0, _) => 0,
            (count, true) => count.max(OPENING_SLOTS),
            (count, false) => count,
        };
        if self.good_slots < slots_between {
            return None;
        }
        sessions
            .iter()
            .filter(|(_, session)| !is_good(session) && session.due() <= now)
            .min_by_key(|(_, session)| session.due())
            .map(|(address, _)| *address)
    }

    /// The next one after the last that is due and as asked for.
    fn first(
        &self,
        sessions: &Sessions,
        now: Moment,
        is_wanted: impl Fn(&Session) -> bool,
    ) -> Option<Address> {
        let start = self.last.map_or(Bound::Unbounded, Bound::Excluded);
        let end = self.last.map_or(Bound::Unbounded, Bound::Included);
        let after = sessions.range((start, Bound::Unbounded));
        let before = sessions.range((Bound::Unbounded, end));
        after
            .chain(before)
            .find(|(_, session)| session.due() <= now && is_wanted(session))
            .map(|(address, _)| *address)
    }
}

/// Whether it answered its last command.
fn is_good(session: &Session) -> bool {
    session.misses() == 0
}
