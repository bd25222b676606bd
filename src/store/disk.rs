//! The one way to files.
//!
//! Everything the store writes itself goes through [`Disk`], so that a recording twin knows every
//! write, sync, rename and folder sync, and can make the exact image a power cut would leave.
//! sled writes its own file; only the sync of it goes through here.

use std::fmt::Debug;
use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

/// What a file operation failed at. Whether it is the disk's fault or ours is the operator's to see.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("cannot {doing} `{}`: {text}", path.display())]
pub struct DiskFailure {
    /// What was attempted, as a verb.
    pub doing: &'static str,
    /// On which file or folder.
    pub path: PathBuf,
    /// Kind of the operating system's answer.
    pub kind: io::ErrorKind,
    /// The operating system's words.
    pub text: String,
}

/// Says what was attempted where, for `map_err`.
pub fn failed_to(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> DiskFailure {
    let path = path.to_owned();
    move |error| DiskFailure {
        doing,
        path,
        kind: error.kind(),
        text: error.to_string(),
    }
}

/// What kind of failure it was, in words for people.
pub fn why(kind: io::ErrorKind) -> String {
    if kind == io::ErrorKind::NotFound {
        return "no such file or folder".to_owned();
    }
    kind.to_string()
}

/// Files and folders, as the store uses them.
///
/// Durability: bytes count after [`DiskFile::sync_data`], a new name, rename or removal only
/// after [`Disk::sync_folder`] of the folder it lies in.
pub trait Disk: Send + Sync + Debug {
    /// Makes a new, empty file of mode 0600; it is an error if the name exists.
    fn create(&self, path: &Path) -> io::Result<Box<dyn DiskFile>>;
    /// Opens an existing file for reading and writing.
    fn open(&self, path: &Path) -> io::Result<Box<dyn DiskFile>>;
    /// Makes a folder of mode 0700, with those above it; it is no error if it exists.
    fn create_folder(&self, path: &Path) -> io::Result<()>;
    /// Renames a file or folder, replacing a file that has the new name.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;
    /// Removes a file.
    fn remove(&self, path: &Path) -> io::Result<()>;
    /// Removes a folder with all that is in it.
    fn remove_folder(&self, path: &Path) -> io::Result<()> {
        std::fs::remove_dir_all(path)
    }
    /// Makes names in a folder durable.
    fn sync_folder(&self, path: &Path) -> io::Result<()>;
    /// Makes the bytes of a file durable that is written by somebody else (sled).
    fn sync_foreign(&self, path: &Path) -> io::Result<()>;
    /// Names of the files and folders in a folder, sorted.
    fn list(&self, path: &Path) -> io::Result<Vec<String>>;
    /// Whether the name exists.
    fn exists(&self, path: &Path) -> bool;
}

/// An open file.
pub trait DiskFile: Send + Debug {
    /// Its length in bytes.
    fn len_bytes(&self) -> io::Result<u64>;
    /// Reads exactly `buffer.len()` bytes.
    fn read_exact_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()>;
    /// Writes all bytes.
    fn write_all_at(&self, offset: u64, bytes: &[u8]) -> io::Result<()>;
    /// Makes what was written durable (fdatasync).
    fn sync_data(&self) -> io::Result<()>;
}

/// Puts a small file in the place of the one with this name, durably and all at once.
///
/// After an error the old one may or may not be there still; never half of one.
pub fn replace_file(
    disk: &dyn Disk,
    folder: &Path,
    name: &str,
    bytes: &[u8],
) -> Result<(), DiskFailure> {
    let part = folder.join(format!("{name}.part"));
    let whole = folder.join(name);
    if disk.exists(&part) {
        disk.remove(&part).map_err(failed_to("remove", &part))?;
    }
    let file = disk.create(&part).map_err(failed_to("create", &part))?;
    file.write_all_at(0, bytes)
        .map_err(failed_to("write", &part))?;
    file.sync_data().map_err(failed_to("sync", &part))?;
    disk.rename(&part, &whole)
        .map_err(failed_to("rename", &part))?;
    disk.sync_folder(folder).map_err(failed_to("sync", folder))
}

/// Reads a whole file that is no longer than `bytes_max`.
pub fn read_file(disk: &dyn Disk, path: &Path, bytes_max: u64) -> Result<Vec<u8>, DiskFailure> {
    let file = disk.open(path).map_err(failed_to("open", path))?;
    let len_bytes = file.len_bytes().map_err(failed_to("measure", path))?;
    let too_long = || io::Error::new(io::ErrorKind::FileTooLarge, "it is too long");
    let len = usize::try_from(len_bytes).ok();
    let len = len.filter(|_| len_bytes <= bytes_max);
    let mut bytes = vec![0; len.ok_or_else(too_long).map_err(failed_to("read", path))?];
    file.read_exact_at(0, &mut bytes)
        .map_err(failed_to("read", path))?;
    Ok(bytes)
}

/// The operating system's files.
#[derive(Debug, Clone, Copy, Default)]
pub struct RealDisk;

impl Disk for RealDisk {
    fn create(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(path)?;
        Ok(Box::new(RealFile(file)))
    }

    fn open(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        Ok(Box::new(RealFile(
            OpenOptions::new().read(true).write(true).open(path)?,
        )))
    }

    fn create_folder(&self, path: &Path) -> io::Result<()> {
        use std::os::unix::fs::DirBuilderExt as _;
        std::fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(path)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        std::fs::rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        std::fs::remove_file(path)
    }

    fn sync_folder(&self, path: &Path) -> io::Result<()> {
        File::open(path)?.sync_all()
    }

    fn sync_foreign(&self, path: &Path) -> io::Result<()> {
        File::open(path)?.sync_data()
    }

    fn list(&self, path: &Path) -> io::Result<Vec<String>> {
        let mut names = std::fs::read_dir(path)?
            .map(|entry| entry.map(|e| e.file_name().to_string_lossy().into_owned()))
            .collect::<io::Result<Vec<_>>>()?;
        names.sort();
        Ok(names)
    }

    fn exists(&self, path: &Path) -> bool {
        path.exists()
    }
}

#[derive(Debug)]
struct RealFile(File);

impl DiskFile for RealFile {
    fn len_bytes(&self) -> io::Result<u64> {
        Ok(self.0.metadata()?.len())
    }

    fn read_exact_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        self.0.read_exact_at(buffer, offset)
    }

    fn write_all_at(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        self.0.write_all_at(bytes, offset)
    }

    fn sync_data(&self) -> io::Result<()> {
        self.0.sync_data()
    }
}
