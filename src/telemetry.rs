//! The program's own messages: on stderr, never personal data, never the access log.

use std::io;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::util::TryInitError;

/// What is said where `RUST_LOG` says nothing.
const DEFAULT_FILTER: &str = "info,h2=warn,hyper=warn,rustls=warn,sled=warn,tonic=warn";

/// How messages look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object for each line.
    Json,
}

/// Messages that cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum TelemetryError {
    /// `RUST_LOG` is not a filter.
    #[error("RUST_LOG: a filter such as `info` or `sluss::store=debug,warn`")]
    Filter,
    /// Somebody has set messages up already.
    #[error("messages are set up twice")]
    Twice(#[from] TryInitError),
}

/// Sets messages up for the whole program; `RUST_LOG` decides which are shown.
pub fn init(format: LogFormat) -> Result<(), TelemetryError> {
    use tracing_subscriber::util::SubscriberInitExt as _;
    let filter = filter(std::env::var(EnvFilter::DEFAULT_ENV).ok())?;
    let messages = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(io::stderr);
    match format {
        LogFormat::Text => messages.with_ansi(false).finish().try_init()?,
        LogFormat::Json => messages.json().finish().try_init()?,
    }
    Ok(())
}

fn filter(wanted: Option<String>) -> Result<EnvFilter, TelemetryError> {
    let text = wanted.unwrap_or_else(|| DEFAULT_FILTER.to_owned());
    EnvFilter::builder()
        .parse(text)
        .map_err(|_| TelemetryError::Filter)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filter_that_is_none_is_refused() {
        assert!(filter(None).is_ok());
        assert!(filter(Some("sluss=debug".to_owned())).is_ok());
        assert!(filter(Some("sluss=loud".to_owned())).is_err());
    }
}
