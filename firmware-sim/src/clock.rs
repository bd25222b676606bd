//! The device's own clocks.

use std::time::{Instant, SystemTime, UNIX_EPOCH};

use prost_types::Timestamp;

/// The monotonic clock.
#[expect(
    clippy::disallowed_methods,
    reason = "a device has clocks of its own; the server's are in its env.rs"
)]
pub(crate) fn ticks() -> Instant {
    Instant::now()
}

/// The wall clock, to the second; the epoch if it stands before it.
#[expect(
    clippy::disallowed_methods,
    reason = "a device has clocks of its own; the server's are in its env.rs"
)]
pub(crate) fn wall() -> Timestamp {
    let since_epoch = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    Timestamp {
        seconds: i64::try_from(since_epoch.as_secs()).unwrap_or(i64::MAX),
        nanos: 0,
    }
}
