use tokio_stream::StreamExt as _;
use tonic::Code;

use super::*;
use crate::control::sessions::testing::Hands;
use crate::service::asking::{asked, operator, reason};
use crate::types::{AlarmKind, AlarmSubject, DoorId, UtcTime};

type Stream = Outlet<WatchAlarmsResponse>;

struct Scene {
    alarms: Alarms,
    api: AlarmApi,
    stop: watch::Sender<bool>,
}

fn scene(slow_max: Duration) -> Scene {
    let alarms = Alarms::new(AlarmNumber(1));
    let stop = watch::Sender::new(false);
    let hands = Hands::default();
    hands.set(Duration::from_secs(7));
    let api = AlarmApi::new(AlarmParts {
        alarms: alarms.clone(),
        world: Arc::new(hands),
        stopping: stop.subscribe(),
        watches_per_peer: 2,
        slow_max,
    });
    Scene { alarms, api, stop }
}

impl Scene {
    fn raise(&self, door: &str) {
        let subject = AlarmSubject::Door(DoorId::parse(door).unwrap());
        let what = ("it opened", UtcTime::EPOCH);
        self.alarms.raise(AlarmKind::DoorForced, subject, what);
    }

    async fn watch(&self) -> Result<Stream, Status> {
        let request = asked(&operator(), WatchAlarmsRequest {});
        self.api
            .watch_alarms(request)
            .await
            .map(Response::into_inner)
    }
}

/// The next message: the subject of an alarm, or that the watch has caught up.
async fn next(stream: &mut Stream) -> String {
    match stream.next().await.unwrap().unwrap().message.unwrap() {
        Message::Alarm(alarm) => alarm.subject,
        Message::CaughtUp(_) => "caught up".to_owned(),
    }
}

/// How a stream ends, after whatever it held.
async fn end(stream: &mut Stream) -> String {
    loop {
        if let Err(status) = stream.next().await.unwrap() {
            return reason(&status);
        }
    }
}

const LONG: Duration = Duration::from_mins(1);

#[tokio::test]
async fn a_watch_tells_what_stands_and_then_what_changes() {
    let scene = scene(LONG);
    scene.raise("a");
    let mut stream = scene.watch().await.unwrap();
    scene.raise("b");
    assert_eq!(next(&mut stream).await, "doors/a");
    assert_eq!(next(&mut stream).await, "caught up");
    assert_eq!(next(&mut stream).await, "doors/b");
    scene.stop.send_replace(true);
    assert_eq!(end(&mut stream).await, "SHUTTING_DOWN");
}

#[tokio::test]
async fn a_watcher_that_falls_behind_is_told_so() {
    let behind = scene(LONG);
    let mut stream = behind.watch().await.unwrap();
    for n in 0..1_000 {
        behind.raise(&format!("d{n}"));
    }
    assert_eq!(end(&mut stream).await, "SUBSCRIBER_TOO_SLOW");

    // One that reads nothing at all.
    let deaf = scene(Duration::from_millis(10));
    for n in 0..100 {
        deaf.raise(&format!("d{n}"));
    }
    let mut stream = deaf.watch().await.unwrap();
    // Its place comes back when it is given up.
    while deaf.api.watches.take(operator(), 1).is_none() {
        tokio::task::yield_now().await;
    }
    assert_eq!(end(&mut stream).await, "SUBSCRIBER_TOO_SLOW");
}

#[tokio::test]
async fn a_caller_has_so_many_watches_and_no_more() {
    let scene = scene(LONG);
    let first = scene.watch().await.unwrap();
    let _second = scene.watch().await.unwrap();
    assert_eq!(
        reason(&scene.watch().await.unwrap_err()),
        "TOO_MANY_STREAMS"
    );
    drop(first);
    while scene.watch().await.is_err() {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn an_alarm_is_acknowledged_by_who_calls() {
    let scene = scene(LONG);
    scene.raise("a");
    scene.raise("b");
    let acknowledge = |name: &str| {
        let name = name.to_owned();
        let request = asked(&operator(), AcknowledgeAlarmRequest { name });
        scene.api.acknowledge_alarm(request)
    };
    let alarm = acknowledge("alarms/1").await.unwrap().into_inner();
    assert_eq!(alarm.acknowledged_by, "operator/first");
    assert_eq!(alarm.acknowledge_time.unwrap().seconds, 7);
    assert_eq!(
        (alarm.kind(), alarm.clear_time),
        (v1::AlarmKind::DoorForced, None)
    );
    assert_eq!(
        acknowledge("alarms/9").await.unwrap_err().code(),
        Code::NotFound
    );
    let refused = acknowledge("1").await.unwrap_err();
    assert_eq!(reason(&refused), "INVALID_FIELD name");
    let listed = scene
        .api
        .list_alarms(asked(&operator(), ListAlarmsRequest {}));
    let listed = listed.await.unwrap().into_inner().alarms;
    let names: Vec<&str> = listed.iter().map(|alarm| alarm.name.as_str()).collect();
    assert_eq!(names, ["alarms/2", "alarms/1"], "newest first");
}
