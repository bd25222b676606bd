//! The writer: commits, and the work behind them. One thread owns it (`store/scribe.rs`).

use std::{collections::VecDeque, fs::File, sync::Arc, time::Duration};

use super::{
    batch::Batch,
    disk::{Disk, DiskFailure, failed_to},
    engine::{Engine, EngineFault},
    format::CommitSequence,
    marker::Marker,
    reader::{ReadState, Reader},
    rebuild::{RebuildError, RebuildPlan, RebuildThread},
    segments::{AppendError, SegmentLog},
    settings::StoreConfig,
    shared::{Shared, Source},
    snapshot::SnapshotInfo,
    snapshot_task::{SnapshotError, SnapshotTask},
};
use crate::types::Moment;

/// After so many failures of sled within [`FAULT_WINDOW`] it is not built again.
const FAULTS_MAX: usize = 3;
const FAULT_WINDOW: Duration = Duration::from_hours(1);

/// Why a commit was refused. Unless the writer is poisoned, nothing was written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CommitError {
    /// The caller's fault: a row, a key or the whole batch is longer than the store takes.
    #[error("the commit is too large")]
    TooLarge,
    /// The next segment cannot be made, for want of room mostly. It may be tried again.
    #[error("there is no room for the commit: {0}")]
    NoRoom(DiskFailure),
    /// A write or sync failed, now or before. What was being committed may appear at the next
    /// start. Nothing is ever written again by this writer.
    #[error("the store takes no more commits: {0}")]
    Poisoned(DiskFailure),
}

/// What the store is in want of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoreHealth {
    /// The write or sync that failed, after which nothing is written.
    pub poisoned: Option<DiskFailure>,
    /// Whether reads are answered.
    pub reads: ReadState,
    /// Why the next segment cannot be prepared; commits will fail when this one is full.
    pub next_segment: Option<DiskFailure>,
    /// Why no snapshot or marker could be written; the next start will take longer.
    pub upkeep: Option<String>,
}

/// Writes the store.
///
/// After each commit: acknowledge, then [`Self::apply`], and now and then [`Self::housekeep`].
#[derive(Debug)]
pub struct Writer {
    pub(super) config: StoreConfig,
    pub(super) disk: Arc<dyn Disk>,
    pub(super) shared: Arc<Shared>,
    pub(super) log: SegmentLog,
    pub(super) rebuild_plan: RebuildPlan,
    pub(super) rebuild: Option<RebuildThread>,
    pub(super) marked: CommitSequence,
    pub(super) snapshot: SnapshotTask,
    poisoned: Option<DiskFailure>,
    next_segment: Option<DiskFailure>,
    upkeep: Option<String>,
    marked_at: Option<Moment>,
    faults: VecDeque<Moment>,
    /// Held so that no second process writes.
    _lock: File,
}

/// What a writer is made of.
pub(super) struct Parts {
    pub(super) config: StoreConfig,
    pub(super) shared: Arc<Shared>,
    pub(super) log: SegmentLog,
    pub(super) rebuild_plan: RebuildPlan,
    pub(super) marked: CommitSequence,
    pub(super) unsaved_bytes: u64,
    pub(super) lock: File,
}

impl Writer {
    pub(super) fn new(parts: Parts) -> Self {
        let newest = parts.rebuild_plan.snapshot.as_ref();
        let snapshot = SnapshotTask::new(
            parts.config.segment_plan(),
            parts.config.snapshot_every_bytes,
            newest.map_or(0, |info| info.len_bytes),
            parts.unsaved_bytes,
        );
        Self {
            config: parts.config,
            disk: Arc::clone(&parts.rebuild_plan.disk),
            shared: parts.shared,
            log: parts.log,
            rebuild_plan: parts.rebuild_plan,
            rebuild: None,
            marked: parts.marked,
            snapshot,
            poisoned: None,
            next_segment: None,
            upkeep: None,
            marked_at: None,
            faults: VecDeque::new(),
            _lock: parts.lock,
        }
    }

    /// Writes one commit: one frame, one write, one sync. When this returns it is durable, and
    /// readers see it.
    ///
    /// If the overlay is full, what is in it is applied to sled first.
    #[tracing::instrument(name = "store.commit", level = "debug", skip_all)]
    pub fn commit(&mut self, batch: Batch) -> Result<CommitSequence, CommitError> {
        if let Some(failure) = &self.poisoned {
            return Err(CommitError::Poisoned(failure.clone()));
        }
        if batch.oversized().is_some() {
            return Err(CommitError::TooLarge);
        }
        if self.shared.overlay().is_full() {
            self.apply();
        }
        let sequence = self.log.due();
        let written = self.log.append(&batch.encode());
        let frame_bytes = written.map_err(|error| self.note(error))?;
        self.shared.publish(sequence, batch);
        self.snapshot.count(frame_bytes);
        Ok(sequence)
    }

    /// Whether something waits to be applied to sled, and sled is there to take it.
    pub fn has_waiting(&self) -> bool {
        self.engine().is_some() && !self.shared.overlay().is_empty()
    }

    /// Whether so much waits that it should be applied though more is coming.
    pub fn is_ripe(&self) -> bool {
        self.shared.overlay().is_ripe()
    }

    /// Applies to sled what is in the overlay, many commits at once. To be called when nothing
    /// else is waiting, or when [`Self::is_ripe`].
    ///
    /// If sled fails, readers are told to wait, and the next housekeeping rebuilds it.
    pub fn apply(&mut self) {
        let Some(engine) = self.engine() else {
            return;
        };
        if let Err(fault) = self.apply_to(&engine) {
            self.shared.give_up(&engine, &fault);
        }
    }

    /// Does a bounded piece of the work behind commits: prepares the next segment, syncs sled,
    /// writes a part of a snapshot, starts a rebuild. To be called often, in idle moments.
    #[tracing::instrument(name = "store.housekeep", level = "debug", skip_all)]
    pub fn housekeep(&mut self, now: Moment) {
        self.tend_rebuild(now);
        if self.poisoned.is_some() {
            return;
        }
        self.next_segment = self.log.prepare().err();
        if self.is_checkpoint_due(now) {
            self.marked_at = Some(now);
            self.checkpoint();
        }
        let reader = self.reader();
        match self.snapshot.advance(&*self.disk, &reader) {
            Ok(Some(info)) => self.rebuild_plan.snapshot = Some(info),
            Ok(None) => {}
            Err(error) => self.note_upkeep(error.to_string()),
        }
    }

    /// Takes a snapshot now, for a backup. Commits wait while it is taken.
    pub fn snapshot(&mut self) -> Result<SnapshotInfo, SnapshotError> {
        let reader = self.reader();
        let info = self.snapshot.take_now(&*self.disk, &reader)?;
        self.rebuild_plan.snapshot = Some(info.clone());
        Ok(info)
    }

    /// The newest commit that the durable snapshot holds in full, [`CommitSequence::NONE`] without.
    pub fn snapshot_begin(&self) -> CommitSequence {
        let snapshot = self.rebuild_plan.snapshot.as_ref();
        snapshot.map_or(CommitSequence::NONE, |info| info.begin)
    }

    /// Waits until a rebuild that is under way has ended.
    pub fn finish_rebuild(&mut self) -> Result<(), RebuildError> {
        self.rebuild.take().map_or(Ok(()), RebuildThread::join)
    }

    /// What the store is in want of.
    pub fn health(&self) -> StoreHealth {
        StoreHealth {
            poisoned: self.poisoned.clone(),
            reads: self.reader().state(),
            next_segment: self.next_segment.clone(),
            upkeep: self.upkeep.clone(),
        }
    }

    /// The newest commit.
    pub fn committed(&self) -> CommitSequence {
        self.shared.committed()
    }

    /// A reader of this store.
    pub fn reader(&self) -> Reader {
        Reader::new(Arc::clone(&self.shared))
    }

    /// Applies, syncs and closes, so that the next start has nothing to do.
    ///
    /// Readers that are left answer [`super::reader::ReadError::Closed`].
    pub fn close(mut self) {
        if self.poisoned.is_none() && self.rebuild.is_none() {
            self.checkpoint();
        }
    }

    /// Gives up the engine, as if it had failed.
    #[cfg(test)]
    pub(super) fn fail_engine(&self) {
        if let Some(engine) = self.engine() {
            let fault = EngineFault("failed by a test".to_owned());
            self.shared.give_up(&engine, &fault);
        }
    }

    fn engine(&self) -> Option<Arc<Engine>> {
        match &*self.shared.source() {
            Source::Ready(engine) => Some(Arc::clone(engine)),
            Source::Rebuilding | Source::Broken(_) | Source::Closed => None,
        }
    }

    fn apply_to(&self, engine: &Engine) -> Result<(), EngineFault> {
        loop {
            let oldest = self.shared.overlay().oldest();
            let Some((sequence, ops)) = oldest else {
                return Ok(());
            };
            let _gate = self.shared.hold_reading();
            engine.apply(&ops, sequence)?;
            self.shared.write_overlay().forget_through(sequence);
        }
    }

    fn note(&mut self, error: AppendError) -> CommitError {
        match error {
            AppendError::TooLarge => CommitError::TooLarge,
            AppendError::NoSegment(failure) => CommitError::NoRoom(failure),
            AppendError::Failed(failure) => {
                tracing::error!(%failure, "the store takes no more commits");
                self.poisoned = Some(failure.clone());
                CommitError::Poisoned(failure)
            }
        }
    }

    /// Goes over to a new segment, so that its header says which format follows.
    pub(super) fn roll(&mut self) -> Result<(), CommitError> {
        let rolled = self.log.roll();
        rolled.map_err(|error| self.note(error))
    }

    fn is_checkpoint_due(&self, now: Moment) -> bool {
        let unmarked = self.committed().0.saturating_sub(self.marked.0);
        let waited = self
            .marked_at
            .is_none_or(|at| now.since(at) >= self.config.checkpoint_every);
        unmarked > 0 && (waited || unmarked >= self.config.checkpoint_commits)
    }

    /// sled's file is durable up to the newest commit, and the marker says so.
    fn checkpoint(&mut self) {
        let Some(engine) = self.engine() else {
            return;
        };
        let has = self.committed();
        let file = engine.file();
        // A sync that fails is not tried again: what sled has on the disk is not known then.
        let synced = self
            .apply_to(&engine)
            .and_then(|()| engine.flush())
            .and_then(|()| {
                let synced = self.disk.sync_foreign(file);
                synced.map_err(|error| EngineFault(failed_to("sync", file)(error).to_string()))
            });
        if let Err(fault) = synced {
            self.shared.give_up(&engine, &fault);
            return;
        }
        let marker = Marker {
            sequence: has,
            boot: self.config.boot.clone(),
        };
        match marker.write(&*self.disk, &self.config.folder) {
            Ok(()) => {
                self.marked = has;
                self.upkeep = None;
            }
            Err(failure) => self.note_upkeep(failure.to_string()),
        }
    }

    fn note_upkeep(&mut self, what: String) {
        tracing::warn!(%what, "the next start will take longer");
        self.upkeep = Some(what);
    }

    fn tend_rebuild(&mut self, now: Moment) {
        if self
            .rebuild
            .as_ref()
            .is_some_and(RebuildThread::is_finished)
            && let Err(error) = self.finish_rebuild()
        {
            tracing::error!(%error, "the read store could not be rebuilt");
        }
        let waiting = matches!(*self.shared.source(), Source::Rebuilding);
        if waiting && self.rebuild.is_none() {
            self.restart_rebuild(now);
        }
    }

    fn restart_rebuild(&mut self, now: Moment) {
        self.faults.retain(|at| now.since(*at) < FAULT_WINDOW);
        self.faults.push_back(now);
        if self.faults.len() >= FAULTS_MAX {
            let what = "it failed three times in an hour".to_owned();
            self.shared.set_source(Source::Broken(what));
            return;
        }
        if let Err(failure) = self.start_rebuild() {
            self.note_upkeep(failure.to_string());
        }
    }

    /// Moves sled aside and starts to build it anew.
    pub(super) fn start_rebuild(&mut self) -> Result<(), DiskFailure> {
        self.marked = CommitSequence::NONE;
        let shared = Arc::clone(&self.shared);
        self.rebuild = Some(RebuildThread::start(self.rebuild_plan.clone(), shared)?);
        Ok(())
    }
}

impl Drop for Writer {
    /// Stops what runs behind. Nothing that was acknowledged is lost by this.
    fn drop(&mut self) {
        if let Some(thread) = self.rebuild.take()
            && let Err(error) = thread.stop()
        {
            tracing::warn!(%error, "a rebuild was stopped");
        }
        self.shared.set_source(Source::Closed);
    }
}
