//! Keys of readers' secure channels: one file for each beside the other keys, outside the store.
//!
//! Whoever has such a key can be the reader, so a backup of the store holds none.

use std::fmt;
use std::path::{Path, PathBuf};

use data_encoding::{HEXLOWER, HEXLOWER_PERMISSIVE};
use zeroize::Zeroizing;

use super::disk::{Disk, DiskFailure, RealDisk, failed_to, replace_file};
use super::secrets::{SecretsError, read};
use crate::types::{ReaderId, World};

/// Folder of these keys within the folder of keys.
const FOLDER: &str = "readers";
/// Bytes of a key (OSDP 2.2, SCBK: AES-128).
const KEY_BYTES: usize = 16;
/// The default key, which everybody knows (OSDP 2.2, SCBK-D).
const DEFAULT_KEY: [u8; KEY_BYTES] = *b"0123456789:;<=>?";

/// A text that is no key to trust. Whoever chose it is to choose another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidReaderKey {
    /// Not 16 bytes in hexadecimal digits.
    #[error("a reader's key is 32 hexadecimal digits")]
    Malformed,
    /// The default key, with which readers come.
    #[error("this is the default key, which everybody knows")]
    Default,
    /// All bytes are the same.
    #[error("a key of equal bytes is guessed at once")]
    EqualBytes,
    /// Each byte follows the one before by the same step.
    #[error("a key that counts up or down is guessed at once")]
    Run,
}

/// Why a key could not be read or put. The door of its reader stays shut.
#[derive(Debug, thiserror::Error)]
pub enum ReaderKeyError {
    /// The file cannot be used as a secret: others can read it, or it cannot be read at all.
    #[error(transparent)]
    Secret(#[from] SecretsError),
    /// The file holds no key to trust.
    #[error("`{path}`: {fault}")]
    Invalid {
        /// The file.
        path: PathBuf,
        /// What is wrong with the key.
        fault: InvalidReaderKey,
    },
    /// The reader has a key, which was not to be replaced.
    #[error("the reader has a key already, `{path}`, which is not overwritten")]
    Exists {
        /// The file.
        path: PathBuf,
    },
    /// The operating system refused.
    #[error(transparent)]
    Disk(#[from] DiskFailure),
}

/// The key of one reader's secure channel (SCBK); never weak, never shown, wiped when dropped.
#[derive(Clone, PartialEq, Eq)]
pub struct ReaderKey(Zeroizing<[u8; KEY_BYTES]>);

impl ReaderKey {
    /// From its bytes, if they are not easily guessed.
    pub fn new(bytes: Zeroizing<[u8; KEY_BYTES]>) -> Result<Self, InvalidReaderKey> {
        if *bytes == DEFAULT_KEY {
            return Err(InvalidReaderKey::Default);
        }
        let mut steps = bytes
            .iter()
            .zip(bytes.iter().skip(1))
            .map(|(a, b)| b.wrapping_sub(*a));
        let first = steps.next();
        if steps.all(|step| Some(step) == first) {
            return Err(match first {
                Some(0) | None => InvalidReaderKey::EqualBytes,
                Some(_) => InvalidReaderKey::Run,
            });
        }
        Ok(Self(bytes))
    }

    /// A new one. Fails only where the world's entropy has failed.
    pub fn random(world: &dyn World) -> Result<Self, InvalidReaderKey> {
        let mut bytes = Zeroizing::new([0; KEY_BYTES]);
        world.fill_random(bytes.as_mut_slice());
        Self::new(bytes)
    }

    /// From 32 hexadecimal digits, large or small; white space between them is passed over.
    pub fn parse(text: &str) -> Result<Self, InvalidReaderKey> {
        // Room for the whole at once: a vector that grows leaves copies behind.
        let mut digits = Zeroizing::new(Vec::with_capacity(text.len()));
        digits.extend(text.bytes().filter(|c| !c.is_ascii_whitespace()));
        let bytes = HEXLOWER_PERMISSIVE.decode(&digits);
        let bytes = Zeroizing::new(bytes.map_err(|_| InvalidReaderKey::Malformed)?);
        let bytes = <[u8; KEY_BYTES]>::try_from(bytes.as_slice());
        Self::new(Zeroizing::new(
            bytes.map_err(|_| InvalidReaderKey::Malformed)?,
        ))
    }

    /// Its bytes, for the one line that they secure.
    pub fn reveal(&self) -> &[u8; KEY_BYTES] {
        &self.0
    }

    /// Its 32 digits, for the one time that it is shown or written.
    pub fn digits(&self) -> Zeroizing<String> {
        Zeroizing::new(HEXLOWER.encode(self.0.as_slice()))
    }
}

impl fmt::Debug for ReaderKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ReaderKey([redacted])")
    }
}

/// The keys of all readers of a site.
#[derive(Debug, Clone)]
pub struct ReaderKeys {
    keys: PathBuf,
}

impl ReaderKeys {
    /// Those in the folder `readers` of a site's folder of keys, which may not be there yet.
    pub fn new(keys: &Path) -> Self {
        Self {
            keys: keys.to_owned(),
        }
    }

    /// The key of a reader; `None` where it has none. Reads the file anew each time.
    ///
    /// Fails if others can read the file, or if what it holds is no key to trust.
    pub fn key(&self, reader: &ReaderId) -> Result<Option<ReaderKey>, ReaderKeyError> {
        let path = self.path(reader);
        let text = match read(&path) {
            Err(SecretsError::Missing { .. }) => return Ok(None),
            text => text?,
        };
        let key = ReaderKey::parse(&text);
        key.map(Some)
            .map_err(|fault| ReaderKeyError::Invalid { path, fault })
    }

    /// Keeps the first key of a reader: durable when this returns, and whole or not there.
    pub fn put(&self, reader: &ReaderId, key: &ReaderKey) -> Result<(), ReaderKeyError> {
        let path = self.path(reader);
        if RealDisk.exists(&path) {
            return Err(ReaderKeyError::Exists { path });
        }
        self.replace(reader, key)
    }

    /// Keeps a key in the place of the one before, if there was one; never half of one.
    pub fn replace(&self, reader: &ReaderId, key: &ReaderKey) -> Result<(), ReaderKeyError> {
        let folder = self.keys.join(FOLDER);
        let disk = RealDisk;
        disk.create_folder(&folder)
            .map_err(failed_to("make the folder", &folder))?;
        disk.sync_folder(&self.keys)
            .map_err(failed_to("sync the folder", &self.keys))?;
        let line = Zeroizing::new(format!("{}\n", *key.digits()));
        let name = file_name(reader);
        Ok(replace_file(&disk, &folder, &name, line.as_bytes())?)
    }

    /// Where the key of a reader lies or would lie.
    pub fn path(&self, reader: &ReaderId) -> PathBuf {
        self.keys.join(FOLDER).join(file_name(reader))
    }
}

fn file_name(reader: &ReaderId) -> String {
    format!("{reader}.key")
}

#[cfg(test)]
mod tests {
    use std::fs::{self, Permissions};
    use std::os::unix::fs::PermissionsExt as _;

    use super::super::seal::testing::CountingWorld;
    use super::*;
    use crate::types::Now;

    const DIGITS: &str = "8f3a9c0112b7e65d40f19b2ce87a6d55";

    fn reader() -> ReaderId {
        ReaderId::parse("r-1").unwrap()
    }

    fn key() -> ReaderKey {
        ReaderKey::parse(DIGITS).unwrap()
    }

    #[test]
    fn a_key_reads_back_as_it_was_put() {
        let home = tempfile::tempdir().unwrap();
        let keys = ReaderKeys::new(home.path());
        assert_eq!(keys.key(&reader()).unwrap(), None);
        keys.put(&reader(), &key()).unwrap();
        assert_eq!(keys.key(&reader()).unwrap(), Some(key()));
        let other = ReaderId::parse("r-2").unwrap();
        assert_eq!(keys.key(&other).unwrap(), None);
        let path = home.path().join("readers/r-1.key");
        let mode = fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        assert_eq!(fs::read_to_string(path).unwrap(), format!("{DIGITS}\n"));
    }

    #[test]
    fn a_key_is_replaced_only_on_purpose() {
        let home = tempfile::tempdir().unwrap();
        let keys = ReaderKeys::new(home.path());
        keys.put(&reader(), &key()).unwrap();
        let next = ReaderKey::random(&CountingWorld::default()).unwrap();
        let refused = keys.put(&reader(), &next).unwrap_err();
        assert!(
            matches!(refused, ReaderKeyError::Exists { .. }),
            "{refused}"
        );
        assert_eq!(keys.key(&reader()).unwrap(), Some(key()));
        keys.replace(&reader(), &next).unwrap();
        assert_eq!(keys.key(&reader()).unwrap(), Some(next));
        let left = fs::read_dir(home.path().join("readers")).unwrap();
        assert_eq!(left.count(), 1, "nothing half-made stays");
    }

    #[test]
    fn a_key_that_others_can_read_is_refused_and_named() {
        let home = tempfile::tempdir().unwrap();
        let keys = ReaderKeys::new(home.path());
        keys.put(&reader(), &key()).unwrap();
        let path = keys.path(&reader());
        for mode in [0o640, 0o604, 0o620] {
            fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
            let refused = keys.key(&reader()).unwrap_err().to_string();
            let remedy = format!("run: chmod 600 {}", path.display());
            assert!(refused.ends_with(&remedy), "{refused}");
        }
        fs::set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
        assert!(keys.key(&reader()).is_ok());
    }

    #[test]
    fn a_spoilt_file_is_named_without_its_content() {
        let home = tempfile::tempdir().unwrap();
        let keys = ReaderKeys::new(home.path());
        keys.put(&reader(), &key()).unwrap();
        let path = keys.path(&reader());
        let long = "5a".repeat(2_000);
        for bad in ["", "planted", "8f3a9c0112b7e65d40f19b2ce87a6d", &long] {
            fs::write(&path, bad).unwrap();
            let refused = keys.key(&reader()).unwrap_err().to_string();
            let expected = format!(
                "`{}`: a reader's key is 32 hexadecimal digits",
                path.display()
            );
            assert_eq!(refused, expected);
        }
    }

    #[test]
    fn keys_that_are_guessed_are_refused_wherever_they_come_from() {
        let refused = [
            (
                "303132333435363738393a3b3c3d3e3f",
                InvalidReaderKey::Default,
            ),
            (
                "00000000000000000000000000000000",
                InvalidReaderKey::EqualBytes,
            ),
            (
                "a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5",
                InvalidReaderKey::EqualBytes,
            ),
            ("000102030405060708090a0b0c0d0e0f", InvalidReaderKey::Run),
            ("f8f9fafbfcfdfeff0001020304050607", InvalidReaderKey::Run),
            ("0f0e0d0c0b0a09080706050403020100", InvalidReaderKey::Run),
            ("00112233445566778899aabbccddeeff", InvalidReaderKey::Run),
        ];
        let home = tempfile::tempdir().unwrap();
        let keys = ReaderKeys::new(home.path());
        keys.put(&reader(), &key()).unwrap();
        for (digits, why) in refused {
            assert_eq!(ReaderKey::parse(digits), Err(why));
            fs::write(keys.path(&reader()), digits).unwrap();
            let refused = keys.key(&reader()).unwrap_err();
            assert!(
                matches!(refused, ReaderKeyError::Invalid { fault, .. } if fault == why),
                "{refused}"
            );
        }
        let one_off = "000102030405060708090a0b0c0d0e10";
        assert!(ReaderKey::parse(one_off).is_ok());
    }

    #[test]
    fn digits_may_be_large_and_apart() {
        let apart = "8F 3A 9C 01 12 B7 E6 5D  40 F1 9B 2C E8 7A 6D 55\r\n";
        assert_eq!(ReaderKey::parse(apart), Ok(key()));
        for bad in ["8f3a", "", "0x8f3a9c0112b7e65d40f19b2ce87a6d", "8f3a9"] {
            assert_eq!(ReaderKey::parse(bad), Err(InvalidReaderKey::Malformed));
        }
    }

    /// A world whose entropy is dead.
    #[derive(Debug)]
    struct Still;

    impl World for Still {
        fn now(&self) -> Now {
            CountingWorld::default().now()
        }

        fn fill_random(&self, _: &mut [u8]) {}
    }

    #[test]
    fn dead_entropy_makes_no_key() {
        let made = ReaderKey::random(&Still);
        assert_eq!(made, Err(InvalidReaderKey::EqualBytes));
    }

    #[test]
    fn a_key_is_never_shown() {
        let shown = format!("{:?}", key());
        assert_eq!(shown, "ReaderKey([redacted])");
    }
}
