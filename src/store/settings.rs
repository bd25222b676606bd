//! What the store is told when it is opened.

use std::{path::PathBuf, time::Duration};

use super::segments::SegmentPlan;
use crate::types::{BootIdentity, SiteId, UtcTime};

/// Where the store is, whose it is, and its sizes.
#[derive(Debug, Clone)]
pub struct StoreConfig {
    /// Folder of the store. Nothing else may lie in it.
    pub folder: PathBuf,
    /// Site the store belongs to; another site's store is refused.
    pub site: SiteId,
    /// Node within the site.
    pub node: u32,
    /// Run of the operating system's kernel.
    pub boot: BootIdentity,
    /// The wall clock at opening, for migrations.
    pub now: UtcTime,
    /// Length of new segments in bytes; a commit must fit in one.
    pub segment_bytes: u64,
    /// Commits after which sled is synced, however soon.
    pub checkpoint_commits: u64,
    /// Time after which sled is synced, however few the commits.
    pub checkpoint_every: Duration,
    /// Length of commits after which a snapshot is taken; more where the last one was longer.
    pub snapshot_every_bytes: u64,
    /// Commits up to which sled is rebuilt before `open` returns; with more it is behind.
    pub rebuild_at_once_commits: u64,
}

impl StoreConfig {
    /// The usual sizes.
    pub fn new(folder: PathBuf, site: SiteId, node: u32, boot: BootIdentity, now: UtcTime) -> Self {
        Self {
            folder,
            site,
            node,
            boot,
            now,
            segment_bytes: 64 * 1024 * 1024,
            checkpoint_commits: 4096,
            checkpoint_every: Duration::from_secs(1),
            snapshot_every_bytes: 64 * 1024 * 1024,
            rebuild_at_once_commits: 2000,
        }
    }

    pub(super) fn segment_plan(&self) -> SegmentPlan {
        SegmentPlan {
            folder: self.folder.clone(),
            site: self.site.clone(),
            node: self.node,
            segment_bytes: self.segment_bytes,
        }
    }
}
