//! One controller's session as a stream: what it says goes in, beats and commands come out.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio::time::timeout;
use tokio_stream::{Stream, StreamExt as _};
use tonic::Status;

use super::outlet::{End, Outlet, hung_up};
use super::read_door;
use super::status::{Reason, fault, invalid};
use super::tally::Place;
use crate::control::{
    CommandResult, Outgoing, Session, SessionCommand, SessionEnd, SessionStep, Sessions,
};
use crate::pb::v1::session_request::Message as Said;
use crate::pb::v1::session_response::Message as Told;
use crate::pb::v1::{self, DoorAction, DoorCommand, SessionRequest, SessionResponse};
use crate::service::convert::timestamp_message;
use crate::types::{ControllerId, Moment, World};

/// Session streams that one controller may have open at once. One of them counts; the others have
/// not said hello yet, or have not heard yet that they were replaced.
pub(super) const STREAMS_MAX: u32 = 4;
/// Messages that wait for the network at most: more than commands can wait, and some beats.
const QUEUE_MAX: usize = 32;

/// What a controller is told on its session.
pub(super) type SessionStream = Pin<Box<dyn Stream<Item = Result<SessionResponse, Status>> + Send>>;

/// What a session works with.
#[derive(Debug)]
pub(super) struct Line<S> {
    pub(super) sessions: Sessions,
    pub(super) controller: ControllerId,
    pub(super) said: S,
    pub(super) stopping: watch::Receiver<bool>,
}

/// A message that waits for the network.
#[derive(Debug)]
enum Waiting {
    Welcome(Duration),
    Beat,
    Command(Outgoing),
}

/// Serves a session; the task behind the stream ends with it, and gives back its place then.
pub(super) fn serve<S>(
    line: Line<S>,
    world: Arc<dyn World>,
    place: Place<ControllerId>,
) -> SessionStream
where
    S: Stream<Item = Result<SessionRequest, Status>> + Unpin + Send + 'static,
{
    let (queue, end, stream) = Outlet::new(QUEUE_MAX);
    tokio::spawn(async move {
        let ended = line.run(queue).await;
        drop(place);
        // The receiver is gone when the controller has hung up: nobody is left to tell.
        let _ = end.send(ended);
    });
    // Made into messages at the last moment: how long a command is good for is counted from its
    // sending.
    let told = move |waiting: Result<Waiting, Status>| {
        waiting.map(|waiting| SessionResponse {
            message: Some(told(&waiting, world.now().moment)),
        })
    };
    Box::pin(stream.map(told))
}

impl<S> Line<S>
where
    S: Stream<Item = Result<SessionRequest, Status>> + Unpin,
{
    /// Goes on until the session ends; answers how.
    async fn run(mut self, queue: mpsc::Sender<Waiting>) -> End {
        self.hello().await?;
        let mut session = self.sessions.open(self.controller.clone());
        tracing::info!(controller = %self.controller, "a session is open");
        let ended = self.talk(&mut session, &queue).await;
        let why = ended.as_ref().map_or_else(Status::message, |()| "goodbye");
        tracing::info!(controller = %self.controller, why, "a session has ended");
        if ended.is_ok() || *self.stopping.borrow() {
            session.leave();
        }
        ended
    }

    /// Waits for the first message, which like all others comes within a beat.
    async fn hello(&mut self) -> End {
        let within = self.sessions.beat_interval();
        let first = tokio::select! {
            first = timeout(within, self.said.next()) => first,
            _ = self.stopping.wait_for(|stopping| *stopping) => {
                return Err(fault(Reason::ShuttingDown));
            }
        };
        match first.map_err(|_| fault(Reason::SessionSilent))? {
            Some(Ok(SessionRequest {
                message: Some(Said::Hello(hello)),
            })) => read_door::boot_id(&hello.boot_id).map(drop),
            Some(Ok(_)) => Err(invalid("hello", "must be the first message")),
            Some(Err(status)) => Err(status),
            None => Err(invalid("hello", "is required")),
        }
    }

    async fn talk(&mut self, session: &mut Session, queue: &mpsc::Sender<Waiting>) -> End {
        tell(queue, Waiting::Welcome(self.sessions.beat_interval()))?;
        loop {
            tokio::select! {
                said = self.said.next() => match said {
                    Some(said) => hear(session, said?)?,
                    None => return Ok(()),
                },
                step = session.next() => match step {
                    SessionStep::Command(outgoing) => tell(queue, Waiting::Command(outgoing))?,
                    SessionStep::Beat => tell(queue, Waiting::Beat)?,
                    SessionStep::Ended(SessionEnd::Replaced) => {
                        return Err(fault(Reason::SessionReplaced));
                    }
                    SessionStep::Ended(SessionEnd::Silent) => {
                        return Err(fault(Reason::SessionSilent));
                    }
                },
                () = queue.closed() => return Err(hung_up()),
                _ = self.stopping.wait_for(|stopping| *stopping) => {
                    return Err(fault(Reason::ShuttingDown));
                }
            }
        }
    }
}

/// Hands a message to the network. A controller that leaves so many waiting is not there.
fn tell(queue: &mpsc::Sender<Waiting>, waiting: Waiting) -> End {
    queue.try_send(waiting).map_err(|error| match error {
        mpsc::error::TrySendError::Full(_) => fault(Reason::SessionSilent),
        mpsc::error::TrySendError::Closed(_) => hung_up(),
    })
}

fn hear(session: &mut Session, said: SessionRequest) -> End {
    match said.message {
        Some(Said::Beat(_)) => {}
        Some(Said::Acknowledgement(done)) => {
            let result = command_result(done.result)?;
            session.acknowledge(&done.command, result);
        }
        Some(Said::Hello(_)) => return Err(invalid("hello", "was said before")),
        None => return Err(invalid("message", "is required")),
    }
    session.heard();
    Ok(())
}

fn command_result(number: i32) -> Result<CommandResult, Status> {
    match v1::CommandResult::try_from(number) {
        Ok(v1::CommandResult::Done) => Ok(CommandResult::Done),
        Ok(v1::CommandResult::Expired) => Ok(CommandResult::Expired),
        Ok(v1::CommandResult::Failed) => Ok(CommandResult::Failed),
        Ok(v1::CommandResult::Unspecified) | Err(_) => {
            let what = "must be DONE, EXPIRED or FAILED";
            Err(invalid("acknowledgement.result", what))
        }
    }
}

/// A message as it is sent. In place of a command that has become too old on the way goes a beat
/// (invariant 1).
fn told(waiting: &Waiting, now: Moment) -> Told {
    match waiting {
        Waiting::Welcome(interval) => Told::Welcome(v1::SessionWelcome {
            beat_interval: prost_types::Duration::try_from(*interval).ok(),
        }),
        Waiting::Command(outgoing) if !outgoing.command.is_stale(now) => {
            Told::Command(command_message(outgoing, now))
        }
        Waiting::Beat | Waiting::Command(_) => Told::Beat(v1::SessionBeat {}),
    }
}

fn command_message(outgoing: &Outgoing, now: Moment) -> DoorCommand {
    let command = &outgoing.command;
    let (action, until, strike_time) = match command {
        SessionCommand::Open(release) => (DoorAction::Open, None, Some(release.lasts())),
        SessionCommand::Unlock(_, until) => (DoorAction::Unlock, Some(*until), None),
        SessionCommand::Lock { .. } => (DoorAction::Lock, None, None),
    };
    let duration = |time| prost_types::Duration::try_from(time).ok();
    DoorCommand {
        command: outgoing.id.to_string(),
        door: command.door().name(),
        action: action.into(),
        until_time: until.map(timestamp_message),
        strike_time: strike_time.and_then(duration),
        valid_for: command.valid_for(now).and_then(duration),
        entry: command.entry().name(),
    }
}

#[cfg(test)]
#[path = "door_session_tests.rs"]
mod tests;
