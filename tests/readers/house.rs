//! A site with readers on simulated lines, served in this process, and callers over real mTLS.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use prost::Message as _;
use sluss::client::{list_file, site_file};
use sluss::config::{BusConfig, Config};
use sluss::env::System;
use sluss::init::{NewSite, identity_folder, init};
use sluss::ledger::KeyName;
use sluss::pb::v1 as pb;
use sluss::pb::v1::access_list_service_client::AccessListServiceClient;
use sluss::pb::v1::alarm_service_client::AlarmServiceClient;
use sluss::pb::v1::door_order_service_client::DoorOrderServiceClient;
use sluss::pb::v1::feed_service_client::FeedServiceClient;
use sluss::pb::v1::reader_service_client::ReaderServiceClient;
use sluss::pb::v1::site_service_client::SiteServiceClient;
use sluss::pki::{Days, PkiFolder};
use sluss::server::{Running, start_on};
use sluss::store::disk::{Disk, RealDisk};
use sluss::store::reader_keys::{ReaderKey, ReaderKeys};
use sluss::types::{
    BootIdentity, BusName, Caller, CallerKind, DisplayName, ReaderId, SiteId, SiteZone, World,
};
use sluss_sim::{BusSettings, Card, ReaderHandle, ReaderSettings, SecureKey, SimBus};
use tokio_stream::iter;
use tonic::Status;
use tonic::transport::{Certificate, Channel, ClientTlsConfig, Endpoint, Identity};
use zeroize::Zeroizing;

/// When a test gives up waiting; long, as it is only waited for where something is broken.
pub(crate) const DEADLINE: Duration = Duration::from_secs(40);
/// Pause between two looks at what is waited for.
const LOOK_AGAIN: Duration = Duration::from_millis(10);
/// The usual speed of both lines.
pub(crate) const BAUD: u32 = 115_200;
/// What a fresh site is given.
pub(crate) const SITE: &str = include_str!("site.toml");
/// Acme's list.
const ACME: &str = "badge,name,areas,doors,schedule,valid from,valid until,approver
A-1001,Alex Morgan,office;cage;hall,,round-the-clock,2024-01-01,,persons/p-190
A-1002,Robin Berg,office;cage;hall,,round-the-clock,2024-01-01,,persons/p-190
";
const ZONE: &str = "Europe/Stockholm";

/// Each reader with its line, its address there and the first byte of its key.
const READERS: [(&str, &str, u8, u8); 3] = [
    ("r-office", "north", 1, 1),
    ("r-cage", "north", 2, 2),
    ("r-hall", "south", 1, 3),
];

/// The card of Alex Morgan.
pub(crate) fn alex() -> Card {
    Card::h10301(42, 1001)
}

/// The card of Robin Berg.
pub(crate) fn robin() -> Card {
    Card::h10301(42, 1002)
}

/// A key that looks random.
pub(crate) fn key(first: u8) -> [u8; 16] {
    let mut key = [
        0, 0x3D, 0x91, 0xE7, 0x5A, 0x08, 0xC4, 0x66, 0xB2, 0x1F, 0xD9, 0x70, 0x4C, 0xA3, 0x85, 0xFE,
    ];
    key[0] = first;
    key
}

/// The devices of a line as the site has them.
pub(crate) fn devices(bus: &str) -> Vec<ReaderSettings> {
    let on_it = READERS.iter().filter(|(_, line, ..)| *line == bus);
    on_it
        .map(|(_, _, address, first)| ReaderSettings::secure(*address, SecureKey::new(key(*first))))
        .collect()
}

/// What a house is to be.
pub(crate) struct Draft {
    pub(crate) site: String,
    pub(crate) world: Arc<dyn World>,
    pub(crate) disk: Arc<dyn Disk>,
    /// The devices on the line `north`; `None`: there is no port.
    pub(crate) north: Option<Vec<ReaderSettings>>,
    pub(crate) south: Option<Vec<ReaderSettings>>,
}

impl Default for Draft {
    fn default() -> Self {
        Self {
            site: SITE.to_owned(),
            world: Arc::new(System::start()),
            disk: Arc::new(RealDisk),
            north: Some(devices("north")),
            south: Some(devices("south")),
        }
    }
}

/// A site that is served.
pub(crate) struct House {
    pub(crate) world: Arc<dyn World>,
    pub(crate) disk: Arc<dyn Disk>,
    pub(crate) config: Config,
    pub(crate) boot: BootIdentity,
    pub(crate) north: Option<SimBus>,
    pub(crate) south: Option<SimBus>,
    running: Option<Running>,
    folder: tempfile::TempDir,
    requests: AtomicU64,
}

impl House {
    /// The usual house, with all readers online.
    pub(crate) async fn open() -> Self {
        let house = Self::draft(Draft::default()).await;
        for (reader, ..) in READERS {
            house.until_secure(reader).await;
        }
        house
    }

    /// Makes a site, serves it, and fills it through the API.
    pub(crate) async fn draft(draft: Draft) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let boot = System::boot_identity().unwrap();
        let new = NewSite {
            folder: folder.path().to_owned(),
            site: SiteId::parse("dc").unwrap(),
            name: DisplayName::parse("Readers").unwrap(),
            zone: SiteZone::parse(ZONE).unwrap(),
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            hosts: Vec::new(),
            log_name: KeyName::parse("dc.test").unwrap(),
        };
        let made = init(&new, &*draft.world, boot.clone()).unwrap();
        let mut config = Config::read(&made.config).unwrap();
        let port = |name: &str| folder.path().join(name);
        config.buses = ["north", "south"].map(|name| bus(name, port(name))).into();
        let keys = ReaderKeys::new(&config.folders.keys);
        for (reader, _, _, first) in READERS {
            let reader = ReaderId::parse(reader).unwrap();
            let key = ReaderKey::new(Zeroizing::new(key(first))).unwrap();
            keys.put(&reader, &key).unwrap();
        }
        let line = |name: &str, devices: Vec<ReaderSettings>| {
            SimBus::start(BusSettings::new(port(name), BAUD), devices).unwrap()
        };
        let mut house = Self {
            world: draft.world,
            disk: draft.disk,
            config,
            boot,
            north: draft.north.map(|devices| line("north", devices)),
            south: draft.south.map(|devices| line("south", devices)),
            running: None,
            folder,
            requests: AtomicU64::new(1),
        };
        house.issue(CallerKind::Customer, "acme");
        house.issue(CallerKind::Controller, "gate-1");
        house.start().await;
        house.apply_site(&draft.site).await.unwrap();
        house.apply_list(ACME).await.unwrap();
        house
    }

    /// Starts the server on what there is.
    pub(crate) async fn start(&mut self) {
        let (world, disk) = (Arc::clone(&self.world), Arc::clone(&self.disk));
        let started = start_on(&self.config, world, self.boot.clone(), disk).await;
        self.running = Some(started.unwrap());
    }

    /// Stops the server; lines and devices stay.
    pub(crate) async fn stop(&mut self) {
        if let Some(running) = self.running.take() {
            running.stop().await;
        }
    }

    /// Path of a line's port.
    pub(crate) fn port(&self, bus: &str) -> PathBuf {
        self.folder.path().join(bus)
    }

    /// A device.
    pub(crate) fn device(&self, reader: &str) -> ReaderHandle {
        let (_, bus, address, _) = READERS.iter().find(|(id, ..)| *id == reader).unwrap();
        let line = if *bus == "north" {
            &self.north
        } else {
            &self.south
        };
        line.as_ref().unwrap().reader(*address).unwrap()
    }

    fn issue(&self, kind: CallerKind, id: &str) {
        let pki = PkiFolder::new(&self.config.folders.pki, Arc::new(RealDisk));
        let authority = pki.authority(&self.config.site).unwrap();
        let caller = Caller::parse(kind, id).unwrap();
        let out = identity_folder(self.folder.path(), &caller);
        pki.issue_identity(&authority, caller, (Days::YEAR, &out), &*self.world)
            .unwrap();
    }

    /// Address of the server, as clients write it.
    pub(crate) fn server(&self) -> String {
        let running = self.running.as_ref().unwrap();
        format!("https://localhost:{}", running.address().port())
    }

    /// A file of a caller's identity.
    pub(crate) fn paper(&self, kind: CallerKind, id: &str, name: &str) -> String {
        let caller = Caller::parse(kind, id).unwrap();
        let folder = identity_folder(self.folder.path(), &caller);
        std::fs::read_to_string(folder.join(name)).unwrap()
    }

    /// A connection of its own for a caller.
    pub(crate) async fn channel(&self, kind: CallerKind, id: &str) -> Channel {
        let read = |name: &str| self.paper(kind, id, name);
        let tls = ClientTlsConfig::new()
            .ca_certificate(Certificate::from_pem(read("ca.pem")))
            .identity(Identity::from_pem(read("cert.pem"), read("key.pem")));
        let endpoint = Endpoint::from_shared(self.server()).unwrap();
        let endpoint = endpoint.tls_config(tls).unwrap().timeout(DEADLINE);
        endpoint.connect().await.unwrap()
    }

    /// A connection of the first operator.
    pub(crate) async fn operator(&self) -> Channel {
        self.channel(CallerKind::Operator, "first").await
    }

    fn request_id(&self) -> String {
        format!("request-{}", self.requests.fetch_add(1, Ordering::Relaxed))
    }

    /// Makes the site what a file says.
    pub(crate) async fn apply_site(&self, text: &str) -> Result<(), Status> {
        let parts = site_file::parse("site.toml", text).unwrap();
        let mut client = SiteServiceClient::new(self.operator().await);
        let parts = parts.chunks(50).map(<[pb::SitePart]>::to_vec);
        let messages: Vec<_> = parts.map(|parts| pb::UploadSiteRequest { parts }).collect();
        let uploaded = client.upload_site(iter(messages)).await?;
        let upload = uploaded.into_inner().upload;
        let plan = pb::PlanSiteRequest {
            upload: upload.clone(),
        };
        let etag = client.plan_site(plan).await?.into_inner().etag;
        let apply = pb::ApplySiteRequest {
            upload,
            etag,
            request_id: self.request_id(),
        };
        client.apply_site(apply).await.map(drop)
    }

    /// Makes acme's list what a file says.
    pub(crate) async fn apply_list(&self, csv: &str) -> Result<(), Status> {
        let channel = self.channel(CallerKind::Customer, "acme").await;
        let mut client = AccessListServiceClient::new(channel);
        let parent = "customers/acme/accessList".to_owned();
        let lines = list_file::parse("list.csv", csv, SiteZone::parse(ZONE).unwrap());
        let message = pb::UploadAccessListRequest {
            parent: parent.clone(),
            lines: lines.unwrap(),
        };
        let uploaded = client.upload_access_list(iter([message])).await?;
        let upload = uploaded.into_inner().upload;
        let plan = pb::PlanAccessListRequest {
            parent: parent.clone(),
            upload: upload.clone(),
        };
        let etag = client.plan_access_list(plan).await?.into_inner().etag;
        let apply = pb::ApplyAccessListRequest {
            parent,
            upload,
            etag,
            request_id: self.request_id(),
        };
        client.apply_access_list(apply).await.map(drop)
    }

    /// Everything in acme's feed; of one that fits on a page.
    pub(crate) async fn leaves(&self) -> Vec<pb::FeedLeaf> {
        let channel = self.channel(CallerKind::Customer, "acme").await;
        let request = pb::ListFeedLeavesRequest {
            parent: "customers/acme".to_owned(),
            page_size: 500,
            ..Default::default()
        };
        let mut client = FeedServiceClient::new(channel);
        let page = client.list_feed_leaves(request).await.unwrap();
        page.into_inner().leaves
    }

    /// Attempts at an access point in acme's feed, read from the committed bytes.
    pub(crate) async fn entries(&self, access_point: &str) -> Vec<pb::EntryRecord> {
        let leaves = self.leaves().await.into_iter();
        leaves
            .filter(|leaf| leaf.kind() == pb::LeafKind::Entry)
            .map(|leaf| pb::EntryRecord::decode(leaf.record.as_slice()).unwrap())
            .filter(|entry| entry.access_point == format!("accessPoints/{access_point}"))
            .collect()
    }

    /// Field events of a door in acme's feed.
    pub(crate) async fn events(&self, door: &str) -> Vec<pb::DoorEventKind> {
        let leaves = self.leaves().await.into_iter();
        leaves
            .filter(|leaf| leaf.kind() == pb::LeafKind::DoorEvent)
            .map(|leaf| pb::DoorEventRecord::decode(leaf.record.as_slice()).unwrap())
            .filter(|event| event.door == format!("doors/{door}"))
            .map(|event| event.kind())
            .collect()
    }

    /// Waits until the field events of a door are these.
    pub(crate) async fn until_events(&self, door: &str, wanted: &[pb::DoorEventKind]) {
        until(wanted, async || self.events(door).await).await;
    }

    /// All alarms, newest first.
    pub(crate) async fn alarms(&self) -> Vec<pb::Alarm> {
        let mut client = AlarmServiceClient::new(self.operator().await);
        let listed = client.list_alarms(pb::ListAlarmsRequest {}).await.unwrap();
        listed.into_inner().alarms
    }

    /// Kinds and places of the alarms that stand, sorted.
    pub(crate) async fn standing(&self) -> Vec<(pb::AlarmKind, String)> {
        let alarms = self.alarms().await.into_iter();
        let standing = alarms.filter(|alarm| alarm.clear_time.is_none());
        let mut standing: Vec<_> = standing
            .map(|alarm| (alarm.kind(), alarm.subject))
            .collect();
        standing.sort();
        standing
    }

    /// Waits until these alarms stand and no other.
    pub(crate) async fn until_standing(&self, wanted: &[(pb::AlarmKind, &str)]) {
        let mut wanted: Vec<_> = wanted.iter().map(|(k, s)| (*k, (*s).to_owned())).collect();
        wanted.sort();
        until(&wanted, async || self.standing().await).await;
    }

    /// A reader as its line sees it.
    pub(crate) async fn reader(&self, reader: &str) -> pb::ReaderStatus {
        let mut client = ReaderServiceClient::new(self.operator().await);
        let request = pb::ListReaderStatusesRequest::default();
        let listed = client.list_reader_statuses(request).await.unwrap();
        let mut statuses = listed.into_inner().statuses.into_iter();
        let name = format!("readers/{reader}");
        statuses.find(|status| status.reader == name).unwrap()
    }

    /// Waits until a reader is in a state.
    pub(crate) async fn until_state(&self, reader: &str, state: pb::ReaderState) {
        until(&state, async || self.reader(reader).await.state()).await;
    }

    /// Waits until a reader answers over a secured line.
    pub(crate) async fn until_secure(&self, reader: &str) {
        self.until_state(reader, pb::ReaderState::Secure).await;
    }

    /// Orders something at a door; the entry's name.
    pub(crate) async fn order(
        &self,
        door: &str,
        action: pb::DoorAction,
        until: Option<i64>,
    ) -> Result<String, Status> {
        let mut client = DoorOrderServiceClient::new(self.operator().await);
        let request = pb::OrderDoorRequest {
            name: format!("doors/{door}"),
            action: action.into(),
            until_time: until.map(|seconds| prost_types::Timestamp { seconds, nanos: 0 }),
            request_id: self.request_id(),
        };
        let ordered = client.order_door(request).await?;
        Ok(ordered.into_inner().entry)
    }

    /// What is known of a door.
    pub(crate) async fn door(&self, door: &str) -> pb::DoorStatus {
        let mut client = DoorOrderServiceClient::new(self.operator().await);
        let name = format!("doors/{door}");
        let request = pb::GetDoorStatusRequest { name };
        client.get_door_status(request).await.unwrap().into_inner()
    }

    /// Waits until a door's contact has said so.
    pub(crate) async fn until_position(&self, door: &str, position: pb::DoorPosition) {
        until(&position, async || self.door(door).await.position()).await;
    }
}

fn bus(name: &str, port: PathBuf) -> BusConfig {
    BusConfig {
        name: BusName::parse(name).unwrap(),
        port,
        baud: BAUD,
    }
}

/// Looks again and again until what is seen is what is wanted.
pub(crate) async fn until<W, T>(wanted: &W, mut look: impl AsyncFnMut() -> T)
where
    W: std::fmt::Debug + ?Sized,
    T: std::fmt::Debug + std::borrow::Borrow<W>,
    W: PartialEq,
{
    let mut last = None;
    let found = tokio::time::timeout(DEADLINE, async {
        let mut again = tokio::time::interval(LOOK_AGAIN);
        loop {
            let seen = look().await;
            if seen.borrow() == wanted {
                return;
            }
            last = Some(seen);
            again.tick().await;
        }
    });
    let is_found = found.await.is_ok();
    assert!(is_found, "wanted {wanted:?}, saw {last:?}");
}

/// Waits until something is so.
pub(crate) async fn until_so(what: &str, mut is_so: impl AsyncFnMut() -> bool) {
    let waited = tokio::time::timeout(DEADLINE, async {
        let mut again = tokio::time::interval(LOOK_AGAIN);
        while !is_so().await {
            again.tick().await;
        }
    });
    assert!(waited.await.is_ok(), "never: {what}");
}
