//! A change of the rules, built and checked, as the one writer takes it.

use super::batch::Batch;
use super::rules_cell::Rules;
use crate::pb::store::JournalKind;
use crate::types::{Caller, CustomerId};

/// A change of the rules: its rows, and the rules that hold once they are durable.
#[derive(Debug)]
#[must_use]
pub struct RuleChange {
    /// Directory version the change was made against; any other in force refuses it.
    pub base_version: u64,
    /// Its rows. The writer adds those that it alone numbers: `Meta`, journal, feeds.
    pub batch: Batch,
    /// The rules afterwards, compiled for `base_version + 1`.
    pub rules: Rules,
    /// How the journal calls it: `SiteChanged` or `ListChanged`.
    pub kind: JournalKind,
    /// Who did it.
    pub actor: Caller,
    /// What, for the journal; without names of people.
    pub detail: String,
    /// Whether it took a right away, so that grants made before it are decided again.
    pub takes_away: bool,
    /// Customers whose access list got a new version.
    pub lists: Vec<CustomerId>,
}

/// A change that was not made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ChangeError {
    /// The rules have changed since; the caller is to plan again.
    #[error("the rules have changed since")]
    Stale,
    /// The change is longer than one commit may be; nothing was written.
    #[error("the change is too large for one commit")]
    TooLarge,
    /// Too many writes wait; nothing was written.
    #[error("too many writes wait")]
    QueueFull,
    /// Nothing can be written now; nothing was.
    #[error("the store takes no writes now")]
    Unavailable,
}
