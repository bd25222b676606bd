//! The reading half of feeds and journal: by cursor, never from a channel (invariant 4).

use std::sync::Arc;

use prost::Message as _;

use crate::ledger::{Hash, LeafKind, Salt};
use crate::pb::store::{FeedSecret, JournalBody, JournalKind, JournalRow, SealedBlob};
use crate::store::doorbells::{Doorbells, FeedHead};
use crate::store::keyring::Keyring;
use crate::store::seal::{Aad, SealError};
use crate::store::sealer::{journal_aad, leaf_aad};
use crate::store::tables::{FeedLeafHashes, FeedLeaves, Journal};
use crate::store::{ReadError, Reader};
use crate::types::CustomerId;

/// A leaf as it is kept.
#[derive(Debug, Clone)]
pub struct StoredLeaf {
    /// Its index.
    pub index: u64,
    /// Its kind.
    pub kind: LeafKind,
    /// Its hash.
    pub hash: Hash,
    /// Record and salt; `None` when they are gone.
    pub secret: Option<(Vec<u8>, Salt)>,
    /// Sequence number of its journal entry.
    pub journal: u64,
}

/// A journal entry as it is kept.
#[derive(Debug, Clone)]
pub struct StoredEntry {
    /// Its kind.
    pub kind: JournalKind,
    /// What it says; `None` when its key is gone.
    pub body: Option<JournalBody>,
}

/// Why nothing could be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FeedError {
    /// The store cannot be read now.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// A stored row is not what was written.
    #[error("the stored row of {what} {index} is damaged")]
    Damaged {
        /// Kind of row.
        what: &'static str,
        /// Its index or sequence number.
        index: u64,
    },
}

/// Reads feeds and the journal. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Feeds {
    reader: Reader,
    keyring: Arc<Keyring>,
    doorbells: Arc<Doorbells>,
}

impl Feeds {
    /// Joins what reading needs.
    pub fn new(reader: Reader, keyring: Arc<Keyring>, doorbells: Arc<Doorbells>) -> Self {
        Self {
            reader,
            keyring,
            doorbells,
        }
    }

    /// The doorbells.
    pub fn doorbells(&self) -> &Doorbells {
        &self.doorbells
    }

    /// The newest durable head of a feed; `None` if there is no such feed.
    pub fn head(&self, customer: &CustomerId) -> Option<FeedHead> {
        self.doorbells.head(customer)
    }

    /// Leaves from an index on, at most `limit`, dense; fewer only at the end of the feed.
    pub fn leaves(
        &self,
        customer: &CustomerId,
        from: u64,
        limit: usize,
    ) -> Result<Vec<StoredLeaf>, FeedError> {
        let start = (customer.as_str().to_owned(), from);
        let end = (customer.as_str().to_owned(), u64::MAX);
        let rows = self
            .reader
            .range::<FeedLeaves>(start.clone()..=end.clone(), limit)?;
        let hashes = self.reader.range::<FeedLeafHashes>(start..=end, limit)?;
        let mut leaves = Vec::with_capacity(rows.len());
        let expected = from..;
        for (((key, row), (hash_key, hash)), index) in rows.into_iter().zip(hashes).zip(expected) {
            let damaged = FeedError::Damaged {
                what: "leaf",
                index,
            };
            if key.1 != index || hash_key.1 != index {
                return Err(damaged);
            }
            let kind = LeafKind::from_number(row.kind).ok();
            let (Some(kind), Some(hash)) = (kind, Hash::parse(&hash.hash).ok()) else {
                return Err(damaged);
            };
            let secret = self.secret(customer, index, row.secret.as_ref())?;
            leaves.push(StoredLeaf {
                index,
                kind,
                hash,
                secret,
                journal: row.journal,
            });
        }
        Ok(leaves)
    }

    fn secret(
        &self,
        customer: &CustomerId,
        index: u64,
        sealed: Option<&SealedBlob>,
    ) -> Result<Option<(Vec<u8>, Salt)>, FeedError> {
        let damaged = || FeedError::Damaged {
            what: "leaf",
            index,
        };
        let Some(plain) = self.unseal(sealed, &leaf_aad(customer, index), damaged)? else {
            return Ok(None);
        };
        let secret = FeedSecret::decode(plain.as_slice()).map_err(|_| damaged())?;
        let salt = Salt::parse(&secret.salt).map_err(|_| damaged())?;
        Ok(Some((secret.record, salt)))
    }

    /// An entry of the journal; `None` if there is none with this number.
    pub fn journal(&self, sequence: u64) -> Result<Option<StoredEntry>, FeedError> {
        let damaged = || FeedError::Damaged {
            what: "journal entry",
            index: sequence,
        };
        let Some(JournalRow { kind, body, .. }) = self.reader.get::<Journal>(&sequence)? else {
            return Ok(None);
        };
        let kind = i32::try_from(kind)
            .ok()
            .and_then(|k| JournalKind::try_from(k).ok());
        let plain = self.unseal(body.as_ref(), &journal_aad(sequence), damaged)?;
        let body = plain
            .map(|plain| JournalBody::decode(plain.as_slice()))
            .transpose();
        Ok(Some(StoredEntry {
            kind: kind.ok_or_else(damaged)?,
            body: body.map_err(|_| damaged())?,
        }))
    }

    /// Opens what was sealed; `None` where it or its key is gone.
    fn unseal(
        &self,
        sealed: Option<&SealedBlob>,
        aad: &Aad<'_>,
        damaged: impl Fn() -> FeedError,
    ) -> Result<Option<zeroize::Zeroizing<Vec<u8>>>, FeedError> {
        match sealed.map(|blob| self.keyring.unseal(blob, aad)) {
            None | Some(Err(SealError::KeyGone)) => Ok(None),
            Some(Ok(plain)) => Ok(Some(plain)),
            Some(Err(SealError::Damaged | SealError::TooLong)) => Err(damaged()),
        }
    }

    /// Leaf hashes from an index on, at most `limit`; for re-deriving heads.
    pub(super) fn hashes(
        &self,
        customer: &CustomerId,
        from: u64,
        limit: usize,
    ) -> Result<Vec<Hash>, FeedError> {
        let start = (customer.as_str().to_owned(), from);
        let end = (customer.as_str().to_owned(), u64::MAX);
        let rows = self.reader.range::<FeedLeafHashes>(start..=end, limit)?;
        let damaged = |index| FeedError::Damaged {
            what: "leaf hash",
            index,
        };
        rows.into_iter()
            .zip(from..)
            .map(|(((_, found), row), index)| {
                let hash = (found == index)
                    .then(|| Hash::parse(&row.hash).ok())
                    .flatten();
                hash.ok_or_else(|| damaged(index))
            })
            .collect()
    }
}
