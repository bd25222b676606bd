//! Dates and times as people write them, in the site's zone.

use chrono::{DateTime, NaiveDate, NaiveDateTime, Timelike as _};

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
