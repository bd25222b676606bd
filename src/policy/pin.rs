//! PINs: kept as a keyed hash, compared in constant time (DESIGN section 7).
//!
//! Who is forced types the last digit one higher, a nine for an eight and a zero for a nine. Where
//! a site understands such a duress PIN, the door opens as it would for the right one.

use std::fmt;

use ring::hmac;
use zeroize::Zeroizing;

use super::Roster;
use crate::types::{PersonId, Pin, PinEvidence};

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
        let signed = hmac::sign(key, &message(person, salt, pin.reveal()));
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
        self.is_tag_of(key, &message(person, &self.salt, pin.reveal()))
    }

    /// Whether this would be the person's PIN if its last digit were one lower, a nine for a zero.
    ///
    /// Takes equally long whichever digits are wrong. It says nothing of the PIN as typed, and
    /// means something only where the site understands duress PINs: see [`Roster::check_pin`].
    pub fn verify_duress(&self, key: &hmac::Key, person: &PersonId, typed: &Pin) -> bool {
        let digits = with_last_lower(typed);
        self.is_tag_of(key, &message(person, &self.salt, &digits))
    }

    fn is_tag_of(&self, key: &hmac::Key, message: &[u8]) -> bool {
        hmac::verify(key, message, &self.tag).is_ok()
    }
}

impl Roster {
    /// What a PIN typed for a person proves. Never `NotGiven` or `LockedOut`: whether it may be
    /// looked at is for the lock-out to say.
    ///
    /// Where duress PINs are understood both comparisons are always made, so that the time taken
    /// does not tell a right PIN from a forced one.
    pub fn check_pin(&self, key: &hmac::Key, person: &PersonId, typed: &Pin) -> PinEvidence {
        let Some(verifier) = self.pin_verifier(person) else {
            return PinEvidence::Wrong;
        };
        let is_right = verifier.verify(key, person, typed);
        let is_forced = self.duress_pin() && verifier.verify_duress(key, person, typed);
        match (is_right, is_forced) {
            (true, _) => PinEvidence::Verified,
            (false, true) => PinEvidence::Duress,
            (false, false) => PinEvidence::Wrong,
        }
    }
}

/// The digits of a PIN with the last one lower by one, a nine for a zero.
fn with_last_lower(pin: &Pin) -> Zeroizing<Vec<u8>> {
    let mut digits = Zeroizing::new(pin.reveal().to_vec());
    if let Some(last) = digits.last_mut() {
        *last = if *last == b'0' {
            b'9'
        } else {
            last.saturating_sub(1)
        };
    }
    digits
}

impl fmt::Debug for PinVerifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PinVerifier([redacted])")
    }
}

/// Longest message: three lengths, a person of 40 bytes, a salt of 16, a PIN of 12. Room for all
/// of it is made at once, so that no copy of the digits stays behind when the buffer grows.
const MESSAGE_BYTES_MAX: usize = 3 * 4 + 40 + 16 + 12;

fn message(person: &PersonId, salt: &[u8; 16], digits: &[u8]) -> Zeroizing<Vec<u8>> {
    let mut message = Zeroizing::new(Vec::with_capacity(MESSAGE_BYTES_MAX));
    for field in [person.as_str().as_bytes(), &salt[..], digits] {
        let length = u32::try_from(field.len()).unwrap_or(u32::MAX);
        message.extend_from_slice(&length.to_be_bytes());
        message.extend_from_slice(field);
    }
    message
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::testing::{compiled, site};

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

    /// What a person whose PIN is `set` proves by typing something.
    fn proved(duress_pin: bool, set: &str, typed: &str) -> PinEvidence {
        let mut parts = site();
        parts.duress_pin = duress_pin;
        let verifier = PinVerifier::new(&key(), &person("p-3"), [7; 16], &pin(set));
        parts.pins.insert(person("p-3"), verifier);
        compiled(&parts).check_pin(&key(), &person("p-3"), &pin(typed))
    }

    #[test]
    fn a_last_digit_one_higher_is_duress_where_that_is_understood() {
        let check = |set, typed, expected| {
            assert_eq!(proved(true, set, typed), expected, "{set} {typed}");
            let is_forced = expected == PinEvidence::Duress;
            let unforced = if is_forced {
                PinEvidence::Wrong
            } else {
                expected
            };
            assert_eq!(proved(false, set, typed), unforced, "{set} {typed}");
        };
        check("4711", "4711", PinEvidence::Verified);
        check("4711", "4712", PinEvidence::Duress);
        check("4711", "4710", PinEvidence::Wrong);
        check("4711", "4713", PinEvidence::Wrong);
        check("4711", "4721", PinEvidence::Wrong);
        check("4711", "5711", PinEvidence::Wrong);
        check("4711", "47112", PinEvidence::Wrong);
        // Nothing is carried: after a nine comes a zero in the same place.
        check("4719", "4710", PinEvidence::Duress);
        check("4719", "4720", PinEvidence::Wrong);
        check("9999", "9990", PinEvidence::Duress);
        check("123456789012", "123456789013", PinEvidence::Duress);
    }

    #[test]
    fn of_who_has_no_pin_every_one_is_wrong() {
        let mut parts = site();
        parts.duress_pin = true;
        let roster = compiled(&parts);
        for who in ["p-1", "ghost"] {
            let evidence = roster.check_pin(&key(), &person(who), &pin("0000"));
            assert_eq!(evidence, PinEvidence::Wrong);
        }
    }

    #[test]
    fn of_the_ten_last_digits_one_is_right_and_one_is_forced() {
        for last in 0..10 {
            let proved: Vec<_> = (0..10)
                .map(|typed| proved(true, &format!("471{last}"), &format!("471{typed}")))
                .collect();
            let count = |evidence| proved.iter().filter(|e| **e == evidence).count();
            assert_eq!(count(PinEvidence::Verified), 1);
            assert_eq!(count(PinEvidence::Duress), 1);
        }
    }

    #[test]
    fn debug_redacts() {
        let verifier = PinVerifier::new(&key(), &person("p-1"), [7; 16], &pin("4711"));
        assert_eq!(format!("{verifier:?}"), "PinVerifier([redacted])");
    }
}
