//! Checks a feed while it is read: every leaf, every root, every signature.
//!
//! Nothing the server says about itself is believed. Records are decoded here, leaf hashes are
//! computed here, and the tree is grown here; the server's decoded fields, hashes and heads are
//! only compared with that.

use std::collections::{BTreeMap, VecDeque};

use data_encoding::BASE64;

use super::leaf_check::check_leaf;
pub use super::leaf_check::{CheckedLeaf, FeedFault};
use crate::ledger::record::Record;
use crate::ledger::{Checkpoint, Frontier, Hash, LeafKind, Origin, VerifyingKey};
use crate::pb::v1;
use crate::types::CustomerId;

/// Sizes back to which a late checkpoint, or the end of an epoch, can still be compared.
const RECENT_MAX: usize = 1_024;
/// Checkpoints ahead of the leaves that are kept until the leaves have come.
const AWAITED_MAX: usize = 64;

/// What came of comparing a checkpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Its root is that of the leaves received.
    Verified,
    /// It covers leaves that have not come yet; it is compared when they have.
    Awaiting,
    /// The leaves before the first one received are not known, or it is too far back.
    NotComparable,
}

/// Where a reader stands: all that is needed to go on later.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Position {
    /// The next index; `None` before the first leaf of a feed joined anywhere.
    pub next_index: Option<u64>,
    /// The tree up to there; `None` where reading did not begin with index 0.
    pub frontier: Option<Frontier>,
    /// The log that the heads are of, once it was named.
    pub origin: Option<Origin>,
}

impl Position {
    /// Before the first leaf of a feed.
    pub fn beginning() -> Self {
        Self {
            next_index: Some(0),
            frontier: Some(Frontier::default()),
            origin: None,
        }
    }

    /// Before some leaf; roots can be compared only if that is the first.
    pub fn at(index: u64) -> Self {
        if index == 0 {
            return Self::beginning();
        }
        Self {
            next_index: Some(index),
            ..Self::default()
        }
    }
}

/// Checks one customer's feed, leaf by leaf.
#[derive(Debug)]
pub struct FeedChecker {
    customer: CustomerId,
    keys: Vec<VerifyingKey>,
    at: Position,
    /// Trees of sizes just passed, the newest last; without the one in `at`.
    recent: VecDeque<Frontier>,
    awaited: BTreeMap<u64, Hash>,
    verified_size: Option<u64>,
    may_change_epoch: bool,
}

impl FeedChecker {
    /// Checks a customer's feed from a position on. Without keys no signature is checked.
    pub fn new(customer: &CustomerId, at: Position, keys: Vec<VerifyingKey>) -> Self {
        Self {
            customer: customer.clone(),
            keys,
            at,
            recent: VecDeque::new(),
            awaited: BTreeMap::new(),
            verified_size: None,
            may_change_epoch: false,
        }
    }

    /// Where the reader stands.
    pub fn position(&self) -> &Position {
        &self.at
    }

    /// Number of leaves of the largest checkpoint whose root was compared here.
    pub fn verified_size(&self) -> Option<u64> {
        self.verified_size
    }

    /// Whether signatures are checked.
    pub fn checks_signatures(&self) -> bool {
        !self.keys.is_empty()
    }

    /// Takes the next leaf.
    pub fn leaf(&mut self, leaf: &v1::FeedLeaf) -> Result<CheckedLeaf, FeedFault> {
        let index = leaf.index;
        let expected = self.at.next_index.unwrap_or(index);
        if index != expected {
            return Err(FeedFault::Index {
                expected,
                found: index,
            });
        }
        let (checked, hash) = check_leaf(leaf)?;
        self.follow_origin(&checked)?;
        self.at.next_index = Some(index.saturating_add(1));
        if index == 0 && self.at.frontier.is_none() {
            self.at.frontier = Some(Frontier::default());
        }
        self.push(hash)?;
        Ok(checked)
    }

    /// Takes a checkpoint, whether it is ahead of the leaves or behind them.
    pub fn checkpoint(&mut self, checkpoint: &v1::Checkpoint) -> Result<Verdict, FeedFault> {
        let size = checkpoint.tree_size;
        let root =
            Hash::parse(&checkpoint.root_hash).map_err(|_| FeedFault::NoteDiffers { size })?;
        let head = self.head_of_note(checkpoint)?;
        if head.size != size || head.root != root {
            return Err(FeedFault::NoteDiffers { size });
        }
        self.accept_origin(head.origin)?;
        let Some(frontier) = &self.at.frontier else {
            return Ok(Verdict::NotComparable);
        };
        if size > frontier.size() {
            return self.wait_for(size, root);
        }
        let known = std::iter::once(frontier).chain(self.recent.iter().rev());
        match known.into_iter().find(|frontier| frontier.size() == size) {
            Some(frontier) if frontier.root() == root => {
                self.verified_size = self.verified_size.max(Some(size));
                Ok(Verdict::Verified)
            }
            Some(_) => Err(FeedFault::Root { size }),
            None => Ok(Verdict::NotComparable),
        }
    }

    /// Goes back to the leaf after `last_common_index`, where a new epoch began.
    ///
    /// Returns whether roots can still be compared; if not, only reading from index 0 proves them.
    pub fn begin_epoch(&mut self, last_common_index: u64) -> bool {
        let size = last_common_index.saturating_add(1);
        let now = self.at.frontier.take();
        let known = now.into_iter().chain(self.recent.drain(..));
        self.at.frontier = known.into_iter().find(|frontier| frontier.size() == size);
        self.at.next_index = Some(size);
        self.awaited.clear();
        self.may_change_epoch = true;
        self.at.frontier.is_some()
    }

    fn push(&mut self, hash: Hash) -> Result<(), FeedFault> {
        let Some(frontier) = &mut self.at.frontier else {
            return Ok(());
        };
        if self.recent.len() >= RECENT_MAX {
            self.recent.pop_front();
        }
        self.recent.push_back(frontier.clone());
        frontier.push(hash);
        let size = frontier.size();
        if let Some(root) = self.awaited.remove(&size) {
            if frontier.root() != root {
                return Err(FeedFault::Root { size });
            }
            self.verified_size = self.verified_size.max(Some(size));
        }
        Ok(())
    }

    fn wait_for(&mut self, size: u64, root: Hash) -> Result<Verdict, FeedFault> {
        if self.awaited.get(&size).is_some_and(|other| *other != root) {
            return Err(FeedFault::Root { size });
        }
        if self.awaited.len() >= AWAITED_MAX {
            self.awaited.pop_first();
        }
        self.awaited.insert(size, root);
        Ok(Verdict::Awaiting)
    }

    fn head_of_note(&self, checkpoint: &v1::Checkpoint) -> Result<Checkpoint, FeedFault> {
        let size = checkpoint.tree_size;
        if self.keys.is_empty() {
            return unsigned_head(&checkpoint.note).ok_or(FeedFault::NoteDiffers { size });
        }
        Checkpoint::verify(&checkpoint.note, &self.keys)
            .map_err(|error| FeedFault::Note { size, error })
    }

    fn follow_origin(&mut self, leaf: &CheckedLeaf) -> Result<(), FeedFault> {
        if leaf.kind == LeafKind::Restore {
            self.may_change_epoch = true;
        }
        let Some(Record::Genesis(genesis)) = &leaf.record else {
            return Ok(());
        };
        let origin = Origin::parse(&genesis.origin).map_err(|_| FeedFault::Origin {
            origin: genesis.origin.clone(),
        })?;
        if self.at.origin.is_none() {
            return self.accept_origin(origin);
        }
        // Heads of a later epoch may have come first; the log is the same.
        self.refuse_foreign(&origin)
    }

    /// The log must be this customer's, and stay the same but for a new epoch after a restore.
    fn accept_origin(&mut self, origin: Origin) -> Result<(), FeedFault> {
        self.refuse_foreign(&origin)?;
        match &self.at.origin {
            Some(known) if *known == origin => return Ok(()),
            Some(known) if !self.may_change_epoch || origin.epoch() < known.epoch() => {
                return Err(FeedFault::Origin {
                    origin: origin.to_string(),
                });
            }
            Some(_) | None => {}
        }
        self.at.origin = Some(origin);
        Ok(())
    }

    fn refuse_foreign(&self, origin: &Origin) -> Result<(), FeedFault> {
        let (customer, epoch) = (&self.customer, origin.epoch());
        let ours = if self.keys.is_empty() {
            let end = format!("/feed/{customer}/e{}", epoch.number());
            origin.as_str().ends_with(&end)
        } else {
            let of_key = |key: &VerifyingKey| Origin::feed(key.name(), customer, epoch) == *origin;
            self.keys.iter().any(of_key)
        };
        if ours {
            Ok(())
        } else {
            Err(FeedFault::Origin {
                origin: origin.to_string(),
            })
        }
    }
}

/// Origin, size and root of a note whose signature nobody checks.
fn unsigned_head(note: &str) -> Option<Checkpoint> {
    let (text, _signatures) = note.split_once("\n\n")?;
    let mut lines = text.split('\n');
    let origin = Origin::parse(lines.next()?).ok()?;
    let size = lines.next()?.parse().ok()?;
    let root = BASE64.decode(lines.next()?.as_bytes()).ok()?;
    let root = Hash::parse(&root).ok()?;
    Some(Checkpoint { origin, size, root })
}

#[cfg(test)]
#[path = "feed_check_tests.rs"]
mod tests;
