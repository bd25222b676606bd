//! `ReaderService`: readers as they are seen on their lines.

use std::sync::Arc;

use ring::hmac;
use tonic::{Request, Response, Status};

use super::caller::caller;
use super::paging::{PageScope, PageSizes};
use crate::control::ReaderLines;
use crate::control::lines::{LinkCounters, LinkState, LinkStatus};
use crate::pb::v1::reader_service_server::ReaderService;
use crate::pb::v1::{
    self, ListReaderStatusesRequest, ListReaderStatusesResponse, ReaderCounters, ReaderState,
};
use crate::service::convert::timestamp_message;

/// What the reader service works with.
#[derive(Debug)]
pub struct ReaderParts {
    /// The serial lines.
    pub lines: Arc<dyn ReaderLines>,
    /// The key of page tokens.
    pub page_key: hmac::Key,
}

/// Serves what is known of readers.
#[derive(Debug)]
pub struct ReaderApi(ReaderParts);

impl ReaderApi {
    /// Joins its parts.
    pub fn new(parts: ReaderParts) -> Self {
        Self(parts)
    }
}

#[tonic::async_trait]
impl ReaderService for ReaderApi {
    async fn list_reader_statuses(
        &self,
        request: Request<ListReaderStatusesRequest>,
    ) -> Result<Response<ListReaderStatusesResponse>, Status> {
        let caller = caller(&request)?;
        let asked = request.get_ref();
        let scope = PageScope {
            method: "ListReaderStatuses",
            caller: &caller,
            query: "",
        };
        let size = PageSizes::STATUSES.cut(asked.page_size);
        let all: (_, fn(&LinkStatus) -> &str) =
            (self.0.lines.statuses(), |s| s.plan.reader.as_str());
        let key = &self.0.page_key;
        let (page, next_page_token) = scope.page(key, (size, &asked.page_token), all)?;
        let statuses = page.into_iter().map(message).collect();
        Ok(Response::new(ListReaderStatusesResponse {
            statuses,
            next_page_token,
        }))
    }
}

fn message(status: LinkStatus) -> v1::ReaderStatus {
    v1::ReaderStatus {
        reader: status.plan.reader.name(),
        bus: status.plan.bus.to_string(),
        port: status.port,
        address: u32::from(status.plan.address.number()),
        state: state_message(status.state).into(),
        trouble: status.trouble,
        vendor: status.vendor,
        model: status.model,
        serial: status.serial,
        firmware: status.firmware,
        is_tampered: status.is_tampered,
        heard_time: status.heard_at.map(timestamp_message),
        counters: Some(counters_message(status.counters)),
    }
}

fn state_message(state: LinkState) -> ReaderState {
    match state {
        LinkState::Secure => ReaderState::Secure,
        LinkState::Plain => ReaderState::Plain,
        LinkState::Offline => ReaderState::Offline,
        LinkState::Refused => ReaderState::Refused,
        LinkState::LineDown => ReaderState::BusDown,
    }
}

/// Field by field, so that a counter that is added here or there stops the build.
fn counters_message(counted: LinkCounters) -> ReaderCounters {
    let LinkCounters {
        commands,
        replies,
        timeouts,
        retries,
        bad_frames,
        bad_macs,
        dropped,
        busy,
        naks,
        sessions,
        cards,
    } = counted;
    ReaderCounters {
        commands,
        replies,
        timeouts,
        retries,
        bad_frames,
        bad_macs,
        dropped,
        busy,
        naks,
        sessions,
        cards,
    }
}

#[cfg(test)]
#[path = "reader_tests.rs"]
mod tests;
