//! Numbers of closed sets: the same in the API and in the store, so there is one table of them.

use crate::types::{
    BadgeState, Direction, FactorRequirement, PersonState, Precision, ReaderSecurity,
};

/// A closed set whose cases have numbers, those of the enum of the same name in `sluss.v1`.
pub trait Code: Copy + 'static {
    /// The case's number, never 0.
    fn number(self) -> u32;

    /// The case with this number.
    fn from_number(number: u32) -> Option<Self>;

    /// The case's number as the API carries it.
    fn wire(self) -> i32 {
        i32::try_from(self.number()).unwrap_or(0)
    }

    /// The case with this number of the API.
    fn from_wire(number: i32) -> Option<Self> {
        u32::try_from(number).ok().and_then(Self::from_number)
    }
}

macro_rules! codes {
    ($type:ident { $($case:ident = $number:literal),+ $(,)? }) => {
        impl Code for $type {
            fn number(self) -> u32 {
                match self { $(Self::$case => $number),+ }
            }

            fn from_number(number: u32) -> Option<Self> {
                match number {
                    $($number => Some(Self::$case),)+
                    _ => None,
                }
            }
        }
    };
}

codes!(Direction { Entry = 1, Exit = 2 });
codes!(FactorRequirement {
    Badge = 1,
    BadgeAndPin = 2,
    BadgeAndFinger = 3,
});
codes!(Precision { Hour = 1, Minute = 2, Second = 3 });
codes!(ReaderSecurity {
    SecureChannel = 1,
    Plain = 2,
});
codes!(PersonState { Active = 1, Suspended = 2 });
codes!(BadgeState {
    Active = 1,
    Blocked = 2,
    Lost = 3,
    Stolen = 4,
    Damaged = 5,
    Inactive = 6,
    Returned = 7,
    Destroyed = 8,
});

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pb::v1;

    #[test]
    fn numbers_are_those_of_the_api() {
        assert_eq!(Direction::Exit.wire(), i32::from(v1::Direction::Exit));
        assert_eq!(
            FactorRequirement::BadgeAndFinger.wire(),
            i32::from(v1::FactorRequirement::BadgeAndFinger)
        );
        assert_eq!(Precision::Second.wire(), i32::from(v1::Precision::Second));
        assert_eq!(
            ReaderSecurity::SecureChannel.wire(),
            i32::from(v1::ReaderSecurity::SecureChannel)
        );
        assert_eq!(
            ReaderSecurity::Plain.wire(),
            i32::from(v1::ReaderSecurity::Plain)
        );
        assert_eq!(
            PersonState::Suspended.wire(),
            i32::from(v1::PersonState::Suspended)
        );
        let states = [
            (BadgeState::Active, v1::BadgeState::Active),
            (BadgeState::Blocked, v1::BadgeState::Blocked),
            (BadgeState::Lost, v1::BadgeState::Lost),
            (BadgeState::Stolen, v1::BadgeState::Stolen),
            (BadgeState::Damaged, v1::BadgeState::Damaged),
            (BadgeState::Inactive, v1::BadgeState::Inactive),
            (BadgeState::Returned, v1::BadgeState::Returned),
            (BadgeState::Destroyed, v1::BadgeState::Destroyed),
        ];
        for (ours, theirs) in states {
            assert_eq!(ours.wire(), i32::from(theirs));
            assert_eq!(BadgeState::from_number(ours.number()), Some(ours));
        }
    }

    #[test]
    fn no_case_has_the_number_of_unspecified() {
        assert_eq!(Direction::from_wire(0), None);
        assert_eq!(BadgeState::from_wire(-1), None);
        assert_eq!(Precision::from_wire(4), None);
    }
}
