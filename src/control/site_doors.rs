//! All doors of the site: each has a task of its own; this one gives each what is for it.
//!
//! It follows the rules in force: a door that is added gets a task, one that is removed loses it,
//! and the lines are told which readers there are.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::broadcast::error::RecvError;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;

use super::door_desk::{Board, OrderRequest};
use super::door_journal::DoorJournal;
use super::door_task::{DoorMessage, DoorTask};
use super::lines::{FromReader, LinkState, ReaderLines, ReaderPlan};
use super::sessions::{Link, LinkChange, Sessions};
use super::{Alarms, OrderError, Runner};
use crate::policy::Roster;
use crate::store::{RulesCell, Scribe};
use crate::types::{AccessPointId, AlarmKind, AlarmSubject, Door, DoorId, Reader, ReaderId, World};

/// Messages that wait for one door at most; a door that is so far behind misses field events.
const DOOR_QUEUE_MAX: usize = 64;

/// How often doors to which something could not be told are told to look for themselves.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

/// What doors work with.
#[derive(Debug)]
pub struct DoorsParts {
    /// The rules in force.
    pub rules: Arc<RulesCell>,
    /// Decides attempts.
    pub runner: Arc<Runner>,
    /// Writes orders.
    pub scribe: Scribe,
    /// Field events on their way to the journal.
    pub journal: DoorJournal,
    /// Alarms.
    pub alarms: Alarms,
    /// Connected controllers.
    pub sessions: Sessions,
    /// Serial lines.
    pub lines: Arc<dyn ReaderLines>,
    /// What is known of doors.
    pub board: Arc<Board>,
    /// Clocks.
    pub world: Arc<dyn World>,
}

/// What comes in for doors.
#[derive(Debug)]
pub struct DoorsInbox {
    /// From serial lines.
    pub reports: mpsc::Receiver<FromReader>,
    /// From operators.
    pub orders: mpsc::Receiver<OrderRequest>,
}

/// A door as the rules have it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct DoorPlan {
    pub(super) door: Door,
    /// Its sides, by id; what is of the door alone is told of the first.
    pub(super) points: Vec<AccessPointId>,
    /// The readers at it, and at which side each hangs.
    pub(super) readers: Vec<Reader>,
}

/// Runs all doors until it is told to stop; then every strike is locked.
pub async fn run_doors(
    parts: Arc<DoorsParts>,
    mut inbox: DoorsInbox,
    mut stopping: watch::Receiver<bool>,
) {
    let mut versions = parts.rules.changes();
    let mut links = parts.sessions.changes();
    let mut doors = Doors::new(parts);
    doors.follow();
    let mut again = tokio::time::interval(LOOK_AGAIN);
    loop {
        tokio::select! {
            biased;
            _ = stopping.wait_for(|stopping| *stopping) => break,
            Some(report) = inbox.reports.recv() => doors.report(report),
            Some(request) = inbox.orders.recv() => doors.order(request),
            link = links.recv() => match link {
                Ok(change) => doors.link(&change),
                Err(RecvError::Lagged(_)) => doors.all_links(),
                Err(RecvError::Closed) => break,
            },
            changed = versions.changed() => match changed {
                Ok(()) => doors.follow(),
                Err(_) => break,
            },
            _ = again.tick() => doors.look_again(),
            Some(ended) = doors.tasks.join_next() => {
                if ended.is_err() {
                    tracing::error!("a door's task ended by a fault; it begins anew");
                    doors.begin_anew();
                }
            }
        }
    }
    doors.end().await;
}

#[derive(Debug)]
struct Running {
    plan: DoorPlan,
    inbox: mpsc::Sender<DoorMessage>,
    /// Whether something could not be told to it.
    has_missed: bool,
}

impl Running {
    /// Tells a door something; what it cannot take now it looks up later.
    fn tell(&mut self, message: DoorMessage) {
        if self.has_missed && self.inbox.try_send(DoorMessage::Look).is_ok() {
            self.has_missed = false;
        }
        if self.inbox.try_send(message).is_err() {
            self.has_missed = true;
            tracing::warn!(door = %self.plan.door.id, "a report was dropped: the door is busy");
        }
    }
}

struct Doors {
    parts: Arc<DoorsParts>,
    running: BTreeMap<DoorId, Running>,
    at_reader: BTreeMap<ReaderId, DoorId>,
    /// The readers as they were when they were looked at last.
    seen: BTreeMap<ReaderId, LinkState>,
    tasks: JoinSet<()>,
}

impl Doors {
    fn new(parts: Arc<DoorsParts>) -> Self {
        Self {
            parts,
            running: BTreeMap::new(),
            at_reader: BTreeMap::new(),
            seen: BTreeMap::new(),
            tasks: JoinSet::new(),
        }
    }

    /// Brings doors and lines up to the rules in force.
    fn follow(&mut self) {
        let rules = self.parts.rules.load();
        let plans = plans(&rules.roster);
        let gone: Vec<DoorId> = self
            .running
            .keys()
            .filter(|id| !plans.contains_key(*id))
            .cloned()
            .collect();
        for door in gone {
            self.running.remove(&door);
            self.parts.board.remove(&door);
        }
        self.at_reader = plans
            .iter()
            .flat_map(|(door, plan)| plan.readers.iter().map(|r| (r.id.clone(), door.clone())))
            .collect();
        self.parts.lines.plan(reader_plans(&plans));
        self.forget_alarms(&plans);
        for (id, plan) in plans {
            self.set(id, plan);
        }
    }

    /// Ends alarms of what the rules no longer know: nobody else would.
    fn forget_alarms(&self, plans: &BTreeMap<DoorId, DoorPlan>) {
        let readers = || plans.values().flat_map(|plan| &plan.readers);
        let roster = &self.parts.rules.load().roster;
        let is_known = |subject: &AlarmSubject| match subject {
            AlarmSubject::Door(door) => plans.contains_key(door),
            AlarmSubject::Reader(reader) => readers().any(|r| r.id == *reader),
            AlarmSubject::Controller(controller) => roster.controller(controller).is_some(),
            AlarmSubject::Bus(bus) => readers().any(|r| r.bus == *bus),
            AlarmSubject::Store => true,
        };
        let now = self.parts.world.now().utc;
        for alarm in self.parts.alarms.list() {
            if alarm.cleared_at.is_none() && !is_known(&alarm.subject) {
                self.parts.alarms.clear(alarm.kind, &alarm.subject, now);
            }
        }
    }

    fn set(&mut self, id: DoorId, plan: DoorPlan) {
        if let Some(running) = self.running.get_mut(&id) {
            if running.plan == plan {
                return;
            }
            // What drives the door is the same: it keeps its state and learns the rest.
            let is_same = running.plan.door.drive == plan.door.drive;
            let message = DoorMessage::Plan(Box::new(plan.clone()));
            if is_same && running.inbox.try_send(message).is_ok() {
                running.plan = plan;
                return;
            }
        }
        let (inbox, messages) = mpsc::channel(DOOR_QUEUE_MAX);
        let task = DoorTask::new(Arc::clone(&self.parts), plan.clone(), messages);
        self.tasks.spawn(task.run());
        // A task whose inbox is dropped locks its strike and ends.
        let running = Running {
            plan,
            inbox,
            has_missed: false,
        };
        self.running.insert(id, running);
    }

    /// Gives every door whose task has ended a new one.
    fn begin_anew(&mut self) {
        let ended: Vec<_> = self
            .running
            .iter()
            .filter(|(_, running)| running.inbox.is_closed())
            .map(|(id, running)| (id.clone(), running.plan.clone()))
            .collect();
        for (id, plan) in ended {
            self.running.remove(&id);
            self.set(id, plan);
        }
    }

    fn report(&mut self, report: FromReader) {
        let door = self.at_reader.get(&report.reader);
        if let Some(running) = door.and_then(|door| self.running.get_mut(door)) {
            running.tell(DoorMessage::Report(report));
        }
    }

    /// Tells doors to look whose readers are not as they were told, or that missed something.
    fn look_again(&mut self) {
        let statuses = self.parts.lines.statuses();
        let states: BTreeMap<_, _> = statuses
            .into_iter()
            .map(|status| (status.plan.reader, status.state))
            .collect();
        for (reader, state) in &states {
            let is_new = self.seen.get(reader) != Some(state);
            let door = self.at_reader.get(reader).filter(|_| is_new);
            if let Some(running) = door.and_then(|door| self.running.get_mut(door)) {
                running.has_missed = true;
            }
        }
        self.seen = states;
        for running in self.running.values_mut().filter(|r| r.has_missed) {
            running.has_missed = running.inbox.try_send(DoorMessage::Look).is_err();
        }
    }

    fn order(&self, request: OrderRequest) {
        let Some(running) = self.running.get(&request.door) else {
            let door = request.door.clone();
            drop(request.reply.send(Err(OrderError::NoDoor(door))));
            return;
        };
        if let Err(refused) = running.inbox.try_send(DoorMessage::Order(request)) {
            let (mpsc::error::TrySendError::Full(message)
            | mpsc::error::TrySendError::Closed(message)) = refused;
            message.refuse();
        }
    }

    /// Changes were missed: looks at every line.
    fn all_links(&mut self) {
        for change in self.parts.sessions.links() {
            self.link(&change);
        }
    }

    fn link(&mut self, change: &LinkChange) {
        let LinkChange { controller, link } = change;
        let of = |door: &Door| door.drive.controller() == Some(controller);
        for running in self.running.values_mut().filter(|r| of(&r.plan.door)) {
            // The door asks the sessions for the truth; this only wakes it.
            running.tell(DoorMessage::SessionChanged);
        }
        let now = self.parts.world.now().utc;
        let subject = AlarmSubject::Controller(controller.clone());
        let kind = AlarmKind::ControllerOffline;
        match link {
            Link::Online | Link::Left => self.parts.alarms.clear(kind, &subject, now),
            Link::Lost => {
                let detail = "its session ended without a word";
                self.parts.alarms.raise(kind, subject, (detail, now));
            }
        }
    }

    /// Ends all doors; each locks its strike.
    async fn end(mut self) {
        self.running.clear();
        while self.tasks.join_next().await.is_some() {}
    }
}

/// Every door with its sides and readers.
fn plans(roster: &Roster) -> BTreeMap<DoorId, DoorPlan> {
    roster
        .doors()
        .map(|door| {
            let points = roster.access_points_of(&door.id);
            let points: Vec<_> = points.map(|point| point.id.clone()).collect();
            let readers = roster
                .readers()
                .filter(|reader| points.contains(&reader.access_point))
                .cloned()
                .collect();
            let plan = DoorPlan {
                door: door.clone(),
                points,
                readers,
            };
            (door.id.clone(), plan)
        })
        .collect()
}

fn reader_plans(plans: &BTreeMap<DoorId, DoorPlan>) -> Vec<ReaderPlan> {
    let readers = plans.values().flat_map(|plan| &plan.readers);
    readers
        .map(|reader| ReaderPlan {
            reader: reader.id.clone(),
            bus: reader.bus.clone(),
            address: reader.address,
            security: reader.security,
        })
        .collect()
}
