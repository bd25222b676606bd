//! L1, pure: the rules, compiled and asked.
//!
//! Nothing here reads a clock, makes a random number, waits, locks or touches a file.
#![cfg_attr(not(test), deny(clippy::arithmetic_side_effects))]

mod lockout;
mod pin;

pub use lockout::{LOCKOUT, Lockouts, PinFailures, PinOutcome, PinTry, WRONG_PINS_MAX};
pub use pin::PinVerifier;
