//! Lockout after wrong PINs, per person.
//!
//! Five wrong PINs lock a person's PIN for 15 minutes after the last of them; a right one clears
//! the count, and 15 minutes without a wrong one do. A try is reserved before the PIN is looked
//! at and counts as wrong until it is settled, so that guesses made side by side cannot be more
//! than five.
//!
//! While the program runs, the 15 minutes are measured on the monotonic clock: setting the wall
//! clock neither ends a lockout early nor prolongs it. Only after a start the stored wall time is
//! used; if the wall clock was set back in between, the lockout lasts 15 minutes from the start,
//! so it ends not early and not never. If it was set forward in between, it may end early.

use std::collections::HashMap;
use std::time::Duration;

use crate::types::{Moment, Now, PersonId, PinEvidence, UtcTime};

/// So many wrong PINs lock.
pub const WRONG_PINS_MAX: u32 = 5;
/// For so long after the last wrong one.
pub const LOCKOUT: Duration = Duration::from_mins(15);
/// Persons remembered at once. They are remembered for 15 minutes after a wrong PIN, so this is
/// met only under attack; then a try of somebody who is not among them is refused.
const PERSONS_MAX: usize = 65_536;
/// Below this many persons nobody looks for those that can be forgotten.
const SWEEP_MIN: usize = 1_024;

/// Whether a PIN may be looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub enum PinTry {
    /// It may; the try is reserved and has to be settled.
    Allowed,
    /// It may not, whether or not it is right. Nothing is to be settled.
    LockedOut,
}

/// How a reserved try ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PinOutcome {
    /// The PIN was right, or was the duress PIN: no wrong one.
    Verified,
    /// The PIN was wrong.
    Wrong,
    /// The PIN was not compared with anything after all.
    NotCounted,
}

impl PinOutcome {
    /// How a try ended that proved this.
    pub fn of(pin: PinEvidence) -> Self {
        match pin {
            PinEvidence::Verified | PinEvidence::Duress => Self::Verified,
            PinEvidence::Wrong => Self::Wrong,
            PinEvidence::NotGiven | PinEvidence::LockedOut => Self::NotCounted,
        }
    }
}

/// What is stored of a person's wrong PINs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PinFailures {
    /// How many; 0 means that the stored row is to be removed.
    pub count: u32,
    /// When the last one was, by the wall clock.
    pub last_at: UtcTime,
}

impl PinFailures {
    /// What is to be stored after an attempt; `None` where there is nothing.
    pub fn after(before: Option<Self>, pin: PinEvidence, at: UtcTime) -> Option<Self> {
        match pin {
            PinEvidence::NotGiven | PinEvidence::LockedOut => before,
            PinEvidence::Verified | PinEvidence::Duress => None,
            PinEvidence::Wrong => {
                let counts = |b: &Self| at.seconds_since(b.last_at) < LOCKOUT.as_secs();
                let count = before
                    .filter(counts)
                    .map_or(0, |b| b.count)
                    .saturating_add(1);
                Some(Self { count, last_at: at })
            }
        }
    }
}

/// Who has given how many wrong PINs lately. Bounded: forgets what has run out.
#[derive(Debug, Default)]
pub struct Lockouts {
    persons: HashMap<PersonId, Tries>,
    sweep_at: usize,
}

#[derive(Debug, Clone, Copy)]
struct Tries {
    wrong: u32,
    wrong_until: Moment,
    reserved: u32,
    /// A reservation whose holder vanished does not last for ever.
    reserved_until: Moment,
}

impl Tries {
    fn none(moment: Moment) -> Self {
        Self {
            wrong: 0,
            wrong_until: moment,
            reserved: 0,
            reserved_until: moment,
        }
    }

    /// What still counts at this moment.
    fn at(self, moment: Moment) -> Self {
        let running = |count, until| if moment < until { count } else { 0 };
        Self {
            wrong: running(self.wrong, self.wrong_until),
            reserved: running(self.reserved, self.reserved_until),
            ..self
        }
    }

    fn is_over(self, moment: Moment) -> bool {
        let now = self.at(moment);
        now.wrong == 0 && now.reserved == 0
    }
}

impl Lockouts {
    /// Nobody has given a wrong PIN.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes over what was stored, at a start. What has run out is left out.
    pub fn restore(&mut self, person: PersonId, failures: PinFailures, now: Now) {
        let elapsed = Duration::from_secs(now.utc.seconds_since(failures.last_at));
        let tries = Tries {
            wrong: failures.count,
            wrong_until: now.moment.plus(LOCKOUT.saturating_sub(elapsed)),
            ..Tries::none(now.moment)
        };
        if !tries.is_over(now.moment) {
            self.persons.insert(person, tries);
        }
    }

    /// Reserves a try, or refuses it. What is allowed must be settled.
    pub fn begin(&mut self, person: &PersonId, now: Now) -> PinTry {
        let tries = self.tries(person, now.moment);
        let counted = tries.wrong.saturating_add(tries.reserved);
        if counted >= WRONG_PINS_MAX || !self.has_room_for(person, now.moment) {
            return PinTry::LockedOut;
        }
        let reserved = Tries {
            reserved: tries.reserved.saturating_add(1),
            reserved_until: now.moment.plus(LOCKOUT),
            ..tries
        };
        self.persons.insert(person.clone(), reserved);
        PinTry::Allowed
    }

    /// Ends a reserved try. Returns the count, where that has changed.
    ///
    /// The log keeps the same count by [`PinFailures::after`], in the commit of the attempt, so
    /// that a wrong PIN is durable before it is answered and no restart forgets it.
    pub fn settle(
        &mut self,
        person: &PersonId,
        outcome: PinOutcome,
        now: Now,
    ) -> Option<PinFailures> {
        let before = self.tries(person, now.moment);
        let released = Tries {
            reserved: before.reserved.saturating_sub(1),
            ..before
        };
        let after = match outcome {
            PinOutcome::Wrong => Tries {
                wrong: before.wrong.saturating_add(1),
                wrong_until: now.moment.plus(LOCKOUT),
                ..released
            },
            PinOutcome::Verified => Tries {
                wrong: 0,
                ..released
            },
            PinOutcome::NotCounted => released,
        };
        if after.is_over(now.moment) {
            self.persons.remove(person);
        } else {
            self.persons.insert(person.clone(), after);
        }
        (after.wrong != before.wrong).then_some(PinFailures {
            count: after.wrong,
            last_at: now.utc,
        })
    }

    /// Whether the person's PIN is locked by wrong ones; tries in flight do not matter here.
    pub fn is_locked(&self, person: &PersonId, now: Now) -> bool {
        self.tries(person, now.moment).wrong >= WRONG_PINS_MAX
    }

    fn tries(&self, person: &PersonId, moment: Moment) -> Tries {
        let known = self.persons.get(person);
        known.map_or(Tries::none(moment), |tries| tries.at(moment))
    }

    /// Makes room for one more person by forgetting what has run out.
    fn has_room_for(&mut self, person: &PersonId, moment: Moment) -> bool {
        let count = self.persons.len();
        if count >= self.sweep_at.clamp(SWEEP_MIN, PERSONS_MAX) {
            self.persons.retain(|_, tries| !tries.is_over(moment));
            self.sweep_at = self.persons.len().saturating_mul(2);
        }
        self.persons.len() < PERSONS_MAX || self.persons.contains_key(person)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The wall clock shows `utc` and the monotonic one `seconds`.
    fn at(utc: i64, seconds: u64) -> Now {
        Now {
            utc: UtcTime::from_unix(utc).unwrap(),
            moment: Moment::from_start(Duration::from_secs(seconds)),
        }
    }

    /// Both clocks run on together.
    fn s(seconds: u64) -> Now {
        at(1_000_000 + i64::try_from(seconds).unwrap(), seconds)
    }

    fn p() -> PersonId {
        PersonId::parse("p-1").unwrap()
    }

    fn wrong(lockouts: &mut Lockouts, now: Now) -> Option<PinFailures> {
        assert_eq!(lockouts.begin(&p(), now), PinTry::Allowed);
        lockouts.settle(&p(), PinOutcome::Wrong, now)
    }

    fn locked_at(seconds: u64) -> Lockouts {
        let mut lockouts = Lockouts::new();
        (0..5).for_each(|_| assert!(wrong(&mut lockouts, s(seconds)).is_some()));
        lockouts
    }

    #[test]
    fn five_wrong_pins_lock_for_fifteen_minutes_after_the_last() {
        let mut lockouts = Lockouts::new();
        for second in 0..5 {
            let stored = wrong(&mut lockouts, s(second)).unwrap();
            assert_eq!(stored.last_at, s(second).utc);
            assert_eq!(u64::from(stored.count), second + 1);
        }
        assert_eq!(lockouts.begin(&p(), s(5)), PinTry::LockedOut);
        assert_eq!(lockouts.begin(&p(), s(903)), PinTry::LockedOut);
        assert!(lockouts.is_locked(&p(), s(903)));
        assert!(!lockouts.is_locked(&p(), s(904)));
        assert_eq!(lockouts.begin(&p(), s(904)), PinTry::Allowed);
    }

    #[test]
    fn somebody_elses_wrong_pins_do_not_lock() {
        let other = PersonId::parse("p-2").unwrap();
        assert_eq!(locked_at(0).begin(&other, s(1)), PinTry::Allowed);
    }

    #[test]
    fn a_right_pin_clears_the_count() {
        let mut lockouts = Lockouts::new();
        for second in 0..4 {
            wrong(&mut lockouts, s(second)).unwrap();
        }
        assert_eq!(lockouts.begin(&p(), s(4)), PinTry::Allowed);
        let stored = lockouts.settle(&p(), PinOutcome::Verified, s(4));
        assert_eq!(stored.map(|f| f.count), Some(0));
        for second in 5..9 {
            wrong(&mut lockouts, s(second)).unwrap();
        }
        assert_eq!(lockouts.begin(&p(), s(9)), PinTry::Allowed);
    }

    #[test]
    fn what_is_stored_counts_as_the_lockout_does() {
        let at = |second| s(second).utc;
        let mut stored = None;
        for second in [0, 1, 2] {
            stored = PinFailures::after(stored, PinEvidence::Wrong, at(second));
        }
        assert_eq!(stored.map(|f| f.count), Some(3));
        assert_eq!(
            PinFailures::after(stored, PinEvidence::NotGiven, at(3)),
            stored
        );
        assert_eq!(
            PinFailures::after(stored, PinEvidence::Verified, at(3)),
            None
        );
        // Who is forced has typed no wrong PIN: the count tells nobody of it.
        assert_eq!(PinFailures::after(stored, PinEvidence::Duress, at(3)), None);
        let late = PinFailures::after(stored, PinEvidence::Wrong, at(902));
        assert_eq!(late.map(|f| f.count), Some(1));
    }

    #[test]
    fn a_duress_pin_ends_a_try_as_the_right_one_does() {
        for (pin, outcome) in [
            (PinEvidence::NotGiven, PinOutcome::NotCounted),
            (PinEvidence::Verified, PinOutcome::Verified),
            (PinEvidence::Wrong, PinOutcome::Wrong),
            (PinEvidence::LockedOut, PinOutcome::NotCounted),
            (PinEvidence::Duress, PinOutcome::Verified),
        ] {
            assert_eq!(PinOutcome::of(pin), outcome, "{pin:?}");
        }
    }

    #[test]
    fn guesses_side_by_side_are_five_at_most() {
        let mut lockouts = Lockouts::new();
        let tries = (0..20).map(|_| lockouts.begin(&p(), s(0)));
        assert_eq!(tries.filter(|t| *t == PinTry::Allowed).count(), 5);
    }

    #[test]
    fn a_try_that_was_not_counted_can_be_made_again() {
        let mut lockouts = Lockouts::new();
        for _ in 0..20 {
            assert_eq!(lockouts.begin(&p(), s(0)), PinTry::Allowed);
            assert_eq!(lockouts.settle(&p(), PinOutcome::NotCounted, s(0)), None);
        }
    }

    #[test]
    fn a_try_that_is_never_settled_does_not_lock_for_ever() {
        let mut lockouts = Lockouts::new();
        (0..5).for_each(|_| assert_eq!(lockouts.begin(&p(), s(0)), PinTry::Allowed));
        assert_eq!(lockouts.begin(&p(), s(899)), PinTry::LockedOut);
        assert_eq!(lockouts.begin(&p(), s(900)), PinTry::Allowed);
    }

    #[test]
    fn setting_the_wall_clock_does_not_move_a_lockout() {
        let mut lockouts = locked_at(0);
        let a_year = 365 * 86_400;
        assert_eq!(
            lockouts.begin(&p(), at(1_000_000 + a_year, 899)),
            PinTry::LockedOut
        );
        assert_eq!(lockouts.begin(&p(), at(0, 899)), PinTry::LockedOut);
        assert_eq!(lockouts.begin(&p(), at(0, 900)), PinTry::Allowed);
    }

    #[test]
    fn a_lockout_survives_a_start_and_ends_when_it_would_have() {
        let stored = PinFailures {
            count: 5,
            last_at: UtcTime::from_unix(1_000).unwrap(),
        };
        let check = |started_at, second, expected| {
            let mut lockouts = Lockouts::new();
            lockouts.restore(p(), stored, at(started_at, 0));
            let now = at(started_at + i64::try_from(second).unwrap(), second);
            assert_eq!(lockouts.begin(&p(), now), expected, "{started_at} {second}");
        };
        check(1_300, 599, PinTry::LockedOut);
        check(1_300, 600, PinTry::Allowed);
        check(1_900, 0, PinTry::Allowed);
        // The clock was set back before the start: the whole lockout from there, no longer.
        check(10, 899, PinTry::LockedOut);
        check(10, 900, PinTry::Allowed);
    }

    #[test]
    fn memory_is_bounded_and_what_has_run_out_makes_room() {
        let mut lockouts = Lockouts::new();
        let person = |n: usize| PersonId::parse(&format!("p-{n}")).unwrap();
        for n in 0..PERSONS_MAX {
            assert_eq!(lockouts.begin(&person(n), s(0)), PinTry::Allowed);
        }
        assert_eq!(
            lockouts.begin(&person(PERSONS_MAX), s(1)),
            PinTry::LockedOut
        );
        assert_eq!(lockouts.begin(&person(3), s(1)), PinTry::Allowed);
        assert_eq!(
            lockouts.begin(&person(PERSONS_MAX), s(901)),
            PinTry::Allowed
        );
        assert!(lockouts.persons.len() < 3);
    }

    proptest! {
        #[test]
        fn never_more_than_five_wrong_pins_are_looked_at_in_fifteen_minutes(
            steps in prop::collection::vec((0_u64..400, 1_usize..8), 1..60),
        ) {
            let mut lockouts = Lockouts::new();
            let mut looked_at: Vec<u64> = Vec::new();
            let mut second = 0;
            for (pause, guesses) in steps {
                second += pause;
                let allowed = (0..guesses)
                    .filter(|_| lockouts.begin(&p(), s(second)) == PinTry::Allowed)
                    .count();
                for _ in 0..allowed {
                    looked_at.push(second);
                    let _ = lockouts.settle(&p(), PinOutcome::Wrong, s(second));
                }
            }
            for window in looked_at.windows(6) {
                prop_assert!(window[5] - window[0] >= 900, "{window:?}");
            }
        }
    }
}
