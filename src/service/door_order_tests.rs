use tokio::sync::mpsc;
use tonic::Code;
use tonic_types::StatusExt as _;

use super::*;
use crate::control::sessions::testing::Hands;
use crate::control::{Board, OrderRequest, door_desk};
use crate::service::asking::{asked, operator, page_key, reason};
use crate::store::AppendError;
use crate::types::{AlarmKind, AlarmNumber, SiteId};

struct Scene {
    hands: Arc<Hands>,
    orders: DoorOrders,
    alarms: Alarms,
    board: Arc<Board>,
    queue: mpsc::Receiver<OrderRequest>,
}

fn scene() -> Scene {
    let hands = Arc::new(Hands::default());
    let (desk, board, queue) = door_desk(4);
    let alarms = Alarms::new(AlarmNumber(1));
    let orders = DoorOrders::new(DoorOrderParts {
        desk,
        alarms: alarms.clone(),
        page_key: page_key(),
        world: Arc::<Hands>::clone(&hands),
    });
    Scene {
        hands,
        orders,
        alarms,
        board,
        queue,
    }
}

fn entry() -> JournalRef {
    JournalRef {
        site: SiteId::parse("s").unwrap(),
        node: 1,
        sequence: 9,
    }
}

fn open(request_id: &str) -> OrderDoorRequest {
    OrderDoorRequest {
        name: "doors/a".to_owned(),
        action: DoorAction::Open.into(),
        until_time: None,
        request_id: request_id.to_owned(),
    }
}

fn unlock(seconds: i64) -> OrderDoorRequest {
    OrderDoorRequest {
        action: DoorAction::Unlock.into(),
        until_time: Some(prost_types::Timestamp { seconds, nanos: 0 }),
        ..open("u")
    }
}

/// Asks, and answers as the runner would; tells what the runner was asked.
async fn order(
    scene: &mut Scene,
    request: OrderDoorRequest,
    answer: Ordered,
) -> (Result<String, Status>, Option<(DoorId, DoorOrder, Caller)>) {
    let runner = async {
        let asked = scene.queue.recv().await.unwrap();
        asked.reply.send(answer).unwrap();
        (asked.door, asked.order, asked.actor)
    };
    let asked = scene.orders.order_door(asked(&operator(), request));
    tokio::pin!(runner, asked);
    let mut heard = None;
    let answered = loop {
        tokio::select! {
            answered = &mut asked => break answered,
            order = &mut runner, if heard.is_none() => heard = Some(order),
        }
    };
    (answered.map(|a| a.into_inner().entry), heard)
}

#[tokio::test]
async fn an_order_reaches_its_door_with_its_actor() {
    let mut scene = scene();
    let until = UtcTime::from_unix(600).unwrap();
    let lock = OrderDoorRequest {
        action: DoorAction::Lock.into(),
        ..open("l")
    };
    for (request, expected) in [
        (open("o"), DoorOrder::Open),
        (unlock(600), DoorOrder::Unlock { until }),
        (lock, DoorOrder::Lock),
    ] {
        let (answer, heard) = order(&mut scene, request, Ok(entry())).await;
        assert_eq!(answer.unwrap(), "journal/s/1/9");
        let door = DoorId::parse("a").unwrap();
        assert_eq!(heard, Some((door, expected, operator())));
    }
}

#[tokio::test]
async fn an_order_that_cannot_be_names_its_field() {
    let with = |change: fn(&mut OrderDoorRequest)| {
        let mut request = open("x");
        change(&mut request);
        request
    };
    let cases = [
        (with(|r| r.name = "areas/a".into()), "name"),
        (with(|r| r.request_id.clear()), "request_id"),
        (with(|r| r.action = 0), "action"),
        (with(|r| r.action = 99), "action"),
        (with(|r| r.until_time = unlock(60).until_time), "until_time"),
        (with(|r| r.action = DoorAction::Unlock.into()), "until_time"),
        (unlock(0), "until_time"),
        (unlock(86_401), "until_time"),
        (unlock(-1), "until_time"),
    ];
    let scene = scene();
    for (request, field) in cases {
        let refused = scene.orders.order_door(asked(&operator(), request)).await;
        let found = reason(&refused.unwrap_err());
        assert_eq!(found, format!("INVALID_FIELD {field}"));
    }
    assert!(scene.queue.is_empty(), "no door hears of it");
}

#[tokio::test]
async fn asking_twice_orders_once() {
    let mut scene = scene();
    let (first, heard) = order(&mut scene, unlock(600), Ok(entry())).await;
    assert!(heard.is_some());
    // Its end has passed meanwhile; the same request is the same order still.
    scene.hands.set(Duration::from_secs(3_599));
    let (again, heard) = order(&mut scene, unlock(600), Ok(entry())).await;
    assert_eq!((again.unwrap(), heard), (first.unwrap(), None));
    let other = order(&mut scene, open("u"), Ok(entry())).await.0;
    assert_eq!(reason(&other.unwrap_err()), "REQUEST_ID_REUSED request_id");
    let desk = Caller::Operator("second".into());
    let asked = scene.orders.order_door(asked(&desk, open("u")));
    tokio::select! {
        answer = asked => panic!("another caller has names of its own: {answer:?}"),
        order = scene.queue.recv() => assert_eq!(order.unwrap().actor, desk),
    }
}

#[tokio::test]
async fn an_order_that_left_no_trace_may_be_tried_again() {
    let door = DoorId::parse("a").unwrap();
    let failed = AppendError::Unavailable("full".to_owned());
    for (error, word) in [
        (OrderError::NoDoor(door.clone()), "NOT_FOUND"),
        (OrderError::Offline(door.clone()), "DOOR_OFFLINE"),
        (failed.into(), "STORE_READ_ONLY"),
        (AppendError::QueueFull.into(), "QUEUE_FULL"),
        (OrderError::Stopping(door), "SHUTTING_DOWN"),
    ] {
        let mut scene = scene();
        let refused = order(&mut scene, open("x"), Err(error)).await.0;
        assert_eq!(reason(&refused.unwrap_err()), word);
        let (again, heard) = order(&mut scene, open("x"), Ok(entry())).await;
        assert!(again.is_ok() && heard.is_some(), "{word}");
    }
}

#[tokio::test]
async fn an_order_that_was_written_is_answered_the_same_and_names_its_entry() {
    for (error, word) in [
        (OrderError::Stale(entry()), "GRANT_STALE"),
        (OrderError::Silent(entry()), "DOOR_SILENT"),
        (OrderError::Refused(entry()), "DOOR_REFUSED"),
    ] {
        let mut scene = scene();
        order(&mut scene, open("x"), Err(error))
            .await
            .0
            .unwrap_err();
        let (again, heard) = order(&mut scene, open("x"), Ok(entry())).await;
        let again = again.unwrap_err();
        assert_eq!((reason(&again).as_str(), heard), (word, None));
        let metadata = again.get_details_error_info().unwrap().metadata;
        assert_eq!(metadata["entry"], "journal/s/1/9");
    }
}

#[tokio::test]
async fn a_status_tells_what_stands_on_the_board() {
    let scene = scene();
    let status = |id: &str| DoorStatus {
        door: DoorId::parse(id).unwrap(),
        is_online: true,
        lock: LockState::Unlocked,
        position: DoorPosition::Open,
        unlocked_until: UtcTime::from_unix(600).ok(),
        heard_at: UtcTime::from_unix(5).ok(),
    };
    for id in ["a", "b", "c"] {
        scene.board.set(status(id));
    }
    let now = UtcTime::EPOCH;
    let at = |id| AlarmSubject::Door(DoorId::parse(id).unwrap());
    scene
        .alarms
        .raise(AlarmKind::DoorForced, at("b"), ("", now));
    scene.alarms.raise(AlarmKind::DoorHeld, at("b"), ("", now));
    scene.alarms.clear(AlarmKind::DoorForced, &at("b"), now);
    let get = |name: &str| {
        let name = name.to_owned();
        scene
            .orders
            .get_door_status(asked(&operator(), GetDoorStatusRequest { name }))
    };
    let b = get("doors/b").await.unwrap().into_inner();
    assert_eq!(b.alarms, ["alarms/2"]);
    assert_eq!(b.lock(), v1::LockState::Unlocked);
    assert_eq!(b.position(), v1::DoorPosition::Open);
    assert_eq!(b.unlocked_until_time.unwrap().seconds, 600);
    assert_eq!(b.heard_time.unwrap().seconds, 5);
    assert_eq!(get("doors/x").await.unwrap_err().code(), Code::NotFound);
    assert_eq!(get("x").await.unwrap_err().code(), Code::InvalidArgument);

    let page = |page_token: String| {
        let page_size = 2;
        let request = ListDoorStatusesRequest {
            page_size,
            page_token,
        };
        scene.orders.list_door_statuses(asked(&operator(), request))
    };
    let first = page(String::new()).await.unwrap().into_inner();
    let last = page(first.next_page_token).await.unwrap().into_inner();
    let doors = first.statuses.iter().chain(&last.statuses);
    let doors: Vec<&str> = doors.map(|status| status.door.as_str()).collect();
    assert_eq!(doors, ["doors/a", "doors/b", "doors/c"]);
    assert!(last.next_page_token.is_empty());
}
