//! The site's certificates and what is revoked of them.

use std::sync::Arc;

use super::ServeError;
use crate::config::Config;
use crate::pki::PkiFolder;
use crate::service::auth::Revocations;
use crate::service::tls::ServerCertificate;
use crate::store::disk::Disk;

/// The site's certificates, as they are read again and again.
#[derive(Debug)]
pub(super) struct Papers {
    pub(super) pki: PkiFolder,
    pub(super) revocations: Arc<Revocations>,
    pub(super) certificate: Arc<ServerCertificate>,
}

impl Papers {
    pub(super) fn read(config: &Config, disk: Arc<dyn Disk>) -> Result<Self, ServeError> {
        let pki = PkiFolder::new(&config.folders.pki, disk);
        let revocations = Arc::new(Revocations::default());
        pki.register().refresh(&revocations)?;
        let certificate = Arc::new(pki.server_certificate()?);
        Ok(Self {
            pki,
            revocations,
            certificate,
        })
    }
}
