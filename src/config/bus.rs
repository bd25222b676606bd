//! The serial lines on which the server polls readers.

use std::path::{Path, PathBuf};

use toml::Spanned;

use super::fault::{ConfigError, Locator};
use super::raw;
use crate::types::BusName;

/// Most lines; each has a thread of its own.
const BUSES_MAX: usize = 64;

/// A serial line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BusConfig {
    /// What readers call it.
    pub name: BusName,
    /// Its port, an absolute path; whether it is there is seen when it is opened.
    pub port: PathBuf,
    /// Bits per second, one of [`BusConfig::BAUDS`]; 8 data bits, no parity, 1 stop bit.
    pub baud: u32,
}

impl BusConfig {
    /// The rates of OSDP (OSDP 2.2, COMSET).
    pub const BAUDS: [u32; 6] = [9_600, 19_200, 38_400, 57_600, 115_200, 230_400];

    /// Checks all lines; no two have one name or one port.
    pub(super) fn check(raw: &[raw::Bus], locator: &Locator) -> Result<Vec<Self>, ConfigError> {
        let mut buses = Vec::<Self>::new();
        for bus in raw {
            if buses.len() == BUSES_MAX {
                let expected = format!("at most {BUSES_MAX} tables `[[bus]]`");
                return Err(locator.at("bus", &bus.name, expected));
            }
            let name = locator.parsed("bus.name", &bus.name, BusName::parse)?;
            let port = port(&bus.port, locator)?;
            if buses.iter().any(|other| other.name == name) {
                let expected = "a name that no other bus has".to_owned();
                return Err(locator.at("bus.name", &bus.name, expected));
            }
            // Two threads on one line would talk into each other's polls.
            if buses.iter().any(|other| other.port == port) {
                let expected = "a port that no other bus has".to_owned();
                return Err(locator.at("bus.port", &bus.port, expected));
            }
            let baud = baud(bus.baud.as_ref(), locator)?;
            buses.push(Self { name, port, baud });
        }
        Ok(buses)
    }
}

fn port(value: &Spanned<String>, locator: &Locator) -> Result<PathBuf, ConfigError> {
    let port = Path::new(value.get_ref());
    if !port.is_absolute() {
        let expected = "expected the absolute path of a serial port".to_owned();
        return Err(locator.at("bus.port", value, expected));
    }
    Ok(port.to_owned())
}

fn baud(value: Option<&raw::Number>, locator: &Locator) -> Result<u32, ConfigError> {
    let [usual, ..] = BusConfig::BAUDS;
    let Some(value) = value else {
        return Ok(usual);
    };
    let mut bauds = BusConfig::BAUDS.into_iter();
    let known = bauds.find(|baud| i64::from(*baud) == *value.get_ref());
    known.ok_or_else(|| {
        let all = BusConfig::BAUDS.map(|baud| baud.to_string()).join(", ");
        locator.at("bus.baud", value, format!("expected one of {all}"))
    })
}
