//! An answer that is a stream: messages through a bounded queue, and how it ends.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::sync::{mpsc, oneshot};
use tokio_stream::Stream;
use tonic::Status;

use super::status::{Reason, fault};

/// How a stream ends: in order, or with a status.
pub(super) type End = Result<(), Status>;

/// The messages of one caller, and after the last one how they end.
#[derive(Debug)]
pub struct Outlet<M> {
    messages: mpsc::Receiver<M>,
    end: Option<oneshot::Receiver<End>>,
}

impl<M> Outlet<M> {
    /// A stream in which so many messages may wait for the network, and what fills and ends it.
    pub(super) fn new(queue_max: usize) -> (mpsc::Sender<M>, oneshot::Sender<End>, Self) {
        let (sender, messages) = mpsc::channel(queue_max);
        let (end, ended) = oneshot::channel();
        let outlet = Self {
            messages,
            end: Some(ended),
        };
        (sender, end, outlet)
    }
}

impl<M> Stream for Outlet<M> {
    type Item = Result<M, Status>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if let Some(message) = ready!(self.messages.poll_recv(context)) {
            return Poll::Ready(Some(Ok(message)));
        }
        let Some(end) = self.end.as_mut() else {
            return Poll::Ready(None);
        };
        let ended = ready!(Pin::new(end).poll(context));
        self.end = None;
        // A task that ended without a word has met a fault of ours.
        let ended = ended.unwrap_or_else(|_| Err(fault(Reason::Internal)));
        Poll::Ready(ended.err().map(Err))
    }
}

/// Nobody is left to read this.
pub(super) fn hung_up() -> Status {
    Status::cancelled("the caller has hung up")
}

#[cfg(test)]
mod tests {
    use tokio_stream::StreamExt as _;

    use super::*;

    #[tokio::test]
    async fn a_stream_ends_as_it_was_ended_after_its_last_message() {
        for end in [Ok(()), Err(fault(Reason::ShuttingDown))] {
            let (messages, ended, mut outlet) = Outlet::new(2);
            messages.send(1).await.unwrap();
            drop(messages);
            let code = end.as_ref().err().map(Status::code);
            ended.send(end).unwrap();
            assert_eq!(outlet.next().await.unwrap().unwrap(), 1);
            let last = outlet.next().await.map(|item| item.unwrap_err().code());
            assert_eq!(last, code);
            assert!(outlet.next().await.is_none());
        }
    }

    #[tokio::test]
    async fn a_task_that_vanished_is_a_fault() {
        let (messages, ended, mut outlet) = Outlet::<u8>::new(1);
        drop((messages, ended));
        let status = outlet.next().await.unwrap().unwrap_err();
        assert_eq!(status.code(), tonic::Code::Internal);
    }
}
