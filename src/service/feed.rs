//! `FeedService`: a customer reads its own feed.

use std::sync::Arc;
use std::time::Duration;

use data_encoding::BASE64URL_NOPAD;
use tonic::{Request, Response, Status};

use crate::ledger::record::{self, Record};
use crate::pb::v1::feed_leaf::Decoded;
use crate::pb::v1::feed_service_server::FeedService;
use crate::pb::v1::watch_request::Start;
use crate::pb::v1::{
    FeedLeaf, ListFeedLeavesRequest, ListFeedLeavesResponse, SourceWatermark, WatchRequest,
    Watermark,
};
use crate::service::caller::caller;
use crate::service::feed_names::{People, display};
use crate::service::resume_token::{self, Position};
use crate::service::status::{Reason, fault, fault_with, invalid, not_found};
use crate::service::tally::Tally;
use crate::service::watch::{self, WatchStream};
use crate::store::secrets::Secrets;
use crate::store::{
    FeedError, FeedHead, Feeds, ReadError, Rules, RulesCell, SignedHead, Signer, StoredLeaf,
};
use crate::types::{Caller, ControllerId, CustomerId, Precision, UtcTime, World};

/// Leaves on a page when the caller does not say.
const PAGE_LEAVES: usize = 100;
/// Leaves on a page at most.
const PAGE_LEAVES_MAX: usize = 500;
/// Leaves that are read on the caller's own task; more go to a blocking thread.
const QUICK_LEAVES: usize = 8;

/// What the feed service works with.
#[derive(Debug, Clone)]
pub struct FeedParts {
    /// The feeds.
    pub feeds: Feeds,
    /// The names of people, for pages.
    pub people: Arc<People>,
    /// Signs their heads.
    pub signer: Arc<Signer>,
    /// The rules in force, for names of doors.
    pub rules: Arc<RulesCell>,
    /// The key of resume tokens.
    pub secrets: Arc<Secrets>,
    /// The clock.
    pub world: Arc<dyn World>,
    /// Turns true when the server stops.
    pub stopping: tokio::sync::watch::Receiver<bool>,
    /// Streams that one customer may have open at once.
    pub watches_per_peer: u32,
    /// How long a subscriber may leave its messages waiting.
    pub slow_max: Duration,
}

/// Serves feeds.
#[derive(Debug, Clone)]
pub struct FeedApi {
    parts: Arc<FeedParts>,
    watches: Arc<Tally<CustomerId>>,
}

/// Reads one customer's feed.
#[derive(Debug, Clone)]
pub(super) struct FeedReader {
    parts: Arc<FeedParts>,
    customer: CustomerId,
}

impl FeedApi {
    /// Joins its parts.
    pub fn new(parts: FeedParts) -> Self {
        Self {
            parts: Arc::new(parts),
            watches: Tally::new(),
        }
    }

    /// The feed that a request means: the caller's own, and none that it does not name.
    fn reader<T>(&self, request: &Request<T>, parent: &str) -> Result<FeedReader, Status> {
        let own = match caller(request)? {
            Caller::Customer(customer) => customer,
            Caller::Controller(_) | Caller::Desk(_) | Caller::Operator(_) => {
                return Err(fault(Reason::RpcNotAllowed));
            }
        };
        let named = CustomerId::from_name(parent);
        let customer = named.map_err(|error| invalid("parent", error.to_string()))?;
        if customer != own {
            return Err(not_found("feed"));
        }
        Ok(FeedReader {
            parts: Arc::clone(&self.parts),
            customer,
        })
    }
}

#[tonic::async_trait]
impl FeedService for FeedApi {
    type WatchStream = WatchStream;

    async fn list_feed_leaves(
        &self,
        request: Request<ListFeedLeavesRequest>,
    ) -> Result<Response<ListFeedLeavesResponse>, Status> {
        let reader = self.reader(&request, &request.get_ref().parent)?;
        let request = request.into_inner();
        let head = reader.head()?;
        let from = reader.page_start(&request, head)?;
        let limit = page_size(request.page_size)?;
        let leaves = reader.named_leaves(from, limit).await?;
        let next = leaves
            .last()
            .map_or(from, |leaf| leaf.index.saturating_add(1));
        let next_page_token = reader.page_token(next, head);
        let checkpoint = reader.signed_head().as_ref().map(watch::checkpoint);
        let total_size = head.size;
        let page = ListFeedLeavesResponse {
            leaves,
            next_page_token,
            checkpoint,
            total_size,
        };
        Ok(Response::new(page))
    }

    #[tracing::instrument(name = "feed.watch", skip_all)]
    async fn watch(&self, request: Request<WatchRequest>) -> Result<Response<WatchStream>, Status> {
        let reader = self.reader(&request, &request.get_ref().parent)?;
        let head = reader.head()?;
        let start = reader.start(request.into_inner().start, head)?;
        let bell = reader.bell()?;
        let place = self
            .watches
            .take(reader.customer.clone(), self.parts.watches_per_peer);
        let place = place.ok_or_else(|| fault(Reason::TooManyStreams))?;
        Ok(Response::new(watch::open(reader, start, (bell, place))))
    }
}

impl FeedReader {
    fn head(&self) -> Result<FeedHead, Status> {
        let head = self.parts.feeds.head(&self.customer);
        head.ok_or_else(|| not_found("feed"))
    }

    fn bell(&self) -> Result<tokio::sync::watch::Receiver<FeedHead>, Status> {
        let bell = self.parts.feeds.doorbells().listen(&self.customer);
        bell.ok_or_else(|| not_found("feed"))
    }

    /// The newest signed head, if the feed may be signed yet.
    pub(super) fn signed_head(&self) -> Option<SignedHead> {
        self.parts
            .signer
            .newest(&self.customer, self.parts.world.now().moment)
    }

    /// A token that goes on at a position.
    pub(super) fn token(&self, position: Position) -> Vec<u8> {
        resume_token::issue(&self.parts.secrets.token, &self.customer, position)
    }

    /// Turns true when the server stops.
    pub(super) fn stopping(&self) -> tokio::sync::watch::Receiver<bool> {
        self.parts.stopping.clone()
    }

    /// How long a subscriber may leave its messages waiting.
    pub(super) fn slow_max(&self) -> Duration {
        self.parts.slow_max
    }

    fn start(&self, start: Option<Start>, head: FeedHead) -> Result<Position, Status> {
        let at = |next| Position {
            epoch: head.epoch.number(),
            next,
        };
        match start {
            None => Ok(at(0)),
            Some(Start::FromIndex(next)) if next <= head.size => Ok(at(next)),
            Some(Start::FromIndex(_)) => Err(index_not_kept(head)),
            Some(Start::Latest(true)) => Ok(at(head.size)),
            Some(Start::Latest(false)) => Err(invalid("latest", "must be true if given")),
            Some(Start::ResumeToken(token)) => self.resume(&token, head),
        }
    }

    fn resume(&self, token: &[u8], head: FeedHead) -> Result<Position, Status> {
        let found = resume_token::read(&self.parts.secrets.token, &self.customer, token);
        let position = found.ok_or_else(|| fault(Reason::ResumeTokenInvalid))?;
        if position.epoch != head.epoch.number() {
            let now = Position {
                epoch: head.epoch.number(),
                next: position.next.min(head.size),
            };
            return Err(epoch_changed(now, &self.token(now)));
        }
        if position.next > head.size {
            return Err(index_not_kept(head));
        }
        Ok(position)
    }

    fn page_start(&self, request: &ListFeedLeavesRequest, head: FeedHead) -> Result<u64, Status> {
        if request.page_token.is_empty() {
            return Ok(request.from_index);
        }
        let token = BASE64URL_NOPAD.decode(request.page_token.as_bytes());
        let token = token.map_err(|_| fault(Reason::PageTokenInvalid))?;
        Ok(self.resume(&token, head)?.next)
    }

    fn page_token(&self, next: u64, head: FeedHead) -> String {
        if next >= head.size {
            return String::new();
        }
        let token = self.token(Position {
            epoch: head.epoch.number(),
            next,
        });
        BASE64URL_NOPAD.encode(&token)
    }

    /// Leaves from an index on, as a stream serves them; reads without blocking other callers.
    pub(super) async fn leaves(&self, from: u64, limit: usize) -> Result<Vec<FeedLeaf>, Status> {
        if limit <= QUICK_LEAVES {
            return self.read_leaves(from, limit, None);
        }
        let reader = self.clone();
        let read = move || reader.read_leaves(from, limit, None);
        tokio::task::spawn_blocking(read)
            .await
            .map_err(|_| fault(Reason::ShuttingDown))?
    }

    /// A page of leaves with the names of people.
    async fn named_leaves(&self, from: u64, limit: usize) -> Result<Vec<FeedLeaf>, Status> {
        let reader = self.clone();
        let read = move || reader.read_leaves(from, limit, Some(&reader.parts.people));
        tokio::task::spawn_blocking(read)
            .await
            .map_err(|_| fault(Reason::ShuttingDown))?
    }

    fn read_leaves(
        &self,
        from: u64,
        limit: usize,
        people: Option<&Arc<People>>,
    ) -> Result<Vec<FeedLeaf>, Status> {
        let leaves = self.parts.feeds.leaves(&self.customer, from, limit);
        let leaves = leaves.map_err(|error| status_of(&error))?;
        let rules = self.parts.rules.load();
        Ok(leaves
            .into_iter()
            .map(|leaf| served(leaf, &rules, people))
            .collect())
    }

    /// How far each controller of the customer's doors has reported.
    pub(super) fn watermark(&self) -> Watermark {
        let rules = self.parts.rules.load();
        let contract = rules.roster.customer(&self.customer);
        let precision = contract.map_or(Precision::Hour, |customer| customer.precision);
        let told = |controller: ControllerId| {
            let through = self.parts.feeds.doorbells().reported_through(&controller);
            let seconds = through.map(|at| told_through(at, precision));
            SourceWatermark {
                controller: controller.name(),
                complete_through: seconds
                    .map(|seconds| prost_types::Timestamp { seconds, nanos: 0 }),
            }
        };
        let controllers = rules.roster.controllers_of(&self.customer);
        Watermark {
            sources: controllers.into_iter().map(told).collect(),
        }
    }
}

/// How far a controller is told to be complete: no finer than the contract tells the time, for
/// the newest event may have been at somebody else's door.
fn told_through(at: UtcTime, precision: Precision) -> i64 {
    let seconds = match precision {
        Precision::Hour => 3_600,
        Precision::Minute => 60,
        Precision::Second => 1,
    };
    at.unix().div_euclid(seconds).saturating_mul(seconds)
}

fn page_size(asked: i32) -> Result<usize, Status> {
    match usize::try_from(asked) {
        Ok(0) => Ok(PAGE_LEAVES),
        Ok(size) if size <= PAGE_LEAVES_MAX => Ok(size),
        _ => Err(invalid("page_size", "must be 0 to 500")),
    }
}

/// How a failure to read is answered.
pub(super) fn status_of(error: &FeedError) -> Status {
    match error {
        FeedError::Read(ReadError::Rebuilding { done, total }) => {
            let progress = [("done", done.to_string()), ("total", total.to_string())];
            fault_with(Reason::StoreRebuilding, progress)
        }
        FeedError::Read(ReadError::Closed) => fault(Reason::ShuttingDown),
        FeedError::Read(ReadError::Broken(_) | ReadError::Row(_)) => {
            tracing::error!(%error, "the store cannot be read");
            fault(Reason::Internal)
        }
        FeedError::Damaged { what, index } => {
            tracing::error!(what, index, "a stored row is not what was written");
            fault_with(Reason::RecordDamaged, [("index", index.to_string())])
        }
    }
}

fn index_not_kept(head: FeedHead) -> Status {
    let range = [
        ("oldest_index", "0".to_owned()),
        ("size", head.size.to_string()),
    ];
    fault_with(Reason::IndexNotKept, range)
}

fn epoch_changed(now: Position, token: &[u8]) -> Status {
    let last_common = now.next.saturating_sub(1).to_string();
    let details = [
        ("last_common_index", last_common),
        ("resume_token", BASE64URL_NOPAD.encode(token)),
    ];
    fault_with(Reason::EpochChanged, details)
}

/// A leaf as it is served.
fn served(leaf: StoredLeaf, rules: &Rules, people: Option<&Arc<People>>) -> FeedLeaf {
    let (record, salt) = leaf.secret.map_or_else(Default::default, |(record, salt)| {
        (record, salt.as_bytes().to_vec())
    });
    // Of a record that is gone nothing is decoded: it would read as an empty one.
    let is_there = !salt.is_empty();
    let decoded = is_there
        .then(|| record::decode(leaf.kind, &record).ok())
        .flatten();
    let display = decoded
        .as_ref()
        .and_then(|d| display(d, leaf.journal, rules, people));
    FeedLeaf {
        index: leaf.index,
        kind: i32::from(leaf.kind.number()),
        leaf_hash: leaf.hash.as_bytes().to_vec(),
        record,
        salt,
        decoded: decoded.and_then(decoded_field),
        display,
    }
}

fn decoded_field(record: Record) -> Option<Decoded> {
    match record {
        Record::Genesis(genesis) => Some(Decoded::Genesis(genesis)),
        Record::Entry(entry) => Some(Decoded::Entry(entry)),
        Record::DoorEvent(event) => Some(Decoded::DoorEvent(event)),
        Record::Other { .. } => None,
    }
}
