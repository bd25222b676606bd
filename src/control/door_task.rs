//! One door: takes what comes in, steps its state, and does what comes of it.
//!
//! The state machines (`door`, `keypad`) decide what is to be done; this file does it. It never
//! waits for the disk or a line while something may happen at the door.

use std::collections::{BTreeMap, HashMap};
use std::future::pending;
use std::sync::Arc;

use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;

use super::door::{ContactReading, DoorInput, DoorSetup, DoorState, ExitReading};
use super::door_attempts::Attempted;
use super::door_desk::OrderRequest;
use super::door_effects::OrderOutcome;
use super::lines::{FromReader, Indication, LinkState, LinkStatus, ReaderEvent, ReaderOrder};
use super::reader_post::{PostAct, ReaderPost};
use super::site_doors::{DoorPlan, DoorsParts};
use super::{DoorPosition, DoorStatus, OrderError};
use crate::store::JournalRef;
use crate::types::{
    AlarmKind, AlarmSubject, DoorEventKind, DoorWiring, FactorRequirement, Moment, Now, ReaderId,
    Terminal, UtcTime,
};

/// What comes in for a door.
#[derive(Debug)]
pub(super) enum DoorMessage {
    /// Something was heard of one of its readers.
    Report(FromReader),
    /// Somebody orders something.
    Order(OrderRequest),
    /// The rules have it otherwise now; what drives it is the same.
    Plan(Box<DoorPlan>),
    /// Its controller came or went.
    SessionChanged,
    /// Something was not told: look at what is known.
    Look,
}

impl DoorMessage {
    /// Answers whoever waits for a message that nobody takes.
    pub(super) fn refuse(self) {
        match self {
            Self::Order(request) => {
                let door = request.door.clone();
                drop(request.reply.send(Err(OrderError::Offline(door))));
            }
            Self::Report(_) | Self::Plan(_) | Self::SessionChanged | Self::Look => {}
        }
    }
}

/// A door's task.
pub(super) struct DoorTask {
    pub(super) parts: Arc<DoorsParts>,
    pub(super) plan: DoorPlan,
    inbox: mpsc::Receiver<DoorMessage>,
    pub(super) posts: BTreeMap<ReaderId, ReaderPost>,
    pub(super) state: DoorState,
    pub(super) attempts: JoinSet<Attempted>,
    pub(super) orders: JoinSet<OrderOutcome>,
    /// Whoever waits for an order, by its entry.
    pub(super) waiting: HashMap<JournalRef, oneshot::Sender<Result<JournalRef, OrderError>>>,
    /// The reader that is to show what comes of the grant that is being stepped.
    pub(super) shower: Option<ReaderId>,
    pub(super) heard_at: Option<UtcTime>,
    told: Option<DoorStatus>,
    has_seen_closed: bool,
}

impl DoorTask {
    pub(super) fn new(
        parts: Arc<DoorsParts>,
        plan: DoorPlan,
        inbox: mpsc::Receiver<DoorMessage>,
    ) -> Self {
        let now = parts.world.now().moment;
        let posts = plan.readers.iter().map(|reader| {
            let post = ReaderPost::new(reader.clone(), now);
            (reader.id.clone(), post)
        });
        let posts = posts.collect();
        let state = DoorState::new(plan.door.id.clone(), DoorSetup::of(&plan.door), now);
        Self {
            parts,
            plan,
            inbox,
            posts,
            state,
            attempts: JoinSet::new(),
            orders: JoinSet::new(),
            waiting: HashMap::new(),
            shower: None,
            heard_at: None,
            told: None,
            has_seen_closed: false,
        }
    }

    /// Runs until nobody can send to it any more; then the strike is locked.
    pub(super) async fn run(mut self) {
        self.look();
        self.tell_board();
        loop {
            let deadline = self.deadline();
            let world = Arc::clone(&self.parts.world);
            let tick = async {
                match deadline {
                    Some(at) => tokio::time::sleep(at.since(world.now().moment)).await,
                    None => pending().await,
                }
            };
            tokio::select! {
                message = self.inbox.recv() => match message {
                    Some(message) => self.take(message),
                    None => break,
                },
                Some(Ok(attempted)) = self.attempts.join_next() => self.attempted(attempted),
                Some(Ok(outcome)) = self.orders.join_next() => self.outcome(outcome),
                () = tick => self.tick(),
            }
            self.tell_board();
        }
        self.finish();
        self.settle_orders().await;
    }

    pub(super) fn now(&self) -> Now {
        self.parts.world.now()
    }

    /// Looks at what is known of its readers and its controller: what was told before this task
    /// was there, or was dropped, is not told again.
    fn look(&mut self) {
        for status in self.parts.lines.statuses() {
            if self.posts.contains_key(&status.plan.reader) {
                self.look_at(status);
            }
        }
        let controller = self.plan.door.drive.controller();
        let is_online = controller.map(|id| self.parts.sessions.is_online(id));
        if is_online.is_some_and(|is_online| is_online != self.state.is_online()) {
            self.link_changed();
        }
    }

    fn look_at(&mut self, status: LinkStatus) {
        let at = self.now().moment;
        let reader = status.plan.reader;
        let was_online = self.posts.get(&reader).is_some_and(ReaderPost::is_online);
        let tell = |event| FromReader {
            reader: reader.clone(),
            at,
            event,
        };
        match status.state {
            LinkState::Secure | LinkState::Plain => {
                if !was_online {
                    self.report(tell(ReaderEvent::Online));
                }
                self.report(tell(ReaderEvent::Switches {
                    is_tampered: status.is_tampered,
                    is_power_failing: status.is_power_failing,
                }));
                if !status.inputs.is_empty() {
                    self.report(tell(ReaderEvent::Inputs(status.inputs)));
                }
            }
            LinkState::Offline | LinkState::LineDown if was_online => {
                self.report(tell(ReaderEvent::Offline));
            }
            LinkState::Refused if was_online => {
                if let Some(post) = self.posts.get_mut(&reader) {
                    post.refused();
                }
                self.drive_event(&reader, DoorInput::DriveOffline);
            }
            LinkState::Offline | LinkState::LineDown | LinkState::Refused => {}
        }
    }

    fn deadline(&self) -> Option<Moment> {
        let posts = self.posts.values().filter_map(ReaderPost::deadline);
        posts.chain(self.state.next_deadline()).min()
    }

    fn tick(&mut self) {
        let now = self.now();
        self.step(DoorInput::Tick, now);
        let posts: Vec<ReaderId> = self.posts.keys().cloned().collect();
        for reader in posts {
            let acts = match self.posts.get_mut(&reader) {
                Some(post) => post.tick(now.moment),
                None => Vec::new(),
            };
            self.act(&reader, acts);
        }
    }

    fn take(&mut self, message: DoorMessage) {
        match message {
            DoorMessage::Report(report) => self.report(report),
            DoorMessage::Order(request) => self.order(request),
            DoorMessage::Plan(plan) => self.replan(*plan),
            DoorMessage::SessionChanged => self.link_changed(),
            DoorMessage::Look => self.look(),
        }
    }

    fn replan(&mut self, plan: DoorPlan) {
        let now = self.now();
        let mut posts = std::mem::take(&mut self.posts);
        for reader in &plan.readers {
            let kept = posts.remove(&reader.id);
            let post = match kept {
                Some(post) => post.replanned(reader.clone()),
                None => ReaderPost::new(reader.clone(), now.moment),
            };
            self.posts.insert(reader.id.clone(), post);
        }
        for reader in posts.into_keys() {
            // A reader that is gone has no alarms any more.
            let subject = AlarmSubject::Reader(reader);
            for kind in AlarmKind::ALL {
                self.parts.alarms.clear(kind, &subject, now.utc);
            }
        }
        self.plan = plan;
        let setup = DoorSetup::of(&self.plan.door);
        self.step(DoorInput::Reconfigured(setup), now);
        self.look();
    }

    fn report(&mut self, report: FromReader) {
        let FromReader { reader, at, event } = report;
        let now = self.now();
        let is_silence = matches!(event, ReaderEvent::Offline | ReaderEvent::LineDown(_));
        if !is_silence {
            self.heard_at = Some(now.utc);
        }
        let Some(post) = self.posts.get_mut(&reader) else {
            return;
        };
        let mut acts = post.heard(&event, at);
        match event {
            ReaderEvent::Card(raw) => {
                let point = &post.reader().access_point;
                let roster = &self.parts.rules.load().roster;
                // At an access point that is gone nothing more is asked: the attempt is refused.
                let requirement = roster.requirement(point, now.utc);
                let requirement = requirement.unwrap_or(FactorRequirement::Badge);
                acts.extend(post.card(raw, requirement, at));
            }
            ReaderEvent::Keys(keys) => acts.extend(post.keys(keys, at)),
            ReaderEvent::Online => self.drive_event(&reader, DoorInput::DriveOnline),
            ReaderEvent::Offline | ReaderEvent::LineDown(_) => {
                self.drive_event(&reader, DoorInput::DriveOffline);
            }
            ReaderEvent::NotTrusted(_) => {
                self.act(&reader, acts);
                return self.look();
            }
            ReaderEvent::Inputs(inputs) => self.inputs(&reader, &inputs, at),
            ReaderEvent::StrikeSet { output, is_release } => {
                self.strike_event((&reader, output), DoorInput::StrikeSet { is_release });
            }
            ReaderEvent::StrikeRefused { output } => {
                self.strike_event((&reader, output), DoorInput::StrikeRefused);
            }
            ReaderEvent::Switches { .. } => {}
        }
        self.act(&reader, acts);
    }

    /// The wiring, if this reader drives the door.
    pub(super) fn wiring_at(&self, reader: &ReaderId) -> Option<&DoorWiring> {
        let wiring = self.plan.door.drive.wiring()?;
        (wiring.reader == *reader).then_some(wiring)
    }

    fn drive_event(&mut self, reader: &ReaderId, input: DoorInput) {
        if self.wiring_at(reader).is_some() {
            let now = self.now();
            self.step(input, now);
        }
    }

    fn inputs(&mut self, reader: &ReaderId, inputs: &[bool], at: Moment) {
        let Some(wiring) = self.wiring_at(reader) else {
            return;
        };
        let level =
            |terminal: Option<Terminal>| inputs.get(usize::from(terminal?.number())).copied();
        let contact = level(wiring.contact_input);
        let request_to_exit = level(wiring.request_to_exit_input);
        let now = Now {
            utc: self.now().utc,
            moment: at,
        };
        // The request first: whoever presses and opens at once has asked.
        if let Some(is_active) = request_to_exit {
            let reading = if is_active {
                ExitReading::Active
            } else {
                ExitReading::Inactive
            };
            self.step(DoorInput::RequestToExit(reading), now);
        }
        if let Some(is_open) = contact {
            let reading = if is_open {
                ContactReading::Open
            } else {
                ContactReading::Closed
            };
            self.step(DoorInput::Contact(reading), now);
            self.seen_closed(now);
        }
    }

    /// Alarms that an earlier task, a controller or an earlier wiring has raised end when the door
    /// is first seen closed.
    fn seen_closed(&mut self, now: Now) {
        if self.has_seen_closed || self.state.position() != DoorPosition::Closed {
            return;
        }
        self.has_seen_closed = true;
        let subject = AlarmSubject::Door(self.plan.door.id.clone());
        for kind in [AlarmKind::DoorForced, AlarmKind::DoorHeld] {
            self.parts.alarms.clear(kind, &subject, now.utc);
        }
    }

    /// Something was heard of an output; it is the door's if its strike hangs there.
    fn strike_event(&mut self, (reader, output): (&ReaderId, Terminal), input: DoorInput) {
        let wiring = self.wiring_at(reader);
        if wiring.is_some_and(|wiring| wiring.strike_output == output) {
            let now = self.now();
            self.step(input, now);
        }
    }

    fn act(&mut self, reader: &ReaderId, acts: Vec<PostAct>) {
        for act in acts {
            let now = self.now();
            match act {
                PostAct::Show(indication) => self.show(reader, indication),
                PostAct::Present(card, pin) => self.attempt(reader, card, pin),
                PostAct::Raise(kind, subject, detail) => {
                    self.parts.alarms.raise(kind, subject, (&detail, now.utc));
                }
                PostAct::Clear(kind, subject) => {
                    self.parts.alarms.clear(kind, &subject, now.utc);
                }
                PostAct::Tampered => {
                    let point = self
                        .posts
                        .get(reader)
                        .map(|p| p.reader().access_point.clone());
                    self.write_event(DoorEventKind::Tamper, point, now);
                }
            }
        }
    }

    pub(super) fn show(&self, reader: &ReaderId, indication: Indication) {
        // What a reader that is away does not show is no loss.
        let _ = self.parts.lines.send(reader, ReaderOrder::Show(indication));
    }

    /// Tells the board what is known, where that has changed.
    fn tell_board(&mut self) {
        if self.inbox.is_closed() {
            // There is no such door any more, or another task has it.
            return;
        }
        let status = self.status();
        if self.told.as_ref() != Some(&status) {
            self.parts.board.set(status.clone());
            self.told = Some(status);
        }
    }
}
