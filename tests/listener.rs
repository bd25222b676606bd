//! The machine listener and the gate behind it, over real sockets.
#![expect(
    clippy::unwrap_used,
    reason = "a test that cannot go on says so by stopping"
)]

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use rcgen::{CertificateParams, ExtendedKeyUsagePurpose, Issuer, KeyPair, SanType};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName as TlsName};
use rustls::{ClientConfig, RootCertStore};
use sluss::env::System;
use sluss::pki::{Authority, Days, Issued, PkiFolder, ServerName, Subject};
use sluss::service::auth::Revocations;
use sluss::service::gate::{Gate, GateParts, Routes};
use sluss::service::listener::{Incoming, ListenerLimits, ListenerParts, listen};
use sluss::service::tls;
use sluss::store::disk::RealDisk;
use sluss::types::{Caller, CallerKind, Now, SiteId, World};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_stream::StreamExt as _;
use tonic::Streaming;
use tonic::transport::server::Connected as _;
use tonic::transport::{Certificate, Channel, ClientTlsConfig, Endpoint, Identity, Server};
use tonic_health::pb::health_client::HealthClient;
use tonic_health::pb::{HealthCheckRequest, HealthCheckResponse};

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// When a test gives up waiting; long, as it is only waited for where something is broken.
const DEADLINE: Duration = Duration::from_secs(5);

/// Limits with deadlines short enough to wait for.
const LIMITS: ListenerLimits = ListenerLimits {
    connections: 64,
    connections_per_peer: 2,
    handshakes: 32,
    handshakes_per_address: 32,
    handshake: Duration::from_millis(200),
    first_bytes: Duration::from_millis(200),
};

/// Certificate and key, as PEM.
struct Credentials {
    certificate: String,
    key: String,
}

impl From<Issued> for Credentials {
    fn from(issued: Issued) -> Self {
        Self {
            certificate: issued.certificate_pem.clone(),
            key: issued.key_pem.to_string(),
        }
    }
}

/// The real world, but for a clock that a test sets forward.
#[derive(Debug)]
struct Clock {
    system: System,
    ahead_seconds: AtomicU32,
}

impl World for Clock {
    fn now(&self) -> Now {
        let now = self.system.now();
        let ahead = self.ahead_seconds.load(Ordering::Relaxed);
        Now {
            utc: now.utc.plus_seconds(ahead),
            ..now
        }
    }

    fn fill_random(&self, buffer: &mut [u8]) {
        self.system.fill_random(buffer);
    }
}

struct Site {
    world: Arc<Clock>,
    authority: Authority,
    authority_key: String,
    tls: Arc<rustls::ServerConfig>,
    revocations: Arc<Revocations>,
    _folder: tempfile::TempDir,
}

fn site_id() -> SiteId {
    SiteId::parse("sto1").unwrap()
}

fn caller(kind: CallerKind) -> Subject {
    Subject::Caller(Caller::parse(kind, "north-1").unwrap())
}

fn site() -> Site {
    let root = tempfile::tempdir().unwrap();
    let world = Arc::new(Clock {
        system: System::start(),
        ahead_seconds: AtomicU32::new(0),
    });
    let folder = PkiFolder::new(root.path(), Arc::new(RealDisk));
    let authority = folder.create(&site_id(), &*world).unwrap();
    let names = vec![ServerName::parse("localhost").unwrap()];
    let issued = folder
        .issue(&authority, Subject::Server(names), Days::YEAR, &*world)
        .unwrap();
    folder.write_server(&issued).unwrap();
    let certificate = Arc::new(folder.server_certificate().unwrap());
    let tls = tls::server_config(authority.certificate_pem(), certificate, world.clone()).unwrap();
    Site {
        world,
        authority_key: std::fs::read_to_string(root.path().join("ca.key.pem")).unwrap(),
        authority,
        tls,
        revocations: Arc::default(),
        _folder: root,
    }
}

impl Site {
    fn issue(&self, kind: CallerKind) -> Issued {
        self.issue_for(kind, Days::YEAR)
    }

    fn issue_for(&self, kind: CallerKind, days: Days) -> Issued {
        let issued = self.authority.issue(caller(kind), days, &*self.world);
        issued.unwrap()
    }

    /// A client of the health service, and its stream, which has begun.
    async fn watching(
        &self,
        address: SocketAddr,
        credentials: &Credentials,
    ) -> (HealthClient<Channel>, Streaming<HealthCheckResponse>) {
        let channel = self.channel(address, credentials).await.unwrap();
        let mut health = HealthClient::new(channel);
        let opened = health.watch(HealthCheckRequest::default()).await;
        let mut watch = opened.unwrap().into_inner();
        watch.message().await.unwrap().unwrap();
        (health, watch)
    }

    /// Signs what `issue` never would.
    fn sign(&self, names: Vec<SanType>) -> Credentials {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.subject_alt_names = names;
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        let issuer_key = KeyPair::from_pem(&self.authority_key).unwrap();
        let issuer =
            Issuer::from_ca_cert_pem(self.authority.certificate_pem(), issuer_key).unwrap();
        Credentials {
            certificate: params.signed_by(&key, &issuer).unwrap().pem(),
            key: key.serialize_pem(),
        }
    }

    async fn listen(&self, limits: ListenerLimits) -> (SocketAddr, Incoming) {
        let socket = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = socket.local_addr().unwrap();
        let parts = ListenerParts {
            tls: Arc::clone(&self.tls),
            site: site_id(),
            revocations: Arc::clone(&self.revocations),
            world: self.world.clone(),
            limits,
        };
        (address, listen(socket, parts))
    }

    /// A whole server with the health service behind the gate.
    async fn serve(&self, limits: ListenerLimits) -> SocketAddr {
        let (address, incoming) = self.listen(limits).await;
        let (_, health) = tonic_health::server::health_reporter();
        let gate = Gate::new(GateParts {
            routes: Routes::default().with(health),
            revocations: Arc::clone(&self.revocations),
            world: self.world.clone(),
            call: DEADLINE,
        });
        tokio::spawn(Server::builder().serve_with_incoming(gate, incoming));
        address
    }

    fn client(&self, credentials: Option<&Credentials>) -> ClientConfig {
        let mut roots = RootCertStore::empty();
        let root = CertificateDer::from_pem_slice(self.authority.certificate_pem().as_bytes());
        roots.add(root.unwrap()).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots);
        let Some(credentials) = credentials else {
            return builder.with_no_client_auth();
        };
        let certificate = CertificateDer::from_pem_slice(credentials.certificate.as_bytes());
        let key = PrivateKeyDer::from_pem_slice(credentials.key.as_bytes()).unwrap();
        let chain = vec![certificate.unwrap()];
        builder.with_client_auth_cert(chain, key).unwrap()
    }

    /// Shakes hands. With TLS 1.3 this succeeds even if the server then refuses the client.
    async fn connect(
        &self,
        address: SocketAddr,
        credentials: Option<&Credentials>,
    ) -> TlsStream<TcpStream> {
        let connector = TlsConnector::from(Arc::new(self.client(credentials)));
        let tcp = TcpStream::connect(address).await.unwrap();
        let name = TlsName::try_from("localhost").unwrap();
        connector.connect(name, tcp).await.unwrap()
    }

    async fn channel(
        &self,
        address: SocketAddr,
        credentials: &Credentials,
    ) -> Result<Channel, tonic::transport::Error> {
        let tls = ClientTlsConfig::new()
            .domain_name("localhost")
            .ca_certificate(Certificate::from_pem(self.authority.certificate_pem()))
            .identity(Identity::from_pem(
                &credentials.certificate,
                &credentials.key,
            ));
        Endpoint::from_shared(format!("https://{address}"))?
            .tls_config(tls)?
            .connect()
            .await
    }
}

/// Waits until the other end closes, however it does it.
async fn closed(mut stream: impl AsyncRead + Unpin) -> bool {
    let mut rest = Vec::new();
    let end = tokio::time::timeout(DEADLINE, stream.read_to_end(&mut rest)).await;
    end.is_ok()
}

/// Whether a connection with these credentials is closed without reaching the server.
async fn refused(site: &Site, credentials: Option<&Credentials>) -> bool {
    let (address, mut incoming) = site.listen(LIMITS).await;
    let mut stream = site.connect(address, credentials).await;
    // The other end may have closed already.
    let _closed = stream.write_all(PREFACE).await;
    tokio::select! {
        _ = incoming.next() => false,
        closed = closed(stream) => closed,
    }
}

#[tokio::test]
async fn a_known_caller_gets_through_and_is_named() {
    let site = site();
    let issued = site.issue(CallerKind::Controller);
    let serial = issued.serial.clone();
    let (address, mut incoming) = site.listen(LIMITS).await;
    let mut stream = site.connect(address, Some(&issued.into())).await;
    stream.write_all(PREFACE).await.unwrap();
    let mut io = incoming.next().await.unwrap().unwrap();
    let peer = io.connect_info();
    assert_eq!(Subject::Caller(peer.caller), caller(CallerKind::Controller));
    assert_eq!(peer.serial, serial);
    let mut first = [0; 24];
    io.read_exact(&mut first).await.unwrap();
    assert_eq!(first, PREFACE, "the first bytes are not lost");
}

#[tokio::test]
async fn a_silent_socket_is_closed() {
    let site = site();
    let (address, _incoming) = site.listen(LIMITS).await;
    assert!(closed(TcpStream::connect(address).await.unwrap()).await);
}

#[tokio::test]
async fn a_caller_that_says_nothing_is_closed() {
    let site = site();
    let (address, _incoming) = site.listen(LIMITS).await;
    let credentials = site.issue(CallerKind::Controller).into();
    assert!(closed(site.connect(address, Some(&credentials)).await).await);
}

#[tokio::test]
async fn without_a_certificate_nobody_gets_through() {
    assert!(refused(&site(), None).await);
}

#[tokio::test]
async fn a_certificate_of_another_authority_is_refused() {
    let stranger = site().issue(CallerKind::Controller).into();
    assert!(refused(&site(), Some(&stranger)).await);
}

#[tokio::test]
async fn a_certificate_with_other_names_than_one_uri_is_refused() {
    let site = site();
    let uri = |text: &str| SanType::URI(text.try_into().unwrap());
    let good = || uri("spiffe://sto1/controller/north-1");
    assert!(
        !refused(&site, Some(&site.sign(vec![good()]))).await,
        "the control"
    );
    for names in [
        vec![],
        vec![good(), uri("spiffe://sto1/operator/first")],
        vec![good(), SanType::DnsName("localhost".try_into().unwrap())],
        vec![SanType::DnsName("localhost".try_into().unwrap())],
        vec![uri("spiffe://sto2/controller/north-1")],
    ] {
        let shown = format!("{names:?}");
        assert!(refused(&site, Some(&site.sign(names))).await, "{shown}");
    }
}

#[tokio::test]
async fn a_revoked_certificate_is_refused() {
    let site = site();
    let issued = site.issue(CallerKind::Operator);
    let serials = BTreeSet::from([issued.serial.clone()]);
    let credentials = issued.into();
    assert!(!refused(&site, Some(&credentials)).await, "the control");
    site.revocations.replace(serials);
    assert!(refused(&site, Some(&credentials)).await);
}

#[tokio::test]
async fn one_caller_cannot_have_more_connections_than_allowed() {
    let site = site();
    let credentials = site.issue(CallerKind::Controller).into();
    let (address, mut incoming) = site.listen(LIMITS).await;
    let mut held = Vec::new();
    for _ in 0..LIMITS.connections_per_peer {
        let mut stream = site.connect(address, Some(&credentials)).await;
        stream.write_all(PREFACE).await.unwrap();
        held.push((stream, incoming.next().await.unwrap().unwrap()));
    }
    let mut stream = site.connect(address, Some(&credentials)).await;
    let _closed = stream.write_all(PREFACE).await;
    tokio::select! {
        _ = incoming.next() => panic!("one more than allowed"),
        closed = closed(stream) => assert!(closed),
    }
    // Another caller is not concerned, and a place that is given back can be had again.
    let other = site.issue(CallerKind::Customer).into();
    for credentials in [&other, &credentials] {
        held.pop();
        let mut stream = site.connect(address, Some(credentials)).await;
        stream.write_all(PREFACE).await.unwrap();
        incoming.next().await.unwrap().unwrap();
    }
}

#[tokio::test]
async fn connections_in_all_are_limited() {
    let site = site();
    let limits = ListenerLimits {
        handshakes: 1,
        handshake: Duration::from_mins(1),
        ..LIMITS
    };
    let (address, _incoming) = site.listen(limits).await;
    let silent = TcpStream::connect(address).await.unwrap();
    assert!(closed(TcpStream::connect(address).await.unwrap()).await);
    drop(silent);
}

#[tokio::test]
async fn a_listener_that_is_dropped_closes_its_socket() {
    let site = site();
    let (address, incoming) = site.listen(LIMITS).await;
    let waiting = TcpStream::connect(address).await.unwrap();
    drop(incoming);
    assert!(closed(waiting).await);
}

#[tokio::test]
async fn invariant_10_a_revoked_certificate_ends_calls_and_streams() {
    let site = site();
    let issued = site.issue(CallerKind::Desk);
    let serial = issued.serial.clone();
    let credentials = issued.into();
    let address = site.serve(LIMITS).await;
    let (mut health, mut watch) = site.watching(address, &credentials).await;
    let whole_server = HealthCheckRequest::default;
    health.check(whole_server()).await.unwrap();

    site.revocations.replace(BTreeSet::from([serial]));
    let end = tokio::time::timeout(DEADLINE, watch.message()).await;
    assert!(matches!(end, Ok(Err(_))), "the open stream ends");
    assert!(
        health.check(whole_server()).await.is_err(),
        "the next call fails"
    );
}

#[tokio::test]
async fn invariant_10_an_ended_certificate_ends_calls_and_streams() {
    const DAY_SECONDS: u32 = 86_400;
    let site = site();
    let address = site.serve(LIMITS).await;
    let short = site
        .issue_for(CallerKind::Desk, Days::new(1).unwrap())
        .into();
    let long = site.issue_for(CallerKind::Customer, Days::YEAR).into();
    let (mut ending, mut its_watch) = site.watching(address, &short).await;
    let (mut going_on, mut other_watch) = site.watching(address, &long).await;

    let ahead = &site.world.ahead_seconds;
    ahead.store(DAY_SECONDS + 1, Ordering::Relaxed);
    let end = tokio::time::timeout(DEADLINE, its_watch.message()).await;
    assert!(matches!(end, Ok(Err(_))), "the open stream ends");
    let whole_server = HealthCheckRequest::default;
    assert!(
        ending.check(whole_server()).await.is_err(),
        "the next call fails"
    );
    going_on.check(whole_server()).await.unwrap();
    let nothing_new = tokio::time::timeout(Duration::from_millis(10), other_watch.message());
    assert!(nothing_new.await.is_err(), "the other stream goes on");
}

/// Steele and Vigna's `SplitMix64`.
struct Seeded(u64);

impl Seeded {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn bytes(&mut self) -> Vec<u8> {
        let words = self.next() % 128;
        (0..words).flat_map(|_| self.next().to_le_bytes()).collect()
    }
}

/// Sends random bytes: as they are, after the head of a TLS record, within TLS as a known caller,
/// or after HTTP/2's first bytes. Whether the server closed the connection.
async fn survives(site: &Site, address: SocketAddr, seed: u64, known: &Credentials) -> bool {
    let mut random = Seeded(seed);
    let bytes = random.bytes();
    let begin: &[u8] = match seed % 4 {
        1 => &[0x16, 0x03, 0x01, 0x02, 0x00, 0x01],
        3 => PREFACE,
        _ => &[],
    };
    // Writing may fail, as the other end may have closed already.
    if seed % 4 < 2 {
        let mut stream = TcpStream::connect(address).await.unwrap();
        let _closed = stream.write_all(&[begin, &bytes].concat()).await;
        let _closed = stream.shutdown().await;
        return closed(stream).await;
    }
    let mut stream = site.connect(address, Some(known)).await;
    let _closed = stream.write_all(&[begin, &bytes].concat()).await;
    let _closed = stream.shutdown().await;
    closed(stream).await
}

#[tokio::test(flavor = "multi_thread")]
async fn invariant_9_random_bytes_on_the_socket_end_in_a_closed_socket() {
    static PANICS: AtomicU32 = AtomicU32::new(0);
    let before = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        PANICS.fetch_add(1, Ordering::Relaxed);
        before(panic);
    }));
    let site = site();
    let known = site.issue(CallerKind::Controller).into();
    let address = site.serve(LIMITS).await;
    for seed in 0..400 {
        assert!(survives(&site, address, seed, &known).await, "seed {seed}");
    }
    assert_eq!(PANICS.load(Ordering::Relaxed), 0);
    let channel = site.channel(address, &known).await.unwrap();
    let mut health = HealthClient::new(channel);
    health.check(HealthCheckRequest::default()).await.unwrap();
}
