//! Reads the entries of any edition.

use super::edition::in_force_with;
use crate::pb::store as pb;
use crate::store::reader::Reader;
use crate::store::rows::{LoadError, entry_from_row};
use crate::store::tables::ListEntries;
use crate::types::{AccessListEntry, BadgeId, CustomerId};

/// Rows read at once while looking for those in force.
const CHUNK_ROWS: usize = 512;

/// An entry as a list shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedEntry {
    /// The entry.
    pub entry: AccessListEntry,
    /// The badge whose number it was written with.
    pub badge: Option<BadgeId>,
}

/// Entries in force with an edition, by number, behind one number; at most `limit`.
///
/// Walks over entries that were not in force, so an old edition of a long list takes longer.
pub fn entries_page(
    reader: &Reader,
    customer: &CustomerId,
    edition: u64,
    behind: u64,
    limit: usize,
) -> Result<Vec<ListedEntry>, LoadError> {
    let mut page = Vec::new();
    let mut behind = (customer.to_string(), behind);
    while page.len() < limit {
        let rows =
            reader.rows_of::<ListEntries, _>(customer.as_str(), Some(&behind), CHUNK_ROWS)?;
        let Some((last, _)) = rows.last() else {
            break;
        };
        behind = last.clone();
        let found = rows.iter().filter(|(_, row)| in_force_with(row, edition));
        for (key, row) in found {
            page.push(listed(key, row)?);
        }
    }
    page.truncate(limit);
    Ok(page)
}

fn listed(key: &(String, u64), row: &pb::ListEntryRow) -> Result<ListedEntry, LoadError> {
    let entry = entry_from_row(key, row)
        .map_err(|field| field.in_row::<ListEntries>(format!("{}/{}", key.0, key.1)))?;
    Ok(ListedEntry {
        entry,
        badge: BadgeId::parse(&row.badge).ok(),
    })
}
