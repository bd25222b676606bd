//! sled's own files. It writes them itself, so they are copied: when its file was last synced,
//! and when the power was cut. Each changed block is then taken from either.

use std::{fs, io, path::Path};

use crate::{random::Random, remains::Fate};

/// The files of one sled.
#[derive(Debug, Clone, Default)]
pub(crate) struct SledFiles {
    db: Vec<u8>,
    /// Its configuration and snapshots, which nobody syncs.
    others: Vec<(String, Vec<u8>)>,
}

impl SledFiles {
    /// The files in the newest sled of a folder: that in place, or the one just moved aside.
    pub(crate) fn read(folder: &Path) -> io::Result<Vec<(String, Self)>> {
        let mut found = Vec::new();
        for entry in fs::read_dir(folder)? {
            let entry = entry?;
            let name = entry.file_name().to_string_lossy().into_owned();
            if name.starts_with("sled") {
                found.push((name, Self::read_one(&entry.path())?));
            }
        }
        Ok(found)
    }

    fn read_one(folder: &Path) -> io::Result<Self> {
        let mut files = Self::default();
        for entry in fs::read_dir(folder)? {
            let entry = entry?;
            if !entry.file_type()?.is_file() {
                continue;
            }
            let name = entry.file_name().to_string_lossy().into_owned();
            let bytes = fs::read(entry.path())?;
            if name == "db" {
                files.db = bytes;
            } else {
                files.others.push((name, bytes));
            }
        }
        Ok(files)
    }
}

/// What may be left of sled.
#[derive(Debug, Clone, Default)]
pub(crate) struct SledRemains {
    /// Its file as it was at the last sync.
    pub(crate) synced: Vec<u8>,
    /// All sleds as they were when the power was cut, by folder.
    pub(crate) at_cut: Vec<(String, SledFiles)>,
    /// Whether the folder's name is durable.
    named: bool,
    /// The name the one before was moved to, while that is not durable.
    aside: Option<(String, Vec<u8>)>,
}

impl SledRemains {
    /// A sled in which everything is durable.
    pub(crate) fn of_folder(folder: &Path) -> io::Result<Self> {
        let sled = folder.join("sled");
        let synced = if sled.join("db").exists() {
            fs::read(sled.join("db"))?
        } else {
            Vec::new()
        };
        Ok(Self {
            synced,
            named: sled.exists(),
            ..Self::default()
        })
    }

    pub(crate) fn moved_aside(&mut self, to: String) {
        self.aside = Some((to, std::mem::take(&mut self.synced)));
        self.named = false;
    }

    pub(crate) fn name_synced(&mut self, exists: bool) {
        self.aside = None;
        self.named = exists;
    }

    /// Writes what may be found.
    pub(crate) fn write_image(&self, folder: &Path, random: &mut Random) -> io::Result<()> {
        let fate = Fate::any(random);
        let files = |name: &str| self.at_cut.iter().find(|(known, _)| known == name);
        let still_there = fate.version(2, random) == 0;
        // While the move is not durable, the one before may be found under the old name.
        let (files, synced) = match &self.aside {
            Some((name, synced)) if still_there => (files(name), synced),
            Some(_) => return Ok(()),
            None if !self.named && still_there => return Ok(()),
            None => (files("sled"), &self.synced),
        };
        let Some((_, files)) = files else {
            return Ok(());
        };
        let sled = folder.join("sled");
        fs::create_dir(&sled)?;
        fs::write(sled.join("db"), mix(synced, &files.db, (fate, random)))?;
        for (name, bytes) in &files.others {
            if random.once_in(8) {
                continue;
            }
            let length = if random.once_in(8) {
                bytes.len() / 2
            } else {
                bytes.len()
            };
            let bytes: Vec<u8> = bytes.iter().take(length).copied().collect();
            fs::write(sled.join(name), bytes)?;
        }
        Ok(())
    }
}

/// The file with each block from before or after.
fn mix(before: &[u8], after: &[u8], (fate, random): (Fate, &mut Random)) -> Vec<u8> {
    let block = if random.once_in(2) { 512 } else { 4096 };
    let length = match fate.version(2, random) {
        0 => before.len(),
        _ => before.len().max(after.len()),
    };
    let mut image = Vec::with_capacity(length);
    while image.len() < length {
        let from = image.len();
        let here = block.min(length.saturating_sub(from));
        let until = from.saturating_add(here);
        let (old, new) = (before.get(from..until), after.get(from..until));
        let chosen = match (old, new) {
            (Some(old), Some(new)) if old == new => new,
            (old, new) if fate.version(2, random) == 1 => new.or(old).unwrap_or_default(),
            (old, _) => old.unwrap_or_default(),
        };
        image.extend_from_slice(chosen);
        image.resize(until, 0);
    }
    image
}
