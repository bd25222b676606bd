//! Reports on their way up. The line never waits for whoever takes them.

use std::collections::BTreeMap;

use tokio::sync::mpsc::Sender;
use tokio::sync::mpsc::error::TrySendError;

use crate::control::lines::{FromReader, ReaderEvent};
use crate::types::{ReaderId, Terminal};

/// What a report is about; of each the newest is enough.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Topic {
    Link,
    Trust,
    Switches,
    Inputs,
    Strike(Terminal),
}

/// Of a state the newest is kept until there is room; what somebody did is told at once or never.
fn topic(event: &ReaderEvent) -> Option<Topic> {
    match event {
        ReaderEvent::Online | ReaderEvent::Offline | ReaderEvent::LineDown(_) => Some(Topic::Link),
        ReaderEvent::NotTrusted(_) => Some(Topic::Trust),
        ReaderEvent::Switches { .. } => Some(Topic::Switches),
        ReaderEvent::Inputs(_) => Some(Topic::Inputs),
        ReaderEvent::StrikeSet { output, .. } | ReaderEvent::StrikeRefused { output } => {
            Some(Topic::Strike(*output))
        }
        ReaderEvent::Card(_) | ReaderEvent::Keys(_) => None,
    }
}

/// Reports that wait for room: per reader as many as there are topics, and no more.
#[derive(Debug)]
pub(super) struct Outbox {
    sender: Sender<FromReader>,
    waiting: BTreeMap<(ReaderId, Topic), FromReader>,
    dropped: u64,
    /// Dropped since there was room last.
    dropped_now: u64,
}

impl Outbox {
    pub(super) fn new(sender: Sender<FromReader>) -> Self {
        Self {
            sender,
            waiting: BTreeMap::new(),
            dropped: 0,
            dropped_now: 0,
        }
    }

    /// Cards and keys that nobody had room for.
    pub(super) fn dropped(&self) -> u64 {
        self.dropped
    }

    /// Whether states wait for room.
    pub(super) fn is_waiting(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// Sends a report, keeps it if it is a state, drops and counts it otherwise.
    ///
    /// A card is not kept: who presented it would be let in after he has gone.
    pub(super) fn tell(&mut self, report: FromReader) {
        self.flush();
        let topic = topic(&report.event);
        let unsent = if self.waiting.is_empty() {
            self.send(report)
        } else {
            Some(report)
        };
        match (unsent, topic) {
            (None, _) => {}
            (Some(report), Some(topic)) => {
                self.waiting.insert((report.reader.clone(), topic), report);
            }
            (Some(report), None) => self.drop_one(&report.reader),
        }
    }

    /// Sends what waits, as far as there is room.
    pub(super) fn flush(&mut self) {
        while let Some((about, report)) = self.waiting.pop_first() {
            if let Some(report) = self.send(report) {
                self.waiting.insert(about, report);
                return;
            }
        }
    }

    /// A report that there was no room for.
    fn send(&mut self, report: FromReader) -> Option<FromReader> {
        match self.sender.try_send(report) {
            Ok(()) => {
                if self.dropped_now > 0 {
                    tracing::warn!(dropped = self.dropped_now, "reports of readers go on");
                    self.dropped_now = 0;
                }
                None
            }
            Err(TrySendError::Full(report)) => Some(report),
            // Nobody will ever take it: the server stops.
            Err(TrySendError::Closed(_)) => None,
        }
    }

    fn drop_one(&mut self, reader: &ReaderId) {
        self.dropped = self.dropped.saturating_add(1);
        if self.dropped_now == 0 {
            tracing::warn!(%reader, "a card or keys were dropped: too many reports wait");
        }
        self.dropped_now = self.dropped_now.saturating_add(1);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::sync::mpsc::{Receiver, channel};

    use super::*;
    use crate::types::Moment;
    use crate::wire::card::RawCard;

    fn report(reader: &str, event: ReaderEvent) -> FromReader {
        FromReader {
            reader: ReaderId::parse(reader).unwrap(),
            at: Moment::from_start(Duration::ZERO),
            event,
        }
    }

    fn card() -> ReaderEvent {
        ReaderEvent::Card(RawCard::new(8, vec![0x5A]).unwrap())
    }

    fn take(receiver: &mut Receiver<FromReader>) -> Vec<ReaderEvent> {
        std::iter::from_fn(|| receiver.try_recv().ok())
            .map(|report| report.event)
            .collect()
    }

    #[test]
    fn states_are_kept_as_the_newest_and_cards_are_dropped() {
        let (sender, mut receiver) = channel(1);
        let mut outbox = Outbox::new(sender);
        outbox.tell(report("a", ReaderEvent::Offline));
        for is_open in [true, false, true] {
            outbox.tell(report("a", ReaderEvent::Inputs(vec![is_open])));
        }
        outbox.tell(report("a", ReaderEvent::Online));
        outbox.tell(report("a", card()));
        assert_eq!((outbox.dropped(), outbox.is_waiting()), (1, true));
        assert_eq!(take(&mut receiver), [ReaderEvent::Offline]);
        outbox.flush();
        assert_eq!(take(&mut receiver), [ReaderEvent::Online]);
        outbox.flush();
        assert_eq!(take(&mut receiver), [ReaderEvent::Inputs(vec![true])]);
        outbox.tell(report("a", card()));
        assert_eq!(take(&mut receiver), [card()]);
        assert_eq!((outbox.dropped(), outbox.is_waiting()), (1, false));
    }

    #[test]
    fn a_card_never_overtakes_a_state() {
        let (sender, mut receiver) = channel(1);
        let mut outbox = Outbox::new(sender);
        outbox.tell(report("a", ReaderEvent::Offline));
        outbox.tell(report("a", ReaderEvent::Online));
        receiver.try_recv().unwrap();
        outbox.tell(report("a", card()));
        assert_eq!(take(&mut receiver), [ReaderEvent::Online]);
        assert_eq!(outbox.dropped(), 1);
    }

    #[test]
    fn nobody_who_listens_is_no_reason_to_remember() {
        let (sender, receiver) = channel(1);
        drop(receiver);
        let mut outbox = Outbox::new(sender);
        outbox.tell(report("a", ReaderEvent::Online));
        outbox.tell(report("a", card()));
        assert_eq!((outbox.dropped(), outbox.is_waiting()), (0, false));
    }
}
