//! Signs heads, off the write path (DESIGN section 5).
//!
//! Only a durable head is signed, at most once a second for each feed and at once where somebody
//! asks for a head that was never signed. After a start nothing is signed until every leaf hash
//! of the feed has been read again and leads to the stored head.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::ledger::{Checkpoint, Frontier, Origin, SigningKey};
use crate::store::doorbells::FeedHead;
use crate::store::feeds::{FeedError, Feeds};
use crate::types::{CustomerId, Moment};

/// A feed is signed at most this often.
const PERIOD: Duration = Duration::from_secs(1);
/// Leaf hashes read at once while a head is re-derived.
const CHUNK: usize = 4_096;

/// A signed head.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedHead {
    /// The head.
    pub head: FeedHead,
    /// The C2SP checkpoint, a signed note.
    pub note: String,
}

/// What is known of a feed since the start.
#[derive(Debug, Clone)]
enum Standing {
    /// Its leaves lead to its head.
    Sound(Option<(Moment, SignedHead)>),
    /// They do not: it is served, and never signed.
    Unsound,
}

/// Signs the heads of feeds.
#[derive(Debug)]
pub struct Signer {
    feeds: Feeds,
    key: SigningKey,
    standings: Mutex<HashMap<CustomerId, Standing>>,
}

impl Signer {
    /// Joins the feeds and the key; origins begin with the name of the key.
    pub fn new(feeds: Feeds, key: SigningKey) -> Arc<Self> {
        Arc::new(Self {
            feeds,
            key,
            standings: Mutex::default(),
        })
    }

    /// The newest signed head of a feed; `None` while it is not re-derived, or does not agree.
    ///
    /// Never signs a head that is not durable, nor two for one feed within a second.
    pub fn newest(&self, customer: &CustomerId, now: Moment) -> Option<SignedHead> {
        let head = self.feeds.head(customer)?;
        let mut standings = self
            .standings
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        match standings.get_mut(customer)? {
            Standing::Unsound => None,
            Standing::Sound(signed) => {
                if let Some((at, last)) = signed
                    && (last.head == head || now.since(*at) < PERIOD)
                {
                    return Some(last.clone());
                }
                let fresh = self.sign(customer, head);
                *signed = Some((now, fresh.clone()));
                Some(fresh)
            }
        }
    }

    /// Feeds whose leaves do not lead to their heads, sorted.
    pub fn unsound(&self) -> Vec<CustomerId> {
        let standings = self
            .standings
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let mut found: Vec<_> = standings
            .iter()
            .filter(|(_, standing)| matches!(standing, Standing::Unsound))
            .map(|(customer, _)| customer.clone())
            .collect();
        found.sort();
        found
    }

    fn sign(&self, customer: &CustomerId, head: FeedHead) -> SignedHead {
        let origin = Origin::feed(self.key.verifying_key().name(), customer, head.epoch);
        let note = Checkpoint {
            origin,
            size: head.size,
            root: head.root,
        }
        .sign(&self.key);
        SignedHead { head, note }
    }

    /// Reads all leaf hashes of a feed and compares what they lead to with its head.
    ///
    /// Errors where the store cannot be read yet; call again then. Blocks for long on a long feed.
    pub fn re_derive(&self, customer: &CustomerId) -> Result<bool, FeedError> {
        let Some(head) = self.feeds.head(customer) else {
            return Ok(true);
        };
        let mut frontier = Frontier::default();
        while frontier.size() < head.size {
            let left = head.size.saturating_sub(frontier.size());
            let limit = usize::try_from(left).unwrap_or(CHUNK).min(CHUNK);
            let hashes = match self.feeds.hashes(customer, frontier.size(), limit) {
                Ok(hashes) if !hashes.is_empty() => hashes,
                // A hash that is missing or damaged does not come right by reading it again.
                Ok(_) | Err(FeedError::Damaged { .. }) => break,
                Err(error @ FeedError::Read(_)) => return Err(error),
            };
            for hash in hashes {
                frontier.push(hash);
            }
        }
        let is_sound = frontier.size() == head.size && frontier.root() == head.root;
        if !is_sound {
            tracing::error!(%customer, "the leaves of this feed do not lead to its head; not signing");
        }
        let standing = if is_sound {
            Standing::Sound(None)
        } else {
            Standing::Unsound
        };
        let mut standings = self
            .standings
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        standings.insert(customer.clone(), standing);
        Ok(is_sound)
    }

    /// Whether a feed has been re-derived since the start.
    pub fn is_derived(&self, customer: &CustomerId) -> bool {
        let standings = self
            .standings
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        standings.contains_key(customer)
    }
}
