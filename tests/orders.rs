//! Sessions of controllers, over mTLS and a whole server.
#![expect(
    clippy::unwrap_used,
    reason = "a test that cannot go on says so by stopping"
)]

#[path = "invariants/house.rs"]
#[expect(dead_code, reason = "shared with the tests of invariants")]
mod house;

use sluss::pb::v1::door_service_client::DoorServiceClient;
use sluss::pb::v1::session_request::Message as Said;
use sluss::pb::v1::session_response::Message as Told;
use sluss::pb::v1::{SessionHello, SessionRequest, SessionResponse};
use sluss::types::CallerKind;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Code, Status, Streaming};
use tonic_types::StatusExt as _;

use house::{Draft, House};

/// A session's two halves, as its controller holds them.
struct Session {
    says: mpsc::Sender<SessionRequest>,
    told: Streaming<SessionResponse>,
}

async fn session(house: &House, controller: &str) -> Result<Session, Status> {
    let channel = house.channel(CallerKind::Controller, controller).await;
    let (says, said) = mpsc::channel(4);
    let opened = DoorServiceClient::new(channel)
        .session(ReceiverStream::new(said))
        .await?;
    let told = opened.into_inner();
    Ok(Session { says, told })
}

async fn greeted(house: &House) -> Session {
    let mut session = session(house, "gate-1").await.unwrap();
    let boot_id = "boot-1".to_owned();
    let message = Some(Said::Hello(SessionHello { boot_id }));
    session.says.send(SessionRequest { message }).await.unwrap();
    let first = session.told.message().await.unwrap().unwrap();
    let Some(Told::Welcome(welcome)) = first.message else {
        unreachable!("{first:?}");
    };
    assert_eq!(welcome.beat_interval.unwrap().seconds, 5);
    session
}

/// Code and reason with which a session ends.
async fn end(mut session: Session) -> (Code, String) {
    let status = session.told.message().await.unwrap_err();
    (status.code(), reason(&status))
}

fn reason(status: &Status) -> String {
    status.get_details_error_info().unwrap().reason
}

#[tokio::test]
async fn a_controller_has_one_session_until_it_leaves_or_the_server_stops() {
    let house = House::open(Draft::default()).await;
    let first = greeted(&house).await;
    let second = greeted(&house).await;
    let replaced = (Code::Aborted, "SESSION_REPLACED".to_owned());
    assert_eq!(end(first).await, replaced);

    let Session { says, mut told } = second;
    drop(says);
    assert!(told.message().await.unwrap().is_none(), "a goodbye");

    let third = greeted(&house).await;
    let (ended, ()) = tokio::join!(end(third), house.close());
    assert_eq!(ended, (Code::Unavailable, "SHUTTING_DOWN".to_owned()));
}

#[tokio::test]
async fn a_controller_that_the_site_does_not_know_has_no_session() {
    let mut draft = Draft::default();
    draft.controllers.push("gate-9".to_owned());
    let house = House::open(draft).await;
    let refused = session(&house, "gate-9").await.err().unwrap();
    assert_eq!(
        (refused.code(), reason(&refused).as_str()),
        (Code::NotFound, "NOT_FOUND")
    );
    house.close().await;
}
