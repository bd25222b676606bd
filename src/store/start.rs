//! Starts the log on an open store.

use std::collections::HashMap;
use std::sync::Arc;

use ring::hmac;
use tokio::sync::watch;

use crate::ledger::KeyName;
use crate::policy::PinFailures;
use crate::store::book::{Book, LogIdentity};
use crate::store::doorbells::Doorbells;
use crate::store::keyring::Keyring;
use crate::store::pen::Pen;
use crate::store::scribe::{LogHealth, Published, Scribe, ScribeThread};
use crate::store::sealer::Sealer;
use crate::store::{Opened, RowError, Rules, RulesCell, StoreHealth};
use crate::types::{PersonId, SiteId, World};

/// Why the log cannot be started.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The store lacks its own row.
    #[error("the store does not say whose it is")]
    NoMeta,
    /// A head cannot be read.
    #[error("the stored head of the feed of customer `{0}` is damaged")]
    DamagedHead(String),
    /// A row cannot be read.
    #[error(transparent)]
    Row(#[from] RowError),
    /// The operating system gave no thread.
    #[error("the scribe's thread cannot be started: {0}")]
    Thread(#[from] std::io::Error),
}

/// What the log needs besides the store.
#[derive(Debug)]
pub struct LogParts {
    /// The site.
    pub site: SiteId,
    /// Name that heads are signed under.
    pub log_name: KeyName,
    /// Makes pseudonyms.
    pub pseudonym_key: hmac::Key,
    /// Keys of personal data.
    pub keyring: Arc<Keyring>,
    /// Clock and entropy.
    pub world: Arc<dyn World>,
    /// The rules as they were stored.
    pub rules: Rules,
    /// Length of a segment; a batch is kept well below it.
    pub segment_bytes: u64,
    /// Commands that may wait; more are refused at once.
    pub queue: u32,
}

/// A log that is running.
#[derive(Debug)]
pub struct Log {
    /// Takes entries.
    pub scribe: Scribe,
    /// Stops it.
    pub thread: ScribeThread,
    /// What it publishes.
    pub published: Published,
    /// Wrong PINs as they were stored.
    pub pin_failures: HashMap<PersonId, PinFailures>,
    /// Sequence number of the first entry of this run.
    pub journal_next: u64,
}

/// Starts the scribe on an open store.
pub fn start_log((opened, parts): (Opened, LogParts)) -> Result<Log, StartError> {
    let Opened {
        writer,
        reader,
        base,
        ..
    } = opened;
    let rules = Arc::new(parts.rules);
    let published = published(&rules, writer.health());
    let LogParts {
        site,
        log_name,
        pseudonym_key,
        keyring,
        world,
        ..
    } = parts;
    let identity = LogIdentity {
        site,
        log_name,
        pseudonym_key,
    };
    let mut book = Book::load(
        &base,
        rules,
        Sealer::new(keyring, Arc::clone(&world)),
        identity,
    )?;
    for (customer, head) in book.heads() {
        published.doorbells.ring(&customer, head);
    }
    published.doorbells.report(book.sources.take_reported());
    let pin_failures = book.pins.all();
    let journal_next = book.journal_next();
    let batch_bytes_max = usize::try_from(parts.segment_bytes / 8).unwrap_or(usize::MAX);
    let pen = Pen {
        writer,
        reader,
        book,
        published: published.clone(),
        world,
        failure: None,
        kept: None,
        stalled: None,
        batch_bytes_max,
    };
    let (scribe, thread) = Scribe::start(pen, parts.queue)?;
    Ok(Log {
        scribe,
        thread,
        published,
        pin_failures,
        journal_next,
    })
}

fn published(rules: &Rules, store: StoreHealth) -> Published {
    let health = LogHealth {
        failure: None,
        store,
    };
    Published {
        rules: Arc::new(RulesCell::new(rules.clone())),
        doorbells: Arc::new(Doorbells::default()),
        health: watch::Sender::new(health),
    }
}
