//! Random small worlds, leaning towards those in which little is wrong.

use proptest::collection::vec;
use proptest::prelude::any;
use proptest::test_runner::{Config, RngAlgorithm, TestCaseError, TestRng, TestRunner};

use super::{
    access_point, area, attempt, badge, customer, door, entry, schedule, schedule_id, scope,
    special_days, special_days_id, t, zone,
};
use crate::policy::{PinVerifier, RosterParts};
use crate::types::{
    Attempt, BadgeState, CardCheck, DaySpan, Direction, FactorRequirement, FactorRule, Membership,
    PersonState, PinEvidence, Precision, SpecialSpans, UtcTime, Validity,
};

/// Instants at which something changes: clocks, weekdays, special days, validities.
const INSTANTS: [&str; 10] = [
    "2026-11-23T08:15:00Z", // Monday morning
    "2026-03-29T00:30:00Z", // just before summer time
    "2026-03-29T01:00:00Z", // the clocks skip to 03:00
    "2026-07-06T05:00:00Z",
    "2026-10-25T00:30:00Z", // 02:30 for the first time
    "2026-10-25T01:30:00Z", // 02:30 for the second time
    "2026-11-23T19:15:00Z",
    "2026-12-25T10:00:00Z",
    "2028-02-29T11:00:00Z",
    "2028-02-29T23:00:00Z", // 1 March by the site's clocks
];
const DATES: [&str; 6] = [
    "2026-12-25",
    "2028-02-29",
    "2028-03-01",
    "2026-10-25",
    "2026-11-23",
    "2026-03-29",
];
/// Choices that a world is made of.
const CHOICES: usize = 400;

/// A site, somebody at a door, and the time.
#[derive(Debug, Clone)]
pub(in crate::policy) struct World {
    pub(in crate::policy) parts: RosterParts,
    pub(in crate::policy) attempt: Attempt,
    pub(in crate::policy) now: UtcTime,
}

/// Checks so many worlds, the same ones each time. A failing world is made simpler, then shown.
pub(in crate::policy) fn each_world(
    count: u32,
    check: impl Fn(World) -> Result<(), TestCaseError>,
) {
    let config = Config {
        cases: count,
        failure_persistence: None,
        ..Config::default()
    };
    let rng = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
    let mut runner = TestRunner::new_with_rng(config, rng);
    let choices = vec(any::<u8>(), CHOICES);
    let outcome = runner.run(&choices, |choices| check(Tape(choices.iter()).world()));
    outcome.unwrap_or_else(|error| panic!("{error}"));
}

/// A tape of choices; at its end every choice is the simplest.
struct Tape<'a>(std::slice::Iter<'a, u8>);

impl Tape<'_> {
    fn below(&mut self, count: usize) -> usize {
        usize::from(self.0.next().copied().unwrap_or(0)) % count
    }

    fn of<T: Clone>(&mut self, choices: &[T]) -> T {
        choices[self.below(choices.len())].clone()
    }

    fn chance(&mut self, percent: usize) -> bool {
        self.below(100) >= 100 - percent
    }

    fn instant(&mut self) -> UtcTime {
        t(self.of(&INSTANTS))
    }

    fn validity(&mut self) -> Validity {
        if !self.chance(20) {
            return Validity::ALWAYS;
        }
        let (a, b) = (self.instant(), self.instant());
        let ends = match self.below(3) {
            0 => (Some(a), None),
            1 => (None, Some(b)),
            _ => (Some(a.min(b)), Some(a.max(b))),
        };
        Validity::new(ends.0, ends.1).unwrap_or(Validity::ALWAYS)
    }

    fn span(&mut self) -> (u32, u32) {
        self.of(&[
            (0, 1440),
            (420, 1080),
            (150, 180),
            (0, 150),
            (600, 1440),
            (555, 556),
        ])
    }

    fn schedule_name(&mut self) -> String {
        self.of(&["always", "always", "s-0", "s-1", "s-2"])
            .to_owned()
    }

    fn world(mut self) -> World {
        let mut parts = RosterParts::new(zone());
        parts.add_controller("c-1");
        (0..3).for_each(|n| parts.add_customer(&format!("c-{n}"), Precision::Hour));
        (0..3).for_each(|n| parts.add_door(&format!("d-{n}")));
        self.add_areas(&mut parts);
        self.add_schedules(&mut parts);
        self.add_points(&mut parts);
        self.add_persons(&mut parts);
        self.add_badges(&mut parts);
        self.add_entries(&mut parts);
        let card_number = if self.chance(5) {
            99
        } else {
            u8::try_from(self.below(4)).unwrap()
        };
        let mut attempt = attempt(card_number, &format!("ap-{}", self.below(4)));
        if self.chance(3) {
            attempt.access_point = access_point("nowhere");
        }
        attempt.pin = self.of(&[
            PinEvidence::Verified,
            PinEvidence::Verified,
            PinEvidence::NotGiven,
            PinEvidence::Wrong,
            PinEvidence::LockedOut,
            PinEvidence::Duress,
        ]);
        let now = self.instant();
        if self.chance(6) {
            attempt.card.check = self.of(&[CardCheck::ParityFailed, CardCheck::FormatNotAccepted]);
        }
        World {
            parts,
            attempt,
            now,
        }
    }

    fn add_areas(&mut self, parts: &mut RosterParts) {
        for n in 0..3 {
            let owners: Vec<_> = ["c-0", "c-1", "c-2"]
                .into_iter()
                .filter(|_| self.chance(35))
                .collect();
            parts.add_area(&format!("a-{n}"), &owners);
        }
    }

    fn add_schedules(&mut self, parts: &mut RosterParts) {
        for n in 0..2 {
            let dates: Vec<_> = DATES.into_iter().filter(|_| self.chance(40)).collect();
            let (id, set) = special_days(&format!("h-{n}"), &dates);
            parts.special_days.insert(id, set);
        }
        for n in 0..3 {
            let week: Vec<_> = (1..=7)
                .filter_map(|day| {
                    let (from, until) = self.span();
                    self.chance(70).then_some((day, from, until))
                })
                .collect();
            let mut new = schedule(&format!("s-{n}"), &week);
            for _ in 0..self.below(3) {
                let (from, until) = self.span();
                let span = DaySpan::new(from, until).unwrap();
                new.special.push(SpecialSpans {
                    special_days: special_days_id(&format!("h-{}", self.below(2))),
                    spans: Vec::from_iter(self.chance(60).then_some(span)),
                });
            }
            parts.schedules.insert(new.id.clone(), new);
        }
    }

    fn requirement(&mut self) -> FactorRequirement {
        self.of(&[
            FactorRequirement::Badge,
            FactorRequirement::Badge,
            FactorRequirement::Badge,
            FactorRequirement::BadgeAndPin,
            FactorRequirement::BadgeAndPin,
            FactorRequirement::BadgeAndFinger,
        ])
    }

    fn add_points(&mut self, parts: &mut RosterParts) {
        for n in 0..4 {
            let id = format!("ap-{n}");
            let at = format!("d-{}", self.below(3));
            let way = (
                format!("a-{}", self.below(3)),
                format!("a-{}", self.below(3)),
            );
            let direction = self.of(&[Direction::Entry, Direction::Exit]);
            parts.add_point(&id, &at, (&way.0, &way.1), direction);
            let requirement = self.requirement();
            parts.point_mut(&id).default_requirement = requirement;
            for _ in 0..self.below(3) {
                let rule = FactorRule {
                    schedule: schedule_id(&self.schedule_name()),
                    requirement: self.requirement(),
                };
                parts.point_mut(&id).factor_rules.push(rule);
            }
        }
    }

    fn add_persons(&mut self, parts: &mut RosterParts) {
        for number in 0..4 {
            parts.add_person(number, "c-0", false);
            let new = parts.person_mut(&format!("p-{number}"));
            if self.chance(8) {
                new.state = PersonState::Suspended;
            }
            new.validity = self.validity();
            new.memberships = ["c-0", "c-1", "c-2"]
                .into_iter()
                .filter_map(|of| {
                    let membership = Membership {
                        customer: customer(of),
                        may_approve: !self.chance(25),
                    };
                    (!self.chance(20)).then_some(membership)
                })
                .collect();
            let verifier = PinVerifier {
                salt: [number; 16],
                tag: [number; 32],
            };
            if self.chance(50) {
                parts
                    .pins
                    .insert(super::person(&format!("p-{number}")), verifier);
            }
        }
    }

    fn add_badges(&mut self, parts: &mut RosterParts) {
        for number in 0..4 {
            let held = parts
                .badges
                .get_mut(&badge(&format!("b-{number}")))
                .unwrap();
            if self.chance(20) {
                held.person = super::person(&format!("p-{}", self.below(4)));
            }
            if self.chance(8) {
                held.state = self.of(&[
                    BadgeState::Blocked,
                    BadgeState::Lost,
                    BadgeState::Stolen,
                    BadgeState::Damaged,
                    BadgeState::Inactive,
                    BadgeState::Returned,
                    BadgeState::Destroyed,
                ]);
            }
            held.validity = self.validity();
        }
    }

    fn add_entries(&mut self, parts: &mut RosterParts) {
        for number in 0..self.below(24) {
            let at = entry(
                &format!("c-{}", self.below(3)),
                u64::try_from(number).unwrap(),
            );
            let who = (
                format!("p-{}", self.below(4)),
                format!("p-{}", self.below(4)),
            );
            let mut place = scope(&[], &[]);
            for n in 0..3 {
                place
                    .areas
                    .extend(self.chance(50).then(|| area(&format!("a-{n}"))));
                place
                    .doors
                    .extend(self.chance(25).then(|| door(&format!("d-{n}"))));
            }
            let when = self.schedule_name();
            parts.add_entry(at.clone(), (&who.0, &who.1), place, &when);
            parts.entries.get_mut(&at).unwrap().validity = self.validity();
        }
    }
}
