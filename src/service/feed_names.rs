//! Names for reading a leaf, as they are now; never part of a record.

use std::sync::Arc;

use crate::ledger::record::Record;
use crate::pb::v1::subject::Subject;
use crate::pb::v1::{EntryRecord, FeedDisplay};
use crate::store::directory::Vault;
use crate::store::tables::Persons;
use crate::store::{Feeds, Reader, Rules};
use crate::types::{DoorId, PersonId};

/// Where the names of people are.
#[derive(Debug, Clone)]
pub struct People {
    /// Journal entries, which say who it was.
    pub feeds: Feeds,
    /// Rows of persons.
    pub reader: Reader,
    /// Opens their names.
    pub vault: Vault,
}

impl People {
    /// The name of a person, if it can still be read.
    fn name(&self, person: &PersonId) -> Option<String> {
        let row = self
            .reader
            .get::<Persons>(&person.as_str().to_owned())
            .ok()??;
        Some(self.vault.open_name(person, &row)?.reveal().to_owned())
    }

    /// Who an entry is about, where its feed may name that person; and who approved.
    fn named(&self, entry: &EntryRecord, journal: u64) -> (Option<String>, Option<String>) {
        let subject = entry.subject.as_ref().and_then(|s| s.subject.as_ref());
        let person = match subject {
            Some(Subject::BadgeNumber(_)) => self.person_of(journal),
            Some(Subject::Pseudonym(_) | Subject::UnknownCard(_)) | None => None,
        };
        let approver = PersonId::from_name(&entry.approver).ok();
        (
            person.and_then(|p| self.name(&p)),
            approver.and_then(|p| self.name(&p)),
        )
    }

    fn person_of(&self, journal: u64) -> Option<PersonId> {
        let body = self.feeds.journal(journal).ok()??.body?;
        PersonId::parse(&body.person).ok()
    }
}

/// Names of a leaf's door, and where `people` are given of its person and approver.
pub(super) fn display(
    record: &Record,
    journal: u64,
    rules: &Rules,
    people: Option<&Arc<People>>,
) -> Option<FeedDisplay> {
    let door_name = |name: &str| {
        let door = DoorId::from_name(name).ok()?;
        rules
            .parts
            .doors
            .get(&door)
            .map(|door| door.display_name.reveal().to_owned())
    };
    match record {
        Record::Entry(entry) => {
            let (person, approver) = people
                .map(|people| people.named(entry, journal))
                .unwrap_or_default();
            Some(FeedDisplay {
                door: door_name(&entry.door).unwrap_or_default(),
                person: person.unwrap_or_default(),
                approver: approver.unwrap_or_default(),
            })
        }
        Record::DoorEvent(event) => {
            let door = door_name(&event.door).unwrap_or_default();
            Some(FeedDisplay {
                door,
                ..FeedDisplay::default()
            })
        }
        Record::Genesis(_) | Record::Other { .. } => None,
    }
}
