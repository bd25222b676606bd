//! L3, one attempt at a time: from what was presented to an answer that may be acted on.
//!
//! Decisions are taken in `policy`, written by `store`; this room joins them and nothing else.

mod runner;
mod unlock;

pub use runner::{Answer, AuthorizeError, Presented, Runner, RunnerParts, presented_card};
pub use unlock::{GRANT_AGE_MAX, Stale, Unlock};
