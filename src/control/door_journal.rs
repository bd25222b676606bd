//! What doors and alarms have to tell the journal, kept until it is written.
//!
//! A door does not wait for the disk, and what happens while the store is in trouble is written
//! when it is back. What does not fit any more is counted and said.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;

use super::alarms::{AlarmChange, AlarmStep, Alarms};
use crate::store::{Act, AppendError, JournalKind, ReportedEntry, Scribe};
use crate::types::{Caller, UtcTime};

/// Field events that wait at most: an hour of a busy site. The oldest are dropped.
const EVENTS_MAX: usize = 10_000;
/// Field events written at once.
const BATCH_MAX: usize = 200;
/// How long after a refusal the journal is asked again.
const RETRY: Duration = Duration::from_secs(1);

/// Takes field events for the journal. Cheap to clone; never waits.
#[derive(Debug, Clone, Default)]
pub struct DoorJournal {
    waiting: Arc<Mutex<Waiting>>,
    bell: Arc<Notify>,
}

#[derive(Debug, Default)]
struct Waiting {
    events: VecDeque<ReportedEntry>,
    dropped_count: u64,
}

impl DoorJournal {
    /// Hands an event over; it is written behind, in the order in which it was handed over.
    pub fn push(&self, event: ReportedEntry) {
        let mut waiting = self.lock();
        waiting.events.push_back(event);
        waiting.bound();
        self.bell.notify_one();
    }

    /// Number of events that are not written yet.
    pub fn waiting_count(&self) -> usize {
        self.lock().events.len()
    }

    /// Writes what is handed over, for ever.
    pub async fn write(self, scribe: Scribe) {
        loop {
            let batch = self.take();
            if batch.is_empty() {
                self.bell.notified().await;
                continue;
            }
            if let Err(error) = scribe.record_reported(batch.clone()).await {
                self.refused(&scribe, batch, &error).await;
            }
        }
    }

    /// Writes what is left, once, when the server stops; what is refused now is lost, and said.
    pub async fn flush(&self, scribe: &Scribe) {
        loop {
            let batch = self.take();
            if batch.is_empty() {
                return;
            }
            let count = batch.len();
            if let Err(error) = scribe.record_reported(batch).await {
                tracing::error!(count, %error, "field events were lost when the server stopped");
            }
        }
    }

    /// Keeps a batch for later; one that names what is gone is written event by event.
    async fn refused(&self, scribe: &Scribe, batch: Vec<ReportedEntry>, error: &AppendError) {
        match error {
            AppendError::QueueFull | AppendError::Unavailable(_) => {
                self.put_back(batch);
                tokio::time::sleep(RETRY).await;
            }
            AppendError::Gone(_) | AppendError::DoorGone(_) | AppendError::CounterReused(_) => {
                for event in batch {
                    let access_point = event.access_point.clone();
                    if let Err(error) = scribe.record_reported(vec![event]).await {
                        tracing::warn!(%access_point, %error, "a field event was not written");
                    }
                }
            }
        }
    }

    fn take(&self) -> Vec<ReportedEntry> {
        let mut waiting = self.lock();
        let dropped = std::mem::take(&mut waiting.dropped_count);
        if dropped > 0 {
            tracing::error!(
                dropped,
                "field events were dropped: the journal was away too long"
            );
        }
        let count = waiting.events.len().min(BATCH_MAX);
        waiting.events.drain(..count).collect()
    }

    fn put_back(&self, batch: Vec<ReportedEntry>) {
        let mut waiting = self.lock();
        for event in batch.into_iter().rev() {
            waiting.events.push_front(event);
        }
        waiting.bound();
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Waiting {
    fn bound(&mut self) {
        while self.events.len() > EVENTS_MAX {
            self.events.pop_front();
            self.dropped_count = self.dropped_count.saturating_add(1);
        }
    }
}

/// Writes each change of an alarm into the journal, for ever; what is refused is tried again.
pub async fn write_alarms(alarms: Alarms, scribe: Scribe) {
    loop {
        let Some(change) = next_change(&alarms) else {
            alarms.journal_waits().await;
            continue;
        };
        if scribe.record_act(act_of(&change)).await.is_err() {
            alarms.put_back(change);
            tokio::time::sleep(RETRY).await;
        }
    }
}

/// Writes what is left, once, when the server stops.
pub async fn flush_alarms(alarms: &Alarms, scribe: &Scribe) {
    while let Some(change) = next_change(alarms) {
        if let Err(error) = scribe.record_act(act_of(&change)).await {
            tracing::error!(%error, "a change of an alarm was lost when the server stopped");
        }
    }
}

fn next_change(alarms: &Alarms) -> Option<AlarmChange> {
    let (change, dropped) = alarms.take_change();
    if dropped > 0 {
        tracing::error!(
            dropped,
            "changes of alarms were dropped: the journal was away"
        );
    }
    change
}

fn act_of(change: &AlarmChange) -> Act {
    let AlarmChange { step, alarm } = change;
    let kind = match step {
        AlarmStep::Raised => JournalKind::AlarmRaised,
        AlarmStep::Cleared => JournalKind::AlarmCleared,
        AlarmStep::Acknowledged => JournalKind::AlarmAcknowledged,
    };
    let actor: Option<Caller> = match step {
        AlarmStep::Raised | AlarmStep::Cleared => None,
        AlarmStep::Acknowledged => alarm.acknowledged.as_ref().map(|(_, by)| by.clone()),
    };
    let (name, what) = (alarm.number.name(), alarm.kind.name());
    let at = match step {
        AlarmStep::Raised => Some(alarm.raised_at),
        AlarmStep::Cleared => alarm.cleared_at,
        AlarmStep::Acknowledged => alarm.acknowledged.as_ref().map(|(at, _)| *at),
    };
    let at = at.map(UtcTime::rfc3339).unwrap_or_default();
    let detail = format!("{name} {what} at {} {at}: {}", alarm.subject, alarm.detail);
    Act {
        kind,
        actor,
        detail,
    }
}
