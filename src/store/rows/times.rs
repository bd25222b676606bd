//! Schedules and special days as rows.

use chrono::NaiveDate;

use super::{DamagedField, Stored, damaged, differing};
use crate::pb::store as pb;
use crate::store::tables;
use crate::types::{
    DaySpan, DisplayName, Schedule, ScheduleId, SpecialDays, SpecialDaysId, SpecialSpans, Weekday,
    WeeklySpan,
};

impl Stored for Schedule {
    type Table = tables::Schedules;

    fn key(&self) -> &str {
        self.id.as_str()
    }

    fn name(&self) -> String {
        self.id.name()
    }

    fn to_row(&self) -> pb::ScheduleRow {
        let weekly = |weekly: &WeeklySpan| pb::WeeklySpanRow {
            weekday: weekly.weekday.number(),
            from_minute: weekly.span.from_minute(),
            until_minute: weekly.span.until_minute(),
        };
        let span = |span: &DaySpan| pb::DaySpanRow {
            from_minute: span.from_minute(),
            until_minute: span.until_minute(),
        };
        let special = |special: &SpecialSpans| pb::SpecialSpansRow {
            special_days: special.special_days.to_string(),
            spans: special.spans.iter().map(span).collect(),
        };
        pb::ScheduleRow {
            display_name: self.display_name.reveal().to_owned(),
            weekly: self.weekly.iter().map(weekly).collect(),
            special: self.special.iter().map(special).collect(),
        }
    }

    fn from_row(key: &str, row: &pb::ScheduleRow) -> Result<Self, DamagedField> {
        let weekly = row.weekly.iter().map(weekly_span);
        let special = row.special.iter().map(special_spans);
        Ok(Self {
            id: ScheduleId::parse(key).map_err(damaged("key"))?,
            display_name: DisplayName::parse(&row.display_name).map_err(damaged("display_name"))?,
            weekly: weekly.collect::<Result<_, _>>()?,
            special: special.collect::<Result<_, _>>()?,
        })
    }

    fn differences(&self, other: &Self) -> Vec<&'static str> {
        differing!(self, other; display_name, weekly, special)
    }
}

fn weekly_span(row: &pb::WeeklySpanRow) -> Result<WeeklySpan, DamagedField> {
    Ok(WeeklySpan {
        weekday: Weekday::new(row.weekday).map_err(damaged("weekly"))?,
        span: DaySpan::new(row.from_minute, row.until_minute).map_err(damaged("weekly"))?,
    })
}

fn special_spans(row: &pb::SpecialSpansRow) -> Result<SpecialSpans, DamagedField> {
    let spans = row
        .spans
        .iter()
        .map(|s| DaySpan::new(s.from_minute, s.until_minute));
    Ok(SpecialSpans {
        special_days: SpecialDaysId::parse(&row.special_days).map_err(damaged("special"))?,
        spans: spans
            .collect::<Result<_, _>>()
            .map_err(damaged("special"))?,
    })
}

impl Stored for SpecialDays {
    type Table = tables::SpecialDaysSets;

    fn key(&self) -> &str {
        self.id.as_str()
    }

    fn name(&self) -> String {
        self.id.name()
    }

    fn to_row(&self) -> pb::SpecialDaysRow {
        pb::SpecialDaysRow {
            display_name: self.display_name.reveal().to_owned(),
            dates: self.dates.iter().map(ToString::to_string).collect(),
        }
    }

    fn from_row(key: &str, row: &pb::SpecialDaysRow) -> Result<Self, DamagedField> {
        let dates = row.dates.iter().map(|d| d.parse::<NaiveDate>());
        Ok(Self {
            id: SpecialDaysId::parse(key).map_err(damaged("key"))?,
            display_name: DisplayName::parse(&row.display_name).map_err(damaged("display_name"))?,
            dates: dates.collect::<Result<_, _>>().map_err(damaged("dates"))?,
        })
    }

    fn differences(&self, other: &Self) -> Vec<&'static str> {
        differing!(self, other; display_name, dates)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_schedule_reads_back_as_it_was_written() {
        let schedule = Schedule {
            id: ScheduleId::parse("office").unwrap(),
            display_name: DisplayName::parse("Office hours").unwrap(),
            weekly: vec![WeeklySpan {
                weekday: Weekday::new(5).unwrap(),
                span: DaySpan::new(480, 1020).unwrap(),
            }],
            special: vec![SpecialSpans {
                special_days: SpecialDaysId::parse("holidays").unwrap(),
                spans: Vec::new(),
            }],
        };
        assert_eq!(
            Schedule::from_row("office", &schedule.to_row()),
            Ok(schedule)
        );
    }

    #[test]
    fn special_days_read_back_as_they_were_written() {
        let days = SpecialDays {
            id: SpecialDaysId::parse("holidays").unwrap(),
            display_name: DisplayName::parse("Helgdagar").unwrap(),
            dates: vec![NaiveDate::from_ymd_opt(2028, 2, 29).unwrap()],
        };
        let row = days.to_row();
        assert_eq!(row.dates, ["2028-02-29"]);
        assert_eq!(SpecialDays::from_row("holidays", &row), Ok(days));
    }
}
