//! Hashes, salts and the leaf hash.

use std::fmt;

use ring::{digest, hmac};

/// Bytes of a hash and of a salt.
const HASH_BYTES: usize = 32;
/// RFC 6962 section 2.1: what a leaf's hash begins with.
const LEAF_PREFIX: u8 = 0x00;
/// RFC 6962 section 2.1: what an inner node's hash begins with.
const NODE_PREFIX: u8 = 0x01;
/// Sets leaves apart from everything else that is hashed here, and names their version.
const LEAF_DOMAIN: &[u8] = b"sluss-leaf/v1\0";

/// Bytes that are no hash or salt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be 32 bytes long, not {len_bytes}")]
pub struct InvalidHash {
    /// How many there are.
    pub len_bytes: usize,
}

fn exactly_32(bytes: &[u8]) -> Result<[u8; HASH_BYTES], InvalidHash> {
    bytes.try_into().map_err(|_| InvalidHash {
        len_bytes: bytes.len(),
    })
}

/// A SHA-256 hash.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Hash([u8; HASH_BYTES]);

impl Hash {
    /// From its bytes.
    pub fn from_bytes(bytes: [u8; HASH_BYTES]) -> Self {
        Self(bytes)
    }

    /// From bytes of any length; only 32 are a hash.
    pub fn parse(bytes: &[u8]) -> Result<Self, InvalidHash> {
        exactly_32(bytes).map(Self)
    }

    /// Its bytes.
    pub fn as_bytes(&self) -> &[u8; HASH_BYTES] {
        &self.0
    }

    /// Its first `N` bytes, at most 32.
    #[must_use]
    pub fn prefix<const N: usize>(&self) -> [u8; N] {
        const { assert!(N <= HASH_BYTES) };
        let mut prefix = [0; N];
        prefix.iter_mut().zip(self.0).for_each(|(to, b)| *to = b);
        prefix
    }
}

impl fmt::Display for Hash {
    /// Lower-case hex.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&data_encoding::HEXLOWER.encode(&self.0))
    }
}

impl fmt::Debug for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Hash({self})")
    }
}

/// Random bytes that keep a leaf hash from telling a record that can be guessed.
///
/// Erased together with its record: who still had it could try records against the hash.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Salt([u8; HASH_BYTES]);

impl Salt {
    /// From its bytes, which are random and used for one leaf only.
    pub fn from_bytes(bytes: [u8; HASH_BYTES]) -> Self {
        Self(bytes)
    }

    /// From bytes of any length; only 32 are a salt.
    pub fn parse(bytes: &[u8]) -> Result<Self, InvalidHash> {
        exactly_32(bytes).map(Self)
    }

    /// Its bytes.
    pub fn as_bytes(&self) -> &[u8; HASH_BYTES] {
        &self.0
    }
}

impl fmt::Debug for Salt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Salt([redacted])")
    }
}

/// A number that no kind of leaf has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("no kind of leaf has the number {0}")]
pub struct UnknownKind(pub u32);

/// Kinds of leaves; all are numbered from the first day, not all are written yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum LeafKind {
    /// Opens a feed.
    Genesis,
    /// An attempt.
    Entry,
    /// A field event of a door.
    DoorEvent,
    /// The access list changed.
    ListChange,
    /// Somebody approved something.
    Approval,
    /// An earlier leaf was rectified, erased, restricted or unrestricted.
    Correction,
    /// Events of a source are missing.
    Gap,
    /// A source is complete up to a time.
    CompleteThrough,
    /// The signing key changed.
    KeyRotation,
    /// The oldest index that is still kept has moved.
    RetentionMoved,
    /// The store was restored from a backup.
    Restore,
}

impl LeafKind {
    /// All kinds, in the order of their numbers.
    pub const ALL: [Self; 11] = [
        Self::Genesis,
        Self::Entry,
        Self::DoorEvent,
        Self::ListChange,
        Self::Approval,
        Self::Correction,
        Self::Gap,
        Self::CompleteThrough,
        Self::KeyRotation,
        Self::RetentionMoved,
        Self::Restore,
    ];

    /// Its number, 1..=11; the byte in the leaf hash and the number in the API.
    pub fn number(self) -> u8 {
        match self {
            Self::Genesis => 1,
            Self::Entry => 2,
            Self::DoorEvent => 3,
            Self::ListChange => 4,
            Self::Approval => 5,
            Self::Correction => 6,
            Self::Gap => 7,
            Self::CompleteThrough => 8,
            Self::KeyRotation => 9,
            Self::RetentionMoved => 10,
            Self::Restore => 11,
        }
    }

    /// The kind with this number.
    pub fn from_number(number: u32) -> Result<Self, UnknownKind> {
        Self::ALL
            .into_iter()
            .find(|kind| u32::from(kind.number()) == number)
            .ok_or(UnknownKind(number))
    }
}

/// The hash of a leaf, which is its node in the tree (RFC 6962 section 2.1):
///
/// `SHA-256(0x00 || "sluss-leaf/v1\0" || index u64 BE || kind u8 || HMAC-SHA-256(salt, record))`.
pub fn leaf_hash(index: u64, kind: LeafKind, record: &[u8], salt: &Salt) -> Hash {
    let key = hmac::Key::new(hmac::HMAC_SHA256, &salt.0);
    sha256(&[
        &[LEAF_PREFIX],
        LEAF_DOMAIN,
        &index.to_be_bytes(),
        &[kind.number()],
        hmac::sign(&key, record).as_ref(),
    ])
}

/// The hash of an inner node: `SHA-256(0x01 || left || right)`.
pub fn node_hash(left: &Hash, right: &Hash) -> Hash {
    sha256(&[&[NODE_PREFIX], &left.0, &right.0])
}

/// The root of a tree without leaves: the hash of nothing.
pub fn empty_root() -> Hash {
    sha256(&[])
}

/// HMAC-SHA-256 over a domain and fields, each led by its length as u64 BE, so that no two
/// different lists of fields are the same bytes.
pub fn keyed_hash(key: &hmac::Key, domain: &'static str, fields: &[&[u8]]) -> Hash {
    let mut context = hmac::Context::with_key(key);
    for field in std::iter::once(&domain.as_bytes()).chain(fields) {
        let len_bytes = u64::try_from(field.len()).unwrap_or(u64::MAX);
        context.update(&len_bytes.to_be_bytes());
        context.update(field);
    }
    from_slice(context.sign().as_ref())
}

pub(super) fn sha256(parts: &[&[u8]]) -> Hash {
    let mut context = digest::Context::new(&digest::SHA256);
    for part in parts {
        context.update(part);
    }
    from_slice(context.finish().as_ref())
}

/// From the 32 bytes that SHA-256 and HMAC-SHA-256 end with.
fn from_slice(bytes: &[u8]) -> Hash {
    let mut hash = [0; HASH_BYTES];
    hash.iter_mut().zip(bytes).for_each(|(to, b)| *to = *b);
    Hash(hash)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pb::v1;

    #[test]
    fn kinds_have_the_numbers_of_the_api() {
        for kind in LeafKind::ALL {
            let api = v1::LeafKind::try_from(i32::from(kind.number())).unwrap();
            let name = api.as_str_name().replace('_', "").to_lowercase();
            assert_eq!(name, format!("leafkind{kind:?}").to_lowercase());
            assert_eq!(LeafKind::from_number(kind.number().into()), Ok(kind));
        }
        assert!(v1::LeafKind::try_from(12).is_err(), "a kind is missing");
        assert_eq!(LeafKind::from_number(0), Err(UnknownKind(0)));
        assert_eq!(LeafKind::from_number(258), Err(UnknownKind(258)));
    }

    #[test]
    fn every_part_of_a_leaf_changes_its_hash() {
        let salt = Salt::from_bytes([7; 32]);
        let hash = leaf_hash(5, LeafKind::Entry, b"record", &salt);
        let others = [
            leaf_hash(6, LeafKind::Entry, b"record", &salt),
            leaf_hash(5, LeafKind::Gap, b"record", &salt),
            leaf_hash(5, LeafKind::Entry, b"recorD", &salt),
            leaf_hash(5, LeafKind::Entry, b"record", &Salt::from_bytes([8; 32])),
        ];
        assert!(others.iter().all(|other| *other != hash));
    }

    #[test]
    fn moving_a_byte_between_fields_changes_the_keyed_hash() {
        let key = hmac::Key::new(hmac::HMAC_SHA256, &[1; 32]);
        let split = keyed_hash(&key, "d", &[b"ab", b"c"]);
        assert_ne!(split, keyed_hash(&key, "d", &[b"a", b"bc"]));
        assert_ne!(split, keyed_hash(&key, "d", &[b"abc"]));
        assert_ne!(split, keyed_hash(&key, "e", &[b"ab", b"c"]));
    }

    #[test]
    fn salts_are_not_shown() {
        let shown = format!("{:?}", Salt::from_bytes([0x5A; 32]));
        assert_eq!(shown, "Salt([redacted])");
    }
}
