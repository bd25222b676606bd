//! Seals log records under the right key (DESIGN section 9), for the scribe.

use std::sync::Arc;

use chrono::Datelike as _;
use prost::Message as _;

use crate::pb::store::{FeedSecret, JournalBody, SealedBlob};
use crate::store::keyring::{Category, Holder, KeyId, KeyScope, Keyring, KeyringError};
use crate::store::seal::{Aad, RecordKey, SealError};
use crate::store::tables::{FeedLeaves, Journal, Table as _};
use crate::types::{CustomerId, LocalTime, PersonId, World};

/// Version of what is sealed, part of the additional data.
const SCHEMA: u32 = 1;

/// Keys and entropy of the scribe.
#[derive(Debug, Clone)]
pub(super) struct Sealer {
    keyring: Arc<Keyring>,
    world: Arc<dyn World>,
}

impl Sealer {
    pub(super) fn new(keyring: Arc<Keyring>, world: Arc<dyn World>) -> Self {
        Self { keyring, world }
    }

    /// The key for an entry: the person's log key, or the month's where no person is known.
    ///
    /// A key that is new is durable in the keyring before this returns.
    pub(super) fn key(
        &self,
        holder: Holder,
        person: Option<&PersonId>,
        at: &LocalTime,
    ) -> Result<KeyId, KeyringError> {
        let scope = match person {
            Some(person) => KeyScope::Person {
                person: person.clone(),
                holder: holder.clone(),
                category: Category::Log,
            },
            None => month(holder.clone(), at),
        };
        match self.ensured(scope) {
            // That person's log was erased: what is written now says who no more than before.
            Err(KeyringError::Tombstoned { .. }) => self.ensured(month(holder, at)),
            made => made,
        }
    }

    fn ensured(&self, scope: KeyScope) -> Result<KeyId, KeyringError> {
        if let Some(key) = self.keyring.key_for(&scope) {
            return Ok(key);
        }
        let made = self.keyring.ensure(&[scope], &*self.world)?;
        made.first().copied().ok_or(KeyringError::ReadOnly)
    }

    /// Seals the secret of a feed's leaf.
    pub(super) fn seal_leaf(
        &self,
        key: KeyId,
        customer: &CustomerId,
        index: u64,
        secret: &FeedSecret,
    ) -> Result<SealedBlob, SealError> {
        self.keyring.seal(
            key,
            &leaf_aad(customer, index),
            &secret.encode_to_vec(),
            &*self.world,
        )
    }

    /// Seals the body of a journal entry.
    pub(super) fn seal_journal(
        &self,
        key: KeyId,
        sequence: u64,
        body: &JournalBody,
    ) -> Result<SealedBlob, SealError> {
        self.keyring.seal(
            key,
            &journal_aad(sequence),
            &body.encode_to_vec(),
            &*self.world,
        )
    }

    /// Unpredictable bytes.
    pub(super) fn random<const N: usize>(&self) -> [u8; N] {
        let mut bytes = [0; N];
        self.world.fill_random(&mut bytes);
        bytes
    }
}

fn month(holder: Holder, at: &LocalTime) -> KeyScope {
    let year = u16::try_from(at.date.year()).unwrap_or_default();
    let month = u8::try_from(at.date.month()).unwrap_or_default();
    KeyScope::Month {
        holder,
        year,
        month,
    }
}

/// Where a feed's leaf belongs.
pub(super) fn leaf_aad(customer: &CustomerId, index: u64) -> Aad<'_> {
    let record = RecordKey::Number(index);
    Aad {
        table: FeedLeaves::NAME,
        owner: customer.as_str(),
        record,
        schema: SCHEMA,
    }
}

/// Where a journal entry belongs.
pub(super) fn journal_aad(sequence: u64) -> Aad<'static> {
    let record = RecordKey::Number(sequence);
    Aad {
        table: Journal::NAME,
        owner: "",
        record,
        schema: SCHEMA,
    }
}
