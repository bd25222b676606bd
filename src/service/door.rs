//! `DoorService`: decisions for door controllers, and what they report.

use std::sync::Arc;

use prost::Message as _;
use tonic::{Request, Response, Status};

use crate::control::{
    Alarms, Answer, AuthorizeError, Presented, Runner, Sessions, hear_reported, presented_card,
};
use crate::pb::v1::door_event::Event;
use crate::pb::v1::door_service_server::DoorService;
use crate::pb::v1::{
    self, AuthorizeRequest, AuthorizeResponse, ControllerDecision, DoorEvent,
    DoorEventAcknowledgement, ReportDoorEventsRequest, ReportDoorEventsResponse,
};
use crate::service::caller::caller;
use crate::service::door_session::{Line, STREAMS_MAX, SessionStream, serve};
use crate::service::read_door;
use crate::service::status::{
    Reason, already_decided, fault, fault_with, invalid, invalid_for, not_found,
};
use crate::service::tally::Tally;
use crate::store::secrets::Secrets;
use crate::store::{Acknowledged, AppendError, Reported, ReportedEntry, RulesCell, Scribe, Source};
use crate::types::{
    AccessPointId, BootId, Caller, ControllerId, FactorSet, Moment, SourceEvent, UtcTime, World,
};

/// Events in one report at most.
const EVENTS_MAX: usize = 200;

/// How far a controller's clock may be ahead.
const CLOCK_AHEAD_SECONDS_MAX: u32 = 86_400;

/// What the door service works with.
#[derive(Debug)]
pub struct DoorParts {
    /// Decides.
    pub runner: Arc<Runner>,
    /// Writes what is reported.
    pub scribe: Scribe,
    /// The rules in force, to know whose door it is.
    pub rules: Arc<RulesCell>,
    /// Look-up keys.
    pub secrets: Arc<Secrets>,
    /// The clock, to refuse events of the future.
    pub world: Arc<dyn World>,
    /// Controllers that keep a line open.
    pub sessions: Sessions,
    /// Where what is reported of doors is heard.
    pub alarms: Alarms,
    /// Turns true when the server stops.
    pub stopping: tokio::sync::watch::Receiver<bool>,
}

/// Serves door controllers.
#[derive(Debug)]
pub struct DoorApi {
    parts: DoorParts,
    streams: Arc<Tally<ControllerId>>,
}

impl DoorApi {
    /// Joins its parts.
    pub fn new(parts: DoorParts) -> Self {
        Self {
            parts,
            streams: Tally::new(),
        }
    }

    /// The access point, if it is at a door of this controller; else it is not there.
    fn own_access_point(
        &self,
        controller: &ControllerId,
        name: &str,
        field: &str,
    ) -> Result<AccessPointId, Status> {
        let id = AccessPointId::from_name(name).map_err(|e| invalid(field, e.to_string()))?;
        let rules = self.parts.rules.peek();
        let owner = rules.roster.controller_of(&id);
        if owner == Some(controller) {
            Ok(id)
        } else {
            Err(not_found("access point"))
        }
    }

    fn presented(
        &self,
        controller: ControllerId,
        request: &AuthorizeRequest,
    ) -> Result<Presented, Status> {
        let access_point =
            self.own_access_point(&controller, &request.access_point, "access_point")?;
        let boot = read_door::boot_id(&request.boot_id)?;
        let card = read_door::card(request.card.as_ref(), "card")?;
        let pin = read_door::pin(&request.pin)?;
        let event = SourceEvent {
            controller,
            boot,
            counter: read_door::counter(request.counter, "counter")?,
        };
        let body = self.parts.secrets.body_hash(&request.encode_to_vec());
        Ok(Presented {
            source: Some(Source { event, body }),
            access_point,
            card,
            pin,
        })
    }

    fn reported(
        &self,
        (controller, boot): (&ControllerId, &BootId),
        (position, event): (usize, &DoorEvent),
    ) -> Result<ReportedEntry, Status> {
        let field = |name: &str| format!("events[{position}].{name}");
        let access_point =
            self.own_access_point(controller, &event.access_point, &field("access_point"))?;
        let event_at = self.past(event, &field("event_time"))?;
        let what = match &event.event {
            Some(Event::Kind(kind)) => {
                Reported::DoorEvent(read_door::door_event_kind(*kind, &field("kind"))?)
            }
            Some(Event::Decided(decided)) => self.decided(decided, &field("decided"))?,
            None => return Err(invalid(field("event"), "needs `kind` or `decided`")),
        };
        let body = self.parts.secrets.body_hash(&event.encode_to_vec());
        let identity = SourceEvent {
            controller: controller.clone(),
            boot: boot.clone(),
            counter: read_door::counter(event.counter, &field("counter"))?,
        };
        Ok(ReportedEntry {
            source: Some(Source {
                event: identity,
                body,
            }),
            access_point,
            event_at,
            what,
        })
    }

    /// Writes what is reported, and raises the alarms that are in it.
    fn write_and_hear(
        &self,
        entries: Vec<ReportedEntry>,
    ) -> impl Future<Output = Result<Vec<Acknowledged>, AppendError>> + Send + 'static {
        let (scribe, alarms) = (self.parts.scribe.clone(), self.parts.alarms.clone());
        let (rules, world) = (Arc::clone(&self.parts.rules), Arc::clone(&self.parts.world));
        async move {
            let written = scribe.record_reported(entries.clone()).await?;
            let rules = rules.load();
            let now = world.now().utc;
            hear_reported(&alarms, &rules.roster, (&entries, &written), now);
            Ok(written)
        }
    }

    /// When an event happened: not in a future that no slow clock explains.
    fn past(&self, event: &DoorEvent, field: &str) -> Result<UtcTime, Status> {
        let event_at = read_door::time(event.event_time.as_ref(), field)?;
        let latest = self
            .parts
            .world
            .now()
            .utc
            .plus_seconds(CLOCK_AHEAD_SECONDS_MAX);
        if event_at > latest {
            return Err(invalid(
                field,
                "lies more than a day ahead; set the controller's clock",
            ));
        }
        Ok(event_at)
    }

    fn decided(&self, decided: &ControllerDecision, field: &str) -> Result<Reported, Status> {
        let card = read_door::card(decided.card.as_ref(), &format!("{field}.card"))?;
        let granted = read_door::is_grant(decided.decision, &format!("{field}.decision"))?;
        let reasons = read_door::reasons(&decided.reasons, &format!("{field}.reasons"))?;
        Ok(Reported::Attempt {
            card: presented_card(&card, &self.parts.secrets),
            granted,
            reasons,
        })
    }
}

#[tonic::async_trait]
impl DoorService for DoorApi {
    type SessionStream = SessionStream;

    async fn session(
        &self,
        request: Request<tonic::Streaming<v1::SessionRequest>>,
    ) -> Result<Response<Self::SessionStream>, Status> {
        let controller = controller(&request)?;
        if self
            .parts
            .rules
            .peek()
            .roster
            .controller(&controller)
            .is_none()
        {
            return Err(not_found("controller"));
        }
        let place = self.streams.take(controller.clone(), STREAMS_MAX);
        let place = place.ok_or_else(|| fault(Reason::TooManyStreams))?;
        let line = Line {
            sessions: self.parts.sessions.clone(),
            controller,
            said: request.into_inner(),
            stopping: self.parts.stopping.clone(),
        };
        let world = Arc::clone(&self.parts.world);
        Ok(Response::new(serve(line, world, place)))
    }

    async fn authorize(
        &self,
        request: Request<AuthorizeRequest>,
    ) -> Result<Response<AuthorizeResponse>, Status> {
        let controller = controller(&request)?;
        let presented = self.presented(controller, request.get_ref())?;
        let answer = self.parts.runner.authorize(presented).await;
        let answer = answer.map_err(|error| refused(&error))?;
        Ok(Response::new(answered(
            &answer,
            self.parts.world.now().moment,
        )?))
    }

    #[tracing::instrument(name = "door.report", skip_all)]
    async fn report_door_events(
        &self,
        request: Request<ReportDoorEventsRequest>,
    ) -> Result<Response<ReportDoorEventsResponse>, Status> {
        let controller = controller(&request)?;
        let request = request.into_inner();
        if !(1..=EVENTS_MAX).contains(&request.events.len()) {
            return Err(invalid("events", "must hold 1 to 200 events"));
        }
        let rise = request.events.iter().map(|event| event.counter);
        if !rise.is_sorted_by(|before, after| before < after) {
            return Err(invalid("events", "must have rising counters, none twice"));
        }
        let boot = read_door::boot_id(&request.boot_id)?;
        let read = |event| self.reported((&controller, &boot), event);
        let entries = request
            .events
            .iter()
            .enumerate()
            .map(read)
            .collect::<Result<Vec<_>, _>>()?;
        // A task of its own, which ends with the commit: a caller that hangs up must not keep what
        // was written from being heard.
        let written = tokio::spawn(self.write_and_hear(entries)).await;
        let written = written.map_err(|_| fault(Reason::Internal))?;
        let written = written.map_err(|error| append_refused(&error))?;
        let acknowledgements = written.into_iter().map(|known| DoorEventAcknowledgement {
            counter: known.counter,
            entry: known.entry.name(),
            already_known: known.already_known,
        });
        let acknowledgements = acknowledgements.collect();
        Ok(Response::new(ReportDoorEventsResponse { acknowledgements }))
    }
}

fn controller<T>(request: &Request<T>) -> Result<ControllerId, Status> {
    match caller(request)? {
        Caller::Controller(controller) => Ok(controller),
        Caller::Customer(_) | Caller::Desk(_) | Caller::Operator(_) => {
            Err(fault(Reason::RpcNotAllowed))
        }
    }
}

/// The answer as it stands now; a grant that has become stale on the way is none.
fn answered(answer: &Answer, now: Moment) -> Result<AuthorizeResponse, Status> {
    Ok(match answer {
        Answer::Grant { unlock, grant } => {
            let valid_for = unlock.valid_for(now);
            if valid_for.is_zero() {
                return Err(refused(&AuthorizeError::Stale(unlock.entry().clone())));
            }
            AuthorizeResponse {
                decision: v1::Decision::Grant.into(),
                reasons: Vec::new(),
                entry: unlock.entry().name(),
                verified: factor_numbers(grant.verified),
                valid_for: prost_types::Duration::try_from(valid_for).ok(),
            }
        }
        Answer::Denial(receipt) => AuthorizeResponse {
            decision: v1::Decision::Denial.into(),
            reasons: receipt
                .value()
                .reasons
                .iter()
                .map(|r| i32::from(r.number()))
                .collect(),
            entry: receipt.entry().name(),
            verified: factor_numbers(receipt.value().verified),
            valid_for: None,
        },
    })
}

fn factor_numbers(factors: FactorSet) -> Vec<i32> {
    factors
        .iter()
        .map(|factor| i32::from(factor.number()))
        .collect()
}

fn refused(error: &AuthorizeError) -> Status {
    match error {
        AuthorizeError::Append(error) => append_refused(error),
        AuthorizeError::AlreadyDecided(entry) => already_decided(entry.name()),
        AuthorizeError::Stale(entry) => fault_with(Reason::GrantStale, [("entry", entry.name())]),
        AuthorizeError::RulesChanging => fault(Reason::RulesChanging),
    }
}

/// How a write that failed is answered.
pub(super) fn append_refused(error: &AppendError) -> Status {
    match error {
        AppendError::QueueFull => fault(Reason::QueueFull),
        AppendError::Unavailable(_) => fault(Reason::StoreReadOnly),
        AppendError::Gone(_) => not_found("access point"),
        AppendError::DoorGone(_) => not_found("door"),
        AppendError::CounterReused(_) => invalid_for(
            Reason::CounterReused,
            "counter",
            "was used for another request",
        ),
    }
}
