//! Schedules and special days.

use chrono::NaiveDate;

use super::item::{Item, Reader};
use super::spans::{day_span, weekly_spans};
use crate::pb::v1::site_part::Part;
use crate::pb::v1::{Schedule, SpecialDays, SpecialDaysSpans};
use crate::types::{DisplayName, ScheduleId, SpecialDaysId};

pub(super) fn special_days(reader: &mut Reader, mut item: Item<'_>) -> Vec<Part> {
    let name = item.id(reader, "id", |id| {
        SpecialDaysId::parse(id).map(|id| id.name())
    });
    let display_name = item.checked(reader, "name", DisplayName::parse);
    let key = item.key("dates");
    let mut dates = Vec::new();
    for found in item.texts(reader, "dates") {
        if NaiveDate::parse_from_str(&found.text, "%Y-%m-%d").is_ok() {
            dates.push(found.text);
        } else {
            let what = format!("expected dates as 2026-12-24, found `{}`", found.text);
            reader.faults.push(found.line, key.clone(), what);
        }
    }
    item.finish(reader);
    vec![Part::SpecialDays(SpecialDays {
        name,
        display_name,
        dates,
    })]
}

pub(super) fn schedule(reader: &mut Reader, mut item: Item<'_>) -> Vec<Part> {
    let name = item.id(reader, "id", schedule_name);
    let display_name = item.checked(reader, "name", DisplayName::parse);
    let key = item.key("weekly");
    let mut weekly = Vec::new();
    for found in item.texts(reader, "weekly") {
        match weekly_spans(&found.text) {
            Ok(spans) => weekly.extend(spans),
            Err(what) => reader.faults.push(found.line, key.clone(), what),
        }
    }
    let special = item
        .table(reader, "special")
        .map(|table| special_spans(reader, table))
        .unwrap_or_default();
    item.finish(reader);
    vec![Part::Schedule(Schedule {
        name,
        display_name,
        weekly,
        special,
    })]
}

fn schedule_name(id: &str) -> Result<String, String> {
    let id = ScheduleId::parse(id).map_err(|error| error.to_string())?;
    if id.is_always() {
        return Err("`always` is built in and cannot be described".to_owned());
    }
    Ok(id.name())
}

/// `special = { holidays = [], eves = ["08:00-12:00"] }`, in the order in which it is written.
fn special_spans(reader: &mut Reader, mut item: Item<'_>) -> Vec<SpecialDaysSpans> {
    let mut special = Vec::new();
    for (set, texts) in item.arrays_by_key(reader) {
        let key = item.key(&set.text);
        let special_days = match SpecialDaysId::parse(&set.text) {
            Ok(id) => id.name(),
            Err(error) => {
                reader.faults.push(set.line, key.clone(), error.to_string());
                String::new()
            }
        };
        let mut spans = Vec::new();
        for found in texts {
            match day_span(&found.text) {
                Ok(span) => spans.push(span),
                Err(what) => reader.faults.push(found.line, key.clone(), what),
            }
        }
        special.push(SpecialDaysSpans {
            special_days,
            spans,
        });
    }
    special
}
