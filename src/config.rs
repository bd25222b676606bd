//! The server's configuration file: what it may say, and what it means.
//!
//! The file holds addresses, folders, serial lines, limits and retention. Areas, doors, customers, people and
//! schedules are data in the store. An unknown key is an error, so that a slip of the pen is not
//! a setting that silently does nothing.

mod bus;
mod fault;
mod limits;
mod raw;
mod retention;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

pub use bus::BusConfig;
pub use fault::{ConfigError, TomlFault, toml_fault};
pub use limits::Limits;
pub use retention::{Months, Retention};

use self::fault::Locator;
use crate::telemetry::LogFormat;
use crate::types::SiteId;

/// Longest configuration file in bytes; a real one has about 2 KiB.
const FILE_BYTES_MAX: u64 = 65_536;

/// A configuration that can be used as it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// The site, whose id is in every certificate and every record.
    pub site: SiteId,
    /// Number of this server among the site's, 1..=9999.
    pub node: u32,
    /// Where machines connect, with client certificates.
    pub machines: SocketAddr,
    /// Where files lie.
    pub folders: Folders,
    /// Serial lines with readers, at most 64, in the order of the file.
    pub buses: Vec<BusConfig>,
    /// What is allowed.
    pub limits: Limits,
    /// How long personal data is kept.
    pub retention: Retention,
    /// How the program's own messages look.
    pub log_format: LogFormat,
}

/// Folders, as absolute paths or relative to the working folder; no two are the same.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Folders {
    /// The store: segments, snapshot, sled.
    pub store: PathBuf,
    /// Keys and the keyring, which are in no backup of the store.
    pub keys: PathBuf,
    /// The site's authority, the server's certificate, the register of certificates.
    pub pki: PathBuf,
}

impl Folders {
    /// The keyring: beside the keys that wrap it, outside the store and its backups.
    pub fn keyring(&self) -> PathBuf {
        self.keys.join("keyring")
    }
}

impl Config {
    /// Reads a configuration file. Relative folders are relative to the file's folder.
    pub fn read(file: &Path) -> Result<Self, ConfigError> {
        let unreadable = |kind| ConfigError::Unreadable {
            file: file.to_owned(),
            kind,
        };
        let size = std::fs::metadata(file).map_err(|e| unreadable(e.kind()))?;
        if size.len() > FILE_BYTES_MAX {
            return Err(ConfigError::TooLarge(file.to_owned()));
        }
        let text = std::fs::read_to_string(file).map_err(|e| unreadable(e.kind()))?;
        Self::parse(&text, file)
    }

    /// Reads the text of a configuration file; `file` is its name, for errors and folders.
    pub fn parse(text: &str, file: &Path) -> Result<Self, ConfigError> {
        let locator = Locator { text, file };
        let raw: raw::File = toml::from_str(text).map_err(|error| locator.toml(&error))?;
        let base = file.parent().unwrap_or(Path::new("."));
        let node = locator.range("site.node", raw.site.node.as_ref(), 1, 1..=9_999)?;
        Ok(Self {
            site: locator.parsed("site.id", &raw.site.id, SiteId::parse)?,
            node,
            machines: locator.parsed("listen.machines", &raw.listen.machines, parse_address)?,
            folders: folders(&raw.folders, base, &locator)?,
            buses: BusConfig::check(&raw.bus, &locator)?,
            limits: Limits::check(&raw.limits, &locator)?,
            retention: Retention::check(&raw.retention, &locator)?,
            log_format: raw.log.format.map_or(LogFormat::Text, LogFormat::from),
        })
    }
}

#[derive(Debug, thiserror::Error)]
#[error("expected an address and port such as `127.0.0.1:7443` or `[::]:7443`")]
struct NoAddress;

fn parse_address(text: &str) -> Result<SocketAddr, NoAddress> {
    text.parse().map_err(|_| NoAddress)
}

fn folders(raw: &raw::Folders, base: &Path, locator: &Locator) -> Result<Folders, ConfigError> {
    let store = base.join(raw.store.get_ref());
    let keys = base.join(raw.keys.get_ref());
    let pki = base.join(raw.pki.get_ref());
    let rows = [
        ("folders.store", &raw.store, [&keys, &pki]),
        ("folders.keys", &raw.keys, [&store, &pki]),
        ("folders.pki", &raw.pki, [&store, &keys]),
    ];
    for (key, value, others) in rows {
        if value.get_ref().is_empty() {
            return Err(locator.at(key, value, "the path of a folder".to_owned()));
        }
        // Keys inside the store would go into its backups, and be erased with nothing.
        let path = base.join(value.get_ref());
        if others.iter().any(|other| path.starts_with(other)) {
            let expected = "a folder that is not in another one of these".to_owned();
            return Err(locator.at(key, value, expected));
        }
    }
    Ok(Folders { store, keys, pki })
}

#[cfg(test)]
mod tests {
    use super::*;

    const EXAMPLE: &str = include_str!("../deploy/slussd.example.toml");

    fn parse(text: &str) -> Result<Config, ConfigError> {
        Config::parse(text, Path::new("/etc/sluss/slussd.toml"))
    }

    /// The example with one line replaced.
    fn changed(from: &str, to: &str) -> String {
        assert_eq!(EXAMPLE.matches(from).count(), 1, "{from}");
        EXAMPLE.replace(from, to)
    }

    /// The example without what stands from one table's head up to another's.
    fn without(from: &str, until: &str) -> String {
        let (before, rest) = EXAMPLE.split_once(from).unwrap();
        let (_, after) = rest.split_once(until).unwrap();
        format!("{before}{until}{after}")
    }

    fn line_of(text: &str, part: &str) -> usize {
        text.lines().position(|line| line.contains(part)).unwrap() + 1
    }

    fn refused(text: &str, marked: &str, key_and_expected: &str) {
        let expected = format!(
            "/etc/sluss/slussd.toml:{}: {key_and_expected}",
            line_of(text, marked)
        );
        assert_eq!(parse(text).unwrap_err().to_string(), expected);
    }

    #[test]
    fn the_example_is_good_and_says_the_defaults() {
        let config = parse(EXAMPLE).unwrap();
        assert_eq!(config.site.as_str(), "sto1");
        assert_eq!(config.machines.port(), 7443);
        assert_eq!(config.folders.keys, Path::new("/etc/sluss/keys"));
        assert_eq!(config.retention.contact.count(), 24);
        assert_eq!(config.buses, [], "a line that is not there is not polled");
        assert_eq!(parse(&without("[limits]", "[retention]")).unwrap(), config);
    }

    #[test]
    fn an_unknown_key_is_an_error_with_its_line() {
        let text = changed("queue = 4096", "quue = 4096");
        let error = parse(&text).unwrap_err().to_string();
        let line = line_of(&text, "quue");
        assert!(
            error.starts_with(&format!(
                "/etc/sluss/slussd.toml:{line}: limits.quue: unknown"
            )),
            "{error}"
        );
    }

    #[test]
    fn a_value_out_of_range_says_the_range() {
        refused(
            &changed("queue = 4096", "queue = 1"),
            "queue = 1",
            "limits.queue: expected a number from 64 to 65536",
        );
        refused(
            &changed("contact = 24", "contact = 0"),
            "contact = 0",
            "retention.contact: expected a number from 1 to 120",
        );
        refused(
            &changed("node = 1", "node = -1"),
            "node = -1",
            "site.node: expected a number from 1 to 9999",
        );
    }

    #[test]
    fn a_value_of_another_type_is_an_error_with_its_line() {
        let text = changed("queue = 4096", "queue = \"many\"");
        let error = parse(&text).unwrap_err().to_string();
        let begin = format!(
            "/etc/sluss/slussd.toml:{}: limits.queue:",
            line_of(&text, "many")
        );
        assert!(error.starts_with(&begin), "{error}");
    }

    #[test]
    fn texts_are_parsed_and_not_taken_as_they_come() {
        refused(
            &changed("\"127.0.0.1:7443\"", "\"localhost\""),
            "\"localhost\"",
            "listen.machines: expected an address and port such as `127.0.0.1:7443` or `[::]:7443`",
        );
        refused(
            &changed("id = \"sto1\"", "id = \"Sto 1\""),
            "Sto 1",
            "site.id: an id is 1 to 40 characters of a-z, 0-9 and -, beginning with a letter or digit",
        );
        refused(
            &changed("keys = \"keys\"", "keys = \"store/keys\""),
            "store/keys",
            "folders.keys: a folder that is not in another one of these",
        );
    }

    /// The example with its lines, which stand in it as comments, and with one part replaced.
    fn with_buses(from: &str, to: &str) -> String {
        let text = EXAMPLE
            .replace("# [[bus]]", "[[bus]]")
            .replace("# name = \"", "name = \"")
            .replace("# port = \"", "port = \"")
            .replace("# baud = ", "baud = ");
        assert!(text.contains(from), "{from}");
        text.replacen(from, to, 1)
    }

    #[test]
    fn the_lines_of_the_example_are_good() {
        let config = parse(&with_buses("", "")).unwrap();
        let buses: Vec<_> = config
            .buses
            .iter()
            .map(|bus| (bus.name.as_str(), bus.baud))
            .collect();
        assert_eq!(buses, [("north", 9_600), ("south", 115_200)]);
        assert!(config.buses[0].port.starts_with("/dev/serial/by-id"));
        let usual = parse(&with_buses("baud = 115200\n", "")).unwrap();
        assert_eq!(usual.buses[1].baud, 9_600);
    }

    #[test]
    fn a_line_that_cannot_be_polled_is_refused() {
        refused(
            &with_buses("baud = 115200", "baud = 4800"),
            "baud = 4800",
            "bus.baud: expected one of 9600, 19200, 38400, 57600, 115200, 230400",
        );
        refused(
            &with_buses("name = \"south\"", "name = \"South 1\""),
            "South 1",
            "bus.name: an id is 1 to 40 characters of a-z, 0-9 and -, beginning with a letter or digit",
        );
        refused(
            &with_buses("port = \"/dev/serial/by-id/usb-south", "port = \"ttyUSB0"),
            "ttyUSB0",
            "bus.port: expected the absolute path of a serial port",
        );
        let error = parse(&with_buses("baud = 115200", "speed = 9600")).unwrap_err();
        assert!(
            error.to_string().contains(": bus.speed: unknown"),
            "{error}"
        );
    }

    #[test]
    fn two_lines_have_neither_one_name_nor_one_port() {
        let text = with_buses("name = \"south\"", "name = \"north\" # again");
        refused(&text, "# again", "bus.name: a name that no other bus has");
        let text = with_buses(
            "port = \"/dev/serial/by-id/usb-south\"",
            "port = \"/dev/serial/by-id/usb-north\" # again",
        );
        refused(&text, "# again", "bus.port: a port that no other bus has");
    }

    #[test]
    fn there_are_at_most_64_lines() {
        let bus = |n: usize| format!("[[bus]]\nname = \"b{n}\"\nport = \"/dev/b{n}\"\n");
        let with = |count| format!("{EXAMPLE}\n{}", (0..count).map(bus).collect::<String>());
        assert_eq!(parse(&with(64)).unwrap().buses.len(), 64);
        let text = with(65);
        refused(&text, "name = \"b64\"", "bus: at most 64 tables `[[bus]]`");
    }

    #[test]
    fn without_a_retention_table_nothing_is_served() {
        let text = without("[retention]", "[log]");
        let error = parse(&text).unwrap_err().to_string();
        assert!(error.contains(": retention: "), "{error}");
        let text = changed("contact = 24", "");
        let error = parse(&text).unwrap_err().to_string();
        assert!(error.contains(": retention.contact: "), "{error}");
    }

    #[test]
    fn what_is_no_toml_is_an_error_with_its_line() {
        let error = parse("[site]\nid = \"a\nnode = 1\n")
            .unwrap_err()
            .to_string();
        assert!(
            error.starts_with("/etc/sluss/slussd.toml:2: site.id: "),
            "{error}"
        );
        let error = parse("").unwrap_err().to_string();
        assert!(
            error.starts_with("/etc/sluss/slussd.toml:1: site: "),
            "{error}"
        );
    }

    #[test]
    fn a_file_that_is_not_there_is_named() {
        let error = Config::read(Path::new("/nowhere/slussd.toml")).unwrap_err();
        assert_eq!(
            error.to_string(),
            "/nowhere/slussd.toml: cannot be read: no such file or folder"
        );
    }

    #[test]
    fn retention_covers_every_category_of_the_stored_fields() {
        use prost::Message as _;
        let set = prost_types::FileDescriptorSet::decode(crate::pb::STORE_DESCRIPTORS).unwrap();
        let categories: Vec<String> = set
            .file
            .iter()
            .flat_map(|file| &file.enum_type)
            .filter(|category| category.name() == "Category")
            .flat_map(|category| &category.value)
            .map(|value| value.name().trim_start_matches("CATEGORY_").to_lowercase())
            // No person's data; and biometrics, which go within 24 hours whatever a file says.
            .filter(|name| name != "none" && name != "biometric")
            .collect();
        assert_eq!(categories, Retention::KEYS);
    }
}
