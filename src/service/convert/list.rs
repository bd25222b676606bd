//! Lines, entries and editions of access lists.

use super::time::{timestamp_message, validity};
use super::{Line, Reading};
use crate::pb::v1 as pb;
use crate::store::directory::Problem;
use crate::store::lists::{DraftLine, Edition, Holder, PLACES_PER_LINE_MAX};
use crate::types::{
    AccessListEntry, AreaId, BadgeNumber, CustomerId, DisplayName, DoorId, InvalidId, PersonId,
    ScheduleId, Scope, UtcTime,
};

/// The customer of `customers/{customer}/accessList`.
pub(in crate::service) fn list_parent(parent: &str) -> Result<CustomerId, InvalidId> {
    let customer = parent.strip_suffix("/accessList");
    let form = InvalidId::Collection("customers/CUSTOMER/accessList; customers");
    CustomerId::from_name(customer.ok_or(form)?)
}

pub(super) fn list_line(line: &mut Line<'_>, message: &pb::AccessListLine) -> Reading<DraftLine> {
    let holder = holder(line, &message.badge_number, &message.person);
    let name = Some(message.display_name.as_str()).filter(|name| !name.is_empty());
    let display_name = line.keep("display_name", name.map(DisplayName::parse).transpose());
    let scope = scope(line, message);
    let schedule = match message.schedule.as_str() {
        "" => line.keep("schedule", ScheduleId::parse(ScheduleId::ALWAYS)),
        name => line.keep("schedule", ScheduleId::from_name(name)),
    };
    let (from, until) = (message.valid_from.as_ref(), message.valid_until.as_ref());
    let validity = validity(line, from, until);
    let approver = approver(line, &message.approver);
    Some(DraftLine {
        holder: holder?,
        display_name: display_name?,
        scope: scope?,
        schedule: schedule?,
        validity: validity?,
        approver: approver?,
    })
}

fn holder(line: &mut Line<'_>, number: &str, person: &str) -> Reading<Holder> {
    match (number, person) {
        ("", "") => {
            let expected = "a badge number or a person is required".to_owned();
            line.fault("badge_number", Problem::Refused(expected));
            None
        }
        (number, "") => line
            .keep("badge_number", BadgeNumber::parse(number))
            .map(Holder::Badge),
        ("", person) => line
            .keep("person", PersonId::from_name(person))
            .map(Holder::Person),
        (number, person) => {
            let number = line.keep("badge_number", BadgeNumber::parse(number));
            let person = line.keep("person", PersonId::from_name(person));
            Some(Holder::Both(number?, person?))
        }
    }
}

/// By `persons/{person}` or by badge number.
fn approver(line: &mut Line<'_>, text: &str) -> Reading<Holder> {
    if text.starts_with("persons/") {
        let person = line.keep("approver", PersonId::from_name(text));
        return person.map(Holder::Person);
    }
    let number = line.text("approver", text, BadgeNumber::parse);
    number.map(Holder::Badge)
}

fn scope(line: &mut Line<'_>, message: &pb::AccessListLine) -> Reading<Scope> {
    let max = PLACES_PER_LINE_MAX;
    let areas = line.each("areas", &message.areas, max, |l, f, name| {
        l.text(f, name, AreaId::from_name)
    });
    let doors = line.each("doors", &message.doors, max, |l, f, name| {
        l.text(f, name, DoorId::from_name)
    });
    let (mut areas, mut doors) = (areas?, doors?);
    areas.sort();
    areas.dedup();
    doors.sort();
    doors.dedup();
    match areas.len().saturating_add(doors.len()) {
        0 => {
            let expected = "at least one area or door is required".to_owned();
            line.fault("areas", Problem::Refused(expected));
            None
        }
        count if count > max => {
            line.fault("areas", Problem::TooMany(max));
            None
        }
        _ => Some(Scope { areas, doors }),
    }
}

/// An entry as a message, without what names people.
pub(in crate::service) fn entry_message(entry: &AccessListEntry) -> pb::AccessListEntry {
    pb::AccessListEntry {
        name: entry.entry.name(),
        person: entry.person.name(),
        areas: entry.scope.areas.iter().map(AreaId::name).collect(),
        doors: entry.scope.doors.iter().map(DoorId::name).collect(),
        schedule: entry.schedule.name(),
        valid_from: entry.validity.from().map(timestamp_message),
        valid_until: entry.validity.until().map(timestamp_message),
        approver: entry.approver.name(),
        ..pb::AccessListEntry::default()
    }
}

/// An edition as a message.
pub(in crate::service) fn edition_message(
    customer: &CustomerId,
    edition: &Edition,
) -> pb::AccessListVersion {
    let created = UtcTime::from_unix(edition.row.created_at).ok();
    pb::AccessListVersion {
        name: format!("{}/accessList/versions/{}", customer.name(), edition.number),
        version: edition.number,
        create_time: created
            .filter(|_| edition.number > 0)
            .map(timestamp_message),
        applied_by: edition.row.applied_by.clone(),
        added_count: edition.row.added_count,
        removed_count: edition.row.removed_count,
        entry_count: edition.row.entry_count,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::directory::Faults;

    fn message() -> pb::AccessListLine {
        pb::AccessListLine {
            line: 2,
            badge_number: "B-1042".to_owned(),
            areas: vec!["areas/cage".to_owned(), "areas/cage".to_owned()],
            doors: vec!["doors/d1".to_owned()],
            approver: "persons/p-2".to_owned(),
            ..pb::AccessListLine::default()
        }
    }

    fn read(message: &pb::AccessListLine) -> (Option<DraftLine>, Vec<String>) {
        let mut faults = Faults::new();
        let mut line = Line {
            number: message.line,
            root: "",
            faults: &mut faults,
        };
        let read = list_line(&mut line, message);
        (
            read,
            faults.list().iter().map(ToString::to_string).collect(),
        )
    }

    #[test]
    fn a_line_without_a_schedule_means_always() {
        let draft = read(&message()).0.unwrap();
        assert!(draft.schedule.is_always());
        assert_eq!(draft.scope.areas.len(), 1);
        assert_eq!(
            draft.approver,
            Holder::Person(PersonId::parse("p-2").unwrap())
        );
    }

    #[test]
    fn every_fault_of_a_line_is_told() {
        let bad = pb::AccessListLine {
            line: 7,
            schedule: "always".to_owned(),
            valid_until: Some(prost_types::Timestamp {
                seconds: -1,
                nanos: 0,
            }),
            ..pb::AccessListLine::default()
        };
        let (draft, faults) = read(&bad);
        assert!(draft.is_none());
        assert_eq!(
            faults,
            [
                "line 7: badge_number: a badge number or a person is required",
                "line 7: areas: at least one area or door is required",
                "line 7: schedule: a name here has the form `schedules/ID`",
                "line 7: valid_until: must lie in the years 1970 to 9999",
                "line 7: approver: is required",
            ]
        );
    }

    #[test]
    fn a_line_names_at_most_sixty_four_places() {
        let mut many = message();
        many.areas = (0..64).map(|i| format!("areas/a{i}")).collect();
        assert_eq!(read(&many).1, ["line 2: areas: there may be at most 64"]);
    }

    #[test]
    fn a_list_is_named_by_its_customer() {
        let acme = CustomerId::parse("acme").unwrap();
        assert_eq!(list_parent("customers/acme/accessList"), Ok(acme));
        for bad in [
            "customers/acme",
            "acme/accessList",
            "customers//accessList",
            "",
        ] {
            assert!(list_parent(bad).is_err(), "{bad}");
        }
    }
}
