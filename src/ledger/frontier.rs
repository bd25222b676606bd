//! The right edge of an RFC 6962 tree: enough to append to it and to tell its root.

use super::hash::{Hash, empty_root, node_hash};

/// Most leaves a tree may have; at a thousand a second that is nine thousand years.
const LEAVES_MAX: u64 = 1 << 48;

/// Parts that are no frontier.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidFrontier {
    /// A tree of that size has another number of complete subtrees.
    #[error("a tree of {size} leaves has {wanted} complete subtrees, not {found}")]
    NodeCount {
        /// Leaves.
        size: u64,
        /// Complete subtrees it has.
        wanted: u32,
        /// Nodes given.
        found: usize,
    },
    /// More than 2^48 leaves.
    #[error("a tree of {size} leaves is larger than any can be")]
    Size {
        /// Leaves.
        size: u64,
    },
}

/// Roots of the complete subtrees of a tree, one for each bit that is set in its size.
///
/// At most 48 hashes, however many leaves there are.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Frontier {
    size: u64,
    nodes: Vec<Hash>,
}

impl Frontier {
    /// From the number of leaves and the roots of the complete subtrees, largest first.
    pub fn from_parts(size: u64, nodes: Vec<Hash>) -> Result<Self, InvalidFrontier> {
        if size > LEAVES_MAX {
            return Err(InvalidFrontier::Size { size });
        }
        let wanted = size.count_ones();
        if u32::try_from(nodes.len()) != Ok(wanted) {
            let found = nodes.len();
            return Err(InvalidFrontier::NodeCount {
                size,
                wanted,
                found,
            });
        }
        Ok(Self { size, nodes })
    }

    /// Number of leaves.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Roots of the complete subtrees, largest first.
    pub fn nodes(&self) -> &[Hash] {
        &self.nodes
    }

    /// Appends a leaf by its hash.
    pub fn push(&mut self, leaf: Hash) {
        let mut node = leaf;
        // Each bit that the addition carries over joins two subtrees of equal size.
        for _ in 0..self.size.trailing_ones() {
            if let Some(left) = self.nodes.pop() {
                node = node_hash(&left, &node);
            }
        }
        self.nodes.push(node);
        // `LEAVES_MAX` is 65,536 times below the end of the type.
        self.size = self.size.saturating_add(1);
    }

    /// The root over all leaves (RFC 6962 section 2.1); of none it is the hash of nothing.
    pub fn root(&self) -> Hash {
        self.nodes
            .iter()
            .rev()
            .copied()
            .reduce(|right, left| node_hash(&left, &right))
            .unwrap_or_else(empty_root)
    }
}

#[cfg(test)]
mod tests {
    use ct_merkle::mem_backed_tree::MemoryBackedTree;
    use proptest::prelude::*;
    use sha2::Sha256;

    use super::super::hash::sha256;
    use super::*;

    /// RFC 6962 section 2.1, word for word.
    fn naive_root(leaves: &[Hash]) -> Hash {
        match leaves {
            [] => empty_root(),
            [leaf] => *leaf,
            _ => {
                let k = leaves.len().next_power_of_two() / 2;
                node_hash(&naive_root(&leaves[..k]), &naive_root(&leaves[k..]))
            }
        }
    }

    fn leaf(input: &[u8]) -> Hash {
        sha256(&[&[0], input])
    }

    fn inputs() -> impl Strategy<Value = Vec<Vec<u8>>> {
        prop::collection::vec(prop::collection::vec(any::<u8>(), 0..40), 0..80)
    }

    proptest! {
        #[test]
        fn root_is_that_of_rfc_6962_and_of_ct_merkle(inputs in inputs()) {
            let mut tree = MemoryBackedTree::<Sha256, Vec<u8>>::new();
            let mut frontier = Frontier::default();
            let mut leaves = Vec::new();
            for input in inputs {
                let hash = leaf(&input);
                tree.push(input);
                leaves.push(hash);
                frontier.push(hash);
                prop_assert_eq!(frontier.root(), naive_root(&leaves));
                let oracle = tree.root();
                prop_assert_eq!(Hash::parse(oracle.as_bytes()), Ok(frontier.root()));
                prop_assert_eq!(frontier.size(), tree.len());
            }
        }

        #[test]
        fn a_frontier_that_was_stored_goes_on_alike(inputs in inputs(), more in inputs()) {
            let mut whole = Frontier::default();
            for input in &inputs {
                whole.push(leaf(input));
            }
            let mut stored =
                Frontier::from_parts(whole.size(), whole.nodes().to_vec()).unwrap();
            for input in more {
                whole.push(leaf(&input));
                stored.push(leaf(&input));
            }
            prop_assert_eq!(stored.root(), whole.root());
        }
    }

    #[test]
    fn our_leaf_hash_is_a_leaf_of_ct_merkle() {
        use super::super::{LeafKind, Salt, leaf_hash};
        let salt = Salt::from_bytes([3; 32]);
        let mut tree = MemoryBackedTree::<Sha256, Vec<u8>>::new();
        let mut frontier = Frontier::default();
        for index in 0..9_u64 {
            let record = index.to_string();
            frontier.push(leaf_hash(index, LeafKind::Entry, record.as_bytes(), &salt));
            let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, salt.as_bytes());
            let mut input = b"sluss-leaf/v1\0".to_vec();
            input.extend(index.to_be_bytes());
            input.push(2);
            input.extend(ring::hmac::sign(&key, record.as_bytes()).as_ref());
            tree.push(input);
        }
        assert_eq!(Hash::parse(tree.root().as_bytes()), Ok(frontier.root()));
    }

    #[test]
    fn the_empty_tree_has_the_hash_of_nothing() {
        assert_eq!(
            Frontier::default().root().to_string(),
            "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
        );
    }

    #[test]
    fn parts_that_do_not_fit_are_refused() {
        let node = leaf(b"");
        assert_eq!(
            Frontier::from_parts(3, vec![node]),
            Err(InvalidFrontier::NodeCount {
                size: 3,
                wanted: 2,
                found: 1
            })
        );
        assert!(Frontier::from_parts(0, vec![node]).is_err());
        assert_eq!(
            Frontier::from_parts(u64::MAX, vec![node; 64]),
            Err(InvalidFrontier::Size { size: u64::MAX })
        );
    }
}
