//! Durable Authorize calls beside the same call without a log, over the same mutual TLS.
//!
//! `cargo bench --bench authorize`. Prints, asserts nothing. The ceiling is tonic answering at
//! once, in a process of its own. Rounds are interleaved; figures are medians over the rounds.
//! `SLUSS_BENCH_SECONDS` sets the length of one measurement, 2 by default.

#[path = "../tests/interop/house.rs"]
mod house;
#[path = "../tests/interop/line.rs"]
mod line;

use std::fmt::Write as _;
use std::fs::File;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use sluss::pb::v1 as pb;
use sluss::pb::v1::door_service_server::{DoorService, DoorServiceServer};
use sluss_sim::{Card, Controller, ControllerSettings, Load, LoadReport, Until};
use tokio::runtime::Runtime;
use tonic::transport::server::TcpIncoming;
use tonic::transport::{Certificate, Identity, Server, ServerTlsConfig};
use tonic::{Request, Response, Status};

use house::{House, text, wait_for};

/// Controllers at once; each has one request in flight.
const WIDTHS: [usize; 3] = [1, 8, 64];
/// Rounds for each width.
const ROUNDS: usize = 3;
/// How long the line is used before it is measured.
const WARM_UP: Duration = Duration::from_millis(300);
/// What a batch of one attempt weighs on disk, about.
const FRAME: [u8; 1024] = [0x5A; 1024];
/// Syncs that are measured in a round.
const SYNCS: u64 = 200;

fn main() -> anyhow::Result<()> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    match args
        .iter()
        .map(String::as_str)
        .collect::<Vec<_>>()
        .as_slice()
    {
        ["--ceiling", address, folder] => ceiling(address.parse()?, Path::new(folder)),
        args if args.contains(&"--bench") => bench(),
        _ => {
            println!("nothing is measured without --bench");
            Ok(())
        }
    }
}

/// Runs of controllers so far; each has a boot id of its own.
static RUNS: AtomicU64 = AtomicU64::new(1);

/// One server under measurement.
struct Target {
    name: &'static str,
    settings: Vec<ControllerSettings>,
}

fn bench() -> anyhow::Result<()> {
    let seconds = std::env::var("SLUSS_BENCH_SECONDS").map_or(Ok(2), |text| text.parse())?;
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR"))?;
    let mut house = House::make(folder.path())?;
    house.start()?;
    let customer = house.issue("customer", "acme")?;
    house.furnish(&site()?, &[(&customer, &list())])?;
    let ceiling = Ceiling::start(&house)?;
    let widest = WIDTHS.into_iter().max().unwrap_or(1);
    let mut durable = Vec::new();
    for number in 0..widest {
        let papers = house.issue("controller", &format!("gate-{number}"))?;
        durable.push(line::settings(&house, &papers)?);
    }
    let elsewhere = |settings: &ControllerSettings| ControllerSettings {
        endpoint: format!("https://{}", ceiling.address),
        ..settings.clone()
    };
    let targets = [
        Target {
            name: "ceiling",
            settings: durable.iter().map(elsewhere).collect(),
        },
        Target {
            name: "sluss",
            settings: durable,
        },
    ];
    let syncs = house.file("syncs");
    println!("limit = p50 of the ceiling + one fdatasync of 1 KiB, measured in each round");
    println!("{HEADER}");
    let runtime = Runtime::new()?;
    let measure = Duration::from_secs(seconds);
    for width in WIDTHS {
        let row = runtime.block_on(rounds(&targets, width, (measure, &syncs)))?;
        println!("{}", row.line());
    }
    Ok(())
}

const HEADER: &str = "controllers |    ceiling/s  p50 us  p99 us |      sluss/s  p50 us  p99 us | sync us | \
                      of ceiling | p50 of limit | p99 of p50";

/// Medians of one width.
struct Row {
    width: usize,
    ceiling: Figures,
    durable: Figures,
    sync_us: u64,
}

#[derive(Clone, Copy, Default)]
struct Figures {
    per_second: u64,
    p50_us: u64,
    p99_us: u64,
}

impl Row {
    fn line(&self) -> String {
        let limit_us = self.ceiling.p50_us + self.sync_us;
        let mut text = format!("{:>11} |", self.width);
        for figures in [self.ceiling, self.durable] {
            let Figures {
                per_second,
                p50_us,
                p99_us,
            } = figures;
            let _ = write!(text, " {per_second:>12} {p50_us:>7} {p99_us:>7} |");
        }
        let of_ceiling = ratio(self.durable.per_second, self.ceiling.per_second);
        let of_limit = ratio(self.durable.p50_us, limit_us);
        let spread = ratio(self.durable.p99_us, self.durable.p50_us);
        let sync_us = self.sync_us;
        let _ = write!(
            text,
            " {sync_us:>7} | {of_ceiling:>10} | {of_limit:>12} | {spread:>10}"
        );
        text
    }
}

/// `a / b` with two decimals.
fn ratio(a: u64, b: u64) -> String {
    let hundredths = (a * 100).checked_div(b).unwrap_or(0);
    format!("{}.{:02}", hundredths / 100, hundredths % 100)
}

async fn rounds(
    targets: &[Target; 2],
    width: usize,
    (measure, syncs): (Duration, &Path),
) -> anyhow::Result<Row> {
    let [mut ceiling, mut durable] = [Vec::new(), Vec::new()];
    let mut sync_times = Vec::new();
    for round in 0..ROUNDS {
        sync_times.extend(sync_times_us(syncs)?);
        // Who goes first changes, so that neither always has the warmer machine.
        for turn in 0..targets.len() {
            let [first, second] = targets;
            let is_ceiling = (round + turn) % 2 == 0;
            let target = if is_ceiling { first } else { second };
            let figures = once(target, width, measure)
                .await
                .with_context(|| format!("{} at {width}", target.name))?;
            if is_ceiling {
                ceiling.push(figures);
            } else {
                durable.push(figures);
            }
        }
    }
    Ok(Row {
        width,
        ceiling: median(&ceiling),
        durable: median(&durable),
        sync_us: middle(sync_times),
    })
}

fn median(rounds: &[Figures]) -> Figures {
    let of = |value: fn(&Figures) -> u64| middle(rounds.iter().map(value).collect());
    Figures {
        per_second: of(|f| f.per_second),
        p50_us: of(|f| f.p50_us),
        p99_us: of(|f| f.p99_us),
    }
}

/// The median; 0 of nothing.
fn middle(mut values: Vec<u64>) -> u64 {
    values.sort_unstable();
    values.get(values.len() / 2).copied().unwrap_or_default()
}

async fn once(target: &Target, width: usize, measure: Duration) -> anyhow::Result<Figures> {
    run(target, width, WARM_UP).await?;
    let report = run(target, width, measure).await?;
    Ok(Figures {
        per_second: report.per_second(),
        p50_us: report.quantile_us(500).into(),
        p99_us: report.quantile_us(990).into(),
    })
}

async fn run(target: &Target, width: usize, time: Duration) -> anyhow::Result<LoadReport> {
    let mut stations = Vec::new();
    for (number, settings) in target.settings.iter().take(width).enumerate() {
        let boot = format!("run-{}", RUNS.fetch_add(1, Ordering::Relaxed));
        stations.push(sluss_sim::Station {
            controller: Controller::connect(settings, &boot).await?,
            access_point: format!("accessPoints/door-{number}-in"),
            cards: vec![card(number)?],
        });
    }
    let load = Load {
        in_flight_per_controller: 1,
        until: Until::Elapsed(time),
    };
    let report = load.run(stations, |_| {}).await;
    ensure!(
        report.failed_count == 0,
        "failed: {:?}",
        report.first_failure
    );
    Ok(report)
}

#[expect(clippy::disallowed_methods, reason = "a bench reads the clock")]
fn ticks() -> Instant {
    Instant::now()
}

/// Times of an fdatasync after a write of one frame into space that is there already.
fn sync_times_us(path: &Path) -> anyhow::Result<Vec<u64>> {
    let file = File::create(path)?;
    let bytes = u64::try_from(FRAME.len())?;
    for frame in 0..SYNCS {
        file.write_all_at(&[0; FRAME.len()], frame * bytes)?;
    }
    file.sync_all()?;
    let mut times = Vec::new();
    for frame in 0..SYNCS {
        let begun = ticks();
        file.write_all_at(&FRAME, frame * bytes)?;
        file.sync_data()?;
        times.push(u64::try_from(begun.elapsed().as_micros())?);
    }
    Ok(times)
}

fn card(number: usize) -> anyhow::Result<Card> {
    Ok(Card::h10301(9, u16::try_from(number)?))
}

/// One customer, and for each controller a door, a person and a badge.
fn site() -> anyhow::Result<String> {
    let mut text = String::from(
        "[site]\nname = \"Bench\"\ntime_zone = \"Europe/Stockholm\"\n\
         [[customer]]\nid = \"acme\"\nname = \"Acme\"\n\
         [[area]]\nid = \"lobby\"\nname = \"Lobby\"\nclass = 1\n\
         [[area]]\nid = \"hall\"\nname = \"Hall\"\nclass = 3\ncustomers = [\"acme\"]\n\
         [[person]]\nid = \"chief\"\nname = \"Chief\"\nmay_approve_for = [\"acme\"]\n",
    );
    for number in 0..WIDTHS.into_iter().max().unwrap_or(1) {
        let card = data_encoding::HEXLOWER.encode(card(number)?.bits());
        let _ = write!(
            text,
            "[[controller]]\nid = \"gate-{number}\"\nname = \"Gate\"\n\
             [[door]]\nid = \"door-{number}\"\nname = \"Door\"\ncontroller = \"gate-{number}\"\n\
             entry = {{ from = \"lobby\", to = \"hall\" }}\n\
             [[person]]\nid = \"p-{number}\"\nname = \"Person\"\ncustomers = [\"acme\"]\n\
             [[badge]]\nid = \"b-{number}\"\nnumber = \"B-{number}\"\nperson = \"p-{number}\"\n\
             card = {{ format = \"H10301\", bits = 26, hex = \"{card}\" }}\n"
        );
    }
    Ok(text)
}

fn list() -> String {
    let lines =
        (0..WIDTHS.into_iter().max().unwrap_or(1)).map(|n| format!("B-{n},hall,persons/chief\n"));
    format!("badge,areas,approver\n{}", lines.collect::<String>())
}

/// The server without a log, in a process of its own.
struct Ceiling {
    address: SocketAddr,
    process: Child,
}

impl Ceiling {
    fn start(house: &House) -> anyhow::Result<Self> {
        let address = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
        let process = Command::new(std::env::current_exe()?)
            .args([
                "--ceiling",
                &address.to_string(),
                text(&house.file("site/pki"))?,
            ])
            .stdin(Stdio::null())
            .spawn()?;
        let ceiling = Self { address, process };
        wait_for(
            "the ceiling accepts connections",
            Duration::from_secs(10),
            || Ok(TcpStream::connect(address).ok()),
        )?;
        Ok(ceiling)
    }
}

impl Drop for Ceiling {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Serves until it is killed.
fn ceiling(address: SocketAddr, pki: &Path) -> anyhow::Result<()> {
    let read = |name: &str| std::fs::read_to_string(pki.join(name));
    let tls = ServerTlsConfig::new()
        .identity(Identity::from_pem(
            read("server.cert.pem")?,
            read("server.key.pem")?,
        ))
        .client_ca_root(Certificate::from_pem(read("ca.cert.pem")?));
    Runtime::new()?.block_on(async {
        let incoming = TcpIncoming::bind(address)?.with_nodelay(Some(true));
        Server::builder()
            .tls_config(tls)?
            .add_service(DoorServiceServer::new(NoLog))
            .serve_with_incoming(incoming)
            .await?;
        Ok(())
    })
}

/// Answers at once, as long an answer as the real one.
struct NoLog;

#[tonic::async_trait]
impl DoorService for NoLog {
    type SessionStream = tokio_stream::Pending<Result<pb::SessionResponse, Status>>;

    async fn session(
        &self,
        _: Request<tonic::Streaming<pb::SessionRequest>>,
    ) -> Result<Response<Self::SessionStream>, Status> {
        Err(Status::unimplemented("not measured"))
    }

    async fn authorize(
        &self,
        request: Request<pb::AuthorizeRequest>,
    ) -> Result<Response<pb::AuthorizeResponse>, Status> {
        Ok(Response::new(pb::AuthorizeResponse {
            decision: pb::Decision::Grant.into(),
            reasons: Vec::new(),
            entry: format!("journal/test/1/{}", request.get_ref().counter),
            verified: vec![pb::Factor::Badge.into()],
            valid_for: Some(prost_types::Duration {
                seconds: 2,
                nanos: 0,
            }),
        }))
    }

    async fn report_door_events(
        &self,
        _: Request<pb::ReportDoorEventsRequest>,
    ) -> Result<Response<pb::ReportDoorEventsResponse>, Status> {
        Err(Status::unimplemented("not measured"))
    }
}
