//! Reads all rules at opening.

use std::collections::BTreeMap;

use super::{
    DamagedRow, Stored, badge_from_row, damaged, entry_from_row, person_from_row, pin_verifier,
};
use crate::pb::store as pb;
use crate::policy::RosterParts;
use crate::store::base::{BaseTables, RowError};
use crate::store::reader::{ReadError, Reader};
use crate::store::tables::{self, Table};
use crate::types::{
    self, AccessPoint, Area, BadgeId, BadgeNumber, Controller, Customer, Door, PersonId, Schedule,
    SiteZone, SpecialDays,
};

/// Rows that could not be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LoadError {
    /// A row is there and is not what its table holds.
    #[error(transparent)]
    Damaged(#[from] DamagedRow),
    /// A row of the table cannot be decoded.
    #[error(transparent)]
    Row(#[from] RowError),
    /// Reads are not answered now.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// A row that others speak of is not in this table.
    #[error("a row of the table {0} is missing")]
    Missing(&'static str),
}

/// Rows of a table with their keys.
pub type TableRows<T> = Vec<(<T as Table>::Key, <T as Table>::Value)>;

/// Where rows are read from: what was found at opening, or the store as it runs.
pub trait RowSource {
    /// The row under a key.
    fn one<T: Table>(&self, key: &T::Key) -> Result<Option<T::Value>, LoadError>;

    /// All rows of a table, by key.
    fn all<T: Table>(&self) -> Result<TableRows<T>, LoadError>;
}

impl RowSource for BaseTables {
    fn one<T: Table>(&self, key: &T::Key) -> Result<Option<T::Value>, LoadError> {
        Ok(self.get::<T>(key)?)
    }

    fn all<T: Table>(&self) -> Result<TableRows<T>, LoadError> {
        Ok(self.rows::<T>().collect::<Result<_, _>>()?)
    }
}

impl RowSource for Reader {
    fn one<T: Table>(&self, key: &T::Key) -> Result<Option<T::Value>, LoadError> {
        Ok(self.get::<T>(key)?)
    }

    fn all<T: Table>(&self) -> Result<TableRows<T>, LoadError> {
        Ok(self.range::<T>(.., usize::MAX)?)
    }
}

/// The site's own row.
pub fn load_site(rows: &impl RowSource) -> Result<pb::SiteRow, LoadError> {
    let row = rows.one::<tables::Site>(&())?;
    row.ok_or(LoadError::Missing(tables::Site::NAME))
}

/// Reads all rules.
///
/// `open_number` unseals a badge's number, or says `None` where its key is gone: doors do not
/// depend on sealed fields. Anything else that cannot be read is an error.
pub fn load_parts(
    rows: &impl RowSource,
    open_number: impl Fn(&BadgeId, &pb::BadgeRow) -> Option<BadgeNumber>,
) -> Result<RosterParts, LoadError> {
    let site = load_site(rows)?;
    let zone = SiteZone::parse(&site.time_zone)
        .map_err(|e| damaged("time_zone")(e).in_row::<tables::Site>(""))?;
    let mut parts = RosterParts::new(zone);
    parts.duress_pin = site.duress_pin;
    parts.areas = kind(rows, |v: &Area| v.id.clone())?;
    parts.doors = kind(rows, |v: &Door| v.id.clone())?;
    parts.access_points = kind(rows, |v: &AccessPoint| v.id.clone())?;
    parts.readers = kind(rows, |v: &types::Reader| v.id.clone())?;
    parts.controllers = kind(rows, |v: &Controller| v.id.clone())?;
    parts.customers = kind(rows, |v: &Customer| v.id.clone())?;
    parts.schedules = kind(rows, |v: &Schedule| v.id.clone())?;
    parts.special_days = kind(rows, |v: &SpecialDays| v.id.clone())?;
    load_people(rows, open_number, &mut parts)?;
    for (key, row) in rows.all::<tables::ListEntries>()? {
        if row.removed_in.is_none() {
            let entry = entry_from_row(&key, &row).map_err(|field| {
                field.in_row::<tables::ListEntries>(format!("{}/{}", key.0, key.1))
            })?;
            parts.entries.insert(entry.entry.clone(), entry);
        }
    }
    Ok(parts)
}

fn kind<S: Stored, I: Ord>(
    rows: &impl RowSource,
    id: impl Fn(&S) -> I,
) -> Result<BTreeMap<I, S>, LoadError> {
    rows.all::<S::Table>()?
        .into_iter()
        .map(|(key, row)| {
            let value = S::from_row(&key, &row).map_err(|f| f.in_row::<S::Table>(key))?;
            Ok((id(&value), value))
        })
        .collect()
}

fn load_people(
    rows: &impl RowSource,
    open_number: impl Fn(&BadgeId, &pb::BadgeRow) -> Option<BadgeNumber>,
    parts: &mut RosterParts,
) -> Result<(), LoadError> {
    for (key, row) in rows.all::<tables::Persons>()? {
        let person = person_from_row(&key, &row);
        let person = person.map_err(|f| f.in_row::<tables::Persons>(key))?;
        parts.persons.insert(person.id.clone(), person);
    }
    for (key, row) in rows.all::<tables::Badges>()? {
        let in_row = |key: String| move |f: super::DamagedField| f.in_row::<tables::Badges>(key);
        let id = BadgeId::parse(&key).map_err(|e| in_row(key.clone())(damaged("key")(e)))?;
        let number = open_number(&id, &row);
        let badge = badge_from_row(&key, &row, number).map_err(in_row(key))?;
        parts.badges.extend(badge.map(|badge| (id, badge)));
    }
    for (key, row) in rows.all::<tables::Pins>()? {
        let person = PersonId::parse(&key).map_err(damaged("key"));
        let pin = person.and_then(|person| Ok((person, pin_verifier(&row)?)));
        let (person, pin) = pin.map_err(|f| f.in_row::<tables::Pins>(key))?;
        parts.pins.insert(person, pin);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::batch::Batch;

    fn site(batch: &mut Batch) {
        let row = pb::SiteRow {
            id: "north".to_owned(),
            display_name: "North".to_owned(),
            time_zone: "Europe/Stockholm".to_owned(),
            duress_pin: true,
        };
        batch.put::<tables::Site>(&(), &row);
    }

    fn loaded(batch: &Batch) -> Result<RosterParts, LoadError> {
        let mut base = BaseTables::default();
        base.apply(batch);
        load_parts(&base, |_, _| None)
    }

    #[test]
    fn a_badge_whose_number_is_gone_still_opens_doors() {
        let mut batch = Batch::new();
        site(&mut batch);
        let row = pb::BadgeRow {
            person: "p-1".to_owned(),
            state: 1,
            card_key: vec![7; 16],
            ..pb::BadgeRow::default()
        };
        batch.put::<tables::Badges>(&"b-1".to_owned(), &row);
        let parts = loaded(&batch).unwrap();
        let badge = &parts.badges[&BadgeId::parse("b-1").unwrap()];
        assert_eq!(badge.number, None);
    }

    #[test]
    fn a_damaged_row_stops_the_start_and_names_table_and_key() {
        let mut batch = Batch::new();
        site(&mut batch);
        let row = pb::PersonRow {
            state: 77,
            ..pb::PersonRow::default()
        };
        batch.put::<tables::Persons>(&"p-9".to_owned(), &row);
        assert_eq!(
            loaded(&batch).unwrap_err().to_string(),
            "the row `p-9` of the table Persons is damaged in `state`"
        );
    }

    #[test]
    fn an_entry_that_was_removed_is_no_rule() {
        let mut batch = Batch::new();
        site(&mut batch);
        let mut row = pb::ListEntryRow {
            person: "p-1".to_owned(),
            schedule: "always".to_owned(),
            approver: "p-2".to_owned(),
            ..pb::ListEntryRow::default()
        };
        batch.put::<tables::ListEntries>(&("acme".to_owned(), 1), &row);
        row.removed_in = Some(2);
        batch.put::<tables::ListEntries>(&("acme".to_owned(), 2), &row);
        let parts = loaded(&batch).unwrap();
        let numbers: Vec<_> = parts.entries.keys().map(|e| e.number.0).collect();
        assert_eq!(numbers, [1]);
    }

    #[test]
    fn readers_and_the_duress_switch_are_rules() {
        let mut batch = Batch::new();
        site(&mut batch);
        let mut row = pb::ReaderRow {
            display_name: "Reader".to_owned(),
            access_point: "d-1-in".to_owned(),
            bus: "north".to_owned(),
            address: 126,
            security: 1,
            card_formats: vec!["H10301".to_owned()],
            has_keypad: true,
        };
        batch.put::<tables::Readers>(&"r-1".to_owned(), &row);
        let parts = loaded(&batch).unwrap();
        assert!(parts.duress_pin);
        let reader = parts.readers.values().next().unwrap();
        assert_eq!((reader.address.number(), reader.has_keypad), (126, true));
        row.address = 127;
        batch.put::<tables::Readers>(&"r-1".to_owned(), &row);
        assert_eq!(
            loaded(&batch).unwrap_err().to_string(),
            "the row `r-1` of the table Readers is damaged in `address`"
        );
    }

    #[test]
    fn a_store_without_its_site_is_refused() {
        assert_eq!(loaded(&Batch::new()), Err(LoadError::Missing("Site")));
    }
}
