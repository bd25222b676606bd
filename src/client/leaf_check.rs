//! Checks one leaf of a feed by itself.

use crate::ledger::record::{self, Record};
use crate::ledger::{CheckpointError, Hash, LeafKind, Salt, leaf_hash};
use crate::pb::v1;

/// Why a feed is not what it claims to be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FeedFault {
    /// A leaf is missing, came twice or in the wrong order.
    #[error("leaf {found}: expected index {expected}")]
    Index {
        /// Which was due.
        expected: u64,
        /// Which came.
        found: u64,
    },
    /// The kind has no number that is known here.
    #[error("leaf {index}: kind {kind} is not known to this program")]
    Kind {
        /// The leaf.
        index: u64,
        /// The number.
        kind: i32,
    },
    /// The leaf is put together wrongly.
    #[error("leaf {index}: {what}")]
    Shape {
        /// The leaf.
        index: u64,
        /// What is wrong.
        what: &'static str,
    },
    /// Record and salt do not give the leaf hash.
    #[error("leaf {index}: the record does not have the leaf hash that is served with it")]
    LeafHash {
        /// The leaf.
        index: u64,
    },
    /// The decoded fields say something else than the record.
    #[error("leaf {index}: the decoded fields differ from the record")]
    Decoded {
        /// The leaf.
        index: u64,
    },
    /// The leaves do not have the root that the checkpoint claims.
    #[error("checkpoint of {size} leaves: its root is not that of the leaves received")]
    Root {
        /// Leaves it covers.
        size: u64,
    },
    /// The signed note is refused.
    #[error("checkpoint of {size} leaves: {error}")]
    Note {
        /// Leaves it covers.
        size: u64,
        /// Why.
        error: CheckpointError,
    },
    /// The note says something else than the fields beside it.
    #[error("checkpoint of {size} leaves: the note differs from size and root beside it")]
    NoteDiffers {
        /// Leaves it covers.
        size: u64,
    },
    /// The checkpoint or the genesis is about another log.
    #[error("`{origin}` is not the log of this feed")]
    Origin {
        /// What it is about.
        origin: String,
    },
}

/// A leaf that is what it claims to be.
#[derive(Debug, Clone, PartialEq)]
pub struct CheckedLeaf {
    /// Its index.
    pub index: u64,
    /// Its kind.
    pub kind: LeafKind,
    /// What it says, decoded here; `None` where it was erased, is withheld or past retention.
    pub record: Option<Record>,
}

/// Checks one leaf by itself and returns its hash.
pub(super) fn check_leaf(leaf: &v1::FeedLeaf) -> Result<(CheckedLeaf, Hash), FeedFault> {
    let index = leaf.index;
    let shape = |what| FeedFault::Shape { index, what };
    let kind = u32::try_from(leaf.kind)
        .ok()
        .and_then(|number| LeafKind::from_number(number).ok())
        .ok_or(FeedFault::Kind {
            index,
            kind: leaf.kind,
        })?;
    if (index == 0) != (kind == LeafKind::Genesis) {
        return Err(shape("the genesis is the first leaf, and no other"));
    }
    let hash = Hash::parse(&leaf.leaf_hash).map_err(|_| shape("the leaf hash is not 32 bytes"))?;
    let record = if leaf.salt.is_empty() {
        if !leaf.record.is_empty() || leaf.decoded.is_some() {
            return Err(shape("it has content, but no salt to prove it"));
        }
        None
    } else {
        let salt = Salt::parse(&leaf.salt).map_err(|_| shape("the salt is not 32 bytes"))?;
        if leaf_hash(index, kind, &leaf.record, &salt) != hash {
            return Err(FeedFault::LeafHash { index });
        }
        let record = record::decode(kind, &leaf.record)
            .map_err(|_| shape("the record cannot be decoded"))?;
        refuse_difference(index, leaf.decoded.as_ref(), &record)?;
        Some(record)
    };
    let checked = CheckedLeaf {
        index,
        kind,
        record,
    };
    Ok((checked, hash))
}

/// The decoded fields are a convenience: they may be left out, but not differ.
fn refuse_difference(
    index: u64,
    decoded: Option<&v1::feed_leaf::Decoded>,
    record: &Record,
) -> Result<(), FeedFault> {
    use v1::feed_leaf::Decoded;
    let same = match (decoded, record) {
        (None, _) => true,
        (Some(Decoded::Genesis(said)), Record::Genesis(found)) => said == found,
        (Some(Decoded::Entry(said)), Record::Entry(found)) => said == found,
        (Some(Decoded::DoorEvent(said)), Record::DoorEvent(found)) => said == found,
        (Some(Decoded::Genesis(_) | Decoded::Entry(_) | Decoded::DoorEvent(_)), _) => false,
    };
    if same {
        Ok(())
    } else {
        Err(FeedFault::Decoded { index })
    }
}
