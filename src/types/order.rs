//! What somebody orders at a door.

use std::time::Duration;

use super::{DoorEventKind, UtcTime};

/// An order that cannot be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidOrder {
    /// The end lies in the past.
    #[error("must lie ahead")]
    Past,
    /// The end lies too far ahead.
    #[error("must lie at most 24 hours ahead")]
    TooFar,
}

/// What is to be done at a door.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum DoorOrder {
    /// Release it once.
    Open,
    /// Lock it, whatever was said before.
    Lock,
    /// Leave it unlocked until a time.
    Unlock {
        /// When it locks by itself.
        until: UtcTime,
    },
}

impl DoorOrder {
    /// Longest time that a door is left unlocked by one order.
    pub const UNLOCK_MAX: Duration = Duration::from_hours(24);

    /// An order to leave a door unlocked: until a time ahead, at most [`Self::UNLOCK_MAX`].
    pub fn unlock(until: UtcTime, now: UtcTime) -> Result<Self, InvalidOrder> {
        match until.seconds_since(now) {
            0 => Err(InvalidOrder::Past),
            ahead if ahead > Self::UNLOCK_MAX.as_secs() => Err(InvalidOrder::TooFar),
            _ => Ok(Self::Unlock { until }),
        }
    }

    /// What the door's owners are told of it.
    pub fn event(self) -> DoorEventKind {
        match self {
            Self::Open => DoorEventKind::OpenedByOrder,
            Self::Lock => DoorEventKind::LockedByOrder,
            Self::Unlock { .. } => DoorEventKind::UnlockedByOrder,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_door_is_unlocked_for_a_day_at_most() {
        let now = UtcTime::from_unix(1_000).unwrap();
        let ends = |seconds| DoorOrder::unlock(now.plus_seconds(seconds), now);
        assert_eq!(ends(0), Err(InvalidOrder::Past));
        assert_eq!(ends(86_401), Err(InvalidOrder::TooFar));
        let until = now.plus_seconds(86_400);
        assert_eq!(ends(86_400), Ok(DoorOrder::Unlock { until }));
        assert_eq!(
            DoorOrder::unlock(UtcTime::EPOCH, now),
            Err(InvalidOrder::Past)
        );
    }
}
