use std::{
    io,
    path::Path,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
        mpsc::{Receiver, Sender, channel},
    },
    time::Duration,
};

use crate::store::disk::{Disk, DiskFile, RealDisk};

/// What a failing disk does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
    /// The n-th change fails, those after it succeed.
    Once(u64),
    /// The n-th change and all after it fail.
    ForEver(u64),
}

/// Fails changes of files: writes, syncs, and changes of names. A write that fails is half done.
#[derive(Debug)]
pub(super) struct FailingDisk {
    fault: Fault,
    done: Arc<AtomicU64>,
}

impl FailingDisk {
    pub(super) fn new(fault: Fault) -> Self {
        Self {
            fault,
            done: Arc::default(),
        }
    }

    /// How many changes were tried.
    pub(super) fn count(&self) -> u64 {
        self.done.load(Ordering::SeqCst)
    }

    fn next(&self) -> io::Result<()> {
        next(self.fault, &self.done)
    }
}

fn next(fault: Fault, done: &AtomicU64) -> io::Result<()> {
    let number = done.fetch_add(1, Ordering::SeqCst) + 1;
    let fails = match fault {
        Fault::Once(n) => number == n,
        Fault::ForEver(n) => number >= n,
    };
    if fails {
        return Err(io::Error::other("the disk failed"));
    }
    Ok(())
}

impl Disk for FailingDisk {
    fn create(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        self.next()?;
        Ok(self.wrap(RealDisk.create(path)?))
    }

    fn open(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        Ok(self.wrap(RealDisk.open(path)?))
    }

    fn create_folder(&self, path: &Path) -> io::Result<()> {
        self.next()?;
        RealDisk.create_folder(path)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.next()?;
        RealDisk.rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        self.next()?;
        RealDisk.remove(path)
    }

    fn sync_folder(&self, path: &Path) -> io::Result<()> {
        self.next()?;
        RealDisk.sync_folder(path)
    }

    fn sync_foreign(&self, path: &Path) -> io::Result<()> {
        self.next()?;
        RealDisk.sync_foreign(path)
    }

    fn list(&self, path: &Path) -> io::Result<Vec<String>> {
        RealDisk.list(path)
    }

    fn exists(&self, path: &Path) -> bool {
        RealDisk.exists(path)
    }
}

impl FailingDisk {
    fn wrap(&self, file: Box<dyn DiskFile>) -> Box<dyn DiskFile> {
        Box::new(FailingFile {
            file,
            fault: self.fault,
            done: Arc::clone(&self.done),
        })
    }
}

#[derive(Debug)]
struct FailingFile {
    file: Box<dyn DiskFile>,
    fault: Fault,
    done: Arc<AtomicU64>,
}

impl DiskFile for FailingFile {
    fn len_bytes(&self) -> io::Result<u64> {
        self.file.len_bytes()
    }

    fn read_exact_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        self.file.read_exact_at(offset, buffer)
    }

    fn write_all_at(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        if let Err(error) = next(self.fault, &self.done) {
            self.file.write_all_at(offset, &bytes[..bytes.len() / 2])?;
            return Err(error);
        }
        self.file.write_all_at(offset, bytes)
    }

    fn sync_data(&self) -> io::Result<()> {
        next(self.fault, &self.done)?;
        self.file.sync_data()
    }
}

/// A disk with so many bytes left; what is removed does not come back.
#[derive(Debug, Clone)]
pub(super) struct SmallDisk {
    pub(super) left: Arc<AtomicU64>,
}

#[derive(Debug)]
struct SmallFile {
    file: Box<dyn DiskFile>,
    left: Arc<AtomicU64>,
}

impl Disk for SmallDisk {
    fn create(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        let (file, left) = (RealDisk.create(path)?, Arc::clone(&self.left));
        Ok(Box::new(SmallFile { file, left }))
    }

    fn open(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        let (file, left) = (RealDisk.open(path)?, Arc::clone(&self.left));
        Ok(Box::new(SmallFile { file, left }))
    }

    fn create_folder(&self, path: &Path) -> io::Result<()> {
        RealDisk.create_folder(path)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        RealDisk.rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        RealDisk.remove(path)
    }

    fn sync_folder(&self, path: &Path) -> io::Result<()> {
        RealDisk.sync_folder(path)
    }

    fn sync_foreign(&self, path: &Path) -> io::Result<()> {
        RealDisk.sync_foreign(path)
    }

    fn list(&self, path: &Path) -> io::Result<Vec<String>> {
        RealDisk.list(path)
    }

    fn exists(&self, path: &Path) -> bool {
        RealDisk.exists(path)
    }
}

impl DiskFile for SmallFile {
    fn len_bytes(&self) -> io::Result<u64> {
        self.file.len_bytes()
    }

    fn read_exact_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        self.file.read_exact_at(offset, buffer)
    }

    fn write_all_at(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        let end = offset + u64::try_from(bytes.len()).unwrap();
        let grows = end.saturating_sub(self.file.len_bytes()?);
        let left = self.left.load(Ordering::SeqCst);
        if grows > left {
            return Err(io::Error::from(io::ErrorKind::StorageFull));
        }
        self.left.store(left - grows, Ordering::SeqCst);
        self.file.write_all_at(offset, bytes)
    }

    fn sync_data(&self) -> io::Result<()> {
        self.file.sync_data()
    }
}

/// Stops a rebuild where it has opened sled, until it is let go.
#[derive(Debug)]
pub(super) struct GatedDisk {
    gate: Mutex<Receiver<()>>,
}

impl GatedDisk {
    /// The disk, and what lets rebuilds go: all of them once it is dropped.
    pub(super) fn new() -> (Arc<Self>, Sender<()>) {
        let (go, gate) = channel();
        let gate = Mutex::new(gate);
        (Arc::new(Self { gate }), go)
    }
}

impl Disk for GatedDisk {
    fn create(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        RealDisk.create(path)
    }

    fn open(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        RealDisk.open(path)
    }

    fn create_folder(&self, path: &Path) -> io::Result<()> {
        RealDisk.create_folder(path)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        RealDisk.rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        RealDisk.remove(path)
    }

    fn sync_folder(&self, path: &Path) -> io::Result<()> {
        if path.ends_with("sled") {
            // Bounded, so that a fault elsewhere fails a test rather than hanging it.
            let waited = self
                .gate
                .lock()
                .unwrap()
                .recv_timeout(Duration::from_secs(20));
            waited.unwrap_or(());
        }
        RealDisk.sync_folder(path)
    }

    fn sync_foreign(&self, path: &Path) -> io::Result<()> {
        RealDisk.sync_foreign(path)
    }

    fn list(&self, path: &Path) -> io::Result<Vec<String>> {
        RealDisk.list(path)
    }

    fn exists(&self, path: &Path) -> bool {
        RealDisk.exists(path)
    }
}
