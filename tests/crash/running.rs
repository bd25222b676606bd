//! A site that runs: keyring, store and log, on whatever disk.

use std::{path::Path, sync::Arc};

use anyhow::{Context as _, Result};
use sluss::{
    ledger::KeyName,
    pb::store::{MetaRow, SiteRow},
    policy::RosterParts,
    store::{
        Batch, Feeds, Log, LogParts, OpenReport, Reader, Signer, StoreConfig, create,
        disk::Disk,
        format::FORMAT,
        keyring::Keyring,
        open,
        rows::load_parts,
        secrets::Secrets,
        start_log,
        tables::{Meta, Site},
    },
    types::{BootIdentity, SiteId, UtcTime, World},
};

use crate::{
    held::{Clients, Made},
    random::Random,
    recording::{KEYS, STORE},
    site,
    staged_world::StagedWorld,
};

/// Sizes that let a short run meet everything: full segments, snapshots, checkpoints.
const SEGMENT_BYTES: u64 = 16 * 1024;
const LOG_NAME: &str = "north.test";

/// The secrets of all sites here; only the keyring is made anew for each.
pub(crate) fn secrets(seed: u64) -> Result<Arc<Secrets>> {
    let folder = tempfile::tempdir()?;
    let world = StagedWorld::begun(Random::part(seed, 99));
    let name = KeyName::parse(LOG_NAME)?;
    Ok(Arc::new(Secrets::create(folder.path(), &world, name)?))
}

fn config(folder: &Path, boot: &str) -> Result<StoreConfig> {
    let (site, now) = (
        SiteId::parse(site::SITE)?,
        UtcTime::from_unix(1_795_000_000)?,
    );
    let boot = BootIdentity(boot.to_owned());
    Ok(StoreConfig {
        segment_bytes: SEGMENT_BYTES,
        checkpoint_commits: 6,
        snapshot_every_bytes: 24_000,
        ..StoreConfig::new(folder.join(STORE), site, 1, boot, now)
    })
}

/// Makes keyring and store, as `slussd init` does.
pub(crate) fn make(
    folder: &Path,
    secrets: &Secrets,
    disk: &Arc<dyn Disk>,
    clients: &Clients,
) -> Result<()> {
    let keyring = folder.join(KEYS).join("keyring");
    Keyring::create(Arc::clone(disk), &keyring, &secrets.kek)?;
    clients.made(Made::Keyring);
    let config = config(folder, "one")?;
    let meta = MetaRow {
        format: FORMAT,
        site: config.site.to_string(),
        node: config.node,
        ..MetaRow::default()
    };
    let row = SiteRow {
        id: config.site.to_string(),
        display_name: "North".to_owned(),
        time_zone: site::ZONE.to_owned(),
        duress_pin: false,
    };
    let mut first = Batch::new();
    first.put::<Meta>(&(), &meta);
    first.put::<Site>(&(), &row);
    create(&config, &**disk, &first)?;
    clients.made(Made::Store);
    Ok(())
}

/// Everything that runs, and what was found when it was started.
#[derive(Debug)]
pub(crate) struct Running {
    pub(crate) log: Log,
    pub(crate) reader: Reader,
    pub(crate) feeds: Feeds,
    pub(crate) signer: Arc<Signer>,
    pub(crate) keyring: Arc<Keyring>,
    pub(crate) report: OpenReport,
    pub(crate) meta: MetaRow,
    pub(crate) parts: RosterParts,
}

impl Running {
    /// Opens what is in the folder, as `slussd` does.
    pub(crate) fn start(
        folder: &Path,
        boot: &str,
        secrets: &Secrets,
        disk: &Arc<dyn Disk>,
        world: &Arc<StagedWorld>,
    ) -> Result<Self> {
        let world: Arc<dyn World> = world.clone();
        let path = folder.join(KEYS).join("keyring");
        let keyring = Arc::new(Keyring::open(Arc::clone(disk), &path, &secrets.kek)?);
        let opened = open(&config(folder, boot)?, Arc::clone(disk))?;
        let (reader, report) = (opened.reader.clone(), opened.report.clone());
        let meta = opened.base.get::<Meta>(&())?;
        let meta = meta.context("the store does not say whose it is")?;
        let parts = load_parts(&opened.base, |_, _| None)?;
        let rules = site::rules(parts.clone(), meta.directory_version)?;
        let log_parts = LogParts {
            site: SiteId::parse(site::SITE)?,
            log_name: KeyName::parse(LOG_NAME)?,
            pseudonym_key: secrets.pseudonym.clone(),
            keyring: Arc::clone(&keyring),
            world,
            rules,
            segment_bytes: SEGMENT_BYTES,
            queue: 64,
        };
        let log = start_log((opened, log_parts))?;
        let bells = Arc::clone(&log.published.doorbells);
        let feeds = Feeds::new(reader.clone(), Arc::clone(&keyring), bells);
        Ok(Self {
            signer: Signer::new(feeds.clone(), secrets.log_signer.clone()),
            log,
            reader,
            feeds,
            keyring,
            report,
            meta,
            parts,
        })
    }
}
