//! What was found at opening.

use super::{format::CommitSequence, snapshot::SnapshotInfo};

/// What was done with sled at opening.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SledFound {
    /// It was as the marker says.
    Kept {
        /// Commits applied to it from the segments.
        replayed: u64,
    },
    /// It is built anew.
    Rebuilt(RebuildReason),
}

/// Why sled is not believed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RebuildReason {
    /// Nothing says what it holds.
    NoMarker,
    /// The kernel was started since.
    OtherBoot,
    /// It has less than the marker says.
    Behind {
        /// What it says it has.
        applied: CommitSequence,
        /// What the marker vouches for.
        vouched: CommitSequence,
    },
    /// It does not open, or fails.
    Fails(String),
}

/// What was found at opening.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenReport {
    /// The newest commit.
    pub newest: CommitSequence,
    /// Number of segments.
    pub segment_count: usize,
    /// Number of frames read and checked.
    pub frame_count: u64,
    /// Bytes of a torn commit that were zeroed; it was never acknowledged.
    pub zeroed_bytes: u64,
    /// What was done with sled.
    pub sled: SledFound,
    /// The snapshot, if there is one.
    pub snapshot: Option<SnapshotInfo>,
    /// The format it was brought up from, if it was older.
    pub migrated_from: Option<u32>,
}
