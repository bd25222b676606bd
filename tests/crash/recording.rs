//! The recording disk: it knows every write, sync and change of names, and what is durable.

use std::{
    io,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use sluss::store::disk::{Disk, DiskFile, RealDisk};

use crate::{
    held::{Clients, Held},
    random::Random,
    remains::{FileRemains, NameChange, Remains},
    sled_files::SledFiles,
};

/// Name of the folder of the store.
pub(crate) const STORE: &str = "store";
/// Name of the folder of the keyring.
pub(crate) const KEYS: &str = "keys";

/// A sync that a control leaves out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LeftOut {
    /// None.
    Nothing,
    /// That of segments.
    Segments,
    /// That of the keyring.
    Keyring,
    /// That of sled's file.
    Sled,
}

/// What was there when the power was cut.
#[derive(Debug, Clone)]
pub(crate) struct Cut {
    /// What the disk may still have.
    pub(crate) remains: Remains,
    /// What clients held then.
    pub(crate) held: Held,
}

#[derive(Debug)]
struct Recorder {
    remains: Remains,
    cuts: Vec<Cut>,
    random: Random,
    /// One cut in so many changes.
    one_in: u64,
    left_out: LeftOut,
    clients: Clients,
}

/// A disk that records. What it does is done for real too, but for syncs, which cost time only.
#[derive(Debug, Clone)]
pub(crate) struct RecordingDisk {
    folder: PathBuf,
    recorder: Arc<Mutex<Recorder>>,
}

impl RecordingDisk {
    /// Records changes in the folders of store and keyring, which lie in this one.
    ///
    /// What is in them already counts as durable.
    pub(crate) fn new(
        folder: &Path,
        random: Random,
        (one_in, left_out): (u64, LeftOut),
        clients: &Clients,
    ) -> io::Result<Self> {
        let recorder = Recorder {
            remains: Remains::of_folder(folder)?,
            cuts: Vec::new(),
            random,
            one_in,
            left_out,
            clients: clients.clone(),
        };
        Ok(Self {
            folder: folder.to_owned(),
            recorder: Arc::new(Mutex::new(recorder)),
        })
    }

    /// Cuts the power here.
    pub(crate) fn cut_now(&self) -> io::Result<()> {
        self.lock().cut(&self.folder)
    }

    /// The cuts that were made, and one more now.
    pub(crate) fn cuts(&self) -> io::Result<Vec<Cut>> {
        self.cut_now()?;
        Ok(std::mem::take(&mut self.lock().cuts))
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

    /// Folder and name of a file, or of a folder in one of the two.
    fn name(&self, path: &Path) -> io::Result<Name> {
        let text = |part: &Path| part.to_string_lossy().into_owned();
        let inside = path.strip_prefix(&self.folder).map_err(io::Error::other)?;
        let folder = inside.parent().map(text).unwrap_or_default();
        let name = inside.file_name().map(Path::new).map(text);
        Ok((folder, name.unwrap_or_default()))
    }
}

impl Recorder {
    fn cut(&mut self, folder: &Path) -> io::Result<()> {
        let mut remains = self.remains.clone();
        remains.sled.at_cut = SledFiles::read(&folder.join(STORE))?;
        self.cuts.push(Cut {
            remains,
            held: self.clients.held(),
        });
        Ok(())
    }
}

/// The commit that the snapshot with this name begins at.
fn snapshot_begin(name: &str) -> Option<u64> {
    let numbers = name.strip_prefix("snapshot-")?.strip_suffix(".snap")?;
    numbers.split('-').next()?.parse().ok()
}

/// Folder and name.
type Name = (String, String);

/// Changes of names are rarer than writes, and worth more cuts.
const NAMES: u64 = 4;
/// Before a sync there is most to lose.
const SYNC: u64 = 4;

impl Disk for RecordingDisk {
    fn create(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        let mut recorder = self.before(NAMES)?;
        let file = RealDisk.create(path)?;
        let node = recorder.remains.add_file(FileRemains::default());
        let (folder, name) = self.name(path)?;
        recorder
            .remains
            .names(&folder)
            .change(NameChange::Link { name, node });
        Ok(Box::new(RecordingFile {
            file,
            node,
            disk: self.clone(),
        }))
    }

    fn open(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        let file = RealDisk.open(path)?;
        let (folder, name) = self.name(path)?;
        let node = self.lock().remains.names(&folder).current(&name);
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
        let ((folder, from), (into, to)) = (self.name(from)?, self.name(to)?);
        if folder != into {
            return Err(io::ErrorKind::CrossesDevices.into());
        }
        if from == "sled" {
            recorder.remains.sled.moved_aside(to);
        } else {
            let names = recorder.remains.names(&folder);
            names.change(NameChange::Rename { from, to });
        }
        Ok(())
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        let mut recorder = self.before(NAMES)?;
        RealDisk.remove(path)?;
        let (folder, name) = self.name(path)?;
        if let Some(begin) = snapshot_begin(&name) {
            recorder.clients.snapshot_removed(begin);
        }
        let names = recorder.remains.names(&folder);
        names.change(NameChange::Unlink { name });
        Ok(())
    }

    fn remove_folder(&self, path: &Path) -> io::Result<()> {
        // Only what was moved aside is removed, and nothing ever reads that again.
        let _recorder = self.before(NAMES)?;
        RealDisk.remove_folder(path)
    }

    fn sync_folder(&self, path: &Path) -> io::Result<()> {
        let mut recorder = self.before(NAMES)?;
        let inside = path.strip_prefix(&self.folder).unwrap_or(path);
        recorder.remains.sync_names(&inside.to_string_lossy());
        if inside == Path::new(STORE) {
            let exists = path.join("sled").exists();
            recorder.remains.sled.name_synced(exists);
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
        let mut recorder = self.disk.before(SYNC)?;
        let left_out = match recorder.left_out {
            LeftOut::Nothing | LeftOut::Sled => false,
            LeftOut::Segments => recorder.remains.has_ending(self.node, ".seg"),
            LeftOut::Keyring => recorder.remains.has_ending(self.node, "keyring"),
        };
        if let (Some(file), false) = (recorder.remains.files.get_mut(self.node), left_out) {
            file.sync();
        }
        Ok(())
    }
}
