//! Dates and times as people write them, in the site's zone.

use std::time::Duration;

use chrono::{DateTime, NaiveDate, NaiveDateTime, NaiveTime, Timelike as _};

use crate::types::{InvalidTime, SiteZone, UtcTime};

/// What is meant by a date without a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Edge {
    /// The beginning of the day.
    From,
    /// The end of the day: the first instant of the next.
    Until,
}

/// A time that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UnreadableTime {
    /// In none of the forms.
    #[error("expected YYYY-MM-DD, YYYY-MM-DD HH:MM or 2026-11-23T08:15:00Z, found `{0}`")]
    Form(String),
    /// No such time at the site.
    #[error("`{0}`: {1}")]
    Time(String, InvalidTime),
}

/// A duration that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expected a duration such as 90s, 10m or 1h30m, found `{0}`")]
pub struct UnreadableDuration(String);

/// Reads `YYYY-MM-DD`, `YYYY-MM-DD HH:MM[:SS]` (also with `T`), both in the site's zone, or
/// RFC 3339 with `Z` or an offset.
pub fn parse_instant(zone: SiteZone, text: &str, edge: Edge) -> Result<UtcTime, UnreadableTime> {
    let text = text.trim();
    let invalid = |error| UnreadableTime::Time(text.to_owned(), error);
    if let Ok(exact) = DateTime::parse_from_rfc3339(text) {
        return UtcTime::from_unix(exact.timestamp()).map_err(invalid);
    }
    if let Ok(date) = NaiveDate::parse_from_str(text, "%Y-%m-%d") {
        let day = match edge {
            Edge::From => Some(date),
            Edge::Until => date.succ_opt(),
        };
        return day
            .ok_or(InvalidTime::Range)
            .and_then(|day| zone.start_of_day(day))
            .map_err(invalid);
    }
    let local = [
        "%Y-%m-%d %H:%M",
        "%Y-%m-%dT%H:%M",
        "%Y-%m-%d %H:%M:%S",
        "%Y-%m-%dT%H:%M:%S",
    ]
    .iter()
    .find_map(|form| NaiveDateTime::parse_from_str(text, form).ok())
    .ok_or_else(|| UnreadableTime::Form(text.to_owned()))?;
    let minute_of_day = local
        .hour()
        .saturating_mul(60)
        .saturating_add(local.minute());
    zone.instant(local.date(), minute_of_day)
        .map(|instant| instant.plus_seconds(local.second()))
        .map_err(invalid)
}

/// Reads until when something lasts: `HH:MM`, the next time that the site's clocks show it, or
/// what [`parse_instant`] reads.
pub fn parse_until(zone: SiteZone, text: &str, now: UtcTime) -> Result<UtcTime, UnreadableTime> {
    let text = text.trim();
    let Ok(time) = NaiveTime::parse_from_str(text, "%H:%M") else {
        return parse_instant(zone, text, Edge::Until);
    };
    let minute_of_day = time.hour().saturating_mul(60).saturating_add(time.minute());
    let today = zone.local(now).date;
    let on = |date| zone.instant(date, minute_of_day);
    let ahead = |found: &Result<UtcTime, _>| found.map_or(true, |at| at > now);
    Some(on(today))
        .filter(ahead)
        .or_else(|| today.succ_opt().map(on))
        .unwrap_or(Err(InvalidTime::Range))
        .map_err(|error| UnreadableTime::Time(text.to_owned(), error))
}

/// Reads how long something lasts: `90s`, `10m`, `1h30m`; more than nothing.
pub fn parse_lasting(text: &str) -> Result<Duration, UnreadableDuration> {
    let wrong = || UnreadableDuration(text.to_owned());
    let mut lasts = Duration::ZERO;
    let mut rest = text;
    while !rest.is_empty() {
        let end = rest.find(|c: char| !c.is_ascii_digit()).ok_or_else(wrong)?;
        let (digits, unit) = rest.split_at_checked(end).ok_or_else(wrong)?;
        let count: u64 = digits.parse().map_err(|_| wrong())?;
        let (seconds, after) = match unit.split_at_checked(1).ok_or_else(wrong)? {
            ("s", after) => (1, after),
            ("m", after) => (60, after),
            ("h", after) => (3_600, after),
            _ => return Err(wrong()),
        };
        let part = Duration::from_secs(count.checked_mul(seconds).ok_or_else(wrong)?);
        lasts = lasts.checked_add(part).ok_or_else(wrong)?;
        rest = after;
    }
    if lasts.is_zero() {
        return Err(wrong());
    }
    Ok(lasts)
}

/// The instant as the API carries it.
pub fn timestamp(instant: UtcTime) -> prost_types::Timestamp {
    prost_types::Timestamp {
        seconds: instant.unix(),
        nanos: 0,
    }
}

/// An instant of the API as RFC 3339 in UTC, or empty where it is unset or impossible.
pub fn show(timestamp: Option<&prost_types::Timestamp>) -> String {
    timestamp
        .and_then(|t| UtcTime::from_unix(t.seconds).ok())
        .map(UtcTime::rfc3339)
        .unwrap_or_default()
}

/// An instant of the API as a person at the site writes it, and as [`parse_instant`] reads it
/// back to the same instant: a date where it is the edge of a day, else `YYYY-MM-DD HH:MM`, else
/// RFC 3339. Empty where it is unset.
pub fn show_local(
    zone: SiteZone,
    timestamp: Option<&prost_types::Timestamp>,
    edge: Edge,
) -> String {
    let Some(instant) = timestamp.and_then(|t| UtcTime::from_unix(t.seconds).ok()) else {
        return String::new();
    };
    let local = zone.local(instant);
    let day = match edge {
        Edge::From => Some(local.date),
        Edge::Until => local.date.pred_opt(),
    };
    let (hour, minute) = (local.minute_of_day / 60, local.minute_of_day % 60);
    let date = local.date.format("%Y-%m-%d");
    let forms = [
        day.map(|day| day.format("%Y-%m-%d").to_string()),
        Some(format!("{date} {hour:02}:{minute:02}")),
    ];
    let same = |text: &String| parse_instant(zone, text, edge) == Ok(instant);
    forms
        .into_iter()
        .flatten()
        .find(same)
        .unwrap_or_else(|| instant.rfc3339())
}

/// An instant of the API to the second, as the site's clocks show it; as [`show`] where the zone is
/// not known.
pub fn show_second(zone: Option<SiteZone>, timestamp: Option<&prost_types::Timestamp>) -> String {
    let instant = timestamp.and_then(|t| UtcTime::from_unix(t.seconds).ok());
    let (Some(zone), Some(instant)) = (zone, instant) else {
        return show(timestamp);
    };
    let local = zone.local(instant);
    let (hour, minute) = (local.minute_of_day / 60, local.minute_of_day % 60);
    let date = local.date.format("%Y-%m-%d");
    format!("{date} {hour:02}:{minute:02}:{:02}", local.second)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str, edge: Edge) -> Result<String, UnreadableTime> {
        let zone = SiteZone::parse("Europe/Stockholm").unwrap();
        parse_instant(zone, text, edge).map(UtcTime::rfc3339)
    }

    #[test]
    fn a_date_means_its_whole_day_in_the_sites_zone() {
        assert_eq!(
            read("2026-12-31", Edge::From).unwrap(),
            "2026-12-30T23:00:00Z"
        );
        assert_eq!(
            read("2026-12-31", Edge::Until).unwrap(),
            "2026-12-31T23:00:00Z"
        );
        assert_eq!(
            read("2026-03-29", Edge::Until).unwrap(),
            "2026-03-29T22:00:00Z"
        );
    }

    #[test]
    fn times_are_local_unless_they_say_otherwise() {
        assert_eq!(
            read("2026-11-23 08:15", Edge::From).unwrap(),
            "2026-11-23T07:15:00Z"
        );
        assert_eq!(
            read("2026-11-23T08:15:30", Edge::From).unwrap(),
            "2026-11-23T07:15:30Z"
        );
        assert_eq!(
            read("2026-11-23T08:15:00Z", Edge::Until).unwrap(),
            "2026-11-23T08:15:00Z"
        );
        assert_eq!(
            read("2026-11-23T08:15:00+02:00", Edge::From).unwrap(),
            "2026-11-23T06:15:00Z"
        );
    }

    #[test]
    fn what_is_shown_is_read_back_as_the_same_instant() {
        let zone = SiteZone::parse("Europe/Stockholm").unwrap();
        let cases = [
            ("2023-12-31T23:00:00Z", Edge::From, "2024-01-01"),
            ("2026-12-31T23:00:00Z", Edge::Until, "2026-12-31"),
            ("2026-12-31T17:00:00Z", Edge::Until, "2026-12-31 18:00"),
            ("2026-07-01T06:00:00Z", Edge::From, "2026-07-01 08:00"),
            // Half past two of the second time: a local time would mean the first.
            ("2026-10-25T01:30:00Z", Edge::From, "2026-10-25T01:30:00Z"),
            ("2026-07-01T06:00:07Z", Edge::From, "2026-07-01T06:00:07Z"),
        ];
        for (instant, edge, expected) in cases {
            let instant = parse_instant(zone, instant, edge).unwrap();
            let shown = show_local(zone, Some(&timestamp(instant)), edge);
            assert_eq!(shown, expected);
            assert_eq!(parse_instant(zone, &shown, edge), Ok(instant));
        }
        assert_eq!(show_local(zone, None, Edge::From), "");
    }

    #[test]
    fn a_time_of_day_is_the_next_one_ahead() {
        let zone = SiteZone::parse("Europe/Stockholm").unwrap();
        let now = parse_instant(zone, "2026-11-23 08:15", Edge::From).unwrap();
        let until = |text| parse_until(zone, text, now).map(UtcTime::rfc3339);
        assert_eq!(until("08:16").unwrap(), "2026-11-23T07:16:00Z");
        assert_eq!(until("08:15").unwrap(), "2026-11-24T07:15:00Z");
        assert_eq!(until("2026-11-23").unwrap(), "2026-11-23T23:00:00Z");
        assert_eq!(
            until("2026-11-23T09:00:00Z").unwrap(),
            "2026-11-23T09:00:00Z"
        );
        assert!(until("25:00").is_err());
        let spring = parse_instant(zone, "2026-03-29 01:00", Edge::From).unwrap();
        let skipped = parse_until(zone, "02:30", spring);
        assert!(matches!(
            skipped,
            Err(UnreadableTime::Time(_, InvalidTime::Skipped))
        ));
    }

    #[test]
    fn a_duration_is_numbers_with_units() {
        let seconds = |text| parse_lasting(text).map(|lasts| lasts.as_secs());
        assert_eq!(seconds("90s"), Ok(90));
        assert_eq!(seconds("10m"), Ok(600));
        assert_eq!(seconds("1h30m5s"), Ok(5_405));
        for bad in [
            "",
            "0m",
            "10",
            "m",
            "10 m",
            "-5m",
            "1d",
            "5å",
            "99999999999999999999h",
        ] {
            assert!(seconds(bad).is_err(), "{bad}");
        }
        assert!(seconds(&format!("{}h", u64::MAX)).is_err());
    }

    #[test]
    fn seconds_are_shown_as_the_sites_clocks_show_them() {
        let at = prost_types::Timestamp {
            seconds: 7,
            nanos: 0,
        };
        let zone = SiteZone::parse("Europe/Stockholm").ok();
        assert_eq!(show_second(zone, Some(&at)), "1970-01-01 01:00:07");
        assert_eq!(show_second(None, Some(&at)), "1970-01-01T00:00:07Z");
        assert_eq!(show_second(zone, None), "");
    }

    #[test]
    fn what_is_no_time_is_refused() {
        assert!(matches!(
            read("tomorrow", Edge::From),
            Err(UnreadableTime::Form(_))
        ));
        assert!(matches!(
            read("2026-02-29", Edge::From),
            Err(UnreadableTime::Form(_))
        ));
        assert_eq!(
            read("2026-03-29 02:30", Edge::From),
            Err(UnreadableTime::Time(
                "2026-03-29 02:30".into(),
                InvalidTime::Skipped
            ))
        );
    }
}
