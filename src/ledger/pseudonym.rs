//! Pseudonyms: what a feed calls those it may not name.

use data_encoding::BASE32_NOPAD;
use ring::hmac;

use super::hash::keyed_hash;
use crate::types::{CardKey, CustomerId, PersonId};

/// Bytes of a pseudonym before base32: 80 bits, so that none meets another by chance.
const PSEUDONYM_BYTES: usize = 10;

/// Stands for one person or card within one feed, for example `p-6wgrmw3uzl7xvbyk`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Pseudonym(String);

impl Pseudonym {
    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Who is not named.
#[derive(Debug, Clone, Copy)]
pub enum PseudonymOf<'a> {
    /// A person that is on no list of the feed's customer.
    Person(&'a PersonId),
    /// A card that no badge has.
    Card(&'a CardKey),
}

/// What the feed of a customer calls a person or card.
///
/// The same within this feed for ever, without relation between feeds; only who has the key can
/// tell whom it stands for.
pub fn pseudonym(key: &hmac::Key, feed: &CustomerId, of: PseudonymOf<'_>) -> Pseudonym {
    let (letter, id) = match of {
        PseudonymOf::Person(person) => ('p', person.as_str().as_bytes()),
        PseudonymOf::Card(card) => ('c', card.as_bytes().as_slice()),
    };
    let mut sort = [0; 4];
    let fields = [
        feed.as_str().as_bytes(),
        letter.encode_utf8(&mut sort).as_bytes(),
        id,
    ];
    let hash = keyed_hash(key, "sluss-pseudonym/v1", &fields);
    let text = BASE32_NOPAD.encode(&hash.prefix::<PSEUDONYM_BYTES>());
    Pseudonym(format!("{letter}-{}", text.to_ascii_lowercase()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pseudonym_holds_within_one_feed_only() {
        let key = hmac::Key::new(hmac::HMAC_SHA256, &[4; 32]);
        let (acme, umbra) = (
            CustomerId::parse("acme").unwrap(),
            CustomerId::parse("umbra").unwrap(),
        );
        let person = PersonId::parse("p1").unwrap();
        let of = PseudonymOf::Person(&person);
        let here = pseudonym(&key, &acme, of);
        assert_eq!(here, pseudonym(&key, &acme, of));
        assert_ne!(here, pseudonym(&key, &umbra, of));
        assert_eq!(here.as_str().len(), 18);
        assert!(here.as_str().starts_with("p-"));
        let card = CardKey::from_bytes([1; 16]);
        let card = pseudonym(&key, &acme, PseudonymOf::Card(&card));
        assert!(card.as_str().starts_with("c-"));
    }
}
