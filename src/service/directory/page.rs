//! Pages of resources, and people with the names that a caller may read.

use std::collections::BTreeMap;
use std::ops::Bound;

use tonic::{Request, Status};

use super::Directory;
use super::view::View;
use crate::pb::store::BadgeRow;
use crate::pb::v1 as pb;
use crate::policy::RosterParts;
use crate::service::caller::caller;
use crate::service::convert::{badge_message, person_message};
use crate::service::paging::{PageScope, PageSizes};
use crate::service::rule_desk::load_fault;
use crate::service::status::{Reason, fault};
use crate::store::rows::{Code as _, LoadError, RowSource as _, validity_of};
use crate::store::tables::{Badges, Persons};
use crate::types::{BadgeId, BadgeState, InvalidId, Person, PersonId};

/// Rows of badges read at once while looking for those that the caller sees.
const CHUNK_ROWS: usize = 256;

/// A page that is asked for.
#[derive(Debug)]
pub(super) struct Page<'a> {
    method: &'static str,
    size: usize,
    token: &'a str,
}

/// A kind of resources: where they are, and what a caller sees of one.
pub(super) struct Kind<I, V, M> {
    pub(super) parse: fn(&str) -> Result<I, InvalidId>,
    pub(super) values: fn(&RosterParts) -> &BTreeMap<I, V>,
    pub(super) look: fn(&View<'_>, &V) -> Option<M>,
}

impl<'a> Page<'a> {
    pub(super) fn new(
        method: &'static str,
        page_size: i32,
        token: &'a str,
    ) -> Result<Self, Status> {
        Ok(Self {
            method,
            size: PageSizes::RESOURCES.read(page_size)?,
            token,
        })
    }
}

impl Directory {
    /// A page of what a caller sees of one kind, by id, and the token of the next page.
    pub(super) fn list<Q, I, V, M>(
        &self,
        request: &Request<Q>,
        page: &Page<'_>,
        kind: &Kind<I, V, M>,
    ) -> Result<(Vec<M>, String), Status>
    where
        I: Ord + ToString,
    {
        let caller = caller(request)?;
        let rules = self.desk.rules();
        let view = View::new(&caller, &rules.parts);
        let scope = PageScope {
            method: page.method,
            caller: &caller,
            query: "",
        };
        let from = match scope.open(self.desk.token_key(), page.token)? {
            Some(last) => {
                let last = (kind.parse)(&last).map_err(|_| fault(Reason::PageTokenInvalid))?;
                Bound::Excluded(last)
            }
            None => Bound::Unbounded,
        };
        let mut seen = (kind.values)(&rules.parts)
            .range((from, Bound::Unbounded))
            .filter_map(|(id, value)| Some((id, (kind.look)(&view, value)?)));
        let shown: Vec<_> = seen.by_ref().take(page.size).collect();
        let last = shown.last().map(|(id, _)| id.to_string());
        let next = last.filter(|_| seen.next().is_some());
        let next = next.map(|last| scope.seal(self.desk.token_key(), &last));
        let messages = shown.into_iter().map(|(_, message)| message);
        Ok((messages.collect(), next.unwrap_or_default()))
    }

    /// A person with its name, as its customer and the operator may read it.
    pub(super) fn person(&self, person: &Person) -> Result<pb::Person, LoadError> {
        let row = self.desk.reader().one::<Persons>(&person.id.to_string())?;
        let name = row.and_then(|row| self.desk.vault().open_name(&person.id, &row));
        let has_pin = self.desk.rules().parts.pins.contains_key(&person.id);
        Ok(person_message(person, name.as_ref(), has_pin))
    }

    /// A badge, if its holder is one that the caller sees.
    pub(super) fn badge(
        &self,
        view: &View<'_>,
        parts: &RosterParts,
        key: &str,
        row: &BadgeRow,
    ) -> Option<pb::Badge> {
        let id = BadgeId::parse(key).ok()?;
        let holder = parts.persons.get(&PersonId::parse(&row.person).ok()?)?;
        view.person(holder)?;
        let state = BadgeState::from_number(row.state)?;
        let validity = validity_of(row.valid_from, row.valid_until).ok()?;
        let number = self.desk.vault().open_number(&id, row);
        let times = (state, validity);
        Some(badge_message(&id, &holder.id, times, number.as_ref()))
    }

    /// A page of badges; those without a card are known to the store only.
    pub(super) fn badges<Q>(
        &self,
        request: &Request<Q>,
        page: &Page<'_>,
    ) -> Result<(Vec<pb::Badge>, String), Status> {
        let caller = caller(request)?;
        let rules = self.desk.rules();
        let view = View::new(&caller, &rules.parts);
        let scope = PageScope {
            method: page.method,
            caller: &caller,
            query: "",
        };
        let mut from = match scope.open(self.desk.token_key(), page.token)? {
            Some(last) => Bound::Excluded(last),
            None => Bound::Unbounded,
        };
        let mut shown = Vec::new();
        while shown.len() <= page.size {
            let rows = self
                .desk
                .reader()
                .range::<Badges>((from, Bound::Unbounded), CHUNK_ROWS)
                .map_err(|e| load_fault(&e.into()))?;
            let Some((last, _)) = rows.last() else {
                break;
            };
            from = Bound::Excluded(last.clone());
            let seen = rows
                .iter()
                .filter_map(|(key, row)| self.badge(&view, &rules.parts, key, row));
            shown.extend(seen);
        }
        let more = shown.len() > page.size;
        shown.truncate(page.size);
        let last = shown.last().filter(|_| more);
        let last = last.and_then(|badge| BadgeId::from_name(&badge.name).ok());
        let next = last.map(|last| scope.seal(self.desk.token_key(), last.as_str()));
        Ok((shown, next.unwrap_or_default()))
    }
}
