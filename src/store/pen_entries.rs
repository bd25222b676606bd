//! What the scribe's thread does with reports and orders.

use tokio::sync::oneshot;

use crate::store::entry::{Acknowledged, AppendError, OrderEntry, ReportedEntry, Source};
use crate::store::pen::Pen;
use crate::store::receipt::{Proof, Receipt};
use crate::store::round::{Pending, Round};
use crate::store::sources::{Known, Recent};
use crate::store::{stage_entry, stage_event};
use crate::types::{DoorOrder, Now};

impl Pen {
    pub(super) fn reported(
        &mut self,
        entries: &[ReportedEntry],
        reply: oneshot::Sender<Result<Vec<Acknowledged>, AppendError>>,
        round: &mut Round,
        now: Now,
    ) {
        match self.stage_reported(entries, round, now) {
            Ok(acknowledged) => round.pending.push(Pending::Reported(reply, acknowledged)),
            Err(error) => drop(reply.send(Err(error))),
        }
    }

    /// Looks everything up before it stages anything, so that a refusal leaves nothing staged;
    /// a failure in the middle ends the log, and with it this round, so that no half is written.
    fn stage_reported(
        &mut self,
        entries: &[ReportedEntry],
        round: &mut Round,
        now: Now,
    ) -> Result<Vec<Acknowledged>, AppendError> {
        let known = entries
            .iter()
            .map(|e| self.look_up(e.source.as_ref()))
            .collect::<Result<Vec<_>, _>>()?;
        let reused = entries
            .iter()
            .zip(&known)
            .find(|(_, k)| matches!(k, Known::Reused));
        if let Some((entry, _)) = reused {
            return Err(AppendError::CounterReused(counter(entry.source.as_ref())));
        }
        for entry in entries {
            self.door_of(&entry.access_point)?;
        }
        self.begin(round, now)?;
        let mut is_staged = false;
        let mut acknowledged = Vec::with_capacity(entries.len());
        for (entry, known) in entries.iter().zip(known) {
            let (sequence, already_known) = match known {
                Known::Durable(sequence) | Known::Recent(Recent { sequence, .. }) => {
                    (sequence, true)
                }
                Known::New | Known::Reused => {
                    let staged = stage_entry::reported(&mut self.book, entry, &mut round.batch);
                    if let (Err(error), true) = (&staged, is_staged) {
                        self.fail(error.to_string());
                    }
                    is_staged = true;
                    (self.staged(staged, round)?, false)
                }
            };
            let counter = counter(entry.source.as_ref());
            let entry = self.book.journal_ref(sequence);
            acknowledged.push(Acknowledged {
                counter,
                entry,
                already_known,
            });
        }
        Ok(acknowledged)
    }

    pub(super) fn order(
        &mut self,
        entry: &OrderEntry,
        reply: oneshot::Sender<Result<Receipt<DoorOrder>, AppendError>>,
        round: &mut Round,
        now: Now,
    ) {
        match self.stage_order(entry, round, now) {
            Ok(receipt) => round.pending.push(Pending::Order(reply, receipt)),
            Err(error) => drop(reply.send(Err(error))),
        }
    }

    /// The receipt is handed out after the commit; until then the round keeps it.
    fn stage_order(
        &mut self,
        entry: &OrderEntry,
        round: &mut Round,
        now: Now,
    ) -> Result<Receipt<DoorOrder>, AppendError> {
        if self.book.roster().door(&entry.door).is_none() {
            return Err(AppendError::DoorGone(entry.door.clone()));
        }
        self.begin(round, now)?;
        let staged = stage_event::order(&mut self.book, entry, &mut round.batch);
        let sequence = self.staged(staged, round)?;
        let proof = Proof {
            entry: self.book.journal_ref(sequence),
            door: entry.door.clone(),
            recorded: entry.ordered,
            is_repeat: false,
        };
        Ok(Receipt::new(proof, entry.order))
    }
}

/// The number of an event at its source; 0 where it was born here.
pub(super) fn counter(source: Option<&Source>) -> u64 {
    source.map_or(0, |source| source.event.counter)
}
