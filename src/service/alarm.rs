//! `AlarmService`: the alarms of the site as they stand and as they change.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::broadcast::error::RecvError;
use tokio::sync::{mpsc, watch};
use tokio::time::timeout;
use tonic::{Request, Response, Status};

use super::caller::caller;
use super::outlet::{Outlet, hung_up};
use super::status::{Reason, fault, invalid, not_found};
use super::tally::Tally;
use crate::control::{AlarmWatch, Alarms};
use crate::pb::v1::alarm_service_server::AlarmService;
use crate::pb::v1::watch_alarms_response::Message;
use crate::pb::v1::{
    self, AcknowledgeAlarmRequest, AlarmsCaughtUp, ListAlarmsRequest, ListAlarmsResponse,
    WatchAlarmsRequest, WatchAlarmsResponse,
};
use crate::service::convert::timestamp_message;
use crate::types::{Alarm, AlarmNumber, Caller, World};

/// Messages that wait for the network at most.
const QUEUE_MAX: usize = 64;

/// What the alarm service works with.
#[derive(Debug)]
pub struct AlarmParts {
    /// The alarms.
    pub alarms: Alarms,
    /// The clock.
    pub world: Arc<dyn World>,
    /// Turns true when the server stops.
    pub stopping: watch::Receiver<bool>,
    /// Watches that one caller may have open at once.
    pub watches_per_peer: u32,
    /// How long a watcher may leave its messages waiting.
    pub slow_max: Duration,
}

/// Serves alarms.
#[derive(Debug)]
pub struct AlarmApi {
    parts: AlarmParts,
    watches: Arc<Tally<Caller>>,
}

impl AlarmApi {
    /// Joins its parts.
    pub fn new(parts: AlarmParts) -> Self {
        Self {
            parts,
            watches: Tally::new(),
        }
    }
}

#[tonic::async_trait]
impl AlarmService for AlarmApi {
    type WatchAlarmsStream = Outlet<WatchAlarmsResponse>;

    async fn list_alarms(
        &self,
        _: Request<ListAlarmsRequest>,
    ) -> Result<Response<ListAlarmsResponse>, Status> {
        let alarms = self.parts.alarms.list().iter().map(message).collect();
        Ok(Response::new(ListAlarmsResponse { alarms }))
    }

    #[tracing::instrument(name = "alarm.watch", skip_all)]
    async fn watch_alarms(
        &self,
        request: Request<WatchAlarmsRequest>,
    ) -> Result<Response<Self::WatchAlarmsStream>, Status> {
        let caller = caller(&request)?;
        let place = self.watches.take(caller, self.parts.watches_per_peer);
        let place = place.ok_or_else(|| fault(Reason::TooManyStreams))?;
        let (queue, end, stream) = Outlet::new(QUEUE_MAX);
        let watcher = Watcher {
            queue,
            stopping: self.parts.stopping.clone(),
            slow_max: self.parts.slow_max,
        };
        let watch = self.parts.alarms.watch();
        tokio::spawn(async move {
            let status = watcher.run(watch).await;
            drop(place);
            // The receiver is gone when the watcher has hung up: nobody is left to tell.
            let _ = end.send(Err(status));
        });
        Ok(Response::new(stream))
    }

    async fn acknowledge_alarm(
        &self,
        request: Request<AcknowledgeAlarmRequest>,
    ) -> Result<Response<v1::Alarm>, Status> {
        let caller = caller(&request)?;
        let number = AlarmNumber::from_name(&request.get_ref().name);
        let number = number.ok_or_else(|| invalid("name", "must have the form `alarms/NUMBER`"))?;
        let now = self.parts.world.now().utc;
        let alarm = self.parts.alarms.acknowledge(number, &caller, now);
        let alarm = alarm.ok_or_else(|| not_found("alarm"))?;
        Ok(Response::new(message(&alarm)))
    }
}

/// Sends one caller what stands and what changes.
struct Watcher {
    queue: mpsc::Sender<WatchAlarmsResponse>,
    stopping: watch::Receiver<bool>,
    slow_max: Duration,
}

impl Watcher {
    /// Sends until the stream has to end; answers how it ends.
    async fn run(mut self, mut watch: AlarmWatch) -> Status {
        for alarm in &watch.standing {
            if let Err(end) = self.send(Message::Alarm(message(alarm))).await {
                return end;
            }
        }
        if let Err(end) = self.send(Message::CaughtUp(AlarmsCaughtUp {})).await {
            return end;
        }
        loop {
            let changed = tokio::select! {
                changed = watch.changes.recv() => changed,
                _ = self.stopping.wait_for(|stopping| *stopping) => {
                    return fault(Reason::ShuttingDown);
                }
                () = self.queue.closed() => return hung_up(),
            };
            let sent = match changed {
                Ok(alarm) => self.send(Message::Alarm(message(&alarm))).await,
                Err(RecvError::Lagged(_)) => return fault(Reason::SubscriberTooSlow),
                Err(RecvError::Closed) => return fault(Reason::ShuttingDown),
            };
            if let Err(end) = sent {
                return end;
            }
        }
    }

    /// Sends a message; one that cannot be sent in time ends the stream.
    async fn send(&mut self, message: Message) -> Result<(), Status> {
        let place = tokio::select! {
            place = timeout(self.slow_max, self.queue.reserve()) => place,
            _ = self.stopping.wait_for(|stopping| *stopping) => {
                return Err(fault(Reason::ShuttingDown));
            }
        };
        match place {
            Ok(Ok(place)) => {
                let message = Some(message);
                place.send(WatchAlarmsResponse { message });
                Ok(())
            }
            Ok(Err(_)) => Err(hung_up()),
            Err(_) => Err(fault(Reason::SubscriberTooSlow)),
        }
    }
}

fn message(alarm: &Alarm) -> v1::Alarm {
    let acknowledged = alarm.acknowledged.as_ref();
    v1::Alarm {
        name: alarm.number.name(),
        kind: i32::from(alarm.kind.number()),
        subject: alarm.subject.to_string(),
        detail: alarm.detail.clone(),
        raise_time: Some(timestamp_message(alarm.raised_at)),
        clear_time: alarm.cleared_at.map(timestamp_message),
        acknowledge_time: acknowledged.map(|(at, _)| timestamp_message(*at)),
        acknowledged_by: acknowledged.map_or_else(String::new, |(_, by)| by.to_string()),
    }
}

#[cfg(test)]
#[path = "alarm_tests.rs"]
mod tests;
