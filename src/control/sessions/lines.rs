//! Who has a session, and who waits for what.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use data_encoding::HEXLOWER;
use tokio::sync::{broadcast, mpsc, oneshot};
use tokio::time::timeout;

use super::{
    CommandId, CommandResult, Link, LinkChange, Outgoing, Session, SessionCommand, SessionFault,
};
use crate::control::GRANT_AGE_MAX;
use crate::types::{ControllerId, UtcTime, World};

/// Commands that wait for a session at most; more are refused.
const QUEUE_MAX: usize = 16;
/// Commands of one session that wait for their acknowledgement at most.
const IN_FLIGHT_MAX: usize = 32;
/// Changes that a listener may lag behind.
const CHANGES_LAG_MAX: usize = 256;
/// Random bytes in command ids, so that no two runs of the server give out the same.
const RUN_BYTES: usize = 8;

/// How long things may take on a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SessionTimes {
    /// Longest time between two messages of a controller, and of the server.
    pub beat: Duration,
    /// How long an acknowledgement is waited for.
    pub answer: Duration,
}

impl SessionTimes {
    /// What holds but in tests. An acknowledgement is waited for as long as a release may be
    /// acted on.
    pub const USUAL: Self = Self {
        beat: Duration::from_secs(5),
        answer: GRANT_AGE_MAX,
    };
}

/// The sessions of all controllers. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Sessions(Arc<Inner>);

#[derive(Debug)]
pub(super) struct Inner {
    pub(super) world: Arc<dyn World>,
    pub(super) times: SessionTimes,
    run: String,
    state: Mutex<State>,
    changes: broadcast::Sender<LinkChange>,
}

/// One line for each controller that ever had a session since the start; the site has so many
/// controllers and no more.
#[derive(Debug, Default)]
struct State {
    known: BTreeMap<ControllerId, Known>,
    last_session: u64,
    last_command: u64,
}

#[derive(Debug)]
struct Known {
    link: Link,
    heard_at: UtcTime,
    live: Option<Live>,
}

#[derive(Debug)]
struct Live {
    number: u64,
    commands: mpsc::Sender<Outgoing>,
    waiting: BTreeMap<Arc<str>, oneshot::Sender<CommandResult>>,
}

impl Sessions {
    /// None yet.
    pub fn new(world: Arc<dyn World>, times: SessionTimes) -> Self {
        let mut run = [0; RUN_BYTES];
        world.fill_random(&mut run);
        Self(Arc::new(Inner {
            world,
            times,
            run: HEXLOWER.encode(&run),
            state: Mutex::default(),
            changes: broadcast::Sender::new(CHANGES_LAG_MAX),
        }))
    }

    /// Longest time between two messages of a controller.
    pub fn beat_interval(&self) -> Duration {
        self.0.times.beat
    }

    /// Begins a session; one that the controller had before ends.
    pub fn open(&self, controller: ControllerId) -> Session {
        let now = self.0.world.now();
        let (sender, commands) = mpsc::channel(QUEUE_MAX);
        let mut state = self.0.lock();
        state.last_session = state.last_session.saturating_add(1);
        let number = state.last_session;
        let live = Live {
            number,
            commands: sender,
            waiting: BTreeMap::new(),
        };
        let known = Known {
            link: Link::Online,
            heard_at: now.utc,
            live: Some(live),
        };
        state.known.insert(controller.clone(), known);
        self.0.tell(&controller, Link::Online);
        drop(state);
        Session::begin(Arc::clone(&self.0), (controller, number), commands, now)
    }

    /// Has a controller do something, and waits for its word, not for long.
    ///
    /// A release that has become too old is not sent and comes back as `Expired`.
    pub async fn command(
        &self,
        controller: &ControllerId,
        command: SessionCommand,
    ) -> Result<CommandResult, SessionFault> {
        if command.is_stale(self.0.world.now().moment) {
            return Ok(CommandResult::Expired);
        }
        let mut waiting = self.0.hand_over(controller, command)?;
        let answer = timeout(self.0.times.answer, &mut waiting.answer).await;
        // No answer in time, or the session ended with the command somewhere on the way.
        answer.ok().and_then(Result::ok).ok_or(SessionFault::Silent)
    }

    /// Whether a controller has a session.
    pub fn is_online(&self, controller: &ControllerId) -> bool {
        self.link(controller) == Some(Link::Online)
    }

    /// What is known of the line to a controller; `None` if it never had a session.
    pub fn link(&self, controller: &ControllerId) -> Option<Link> {
        Some(self.0.lock().known.get(controller)?.link)
    }

    /// What is known of all lines, by controller; for whoever has lagged behind the changes.
    pub fn links(&self) -> Vec<LinkChange> {
        let state = self.0.lock();
        let change = |(controller, known): (&ControllerId, &Known)| LinkChange {
            controller: controller.clone(),
            link: known.link,
        };
        state.known.iter().map(change).collect()
    }

    /// When something was heard of a controller last; `None`: never since the server started.
    pub fn heard(&self, controller: &ControllerId) -> Option<UtcTime> {
        Some(self.0.lock().known.get(controller)?.heard_at)
    }

    /// Sessions as they are opened and lost from now on.
    pub fn changes(&self) -> broadcast::Receiver<LinkChange> {
        self.0.changes.subscribe()
    }
}

impl Inner {
    /// Puts a command into the queue of a session, with somebody who waits for its answer.
    fn hand_over(
        self: &Arc<Self>,
        controller: &ControllerId,
        command: SessionCommand,
    ) -> Result<Waiting, SessionFault> {
        let mut state = self.lock();
        state.last_command = state.last_command.saturating_add(1);
        let id: Arc<str> = format!("{}-{}", self.run, state.last_command).into();
        let known = state.known.get_mut(controller);
        let live = known.and_then(|known| known.live.as_mut());
        let live = live.ok_or(SessionFault::Offline)?;
        if live.waiting.len() >= IN_FLIGHT_MAX {
            return Err(SessionFault::Offline);
        }
        let outgoing = Outgoing {
            id: CommandId(Arc::clone(&id)),
            command,
        };
        live.commands
            .try_send(outgoing)
            .map_err(|_| SessionFault::Offline)?;
        let (sender, answer) = oneshot::channel();
        live.waiting.insert(Arc::clone(&id), sender);
        Ok(Waiting {
            inner: Arc::clone(self),
            controller: controller.clone(),
            id,
            answer,
        })
    }

    /// Notes that something was heard on a session.
    pub(super) fn heard(&self, session: (&ControllerId, u64), now: UtcTime) {
        self.on(session, |known, _| known.heard_at = now);
    }

    /// Whether a session is still its controller's.
    pub(super) fn is_current(&self, session: (&ControllerId, u64)) -> bool {
        self.on(session, |_, _| ()).is_some()
    }

    pub(super) fn settle(&self, session: (&ControllerId, u64), id: &str, result: CommandResult) {
        let waiting = self.on(session, |_, live| live.waiting.remove(id));
        if let Some(waiting) = waiting.flatten() {
            // Whoever ordered it may have gone.
            let _ = waiting.send(result);
        }
    }

    pub(super) fn close(&self, (controller, number): (&ControllerId, u64), link: Link) {
        let mut state = self.lock();
        let Some(known) = state.known.get_mut(controller) else {
            return;
        };
        if known.live.take_if(|live| live.number == number).is_some() {
            known.link = link;
            self.tell(controller, link);
        }
    }

    /// Does something to a session, if it is still its controller's.
    fn on<T>(
        &self,
        (controller, number): (&ControllerId, u64),
        act: impl FnOnce(&mut Known, &mut Live) -> T,
    ) -> Option<T> {
        let mut state = self.lock();
        let known = state.known.get_mut(controller)?;
        let mut live = known.live.take()?;
        let done = (live.number == number).then(|| act(known, &mut live));
        known.live = Some(live);
        done
    }

    /// Called with the state locked, so that changes are told in their order.
    fn tell(&self, controller: &ControllerId, link: Link) {
        let controller = controller.clone();
        // Nobody may be listening.
        let _ = self.changes.send(LinkChange { controller, link });
    }

    /// What is done under the lock leaves the state whole at each step.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Somebody who waits for an acknowledgement; leaves no trace when dropped.
#[derive(Debug)]
struct Waiting {
    inner: Arc<Inner>,
    controller: ControllerId,
    id: Arc<str>,
    answer: oneshot::Receiver<CommandResult>,
}

impl Drop for Waiting {
    fn drop(&mut self) {
        let mut state = self.inner.lock();
        let known = state.known.get_mut(&self.controller);
        if let Some(live) = known.and_then(|known| known.live.as_mut()) {
            live.waiting.remove(&self.id);
        }
    }
}
