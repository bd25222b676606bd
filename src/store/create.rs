//! Makes a new store.

use super::{
    batch::Batch,
    disk::{Disk, DiskFailure, failed_to},
    format::{FORMAT, SegmentId},
    segments::{AppendError, SegmentLog},
    settings::StoreConfig,
    tables::Meta,
};

/// Why no store was made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CreateError {
    /// There is one in this folder already.
    #[error("there is a store already")]
    Exists,
    /// The first batch has no row of the store itself, or one of another site, node or format.
    #[error("the first batch lacks the row of the store itself")]
    NoMeta,
    /// The first batch is longer than a segment, or holds a row that is too long.
    #[error("the first batch is too large")]
    TooLarge,
    /// The disk refused.
    #[error(transparent)]
    Disk(#[from] DiskFailure),
}

/// Makes a store with its first commit in it.
///
/// The batch must hold the row of [`Meta`] with this format, site and node. A store is there
/// whole or not at all, whatever happens meanwhile.
pub fn create(config: &StoreConfig, disk: &dyn Disk, first: &Batch) -> Result<(), CreateError> {
    let meta = first.find::<Meta>(&()).flatten();
    let ours = meta.is_some_and(|m| {
        m.format == FORMAT && m.site == config.site.as_str() && m.node == config.node
    });
    if !ours {
        return Err(CreateError::NoMeta);
    }
    let folder = &config.folder;
    if first.oversized().is_some() {
        return Err(CreateError::TooLarge);
    }
    disk.create_folder(folder)
        .map_err(failed_to("create", folder))?;
    if let Some(parent) = folder.parent().filter(|p| disk.exists(p)) {
        disk.sync_folder(parent)
            .map_err(failed_to("sync", parent))?;
    }
    let names = disk.list(folder).map_err(failed_to("list", folder))?;
    if names.iter().any(|n| SegmentId::from_file_name(n).is_some()) {
        return Err(CreateError::Exists);
    }
    SegmentLog::create(disk, &config.segment_plan(), &first.encode()).map_err(|error| match error {
        AppendError::TooLarge => CreateError::TooLarge,
        AppendError::NoSegment(failure) | AppendError::Failed(failure) => {
            CreateError::Disk(failure)
        }
    })
}
