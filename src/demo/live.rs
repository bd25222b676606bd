//! The customers' feeds as they grow, leaf by leaf, while the story is played.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Result, anyhow};
use tokio::time::timeout;
use tonic::Streaming;

use super::read::line;
use super::site::{Scene, told};
use super::story::{Line, Story};
use crate::client::feed_check::{FeedChecker, Position};
use crate::pb::v1::feed_service_client::FeedServiceClient;
use crate::pb::v1::watch_request::Start;
use crate::pb::v1::watch_response::Message;
use crate::pb::v1::{WatchRequest, WatchResponse};

/// Every customer's feed.
pub(super) struct LiveFeeds(BTreeMap<String, LiveFeed>);

struct LiveFeed {
    stream: Streaming<WatchResponse>,
    checker: FeedChecker,
}

impl LiveFeeds {
    /// Begins to watch the feeds that the story tells of, each as its customer.
    pub(super) async fn open(scene: &Scene, story: &Story) -> Result<Self> {
        let mut feeds = BTreeMap::new();
        for customer in story.customers() {
            let channel = scene.channel_as_customer(&customer).await?;
            let ask = WatchRequest {
                parent: customer.name(),
                start: Some(Start::FromIndex(0)),
            };
            let watched = FeedServiceClient::new(channel).watch(ask).await;
            let keys = vec![scene.log_key()?];
            let feed = LiveFeed {
                stream: watched.map_err(told)?.into_inner(),
                checker: FeedChecker::new(&customer, Position::beginning(), keys),
            };
            feeds.insert(customer.as_str().to_owned(), feed);
        }
        Ok(Self(feeds))
    }

    /// Waits for the next line of a customer's feed that says this of this access point; `None`
    /// if none comes in time.
    pub(super) async fn wait_for(
        &mut self,
        customer: &str,
        (access_point, decision): (&str, &str),
        within: Duration,
    ) -> Result<Option<Line>> {
        let feed = self.0.get_mut(customer);
        let feed = feed.ok_or_else(|| anyhow!("`{customer}` is no customer"))?;
        let reading = async {
            loop {
                let found = feed.next().await?;
                if found.access_point == access_point && found.decision == decision {
                    return Ok(found);
                }
            }
        };
        timeout(within, reading).await.ok().transpose()
    }
}

impl LiveFeed {
    /// The next line, checked.
    async fn next(&mut self) -> Result<Line> {
        while let Some(message) = self.stream.message().await.map_err(told)? {
            match message.message {
                Some(Message::Leaf(leaf)) => {
                    let checked = self.checker.leaf(&leaf)?;
                    if let Some(line) = line(checked.record.as_ref()) {
                        return Ok(line);
                    }
                }
                Some(Message::Checkpoint(checkpoint)) => {
                    self.checker.checkpoint(&checkpoint)?;
                }
                Some(Message::Watermark(_)) | None => {}
            }
        }
        Err(anyhow!("the server ended the watch of a feed"))
    }
}
