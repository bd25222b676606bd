//! Names and keys that sign notes, and their text forms (C2SP signed-note; Go `sumdb/note`).

use std::fmt;
use std::sync::Arc;

use data_encoding::{BASE64, HEXLOWER};
use ring::signature::{ED25519, Ed25519KeyPair, KeyPair as _, UnparsedPublicKey};
use zeroize::Zeroizing;

use super::hash::sha256;

/// Longest key name in bytes.
const NAME_BYTES_MAX: usize = 200;
/// Number of Ed25519 among the signature types of C2SP signed-note.
const TYPE_ED25519: u8 = 0x01;
/// What the text of a secret key begins with.
const SECRET_PREFIX: &str = "PRIVATE+KEY+";

/// Text that is not a key name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a key name is 1 to 200 visible ASCII characters without +, such as `dc1.example`")]
pub struct InvalidKeyName;

/// Text that is not a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidKey {
    /// Not of the form `NAME+ID+BASE64`.
    #[error("a key has the form `NAME+ID+BASE64`")]
    Form,
    /// The name is not one.
    #[error(transparent)]
    Name(#[from] InvalidKeyName),
    /// Not an Ed25519 key of 32 bytes.
    #[error("only Ed25519 keys (type 1, 32 bytes) are understood")]
    Type,
    /// The id is not that of name and key: one of them was altered.
    #[error("the key's id does not belong to its name and bytes")]
    Id,
}

/// Name of a key that signs, for example `dc1.example`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct KeyName(Arc<str>);

impl KeyName {
    /// Parses it.
    pub fn parse(text: &str) -> Result<Self, InvalidKeyName> {
        if is_name(text, NAME_BYTES_MAX) {
            Ok(Self(Arc::from(text)))
        } else {
            Err(InvalidKeyName)
        }
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Whether a text may stand in a note as the name of a key or a log.
pub(super) fn is_name(text: &str, bytes_max: usize) -> bool {
    (1..=bytes_max).contains(&text.len()) && text.bytes().all(|c| c.is_ascii_graphic() && c != b'+')
}

/// First bytes of the hash of name, type and public key; tells keys apart, proves nothing.
pub(super) type KeyId = [u8; 4];

fn key_id(name: &KeyName, public: &[u8; 32]) -> KeyId {
    sha256(&[name.0.as_bytes(), b"\n", &[TYPE_ED25519], public]).prefix()
}

/// A key that signs checkpoints.
///
/// Cheap to clone. The secret is never shown.
#[derive(Clone)]
pub struct SigningKey {
    pair: Arc<Ed25519KeyPair>,
    verifying: VerifyingKey,
}

impl SigningKey {
    /// From its name and 32 random bytes.
    pub fn from_seed(name: KeyName, seed: &[u8; 32]) -> Result<Self, InvalidKey> {
        let pair = Ed25519KeyPair::from_seed_unchecked(seed).map_err(|_| InvalidKey::Type)?;
        let public = <[u8; 32]>::try_from(pair.public_key().as_ref());
        let verifying = VerifyingKey::new(name, public.map_err(|_| InvalidKey::Type)?);
        Ok(Self {
            pair: Arc::new(pair),
            verifying,
        })
    }

    /// Parses `PRIVATE+KEY+NAME+ID+BASE64`, the form that [`SigningKey::secret_text`] writes.
    pub fn parse(text: &str) -> Result<Self, InvalidKey> {
        let fields = text.strip_prefix(SECRET_PREFIX).ok_or(InvalidKey::Form)?;
        let (name, id, seed) = parse_fields(fields)?;
        let key = Self::from_seed(name, &seed)?;
        if key.verifying.id == id {
            Ok(key)
        } else {
            Err(InvalidKey::Id)
        }
    }

    /// The text form of the key with this name and seed, to be kept in a secret file.
    pub fn secret_text(name: KeyName, seed: &[u8; 32]) -> Result<Zeroizing<String>, InvalidKey> {
        let key = Self::from_seed(name, seed)?;
        let fields = key.verifying.text_with(seed);
        Ok(Zeroizing::new(format!("{SECRET_PREFIX}{}", *fields)))
    }

    /// What proves its signatures.
    pub fn verifying_key(&self) -> &VerifyingKey {
        &self.verifying
    }

    pub(super) fn sign(&self, text: &str) -> ring::signature::Signature {
        self.pair.sign(text.as_bytes())
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SigningKey({} [redacted])", self.verifying.name.0)
    }
}

/// A key that proves signatures; public.
#[derive(Clone, PartialEq, Eq)]
pub struct VerifyingKey {
    name: KeyName,
    id: KeyId,
    public: [u8; 32],
}

impl VerifyingKey {
    fn new(name: KeyName, public: [u8; 32]) -> Self {
        let id = key_id(&name, &public);
        Self { name, id, public }
    }

    /// Parses `NAME+ID+BASE64`, where the last is type 1 and the public key.
    pub fn parse(text: &str) -> Result<Self, InvalidKey> {
        let (name, id, public) = parse_fields(text)?;
        let key = Self::new(name, public);
        if key.id == id {
            Ok(key)
        } else {
            Err(InvalidKey::Id)
        }
    }

    /// The text form, `NAME+ID+BASE64`.
    pub fn text(&self) -> String {
        self.text_with(&self.public).to_string()
    }

    /// Its name.
    pub fn name(&self) -> &KeyName {
        &self.name
    }

    pub(super) fn id(&self) -> KeyId {
        self.id
    }

    /// Whether a signature of a text is this key's.
    pub(super) fn verifies(&self, text: &str, signature: &[u8]) -> bool {
        UnparsedPublicKey::new(&ED25519, &self.public)
            .verify(text.as_bytes(), signature)
            .is_ok()
    }

    fn text_with(&self, key: &[u8; 32]) -> Zeroizing<String> {
        let mut typed = Zeroizing::new(vec![TYPE_ED25519]);
        typed.extend_from_slice(key);
        let (name, id) = (&self.name.0, HEXLOWER.encode(&self.id));
        let key = Zeroizing::new(BASE64.encode(&typed));
        Zeroizing::new(format!("{name}+{id}+{}", *key))
    }
}

impl fmt::Debug for VerifyingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "VerifyingKey({})", self.text())
    }
}

/// Name, id and 32 bytes of `NAME+ID+BASE64`; base64 may hold a plus, name and id may not.
fn parse_fields(text: &str) -> Result<(KeyName, KeyId, [u8; 32]), InvalidKey> {
    let mut fields = text.splitn(3, '+');
    let mut field = || fields.next().ok_or(InvalidKey::Form);
    let (name, id, key) = (KeyName::parse(field()?)?, field()?, field()?);
    let id = HEXLOWER.decode(id.as_bytes());
    let id = id.ok().and_then(|id| id.try_into().ok());
    let typed = BASE64.decode(key.as_bytes()).map(Zeroizing::new);
    let typed = typed.map_err(|_| InvalidKey::Form)?;
    let key = match typed.split_first() {
        Some((&TYPE_ED25519, key)) => key.try_into().ok(),
        _ => None,
    };
    let (id, key) = (id.ok_or(InvalidKey::Form)?, key.ok_or(InvalidKey::Type)?);
    Ok((name, id, key))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> KeyName {
        KeyName::parse(text).unwrap()
    }

    #[test]
    fn text_forms_read_back() {
        let text = SigningKey::secret_text(name("dc1.example"), &[9; 32]).unwrap();
        let key = SigningKey::parse(&text).unwrap();
        let public = key.verifying_key();
        assert_eq!(VerifyingKey::parse(&public.text()).as_ref(), Ok(public));
        assert!(public.text().starts_with("dc1.example+"));
    }

    #[test]
    fn a_key_under_another_name_is_refused() {
        let key = SigningKey::from_seed(name("dc1.example"), &[9; 32]).unwrap();
        let text = key.verifying_key().text().replace("dc1", "dc2");
        assert_eq!(VerifyingKey::parse(&text), Err(InvalidKey::Id));
    }

    #[test]
    fn what_is_no_key_is_refused() {
        for (text, error) in [
            ("", InvalidKey::Name(InvalidKeyName)),
            ("dc1.example", InvalidKey::Form),
            ("dc1.example+00000000", InvalidKey::Form),
            ("dc1.example+0000000+AQ==", InvalidKey::Form),
            ("dc1.example+00000000+AQ==", InvalidKey::Type),
            ("dc1.example+00000000+AQ", InvalidKey::Form),
        ] {
            assert_eq!(VerifyingKey::parse(text), Err(error), "{text}");
        }
        for bad in ["", "a b", "a+b", "a\n", "å", &"x".repeat(201)] {
            assert_eq!(KeyName::parse(bad), Err(InvalidKeyName), "{bad}");
        }
    }

    #[test]
    fn the_secret_is_not_shown() {
        let key = SigningKey::from_seed(name("dc1.example"), &[9; 32]).unwrap();
        assert_eq!(format!("{key:?}"), "SigningKey(dc1.example [redacted])");
    }
}
