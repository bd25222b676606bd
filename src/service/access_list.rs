//! `AccessListService`: a customer's list, read, planned and applied.

use std::sync::Arc;

use tonic::{Request, Response, Status, Streaming};
use tracing::instrument;

use super::convert::{
    edition_message, entry_message, instant, list_lines, list_parent, plan_messages,
};
use super::paging::{PageScope, PageSizes};
use super::rule_desk::{
    Outcome, RuleDesk, Write, build_fault, file_fault, load_fault, upload_fault,
};
use super::site::PER_MESSAGE_MAX;
use super::status::{Reason, conflict, fault, invalid, not_found};
use crate::pb::v1 as pb;
use crate::pb::v1::access_list_service_server::AccessListService;
use crate::service::caller::caller;
use crate::store::directory::Author;
use crate::store::lists::{Edition, ListPlan, ListedEntry, PlanListError, entries_page, plan_list};
use crate::store::rows::{LoadError, RowSource as _};
use crate::store::rules_cell::Rules;
use crate::store::tables::{Badges, Persons};
use crate::store::uploads::{Incoming, Uploads};
use crate::types::{Caller, CustomerId, PersonId, UtcTime};

/// Reads and changes access lists.
#[derive(Debug)]
pub struct AccessLists {
    desk: Arc<RuleDesk>,
    uploads: Arc<Uploads<pb::AccessListLine>>,
}

impl AccessLists {
    /// Over the rules.
    pub fn new(desk: Arc<RuleDesk>) -> Self {
        Self {
            desk,
            uploads: Arc::default(),
        }
    }

    #[cfg(test)]
    pub(super) fn uploads(&self) -> &Uploads<pb::AccessListLine> {
        &self.uploads
    }

    /// The edition in force at an instant, now where none is given.
    fn edition(
        &self,
        customer: &CustomerId,
        at: Option<&prost_types::Timestamp>,
    ) -> Result<Edition, Status> {
        let at = at.map(instant).transpose();
        let at = at.map_err(|e| invalid("as_of_time", e.to_string()))?;
        let found = match at {
            Some(at) => Edition::as_of(self.desk.reader(), customer, at),
            None => Edition::newest(self.desk.reader(), customer),
        };
        found.map_err(|e| load_fault(&e))
    }

    /// Reads up to a page of editions, newest first, from one number down.
    fn editions_from(
        &self,
        customer: &CustomerId,
        first: u64,
        size: usize,
    ) -> Result<Vec<Edition>, LoadError> {
        let numbers = (1..=first).rev().take(size);
        let rows = self.desk.reader();
        numbers
            .map(|number| Edition::numbered(rows, customer, number))
            .filter_map(Result::transpose)
            .collect()
    }

    /// An entry with the names that its customer and the operator may read.
    fn entry(&self, listed: &ListedEntry) -> Result<pb::AccessListEntry, LoadError> {
        let (reader, vault) = (self.desk.reader(), self.desk.vault());
        let name = |person: &PersonId| -> Result<String, LoadError> {
            let row = reader.one::<Persons>(&person.to_string())?;
            let name = row.and_then(|row| vault.open_name(person, &row));
            Ok(name.map(|n| n.reveal().to_owned()).unwrap_or_default())
        };
        let mut message = entry_message(&listed.entry);
        message.display_name = name(&listed.entry.person)?;
        message.approver_display_name = name(&listed.entry.approver)?;
        if let Some(badge) = &listed.badge {
            let row = reader.one::<Badges>(&badge.to_string())?;
            let number = row.and_then(|row| vault.open_number(badge, &row));
            message.badge_number = number.map(|n| n.reveal().to_owned()).unwrap_or_default();
        }
        Ok(message)
    }
}

/// The customer whose list is asked for, if it is the caller's to ask.
fn list_of(rules: &Rules, caller: &Caller, parent: &str) -> Result<CustomerId, Status> {
    let customer = list_parent(parent).map_err(|e| invalid("parent", e.to_string()))?;
    let theirs = match caller {
        Caller::Operator(_) => rules.parts.customers.contains_key(&customer),
        Caller::Customer(own) => *own == customer && rules.parts.customers.contains_key(own),
        Caller::Controller(_) | Caller::Desk(_) => false,
    };
    theirs
        .then_some(customer)
        .ok_or_else(|| not_found("access list"))
}

/// Etag of a list: the number of the edition in force.
fn list_etag(edition: &Edition) -> String {
    edition.number.to_string()
}

#[tonic::async_trait]
impl AccessListService for AccessLists {
    #[instrument(name = "list.get_version", skip_all)]
    async fn get_access_list_version(
        &self,
        request: Request<pb::GetAccessListVersionRequest>,
    ) -> Result<Response<pb::AccessListVersion>, Status> {
        let caller = caller(&request)?;
        let asked = request.get_ref();
        let customer = list_of(&self.desk.rules(), &caller, &asked.parent)?;
        let edition = self.edition(&customer, asked.as_of_time.as_ref())?;
        Ok(Response::new(edition_message(&customer, &edition)))
    }

    #[instrument(name = "list.versions", skip_all)]
    async fn list_access_list_versions(
        &self,
        request: Request<pb::ListAccessListVersionsRequest>,
    ) -> Result<Response<pb::ListAccessListVersionsResponse>, Status> {
        let caller = caller(&request)?;
        let asked = request.get_ref();
        let customer = list_of(&self.desk.rules(), &caller, &asked.parent)?;
        let size = PageSizes::VERSIONS.read(asked.page_size)?;
        let scope = PageScope {
            method: "ListAccessListVersions",
            caller: &caller,
            query: &asked.parent,
        };
        let first = match scope.open(self.desk.token_key(), &asked.page_token)? {
            Some(first) => first.parse().map_err(|_| fault(Reason::PageTokenInvalid))?,
            None => self.edition(&customer, None)?.number,
        };
        let editions = self.editions_from(&customer, first, size);
        let editions = editions.map_err(|e| load_fault(&e))?;
        let next = editions.last().map_or(0, |e| e.number.saturating_sub(1));
        let token = || scope.seal(self.desk.token_key(), &next.to_string());
        let versions = editions.iter().map(|e| edition_message(&customer, e));
        Ok(Response::new(pb::ListAccessListVersionsResponse {
            versions: versions.collect(),
            next_page_token: if next > 0 { token() } else { String::new() },
        }))
    }

    #[instrument(name = "list.entries", skip_all)]
    async fn list_access_list_entries(
        &self,
        request: Request<pb::ListAccessListEntriesRequest>,
    ) -> Result<Response<pb::ListAccessListEntriesResponse>, Status> {
        let caller = caller(&request)?;
        let asked = request.get_ref();
        let customer = list_of(&self.desk.rules(), &caller, &asked.parent)?;
        let size = PageSizes::RESOURCES.read(asked.page_size)?;
        let query = query_of(asked);
        let scope = PageScope {
            method: "ListAccessListEntries",
            caller: &caller,
            query: &query,
        };
        // All pages are of the edition of the first one.
        let place = match scope.open(self.desk.token_key(), &asked.page_token)? {
            Some(place) => EntryPlace::parse(&place)?,
            None => EntryPlace {
                edition: self.edition(&customer, asked.as_of_time.as_ref())?.number,
                behind: 0,
            },
        };
        let (entries, next) = self.entries(&customer, place, size)?;
        let seal = |p: EntryPlace| scope.seal(self.desk.token_key(), &p.text());
        Ok(Response::new(pb::ListAccessListEntriesResponse {
            entries,
            next_page_token: next.map(seal).unwrap_or_default(),
            etag: place.edition.to_string(),
        }))
    }

    #[instrument(name = "list.upload", skip_all)]
    async fn upload_access_list(
        &self,
        request: Request<Streaming<pb::UploadAccessListRequest>>,
    ) -> Result<Response<pb::UploadAccessListResponse>, Status> {
        let caller = caller(&request)?;
        let mut messages = self.desk.intake().begin(&caller, request.into_inner())?;
        let mut incoming = Incoming::new();
        let mut customer = None;
        while let Some(message) = messages.next().await? {
            if customer.is_none() {
                customer = Some(list_of(&self.desk.rules(), &caller, &message.parent)?);
            }
            if message.lines.len() > PER_MESSAGE_MAX {
                return Err(invalid("lines", "at most 100 in one message"));
            }
            for line in message.lines {
                incoming.push(line).map_err(upload_fault)?;
            }
        }
        let customer = customer.ok_or_else(|| invalid("parent", "is required"))?;
        let line_count = incoming.count();
        let world = self.desk.vault().world();
        let kept = self
            .uploads
            .keep(&caller, customer.as_str(), incoming, world);
        let upload = kept.map_err(upload_fault)?;
        Ok(Response::new(pb::UploadAccessListResponse {
            upload,
            line_count,
        }))
    }

    #[instrument(name = "list.plan", skip_all)]
    async fn plan_access_list(
        &self,
        request: Request<pb::PlanAccessListRequest>,
    ) -> Result<Response<pb::PlanAccessListResponse>, Status> {
        let caller = caller(&request)?;
        let asked = request.into_inner();
        let (desk, uploads) = (Arc::clone(&self.desk), Arc::clone(&self.uploads));
        let planned = tokio::task::spawn_blocking(move || {
            let (rules, now) = (desk.rules(), desk.now());
            let customer = list_of(&rules, &caller, &asked.parent)?;
            let lines = uploads.find(&caller, customer.as_str(), &asked.upload, now.moment);
            let lines = lines.ok_or_else(|| not_found("upload"))?;
            plan(&desk, &rules, &customer, &lines)
        });
        let plan = planned.await.map_err(|_| fault(Reason::Internal))??;
        Ok(Response::new(pb::PlanAccessListResponse {
            changes: plan_messages(&plan.plan),
            added_count: plan.added_count,
            removed_count: plan.removed_count,
            new_person_count: plan.new_person_count(),
            etag: list_etag(&plan.edition),
        }))
    }

    #[instrument(name = "list.apply", skip_all)]
    async fn apply_access_list(
        &self,
        request: Request<pb::ApplyAccessListRequest>,
    ) -> Result<Response<pb::ApplyAccessListResponse>, Status> {
        let caller = caller(&request)?;
        let asked = request.into_inner();
        let write = Write {
            method: "ApplyAccessList",
            caller: &caller,
            request_id: &asked.request_id,
            body: &asked,
        };
        let (uploads, author, body) = (Arc::clone(&self.uploads), caller.clone(), asked.clone());
        let answer = self.desk.write(write, move |desk, rules| {
            let customer = list_of(rules, &author, &body.parent)?;
            let now = desk.now().moment;
            let lines = uploads.find(&author, customer.as_str(), &body.upload, now);
            let lines = lines.ok_or_else(|| not_found("upload"))?;
            let plan = plan(desk, rules, &customer, &lines)?;
            apply(desk, rules, plan, (&author, &customer, &body.etag))
        });
        let answer = answer.await?;
        self.uploads.forget(&caller, &asked.upload);
        Ok(Response::new(answer))
    }
}

impl AccessLists {
    /// A page of entries, and where the next begins.
    fn entries(
        &self,
        customer: &CustomerId,
        place: EntryPlace,
        size: usize,
    ) -> Result<(Vec<pb::AccessListEntry>, Option<EntryPlace>), Status> {
        let reader = self.desk.reader();
        let one_more = size.saturating_add(1);
        let found = entries_page(reader, customer, place.edition, place.behind, one_more);
        let mut listed = found.map_err(|e| load_fault(&e))?;
        let more = listed.len() > size;
        listed.truncate(size);
        let last = listed.last().filter(|_| more);
        let next = last.map(|last| EntryPlace {
            behind: last.entry.entry.number.0,
            ..place
        });
        let messages = listed.iter().map(|l| self.entry(l));
        let messages = messages.collect::<Result<_, _>>();
        Ok((messages.map_err(|e| load_fault(&e))?, next))
    }
}

/// Where a page of entries begins.
#[derive(Debug, Clone, Copy)]
struct EntryPlace {
    edition: u64,
    /// Number of the last entry of the page before.
    behind: u64,
}

impl EntryPlace {
    fn text(self) -> String {
        format!("{}:{}", self.edition, self.behind)
    }

    fn parse(text: &str) -> Result<Self, Status> {
        let refused = || fault(Reason::PageTokenInvalid);
        let (edition, behind) = text.split_once(':').ok_or_else(refused)?;
        Ok(Self {
            edition: edition.parse().map_err(|_| refused())?,
            behind: behind.parse().map_err(|_| refused())?,
        })
    }
}

/// What of a request for entries has to stay the same from page to page.
fn query_of(asked: &pb::ListAccessListEntriesRequest) -> String {
    let at = asked.as_of_time.as_ref().map(|t| t.seconds);
    format!("{} {at:?}", asked.parent)
}

/// Plans an upload against the list in force.
fn plan(
    desk: &RuleDesk,
    rules: &Rules,
    customer: &CustomerId,
    lines: &[pb::AccessListLine],
) -> Result<ListPlan, Status> {
    let lines = list_lines(lines).map_err(|faults| file_fault(&faults))?;
    let sources = (desk.reader(), desk.vault());
    let now: UtcTime = desk.now().utc;
    plan_list(rules, customer, sources, lines, now).map_err(|e| match e {
        PlanListError::Faults(faults) => file_fault(&faults),
        PlanListError::Load(failed) => load_fault(&failed),
    })
}

/// The change that a plan stands for, and the answer that tells of it.
fn apply(
    desk: &RuleDesk,
    rules: &Rules,
    plan: ListPlan,
    (caller, customer, etag): (&Caller, &CustomerId, &str),
) -> Result<Outcome<pb::ApplyAccessListResponse>, Status> {
    if etag != list_etag(&plan.edition) {
        return Err(conflict());
    }
    let new_person_count = plan.new_person_count();
    let answer = |edition: &Edition| pb::ApplyAccessListResponse {
        version: Some(edition_message(customer, edition)),
        new_person_count,
    };
    if plan.is_empty() {
        return Ok(Outcome {
            answer: answer(&plan.edition),
            change: None,
        });
    }
    let author = Author {
        caller,
        now: desk.now().utc,
    };
    let built = plan.build(rules, (desk.reader(), desk.vault()), author);
    let (change, edition) = built.map_err(|e| build_fault(&e))?;
    Ok(Outcome {
        answer: answer(&edition),
        change: Some(change),
    })
}
