//! What a feed said so far, and everything in it that may be wrong.

use std::collections::BTreeMap;

use anyhow::{Context as _, ensure};
use ring::hmac;
use sha2::{Digest as _, Sha256};
use sluss::pb::v1::subject::Subject;
use sluss::pb::v1::{Decision, EntryRecord, FeedLeaf, LeafKind};

/// SHA-256.
pub(crate) type Hash = [u8; 32];

/// What was read of one feed, and what was wrong.
#[derive(Debug, Default)]
pub(crate) struct Books {
    hashes: Vec<Hash>,
    marked: BTreeMap<String, u64>,
    grants: BTreeMap<String, u64>,
    last_source_counter: BTreeMap<String, u64>,
    holes: u64,
    changed: u64,
}

impl Books {
    /// Number of leaves.
    pub(crate) fn leaf_count(&self) -> u64 {
        u64::try_from(self.hashes.len()).unwrap_or(u64::MAX)
    }

    /// Whether a marked card stands in the feed.
    pub(crate) fn is_marked(&self, mark: &str) -> bool {
        self.marked.contains_key(mark)
    }

    /// Marks that stand more than once, those of attempts never acknowledged too.
    pub(crate) fn marked_twice(&self) -> u64 {
        self.marked
            .values()
            .map(|times| times.saturating_sub(1))
            .sum()
    }

    /// Grants at an access point.
    pub(crate) fn grants_at(&self, access_point: &str) -> u64 {
        self.grants.get(access_point).copied().unwrap_or(0)
    }

    /// Indices and source counters that were not the next ones.
    pub(crate) fn holes(&self) -> u64 {
        self.holes
    }

    /// Leaves that were not what they had been.
    pub(crate) fn changed(&self) -> u64 {
        self.changed
    }

    /// The root of all leaves.
    pub(crate) fn root(&self) -> Hash {
        root(&self.hashes)
    }

    /// Enters the next leaf. Fails on a leaf that is not its record's.
    pub(crate) fn take(&mut self, leaf: &FeedLeaf) -> anyhow::Result<()> {
        self.holes += u64::from(leaf.index != self.leaf_count());
        self.hashes.push(hash_of(leaf)?);
        if leaf.kind() == LeafKind::Entry {
            let record: EntryRecord = prost::Message::decode(leaf.record.as_slice())?;
            self.take_entry(&record)?;
        }
        Ok(())
    }

    /// Holds a leaf that is read again against what it was.
    pub(crate) fn compare(&mut self, index: u64, leaf: &FeedLeaf) -> anyhow::Result<()> {
        let place = usize::try_from(index)?;
        let same = leaf.index == index && self.hashes.get(place) == Some(&hash_of(leaf)?);
        self.changed += u64::from(!same);
        Ok(())
    }

    fn take_entry(&mut self, record: &EntryRecord) -> anyhow::Result<()> {
        let last = self
            .last_source_counter
            .entry(record.access_point.clone())
            .or_default();
        self.holes += u64::from(record.source_counter != *last + 1);
        *last = record.source_counter;
        let subject = record.subject.as_ref().and_then(|s| s.subject.as_ref());
        match subject.context("an entry has a subject")? {
            Subject::UnknownCard(card) => *self.marked.entry(card.format.clone()).or_default() += 1,
            Subject::BadgeNumber(_) | Subject::Pseudonym(_) => {
                ensure!(
                    record.decision() == Decision::Grant,
                    "a badge was denied: {record:?}"
                );
                *self.grants.entry(record.access_point.clone()).or_default() += 1;
            }
        }
        Ok(())
    }
}

/// The hash of a leaf, which must be the one of its record (docs/feed-format.md).
fn hash_of(leaf: &FeedLeaf) -> anyhow::Result<Hash> {
    let hash = hash_of_record(leaf)?;
    ensure!(
        leaf.leaf_hash == hash,
        "leaf {} is not its record's",
        leaf.index
    );
    Ok(hash)
}

/// The hash that its index, kind, salt and record come to.
pub(crate) fn hash_of_record(leaf: &FeedLeaf) -> anyhow::Result<Hash> {
    let key = hmac::Key::new(hmac::HMAC_SHA256, &leaf.salt);
    let mut hasher = Sha256::new();
    hasher.update(b"\0sluss-leaf/v1\0");
    hasher.update(leaf.index.to_be_bytes());
    hasher.update([u8::try_from(leaf.kind)?]);
    hasher.update(hmac::sign(&key, &leaf.record));
    Ok(hasher.finalize().into())
}

/// The root of a tree (RFC 6962, section 2.1), slowly.
pub(crate) fn root(leaves: &[Hash]) -> Hash {
    match leaves {
        [] => Sha256::digest([]).into(),
        [only] => *only,
        more => {
            let (left, right) = more.split_at(more.len().next_power_of_two() / 2);
            let mut hasher = Sha256::new();
            hasher.update([1]);
            hasher.update(root(left));
            hasher.update(root(right));
            hasher.finalize().into()
        }
    }
}
