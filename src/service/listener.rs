//! The machine listener: sockets in, connections of known callers out.
//!
//! The gRPC server alone keeps silent connections for ever and knows no limit for a peer, so
//! connections are accepted here. What reaches it has shaken hands over TLS 1.3 with a
//! certificate of this site that names one caller and is not revoked, has sent HTTP/2's first
//! bytes in time, and is within the limits. Everything else is closed, and noted with ids only.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use rustls::ServerConfig;
use tokio::io::AsyncReadExt as _;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsAcceptor;
use tokio_stream::Stream;

use super::auth::{
    CertificateRefused, CertificateSerial, ConnectionId, Peer, Revocations, identify,
};
pub use super::connection::Io;
use super::connection::{PREFACE, cut};
use super::tally::{Place, Tally};
use crate::types::{Caller, SiteId, World};

/// Connections that have passed but that the server has not taken yet; it takes them at once.
const PASSED_MAX: usize = 64;
/// Pause after a failure to accept, such as no free file descriptor, which would else spin.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// What the listener allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ListenerLimits {
    /// Connections in all, those shaking hands too.
    pub connections: u32,
    /// Connections of one caller.
    pub connections_per_peer: u32,
    /// Connections that have not named a caller yet.
    pub handshakes: u32,
    /// Of these, from one address.
    pub handshakes_per_address: u32,
    /// Time for the TLS handshake.
    pub handshake: Duration,
    /// Time from there to the first 24 bytes.
    pub first_bytes: Duration,
}

/// Why a connection was closed before it reached the server.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// No handshake in time.
    #[error("no handshake in time")]
    HandshakeTimeout,
    /// The handshake failed: no certificate, one of another authority, not TLS 1.3, no TLS.
    #[error("the handshake failed")]
    Handshake,
    /// The certificate names no caller of this site.
    #[error("{0}")]
    Certificate(#[from] CertificateRefused),
    /// The certificate is revoked.
    #[error("the certificate is revoked")]
    Revoked(Caller, CertificateSerial),
    /// The caller has as many connections as it may have.
    #[error("the caller has too many connections")]
    TooMany(Caller),
    /// No first bytes in time.
    #[error("no first bytes in time")]
    Silent(Caller),
    /// The first bytes are not HTTP/2's.
    #[error("the first bytes are not those of HTTP/2")]
    NotHttp2(Caller),
}

impl Refused {
    /// Notes it, once and with ids only. What anybody on the network can cause is not a warning.
    fn note(&self, connection: ConnectionId) {
        let reason = self.to_string();
        match self {
            Self::HandshakeTimeout | Self::Handshake => {
                tracing::info!(%connection, reason, "connection refused");
            }
            Self::Certificate(_) => tracing::warn!(%connection, reason, "connection refused"),
            Self::Revoked(caller, serial) => {
                tracing::warn!(%connection, %caller, %serial, reason, "connection refused");
            }
            Self::TooMany(caller) | Self::Silent(caller) | Self::NotHttp2(caller) => {
                tracing::warn!(%connection, %caller, reason, "connection refused");
            }
        }
    }
}

/// What a listener needs besides its socket.
#[derive(Debug)]
pub struct ListenerParts {
    /// How to shake hands (`tls::server_config`).
    pub tls: Arc<ServerConfig>,
    /// The site whose callers are let in.
    pub site: SiteId,
    /// Certificates that are not.
    pub revocations: Arc<Revocations>,
    /// The clock by which certificates end.
    pub world: Arc<dyn World>,
    /// What is allowed.
    pub limits: ListenerLimits,
}

/// Begins to accept connections. Must be called within a runtime.
///
/// Dropping the stream stops it: the socket is closed, unfinished handshakes are dropped;
/// connections that were handed out live on.
pub fn listen(socket: TcpListener, parts: ListenerParts) -> Incoming {
    let (passed, incoming) = mpsc::channel(PASSED_MAX);
    let border = Arc::new(Border::new(parts));
    let task = tokio::spawn(accept(socket, border, passed));
    Incoming { incoming, task }
}

/// The connections that have passed; for `Server::serve_with_incoming_shutdown`.
#[derive(Debug)]
pub struct Incoming {
    incoming: mpsc::Receiver<Io>,
    task: JoinHandle<()>,
}

impl Stream for Incoming {
    type Item = io::Result<Io>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.incoming.poll_recv(cx).map(|io| io.map(Ok))
    }
}

impl Drop for Incoming {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// What every connection has to pass.
struct Border {
    parts: ListenerParts,
    acceptor: TlsAcceptor,
    connections: Arc<Semaphore>,
    handshakes: Arc<Semaphore>,
    addresses: Arc<Tally<IpAddr>>,
    callers: Arc<Tally<Caller>>,
    next_id: AtomicU64,
    full: AtomicBool,
}

/// Places that a connection holds while it shakes hands, and the one it keeps.
struct Admission {
    id: ConnectionId,
    connection: OwnedSemaphorePermit,
    _handshake: OwnedSemaphorePermit,
    _address: Place<IpAddr>,
}

fn permits(count: u32) -> Arc<Semaphore> {
    let count = usize::try_from(count).unwrap_or(Semaphore::MAX_PERMITS);
    Arc::new(Semaphore::new(count.min(Semaphore::MAX_PERMITS)))
}

impl Border {
    fn new(parts: ListenerParts) -> Self {
        Self {
            acceptor: TlsAcceptor::from(Arc::clone(&parts.tls)),
            connections: permits(parts.limits.connections),
            handshakes: permits(parts.limits.handshakes),
            addresses: Tally::new(),
            callers: Tally::new(),
            next_id: AtomicU64::new(1),
            full: AtomicBool::new(false),
            parts,
        }
    }

    /// Whether there is a place for another connection. Notes when places run out, not each
    /// connection that finds none.
    fn admit(&self, from: SocketAddr) -> Option<Admission> {
        let per_address = self.parts.limits.handshakes_per_address;
        let places = || {
            Some((
                Arc::clone(&self.connections).try_acquire_owned().ok()?,
                Arc::clone(&self.handshakes).try_acquire_owned().ok()?,
                self.addresses.take(from.ip(), per_address)?,
            ))
        };
        let Some((connection, handshake, address)) = places() else {
            if !self.full.swap(true, Ordering::Relaxed) {
                tracing::warn!("connections are refused: no place left");
            }
            return None;
        };
        self.full.store(false, Ordering::Relaxed);
        Some(Admission {
            id: ConnectionId(self.next_id.fetch_add(1, Ordering::Relaxed)),
            connection,
            _handshake: handshake,
            _address: address,
        })
    }

    /// Takes a connection from its first byte to its first request.
    async fn pass(&self, socket: TcpStream, admission: Admission) -> Result<Io, Refused> {
        let limits = &self.parts.limits;
        let mut stream = timeout(limits.handshake, self.acceptor.accept(socket))
            .await
            .map_err(|_| Refused::HandshakeTimeout)?
            .map_err(|_| Refused::Handshake)?;
        let certificate = stream.get_ref().1.peer_certificates();
        let certificate = certificate
            .and_then(<[_]>::first)
            .ok_or(Refused::Handshake)?;
        let identity = identify(certificate, &self.parts.site)?;
        let caller = identity.caller.clone();
        if self.parts.revocations.contains(&identity.serial) {
            return Err(Refused::Revoked(caller, identity.serial));
        }
        let place = self
            .callers
            .take(caller.clone(), limits.connections_per_peer)
            .ok_or_else(|| Refused::TooMany(caller.clone()))?;
        let mut first = [0; PREFACE.len()];
        match timeout(limits.first_bytes, stream.read_exact(&mut first)).await {
            Ok(Ok(_)) if first == PREFACE => {}
            Ok(_) => return Err(Refused::NotHttp2(caller)),
            Err(_) => return Err(Refused::Silent(caller)),
        }
        let peer = Peer {
            caller,
            serial: identity.serial,
            not_after: identity.not_after,
            connection: admission.id,
        };
        let places = (admission.connection, place);
        let cut = cut(
            peer.clone(),
            Arc::clone(&self.parts.revocations),
            Arc::clone(&self.parts.world),
        );
        Ok(Io::new(stream, peer, cut, places))
    }
}

/// Accepts until nobody takes connections any more.
async fn accept(socket: TcpListener, border: Arc<Border>, passed: mpsc::Sender<Io>) {
    let mut handshakes = JoinSet::new();
    loop {
        tokio::select! {
            () = passed.closed() => return,
            Some(done) = handshakes.join_next() => note_end(done),
            accepted = socket.accept() => match accepted {
                Ok((stream, from)) => {
                    if let Some(admission) = border.admit(from) {
                        let (border, passed) = (Arc::clone(&border), passed.clone());
                        handshakes.spawn(hand_over(border, stream, admission, passed));
                    }
                }
                Err(error) => {
                    tracing::warn!(kind = %error.kind(), "a connection could not be accepted");
                    sleep(ACCEPT_PAUSE).await;
                }
            },
        }
    }
}

fn note_end(done: Result<(), tokio::task::JoinError>) {
    if done.is_err_and(|error| error.is_panic()) {
        tracing::error!("a handshake ended in a panic; its connection is closed");
    }
}

async fn hand_over(
    border: Arc<Border>,
    socket: TcpStream,
    admission: Admission,
    passed: mpsc::Sender<Io>,
) {
    let id = admission.id;
    // Answers are small and awaited; a socket that does not know the option is only slower.
    let _slower = socket.set_nodelay(true);
    match border.pass(socket, admission).await {
        Ok(io) => {
            tracing::debug!(connection = %id, caller = %io.peer().caller, "connection accepted");
            // If nobody takes it any more the server is stopping, and it is closed.
            let _stopping = passed.send(io).await;
        }
        Err(refused) => refused.note(id),
    }
}
