//! The mutable tables as they were found at opening.

use std::{collections::BTreeMap, sync::Arc};

use prost::Message as _;

use super::{
    batch::{Batch, Op, encode_key},
    tables::{FeedLeafHashes, Table, TableKey, is_mutable},
};

/// A row that cannot be read though its checksum is right; another format, or a fault of ours.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a row of table `{table}` cannot be read")]
pub struct RowError {
    /// Name of the table.
    pub table: &'static str,
}

/// All rows of the mutable tables but leaf hashes, in memory.
///
/// The roster and the heads of feeds are built from it without sled. Leaf hashes grow with the
/// entries and are left out. To be dropped after the start.
#[derive(Default, Clone, PartialEq, Eq)]
pub struct BaseTables {
    rows: BTreeMap<Arc<[u8]>, Arc<[u8]>>,
}

impl std::fmt::Debug for BaseTables {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "BaseTables({} rows, [redacted])", self.rows.len())
    }
}

impl BaseTables {
    /// The row under a key.
    pub fn get<T: Table>(&self, key: &T::Key) -> Result<Option<T::Value>, RowError> {
        let bytes = self.rows.get(encode_key::<T>(key).as_slice());
        bytes.map(|bytes| decode_value::<T>(bytes)).transpose()
    }

    /// All rows of a table, by key.
    pub fn rows<T: Table>(&self) -> impl Iterator<Item = Result<(T::Key, T::Value), RowError>> {
        let from: Arc<[u8]> = Arc::from([T::PREFIX]);
        let to: Arc<[u8]> = Arc::from([T::PREFIX.saturating_add(1)]);
        self.rows
            .range(from..to)
            .map(|(key, value)| Ok((decode_key::<T>(key)?, decode_value::<T>(value)?)))
    }

    /// How many rows there are.
    pub fn row_count(&self) -> usize {
        self.rows.len()
    }

    /// Does what a batch says, as far as it is about tables that are kept here.
    pub fn apply(&mut self, batch: &Batch) {
        batch.ops().iter().for_each(|op| self.apply_op(op));
    }

    pub(super) fn apply_op(&mut self, op: &Op) {
        if !holds(&op.key) {
            return;
        }
        match &op.value {
            Some(value) => self.rows.insert(Arc::clone(&op.key), Arc::clone(value)),
            None => self.rows.remove(&op.key),
        };
    }
}

/// Whether a row with this key is kept in [`BaseTables`].
pub(super) fn holds(key: &[u8]) -> bool {
    is_mutable(key) && key.first() != Some(&FeedLeafHashes::PREFIX)
}

/// The key in the bytes of a row of this table.
pub(super) fn decode_key<T: Table>(key: &[u8]) -> Result<T::Key, RowError> {
    key.split_first()
        .filter(|(prefix, _)| **prefix == T::PREFIX)
        .and_then(|(_, rest)| T::Key::read(rest))
        .ok_or(RowError { table: T::NAME })
}

/// The value in the bytes of a row of this table.
pub(super) fn decode_value<T: Table>(value: &[u8]) -> Result<T::Value, RowError> {
    T::Value::decode(value).map_err(|_| RowError { table: T::NAME })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        pb::store::{AreaRow, LeafHashRow},
        store::tables::Areas,
    };

    #[test]
    fn rows_come_by_key_and_leaf_hashes_stay_out() {
        let mut batch = Batch::new();
        for id in ["b", "a", "c"] {
            let row = AreaRow {
                display_name: id.to_uppercase(),
                ..AreaRow::default()
            };
            batch.put::<Areas>(&id.to_owned(), &row);
        }
        batch.remove::<Areas>(&"c".to_owned());
        batch.put::<FeedLeafHashes>(&("acme".to_owned(), 0), &LeafHashRow::default());
        let mut base = BaseTables::default();
        base.apply(&batch);
        let names: Vec<String> = base
            .rows::<Areas>()
            .map(|row| row.unwrap().1.display_name)
            .collect();
        assert_eq!(names, ["A", "B"]);
        assert_eq!(base.row_count(), 2);
    }

    #[test]
    fn a_row_that_is_none_is_an_error() {
        let op = Op {
            key: Arc::from([Areas::PREFIX, b'a']),
            value: Some(Arc::from([0xFF])),
        };
        let mut base = BaseTables::default();
        base.apply_op(&op);
        let wrong = RowError { table: "Areas" };
        assert_eq!(base.get::<Areas>(&"a".to_owned()), Err(wrong));
    }
}
