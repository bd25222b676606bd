//! What must be there in an image, whatever happened.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
    sync::Arc,
};

use anyhow::{Context as _, Result, ensure};
use sluss::{
    ledger::{
        Frontier, Hash, LeafKind, leaf_hash,
        record::{Record, decode},
    },
    pb::store::JournalBody,
    store::{
        FeedHead, OpenError, OpenReport, Recorded, Source, StoredLeaf,
        disk::{Disk, RealDisk},
        keyring::KeyringError,
        secrets::Secrets,
        tables::Journal,
    },
    types::CustomerId,
};

use crate::{
    held::{Held, Made, Sent},
    random::Random,
    running::Running,
    site,
    staged_world::StagedWorld,
    workload::{sequence_of, stranger},
};

/// How a promise was broken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Broken {
    /// The site does not open, or does not go on.
    Unopened,
    /// Something that was acknowledged is not there.
    Lost,
    /// A number is missing or there twice, or what lies under it cannot be read.
    Hole,
    /// A root is another than what clients hold, or than what the leaves lead to.
    Root,
}

/// What was found in an image.
#[derive(Debug, Default)]
pub(crate) struct Found {
    /// There was no site yet, and none was acknowledged.
    pub(crate) no_site: bool,
    /// What the store says of its opening.
    pub(crate) report: Option<OpenReport>,
    /// Whether the keyring had a torn end.
    pub(crate) keyring_torn: bool,
    /// Entries that were there and not acknowledged yet.
    pub(crate) unacknowledged: u64,
    /// Every promise that was broken.
    pub(crate) broken: Vec<(Broken, String)>,
}

impl Found {
    pub(crate) fn tell(&mut self, how: Broken, what: impl Into<String>) {
        self.broken.push((how, what.into()));
    }

    fn note(&mut self, how: Broken, checked: Result<()>) {
        if let Err(error) = checked {
            self.tell(how, format!("{error:#}"));
        }
    }
}

/// Opens an image as after a power cut, and compares it with what clients hold.
pub(crate) fn invariant_2_nothing_acknowledged_is_lost(
    image: &Path,
    boot: &str,
    secrets: &Secrets,
    held: &Held,
) -> Found {
    let mut found = Found::default();
    let disk: Arc<dyn Disk> = Arc::new(RealDisk);
    let world = Arc::new(StagedWorld::begun(Random::new(1)));
    match Running::start(image, boot, secrets, &disk, &world) {
        Ok(running) => look(running, &world, held, &mut found),
        Err(error) if is_not_made(held.made, &error) => found.no_site = true,
        Err(error) => found.tell(Broken::Unopened, format!("{error:#}")),
    }
    found
}

/// Whether all that is wrong is that the power was cut before it was made.
pub(crate) fn is_not_made(made: Made, error: &anyhow::Error) -> bool {
    let no_store = matches!(error.downcast_ref(), Some(OpenError::NoStore(_)));
    match made {
        Made::Nothing => no_store || error.is::<KeyringError>(),
        Made::Keyring => no_store,
        Made::Store => false,
    }
}

fn look(running: Running, world: &StagedWorld, held: &Held, found: &mut Found) {
    found.report = Some(running.report.clone());
    found.keyring_torn = running.keyring.had_torn_end();
    found.note(Broken::Lost, check_rules(&running, held));
    found.note(Broken::Lost, check_erased(&running, held));
    found.note(Broken::Lost, check_snapshot(&running, held));
    let journal = read_journal(&running, found);
    check_entries(&journal, held, found);
    for customer in site::CUSTOMERS {
        let checked = CustomerId::parse(customer).map_err(Into::into);
        let checked = checked.and_then(|c| check_feed(&running, &c, (&journal, held), found));
        found.note(Broken::Hole, checked);
    }
    let runtime = tokio::runtime::Builder::new_current_thread().build();
    let asked = runtime.map_err(Into::into).and_then(|runtime| {
        runtime.block_on(ask_again(&running, held))?;
        runtime.block_on(go_on(&running, world))
    });
    found.note(Broken::Lost, asked);
    running.log.thread.stop();
}

fn check_rules(running: &Running, held: &Held) -> Result<()> {
    let (version, due) = (running.meta.directory_version, held.rules_version);
    ensure!(
        version >= due,
        "rules of version {due} are gone, {version} found"
    );
    ensure!(
        running.parts == site::parts(version)?,
        "the rules of version {version} differ"
    );
    Ok(())
}

fn check_erased(running: &Running, held: &Held) -> Result<()> {
    for scope in &held.erased {
        let is_erased = running.keyring.tombstone(scope).is_some();
        ensure!(
            is_erased && running.keyring.key_for(scope).is_none(),
            "a key that was erased is back"
        );
    }
    Ok(())
}

/// No snapshot goes before a newer one is there for good.
fn check_snapshot(running: &Running, held: &Held) -> Result<()> {
    let snapshot = running.report.snapshot.as_ref();
    let found = snapshot.map(|info| info.begin.0);
    ensure!(
        held.snapshot_removed.is_none() || found > held.snapshot_removed,
        "the snapshot that replaced another is gone, {found:?} found"
    );
    Ok(())
}

/// All entries of the journal that can be read; the others are told of.
fn read_journal(running: &Running, found: &mut Found) -> BTreeMap<u64, JournalBody> {
    let next = running.meta.journal_next;
    let mut journal = BTreeMap::new();
    for sequence in 0..next {
        match running.feeds.journal(sequence) {
            Ok(Some(entry)) => match entry.body {
                Some(body) => drop(journal.insert(sequence, body)),
                None => found.tell(Broken::Hole, format!("journal {sequence}: no key")),
            },
            Ok(None) => found.tell(Broken::Hole, format!("journal {sequence} is missing")),
            Err(error) => found.tell(Broken::Hole, format!("journal {sequence}: {error}")),
        }
    }
    match running.reader.range::<Journal>(next.., 1) {
        Ok(rows) if rows.is_empty() => {}
        Ok(_) => found.tell(Broken::Hole, format!("the journal goes on behind {next}")),
        Err(error) => found.tell(Broken::Hole, format!("the journal: {error}")),
    }
    journal
}

/// Every acknowledged event lies under its number, and none lies under two.
fn check_entries(journal: &BTreeMap<u64, JournalBody>, held: &Held, found: &mut Found) {
    for (sent, sequence) in &held.entries {
        let Some(Source { event, .. }) = sent.source() else {
            continue;
        };
        let due = Some((
            event.controller.as_str(),
            event.boot.as_str(),
            event.counter,
        ));
        if journal.get(sequence).map(event_of) != due {
            found.tell(Broken::Lost, format!("entry {sequence} of {due:?} is gone"));
        }
    }
    let acknowledged: BTreeSet<u64> = held.entries.iter().map(|entry| entry.1).collect();
    let mut seen = BTreeSet::new();
    for (sequence, body) in journal {
        let event = event_of(body);
        if event.0.is_empty() {
            continue;
        }
        if !acknowledged.contains(sequence) {
            found.unacknowledged = found.unacknowledged.saturating_add(1);
        }
        if !seen.insert(event) {
            found.tell(Broken::Hole, format!("{event:?} has two entries"));
        }
    }
}

fn event_of(body: &JournalBody) -> (&str, &str, u64) {
    (&body.controller, &body.boot_id, body.counter)
}

/// A feed from its first leaf on, as a customer would check it.
fn check_feed(
    running: &Running,
    customer: &CustomerId,
    (journal, held): (&BTreeMap<u64, JournalBody>, &Held),
    found: &mut Found,
) -> Result<()> {
    let mut heads = held.heads.iter().filter(|(c, _)| c == customer).peekable();
    let Some(newest) = running.feeds.head(customer) else {
        if heads.peek().is_some() || held.rules_version > 0 {
            found.tell(Broken::Lost, format!("the feed of {customer} is gone"));
        }
        return Ok(());
    };
    let leaves = running.feeds.leaves(customer, 0, usize::MAX)?;
    let count = u64::try_from(leaves.len())?;
    ensure!(
        count == newest.size,
        "the feed of {customer} has {count} leaves, its head {}",
        newest.size
    );
    found.note(Broken::Hole, check_leaves(customer, &leaves, journal));
    let roots = roots(&leaves);
    let is_root = |head: &FeedHead| roots.get(&head.size) == Some(&head.root);
    if !is_root(&newest) {
        found.tell(
            Broken::Root,
            format!("{customer}: the leaves do not lead to the head"),
        );
    }
    for (_, known) in heads {
        if known.size > newest.size || known.epoch != newest.epoch {
            let (size, due) = (newest.size, known.size);
            found.tell(
                Broken::Lost,
                format!("{customer}: {size} leaves, {due} were published"),
            );
        } else if !is_root(known) {
            let what = format!("{customer}: another root over {} leaves", known.size);
            found.tell(Broken::Root, what);
        }
    }
    if !running.signer.re_derive(customer)? {
        found.tell(Broken::Root, format!("{customer}: the head is not signed"));
    }
    Ok(())
}

/// The root over so many leaves, for every number of them.
fn roots(leaves: &[StoredLeaf]) -> BTreeMap<u64, Hash> {
    let mut frontier = Frontier::default();
    let mut roots = BTreeMap::new();
    for leaf in leaves {
        frontier.push(leaf.hash);
        roots.insert(frontier.size(), frontier.root());
    }
    roots
}

/// Every leaf can be read, has its hash, counts on at its access point, and has its entry.
fn check_leaves(
    customer: &CustomerId,
    leaves: &[StoredLeaf],
    journal: &BTreeMap<u64, JournalBody>,
) -> Result<()> {
    let mut counters: BTreeMap<String, u64> = BTreeMap::new();
    for leaf in leaves {
        let at = || format!("leaf {} of {customer}", leaf.index);
        let (record, salt) = leaf
            .secret
            .as_ref()
            .with_context(|| format!("{}: no key", at()))?;
        let hash = leaf_hash(leaf.index, leaf.kind, record, salt);
        ensure!(hash == leaf.hash, "{}: another hash", at());
        let (point, number) = match decode(leaf.kind, record)? {
            Record::Entry(entry) => (entry.access_point, entry.source_counter),
            Record::DoorEvent(event) => (event.access_point, event.source_counter),
            Record::Genesis(_) | Record::Other { .. } => {
                let is_first = leaf.index == 0 && leaf.kind == LeafKind::Genesis;
                ensure!(is_first, "{}: it is of another kind", at());
                continue;
            }
        };
        let last = counters.entry(point).or_default();
        *last = last.saturating_add(1);
        ensure!(*last == number, "{}: {number} where {last} is due", at());
        let places = journal.get(&leaf.journal).map(|body| &body.places[..]);
        let mut places = places.unwrap_or_default().iter();
        ensure!(
            places.any(|p| p.customer == customer.as_str() && p.index == leaf.index),
            "{}: the journal does not know it",
            at()
        );
    }
    let entries = journal.values().flat_map(|body| &body.places);
    let known = entries.filter(|p| p.customer == customer.as_str()).count();
    let due = leaves.len().saturating_sub(1);
    ensure!(known == due, "{customer}: {due} leaves, {known} entries");
    Ok(())
}

/// Clients that have no answer ask again; those that have one would get the same.
async fn ask_again(running: &Running, held: &Held) -> Result<()> {
    let scribe = &running.log.scribe;
    for (sent, due) in &held.entries {
        let (sequence, is_known) = match &**sent {
            Sent::Attempt(entry) => {
                let recorded = scribe.record_attempt(entry.clone()).await?;
                let is_known = matches!(recorded, Recorded::AlreadyDecided(_));
                (sequence_of(&recorded), is_known)
            }
            Sent::Reported(entry) => {
                let known = scribe.record_reported(vec![entry.clone()]).await?;
                let first = known.first().context("a report has no answer")?;
                (Some(first.entry.sequence), first.already_known)
            }
        };
        ensure!(
            is_known && sequence == Some(*due),
            "entry {due} is not known any more: {sequence:?}"
        );
    }
    Ok(())
}

/// The site goes on: one more entry, behind all others.
async fn go_on(running: &Running, world: &StagedWorld) -> Result<()> {
    if running.meta.directory_version == 0 {
        return Ok(());
    }
    let customer = CustomerId::parse("acme")?;
    let size = || running.feeds.head(&customer).map(|head| head.size);
    let before = size();
    let entry = stranger(running, world, "afterwards")?;
    let recorded = running.log.scribe.record_attempt(entry).await?;
    let sequence = sequence_of(&recorded);
    // Where this clock is behind the one before the cut, the journal says so first.
    let is_set_back = world.time().utc.unix() < running.meta.last_written_at;
    let due = running.meta.journal_next + u64::from(is_set_back);
    ensure!(
        sequence == Some(due),
        "the next entry has the number {sequence:?}"
    );
    // Answers come before bells; whoever is answered next finds this one rung.
    let again = stranger(running, world, "afterwards-2")?;
    let _ = running.log.scribe.record_attempt(again).await?;
    ensure!(
        size() > before,
        "the feed of {customer} does not grow any more"
    );
    Ok(())
}
