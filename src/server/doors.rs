//! Doors, lines, sessions and alarms: what runs beside the API, joined.

use std::sync::Arc;

use tokio::sync::mpsc;
use tokio::task::{JoinHandle, JoinSet};

use super::{Foundation, ServeError};
use crate::config::Config;
use crate::control::{
    Alarms, DoorDesk, DoorJournal, DoorsInbox, DoorsParts, ReaderLines, Runner, RunnerParts,
    SessionTimes, Sessions, door_desk, flush_alarms, run_doors, write_alarms,
};
use crate::field::{Field, FieldParts, FieldThreads, LineConfig};
use crate::policy::Lockouts;
use crate::store::reader_keys::ReaderKeys;
use crate::store::{Log, LogHealth, Published, Scribe};
use crate::types::{AlarmKind, AlarmNumber, AlarmSubject, World};

/// Reports of readers that may wait for the doors; the lines never wait for room.
const REPORTS_MAX: usize = 1_024;
/// Orders that may wait for the doors.
const ORDERS_MAX: usize = 64;

/// What services need of the doors.
#[derive(Debug, Clone)]
pub(super) struct Hall {
    pub(super) runner: Arc<Runner>,
    pub(super) desk: DoorDesk,
    pub(super) alarms: Alarms,
    pub(super) sessions: Sessions,
    pub(super) lines: Arc<dyn ReaderLines>,
}

/// The doors as they run.
#[derive(Debug)]
pub(super) struct RunningDoors {
    doors: JoinHandle<()>,
    writers: JoinSet<()>,
    journal: DoorJournal,
    alarms: Alarms,
    scribe: Scribe,
    threads: FieldThreads,
}

/// What the doors work with, besides what they make.
pub(super) struct HallParts<'a> {
    pub(super) config: &'a Config,
    pub(super) foundation: &'a Foundation,
    pub(super) log: &'a Log,
}

/// Starts lines and doors.
pub(super) fn start(parts: &HallParts<'_>) -> Result<(Hall, RunningDoors), ServeError> {
    let HallParts {
        config,
        foundation,
        log,
    } = *parts;
    let (scribe, published) = (log.scribe.clone(), &log.published);
    let world = Arc::clone(&foundation.world);
    // Numbers of alarms follow those of the journal, so that none is ever used twice.
    let alarms = Alarms::new(AlarmNumber(log.journal_next.max(1)));
    let runner = runner(foundation, log, &alarms);
    let (reports, inbox) = mpsc::channel(REPORTS_MAX);
    let (field, threads) = Field::start(FieldParts {
        lines: lines(config),
        keys: keys(config),
        world: Arc::clone(&world),
        reports,
    })
    .map_err(ServeError::Lines)?;
    let lines: Arc<dyn ReaderLines> = Arc::new(field);
    let (desk, board, orders) = door_desk(ORDERS_MAX);
    let sessions = Sessions::new(Arc::clone(&world), SessionTimes::USUAL);
    let journal = DoorJournal::default();
    let writers = writers(foundation, log, (&journal, &alarms));
    let parts = DoorsParts {
        rules: Arc::clone(&published.rules),
        runner: Arc::clone(&runner),
        scribe: scribe.clone(),
        journal: journal.clone(),
        alarms: alarms.clone(),
        sessions: sessions.clone(),
        lines: Arc::clone(&lines),
        board,
        world,
    };
    let inbox = DoorsInbox {
        reports: inbox,
        orders,
    };
    let stopping = foundation.stopping.clone();
    let doors = tokio::spawn(run_doors(Arc::new(parts), inbox, stopping));
    let hall = Hall {
        runner,
        desk,
        alarms,
        sessions,
        lines,
    };
    let running = RunningDoors {
        doors,
        writers,
        journal,
        alarms: hall.alarms.clone(),
        scribe,
        threads,
    };
    Ok((hall, running))
}

fn runner(foundation: &Foundation, log: &Log, alarms: &Alarms) -> Arc<Runner> {
    Arc::new(Runner::new(RunnerParts {
        rules: Arc::clone(&log.published.rules),
        scribe: log.scribe.clone(),
        secrets: Arc::clone(&foundation.secrets),
        world: Arc::clone(&foundation.world),
        lockouts: restored_lockouts(log, &*foundation.world),
        alarms: alarms.clone(),
    }))
}

/// What writes behind the doors.
fn writers(
    foundation: &Foundation,
    log: &Log,
    (journal, alarms): (&DoorJournal, &Alarms),
) -> JoinSet<()> {
    let world = Arc::clone(&foundation.world);
    let mut writers = JoinSet::new();
    writers.spawn(journal.clone().write(log.scribe.clone()));
    writers.spawn(write_alarms(alarms.clone(), log.scribe.clone()));
    writers.spawn(watch_store(log.published.clone(), alarms.clone(), world));
    writers
}

fn restored_lockouts(log: &Log, world: &dyn World) -> Lockouts {
    let now = world.now();
    let mut lockouts = Lockouts::new();
    for (person, failures) in &log.pin_failures {
        lockouts.restore(person.clone(), *failures, now);
    }
    lockouts
}

impl RunningDoors {
    /// Waits until every door has locked, then ends the lines.
    pub(super) async fn stop(mut self) {
        if self.doors.await.is_err() {
            tracing::error!("the doors ended by a fault");
        }
        self.writers.shutdown().await;
        self.journal.flush(&self.scribe).await;
        flush_alarms(&self.alarms, &self.scribe).await;
        let threads = self.threads;
        if tokio::task::spawn_blocking(move || threads.stop())
            .await
            .is_err()
        {
            tracing::error!("the serial lines could not be ended in order");
        }
    }
}

fn lines(config: &Config) -> Vec<LineConfig> {
    let line = |bus: &crate::config::BusConfig| LineConfig {
        name: bus.name.clone(),
        port: bus.port.clone(),
        baud: bus.baud,
    };
    config.buses.iter().map(line).collect()
}

fn keys(config: &Config) -> crate::field::ReaderKeySource {
    let keys = ReaderKeys::new(&config.folders.keys);
    Arc::new(move |reader| {
        let key = keys.key(reader).map_err(|error| error.to_string())?;
        Ok(key.map(|key| *key.reveal()))
    })
}

/// Raises an alarm while nothing can be written, and ends it when it can.
async fn watch_store(published: Published, alarms: Alarms, world: Arc<dyn World>) {
    let mut changes = published.health.subscribe();
    loop {
        let LogHealth { failure, .. } = changes.borrow_and_update().clone();
        let now = world.now().utc;
        match failure {
            Some(failure) => {
                let detail = format!("no door opens by a decision of the server: {failure}");
                alarms.raise(AlarmKind::StoreTrouble, AlarmSubject::Store, (&detail, now));
            }
            None => alarms.clear(AlarmKind::StoreTrouble, &AlarmSubject::Store, now),
        }
        if changes.changed().await.is_err() {
            return;
        }
    }
}
