//! Joins the rooms into one running server, and takes it apart again in order.

mod doors;
mod papers;
mod services;
mod upkeep;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};
use tokio_stream::Stream;
use tonic::transport::Server;

use crate::config::Config;
use crate::pki::PkiError;
use crate::policy::Roster;
use crate::service::gate::{Gate, GateParts};
use crate::service::listener::{Io, ListenerParts, listen};
use crate::service::tls::{TlsError, server_config};
use crate::store::directory::Vault;
use crate::store::disk::{Disk, RealDisk};
use crate::store::keyring::{Keyring, KeyringError};
use crate::store::rows::{LoadError, load_parts};
use crate::store::secrets::{Secrets, SecretsError};
use crate::store::tables::Meta;
use crate::store::{
    Act, BaseTables, Feeds, JournalKind, Log, LogParts, OpenError, Reader, Rules, Scribe,
    ScribeThread, Signer, StartError, StoreConfig, open, start_log,
};
use crate::types::{BootIdentity, World};

use self::doors::{HallParts, RunningDoors};
use self::papers::Papers;
use self::upkeep::Upkeep;

/// How long connections have to end by themselves when the server stops.
const DRAIN: Duration = Duration::from_secs(5);

/// Why the server does not start, or has stopped.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// A secret is missing, malformed or readable by others.
    #[error(transparent)]
    Secrets(#[from] SecretsError),
    /// The keyring cannot be opened.
    #[error(transparent)]
    Keyring(#[from] KeyringError),
    /// The store cannot be opened.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The rules in the store cannot be read.
    #[error("the rules cannot be read: {0}")]
    Load(#[from] LoadError),
    /// The rules in the store contradict each other.
    #[error("the rules contradict each other: {0}")]
    Compile(#[from] crate::policy::CompileError),
    /// The log cannot be started.
    #[error(transparent)]
    Start(#[from] StartError),
    /// Certificates or the register cannot be read.
    #[error(transparent)]
    Pki(#[from] PkiError),
    /// TLS cannot be set up.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// The address cannot be listened on.
    #[error("cannot listen on {address}: {error}")]
    Bind {
        /// The address.
        address: SocketAddr,
        /// Why.
        error: std::io::Error,
    },
    /// The reflection service refuses our own descriptors.
    #[error("the API cannot be described: {0}")]
    Describe(#[from] tonic_reflection::server::Error),
    /// The serial lines cannot be started.
    #[error("the serial lines cannot be started: {0}")]
    Lines(std::io::Error),
    /// A signal cannot be waited for.
    #[error("signals cannot be waited for: {0}")]
    Signal(std::io::Error),
}

/// A server that is running.
#[derive(Debug)]
pub struct Running {
    address: SocketAddr,
    stop: watch::Sender<bool>,
    serving: JoinHandle<()>,
    upkeep: JoinSet<()>,
    doors: RunningDoors,
    log: ScribeThread,
}

impl Running {
    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Stops: no new calls, streams end, what is queued is written, the store is closed.
    pub async fn stop(mut self) {
        self.stop.send_replace(true);
        if tokio::time::timeout(DRAIN, &mut self.serving)
            .await
            .is_err()
        {
            tracing::warn!("connections were cut that did not end by themselves");
            self.serving.abort();
        }
        self.upkeep.shutdown().await;
        self.doors.stop().await;
        let log = self.log;
        if tokio::task::spawn_blocking(move || log.stop())
            .await
            .is_err()
        {
            tracing::error!("the store could not be closed in order");
        }
    }
}

/// What stays the same while a server runs.
#[derive(Debug)]
struct Foundation {
    world: Arc<dyn World>,
    secrets: Arc<Secrets>,
    keyring: Arc<Keyring>,
    stopping: watch::Receiver<bool>,
}

impl Foundation {
    fn vault(&self) -> Vault {
        Vault::new(
            Arc::clone(&self.keyring),
            Arc::clone(&self.secrets),
            Arc::clone(&self.world),
        )
    }
}

/// Runs a server until it is told to stop by SIGTERM or SIGINT.
pub async fn serve(
    config: &Config,
    world: Arc<dyn World>,
    boot: BootIdentity,
) -> Result<(), ServeError> {
    let running = start(config, world, boot).await?;
    tracing::info!(address = %running.address(), site = %config.site, "serving");
    asked_to_stop().await.map_err(ServeError::Signal)?;
    tracing::info!("stopping");
    running.stop().await;
    Ok(())
}

async fn asked_to_stop() -> Result<(), std::io::Error> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminate = signal(SignalKind::terminate())?;
    tokio::select! {
        _ = terminate.recv() => Ok(()),
        interrupted = tokio::signal::ctrl_c() => interrupted,
    }
}

/// Starts a server. It answers calls when this returns.
pub async fn start(
    config: &Config,
    world: Arc<dyn World>,
    boot: BootIdentity,
) -> Result<Running, ServeError> {
    start_on(config, world, boot, Arc::new(RealDisk)).await
}

/// Starts a server as [`start`] does, with its files on this disk.
pub async fn start_on(
    config: &Config,
    world: Arc<dyn World>,
    boot: BootIdentity,
    disk: Arc<dyn Disk>,
) -> Result<Running, ServeError> {
    let (stop, stopping) = watch::channel(false);
    let foundation = lay(config, &disk, world, stopping)?;
    let (reader, log) = open_log(config, &foundation, boot, &disk)?;
    let feeds = Feeds::new(
        reader.clone(),
        Arc::clone(&foundation.keyring),
        Arc::clone(&log.published.doorbells),
    );
    let signer = Signer::new(feeds.clone(), foundation.secrets.log_signer.clone());
    note_start(&log.scribe).await;

    let papers = Papers::read(config, disk)?;
    let (address, incoming) = bind(config, &papers, &foundation).await?;
    let (hall, doors) = doors::start(&HallParts {
        config,
        foundation: &foundation,
        log: &log,
    })?;
    let Log {
        scribe,
        thread,
        published,
        ..
    } = log;
    let alarms = hall.alarms.clone();
    let (routes, health) = services::routes(services::Joined {
        foundation: &foundation,
        limits: &config.limits,
        reader,
        scribe,
        published: published.clone(),
        feeds,
        signer: Arc::clone(&signer),
        hall,
    })?;
    let gate = Gate::new(GateParts {
        routes,
        revocations: Arc::clone(&papers.revocations),
        world: Arc::clone(&foundation.world),
        call: config.limits.call,
    });
    let serving = tokio::spawn(run(config, gate, incoming, foundation.stopping.clone()));
    let upkeep = upkeep::start(Upkeep {
        published,
        signer,
        health,
        alarms,
        papers,
    });
    Ok(Running {
        address,
        stop,
        serving,
        upkeep,
        doors,
        log: thread,
    })
}

fn lay(
    config: &Config,
    disk: &Arc<dyn Disk>,
    world: Arc<dyn World>,
    stopping: watch::Receiver<bool>,
) -> Result<Foundation, ServeError> {
    let secrets = Arc::new(Secrets::load(&config.folders.keys)?);
    let keyring = Keyring::open(Arc::clone(disk), &config.folders.keyring(), &secrets.kek)?;
    Ok(Foundation {
        world,
        secrets,
        keyring: Arc::new(keyring),
        stopping,
    })
}

/// Opens the store and starts the log on it.
fn open_log(
    config: &Config,
    foundation: &Foundation,
    boot: BootIdentity,
    disk: &Arc<dyn Disk>,
) -> Result<(Reader, Log), ServeError> {
    let store = store_config(config, foundation, boot);
    let opened = open(&store, Arc::clone(disk))?;
    tracing::info!(report = ?opened.report, "the store is open");
    let reader = opened.reader.clone();
    let parts = log_parts(foundation, config, &store, &opened.base)?;
    Ok((reader, start_log((opened, parts))?))
}

/// Writes into the journal that the server has started.
async fn note_start(scribe: &Scribe) {
    let started = Act {
        kind: JournalKind::Started,
        actor: None,
        detail: concat!("slussd ", env!("CARGO_PKG_VERSION")).to_owned(),
    };
    if let Err(error) = scribe.record_act(started).await {
        tracing::error!(%error, "the start could not be noted in the journal");
    }
}

fn store_config(config: &Config, foundation: &Foundation, boot: BootIdentity) -> StoreConfig {
    let now = foundation.world.now().utc;
    StoreConfig::new(
        config.folders.store.clone(),
        config.site.clone(),
        config.node,
        boot,
        now,
    )
}

/// Reads the rules that were found at opening.
fn rules(base: &BaseTables, vault: &Vault) -> Result<Rules, ServeError> {
    let parts = load_parts(base, |badge, row| vault.open_number(badge, row))?;
    let meta = base.get::<Meta>(&()).map_err(LoadError::from)?;
    let version = meta.map_or(0, |meta| meta.directory_version);
    let roster = Roster::compile(&parts, version)?;
    Ok(Rules {
        parts: Arc::new(parts),
        roster: Arc::new(roster),
    })
}

fn log_parts(
    foundation: &Foundation,
    config: &Config,
    store: &StoreConfig,
    base: &BaseTables,
) -> Result<LogParts, ServeError> {
    let secrets = &foundation.secrets;
    Ok(LogParts {
        site: config.site.clone(),
        log_name: secrets.log_signer.verifying_key().name().clone(),
        pseudonym_key: secrets.pseudonym.clone(),
        keyring: Arc::clone(&foundation.keyring),
        world: Arc::clone(&foundation.world),
        rules: rules(base, &foundation.vault())?,
        segment_bytes: store.segment_bytes,
        queue: config.limits.queue,
    })
}

async fn bind(
    config: &Config,
    papers: &Papers,
    foundation: &Foundation,
) -> Result<(SocketAddr, impl Stream<Item = std::io::Result<Io>> + use<>), ServeError> {
    let world = Arc::clone(&foundation.world);
    let authority = papers.pki.authority_pem()?;
    let certificate = Arc::clone(&papers.certificate);
    let tls = server_config(&authority, certificate, Arc::clone(&world))?;
    let wanted = config.machines;
    let refused = |error| ServeError::Bind {
        address: wanted,
        error,
    };
    let socket = TcpListener::bind(wanted).await.map_err(refused)?;
    let address = socket.local_addr().map_err(refused)?;
    let parts = ListenerParts {
        tls,
        site: config.site.clone(),
        revocations: Arc::clone(&papers.revocations),
        world,
        limits: config.limits.listener,
    };
    Ok((address, listen(socket, parts)))
}

/// Serves what comes in until the server stops.
fn run(
    config: &Config,
    gate: Gate,
    incoming: impl Stream<Item = std::io::Result<Io>> + Send + 'static,
    mut stopping: watch::Receiver<bool>,
) -> impl Future<Output = ()> + Send + 'static {
    let limits = config.limits;
    async move {
        let stopped = async move {
            // An error means that whoever could stop the server is gone: that is a stop too.
            let _ = stopping.wait_for(|stopping| *stopping).await;
        };
        // `Server::timeout` would cut uploads short, so the gate has the limit of calls. A shorter
        // `grpc-timeout` of the caller is kept by tonic all the same.
        let served = Server::builder()
            .max_concurrent_streams(limits.streams_per_connection)
            .http2_max_header_list_size(limits.header_bytes)
            .http2_keepalive_interval(Some(limits.keep_alive))
            .http2_keepalive_timeout(Some(limits.keep_alive))
            .max_connection_age(limits.connection_age)
            .serve_with_incoming_shutdown(gate, incoming, stopped)
            .await;
        if let Err(error) = served {
            tracing::error!(%error, "the server has stopped serving");
        }
    }
}
