//! The one writer: a thread that numbers, writes and syncs; nobody else does.
//!
//! It drains a bounded queue into one batch, commits it with one sync, and only then, in this
//! order: swaps the rules, hands out receipts, rings the doorbells, brings sled up to date.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::sync::{oneshot, watch};

use crate::store::doorbells::Doorbells;
use crate::store::entry::{
    Acknowledged, Act, AppendError, AttemptEntry, OrderEntry, Recorded, ReportedEntry,
};
use crate::store::pen::{Pen, Progress};
use crate::store::rule_change::{ChangeError, RuleChange};
use crate::store::{Receipt, RulesCell, StoreHealth};
use crate::types::DoorOrder;

/// How often the scribe keeps house when nothing comes.
const IDLE: Duration = Duration::from_millis(250);
/// How long nothing must have come before sled is brought up to date: under load many commits are
/// applied at once, and none between two callers.
const LULL: Duration = Duration::from_millis(5);

type Reply<T, E = AppendError> = oneshot::Sender<Result<T, E>>;

/// What the scribe can be asked.
#[derive(Debug)]
pub(super) enum Command {
    Attempt(Box<AttemptEntry>, Reply<Recorded>),
    Reported(Vec<ReportedEntry>, Reply<Vec<Acknowledged>>),
    Order(Box<OrderEntry>, Reply<Receipt<DoorOrder>>),
    Act(Act, Reply<()>),
    Rules(Box<RuleChange>, Reply<u64, ChangeError>),
    Stop,
}

/// Hands commands to the scribe's thread. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Scribe {
    queue: SyncSender<Command>,
}

/// The scribe's thread; stops it when told to.
#[derive(Debug)]
pub struct ScribeThread {
    queue: SyncSender<Command>,
    thread: JoinHandle<()>,
}

impl Scribe {
    /// Starts the thread. `queue_max` commands may wait; more are refused at once.
    pub(super) fn start(pen: Pen, queue_max: u32) -> std::io::Result<(Self, ScribeThread)> {
        let queue_max = usize::try_from(queue_max).unwrap_or(usize::MAX);
        let (queue, commands) = sync_channel(queue_max);
        let thread = std::thread::Builder::new()
            .name("scribe".to_owned())
            .spawn(move || run(pen, &commands))?;
        Ok((
            Self {
                queue: queue.clone(),
            },
            ScribeThread { queue, thread },
        ))
    }

    /// Writes an attempt that was decided; answers when it is durable.
    ///
    /// Asked again for the same event it answers what it answered, for two seconds and while
    /// nothing was removed; it never writes an event twice.
    pub async fn record_attempt(&self, entry: AttemptEntry) -> Result<Recorded, AppendError> {
        self.ask(|reply| Command::Attempt(Box::new(entry), reply))
            .await
    }

    /// Writes what a controller reports: all of it durably, or nothing.
    pub async fn record_reported(
        &self,
        entries: Vec<ReportedEntry>,
    ) -> Result<Vec<Acknowledged>, AppendError> {
        self.ask(|reply| Command::Reported(entries, reply)).await
    }

    /// Writes an order of somebody; answers when it is durable. It is written each time it is asked.
    pub async fn record_order(&self, entry: OrderEntry) -> Result<Receipt<DoorOrder>, AppendError> {
        self.ask(|reply| Command::Order(Box::new(entry), reply))
            .await
    }

    /// Writes an act into the journal.
    pub async fn record_act(&self, act: Act) -> Result<(), AppendError> {
        self.ask(|reply| Command::Act(act, reply)).await
    }

    /// Changes the rules; answers their new version when they are durable and in force.
    pub async fn change_rules(&self, change: RuleChange) -> Result<u64, ChangeError> {
        let (reply, answer) = oneshot::channel();
        match self.queue.try_send(Command::Rules(Box::new(change), reply)) {
            Ok(()) => answer.await.unwrap_or(Err(ChangeError::Unavailable)),
            Err(TrySendError::Full(_)) => Err(ChangeError::QueueFull),
            Err(TrySendError::Disconnected(_)) => Err(ChangeError::Unavailable),
        }
    }

    async fn ask<T>(&self, command: impl FnOnce(Reply<T>) -> Command) -> Result<T, AppendError> {
        let (reply, answer) = oneshot::channel();
        match self.queue.try_send(command(reply)) {
            Ok(()) => answer
                .await
                .unwrap_or_else(|_| Err(AppendError::Unavailable(STOPPED.into()))),
            Err(TrySendError::Full(_)) => Err(AppendError::QueueFull),
            Err(TrySendError::Disconnected(_)) => Err(AppendError::Unavailable(STOPPED.into())),
        }
    }
}

/// What callers are told when the thread is gone.
const STOPPED: &str = "the scribe has stopped";

impl ScribeThread {
    /// Writes what is queued, brings sled up to date, and ends the thread. Blocks.
    pub fn stop(self) {
        if self.queue.send(Command::Stop).is_ok() && self.thread.join().is_err() {
            tracing::error!("the scribe's thread ended in a panic");
        }
    }
}

/// Tells of a thread that ends though nobody asked it to.
struct LastWord {
    health: watch::Sender<LogHealth>,
    is_expected: bool,
}

impl Drop for LastWord {
    fn drop(&mut self) {
        if !self.is_expected {
            tracing::error!("the scribe's thread has ended by a fault; no entries are taken");
            self.health
                .send_modify(|health| health.failure = Some(STOPPED.to_owned()));
        }
    }
}

fn run(mut pen: Pen, commands: &Receiver<Command>) {
    let health = pen.published.health.clone();
    let mut last_word = LastWord {
        health,
        is_expected: false,
    };
    loop {
        let patience = if pen.writer.has_waiting() { LULL } else { IDLE };
        let progress = match commands.recv_timeout(patience) {
            Ok(first) => pen.serve(first, commands),
            Err(RecvTimeoutError::Timeout) => {
                pen.keep_house();
                Progress::GoOn
            }
            Err(RecvTimeoutError::Disconnected) => Progress::Stop,
        };
        pen.keep_house_if_due();
        if progress == Progress::Stop {
            last_word.is_expected = true;
            pen.close();
            return;
        }
    }
}

/// What the scribe publishes, for everybody to find.
#[derive(Debug, Clone)]
pub struct Published {
    /// The rules in force.
    pub rules: Arc<RulesCell>,
    /// One doorbell per feed.
    pub doorbells: Arc<Doorbells>,
    /// How the log and the store are.
    pub health: watch::Sender<LogHealth>,
}

/// How the log and the store are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogHealth {
    /// Why no entries are taken; `None` while they are.
    pub failure: Option<String>,
    /// What the store is in want of.
    pub store: StoreHealth,
}
