//! Resume tokens: where a stream goes on, so that nobody can make one up.
//!
//! Opaque to clients: version, epoch, next index, and an HMAC that binds them to the customer.

use ring::hmac;

use crate::types::CustomerId;
use crate::wire::{Reader, Writer};

/// First byte of every token.
const VERSION: u8 = 1;

/// Where a stream goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Position {
    /// Epoch of the feed's origin.
    pub(super) epoch: u32,
    /// Index of the next leaf.
    pub(super) next: u64,
}

/// Makes a token.
pub(super) fn issue(key: &hmac::Key, customer: &CustomerId, position: Position) -> Vec<u8> {
    let body = body(position);
    let mac = hmac::sign(key, &bound(customer, &body));
    [body.as_slice(), mac.as_ref()].concat()
}

/// Reads a token; `None` if it is none of this customer's.
pub(super) fn read(key: &hmac::Key, customer: &CustomerId, token: &[u8]) -> Option<Position> {
    let mut reader = Reader::new(token);
    let version = reader.u8().ok()?;
    let position = Position {
        epoch: reader.u32().ok()?,
        next: reader.u64().ok()?,
    };
    let bound = bound(customer, &body(position));
    let is_ours = version == VERSION && hmac::verify(key, &bound, reader.rest()).is_ok();
    is_ours.then_some(position)
}

fn body(position: Position) -> Vec<u8> {
    let mut writer = Writer::new();
    writer.u8(VERSION);
    writer.u32(position.epoch);
    writer.u64(position.next);
    writer.into_bytes()
}

fn bound(customer: &CustomerId, body: &[u8]) -> Vec<u8> {
    [
        b"sluss-resume/v1\0",
        customer.as_str().as_bytes(),
        b"\0",
        body,
    ]
    .concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_of_another_feed_or_with_a_changed_byte_is_refused() {
        let key = hmac::Key::new(hmac::HMAC_SHA256, &[7; 32]);
        let (acme, bolt) = (
            CustomerId::parse("acme").unwrap(),
            CustomerId::parse("bolt").unwrap(),
        );
        let position = Position { epoch: 1, next: 42 };
        let token = issue(&key, &acme, position);
        assert_eq!(read(&key, &acme, &token), Some(position));
        assert_eq!(read(&key, &bolt, &token), None);
        for i in 0..token.len() {
            let mut changed = token.clone();
            changed[i] ^= 1;
            assert_eq!(read(&key, &acme, &changed), None, "byte {i}");
            assert_eq!(read(&key, &acme, &token[..i]), None, "cut at {i}");
        }
    }
}
