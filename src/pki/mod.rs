//! The site's own certificates: the authority, what it issued, what it revoked.
//!
//! Folder:
//! ```text
//! ca.cert.pem  ca.key.pem          the site's authority
//! server.cert.pem  server.key.pem  what this server shows
//! log.pub                          what checkpoints are checked with
//! issued/SERIAL.toml               one file for each certificate
//! revoked/SERIAL                   one file for each that no longer counts
//! ```

mod authority;
mod files;
mod folder;
mod register;

pub use authority::{Authority, Days, InvalidDays, InvalidName, Issued, ServerName, Subject};
pub use folder::PkiFolder;
pub use register::{Register, Registered};

use std::io;
use std::path::PathBuf;

use crate::service::tls::TlsError;
use crate::store::disk::why;

/// A certificate matter that failed.
#[derive(Debug, thiserror::Error)]
pub enum PkiError {
    /// A file or folder could not be read or written.
    #[error("{}: {}", path.display(), why(*kind))]
    File {
        /// The file or folder.
        path: PathBuf,
        /// Why.
        kind: io::ErrorKind,
    },
    /// A file that would be overwritten.
    #[error("{}: is there already, and is not overwritten", .0.display())]
    Exists(PathBuf),
    /// A file that does not hold what it should.
    #[error("{}: {expected}", path.display())]
    Content {
        /// The file.
        path: PathBuf,
        /// What it should hold.
        expected: &'static str,
    },
    /// A key file that others may read.
    #[error("{}: others can read this key; `chmod 600` it", .0.display())]
    Exposed(PathBuf),
    /// No certificate with this serial number was issued here.
    #[error("no certificate with this serial number was issued here; see `slussd cert list`")]
    NotIssued,
    /// Making a key or a certificate failed.
    #[error("a certificate could not be made: {0}")]
    Making(#[from] rcgen::Error),
    /// The certificates cannot be used for TLS.
    #[error(transparent)]
    Tls(#[from] TlsError),
}

#[cfg(test)]
mod tests;
