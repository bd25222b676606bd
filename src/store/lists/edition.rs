//! Editions of a customer's list: dense numbers from 1; 0 is the empty list of the first day.
//!
//! Entries are never rewritten but to say that they ended, so any edition can be read again.

use std::num::NonZeroU64;

use crate::pb::store as pb;
use crate::policy::RosterParts;
use crate::store::batch::Batch;
use crate::store::rows::{LoadError, RowSource, entry_key, entry_row};
use crate::store::tables::{ListEntries, ListVersions};
use crate::types::{AccessListEntry, BadgeId, CustomerId, EntryNumber, EntryRef, UtcTime};

/// An edition of a list.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Edition {
    /// Its number; 0 for the empty list of the first day.
    pub number: u64,
    /// Its row; empty for number 0.
    pub row: pb::ListVersionRow,
}

impl Edition {
    /// The newest edition of a list.
    ///
    /// Editions are numbered without a gap, so it is found by doubling and halving; no index of
    /// them has to be kept.
    pub fn newest(rows: &impl RowSource, customer: &CustomerId) -> Result<Self, LoadError> {
        let read = |number: u64| rows.one::<ListVersions>(&(customer.to_string(), number));
        let mut found = Self::default();
        let mut step = 1_u64;
        let mut rising = true;
        while step > 0 {
            let number = found.number.saturating_add(step);
            match read(number)? {
                Some(row) => found = Self { number, row },
                None => rising = false,
            }
            step = if rising {
                step.saturating_mul(2)
            } else {
                step / 2
            };
        }
        Ok(found)
    }

    /// The edition with this number.
    pub fn numbered(
        rows: &impl RowSource,
        customer: &CustomerId,
        number: u64,
    ) -> Result<Option<Self>, LoadError> {
        if number == 0 {
            return Ok(Some(Self::default()));
        }
        let row = rows.one::<ListVersions>(&(customer.to_string(), number))?;
        Ok(row.map(|row| Self { number, row }))
    }

    /// The edition in force at an instant: the newest that was not made after it.
    pub fn as_of(
        rows: &impl RowSource,
        customer: &CustomerId,
        at: UtcTime,
    ) -> Result<Self, LoadError> {
        let mut edition = Self::newest(rows, customer)?;
        while edition.number > 0 && edition.row.created_at > at.unix() {
            let before = edition.number.saturating_sub(1);
            edition = Self::numbered(rows, customer, before)?.unwrap_or_default();
        }
        Ok(edition)
    }

    /// Number of the next entry of the list; entries count from 1.
    fn next_entry(&self) -> u64 {
        NonZeroU64::new(self.row.next_entry).map_or(1, NonZeroU64::get)
    }
}

/// Whether an entry was in force with an edition.
pub(super) fn in_force_with(row: &pb::ListEntryRow, edition: u64) -> bool {
    row.added_in <= edition && row.removed_in.is_none_or(|removed| edition < removed)
}

/// An entry to be added; its number is given when it is written.
#[derive(Debug, Clone)]
pub(in crate::store) struct NewEntry {
    pub(in crate::store) entry: AccessListEntry,
    /// The badge whose number the line was written with.
    pub(in crate::store) badge: Option<BadgeId>,
}

/// What an edition changes.
#[derive(Debug, Default)]
pub(in crate::store) struct EditionChange {
    pub(in crate::store) added: Vec<NewEntry>,
    pub(in crate::store) removed: Vec<EntryNumber>,
}

/// Who makes an edition, and when.
#[derive(Debug, Clone, Copy)]
pub(in crate::store) struct Stamp<'a> {
    /// As the certificate names it.
    pub(in crate::store) by: &'a str,
    pub(in crate::store) now: UtcTime,
}

/// Writes the next edition of a list into a batch, and its entries into the rules.
pub(in crate::store) fn write_edition(
    rows: &impl RowSource,
    customer: &CustomerId,
    change: EditionChange,
    stamp: Stamp<'_>,
    (batch, parts): (&mut Batch, &mut RosterParts),
) -> Result<Edition, LoadError> {
    let newest = Edition::newest(rows, customer)?;
    let number = newest.number.saturating_add(1);
    let mut next_entry = newest.next_entry();
    let (added, removed) = (count(&change.added), count(&change.removed));
    for entry in change.removed {
        let entry = EntryRef {
            customer: customer.clone(),
            number: entry,
        };
        let key = entry_key(&entry);
        let row = rows.one::<ListEntries>(&key)?;
        let mut row = row.ok_or(LoadError::Missing("ListEntries"))?;
        row.removed_in = Some(number);
        row.removed_at = Some(stamp.now.unix());
        batch.put::<ListEntries>(&key, &row);
        parts.entries.remove(&entry);
    }
    for NewEntry { mut entry, badge } in change.added {
        entry.entry.number = EntryNumber(next_entry);
        next_entry = next_entry.saturating_add(1);
        let row = entry_row(&entry, badge.as_ref(), number, stamp.now);
        batch.put::<ListEntries>(&entry_key(&entry.entry), &row);
        parts.entries.insert(entry.entry.clone(), entry);
    }
    let row = pb::ListVersionRow {
        created_at: stamp.now.unix(),
        applied_by: stamp.by.to_owned(),
        added_count: added,
        removed_count: removed,
        entry_count: newest
            .row
            .entry_count
            .saturating_add(added)
            .saturating_sub(removed),
        next_entry,
    };
    batch.put::<ListVersions>(&(customer.to_string(), number), &row);
    Ok(Edition { number, row })
}

fn count<T>(of: &[T]) -> u32 {
    u32::try_from(of.len()).unwrap_or(u32::MAX)
}
