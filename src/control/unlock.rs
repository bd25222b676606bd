//! The right to open a door, and how long it lasts.

use std::time::Duration;

use crate::store::{JournalRef, Receipt};
use crate::types::{DoorId, Grant, Moment};

/// How old a grant may be and still open a door (invariant 1).
pub const GRANT_AGE_MAX: Duration = Duration::from_secs(2);

/// A grant that came too late to be acted on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stale {
    /// Its entry.
    pub entry: JournalRef,
    /// Its door.
    pub door: DoorId,
}

/// Leave to open one door once; made of a durable grant only.
#[derive(Debug)]
#[must_use = "an unlock that is dropped leaves somebody at the door"]
pub struct Unlock {
    entry: JournalRef,
    door: DoorId,
    grant: Grant,
    valid_for: Duration,
}

impl Unlock {
    /// Consumes the receipt of a durable grant; refuses one older than [`GRANT_AGE_MAX`].
    pub fn from_receipt(receipt: Receipt<Grant>, now: Moment) -> Result<Self, Stale> {
        let age = now.since(receipt.recorded());
        let (entry, door, grant) = receipt.into_parts();
        match GRANT_AGE_MAX.checked_sub(age) {
            Some(valid_for) if !valid_for.is_zero() => Ok(Self {
                entry,
                door,
                grant,
                valid_for,
            }),
            _ => Err(Stale { entry, door }),
        }
    }

    /// The entry.
    pub fn entry(&self) -> &JournalRef {
        &self.entry
    }

    /// The door that may be opened.
    pub fn door(&self) -> &DoorId {
        &self.door
    }

    /// What was granted.
    pub fn grant(&self) -> &Grant {
        &self.grant
    }

    /// How much longer it may be acted on; more than zero, at most [`GRANT_AGE_MAX`].
    pub fn valid_for(&self) -> Duration {
        self.valid_for
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::receipt_for_tests;

    #[test]
    fn invariant_1_a_stale_receipt_opens_nothing() {
        let at = |ms| Moment::from_start(Duration::from_millis(ms));
        let young = Unlock::from_receipt(receipt_for_tests(at(0)), at(1_999)).unwrap();
        assert_eq!(young.valid_for(), Duration::from_millis(1));
        for late in [2_000, 2_001, 60_000] {
            let refused = Unlock::from_receipt(receipt_for_tests(at(0)), at(late));
            assert_eq!(refused.unwrap_err().door.as_str(), "d", "{late} ms");
        }
    }
}
