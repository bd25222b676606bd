//! Doors, their alarms, and orders for them.

use std::time::Duration;

use sluss::pb::v1 as pb;
use sluss::pb::v1::DoorEventKind::{
    DoorClosed, DoorForced, DoorHeld, LockedByOrder, OpenedByOrder, RequestToExit, UnlockedByOrder,
};
use sluss::pb::v1::alarm_service_client::AlarmServiceClient;
use sluss::pb::v1::watch_alarms_response::Message;
use sluss::store::JournalKind;
use sluss::types::CallerKind;
use sluss_sim::{
    Answering, CommandAction, Conduct, Controller, ControllerSettings, Person, Seen, Session,
};
use tokio::time::timeout;
use tonic::{Code, Status, Streaming};
use tonic_types::StatusExt as _;

use crate::house::{DEADLINE, House, alex};
use crate::journal::{journal, those};
use crate::seen::{AMBER, Watcher, is_lock, is_release, shows};
use crate::swipes::office_door;

const FORCED: (pb::AlarmKind, &str) = (pb::AlarmKind::DoorForced, "doors/d-office");
const HELD: (pb::AlarmKind, &str) = (pb::AlarmKind::DoorHeld, "doors/d-office");

/// The next alarm of a watch as it changes.
async fn change(watch: &mut Streaming<pb::WatchAlarmsResponse>) -> pb::Alarm {
    loop {
        let next = timeout(DEADLINE, watch.message()).await.unwrap();
        if let Message::Alarm(alarm) = next.unwrap().unwrap().message.unwrap() {
            return alarm;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_forced_door_is_an_alarm_until_it_is_closed_and_somebody_has_seen_to_it() {
    let mut house = House::open().await;
    let door = office_door(&house);
    let mut alarms = AlarmServiceClient::new(house.operator().await);
    let watch = alarms.watch_alarms(pb::WatchAlarmsRequest {}).await;
    let mut watch = watch.unwrap().into_inner();
    door.force(None);
    let raised = change(&mut watch).await;
    assert_eq!((raised.kind(), raised.subject.as_str()), FORCED);
    house
        .until_position("d-office", pb::DoorPosition::Open)
        .await;
    let at_door = house.door("d-office").await.alarms;
    assert_eq!(at_door, std::slice::from_ref(&raised.name));

    let name = raised.name.clone();
    let acknowledge = pb::AcknowledgeAlarmRequest { name };
    let seen_to = alarms.acknowledge_alarm(acknowledge).await.unwrap();
    assert!(seen_to.into_inner().acknowledged_by.contains("first"));
    assert!(change(&mut watch).await.acknowledge_time.is_some());
    assert_eq!(house.standing().await, [(FORCED.0, FORCED.1.to_owned())]);

    door.close();
    assert!(change(&mut watch).await.clear_time.is_some());
    assert_eq!(house.alarms().await, []);
    house
        .until_events("d-office", &[DoorForced, DoorClosed])
        .await;
    drop((watch, alarms));

    let lines = journal(&mut house).await;
    let of = |kind| those(&lines, kind, &raised.name);
    assert_eq!(of(JournalKind::AlarmRaised).len(), 1, "{lines:?}");
    assert_eq!(of(JournalKind::AlarmCleared).len(), 1);
    let acknowledged = of(JournalKind::AlarmAcknowledged);
    assert_eq!(acknowledged.len(), 1);
    assert!(acknowledged[0].actor.contains("first"), "{lines:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_door_that_is_held_warns_first_and_is_an_alarm_then() {
    let mut house = House::open().await;
    let door = office_door(&house);
    let device = house.device("r-office");
    let mut seen = Watcher::of(&device);
    door.person(Person::Opens {
        after: Duration::from_millis(100),
        open_for: None,
    });
    device.present(&alex());
    let open = seen.wait(|seen| *seen == Seen::DoorOpen(true));
    let warned = seen.wait(shows(AMBER, true)).at.duration_since(open.at);
    assert_eq!(house.standing().await, []);
    assert!(warned >= Duration::from_millis(900), "{warned:?}");
    house.until_standing(&[HELD]).await;
    door.close();
    house.until_standing(&[]).await;
    house
        .until_events(
            "d-office",
            &[pb::DoorEventKind::AccessTaken, DoorHeld, DoorClosed],
        )
        .await;
    house.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_asks_to_leave_forces_no_door() {
    let mut house = House::open().await;
    let door = office_door(&house);
    let mut seen = Watcher::of(&house.device("r-office"));
    door.person(Person::Opens {
        after: Duration::from_millis(200),
        open_for: Some(Duration::from_millis(300)),
    });
    door.press_exit(Duration::from_millis(500));
    seen.wait(|seen| *seen == Seen::DoorOpen(false));
    house.until_events("d-office", &[RequestToExit]).await;
    seen.polls(60);
    assert_eq!(house.standing().await, []);
    // Its own hardware has released it; the server has not.
    assert_eq!(seen.releases(), 0);
    assert_eq!(house.events("d-office").await, [RequestToExit]);
    house.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_at_a_wired_door_is_in_the_feed_and_the_journal_with_its_actor() {
    let mut house = House::open().await;
    let device = house.device("r-office");
    let mut seen = Watcher::of(&device);
    let opened = house.order("d-office", pb::DoorAction::Open, None).await;
    let opened = opened.unwrap();
    seen.wait(is_release);
    // It is on disk by then.
    assert_eq!(house.events("d-office").await, [OpenedByOrder]);
    seen.wait(is_lock);

    let until = house.world.now().utc.unix() + 60;
    let unlocked = house.order("d-office", pb::DoorAction::Unlock, Some(until));
    unlocked.await.unwrap();
    let released = seen.wait(is_release);
    let status = house.door("d-office").await;
    assert_eq!(status.lock(), pb::LockState::Unlocked);
    assert_eq!(status.unlocked_until_time.unwrap().seconds, until);
    // Longer than a strike time: it stays so.
    seen.polls(200);
    assert!(device.output(0));
    let locked = house.order("d-office", pb::DoorAction::Lock, None).await;
    locked.unwrap();
    let locked = seen.wait(is_lock);
    assert!(locked.at.duration_since(released.at) > Duration::from_secs(1));
    assert_eq!(house.door("d-office").await.lock(), pb::LockState::Locked);
    let orders = [OpenedByOrder, UnlockedByOrder, LockedByOrder];
    house.until_events("d-office", &orders).await;

    let lines = journal(&mut house).await;
    let orders = those(&lines, JournalKind::DoorOrder, "");
    assert_eq!(orders.len(), 3, "{lines:?}");
    assert!(
        orders.iter().all(|line| line.actor.contains("first")),
        "{orders:?}"
    );
    assert!(opened.ends_with(&format!("/{}", orders[0].sequence)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_door_that_is_left_unlocked_locks_by_itself_at_its_time() {
    let mut house = House::open().await;
    let device = house.device("r-office");
    let mut seen = Watcher::of(&device);
    let until = house.world.now().utc.unix() + 3;
    let unlocked = house.order("d-office", pb::DoorAction::Unlock, Some(until));
    unlocked.await.unwrap();
    let released = seen.wait(is_release);
    let locked = seen.wait(is_lock);
    let lasted = locked.at.duration_since(released.at);
    assert!(lasted > Duration::from_millis(1_500), "{lasted:?}");
    assert!(lasted < Duration::from_millis(4_500), "{lasted:?}");
    assert!(house.world.now().utc.unix() >= until - 1);
    house.stop().await;
}

/// The code and reason of a refusal.
fn why(status: &Status) -> (Code, String) {
    let info = status.get_details_error_info();
    (
        status.code(),
        info.map(|info| info.reason).unwrap_or_default(),
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_for_a_door_that_cannot_be_reached_is_refused_and_not_written() {
    let mut house = House::open().await;
    house.south.as_ref().unwrap().unplug().unwrap();
    house.until_state("r-hall", pb::ReaderState::BusDown).await;
    for door in ["d-hall", "d-gate"] {
        let refused = house.order(door, pb::DoorAction::Open, None).await;
        let refused = why(&refused.unwrap_err());
        assert_eq!(refused, (Code::Unavailable, "DOOR_OFFLINE".to_owned()));
        assert!(!house.door(door).await.is_online);
    }
    let nowhere = house.order("d-nowhere", pb::DoorAction::Open, None).await;
    assert_eq!(nowhere.unwrap_err().code(), Code::NotFound);
    let mut seen = Watcher::of(&house.device("r-hall"));
    house.south.as_ref().unwrap().replug().unwrap();
    house.until_secure("r-hall").await;
    seen.polls(30);
    assert_eq!(seen.releases(), 0);
    let lines = journal(&mut house).await;
    assert_eq!(those(&lines, JournalKind::DoorOrder, "").len(), 0);
}

/// The controller of the gate, with a session.
async fn gate(house: &House) -> (Controller, Session) {
    let read = |name: &str| house.paper(CallerKind::Controller, "gate-1", name);
    let settings = ControllerSettings {
        endpoint: house.server(),
        server_name: "localhost".to_owned(),
        ca_pem: read("ca.pem"),
        certificate_pem: read("cert.pem"),
        key_pem: read("key.pem"),
    };
    let controller = Controller::connect(&settings, "boot-1").await.unwrap();
    let session = controller.open_session().await.unwrap();
    (controller, session)
}

async fn until_online(house: &House, is_online: bool) {
    crate::house::until(&is_online, async || house.door("d-gate").await.is_online).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_goes_to_a_door_of_a_connected_controller() {
    let mut house = House::open().await;
    let (_controller, mut session) = gate(&house).await;
    until_online(&house, true).await;
    let opened = house.order("d-gate", pb::DoorAction::Open, None).await;
    let done = session.next().await.unwrap();
    assert_eq!(
        (done.door.as_str(), done.entry),
        ("doors/d-gate", opened.unwrap())
    );
    let strike_time = Duration::from_secs(5);
    assert_eq!(done.action, CommandAction::Open { strike_time });
    let until = house.world.now().utc.unix() + 60;
    let unlocked = house.order("d-gate", pb::DoorAction::Unlock, Some(until));
    unlocked.await.unwrap();
    let done = session.next().await.unwrap();
    assert_eq!(done.action, CommandAction::Unlock { until });
    assert_eq!(house.door("d-gate").await.lock(), pb::LockState::Unlocked);
    let locked = house.order("d-gate", pb::DoorAction::Lock, None).await;
    locked.unwrap();
    assert_eq!(session.next().await.unwrap().action, CommandAction::Lock);
    let orders = [OpenedByOrder, UnlockedByOrder, LockedByOrder];
    house.until_events("d-gate", &orders).await;
    session.leave().await.unwrap();
    until_online(&house, false).await;
    // Who says goodbye is no alarm.
    assert_eq!(house.standing().await, []);
    house.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_says_what_became_of_it_at_a_controller() {
    let mut house = House::open().await;
    let (_controller, session) = gate(&house).await;
    until_online(&house, true).await;
    let behave = |answering| {
        session.conduct(Conduct {
            beats: true,
            answering,
        });
    };
    behave(Answering::Refuses);
    let refused = house.order("d-gate", pb::DoorAction::Open, None).await;
    assert_eq!(why(&refused.unwrap_err()).1, "DOOR_REFUSED");
    behave(Answering::Nothing);
    let silent = house.order("d-gate", pb::DoorAction::Open, None).await;
    let silent = why(&silent.unwrap_err());
    assert_eq!(silent, (Code::Unavailable, "DOOR_SILENT".to_owned()));
    behave(Answering::Late(Duration::from_millis(300)));
    house
        .order("d-gate", pb::DoorAction::Open, None)
        .await
        .unwrap();
    // All three are on disk, whatever became of them.
    house.until_events("d-gate", &[OpenedByOrder; 3]).await;
    house.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_controller_that_loses_two_beats_is_offline_and_an_alarm() {
    let mut house = House::open().await;
    let (controller, mut session) = gate(&house).await;
    until_online(&house, true).await;
    session.conduct(Conduct {
        beats: false,
        answering: Answering::Done,
    });
    let ended = timeout(DEADLINE, session.ended()).await.unwrap();
    assert_eq!(ended.unwrap_err().code(), Some(Code::DeadlineExceeded));
    until_online(&house, false).await;
    let offline = (pb::AlarmKind::ControllerOffline, "controllers/gate-1");
    house.until_standing(&[offline]).await;
    let refused = house.order("d-gate", pb::DoorAction::Open, None).await;
    assert_eq!(why(&refused.unwrap_err()).1, "DOOR_OFFLINE");
    let _session = controller.open_session().await.unwrap();
    until_online(&house, true).await;
    house.until_standing(&[]).await;
    house.stop().await;
}
