//! PINs: kept as a keyed hash, compared in constant time (DESIGN section 7).

use std::fmt;

use ring::hmac;
use zeroize::Zeroizing;

use crate::types::{PersonId, Pin};

/// What is stored of a person's PIN: a salt and a keyed hash. The key is kept elsewhere.
#[derive(Clone, PartialEq, Eq)]
pub struct PinVerifier {
    /// Random, new with each PIN.
    pub salt: [u8; 16],
    /// HMAC-SHA-256 under the PIN key.
    pub tag: [u8; 32],
}

impl PinVerifier {
    /// The verifier of a new PIN. The salt must be random and used for this PIN only.
    pub fn new(key: &hmac::Key, person: &PersonId, salt: [u8; 16], pin: &Pin) -> Self {
        let tag = Self::tag(key, person, &salt, pin);
        Self { salt, tag }
    }

    /// HMAC-SHA-256 of person, salt and PIN, each after its length as four bytes, big end first.
    ///
    /// The person is in it, so that one person's row never verifies another's PIN.
    ///
    /// # Panics
    ///
    /// If the key is not one for SHA-256: that is a mistake in the program.
    pub fn tag(key: &hmac::Key, person: &PersonId, salt: &[u8; 16], pin: &Pin) -> [u8; 32] {
        let signed = hmac::sign(key, &message(person, salt, pin));
        let mut tag = [0; 32];
        assert_eq!(
            signed.as_ref().len(),
            tag.len(),
            "the PIN key must be for SHA-256"
        );
        tag.copy_from_slice(signed.as_ref());
        tag
    }

    /// Whether this is the person's PIN. Takes equally long whichever digits are wrong.
    pub fn verify(&self, key: &hmac::Key, person: &PersonId, pin: &Pin) -> bool {
        hmac::verify(key, &message(person, &self.salt, pin), &self.tag).is_ok()
    }
}

impl fmt::Debug for PinVerifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PinVerifier([redacted])")
    }
}

/// Longest message: three lengths, a person of 40 bytes, a salt of 16, a PIN of 12. Room for all
/// of it is made at once, so that no copy of the digits stays behind when the buffer grows.
const MESSAGE_BYTES_MAX: usize = 3 * 4 + 40 + 16 + 12;

fn message(person: &PersonId, salt: &[u8; 16], pin: &Pin) -> Zeroizing<Vec<u8>> {
    let mut message = Zeroizing::new(Vec::with_capacity(MESSAGE_BYTES_MAX));
    for field in [person.as_str().as_bytes(), &salt[..], pin.reveal()] {
        let length = u32::try_from(field.len()).unwrap_or(u32::MAX);
        message.extend_from_slice(&length.to_be_bytes());
        message.extend_from_slice(field);
    }
    message
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key() -> hmac::Key {
        let bytes: Vec<u8> = (0..32).collect();
        hmac::Key::new(hmac::HMAC_SHA256, &bytes)
    }

    fn person(id: &str) -> PersonId {
        PersonId::parse(id).unwrap()
    }

    fn pin(digits: &str) -> Pin {
        Pin::parse(digits).unwrap()
    }

    #[test]
    fn the_right_pin_verifies_and_nothing_else_does() {
        let verifier = PinVerifier::new(&key(), &person("p-1"), [7; 16], &pin("4711"));
        assert!(verifier.verify(&key(), &person("p-1"), &pin("4711")));
        assert!(!verifier.verify(&key(), &person("p-1"), &pin("4712")));
        assert!(!verifier.verify(&key(), &person("p-1"), &pin("47110")));
        assert!(!verifier.verify(&key(), &person("p-2"), &pin("4711")));
        let other_key = hmac::Key::new(hmac::HMAC_SHA256, &[9; 32]);
        assert!(!verifier.verify(&other_key, &person("p-1"), &pin("4711")));
        let other_salt = PinVerifier {
            salt: [8; 16],
            ..verifier
        };
        assert!(!other_salt.verify(&key(), &person("p-1"), &pin("4711")));
    }

    /// Computed with Python's `hmac` over the same bytes.
    #[test]
    fn tags_do_not_change_with_the_program() {
        let tag = PinVerifier::tag(&key(), &person("p-1"), &[0xA5; 16], &pin("4711"));
        assert_eq!(
            data_encoding::HEXLOWER.encode(&tag),
            "1ab3475e0cd079d92c7435621187cbabd5a5958efc4b1c1e1924c8b4a85eaa51"
        );
    }

    #[test]
    fn fields_cannot_run_into_each_other() {
        let short = PinVerifier::tag(&key(), &person("p-1"), &[b'1'; 16], &pin("11111"));
        let long = PinVerifier::tag(&key(), &person("p-11"), &[b'1'; 16], &pin("1111"));
        assert_ne!(short, long);
    }

    #[test]
    fn debug_redacts() {
        let verifier = PinVerifier::new(&key(), &person("p-1"), [7; 16], &pin("4711"));
        assert_eq!(format!("{verifier:?}"), "PinVerifier([redacted])");
    }
}
