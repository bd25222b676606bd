//! What is committed, and what must be there afterwards.

use std::{
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use anyhow::{Context as _, Result, ensure};
use ring::digest::{Context, SHA256};
use sluss::{
    pb::store::{FeedHeadRow, FeedLeafRow, JournalRow, LeafHashRow, MetaRow, SealedBlob},
    store::{
        Batch, Opened, StoreConfig, create,
        disk::Disk,
        format::FORMAT,
        open,
        tables::{FeedHeads, FeedLeafHashes, FeedLeaves, Journal, Meta},
    },
    types::{BootIdentity, Moment, SiteId, UtcTime},
};

use crate::random::Random;

const FEEDS: u64 = 3;

/// What whoever cuts the power was promised.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Promise {
    /// The newest commit that was acknowledged, 0 before the store was made.
    pub(crate) commit: u64,
    /// The newest commit that a durable snapshot holds in full.
    pub(crate) snapshot: u64,
}

/// Promises as they are made.
#[derive(Debug, Clone, Default)]
pub(crate) struct Promises(Arc<(AtomicU64, AtomicU64)>);

impl Promises {
    /// Begins with what was promised before.
    pub(crate) fn new(promise: Promise) -> Self {
        let (commit, snapshot) = (promise.commit.into(), promise.snapshot.into());
        Self(Arc::new((commit, snapshot)))
    }

    /// What is promised now.
    pub(crate) fn now(&self) -> Promise {
        Promise {
            commit: self.0.0.load(Ordering::SeqCst),
            snapshot: self.0.1.load(Ordering::SeqCst),
        }
    }

    fn acknowledge(&self, commit: u64) {
        self.0.0.store(commit, Ordering::SeqCst);
    }

    fn snapshot(&self, commit: u64) {
        self.0.1.store(commit, Ordering::SeqCst);
    }
}

/// Commits of entries to feeds, each the same every time it is asked for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Workload {
    /// Tells one from another.
    pub(crate) seed: u64,
}

/// A feed as it must be.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Feed {
    leaves: Vec<FeedLeafRow>,
    hashes: Vec<Vec<u8>>,
}

impl Feed {
    fn head(&self) -> FeedHeadRow {
        FeedHeadRow {
            epoch: 1,
            size: u64::try_from(self.leaves.len()).unwrap_or(u64::MAX),
            root: self.hashes.last().cloned().unwrap_or_default(),
            frontier: Vec::new(),
        }
    }
}

/// Everything as it must be after so many commits.
#[derive(Debug, Default)]
struct State {
    feeds: [Feed; 3],
    journal: Vec<JournalRow>,
}

impl Workload {
    /// Sizes that let a run of some dozen commits meet everything: full segments, snapshots,
    /// checkpoints.
    pub(crate) fn config(folder: &Path, boot: &str) -> Result<StoreConfig> {
        let (site, now) = (SiteId::parse("north")?, UtcTime::from_unix(1_800_000_000)?);
        let boot = BootIdentity(boot.to_owned());
        Ok(StoreConfig {
            segment_bytes: 8192,
            checkpoint_commits: 6,
            snapshot_every_bytes: 12_000,
            ..StoreConfig::new(folder.to_owned(), site, 1, boot, now)
        })
    }

    /// Makes a store, which is its first commit.
    pub(crate) fn create(config: &StoreConfig, disk: &dyn Disk, promises: &Promises) -> Result<()> {
        let meta = MetaRow {
            format: FORMAT,
            site: config.site.to_string(),
            node: config.node,
            ..MetaRow::default()
        };
        let mut batch = Batch::new();
        batch.put::<Meta>(&(), &meta);
        create(config, disk, &batch)?;
        promises.acknowledge(1);
        Ok(())
    }

    /// Opens the store, checks it, and commits from there on.
    pub(crate) fn run(
        self,
        config: &StoreConfig,
        disk: Arc<dyn Disk>,
        promises: &Promises,
        count: u64,
    ) -> Result<()> {
        let mut store = open(config, disk)?;
        let from = store.report.newest.0.saturating_sub(1);
        promises.acknowledge(store.report.newest.0);
        let mut state = State::default();
        (0..from).for_each(|number| drop(self.batch(&mut state, number)));
        let mut random = Random::part(self.seed, 77);
        for number in from..from.saturating_add(count) {
            let batch = self.batch(&mut state, number);
            let sequence = store.writer.commit(batch).context("a commit failed")?;
            promises.acknowledge(sequence.0);
            if random.once_in(2) {
                store.writer.apply();
            }
            if random.once_in(3) {
                store
                    .writer
                    .housekeep(Moment::from_start(Duration::from_millis(number)));
                promises.snapshot(store.writer.snapshot_begin().0);
            }
        }
        if random.once_in(2) {
            store.writer.close();
        }
        Ok(())
    }

    /// Whether the store holds at least what was acknowledged, and nothing else than is right.
    pub(crate) fn check(self, store: &Opened, promise: Promise) -> Result<u64> {
        let (found, acknowledged) = (store.report.newest.0, promise.commit);
        let right = found == acknowledged || found == acknowledged.saturating_add(1);
        ensure!(right, "{acknowledged} acknowledged, {found} found");
        let snapshot = store
            .report
            .snapshot
            .as_ref()
            .map_or(0, |info| info.begin.0);
        let due = promise.snapshot;
        ensure!(
            snapshot >= due,
            "the snapshot of commit {due} is gone, {snapshot} found"
        );
        let mut state = State::default();
        (0..found.saturating_sub(1)).for_each(|number| drop(self.batch(&mut state, number)));
        let rows = store.reader.range::<Journal>(.., usize::MAX)?;
        let rows: Vec<_> = (0..)
            .zip(rows)
            .map(|(due, (key, row))| (due == key).then_some(row))
            .collect();
        let due: Vec<_> = state.journal.iter().cloned().map(Some).collect();
        ensure!(rows == due, "the journal differs");
        for (number, feed) in (0..FEEDS).zip(&state.feeds) {
            check_feed(store, &customer(number), feed)?;
        }
        Ok(found)
    }

    /// The commit with this number; the state must be that of all before it.
    fn batch(self, state: &mut State, number: u64) -> Batch {
        let mut random = Random::part(self.seed, number.wrapping_add(1000));
        let mut batch = Batch::new();
        for _ in 0..=random.below(4) {
            let which = random.below(FEEDS);
            let journal_index = u64::try_from(state.journal.len()).unwrap_or(u64::MAX);
            let journal = JournalRow {
                kind: 1,
                recorded_at: i64::try_from(number).unwrap_or(0),
                body: Some(sealed(&mut random)),
            };
            batch.put::<Journal>(&journal_index, &journal);
            state.journal.push(journal);
            let Some(feed) = state.feeds.get_mut(usize::try_from(which).unwrap_or(0)) else {
                continue;
            };
            let leaf = FeedLeafRow {
                kind: 2,
                secret: Some(sealed(&mut random)),
                journal: journal_index,
            };
            let customer = customer(which);
            let index = u64::try_from(feed.leaves.len()).unwrap_or(u64::MAX);
            let hash = running_hash(feed.hashes.last(), &leaf);
            let hash_row = LeafHashRow { hash: hash.clone() };
            batch.put::<FeedLeaves>(&(customer.clone(), index), &leaf);
            batch.put::<FeedLeafHashes>(&(customer.clone(), index), &hash_row);
            feed.leaves.push(leaf);
            feed.hashes.push(hash);
            batch.put::<FeedHeads>(&customer, &feed.head());
        }
        batch
    }
}

fn check_feed(store: &Opened, customer: &str, feed: &Feed) -> Result<()> {
    let name = customer.to_owned();
    let leaves = store
        .reader
        .rows_of::<FeedLeaves, _>(customer, None, usize::MAX)?;
    let dense = (0..).zip(&leaves).all(|(due, row)| row.0.1 == due);
    let leaves: Vec<_> = leaves.into_iter().map(|row| row.1).collect();
    ensure!(
        dense && leaves == feed.leaves,
        "the feed of {customer} differs"
    );
    let hashes = store
        .reader
        .rows_of::<FeedLeafHashes, _>(customer, None, usize::MAX)?;
    let hashes: Vec<_> = hashes.into_iter().map(|row| row.1.hash).collect();
    ensure!(hashes == feed.hashes, "the hashes of {customer} differ");
    let head = (!feed.leaves.is_empty()).then(|| feed.head());
    ensure!(
        store.reader.get::<FeedHeads>(&name)? == head,
        "the root of {customer} differs"
    );
    ensure!(
        store.base.get::<FeedHeads>(&name)? == head,
        "the base of {customer} differs"
    );
    Ok(())
}

fn customer(number: u64) -> String {
    format!("customer-{number}")
}

fn sealed(random: &mut Random) -> SealedBlob {
    let length = random.below(200).saturating_add(40);
    let byte = |_| u8::try_from(random.below(256)).unwrap_or(0);
    SealedBlob {
        key_id: 1,
        nonce: vec![7; 12],
        ciphertext: (0..length).map(byte).collect(),
    }
}

fn running_hash(before: Option<&Vec<u8>>, leaf: &FeedLeafRow) -> Vec<u8> {
    let mut sum = Context::new(&SHA256);
    sum.update(before.map_or(&[], Vec::as_slice));
    sum.update(
        leaf.secret
            .as_ref()
            .map_or(&[], |s| s.ciphertext.as_slice()),
    );
    sum.finish().as_ref().to_vec()
}
