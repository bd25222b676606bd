//! Spans and lengths of time as people write them: `mon-fri 07:00-18:00`, `08:00-12:00`, `5s`.

use crate::pb::v1::{DaySpan, WeeklySpan};
use crate::types;

const WEEKDAYS: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];

/// Reads `DAYS FROM-UNTIL`. Days are `mon` to `sun`, ranges, lists, or `daily`.
pub(super) fn weekly_spans(text: &str) -> Result<Vec<WeeklySpan>, String> {
    let fault = |why: &str| format!("expected `mon-fri 07:00-18:00`, found `{text}`: {why}");
    let (days, times) = text
        .trim()
        .split_once(' ')
        .ok_or_else(|| fault("days, a space, and times"))?;
    let span = times_of(times.trim()).map_err(|why| fault(&why))?;
    let weekdays = weekdays_of(days).map_err(|why| fault(&why))?;
    Ok(weekdays
        .into_iter()
        .map(|weekday| WeeklySpan {
            weekday,
            from_minute: span.from_minute(),
            until_minute: span.until_minute(),
        })
        .collect())
}

/// Reads `FROM-UNTIL`.
pub(super) fn day_span(text: &str) -> Result<DaySpan, String> {
    times_of(text.trim())
        .map(|span| DaySpan {
            from_minute: span.from_minute(),
            until_minute: span.until_minute(),
        })
        .map_err(|why| format!("expected `08:00-12:00`, found `{text}`: {why}"))
}

/// Reads a length of time in seconds, to the tenth, or in minutes: `5s`, `0.5s`, `2min`.
pub(super) fn duration(text: &str) -> Result<prost_types::Duration, String> {
    let fault = || format!("expected a time such as `5s`, `0.5s` or `2min`, found `{text}`");
    let (number, tenths_each) = match text.strip_suffix("min") {
        Some(number) => (number, 600),
        None => (text.strip_suffix('s').ok_or_else(fault)?, 10),
    };
    let (whole, tenth) = match number.split_once('.') {
        Some((whole, tenth)) if tenths_each == 10 && tenth.len() == 1 => (whole, tenth),
        Some(_) => return Err(fault()),
        None => (number, "0"),
    };
    let digits = |part: &str| {
        let is_number = (1..=6).contains(&part.len()) && part.bytes().all(|c| c.is_ascii_digit());
        is_number.then(|| part.parse::<i64>().ok()).flatten()
    };
    let (whole, tenth) = digits(whole).zip(digits(tenth)).ok_or_else(fault)?;
    let tenths = whole.saturating_mul(tenths_each).saturating_add(tenth);
    let nanos = i32::try_from((tenths % 10).saturating_mul(100_000_000)).unwrap_or_default();
    Ok(prost_types::Duration {
        seconds: tenths / 10,
        nanos,
    })
}

fn times_of(text: &str) -> Result<types::DaySpan, String> {
    let (from, until) = text.split_once('-').ok_or("two times with a - between")?;
    let (from, until) = (minute_of(from)?, minute_of(until)?);
    if until <= from {
        return Err("it ends before it begins; write one span to 24:00 and one from 00:00".into());
    }
    types::DaySpan::new(from, until).map_err(|error| error.to_string())
}

fn minute_of(text: &str) -> Result<u32, String> {
    let fault = || format!("`{text}` is not a time from 00:00 to 24:00");
    let digits = |part: &str| part.len() == 2 && part.bytes().all(|c| c.is_ascii_digit());
    let (hour, minute) = text
        .trim()
        .split_once(':')
        .filter(|(hour, minute)| digits(hour) && digits(minute))
        .ok_or_else(fault)?;
    let (hour, minute) = (hour.parse::<u32>(), minute.parse::<u32>());
    let (Ok(hour), Ok(minute)) = (hour, minute) else {
        return Err(fault());
    };
    let all = hour.saturating_mul(60).saturating_add(minute);
    if minute < 60 && all <= types::MINUTES_PER_DAY {
        Ok(all)
    } else {
        Err(fault())
    }
}

/// ISO numbers of the weekdays, each once, Monday first.
fn weekdays_of(text: &str) -> Result<Vec<u32>, String> {
    if text == "daily" {
        return Ok((1..=7).collect());
    }
    let mut days = Vec::new();
    for part in text.split(',') {
        match part.split_once('-') {
            Some((first, last)) => {
                let (first, last) = (weekday_of(first)?, weekday_of(last)?);
                if last < first {
                    return Err(format!("`{part}` runs backwards"));
                }
                days.extend(first..=last);
            }
            None => days.push(weekday_of(part)?),
        }
    }
    days.sort_unstable();
    days.dedup();
    Ok(days)
}

fn weekday_of(text: &str) -> Result<u32, String> {
    WEEKDAYS
        .iter()
        .zip(1..)
        .find(|(name, _)| **name == text)
        .map(|(_, number)| number)
        .ok_or_else(|| format!("`{text}` is not a day from mon to sun, nor `daily`"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shape(text: &str) -> Result<Vec<(u32, u32, u32)>, String> {
        let triple = |s: WeeklySpan| (s.weekday, s.from_minute, s.until_minute);
        weekly_spans(text).map(|spans| spans.into_iter().map(triple).collect())
    }

    #[test]
    fn spans_read_as_people_write_them() {
        assert_eq!(
            shape("mon-tue 07:00-18:30").unwrap(),
            [(1, 420, 1110), (2, 420, 1110)]
        );
        assert_eq!(
            shape("sun,fri 00:00-24:00").unwrap(),
            [(5, 0, 1440), (7, 0, 1440)]
        );
        assert_eq!(shape("daily 00:00-00:01").unwrap().len(), 7);
    }

    #[test]
    fn lengths_of_time_read_as_people_write_them() {
        let read = |text: &str| duration(text).map(|d| (d.seconds, d.nanos));
        assert_eq!(read("5s"), Ok((5, 0)));
        assert_eq!(read("0.5s"), Ok((0, 500_000_000)));
        assert_eq!(read("2min"), Ok((120, 0)));
        for bad in [
            "", "s", "5", "5 s", "-5s", "+5s", ".5s", "5.s", "0.55s", "1.5min", "5ms", "5S",
            "9999999s",
        ] {
            assert!(duration(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn spans_that_are_none_are_refused() {
        for bad in [
            "",
            "mon",
            "mon 7-18",
            "mon 07:00",
            "monday 07:00-18:00",
            "fri-mon 07:00-18:00",
            "mon 22:00-06:00",
            "mon 07:00-24:01",
            "mon 07:60-08:00",
            "mon +7:00-08:00",
            "mon 07:00-07:00",
        ] {
            assert!(shape(bad).is_err(), "{bad}");
        }
    }
}
