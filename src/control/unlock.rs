//! The right to open a door, and how long it lasts.
//!
//! A receipt becomes an [`Unlock`], an unlock becomes a [`StrikeRelease`], and nothing else does.
//! Each step consumes the one before it, and each refuses what has become too old.

use std::time::Duration;

use crate::store::{JournalRef, Receipt};
use crate::types::{DoorId, DoorOrder, Grant, Moment};

/// How old a grant or an order may be and still open a door (invariant 1).
pub const GRANT_AGE_MAX: Duration = Duration::from_secs(2);

/// How long a strike is kept released at a time while its door is left unlocked.
///
/// A reader that loses its line locks by itself when this has passed.
pub const KEEP_RELEASED: Duration = Duration::from_secs(10);

/// Leave to open a door that came too late to be acted on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stale {
    /// Its entry.
    pub entry: JournalRef,
    /// Its door.
    pub door: DoorId,
}

/// Leave to open one door once; made of a durable entry only.
#[derive(Debug)]
#[must_use = "an unlock that is dropped leaves somebody at the door"]
pub struct Unlock {
    entry: JournalRef,
    door: DoorId,
    valid_until: Moment,
}

/// What an order has become when its entry is on disk.
#[derive(Debug)]
pub enum Ordered {
    /// The door may be released once.
    Open(Unlock),
    /// The door may be left unlocked.
    Unlock(Standing),
    /// The door is to be locked; that needs no leave.
    Lock(JournalRef),
}

impl Unlock {
    /// Consumes the receipt of a durable grant; refuses one older than [`GRANT_AGE_MAX`].
    pub fn from_receipt(receipt: Receipt<Grant>, now: Moment) -> Result<(Self, Grant), Stale> {
        Self::made(receipt, now)
    }

    fn made<T>(receipt: Receipt<T>, now: Moment) -> Result<(Self, T), Stale> {
        let valid_until = receipt.recorded().plus(GRANT_AGE_MAX);
        let (entry, door, value) = receipt.into_parts();
        if now >= valid_until {
            return Err(Stale { entry, door });
        }
        let unlock = Self {
            entry,
            door,
            valid_until,
        };
        Ok((unlock, value))
    }

    /// The entry.
    pub fn entry(&self) -> &JournalRef {
        &self.entry
    }

    /// The door that may be opened.
    pub fn door(&self) -> &DoorId {
        &self.door
    }

    /// How much longer it may be acted on, at most [`GRANT_AGE_MAX`]; zero: no longer.
    pub fn valid_for(&self, now: Moment) -> Duration {
        self.valid_until.since(now)
    }

    /// Consumes it to release a strike for a time; refuses where it has become too old.
    pub fn release(self, lasts: Duration, now: Moment) -> Result<StrikeRelease, Stale> {
        let Self {
            entry,
            door,
            valid_until,
        } = self;
        if now >= valid_until {
            return Err(Stale { entry, door });
        }
        Ok(StrikeRelease {
            entry,
            door,
            lasts,
            valid_until,
        })
    }
}

impl Ordered {
    /// Consumes the receipt of a durable order; refuses one older than [`GRANT_AGE_MAX`].
    ///
    /// `lasts` is how long the door is left unlocked, where that is ordered.
    pub fn from_receipt(
        receipt: Receipt<DoorOrder>,
        lasts: Duration,
        now: Moment,
    ) -> Result<Self, Stale> {
        let (unlock, order) = Unlock::made(receipt, now)?;
        Ok(match order {
            DoorOrder::Open => Self::Open(unlock),
            DoorOrder::Lock => Self::Lock(unlock.entry),
            DoorOrder::Unlock { .. } => Self::Unlock(Standing {
                entry: unlock.entry,
                door: unlock.door,
                until: now.plus(lasts),
            }),
        })
    }
}

/// Leave to keep one door unlocked until a moment; made of a durable order only.
#[derive(Debug)]
#[must_use = "a standing order that is dropped unlocks nothing"]
pub struct Standing {
    entry: JournalRef,
    door: DoorId,
    until: Moment,
}

impl Standing {
    /// The entry.
    pub fn entry(&self) -> &JournalRef {
        &self.entry
    }

    /// When it ends.
    pub fn until(&self) -> Moment {
        self.until
    }

    /// Leave to keep the strike released for [`KEEP_RELEASED`], or what is left of it; `None`
    /// when it has ended.
    pub fn keep(&self, now: Moment) -> Option<StrikeRelease> {
        let left = self.until.since(now);
        (!left.is_zero()).then(|| StrikeRelease {
            entry: self.entry.clone(),
            door: self.door.clone(),
            lasts: left.min(KEEP_RELEASED),
            valid_until: now.plus(left.min(GRANT_AGE_MAX)),
        })
    }

    /// Leave to hand the whole order to a controller; `None` when it has ended.
    pub fn whole(&self, now: Moment) -> Option<StrikeRelease> {
        let left = self.until.since(now);
        (!left.is_zero()).then(|| StrikeRelease {
            entry: self.entry.clone(),
            door: self.door.clone(),
            lasts: left,
            valid_until: now.plus(left.min(GRANT_AGE_MAX)),
        })
    }
}

/// What a strike is energised by, once.
#[derive(Debug)]
#[must_use = "a release that is dropped leaves somebody at the door"]
pub struct StrikeRelease {
    entry: JournalRef,
    door: DoorId,
    lasts: Duration,
    valid_until: Moment,
}

impl StrikeRelease {
    /// The entry.
    pub fn entry(&self) -> &JournalRef {
        &self.entry
    }

    /// The door.
    pub fn door(&self) -> &DoorId {
        &self.door
    }

    /// How long the strike is released.
    pub fn lasts(&self) -> Duration {
        self.lasts
    }

    /// How much longer it may be acted on, at most [`GRANT_AGE_MAX`]; zero: no longer.
    ///
    /// Asked once more by whoever speaks to the device, because it may have waited for a line.
    pub fn valid_for(&self, now: Moment) -> Duration {
        self.valid_until.since(now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::{order_receipt_for_tests, receipt_for_tests};
    use crate::types::UtcTime;

    fn at(ms: u64) -> Moment {
        Moment::from_start(Duration::from_millis(ms))
    }

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn invariant_1_a_stale_receipt_opens_nothing() {
        let (young, _) = Unlock::from_receipt(receipt_for_tests(at(0)), at(1_999)).unwrap();
        assert_eq!(young.valid_for(at(1_999)), Duration::from_millis(1));
        for late in [2_000, 2_001, 60_000] {
            let refused = Unlock::from_receipt(receipt_for_tests(at(0)), at(late));
            assert_eq!(refused.unwrap_err().door.as_str(), "d", "{late} ms");
            let order = order_receipt_for_tests(DoorOrder::Open, at(0));
            let refused = Ordered::from_receipt(order, SECOND, at(late));
            assert_eq!(refused.unwrap_err().door.as_str(), "d", "{late} ms");
        }
    }

    #[test]
    fn invariant_1_an_unlock_that_waited_too_long_releases_nothing() {
        let unlock = || {
            Unlock::from_receipt(receipt_for_tests(at(0)), at(1))
                .unwrap()
                .0
        };
        let release = unlock().release(5 * SECOND, at(1_999)).unwrap();
        assert_eq!(release.lasts(), 5 * SECOND);
        assert_eq!(release.valid_for(at(2_500)), Duration::ZERO);
        assert!(unlock().release(5 * SECOND, at(2_000)).is_err());
    }

    #[test]
    fn a_standing_order_is_kept_in_short_pieces_and_ends() {
        let order = DoorOrder::Unlock {
            until: UtcTime::EPOCH,
        };
        let receipt = order_receipt_for_tests(order, at(0));
        let Ok(Ordered::Unlock(standing)) = Ordered::from_receipt(receipt, 15 * SECOND, at(0))
        else {
            panic!("an order to unlock stands");
        };
        assert_eq!(standing.keep(at(0)).unwrap().lasts(), KEEP_RELEASED);
        assert_eq!(standing.keep(at(8_000)).unwrap().lasts(), 7 * SECOND);
        assert_eq!(standing.whole(at(0)).unwrap().lasts(), 15 * SECOND);
        assert!(standing.keep(at(15_000)).is_none());
    }
}
