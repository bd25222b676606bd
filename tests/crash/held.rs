//! What clients hold: everything that was acknowledged to them, and must be there for ever.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use sluss::{
    store::{AttemptEntry, FeedHead, ReportedEntry, Source, keyring::KeyScope},
    types::CustomerId,
};

/// How far a site was made.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Made {
    /// Nothing was acknowledged.
    #[default]
    Nothing,
    /// The keyring.
    Keyring,
    /// The store too.
    Store,
}

/// What was sent.
#[derive(Debug, Clone)]
pub(crate) enum Sent {
    /// An attempt that Sluss decided.
    Attempt(AttemptEntry),
    /// What a controller reported.
    Reported(ReportedEntry),
}

impl Sent {
    /// Where it was born.
    pub(crate) fn source(&self) -> Option<&Source> {
        match self {
            Self::Attempt(entry) => entry.source.as_ref(),
            Self::Reported(entry) => entry.source.as_ref(),
        }
    }
}

/// What was acknowledged so far.
#[derive(Debug, Clone, Default)]
pub(crate) struct Held {
    /// How far the site was made.
    pub(crate) made: Made,
    /// What was sent, and the number it got in the journal.
    pub(crate) entries: Vec<(Arc<Sent>, u64)>,
    /// Heads of feeds as they were published.
    pub(crate) heads: Vec<(CustomerId, FeedHead)>,
    /// Version of the rules.
    pub(crate) rules_version: u64,
    /// What was erased from the keyring.
    pub(crate) erased: Vec<KeyScope>,
    /// Commit of the newest snapshot that was removed: a newer one stands in for it.
    pub(crate) snapshot_removed: Option<u64>,
}

/// All clients, as whoever cuts the power knows them.
#[derive(Debug, Clone, Default)]
pub(crate) struct Clients(Arc<Mutex<Held>>);

impl Clients {
    /// Begins with what was acknowledged before.
    pub(crate) fn new(held: Held) -> Self {
        Self(Arc::new(Mutex::new(held)))
    }

    /// What they hold now.
    pub(crate) fn held(&self) -> Held {
        self.lock().clone()
    }

    /// A stage of making the site is done.
    pub(crate) fn made(&self, made: Made) {
        let mut held = self.lock();
        held.made = held.made.max(made);
    }

    /// An entry was acknowledged.
    pub(crate) fn entry(&self, sent: Sent, sequence: u64) {
        self.lock().entries.push((Arc::new(sent), sequence));
    }

    /// A head was published.
    pub(crate) fn head(&self, customer: CustomerId, head: FeedHead) {
        self.lock().heads.push((customer, head));
    }

    /// New rules were acknowledged.
    pub(crate) fn rules(&self, version: u64) {
        self.lock().rules_version = version;
    }

    /// Keys were erased.
    pub(crate) fn erased(&self, scope: KeyScope) {
        self.lock().erased.push(scope);
    }

    /// A snapshot was removed.
    pub(crate) fn snapshot_removed(&self, begin: u64) {
        let mut held = self.lock();
        held.snapshot_removed = held.snapshot_removed.max(Some(begin));
    }

    fn lock(&self) -> MutexGuard<'_, Held> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
