//! `ExplainService`: why a door stays shut, and what would open it. Reads only.

use std::sync::Arc;

use tonic::{Request, Response, Status};

use crate::pb::store::{JournalBody, JournalKind};
use crate::pb::v1::explain_service_server::ExplainService;
use crate::pb::v1::{
    self, ExplainEntryRequest, ExplainEntryResponse, SuggestedChange, WhatIfRequest, WhatIfResponse,
};
use crate::policy::{self, Resource, WhatIf, attempt_for, explain};
use crate::service::caller::caller;
use crate::service::convert::timestamp_message;
use crate::service::feed::status_of;
use crate::service::read_door;
use crate::service::status::{Reason, fault, invalid, not_found};
use crate::store::{Feeds, JournalRef, Rules, RulesCell};
use crate::types::{
    AccessPointId, Attempt, BadgeNumber, Caller, CardFormat, CardKey, CustomerId, Decision, DoorId,
    PersonId, PinEvidence, PresentedCard, UtcTime, World,
};

/// What the explain service works with.
#[derive(Debug)]
pub struct ExplainParts {
    /// Feeds and journal.
    pub feeds: Feeds,
    /// The rules in force.
    pub rules: Arc<RulesCell>,
    /// The clock, for "now".
    pub world: Arc<dyn World>,
}

/// Explains decisions.
#[derive(Debug)]
pub struct ExplainApi(ExplainParts);

/// Who asks, and so what may be told.
#[derive(Debug, Clone)]
enum Reader {
    Operator,
    Customer(CustomerId),
}

impl Reader {
    fn of<T>(request: &Request<T>) -> Result<Self, Status> {
        match caller(request)? {
            Caller::Operator(_) => Ok(Self::Operator),
            Caller::Customer(customer) => Ok(Self::Customer(customer)),
            Caller::Controller(_) | Caller::Desk(_) => Err(fault(Reason::RpcNotAllowed)),
        }
    }

    /// Whether the rules of a person may be told: to an operator, and to its own customer.
    fn may_read(&self, person: &PersonId, rules: &Rules) -> bool {
        match self {
            Self::Operator => true,
            Self::Customer(customer) => rules
                .roster
                .person(person)
                .is_some_and(|p| p.belongs_to(customer)),
        }
    }

    /// Whether a resource is nobody else's list.
    fn may_see(&self, resource: &Resource) -> bool {
        match (self, resource) {
            (Self::Customer(own), Resource::Entry(entry)) => entry.customer == *own,
            (Self::Customer(own), Resource::AccessList(list)) => list == own,
            (Self::Customer(_) | Self::Operator, _) => true,
        }
    }
}

impl ExplainApi {
    /// Joins its parts.
    pub fn new(parts: ExplainParts) -> Self {
        Self(parts)
    }

    /// What the journal says of an entry that this reader may see; else it is not there.
    fn entry(&self, reader: &Reader, name: &str) -> Result<JournalBody, Status> {
        let absent = || not_found("entry");
        let sequence = match reader {
            Reader::Operator => JournalRef::from_name(name).ok_or_else(absent)?.sequence,
            Reader::Customer(customer) => self.place(customer, name)?,
        };
        let entry = self
            .0
            .feeds
            .journal(sequence)
            .map_err(|error| status_of(&error))?;
        let entry = entry
            .filter(|e| e.kind == JournalKind::Attempt)
            .ok_or_else(absent)?;
        entry.body.ok_or_else(|| fault(Reason::RecordErased))
    }

    /// The journal's number of `customers/{customer}/feed/{index}`.
    fn place(&self, customer: &CustomerId, name: &str) -> Result<u64, Status> {
        let absent = || not_found("entry");
        let own = format!("{}/feed/", customer.name());
        let index: u64 = name
            .strip_prefix(&own)
            .and_then(|i| i.parse().ok())
            .ok_or_else(absent)?;
        let leaves = self.0.feeds.leaves(customer, index, 1);
        let leaves = leaves.map_err(|error| status_of(&error))?;
        leaves.first().map(|leaf| leaf.journal).ok_or_else(absent)
    }
}

#[tonic::async_trait]
impl ExplainService for ExplainApi {
    #[tracing::instrument(name = "explain.entry", skip_all)]
    async fn explain_entry(
        &self,
        request: Request<ExplainEntryRequest>,
    ) -> Result<Response<ExplainEntryResponse>, Status> {
        let reader = Reader::of(&request)?;
        let name = request.into_inner().entry;
        let body = self.entry(&reader, &name)?;
        let rules = self.0.rules.load();
        let at = UtcTime::from_unix(body.event_at).unwrap_or(UtcTime::EPOCH);
        let may_read = match PersonId::parse(&body.person) {
            Ok(person) => reader.may_read(&person, &rules),
            // Of an unknown card there is nothing that is anybody else's.
            Err(_) => true,
        };
        let attempt = attempt_of(&body).filter(|_| may_read);
        let today = attempt.map(|attempt| told(&reader, &rules, &attempt, at));
        let event_time = matches!(reader, Reader::Operator).then(|| timestamp_message(at));
        Ok(Response::new(recorded(body, event_time, today)))
    }

    #[tracing::instrument(name = "explain.what_if", skip_all)]
    async fn what_if(
        &self,
        request: Request<WhatIfRequest>,
    ) -> Result<Response<WhatIfResponse>, Status> {
        let reader = Reader::of(&request)?;
        let request = request.into_inner();
        let rules = self.0.rules.load();
        let person = person_meant(&request, &rules)?;
        let absent = || not_found("person with a badge, or access point");
        if !reader.may_read(&person, &rules) {
            return Err(absent());
        }
        let access_point = access_point(&request.access_point, &rules)?;
        let at = match &request.at_time {
            Some(time) => read_door::time(Some(time), "at_time")?,
            None => self.0.world.now().utc,
        };
        let pin = if request.with_pin {
            PinEvidence::Verified
        } else {
            PinEvidence::NotGiven
        };
        let what_if = WhatIf {
            person: &person,
            access_point: &access_point,
            pin,
        };
        let attempt = attempt_for(&rules.roster, what_if, at).ok_or_else(absent)?;
        let explanation = Some(told(&reader, &rules, &attempt, at));
        Ok(Response::new(WhatIfResponse { explanation }))
    }
}

/// An access point by its own name, or by its door's for the entry side.
fn access_point(name: &str, rules: &Rules) -> Result<AccessPointId, Status> {
    if let Ok(door) = DoorId::from_name(name) {
        let side = rules.roster.entry_side(&door);
        return side
            .map(|point| point.id.clone())
            .ok_or_else(|| not_found("door"));
    }
    AccessPointId::from_name(name)
        .map_err(|_| invalid("access_point", "must be `accessPoints/ID` or `doors/ID`"))
}

/// The attempt that an entry tells of.
fn attempt_of(body: &JournalBody) -> Option<Attempt> {
    let key: [u8; 16] = body.card_key.as_slice().try_into().ok()?;
    Some(Attempt {
        access_point: AccessPointId::parse(&body.access_point).ok()?,
        card: PresentedCard {
            format: CardFormat::parse(&body.card_format).ok()?,
            bit_length: body.card_bit_length,
            key: CardKey::from_bytes(key),
        },
        pin: match body.pin_evidence {
            1 => PinEvidence::Verified,
            2 => PinEvidence::Wrong,
            3 => PinEvidence::LockedOut,
            _ => PinEvidence::NotGiven,
        },
    })
}

fn recorded(
    body: JournalBody,
    event_time: Option<prost_types::Timestamp>,
    today: Option<v1::Explanation>,
) -> ExplainEntryResponse {
    let reasons = body
        .reasons
        .into_iter()
        .filter_map(|r| i32::try_from(r).ok())
        .collect();
    ExplainEntryResponse {
        decision: i32::try_from(body.decision).unwrap_or_default(),
        reasons,
        event_time,
        access_point: format!("accessPoints/{}", body.access_point),
        today,
    }
}

/// Explains an attempt to a reader. Of other customers' lists nothing is told; where the smallest
/// change would touch one, no change is told.
fn told(reader: &Reader, rules: &Rules, attempt: &Attempt, at: UtcTime) -> v1::Explanation {
    let policy::Explanation {
        decision,
        failed,
        changes,
    } = explain(&rules.roster, attempt, at);
    let failed_rules = failed
        .iter()
        .filter(|rule| reader.may_see(&rule.resource))
        .map(|rule| v1::FailedRule {
            reason: i32::from(rule.reason.number()),
            resource: rule.resource.name(),
            detail: rule.sentence(),
        })
        .collect();
    let all_seen = changes
        .iter()
        .all(|change| reader.may_see(&change.resource()));
    let changes = changes
        .iter()
        .filter(|_| all_seen)
        .map(|change| SuggestedChange {
            resource: change.resource().name(),
            action: change.sentence(),
        });
    v1::Explanation {
        decision: if decision.is_grant() {
            v1::Decision::Grant
        } else {
            v1::Decision::Denial
        }
        .into(),
        failed_rules,
        changes: changes.collect(),
        list_entry: match decision {
            Decision::Grant(grant) if reader.may_see(&Resource::Entry(grant.entry.clone())) => {
                grant.entry.name()
            }
            Decision::Grant(_) | Decision::Denial(_) => String::new(),
        },
    }
}

/// The person that is meant: by id, or by the number on one of its badges.
fn person_meant(request: &WhatIfRequest, rules: &Rules) -> Result<PersonId, Status> {
    if !request.person.is_empty() {
        return PersonId::from_name(&request.person)
            .map_err(|error| invalid("person", error.to_string()));
    }
    let number = BadgeNumber::parse(&request.badge_number)
        .map_err(|_| invalid("person", "give `person` or `badge_number`"))?;
    let badge = rules
        .parts
        .badges
        .values()
        .find(|b| b.number.as_ref() == Some(&number));
    badge
        .map(|b| b.person.clone())
        .ok_or_else(|| not_found("person"))
}
