//! A site in a folder of its own, served in this process, and callers over real mTLS.
//!
//! Its clocks stand until a test moves them, so that nothing becomes too old while a machine
//! is busy.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use data_encoding::HEXLOWER;
use sluss::client::{list_file, site_file};
use sluss::config::{Config, Limits};
use sluss::env::System;
use sluss::init::{NewSite, identity_folder, init};
use sluss::ledger::{KeyName, VerifyingKey};
use sluss::pb::v1 as pb;
use sluss::pb::v1::access_list_service_client::AccessListServiceClient;
use sluss::pb::v1::directory_service_client::DirectoryServiceClient;
use sluss::pb::v1::door_service_client::DoorServiceClient;
use sluss::pb::v1::explain_service_client::ExplainServiceClient;
use sluss::pb::v1::feed_service_client::FeedServiceClient;
use sluss::pb::v1::site_part::Part;
use sluss::pb::v1::site_service_client::SiteServiceClient;
use sluss::pki::{Days, PkiFolder};
use sluss::server::{Running, start};
use sluss::store::disk::RealDisk;
use sluss::types::{BootIdentity, Caller, CallerKind, DisplayName, Now, SiteId, SiteZone, World};
use tokio_stream::iter;
use tonic::transport::{Certificate, Channel, ClientTlsConfig, Endpoint, Identity};
use tonic::{Response, Status};
use tonic_types::StatusExt as _;

/// When a test gives up waiting; long, as it is only waited for where something is broken.
pub(crate) const DEADLINE: Duration = Duration::from_mins(1);
/// The side of a door that acme's people pass with the badge alone.
pub(crate) const OFFICE: &str = "accessPoints/d-office-in";
/// The side of a door that asks for a PIN.
pub(crate) const CAGE: &str = "accessPoints/d-cage-a-in";
/// What a fresh site is given; a test may add to it.
pub(crate) const SITE: &str = include_str!("site.toml");
/// Acme's list.
pub(crate) const ACME: &str = include_str!("../../deploy/demo/acme.csv");
/// Bolt's list.
pub(crate) const BOLT: &str = include_str!("../../deploy/demo/bolt.csv");

const ZONE: &str = "Europe/Stockholm";
/// The window that every HTTP/2 stream begins with (RFC 9113, 6.9.2).
const SMALL_WINDOW: u32 = 65_535;

/// Clocks that a test sets; chance is real.
#[derive(Debug)]
pub(crate) struct SetWorld {
    system: System,
    now: Mutex<Now>,
}

impl SetWorld {
    fn new() -> Self {
        let system = System::start();
        let now = system.now();
        Self {
            system,
            now: Mutex::new(now),
        }
    }

    /// Lets time pass on the monotonic clock.
    pub(crate) fn advance(&self, time: Duration) {
        let mut now = self.now.lock().unwrap();
        now.moment = now.moment.plus(time);
    }
}

impl World for SetWorld {
    fn now(&self) -> Now {
        *self.now.lock().unwrap()
    }

    fn fill_random(&self, buffer: &mut [u8]) {
        self.system.fill_random(buffer);
    }
}

/// What a house is to be; the site beside this file where a test says nothing else.
#[derive(Debug, Clone)]
pub(crate) struct Draft {
    pub(crate) site: String,
    pub(crate) acme: String,
    pub(crate) bolt: String,
    pub(crate) controllers: Vec<String>,
    pub(crate) tune: fn(&mut Limits),
}

impl Default for Draft {
    fn default() -> Self {
        Self {
            site: SITE.to_owned(),
            acme: ACME.to_owned(),
            bolt: BOLT.to_owned(),
            controllers: vec!["gate-1".to_owned()],
            tune: |_| {},
        }
    }
}

impl Draft {
    /// With controllers `gate-2` to `gate-{last}`, each with a door `d-{n}` from lobby to office
    /// and a person of acme with badge `A-30{n}` that may pass it.
    pub(crate) fn with_gates_to(last: u16) -> Self {
        let mut draft = Self::default();
        for n in 2..=last {
            let card = HEXLOWER.encode(&h10301(42, 3_000 + n).bits);
            let added = format!(
                r#"
                [[controller]]
                id = "gate-{n}"
                name = "Gate {n}"
                [[door]]
                id = "d-{n}"
                name = "Door {n}"
                controller = "gate-{n}"
                entry = {{ from = "lobby", to = "office" }}
                exit = {{}}
                [[person]]
                id = "p-30{n}"
                name = "Person {n}"
                customers = ["acme"]
                [[badge]]
                id = "b-30{n}"
                number = "A-30{n}"
                person = "p-30{n}"
                card = {{ format = "H10301", bits = 26, hex = "{card}" }}
                "#
            );
            draft.site += &added;
            let added =
                format!("A-30{n},Person {n},office,,round-the-clock,2024-01-01,,persons/p-190\n");
            draft.acme += &added;
            draft.controllers.push(format!("gate-{n}"));
        }
        draft
    }
}

/// A site that is served.
pub(crate) struct House {
    pub(crate) world: Arc<SetWorld>,
    folder: tempfile::TempDir,
    config: Config,
    boot: BootIdentity,
    running: Running,
    requests: AtomicU64,
}

impl House {
    /// Makes a site, serves it, and fills it through the API.
    pub(crate) async fn open(draft: Draft) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let world = Arc::new(SetWorld::new());
        let boot = System::boot_identity().unwrap();
        let new = NewSite {
            folder: folder.path().to_owned(),
            site: SiteId::parse("north").unwrap(),
            name: DisplayName::parse("North").unwrap(),
            zone: SiteZone::parse(ZONE).unwrap(),
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            hosts: Vec::new(),
            log_name: KeyName::parse("north.test").unwrap(),
        };
        let made = init(&new, &*world, boot.clone()).unwrap();
        let mut config = Config::read(&made.config).unwrap();
        (draft.tune)(&mut config.limits);
        let running = serve(&config, &world, &boot).await;
        let house = Self {
            world,
            folder,
            config,
            boot,
            running,
            requests: AtomicU64::new(1),
        };
        for customer in ["acme", "bolt"] {
            house.issue(CallerKind::Customer, customer);
        }
        for controller in &draft.controllers {
            house.issue(CallerKind::Controller, controller);
        }
        house.apply_site(&draft.site).await.unwrap();
        house.apply_list("acme", &draft.acme).await.unwrap();
        house.apply_list("bolt", &draft.bolt).await.unwrap();
        house
    }

    /// Stops the server and starts it again over the same store, on another port.
    pub(crate) async fn restart(self) -> Self {
        self.running.stop().await;
        let running = serve(&self.config, &self.world, &self.boot).await;
        Self { running, ..self }
    }

    fn issue(&self, kind: CallerKind, id: &str) {
        let pki = PkiFolder::new(&self.config.folders.pki, Arc::new(RealDisk));
        let authority = pki.authority(&self.config.site).unwrap();
        let caller = Caller::parse(kind, id).unwrap();
        let out = identity_folder(self.folder.path(), &caller);
        pki.issue_identity(&authority, caller, (Days::YEAR, &out), &*self.world)
            .unwrap();
    }

    /// Stops the server.
    pub(crate) async fn close(self) {
        self.running.stop().await;
    }

    /// Everything of the site is in here.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The key that heads are signed with.
    pub(crate) fn log_key(&self) -> VerifyingKey {
        let acme = Caller::parse(CallerKind::Customer, "acme").unwrap();
        let path = identity_folder(self.folder.path(), &acme).join("log.pub");
        VerifyingKey::parse(std::fs::read_to_string(path).unwrap().trim()).unwrap()
    }

    /// A connection of its own for a caller.
    pub(crate) async fn channel(&self, kind: CallerKind, id: &str) -> Channel {
        let caller = Caller::parse(kind, id).unwrap();
        let folder = identity_folder(self.folder.path(), &caller);
        let read = |name: &str| std::fs::read(folder.join(name)).unwrap();
        let tls = ClientTlsConfig::new()
            .ca_certificate(Certificate::from_pem(read("ca.pem")))
            .identity(Identity::from_pem(read("cert.pem"), read("key.pem")));
        let server = format!("https://localhost:{}", self.running.address().port());
        let endpoint = Endpoint::from_shared(server).unwrap();
        let endpoint = endpoint.tls_config(tls).unwrap().timeout(DEADLINE);
        // So that a subscriber who does not read is soon told nothing more.
        let endpoint = endpoint.initial_stream_window_size(SMALL_WINDOW);
        endpoint.connect().await.unwrap()
    }

    /// A customer's feed.
    pub(crate) async fn feed(&self, customer: &str) -> FeedServiceClient<Channel> {
        FeedServiceClient::new(self.channel(CallerKind::Customer, customer).await)
    }

    /// Everything that a customer may call, over one connection.
    pub(crate) async fn customer(&self, customer: &str) -> Customer {
        let channel = self.channel(CallerKind::Customer, customer).await;
        Customer {
            feed: FeedServiceClient::new(channel.clone()),
            lists: AccessListServiceClient::new(channel.clone()),
            directory: DirectoryServiceClient::new(channel.clone()),
            explain: ExplainServiceClient::new(channel),
        }
    }

    /// The first operator's questions.
    pub(crate) async fn operator(&self) -> ExplainServiceClient<Channel> {
        ExplainServiceClient::new(self.channel(CallerKind::Operator, "first").await)
    }

    /// A run of a controller, over a connection of its own.
    pub(crate) async fn gate(&self, controller: &str, boot_id: &str) -> Gate {
        let channel = self.channel(CallerKind::Controller, controller).await;
        Gate {
            client: DoorServiceClient::new(channel),
            boot_id: boot_id.to_owned(),
            counter: 0,
            clock: self.world.now().utc.unix(),
        }
    }

    /// Number of leaves in a customer's feed; of one that fits on a page. They are counted: the
    /// head that a page tells may be a moment behind the newest answer.
    pub(crate) async fn feed_size(&self, customer: &str) -> u64 {
        let mut feed = self.feed(customer).await;
        let page = leaves(&mut feed, customer, 0).await;
        assert!(
            page.next_page_token.is_empty(),
            "the feed has more than a page"
        );
        page.leaves.last().map_or(0, |leaf| leaf.index + 1)
    }

    fn request_id(&self) -> String {
        format!("request-{}", self.requests.fetch_add(1, Ordering::Relaxed))
    }

    /// Uploads and plans a site file, after a change to its parts.
    pub(crate) async fn plan_site(
        &self,
        text: &str,
        change: impl Fn(&mut Part),
    ) -> Result<(String, String), Status> {
        let mut parts = site_file::parse("site.toml", text).unwrap();
        parts
            .iter_mut()
            .filter_map(|p| p.part.as_mut())
            .for_each(change);
        let mut client = self.site().await;
        let messages: Vec<_> = parts
            .chunks(50)
            .map(|parts| pb::UploadSiteRequest {
                parts: parts.to_vec(),
            })
            .collect();
        let uploaded = client.upload_site(iter(messages)).await?;
        let upload = uploaded.into_inner().upload;
        let plan = pb::PlanSiteRequest {
            upload: upload.clone(),
        };
        let etag = client.plan_site(plan).await?.into_inner().etag;
        Ok((upload, etag))
    }

    /// Makes the site what a file says.
    pub(crate) async fn apply_site(&self, text: &str) -> Result<(), Status> {
        let (upload, etag) = self.plan_site(text, |_| {}).await?;
        let apply = pb::ApplySiteRequest {
            upload,
            etag,
            request_id: self.request_id(),
        };
        self.site().await.apply_site(apply).await.map(drop)
    }

    async fn site(&self) -> SiteServiceClient<Channel> {
        SiteServiceClient::new(self.channel(CallerKind::Operator, "first").await)
    }

    /// Makes a customer's list what a file says.
    pub(crate) async fn apply_list(&self, customer: &str, csv: &str) -> Result<(), Status> {
        let mut lists = self.customer(customer).await.lists;
        let parent = format!("customers/{customer}/accessList");
        let upload = upload_list(&mut lists, &parent, list_lines(csv)).await?;
        let plan = pb::PlanAccessListRequest {
            parent: parent.clone(),
            upload: upload.clone(),
        };
        let etag = lists.plan_access_list(plan).await?.into_inner().etag;
        let apply = pb::ApplyAccessListRequest {
            parent,
            upload,
            etag,
            request_id: self.request_id(),
        };
        lists.apply_access_list(apply).await.map(drop)
    }
}

async fn serve(config: &Config, world: &Arc<SetWorld>, boot: &BootIdentity) -> Running {
    let world: Arc<dyn World> = world.clone();
    start(config, world, boot.clone()).await.unwrap()
}

/// Clients of one customer.
#[derive(Debug, Clone)]
pub(crate) struct Customer {
    pub(crate) feed: FeedServiceClient<Channel>,
    pub(crate) lists: AccessListServiceClient<Channel>,
    pub(crate) directory: DirectoryServiceClient<Channel>,
    pub(crate) explain: ExplainServiceClient<Channel>,
}

/// The lines of a list file.
pub(crate) fn list_lines(csv: &str) -> Vec<pb::AccessListLine> {
    list_file::parse("list.csv", csv, SiteZone::parse(ZONE).unwrap()).unwrap()
}

/// Uploads a list and names the upload.
pub(crate) async fn upload_list(
    lists: &mut AccessListServiceClient<Channel>,
    parent: &str,
    lines: Vec<pb::AccessListLine>,
) -> Result<String, Status> {
    let message = pb::UploadAccessListRequest {
        parent: parent.to_owned(),
        lines,
    };
    let uploaded = lists.upload_access_list(iter([message])).await?;
    Ok(uploaded.into_inner().upload)
}

/// A page of leaves from an index on.
pub(crate) async fn leaves(
    feed: &mut FeedServiceClient<Channel>,
    customer: &str,
    from_index: u64,
) -> pb::ListFeedLeavesResponse {
    let request = pb::ListFeedLeavesRequest {
        parent: format!("customers/{customer}"),
        page_size: 500,
        from_index,
        ..Default::default()
    };
    feed.list_feed_leaves(request).await.unwrap().into_inner()
}

/// Opens a stream.
pub(crate) async fn watch(
    feed: &mut FeedServiceClient<Channel>,
    customer: &str,
    start: Option<pb::watch_request::Start>,
) -> Result<tonic::Streaming<pb::WatchResponse>, Status> {
    let parent = format!("customers/{customer}");
    let request = pb::WatchRequest { parent, start };
    feed.watch(request).await.map(Response::into_inner)
}

/// A run of a controller: numbers its requests, and repeats none.
#[derive(Debug, Clone)]
pub(crate) struct Gate {
    pub(crate) client: DoorServiceClient<Channel>,
    pub(crate) boot_id: String,
    counter: u64,
    /// What its wall clock shows.
    clock: i64,
}

impl Gate {
    /// The next request of this run.
    pub(crate) fn request(&mut self, point: &str, card: &pb::Card) -> pb::AuthorizeRequest {
        self.counter += 1;
        pb::AuthorizeRequest {
            access_point: point.to_owned(),
            boot_id: self.boot_id.clone(),
            counter: self.counter,
            card: Some(card.clone()),
            pin: String::new(),
        }
    }

    /// Sends a request.
    pub(crate) async fn ask(
        &mut self,
        request: pb::AuthorizeRequest,
    ) -> Result<pb::AuthorizeResponse, Status> {
        self.client
            .authorize(request)
            .await
            .map(Response::into_inner)
    }

    /// Somebody shows a card.
    pub(crate) async fn attempt(&mut self, point: &str, card: &pb::Card) -> pb::AuthorizeResponse {
        let request = self.request(point, card);
        self.ask(request).await.unwrap()
    }

    /// The next so many field events at an access point.
    pub(crate) fn events(&mut self, point: &str, count: u64) -> pb::ReportDoorEventsRequest {
        let first = self.counter + 1;
        self.counter += count;
        let event = |counter| pb::DoorEvent {
            counter,
            event_time: Some(prost_types::Timestamp {
                seconds: self.clock,
                nanos: 0,
            }),
            access_point: point.to_owned(),
            event: Some(pb::door_event::Event::Kind(
                pb::DoorEventKind::DoorHeld.into(),
            )),
        };
        pb::ReportDoorEventsRequest {
            boot_id: self.boot_id.clone(),
            events: (first..=self.counter).map(event).collect(),
        }
    }
}

/// A 26-bit Wiegand card with its parity bits (HID H10301).
pub(crate) fn h10301(facility: u8, number: u16) -> pb::Card {
    let payload = (u32::from(facility) << 16) | u32::from(number);
    let even = ((payload >> 12) & 0xFFF).count_ones() & 1;
    let odd = ((payload & 0xFFF).count_ones() & 1) ^ 1;
    let word = (even << 25) | (payload << 1) | odd;
    pb::Card {
        format: "H10301".to_owned(),
        bit_length: 26,
        bits: (word << 6).to_be_bytes().to_vec(),
    }
}

/// Number of the journal's entry that an answer names.
pub(crate) fn sequence(entry: &str) -> u64 {
    entry.rsplit('/').next().unwrap().parse().unwrap()
}

/// Whether an answer grants.
pub(crate) fn is_grant(answer: &pb::AuthorizeResponse) -> bool {
    answer.decision == i32::from(pb::Decision::Grant)
}

/// The word of a status.
pub(crate) fn reason(status: &Status) -> String {
    let info = status.get_details_error_info();
    info.map(|info| info.reason).unwrap_or_default()
}

/// A detail of a status.
pub(crate) fn detail(status: &Status, key: &str) -> Option<String> {
    status.get_details_error_info()?.metadata.remove(key)
}

/// The first field that a status finds fault with.
pub(crate) fn field(status: &Status) -> String {
    let wrong = status.get_details_bad_request();
    let first = wrong.and_then(|wrong| wrong.field_violations.into_iter().next());
    first.map(|first| first.field).unwrap_or_default()
}

/// A moment long enough for every head to be signed anew.
pub(crate) const SIGNED_ANEW: Duration = Duration::from_secs(1);
