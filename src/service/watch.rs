//! One subscriber: reads by cursor, wakes by doorbell (invariant 4).
//!
//! A slow subscriber delays nobody: it has a cursor of its own, and after a while is told to come
//! back with its token.

use std::time::Duration;

use data_encoding::BASE64URL_NOPAD;
use tokio::sync::{mpsc, watch};
use tonic::Status;

use crate::pb::v1::watch_response::Message;
use crate::pb::v1::{Checkpoint, WatchResponse};
use crate::service::feed::FeedReader;
use crate::service::outlet::{Outlet, hung_up};
use crate::service::resume_token::Position;
use crate::service::status::{Reason, fault, fault_with};
use crate::service::tally::Place;
use crate::store::{FeedHead, SignedHead};
use crate::types::CustomerId;

/// Messages that wait for the network at most.
const BUFFER_MESSAGES: usize = 256;
/// Leaves read from the store at once.
const CHUNK_LEAVES: usize = 256;
/// How often an idle stream is sent a checkpoint.
const IDLE_BEAT: Duration = Duration::from_secs(30);
/// How often a stream looks for a checkpoint that is due.
const TICK: Duration = Duration::from_secs(1);

/// The messages of one subscriber, and how they end.
pub(super) type WatchStream = Outlet<WatchResponse>;

/// Opens a stream at a position; the task behind it ends with the stream, and gives back the
/// subscriber's place then.
pub(super) fn open(
    reader: FeedReader,
    start: Position,
    (bell, place): (watch::Receiver<FeedHead>, Place<CustomerId>),
) -> WatchStream {
    let (messages, end, stream) = Outlet::new(BUFFER_MESSAGES);
    let stopping = reader.stopping();
    let subscriber = Subscriber {
        reader,
        bell,
        messages,
        stopping,
        position: start,
    };
    tokio::spawn(async move {
        let status = subscriber.run().await;
        drop(place);
        // The receiver is gone when the subscriber has hung up: nobody is left to tell.
        let _ = end.send(Err(status));
    });
    stream
}

struct Subscriber {
    reader: FeedReader,
    bell: watch::Receiver<FeedHead>,
    messages: mpsc::Sender<WatchResponse>,
    stopping: watch::Receiver<bool>,
    position: Position,
}

impl Subscriber {
    /// Sends until the stream has to end; answers how it ends.
    async fn run(mut self) -> Status {
        let mut signed_size = None;
        let mut idle = Duration::ZERO;
        loop {
            if let Err(end) = self.send_leaves().await {
                return end;
            }
            let signed = self
                .reader
                .signed_head()
                .filter(|s| s.head.size <= self.position.next);
            let is_due = |signed: &SignedHead| {
                idle >= IDLE_BEAT || signed_size.is_none_or(|sent| sent < signed.head.size)
            };
            if let Some(signed) = signed.filter(is_due) {
                if let Err(end) = self.send_checkpoint(&signed).await {
                    return end;
                }
                signed_size = Some(signed.head.size);
                idle = Duration::ZERO;
            }
            match self.wait().await {
                Wake::Rung => idle = Duration::ZERO,
                Wake::Tick => idle = idle.saturating_add(TICK),
                Wake::HungUp => return hung_up(),
                Wake::Stopping => return fault(Reason::ShuttingDown),
            }
        }
    }

    async fn wait(&mut self) -> Wake {
        tokio::select! {
            rung = self.bell.changed() => if rung.is_ok() { Wake::Rung } else { Wake::Stopping },
            _ = self.stopping.wait_for(|stopping| *stopping) => Wake::Stopping,
            () = self.messages.closed() => Wake::HungUp,
            () = tokio::time::sleep(TICK) => Wake::Tick,
        }
    }

    async fn send_leaves(&mut self) -> Result<(), Status> {
        loop {
            let size = self.bell.borrow_and_update().size;
            let left = size.saturating_sub(self.position.next);
            if left == 0 {
                return Ok(());
            }
            let limit = usize::try_from(left)
                .unwrap_or(CHUNK_LEAVES)
                .min(CHUNK_LEAVES);
            let leaves = self.reader.leaves(self.position.next, limit).await?;
            if leaves.is_empty() {
                return Err(fault(Reason::StoreRebuilding));
            }
            for leaf in leaves {
                let next = leaf.index.saturating_add(1);
                let after = Position {
                    next,
                    ..self.position
                };
                self.send(Message::Leaf(leaf), after).await?;
                self.position = after;
            }
        }
    }

    async fn send_checkpoint(&mut self, signed: &SignedHead) -> Result<(), Status> {
        self.send(Message::Checkpoint(checkpoint(signed)), self.position)
            .await?;
        let watermark = self.reader.watermark();
        self.send(Message::Watermark(watermark), self.position)
            .await
    }

    /// Sends a message that leaves the subscriber at a position. One that cannot be sent in time
    /// ends the stream with a token from before it.
    async fn send(&mut self, message: Message, after: Position) -> Result<(), Status> {
        match tokio::time::timeout(self.reader.slow_max(), self.messages.reserve()).await {
            Ok(Ok(place)) => {
                let resume_token = self.reader.token(after);
                place.send(WatchResponse {
                    resume_token,
                    message: Some(message),
                });
                Ok(())
            }
            Ok(Err(_)) => Err(hung_up()),
            Err(_) => Err(too_slow(&self.reader.token(self.position))),
        }
    }
}

/// Why a subscriber's task goes on.
enum Wake {
    /// There is something new.
    Rung,
    /// A while has passed.
    Tick,
    /// Nobody reads any more.
    HungUp,
    /// The server stops.
    Stopping,
}

fn too_slow(resume_token: &[u8]) -> Status {
    let token = BASE64URL_NOPAD.encode(resume_token);
    fault_with(Reason::SubscriberTooSlow, [("resume_token", token)])
}

/// A signed head as it is served.
pub(super) fn checkpoint(signed: &SignedHead) -> Checkpoint {
    Checkpoint {
        tree_size: signed.head.size,
        root_hash: signed.head.root.as_bytes().to_vec(),
        note: signed.note.clone(),
    }
}
