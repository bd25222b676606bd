//! Reads a feed page by page, and follows it as it grows.

use std::io::Write;
use std::path::PathBuf;
use std::time::Duration;

use tonic::transport::Channel;
use tonic::{Code, Request, Status, Streaming};
use tonic_types::StatusExt as _;

use super::connect::{Connection, request};
use super::exit::{Failure, reason};
use super::feed_check::{FeedChecker, Verdict};
use super::feed_row;
use super::feed_state::{self, FeedState};
use super::print::{OutputError, Printer, note, reader_left};
use crate::pb::v1::feed_service_client::FeedServiceClient;
use crate::pb::v1::watch_request::Start;
use crate::pb::v1::watch_response::Message;
use crate::pb::v1::{Checkpoint, FeedLeaf, ListFeedLeavesRequest, WatchRequest, WatchResponse};
use crate::types::CustomerId;

/// The first pause before connecting again.
const BACK_OFF_FIRST: Duration = Duration::from_millis(500);
/// The longest pause: a server that is back is noticed within half a minute.
const BACK_OFF_MAX: Duration = Duration::from_secs(30);
/// A pause this long in the stream is used to flush and to save the state.
const LULL: Duration = Duration::from_millis(50);
/// Messages after which the state is saved though the stream does not pause.
const UNSAVED_MAX: u32 = 200;
/// Leaves in a page; a page stays below the size of a message.
const PAGE_SIZE: i32 = 100;

/// One customer's feed on its way from the server to the output.
#[derive(Debug)]
pub struct FeedReader<W: Write> {
    /// Whose feed.
    pub customer: CustomerId,
    /// Checks what comes.
    pub checker: FeedChecker,
    /// Takes the rows.
    pub printer: Printer<W>,
    /// Where the position is kept between runs.
    pub state_file: Option<PathBuf>,
    /// Token of the last message, if the stream gave one.
    pub resume_token: Option<Vec<u8>>,
    unsaved_count: u32,
    told: Told,
}

/// What standard error has been told once.
#[derive(Debug, Default)]
struct Told {
    roots_not_compared: bool,
}

/// Why a stream ended, where that is no failure.
enum End {
    /// The user wants no more.
    Stopped,
    /// To be opened again: at once, or after a pause.
    Again(Status),
}

impl<W: Write> FeedReader<W> {
    /// A reader that begins where the checker stands.
    pub fn new(customer: CustomerId, checker: FeedChecker, printer: Printer<W>) -> Self {
        Self {
            customer,
            checker,
            printer,
            state_file: None,
            resume_token: None,
            unsaved_count: 0,
            told: Told::default(),
        }
    }

    /// Reads everything up to the end of the feed, or at most so many leaves.
    pub async fn list(
        &mut self,
        client: &mut FeedServiceClient<Channel>,
        limit: Option<u64>,
    ) -> Result<(), Failure> {
        let mut page_token = String::new();
        let mut left = limit.unwrap_or(u64::MAX);
        while left > 0 {
            let ask = ListFeedLeavesRequest {
                parent: self.customer.name(),
                page_size: i32::try_from(left).map_or(PAGE_SIZE, |left| left.min(PAGE_SIZE)),
                page_token,
                from_index: self.checker.position().next_index.unwrap_or(0),
            };
            let page = client.list_feed_leaves(request(ask)).await?.into_inner();
            for leaf in &page.leaves {
                self.take_leaf(leaf)?;
                left = left.saturating_sub(1);
            }
            if let Some(checkpoint) = &page.checkpoint {
                self.take_checkpoint(checkpoint)?;
            }
            self.settle()?;
            if page.next_page_token.is_empty() || page.leaves.is_empty() {
                break;
            }
            page_token = page.next_page_token;
        }
        Ok(())
    }

    /// Follows the feed until the user stops it (interrupt), through restarts of the server.
    pub async fn follow(&mut self, connection: &Connection) -> Result<(), Failure> {
        let mut client = FeedServiceClient::new(connection.channel());
        let mut pause = BACK_OFF_FIRST;
        loop {
            let before = self.checker.position().next_index;
            let end = match self.open(&mut client).await {
                Ok(stream) => self.drain(stream).await?,
                Err(status) => End::Again(status),
            };
            self.settle()?;
            let End::Again(status) = end else {
                return Ok(());
            };
            if before != self.checker.position().next_index {
                pause = BACK_OFF_FIRST;
            }
            if !self.prepare_again(&status)? {
                continue;
            }
            if let Some(refused) = connection.refusal(&status).await {
                return Err(refused.into());
            }
            note(&format!(
                "sluss: {} ({}); trying again in {:.1} s",
                self.customer,
                status.message(),
                pause.as_secs_f32()
            ));
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                _ = tokio::signal::ctrl_c() => return Ok(()),
            }
            pause = pause.saturating_mul(2).min(BACK_OFF_MAX);
        }
    }

    async fn open(
        &self,
        client: &mut FeedServiceClient<Channel>,
    ) -> Result<Streaming<WatchResponse>, Status> {
        let start = match (&self.resume_token, self.checker.position().next_index) {
            (Some(token), _) => Start::ResumeToken(token.clone()),
            (None, Some(index)) => Start::FromIndex(index),
            (None, None) => Start::Latest(true),
        };
        let ask = WatchRequest {
            parent: self.customer.name(),
            start: Some(start),
        };
        // No deadline: the stream is meant to stay open; keep-alive notices a cut line.
        client
            .watch(Request::new(ask))
            .await
            .map(tonic::Response::into_inner)
    }

    async fn drain(&mut self, mut stream: Streaming<WatchResponse>) -> Result<End, Failure> {
        let mut reader_left = std::pin::pin!(reader_left());
        loop {
            let lull = async {
                if self.unsaved_count == 0 {
                    std::future::pending::<()>().await;
                }
                tokio::time::sleep(LULL).await;
            };
            let message = tokio::select! {
                biased;
                _ = tokio::signal::ctrl_c() => return Ok(End::Stopped),
                () = &mut reader_left => return Err(OutputError::Closed.into()),
                message = stream.message() => message,
                () = lull => {
                    self.settle()?;
                    continue;
                }
            };
            match message {
                Ok(Some(message)) => self.take(message)?,
                Ok(None) => return Ok(End::Again(Status::unavailable("the stream ended"))),
                Err(status) => return Ok(End::Again(status)),
            }
            if self.unsaved_count >= UNSAVED_MAX {
                self.settle()?;
            }
        }
    }

    fn take(&mut self, message: WatchResponse) -> Result<(), Failure> {
        match &message.message {
            Some(Message::Leaf(leaf)) => self.take_leaf(leaf)?,
            Some(Message::Checkpoint(checkpoint)) => self.take_checkpoint(checkpoint)?,
            // Not signed and not kept: it only says that silence is not a cut line.
            Some(Message::Watermark(_)) | None => {}
        }
        self.resume_token = Some(message.resume_token);
        self.unsaved_count = self.unsaved_count.saturating_add(1);
        Ok(())
    }

    fn take_leaf(&mut self, leaf: &FeedLeaf) -> Result<(), Failure> {
        let checked = self.checker.leaf(leaf)?;
        let cells = feed_row::row(&self.customer, &checked, leaf.display.as_ref());
        self.printer.row(cells)?;
        self.unsaved_count = self.unsaved_count.saturating_add(1);
        Ok(())
    }

    fn take_checkpoint(&mut self, checkpoint: &Checkpoint) -> Result<(), Failure> {
        match self.checker.checkpoint(checkpoint)? {
            Verdict::Verified | Verdict::Awaiting => {}
            Verdict::NotComparable if self.told.roots_not_compared => {}
            Verdict::NotComparable => {
                self.told.roots_not_compared = true;
                note("sluss: roots are not compared: reading did not begin with index 0");
            }
        }
        Ok(())
    }

    /// Flushes the output, and only then saves the position.
    fn settle(&mut self) -> Result<(), Failure> {
        self.printer.flush()?;
        if let (Some(path), true) = (&self.state_file, self.unsaved_count > 0) {
            let state = FeedState {
                customer: self.customer.clone(),
                position: self.checker.position().clone(),
                resume_token: self.resume_token.clone(),
            };
            feed_state::save(path, &state)?;
        }
        self.unsaved_count = 0;
        Ok(())
    }

    /// Makes ready to open the stream again; returns whether to wait first. Fails where trying
    /// again cannot help.
    fn prepare_again(&mut self, status: &Status) -> Result<bool, Failure> {
        match (reason(status).as_deref(), status.code()) {
            (Some("EPOCH_CHANGED"), _) => self.enter_epoch(status),
            // Our own token is as good as the one in the details: it is of the last message taken.
            (Some("SUBSCRIBER_TOO_SLOW"), _) => {
                note("sluss: too slow for the server; going on where we are");
                Ok(false)
            }
            (
                _,
                Code::Unavailable
                | Code::DeadlineExceeded
                | Code::ResourceExhausted
                | Code::Cancelled
                | Code::Aborted
                | Code::Unknown
                | Code::Internal,
            ) => Ok(true),
            (
                _,
                Code::Ok
                | Code::InvalidArgument
                | Code::NotFound
                | Code::AlreadyExists
                | Code::PermissionDenied
                | Code::FailedPrecondition
                | Code::OutOfRange
                | Code::Unimplemented
                | Code::DataLoss
                | Code::Unauthenticated,
            ) => Err(status.clone().into()),
        }
    }

    /// The store was restored: says so, and goes on after the last index that both lives share.
    fn enter_epoch(&mut self, status: &Status) -> Result<bool, Failure> {
        let last_common = status
            .get_details_error_info()
            .and_then(|info| info.metadata.get("last_common_index")?.parse::<u64>().ok());
        let Some(last_common) = last_common else {
            return Err(status.clone().into());
        };
        let lost = self
            .checker
            .position()
            .next_index
            .unwrap_or(0)
            .saturating_sub(last_common.saturating_add(1));
        note(&format!(
            "sluss: the server was restored from a backup: leaves up to {last_common} are kept, \
             {lost} that were read here are gone there"
        ));
        if !self.checker.begin_epoch(last_common) {
            note("sluss: roots are no longer compared; read again from index 0 to prove them");
            self.told.roots_not_compared = true;
        }
        self.resume_token = None;
        Ok(false)
    }
}
