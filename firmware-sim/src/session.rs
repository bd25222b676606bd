//! A controller's session: beats, commands, acknowledgements, and how a bad device behaves.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::{sleep, timeout};
use tonic::Streaming;
use tonic::codegen::tokio_stream::wrappers::ReceiverStream;

use crate::line::Line;
use crate::pb::session_request::Message as Said;
use crate::pb::session_response::Message as Told;
use crate::{CallError, DEADLINE, clock, pb};

/// Longest time that a release may be acted on, whatever the command says (`DoorCommand`).
const VALID_MAX: Duration = Duration::from_secs(2);
/// Messages that wait for the network at most.
const SAID_MAX: usize = 16;
/// Commands that were carried out and that nobody has looked at; with more the door fails.
const DONE_MAX: usize = 64;
/// Commands whose ids are remembered, so that a repeated one is not carried out again.
const REMEMBERED_MAX: usize = 64;

/// What a command asks of a door.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CommandAction {
    /// Release it once.
    Open {
        /// For so long.
        strike_time: Duration,
    },
    /// Lock it, whatever was said before.
    Lock,
    /// Leave it unlocked.
    Unlock {
        /// Until then, in Unix seconds.
        until: i64,
    },
}

/// A command that the device carried out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Command {
    /// Its id.
    pub id: String,
    /// The door, `doors/{door}`.
    pub door: String,
    /// What was done.
    pub action: CommandAction,
    /// The journal entry, `journal/{site}/{node}/{sequence}`.
    pub entry: String,
    /// When it was done, by the device's monotonic clock.
    pub done: Instant,
}

/// What the device does with commands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Answering {
    /// Carries them out and says so.
    #[default]
    Done,
    /// Carries them out, and says so this much later.
    Late(Duration),
    /// Says that the door cannot do it.
    Refuses,
    /// Does nothing and says nothing.
    Nothing,
}

/// How the device behaves on its session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Conduct {
    /// Whether it says that it is there.
    pub beats: bool,
    /// What it does with commands.
    pub answering: Answering,
}

impl Default for Conduct {
    fn default() -> Self {
        Self {
            beats: true,
            answering: Answering::Done,
        }
    }
}

/// An open session. Dropped, the line breaks off; [`leave`](Self::leave) ends it in peace.
#[derive(Debug)]
pub struct Session {
    conduct: watch::Sender<Conduct>,
    done: mpsc::Receiver<Command>,
    goodbye: Option<oneshot::Sender<()>>,
    task: JoinHandle<Result<(), CallError>>,
}

impl Session {
    /// Says hello and waits for the welcome.
    pub(crate) async fn open(line: &Line, boot_id: &str) -> Result<Self, CallError> {
        let (said, says) = mpsc::channel(SAID_MAX);
        let boot_id = boot_id.to_owned();
        say(&said, Said::Hello(pb::SessionHello { boot_id }));
        let opened = async {
            let mut told = line.session(ReceiverStream::new(says)).await?;
            let beat = welcome(&mut told).await?;
            Ok((told, beat))
        };
        let opened = timeout(DEADLINE * 2, opened).await;
        let (told, beat) = opened.map_err(|_| CallError::NoAnswer)??;
        let (conduct, conducted) = watch::channel(Conduct::default());
        let (doing, done) = mpsc::channel(DONE_MAX);
        let (goodbye, leaving) = oneshot::channel();
        let device = Device {
            said,
            conduct: conducted,
            doing,
            known: VecDeque::new(),
            late: JoinSet::new(),
        };
        Ok(Self {
            conduct,
            done,
            goodbye: Some(goodbye),
            task: tokio::spawn(device.run(told, beat, leaving)),
        })
    }

    /// Changes how the device behaves from now on.
    pub fn conduct(&self, conduct: Conduct) {
        self.conduct.send_replace(conduct);
    }

    /// Waits for the next command that was carried out; `None` when the session has ended.
    pub async fn next(&mut self) -> Option<Command> {
        self.done.recv().await
    }

    /// Waits until the session ends; an error is the server's status.
    pub async fn ended(&mut self) -> Result<(), CallError> {
        let ended = (&mut self.task).await;
        ended.unwrap_or(Err(CallError::BadAnswer("the session's task was lost")))
    }

    /// Says goodbye and waits until the server has understood.
    pub async fn leave(mut self) -> Result<(), CallError> {
        self.goodbye.take();
        self.ended().await
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Waits for the first message of the server: how often it wants to hear something.
async fn welcome(told: &mut Streaming<pb::SessionResponse>) -> Result<Duration, CallError> {
    let first = told.message().await;
    let first = first.map_err(|status| CallError::from_status(&status))?;
    let Some(Told::Welcome(welcome)) = first.and_then(|first| first.message) else {
        return Err(CallError::BadAnswer("no welcome"));
    };
    let interval = welcome.beat_interval.map(Duration::try_from);
    let interval = interval.and_then(Result::ok).filter(|i| !i.is_zero());
    interval.ok_or(CallError::BadAnswer("no beat interval"))
}

/// Hands a message to the network. Where it takes none any more the server will notice silence.
fn say(said: &mpsc::Sender<pb::SessionRequest>, message: Said) {
    let message = Some(message);
    let _ = said.try_send(pb::SessionRequest { message });
}

/// The device's end of a session.
struct Device {
    said: mpsc::Sender<pb::SessionRequest>,
    conduct: watch::Receiver<Conduct>,
    doing: mpsc::Sender<Command>,
    /// Ids that were carried out or refused, with what became of them.
    known: VecDeque<(String, pb::CommandResult)>,
    /// Answers that are held back.
    late: JoinSet<()>,
}

impl Device {
    async fn run(
        mut self,
        mut told: Streaming<pb::SessionResponse>,
        beat: Duration,
        mut leaving: oneshot::Receiver<()>,
    ) -> Result<(), CallError> {
        // Half the interval, so that one beat may be late.
        let mut beats = tokio::time::interval(beat / 2);
        loop {
            let message = tokio::select! {
                _ = &mut leaving => break,
                _ = beats.tick() => {
                    if self.conduct.borrow().beats {
                        say(&self.said, Said::Beat(pb::SessionBeat {}));
                    }
                    continue;
                }
                message = told.message() => message,
            };
            match message.map_err(|status| CallError::from_status(&status))? {
                Some(message) => {
                    if let Some(Told::Command(command)) = message.message {
                        self.command(command)?;
                    }
                }
                None => return Ok(()),
            }
        }
        drop(self.said);
        while told
            .message()
            .await
            .map_err(|status| CallError::from_status(&status))?
            .is_some()
        {}
        Ok(())
    }

    fn command(&mut self, command: pb::DoorCommand) -> Result<(), CallError> {
        let received = clock::ticks();
        let answering = self.conduct.borrow().answering;
        if answering == Answering::Nothing {
            return Ok(());
        }
        let known = self.known.iter().find(|(id, _)| *id == command.command);
        let result = match (known.map(|(_, result)| *result), answering) {
            (Some(result), _) => result,
            (None, Answering::Refuses) => pb::CommandResult::Failed,
            (None, Answering::Done | Answering::Late(_) | Answering::Nothing) => {
                self.carry_out(&command, received)?
            }
        };
        self.remember(command.command.clone(), result);
        let acknowledgement = Said::Acknowledgement(pb::CommandAcknowledgement {
            command: command.command,
            result: result.into(),
        });
        if let Answering::Late(late) = answering {
            let said = self.said.clone();
            self.late.spawn(async move {
                sleep(late).await;
                say(&said, acknowledgement);
            });
        } else {
            say(&self.said, acknowledgement);
        }
        Ok(())
    }

    fn carry_out(
        &mut self,
        command: &pb::DoorCommand,
        received: Instant,
    ) -> Result<pb::CommandResult, CallError> {
        let action = action(command)?;
        // A lock is always good; a release is not for longer than it says.
        let valid_for = duration(command.valid_for).min(VALID_MAX);
        let done = clock::ticks();
        if action != CommandAction::Lock && done.duration_since(received) >= valid_for {
            return Ok(pb::CommandResult::Expired);
        }
        let carried_out = self.doing.try_send(Command {
            id: command.command.clone(),
            door: command.door.clone(),
            action,
            entry: command.entry.clone(),
            done,
        });
        Ok(match carried_out {
            Ok(()) => pb::CommandResult::Done,
            Err(_) => pb::CommandResult::Failed,
        })
    }

    fn remember(&mut self, id: String, result: pb::CommandResult) {
        if self.known.len() >= REMEMBERED_MAX {
            self.known.pop_front();
        }
        self.known.push_back((id, result));
    }
}

fn action(command: &pb::DoorCommand) -> Result<CommandAction, CallError> {
    if command.command.is_empty() || command.entry.is_empty() {
        return Err(CallError::BadAnswer("a command without id or entry"));
    }
    match command.action() {
        pb::DoorAction::Open => Ok(CommandAction::Open {
            strike_time: duration(command.strike_time),
        }),
        pb::DoorAction::Lock => Ok(CommandAction::Lock),
        pb::DoorAction::Unlock => match &command.until_time {
            Some(until) => Ok(CommandAction::Unlock {
                until: until.seconds,
            }),
            None => Err(CallError::BadAnswer("an unlock without an end")),
        },
        pb::DoorAction::Unspecified => Err(CallError::BadAnswer("a command without an action")),
    }
}

/// A duration of the API; nothing where it is unset or below zero.
fn duration(given: Option<prost_types::Duration>) -> Duration {
    let given = given.map(Duration::try_from);
    given.and_then(Result::ok).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use tonic::Status;

    use super::*;
    use crate::Controller;
    use crate::fixture::{Desk, SessionLine, serve};

    async fn opened() -> (Desk, Controller, Session, SessionLine) {
        let (desk, settings) = serve();
        let controller = Controller::connect(&settings, "boot-1").await.unwrap();
        let (session, line) = tokio::join!(controller.open_session(), desk.session());
        (desk, controller, session.unwrap(), line)
    }

    fn open(id: &str, valid_ms: i32) -> pb::DoorCommand {
        pb::DoorCommand {
            command: id.to_owned(),
            door: "doors/d".to_owned(),
            action: pb::DoorAction::Open.into(),
            strike_time: Some(prost_types::Duration {
                seconds: 5,
                nanos: 0,
            }),
            valid_for: Some(prost_types::Duration {
                seconds: 0,
                nanos: valid_ms * 1_000_000,
            }),
            entry: "journal/s/1/1".to_owned(),
            ..pb::DoorCommand::default()
        }
    }

    /// The next acknowledgement, after whatever beats.
    async fn answer(line: &mut SessionLine) -> (String, pb::CommandResult) {
        loop {
            match line.hears().await {
                Said::Acknowledgement(done) => {
                    let result = done.result();
                    return (done.command, result);
                }
                Said::Beat(_) => {}
                other @ Said::Hello(_) => panic!("{other:?}"),
            }
        }
    }

    #[tokio::test]
    async fn a_command_is_carried_out_once_and_acknowledged_each_time() {
        let (_desk, _controller, mut session, mut line) = opened().await;
        for _ in 0..2 {
            line.tell(Told::Command(open("c1", 900))).await;
            let done = ("c1".to_owned(), pb::CommandResult::Done);
            assert_eq!(answer(&mut line).await, done);
        }
        line.tell(Told::Command(open("c2", 900))).await;
        let ids = [session.next().await, session.next().await].map(|c| c.unwrap().id);
        assert_eq!(ids, ["c1", "c2"]);
    }

    #[tokio::test]
    async fn a_release_without_time_left_is_not_carried_out_and_a_lock_is() {
        let (_desk, _controller, mut session, mut line) = opened().await;
        line.tell(Told::Command(open("c1", 0))).await;
        let expired = ("c1".to_owned(), pb::CommandResult::Expired);
        assert_eq!(answer(&mut line).await, expired);
        let lock = pb::DoorCommand {
            action: pb::DoorAction::Lock.into(),
            ..open("c2", 0)
        };
        line.tell(Told::Command(lock)).await;
        let done = session.next().await.unwrap();
        assert_eq!((done.id.as_str(), done.action), ("c2", CommandAction::Lock));
    }

    #[tokio::test]
    async fn a_device_refuses_answers_late_or_not_at_all_as_it_is_told() {
        let (_desk, _controller, mut session, mut line) = opened().await;
        let conduct = session.conduct.clone();
        let behave = |answering| {
            conduct.send_replace(Conduct {
                beats: false,
                answering,
            });
        };
        behave(Answering::Refuses);
        line.tell(Told::Command(open("c1", 900))).await;
        let failed = ("c1".to_owned(), pb::CommandResult::Failed);
        assert_eq!(answer(&mut line).await, failed);
        behave(Answering::Late(Duration::from_millis(30)));
        let begun = clock::ticks();
        line.tell(Told::Command(open("c2", 900))).await;
        assert_eq!(answer(&mut line).await.0, "c2");
        assert!(begun.elapsed() >= Duration::from_millis(30));
        // What comes in order is looked at in order: the third command before the end.
        behave(Answering::Nothing);
        line.tell(Told::Command(open("c3", 900))).await;
        line.end(Status::aborted("enough")).await;
        session.ended().await.unwrap_err();
        assert_eq!(session.next().await.unwrap().id, "c2");
        assert_eq!(session.next().await, None, "nothing was done");
    }

    #[tokio::test]
    async fn a_device_beats_until_it_is_told_to_stop_and_says_goodbye() {
        let (_desk, _controller, session, mut line) = opened().await;
        for _ in 0..3 {
            assert!(matches!(line.hears().await, Said::Beat(_)));
        }
        let (left, heard) = tokio::join!(session.leave(), line.goodbye());
        assert_eq!((left, heard), (Ok(()), true));
    }

    #[tokio::test]
    async fn a_session_ends_with_the_servers_word() {
        let (_desk, _controller, mut session, line) = opened().await;
        line.end(Status::aborted("replaced")).await;
        let ended = session.ended().await.unwrap_err();
        assert_eq!(ended.code(), Some(tonic::Code::Aborted));
        assert_eq!(session.next().await, None);
    }
}
