//! The file as typed. Nothing here is checked beyond its type.

use serde::Deserialize;
use toml::Spanned;

use crate::telemetry::LogFormat;

/// A number as typed; its range is checked later, so that the error can say the range.
pub(super) type Number = Spanned<i64>;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct File {
    pub(super) site: Site,
    pub(super) listen: Listen,
    pub(super) folders: Folders,
    #[serde(default)]
    pub(super) bus: Vec<Bus>,
    #[serde(default)]
    pub(super) limits: Limits,
    pub(super) retention: Retention,
    #[serde(default)]
    pub(super) log: Log,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Site {
    pub(super) id: Spanned<String>,
    pub(super) node: Option<Number>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Listen {
    pub(super) machines: Spanned<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Folders {
    pub(super) store: Spanned<String>,
    pub(super) keys: Spanned<String>,
    pub(super) pki: Spanned<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Bus {
    pub(super) name: Spanned<String>,
    pub(super) port: Spanned<String>,
    pub(super) baud: Option<Number>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Limits {
    pub(super) queue: Option<Number>,
    pub(super) connections: Option<Number>,
    pub(super) connections_per_peer: Option<Number>,
    pub(super) handshakes: Option<Number>,
    pub(super) handshakes_per_address: Option<Number>,
    pub(super) handshake_ms: Option<Number>,
    pub(super) first_bytes_ms: Option<Number>,
    pub(super) streams_per_connection: Option<Number>,
    pub(super) watches_per_peer: Option<Number>,
    pub(super) slow_subscriber_s: Option<Number>,
    pub(super) message_bytes: Option<Number>,
    pub(super) header_bytes: Option<Number>,
    pub(super) call_ms: Option<Number>,
    pub(super) keep_alive_s: Option<Number>,
    pub(super) connection_age_s: Option<Number>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Retention {
    pub(super) pseudonym: Number,
    pub(super) contact: Number,
    pub(super) credential: Number,
    pub(super) log: Number,
    pub(super) access_right: Number,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Log {
    pub(super) format: Option<Format>,
}

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Format {
    Text,
    Json,
}

impl From<Format> for LogFormat {
    fn from(format: Format) -> Self {
        match format {
            Format::Text => Self::Text,
            Format::Json => Self::Json,
        }
    }
}
