//! `DoorOrderService`: what operators do at doors, and what is known of them.

use std::sync::Arc;
use std::time::Duration;

use ring::hmac;
use tonic::{Request, Response, Status};

use super::caller::caller;
use super::door::append_refused;
use super::once::Once;
use super::paging::{PageScope, PageSizes};
use super::read_door;
use super::status::{Reason, fault, fault_with, invalid, not_found};
use crate::control::{Alarms, DoorDesk, DoorPosition, DoorStatus, LockState, OrderError};
use crate::pb::v1::door_order_service_server::DoorOrderService;
use crate::pb::v1::{
    self, DoorAction, GetDoorStatusRequest, ListDoorStatusesRequest, ListDoorStatusesResponse,
    OrderDoorRequest, OrderDoorResponse,
};
use crate::service::convert::timestamp_message;
use crate::store::JournalRef;
use crate::types::{Alarm, AlarmSubject, Caller, DoorId, DoorOrder, RequestId, UtcTime, World};

/// How long an order with the same request id is the same order.
const ANSWER_LASTS: Duration = Duration::from_hours(1);

/// What the service of orders works with.
#[derive(Debug)]
pub struct DoorOrderParts {
    /// Has orders carried out, and knows the doors.
    pub desk: DoorDesk,
    /// The alarms that stand.
    pub alarms: Alarms,
    /// The key of page tokens.
    pub page_key: hmac::Key,
    /// The clock.
    pub world: Arc<dyn World>,
}

/// Serves orders for doors.
#[derive(Debug)]
pub struct DoorOrders {
    parts: DoorOrderParts,
    once: Arc<Once<OrderDoorRequest, Ordered>>,
}

/// What became of an order.
type Ordered = Result<JournalRef, OrderError>;

impl DoorOrders {
    /// Joins its parts.
    pub fn new(parts: DoorOrderParts) -> Self {
        Self {
            parts,
            once: Once::new(ANSWER_LASTS),
        }
    }

    /// Checks an order; answers what carries it out.
    fn begin(
        &self,
        asked: &OrderDoorRequest,
        caller: &Caller,
        now: UtcTime,
    ) -> Result<impl Future<Output = Ordered> + use<>, Status> {
        let door = door_id(&asked.name)?;
        let order = order(asked, now)?;
        let (desk, actor) = (self.parts.desk.clone(), caller.clone());
        Ok(async move { desk.order(&door, order, &actor).await })
    }
}

#[tonic::async_trait]
impl DoorOrderService for DoorOrders {
    #[tracing::instrument(name = "door.order", skip_all)]
    async fn order_door(
        &self,
        request: Request<OrderDoorRequest>,
    ) -> Result<Response<OrderDoorResponse>, Status> {
        let caller = caller(&request)?;
        let asked = request.into_inner();
        let id = RequestId::parse(&asked.request_id);
        let id = id.map_err(|error| invalid("request_id", error.to_string()))?;
        let now = self.parts.world.now();
        let begin = |asked: &_| self.begin(asked, &caller, now.utc);
        let request = ((caller.clone(), id), asked);
        let ordered = self.once.ask(request, now.moment, begin, left_a_trace);
        let entry = ordered.await?.map_err(|error| refused(&error))?;
        let entry = entry.name();
        Ok(Response::new(OrderDoorResponse { entry }))
    }

    async fn get_door_status(
        &self,
        request: Request<GetDoorStatusRequest>,
    ) -> Result<Response<v1::DoorStatus>, Status> {
        let door = door_id(&request.get_ref().name)?;
        let status = self.parts.desk.status(&door);
        let status = status.ok_or_else(|| not_found("door"))?;
        Ok(Response::new(message(&status, &self.parts.alarms.list())))
    }

    async fn list_door_statuses(
        &self,
        request: Request<ListDoorStatusesRequest>,
    ) -> Result<Response<ListDoorStatusesResponse>, Status> {
        let caller = caller(&request)?;
        let asked = request.get_ref();
        let scope = PageScope {
            method: "ListDoorStatuses",
            caller: &caller,
            query: "",
        };
        let size = PageSizes::STATUSES.cut(asked.page_size);
        let all: (_, fn(&DoorStatus) -> &str) =
            (self.parts.desk.statuses(), |status| status.door.as_str());
        let key = &self.parts.page_key;
        let (page, next_page_token) = scope.page(key, (size, &asked.page_token), all)?;
        let alarms = self.parts.alarms.list();
        let statuses = page.iter().map(|status| message(status, &alarms)).collect();
        Ok(Response::new(ListDoorStatusesResponse {
            statuses,
            next_page_token,
        }))
    }
}

fn door_id(name: &str) -> Result<DoorId, Status> {
    DoorId::from_name(name).map_err(|error| invalid("name", error.to_string()))
}

fn order(asked: &OrderDoorRequest, now: UtcTime) -> Result<DoorOrder, Status> {
    let until = asked.until_time.as_ref();
    let order = match DoorAction::try_from(asked.action) {
        Ok(DoorAction::Open) => DoorOrder::Open,
        Ok(DoorAction::Lock) => DoorOrder::Lock,
        Ok(DoorAction::Unlock) => {
            let until = read_door::time(until, "until_time")?;
            let order = DoorOrder::unlock(until, now);
            return order.map_err(|error| invalid("until_time", error.to_string()));
        }
        Ok(DoorAction::Unspecified) | Err(_) => {
            return Err(invalid("action", "must be OPEN, LOCK or UNLOCK"));
        }
    };
    match until {
        Some(_) => Err(invalid("until_time", "is for UNLOCK only")),
        None => Ok(order),
    }
}

/// Whether an answer is given again to the same request. An order of which nothing was written
/// and nothing done may be tried again.
fn left_a_trace(answer: &Ordered) -> bool {
    match answer {
        Ok(_) | Err(OrderError::Stale(_) | OrderError::Silent(_) | OrderError::Refused(_)) => true,
        Err(
            OrderError::NoDoor(_)
            | OrderError::Offline(_)
            | OrderError::Append(_)
            | OrderError::Stopping(_),
        ) => false,
    }
}

fn refused(error: &OrderError) -> Status {
    let of = |reason, entry: &JournalRef| fault_with(reason, [("entry", entry.name())]);
    match error {
        OrderError::NoDoor(_) => not_found("door"),
        OrderError::Offline(door) => fault_with(Reason::DoorOffline, [("door", door.name())]),
        OrderError::Append(error) => append_refused(error),
        OrderError::Stale(entry) => of(Reason::GrantStale, entry),
        OrderError::Silent(entry) => of(Reason::DoorSilent, entry),
        OrderError::Refused(entry) => of(Reason::DoorRefused, entry),
        OrderError::Stopping(_) => fault(Reason::ShuttingDown),
    }
}

fn message(status: &DoorStatus, alarms: &[Alarm]) -> v1::DoorStatus {
    let here = AlarmSubject::Door(status.door.clone());
    let stands = |alarm: &&Alarm| alarm.subject == here && alarm.cleared_at.is_none();
    v1::DoorStatus {
        door: status.door.name(),
        is_online: status.is_online,
        lock: lock_message(status.lock).into(),
        position: position_message(status.position).into(),
        unlocked_until_time: status.unlocked_until.map(timestamp_message),
        heard_time: status.heard_at.map(timestamp_message),
        alarms: alarms
            .iter()
            .filter(stands)
            .map(|alarm| alarm.number.name())
            .collect(),
    }
}

fn lock_message(lock: LockState) -> v1::LockState {
    match lock {
        LockState::Unknown => v1::LockState::Unspecified,
        LockState::Locked => v1::LockState::Locked,
        LockState::Released => v1::LockState::Released,
        LockState::Unlocked => v1::LockState::Unlocked,
    }
}

fn position_message(position: DoorPosition) -> v1::DoorPosition {
    match position {
        DoorPosition::Unknown => v1::DoorPosition::Unspecified,
        DoorPosition::Closed => v1::DoorPosition::Closed,
        DoorPosition::Open => v1::DoorPosition::Open,
    }
}

#[cfg(test)]
#[path = "door_order_tests.rs"]
mod tests;
