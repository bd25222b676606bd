//! `sluss feed` against a server that is told what to say, over mTLS.
#![expect(
    clippy::unwrap_used,
    reason = "a test that cannot go on says so by stopping"
)]

use std::collections::VecDeque;
use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::pin::Pin;
use std::process::{Command, Output, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use prost::Message as _;
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair, SanType};
use sluss::ledger::{
    Checkpoint, Epoch, Frontier, Hash, KeyName, LeafKind, Origin, Salt, SigningKey, leaf_hash,
};
use sluss::pb::v1;
use sluss::pb::v1::feed_leaf::Decoded;
use sluss::pb::v1::feed_service_server::{FeedService, FeedServiceServer};
use sluss::pb::v1::watch_request::Start;
use sluss::pb::v1::watch_response::Message;
use sluss::types::CustomerId;
use tokio_stream::StreamExt as _;
use tonic::transport::server::TcpIncoming;
use tonic::transport::{Certificate, Identity, Server, ServerTlsConfig};
use tonic::{Code, Request, Response, Status};
use tonic_types::{ErrorDetails, StatusExt as _};

// ---- a feed ----

fn signer() -> SigningKey {
    SigningKey::from_seed(KeyName::parse("demo.example").unwrap(), &[3; 32]).unwrap()
}

fn origin() -> Origin {
    let acme = CustomerId::parse("acme").unwrap();
    Origin::feed(
        &KeyName::parse("demo.example").unwrap(),
        &acme,
        Epoch::FIRST,
    )
}

fn leaf(index: u64) -> v1::FeedLeaf {
    let (kind, record, decoded) = if index == 0 {
        let genesis = v1::GenesisRecord {
            format: 1,
            origin: origin().to_string(),
            time_zone: "Europe/Stockholm".into(),
            precision: v1::Precision::Hour.into(),
        };
        let record = genesis.encode_to_vec();
        (LeafKind::Genesis, record, Decoded::Genesis(genesis))
    } else {
        let entry = v1::EntryRecord {
            access_point: format!("accessPoints/d-{index}"),
            decision: v1::Decision::Grant.into(),
            ..v1::EntryRecord::default()
        };
        (
            LeafKind::Entry,
            entry.encode_to_vec(),
            Decoded::Entry(entry),
        )
    };
    let salt = Salt::from_bytes([9; 32]);
    v1::FeedLeaf {
        index,
        kind: kind.number().into(),
        leaf_hash: leaf_hash(index, kind, &record, &salt).as_bytes().to_vec(),
        record,
        salt: salt.as_bytes().to_vec(),
        decoded: Some(decoded),
        display: None,
    }
}

fn leaves(count: u64) -> Vec<v1::FeedLeaf> {
    (0..count).map(leaf).collect()
}

fn checkpoint(leaves: &[v1::FeedLeaf]) -> v1::Checkpoint {
    let mut tree = Frontier::default();
    for leaf in leaves {
        tree.push(Hash::parse(&leaf.leaf_hash).unwrap());
    }
    let (size, root) = (tree.size(), tree.root());
    let origin = origin();
    v1::Checkpoint {
        tree_size: size,
        root_hash: root.as_bytes().to_vec(),
        note: Checkpoint { origin, size, root }.sign(&signer()),
    }
}

// ---- a server that says what it is told to ----

/// What one call of Watch sends before it ends.
type Sent = Vec<Result<v1::WatchResponse, Status>>;

#[derive(Default)]
struct Script {
    leaves: Vec<v1::FeedLeaf>,
    checkpoint: Option<v1::Checkpoint>,
    watches: Mutex<VecDeque<Sent>>,
    starts: Mutex<Vec<Option<Start>>>,
    /// Whether a watch waits for more after what the script says, instead of ending.
    stays_open: bool,
}

struct Told(Arc<Script>);

#[tonic::async_trait]
impl FeedService for Told {
    type WatchStream =
        Pin<Box<dyn tokio_stream::Stream<Item = Result<v1::WatchResponse, Status>> + Send>>;

    async fn list_feed_leaves(
        &self,
        request: Request<v1::ListFeedLeavesRequest>,
    ) -> Result<Response<v1::ListFeedLeavesResponse>, Status> {
        let ask = request.into_inner();
        if ask.parent != "customers/acme" {
            return Err(Status::not_found("no such customer"));
        }
        let first = ask.page_token.parse().unwrap_or(ask.from_index);
        let size = usize::try_from(ask.page_size).unwrap();
        let from = usize::try_from(first).unwrap().min(self.0.leaves.len());
        let rest = self.0.leaves.split_at(from).1;
        let page: Vec<_> = rest.iter().take(size).cloned().collect();
        let next = first + u64::try_from(page.len()).unwrap();
        let total_size = u64::try_from(self.0.leaves.len()).unwrap();
        let next_page_token = if next < total_size {
            next.to_string()
        } else {
            String::new()
        };
        Ok(Response::new(v1::ListFeedLeavesResponse {
            leaves: page,
            next_page_token,
            checkpoint: self.0.checkpoint.clone(),
            total_size,
        }))
    }

    async fn watch(
        &self,
        request: Request<v1::WatchRequest>,
    ) -> Result<Response<Self::WatchStream>, Status> {
        self.0
            .starts
            .lock()
            .unwrap()
            .push(request.into_inner().start);
        let sent = self.0.watches.lock().unwrap().pop_front();
        let sent = sent.ok_or_else(|| Status::permission_denied("the script has ended"))?;
        let sent = tokio_stream::iter(sent);
        if self.0.stays_open {
            return Ok(Response::new(Box::pin(sent.chain(tokio_stream::pending()))));
        }
        Ok(Response::new(Box::pin(sent)))
    }
}

/// A folder with an identity, and the CA that made it.
struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pem: String,
}

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let pem = params.self_signed(&key).unwrap().pem();
        Self {
            issuer: Issuer::new(params, key),
            pem,
        }
    }

    fn certificate(&self, names: Vec<SanType>) -> (String, String) {
        let mut params = CertificateParams::default();
        params.subject_alt_names = names;
        let key = KeyPair::generate().unwrap();
        let signed = params.signed_by(&key, &self.issuer).unwrap();
        (signed.pem(), key.serialize_pem())
    }

    fn write_identity(&self, folder: &Path, trusted: &Self) {
        let uri = "spiffe://demo/customer/acme".try_into().unwrap();
        let (cert, key) = self.certificate(vec![SanType::URI(uri)]);
        fs::write(folder.join("ca.pem"), &trusted.pem).unwrap();
        fs::write(folder.join("cert.pem"), cert).unwrap();
        fs::write(folder.join("key.pem"), key).unwrap();
        fs::write(folder.join("log.vkey"), signer().verifying_key().text()).unwrap();
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            let mode = fs::Permissions::from_mode(0o600);
            fs::set_permissions(folder.join("key.pem"), mode).unwrap();
        }
    }
}

/// A server that runs until the test ends, and a folder to call it from.
struct Bench {
    script: Arc<Script>,
    folder: tempfile::TempDir,
    authority: Authority,
    url: String,
    _runtime: tokio::runtime::Runtime,
}

impl Bench {
    fn new(script: Script) -> Self {
        let script = Arc::new(script);
        let authority = Authority::new();
        let (cert, key) =
            authority.certificate(vec![SanType::DnsName("localhost".try_into().unwrap())]);
        let tls = ServerTlsConfig::new()
            .identity(Identity::from_pem(cert, key))
            .client_ca_root(Certificate::from_pem(&authority.pem));
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let incoming = {
            let _inside = runtime.enter();
            TcpIncoming::bind("127.0.0.1:0".parse().unwrap()).unwrap()
        };
        let url = format!(
            "https://localhost:{}",
            incoming.local_addr().unwrap().port()
        );
        let service = FeedServiceServer::new(Told(Arc::clone(&script)));
        let server = Server::builder().tls_config(tls).unwrap();
        runtime.spawn(server.serve_with_incoming(service, incoming));
        let folder = tempfile::tempdir().unwrap();
        authority.write_identity(folder.path(), &authority);
        Self {
            script,
            folder,
            authority,
            url,
            _runtime: runtime,
        }
    }

    fn command(&self, arguments: &[&str]) -> Command {
        self.command_to(&self.url, arguments)
    }

    fn command_to(&self, url: &str, arguments: &[&str]) -> Command {
        let mut command = Command::new(assert_cmd::cargo::cargo_bin("sluss"));
        command
            .current_dir(self.folder.path())
            .args(["--server", url, "--identity", "."])
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    fn run(&self, arguments: &[&str]) -> (i32, String, String) {
        told(self.command(arguments).output().unwrap())
    }

    /// What `state` says is next.
    fn next_index_in(&self, state: &str) -> u64 {
        let text = fs::read(self.folder.path().join(state)).unwrap();
        let value: serde_json::Value = serde_json::from_slice(&text).unwrap();
        value.get("next_index").unwrap().as_u64().unwrap()
    }
}

fn told(output: Output) -> (i32, String, String) {
    (
        output.status.code().unwrap(),
        String::from_utf8(output.stdout).unwrap(),
        String::from_utf8(output.stderr).unwrap(),
    )
}

fn indices(jsonl: &str) -> Vec<u64> {
    let index = |line: &str| {
        let row: serde_json::Value = serde_json::from_str(line).unwrap();
        row.get("index").unwrap().as_u64().unwrap()
    };
    jsonl.lines().map(index).collect()
}

/// Messages with these leaves; each token is the index of its leaf.
fn sent(range: std::ops::Range<u64>) -> Sent {
    let message = |index: u64| v1::WatchResponse {
        resume_token: index.to_string().into_bytes(),
        message: Some(Message::Leaf(leaf(index))),
    };
    range.map(|index| Ok(message(index))).collect()
}

fn refused(code: Code, reason: &str, metadata: &[(&str, &str)]) -> Status {
    let pairs = metadata
        .iter()
        .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()));
    let details = ErrorDetails::with_error_info(
        reason,
        "sluss",
        pairs.collect::<std::collections::HashMap<_, _>>(),
    );
    Status::with_error_details(code, "refused", details)
}

fn watching(watches: Vec<Sent>) -> Bench {
    Bench::new(Script {
        watches: Mutex::new(watches.into()),
        ..Script::default()
    })
}

// ---- what is proved ----

#[test]
fn a_feed_is_listed_as_its_customer_and_proved() {
    let all = leaves(250);
    let bench = Bench::new(Script {
        checkpoint: Some(checkpoint(&all)),
        leaves: all,
        ..Script::default()
    });
    let list = [
        "feed",
        "list",
        "-o",
        "jsonl",
        "--log-key",
        "log.vkey",
        "--state",
        "s",
    ];
    let (code, out, err) = bench.run(&list);
    assert_eq!(code, 0, "{err}");
    assert_eq!(indices(&out), (0..250).collect::<Vec<_>>());
    assert!(
        err.contains("root compared at 250 leaves, its signature checked"),
        "{err}"
    );
    // A second run goes on where the first ended.
    let (code, out, err) = bench.run(&list);
    assert_eq!((code, out.as_str()), (0, ""), "{err}");
    assert!(err.contains("acme: no leaf to show"), "{err}");
}

#[test]
fn signatures_are_checked_with_the_key_that_lies_with_the_certificate() {
    let all = leaves(3);
    let bench = Bench::new(Script {
        checkpoint: Some(checkpoint(&all)),
        leaves: all,
        ..Script::default()
    });
    let (_, _, err) = bench.run(&["feed", "list"]);
    assert!(err.contains("its signature not checked"), "{err}");
    let key =
        |seed: u8| SigningKey::from_seed(KeyName::parse("demo.example").unwrap(), &[seed; 32]);
    let write = |key: SigningKey| {
        fs::write(
            bench.folder.path().join("log.pub"),
            key.verifying_key().text(),
        )
        .unwrap();
    };
    write(signer());
    let (code, _, err) = bench.run(&["feed", "list"]);
    assert_eq!(code, 0, "{err}");
    assert!(
        err.contains("root compared at 3 leaves, its signature checked"),
        "{err}"
    );
    write(key(4).unwrap());
    assert_eq!(bench.run(&["feed", "list"]).0, 1);
}

#[test]
fn a_forged_leaf_ends_with_failure_and_its_index() {
    let mut all = leaves(5);
    all.get_mut(3).unwrap().record.push(0);
    let bench = Bench::new(Script {
        leaves: all,
        ..Script::default()
    });
    let (code, _, err) = bench.run(&["feed", "list", "-o", "jsonl"]);
    assert_eq!(code, 1);
    assert!(err.starts_with("sluss: leaf 3: "), "{err}");
}

#[test]
fn a_wrong_root_ends_with_failure() {
    let mut other = leaves(5);
    other.get_mut(1).unwrap().leaf_hash = vec![0; 32];
    let bench = Bench::new(Script {
        leaves: leaves(5),
        checkpoint: Some(checkpoint(&other)),
        ..Script::default()
    });
    let (code, _, err) = bench.run(&["feed", "list", "-o", "csv"]);
    assert_eq!(code, 1);
    assert!(err.starts_with("sluss: checkpoint of 5 leaves: "), "{err}");
}

#[test]
fn head_ends_a_long_list_quietly() {
    let bench = Bench::new(Script {
        leaves: leaves(3_000),
        ..Script::default()
    });
    for format in ["table", "json", "jsonl", "csv"] {
        let mut child = bench
            .command(&["feed", "list", "-o", format])
            .spawn()
            .unwrap();
        let mut first = String::new();
        let mut out = BufReader::with_capacity(64, child.stdout.take().unwrap());
        out.read_line(&mut first).unwrap();
        drop(out);
        let (code, _, err) = told(child.wait_with_output().unwrap());
        assert_eq!((code, err.as_str()), (0, ""), "{format}");
    }
}

#[test]
fn head_ends_a_watch_though_nothing_new_comes() {
    let bench = Bench::new(Script {
        watches: Mutex::new(vec![sent(0..2)].into()),
        stays_open: true,
        ..Script::default()
    });
    let mut child = bench
        .command(&["feed", "watch", "-o", "jsonl"])
        .spawn()
        .unwrap();
    let mut out = BufReader::new(child.stdout.take().unwrap());
    for _ in 0..2 {
        out.read_line(&mut String::new()).unwrap();
    }
    drop(out);
    let (ended, end) = std::sync::mpsc::channel();
    std::thread::spawn(move || ended.send(told(child.wait_with_output().unwrap())));
    let (code, _, err) = end.recv_timeout(Duration::from_secs(20)).unwrap();
    assert_eq!((code, err.as_str()), (0, ""));
}

#[test]
fn a_watch_goes_on_after_a_restart_without_loss_or_duplicate() {
    let mut cut = sent(0..3);
    cut.push(Err(Status::unavailable("the server stops")));
    let bench = watching(vec![cut, sent(3..5)]);
    let (code, out, err) = bench.run(&["feed", "watch", "-o", "jsonl", "--state", "s"]);
    // The script ends with a refusal, which no trying again can help.
    assert_eq!(code, 4, "{err}");
    assert_eq!(indices(&out), [0, 1, 2, 3, 4]);
    assert_eq!(bench.next_index_in("s"), 5);
    let starts = bench.script.starts.lock().unwrap();
    let token = |index: &str| Some(Start::ResumeToken(index.as_bytes().to_vec()));
    assert_eq!(*starts, [Some(Start::FromIndex(0)), token("2"), token("4")]);
}

#[test]
fn a_watch_that_was_too_slow_goes_on_at_once() {
    let mut slow = sent(0..2);
    let code = Code::ResourceExhausted;
    slow.push(Err(refused(code, "SUBSCRIBER_TOO_SLOW", &[])));
    let bench = watching(vec![slow, sent(2..3)]);
    let (_, out, err) = bench.run(&["feed", "watch", "-o", "jsonl"]);
    assert_eq!(indices(&out), [0, 1, 2]);
    assert!(err.contains("too slow"), "{err}");
}

#[test]
fn a_new_epoch_is_told_and_gone_into() {
    let mut restored = sent(0..4);
    let gone = [("last_common_index", "1")];
    restored.push(Err(refused(
        Code::FailedPrecondition,
        "EPOCH_CHANGED",
        &gone,
    )));
    let bench = watching(vec![restored, sent(2..4)]);
    let (_, out, err) = bench.run(&["feed", "watch", "-o", "jsonl"]);
    assert_eq!(indices(&out), [0, 1, 2, 3, 2, 3]);
    assert!(err.contains("restored from a backup"), "{err}");
    let starts = bench.script.starts.lock().unwrap();
    assert_eq!(starts.get(1), Some(&Some(Start::FromIndex(2))));
}

#[test]
fn a_certificate_of_another_authority_is_not_allowed_and_nothing_is_shown() {
    let bench = Bench::new(Script {
        leaves: leaves(2),
        ..Script::default()
    });
    Authority::new().write_identity(bench.folder.path(), &bench.authority);
    let (code, out, err) = bench.run(&["feed", "list"]);
    assert_eq!((code, out.as_str()), (4, ""), "{err}");
    assert!(err.contains("refused the certificate"), "{err}");
    assert_eq!(err.lines().count(), 1, "{err}");
}

#[test]
fn a_server_of_another_authority_is_not_believed() {
    let bench = Bench::new(Script::default());
    let stranger = Authority::new();
    bench
        .authority
        .write_identity(bench.folder.path(), &stranger);
    let (code, out, err) = bench.run(&["feed", "list"]);
    assert_eq!((code, out.as_str()), (1, ""), "{err}");
    assert!(err.contains("is not trusted"), "{err}");
}

#[test]
fn statuses_become_exit_codes() {
    let bench = Bench::new(Script::default());
    let (code, _, err) = bench.run(&["feed", "list", "--customer", "bolt"]);
    assert_eq!(code, 5, "{err}");
    // This server has no such service at all.
    let (code, _, err) = bench.run(&["list", "show"]);
    assert_eq!(code, 1, "{err}");
    let unbound = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let nobody = format!("https://localhost:{}", unbound.local_addr().unwrap().port());
    drop(unbound);
    let (code, _, err) = told(
        bench
            .command_to(&nobody, &["feed", "list"])
            .output()
            .unwrap(),
    );
    assert_eq!(code, 7, "{err}");
    assert!(err.contains("cannot reach"), "{err}");
}
