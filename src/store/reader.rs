//! Reads: the overlay over sled.

use std::{
    ops::{Bound, RangeBounds},
    sync::Arc,
};

use super::{
    base::{RowError, decode_key, decode_value},
    batch::{Op, encode_key},
    engine::{Engine, EngineFault, Rows},
    format::CommitSequence,
    shared::{Shared, Source},
    tables::Table,
};

/// Rows read while commits wait to be applied; a larger range is read in chunks of this.
const CHUNK_ROWS: usize = 1024;

/// Keys and values of a table, by key.
pub type RowsOf<T> = Vec<(<T as Table>::Key, <T as Table>::Value)>;

/// Why nothing was read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReadError {
    /// sled is being rebuilt; it is worth asking again. Doors are not concerned.
    #[error("the read store is being rebuilt: {done} of {total} commits")]
    Rebuilding {
        /// Commits done.
        done: u64,
        /// Commits in all.
        total: u64,
    },
    /// sled failed too often, or the segments are damaged; an operator must act.
    #[error("the read store is broken: {0}")]
    Broken(String),
    /// The store was closed.
    #[error("the store is closed")]
    Closed,
    /// A row is not what its table says.
    #[error(transparent)]
    Row(#[from] RowError),
}

/// Whether reads are answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ReadState {
    /// They are.
    Ready,
    /// Not yet.
    Rebuilding {
        /// Commits done.
        done: u64,
        /// Commits in all.
        total: u64,
    },
    /// Not until an operator acts.
    Broken(String),
    /// The store was closed.
    Closed,
}

/// Reads the store. Cheap to clone; every commit that was acknowledged is seen.
#[derive(Debug, Clone)]
pub struct Reader {
    shared: Arc<Shared>,
}

impl Reader {
    pub(super) fn new(shared: Arc<Shared>) -> Self {
        Self { shared }
    }

    /// Whether reads are answered.
    pub fn state(&self) -> ReadState {
        match &*self.shared.source() {
            Source::Ready(_) => ReadState::Ready,
            Source::Rebuilding => ReadState::Rebuilding {
                done: self.shared.rebuilt().0,
                total: self.shared.committed().0,
            },
            Source::Broken(what) => ReadState::Broken(what.clone()),
            Source::Closed => ReadState::Closed,
        }
    }

    /// The newest commit that is durable and visible.
    pub fn committed(&self) -> CommitSequence {
        self.shared.committed()
    }

    /// The row under a key.
    pub fn get<T: Table>(&self, key: &T::Key) -> Result<Option<T::Value>, ReadError> {
        let engine = self.engine()?;
        let key = encode_key::<T>(key);
        // Looked at before sled: a commit leaves the overlay only after it is in sled.
        let newest = self.shared.overlay().get(&key);
        let value = match newest {
            Some(op) => op.value,
            None => self
                .told(&engine, engine.get(&key))?
                .map(|bytes| Arc::from(bytes.as_slice())),
        };
        self.refuse_given_up(&engine)?;
        let row = value.map(|bytes| decode_value::<T>(&bytes)).transpose();
        row.map_err(ReadError::from)
    }

    /// The first rows of a range of keys, at most `limit`, by key.
    ///
    /// Rows of one commit appear together, in so far as they lie within 1,024 rows.
    pub fn range<T: Table>(
        &self,
        keys: impl RangeBounds<T::Key>,
        limit: usize,
    ) -> Result<RowsOf<T>, ReadError> {
        let from = match keys.start_bound() {
            Bound::Included(key) => Bound::Included(encode_key::<T>(key)),
            Bound::Excluded(key) => Bound::Excluded(encode_key::<T>(key)),
            Bound::Unbounded => Bound::Included(vec![T::PREFIX]),
        };
        let to = match keys.end_bound() {
            Bound::Included(key) => Bound::Included(encode_key::<T>(key)),
            Bound::Excluded(key) => Bound::Excluded(encode_key::<T>(key)),
            Bound::Unbounded => Bound::Excluded(vec![T::PREFIX.saturating_add(1)]),
        };
        self.typed::<T>(from, &to, limit)
    }

    /// The first rows whose key begins with a text, at most `limit`, behind a key if one is given.
    ///
    /// For tables whose key is a text and something else: a customer's rows, a controller's rows.
    pub fn rows_of<T, K>(
        &self,
        head: &str,
        behind: Option<&T::Key>,
        limit: usize,
    ) -> Result<RowsOf<T>, ReadError>
    where
        T: Table<Key = (String, K)>,
    {
        let mut prefix = vec![T::PREFIX];
        prefix.extend_from_slice(head.as_bytes());
        let mut to = prefix.clone();
        prefix.push(0);
        to.push(1);
        let from = match behind {
            Some(key) => Bound::Excluded(encode_key::<T>(key)),
            None => Bound::Included(prefix),
        };
        self.typed::<T>(from, &Bound::Excluded(to), limit)
    }

    fn typed<T: Table>(
        &self,
        from: Bound<Vec<u8>>,
        to: &Bound<Vec<u8>>,
        limit: usize,
    ) -> Result<RowsOf<T>, ReadError> {
        let rows = self.raw(from, to, limit)?;
        rows.iter()
            .map(|(key, value)| Ok((decode_key::<T>(key)?, decode_value::<T>(value)?)))
            .collect()
    }

    /// The first rows of a range of bytes, at most `limit`.
    pub(super) fn raw(
        &self,
        mut from: Bound<Vec<u8>>,
        to: &Bound<Vec<u8>>,
        limit: usize,
    ) -> Result<Rows, ReadError> {
        let engine = self.engine()?;
        let mut rows = Rows::new();
        if is_empty_range(bound(&from), bound(to)) {
            return Ok(rows);
        }
        while rows.len() < limit {
            let wanted = limit.saturating_sub(rows.len()).min(CHUNK_ROWS);
            let (chunk, behind) = self.chunk(&engine, &from, to, wanted)?;
            rows.extend(chunk);
            match behind {
                Some(key) => from = Bound::Excluded(key),
                None => break,
            }
        }
        rows.truncate(limit);
        Ok(rows)
    }

    /// One chunk at one instant, and the key behind which the next begins.
    fn chunk(
        &self,
        engine: &Arc<Engine>,
        from: &Bound<Vec<u8>>,
        to: &Bound<Vec<u8>>,
        wanted: usize,
    ) -> Result<(Rows, Option<Vec<u8>>), ReadError> {
        let (from, to) = (bound(from), bound(to));
        let _gate = self.shared.hold_applying();
        let applied = self.told(engine, engine.range(from, to, wanted))?;
        // Where sled has more rows than were wanted, the overlay may speak only up to the last.
        let more = applied.len() == wanted;
        let last = applied.last().filter(|_| more).map(|row| row.0.clone());
        let end = last.as_deref().map_or(to, Bound::Included);
        let newer = self.shared.overlay().range(from, end);
        self.refuse_given_up(engine)?;
        Ok((merge(applied, newer), last))
    }

    fn engine(&self) -> Result<Arc<Engine>, ReadError> {
        match &*self.shared.source() {
            Source::Ready(engine) => Ok(Arc::clone(engine)),
            Source::Rebuilding => Err(self.rebuilding()),
            Source::Broken(what) => Err(ReadError::Broken(what.clone())),
            Source::Closed => Err(ReadError::Closed),
        }
    }

    fn told<T>(
        &self,
        engine: &Arc<Engine>,
        answer: Result<T, EngineFault>,
    ) -> Result<T, ReadError> {
        answer.map_err(|fault| {
            self.shared.give_up(engine, &fault);
            self.rebuilding()
        })
    }

    /// Once an engine is given up the overlay no longer holds all that it lacks.
    fn refuse_given_up(&self, engine: &Arc<Engine>) -> Result<(), ReadError> {
        match &*self.shared.source() {
            Source::Ready(current) if Arc::ptr_eq(current, engine) => Ok(()),
            Source::Ready(_) | Source::Rebuilding => Err(self.rebuilding()),
            Source::Broken(what) => Err(ReadError::Broken(what.clone())),
            Source::Closed => Err(ReadError::Closed),
        }
    }

    fn rebuilding(&self) -> ReadError {
        ReadError::Rebuilding {
            done: self.shared.rebuilt().0,
            total: self.shared.committed().0,
        }
    }
}

fn is_empty_range(from: Bound<&[u8]>, to: Bound<&[u8]>) -> bool {
    match (from, to) {
        (Bound::Included(a), Bound::Included(b)) => a > b,
        (Bound::Included(a) | Bound::Excluded(a), Bound::Excluded(b))
        | (Bound::Excluded(a), Bound::Included(b)) => a >= b,
        (Bound::Unbounded, _) | (_, Bound::Unbounded) => false,
    }
}

fn bound(of: &Bound<Vec<u8>>) -> Bound<&[u8]> {
    match of {
        Bound::Included(key) => Bound::Included(key),
        Bound::Excluded(key) => Bound::Excluded(key),
        Bound::Unbounded => Bound::Unbounded,
    }
}

/// Lays newer words over older rows; both are sorted by key.
pub(super) fn merge(older: Rows, newer: Vec<Op>) -> Rows {
    let mut rows = Rows::with_capacity(older.len().saturating_add(newer.len()));
    let mut newer = newer.into_iter().peekable();
    for row in older {
        let mut replaced = false;
        while let Some(op) = newer.next_if(|op| *op.key <= *row.0) {
            replaced |= *op.key == *row.0;
            rows.extend(row_of(op));
        }
        if !replaced {
            rows.push(row);
        }
    }
    rows.extend(newer.filter_map(row_of));
    rows
}

fn row_of(op: Op) -> Option<(Vec<u8>, Vec<u8>)> {
    let value = op.value?;
    Some((op.key.to_vec(), value.to_vec()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn op(key: &str, value: Option<&str>) -> Op {
        Op {
            key: key.as_bytes().into(),
            value: value.map(|v| v.as_bytes().into()),
        }
    }

    #[test]
    fn newer_words_replace_remove_and_add() {
        let row = |key: &str, value: &str| (key.as_bytes().to_vec(), value.as_bytes().to_vec());
        let older = vec![row("b", "1"), row("d", "1"), row("f", "1")];
        let newer = vec![
            op("a", Some("2")),
            op("b", None),
            op("c", None),
            op("d", Some("2")),
            op("g", Some("2")),
        ];
        let expected = vec![row("a", "2"), row("d", "2"), row("f", "1"), row("g", "2")];
        assert_eq!(merge(older, newer), expected);
    }
}
