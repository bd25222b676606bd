//! Connecting: server, its CA, our certificate and key.

use std::error::Error as _;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tonic::transport::{Certificate, Channel, ClientTlsConfig, Endpoint, Identity};
use tonic::{Request, Status};

use super::exit::Exit;
use super::identity::caller_of_certificate;
use super::probe::{self, PemFiles, alert_of};
use crate::types::{Caller, CustomerId};

/// A server that does not answer the telephone by then is not there.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// The longest a single answer may take; plans of large files are the slowest.
const CALL_TIMEOUT: Duration = Duration::from_secs(30);
/// Pings on a silent connection, so that a watch notices a cut line.
const KEEP_ALIVE_INTERVAL: Duration = Duration::from_secs(20);
/// A ping that is not answered by then ends the connection.
const KEEP_ALIVE_TIMEOUT: Duration = Duration::from_secs(10);
/// Certificates and keys are a few KiB; more is another file.
const PEM_BYTES_MAX: u64 = 64 * 1024;

/// Options that every command takes.
#[derive(Debug, Clone, Default, clap::Args)]
#[command(next_help_heading = "Connection")]
pub struct ConnectArgs {
    /// Server to call, `https://HOST:PORT` [env: `SLUSS_SERVER`]
    #[arg(long, global = true, value_name = "URL")]
    pub server: Option<String>,
    /// Folder that holds ca.pem, cert.pem and key.pem [env: `SLUSS_IDENTITY`]
    #[arg(long, global = true, value_name = "DIR")]
    pub identity: Option<PathBuf>,
    /// CA that signed the server's certificate [env: `SLUSS_CA`]
    #[arg(long, global = true, value_name = "FILE")]
    pub ca: Option<PathBuf>,
    /// Our certificate [env: `SLUSS_CERT`]
    #[arg(long, global = true, value_name = "FILE")]
    pub cert: Option<PathBuf>,
    /// Our private key [env: `SLUSS_KEY`]
    #[arg(long, global = true, value_name = "FILE")]
    pub key: Option<PathBuf>,
}

/// Why there is no connection.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConnectError {
    /// It is not said which server to call.
    #[error("which server? Give --server https://HOST:PORT, or set SLUSS_SERVER")]
    NoServer,
    /// It is not said as whom to call.
    #[error(
        "{option} is missing: give --identity with the folder that holds ca.pem, cert.pem and \
         key.pem, or set SLUSS_IDENTITY; or give {option}, or set {variable}"
    )]
    NoIdentity {
        /// The option that names the file alone.
        option: &'static str,
        /// The variable that stands for it.
        variable: &'static str,
    },
    /// The address is not one.
    #[error("--server: expected `https://HOST:PORT`, found `{0}`")]
    Address(String),
    /// A file cannot be read.
    #[error("cannot read the {what} `{}`: {detail}", path.display())]
    File {
        /// What it is to hold.
        what: &'static str,
        /// Where.
        path: PathBuf,
        /// Why not.
        detail: String,
    },
    /// Certificate, key or CA are not what they should be.
    #[error("the CA, certificate or key is not usable: {0}")]
    Identity(String),
    /// The server's certificate is not from the CA, or names another host.
    #[error("the certificate of {server} is not trusted: {detail}")]
    ServerNotTrusted {
        /// The server.
        server: String,
        /// Why not.
        detail: String,
    },
    /// The server does not want our certificate.
    #[error("{server} refused the certificate: {detail}")]
    CertificateRefused {
        /// The server.
        server: String,
        /// What it said.
        detail: String,
    },
    /// Nobody answers.
    #[error("cannot reach {server}: {detail}")]
    Unreachable {
        /// The server.
        server: String,
        /// Why not.
        detail: String,
    },
}

impl ConnectError {
    /// The exit code it stands for.
    pub fn exit(&self) -> Exit {
        match self {
            Self::NoServer
            | Self::NoIdentity { .. }
            | Self::Address(_)
            | Self::File { .. }
            | Self::Identity(_) => Exit::Usage,
            Self::ServerNotTrusted { .. } => Exit::Failure,
            Self::CertificateRefused { .. } => Exit::NotAllowed,
            Self::Unreachable { .. } => Exit::Unavailable,
        }
    }
}

/// What [`ConnectArgs`] come to once variables and the folder are looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Addresses {
    /// The server.
    pub server: String,
    /// The CA's file.
    pub ca: PathBuf,
    /// The certificate's file.
    pub cert: PathBuf,
    /// The key's file.
    pub key: PathBuf,
}

impl ConnectArgs {
    /// Options first, then the folder, then variables of the environment.
    pub fn resolve(
        &self,
        variable: impl Fn(&str) -> Option<OsString>,
    ) -> Result<Addresses, ConnectError> {
        // A variable that is set to nothing is as good as none.
        let variable = |name: &str| variable(name).filter(|value| !value.is_empty());
        let path_of = |given: &Option<PathBuf>, name: &str, option, env: &'static str| {
            let in_folder = |folder: &PathBuf| folder.join(name);
            given
                .clone()
                .or_else(|| self.identity.as_ref().map(in_folder))
                .or_else(|| variable(env).map(PathBuf::from))
                .or_else(|| {
                    variable("SLUSS_IDENTITY")
                        .map(PathBuf::from)
                        .as_ref()
                        .map(in_folder)
                })
                .ok_or(ConnectError::NoIdentity {
                    option,
                    variable: env,
                })
        };
        let from_env = || variable("SLUSS_SERVER").and_then(|value| value.into_string().ok());
        let server = self
            .server
            .clone()
            .or_else(from_env)
            .ok_or(ConnectError::NoServer)?;
        Ok(Addresses {
            server,
            ca: path_of(&self.ca, "ca.pem", "--ca", "SLUSS_CA")?,
            cert: path_of(&self.cert, "cert.pem", "--cert", "SLUSS_CERT")?,
            key: path_of(&self.key, "key.pem", "--key", "SLUSS_KEY")?,
        })
    }
}

/// A connection that is up, and who it speaks for.
#[derive(Debug, Clone)]
pub struct Connection {
    channel: Channel,
    caller: Option<Caller>,
    server: String,
    pem: PemFiles,
}

impl Connection {
    /// The channel; it connects again by itself.
    pub fn channel(&self) -> Channel {
        self.channel.clone()
    }

    /// The caller that our certificate names.
    pub fn caller(&self) -> Option<&Caller> {
        self.caller.as_ref()
    }

    /// What the server has against our certificate, where that is why a call failed.
    ///
    /// Connects once more to find out; answers nothing for a status that the server itself sent.
    pub async fn refusal(&self, status: &Status) -> Option<ConnectError> {
        status.source()?;
        let detail = probe::refusal(&self.server, &self.pem).await?;
        Some(ConnectError::CertificateRefused {
            server: self.server.clone(),
            detail,
        })
    }

    /// The customer that is meant: the one given, or the one our certificate names.
    pub fn customer(&self, given: Option<&CustomerId>) -> Option<CustomerId> {
        match (given, &self.caller) {
            (Some(customer), _) | (None, Some(Caller::Customer(customer))) => {
                Some(customer.clone())
            }
            (None, Some(Caller::Controller(_) | Caller::Desk(_) | Caller::Operator(_)) | None) => {
                None
            }
        }
    }
}

/// Connects with the options of a command.
pub async fn connect(args: &ConnectArgs) -> Result<Connection, ConnectError> {
    connect_to(&args.resolve(|name| std::env::var_os(name))?).await
}

/// Connects over TLS with a client certificate.
pub async fn connect_to(addresses: &Addresses) -> Result<Connection, ConnectError> {
    let server = addresses.server.as_str();
    if !server.starts_with("https://") {
        return Err(ConnectError::Address(server.to_owned()));
    }
    let pem = read_identity(addresses)?;
    let tls = ClientTlsConfig::new()
        .ca_certificate(Certificate::from_pem(&pem.ca))
        .identity(Identity::from_pem(&pem.cert, &pem.key));
    let endpoint = Endpoint::from_shared(server.to_owned())
        .map_err(|_| ConnectError::Address(server.to_owned()))?
        .tls_config(tls)
        .map_err(|error| ConnectError::Identity(chain(&error)))?
        .connect_timeout(CONNECT_TIMEOUT)
        .http2_keep_alive_interval(KEEP_ALIVE_INTERVAL)
        .keep_alive_timeout(KEEP_ALIVE_TIMEOUT)
        .keep_alive_while_idle(true);
    let channel = endpoint
        .connect()
        .await
        .map_err(|error| classify(server, &chain(&error)))?;
    Ok(Connection {
        channel,
        caller: caller_of_certificate(&pem.cert),
        server: server.to_owned(),
        pem,
    })
}

fn read_identity(addresses: &Addresses) -> Result<PemFiles, ConnectError> {
    let ca = read_pem("CA certificate", &addresses.ca)?;
    let cert = read_pem("certificate", &addresses.cert)?;
    refuse_open_key(&addresses.key)?;
    let key = read_pem("private key", &addresses.key)?;
    Ok(PemFiles { ca, cert, key })
}

/// A request that is given up after a while.
pub fn request<T>(message: T) -> Request<T> {
    let mut request = Request::new(message);
    request.set_timeout(CALL_TIMEOUT);
    request
}

fn classify(server: &str, detail: &str) -> ConnectError {
    let server = server.to_owned();
    if let Some(detail) = alert_of(detail) {
        return ConnectError::CertificateRefused { server, detail };
    }
    // Every one of them begins with these words, and they say nothing.
    let detail = detail.strip_prefix("transport error: ").unwrap_or(detail);
    let detail = detail.to_owned();
    if detail.contains("invalid peer certificate") {
        ConnectError::ServerNotTrusted { server, detail }
    } else {
        ConnectError::Unreachable { server, detail }
    }
}

/// An error and what is behind it, each part once.
fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        let part = error.to_string();
        if !text.contains(&part) {
            text = format!("{text}: {part}");
        }
        source = error.source();
    }
    text
}

fn read_pem(what: &'static str, path: &Path) -> Result<Vec<u8>, ConnectError> {
    let fault = |detail: String| ConnectError::File {
        what,
        path: path.to_owned(),
        detail,
    };
    let size = fs::metadata(path).map_err(|e| fault(e.to_string()))?.len();
    if size > PEM_BYTES_MAX {
        return Err(fault(format!("larger than {PEM_BYTES_MAX} bytes")));
    }
    let bytes = fs::read(path).map_err(|e| fault(e.to_string()))?;
    if bytes.windows(11).any(|window| window == b"-----BEGIN ") {
        Ok(bytes)
    } else {
        Err(fault("expected a PEM file".to_owned()))
    }
}

#[cfg(unix)]
fn refuse_open_key(path: &Path) -> Result<(), ConnectError> {
    use std::os::unix::fs::PermissionsExt as _;
    const OTHERS: u32 = 0o007;
    match fs::metadata(path) {
        Ok(file) if file.permissions().mode() & OTHERS != 0 => Err(ConnectError::File {
            what: "private key",
            path: path.to_owned(),
            detail: "everybody on this machine can read it; `chmod 600` it".to_owned(),
        }),
        // A missing file is told of where it is read.
        Ok(_) | Err(_) => Ok(()),
    }
}

#[cfg(not(unix))]
fn refuse_open_key(_: &Path) -> Result<(), ConnectError> {
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_come_before_the_folder_and_the_folder_before_variables() {
        let args = ConnectArgs {
            server: Some("https://a:1".into()),
            identity: Some("/id".into()),
            key: Some("/k.pem".into()),
            ..ConnectArgs::default()
        };
        let env = |name: &str| (name == "SLUSS_CA").then(|| "/env-ca.pem".into());
        let found = args.resolve(env).unwrap();
        assert_eq!(found.ca, PathBuf::from("/id/ca.pem"));
        assert_eq!(found.key, PathBuf::from("/k.pem"));
        assert_eq!(found.cert, PathBuf::from("/id/cert.pem"));
    }

    #[test]
    fn what_is_missing_is_named_with_its_variable() {
        let missing = ConnectArgs::default().resolve(|_| None).unwrap_err();
        assert_eq!(missing, ConnectError::NoServer);
        assert_eq!(missing.exit(), Exit::Usage);
        let set = |name: &str| match name {
            "SLUSS_SERVER" => Some("https://a:1".into()),
            "SLUSS_IDENTITY" => Some(OsString::new()),
            _ => None,
        };
        let missing = ConnectArgs::default().resolve(set).unwrap_err();
        assert!(missing.to_string().contains("--identity"), "{missing}");
        assert!(missing.to_string().contains("SLUSS_CA"), "{missing}");
    }

    #[test]
    fn failures_to_connect_are_told_apart() {
        let refused = classify(
            "s",
            "transport error: received fatal alert: CertificateRevoked",
        );
        assert_eq!(refused.exit(), Exit::NotAllowed);
        let stranger = classify("s", "invalid peer certificate: UnknownIssuer");
        assert_eq!(stranger.exit(), Exit::Failure);
        assert_eq!(
            classify("s", "connection refused").exit(),
            Exit::Unavailable
        );
    }
}
