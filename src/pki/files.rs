//! Files of the folder: written whole or not at all, and never over another.

use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use super::PkiError;
use crate::store::disk::Disk;

/// Longest file read here in bytes; certificates have about 1 KiB.
const FILE_BYTES_MAX: u64 = 65_536;

pub(super) fn at(path: &Path) -> impl FnOnce(io::Error) -> PkiError {
    let path = path.to_owned();
    move |error| PkiError::File {
        path,
        kind: error.kind(),
    }
}

/// Writes a new file of mode 0600: complete and durable under its name, or not there at all.
pub(super) fn write_new(disk: &dyn Disk, path: &Path, bytes: &[u8]) -> Result<(), PkiError> {
    if disk.exists(path) {
        return Err(PkiError::Exists(path.to_owned()));
    }
    let part = part_of(path);
    if disk.exists(&part) {
        disk.remove(&part).map_err(at(&part))?;
    }
    let file = disk.create(&part).map_err(at(&part))?;
    file.write_all_at(0, bytes).map_err(at(&part))?;
    file.sync_data().map_err(at(&part))?;
    disk.rename(&part, path).map_err(at(path))?;
    let folder = folder_of(path);
    disk.sync_folder(folder).map_err(at(folder))
}

/// The folder a file lies in.
fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}

/// The name a file has until it is complete. It ends in `.part`, which nothing here reads.
fn part_of(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".part");
    PathBuf::from(name)
}

/// Reads a short text file.
pub(super) fn read_text(path: &Path) -> Result<String, PkiError> {
    let size = std::fs::metadata(path).map_err(at(path))?;
    if size.len() > FILE_BYTES_MAX {
        return Err(PkiError::Content {
            path: path.to_owned(),
            expected: "a file of at most 65536 bytes",
        });
    }
    std::fs::read_to_string(path).map_err(at(path))
}

/// Reads a key file, which nobody but its owner may be able to read.
pub(super) fn read_key(path: &Path) -> Result<String, PkiError> {
    let mode = std::fs::metadata(path)
        .map_err(at(path))?
        .permissions()
        .mode();
    if mode & 0o077 != 0 {
        return Err(PkiError::Exposed(path.to_owned()));
    }
    read_text(path)
}
