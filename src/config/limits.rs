//! What the server allows, with defaults and ranges.

use std::time::Duration;

use super::fault::{ConfigError, Locator};
use super::raw;
use crate::service::listener::ListenerLimits;

/// What the server allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Writes that may wait for the log; more are refused at once. 64..=65536.
    pub queue: u32,
    /// What the listener allows.
    pub listener: ListenerLimits,
    /// Calls at once on one connection. 1..=1024.
    pub streams_per_connection: u32,
    /// Feeds that one caller may watch at once. 1..=1024.
    pub watches_per_peer: u32,
    /// How long a subscriber may leave its messages waiting before its stream ends. 1..=600 s.
    pub slow_subscriber: Duration,
    /// Longest message in bytes. 4 KiB..=1 MiB.
    pub message_bytes: u32,
    /// Longest list of headers in bytes. 4 KiB..=64 KiB.
    pub header_bytes: u32,
    /// Longest time for a call that is not a stream. 0.1..=60 s.
    pub call: Duration,
    /// How often a connection without traffic is asked whether it lives. 5..=600 s.
    pub keep_alive: Duration,
    /// After how long a connection is asked to come again. 1 minute..=30 days.
    pub connection_age: Duration,
}

impl Limits {
    pub(super) fn check(raw: &raw::Limits, locator: &Locator) -> Result<Self, ConfigError> {
        let number = |key, value: &Option<_>, default, range| {
            locator.range(key, value.as_ref(), default, range)
        };
        let seconds = |key, value: &Option<_>, default, range| {
            number(key, value, default, range).map(|s| Duration::from_secs(s.into()))
        };
        Ok(Self {
            queue: number("limits.queue", &raw.queue, 4_096, 64..=65_536)?,
            listener: listener(raw, locator)?,
            streams_per_connection: number(
                "limits.streams_per_connection",
                &raw.streams_per_connection,
                128,
                1..=1_024,
            )?,
            watches_per_peer: number(
                "limits.watches_per_peer",
                &raw.watches_per_peer,
                16,
                1..=1_024,
            )?,
            slow_subscriber: seconds(
                "limits.slow_subscriber_s",
                &raw.slow_subscriber_s,
                10,
                1..=600,
            )?,
            message_bytes: number(
                "limits.message_bytes",
                &raw.message_bytes,
                65_536,
                4_096..=1_048_576,
            )?,
            header_bytes: number(
                "limits.header_bytes",
                &raw.header_bytes,
                16_384,
                4_096..=65_536,
            )?,
            call: milliseconds(number(
                "limits.call_ms",
                &raw.call_ms,
                10_000,
                100..=60_000,
            )?),
            keep_alive: seconds("limits.keep_alive_s", &raw.keep_alive_s, 20, 5..=600)?,
            connection_age: seconds(
                "limits.connection_age_s",
                &raw.connection_age_s,
                86_400,
                60..=2_592_000,
            )?,
        })
    }
}

fn listener(raw: &raw::Limits, locator: &Locator) -> Result<ListenerLimits, ConfigError> {
    let number =
        |key, value: &Option<_>, default, range| locator.range(key, value.as_ref(), default, range);
    Ok(ListenerLimits {
        connections: number("limits.connections", &raw.connections, 1_024, 1..=65_536)?,
        connections_per_peer: number(
            "limits.connections_per_peer",
            &raw.connections_per_peer,
            32,
            1..=1_024,
        )?,
        handshakes: number("limits.handshakes", &raw.handshakes, 256, 1..=4_096)?,
        handshakes_per_address: number(
            "limits.handshakes_per_address",
            &raw.handshakes_per_address,
            64,
            1..=4_096,
        )?,
        handshake: milliseconds(number(
            "limits.handshake_ms",
            &raw.handshake_ms,
            3_000,
            100..=30_000,
        )?),
        first_bytes: milliseconds(number(
            "limits.first_bytes_ms",
            &raw.first_bytes_ms,
            3_000,
            100..=30_000,
        )?),
    })
}

fn milliseconds(count: u32) -> Duration {
    Duration::from_millis(count.into())
}
