//! Schedules in the form in which decisions read them: one bit for each minute of the week.

use std::collections::BTreeMap;

use chrono::NaiveDate;

use crate::types::{
    DaySpan, LocalTime, MINUTES_PER_DAY, Schedule, SpecialDays, SpecialDaysId, Weekday,
};

/// Minutes in a week.
const MINUTES_PER_WEEK: u32 = 10_080;
const _: () = assert!(MINUTES_PER_WEEK == 7 * MINUTES_PER_DAY);

/// A schedule as decisions read it.
///
/// It is local time throughout: an hour that the clocks skip holds for nobody, an hour that they
/// show twice holds both times.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CompiledSchedule {
    /// Ordinary days.
    week: MinuteSet,
    /// Special dates, rising, and which of `days` holds on each.
    special: Box<[(NaiveDate, usize)]>,
    /// What holds on special days instead of the week.
    days: Box<[MinuteSet]>,
}

impl CompiledSchedule {
    /// The built-in schedule that always holds.
    pub fn always() -> Self {
        Self {
            week: MinuteSet::filled(MINUTES_PER_WEEK, u64::MAX),
            special: Box::default(),
            days: Box::default(),
        }
    }

    /// Compiles a schedule. Where a date is in several of its sets the first listed one is used.
    ///
    /// A set that is not among `sets` has no dates; [`super::Roster::compile`] refuses such rules.
    pub fn new(schedule: &Schedule, sets: &BTreeMap<SpecialDaysId, SpecialDays>) -> Self {
        let mut week = MinuteSet::with_room(MINUTES_PER_WEEK);
        for weekly in &schedule.weekly {
            let day_start = minute_of_week(weekly.weekday, 0);
            week.insert_span(day_start, weekly.span);
        }
        let mut special: BTreeMap<NaiveDate, usize> = BTreeMap::new();
        for (index, spans) in schedule.special.iter().enumerate() {
            let dates = sets.get(&spans.special_days).map(|set| &set.dates);
            for date in dates.into_iter().flatten() {
                special.entry(*date).or_insert(index);
            }
        }
        let days = schedule.special.iter().map(|s| day(&s.spans)).collect();
        Self {
            week,
            special: special.into_iter().collect(),
            days,
        }
    }

    /// Whether it holds at this local time.
    pub fn holds(&self, local: &LocalTime) -> bool {
        match self.special_day(local.date) {
            Some(day) => day.contains(local.minute_of_day),
            None => self
                .week
                .contains(minute_of_week(local.weekday(), local.minute_of_day)),
        }
    }

    fn special_day(&self, date: NaiveDate) -> Option<&MinuteSet> {
        let found = self.special.binary_search_by_key(&date, |(d, _)| *d).ok()?;
        let (_, index) = self.special.get(found)?;
        self.days.get(*index)
    }
}

fn day(spans: &[DaySpan]) -> MinuteSet {
    let mut minutes = MinuteSet::with_room(MINUTES_PER_DAY);
    for span in spans {
        minutes.insert_span(0, *span);
    }
    minutes
}

fn minute_of_week(weekday: Weekday, minute_of_day: u32) -> u32 {
    weekday
        .number()
        .saturating_sub(1)
        .saturating_mul(MINUTES_PER_DAY)
        .saturating_add(minute_of_day)
}

/// A set of minutes, a bit each.
#[derive(Debug, Clone, PartialEq, Eq)]
struct MinuteSet(Box<[u64]>);

impl MinuteSet {
    /// A set with room for minutes below `minutes`, each word of it the same.
    fn filled(minutes: u32, word: u64) -> Self {
        Self((0..minutes.div_ceil(64)).map(|_| word).collect())
    }

    /// The empty set with room for minutes below `minutes`; others are never in it.
    fn with_room(minutes: u32) -> Self {
        Self::filled(minutes, 0)
    }

    fn insert(&mut self, minute: u32) {
        if let Some(word) = self.0.get_mut(word_of(minute)) {
            *word |= bit_of(minute);
        }
    }

    fn insert_span(&mut self, day_start: u32, span: DaySpan) {
        (span.from_minute()..span.until_minute())
            .for_each(|minute| self.insert(day_start.saturating_add(minute)));
    }

    fn contains(&self, minute: u32) -> bool {
        self.0
            .get(word_of(minute))
            .is_some_and(|word| word & bit_of(minute) != 0)
    }
}

fn word_of(minute: u32) -> usize {
    usize::try_from(minute / 64).unwrap_or(usize::MAX)
}

fn bit_of(minute: u32) -> u64 {
    1_u64.rotate_left(minute % 64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::testing::{date, office_hours, schedule, spans, special_days, t, zone};
    use crate::types::SpecialSpans;

    /// Office hours, Monday to Friday 07:00-18:00; nothing on holidays.
    fn office() -> CompiledSchedule {
        let mut office = office_hours();
        office.special = vec![SpecialSpans {
            special_days: SpecialDaysId::parse("holidays").unwrap(),
            spans: vec![],
        }];
        let sets = [special_days("holidays", &["2026-12-25", "2028-02-29"])];
        CompiledSchedule::new(&office, &sets.into())
    }

    fn check(schedule: &CompiledSchedule, cases: &[(&str, bool)]) {
        for (instant, expected) in cases {
            let local = zone().local(t(instant));
            assert_eq!(schedule.holds(&local), *expected, "{instant}: {local:?}");
        }
    }

    #[test]
    fn spans_are_half_open_and_weekends_are_not_weekdays() {
        check(
            &office(),
            &[
                ("2026-11-23T05:59:59Z", false), // Monday 06:59:59
                ("2026-11-23T06:00:00Z", true),
                ("2026-11-23T16:59:59Z", true),
                ("2026-11-23T17:00:00Z", false),
                ("2026-11-27T12:00:00Z", true),  // Friday
                ("2026-11-28T12:00:00Z", false), // Saturday
                ("2026-11-29T12:00:00Z", false), // Sunday
            ],
        );
    }

    #[test]
    fn summer_time_moves_the_office_hours_by_an_hour_of_utc() {
        check(
            &office(),
            &[
                ("2026-03-27T05:30:00Z", false), // Friday 06:30, winter time
                ("2026-03-30T05:30:00Z", true),  // Monday 07:30, summer time
                ("2026-10-23T16:30:00Z", false), // Friday 18:30, summer time
                ("2026-10-26T16:30:00Z", true),  // Monday 17:30, winter time
            ],
        );
    }

    #[test]
    fn a_skipped_hour_holds_for_nobody_and_an_hour_shown_twice_holds_twice() {
        let night = schedule("night", &[(7, 150, 180)]); // Sunday 02:30-03:00
        let night = CompiledSchedule::new(&night, &BTreeMap::new());
        check(
            &night,
            &[
                ("2026-03-22T01:45:00Z", true),  // an ordinary Sunday, 02:45
                ("2026-03-29T00:59:59Z", false), // 01:59:59, then the clocks skip to 03:00
                ("2026-03-29T01:00:00Z", false),
                ("2026-03-29T01:45:00Z", false),
                ("2026-10-25T00:29:59Z", false), // 02:29:59 for the first time
                ("2026-10-25T00:30:00Z", true),
                ("2026-10-25T01:00:00Z", false), // 02:00 for the second time
                ("2026-10-25T01:30:00Z", true),
                ("2026-10-25T02:00:00Z", false),
            ],
        );
    }

    #[test]
    fn special_days_replace_the_week_and_a_leap_day_can_be_one() {
        check(
            &office(),
            &[
                ("2026-12-24T12:00:00Z", true),
                ("2026-12-25T12:00:00Z", false), // a Friday
                ("2028-02-28T12:00:00Z", true),
                ("2028-02-29T12:00:00Z", false), // a Tuesday
                ("2028-03-01T12:00:00Z", true),
            ],
        );
    }

    #[test]
    fn a_leap_day_is_a_day_of_the_week() {
        let tuesdays = schedule("tuesdays", &[(2, 0, 1440)]);
        let tuesdays = CompiledSchedule::new(&tuesdays, &BTreeMap::new());
        check(
            &tuesdays,
            &[
                ("2028-02-28T22:59:59Z", false),
                ("2028-02-28T23:00:00Z", true), // 29 February, 00:00
                ("2028-02-29T22:59:59Z", true),
                ("2028-02-29T23:00:00Z", false), // 1 March, a Wednesday
            ],
        );
    }

    #[test]
    fn of_two_sets_with_one_date_the_first_listed_wins() {
        let first = SpecialSpans {
            special_days: SpecialDaysId::parse("short").unwrap(),
            spans: spans(&[(600, 660)]),
        };
        let second = SpecialSpans {
            special_days: SpecialDaysId::parse("closed").unwrap(),
            spans: vec![],
        };
        let sets = BTreeMap::from([
            special_days("closed", &["2026-12-24"]),
            special_days("short", &["2026-12-24"]),
        ]);
        let compiled = |special| {
            let schedule = Schedule {
                special,
                ..office_hours()
            };
            CompiledSchedule::new(&schedule, &sets)
        };
        let ten = ("2026-12-24T09:30:00Z", true);
        check(
            &compiled(vec![first.clone(), second.clone()]),
            &[ten, ("2026-12-24T11:00:00Z", false)],
        );
        check(
            &compiled(vec![second, first]),
            &[("2026-12-24T09:30:00Z", false)],
        );
    }

    #[test]
    fn always_holds_in_every_minute_of_the_week() {
        let always = CompiledSchedule::always();
        let monday = date("2026-11-23");
        for day in 0..7 {
            for minute_of_day in 0..MINUTES_PER_DAY {
                let local = LocalTime {
                    date: monday + chrono::Days::new(day),
                    minute_of_day,
                    second: 0,
                    utc_offset_min: 60,
                };
                assert!(always.holds(&local), "{local:?}");
            }
        }
    }
}
