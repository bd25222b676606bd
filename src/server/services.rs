//! The services, each with what it works with.

use std::sync::Arc;

use tonic_health::server::{HealthReporter, health_reporter};

use super::doors::Hall;
use super::{Foundation, ServeError};
use crate::config::Limits;
use crate::pb::API_DESCRIPTORS;
use crate::pb::v1::access_list_service_server::AccessListServiceServer;
use crate::pb::v1::alarm_service_server::AlarmServiceServer;
use crate::pb::v1::directory_service_server::DirectoryServiceServer;
use crate::pb::v1::door_order_service_server::DoorOrderServiceServer;
use crate::pb::v1::door_service_server::DoorServiceServer;
use crate::pb::v1::explain_service_server::ExplainServiceServer;
use crate::pb::v1::feed_service_server::FeedServiceServer;
use crate::pb::v1::reader_service_server::ReaderServiceServer;
use crate::pb::v1::site_service_server::SiteServiceServer;
use crate::service::access_list::AccessLists;
use crate::service::alarm::{AlarmApi, AlarmParts};
use crate::service::directory::Directory;
use crate::service::door::{DoorApi, DoorParts};
use crate::service::door_order::{DoorOrderParts, DoorOrders};
use crate::service::explain::{ExplainApi, ExplainParts};
use crate::service::feed::{FeedApi, FeedParts};
use crate::service::feed_names::People;
use crate::service::gate::Routes;
use crate::service::reader::{ReaderApi, ReaderParts};
use crate::service::rule_desk::RuleDesk;
use crate::service::site::SiteFiles;
use crate::store::{Feeds, Published, Reader, Scribe, Signer};

/// What the services are joined from.
pub(super) struct Joined<'a> {
    pub(super) foundation: &'a Foundation,
    pub(super) limits: &'a Limits,
    pub(super) reader: Reader,
    pub(super) scribe: Scribe,
    pub(super) published: Published,
    pub(super) feeds: Feeds,
    pub(super) signer: Arc<Signer>,
    pub(super) hall: Hall,
}

/// All services behind the gate, and the reporter of their health.
pub(super) fn routes(joined: Joined<'_>) -> Result<(Routes, HealthReporter), ServeError> {
    let message_bytes = usize::try_from(joined.limits.message_bytes).unwrap_or(usize::MAX);
    let desk = Arc::new(joined.rule_desk());
    let lists = AccessLists::new(Arc::clone(&desk));
    let sites = SiteFiles::new(Arc::clone(&desk));
    let directory = Directory::new(desk);
    let (feed, explain) = (joined.feed(), joined.explain());
    let (orders, alarms, readers) = (joined.orders(), joined.alarms(), joined.readers());
    let door = joined.door();
    let (reporter, health) = health_reporter();
    let routes = Routes::default()
        .with(DoorServiceServer::new(door).max_decoding_message_size(message_bytes))
        .with(DoorOrderServiceServer::new(orders).max_decoding_message_size(message_bytes))
        .with(AlarmServiceServer::new(alarms).max_decoding_message_size(message_bytes))
        .with(ReaderServiceServer::new(readers).max_decoding_message_size(message_bytes))
        .with(FeedServiceServer::new(feed).max_decoding_message_size(message_bytes))
        .with(ExplainServiceServer::new(explain).max_decoding_message_size(message_bytes))
        .with(AccessListServiceServer::new(lists).max_decoding_message_size(message_bytes))
        .with(SiteServiceServer::new(sites).max_decoding_message_size(message_bytes))
        .with(DirectoryServiceServer::new(directory).max_decoding_message_size(message_bytes))
        .with(health)
        .with(described().build_v1()?)
        .with(described().build_v1alpha()?);
    Ok((routes, reporter))
}

/// What reflection tells.
fn described() -> tonic_reflection::server::Builder<'static> {
    tonic_reflection::server::Builder::configure()
        .register_encoded_file_descriptor_set(API_DESCRIPTORS)
        .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
}

impl Joined<'_> {
    fn feed(&self) -> FeedApi {
        FeedApi::new(FeedParts {
            feeds: self.feeds.clone(),
            people: Arc::new(People {
                feeds: self.feeds.clone(),
                reader: self.reader.clone(),
                vault: self.foundation.vault(),
            }),
            signer: Arc::clone(&self.signer),
            rules: Arc::clone(&self.published.rules),
            secrets: Arc::clone(&self.foundation.secrets),
            world: Arc::clone(&self.foundation.world),
            stopping: self.foundation.stopping.clone(),
            watches_per_peer: self.limits.watches_per_peer,
            slow_max: self.limits.slow_subscriber,
        })
    }

    fn explain(&self) -> ExplainApi {
        ExplainApi::new(ExplainParts {
            feeds: self.feeds.clone(),
            rules: Arc::clone(&self.published.rules),
            world: Arc::clone(&self.foundation.world),
        })
    }

    fn rule_desk(&self) -> RuleDesk {
        let secrets = Arc::clone(&self.foundation.secrets);
        RuleDesk::new(
            Arc::clone(&self.published.rules),
            self.reader.clone(),
            (self.foundation.vault(), secrets),
            self.scribe.clone(),
        )
    }

    fn orders(&self) -> DoorOrders {
        DoorOrders::new(DoorOrderParts {
            desk: self.hall.desk.clone(),
            alarms: self.hall.alarms.clone(),
            page_key: self.foundation.secrets.token.clone(),
            world: Arc::clone(&self.foundation.world),
        })
    }

    fn alarms(&self) -> AlarmApi {
        AlarmApi::new(AlarmParts {
            alarms: self.hall.alarms.clone(),
            world: Arc::clone(&self.foundation.world),
            stopping: self.foundation.stopping.clone(),
            watches_per_peer: self.limits.watches_per_peer,
            slow_max: self.limits.slow_subscriber,
        })
    }

    fn readers(&self) -> ReaderApi {
        ReaderApi::new(ReaderParts {
            lines: Arc::clone(&self.hall.lines),
            page_key: self.foundation.secrets.token.clone(),
        })
    }

    fn door(self) -> DoorApi {
        DoorApi::new(DoorParts {
            runner: self.hall.runner,
            scribe: self.scribe,
            rules: self.published.rules,
            secrets: Arc::clone(&self.foundation.secrets),
            world: Arc::clone(&self.foundation.world),
            sessions: self.hall.sessions,
            alarms: self.hall.alarms,
            stopping: self.foundation.stopping.clone(),
        })
    }
}
