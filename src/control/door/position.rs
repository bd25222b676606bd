//! What the contact and the request to exit say, and the alarms that come of it.

use super::contact::Heard;
use super::passage::Opening;
use super::state::DoorState;
use super::words::{ContactReading, DoorEffect, ExitReading, Warning};
use crate::types::{AlarmKind, DoorEventKind, Moment};

impl DoorState {
    /// The request to exit was read.
    pub(super) fn exit_read(&mut self, reading: ExitReading, at: Moment) {
        let is_watched = self.is_online && self.setup.has_request_to_exit;
        if is_watched && self.exit.read(reading, at) {
            self.event(DoorEventKind::RequestToExit, None);
        }
    }

    /// The contact was read at this moment, which may lie before the clock.
    pub(super) fn contact_read(&mut self, reading: ContactReading, at: Moment) {
        if !self.is_online || !self.setup.has_contact {
            return;
        }
        match self.contact.read(reading, self.clock) {
            Heard::Same | Heard::Closes => {}
            Heard::First => self.found(reading, at),
            Heard::Opens => {
                let bounced = self.contact.take_opening();
                self.give_back(bounced);
                let opening = self.judge(at);
                self.contact.keep_opening(opening);
            }
        }
    }

    /// What the door was found as. Nobody saw it open, so it is not forced.
    fn found(&mut self, reading: ContactReading, at: Moment) {
        match reading {
            ContactReading::Closed => self.closed(),
            ContactReading::Open => self.count_if_open(at),
        }
    }

    /// What allows an opening at this moment.
    fn judge(&mut self, at: Moment) -> Opening {
        let is_released = self.strike.allows(at);
        Opening {
            at,
            is_allowed: is_released || self.exit.shunts(at),
            taken: if is_released {
                self.waiting.take_until(at)
            } else {
                Vec::new()
            },
        }
    }

    /// An opening was none: its grants wait on, or have ended meanwhile.
    fn give_back(&mut self, opening: Option<Opening>) {
        let Some(opening) = opening else {
            return;
        };
        if self.strike.standing().is_some() {
            return;
        }
        self.waiting.give_back(opening.taken);
        if self.strike.is_over() {
            self.end_waiting();
        }
    }

    /// What the contact said last counts.
    pub(super) fn contact_settles(&mut self) {
        let settled = self.contact.settle();
        match (settled.position, settled.opening) {
            (Some(ContactReading::Open), Some(opening)) => self.opened(opening),
            (Some(ContactReading::Closed), opening) => {
                self.give_back(opening);
                self.closed();
            }
            (Some(ContactReading::Open) | None, opening) => self.give_back(opening),
        }
    }

    fn opened(&mut self, opening: Opening) {
        for taken in opening.taken {
            self.event(DoorEventKind::AccessTaken, Some(taken.access_point));
        }
        self.waiting.lose_sight();
        self.strike.opened(opening.at);
        if !opening.is_allowed {
            self.forced();
        }
        self.count_if_open(opening.at);
    }

    fn closed(&mut self) {
        self.stop_counting();
        if self.has_to_close {
            self.event(DoorEventKind::DoorClosed, None);
        }
        self.all_clear();
    }

    fn forced(&mut self) {
        self.has_to_close = true;
        self.event(DoorEventKind::DoorForced, None);
        if !self.is_forced {
            self.is_forced = true;
            let detail = "opened without a grant, an order or a request to exit".to_owned();
            self.effects.push(DoorEffect::Raise {
                kind: AlarmKind::DoorForced,
                detail,
            });
        }
    }

    /// The door has stood open too long.
    pub(super) fn held(&mut self) {
        self.has_to_close = true;
        self.count.is_held = true;
        self.event(DoorEventKind::DoorHeld, None);
        let seconds = self.setup.timing.held_after().as_secs();
        self.effects.push(DoorEffect::Raise {
            kind: AlarmKind::DoorHeld,
            detail: format!("stands open for {seconds} s"),
        });
    }

    /// The door will be held soon.
    pub(super) fn warn(&mut self) {
        self.count.is_warning = true;
        self.effects.push(DoorEffect::Show(Warning::On));
    }

    /// Counts from a moment on, if the door is open and should not be.
    pub(super) fn count_if_open(&mut self, since: Moment) {
        let is_open = self.contact.settled() == Some(ContactReading::Open);
        if is_open && self.strike.standing().is_none() {
            self.count.begin(since);
        }
    }

    /// Somebody may pass the open door: it counts from now, unless it is held already.
    pub(super) fn count_anew(&mut self) {
        if self.count.is_counting() && !self.count.is_held {
            self.stop_counting();
            self.count.begin(self.clock);
        }
    }

    /// Counts no more, and warns no more.
    pub(super) fn stop_counting(&mut self) {
        self.count.stop();
        if std::mem::take(&mut self.count.is_warning) {
            self.effects.push(DoorEffect::Show(Warning::Off));
        }
    }

    /// The door may stand open.
    pub(super) fn not_held(&mut self) {
        if std::mem::take(&mut self.count.is_held) {
            self.effects.push(DoorEffect::Clear(AlarmKind::DoorHeld));
        }
    }

    /// Nothing is wrong with the door any more.
    pub(super) fn all_clear(&mut self) {
        self.has_to_close = false;
        if std::mem::take(&mut self.is_forced) {
            self.effects.push(DoorEffect::Clear(AlarmKind::DoorForced));
        }
        self.not_held();
    }
}
