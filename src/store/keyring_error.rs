//! Why the keyring refuses.

use std::io;
use std::path::{Path, PathBuf};

use super::keyring_file::FormatError;
use super::keyring_scope::KeyScope;

/// Most scopes in one call, so that a frame stays below 4 MiB.
pub(super) const SCOPES_MAX: usize = 16_384;
/// Longest keyring in bytes: more than a million keys.
pub(super) const FILE_BYTES_MAX: u64 = 1 << 28;

/// Why the keyring could not be made, read or changed.
#[derive(Debug, thiserror::Error)]
pub enum KeyringError {
    /// There is one already, or what an interrupted change left of one.
    #[error("`{path}` exists already and is not overwritten")]
    Exists {
        /// The file.
        path: PathBuf,
    },
    /// There is none.
    #[error("the keyring `{path}` is missing; take it from its newest copy")]
    Missing {
        /// The file.
        path: PathBuf,
    },
    /// The file is something else.
    #[error("`{path}` is not a keyring")]
    NotAKeyring {
        /// The file.
        path: PathBuf,
    },
    /// A newer program wrote it.
    #[error("the keyring `{path}` has format {format}, which this program is too old for")]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its format.
        format: u32,
    },
    /// It was made under another key-encryption key.
    #[error("the keyring `{path}` belongs to another key-encryption key")]
    WrongKek {
        /// The file.
        path: PathBuf,
    },
    /// Bytes that were acknowledged have changed.
    #[error("the keyring `{path}` is damaged at byte {offset}; take it from its newest copy")]
    Damaged {
        /// The file.
        path: PathBuf,
        /// Where.
        offset: usize,
    },
    /// The key of a scope was erased; there never is another.
    #[error("what this key is for was erased, and never gets a key again")]
    Tombstoned {
        /// The scope.
        scope: KeyScope,
    },
    /// More scopes than one call takes, or more keys than a keyring does.
    #[error("a keyring takes {SCOPES_MAX} keys at once and {FILE_BYTES_MAX} bytes in all")]
    TooMany,
    /// An earlier write or sync failed: what is on disk is not known any more.
    #[error("the keyring can only be read since a write to it failed; restart when it is mended")]
    ReadOnly,
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

pub(super) fn format_error(error: FormatError, path: &Path) -> KeyringError {
    let path = path.into();
    match error {
        FormatError::NotAKeyring => KeyringError::NotAKeyring { path },
        FormatError::Newer { format } => KeyringError::Newer { path, format },
        FormatError::WrongKek => KeyringError::WrongKek { path },
        FormatError::Damaged { offset } => KeyringError::Damaged { path, offset },
    }
}

pub(super) fn io_error(
    action: &'static str,
    path: &Path,
) -> impl FnOnce(io::Error) -> KeyringError {
    let path = path.into();
    move |source| KeyringError::Io {
        action,
        path,
        source,
    }
}
