//! Three kinds of time: UTC seconds that are stored, local time that schedules are read in, and
//! monotonic moments that deadlines are measured with. None converts into another by accident.

use std::time::Duration;

use chrono::{DateTime, Datelike as _, NaiveDate, Offset as _, TimeZone as _, Timelike as _, Utc};

use super::Weekday;

/// Time that is not one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidTime {
    /// Outside the years 1970..=9999.
    #[error("must lie in the years 1970 to 9999")]
    Range,
    /// Not a zone of the IANA database.
    #[error("must be an IANA time zone such as Europe/Stockholm")]
    Zone,
    /// The end of a validity is not after its beginning.
    #[error("the end must lie after the beginning")]
    Order,
    /// The local time does not exist: the clocks skip it.
    #[error("this local time does not exist, the clocks skip it")]
    Skipped,
}

/// Last second of the year 9999, the end of what dates can be printed as.
const UTC_MAX: i64 = 253_402_300_799;

/// An instant, stored as Unix seconds; 1970..=9999.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UtcTime(i64);

impl UtcTime {
    /// The first instant, 1970-01-01T00:00:00Z.
    pub const EPOCH: Self = Self(0);

    /// From Unix seconds.
    pub fn from_unix(seconds: i64) -> Result<Self, InvalidTime> {
        if (0..=UTC_MAX).contains(&seconds) {
            Ok(Self(seconds))
        } else {
            Err(InvalidTime::Range)
        }
    }

    /// Unix seconds.
    pub fn unix(self) -> i64 {
        self.0
    }

    /// So many seconds later, no later than the year 9999.
    #[must_use]
    pub fn plus_seconds(self, seconds: u32) -> Self {
        Self(self.0.saturating_add(i64::from(seconds)).min(UTC_MAX))
    }

    /// Seconds from `earlier` to this, 0 if it is not earlier.
    pub fn seconds_since(self, earlier: Self) -> u64 {
        u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0)
    }

    /// RFC 3339, for example `2026-11-23T08:15:00Z`.
    pub fn rfc3339(self) -> String {
        self.to_chrono().format("%Y-%m-%dT%H:%M:%SZ").to_string()
    }

    fn to_chrono(self) -> DateTime<Utc> {
        DateTime::from_timestamp(self.0, 0).unwrap_or(DateTime::UNIX_EPOCH)
    }
}

/// A monotonic instant: time since this program started. Never stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Moment(Duration);

impl Moment {
    /// From the time since the program started.
    pub fn from_start(elapsed: Duration) -> Self {
        Self(elapsed)
    }

    /// Time from `earlier` to this, zero if it is not earlier.
    pub fn since(self, earlier: Self) -> Duration {
        self.0.saturating_sub(earlier.0)
    }

    /// This much later.
    #[must_use]
    pub fn plus(self, time: Duration) -> Self {
        Self(self.0.saturating_add(time))
    }
}

/// One reading of both clocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Now {
    /// The wall clock.
    pub utc: UtcTime,
    /// The monotonic clock.
    pub moment: Moment,
}

/// The site's time zone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SiteZone(chrono_tz::Tz);

impl SiteZone {
    /// Parses an IANA name.
    pub fn parse(name: &str) -> Result<Self, InvalidTime> {
        name.parse().map(Self).map_err(|_| InvalidTime::Zone)
    }

    /// The IANA name.
    pub fn name(self) -> &'static str {
        self.0.name()
    }

    /// What the site's clocks show at this instant.
    pub fn local(self, at: UtcTime) -> LocalTime {
        let local = at.to_chrono().with_timezone(&self.0);
        LocalTime {
            date: local.date_naive(),
            minute_of_day: local.hour() * 60 + local.minute(),
            second: local.second(),
            utc_offset_min: local.offset().fix().local_minus_utc() / 60,
        }
    }

    /// The first instant at which the site's clocks show this date and minute of the day.
    ///
    /// Of an hour that exists twice the first is meant; one that is skipped is an error.
    pub fn instant(self, date: NaiveDate, minute_of_day: u32) -> Result<UtcTime, InvalidTime> {
        let naive = date
            .and_hms_opt(minute_of_day / 60, minute_of_day % 60, 0)
            .ok_or(InvalidTime::Range)?;
        let found = self
            .0
            .from_local_datetime(&naive)
            .earliest()
            .ok_or(InvalidTime::Skipped)?;
        UtcTime::from_unix(found.timestamp())
    }

    /// The first instant of a date: midnight, or where midnight is skipped the first minute after.
    pub fn start_of_day(self, date: NaiveDate) -> Result<UtcTime, InvalidTime> {
        (0..=180)
            .step_by(15)
            .find_map(|minute| self.instant(date, minute).ok())
            .ok_or(InvalidTime::Skipped)
    }
}

/// What the site's clocks show.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LocalTime {
    /// Date.
    pub date: NaiveDate,
    /// Minute of the day, 0..=1439.
    pub minute_of_day: u32,
    /// Second of the minute, 0..=59.
    pub second: u32,
    /// Offset from UTC in minutes.
    pub utc_offset_min: i32,
}

impl LocalTime {
    /// Weekday of the date.
    pub fn weekday(&self) -> Weekday {
        Weekday::from_chrono(self.date.weekday())
    }
}

/// From when until when something holds. Half open: the end no longer belongs to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Validity {
    from: Option<UtcTime>,
    until: Option<UtcTime>,
}

/// Where an instant lies in a validity.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ValidityState {
    /// Before the beginning.
    NotYet,
    /// Within.
    Holds,
    /// At or after the end.
    Over,
}

impl Validity {
    /// Without beginning or end.
    pub const ALWAYS: Self = Self {
        from: None,
        until: None,
    };

    /// From a beginning and an end, either of which may be missing.
    pub fn new(from: Option<UtcTime>, until: Option<UtcTime>) -> Result<Self, InvalidTime> {
        match (from, until) {
            (Some(from), Some(until)) if until <= from => Err(InvalidTime::Order),
            _ => Ok(Self { from, until }),
        }
    }

    /// The beginning.
    pub fn from(&self) -> Option<UtcTime> {
        self.from
    }

    /// The end, which no longer belongs to it.
    pub fn until(&self) -> Option<UtcTime> {
        self.until
    }

    /// Where an instant lies.
    pub fn at(&self, now: UtcTime) -> ValidityState {
        if self.from.is_some_and(|from| now < from) {
            ValidityState::NotYet
        } else if self.until.is_some_and(|until| now >= until) {
            ValidityState::Over
        } else {
            ValidityState::Holds
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn zone() -> SiteZone {
        SiteZone::parse("Europe/Stockholm").unwrap()
    }

    fn date(y: i32, m: u32, d: u32) -> NaiveDate {
        NaiveDate::from_ymd_opt(y, m, d).unwrap()
    }

    #[test]
    fn an_hour_exists_twice_in_october() {
        let first = zone().instant(date(2026, 10, 25), 2 * 60 + 30).unwrap();
        let second = first.plus_seconds(3600);
        let (a, b) = (zone().local(first), zone().local(second));
        assert_eq!((a.minute_of_day, a.utc_offset_min), (150, 120));
        assert_eq!((b.minute_of_day, b.utc_offset_min), (150, 60));
    }

    #[test]
    fn an_hour_is_missing_in_march() {
        assert_eq!(
            zone().instant(date(2026, 3, 29), 150),
            Err(InvalidTime::Skipped)
        );
        let before = zone().instant(date(2026, 3, 29), 119).unwrap();
        assert_eq!(zone().local(before.plus_seconds(60)).minute_of_day, 180);
    }

    #[test]
    fn validity_is_half_open() {
        let t = |s| UtcTime::from_unix(s).unwrap();
        let v = Validity::new(Some(t(10)), Some(t(20))).unwrap();
        assert_eq!(v.at(t(9)), ValidityState::NotYet);
        assert_eq!(v.at(t(10)), ValidityState::Holds);
        assert_eq!(v.at(t(19)), ValidityState::Holds);
        assert_eq!(v.at(t(20)), ValidityState::Over);
        assert_eq!(
            Validity::new(Some(t(5)), Some(t(5))),
            Err(InvalidTime::Order)
        );
    }
}
