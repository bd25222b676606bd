use std::sync::Arc;
use std::time::Duration;

use super::testing::{Hands, Ticking, gate, lock, release};
use super::*;
use crate::types::{ControllerId, UtcTime};

const SECOND: Duration = Duration::from_secs(1);
const TIMES: SessionTimes = SessionTimes {
    beat: Duration::from_secs(5),
    answer: Duration::from_millis(20),
};

fn scene() -> (Arc<Hands>, Sessions) {
    let hands = Arc::new(Hands::default());
    let sessions = Sessions::new(Arc::<Hands>::clone(&hands), TIMES);
    (hands, sessions)
}

async fn order(
    sessions: &Sessions,
    command: SessionCommand,
) -> Result<CommandResult, SessionFault> {
    sessions.command(&gate(), command).await
}

async fn command(session: &mut Session) -> Outgoing {
    match session.next().await {
        SessionStep::Command(outgoing) => outgoing,
        other @ (SessionStep::Beat | SessionStep::Ended(_)) => panic!("{other:?}"),
    }
}

async fn end(session: &mut Session) -> SessionEnd {
    match session.next().await {
        SessionStep::Ended(end) => end,
        other @ (SessionStep::Beat | SessionStep::Command(_)) => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn two_lost_beats_and_a_controller_is_offline() {
    let (hands, sessions) = scene();
    let mut changes = sessions.changes();
    let mut session = sessions.open(gate());
    for seconds in [5, 10, 15] {
        hands.set(seconds * SECOND);
        session.heard();
        assert!(matches!(session.next().await, SessionStep::Beat));
    }
    hands.set(20 * SECOND);
    assert!(matches!(session.next().await, SessionStep::Beat));
    assert!(sessions.is_online(&gate()), "one beat was lost");
    hands.set(25 * SECOND);
    assert_eq!(end(&mut session).await, SessionEnd::Silent);
    drop(session);
    assert_eq!(sessions.link(&gate()), Some(Link::Lost));
    assert_eq!(sessions.heard(&gate()), UtcTime::from_unix(15).ok());
    let told = [(); 2].map(|()| changes.try_recv().unwrap().link);
    assert_eq!(told, [Link::Online, Link::Lost]);
}

#[tokio::test]
async fn the_session_wakes_by_itself_to_beat_and_to_end() {
    let beat = Duration::from_millis(20);
    let times = SessionTimes { beat, ..TIMES };
    let sessions = Sessions::new(Arc::new(Ticking), times);
    let mut session = sessions.open(gate());
    let mut beats = 0;
    while let SessionStep::Beat = session.next().await {
        beats += 1;
    }
    assert!(beats <= 2, "{beats}");
    assert_eq!(end(&mut session).await, SessionEnd::Silent);
}

#[tokio::test]
async fn a_goodbye_is_no_loss() {
    let (_, sessions) = scene();
    let mut changes = sessions.changes();
    sessions.open(gate()).leave();
    assert_eq!(sessions.link(&gate()), Some(Link::Left));
    assert_eq!(sessions.links()[0].link, Link::Left);
    assert_eq!(changes.try_recv().unwrap().link, Link::Online);
    assert_eq!(changes.try_recv().unwrap().link, Link::Left);
    assert_eq!(sessions.link(&ControllerId::parse("x").unwrap()), None);
}

#[tokio::test]
async fn a_command_is_answered_once_and_by_its_own_session() {
    let (_, sessions) = scene();
    let mut session = sessions.open(gate());
    let mut other = sessions.open(ControllerId::parse("other").unwrap());
    let ordered = order(&sessions, SessionCommand::Open(release(Duration::ZERO)));
    let acted = async {
        let outgoing = command(&mut session).await;
        let id = outgoing.id.to_string();
        other.acknowledge(&id, CommandResult::Failed);
        session.acknowledge("nothing", CommandResult::Failed);
        session.acknowledge(&id, CommandResult::Done);
        session.acknowledge(&id, CommandResult::Failed);
        id
    };
    let (result, id) = tokio::join!(ordered, acted);
    assert_eq!(result, Ok(CommandResult::Done));
    assert!(id.starts_with("a5a5a5a5a5a5a5a5-"), "{id}");
    let unanswered = order(&sessions, lock());
    let (result, next) = tokio::join!(unanswered, command(&mut session));
    assert_eq!(result, Err(SessionFault::Silent));
    assert_ne!(next.id.to_string(), id);
    // Its answer comes too late.
    session.acknowledge(&next.id.to_string(), CommandResult::Done);
    other.heard();
}

#[tokio::test]
async fn a_second_session_ends_the_first_with_what_waits_in_it() {
    let (_, sessions) = scene();
    let mut first = sessions.open(gate());
    let ordered = order(&sessions, lock());
    let (replaced, mut second) = {
        let sessions = sessions.clone();
        let open = async move { sessions.open(gate()) };
        tokio::join!(ordered, open)
    };
    assert_eq!(replaced, Err(SessionFault::Silent));
    assert_eq!(end(&mut first).await, SessionEnd::Replaced);
    assert_eq!(end(&mut first).await, SessionEnd::Replaced);
    drop(first);
    assert!(
        sessions.is_online(&gate()),
        "the end of the first changes nothing"
    );
    let (_, outgoing) = tokio::join!(order(&sessions, lock()), command(&mut second));
    assert_eq!(outgoing.command.door().as_str(), "d");
}

#[tokio::test]
async fn a_release_that_waited_too_long_is_not_sent() {
    let (hands, sessions) = scene();
    let mut session = sessions.open(gate());
    hands.set(2 * SECOND);
    let late = SessionCommand::Open(release(Duration::ZERO));
    let result = order(&sessions, late).await;
    assert_eq!(result, Ok(CommandResult::Expired), "too late to be queued");

    let until = UtcTime::from_unix(100).unwrap();
    let ordered = order(
        &sessions,
        SessionCommand::Unlock(release(2 * SECOND), until),
    );
    let waited = async {
        tokio::task::yield_now().await;
        hands.set(4 * SECOND);
        tokio::time::timeout(TIMES.answer, session.next()).await
    };
    let (result, sent) = tokio::join!(ordered, waited);
    assert_eq!(result, Ok(CommandResult::Expired), "too late to be sent");
    assert!(sent.is_err(), "{sent:?}");
}

#[tokio::test]
async fn a_controller_without_a_session_gets_nothing() {
    let (_, sessions) = scene();
    let open = || SessionCommand::Open(release(Duration::ZERO));
    assert_eq!(order(&sessions, open()).await, Err(SessionFault::Offline));
    sessions.open(gate()).leave();
    assert_eq!(order(&sessions, open()).await, Err(SessionFault::Offline));
}

#[tokio::test]
async fn commands_that_wait_are_bounded() {
    let (_, sessions) = scene();
    let mut session = sessions.open(gate());
    let mut orders = tokio::task::JoinSet::new();
    for _ in 0..40 {
        let sessions = sessions.clone();
        orders.spawn(async move { order(&sessions, lock()).await });
    }
    let mut ended = orders.join_all().await;
    ended.sort_by_key(|end| format!("{end:?}"));
    assert_eq!(
        ended
            .iter()
            .filter(|e| **e == Err(SessionFault::Offline))
            .count(),
        24
    );
    for _ in 0..16 {
        command(&mut session).await;
    }
    let ordered = order(&sessions, lock());
    let (_, outgoing) = tokio::join!(ordered, command(&mut session));
    assert_eq!(outgoing.command.entry().sequence, 7, "places come back");
}
