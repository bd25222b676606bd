//! L2, the store: segments are the truth, sled is what is read (DESIGN section 6).

pub mod disk;
pub mod tables;

pub mod batch;

pub mod format;
mod segments;
mod segments_all;
mod segments_commits;
pub mod segments_scan;
mod segments_spare;

mod engine;
mod overlay;
mod shared;

pub mod reader;
pub mod writer;

pub mod snapshot;
mod snapshot_task;

mod marker;
mod rebuild;

pub mod base;
pub mod create;
pub mod open;
mod open_engine;
pub mod open_report;
pub mod settings;

pub mod check;

pub mod migrations;

pub mod reader_keys;
pub mod secrets;

pub mod seal;

pub mod keyring;
mod keyring_error;
mod keyring_file;
mod keyring_keys;
mod keyring_names;
mod keyring_scope;

pub mod rows;

pub mod rule_change;
pub mod rules_cell;

pub mod directory;
pub mod lists;
pub mod uploads;

mod receipt;

mod doorbells;
mod entry;

mod book;
mod feed_writer;
mod pin_counts;
mod sealer;
mod sources;
mod stage_entry;
mod stage_event;

mod pen;
mod pen_entries;
mod pen_rules;
mod round;
mod scribe;
mod start;

mod feeds;
mod signer;

pub use crate::pb::store::JournalKind;

pub use self::{
    base::BaseTables,
    base::RowError,
    batch::Batch,
    create::{CreateError, create},
    doorbells::{Doorbells, FeedHead},
    entry::{
        Acknowledged, Act, AppendError, AttemptEntry, OrderEntry, Recorded, Reported,
        ReportedEntry, Source,
    },
    feeds::{FeedError, Feeds, StoredEntry, StoredLeaf},
    format::CommitSequence,
    open::{OpenError, Opened, open},
    open_report::OpenReport,
    reader::{ReadError, ReadState, Reader},
    receipt::{JournalRef, Receipt},
    rule_change::{ChangeError, RuleChange},
    rules_cell::{Rules, RulesCell},
    scribe::{LogHealth, Published, Scribe, ScribeThread},
    settings::StoreConfig,
    signer::{SignedHead, Signer},
    start::{Log, LogParts, StartError, start_log},
    writer::{CommitError, StoreHealth, Writer},
};

#[cfg(test)]
pub(crate) use self::receipt::{order_receipt_for_tests, receipt_for_tests};

#[cfg(test)]
mod tests;
