//! The register: a file for each certificate that was issued, and one for each that was revoked.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use chrono::DateTime;
use serde::{Deserialize, Serialize};

use super::files::{at, read_text, write_new};
use super::{Issued, PkiError};
use crate::service::auth::{CertificateSerial, Revocations};
use crate::store::disk::Disk;
use crate::types::UtcTime;

/// What is known of a certificate that was issued here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Registered {
    /// Its serial number.
    pub serial: CertificateSerial,
    /// Whom it is for: `controller/north-1`, or `server`.
    pub subject: String,
    /// When it begins to count.
    pub not_before: UtcTime,
    /// When it has run out.
    pub not_after: UtcTime,
    /// Whether it was revoked.
    pub revoked: bool,
}

/// One file of the register.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct IssuedFile {
    subject: String,
    not_before: String,
    not_after: String,
}

/// The register's two folders.
#[derive(Debug, Clone)]
pub struct Register {
    disk: Arc<dyn Disk>,
    issued: PathBuf,
    revoked: PathBuf,
}

impl Register {
    /// The register in a folder for certificates. Nothing is read yet.
    pub fn new(pki: &Path, disk: Arc<dyn Disk>) -> Self {
        Self {
            disk,
            issued: pki.join("issued"),
            revoked: pki.join("revoked"),
        }
    }

    pub(super) fn create(&self) -> Result<(), PkiError> {
        for folder in [&self.issued, &self.revoked] {
            self.disk.create_folder(folder).map_err(at(folder))?;
        }
        Ok(())
    }

    /// Enters a certificate. Done before anybody gets it, so that none is out that cannot be
    /// revoked.
    pub(super) fn enter(&self, issued: &Issued) -> Result<(), PkiError> {
        let path = self.issued_path(&issued.serial);
        let file = IssuedFile {
            subject: issued.subject.to_string(),
            not_before: issued.not_before.rfc3339(),
            not_after: issued.not_after.rfc3339(),
        };
        let text = toml::to_string(&file).map_err(|_| PkiError::Content {
            path: path.clone(),
            expected: "a line of the register",
        })?;
        write_new(&*self.disk, &path, text.as_bytes())
    }

    /// Every certificate that was issued here, by subject and end.
    pub fn list(&self) -> Result<Vec<Registered>, PkiError> {
        let revoked = self.revoked()?;
        let names = self.disk.list(&self.issued).map_err(at(&self.issued))?;
        let mut all = names
            .iter()
            .filter_map(|name| name.strip_suffix(".toml"))
            .map(|serial| self.read(serial, &revoked))
            .collect::<Result<Vec<_>, _>>()?;
        all.sort_by(|a, b| (&a.subject, a.not_after).cmp(&(&b.subject, b.not_after)));
        Ok(all)
    }

    /// Makes a certificate count no longer. Doing it twice is no error.
    ///
    /// A running server cuts its connections and refuses its calls about a second later.
    pub fn revoke(&self, serial: &CertificateSerial, now: UtcTime) -> Result<(), PkiError> {
        if !self.disk.exists(&self.issued_path(serial)) {
            return Err(PkiError::NotIssued);
        }
        let path = self.revoked.join(serial.as_str());
        if self.disk.exists(&path) {
            return Ok(());
        }
        let text = format!("revoked {}\n", now.rfc3339());
        write_new(&*self.disk, &path, text.as_bytes())
    }

    /// Puts what the folder says into the set that the server asks. On an error the set stays.
    pub fn refresh(&self, revocations: &Revocations) -> Result<(), PkiError> {
        revocations.replace(self.revoked()?);
        Ok(())
    }

    /// Serial numbers of the revoked certificates. Files with other names are passed over, as an
    /// unfinished one is.
    fn revoked(&self) -> Result<BTreeSet<CertificateSerial>, PkiError> {
        let names = self.disk.list(&self.revoked).map_err(at(&self.revoked))?;
        Ok(names
            .iter()
            .filter_map(|name| CertificateSerial::parse(name).ok())
            .collect())
    }

    fn issued_path(&self, serial: &CertificateSerial) -> PathBuf {
        self.issued.join(format!("{serial}.toml"))
    }

    fn read(
        &self,
        serial: &str,
        revoked: &BTreeSet<CertificateSerial>,
    ) -> Result<Registered, PkiError> {
        let path = self.issued.join(format!("{serial}.toml"));
        let bad = |expected| PkiError::Content {
            path: path.clone(),
            expected,
        };
        let serial =
            CertificateSerial::parse(serial).map_err(|_| bad("a file named by a serial number"))?;
        let file: IssuedFile = toml::from_str(&read_text(&path)?)
            .map_err(|_| bad("a file with `subject`, `not_before` and `not_after`"))?;
        let time = |text: &str| parse_time(text).ok_or_else(|| bad("times as in RFC 3339"));
        Ok(Registered {
            not_before: time(&file.not_before)?,
            not_after: time(&file.not_after)?,
            subject: file.subject,
            revoked: revoked.contains(&serial),
            serial,
        })
    }
}

fn parse_time(text: &str) -> Option<UtcTime> {
    let time = DateTime::parse_from_rfc3339(text).ok()?;
    UtcTime::from_unix(time.timestamp()).ok()
}
