//! The operator at the desk: sees alarms and readers, opens doors, acknowledges.

use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use tokio::time::timeout;
use tonic::transport::Channel;
use tonic::{Request, Streaming};

use super::devices::SEEN_WITHIN;
use super::site::{Scene, told};
use crate::pb::v1::alarm_service_client::AlarmServiceClient;
use crate::pb::v1::door_order_service_client::DoorOrderServiceClient;
use crate::pb::v1::reader_service_client::ReaderServiceClient;
use crate::pb::v1::watch_alarms_response::Message;
use crate::pb::v1::{
    AcknowledgeAlarmRequest, Alarm, AlarmKind, DoorAction, DoorPosition, GetDoorStatusRequest,
    ListReaderStatusesRequest, OrderDoorRequest, WatchAlarmsRequest, WatchAlarmsResponse,
};
use crate::types::{DoorId, ReaderId};

/// Pause between two looks at a door's status.
const LOOK_EVERY: Duration = Duration::from_millis(5);

/// An alarm that is waited for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Awaited<'a> {
    /// As the API names it.
    pub(super) kind: &'a str,
    pub(super) door: &'a DoorId,
    /// Whether its cause is to have ended.
    pub(super) is_over: bool,
}

/// The operator's calls.
pub(super) struct Desk {
    channel: Channel,
    alarms: Streaming<WatchAlarmsResponse>,
    order_count: u32,
}

impl Desk {
    /// Sits down: from now on alarms are watched.
    pub(super) async fn open(scene: &Scene) -> Result<Self> {
        let channel = scene.channel_as_operator().await?;
        let mut client = AlarmServiceClient::new(channel.clone());
        let alarms = client.watch_alarms(WatchAlarmsRequest {}).await;
        Ok(Self {
            channel,
            alarms: alarms.map_err(told)?.into_inner(),
            order_count: 0,
        })
    }

    /// Opens a door; done when the door has been.
    pub(super) async fn open_door(&mut self, door: &DoorId) -> Result<()> {
        self.order_count = self.order_count.saturating_add(1);
        let order = OrderDoorRequest {
            name: door.name(),
            action: DoorAction::Open.into(),
            until_time: None,
            request_id: format!("demo-order-{}", self.order_count),
        };
        let mut client = DoorOrderServiceClient::new(self.channel.clone());
        client.order_door(order).await.map_err(told)?;
        Ok(())
    }

    /// Waits for an alarm at a door; `None` if it does not come in time.
    pub(super) async fn alarm(
        &mut self,
        awaited: Awaited<'_>,
        within: Duration,
    ) -> Result<Option<Alarm>> {
        let wire = format!("ALARM_KIND_{}", awaited.kind);
        let kind = AlarmKind::from_str_name(&wire);
        let kind = kind.with_context(|| format!("`{}` is no alarm", awaited.kind))?;
        let subject = awaited.door.name();
        let fits = |alarm: &Alarm| {
            alarm.kind() == kind
                && alarm.subject == subject
                && alarm.clear_time.is_some() == awaited.is_over
                && alarm.acknowledge_time.is_none()
        };
        let watching = async {
            while let Some(message) = self.alarms.message().await.map_err(told)? {
                if let Some(Message::Alarm(alarm)) = message.message
                    && fits(&alarm)
                {
                    return Ok(alarm);
                }
            }
            bail!("the server ended the watch of alarms")
        };
        timeout(within, watching).await.ok().transpose()
    }

    /// Acknowledges an alarm; answers it as it is then.
    pub(super) async fn acknowledge(&mut self, name: &str) -> Result<Alarm> {
        let ask = AcknowledgeAlarmRequest {
            name: name.to_owned(),
        };
        let mut client = AlarmServiceClient::new(self.channel.clone());
        let done = client.acknowledge_alarm(Request::new(ask)).await;
        Ok(done.map_err(told)?.into_inner())
    }

    /// Waits until the server knows of doors that they are closed, which it asks when their readers
    /// come online; false if that takes too long.
    pub(super) async fn all_closed(&self, doors: &[DoorId]) -> Result<bool> {
        let mut client = DoorOrderServiceClient::new(self.channel.clone());
        let mut looks = tokio::time::interval(LOOK_EVERY);
        let looking = async {
            for door in doors {
                let name = door.name();
                loop {
                    looks.tick().await;
                    let ask = GetDoorStatusRequest { name: name.clone() };
                    let status = client.get_door_status(ask).await.map_err(told)?;
                    if status.into_inner().position() == DoorPosition::Closed {
                        break;
                    }
                }
            }
            anyhow::Ok(())
        };
        let all = timeout(SEEN_WITHIN, looking).await.ok().transpose()?;
        Ok(all.is_some())
    }

    /// Why a reader is not online, in the server's words.
    pub(super) async fn trouble(&self, reader: &ReaderId) -> Result<String> {
        let mut client = ReaderServiceClient::new(self.channel.clone());
        let ask = ListReaderStatusesRequest {
            page_size: 1_000,
            page_token: String::new(),
        };
        let page = client.list_reader_statuses(ask).await.map_err(told)?;
        let statuses = page.into_inner().statuses;
        let found = statuses.iter().find(|one| one.reader == reader.name());
        Ok(match found {
            None => "the server does not know it".to_owned(),
            Some(status) => {
                let state = status.state().as_str_name();
                let state = state.strip_prefix("READER_STATE_").unwrap_or(state);
                format!("{state}: {}", status.trouble)
            }
        })
    }
}
