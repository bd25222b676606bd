//! Commits that are durable but not yet in sled, in memory.

use std::{
    collections::{BTreeMap, VecDeque},
    ops::Bound,
    sync::Arc,
};

use super::{
    batch::{Batch, Op},
    format::CommitSequence,
};

/// Most payload it holds. When it is full the writer applies to sled before it acknowledges more.
pub(super) const OVERLAY_BYTES_MAX: usize = 16 * 1024 * 1024;
/// Most commits it holds, so that many small ones do not cost more memory than they say.
pub(super) const OVERLAY_COMMITS_MAX: usize = 1024;

/// Commits that are applied at once. sled waits for the disk in each of its batches, so that one
/// batch for many commits costs little more than one for a single commit.
const RIPE_COMMITS: usize = 256;
/// Payload that is applied at once, so that no single batch takes long.
const RIPE_BYTES: usize = 128 * 1024;

const _: () = assert!(RIPE_COMMITS < OVERLAY_COMMITS_MAX && RIPE_BYTES < OVERLAY_BYTES_MAX);

#[derive(Debug)]
struct Newest {
    sequence: CommitSequence,
    value: Option<Arc<[u8]>>,
}

/// What was committed and is not applied, newest word on every key.
#[derive(Debug, Default)]
pub(super) struct Overlay {
    commits: VecDeque<(CommitSequence, Arc<Batch>)>,
    rows: BTreeMap<Arc<[u8]>, Newest>,
    bytes: usize,
}

impl Overlay {
    /// Adds a commit; it must be the one after the last.
    pub(super) fn publish(&mut self, sequence: CommitSequence, batch: Arc<Batch>) {
        for op in batch.ops() {
            let newest = Newest {
                sequence,
                value: op.value.clone(),
            };
            self.rows.insert(Arc::clone(&op.key), newest);
        }
        self.bytes = self.bytes.saturating_add(batch.payload_bytes());
        self.commits.push_back((sequence, batch));
    }

    /// Whether no more commits should be added.
    pub(super) fn is_full(&self) -> bool {
        self.bytes >= OVERLAY_BYTES_MAX || self.commits.len() >= OVERLAY_COMMITS_MAX
    }

    /// Whether so much waits that it should be applied though more is coming.
    pub(super) fn is_ripe(&self) -> bool {
        self.bytes >= RIPE_BYTES || self.commits.len() >= RIPE_COMMITS
    }

    /// Whether nothing waits.
    pub(super) fn is_empty(&self) -> bool {
        self.commits.is_empty()
    }

    /// The oldest commits as one: the newest word on each key, and the commit they end with.
    pub(super) fn oldest(&self) -> Option<(CommitSequence, Vec<Op>)> {
        let mut rows = BTreeMap::new();
        let mut bytes = 0_usize;
        let mut through = None;
        for (sequence, batch) in self.commits.iter().take(RIPE_COMMITS) {
            rows.extend(batch.ops().iter().map(|op| (&op.key, &op.value)));
            through = Some(*sequence);
            bytes = bytes.saturating_add(batch.payload_bytes());
            if bytes >= RIPE_BYTES {
                break;
            }
        }
        let op = |(key, value): (&Arc<[u8]>, &Option<Arc<[u8]>>)| Op {
            key: Arc::clone(key),
            value: value.clone(),
        };
        Some((through?, rows.into_iter().map(op).collect()))
    }

    /// The oldest commit.
    pub(super) fn first(&self) -> Option<(CommitSequence, Arc<Batch>)> {
        let (sequence, batch) = self.commits.front()?;
        Some((*sequence, Arc::clone(batch)))
    }

    /// Forgets commits up to this one.
    pub(super) fn forget_through(&mut self, sequence: CommitSequence) {
        while let Some((oldest, batch)) = self.commits.pop_front() {
            if oldest > sequence {
                self.commits.push_front((oldest, batch));
                return;
            }
            self.bytes = self.bytes.saturating_sub(batch.payload_bytes());
            for op in batch.ops() {
                if self.rows.get(&op.key).is_some_and(|n| n.sequence == oldest) {
                    self.rows.remove(&op.key);
                }
            }
        }
    }

    /// Forgets the oldest commits until there is room.
    pub(super) fn make_room(&mut self) {
        while self.is_full() {
            let Some((oldest, _)) = self.first() else {
                return;
            };
            self.forget_through(oldest);
        }
    }

    /// What it says of a key, if anything.
    pub(super) fn get(&self, key: &[u8]) -> Option<Op> {
        let (key, newest) = self.rows.get_key_value(key)?;
        Some(Op {
            key: Arc::clone(key),
            value: newest.value.clone(),
        })
    }

    /// What it says of the keys in a range, in their order.
    pub(super) fn range(&self, from: Bound<&[u8]>, to: Bound<&[u8]>) -> Vec<Op> {
        self.rows
            .range::<[u8], _>((from, to))
            .map(|(key, newest)| Op {
                key: Arc::clone(key),
                value: newest.value.clone(),
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        pb::store::SourceCounterRow,
        store::{batch::encode_key, tables::SourceCounters},
    };

    fn key(name: &str) -> (String, String) {
        ("acme".to_owned(), name.to_owned())
    }

    fn commit(name: &str, last: u64) -> Arc<Batch> {
        let mut batch = Batch::new();
        batch.put::<SourceCounters>(&key(name), &SourceCounterRow { last });
        Arc::new(batch)
    }

    #[test]
    fn forgetting_an_old_commit_keeps_the_newer_word() {
        let mut overlay = Overlay::default();
        overlay.publish(CommitSequence(1), commit("a", 1));
        overlay.publish(CommitSequence(2), commit("a", 2));
        overlay.publish(CommitSequence(3), commit("b", 3));
        overlay.forget_through(CommitSequence(1));
        let a = encode_key::<SourceCounters>(&key("a"));
        let word = Op {
            key: a.clone().into(),
            value: Some([8, 2].into()),
        };
        assert_eq!(overlay.get(&a), Some(word));
        overlay.forget_through(CommitSequence(2));
        assert_eq!(overlay.get(&a), None);
        assert_eq!(overlay.first().map(|c| c.0), Some(CommitSequence(3)));
    }

    #[test]
    fn it_is_full_by_commits_and_makes_room_from_the_oldest() {
        let mut overlay = Overlay::default();
        for n in 1..=1024 {
            assert!(!overlay.is_full());
            overlay.publish(CommitSequence(n), commit("a", n));
        }
        assert!(overlay.is_full());
        overlay.make_room();
        assert_eq!(overlay.first().map(|c| c.0), Some(CommitSequence(2)));
    }
}
