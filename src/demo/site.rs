//! The demonstration's site: made, served, filled, stopped and started, all through the front door.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context as _, Result, anyhow};
use sluss_sim::ControllerSettings;
use tokio_stream::iter;
use tonic::transport::Channel;

use super::DemoArgs;
use super::clock::StoryClock;
use super::story::text;
use crate::client::connect::{Addresses, connect_to};
use crate::client::exit::Failure;
use crate::client::print::note;
use crate::client::{list_file, site_file};
use crate::config::Config;
use crate::env::System;
use crate::init::{NewSite, identity_folder, init};
use crate::ledger::{KeyName, VerifyingKey};
use crate::pb::v1::access_list_service_client::AccessListServiceClient;
use crate::pb::v1::site_service_client::SiteServiceClient;
use crate::pb::v1::{
    AccessListLine, ApplyAccessListRequest, ApplySiteRequest, PlanAccessListRequest,
    PlanSiteRequest, UploadAccessListRequest, UploadSiteRequest,
};
use crate::pki::{Days, PkiFolder};
use crate::server::{Running, start};
use crate::store::disk::RealDisk;
use crate::types::{
    BootIdentity, Caller, CallerKind, CustomerId, DisplayName, SiteId, SiteZone, World,
};

/// Items in one message of an upload.
const ITEMS_PER_MESSAGE: usize = 50;
/// The lists that come along.
const LISTS: [(&str, &str); 2] = [
    ("acme", include_str!("../../deploy/demo/acme.csv")),
    ("bolt", include_str!("../../deploy/demo/bolt.csv")),
];

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
    /// Makes the site, serves it, and applies the site file and the lists.
    pub(super) async fn build(args: &DemoArgs, clock: Arc<StoryClock>) -> Result<Self> {
        let folder = args
            .folder
            .clone()
            .unwrap_or_else(|| scratch_folder(&*clock));
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
        let config = Config::read(&made.config)?;
        issue_identities(&config, &folder, &*clock)?;
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
        scene.fill(args.from.as_deref()).await?;
        Ok(scene)
    }

    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.running.address()
    }

    /// Stops the server, does something, and starts it again over the same store.
    pub(super) async fn restart(self, meanwhile: impl FnOnce() -> Result<()>) -> Result<Self> {
        let Self {
            folder,
            is_scratch,
            config,
            clock,
            boot,
            running,
        } = self;
        running.stop().await;
        meanwhile()?;
        let world: Arc<dyn World> = clock.clone();
        let running = start(&config, world, boot.clone()).await?;
        Ok(Self {
            folder,
            is_scratch,
            config,
            clock,
            boot,
            running,
        })
    }

    /// Stops the server and removes the scratch folder.
    pub(super) async fn end(self) -> Result<()> {
        self.running.stop().await;
        if self.is_scratch {
            let gone = std::fs::remove_dir_all(&self.folder);
            gone.with_context(|| format!("cannot remove {}", self.folder.display()))?;
        }
        Ok(())
    }

    /// What the simulated controller needs.
    pub(super) fn controller_settings(&self) -> Result<ControllerSettings> {
        let folder = self.identity(CallerKind::Controller, "gate-1")?;
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

    /// The key that a customer was given to check signatures with.
    pub(super) fn log_key(&self) -> Result<VerifyingKey> {
        let path = self.identity(CallerKind::Customer, "acme")?.join("log.pub");
        let text = std::fs::read_to_string(&path).context("the log's key")?;
        Ok(VerifyingKey::parse(text.trim())?)
    }

    /// Says what a visitor may try while the server stays up.
    pub(super) fn tell_what_to_try(&self) {
        let identities = self.folder.join("identities");
        let (identities, sluss) = (identities.display(), sluss_command());
        note("the server stays up until Ctrl-C; try, in another terminal:\n");
        note(&format!("  export SLUSS_SERVER={}", self.url()));
        note(&format!(
            "  export SLUSS_IDENTITY={identities}/customer-acme"
        ));
        for command in [
            "feed list",
            "feed watch",
            "list show",
            "why 3",
            "why --badge A-1002 --door d-cage-a --with-pin",
        ] {
            note(&format!("  {sluss} {command}"));
        }
        note(&format!(
            "  export SLUSS_IDENTITY={identities}/customer-bolt"
        ));
        note(&format!("  {sluss} feed list -o csv"));
        note(&format!(
            "  export SLUSS_IDENTITY={identities}/operator-first"
        ));
        note(&format!("  {sluss} list history --customer acme"));
    }

    fn url(&self) -> String {
        format!("https://localhost:{}", self.running.address().port())
    }

    fn identity(&self, kind: CallerKind, id: &str) -> Result<PathBuf> {
        Ok(identity_folder(&self.folder, &Caller::parse(kind, id)?))
    }

    async fn channel(&self, kind: CallerKind, id: &str) -> Result<Channel> {
        let folder = self.identity(kind, id)?;
        let addresses = Addresses {
            server: self.url(),
            ca: folder.join("ca.pem"),
            cert: folder.join("cert.pem"),
            key: folder.join("key.pem"),
        };
        Ok(connect_to(&addresses).await?.channel())
    }

    /// Applies the site file as the operator, and each list as its customer.
    async fn fill(&self, from: Option<&Path>) -> Result<()> {
        let site = text(
            from,
            "site.toml",
            include_str!("../../deploy/demo/site.toml"),
        )?;
        let parts =
            site_file::parse("site.toml", &site).map_err(|f| anyhow!(f.lines().join("\n")))?;
        let channel = self.channel(CallerKind::Operator, "first").await?;
        let mut client = SiteServiceClient::new(channel);
        let messages: Vec<_> = parts
            .chunks(ITEMS_PER_MESSAGE)
            .map(|parts| UploadSiteRequest {
                parts: parts.to_vec(),
            })
            .collect();
        let upload = client
            .upload_site(iter(messages))
            .await
            .map_err(told)?
            .into_inner()
            .upload;
        let plan = PlanSiteRequest {
            upload: upload.clone(),
        };
        let etag = client
            .plan_site(plan)
            .await
            .map_err(told)?
            .into_inner()
            .etag;
        let request_id = "demo-site".to_owned();
        let apply = ApplySiteRequest {
            upload,
            etag,
            request_id,
        };
        client.apply_site(apply).await.map_err(told)?;
        for (customer, ours) in LISTS {
            let file = format!("{customer}.csv");
            let csv = text(from, &file, ours)?;
            let zone = SiteZone::parse("Europe/Stockholm")?;
            let lines = list_file::parse(&file, &csv, zone);
            let lines = lines.map_err(|f| anyhow!(f.lines().join("\n")))?;
            self.apply_list(customer, &lines)
                .await
                .with_context(|| file)?;
        }
        Ok(())
    }

    async fn apply_list(&self, customer: &str, lines: &[AccessListLine]) -> Result<()> {
        let mut client =
            AccessListServiceClient::new(self.channel(CallerKind::Customer, customer).await?);
        let parent = format!("customers/{customer}/accessList");
        let messages: Vec<_> = lines
            .chunks(ITEMS_PER_MESSAGE)
            .map(|lines| UploadAccessListRequest {
                parent: parent.clone(),
                lines: lines.to_vec(),
            })
            .collect();
        let uploaded = client
            .upload_access_list(iter(messages))
            .await
            .map_err(told)?;
        let upload = uploaded.into_inner().upload;
        let plan = PlanAccessListRequest {
            parent: parent.clone(),
            upload: upload.clone(),
        };
        let etag = client
            .plan_access_list(plan)
            .await
            .map_err(told)?
            .into_inner()
            .etag;
        let request_id = format!("demo-{customer}");
        let apply = ApplyAccessListRequest {
            parent,
            upload,
            etag,
            request_id,
        };
        client.apply_access_list(apply).await.map_err(told)?;
        Ok(())
    }
}

/// One certificate for each party of the story.
fn issue_identities(config: &Config, folder: &Path, world: &dyn World) -> Result<()> {
    let pki = PkiFolder::new(&config.folders.pki, Arc::new(RealDisk));
    let authority = pki.authority(&config.site)?;
    for (kind, id) in [
        (CallerKind::Controller, "gate-1"),
        (CallerKind::Customer, "acme"),
        (CallerKind::Customer, "bolt"),
    ] {
        let caller = Caller::parse(kind, id)?;
        let out = identity_folder(folder, &caller);
        pki.issue_identity(&authority, caller, (Days::YEAR, &out), world)?;
    }
    Ok(())
}

/// How to call `sluss` from here: the one beside this program, or the one that cargo builds.
fn sluss_command() -> String {
    let ours = std::env::current_exe().unwrap_or_default();
    let beside = ours.with_file_name("sluss");
    if beside.is_file() {
        return beside.display().to_string();
    }
    "cargo run -q --release --bin sluss --".to_owned()
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
fn told(status: tonic::Status) -> anyhow::Error {
    anyhow!(Failure::from(status).lines().join("\n"))
}
