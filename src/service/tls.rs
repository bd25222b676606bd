//! TLS as the machine listener speaks it: 1.3 only, a client certificate of the site required.

use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, UnixTime};
use rustls::server::{ClientHello, ResolvesServerCert, VerifierBuilderError, WebPkiClientVerifier};
use rustls::sign::CertifiedKey;
use rustls::time_provider::TimeProvider;
use rustls::{RootCertStore, ServerConfig, version};

use crate::types::World;

/// The protocol that follows the handshake (RFC 9113 §3.2).
const HTTP2: &[u8] = b"h2";

/// Certificates or keys that TLS cannot be spoken with.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A PEM file without what it should contain.
    #[error("the {0} is not the PEM text it should be")]
    Pem(&'static str),
    /// The certificates or the key do not fit.
    #[error("the certificates and keys cannot be used")]
    Unusable(#[from] rustls::Error),
    /// The site's authority cannot be a root.
    #[error("the site authority's certificate cannot verify clients")]
    Verifier(#[from] VerifierBuilderError),
}

/// The server's own certificate; replaced while connections go on.
#[derive(Debug)]
pub struct ServerCertificate {
    current: ArcSwap<CertifiedKey>,
}

impl ServerCertificate {
    /// From the text of its two PEM files.
    pub fn from_pem(certificate: &str, key: &str) -> Result<Self, TlsError> {
        Ok(Self {
            current: ArcSwap::from_pointee(certified(certificate, key)?),
        })
    }

    /// Uses another certificate for connections from now on; on an error the old one stays.
    pub fn replace(&self, certificate: &str, key: &str) -> Result<(), TlsError> {
        self.current.store(Arc::new(certified(certificate, key)?));
        Ok(())
    }
}

impl ResolvesServerCert for ServerCertificate {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.current.load_full())
    }
}

fn certified(certificate: &str, key: &str) -> Result<CertifiedKey, TlsError> {
    let chain = CertificateDer::pem_slice_iter(certificate.as_bytes())
        .collect::<Result<Vec<_>, _>>()
        .ok()
        .filter(|chain| !chain.is_empty())
        .ok_or(TlsError::Pem("server certificate"))?;
    let key =
        PrivateKeyDer::from_pem_slice(key.as_bytes()).map_err(|_| TlsError::Pem("server key"))?;
    Ok(CertifiedKey::from_der(chain, key, &provider())?)
}

fn provider() -> CryptoProvider {
    ring::default_provider()
}

/// Wall time for validity periods, from the one clock.
#[derive(Debug)]
struct WorldTime(Arc<dyn World>);

impl TimeProvider for WorldTime {
    fn current_time(&self) -> Option<UnixTime> {
        let seconds = u64::try_from(self.0.now().utc.unix()).ok()?;
        Some(UnixTime::since_unix_epoch(Duration::from_secs(seconds)))
    }
}

/// How the machine listener shakes hands.
///
/// `authority` is the PEM text of the site authority's certificate, the only root.
pub fn server_config(
    authority: &str,
    certificate: Arc<ServerCertificate>,
    world: Arc<dyn World>,
) -> Result<Arc<ServerConfig>, TlsError> {
    let provider = Arc::new(provider());
    let root = CertificateDer::from_pem_slice(authority.as_bytes())
        .map_err(|_| TlsError::Pem("site authority's certificate"))?;
    let mut roots = RootCertStore::empty();
    roots.add(root)?;
    let verifier =
        WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider))
            .build()?;
    let mut config = ServerConfig::builder_with_details(provider, Arc::new(WorldTime(world)))
        .with_protocol_versions(&[&version::TLS13])?
        .with_client_cert_verifier(verifier)
        .with_cert_resolver(certificate);
    config.alpn_protocols = vec![HTTP2.to_vec()];
    // A resumed session would not look at the end of the certificate's validity again.
    config.send_tls13_tickets = 0;
    Ok(Arc::new(config))
}
