//! Interned rows: each gets a small number, its slot, by which others refer to it.

use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::marker::PhantomData;

use super::Resource;

/// Position of a row in its table; four bytes, typed by the row.
pub(super) struct Slot<T> {
    position: u32,
    row: PhantomData<fn() -> T>,
}

impl<T> Slot<T> {
    /// The slot at a position; `None` past the four billionth row.
    pub(super) fn at(position: usize) -> Option<Self> {
        u32::try_from(position).ok().map(|position| Self {
            position,
            row: PhantomData,
        })
    }

    fn index(self) -> usize {
        usize::try_from(self.position).unwrap_or(usize::MAX)
    }
}

impl<T> Clone for Slot<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Slot<T> {}

impl<T> PartialEq for Slot<T> {
    fn eq(&self, other: &Self) -> bool {
        self.position == other.position
    }
}

impl<T> Eq for Slot<T> {}

impl<T> PartialOrd for Slot<T> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl<T> Ord for Slot<T> {
    fn cmp(&self, other: &Self) -> Ordering {
        self.position.cmp(&other.position)
    }
}

impl<T> Hash for Slot<T> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.position.hash(state);
    }
}

impl<T> fmt::Debug for Slot<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "#{}", self.position)
    }
}

/// A row that is found by an id.
pub(super) trait Keyed {
    /// The id.
    type Key: Ord + Eq + Hash;

    /// Its id.
    fn key(&self) -> &Self::Key;

    /// Names the resource with this id, whether or not it exists.
    fn resource(key: &Self::Key) -> Resource;
}

/// Rows that are found by their slot, and sorted by id where they have one.
#[derive(Debug)]
pub(super) struct Rows<T>(Vec<T>);

impl<T> Rows<T> {
    /// From rows in their final order.
    pub(super) fn new(rows: Vec<T>) -> Self {
        Self(rows)
    }

    /// The row at a slot.
    pub(super) fn get(&self, slot: Slot<T>) -> Option<&T> {
        self.0.get(slot.index())
    }

    /// To complete a row while the roster is being compiled.
    pub(super) fn get_mut(&mut self, slot: Slot<T>) -> Option<&mut T> {
        self.0.get_mut(slot.index())
    }

    /// Number of rows.
    pub(super) fn count(&self) -> usize {
        self.0.len()
    }

    /// All rows in order.
    pub(super) fn iter(&self) -> impl Iterator<Item = &T> {
        self.0.iter()
    }

    /// All slots in order.
    pub(super) fn slots(&self) -> impl Iterator<Item = Slot<T>> {
        (0..self.0.len()).filter_map(Slot::at)
    }
}

impl<T: Keyed> Rows<T> {
    /// The slot of an id.
    pub(super) fn find(&self, key: &T::Key) -> Option<Slot<T>> {
        let found = self.0.binary_search_by(|row| row.key().cmp(key)).ok()?;
        Slot::at(found)
    }

    /// The row of an id.
    pub(super) fn by_key(&self, key: &T::Key) -> Option<&T> {
        self.find(key).and_then(|slot| self.get(slot))
    }
}
