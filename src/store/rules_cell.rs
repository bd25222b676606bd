//! The rules in force: what decisions use, swapped whole by the one writer.

use std::sync::Arc;

use arc_swap::{ArcSwap, Guard};
use tokio::sync::watch;

use crate::policy::{Roster, RosterParts};

/// The rules in force: as stored, and compiled for decisions. Never changed, only replaced.
#[derive(Debug, Clone)]
pub struct Rules {
    /// The rules as they are stored.
    pub parts: Arc<RosterParts>,
    /// The same, compiled; its version is the directory version.
    pub roster: Arc<Roster>,
}

/// Holds the rules in force.
///
/// Readers never wait. Only the store replaces them, after the commit that changes them is
/// durable, so that no decision is made by a rule that a power cut could take back.
#[derive(Debug)]
pub struct RulesCell {
    rules: ArcSwap<Rules>,
    versions: watch::Sender<u64>,
}

impl RulesCell {
    /// Begins with the rules read at opening.
    pub fn new(rules: Rules) -> Self {
        let versions = watch::Sender::new(rules.roster.version());
        Self {
            rules: ArcSwap::from_pointee(rules),
            versions,
        }
    }

    /// Tells of each new version, after it is in force.
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.versions.subscribe()
    }

    /// The rules in force, for as long as the caller needs them.
    pub fn load(&self) -> Arc<Rules> {
        self.rules.load_full()
    }

    /// The rules in force, for a short while: cheaper, to be dropped before any wait.
    pub fn peek(&self) -> Guard<Arc<Rules>> {
        self.rules.load()
    }

    /// Replaces the rules; they are used from the next decision on.
    pub(in crate::store) fn swap(&self, rules: Rules) {
        let version = rules.roster.version();
        self.rules.store(Arc::new(rules));
        self.versions.send_replace(version);
    }
}
