//! The keys of a keyring in memory.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use zeroize::Zeroizing;

use super::keyring_error::KeyringError;
use super::keyring_file::{Header, Parsed, Row, WrappedKey, encode_frame, encode_header};
use super::keyring_scope::{KeyId, KeyScope};
use super::seal::SealKey;
use super::secrets::Kek;
use crate::types::World;
use crate::wire::Writer;

/// Rows in a frame of a file that is written anew.
const ROWS_PER_FRAME: usize = 4_096;
/// Sets the wrapping of keys apart from the sealing of data.
const WRAP_DOMAIN: &[u8] = b"sluss-keyring/v1\0";

/// What the file tells.
#[derive(Debug, Clone, Default)]
pub(super) struct Keys {
    pub(super) by_scope: BTreeMap<KeyScope, KeyId>,
    pub(super) by_id: BTreeMap<KeyId, HeldKey>,
    pub(super) tombstones: BTreeMap<KeyScope, u64>,
    pub(super) last_removal: u64,
}

#[derive(Debug, Clone)]
pub(super) struct HeldKey {
    pub(super) key: SealKey,
    pub(super) wrapped: WrappedKey,
}

impl Keys {
    /// Keys and the next number, from what the file tells.
    pub(super) fn from_parsed(
        parsed: &Parsed,
        kek: &Kek,
        path: &Path,
    ) -> Result<(Self, u64), KeyringError> {
        let mut keys = Self {
            last_removal: parsed.header.last_removal,
            ..Self::default()
        };
        let mut next_key = parsed.header.next_key;
        for row in &parsed.rows {
            match row {
                Row::Key(wrapped) => {
                    next_key = next_key.max(wrapped.id.number().saturating_add(1));
                    let key = unwrap_key(wrapped, kek)
                        .ok_or_else(|| KeyringError::WrongKek { path: path.into() })?;
                    let wrapped = wrapped.clone();
                    keys.insert(HeldKey { key, wrapped });
                }
                Row::Tombstone { scope, removal } => {
                    keys.tombstones.insert(scope.clone(), *removal);
                }
                Row::Removal(removal) => keys.last_removal = keys.last_removal.max(*removal),
            }
        }
        Ok((keys, next_key))
    }

    pub(super) fn insert(&mut self, held: HeldKey) {
        let (scope, id) = (held.wrapped.scope.clone(), held.wrapped.id);
        self.by_scope.insert(scope, id);
        self.by_id.insert(id, held);
    }

    /// Scopes that have no key yet; an error if one may have none.
    pub(super) fn missing(&self, scopes: &[KeyScope]) -> Result<BTreeSet<KeyScope>, KeyringError> {
        if let Some(scope) = scopes.iter().find(|s| self.tombstones.contains_key(s)) {
            let scope = scope.clone();
            return Err(KeyringError::Tombstoned { scope });
        }
        let missing = scopes.iter().filter(|s| !self.by_scope.contains_key(s));
        Ok(missing.cloned().collect())
    }

    /// These keys without those of some scopes.
    pub(super) fn without(&self, scopes: &[KeyScope], removal: u64) -> Self {
        let mut next = self.clone();
        for scope in scopes {
            if let Some(id) = next.by_scope.remove(scope) {
                next.by_id.remove(&id);
            }
            next.tombstones.entry(scope.clone()).or_insert(removal);
        }
        next.last_removal = next.last_removal.max(removal);
        next
    }

    /// A whole file, and how many frames it has.
    pub(super) fn encode(&self, next_key: u64, kek: &Kek) -> (Vec<u8>, u64) {
        let keys = self.by_id.values().map(|k| Row::Key(k.wrapped.clone()));
        let tombs = self.tombstones.iter().map(|(scope, removal)| {
            let (scope, removal) = (scope.clone(), *removal);
            Row::Tombstone { scope, removal }
        });
        let rows: Vec<Row> = keys.chain(tombs).collect();
        let header = Header {
            next_key,
            last_removal: self.last_removal,
        };
        let mut bytes = encode_header(&header, kek);
        let mut frame_count = 0;
        for (number, rows) in (0..).zip(rows.chunks(ROWS_PER_FRAME)) {
            bytes.extend(encode_frame(number, rows));
            frame_count = number.saturating_add(1);
        }
        (bytes, frame_count)
    }
}

/// New keys with rising numbers, wrapped.
pub(super) fn make_keys(
    kek: &Kek,
    scopes: &BTreeSet<KeyScope>,
    next_key: u64,
    world: &dyn World,
) -> Result<Vec<HeldKey>, KeyringError> {
    let numbered = (next_key..).zip(scopes);
    numbered
        .map(|(number, scope)| {
            let (id, key) = (KeyId::new(number), SealKey::random(world));
            let sealed = kek
                .0
                .seal(&wrap_aad(id, scope), key.reveal(), world)
                .map_err(|_| KeyringError::TooMany)?;
            let wrapped = sealed.ciphertext.try_into();
            let wrapped = WrappedKey {
                id,
                scope: scope.clone(),
                nonce: sealed.nonce,
                wrapped: wrapped.map_err(|_| KeyringError::TooMany)?,
            };
            Ok(HeldKey { key, wrapped })
        })
        .collect()
}

fn wrap_aad(id: KeyId, scope: &KeyScope) -> Vec<u8> {
    let mut out = Writer::new();
    out.bytes(WRAP_DOMAIN);
    out.u64(id.number());
    scope.write(&mut out);
    out.into_bytes()
}

fn unwrap_key(wrapped: &WrappedKey, kek: &Kek) -> Option<SealKey> {
    let aad = wrap_aad(wrapped.id, &wrapped.scope);
    let key = kek.0.unseal(&wrapped.nonce, &aad, &wrapped.wrapped).ok()?;
    let key = <[u8; 32]>::try_from(key.as_slice()).ok()?;
    Some(SealKey::from_bytes(Zeroizing::new(key)))
}
