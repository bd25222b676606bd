//! What the scribe knows of the log, and how an entry becomes rows.
//!
//! Staging numbers an entry, routes it to the feeds it belongs to, seals it, and puts its rows
//! into the batch. Keys are fetched before anything is numbered, so that a key that cannot be
//! had leaves no hole.

use std::collections::HashMap;
use std::sync::Arc;

use ring::hmac;

use crate::ledger::record::{GenesisPieces, genesis};
use crate::ledger::{KeyName, LeafKind, Origin, Pseudonym, PseudonymOf, pseudonym};
use crate::pb::store::{FeedPlace, JournalBody, JournalKind, JournalRow, MetaRow};
use crate::policy::Roster;
use crate::store::doorbells::FeedHead;
use crate::store::feed_writer::{FeedWriter, NewLeaf};
use crate::store::format::FORMAT;
use crate::store::keyring::{Holder, KeyId, KeyringError};
use crate::store::pin_counts::PinCounts;
use crate::store::rules_cell::Rules;
use crate::store::seal::SealError;
use crate::store::sealer::Sealer;
use crate::store::sources::Sources;
use crate::store::tables::{Journal, Meta};
use crate::store::{BaseTables, Batch, JournalRef, StartError};
use crate::types::{
    AccessPoint, AccessPointId, CustomerId, DoorId, LocalTime, PersonId, Precision, SiteId, UtcTime,
};

/// Why an entry could not be staged. Nothing of it is in the batch for `Key`; `Seal` ends the log.
#[derive(Debug, thiserror::Error)]
pub(super) enum StageError {
    #[error(transparent)]
    Key(#[from] KeyringError),
    #[error(transparent)]
    Seal(#[from] SealError),
    #[error("access point `{0}` was removed")]
    Gone(AccessPointId),
    #[error("door `{0}` was removed")]
    DoorGone(DoorId),
}

/// What tells this log from any other.
#[derive(Debug)]
pub(super) struct LogIdentity {
    pub(super) site: SiteId,
    /// Name that heads are signed under; the first part of every origin.
    pub(super) log_name: KeyName,
    pub(super) pseudonym_key: hmac::Key,
}

/// The scribe's knowledge of the log.
#[derive(Debug)]
pub(super) struct Book {
    pub(super) sources: Sources,
    pub(super) rules: Arc<Rules>,
    meta: MetaRow,
    site: SiteId,
    log_name: KeyName,
    pseudonym_key: hmac::Key,
    pub(super) pins: PinCounts,
    feeds: HashMap<CustomerId, FeedWriter>,
    sealer: Sealer,
    last_utc: UtcTime,
}

/// A feed that an entry goes to.
#[derive(Debug)]
pub(super) struct Addressee(CustomerId);

impl Addressee {
    pub(super) fn new(customer: &CustomerId) -> Self {
        Self(customer.clone())
    }
}

/// An entry on its way into the journal and into feeds.
#[derive(Debug)]
pub(super) struct Draft<'a> {
    pub(super) kind: JournalKind,
    pub(super) person: Option<&'a PersonId>,
    /// Where it is counted; `None` for an entry of the journal alone.
    pub(super) access_point: Option<&'a AccessPointId>,
    pub(super) event_at: UtcTime,
    pub(super) body: JournalBody,
    pub(super) addressees: Vec<Addressee>,
}

/// What a record is told of its place: which addressee, the local time, its number at the source.
#[derive(Debug, Clone, Copy)]
pub(super) struct Told<'a> {
    pub(super) position: usize,
    pub(super) local: &'a LocalTime,
    pub(super) number: u64,
}

/// Makes the committed bytes of an entry for one addressee.
pub(super) type Recorder<'a> = dyn Fn(Told<'_>) -> Option<Vec<u8>> + 'a;

impl Book {
    pub(super) fn load(
        base: &BaseTables,
        rules: Arc<Rules>,
        sealer: Sealer,
        identity: LogIdentity,
    ) -> Result<Self, StartError> {
        let meta = base.get::<Meta>(&())?.ok_or(StartError::NoMeta)?;
        let feeds = FeedWriter::load(base)?;
        let sources = Sources::load(base);
        let last_utc = UtcTime::from_unix(meta.last_written_at).unwrap_or(UtcTime::EPOCH);
        let pins = PinCounts::load(base)?;
        let LogIdentity {
            site,
            log_name,
            pseudonym_key,
        } = identity;
        Ok(Self {
            sources,
            rules,
            meta,
            site,
            log_name,
            pseudonym_key,
            pins,
            feeds,
            sealer,
            last_utc,
        })
    }

    pub(super) fn roster(&self) -> &Roster {
        &self.rules.roster
    }

    /// When the batch that is being built is written, by the wall clock.
    pub(super) fn written_at(&self) -> UtcTime {
        self.last_utc
    }

    /// Version of the rules in force.
    pub(super) fn rules_version(&self) -> u64 {
        self.meta.directory_version
    }

    /// Version of the last rules that took something away.
    pub(super) fn last_removal_version(&self) -> u64 {
        self.meta.last_removal_version
    }

    pub(super) fn journal_ref(&self, sequence: u64) -> JournalRef {
        JournalRef {
            site: self.site.clone(),
            node: self.meta.node,
            sequence,
        }
    }

    /// The heads of all feeds.
    pub(super) fn heads(&self) -> impl Iterator<Item = (CustomerId, FeedHead)> + '_ {
        self.feeds
            .iter()
            .map(|(customer, feed)| (customer.clone(), feed.head()))
    }

    /// What a feed calls a person or card that it may not name.
    pub(super) fn pseudonym(&self, feed: &CustomerId, of: PseudonymOf<'_>) -> Pseudonym {
        pseudonym(&self.pseudonym_key, feed, of)
    }

    /// The access point of a door that has the lowest id; what is of the door alone is told of it.
    pub(super) fn first_point(&self, door: &DoorId) -> Option<AccessPoint> {
        let mut points = self.rules.parts.access_points.values();
        points.find(|point| point.door == *door).cloned()
    }

    /// Stages an entry; answers its sequence number in the journal.
    pub(super) fn stage(
        &mut self,
        draft: Draft<'_>,
        leaf_kind: LeafKind,
        recorder: &Recorder<'_>,
        batch: &mut Batch,
    ) -> Result<u64, StageError> {
        let local = self.roster().zone().local(draft.event_at);
        // Keys go by when it is written, not by what a controller's clock says: else one report
        // could ask for as many keys as there are months.
        let written = self.roster().zone().local(self.last_utc);
        let journal_key = self.sealer.key(Holder::Site, draft.person, &written)?;
        let feed_keys = self.feed_keys(&draft, &written)?;
        let sequence = self.next_sequence();
        let mut body = draft.body;
        for (position, (addressee, key)) in draft.addressees.iter().zip(feed_keys).enumerate() {
            let Some(feed) = self.feeds.get_mut(&addressee.0) else {
                continue;
            };
            let number = draft
                .access_point
                .map_or(0, |point| feed.count(point, batch));
            let told = Told {
                position,
                local: &local,
                number,
            };
            let Some(record) = recorder(told) else {
                continue;
            };
            let leaf = NewLeaf {
                kind: leaf_kind,
                record,
                journal: sequence,
                key,
            };
            let index = feed.append(leaf, &self.sealer, batch)?;
            let customer = addressee.0.as_str().to_owned();
            body.places.push(FeedPlace { customer, index });
        }
        body.event_at = draft.event_at.unix();
        self.put_journal((sequence, journal_key), draft.kind, &body, batch)?;
        Ok(sequence)
    }

    fn feed_keys(&self, draft: &Draft<'_>, local: &LocalTime) -> Result<Vec<KeyId>, KeyringError> {
        let holder = |addressee: &Addressee| Holder::Customer(addressee.0.clone());
        draft
            .addressees
            .iter()
            .map(|a| self.sealer.key(holder(a), draft.person, local))
            .collect()
    }

    /// Sequence number of the next entry.
    pub(super) fn journal_next(&self) -> u64 {
        self.meta.journal_next
    }

    fn next_sequence(&mut self) -> u64 {
        let sequence = self.meta.journal_next;
        self.meta.journal_next = sequence.saturating_add(1);
        sequence
    }

    fn put_journal(
        &self,
        (sequence, key): (u64, KeyId),
        kind: JournalKind,
        body: &JournalBody,
        batch: &mut Batch,
    ) -> Result<(), SealError> {
        let row = JournalRow {
            kind: u32::try_from(i32::from(kind)).unwrap_or_default(),
            recorded_at: self.last_utc.unix(),
            body: Some(self.sealer.seal_journal(key, sequence, body)?),
        };
        batch.put::<Journal>(&sequence, &row);
        Ok(())
    }

    /// Takes note of the wall clock; stages an entry when it went backwards (invariant 12).
    ///
    /// Sequence numbers go on rising; nothing is rewritten.
    pub(super) fn observe_clock(
        &mut self,
        utc: UtcTime,
        batch: &mut Batch,
    ) -> Result<(), StageError> {
        let before = std::mem::replace(&mut self.last_utc, utc);
        let back_seconds = before.seconds_since(utc);
        if back_seconds == 0 {
            return Ok(());
        }
        tracing::warn!(back_seconds, "the wall clock went backwards");
        let detail = format!("the wall clock went back by {back_seconds} s");
        let body = JournalBody {
            detail,
            ..JournalBody::default()
        };
        self.stage_act(JournalKind::ClockFault, body, batch)
            .map(|_| ())
    }

    /// Stages an act: an entry for the journal alone.
    pub(super) fn stage_act(
        &mut self,
        kind: JournalKind,
        body: JournalBody,
        batch: &mut Batch,
    ) -> Result<u64, StageError> {
        let draft = Draft {
            kind,
            person: None,
            access_point: None,
            event_at: self.last_utc,
            body,
            addressees: Vec::new(),
        };
        self.stage(draft, LeafKind::Entry, &|_| None, batch)
    }

    /// Opens a feed, with its first leaf, for every customer that has none.
    pub(super) fn open_feeds(&mut self, batch: &mut Batch) -> Result<(), StageError> {
        let rules = Arc::clone(&self.rules);
        for customer in rules.parts.customers.values() {
            if !self.feeds.contains_key(&customer.id) {
                self.open_feed(&customer.id, customer.precision, batch)?;
            }
        }
        Ok(())
    }

    fn open_feed(
        &mut self,
        customer: &CustomerId,
        precision: Precision,
        batch: &mut Batch,
    ) -> Result<(), StageError> {
        let zone = self.roster().zone();
        let local = zone.local(self.last_utc);
        let key = self
            .sealer
            .key(Holder::Customer(customer.clone()), None, &local)?;
        let detail = format!("feed of customers/{customer} opened");
        let body = JournalBody {
            detail,
            ..JournalBody::default()
        };
        let journal = self.stage_act(JournalKind::FeedOpened, body, batch)?;
        let mut feed = FeedWriter::new(customer.clone());
        let origin = Origin::feed(&self.log_name, customer, feed.epoch());
        let record = genesis(&GenesisPieces {
            origin: &origin,
            zone,
            precision,
        })
        .encode();
        feed.append(
            NewLeaf {
                kind: LeafKind::Genesis,
                record,
                journal,
                key,
            },
            &self.sealer,
            batch,
        )?;
        self.feeds.insert(customer.clone(), feed);
        Ok(())
    }

    /// Makes the keys that a change of the rules will need, so that nothing of it can fail later.
    pub(super) fn prepare(&self, rules: &Rules) -> Result<(), KeyringError> {
        let written = rules.roster.zone().local(self.last_utc);
        self.sealer.key(Holder::Site, None, &written)?;
        for customer in rules.parts.customers.keys() {
            if !self.feeds.contains_key(customer) {
                self.sealer
                    .key(Holder::Customer(customer.clone()), None, &written)?;
            }
        }
        Ok(())
    }

    /// Takes new rules into force for what is staged from now on.
    pub(super) fn change_rules(&mut self, rules: Arc<Rules>, removes: bool) {
        self.meta.directory_version = rules.roster.version();
        if removes {
            self.meta.last_removal_version = self.meta.directory_version;
        }
        self.rules = rules;
    }

    /// Stages the heads that moved, and the store's own row; answers the heads to be rung.
    pub(super) fn seal_batch(&mut self, batch: &mut Batch) -> Vec<(CustomerId, FeedHead)> {
        let heads = self
            .feeds
            .values_mut()
            .filter_map(|feed| feed.stage_head(batch))
            .collect();
        self.meta.format = FORMAT;
        self.meta.last_written_at = self.last_utc.unix();
        batch.put::<Meta>(&(), &self.meta);
        heads
    }
}
