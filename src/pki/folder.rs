//! The folder with the authority, the server's certificate and the register, and the folders
//! that callers are given.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::files::{at, read_key, read_text, write_new};
use super::{Authority, Days, Issued, PkiError, Register, Subject};
use crate::service::tls::ServerCertificate;
use crate::store::disk::Disk;
use crate::types::{Caller, SiteId, World};

/// The key that checkpoints are checked with.
const LOG_KEY: &str = "log.pub";

/// The folder with the site's certificates.
#[derive(Debug, Clone)]
pub struct PkiFolder {
    disk: Arc<dyn Disk>,
    root: PathBuf,
    register: Register,
}

impl PkiFolder {
    /// The folder at this path. Nothing is read yet.
    pub fn new(root: &Path, disk: Arc<dyn Disk>) -> Self {
        Self {
            register: Register::new(root, Arc::clone(&disk)),
            root: root.to_owned(),
            disk,
        }
    }

    /// Makes the folder, and a new authority in it. Overwrites nothing.
    pub fn create(&self, site: &SiteId, world: &dyn World) -> Result<Authority, PkiError> {
        self.disk
            .create_folder(&self.root)
            .map_err(at(&self.root))?;
        self.register.create()?;
        let (authority, key) = Authority::create(site, world)?;
        self.write("ca.key.pem", key.as_bytes())?;
        self.write("ca.cert.pem", authority.certificate_pem().as_bytes())?;
        self.disk.sync_folder(&self.root).map_err(at(&self.root))?;
        Ok(authority)
    }

    /// Reads the authority with its key.
    pub fn authority(&self, site: &SiteId) -> Result<Authority, PkiError> {
        let path = self.root.join("ca.key.pem");
        let key = zeroize::Zeroizing::new(read_key(&path)?);
        Authority::from_pem(site, self.authority_pem()?, &key).map_err(|_| PkiError::Content {
            path,
            expected: "the key of the site's authority, beside `ca.cert.pem`",
        })
    }

    /// Reads the authority's certificate, as PEM.
    pub fn authority_pem(&self) -> Result<String, PkiError> {
        read_text(&self.root.join("ca.cert.pem"))
    }

    /// The register of certificates.
    pub fn register(&self) -> &Register {
        &self.register
    }

    /// Makes a certificate and enters it in the register. The caller writes it where it belongs.
    pub fn issue(
        &self,
        authority: &Authority,
        subject: Subject,
        days: Days,
        world: &dyn World,
    ) -> Result<Issued, PkiError> {
        let issued = authority.issue(subject, days, world)?;
        self.register.enter(&issued)?;
        Ok(issued)
    }

    /// Makes a certificate for a caller and writes what the caller needs into a folder:
    /// `ca.pem`, `cert.pem`, `key.pem`, and `log.pub`, the key that its feed is checked with.
    ///
    /// Overwrites nothing. If it fails half-way the certificate is in the register, and can be
    /// revoked.
    pub fn issue_identity(
        &self,
        authority: &Authority,
        caller: Caller,
        (days, out): (Days, &Path),
        world: &dyn World,
    ) -> Result<Issued, PkiError> {
        let names = ["ca.pem", "cert.pem", "key.pem", LOG_KEY].map(|name| out.join(name));
        if let Some(path) = names.iter().find(|path| self.disk.exists(path)) {
            return Err(PkiError::Exists(path.clone()));
        }
        let log_key = read_text(&self.root.join(LOG_KEY))?;
        let issued = self.issue(authority, Subject::Caller(caller), days, world)?;
        self.disk.create_folder(out).map_err(at(out))?;
        let texts = [
            authority.certificate_pem(),
            &issued.certificate_pem,
            &issued.key_pem,
            &log_key,
        ];
        for (path, text) in names.iter().zip(texts) {
            write_new(&*self.disk, path, text.as_bytes())?;
        }
        Ok(issued)
    }

    /// Writes the key that checkpoints are checked with, as `NAME+ID+BASE64`.
    pub fn write_log_key(&self, text: &str) -> Result<(), PkiError> {
        self.write(LOG_KEY, format!("{text}\n").as_bytes())
    }

    /// Writes the server's certificate and key. Overwrites nothing.
    pub fn write_server(&self, issued: &Issued) -> Result<(), PkiError> {
        self.write("server.key.pem", issued.key_pem.as_bytes())?;
        self.write("server.cert.pem", issued.certificate_pem.as_bytes())
    }

    /// Reads the server's certificate and key.
    pub fn server_certificate(&self) -> Result<ServerCertificate, PkiError> {
        let (certificate, key) = self.server_pem()?;
        Ok(ServerCertificate::from_pem(&certificate, &key)?)
    }

    /// Reads the server's certificate and key again, for connections from now on.
    /// On an error the old ones stay.
    pub fn refresh_server(&self, current: &ServerCertificate) -> Result<(), PkiError> {
        let (certificate, key) = self.server_pem()?;
        Ok(current.replace(&certificate, &key)?)
    }

    fn server_pem(&self) -> Result<(String, zeroize::Zeroizing<String>), PkiError> {
        let certificate = read_text(&self.root.join("server.cert.pem"))?;
        let key = zeroize::Zeroizing::new(read_key(&self.root.join("server.key.pem"))?);
        Ok((certificate, key))
    }

    fn write(&self, name: &str, bytes: &[u8]) -> Result<(), PkiError> {
        write_new(&*self.disk, &self.root.join(name), bytes)
    }
}
