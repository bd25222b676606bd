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

pub mod secrets;

pub mod seal;

pub mod keyring;
mod keyring_error;
mod keyring_file;
mod keyring_keys;
mod keyring_names;
mod keyring_scope;

pub use self::{
    base::BaseTables,
    batch::Batch,
    create::{CreateError, create},
    format::CommitSequence,
    open::{OpenError, Opened, open},
    open_report::OpenReport,
    reader::{ReadError, ReadState, Reader},
    settings::StoreConfig,
    writer::{CommitError, StoreHealth, Writer},
};

#[cfg(test)]
mod tests;
