//! The only file that names sled: what is read, and never trusted about itself.
//!
//! One tree, one prefix byte per table. There is no background flusher, no `flush_async`
//! (it hangs), no `generate_id` (it jumps) and no sled transaction. `flush()` does not sync on
//! Linux, so the caller syncs [`Engine::file`] afterwards. sled panics on some broken files;
//! every call into it is caught and becomes an [`EngineFault`].

use std::{
    ops::Bound,
    panic::{AssertUnwindSafe, catch_unwind},
    path::{Path, PathBuf},
    sync::atomic::{AtomicBool, Ordering},
};

use super::{batch::Op, format::CommitSequence};

/// Memory sled may keep pages in.
const CACHE_BYTES: u64 = 64 * 1024 * 1024;
/// Key of the engine's own row: the last commit applied. No table has this prefix.
const APPLIED_KEY: [u8; 1] = [0];

/// sled failed or panicked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the read store failed: {0}")]
pub struct EngineFault(pub String);

/// Keys and values in their order.
pub(super) type Rows = Vec<(Vec<u8>, Vec<u8>)>;

/// sled, opened.
pub(super) struct Engine {
    db: Option<sled::Db>,
    file: PathBuf,
    failed: AtomicBool,
}

impl std::fmt::Debug for Engine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Engine")
            .field("file", &self.file)
            .finish_non_exhaustive()
    }
}

impl Engine {
    /// Opens the files in a folder, or makes them.
    pub(super) fn open(folder: &Path) -> Result<Self, EngineFault> {
        let db = caught(|| {
            sled::Config::new()
                .path(folder)
                .cache_capacity(CACHE_BYTES)
                .flush_every_ms(None)
                .open()
        })?;
        Ok(Self {
            db: Some(db),
            file: folder.join("db"),
            failed: AtomicBool::new(false),
        })
    }

    /// The file that must be synced after [`Self::flush`].
    pub(super) fn file(&self) -> &Path {
        &self.file
    }

    /// Applies puts and removes, and remembers the commit they end with.
    pub(super) fn apply(&self, ops: &[Op], through: CommitSequence) -> Result<(), EngineFault> {
        let mut batch = sled::Batch::default();
        for op in ops {
            match &op.value {
                Some(value) => batch.insert(&*op.key, &**value),
                None => batch.remove(&*op.key),
            }
        }
        batch.insert(&APPLIED_KEY, &through.0.to_be_bytes());
        self.ask(|db| db.apply_batch(batch))
    }

    /// The commit sled says it has applied, [`CommitSequence::NONE`] if it does not say.
    pub(super) fn applied(&self) -> Result<CommitSequence, EngineFault> {
        let row = self.get(&APPLIED_KEY)?;
        let number = row.and_then(|bytes| bytes.try_into().ok());
        Ok(number.map_or(CommitSequence::NONE, |n| {
            CommitSequence(u64::from_be_bytes(n))
        }))
    }

    /// The row under a key.
    pub(super) fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, EngineFault> {
        self.ask(|db| db.get(key))
            .map(|row| row.map(|bytes| bytes.to_vec()))
    }

    /// The first rows of a range, at most `limit`. The range must not end before it begins.
    pub(super) fn range(
        &self,
        from: Bound<&[u8]>,
        to: Bound<&[u8]>,
        limit: usize,
    ) -> Result<Rows, EngineFault> {
        self.ask(|db| {
            db.range::<&[u8], _>((from, to))
                .take(limit)
                .map(|row| row.map(|(key, value)| (key.to_vec(), value.to_vec())))
                .collect()
        })
    }

    /// Hands everything to the operating system. It is not durable yet.
    pub(super) fn flush(&self) -> Result<(), EngineFault> {
        self.ask(|db| db.flush()).map(|_| ())
    }

    fn ask<T>(&self, work: impl FnOnce(&sled::Db) -> sled::Result<T>) -> Result<T, EngineFault> {
        let closed = || EngineFault("it is closed".to_owned());
        let db = self.db.as_ref().ok_or_else(closed)?;
        let answer = caught(|| work(db));
        if answer.is_err() {
            self.failed.store(true, Ordering::Relaxed);
        }
        answer
    }
}

impl Drop for Engine {
    /// Closing writes once more, and after a failure may panic or wait for ever: then it is left
    /// open until the process ends. That costs memory a bounded number of times an hour.
    fn drop(&mut self) {
        let Some(db) = self.db.take() else {
            return;
        };
        if self.failed.load(Ordering::Relaxed) {
            std::mem::forget(db);
            return;
        }
        let closed = caught(|| {
            drop(db);
            Ok(())
        });
        if let Err(fault) = closed {
            tracing::warn!(%fault, "the read store did not close");
        }
    }
}

fn caught<T>(work: impl FnOnce() -> sled::Result<T>) -> Result<T, EngineFault> {
    match catch_unwind(AssertUnwindSafe(work)) {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(error)) => Err(EngineFault(error.to_string())),
        Err(panic) => {
            let words = panic
                .downcast_ref::<String>()
                .map(String::as_str)
                .or_else(|| panic.downcast_ref::<&str>().copied());
            Err(EngineFault(words.unwrap_or("it panicked").to_owned()))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn put(key: &[u8], value: &[u8]) -> Op {
        Op {
            key: key.into(),
            value: Some(value.into()),
        }
    }

    #[test]
    fn rows_and_the_applied_commit_outlive_the_process() {
        let folder = tempfile::tempdir().unwrap();
        let engine = Engine::open(folder.path()).unwrap();
        assert_eq!(engine.applied(), Ok(CommitSequence::NONE));
        engine
            .apply(
                &[put(b"\x01a", b"1"), put(b"\x01b", b"2")],
                CommitSequence(4),
            )
            .unwrap();
        engine.flush().unwrap();
        drop(engine);
        let engine = Engine::open(folder.path()).unwrap();
        assert_eq!(engine.applied(), Ok(CommitSequence(4)));
        assert_eq!(engine.get(b"\x01b"), Ok(Some(b"2".to_vec())));
        let from = Bound::Excluded(&b"\x01a"[..]);
        assert_eq!(
            engine.range(from, Bound::Unbounded, 9),
            Ok(vec![(b"\x01b".to_vec(), b"2".to_vec())])
        );
    }

    #[test]
    fn a_panic_becomes_an_error() {
        let fault = caught::<()>(|| panic!("page is broken"));
        assert_eq!(fault, Err(EngineFault("page is broken".to_owned())));
    }
}
