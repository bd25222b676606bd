//! The invariants of `docs/architecture.md`, seen from outside: a whole server, and callers over
//! mTLS.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test that cannot go on says so by stopping"
)]

#[path = "invariants/house.rs"]
#[expect(dead_code, reason = "shared with the test of traces")]
mod house;

#[path = "invariants/doors.rs"]
mod doors;
#[path = "invariants/feeds.rs"]
mod feeds;
#[path = "invariants/inputs.rs"]
mod inputs;
#[path = "invariants/tenants.rs"]
mod tenants;
