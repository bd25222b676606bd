//! L1, bytes as they come: the cursor that every codec reads and writes through.
#![deny(clippy::arithmetic_side_effects)]

mod cursor;

pub use cursor::{CursorError, Reader, Writer};

pub mod card;
