//! What a controller does by itself: a short list of who may pass, and what it owes the server.

use std::collections::{BTreeMap, VecDeque};

use crate::{CallError, Card, Verdict, pb};

/// Cards remembered at most; a controller has little memory and outages are short.
const REMEMBERED_MAX: usize = 1024;
/// Events owed at most; beyond it nothing is decided, because it could not be written down.
pub(crate) const BACKLOG_MAX: usize = 10_000;
/// Events in one call (`ReportDoorEventsRequest`).
pub(crate) const BATCH_MAX: usize = 200;

/// The cards that Sluss granted last, by access point, where the badge alone was enough.
///
/// A denial forgets the card at once. When full, the oldest goes.
#[derive(Debug, Default)]
pub(crate) struct OwnRules {
    granted: BTreeMap<(String, Card), u64>,
    clock: u64,
}

impl OwnRules {
    pub(crate) fn remember(&mut self, access_point: &str, card: &Card) {
        self.clock = self.clock.saturating_add(1);
        self.granted
            .insert((access_point.to_owned(), card.clone()), self.clock);
        if self.granted.len() > REMEMBERED_MAX {
            let oldest = self.granted.iter().min_by_key(|(_, at)| **at);
            if let Some(key) = oldest.map(|(key, _)| key.clone()) {
                self.granted.remove(&key);
            }
        }
    }

    pub(crate) fn forget(&mut self, access_point: &str, card: &Card) {
        self.granted
            .remove(&(access_point.to_owned(), card.clone()));
    }

    pub(crate) fn decide(&self, access_point: &str, card: &Card) -> Verdict {
        let key = (access_point.to_owned(), card.clone());
        if self.granted.contains_key(&key) {
            Verdict::Grant
        } else {
            Verdict::Denial
        }
    }
}

/// Events that the server has not acknowledged yet, oldest first.
#[derive(Debug, Default)]
pub(crate) struct Backlog {
    events: VecDeque<pb::DoorEvent>,
}

impl Backlog {
    pub(crate) fn len(&self) -> usize {
        self.events.len()
    }

    pub(crate) fn is_full(&self) -> bool {
        self.events.len() >= BACKLOG_MAX
    }

    /// Takes an event, or refuses it when full: what is owed is never thrown away for it.
    pub(crate) fn push(&mut self, event: pb::DoorEvent) -> Result<(), CallError> {
        if self.is_full() {
            return Err(CallError::BacklogFull);
        }
        self.events.push_back(event);
        Ok(())
    }

    /// The oldest events, as many as one call takes.
    pub(crate) fn batch(&self) -> Vec<pb::DoorEvent> {
        self.events.iter().take(BATCH_MAX).cloned().collect()
    }

    /// Strikes out the oldest events, which the server has.
    pub(crate) fn settle(&mut self, count: usize) {
        self.events.drain(..count.min(self.events.len()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_of_grants_is_bounded_and_keeps_the_newest() {
        let mut rules = OwnRules::default();
        for number in 0..2000 {
            rules.remember("a", &Card::h10301(1, number));
        }
        assert_eq!(rules.granted.len(), REMEMBERED_MAX);
        assert_eq!(rules.decide("a", &Card::h10301(1, 1999)), Verdict::Grant);
        assert_eq!(rules.decide("a", &Card::h10301(1, 0)), Verdict::Denial);
        assert_eq!(rules.decide("b", &Card::h10301(1, 1999)), Verdict::Denial);
    }

    #[test]
    fn a_full_backlog_refuses_and_keeps_what_it_has() {
        let mut backlog = Backlog::default();
        let event = |counter| pb::DoorEvent {
            counter,
            ..Default::default()
        };
        for counter in 0..10_000 {
            backlog.push(event(counter)).unwrap();
        }
        assert_eq!(backlog.push(event(10_000)), Err(CallError::BacklogFull));
        assert_eq!(backlog.batch().len(), BATCH_MAX);
        assert_eq!(backlog.batch()[0].counter, 0);
    }
}
