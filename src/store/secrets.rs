//! Keys that live outside the store: a folder with one file for each, mode 0600.
//!
//! Losing the key-encryption key loses the personal data, and losing the index key makes every
//! badge unknown; so the folder is backed up, apart from the store.

use std::fs::File;
use std::io::{self, Read as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use data_encoding::HEXLOWER;
use ring::{digest, hmac};
use zeroize::Zeroizing;

use super::disk::{Disk, RealDisk};
use super::seal::SealKey;
use crate::ledger::{KeyName, SigningKey, keyed_hash};
use crate::types::{BadgeNumber, Card, CardKey, World};

/// Longest secret file in bytes.
const FILE_BYTES_MAX: u64 = 1_024;
/// Bits of the mode that let the group or others in.
const OTHERS: u32 = 0o077;

const KEK: &str = "key-encryption";
const INDEX: &str = "index";
const PIN: &str = "pin";
const PSEUDONYM: &str = "pseudonym";
const TOKEN: &str = "token";
const BODY: &str = "body";
const LOG_SIGNER: &str = "log-signer";
const FILES: [&str; 7] = [KEK, INDEX, PIN, PSEUDONYM, TOKEN, BODY, LOG_SIGNER];

/// Why secrets could not be made or read. All are the operator's to mend.
#[derive(Debug, thiserror::Error)]
pub enum SecretsError {
    /// A file is not there.
    #[error("the secret `{path}` is missing; take it from its backup")]
    Missing {
        /// The file.
        path: PathBuf,
    },
    /// Others can read a file.
    #[error("the secret `{path}` can be read by others (mode {mode:03o}); run: chmod 600 {path}")]
    Exposed {
        /// The file.
        path: PathBuf,
        /// Its mode.
        mode: u32,
    },
    /// A file does not hold what it should.
    #[error("the secret `{path}` is not {expected}")]
    Malformed {
        /// The file.
        path: PathBuf,
        /// What was expected.
        expected: &'static str,
    },
    /// A file is there already; secrets are never overwritten.
    #[error("the secret `{path}` exists already and is not overwritten")]
    Exists {
        /// The file.
        path: PathBuf,
    },
    /// The operating system refused.
    #[error("cannot {action} `{path}`: {source}")]
    Io {
        /// What was attempted.
        action: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
}

/// The key-encryption key: wraps the keys of the keyring, and nothing else.
#[derive(Debug, Clone)]
pub struct Kek(pub(super) SealKey);

/// All secrets of a site.
#[derive(Debug, Clone)]
pub struct Secrets {
    /// Wraps the keys of the keyring.
    pub kek: Kek,
    /// Under which cards and badge numbers are looked up.
    pub index: hmac::Key,
    /// Under which PINs are verified.
    pub pin: hmac::Key,
    /// Makes pseudonyms.
    pub pseudonym: hmac::Key,
    /// Authenticates resume and page tokens.
    pub token: hmac::Key,
    /// Tells whether a repeated request has the same body.
    pub body: hmac::Key,
    /// Signs checkpoints.
    pub log_signer: SigningKey,
}

impl Secrets {
    /// Makes all secrets anew in a folder, which is made if it is missing.
    ///
    /// `signer` is the name that checkpoints are signed under. Never overwrites.
    pub fn create(folder: &Path, world: &dyn World, signer: KeyName) -> Result<Self, SecretsError> {
        let disk = RealDisk;
        disk.create_folder(folder)
            .map_err(|e| io_error("make the folder", folder, e))?;
        let present = FILES.map(|name| folder.join(name));
        if let Some(path) = present.into_iter().find(|path| disk.exists(path)) {
            return Err(SecretsError::Exists { path });
        }
        for name in [KEK, INDEX, PIN, PSEUDONYM, TOKEN, BODY] {
            let text = Zeroizing::new(HEXLOWER.encode(random_32(world).as_slice()));
            write(&disk, &folder.join(name), &text)?;
        }
        let path = folder.join(LOG_SIGNER);
        let text = SigningKey::secret_text(signer, &random_32(world))
            .map_err(|_| malformed(&path, "an Ed25519 key"))?;
        write(&disk, &path, &text)?;
        disk.sync_folder(folder)
            .map_err(|e| io_error("sync the folder", folder, e))?;
        Self::load(folder)
    }

    /// Reads all secrets of a folder.
    pub fn load(folder: &Path) -> Result<Self, SecretsError> {
        let hmac_key = |name: &str| {
            let key = key_32(&folder.join(name))?;
            Ok(hmac::Key::new(hmac::HMAC_SHA256, key.as_slice()))
        };
        let signer = folder.join(LOG_SIGNER);
        let log_signer = SigningKey::parse(read(&signer)?.trim_end())
            .map_err(|_| malformed(&signer, "a line `PRIVATE+KEY+NAME+ID+BASE64`"))?;
        Ok(Self {
            kek: Kek(SealKey::from_bytes(key_32(&folder.join(KEK))?)),
            index: hmac_key(INDEX)?,
            pin: hmac_key(PIN)?,
            pseudonym: hmac_key(PSEUDONYM)?,
            token: hmac_key(TOKEN)?,
            body: hmac_key(BODY)?,
            log_signer,
        })
    }

    /// What a card is looked up by: its format, length and exact bits under the index key.
    pub fn card_key(&self, card: &Card) -> CardKey {
        let fields = [
            card.format().as_str().as_bytes(),
            &card.bit_length().to_be_bytes(),
            card.bits(),
        ];
        CardKey::from_bytes(keyed_hash(&self.index, "sluss-card/v1", &fields).prefix())
    }

    /// What a badge is looked up by: its printed number under the index key.
    pub fn number_key(&self, number: &BadgeNumber) -> [u8; 16] {
        let fields = [number.reveal().as_bytes()];
        keyed_hash(&self.index, "sluss-badge-number/v1", &fields).prefix()
    }

    /// What a request's body is compared by. Keyed: a body may be guessed.
    pub fn body_hash(&self, body: &[u8]) -> [u8; 16] {
        let hash = digest::digest(&digest::SHA256, body);
        keyed_hash(&self.body, "sluss-body/v1", &[hash.as_ref()]).prefix()
    }
}

fn random_32(world: &dyn World) -> Zeroizing<[u8; 32]> {
    let mut bytes = Zeroizing::new([0; 32]);
    world.fill_random(bytes.as_mut_slice());
    bytes
}

fn write(disk: &dyn Disk, path: &Path, text: &str) -> Result<(), SecretsError> {
    let line = Zeroizing::new(format!("{text}\n"));
    disk.create(path)
        .and_then(|file| {
            file.write_all_at(0, line.as_bytes())?;
            file.sync_data()
        })
        .map_err(|e| {
            if e.kind() == io::ErrorKind::AlreadyExists {
                return SecretsError::Exists { path: path.into() };
            }
            io_error("write", path, e)
        })
}

/// A file's text, if nobody but its owner can read it.
pub(super) fn read(path: &Path) -> Result<Zeroizing<String>, SecretsError> {
    let failed = |e: io::Error| {
        if e.kind() == io::ErrorKind::NotFound {
            return SecretsError::Missing { path: path.into() };
        }
        io_error("read", path, e)
    };
    let file = File::open(path).map_err(failed)?;
    let mode = file.metadata().map_err(failed)?.permissions().mode() & 0o777;
    if mode & OTHERS != 0 {
        let path = path.into();
        return Err(SecretsError::Exposed { path, mode });
    }
    // Room for the whole at once: a string that grows leaves copies behind.
    let room = usize::try_from(FILE_BYTES_MAX).unwrap_or(0);
    let mut text = Zeroizing::new(String::with_capacity(room));
    file.take(FILE_BYTES_MAX)
        .read_to_string(&mut text)
        .map_err(failed)?;
    Ok(text)
}

fn key_32(path: &Path) -> Result<Zeroizing<[u8; 32]>, SecretsError> {
    let text = read(path)?;
    let bytes = HEXLOWER.decode(text.trim_end().as_bytes());
    let bytes = Zeroizing::new(bytes.unwrap_or_default());
    match bytes.as_slice().try_into() {
        Ok(key) => Ok(Zeroizing::new(key)),
        Err(_) => Err(malformed(path, "a line of 64 lower-case hex digits")),
    }
}

fn malformed(path: &Path, expected: &'static str) -> SecretsError {
    let path = path.into();
    SecretsError::Malformed { path, expected }
}

fn io_error(action: &'static str, path: &Path, source: io::Error) -> SecretsError {
    let path = path.into();
    SecretsError::Io {
        action,
        path,
        source,
    }
}

#[cfg(test)]
mod tests {
    use std::fs::{self, Permissions};

    use super::super::seal::testing::CountingWorld;
    use super::*;
    use crate::types::CardFormat;

    fn create(folder: &Path) -> Result<Secrets, SecretsError> {
        let name = KeyName::parse("dc1.example").unwrap();
        Secrets::create(folder, &CountingWorld::default(), name)
    }

    fn card(format: &str, bit_length: u32, bits: &[u8]) -> Card {
        let format = CardFormat::parse(format).unwrap();
        Card::new(format, bit_length, bits.to_vec()).unwrap()
    }

    #[test]
    fn secrets_read_back() {
        let home = tempfile::tempdir().unwrap();
        let folder = home.path().join("secrets");
        let made = create(&folder).unwrap();
        let read = Secrets::load(&folder).unwrap();
        let card = card("H10301", 26, &[1, 2, 3, 0x40]);
        let number = BadgeNumber::parse("B-1042").unwrap();
        assert_eq!(made.card_key(&card), read.card_key(&card));
        assert_eq!(made.number_key(&number), read.number_key(&number));
        assert_eq!(made.body_hash(b"body"), read.body_hash(b"body"));
        assert_eq!(made.kek.0.reveal(), read.kek.0.reveal());
        assert_eq!(
            made.log_signer.verifying_key(),
            read.log_signer.verifying_key()
        );
    }

    #[test]
    fn every_file_is_of_its_own_and_for_its_owner_only() {
        let home = tempfile::tempdir().unwrap();
        create(home.path()).unwrap();
        let mut texts = Vec::new();
        for name in FILES {
            let path = home.path().join(name);
            assert_eq!(
                fs::metadata(&path).unwrap().permissions().mode() & 0o777,
                0o600
            );
            texts.push(fs::read_to_string(&path).unwrap());
        }
        texts.sort();
        texts.dedup();
        assert_eq!(texts.len(), FILES.len());
    }

    #[test]
    fn a_file_that_others_can_read_is_refused_and_named() {
        let home = tempfile::tempdir().unwrap();
        create(home.path()).unwrap();
        for name in FILES {
            let path = home.path().join(name);
            for mode in [0o640, 0o604, 0o610, 0o602] {
                fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
                let error = Secrets::load(home.path()).unwrap_err();
                assert!(matches!(error, SecretsError::Exposed { .. }), "{error}");
                let remedy = format!("run: chmod 600 {}", path.display());
                assert!(error.to_string().ends_with(&remedy), "{error}");
            }
            fs::set_permissions(&path, Permissions::from_mode(0o400)).unwrap();
        }
        assert!(Secrets::load(home.path()).is_ok());
    }

    #[test]
    fn a_missing_file_is_named() {
        let home = tempfile::tempdir().unwrap();
        create(home.path()).unwrap();
        for name in FILES {
            let (path, aside) = (home.path().join(name), home.path().join("aside"));
            fs::rename(&path, &aside).unwrap();
            let error = Secrets::load(home.path()).unwrap_err();
            assert!(
                matches!(&error, SecretsError::Missing { path: p } if *p == path),
                "{error}"
            );
            fs::rename(&aside, &path).unwrap();
        }
    }

    #[test]
    fn a_spoilt_file_is_named_without_its_content() {
        let home = tempfile::tempdir().unwrap();
        create(home.path()).unwrap();
        for name in FILES {
            let path = home.path().join(name);
            let good = fs::read(&path).unwrap();
            for bad in [&b""[..], b"planted", &good[..20], &[b'a'; 2_000]] {
                fs::write(&path, bad).unwrap();
                let error = Secrets::load(home.path()).unwrap_err();
                assert!(
                    matches!(&error, SecretsError::Malformed { path: p, .. } if *p == path),
                    "{error}"
                );
                assert!(!error.to_string().contains("planted"));
            }
            fs::write(&path, &good).unwrap();
        }
    }

    #[test]
    fn secrets_are_never_overwritten() {
        let home = tempfile::tempdir().unwrap();
        for name in FILES {
            let path = home.path().join(name);
            fs::write(&path, "old").unwrap();
            let error = create(home.path()).unwrap_err();
            assert!(matches!(error, SecretsError::Exists { .. }), "{error}");
            assert_eq!(fs::read_to_string(&path).unwrap(), "old");
            assert_eq!(fs::read_dir(home.path()).unwrap().count(), 1);
            fs::remove_file(&path).unwrap();
        }
    }

    #[test]
    fn cards_that_differ_in_anything_have_other_keys() {
        let home = tempfile::tempdir().unwrap();
        let secrets = create(home.path()).unwrap();
        let keys = [
            card("H10301", 26, &[1, 2, 3, 0x40]),
            card("H10302", 26, &[1, 2, 3, 0x40]),
            card("H10301", 27, &[1, 2, 3, 0x40]),
            card("H10301", 26, &[1, 2, 3, 0x80]),
        ]
        .map(|card| secrets.card_key(&card));
        for (index, key) in keys.iter().enumerate() {
            assert!(!keys[..index].contains(key));
        }
    }

    #[test]
    fn nothing_secret_is_shown() {
        let home = tempfile::tempdir().unwrap();
        let shown = format!("{:?}", create(home.path()).unwrap());
        for name in FILES {
            let text = fs::read_to_string(home.path().join(name)).unwrap();
            let secret = text.trim().rsplit('+').next().unwrap().to_owned();
            assert!(!shown.contains(&secret), "{name}");
        }
    }
}
