//! Wrong PINs, counted in the commit of the attempt, so that no restart forgets them.

use std::collections::HashMap;

use crate::pb::store::PinFailuresRow;
use crate::policy::PinFailures;
use crate::store::tables::PinFailures as PinFailuresTable;
use crate::store::{BaseTables, Batch, StartError};
use crate::types::{PersonId, PinEvidence, UtcTime};

/// Wrong PINs of each person since the last right one.
#[derive(Debug)]
pub(super) struct PinCounts(HashMap<PersonId, PinFailures>);

impl PinCounts {
    /// As they were stored.
    pub(super) fn load(base: &BaseTables) -> Result<Self, StartError> {
        let mut found = HashMap::new();
        for row in base.rows::<PinFailuresTable>() {
            let (person, row) = row?;
            let at = UtcTime::from_unix(row.last_at);
            if let (Ok(person), Ok(last_at)) = (PersonId::parse(&person), at) {
                found.insert(
                    person,
                    PinFailures {
                        count: row.count,
                        last_at,
                    },
                );
            }
        }
        Ok(Self(found))
    }

    /// The counts, by person.
    pub(super) fn all(&self) -> HashMap<PersonId, PinFailures> {
        self.0.clone()
    }

    /// Takes note of a PIN, so that wrong ones are remembered over a restart.
    pub(super) fn note(
        &mut self,
        person: Option<&PersonId>,
        pin: PinEvidence,
        at: UtcTime,
        batch: &mut Batch,
    ) {
        let Some(person) = person else { return };
        let key = person.as_str().to_owned();
        let before = self.0.get(person).copied();
        match PinFailures::after(before, pin, at) {
            after if after == before => {}
            Some(after) => {
                let row = PinFailuresRow {
                    count: after.count,
                    last_at: after.last_at.unix(),
                };
                batch.put::<PinFailuresTable>(&key, &row);
                self.0.insert(person.clone(), after);
            }
            None => {
                batch.remove::<PinFailuresTable>(&key);
                self.0.remove(person);
            }
        }
    }
}
