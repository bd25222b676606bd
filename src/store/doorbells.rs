//! One doorbell per feed: that there is something new, never what.
//!
//! It carries the newest durable head, so that nobody can hear of an entry before it is durable.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::ArcSwap;
use tokio::sync::watch;

use crate::ledger::{Epoch, Hash};
use crate::types::{ControllerId, CustomerId, UtcTime};

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
pub struct Doorbells {
    bells: ArcSwap<Bells>,
    reported: Mutex<HashMap<ControllerId, UtcTime>>,
}

impl Doorbells {
    /// Listens at a feed; `None` if there is no such feed.
    pub fn listen(&self, customer: &CustomerId) -> Option<watch::Receiver<FeedHead>> {
        self.bells
            .load()
            .get(customer)
            .map(watch::Sender::subscribe)
    }

    /// The newest durable head of a feed.
    pub fn head(&self, customer: &CustomerId) -> Option<FeedHead> {
        self.bells.load().get(customer).map(|bell| *bell.borrow())
    }

    /// All feeds, sorted.
    pub fn feeds(&self) -> Vec<CustomerId> {
        let mut feeds: Vec<_> = self.bells.load().keys().cloned().collect();
        feeds.sort();
        feeds
    }

    /// When the newest event happened that a controller has handed in; `None` if it never did.
    pub fn reported_through(&self, controller: &ControllerId) -> Option<UtcTime> {
        let reported = self.reported.lock().unwrap_or_else(PoisonError::into_inner);
        reported.get(controller).copied()
    }

    /// Tells how far controllers have reported; only the scribe does, after the sync.
    pub(in crate::store) fn report(
        &self,
        through: impl IntoIterator<Item = (ControllerId, UtcTime)>,
    ) {
        let mut reported = self.reported.lock().unwrap_or_else(PoisonError::into_inner);
        for (controller, at) in through {
            let known = reported.entry(controller).or_insert(at);
            *known = at.max(*known);
        }
    }

    /// Tells listeners of a new head; only the scribe does, after the sync.
    pub(in crate::store) fn ring(&self, customer: &CustomerId, head: FeedHead) {
        if let Some(bell) = self.bells.load().get(customer) {
            bell.send_replace(head);
            return;
        }
        let mut bells = Bells::clone(&self.bells.load());
        bells.insert(customer.clone(), watch::Sender::new(head));
        self.bells.store(Arc::new(bells));
    }
}
