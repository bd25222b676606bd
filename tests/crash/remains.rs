//! What may be left of files after a cut, and one way in which it may be left.

use std::{collections::BTreeMap, fs, io, path::Path};

use crate::{
    random::Random,
    recording::{KEYS, STORE},
    sled_files::SledRemains,
};

/// A disk writes whole blocks of this, or tears within one.
const BLOCK: usize = 512;

/// How the unsynced is dealt with in one image.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fate {
    /// All of it is lost.
    Lost,
    /// All of it is there.
    Kept,
    /// Each part by chance.
    Mixed,
}

impl Fate {
    /// Any of them.
    pub(crate) fn any(random: &mut Random) -> Self {
        match random.below(6) {
            0 => Self::Lost,
            1 => Self::Kept,
            _ => Self::Mixed,
        }
    }

    /// One of `count` versions, the first of which is durable.
    pub(crate) fn version(self, count: usize, random: &mut Random) -> usize {
        match self {
            Self::Lost => 0,
            Self::Kept => count.saturating_sub(1),
            Self::Mixed => random.index(count),
        }
    }
}

/// A file: what is durable, and what was written since.
#[derive(Debug, Clone, Default)]
pub(crate) struct FileRemains {
    synced: Vec<u8>,
    written: Vec<(usize, Vec<u8>)>,
}

impl FileRemains {
    pub(crate) fn write(&mut self, offset: usize, bytes: &[u8]) {
        self.written.push((offset, bytes.to_vec()));
    }

    pub(crate) fn sync(&mut self) {
        for (offset, bytes) in self.written.drain(..) {
            lay(&mut self.synced, offset, &bytes);
        }
    }

    /// The file as it may be found.
    fn image(&self, fate: Fate, random: &mut Random) -> Vec<u8> {
        // A length is there or not, like a block; all that is written lies in one of these.
        let mut versions = vec![self.synced.clone()];
        for (offset, bytes) in &self.written {
            let mut next = versions.last().cloned().unwrap_or_default();
            lay(&mut next, *offset, bytes);
            versions.push(next);
        }
        let lengths: Vec<usize> = versions.iter().map(Vec::len).collect();
        let chosen = fate.version(lengths.len(), random);
        let length = lengths.get(chosen).copied().unwrap_or(0);
        let mut image = Vec::with_capacity(length);
        while image.len() < length {
            let from = image.len();
            let here = BLOCK.min(length.saturating_sub(from));
            image.extend(block(&versions, from, here, (fate, random)));
        }
        image
    }
}

/// One block in one of the versions it had, or torn between two of them.
fn block(
    versions: &[Vec<u8>],
    from: usize,
    length: usize,
    (fate, random): (Fate, &mut Random),
) -> Vec<u8> {
    let part = |version: &Vec<u8>| -> Vec<u8> {
        let mut bytes: Vec<u8> = version.iter().skip(from).take(length).copied().collect();
        bytes.resize(length, 0);
        bytes
    };
    let mut had: Vec<Vec<u8>> = versions.iter().map(part).collect();
    had.dedup();
    let chosen = fate.version(had.len(), random);
    let mut bytes = had.get(chosen).cloned().unwrap_or_default();
    let torn = fate == Fate::Mixed && random.once_in(8);
    if let (true, Some(newer)) = (torn, had.get(chosen.saturating_add(1))) {
        let until = random.index(length);
        let front = newer.iter().take(until).copied();
        let back = bytes.iter().skip(until).copied();
        bytes = front.chain(back).collect();
    }
    bytes
}

fn lay(file: &mut Vec<u8>, offset: usize, bytes: &[u8]) {
    let end = offset.saturating_add(bytes.len());
    if file.len() < end {
        file.resize(end, 0);
    }
    let target = file.iter_mut().skip(offset);
    target.zip(bytes).for_each(|(old, new)| *old = *new);
}

/// A change of names in the folder.
#[derive(Debug, Clone)]
pub(crate) enum NameChange {
    /// A name was made.
    Link { name: String, node: usize },
    /// A name went over to another.
    Rename { from: String, to: String },
    /// A name went.
    Unlink { name: String },
}

/// Names and the files they mean: the durable ones, and what was changed since.
#[derive(Debug, Clone, Default)]
pub(crate) struct Names {
    synced: BTreeMap<String, usize>,
    now: BTreeMap<String, usize>,
    changed: Vec<(NameChange, Option<usize>)>,
}

impl Names {
    pub(crate) fn change(&mut self, change: NameChange) {
        let node = match &change {
            NameChange::Link { node, .. } => Some(*node),
            NameChange::Rename { from, .. } => self.now.get(from).copied(),
            NameChange::Unlink { .. } => None,
        };
        apply(&mut self.now, &change, node);
        self.changed.push((change, node));
    }

    pub(crate) fn sync(&mut self) {
        self.synced.clone_from(&self.now);
        self.changed.clear();
    }

    pub(crate) fn current(&self, name: &str) -> Option<usize> {
        self.now.get(name).copied()
    }

    fn has_ending(&self, node: usize, ending: &str) -> bool {
        let mut names = self.now.iter().filter(|(_, known)| **known == node);
        names.any(|(name, _)| name.ends_with(ending))
    }

    fn image(&self, fate: Fate, random: &mut Random) -> BTreeMap<String, usize> {
        let mut names = self.synced.clone();
        for (change, node) in &self.changed {
            if fate.version(2, random) == 1 {
                apply(&mut names, change, *node);
            }
        }
        names
    }
}

fn apply(names: &mut BTreeMap<String, usize>, change: &NameChange, node: Option<usize>) {
    match change {
        NameChange::Link { name, node } => drop(names.insert(name.clone(), *node)),
        NameChange::Rename { from, to } => {
            names.remove(from);
            node.map(|node| names.insert(to.clone(), node));
        }
        NameChange::Unlink { name } => drop(names.remove(name)),
    }
}

/// Makes the empty folders of a site.
pub(crate) fn make_folders(folder: &Path) -> io::Result<()> {
    [STORE, KEYS]
        .iter()
        .try_for_each(|name| fs::create_dir(folder.join(name)))
}

/// All that may be left.
#[derive(Debug, Clone, Default)]
pub(crate) struct Remains {
    pub(crate) files: Vec<FileRemains>,
    folders: BTreeMap<String, Names>,
    pub(crate) sled: SledRemains,
}

impl Remains {
    /// The folders of store and keyring, in which everything is durable.
    pub(crate) fn of_folder(folder: &Path) -> io::Result<Self> {
        let mut remains = Self::default();
        for name in [STORE, KEYS] {
            remains.take_in(name, &folder.join(name))?;
        }
        remains.sled = SledRemains::of_folder(&folder.join(STORE))?;
        Ok(remains)
    }

    fn take_in(&mut self, folder: &str, path: &Path) -> io::Result<()> {
        for entry in fs::read_dir(path)? {
            let entry = entry?;
            let name = entry.file_name().to_string_lossy().into_owned();
            if entry.file_type()?.is_file() && name != "lock" {
                let synced = fs::read(entry.path())?;
                let node = self.add_file(FileRemains {
                    synced,
                    written: Vec::new(),
                });
                let names = self.names(folder);
                names.change(NameChange::Link { name, node });
            }
        }
        self.names(folder).sync();
        Ok(())
    }

    /// The names in a folder.
    pub(crate) fn names(&mut self, folder: &str) -> &mut Names {
        self.folders.entry(folder.to_owned()).or_default()
    }

    /// Makes the names in a folder durable, if it is one of those that are recorded.
    pub(crate) fn sync_names(&mut self, folder: &str) {
        if let Some(names) = self.folders.get_mut(folder) {
            names.sync();
        }
    }

    /// Whether a file has a name that ends so.
    pub(crate) fn has_ending(&self, node: usize, ending: &str) -> bool {
        let mut folders = self.folders.values();
        folders.any(|names| names.has_ending(node, ending))
    }

    pub(crate) fn add_file(&mut self, file: FileRemains) -> usize {
        self.files.push(file);
        self.files.len().saturating_sub(1)
    }

    /// Writes one image of what may be found after the cut.
    pub(crate) fn write_image(&self, folder: &Path, random: &mut Random) -> io::Result<()> {
        make_folders(folder)?;
        // sled writes when it likes: what it wrote must not sway the chance of all else.
        let mut apart = Random::new(random.next());
        for (into, names) in &self.folders {
            let fate = Fate::any(random);
            for (name, node) in names.image(fate, random) {
                let fate = Fate::any(random);
                let bytes = self.files.get(node).map(|file| file.image(fate, random));
                fs::write(folder.join(into).join(name), bytes.unwrap_or_default())?;
            }
        }
        self.sled.write_image(&folder.join(STORE), &mut apart)
    }
}
