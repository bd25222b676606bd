//! One doorbell per feed: that there is something new, never what.
//!
//! It carries the newest durable head, so that nobody can hear of an entry before it is durable.

use std::collections::HashMap;
use std::sync::Arc;

use arc_swap::ArcSwap;
use tokio::sync::watch;

use crate::ledger::{Epoch, Hash};
use crate::types::CustomerId;

/// The newest durable head of a feed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FeedHead {
    /// Epoch of its origin.
    pub epoch: Epoch,
    /// Number of leaves.
    pub size: u64,
    /// RFC 6962 root over them.
    pub root: Hash,
}

type Bells = HashMap<CustomerId, watch::Sender<FeedHead>>;

/// The doorbells of all feeds. The scribe rings; anybody may listen.
#[derive(Debug, Default)]
pub struct Doorbells(ArcSwap<Bells>);

impl Doorbells {
    /// Listens at a feed; `None` if there is no such feed.
    pub fn listen(&self, customer: &CustomerId) -> Option<watch::Receiver<FeedHead>> {
        self.0.load().get(customer).map(watch::Sender::subscribe)
    }

    /// The newest durable head of a feed.
    pub fn head(&self, customer: &CustomerId) -> Option<FeedHead> {
        self.0.load().get(customer).map(|bell| *bell.borrow())
    }

    /// All feeds, sorted.
    pub fn feeds(&self) -> Vec<CustomerId> {
        let mut feeds: Vec<_> = self.0.load().keys().cloned().collect();
        feeds.sort();
        feeds
    }

    /// Tells listeners of a new head; only the scribe does, after the sync.
    pub(in crate::store) fn ring(&self, customer: &CustomerId, head: FeedHead) {
        if let Some(bell) = self.0.load().get(customer) {
            bell.send_replace(head);
            return;
        }
        let mut bells = Bells::clone(&self.0.load());
        bells.insert(customer.clone(), watch::Sender::new(head));
        self.0.store(Arc::new(bells));
    }
}
