//! L1, bytes as they come: the line of OSDP readers, and the cursor that every codec reads and
//! writes through.
#![cfg_attr(not(test), deny(clippy::arithmetic_side_effects))]

pub mod osdp;

mod cursor;

pub use cursor::{CursorError, Reader, Writer};

pub mod card;
