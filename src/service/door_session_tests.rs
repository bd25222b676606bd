use tokio_stream::wrappers::ReceiverStream;
use tonic::Code;
use tonic_types::StatusExt as _;

use super::*;
use crate::control::sessions::testing::{Hands, Ticking, gate, lock, release};
use crate::control::{Link, SessionTimes};
use crate::service::tally::Tally;
use crate::types::UtcTime;

/// The controller's end of a stream.
struct Peer {
    says: mpsc::Sender<Result<SessionRequest, Status>>,
    told: SessionStream,
}

struct Scene {
    hands: Arc<Hands>,
    sessions: Sessions,
    stop: watch::Sender<bool>,
}

impl Scene {
    fn new() -> Self {
        let hands = Arc::new(Hands::default());
        Self {
            sessions: Sessions::new(Arc::<Hands>::clone(&hands), SessionTimes::USUAL),
            hands,
            stop: watch::Sender::new(false),
        }
    }

    fn stream(&self) -> Peer {
        peer(&self.sessions, Arc::<Hands>::clone(&self.hands), &self.stop)
    }

    /// A stream on which both sides have greeted.
    async fn greeted(&self) -> Peer {
        let mut peer = self.stream();
        peer.say(hello()).await;
        assert!(matches!(peer.hears().await, Told::Welcome(_)));
        peer
    }
}

fn peer(sessions: &Sessions, world: Arc<dyn World>, stop: &watch::Sender<bool>) -> Peer {
    let (says, said) = mpsc::channel(8);
    let line = Line {
        sessions: sessions.clone(),
        controller: gate(),
        said: ReceiverStream::new(said),
        stopping: stop.subscribe(),
    };
    let place = Tally::new().take(gate(), 1).unwrap();
    let told = serve(line, world, place);
    Peer { says, told }
}

impl Peer {
    async fn say(&self, said: Said) {
        let message = Some(said);
        self.says
            .send(Ok(SessionRequest { message }))
            .await
            .unwrap();
    }

    async fn hears(&mut self) -> Told {
        self.told.next().await.unwrap().unwrap().message.unwrap()
    }

    /// How the stream ends, after whatever beats; `None` if in order.
    async fn ends(mut self) -> Option<(Code, String)> {
        loop {
            match self.told.next().await? {
                Ok(SessionResponse {
                    message: Some(Told::Beat(_) | Told::Welcome(_)),
                }) => {}
                Ok(other) => panic!("{other:?}"),
                Err(status) => {
                    let info = status.get_details_error_info();
                    let reason = info.map(|info| info.reason).unwrap_or_default();
                    return Some((status.code(), reason));
                }
            }
        }
    }
}

fn hello() -> Said {
    let boot_id = "boot-1".to_owned();
    Said::Hello(v1::SessionHello { boot_id })
}

fn acknowledged(command: &str, result: v1::CommandResult) -> Said {
    Said::Acknowledgement(v1::CommandAcknowledgement {
        command: command.to_owned(),
        result: result.into(),
    })
}

#[tokio::test]
async fn a_command_reaches_its_controller_and_its_answer_comes_back() {
    let scene = Scene::new();
    let mut peer = scene.greeted().await;
    scene.hands.set(Duration::from_millis(500));
    let until = UtcTime::from_unix(3_600).unwrap();
    let orders = [
        SessionCommand::Open(release(Duration::ZERO)),
        SessionCommand::Unlock(release(Duration::ZERO), until),
        lock(),
    ];
    let seconds = |seconds, nanos| Some(prost_types::Duration { seconds, nanos });
    let left = seconds(1, 500_000_000);
    let expected = [
        (DoorAction::Open, None, seconds(5, 0), left),
        (DoorAction::Unlock, Some(3_600), None, left),
        (DoorAction::Lock, None, None, None),
    ];
    for (order, expected) in orders.into_iter().zip(expected) {
        let entry = order.entry().name();
        let gate = gate();
        let ordered = scene.sessions.command(&gate, order);
        let done = async {
            let Told::Command(command) = peer.hears().await else {
                panic!("a command is sent");
            };
            let done = acknowledged(&command.command, v1::CommandResult::Failed);
            peer.say(done).await;
            command
        };
        let (result, command) = tokio::join!(ordered, done);
        assert_eq!(result, Ok(CommandResult::Failed));
        let until = command.until_time.map(|until| until.seconds);
        let found = (
            command.action(),
            until,
            command.strike_time,
            command.valid_for,
        );
        assert_eq!(found, expected);
        assert_eq!((command.door.as_str(), command.entry), ("doors/d", entry));
    }
}

#[tokio::test]
async fn what_is_said_first_is_hello_and_nothing_twice() {
    let wrong = |reason: &str| Some((Code::InvalidArgument, reason.to_owned()));
    for first in [
        Said::Beat(v1::SessionBeat {}),
        acknowledged("x", v1::CommandResult::Done),
    ] {
        let scene = Scene::new();
        let peer = scene.stream();
        peer.say(first).await;
        assert_eq!(peer.ends().await, wrong("INVALID_FIELD"));
        assert_eq!(scene.sessions.link(&gate()), None, "there was no session");
    }
    let nobody = Said::Hello(v1::SessionHello::default());
    let unknown = acknowledged("x", v1::CommandResult::Unspecified);
    for (first, next) in [
        (nobody, None),
        (hello(), Some(hello())),
        (hello(), Some(unknown)),
    ] {
        let scene = Scene::new();
        let peer = scene.stream();
        peer.say(first).await;
        if let Some(next) = next {
            peer.say(next).await;
        }
        assert_eq!(peer.ends().await, wrong("INVALID_FIELD"));
    }
}

#[tokio::test]
async fn a_second_session_ends_the_first() {
    let scene = Scene::new();
    let first = scene.greeted().await;
    let _second = scene.greeted().await;
    let replaced = Some((Code::Aborted, "SESSION_REPLACED".to_owned()));
    assert_eq!(first.ends().await, replaced);
    assert!(scene.sessions.is_online(&gate()));
}

#[tokio::test]
async fn a_goodbye_and_a_stop_are_no_loss_and_a_broken_line_is() {
    let scene = Scene::new();
    let mut peer = scene.greeted().await;
    peer.says = mpsc::channel(1).0;
    assert_eq!(peer.ends().await, None);
    assert_eq!(scene.sessions.link(&gate()), Some(Link::Left));

    let peer = scene.greeted().await;
    let broken = Err(Status::cancelled("the line broke"));
    peer.says.send(broken).await.unwrap();
    assert_eq!(peer.ends().await, Some((Code::Cancelled, String::new())));
    assert_eq!(scene.sessions.link(&gate()), Some(Link::Lost));

    let peer = scene.greeted().await;
    scene.stop.send_replace(true);
    let stopping = Some((Code::Unavailable, "SHUTTING_DOWN".to_owned()));
    assert_eq!(peer.ends().await, stopping);
    assert_eq!(scene.sessions.link(&gate()), Some(Link::Left));
    assert_eq!(scene.stream().ends().await, stopping, "before hello too");
}

#[tokio::test]
async fn silence_ends_a_session() {
    let world: Arc<dyn World> = Arc::new(Ticking);
    let times = SessionTimes {
        beat: Duration::from_millis(20),
        ..SessionTimes::USUAL
    };
    let sessions = Sessions::new(Arc::clone(&world), times);
    let stop = watch::Sender::new(false);
    let silent = Some((Code::DeadlineExceeded, "SESSION_SILENT".to_owned()));
    let shy = peer(&sessions, Arc::clone(&world), &stop);
    assert_eq!(shy.ends().await, silent, "no hello within a beat");
    assert_eq!(sessions.link(&gate()), None);
    let peer = peer(&sessions, world, &stop);
    peer.say(hello()).await;
    assert_eq!(peer.ends().await, silent);
    assert_eq!(sessions.link(&gate()), Some(Link::Lost));
}

#[tokio::test]
async fn a_release_that_waited_too_long_for_the_network_is_not_sent() {
    let scene = Scene::new();
    let mut peer = scene.greeted().await;
    let gate = gate();
    let order = SessionCommand::Open(release(Duration::ZERO));
    let ordered = scene.sessions.command(&gate, order);
    let network = async {
        // It is handed to the network, which takes it two seconds later.
        for _ in 0..10 {
            tokio::task::yield_now().await;
        }
        scene.hands.set(Duration::from_secs(2));
        peer.hears().await
    };
    tokio::pin!(ordered);
    let told = tokio::select! {
        told = network => told,
        result = &mut ordered => panic!("{result:?}"),
    };
    assert!(matches!(told, Told::Beat(_)), "{told:?}");
}
