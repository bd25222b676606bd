//! A connection of a known caller, as the server reads and writes it.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::sleep;
use tokio_rustls::server::TlsStream;
use tonic::transport::server::Connected;

use super::auth::{Peer, Revocations};
use super::tally::Place;
use crate::types::{Caller, World};

/// What an HTTP/2 client says first (RFC 9113 §3.4).
pub(super) const PREFACE: [u8; 24] = *b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// A place among all connections, and one among the caller's.
pub(super) type Places = (OwnedSemaphorePermit, Place<Caller>);

/// How often it is asked whether a certificate has ended. The clock may be set meanwhile, so that
/// sleeping until the end would not do.
const CLOCK_PERIOD: Duration = Duration::from_secs(1);

/// Why a connection is cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cut {
    /// Its certificate is revoked.
    Revoked,
    /// Its certificate has ended.
    Ended,
}

impl Cut {
    fn text(self) -> &'static str {
        match self {
            Self::Revoked => "certificate revoked",
            Self::Ended => "certificate ended",
        }
    }
}

/// Waits until the certificate of a connection no longer counts.
pub(super) async fn cut(peer: Peer, revocations: Arc<Revocations>, world: Arc<dyn World>) -> Cut {
    let ended = async {
        while !peer.has_ended(world.now().utc) {
            sleep(CLOCK_PERIOD).await;
        }
    };
    tokio::select! {
        () = revocations.revoked(peer.serial.clone()) => Cut::Revoked,
        () = ended => Cut::Ended,
    }
}

/// A connection of a known caller.
///
/// Reading from it fails once its certificate no longer counts, which ends its streams too.
pub struct Io {
    stream: TlsStream<TcpStream>,
    /// What of the first bytes has not been read again yet.
    preface: &'static [u8],
    /// Ends when the certificate no longer counts; gone once that has happened.
    cut: Option<Pin<Box<dyn Future<Output = Cut> + Send>>>,
    peer: Peer,
    _places: Places,
}

impl Io {
    /// A connection whose first bytes were read and are the right ones.
    pub(super) fn new(
        stream: TlsStream<TcpStream>,
        peer: Peer,
        cut: impl Future<Output = Cut> + Send + 'static,
        places: Places,
    ) -> Self {
        Self {
            stream,
            preface: &PREFACE,
            cut: Some(Box::pin(cut)),
            peer,
            _places: places,
        }
    }

    pub(super) fn peer(&self) -> &Peer {
        &self.peer
    }

    /// Whether the certificate no longer counts; as long as it does, wakes the reader when that ends.
    fn poll_cut(&mut self, cx: &mut Context<'_>) -> bool {
        let Some(cut) = &mut self.cut else {
            return true;
        };
        let Poll::Ready(why) = cut.as_mut().poll(cx) else {
            return false;
        };
        self.cut = None;
        let Peer {
            caller,
            serial,
            connection,
            not_after: _,
        } = &self.peer;
        tracing::warn!(%connection, %caller, %serial, "connection cut: {}", why.text());
        true
    }
}

impl std::fmt::Debug for Io {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Io")
            .field("peer", &self.peer)
            .finish_non_exhaustive()
    }
}

impl Connected for Io {
    type ConnectInfo = Peer;

    fn connect_info(&self) -> Peer {
        self.peer.clone()
    }
}

impl AsyncRead for Io {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.poll_cut(cx) {
            return Poll::Ready(Err(io::ErrorKind::ConnectionAborted.into()));
        }
        if self.preface.is_empty() {
            return Pin::new(&mut self.stream).poll_read(cx, buffer);
        }
        let count = self.preface.len().min(buffer.remaining());
        let (now, later) = self.preface.split_at(count);
        buffer.put_slice(now);
        self.preface = later;
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Io {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}
