//! L1, the ledger: record bytes, leaf hashes, the tree and its signed heads.
//!
//! Pure: no clock, no entropy, no files. `docs/feed-format.md` tells the same to whoever writes
//! a verifier; `tests/vectors` holds both to it. These bytes can never be migrated.
#![deny(clippy::arithmetic_side_effects)]

mod hash;

mod frontier;

mod key;

mod note;

mod checkpoint;

mod pseudonym;

pub mod record;

pub use checkpoint::{Checkpoint, CheckpointError, Epoch, InvalidOrigin, Origin};
pub use frontier::{Frontier, InvalidFrontier};
pub use hash::{
    Hash, InvalidHash, LeafKind, Salt, UnknownKind, empty_root, keyed_hash, leaf_hash, node_hash,
};
pub use key::{InvalidKey, InvalidKeyName, KeyName, SigningKey, VerifyingKey};
pub use note::{NOTE_BYTES_MAX, NoteError};
pub use pseudonym::{Pseudonym, PseudonymOf, pseudonym};

#[cfg(test)]
mod vectors;
