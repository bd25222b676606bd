//! One commit: puts and removes over all tables, and how they are written in a frame.

use std::sync::Arc;

use prost::Message as _;

use super::tables::{Table, TableKey};
use crate::wire::{CursorError, Reader, Writer};

/// Longest value; rows are small by design, and sled keeps long ones badly.
pub const VALUE_BYTES_MAX: usize = 4096;
/// Longest key: two ids of the API and a counter fit many times.
pub const KEY_BYTES_MAX: usize = 1024;

const PUT: u8 = 1;
const REMOVE: u8 = 2;

/// Payload that is none, though its checksum is right: another format, or a fault of ours.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PayloadError {
    /// It ends in the middle.
    #[error(transparent)]
    Short(#[from] CursorError),
    /// An operation that is not known.
    #[error("operation {0} is not known")]
    Operation(u8),
}

/// One put or remove. Cheap to clone.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Op {
    /// Prefix of the table and key.
    pub(super) key: Arc<[u8]>,
    /// The row, or `None` where it is removed.
    pub(super) value: Option<Arc<[u8]>>,
}

impl std::fmt::Debug for Op {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let table = self.key.first().copied().unwrap_or(0);
        write!(f, "Op(table {table:#04x}, [redacted])")
    }
}

/// Puts and removes that become durable and visible together, or not at all.
///
/// Later ones win over earlier ones with the same key.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[must_use]
pub struct Batch {
    ops: Vec<Op>,
    payload_bytes: usize,
    oversized: Option<&'static str>,
}

impl Batch {
    /// Starts empty.
    pub fn new() -> Self {
        Self::default()
    }

    /// Puts a row in place of the one with this key.
    ///
    /// A value over [`VALUE_BYTES_MAX`] makes the commit fail.
    pub fn put<T: Table>(&mut self, key: &T::Key, value: &T::Value) {
        let key = encode_key::<T>(key);
        let value = value.encode_to_vec();
        if key.len() > KEY_BYTES_MAX || value.len() > VALUE_BYTES_MAX {
            self.oversized = Some(T::NAME);
        }
        self.push(Op {
            key: key.into(),
            value: Some(value.into()),
        });
    }

    /// Removes a row; it is no error if there is none.
    pub fn remove<T: Table>(&mut self, key: &T::Key) {
        let key = encode_key::<T>(key);
        if key.len() > KEY_BYTES_MAX {
            self.oversized = Some(T::NAME);
        }
        self.push(Op {
            key: key.into(),
            value: None,
        });
    }

    /// Adds what another holds after what this one holds.
    pub fn append(&mut self, other: Self) {
        self.payload_bytes = self.payload_bytes.saturating_add(other.payload_bytes);
        self.oversized = self.oversized.or(other.oversized);
        self.ops.extend(other.ops);
    }

    /// Whether it holds nothing.
    pub fn is_empty(&self) -> bool {
        self.ops.is_empty()
    }

    /// How many puts and removes it holds.
    pub fn op_count(&self) -> usize {
        self.ops.len()
    }

    /// Length of the payload it makes.
    pub fn payload_bytes(&self) -> usize {
        self.payload_bytes.saturating_add(4)
    }

    /// The row a table has for this key by this batch alone; the outer `None`: it says nothing.
    pub fn find<T: Table>(&self, key: &T::Key) -> Option<Option<T::Value>> {
        let key = encode_key::<T>(key);
        let op = self.ops.iter().rev().find(|op| *op.key == *key)?;
        let value = op.value.as_deref();
        Some(value.and_then(|bytes| T::Value::decode(bytes).ok()))
    }

    /// Name of a table that was given a row or key too long to be stored.
    pub(super) fn oversized(&self) -> Option<&'static str> {
        self.oversized
    }

    pub(super) fn ops(&self) -> &[Op] {
        &self.ops
    }

    pub(super) fn push(&mut self, op: Op) {
        let value_bytes = op.value.as_ref().map_or(0, |v| v.len().saturating_add(4));
        let op_bytes = op.key.len().saturating_add(value_bytes).saturating_add(3);
        self.payload_bytes = self.payload_bytes.saturating_add(op_bytes);
        self.ops.push(op);
    }

    /// The payload of its frame.
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut out = Writer::with_capacity(self.payload_bytes());
        out.u32(u32::try_from(self.ops.len()).unwrap_or(u32::MAX));
        for op in &self.ops {
            out.u8(if op.value.is_some() { PUT } else { REMOVE });
            out.u16(u16::try_from(op.key.len()).unwrap_or(u16::MAX));
            out.bytes(&op.key);
            if let Some(value) = &op.value {
                out.u32(u32::try_from(value.len()).unwrap_or(u32::MAX));
                out.bytes(value);
            }
        }
        out.into_bytes()
    }

    /// Reads the payload of a frame.
    pub(super) fn decode(payload: &[u8]) -> Result<Self, PayloadError> {
        let mut from = Reader::new(payload);
        let mut batch = Self::new();
        for _ in 0..from.u32()? {
            let kind = from.u8()?;
            let key_bytes = usize::from(from.u16()?);
            let key = from.take(key_bytes)?.into();
            let value = match kind {
                PUT => {
                    let value_bytes = usize::try_from(from.u32()?).unwrap_or(usize::MAX);
                    Some(from.take(value_bytes)?.into())
                }
                REMOVE => None,
                other => return Err(PayloadError::Operation(other)),
            };
            batch.push(Op { key, value });
        }
        Ok(batch)
    }
}

/// The bytes under which a row lies: the table's prefix and the key.
pub(super) fn encode_key<T: Table>(key: &T::Key) -> Vec<u8> {
    let mut out = vec![T::PREFIX];
    key.write(&mut out);
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        pb::store::{LeafHashRow, SiteRow},
        store::tables::{FeedLeafHashes, Site},
    };

    fn sample() -> Batch {
        let mut batch = Batch::new();
        batch.put::<FeedLeafHashes>(&("acme".to_owned(), 3), &LeafHashRow { hash: vec![9; 32] });
        batch.remove::<Site>(&());
        batch
    }

    #[test]
    fn a_payload_reads_back_and_is_as_long_as_said() {
        let payload = sample().encode();
        assert_eq!(payload.len(), sample().payload_bytes());
        assert_eq!(Batch::decode(&payload), Ok(sample()));
    }

    #[test]
    fn a_payload_cut_anywhere_is_refused() {
        let payload = sample().encode();
        for end in 0..payload.len() {
            assert!(Batch::decode(&payload[..end]).is_err(), "{end}");
        }
    }

    #[test]
    fn the_last_word_on_a_key_is_found() {
        let mut batch = sample();
        assert_eq!(batch.find::<Site>(&()), Some(None));
        let row = SiteRow {
            id: "north".to_owned(),
            ..SiteRow::default()
        };
        batch.put::<Site>(&(), &row);
        assert_eq!(batch.find::<Site>(&()), Some(Some(row)));
        assert_eq!(batch.find::<FeedLeafHashes>(&("acme".to_owned(), 4)), None);
    }

    #[test]
    fn a_row_over_the_limit_is_marked() {
        let mut batch = Batch::new();
        let row = LeafHashRow {
            hash: vec![0; VALUE_BYTES_MAX],
        };
        batch.put::<FeedLeafHashes>(&("acme".to_owned(), 3), &row);
        assert_eq!(batch.oversized(), Some("FeedLeafHashes"));
    }

    #[test]
    fn debug_shows_no_row() {
        let shown = format!("{:?}", sample());
        assert!(
            !shown.contains("97") && shown.contains("redacted"),
            "{shown}"
        );
    }
}
