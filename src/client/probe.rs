//! Finds out why a server hangs up: TLS 1.3 tells a client of a refused certificate only after the
//! handshake has ended on its side, and what is told then is lost between HTTP/2 and the call.

use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tonic::transport::Uri;

/// The longest a probe may take.
const PROBE_TIMEOUT: Duration = Duration::from_secs(3);
/// What an HTTP/2 client says first: the preface and empty settings (RFC 9113 section 3.4).
const HTTP2_HELLO: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";
/// Where a URL without a port leads.
const DEFAULT_PORT: u16 = 443;

/// What a server has against us, after a call to it was cut off; `None` where it talks to us, or
/// where that cannot be found out.
pub(super) async fn refusal(server: &str, pem: &PemFiles) -> Option<String> {
    tokio::time::timeout(PROBE_TIMEOUT, probe(server, pem))
        .await
        .ok()
        .flatten()
}

/// The contents of the files of an identity.
#[derive(Clone)]
pub(super) struct PemFiles {
    /// CA of the server.
    pub(super) ca: Vec<u8>,
    /// Our certificate.
    pub(super) cert: Vec<u8>,
    /// Our key.
    pub(super) key: Vec<u8>,
}

impl std::fmt::Debug for PemFiles {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("PemFiles([redacted])")
    }
}

async fn probe(server: &str, pem: &PemFiles) -> Option<String> {
    let uri: Uri = server.parse().ok()?;
    let host = uri.host()?;
    let port = uri.port_u16().unwrap_or(DEFAULT_PORT);
    let connector = TlsConnector::from(Arc::new(config(pem)?));
    let name = ServerName::try_from(host.to_owned()).ok()?;
    let tcp = TcpStream::connect((host, port)).await.ok()?;
    let mut tls = match connector.connect(name, tcp).await {
        Ok(tls) => tls,
        Err(error) => return alert_of(&error.to_string()),
    };
    let mut first = [0_u8; 1];
    // A server that hangs up may do so before it has read.
    let _ = tls.write_all(HTTP2_HELLO).await;
    let _ = tls.flush().await;
    match tls.read(&mut first).await {
        Ok(0) => Some(SILENT.to_owned()),
        Ok(_) => None,
        Err(error) => alert_of(&error.to_string()).or_else(|| Some(SILENT.to_owned())),
    }
}

/// What servers say that look at a certificate after the handshake: nothing.
const SILENT: &str = "it hangs up without a word, as for a certificate that is revoked or that \
                      names nobody it knows";

fn config(pem: &PemFiles) -> Option<ClientConfig> {
    let mut roots = RootCertStore::empty();
    for ca in CertificateDer::pem_slice_iter(&pem.ca) {
        roots.add(ca.ok()?).ok()?;
    }
    let chain = CertificateDer::pem_slice_iter(&pem.cert)
        .collect::<Result<Vec<_>, _>>()
        .ok()?;
    let key = PrivateKeyDer::from_pem_slice(&pem.key).ok()?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .ok()?
        .with_root_certificates(roots)
        .with_client_auth_cert(chain, key)
        .ok()?;
    config.alpn_protocols = vec![b"h2".to_vec()];
    Some(config)
}

/// The alert in an error of rustls.
pub(super) fn alert_of(detail: &str) -> Option<String> {
    let (_, alert) = detail.split_once("received fatal alert: ")?;
    let alert = alert.split(':').next().unwrap_or(alert).trim();
    Some(format!("it answers with the alert {alert}"))
}
