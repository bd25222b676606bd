//! The recording disk: it knows every write, sync and change of names, and what is durable.

use std::{
    io,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use sluss::store::disk::{Disk, DiskFile, RealDisk};

use crate::{
    random::Random,
    remains::{FileRemains, NameChange, Remains},
    sled_files::SledFiles,
    workload::{Promise, Promises},
};

/// A sync that a control leaves out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LeftOut {
    /// None.
    Nothing,
    /// That of segments.
    Segments,
    /// That of sled's file.
    Sled,
}

/// What was there when the power was cut.
#[derive(Debug, Clone)]
pub(crate) struct Cut {
    /// What the disk may still have.
    pub(crate) remains: Remains,
    /// What was promised before.
    pub(crate) promise: Promise,
}

#[derive(Debug)]
struct Recorder {
    remains: Remains,
    cuts: Vec<Cut>,
    random: Random,
    /// One cut in so many changes.
    one_in: u64,
    left_out: LeftOut,
    promises: Promises,
}

/// A disk that records. What it does is done for real too, but for syncs, which cost time only.
#[derive(Debug, Clone)]
pub(crate) struct RecordingDisk {
    folder: PathBuf,
    recorder: Arc<Mutex<Recorder>>,
}

impl RecordingDisk {
    /// Records changes in a folder. What is in it already counts as durable.
    pub(crate) fn new(
        folder: &Path,
        random: Random,
        (one_in, left_out): (u64, LeftOut),
        promises: &Promises,
    ) -> io::Result<Self> {
        let recorder = Recorder {
            remains: Remains::of_folder(folder)?,
            cuts: Vec::new(),
            random,
            one_in,
            left_out,
            promises: promises.clone(),
        };
        Ok(Self {
            folder: folder.to_owned(),
            recorder: Arc::new(Mutex::new(recorder)),
        })
    }

    /// The cuts that were made, and one more now.
    pub(crate) fn cuts(&self) -> io::Result<Vec<Cut>> {
        let mut recorder = self.lock();
        recorder.cut(&self.folder)?;
        Ok(std::mem::take(&mut recorder.cuts))
    }

    fn lock(&self) -> MutexGuard<'_, Recorder> {
        self.recorder.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Called before each change: the power may be cut here.
    fn before(&self, weight: u64) -> io::Result<MutexGuard<'_, Recorder>> {
        let mut recorder = self.lock();
        let one_in = recorder.one_in.checked_div(weight).unwrap_or(1);
        if recorder.random.once_in(one_in.max(1)) {
            recorder.cut(&self.folder)?;
        }
        Ok(recorder)
    }

    fn name(&self, path: &Path) -> String {
        let inside = path.strip_prefix(&self.folder).unwrap_or(path);
        inside.to_string_lossy().into_owned()
    }
}

impl Recorder {
    fn cut(&mut self, folder: &Path) -> io::Result<()> {
        let mut remains = self.remains.clone();
        remains.sled.at_cut = SledFiles::read(folder)?;
        self.cuts.push(Cut {
            remains,
            promise: self.promises.now(),
        });
        Ok(())
    }
}

/// Changes of names are rarer than writes, and worth more cuts.
const NAMES: u64 = 4;

impl Disk for RecordingDisk {
    fn create(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        let mut recorder = self.before(NAMES)?;
        let file = RealDisk.create(path)?;
        let node = recorder.remains.add_file(FileRemains::default());
        let name = self.name(path);
        recorder
            .remains
            .names
            .change(NameChange::Link { name, node });
        Ok(Box::new(RecordingFile {
            file,
            node,
            disk: self.clone(),
        }))
    }

    fn open(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        let file = RealDisk.open(path)?;
        let node = self.lock().remains.names.current(&self.name(path));
        let node = node.ok_or_else(|| io::Error::from(io::ErrorKind::NotFound))?;
        Ok(Box::new(RecordingFile {
            file,
            node,
            disk: self.clone(),
        }))
    }

    fn create_folder(&self, path: &Path) -> io::Result<()> {
        RealDisk.create_folder(path)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let mut recorder = self.before(NAMES)?;
        RealDisk.rename(from, to)?;
        let (from, to) = (self.name(from), self.name(to));
        if from == "sled" {
            recorder.remains.sled.moved_aside(to);
        } else {
            recorder
                .remains
                .names
                .change(NameChange::Rename { from, to });
        }
        Ok(())
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        let mut recorder = self.before(NAMES)?;
        RealDisk.remove(path)?;
        let name = self.name(path);
        recorder.remains.names.change(NameChange::Unlink { name });
        Ok(())
    }

    fn remove_folder(&self, path: &Path) -> io::Result<()> {
        // Only what was moved aside is removed, and nothing ever reads that again.
        let _recorder = self.before(NAMES)?;
        RealDisk.remove_folder(path)
    }

    fn sync_folder(&self, path: &Path) -> io::Result<()> {
        let mut recorder = self.before(NAMES)?;
        if path == self.folder {
            recorder.remains.names.sync();
            recorder
                .remains
                .sled
                .name_synced(path.join("sled").exists());
        }
        Ok(())
    }

    fn sync_foreign(&self, path: &Path) -> io::Result<()> {
        let mut recorder = self.before(NAMES)?;
        if recorder.left_out != LeftOut::Sled {
            recorder.remains.sled.synced = std::fs::read(path)?;
        }
        Ok(())
    }

    fn list(&self, path: &Path) -> io::Result<Vec<String>> {
        RealDisk.list(path)
    }

    fn exists(&self, path: &Path) -> bool {
        RealDisk.exists(path)
    }
}

#[derive(Debug)]
struct RecordingFile {
    file: Box<dyn DiskFile>,
    node: usize,
    disk: RecordingDisk,
}

impl DiskFile for RecordingFile {
    fn len_bytes(&self) -> io::Result<u64> {
        self.file.len_bytes()
    }

    fn read_exact_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        self.file.read_exact_at(offset, buffer)
    }

    fn write_all_at(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        let mut recorder = self.disk.before(1)?;
        self.file.write_all_at(offset, bytes)?;
        let offset = usize::try_from(offset).map_err(io::Error::other)?;
        if let Some(file) = recorder.remains.files.get_mut(self.node) {
            file.write(offset, bytes);
        }
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        let mut recorder = self.disk.before(1)?;
        let is_segment = recorder.remains.names.has_ending(self.node, ".seg");
        let left_out = recorder.left_out == LeftOut::Segments && is_segment;
        if let (Some(file), false) = (recorder.remains.files.get_mut(self.node), left_out) {
            file.sync();
        }
        Ok(())
    }
}
