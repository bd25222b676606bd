//! Access-list entries as rows.

use super::{DamagedField, damaged, validity_of};
use crate::pb::store as pb;
use crate::types::{
    AccessListEntry, AreaId, BadgeId, CustomerId, DoorId, EntryNumber, EntryRef, PersonId,
    ScheduleId, Scope, UtcTime,
};

/// Key of an entry's row.
pub fn entry_key(entry: &EntryRef) -> (String, u64) {
    (entry.customer.to_string(), entry.number.0)
}

/// Row of an entry that a version of its list adds.
pub fn entry_row(
    entry: &AccessListEntry,
    badge: Option<&BadgeId>,
    added_in: u64,
    now: UtcTime,
) -> pb::ListEntryRow {
    pb::ListEntryRow {
        person: entry.person.to_string(),
        areas: entry.scope.areas.iter().map(ToString::to_string).collect(),
        doors: entry.scope.doors.iter().map(ToString::to_string).collect(),
        schedule: entry.schedule.to_string(),
        valid_from: entry.validity.from().map(UtcTime::unix),
        valid_until: entry.validity.until().map(UtcTime::unix),
        approver: entry.approver.to_string(),
        added_in,
        removed_in: None,
        added_at: now.unix(),
        removed_at: None,
        badge: badge.map(ToString::to_string).unwrap_or_default(),
    }
}

/// Reads an entry back.
pub fn entry_from_row(
    key: &(String, u64),
    row: &pb::ListEntryRow,
) -> Result<AccessListEntry, DamagedField> {
    let areas = row.areas.iter().map(|a| AreaId::parse(a));
    let doors = row.doors.iter().map(|d| DoorId::parse(d));
    Ok(AccessListEntry {
        entry: EntryRef {
            customer: CustomerId::parse(&key.0).map_err(damaged("key"))?,
            number: EntryNumber(key.1),
        },
        person: PersonId::parse(&row.person).map_err(damaged("person"))?,
        scope: Scope {
            areas: areas.collect::<Result<_, _>>().map_err(damaged("areas"))?,
            doors: doors.collect::<Result<_, _>>().map_err(damaged("doors"))?,
        },
        schedule: ScheduleId::parse(&row.schedule).map_err(damaged("schedule"))?,
        validity: validity_of(row.valid_from, row.valid_until)?,
        approver: PersonId::parse(&row.approver).map_err(damaged("approver"))?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::Validity;

    #[test]
    fn an_entry_reads_back_as_it_was_written() {
        let at = |s| UtcTime::from_unix(s).unwrap();
        let entry = AccessListEntry {
            entry: EntryRef {
                customer: CustomerId::parse("acme").unwrap(),
                number: EntryNumber(7),
            },
            person: PersonId::parse("p-1").unwrap(),
            scope: Scope {
                areas: vec![AreaId::parse("cage").unwrap()],
                doors: vec![DoorId::parse("d-1").unwrap()],
            },
            schedule: ScheduleId::parse("always").unwrap(),
            validity: Validity::new(Some(at(5)), None).unwrap(),
            approver: PersonId::parse("p-2").unwrap(),
        };
        let row = entry_row(&entry, None, 3, at(9));
        assert_eq!((row.added_in, row.added_at, row.removed_in), (3, 9, None));
        assert_eq!(entry_from_row(&entry_key(&entry.entry), &row), Ok(entry));
    }
}
