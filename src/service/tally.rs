//! Counts how many places each key holds, up to a limit.

use std::collections::HashMap;
use std::fmt::Debug;
use std::hash::Hash;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// How many places each key holds. Keys that hold none take no memory.
#[derive(Debug)]
pub(super) struct Tally<K> {
    held: Mutex<HashMap<K, u32>>,
}

impl<K: Clone + Eq + Hash> Tally<K> {
    /// With nothing counted.
    pub(super) fn new() -> Arc<Self> {
        Arc::new(Self {
            held: Mutex::new(HashMap::new()),
        })
    }

    /// Takes a place for a key; `None` if it holds `max` already.
    pub(super) fn take(self: &Arc<Self>, key: K, max: u32) -> Option<Place<K>> {
        let mut held = self.lock();
        let count = held.get(&key).copied().unwrap_or(0);
        let next = count.checked_add(1).filter(|next| *next <= max)?;
        held.insert(key.clone(), next);
        drop(held);
        Some(Place {
            key,
            tally: Arc::clone(self),
        })
    }

    fn release(&self, key: &K) {
        let mut held = self.lock();
        match held.get(key).and_then(|count| count.checked_sub(1)) {
            Some(left) if left > 0 => {
                held.insert(key.clone(), left);
            }
            _ => {
                held.remove(key);
            }
        }
    }

    /// A panic elsewhere while counting leaves a count that is right or one too high.
    fn lock(&self) -> MutexGuard<'_, HashMap<K, u32>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One place; given back when dropped.
#[derive(Debug)]
pub(super) struct Place<K: Clone + Eq + Hash> {
    key: K,
    tally: Arc<Tally<K>>,
}

impl<K: Clone + Eq + Hash> Drop for Place<K> {
    fn drop(&mut self) {
        self.tally.release(&self.key);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_comes_back_when_it_is_dropped() {
        let tally = Tally::new();
        let first = tally.take("a", 2).unwrap();
        let second = tally.take("a", 2).unwrap();
        assert!(tally.take("a", 2).is_none());
        assert!(tally.take("b", 2).is_some());
        drop(first);
        let third = tally.take("a", 2).unwrap();
        drop((second, third));
        assert!(tally.lock().is_empty());
    }
}
