//! One reader: which command comes next, with which bytes.
//!
//! ```text
//!              ID, clear, sequence 0
//! Identify ----------------------------> Challenge --CCRYPT--> Prove --RMAC_I--> Inside
//!    ^  \___ plain readers: ____________________________________________________^  |
//!    |                                       ID, CAP, then POLL until nothing is new
//!    |                                                                       |
//!    |   time-outs, bad MAC, clear NAK 4/5/6, BUSY for too long              v
//!    +------------------------------------------------------------------- Up: online
//! ```
//! What a reader kept from before comes in answer to the first polls and is dropped there.

use std::collections::VecDeque;

use super::counters::count;
use super::event::{
    Capabilities, Identity, OfflineCause, OrderFailure, PeripheralEvent, SecurityFault,
};
use super::frame::{BlockKind, Envelope};
use super::secure::{Block, SecureChannel, SessionKeys};
use super::{
    Address, Command, Counters, OrderRefused, PeripheralOrder, PeripheralSettings, Security,
};
use crate::types::Moment;

use std::time::Duration;

mod answer;

mod opening;

mod recovery;

mod status;

pub(super) use answer::Heard;
pub(super) use recovery::Timing;

/// Orders that may wait for one reader, outputs and others each.
const ORDERS_MAX: usize = 16;
/// An order that could not be sent for so long is not sent any more: an unlock must not come
/// as a surprise.
const ORDER_AGE_MAX: Duration = Duration::from_secs(2);
/// Events that may wait for one reader.
const EVENTS_MAX: usize = 64;
/// Random numbers of a reader that are remembered. Few, since some readers begin the same row
/// again after a restart and are to come back soon; our own number is what prevents a replay.
const RANDOMS_MAX: usize = 4;

/// How far a session is.
#[derive(Debug)]
enum Phase {
    /// Nothing is known.
    Identify,
    /// A handshake is to begin.
    Challenge(Option<Challenged>),
    /// The reader has proved that it knows the key.
    Prove(Proving),
    /// The reader may be believed; `None` where it is plain.
    Inside(Option<SecureChannel>, Stage),
}

/// What a challenge in flight waits for.
#[derive(Debug)]
struct Challenged {
    keys: SessionKeys,
    random: [u8; 8],
}

/// What the second half of a handshake waits for.
#[derive(Debug)]
struct Proving {
    keys: SessionKeys,
    server_cryptogram: Block,
    initial_mac: Block,
}

/// How far a session is whose words are believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    Identify,
    Capabilities,
    /// What was read before the session is thrown away.
    Drain,
    Up,
}

/// What a command in flight is for.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Purpose {
    Open,
    Poll,
    LocalStatus,
    Inputs,
    Order(PeripheralOrder),
}

/// A command that has no answer yet.
#[derive(Debug)]
struct InFlight {
    purpose: Purpose,
    bytes: Vec<u8>,
    sequence: u8,
    /// How often it was sent.
    tries: u8,
    busy_since: Option<Moment>,
}

/// What others were told last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reported {
    Nothing,
    Online,
    Offline,
}

#[derive(Debug)]
struct Waiting {
    order: PeripheralOrder,
    since: Moment,
}

/// One reader on a line.
#[derive(Debug)]
pub(super) struct Session {
    address: Address,
    settings: PeripheralSettings,
    phase: Phase,
    next_sequence: u8,
    in_flight: Option<InFlight>,
    unique: Option<[u8; 8]>,
    identity: Option<Identity>,
    capabilities: Capabilities,
    randoms: VecDeque<[u8; 8]>,
    outputs: VecDeque<Waiting>,
    others: VecDeque<Waiting>,
    status: status::StatusPlan,
    recovery: recovery::Recovery,
    counters: Counters,
    events: VecDeque<PeripheralEvent>,
}

impl Session {
    pub(super) fn new(address: Address, settings: PeripheralSettings, now: Moment) -> Self {
        Self {
            address,
            settings,
            phase: Phase::Identify,
            next_sequence: 0,
            in_flight: None,
            unique: None,
            identity: None,
            capabilities: Capabilities::default(),
            randoms: VecDeque::new(),
            outputs: VecDeque::new(),
            others: VecDeque::new(),
            status: status::StatusPlan::new(),
            recovery: recovery::Recovery::new(now),
            counters: Counters::default(),
            events: VecDeque::new(),
        }
    }

    pub(super) fn counters(&self) -> &Counters {
        &self.counters
    }

    pub(super) fn take_event(&mut self) -> Option<PeripheralEvent> {
        self.events.pop_front()
    }

    /// Whether cards count and orders are taken.
    pub(super) fn is_up(&self) -> bool {
        matches!(self.phase, Phase::Inside(_, Stage::Up))
    }

    /// Whether an output waits to be switched, or for its answer.
    pub(super) fn has_output(&self) -> bool {
        let in_flight = self.in_flight.as_ref().map(|sent| &sent.purpose);
        let is_output = matches!(
            in_flight,
            Some(Purpose::Order(PeripheralOrder::Output { .. }))
        );
        self.is_up() && (is_output || !self.outputs.is_empty())
    }

    /// Whether any order waits to be sent.
    pub(super) fn has_order(&self) -> bool {
        self.is_up() && !(self.outputs.is_empty() && self.others.is_empty())
    }

    pub(super) fn order(
        &mut self,
        order: PeripheralOrder,
        now: Moment,
    ) -> Result<(), OrderRefused> {
        if !self.is_up() {
            return Err(OrderRefused::NotOnline);
        }
        let queue = match order {
            PeripheralOrder::Output { .. } => &mut self.outputs,
            PeripheralOrder::Led(_) | PeripheralOrder::Buzzer(_) | PeripheralOrder::Text(_) => {
                &mut self.others
            }
        };
        if queue.len() >= ORDERS_MAX {
            return Err(OrderRefused::QueueFull);
        }
        queue.push_back(Waiting { order, since: now });
        Ok(())
    }

    /// The bytes to send now: those of a command without answer again, or those of the next.
    /// `may_wait` says that a question about its state is not to be asked if it can wait.
    pub(super) fn compose(
        &mut self,
        now: Moment,
        may_wait: bool,
        random: &mut dyn FnMut(&mut [u8]),
    ) -> Vec<u8> {
        count(&mut self.counters.sent);
        if let Some(sent) = &mut self.in_flight {
            sent.tries = sent.tries.saturating_add(1);
            count(&mut self.counters.repeats);
            return sent.bytes.clone();
        }
        let sequence = self.next_sequence;
        let (purpose, bytes) = match self.phase {
            Phase::Identify => (Purpose::Open, self.clear(&Command::Id, None)),
            Phase::Challenge(_) => (Purpose::Open, self.challenge(random)),
            Phase::Prove(ref proving) => {
                let command = Command::ServerCryptogram(proving.server_cryptogram);
                let block = Some((BlockKind::ServerCryptogram, &[OWN_KEY][..]));
                (Purpose::Open, self.clear(&command, block))
            }
            Phase::Inside(_, stage) => {
                let (purpose, command) = self.next_inside(stage, now, may_wait);
                (purpose, self.inside(&command))
            }
        };
        self.in_flight = Some(InFlight {
            purpose,
            bytes: bytes.clone(),
            sequence,
            tries: 1,
            busy_since: None,
        });
        bytes
    }

    fn envelope<'a>(&self, block: Option<(BlockKind, &'a [u8])>) -> Envelope<'a> {
        Envelope {
            address: self.address,
            is_reply: false,
            sequence: self.next_sequence,
            check: self.settings.check,
            block,
        }
    }

    fn clear(&self, command: &Command, block: Option<(BlockKind, &[u8])>) -> Vec<u8> {
        self.envelope(block)
            .seal(command.code().number(), &command.data())
    }

    fn inside(&mut self, command: &Command) -> Vec<u8> {
        let envelope = self.envelope(None);
        match &mut self.phase {
            Phase::Inside(Some(channel), _) => channel.seal(envelope, command),
            Phase::Inside(None, _) | Phase::Identify | Phase::Challenge(_) | Phase::Prove(_) => {
                envelope.seal(command.code().number(), &command.data())
            }
        }
    }

    /// A challenge with a random number of its own. A plain reader is never challenged.
    fn challenge(&mut self, fill: &mut dyn FnMut(&mut [u8])) -> Vec<u8> {
        let mut random = [0; 8];
        fill(&mut random);
        if let Security::Secure(key) = &self.settings.security {
            let keys = SessionKeys::derive(key, random);
            self.phase = Phase::Challenge(Some(Challenged { keys, random }));
        }
        let block = Some((BlockKind::Challenge, &[OWN_KEY][..]));
        self.clear(&Command::Challenge(random), block)
    }

    fn next_inside(&mut self, stage: Stage, now: Moment, may_wait: bool) -> (Purpose, Command) {
        match stage {
            Stage::Identify => (Purpose::Open, Command::Id),
            Stage::Capabilities => (Purpose::Open, Command::Capabilities),
            Stage::Drain => (Purpose::Open, Command::Poll),
            Stage::Up => self.next_up(now, may_wait),
        }
    }

    fn next_up(&mut self, now: Moment, may_wait: bool) -> (Purpose, Command) {
        self.drop_old_orders(now);
        let waiting = self.outputs.pop_front().or_else(|| self.others.pop_front());
        if let Some(Waiting { order, .. }) = waiting {
            return (Purpose::Order(order.clone()), Command::Order(order));
        }
        match self.status.ask(now, may_wait) {
            Some(Purpose::LocalStatus) => (Purpose::LocalStatus, Command::LocalStatus),
            Some(Purpose::Inputs) => (Purpose::Inputs, Command::Inputs),
            Some(Purpose::Open | Purpose::Poll | Purpose::Order(_)) | None => {
                (Purpose::Poll, Command::Poll)
            }
        }
    }

    /// Tells of orders that waited too long instead of sending them.
    pub(super) fn drop_old_orders(&mut self, now: Moment) {
        let is_old = |waiting: &Waiting| now.since(waiting.since) >= ORDER_AGE_MAX;
        let mut dropped = Vec::new();
        for queue in [&mut self.outputs, &mut self.others] {
            while queue.front().is_some_and(is_old) {
                dropped.extend(queue.pop_front());
            }
        }
        for Waiting { order, .. } in dropped {
            let failure = OrderFailure::TooOld;
            self.tell(PeripheralEvent::Refused { order, failure });
        }
    }

    /// Keeps an event until it is taken; drops it where nobody takes any.
    fn tell(&mut self, event: PeripheralEvent) {
        if self.events.len() < EVENTS_MAX {
            self.events.push_back(event);
        } else {
            count(&mut self.counters.events_dropped);
        }
    }

    /// Gets on to the next sequence number: 0 begins a session, then 1, 2, 3, 1 and so on.
    fn advance_sequence(&mut self) {
        self.next_sequence = match self.next_sequence {
            0 | 3 => 1,
            1 => 2,
            _ => 3,
        };
    }
}

/// Says in a security block that the reader's own key is meant, never the default one (0).
const OWN_KEY: u8 = 1;
