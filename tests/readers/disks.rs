//! Disks that fail, or are slow, when they are told to.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use sluss::store::disk::{Disk, DiskFile, RealDisk};

/// What fails while the switch is on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Failing {
    /// Every write and every sync: it is not known what is on the disk then.
    Everything,
    /// New files: there is no room for any.
    NewFiles,
    /// Nothing, but a sync takes longer than a grant may be acted on.
    Slow,
}

/// How long a sync of a slow disk takes; a grant is good for 2 s.
const SLOW_SYNC: Duration = Duration::from_millis(2_300);

/// The real disk until its switch is on.
#[derive(Debug, Clone)]
pub(crate) struct SwitchedDisk {
    failing: Failing,
    is_on: Arc<AtomicBool>,
}

impl SwitchedDisk {
    /// Sound.
    pub(crate) fn new(failing: Failing) -> Self {
        let is_on = Arc::default();
        Self { failing, is_on }
    }

    /// Lets it fail from now on, or no longer.
    pub(crate) fn fails(&self, is_on: bool) {
        self.is_on.store(is_on, Ordering::SeqCst);
    }

    fn touch(&self, change: Failing) -> io::Result<()> {
        let is_it = self.failing == change || self.failing == Failing::Everything;
        if is_it && self.is_on.load(Ordering::SeqCst) {
            return Err(io::Error::from(io::ErrorKind::StorageFull));
        }
        Ok(())
    }

    fn file(&self, file: Box<dyn DiskFile>) -> Box<dyn DiskFile> {
        let disk = self.clone();
        Box::new(SwitchedFile { file, disk })
    }
}

impl Disk for SwitchedDisk {
    fn create(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        self.touch(Failing::NewFiles)?;
        Ok(self.file(RealDisk.create(path)?))
    }

    fn open(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        Ok(self.file(RealDisk.open(path)?))
    }

    fn create_folder(&self, path: &Path) -> io::Result<()> {
        self.touch(Failing::NewFiles)?;
        RealDisk.create_folder(path)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.touch(Failing::Everything)?;
        RealDisk.rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        RealDisk.remove(path)
    }

    fn sync_folder(&self, path: &Path) -> io::Result<()> {
        self.touch(Failing::Everything)?;
        RealDisk.sync_folder(path)
    }

    fn sync_foreign(&self, path: &Path) -> io::Result<()> {
        self.touch(Failing::Everything)?;
        RealDisk.sync_foreign(path)
    }

    fn list(&self, path: &Path) -> io::Result<Vec<String>> {
        RealDisk.list(path)
    }

    fn exists(&self, path: &Path) -> bool {
        RealDisk.exists(path)
    }
}

#[derive(Debug)]
struct SwitchedFile {
    file: Box<dyn DiskFile>,
    disk: SwitchedDisk,
}

impl DiskFile for SwitchedFile {
    fn len_bytes(&self) -> io::Result<u64> {
        self.file.len_bytes()
    }

    fn read_exact_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        self.file.read_exact_at(offset, buffer)
    }

    fn write_all_at(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        self.disk.touch(Failing::Everything)?;
        self.file.write_all_at(offset, bytes)
    }

    fn sync_data(&self) -> io::Result<()> {
        self.disk.touch(Failing::Everything)?;
        if self.disk.failing == Failing::Slow && self.disk.is_on.load(Ordering::SeqCst) {
            std::thread::park_timeout(SLOW_SYNC);
        }
        self.file.sync_data()
    }
}
