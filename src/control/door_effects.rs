//! What comes of a door's steps: strikes, orders, events, alarms.

use std::mem;
use std::sync::Arc;
use std::time::Duration;

use super::door::{DoorEffect, DoorInput, DoorSetup, DoorState, OrderResult, ReleaseKind, Warning};
use super::door_desk::OrderRequest;
use super::door_task::DoorTask;
use super::lines::{Indication, ReaderOrder};
use super::reader_post::ReaderPost;
use super::sessions::{CommandResult, SessionCommand, SessionFault};
use super::unlock::{Ordered, Stale, StrikeRelease};
use super::{DoorStatus, OrderError};
use crate::store::{AppendError, JournalRef, OrderEntry, Receipt, Reported, ReportedEntry};
use crate::types::{
    AccessPointId, AlarmSubject, ControllerId, DoorDrive, DoorEventKind, DoorOrder, Now, ReaderId,
    UtcTime,
};

/// Steps that one input may lead to at most: an effect that cannot be done is an input itself.
const STEPS_MAX: usize = 16;

/// What a door's task has waited for.
#[derive(Debug)]
pub(super) enum OrderOutcome {
    /// An order is on disk, or could not be brought there.
    Written {
        /// What was asked.
        request: OrderRequest,
        /// Its receipt.
        receipt: Result<Receipt<DoorOrder>, AppendError>,
    },
    /// A controller has answered.
    Commanded {
        /// What it was asked to do.
        is_release: bool,
        /// The reader that shows what comes of it, if somebody stands there.
        shower: Option<ReaderId>,
        /// What became of it.
        result: Result<CommandResult, SessionFault>,
    },
    /// Something was noted in the journal.
    Noted,
}

impl DoorTask {
    /// Steps the door, and does what comes of it.
    pub(super) fn step(&mut self, input: DoorInput, now: Now) {
        let mut inputs = vec![input];
        for _ in 0..STEPS_MAX {
            let Some(input) = inputs.pop() else { return };
            for effect in self.state.step(input, now.moment) {
                inputs.extend(self.perform(effect, now));
            }
        }
        tracing::error!(door = %self.plan.door.id, "a door's steps did not come to an end");
    }

    /// Ends the door: there is none, or another, from now on.
    pub(super) fn finish(&mut self) {
        let now = self.now();
        let (id, setup) = (self.plan.door.id.clone(), DoorSetup::of(&self.plan.door));
        let ended = mem::replace(&mut self.state, DoorState::new(id, setup, now.moment));
        for effect in ended.end() {
            // Alarms stay until the door is seen closed, or is no more. Offline readers lock by
            // themselves: releases are timed.
            if !matches!(effect, DoorEffect::Clear(_)) {
                let _ = self.perform(effect, now);
            }
        }
    }

    /// Waits for orders that are being written, and says that they were not carried out.
    pub(super) async fn settle_orders(&mut self) {
        while let Some(outcome) = self.orders.join_next().await {
            if let Ok(OrderOutcome::Written { request, receipt }) = outcome {
                let answer = match receipt {
                    Ok(receipt) => OrderError::Refused(receipt.entry().clone()),
                    Err(error) => error.into(),
                };
                drop(request.reply.send(Err(answer)));
            }
        }
    }

    /// Does one thing; answers what the door has to hear of it at once.
    fn perform(&mut self, effect: DoorEffect, now: Now) -> Option<DoorInput> {
        match effect {
            DoorEffect::Release { release, kind } => return self.release(release, kind, now),
            DoorEffect::Lock(entry) => return self.lock(entry),
            DoorEffect::Event { kind, access_point } => self.write_event(kind, access_point, now),
            DoorEffect::Raise { kind, detail } => {
                let subject = AlarmSubject::Door(self.plan.door.id.clone());
                self.parts.alarms.raise(kind, subject, (&detail, now.utc));
            }
            DoorEffect::Clear(kind) => {
                let subject = AlarmSubject::Door(self.plan.door.id.clone());
                self.parts.alarms.clear(kind, &subject, now.utc);
            }
            DoorEffect::Show(warning) => self.warn(warning),
            DoorEffect::Stale(stale) => self.stale(stale),
            DoorEffect::Answer { entry, result } => self.answer(entry, result),
        }
        None
    }

    /// Hands a release to what drives the strike.
    fn release(
        &mut self,
        release: StrikeRelease,
        kind: ReleaseKind,
        now: Now,
    ) -> Option<DoorInput> {
        let shower = self.shower.take();
        match self.plan.door.drive.clone() {
            DoorDrive::Reader(wiring) => {
                let output = wiring.strike_output;
                let order = ReaderOrder::Release { output, release };
                let sent = self.parts.lines.send(&wiring.reader, order);
                // The strike first, the light second: the line is slow.
                if let Some(reader) = shower {
                    let indication = match sent {
                        Ok(()) => Indication::Granted,
                        Err(_) => Indication::Trouble,
                    };
                    self.show(&reader, indication);
                }
                sent.err().map(|fault| {
                    tracing::warn!(door = %self.plan.door.id, %fault, "a release was not sent");
                    DoorInput::StrikeRefused
                })
            }
            DoorDrive::Controller(controller) => {
                let command = match kind {
                    ReleaseKind::Once => SessionCommand::Open(release),
                    ReleaseKind::Standing => {
                        let until = later(now.utc, release.lasts());
                        SessionCommand::Unlock(release, until)
                    }
                };
                self.command(controller, command, shower);
                None
            }
        }
    }

    fn lock(&mut self, entry: Option<JournalRef>) -> Option<DoorInput> {
        match self.plan.door.drive.clone() {
            DoorDrive::Reader(wiring) => {
                let output = wiring.strike_output;
                let sent = self
                    .parts
                    .lines
                    .send(&wiring.reader, ReaderOrder::Lock { output });
                sent.err().map(|_| DoorInput::StrikeRefused)
            }
            DoorDrive::Controller(controller) => {
                // Without an order a controller locks by itself.
                let entry = entry?;
                let door = self.plan.door.id.clone();
                self.command(controller, SessionCommand::Lock { door, entry }, None);
                None
            }
        }
    }

    fn command(
        &mut self,
        controller: ControllerId,
        command: SessionCommand,
        shower: Option<ReaderId>,
    ) {
        let is_release = match command {
            SessionCommand::Open(_) | SessionCommand::Unlock(..) => true,
            SessionCommand::Lock { .. } => false,
        };
        let sessions = self.parts.sessions.clone();
        self.orders.spawn(async move {
            let result = sessions.command(&controller, command).await;
            OrderOutcome::Commanded {
                is_release,
                shower,
                result,
            }
        });
    }

    /// Writes a field event behind; where it is of the door alone, as of its first side.
    pub(super) fn write_event(
        &mut self,
        kind: DoorEventKind,
        access_point: Option<AccessPointId>,
        now: Now,
    ) {
        let Some(access_point) = access_point.or_else(|| self.plan.points.first().cloned()) else {
            return;
        };
        tracing::info!(door = %self.plan.door.id, ?kind, "a field event");
        self.parts.journal.push(ReportedEntry {
            source: None,
            access_point,
            event_at: now.utc,
            what: Reported::DoorEvent(kind),
        });
    }

    fn warn(&self, warning: Warning) {
        let indication = match warning {
            Warning::On => Indication::HeldWarning,
            Warning::Off => Indication::Idle,
        };
        for reader in self.posts.keys() {
            self.show(reader, indication);
        }
    }

    /// Writes that leave to open was not used in time, and tells whoever ordered it.
    fn stale(&mut self, stale: Stale) {
        if let Some(reply) = self.waiting.remove(&stale.entry) {
            drop(reply.send(Err(OrderError::Stale(stale.entry.clone()))));
        }
        let runner = Arc::clone(&self.parts.runner);
        self.orders.spawn(async move {
            runner.note_stale(stale).await;
            OrderOutcome::Noted
        });
    }

    fn answer(&mut self, entry: JournalRef, result: OrderResult) {
        let Some(reply) = self.waiting.remove(&entry) else {
            return;
        };
        drop(reply.send(match result {
            OrderResult::Done => Ok(entry),
            OrderResult::Refused => Err(OrderError::Refused(entry)),
            OrderResult::Silent => Err(OrderError::Silent(entry)),
        }));
    }

    /// Writes an order; it comes back to [`Self::outcome`]. What cannot be reached is not written,
    /// but an order to lock is: it ends what was ordered before.
    pub(super) fn order(&mut self, request: OrderRequest) {
        if !self.is_online() && request.order != DoorOrder::Lock {
            let door = request.door.clone();
            drop(request.reply.send(Err(OrderError::Offline(door))));
            return;
        }
        let now = self.now();
        let entry = OrderEntry {
            door: request.door.clone(),
            order: request.order,
            actor: request.actor.clone(),
            event_at: now.utc,
            ordered: now.moment,
        };
        let scribe = self.parts.scribe.clone();
        self.orders.spawn(async move {
            let receipt = scribe.record_order(entry).await;
            OrderOutcome::Written { request, receipt }
        });
    }

    pub(super) fn outcome(&mut self, outcome: OrderOutcome) {
        let now = self.now();
        match outcome {
            OrderOutcome::Written { request, receipt } => match receipt {
                Ok(receipt) => self.carry_out(request, receipt, now),
                Err(error) => drop(request.reply.send(Err(error.into()))),
            },
            OrderOutcome::Commanded {
                is_release,
                shower,
                result,
            } => {
                let indication = match result {
                    Ok(CommandResult::Done) => Indication::Granted,
                    Ok(CommandResult::Expired | CommandResult::Failed) | Err(_) => {
                        Indication::Trouble
                    }
                };
                if let Some(reader) = shower {
                    self.show(&reader, indication);
                }
                match result {
                    Ok(CommandResult::Done) => self.step(DoorInput::StrikeSet { is_release }, now),
                    Ok(CommandResult::Expired | CommandResult::Failed)
                    | Err(SessionFault::Offline) => self.step(DoorInput::StrikeRefused, now),
                    // Nobody knows; the door waits for its own deadline.
                    Err(SessionFault::Silent) => {}
                }
            }
            OrderOutcome::Noted => {}
        }
    }

    fn carry_out(&mut self, request: OrderRequest, receipt: Receipt<DoorOrder>, now: Now) {
        let lasts = match request.order {
            DoorOrder::Unlock { until } => Duration::from_secs(until.seconds_since(now.utc)),
            DoorOrder::Open | DoorOrder::Lock => Duration::ZERO,
        };
        let entry = receipt.entry().clone();
        self.waiting.insert(entry, request.reply);
        match Ordered::from_receipt(receipt, lasts, now.moment) {
            Ok(ordered) => self.step(DoorInput::Ordered(ordered), now),
            Err(stale) => self.stale(stale),
        }
    }

    /// The door's controller came or went.
    pub(super) fn link_changed(&mut self) {
        let Some(controller) = self.plan.door.drive.controller() else {
            return;
        };
        self.heard_at = self.parts.sessions.heard(controller);
        let input = if self.parts.sessions.is_online(controller) {
            DoorInput::DriveOnline
        } else {
            DoorInput::DriveOffline
        };
        let now = self.now();
        self.step(input, now);
    }

    pub(super) fn is_online(&self) -> bool {
        match &self.plan.door.drive {
            DoorDrive::Controller(controller) => self.parts.sessions.is_online(controller),
            DoorDrive::Reader(wiring) => self
                .posts
                .get(&wiring.reader)
                .is_some_and(ReaderPost::is_online),
        }
    }

    pub(super) fn status(&self) -> DoorStatus {
        let now = self.now();
        let left = self
            .state
            .unlocked_until()
            .map(|until| until.since(now.moment));
        DoorStatus {
            door: self.plan.door.id.clone(),
            is_online: self.is_online(),
            lock: self.state.lock_state(),
            position: self.state.position(),
            unlocked_until: left.map(|left| later(now.utc, left)),
            heard_at: self.heard_at,
        }
    }
}

fn later(utc: UtcTime, by: Duration) -> UtcTime {
    // To the next whole second, so that what is told never ends before what is done.
    let seconds = by
        .as_secs()
        .saturating_add(u64::from(by.subsec_nanos() > 0));
    utc.plus_seconds(u32::try_from(seconds).unwrap_or(u32::MAX))
}
