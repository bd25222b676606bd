//! The rows of the present site that a plan is made against, besides the rules in force.

use std::collections::{BTreeMap, BTreeSet};

use crate::pb::store as pb;
use crate::store::rows::{LoadError, RowSource, damaged};
use crate::store::tables::{Badges, FeedHeads, Persons, Site};
use crate::types::{BadgeId, CustomerId, DisplayName, InvalidId, PersonId, SiteZone};

/// Rows of the present site.
#[derive(Debug, Default)]
pub struct CurrentSite {
    pub(super) site: pb::SiteRow,
    pub(super) persons: BTreeMap<PersonId, pb::PersonRow>,
    pub(super) badges: BTreeMap<BadgeId, pb::BadgeRow>,
    pub(super) feeds: BTreeSet<CustomerId>,
}

impl CurrentSite {
    /// Reads them.
    pub fn read(rows: &impl RowSource) -> Result<Self, LoadError> {
        let feeds = rows.all::<FeedHeads>()?;
        Ok(Self {
            site: rows.one::<Site>(&())?.unwrap_or_default(),
            persons: by_id::<Persons, _, _>(rows, PersonId::parse)?,
            badges: by_id::<Badges, _, _>(rows, BadgeId::parse)?,
            feeds: feeds
                .iter()
                .map(|(id, _)| CustomerId::parse(id))
                .collect::<Result<_, _>>()
                .map_err(|e| damaged("key")(e).in_row::<FeedHeads>(""))?,
        })
    }

    /// The zone, once one is set.
    pub(super) fn zone(&self) -> Option<SiteZone> {
        SiteZone::parse(&self.site.time_zone).ok()
    }

    /// The name, once one is set.
    pub(super) fn display_name(&self) -> Option<DisplayName> {
        DisplayName::parse(&self.site.display_name).ok()
    }

    /// Persons that access lists made, and that outlive a file which does not name them.
    pub(super) fn made_by_lists(&self) -> BTreeSet<PersonId> {
        let made = self.persons.iter().filter(|(_, row)| row.from_list);
        made.map(|(id, _)| id.clone()).collect()
    }
}

fn by_id<T, I, V>(
    rows: &impl RowSource,
    parse: impl Fn(&str) -> Result<I, InvalidId>,
) -> Result<BTreeMap<I, V>, LoadError>
where
    T: crate::store::tables::Table<Key = String, Value = V>,
    I: Ord,
{
    rows.all::<T>()?
        .into_iter()
        .map(|(key, row)| {
            let id = parse(&key).map_err(|e| damaged("key")(e).in_row::<T>(key))?;
            Ok((id, row))
        })
        .collect()
}
