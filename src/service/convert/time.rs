//! Instants, validities, schedules and special days.

use chrono::NaiveDate;

use super::{Line, Reading};
use crate::pb::v1 as pb;
use crate::store::directory::Problem;
use crate::types::{
    DaySpan, DisplayName, InvalidSpan, InvalidTime, Schedule, ScheduleId, SpecialDays,
    SpecialDaysId, SpecialSpans, UtcTime, Validity, Weekday, WeeklySpan,
};

/// Most spans in a week: twelve a day. Bounds here keep rows under 4 KiB.
const WEEKLY_SPANS_MAX: usize = 84;
/// Most sets of special days in one schedule.
const SPECIAL_MAX: usize = 24;
/// Most spans on a special day.
const SPECIAL_SPANS_MAX: usize = 8;
/// Most dates in a set; 300 of ten characters stay under 4 KiB.
const DATES_MAX: usize = 300;

/// An instant; fractions of a second are cut off.
pub(in crate::service) fn instant(time: &prost_types::Timestamp) -> Result<UtcTime, InvalidTime> {
    if !(0..1_000_000_000).contains(&time.nanos) {
        return Err(InvalidTime::Range);
    }
    UtcTime::from_unix(time.seconds)
}

/// An instant as a message.
pub(in crate::service) fn timestamp_message(time: UtcTime) -> prost_types::Timestamp {
    prost_types::Timestamp {
        seconds: time.unix(),
        nanos: 0,
    }
}

/// From `valid_from` and `valid_until`.
pub(super) fn validity(
    line: &mut Line<'_>,
    from: Option<&prost_types::Timestamp>,
    until: Option<&prost_types::Timestamp>,
) -> Reading<Validity> {
    let from = line.keep("valid_from", from.map(instant).transpose());
    let until = line.keep("valid_until", until.map(instant).transpose());
    line.keep("valid_until", Validity::new(from?, until?))
}

pub(super) fn schedule(line: &mut Line<'_>, message: &pb::Schedule) -> Reading<Schedule> {
    let id = line.text("name", &message.name, ScheduleId::from_name);
    let display_name = line.text("display_name", &message.display_name, DisplayName::parse);
    let weekly = line.each("weekly", &message.weekly, WEEKLY_SPANS_MAX, weekly_span);
    let special = line.each("special", &message.special, SPECIAL_MAX, special_spans);
    Some(Schedule {
        id: id?,
        display_name: display_name?,
        weekly: weekly?,
        special: special?,
    })
}

fn weekly_span(line: &mut Line<'_>, field: &str, message: &pb::WeeklySpan) -> Reading<WeeklySpan> {
    let read = || {
        Ok::<_, InvalidSpan>(WeeklySpan {
            weekday: Weekday::new(message.weekday)?,
            span: DaySpan::new(message.from_minute, message.until_minute)?,
        })
    };
    line.keep(field, read())
}

fn special_spans(
    line: &mut Line<'_>,
    field: &str,
    message: &pb::SpecialDaysSpans,
) -> Reading<SpecialSpans> {
    let id_field = format!("{field}.special_days");
    let special_days = line.text(&id_field, &message.special_days, SpecialDaysId::from_name);
    let spans_field = format!("{field}.spans");
    let spans = line.each(
        &spans_field,
        &message.spans,
        SPECIAL_SPANS_MAX,
        |line, field, s| line.keep(field, DaySpan::new(s.from_minute, s.until_minute)),
    );
    Some(SpecialSpans {
        special_days: special_days?,
        spans: spans?,
    })
}

pub(super) fn special_days(line: &mut Line<'_>, message: &pb::SpecialDays) -> Reading<SpecialDays> {
    let id = line.text("name", &message.name, SpecialDaysId::from_name);
    let display_name = line.text("display_name", &message.display_name, DisplayName::parse);
    let dates = line.each("dates", &message.dates, DATES_MAX, date);
    Some(SpecialDays {
        id: id?,
        display_name: display_name?,
        dates: dates?,
    })
}

fn date(line: &mut Line<'_>, field: &str, text: &String) -> Reading<NaiveDate> {
    let date = NaiveDate::parse_from_str(text, "%Y-%m-%d");
    let read = date.ok().filter(|d| d.to_string() == *text);
    if read.is_none() {
        let expected = "must be a date as YYYY-MM-DD".to_owned();
        line.fault(field, Problem::Malformed(expected));
    }
    read
}

/// A schedule as a message.
pub(in crate::service) fn schedule_message(schedule: &Schedule) -> pb::Schedule {
    let weekly = schedule.weekly.iter().map(|weekly| pb::WeeklySpan {
        weekday: weekly.weekday.number(),
        from_minute: weekly.span.from_minute(),
        until_minute: weekly.span.until_minute(),
    });
    let span = |span: &DaySpan| pb::DaySpan {
        from_minute: span.from_minute(),
        until_minute: span.until_minute(),
    };
    let special = schedule.special.iter().map(|special| pb::SpecialDaysSpans {
        special_days: special.special_days.name(),
        spans: special.spans.iter().map(span).collect(),
    });
    pb::Schedule {
        name: schedule.id.name(),
        display_name: schedule.display_name.reveal().to_owned(),
        weekly: weekly.collect(),
        special: special.collect(),
    }
}

/// A set of special days as a message.
pub(in crate::service) fn special_days_message(days: &SpecialDays) -> pb::SpecialDays {
    pb::SpecialDays {
        name: days.id.name(),
        display_name: days.display_name.reveal().to_owned(),
        dates: days.dates.iter().map(ToString::to_string).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::directory::Faults;

    fn read<T>(read: impl FnOnce(&mut Line<'_>) -> Reading<T>) -> Result<T, Vec<String>> {
        let mut faults = Faults::new();
        let value = read(&mut Line {
            number: 3,
            root: "schedule",
            faults: &mut faults,
        });
        value.ok_or_else(|| faults.list().iter().map(ToString::to_string).collect())
    }

    fn office() -> pb::Schedule {
        pb::Schedule {
            name: "schedules/office".to_owned(),
            display_name: "Office hours".to_owned(),
            weekly: vec![pb::WeeklySpan {
                weekday: 1,
                from_minute: 480,
                until_minute: 1020,
            }],
            special: vec![pb::SpecialDaysSpans {
                special_days: "specialDays/holidays".to_owned(),
                spans: vec![pb::DaySpan {
                    from_minute: 600,
                    until_minute: 660,
                }],
            }],
        }
    }

    #[test]
    fn a_schedule_comes_back_as_it_was_sent() {
        let message = office();
        let schedule = read(|line| schedule(line, &message)).unwrap();
        assert_eq!(schedule_message(&schedule), message);
    }

    #[test]
    fn every_fault_of_a_schedule_is_told_with_its_path() {
        let mut message = office();
        message.display_name.clear();
        message.weekly[0].weekday = 8;
        message.special[0].spans[0].until_minute = 600;
        assert_eq!(
            read(|line| schedule(line, &message)).unwrap_err(),
            [
                "line 3: schedule.display_name: is required",
                "line 3: schedule.weekly[0]: a weekday is 1 (Monday) to 7 (Sunday)",
                "line 3: schedule.special[0].spans[0]: a span begins at minute 0 to 1439 and \
                 ends after that, at 1440 at the latest",
            ]
        );
    }

    #[test]
    fn only_whole_dates_are_dates() {
        for bad in ["2026-2-3", "2026-02-30", "", "03.02.2026"] {
            let message = pb::SpecialDays {
                name: "specialDays/x".to_owned(),
                display_name: "X".to_owned(),
                dates: vec![bad.to_owned()],
            };
            assert!(read(|line| special_days(line, &message)).is_err(), "{bad}");
        }
    }

    #[test]
    fn an_instant_outside_of_time_is_refused() {
        let at = |seconds, nanos| instant(&prost_types::Timestamp { seconds, nanos });
        assert_eq!(at(-1, 0), Err(InvalidTime::Range));
        assert_eq!(at(0, -1), Err(InvalidTime::Range));
        assert_eq!(at(i64::MAX, 0), Err(InvalidTime::Range));
        assert_eq!(at(7, 999).map(UtcTime::unix), Ok(7));
    }
}
