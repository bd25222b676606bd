//! What is counted of one reader, over all its stays on the bus.

use crate::control::lines::LinkCounters;
use crate::wire::osdp::{Counters, LineCounters};

/// Counted here, and by the bus before the reader was added to it anew.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Tally(LinkCounters);

impl Tally {
    /// A card went up.
    pub(super) fn card(&mut self) {
        self.0.cards = self.0.cards.saturating_add(1);
    }

    /// What the line saw in a turn of this reader; the bus cannot tell whose it was.
    pub(super) fn turn(&mut self, before: &LineCounters, after: &LineCounters) {
        let more = |total: &mut u64, before: u64, after: u64| {
            *total = total.saturating_add(after.saturating_sub(before));
        };
        let Self(counted) = self;
        more(&mut counted.bad_frames, before.bad_checks, after.bad_checks);
        let wrong = (before.wrong_address, after.wrong_address);
        more(&mut counted.dropped, wrong.0, wrong.1);
    }

    /// Keeps what the bus has counted, because it forgets the reader.
    pub(super) fn keep(&mut self, bus: Option<&Counters>) {
        self.0 = self.total(bus);
    }

    /// All that was counted, with what the bus has counted since it knows the reader.
    pub(super) fn total(&self, bus: Option<&Counters>) -> LinkCounters {
        let Self(counted) = self;
        let Some(bus) = bus else { return *counted };
        let dropped = [
            bus.wrong_sequence,
            bus.clear_in_session,
            bus.unexpected_block,
            bus.unexpected_reply,
            bus.stale_reads,
            bus.events_dropped,
        ];
        let dropped = dropped.into_iter().fold(0, u64::saturating_add);
        LinkCounters {
            commands: counted.commands.saturating_add(bus.sent),
            replies: counted.replies.saturating_add(bus.replies),
            timeouts: counted.timeouts.saturating_add(bus.timeouts),
            retries: counted.retries.saturating_add(bus.repeats),
            bad_frames: counted.bad_frames.saturating_add(bus.malformed),
            bad_macs: counted.bad_macs.saturating_add(bus.bad_macs),
            dropped: counted.dropped.saturating_add(dropped),
            busy: counted.busy.saturating_add(bus.busy),
            naks: counted.naks.saturating_add(bus.naks),
            sessions: counted.sessions.saturating_add(bus.sessions),
            cards: counted.cards,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_bus_forgets_stays_counted() {
        let bus = Counters {
            sent: 10,
            replies: 8,
            wrong_sequence: 1,
            stale_reads: 2,
            malformed: 1,
            ..Counters::default()
        };
        let before = LineCounters::default();
        let after = LineCounters {
            bad_checks: 4,
            wrong_address: 5,
            ..before
        };
        let mut tally = Tally::default();
        tally.card();
        tally.turn(&before, &after);
        tally.keep(Some(&bus));
        let total = tally.total(Some(&bus));
        assert_eq!((total.commands, total.replies, total.cards), (20, 16, 1));
        assert_eq!((total.bad_frames, total.dropped), (6, 11));
        assert_eq!(tally.total(None).commands, 10);
    }
}
