//! The keyring's file under its three names, and what is done to whole files.
//!
//! While a keyring is written anew there are up to three names, and opening tidies up after an
//! end at any point:
//! ```text
//! keyring                   as before
//! keyring + keyring.new     being written; thrown away
//! keyring.old + .new        whole and synced; the new one gets its name
//! keyring + keyring.old     done but for wiping; wiped
//! ```

use std::path::{Path, PathBuf};

use super::disk::{Disk, DiskFile};
use super::keyring_error::{FILE_BYTES_MAX, KeyringError, io_error};

/// The names that a keyring has while it is written anew.
pub(super) struct Names {
    folder: PathBuf,
    pub(super) new: PathBuf,
    pub(super) old: PathBuf,
}

impl Names {
    pub(super) fn of(path: &Path) -> Self {
        let with = |ending: &str| {
            let mut name = path.as_os_str().to_owned();
            name.push(ending);
            PathBuf::from(name)
        };
        let folder = path.parent().filter(|folder| *folder != Path::new(""));
        Self {
            folder: folder.unwrap_or_else(|| Path::new(".")).into(),
            new: with(".new"),
            old: with(".old"),
        }
    }

    pub(super) fn sync_folder(&self, disk: &dyn Disk) -> Result<(), KeyringError> {
        disk.sync_folder(&self.folder)
            .map_err(io_error("sync the folder", &self.folder))
    }

    /// Puts a new file in place of the old, which keeps a name until it is wiped.
    pub(super) fn replace(
        &self,
        disk: &dyn Disk,
        path: &Path,
        bytes: &[u8],
    ) -> Result<Box<dyn DiskFile>, KeyringError> {
        write_new(disk, &self.new, bytes)?;
        self.sync_folder(disk)?;
        disk.rename(path, &self.old)
            .map_err(io_error("rename", path))?;
        disk.rename(&self.new, path)
            .map_err(io_error("rename", &self.new))?;
        self.sync_folder(disk)?;
        disk.open(path).map_err(io_error("open", path))
    }

    /// Finishes or undoes what an end in [`Names::replace`] left.
    pub(super) fn tidy(&self, disk: &dyn Disk, path: &Path) -> Result<(), KeyringError> {
        if !disk.exists(path) {
            if !disk.exists(&self.new) {
                return Err(KeyringError::Missing { path: path.into() });
            }
            disk.rename(&self.new, path)
                .map_err(io_error("rename", &self.new))?;
        }
        // Names that this start can see may not be durable yet.
        self.sync_folder(disk)?;
        for leftover in [&self.new, &self.old] {
            if disk.exists(leftover) {
                self.wipe_away(disk, leftover)?;
            }
        }
        Ok(())
    }

    /// Overwrites a file and removes it.
    pub(super) fn wipe_away(&self, disk: &dyn Disk, path: &Path) -> Result<(), KeyringError> {
        let file = disk.open(path).map_err(io_error("open", path))?;
        wipe(&*file, 0, path)?;
        disk.remove(path).map_err(io_error("remove", path))?;
        self.sync_folder(disk)
    }
}

pub(super) fn write_new(disk: &dyn Disk, path: &Path, bytes: &[u8]) -> Result<(), KeyringError> {
    let file = disk.create(path).map_err(io_error("create", path))?;
    file.write_all_at(0, bytes)
        .map_err(io_error("write", path))?;
    file.sync_data().map_err(io_error("sync", path))
}

/// Zeros a file from an offset on, and syncs it.
pub(super) fn wipe(file: &dyn DiskFile, from: u64, path: &Path) -> Result<(), KeyringError> {
    static CHUNK: [u8; 65_536] = [0; 65_536];
    let len_bytes = file.len_bytes().map_err(io_error("measure", path))?;
    let mut offset = from;
    while offset < len_bytes {
        let left = usize::try_from(len_bytes.saturating_sub(offset)).unwrap_or(usize::MAX);
        let chunk = CHUNK.get(..left).unwrap_or(&CHUNK);
        file.write_all_at(offset, chunk)
            .map_err(io_error("overwrite", path))?;
        offset = offset.saturating_add(count_of(chunk.len()));
    }
    file.sync_data().map_err(io_error("sync", path))
}

pub(super) fn read_all(file: &dyn DiskFile, path: &Path) -> Result<Vec<u8>, KeyringError> {
    let len_bytes = file.len_bytes().map_err(io_error("measure", path))?;
    if len_bytes > FILE_BYTES_MAX {
        return Err(KeyringError::TooMany);
    }
    let mut bytes = vec![0; usize::try_from(len_bytes).unwrap_or(0)];
    file.read_exact_at(0, &mut bytes)
        .map_err(io_error("read", path))?;
    Ok(bytes)
}

/// Offsets and counts are 64 bits wide here and on disk.
pub(super) fn count_of(count: usize) -> u64 {
    u64::try_from(count).unwrap_or(u64::MAX)
}
