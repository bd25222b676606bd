//! A feed has no gap, no duplicate and no other order, however it is read (invariant 4).

use std::time::Duration;

use data_encoding::BASE64URL_NOPAD;
use sluss::client::feed_check::{FeedChecker, Position};
use sluss::pb::v1 as pb;
use sluss::pb::v1::feed_service_client::FeedServiceClient;
use sluss::pb::v1::watch_request::Start;
use sluss::pb::v1::watch_response::Message;
use sluss::types::CustomerId;
use tokio::time::timeout;
use tonic::transport::Channel;
use tonic::{Code, Status, Streaming};

use crate::house::{
    DEADLINE, Draft, House, OFFICE, SIGNED_ANEW, detail, h10301, is_grant, reason, watch,
};

/// Watches acme's feed as soon as the server has noticed that an earlier stream is over.
async fn watch_when_there_is_room(
    feed: &mut FeedServiceClient<Channel>,
    start: Option<Start>,
) -> Streaming<pb::WatchResponse> {
    let opened = async {
        loop {
            match watch(feed, "acme", start.clone()).await {
                Ok(stream) => return stream,
                Err(status) => assert_eq!(reason(&status), "TOO_MANY_STREAMS"),
            }
        }
    };
    timeout(DEADLINE, opened).await.unwrap()
}

/// One subscriber: what it has read, checked leaf by leaf and root by root.
struct Follower {
    checker: FeedChecker,
    token: Vec<u8>,
}

impl Follower {
    fn of_acme(house: &House) -> Self {
        let acme = CustomerId::parse("acme").unwrap();
        let checker = FeedChecker::new(&acme, Position::beginning(), vec![house.log_key()]);
        Self {
            checker,
            token: Vec::new(),
        }
    }

    /// Index of the next leaf that it has not read.
    fn next(&self) -> u64 {
        self.checker.position().next_index.unwrap()
    }

    /// Takes the next message; `Err` where the stream has ended. A leaf that is not the next
    /// one, a wrong hash, root or signature ends the test.
    async fn take(&mut self, stream: &mut Streaming<pb::WatchResponse>) -> Result<(), Status> {
        let next = timeout(DEADLINE, stream.message()).await.unwrap()?;
        let Some(response) = next else {
            return Err(Status::unavailable("the stream has ended"));
        };
        match response.message.unwrap() {
            Message::Leaf(leaf) => drop(self.checker.leaf(&leaf).unwrap()),
            Message::Checkpoint(checkpoint) => {
                self.checker.checkpoint(&checkpoint).unwrap();
            }
            Message::Watermark(_) => {}
        }
        self.token = response.resume_token;
        Ok(())
    }

    /// Reads until the root over so many leaves is verified.
    async fn read_to(&mut self, size: u64, stream: &mut Streaming<pb::WatchResponse>) {
        while self.checker.verified_size() != Some(size) {
            self.take(stream).await.unwrap();
        }
        assert_eq!(self.next(), size);
    }

    /// Reads until the stream ends; answers how.
    async fn read_to_the_end(&mut self, stream: &mut Streaming<pb::WatchResponse>) -> Status {
        loop {
            if let Err(end) = self.take(stream).await {
                return end;
            }
        }
    }
}

/// Writes many attempts and events over several connections at once; every one is answered.
async fn busy_doors(house: &House, boots: &str, attempts: u64, reports: u64) {
    let lane = async |lane: u8| {
        let mut gate = house.gate("gate-1", &format!("{boots}-{lane}")).await;
        for _ in 0..attempts {
            assert!(is_grant(&gate.attempt(OFFICE, &h10301(42, 1_001)).await));
        }
        for _ in 0..reports {
            let events = gate.events(OFFICE, 200);
            let known = gate.client.report_door_events(events).await.unwrap();
            assert_eq!(known.into_inner().acknowledgements.len(), 200);
        }
    };
    tokio::join!(lane(1), lane(2), lane(3), lane(4));
}

#[tokio::test(flavor = "multi_thread")]
async fn invariant_4_a_slow_subscriber_loses_nothing() {
    const ATTEMPTS: u64 = 300;
    const REPORTS: u64 = 3;
    let house = House::open(Draft {
        tune: |limits| {
            limits.slow_subscriber = Duration::from_millis(300);
            limits.watches_per_peer = 2;
        },
        ..Draft::default()
    })
    .await;
    let before = house.feed_size("acme").await;
    let total = before + 4 * (ATTEMPTS + 200 * REPORTS);

    let (mut feed, mut other) = (house.feed("acme").await, house.feed("acme").await);
    let mut unread = watch(&mut feed, "acme", None).await.unwrap();
    let mut live = watch(&mut other, "acme", None).await.unwrap();
    let (mut slow, mut fast) = (Follower::of_acme(&house), Follower::of_acme(&house));

    // While one does not read, doors are answered and another reads everything.
    let doors = async {
        busy_doors(&house, "busy", ATTEMPTS, REPORTS).await;
        house.world.advance(SIGNED_ANEW);
    };
    tokio::join!(doors, fast.read_to(total, &mut live));

    // Both places are taken until the server has given the slow one up.
    let mut third = house.feed("acme").await;
    drop(watch_when_there_is_room(&mut third, None).await);

    let end = slow.read_to_the_end(&mut unread).await;
    assert_eq!(end.code(), Code::ResourceExhausted, "{end}");
    assert_eq!(reason(&end), "SUBSCRIBER_TOO_SLOW");
    assert!(slow.next() > before, "it was sent what its buffers hold");
    assert!(slow.next() < total, "more was written than buffers hold");
    let token = detail(&end, "resume_token").unwrap();
    let token = BASE64URL_NOPAD.decode(token.as_bytes()).unwrap();
    drop(live);

    // The token in the details goes on where the last message did.
    let start = Some(Start::ResumeToken(token));
    let mut rest = watch_when_there_is_room(&mut feed, start).await;
    slow.read_to(total, &mut rest).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn invariant_4_a_watch_resumes_without_gap_or_duplicate_over_a_restart() {
    const ATTEMPTS: u64 = 40;
    let house = House::open(Draft::default()).await;
    let before = house.feed_size("acme").await;
    let mut feed = house.feed("acme").await;

    // One stops in the middle, one reads until the server is gone.
    let (mut early, mut late) = (Follower::of_acme(&house), Follower::of_acme(&house));
    let mut first = watch(&mut feed, "acme", None).await.unwrap();
    let mut second = watch(&mut feed, "acme", None).await.unwrap();
    let half = async {
        while early.next() < before + ATTEMPTS {
            early.take(&mut first).await.unwrap();
        }
    };
    tokio::join!(busy_doors(&house, "before", ATTEMPTS, 0), half);
    drop(first);
    let stopped = tokio::spawn(async move {
        let end = late.read_to_the_end(&mut second).await;
        (late, end)
    });
    let house = house.restart().await;
    let (mut late, end) = stopped.await.unwrap();
    assert_eq!(end.code(), Code::Unavailable, "{end}");
    assert!(
        early.next() < late.next(),
        "they stopped at different places"
    );

    busy_doors(&house, "after", ATTEMPTS, 1).await;
    house.world.advance(SIGNED_ANEW);
    let total = before + 4 * (2 * ATTEMPTS + 200);
    let mut feed = house.feed("acme").await;
    for follower in [&mut early, &mut late] {
        let start = Some(Start::ResumeToken(follower.token.clone()));
        let mut rest = watch(&mut feed, "acme", start).await.unwrap();
        follower.read_to(total, &mut rest).await;
    }
}
