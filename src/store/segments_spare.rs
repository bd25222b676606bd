//! The file that is prepared to become the next segment.

use std::path::{Path, PathBuf};

use super::{
    disk::{Disk, DiskFailure, DiskFile, failed_to},
    format::SegmentHeader,
};

/// How much is prepared in one go; a commit waits no longer than that takes.
const SLICE_BYTES: u64 = 1024 * 1024;
/// Its name until it is a segment.
const NAME: &str = "spare";

/// A file of zeros in the making.
#[derive(Debug)]
pub(super) struct Spare {
    file: Box<dyn DiskFile>,
    path: PathBuf,
    filled_bytes: u64,
}

impl Spare {
    /// Begins one, in place of one that was left behind.
    pub(super) fn begin(disk: &dyn Disk, folder: &Path) -> Result<Self, DiskFailure> {
        let path = folder.join(NAME);
        remove(disk, &path)?;
        Ok(Self {
            file: disk.create(&path).map_err(failed_to("create", &path))?,
            path,
            filled_bytes: 0,
        })
    }

    /// Whether it is as long as a segment.
    pub(super) fn is_filled(&self, segment_bytes: u64) -> bool {
        self.filled_bytes >= segment_bytes
    }

    /// Fills a slice with zeros and makes them durable.
    pub(super) fn fill_slice(&mut self, segment_bytes: u64) -> Result<(), DiskFailure> {
        let left = segment_bytes.saturating_sub(self.filled_bytes);
        let slice_bytes = left.min(SLICE_BYTES);
        if slice_bytes == 0 {
            return Ok(());
        }
        let zeros = vec![0; usize::try_from(slice_bytes).unwrap_or(0)];
        self.write(self.filled_bytes, &zeros)?;
        self.sync()?;
        self.filled_bytes = self.filled_bytes.saturating_add(slice_bytes);
        Ok(())
    }

    /// Writes bytes into it; they are durable when it has its name.
    pub(super) fn write(&self, offset: u64, bytes: &[u8]) -> Result<(), DiskFailure> {
        let written = self.file.write_all_at(offset, bytes);
        written.map_err(failed_to("write", &self.path))
    }

    /// Writes the header and gives the file its name. The folder is the caller's to sync.
    pub(super) fn give_name(
        self,
        disk: &dyn Disk,
        folder: &Path,
        header: &SegmentHeader,
    ) -> Result<Box<dyn DiskFile>, DiskFailure> {
        self.write(0, &header.encode())?;
        self.sync()?;
        disk.rename(&self.path, &folder.join(header.segment.file_name()))
            .map_err(failed_to("rename", &self.path))?;
        Ok(self.file)
    }

    fn sync(&self) -> Result<(), DiskFailure> {
        self.file.sync_data().map_err(failed_to("sync", &self.path))
    }
}

/// Removes one that is of no use.
pub(super) fn remove_spare(disk: &dyn Disk, folder: &Path) -> Result<(), DiskFailure> {
    remove(disk, &folder.join(NAME))
}

/// Removes what was being prepared when the program ended.
pub(super) fn remove_leftovers(disk: &dyn Disk, folder: &Path) -> Result<(), DiskFailure> {
    remove_spare(disk, folder)?;
    for name in disk.list(folder).map_err(failed_to("list", folder))? {
        if Path::new(&name).extension().is_some_and(|e| e == "part") {
            remove(disk, &folder.join(name))?;
        }
    }
    Ok(())
}

fn remove(disk: &dyn Disk, path: &Path) -> Result<(), DiskFailure> {
    if disk.exists(path) {
        disk.remove(path).map_err(failed_to("remove", path))?;
    }
    Ok(())
}
