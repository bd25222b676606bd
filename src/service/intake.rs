//! Uploads on their way in: how many at once, and how long one may take.
//!
//! An upload is read into memory and lasts as long as its sender likes, so it needs a place
//! before its first message is read, and loses it when it stands still.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Sleep, sleep, timeout};
use tokio_stream::{Stream, StreamExt as _};
use tonic::Status;

use super::status::{Reason, fault};
use super::tally::{Place, Tally};
use crate::types::Caller;

/// Uploads of one caller on their way in at most.
const PER_CALLER_MAX: u32 = 2;
/// Uploads of all callers on their way in at most: 64 MiB of wire bytes.
const ALL_MAX: usize = 8;
/// Longest time from one message to the next.
const PAUSE_MAX: Duration = Duration::from_secs(10);
/// Longest time for a whole upload: 8 MiB at 14 kB/s. Without it, a sender of one message every
/// 9 s would keep its place for ever.
const WHOLE_MAX: Duration = Duration::from_mins(10);

/// The places of uploads on their way in.
#[derive(Debug)]
pub(super) struct Intake {
    callers: Arc<Tally<Caller>>,
    all: Arc<Semaphore>,
    pause: Duration,
    whole: Duration,
}

impl Intake {
    /// With all places free.
    pub(super) fn new() -> Self {
        Self::with_times(PAUSE_MAX, WHOLE_MAX)
    }

    fn with_times(pause: Duration, whole: Duration) -> Self {
        Self {
            callers: Tally::new(),
            all: Arc::new(Semaphore::new(ALL_MAX)),
            pause,
            whole,
        }
    }

    /// Takes a place for an upload; its messages are read through what this answers.
    pub(super) fn begin<S>(&self, caller: &Caller, messages: S) -> Result<Arriving<S>, Status> {
        let places = || {
            let own = self.callers.take(caller.clone(), PER_CALLER_MAX)?;
            Some((own, Arc::clone(&self.all).try_acquire_owned().ok()?))
        };
        Ok(Arriving {
            _places: places().ok_or_else(|| fault(Reason::TooManyStreams))?,
            messages,
            pause: self.pause,
            end: Box::pin(sleep(self.whole)),
        })
    }
}

/// An upload on its way in; gives its place back when dropped.
#[derive(Debug)]
pub(super) struct Arriving<S> {
    _places: (Place<Caller>, OwnedSemaphorePermit),
    messages: S,
    pause: Duration,
    end: Pin<Box<Sleep>>,
}

impl<S> Arriving<S> {
    /// The next message; `None` after the last one.
    pub(super) async fn next<M>(&mut self) -> Result<Option<M>, Status>
    where
        S: Stream<Item = Result<M, Status>> + Unpin,
    {
        let next = timeout(self.pause, self.messages.next());
        tokio::select! {
            biased;
            () = self.end.as_mut() => Err(fault(Reason::UploadStalled)),
            next = next => match next {
                Ok(message) => message.transpose(),
                Err(_) => Err(fault(Reason::UploadStalled)),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio_stream::{iter, pending};
    use tonic_types::StatusExt as _;

    use super::*;

    const SHORT: Duration = Duration::from_millis(20);
    const LONG: Duration = Duration::from_mins(1);

    type Message = Result<u8, Status>;

    fn caller(id: &str) -> Caller {
        Caller::Operator(id.into())
    }

    fn reason(status: &Status) -> String {
        status.get_details_error_info().unwrap().reason
    }

    #[tokio::test]
    async fn a_caller_has_two_uploads_on_their_way_at_most() {
        let intake = Intake::new();
        let begin = |id| intake.begin(&caller(id), pending::<Message>());
        let first = begin("a").unwrap();
        let _second = begin("a").unwrap();
        assert_eq!(reason(&begin("a").unwrap_err()), "TOO_MANY_STREAMS");
        assert!(begin("b").is_ok(), "another caller has its own");
        drop(first);
        assert!(begin("a").is_ok(), "a place comes back");
    }

    #[tokio::test]
    async fn eight_uploads_are_on_their_way_at_most() {
        let intake = Intake::new();
        let begin = |id: u32| intake.begin(&caller(&id.to_string()), pending::<Message>());
        let mut held: Vec<_> = (0..8).map(|n| begin(n / 2).unwrap()).collect();
        assert_eq!(reason(&begin(9).unwrap_err()), "TOO_MANY_STREAMS");
        held.pop();
        assert!(begin(9).is_ok(), "and who was refused holds no place");
    }

    #[tokio::test]
    async fn an_upload_that_stands_still_ends() {
        let intake = Intake::with_times(SHORT, LONG);
        let messages = iter([Ok(1)]).chain(pending::<Message>());
        let mut upload = intake.begin(&caller("a"), messages).unwrap();
        assert_eq!(upload.next().await.unwrap(), Some(1));
        assert_eq!(reason(&upload.next().await.unwrap_err()), "UPLOAD_STALLED");
    }

    #[tokio::test]
    async fn an_upload_that_never_ends_ends() {
        let intake = Intake::with_times(LONG, SHORT);
        let endless = pending::<Message>();
        let mut upload = intake.begin(&caller("a"), endless).unwrap();
        assert_eq!(reason(&upload.next().await.unwrap_err()), "UPLOAD_STALLED");
    }

    #[tokio::test]
    async fn messages_come_in_their_order_and_end() {
        let intake = Intake::new();
        let messages = iter([Ok(1), Ok(2), Err(Status::cancelled(""))]);
        let mut upload = intake.begin(&caller("a"), messages).unwrap();
        assert_eq!(upload.next().await.unwrap(), Some(1));
        assert_eq!(upload.next().await.unwrap(), Some(2));
        let failed = upload.next().await.unwrap_err();
        assert_eq!(failed.code(), tonic::Code::Cancelled);
        assert_eq!(upload.next().await.unwrap(), None);
    }
}
