//! Readers and doors, seen from outside: a whole server on simulated lines, and callers over mTLS.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that cannot go on says so by stopping"
)]

#[path = "readers/disks.rs"]
mod disks;
#[path = "readers/house.rs"]
mod house;
#[path = "readers/journal.rs"]
mod journal;
#[path = "readers/seen.rs"]
mod seen;

#[path = "readers/bad_lines.rs"]
mod bad_lines;
#[path = "readers/doors.rs"]
mod doors;
#[path = "readers/impostors.rs"]
mod impostors;
#[path = "readers/keypads.rs"]
mod keypads;
#[path = "readers/ports.rs"]
mod ports;
#[path = "readers/stores.rs"]
mod stores;
#[path = "readers/swipes.rs"]
mod swipes;
