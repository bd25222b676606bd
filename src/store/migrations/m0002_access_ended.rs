//! 1 to 2: a person's row says when access ended.

use super::chain::Migration;
use crate::{
    pb::store::PersonRow,
    store::{
        base::{BaseTables, RowError},
        batch::Batch,
        tables::Persons,
    },
    types::UtcTime,
};

/// Sets `access_ended` for persons whose validity is over.
///
/// Format 1 had no such field, so nobody knew from when to count until a person must be forgotten.
#[derive(Debug)]
pub(super) struct AccessEnded;

impl Migration for AccessEnded {
    fn from(&self) -> u32 {
        1
    }

    fn to(&self) -> u32 {
        2
    }

    fn description(&self) -> &'static str {
        "persons whose validity is over get the time at which access ended"
    }

    fn run(&self, tables: &BaseTables, now: UtcTime) -> Result<Batch, RowError> {
        let mut batch = Batch::new();
        for row in tables.rows::<Persons>() {
            let (id, mut person) = row?;
            if person.access_ended.is_none()
                && let Some(ended) = over_since(&person, now)
            {
                person.access_ended = Some(ended);
                batch.put::<Persons>(&id, &person);
            }
        }
        Ok(batch)
    }

    fn validate(
        &self,
        tables: &BaseTables,
        now: UtcTime,
    ) -> Result<Option<&'static str>, RowError> {
        for row in tables.rows::<Persons>() {
            let (_, person) = row?;
            if over_since(&person, now).is_some() && person.access_ended.is_none() {
                return Ok(Some(
                    "a person's validity is over and no end of access is set",
                ));
            }
        }
        Ok(None)
    }
}

/// When the validity ended, if it did.
fn over_since(person: &PersonRow, now: UtcTime) -> Option<i64> {
    person.valid_until.filter(|until| *until <= now.unix())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_persons_whose_validity_is_over_are_changed() {
        let mut old = Batch::new();
        for (id, valid_until) in [("past", Some(50)), ("future", Some(150)), ("open", None)] {
            let row = PersonRow {
                valid_until,
                ..PersonRow::default()
            };
            old.put::<Persons>(&id.to_owned(), &row);
        }
        let mut tables = BaseTables::default();
        tables.apply(&old);
        let now = UtcTime::from_unix(100).unwrap();
        assert!(AccessEnded.validate(&tables, now).unwrap().is_some());
        tables.apply(&AccessEnded.run(&tables, now).unwrap());
        assert_eq!(AccessEnded.validate(&tables, now), Ok(None));
        let ended = |id: &str| {
            let row = tables.get::<Persons>(&id.to_owned()).unwrap().unwrap();
            row.access_ended
        };
        assert_eq!(
            (ended("past"), ended("future"), ended("open")),
            (Some(50), None, None)
        );
    }
}
