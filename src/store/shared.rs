//! What the writer, the readers and a rebuild share.
//!
//! Locks are taken in this order: gate, overlay. The gate is held by a range read for at most
//! one chunk of rows, and by the writer while it applies one commit.

use std::sync::{
    Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard,
    atomic::{AtomicU64, Ordering},
};

use arc_swap::ArcSwap;

use super::{
    batch::Batch,
    engine::{Engine, EngineFault},
    format::CommitSequence,
    overlay::Overlay,
};

/// Where reads come from.
#[derive(Debug)]
pub(super) enum Source {
    /// Overlay over this engine.
    Ready(Arc<Engine>),
    /// Nowhere: sled is being rebuilt, or will be at the next housekeeping.
    Rebuilding,
    /// Nowhere until an operator acts.
    Broken(String),
    /// Nowhere: the store is closed.
    Closed,
}

/// State shared by all who hold a part of the store.
pub(super) struct Shared {
    overlay: RwLock<Overlay>,
    source: ArcSwap<Source>,
    gate: RwLock<()>,
    committed: AtomicU64,
    rebuilt: AtomicU64,
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shared")
            .field("source", &self.source)
            .field("committed", &self.committed)
            .finish_non_exhaustive()
    }
}

impl Shared {
    /// Starts with an empty overlay behind the last commit.
    pub(super) fn new(source: Source, committed: CommitSequence) -> Self {
        Self {
            overlay: RwLock::default(),
            source: ArcSwap::from_pointee(source),
            gate: RwLock::default(),
            committed: AtomicU64::new(committed.0),
            rebuilt: AtomicU64::new(0),
        }
    }

    /// Where reads come from now.
    pub(super) fn source(&self) -> Arc<Source> {
        self.source.load_full()
    }

    /// Reads come from elsewhere from here on.
    pub(super) fn set_source(&self, source: Source) {
        self.source.store(Arc::new(source));
    }

    /// The newest commit that is durable and visible.
    pub(super) fn committed(&self) -> CommitSequence {
        CommitSequence(self.committed.load(Ordering::Acquire))
    }

    /// How far a rebuild has come.
    pub(super) fn rebuilt(&self) -> CommitSequence {
        CommitSequence(self.rebuilt.load(Ordering::Acquire))
    }

    /// Says how far a rebuild has come.
    pub(super) fn set_rebuilt(&self, sequence: CommitSequence) {
        self.rebuilt.store(sequence.0, Ordering::Release);
    }

    /// Makes a durable commit visible.
    ///
    /// While nothing applies the overlay keeps the newest commits only: the segments have all.
    pub(super) fn publish(&self, sequence: CommitSequence, batch: Batch) {
        let mut overlay = self.write_overlay();
        if !matches!(**self.source.load(), Source::Ready(_)) {
            overlay.make_room();
        }
        overlay.publish(sequence, Arc::new(batch));
        self.committed.store(sequence.0, Ordering::Release);
    }

    /// Hands a rebuilt engine over to readers, if the overlay holds all that it lacks.
    pub(super) fn hand_over(&self, engine: Engine, has: CommitSequence) -> Result<(), Engine> {
        let mut overlay = self.write_overlay();
        let due = overlay.first().map_or(self.committed().next(), |c| c.0);
        if due > has.next() {
            return Err(engine);
        }
        overlay.forget_through(has);
        self.set_source(Source::Ready(Arc::new(engine)));
        Ok(())
    }

    /// Gives up an engine that failed. Readers are told to wait from here on.
    pub(super) fn give_up(&self, failed: &Arc<Engine>, fault: &EngineFault) {
        let current = self.source.load_full();
        if matches!(&*current, Source::Ready(engine) if Arc::ptr_eq(engine, failed)) {
            tracing::error!(%fault, "reads are unavailable until the read store is rebuilt");
            self.set_rebuilt(CommitSequence::NONE);
            let lost = Arc::new(Source::Rebuilding);
            self.source.compare_and_swap(&current, lost);
        }
    }

    /// The overlay, to be read.
    pub(super) fn overlay(&self) -> RwLockReadGuard<'_, Overlay> {
        self.overlay.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// The overlay, to be changed.
    pub(super) fn write_overlay(&self) -> RwLockWriteGuard<'_, Overlay> {
        self.overlay.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps commits from being applied while a range is read.
    pub(super) fn hold_applying(&self) -> RwLockReadGuard<'_, ()> {
        self.gate.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps ranges from being read while a commit is applied.
    pub(super) fn hold_reading(&self) -> RwLockWriteGuard<'_, ()> {
        self.gate.write().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{pb::store::SourceCounterRow, store::tables::SourceCounters};

    fn commit(last: u64) -> Batch {
        let mut batch = Batch::new();
        let key = ("acme".to_owned(), "door".to_owned());
        batch.put::<SourceCounters>(&key, &SourceCounterRow { last });
        batch
    }

    #[test]
    fn an_engine_is_taken_only_if_the_overlay_has_all_it_lacks() {
        let folder = tempfile::tempdir().unwrap();
        let shared = Shared::new(Source::Rebuilding, CommitSequence(1));
        // More than the overlay holds: the first are in the segments only.
        for number in 2..2000 {
            shared.publish(CommitSequence(number), commit(number));
        }
        let first = shared.overlay().first().unwrap().0;
        assert!(first > CommitSequence(2));
        let engine = Engine::open(folder.path()).unwrap();
        let lacking = first.previous().previous();
        let engine = shared.hand_over(engine, lacking).unwrap_err();
        assert!(matches!(*shared.source(), Source::Rebuilding));
        assert!(shared.hand_over(engine, first).is_ok());
        assert!(matches!(*shared.source(), Source::Ready(_)));
        assert_eq!(shared.overlay().first().unwrap().0, first.next());
    }

    #[test]
    fn an_engine_with_everything_is_taken_by_an_empty_overlay() {
        let folder = tempfile::tempdir().unwrap();
        let shared = Shared::new(Source::Rebuilding, CommitSequence(7));
        let engine = Engine::open(folder.path()).unwrap();
        let engine = shared.hand_over(engine, CommitSequence(6)).unwrap_err();
        assert!(shared.hand_over(engine, CommitSequence(7)).is_ok());
    }
}
