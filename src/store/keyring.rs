//! The keyring: keys of personal data, in one small file outside everything else (DESIGN 9).
//!
//! A key is durable before anything is sealed with it. Erasing is writing the file anew without
//! exactly the keys in scope; what they sealed stays unreadable wherever its bytes linger.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use tracing::{info, instrument, warn};
use zeroize::Zeroizing;

use super::disk::{Disk, DiskFile};
pub use super::keyring_error::KeyringError;
use super::keyring_error::{FILE_BYTES_MAX, SCOPES_MAX, format_error, io_error};
use super::keyring_file::{Header, Row, encode_frame, encode_header, parse};
use super::keyring_keys::{Keys, make_keys};
use super::keyring_names::{Names, count_of, read_all, wipe, write_new};
pub use super::keyring_scope::{Category, Holder, KeyId, KeyScope};
use super::seal::{Aad, SealError};
use super::secrets::Kek;
use crate::pb::store::SealedBlob;
use crate::types::World;

/// Keys by what they are for, shared by the one writer and all readers.
///
/// Readers never wait for the disk: the file has a lock of its own.
#[derive(Debug)]
pub struct Keyring {
    disk: Arc<dyn Disk>,
    path: PathBuf,
    kek: Kek,
    file: Mutex<KeyFile>,
    keys: RwLock<Keys>,
    had_torn_end: bool,
}

/// The file as far as it is written.
#[derive(Debug)]
struct KeyFile {
    handle: Box<dyn DiskFile>,
    end: u64,
    frame_count: u64,
    next_key: u64,
    is_broken: bool,
}

impl Keyring {
    /// Makes a keyring without keys. Never overwrites one.
    pub fn create(disk: Arc<dyn Disk>, path: &Path, kek: &Kek) -> Result<Self, KeyringError> {
        let names = Names::of(path);
        let [new, old] = [&names.new, &names.old];
        if let Some(path) = [path, new, old].into_iter().find(|path| disk.exists(path)) {
            return Err(KeyringError::Exists { path: path.into() });
        }
        let header = Header {
            next_key: 1,
            last_removal: 0,
        };
        write_new(&*disk, new, &encode_header(&header, kek))?;
        disk.rename(new, path).map_err(io_error("rename", new))?;
        names.sync_folder(&*disk)?;
        Self::open(disk, path, kek)
    }

    /// Opens a keyring, finishing or undoing a change that was interrupted.
    #[instrument(name = "keyring.open", skip_all)]
    pub fn open(disk: Arc<dyn Disk>, path: &Path, kek: &Kek) -> Result<Self, KeyringError> {
        let names = Names::of(path);
        names.tidy(&*disk, path)?;
        let handle = disk.open(path).map_err(io_error("open", path))?;
        // What is read next may still be in memory only, if the program was killed.
        handle.sync_data().map_err(io_error("sync", path))?;
        let bytes = read_all(&*handle, path)?;
        let parsed = parse(&bytes, kek).map_err(|e| format_error(e, path))?;
        if parsed.is_torn {
            warn!(offset = parsed.end, "torn end of the keyring dropped");
            wipe(&*handle, count_of(parsed.end), path)?;
        }
        let (keys, next_key) = Keys::from_parsed(&parsed, kek, path)?;
        Ok(Self {
            disk,
            path: path.into(),
            kek: kek.clone(),
            file: Mutex::new(KeyFile {
                handle,
                end: count_of(parsed.end),
                frame_count: parsed.frame_count,
                next_key,
                is_broken: false,
            }),
            keys: RwLock::new(keys),
            had_torn_end: parsed.is_torn,
        })
    }

    /// Whether opening dropped a torn end: keys that were never acknowledged, unless the last
    /// bytes of the file were damaged, which looks the same.
    pub fn had_torn_end(&self) -> bool {
        self.had_torn_end
    }

    /// The keys of these scopes, in their order; those that are missing are made.
    ///
    /// On return all are durable: one write and one sync, none if nothing was missing.
    #[instrument(name = "keyring.ensure", skip_all, fields(scope_count = scopes.len()))]
    pub fn ensure(
        &self,
        scopes: &[KeyScope],
        world: &dyn World,
    ) -> Result<Vec<KeyId>, KeyringError> {
        if scopes.len() > SCOPES_MAX {
            return Err(KeyringError::TooMany);
        }
        // Whoever makes keys holds the file's lock, so nobody makes one between look and write.
        let mut file = self.lock_file();
        let missing = self.read_keys().missing(scopes)?;
        if !missing.is_empty() {
            if file.is_broken {
                return Err(KeyringError::ReadOnly);
            }
            let held = make_keys(&self.kek, &missing, file.next_key, world)?;
            let rows: Vec<Row> = held.iter().map(|k| Row::Key(k.wrapped.clone())).collect();
            self.append(&mut file, &rows)?;
            file.next_key = file.next_key.saturating_add(count_of(held.len()));
            let mut keys = self.write_keys();
            for key in held {
                keys.insert(key);
            }
        }
        let keys = self.read_keys();
        let ids = scopes.iter().map(|scope| keys.by_scope.get(scope).copied());
        ids.collect::<Option<_>>().ok_or(KeyringError::ReadOnly)
    }

    /// The key of a scope, if there is one.
    pub fn key_for(&self, scope: &KeyScope) -> Option<KeyId> {
        self.read_keys().by_scope.get(scope).copied()
    }

    /// Whether a scope was erased, and by which removal.
    pub fn tombstone(&self, scope: &KeyScope) -> Option<u64> {
        self.read_keys().tombstones.get(scope).copied()
    }

    /// All scopes that were erased.
    pub fn tombstones(&self) -> Vec<KeyScope> {
        self.read_keys().tombstones.keys().cloned().collect()
    }

    /// Number of the last removal it was told of; a store that knows of fewer is a restored one.
    pub fn last_removal(&self) -> u64 {
        self.read_keys().last_removal
    }

    /// Seals a piece of data under a key, for one place only.
    pub fn seal(
        &self,
        key: KeyId,
        aad: &Aad<'_>,
        plaintext: &[u8],
        world: &dyn World,
    ) -> Result<SealedBlob, SealError> {
        let keys = self.read_keys();
        let held = keys.by_id.get(&key).ok_or(SealError::KeyGone)?;
        let sealed = held.key.seal(&aad.encode(key.number()), plaintext, world)?;
        Ok(SealedBlob {
            key_id: key.number(),
            nonce: sealed.nonce.to_vec(),
            ciphertext: sealed.ciphertext,
        })
    }

    /// Reads what was sealed for this very place.
    pub fn unseal(
        &self,
        blob: &SealedBlob,
        aad: &Aad<'_>,
    ) -> Result<Zeroizing<Vec<u8>>, SealError> {
        let keys = self.read_keys();
        let held = keys.by_id.get(&KeyId::new(blob.key_id));
        let key = &held.ok_or(SealError::KeyGone)?.key;
        key.unseal(&blob.nonce, &aad.encode(blob.key_id), &blob.ciphertext)
    }

    /// Makes the number of a removal durable that erases no key. Lower numbers change nothing.
    #[instrument(name = "keyring.note_removal", skip_all, fields(removal))]
    pub fn note_removal(&self, removal: u64) -> Result<(), KeyringError> {
        let mut file = self.lock_file();
        if removal <= self.last_removal() {
            return Ok(());
        }
        if file.is_broken {
            return Err(KeyringError::ReadOnly);
        }
        self.append(&mut file, &[Row::Removal(removal)])?;
        self.write_keys().last_removal = removal;
        Ok(())
    }

    /// Erases the keys of exactly these scopes, for ever, and remembers the removal's number.
    ///
    /// On return the old file is overwritten. Scopes without a key are erased too: they never
    /// get one. After an error it is not known whether they are; opening again tells.
    #[instrument(name = "keyring.erase", skip_all, fields(scope_count = scopes.len(), removal))]
    pub fn erase(&self, scopes: &[KeyScope], removal: u64) -> Result<(), KeyringError> {
        let mut file = self.lock_file();
        let next = self.read_keys().without(scopes, removal);
        if next.tombstones.len() == self.read_keys().tombstones.len() {
            drop(file);
            return self.note_removal(removal);
        }
        if file.is_broken {
            return Err(KeyringError::ReadOnly);
        }
        file.is_broken = true;
        let (bytes, frame_count) = next.encode(file.next_key, &self.kek);
        let names = Names::of(&self.path);
        let handle = names.replace(&*self.disk, &self.path, &bytes)?;
        *self.write_keys() = next;
        file.handle = handle;
        file.end = count_of(bytes.len());
        file.frame_count = frame_count;
        names.wipe_away(&*self.disk, &names.old)?;
        file.is_broken = false;
        info!("keys erased");
        Ok(())
    }

    /// One write, one sync; a failure of either leaves the keyring read-only.
    fn append(&self, file: &mut KeyFile, rows: &[Row]) -> Result<(), KeyringError> {
        let frame = encode_frame(file.frame_count, rows);
        let end = file.end.saturating_add(count_of(frame.len()));
        if end > FILE_BYTES_MAX {
            return Err(KeyringError::TooMany);
        }
        file.is_broken = true;
        file.handle
            .write_all_at(file.end, &frame)
            .map_err(io_error("write", &self.path))?;
        file.handle
            .sync_data()
            .map_err(io_error("sync", &self.path))?;
        file.is_broken = false;
        file.end = end;
        file.frame_count = file.frame_count.saturating_add(1);
        Ok(())
    }

    // A thread that panicked left nothing half done: maps change only after the disk has.
    fn lock_file(&self) -> MutexGuard<'_, KeyFile> {
        self.file.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn read_keys(&self) -> RwLockReadGuard<'_, Keys> {
        self.keys.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write_keys(&self) -> RwLockWriteGuard<'_, Keys> {
        self.keys.write().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
#[path = "keyring_tests.rs"]
mod tests;
