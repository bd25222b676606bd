//! `ExplainService`: why a door stays shut, and what would open it. Reads only.
//!
//! A customer is told of its own people, its own list and the doors that it sees. What is not its
//! own answers as what does not exist does.

use std::sync::Arc;

use tonic::{Request, Response, Status};

use crate::pb::store::{JournalBody, JournalKind};
use crate::pb::v1::explain_service_server::ExplainService;
use crate::pb::v1::{
    self, ExplainEntryRequest, ExplainEntryResponse, SuggestedChange, WhatIfRequest, WhatIfResponse,
};
use crate::policy::{self, TimeTold, WhatIf, attempt_for, explain};
use crate::service::caller::caller;
use crate::service::convert::timestamp_message;
use crate::service::feed::status_of;
use crate::service::read_door;
use crate::service::status::{Reason, fault, invalid, not_found};
use crate::store::lists::doors_of;
use crate::store::{Feeds, JournalRef, Rules, RulesCell};
use crate::types::{
    AccessPointId, Attempt, BadgeNumber, Caller, CardCheck, CardFormat, CardKey, CustomerId,
    Decision, DenialReason, DoorId, PersonId, PinEvidence, Precision, PresentedCard, UtcTime,
    World,
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

    /// Whether the rules of an access point may be told: to an operator, and where the customer
    /// sees the door.
    fn may_read_at(&self, access_point: &AccessPointId, rules: &Rules) -> bool {
        match self {
            Self::Operator => true,
            Self::Customer(customer) => rules
                .parts
                .access_points
                .get(access_point)
                .is_some_and(|point| doors_of(&rules.parts, customer).contains(&point.door)),
        }
    }

    /// The customer who reads; `None` for an operator, who is told everything.
    fn customer(&self) -> Option<&CustomerId> {
        match self {
            Self::Operator => None,
            Self::Customer(customer) => Some(customer),
        }
    }

    /// How finely the instant of an entry may be told: to a customer as its contract says.
    fn precision(&self, rules: &Rules) -> Precision {
        match self {
            Self::Operator => Precision::Second,
            Self::Customer(customer) => rules
                .roster
                .customer(customer)
                .map_or(Precision::Hour, |contract| contract.precision),
        }
    }

    /// That something asked for is not there. A customer does not learn what it was, for it may be
    /// somebody else's; an operator does.
    fn absent(&self, resource: &'static str) -> Status {
        match self {
            Self::Operator => not_found(resource),
            Self::Customer(_) => not_found("person with a badge, or access point"),
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
        let today = today(&reader, &rules, &body, at);
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
        let at = match &request.at_time {
            Some(time) => read_door::time(Some(time), "at_time")?,
            None => self.0.world.now().utc,
        };
        let asked = Asked::read(&request)?;
        let explanation = Some(asked.answer(&reader, &self.0.rules.load(), at)?);
        Ok(Response::new(WhatIfResponse { explanation }))
    }
}

/// Who would come where, as asked: read without a look at the rules, so that what is wrong with a
/// request does not depend on whom or what it names.
#[derive(Debug)]
struct Asked {
    who: Who,
    place: Place,
    pin: PinEvidence,
}

#[derive(Debug)]
enum Who {
    Person(PersonId),
    /// The holder of a badge with this printed number.
    Number(BadgeNumber),
}

#[derive(Debug)]
enum Place {
    AccessPoint(AccessPointId),
    /// The entry side of a door.
    Door(DoorId),
}

impl Asked {
    fn read(request: &WhatIfRequest) -> Result<Self, Status> {
        let who = if request.person.is_empty() {
            BadgeNumber::parse(&request.badge_number)
                .map(Who::Number)
                .map_err(|_| invalid("person", "give `person` or `badge_number`"))?
        } else {
            PersonId::from_name(&request.person)
                .map(Who::Person)
                .map_err(|error| invalid("person", error.to_string()))?
        };
        let door = DoorId::from_name(&request.access_point).map(Place::Door);
        let place = door
            .or_else(|_| AccessPointId::from_name(&request.access_point).map(Place::AccessPoint))
            .map_err(|_| invalid("access_point", "must be `accessPoints/ID` or `doors/ID`"))?;
        let pin = if request.with_pin {
            PinEvidence::Verified
        } else {
            PinEvidence::NotGiven
        };
        Ok(Self { who, place, pin })
    }

    /// What would be decided then. To a customer, everything that is not there or not its own is
    /// the same failure.
    fn answer(
        &self,
        reader: &Reader,
        rules: &Rules,
        at: UtcTime,
    ) -> Result<v1::Explanation, Status> {
        let person = self.person(reader, rules);
        let person = person.ok_or_else(|| reader.absent("person"))?;
        let access_point = self.access_point(rules);
        let access_point = access_point
            .filter(|point| reader.may_read_at(point, rules))
            .ok_or_else(|| reader.absent("door"))?;
        let what_if = WhatIf {
            person: &person,
            access_point: &access_point,
            pin: self.pin,
        };
        let attempt = attempt_for(&rules.roster, what_if, at)
            .ok_or_else(|| reader.absent("person with a badge, or access point"))?;
        // The instant is the caller's own, so it is told as it was asked.
        Ok(told(reader, rules, &attempt, at, Precision::Second))
    }

    /// The person that is meant, if the reader may know of it. Numbers are looked up among the
    /// reader's own people.
    fn person(&self, reader: &Reader, rules: &Rules) -> Option<PersonId> {
        let may_read = |person: &&PersonId| reader.may_read(person, rules);
        match &self.who {
            Who::Person(person) => Some(person).filter(may_read).cloned(),
            Who::Number(number) => {
                let badges = rules.parts.badges.values();
                let holders = badges.filter(|b| b.number.as_ref() == Some(number));
                holders.map(|b| &b.person).find(may_read).cloned()
            }
        }
    }

    fn access_point(&self, rules: &Rules) -> Option<AccessPointId> {
        match &self.place {
            Place::AccessPoint(id) => Some(id.clone()),
            Place::Door(door) => rules.roster.entry_side(door).map(|point| point.id.clone()),
        }
    }
}

/// What today's rules say of an entry; `None` where that is not the reader's to know.
///
/// The card may have gone to somebody else since, and the door to another customer: then the
/// rules are no longer about what the reader was told of.
fn today(
    reader: &Reader,
    rules: &Rules,
    body: &JournalBody,
    at: UtcTime,
) -> Option<v1::Explanation> {
    let attempt = attempt_of(body)?;
    // Of an unknown card there was nothing that was anybody else's.
    let then = PersonId::parse(&body.person).ok();
    let now = rules.roster.badge_of(&attempt.card);
    let holders = then.iter().chain(now.map(|badge| &badge.person));
    let may_read = holders.into_iter().all(|p| reader.may_read(p, rules))
        && reader.may_read_at(&attempt.access_point, rules);
    may_read.then(|| told(reader, rules, &attempt, at, reader.precision(rules)))
}

/// What was found of the card itself; the entry's reasons tell.
fn check_of(body: &JournalBody) -> CardCheck {
    let has = |reason: DenialReason| body.reasons.contains(&u32::from(reason.number()));
    if has(DenialReason::CardParity) {
        CardCheck::ParityFailed
    } else if has(DenialReason::CardFormatNotAccepted) {
        CardCheck::FormatNotAccepted
    } else {
        CardCheck::Sound
    }
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
            check: check_of(body),
        },
        pin: match body.pin_evidence {
            1 => PinEvidence::Verified,
            2 => PinEvidence::Wrong,
            3 => PinEvidence::LockedOut,
            4 => PinEvidence::Duress,
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

/// Explains an attempt to a reader. The instant decides as it is, and is told no finer than
/// `precision`. A grant by another customer's list does not name its entry.
fn told(
    reader: &Reader,
    rules: &Rules,
    attempt: &Attempt,
    at: UtcTime,
    precision: Precision,
) -> v1::Explanation {
    let policy::Explanation {
        decision,
        failed,
        changes,
    } = explain(&rules.roster, attempt, at, reader.customer());
    let time = TimeTold {
        precision,
        zone: rules.roster.zone(),
    };
    let failed_rules = failed.iter().map(|rule| v1::FailedRule {
        reason: i32::from(rule.reason.number()),
        resource: rule.resource.name(),
        detail: rule.sentence(precision),
    });
    let changes = changes.iter().map(|change| SuggestedChange {
        resource: change.resource().name(),
        action: change.sentence(time),
    });
    v1::Explanation {
        decision: if decision.is_grant() {
            v1::Decision::Grant
        } else {
            v1::Decision::Denial
        }
        .into(),
        failed_rules: failed_rules.collect(),
        changes: changes.collect(),
        list_entry: match decision {
            Decision::Grant(grant)
                if reader
                    .customer()
                    .is_none_or(|own| grant.entry.customer == *own) =>
            {
                grant.entry.name()
            }
            Decision::Grant(_) | Decision::Denial(_) => String::new(),
        },
    }
}

#[cfg(test)]
mod tests;
