//! Weekly schedules and special days, in the site's zone.

use chrono::NaiveDate;

use super::{DisplayName, ScheduleId, SpecialDaysId};

/// Minutes in a day.
pub const MINUTES_PER_DAY: u32 = 1_440;

/// A span that does not lie in a day.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidSpan {
    /// Not 1..=7.
    #[error("a weekday is 1 (Monday) to 7 (Sunday)")]
    Weekday,
    /// Empty, or not within 0..=1440.
    #[error("a span begins at minute 0 to 1439 and ends after that, at 1440 at the latest")]
    Minutes,
}

/// A day of the week.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Weekday(u8);

impl Weekday {
    /// From its ISO number, 1 = Monday .. 7 = Sunday.
    pub fn new(number: u32) -> Result<Self, InvalidSpan> {
        u8::try_from(number)
            .ok()
            .filter(|n| (1..=7).contains(n))
            .map(Self)
            .ok_or(InvalidSpan::Weekday)
    }

    /// Its ISO number.
    pub fn number(self) -> u32 {
        u32::from(self.0)
    }

    pub(super) fn from_chrono(day: chrono::Weekday) -> Self {
        Self(u8::try_from(day.number_from_monday()).unwrap_or(1))
    }
}

/// A span within a day, in minutes; half open, never empty.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct DaySpan {
    from_minute: u32,
    until_minute: u32,
}

impl DaySpan {
    /// The whole day.
    pub const WHOLE: Self = Self {
        from_minute: 0,
        until_minute: MINUTES_PER_DAY,
    };

    /// From its first minute (0..=1439) until the minute at which it has ended (..=1440).
    pub fn new(from_minute: u32, until_minute: u32) -> Result<Self, InvalidSpan> {
        if from_minute < until_minute && until_minute <= MINUTES_PER_DAY {
            Ok(Self {
                from_minute,
                until_minute,
            })
        } else {
            Err(InvalidSpan::Minutes)
        }
    }

    /// Its first minute.
    pub fn from_minute(self) -> u32 {
        self.from_minute
    }

    /// The minute at which it has ended.
    pub fn until_minute(self) -> u32 {
        self.until_minute
    }

    /// Whether a minute of the day lies within.
    pub fn holds(self, minute_of_day: u32) -> bool {
        (self.from_minute..self.until_minute).contains(&minute_of_day)
    }
}

/// A span on one weekday.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct WeeklySpan {
    /// The day.
    pub weekday: Weekday,
    /// The span.
    pub span: DaySpan,
}

/// What a schedule does on a set of special days, instead of the week.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SpecialSpans {
    /// The set.
    pub special_days: SpecialDaysId,
    /// When it holds on such a day; empty means never.
    pub spans: Vec<DaySpan>,
}

/// Times of the week, with exceptions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Schedule {
    /// Its id; never `always`, which is built in.
    pub id: ScheduleId,
    /// Name shown to people.
    pub display_name: DisplayName,
    /// When it holds on ordinary days.
    pub weekly: Vec<WeeklySpan>,
    /// When it holds on special days; where a date is in several sets the first listed is used.
    pub special: Vec<SpecialSpans>,
}

/// A named set of dates.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SpecialDays {
    /// Its id.
    pub id: SpecialDaysId,
    /// Name shown to people.
    pub display_name: DisplayName,
    /// The dates, in the site's zone.
    pub dates: Vec<NaiveDate>,
}
