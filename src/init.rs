//! Makes a new site in one folder: keys, authority, first certificates, configuration, store.
//!
//! ```text
//! slussd.toml                    the configuration, written last: without it nothing is served
//! keys/                          secrets and keyring; never in a backup of the store
//! pki/                           authority, server certificate, register
//! identities/operator-first/     what the first operator is given
//! store/
//! ```

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::config::{Config, ConfigError};
use crate::ledger::KeyName;
use crate::pb::store::{MetaRow, SiteRow};
use crate::pki::{Days, PkiError, PkiFolder, ServerName, Subject};
use crate::store::disk::{Disk, RealDisk, why};
use crate::store::format::FORMAT;
use crate::store::keyring::{Keyring, KeyringError};
use crate::store::secrets::{Secrets, SecretsError};
use crate::store::tables::{Meta, Site};
use crate::store::{Batch, CreateError, StoreConfig, create};
use crate::types::{
    BootIdentity, Caller, CallerKind, DisplayName, InvalidId, SiteId, SiteZone, World,
};

/// Name of the configuration in the folder.
pub const CONFIG_FILE: &str = "slussd.toml";
/// There from the first to the last step, so that what was interrupted can be told.
const UNFINISHED: &str = "init.unfinished";
/// The configuration with every default, of which site and address are replaced.
const EXAMPLE: &str = include_str!("../deploy/slussd.example.toml");
/// Names of what is in the way that an error lists.
const NAMES_SHOWN_MAX: usize = 5;
/// Id of the first operator.
const FIRST_OPERATOR: &str = "first";

/// What a new site is to be.
#[derive(Debug, Clone)]
pub struct NewSite {
    /// The folder to make it in: new, or empty.
    pub folder: PathBuf,
    /// Its id.
    pub site: SiteId,
    /// The name it is shown under.
    pub name: DisplayName,
    /// Its time zone.
    pub zone: SiteZone,
    /// Where machines connect.
    pub listen: SocketAddr,
    /// Names under which they reach the server, besides the address and `localhost`.
    pub hosts: Vec<ServerName>,
    /// The name that its log is signed under.
    pub log_name: KeyName,
}

/// What was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Made {
    /// The configuration.
    pub config: PathBuf,
    /// The first operator's folder with certificate and key.
    pub operator: PathBuf,
}

/// Why no site was made.
#[derive(Debug, thiserror::Error)]
pub enum InitError {
    /// Something is there; nothing was changed.
    #[error("{}: is not empty ({names}); nothing is overwritten", folder.display())]
    Occupied {
        /// The folder.
        folder: PathBuf,
        /// The first names in it.
        names: String,
    },
    /// Making a site there was interrupted; nothing was changed.
    #[error(
        "{}: making a site here was interrupted and nothing in it was ever used; \
         remove the folder and begin again",
        .0.display()
    )]
    Unfinished(PathBuf),
    /// A file or folder could not be read or written.
    #[error("{}: {}", path.display(), why(*kind))]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        kind: io::ErrorKind,
    },
    /// The secrets could not be made.
    #[error(transparent)]
    Secrets(#[from] SecretsError),
    /// The keyring could not be made.
    #[error(transparent)]
    Keyring(#[from] KeyringError),
    /// The certificates could not be made.
    #[error(transparent)]
    Pki(#[from] PkiError),
    /// The store could not be made.
    #[error(transparent)]
    Store(#[from] CreateError),
    /// The configuration that was to be written is not one: a fault of this program.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The first operator's id is none: a fault of this program.
    #[error(transparent)]
    Operator(#[from] InvalidId),
}

fn at(path: &Path) -> impl FnOnce(io::Error) -> InitError {
    let path = path.to_owned();
    move |error| InitError::File {
        path,
        kind: error.kind(),
    }
}

/// Makes a site. Never overwrites anything.
pub fn init(new: &NewSite, world: &dyn World, boot: BootIdentity) -> Result<Made, InitError> {
    let disk: Arc<dyn Disk> = Arc::new(RealDisk);
    check_free(&new.folder, &*disk)?;
    disk.create_folder(&new.folder).map_err(at(&new.folder))?;
    if let Some(above) = new.folder.parent().filter(|above| disk.exists(above)) {
        disk.sync_folder(above).map_err(at(above))?;
    }
    let unfinished = new.folder.join(UNFINISHED);
    write(
        &*disk,
        &unfinished,
        b"slussd init has not come to its end here\n",
    )?;

    let path = new.folder.join(CONFIG_FILE);
    let text = config_text(new);
    let config = Config::parse(&text, &path)?;
    let secrets = Secrets::create(&config.folders.keys, world, new.log_name.clone())?;
    Keyring::create(Arc::clone(&disk), &config.folders.keyring(), &secrets.kek)?;
    let log_key = secrets.log_signer.verifying_key().text();
    let operator = certify(new, &config, &log_key, world)?;
    lay_store(new, &config, world, boot, &*disk)?;

    write(&*disk, &path, text.as_bytes())?;
    disk.remove(&unfinished).map_err(at(&unfinished))?;
    disk.sync_folder(&new.folder).map_err(at(&new.folder))?;
    Ok(Made {
        config: path,
        operator,
    })
}

fn check_free(folder: &Path, disk: &dyn Disk) -> Result<(), InitError> {
    if !disk.exists(folder) {
        return Ok(());
    }
    let names = disk.list(folder).map_err(at(folder))?;
    if names.iter().any(|name| name == UNFINISHED) {
        return Err(InitError::Unfinished(folder.to_owned()));
    }
    // What a file system has of its own at its root is not in the way.
    let names: Vec<String> = names
        .into_iter()
        .filter(|name| name != "lost+found")
        .collect();
    if names.is_empty() {
        return Ok(());
    }
    let shown = names
        .iter()
        .take(NAMES_SHOWN_MAX)
        .cloned()
        .collect::<Vec<_>>()
        .join(", ");
    let more = if names.len() > NAMES_SHOWN_MAX {
        ", ..."
    } else {
        ""
    };
    Err(InitError::Occupied {
        folder: folder.to_owned(),
        names: format!("{shown}{more}"),
    })
}

fn write(disk: &dyn Disk, path: &Path, bytes: &[u8]) -> Result<(), InitError> {
    let file = disk.create(path).map_err(at(path))?;
    file.write_all_at(0, bytes).map_err(at(path))?;
    file.sync_data().map_err(at(path))?;
    let folder = path.parent().unwrap_or(path);
    disk.sync_folder(folder).map_err(at(folder))
}

fn config_text(new: &NewSite) -> String {
    EXAMPLE
        .replace("id = \"sto1\"", &format!("id = \"{}\"", new.site))
        .replace(
            "machines = \"127.0.0.1:7443\"",
            &format!("machines = \"{}\"", new.listen),
        )
}

/// Makes the authority, the server's certificate and the first operator's.
fn certify(
    new: &NewSite,
    config: &Config,
    log_key: &str,
    world: &dyn World,
) -> Result<PathBuf, InitError> {
    let pki = PkiFolder::new(&config.folders.pki, Arc::new(RealDisk));
    let authority = pki.create(&new.site, world)?;
    pki.write_log_key(log_key)?;
    let server = Subject::Server(server_names(new));
    pki.write_server(&pki.issue(&authority, server, Days::FIVE_YEARS, world)?)?;
    let operator = Caller::parse(CallerKind::Operator, FIRST_OPERATOR)?;
    let out = identity_folder(&new.folder, &operator);
    pki.issue_identity(&authority, operator, (Days::YEAR, &out), world)?;
    Ok(out)
}

/// Where in a site's folder a caller's certificate is put unless somebody says otherwise.
pub fn identity_folder(site_folder: &Path, caller: &Caller) -> PathBuf {
    let name = format!("{}-{}", caller.kind().name(), caller.id());
    site_folder.join("identities").join(name)
}

/// The names asked for, the address unless it stands for all, and those of this machine.
fn server_names(new: &NewSite) -> Vec<ServerName> {
    let mut names = new.hosts.clone();
    let local = [
        (!new.listen.ip().is_unspecified()).then(|| ServerName::Address(new.listen.ip())),
        Some(ServerName::Dns("localhost".to_owned())),
        Some(ServerName::Address(IpAddr::from([127, 0, 0, 1]))),
    ];
    for name in local.into_iter().flatten() {
        if !names.contains(&name) {
            names.push(name);
        }
    }
    names
}

/// Makes the store, with the site as its only row.
fn lay_store(
    new: &NewSite,
    config: &Config,
    world: &dyn World,
    boot: BootIdentity,
    disk: &dyn Disk,
) -> Result<(), InitError> {
    let meta = MetaRow {
        format: FORMAT,
        site: new.site.to_string(),
        node: config.node,
        ..MetaRow::default()
    };
    let site = SiteRow {
        id: new.site.to_string(),
        display_name: new.name.reveal().to_owned(),
        time_zone: new.zone.name().to_owned(),
        duress_pin: false,
    };
    let mut first = Batch::new();
    first.put::<Meta>(&(), &meta);
    first.put::<Site>(&(), &site);
    let (folder, now) = (config.folders.store.clone(), world.now().utc);
    let store = StoreConfig::new(folder, new.site.clone(), config.node, boot, now);
    Ok(create(&store, disk, &first)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::env::System;
    use crate::store::open;

    fn new_site(folder: &Path) -> NewSite {
        NewSite {
            folder: folder.to_owned(),
            site: SiteId::parse("dc1").unwrap(),
            name: DisplayName::parse("Data centre 1").unwrap(),
            zone: SiteZone::parse("Europe/Stockholm").unwrap(),
            listen: "[::1]:9443".parse().unwrap(),
            hosts: vec![ServerName::parse("sluss.example.com").unwrap()],
            log_name: KeyName::parse("dc1").unwrap(),
        }
    }

    fn boot() -> BootIdentity {
        BootIdentity("a".to_owned())
    }

    fn made(folder: &Path) -> Result<Made, InitError> {
        init(&new_site(folder), &System::start(), boot())
    }

    /// Names and bytes of everything in a folder.
    fn contents(folder: &Path) -> Vec<(PathBuf, Vec<u8>)> {
        let mut found = Vec::new();
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                found.extend(contents(&path));
            } else {
                found.push((path.clone(), std::fs::read(path).unwrap()));
            }
        }
        found.sort();
        found
    }

    #[test]
    fn a_new_site_can_be_opened_with_its_own_configuration() {
        let root = tempfile::tempdir().unwrap();
        let made = made(&root.path().join("dc1")).unwrap();
        let config = Config::read(&made.config).unwrap();
        assert_eq!(config.site.as_str(), "dc1");
        assert_eq!(config.machines.to_string(), "[::1]:9443");
        let secrets = Secrets::load(&config.folders.keys).unwrap();
        Keyring::open(Arc::new(RealDisk), &config.folders.keyring(), &secrets.kek).unwrap();
        let pki = PkiFolder::new(&config.folders.pki, Arc::new(RealDisk));
        pki.authority(&config.site).unwrap();
        pki.server_certificate().unwrap();
        let subjects: Vec<String> = pki
            .register()
            .list()
            .unwrap()
            .into_iter()
            .map(|row| row.subject)
            .collect();
        assert_eq!(subjects, ["operator/first", "server"]);
        assert!(made.operator.join("key.pem").exists());
        let now = System::start().now().utc;
        let (folder, site) = (config.folders.store, config.site);
        let store = StoreConfig::new(folder, site, config.node, boot(), now);
        let opened = open(&store, Arc::new(RealDisk)).unwrap();
        let site = opened.base.get::<Site>(&()).unwrap().unwrap();
        assert_eq!(site.display_name, "Data centre 1");
        opened.writer.close();
    }

    #[test]
    fn a_site_is_never_made_over_anything() {
        let root = tempfile::tempdir().unwrap();
        made(root.path()).unwrap();
        let before = contents(root.path());
        let refused = made(root.path()).unwrap_err().to_string();
        assert!(
            refused.contains("is not empty (identities, keys, pki, slussd.toml, store)"),
            "{refused}"
        );
        assert_eq!(contents(root.path()), before);
    }

    #[test]
    fn one_file_of_somebody_else_is_enough_to_stop() {
        let root = tempfile::tempdir().unwrap();
        std::fs::write(root.path().join("notes.txt"), "mine").unwrap();
        let refused = made(root.path()).unwrap_err();
        assert!(matches!(refused, InitError::Occupied { names, .. } if names == "notes.txt"));
        assert_eq!(contents(root.path()).len(), 1);
    }

    #[test]
    fn an_interrupted_init_is_named_as_such() {
        let root = tempfile::tempdir().unwrap();
        let folder = root.path().join("dc1");
        // A name that no certificate can hold stops it half-way.
        let mut new = new_site(&folder);
        new.hosts = vec![ServerName::Dns("no\u{e4}scii".to_owned())];
        assert!(init(&new, &System::start(), boot()).is_err());
        assert!(!folder.join(CONFIG_FILE).exists());
        let refused = made(&folder).unwrap_err();
        assert!(matches!(refused, InitError::Unfinished(path) if path == folder));
    }

    #[test]
    fn the_configuration_that_is_written_differs_from_the_example_in_two_lines() {
        let text = config_text(&new_site(Path::new("/x")));
        let differing = text
            .lines()
            .zip(EXAMPLE.lines())
            .filter(|(a, b)| a != b)
            .count();
        assert_eq!(
            (differing, text.lines().count()),
            (2, EXAMPLE.lines().count())
        );
    }
}
