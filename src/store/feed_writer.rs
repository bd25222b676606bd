//! The writing half of a feed: dense indices, leaves, the head.

use std::collections::HashMap;

use crate::ledger::{Epoch, Frontier, Hash, LeafKind, Salt, leaf_hash};
use crate::pb::store::{FeedHeadRow, FeedLeafRow, FeedSecret, LeafHashRow, SourceCounterRow};
use crate::store::doorbells::FeedHead;
use crate::store::keyring::KeyId;
use crate::store::seal::SealError;
use crate::store::sealer::Sealer;
use crate::store::tables::{FeedHeads, FeedLeafHashes, FeedLeaves, SourceCounters};
use crate::store::{BaseTables, Batch, StartError};
use crate::types::{AccessPointId, CustomerId};

/// What is to become the next leaf of a feed.
#[derive(Debug)]
pub(super) struct NewLeaf {
    pub(super) kind: LeafKind,
    /// The committed bytes.
    pub(super) record: Vec<u8>,
    /// Sequence number of the journal entry.
    pub(super) journal: u64,
    /// Key that record and salt are sealed under.
    pub(super) key: KeyId,
}

/// A feed as the scribe knows it.
#[derive(Debug)]
pub(super) struct FeedWriter {
    customer: CustomerId,
    epoch: Epoch,
    frontier: Frontier,
    counters: HashMap<AccessPointId, u64>,
    is_touched: bool,
}

impl FeedWriter {
    /// A feed without leaves.
    pub(super) fn new(customer: CustomerId) -> Self {
        let frontier = Frontier::default();
        Self {
            customer,
            epoch: Epoch::FIRST,
            frontier,
            counters: HashMap::new(),
            is_touched: false,
        }
    }

    /// All feeds as they were at opening.
    pub(super) fn load(base: &BaseTables) -> Result<HashMap<CustomerId, Self>, StartError> {
        let mut feeds = HashMap::new();
        for row in base.rows::<FeedHeads>() {
            let (id, row) = row?;
            let damaged = || StartError::DamagedHead(id.clone());
            let customer = CustomerId::parse(&id).map_err(|_| damaged())?;
            let frontier = parse_frontier(&row).ok_or_else(damaged)?;
            let epoch = Epoch::new(row.epoch).ok_or_else(damaged)?;
            let feed = Self {
                epoch,
                frontier,
                ..Self::new(customer.clone())
            };
            feeds.insert(customer, feed);
        }
        for row in base.rows::<SourceCounters>() {
            let ((customer, access_point), row) = row?;
            let ids = (
                CustomerId::parse(&customer),
                AccessPointId::parse(&access_point),
            );
            if let (Ok(customer), Ok(access_point)) = ids
                && let Some(feed) = feeds.get_mut(&customer)
            {
                feed.counters.insert(access_point, row.last);
            }
        }
        Ok(feeds)
    }

    /// Stages the next leaf; answers its index.
    pub(super) fn append(
        &mut self,
        leaf: NewLeaf,
        sealer: &Sealer,
        batch: &mut Batch,
    ) -> Result<u64, SealError> {
        let index = self.frontier.size();
        let salt = Salt::from_bytes(sealer.random());
        let hash = leaf_hash(index, leaf.kind, &leaf.record, &salt);
        let secret = FeedSecret {
            record: leaf.record,
            salt: salt.as_bytes().to_vec(),
        };
        let row = FeedLeafRow {
            kind: u32::from(leaf.kind.number()),
            secret: Some(sealer.seal_leaf(leaf.key, &self.customer, index, &secret)?),
            journal: leaf.journal,
        };
        let key = (self.customer.as_str().to_owned(), index);
        batch.put::<FeedLeaves>(&key, &row);
        batch.put::<FeedLeafHashes>(
            &key,
            &LeafHashRow {
                hash: hash.as_bytes().to_vec(),
            },
        );
        self.frontier.push(hash);
        self.is_touched = true;
        Ok(index)
    }

    /// Counts an event at an access point; stages and answers its number, from 1.
    pub(super) fn count(&mut self, access_point: &AccessPointId, batch: &mut Batch) -> u64 {
        let last = self.counters.entry(access_point.clone()).or_default();
        *last = last.saturating_add(1);
        let key = (
            self.customer.as_str().to_owned(),
            access_point.as_str().to_owned(),
        );
        batch.put::<SourceCounters>(&key, &SourceCounterRow { last: *last });
        *last
    }

    /// Stages the head if leaves were staged since the last call; answers it then.
    pub(super) fn stage_head(&mut self, batch: &mut Batch) -> Option<(CustomerId, FeedHead)> {
        if !std::mem::take(&mut self.is_touched) {
            return None;
        }
        let head = self.head();
        let row = FeedHeadRow {
            epoch: head.epoch.number(),
            size: head.size,
            root: head.root.as_bytes().to_vec(),
            frontier: self
                .frontier
                .nodes()
                .iter()
                .map(|n| n.as_bytes().to_vec())
                .collect(),
        };
        batch.put::<FeedHeads>(&self.customer.as_str().to_owned(), &row);
        Some((self.customer.clone(), head))
    }

    /// The head over all staged leaves.
    pub(super) fn head(&self) -> FeedHead {
        FeedHead {
            epoch: self.epoch,
            size: self.frontier.size(),
            root: self.frontier.root(),
        }
    }

    /// Epoch of the feed's origin.
    pub(super) fn epoch(&self) -> Epoch {
        self.epoch
    }
}

fn parse_frontier(row: &FeedHeadRow) -> Option<Frontier> {
    let nodes = row
        .frontier
        .iter()
        .map(|n| Hash::parse(n).ok())
        .collect::<Option<Vec<_>>>()?;
    let frontier = Frontier::from_parts(row.size, nodes).ok()?;
    (Some(frontier.root()) == Hash::parse(&row.root).ok()).then_some(frontier)
}
