//! What the scribe's thread does with commands: stage, commit, answer.

use std::sync::Arc;
use std::sync::mpsc::Receiver;
use std::time::Duration;

use tokio::sync::oneshot;

use crate::store::book::{Book, StageError};
use crate::store::doorbells::FeedHead;
use crate::store::entry::{Act, AppendError, AttemptEntry, Recorded, Source};
use crate::store::pen_entries::counter;
use crate::store::round::{Outcome, Pending, Round};
use crate::store::scribe::{Command, Published};
use crate::store::sources::{Known, Recent, is_answerable};
use crate::store::{Batch, CommitError, LogHealth, Reader, Rules, Writer, stage_entry};
use crate::types::{AccessPointId, CustomerId, DoorId, Moment, Now, World};

/// Entries in one commit at most (DESIGN section 6).
const BATCH_ENTRIES_MAX: usize = 4_096;

/// How often the house is kept however much comes in.
const HOUSE_EVERY: Duration = Duration::from_millis(250);

/// Whether the thread goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Progress {
    GoOn,
    Stop,
}

/// Writer, knowledge and audience of the scribe.
#[derive(Debug)]
pub(super) struct Pen {
    pub(super) writer: Writer,
    pub(super) reader: Reader,
    pub(super) book: Book,
    pub(super) published: Published,
    pub(super) world: Arc<dyn World>,
    pub(super) failure: Option<String>,
    /// When the house was kept last.
    pub(super) kept: Option<Moment>,
    /// A batch that waits for room on the disk.
    pub(super) stalled: Option<(Batch, Vec<(CustomerId, FeedHead)>)>,
    /// A batch is closed when it is longer than this, so that it fits into a segment.
    pub(super) batch_bytes_max: usize,
}

impl Pen {
    /// Serves a command and those that wait behind it, with one sync where one is enough.
    pub(super) fn serve(&mut self, first: Command, commands: &Receiver<Command>) -> Progress {
        let now = self.world.now();
        let mut round = Round::default();
        let mut next = Some(first);
        while let Some(command) = next {
            match command {
                Command::Stop => {
                    self.finish(round, now);
                    return Progress::Stop;
                }
                Command::Rules(change, reply) => {
                    self.finish(std::mem::take(&mut round), now);
                    let _ = reply.send(self.change_rules(*change, now));
                }
                Command::Attempt(entry, reply) => self.attempt(*entry, reply, &mut round, now),
                Command::Reported(entries, reply) => {
                    self.reported(&entries, reply, &mut round, now);
                }
                Command::Order(entry, reply) => self.order(&entry, reply, &mut round, now),
                Command::Act(act, reply) => self.act(&act, reply, &mut round, now),
            }
            let has_room = round.entries < BATCH_ENTRIES_MAX
                && round.batch.payload_bytes() < self.batch_bytes_max;
            next = has_room.then(|| commands.try_recv().ok()).flatten();
        }
        self.finish(round, now);
        Progress::GoOn
    }

    /// Keeps house where much waits or the last time is long ago; after every round.
    pub(super) fn keep_house_if_due(&mut self) {
        let now = self.world.now().moment;
        let is_long_ago = self.kept.is_none_or(|kept| now.since(kept) >= HOUSE_EVERY);
        if self.writer.is_ripe() || is_long_ago || self.failure.is_some() {
            self.keep_house();
        }
    }

    /// Brings sled up to date, takes snapshots.
    pub(super) fn keep_house(&mut self) {
        let now = self.world.now().moment;
        self.kept = Some(now);
        self.retry();
        self.writer.apply();
        self.writer.housekeep(now);
        self.publish_health();
    }

    /// Brings everything to disk at the end.
    pub(super) fn close(self) {
        self.writer.close();
    }

    /// Tells whoever asks how the store is, where that has changed.
    fn publish_health(&self) {
        let health = LogHealth {
            failure: self.failure.clone(),
            store: self.writer.health(),
        };
        self.published.health.send_if_modified(|known| {
            let is_new = *known != health;
            *known = health;
            is_new
        });
    }

    fn attempt(
        &mut self,
        entry: AttemptEntry,
        reply: oneshot::Sender<Result<Recorded, AppendError>>,
        round: &mut Round,
        now: Now,
    ) {
        let outcome = self
            .stage_attempt(entry, round, now)
            .unwrap_or_else(Outcome::Refused);
        round.pending.push(Pending::Attempt(reply, outcome));
    }

    fn stage_attempt(
        &mut self,
        entry: AttemptEntry,
        round: &mut Round,
        now: Now,
    ) -> Result<Outcome, AppendError> {
        let door = self.door_of(&entry.access_point)?;
        match self.look_up(entry.source.as_ref())? {
            Known::New => {}
            Known::Reused => {
                return Err(AppendError::CounterReused(counter(entry.source.as_ref())));
            }
            Known::Durable(sequence) => {
                return Ok(Outcome::AlreadyDecided(self.book.journal_ref(sequence)));
            }
            Known::Recent(recent) => return Ok(self.repeat(recent, door, now)),
        }
        if entry.decision.is_grant() && entry.rules_version < self.book.last_removal_version() {
            return Ok(Outcome::DecideAgain);
        }
        self.begin(round, now)?;
        let staged = stage_entry::attempt(&mut self.book, &entry, &mut round.batch);
        let sequence = self.staged(staged, round)?;
        let AttemptEntry {
            source,
            decision,
            rules_version,
            decided,
            ..
        } = entry;
        let recent = Recent {
            sequence,
            decision: decision.clone(),
            rules_version,
            decided,
        };
        if let Some(source) = &source {
            self.book.sources.remember(source, recent);
        }
        let entry = self.book.journal_ref(sequence);
        Ok(Outcome::Durable {
            entry,
            door,
            decided,
            decision,
            is_repeat: false,
        })
    }

    /// The same request again: the same answer while it is young and nothing was removed since.
    fn repeat(&self, recent: Recent, door: DoorId, now: Now) -> Outcome {
        let entry = self.book.journal_ref(recent.sequence);
        let is_current = recent.rules_version >= self.book.last_removal_version();
        if is_answerable(&recent, now.moment) && is_current {
            let Recent {
                decision, decided, ..
            } = recent;
            Outcome::Durable {
                entry,
                door,
                decided,
                decision,
                is_repeat: true,
            }
        } else {
            Outcome::AlreadyDecided(entry)
        }
    }

    pub(super) fn door_of(&self, access_point: &AccessPointId) -> Result<DoorId, AppendError> {
        let found = self.book.roster().access_point(access_point);
        found
            .map(|ap| ap.door.clone())
            .ok_or_else(|| AppendError::Gone(access_point.clone()))
    }

    /// What is known of an event; one that was born here is always new.
    pub(super) fn look_up(&mut self, source: Option<&Source>) -> Result<Known, AppendError> {
        let Some(source) = source else {
            return Ok(Known::New);
        };
        let found = self.book.sources.look_up(source, &self.reader);
        found.map_err(|error| AppendError::Unavailable(error.to_string()))
    }

    fn act(
        &mut self,
        act: &Act,
        reply: oneshot::Sender<Result<(), AppendError>>,
        round: &mut Round,
        now: Now,
    ) {
        let staged = self.begin(round, now).and_then(|()| {
            let staged = stage_entry::act(&mut self.book, act, &mut round.batch);
            self.staged(staged, round)
        });
        match staged {
            Ok(_) => round.pending.push(Pending::Act(reply)),
            Err(error) => drop(reply.send(Err(error))),
        }
    }

    /// Refuses where the log has failed; takes note of the clock once a round.
    pub(super) fn begin(&mut self, round: &mut Round, now: Now) -> Result<(), AppendError> {
        if let Some(failure) = &self.failure {
            return Err(AppendError::Unavailable(failure.clone()));
        }
        if round.entries == 0 {
            let noted = self
                .book
                .observe_clock(now.utc, &mut round.batch)
                .map(|()| 0);
            self.staged(noted, round)?;
        }
        Ok(())
    }

    /// Counts what was staged. A key that cannot be had refuses this entry; anything worse ends
    /// the log, because numbers may have been given that are in no batch.
    pub(super) fn staged(
        &mut self,
        staged: Result<u64, StageError>,
        round: &mut Round,
    ) -> Result<u64, AppendError> {
        round.entries = round.entries.saturating_add(1);
        staged.map_err(|error| {
            match error {
                StageError::Seal(_) => self.fail(error.to_string()),
                StageError::Key(_) => tracing::error!(%error, "an entry was refused"),
                StageError::Gone(access_point) => return AppendError::Gone(access_point),
                StageError::DoorGone(door) => return AppendError::DoorGone(door),
            }
            AppendError::Unavailable(error.to_string())
        })
    }

    pub(super) fn fail(&mut self, failure: String) {
        tracing::error!(failure, "the log has failed and takes no more entries");
        self.failure = Some(failure);
    }

    /// Commits a round and answers those who wait for it.
    fn finish(&mut self, mut round: Round, now: Now) {
        let mut heads = Vec::new();
        if !round.batch.is_empty() && self.failure.is_none() {
            heads = self.book.seal_batch(&mut round.batch);
            self.commit(std::mem::take(&mut round.batch), heads.clone());
        }
        if let Some(failure) = &self.failure {
            let error = AppendError::Unavailable(failure.clone());
            round
                .pending
                .into_iter()
                .for_each(|pending| pending.refuse(&error));
            return;
        }
        round.pending.into_iter().for_each(Pending::answer);
        self.ring(heads);
        self.published
            .doorbells
            .report(self.book.sources.take_reported());
        self.book.sources.committed(now.moment);
    }

    /// Commits; whether it is durable now.
    ///
    /// A batch for which there is no room is kept: its numbers are given, so it is the next to be
    /// written when there is room again. Its callers are told that nothing was written yet.
    pub(super) fn commit(&mut self, batch: Batch, heads: Vec<(CustomerId, FeedHead)>) -> bool {
        match self.writer.commit(batch.clone()) {
            Ok(_) => return true,
            Err(error) => {
                if let CommitError::NoRoom(_) = error {
                    self.stalled = Some((batch, heads));
                }
                self.fail(error.to_string());
            }
        }
        false
    }

    /// Tries once more to write what there was no room for.
    fn retry(&mut self) {
        let Some((batch, heads)) = self.stalled.take() else {
            return;
        };
        match self.writer.commit(batch.clone()) {
            Ok(_) => {
                tracing::info!("there is room again; the log takes entries");
                self.failure = None;
                self.published.rules.swap(Rules::clone(&self.book.rules));
                self.ring(heads);
                self.book.sources.committed(self.world.now().moment);
            }
            Err(CommitError::NoRoom(_)) => self.stalled = Some((batch, heads)),
            Err(error) => self.fail(error.to_string()),
        }
        self.publish_health();
    }

    pub(super) fn ring(&self, heads: Vec<(CustomerId, FeedHead)>) {
        for (customer, head) in heads {
            self.published.doorbells.ring(&customer, head);
        }
    }
}
