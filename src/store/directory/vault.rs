//! Names and numbers of people: sealed, opened and looked up, here and nowhere else.

use std::sync::Arc;

use prost::Message as _;

use crate::pb::store as pb;
use crate::policy::PinVerifier;
use crate::store::keyring::{Category, Holder, KeyScope, Keyring, KeyringError};
use crate::store::seal::{Aad, RecordKey, SealError};
use crate::store::secrets::Secrets;
use crate::types::{
    BadgeId, BadgeNumber, Card, CardKey, DisplayName, InvalidId, Person, PersonId, Pin, UtcTime,
    World,
};

/// Version of what is sealed here.
const SCHEMA: u32 = 1;
/// Keys made in one write of the keyring; well below what it takes at once.
const SCOPES_AT_ONCE: usize = 8_192;

/// A key that could not be made or used.
#[derive(Debug, thiserror::Error)]
pub enum VaultError {
    /// The keyring refuses.
    #[error(transparent)]
    Keyring(#[from] KeyringError),
    /// Sealing failed.
    #[error(transparent)]
    Seal(#[from] SealError),
    /// A person has no key though it was prepared; our fault.
    #[error("a person has no key")]
    NotPrepared,
}

/// What the directory needs of the keyring and the secrets.
#[derive(Debug, Clone)]
pub struct Vault {
    keyring: Arc<Keyring>,
    secrets: Arc<Secrets>,
    world: Arc<dyn World>,
}

impl Vault {
    /// Over the keyring and the secrets of the site.
    pub fn new(keyring: Arc<Keyring>, secrets: Arc<Secrets>, world: Arc<dyn World>) -> Self {
        Self {
            keyring,
            secrets,
            world,
        }
    }

    /// The world that its entropy comes from.
    pub fn world(&self) -> &dyn World {
        &*self.world
    }

    /// What a card is looked up by.
    pub(super) fn card_key(&self, card: &Card) -> CardKey {
        self.secrets.card_key(card)
    }

    /// What a printed number is looked up by.
    pub(in crate::store) fn number_key(&self, number: &BadgeNumber) -> [u8; 16] {
        self.secrets.number_key(number)
    }

    /// Whether a PIN is the one that is set.
    pub(super) fn pin_matches(&self, person: &PersonId, set: &PinVerifier, pin: &Pin) -> bool {
        set.verify(&self.secrets.pin, person, pin)
    }

    /// The verifier of a PIN that is new, with a salt of its own.
    pub(super) fn new_pin(&self, person: &PersonId, pin: &Pin) -> PinVerifier {
        let mut salt = [0; 16];
        self.world.fill_random(&mut salt);
        PinVerifier::new(&self.secrets.pin, person, salt, pin)
    }

    /// Whether the contact of a person was erased; it never gets a name again.
    pub(super) fn is_erased(&self, person: &PersonId) -> bool {
        let scope = scope(person, Holder::Site, Category::Contact);
        self.keyring.tombstone(&scope).is_some()
    }

    /// Makes the keys of persons and syncs them, where they are missing.
    ///
    /// Those for the log are made too, so that the first attempt at a door need not make one.
    /// A log key that was erased is left out: that log says who no more.
    pub(in crate::store) fn prepare<'a>(
        &self,
        persons: impl Iterator<Item = &'a Person>,
    ) -> Result<(), VaultError> {
        let mut scopes = Vec::new();
        for person in persons {
            scopes.push(scope(&person.id, Holder::Site, Category::Contact));
            scopes.push(scope(&person.id, Holder::Site, Category::Log));
            let customers = person.memberships.iter().map(|m| m.customer.clone());
            let logs = customers.map(|c| scope(&person.id, Holder::Customer(c), Category::Log));
            scopes.extend(logs);
        }
        scopes.retain(|scope| self.keyring.tombstone(scope).is_none());
        for some in scopes.chunks(SCOPES_AT_ONCE) {
            self.keyring.ensure(some, &*self.world)?;
        }
        Ok(())
    }

    /// Seals a name.
    pub(in crate::store) fn seal_name(
        &self,
        person: &PersonId,
        name: &DisplayName,
    ) -> Result<pb::SealedBlob, VaultError> {
        let contact = pb::PersonContact {
            display_name: name.reveal().to_owned(),
        };
        self.seal(person, &name_place(person), &contact.encode_to_vec())
    }

    /// A person's name; `None` where there is none, or its key is gone.
    pub fn open_name(&self, person: &PersonId, row: &pb::PersonRow) -> Option<DisplayName> {
        let sealed = row.contact.as_ref()?;
        let bytes = self.keyring.unseal(sealed, &name_place(person)).ok()?;
        let contact = pb::PersonContact::decode(bytes.as_slice()).ok()?;
        DisplayName::parse(&contact.display_name).ok()
    }

    /// Seals a badge's number under its holder's key.
    pub(in crate::store) fn seal_number(
        &self,
        badge: &BadgeId,
        holder: &PersonId,
        number: &BadgeNumber,
    ) -> Result<pb::SealedBlob, VaultError> {
        let secret = pb::BadgeNumberSecret {
            number: number.reveal().to_owned(),
        };
        let place = number_place(badge, holder.as_str());
        self.seal(holder, &place, &secret.encode_to_vec())
    }

    /// A badge's number; `None` where its key is gone.
    pub fn open_number(&self, badge: &BadgeId, row: &pb::BadgeRow) -> Option<BadgeNumber> {
        let sealed = row.number.as_ref()?;
        let place = number_place(badge, &row.person);
        let bytes = self.keyring.unseal(sealed, &place).ok()?;
        let secret = pb::BadgeNumberSecret::decode(bytes.as_slice()).ok()?;
        BadgeNumber::parse(&secret.number).ok()
    }

    fn seal(
        &self,
        person: &PersonId,
        place: &Aad<'_>,
        plaintext: &[u8],
    ) -> Result<pb::SealedBlob, VaultError> {
        let scope = scope(person, Holder::Site, Category::Contact);
        let key = self.keyring.key_for(&scope);
        let key = key.ok_or(VaultError::NotPrepared)?;
        Ok(self.keyring.seal(key, place, plaintext, &*self.world)?)
    }

    /// An opaque id that is new: a `UUIDv7`.
    #[expect(
        clippy::expect_used,
        reason = "a UUID is 36 characters of 0-9, a-f and -, which every id may be"
    )]
    pub(in crate::store) fn opaque_id<I>(
        &self,
        now: UtcTime,
        parse: impl Fn(&str) -> Result<I, InvalidId>,
    ) -> I {
        let mut chance = [0; 10];
        self.world.fill_random(&mut chance);
        let millis = u64::try_from(now.unix()).unwrap_or(0).saturating_mul(1_000);
        let uuid = uuid::Builder::from_unix_timestamp_millis(millis, &chance).into_uuid();
        parse(&uuid.to_string()).expect("a UUID is an id")
    }
}

fn scope(person: &PersonId, holder: Holder, category: Category) -> KeyScope {
    KeyScope::Person {
        person: person.clone(),
        holder,
        category,
    }
}

fn name_place(person: &PersonId) -> Aad<'_> {
    Aad {
        table: "Persons",
        owner: person.as_str(),
        record: RecordKey::Text(person.as_str()),
        schema: SCHEMA,
    }
}

fn number_place<'a>(badge: &'a BadgeId, holder: &'a str) -> Aad<'a> {
    Aad {
        table: "Badges",
        owner: holder,
        record: RecordKey::Text(badge.as_str()),
        schema: SCHEMA,
    }
}
