//! The demonstration's site: made, served, stopped and started again.

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context as _, Result, anyhow};
use sluss_sim::ControllerSettings;
use tonic::transport::Channel;

use super::DemoArgs;
use super::clock::StoryClock;
use super::devices::Devices;
use super::fill::{fill, parts};
use super::plan::SitePlan;
use super::story::Story;
use crate::client::connect::{Addresses, connect_to};
use crate::client::exit::Failure;
use crate::config::Config;
use crate::env::System;
use crate::init::{NewSite, identity_folder, init};
use crate::ledger::{KeyName, VerifyingKey};
use crate::pki::{Days, PkiFolder};
use crate::server::{Running, start};
use crate::store::disk::RealDisk;
use crate::types::{
    BootIdentity, Caller, CallerKind, CustomerId, DisplayName, SiteId, SiteZone, World,
};

/// Speed of the lines, in baud: the fastest that is usual.
pub(super) const BAUD: u32 = 115_200;
/// The controller of the story.
pub(super) const CONTROLLER: &str = "gate-1";

/// A site that is served.
pub(super) struct Scene {
    folder: PathBuf,
    is_scratch: bool,
    config: Config,
    clock: Arc<StoryClock>,
    boot: BootIdentity,
    running: Running,
}

impl Scene {
    /// Makes the site and what hangs on its lines, serves it, and applies site file and lists.
    pub(super) async fn build(
        args: &DemoArgs,
        story: &Story,
        clock: Arc<StoryClock>,
    ) -> Result<(Self, Devices)> {
        let parts = parts(args.from.as_deref())?;
        let plan = SitePlan::of(&parts)?;
        let given = args.folder.clone();
        let folder = given.unwrap_or_else(|| scratch_folder(&*clock));
        // The commands that are told work in whatever folder they are tried.
        let folder = std::path::absolute(&folder).context("the folder")?;
        let boot = System::boot_identity().context("the kernel's boot id")?;
        let new = NewSite {
            folder: folder.clone(),
            site: SiteId::parse("demo")?,
            name: DisplayName::parse("Demo site")?,
            zone: SiteZone::parse("Europe/Stockholm")?,
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            hosts: Vec::new(),
            log_name: KeyName::parse("demo.sluss.example")?,
        };
        let made = init(&new, &*clock, boot.clone())?;
        configure_lines(&made.config, &folder, &plan)?;
        let config = Config::read(&made.config)?;
        issue_identities(&config, &folder, &*clock)?;
        let devices = Devices::start(plan, &config, &story.keys, &*clock)?;
        let world: Arc<dyn World> = clock.clone();
        let running = start(&config, world, boot.clone()).await?;
        let is_scratch = args.folder.is_none();
        let scene = Self {
            folder,
            is_scratch,
            config,
            clock,
            boot,
            running,
        };
        fill(&scene, &parts, args.from.as_deref()).await?;
        Ok((scene, devices))
    }

    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.running.address()
    }

    pub(super) fn url(&self) -> String {
        format!("https://localhost:{}", self.running.address().port())
    }

    /// Stops the server, does something, and starts it again over the same store.
    pub(super) async fn restart(self, meanwhile: impl FnOnce() -> Result<()>) -> Result<Self> {
        self.running.stop().await;
        meanwhile()?;
        let world: Arc<dyn World> = self.clock.clone();
        let running = start(&self.config, world, self.boot.clone()).await?;
        Ok(Self { running, ..self })
    }

    /// Stops the server, takes its lines away, and removes the scratch folder.
    pub(super) async fn end(self, devices: Devices) -> Result<()> {
        self.running.stop().await;
        drop(devices);
        if self.is_scratch {
            let gone = std::fs::remove_dir_all(&self.folder);
            gone.with_context(|| format!("cannot remove {}", self.folder.display()))?;
        }
        Ok(())
    }

    /// What the simulated controller needs.
    pub(super) fn controller_settings(&self) -> Result<ControllerSettings> {
        let folder = self.identity(CallerKind::Controller, CONTROLLER)?;
        let read = |name: &str| {
            let path = folder.join(name);
            std::fs::read_to_string(&path).with_context(|| path.display().to_string())
        };
        Ok(ControllerSettings {
            endpoint: self.url(),
            server_name: "localhost".to_owned(),
            ca_pem: read("ca.pem")?,
            certificate_pem: read("cert.pem")?,
            key_pem: read("key.pem")?,
        })
    }

    /// A channel over mTLS as a customer.
    pub(super) async fn channel_as_customer(&self, customer: &CustomerId) -> Result<Channel> {
        self.channel(CallerKind::Customer, customer.as_str()).await
    }

    /// A channel over mTLS as the first operator.
    pub(super) async fn channel_as_operator(&self) -> Result<Channel> {
        self.channel(CallerKind::Operator, "first").await
    }

    /// The key that a customer was given to check signatures with.
    pub(super) fn log_key(&self) -> Result<VerifyingKey> {
        let path = self.identity(CallerKind::Customer, "acme")?.join("log.pub");
        let text = std::fs::read_to_string(&path).context("the log's key")?;
        Ok(VerifyingKey::parse(text.trim())?)
    }

    fn identity(&self, kind: CallerKind, id: &str) -> Result<PathBuf> {
        Ok(identity_folder(&self.folder, &Caller::parse(kind, id)?))
    }

    /// A channel over mTLS.
    pub(super) async fn channel(&self, kind: CallerKind, id: &str) -> Result<Channel> {
        let folder = self.identity(kind, id)?;
        let addresses = Addresses {
            server: self.url(),
            ca: folder.join("ca.pem"),
            cert: folder.join("cert.pem"),
            key: folder.join("key.pem"),
        };
        Ok(connect_to(&addresses).await?.channel())
    }
}

/// Adds a table `[[bus]]` for each line that the site file names.
fn configure_lines(config: &Path, folder: &Path, plan: &SitePlan) -> Result<()> {
    let lines = folder.join("lines");
    let mut text = std::fs::read_to_string(config).context("the configuration")?;
    for bus in plan.buses() {
        let port = lines.join(bus.as_str());
        let port = port.to_str().context("the folder's name is not UTF-8")?;
        let (name, port) = (toml::Value::from(bus.as_str()), toml::Value::from(port));
        write!(
            text,
            "\n[[bus]]\nname = {name}\nport = {port}\nbaud = {BAUD}\n"
        )?;
    }
    std::fs::write(config, text).context("the configuration")?;
    std::fs::create_dir(&lines).context("the folder of the lines")
}

/// One certificate for each party of the story.
fn issue_identities(config: &Config, folder: &Path, world: &dyn World) -> Result<()> {
    let pki = PkiFolder::new(&config.folders.pki, Arc::new(RealDisk));
    let authority = pki.authority(&config.site)?;
    for (kind, id) in [
        (CallerKind::Controller, CONTROLLER),
        (CallerKind::Customer, "acme"),
        (CallerKind::Customer, "bolt"),
    ] {
        let caller = Caller::parse(kind, id)?;
        let out = identity_folder(folder, &caller);
        pki.issue_identity(&authority, caller, (Days::YEAR, &out), world)?;
    }
    Ok(())
}

fn scratch_folder(world: &dyn World) -> PathBuf {
    let mut name = [0; 8];
    world.fill_random(&mut name);
    std::env::temp_dir().join(format!(
        "sluss-demo-{}",
        data_encoding::HEXLOWER.encode(&name)
    ))
}

/// A refusal with all its lines.
pub(super) fn told(status: tonic::Status) -> anyhow::Error {
    anyhow!(Failure::from(status).lines().join("\n"))
}
