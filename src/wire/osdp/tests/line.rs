//! A line in made-up time: bytes take their time, readers theirs, and faults lie between.

use std::time::Duration;

use super::model::{KEY, Model};
use crate::types::Moment;
use crate::wire::osdp::{
    Address, Baud, Bus, BusSettings, CheckKind, OutputControl, PeripheralEvent, PeripheralOrder,
    PeripheralSettings, Progress, SecureKey, Security, Step,
};

pub(super) const TURNAROUND: Duration = Duration::from_millis(3);
pub(super) const SECOND: Duration = Duration::from_secs(1);
const BAUD: Baud = Baud::B115200;

/// A reply on its way: how much later than normal, and its bytes.
pub(super) type Pieces = Vec<(Duration, Vec<u8>)>;

/// What the line does to a reply: who sent it, what was asked, what is answered.
pub(super) type Fault = Box<dyn FnMut(&mut Exchange<'_>) -> Pieces>;

/// What fills random numbers.
pub(super) type Entropy = Box<dyn FnMut(&mut [u8])>;

/// One command with its reply, `None` where nobody answers.
pub(super) struct Exchange<'a> {
    pub(super) address: u8,
    pub(super) asked: &'a [u8],
    pub(super) reply: Option<Vec<u8>>,
    pub(super) model: Option<&'a mut Model>,
}

impl Exchange<'_> {
    /// The reply as it is.
    pub(super) fn whole(&self) -> Pieces {
        self.reply
            .iter()
            .map(|reply| (Duration::ZERO, reply.clone()))
            .collect()
    }
}

/// Fills with numbers that look random and are the same in each run.
pub(super) fn numbers(mut seed: u64) -> impl FnMut(&mut [u8]) {
    move |out: &mut [u8]| {
        for byte in out {
            seed ^= seed << 13;
            seed ^= seed >> 7;
            seed ^= seed << 17;
            *byte = seed.to_le_bytes()[3];
        }
    }
}

pub(super) struct Line {
    pub(super) bus: Bus,
    pub(super) models: Vec<Model>,
    pub(super) now: Moment,
    pub(super) fault: Option<Fault>,
    pub(super) events: Vec<(Moment, u8, PeripheralEvent)>,
    /// Commands and replies as they were on the line.
    pub(super) sent: Vec<(Moment, u8, Vec<u8>)>,
    pub(super) random: Entropy,
    pending: Vec<(Moment, Vec<u8>)>,
}

pub(super) fn at(millis: u64) -> Moment {
    Moment::from_start(Duration::from_millis(millis))
}

pub(super) fn address(number: u8) -> Address {
    Address::new(number).unwrap()
}

pub(super) fn secure() -> PeripheralSettings {
    PeripheralSettings {
        security: Security::Secure(SecureKey::new(KEY).unwrap()),
        check: CheckKind::Crc,
    }
}

pub(super) fn plain() -> PeripheralSettings {
    PeripheralSettings {
        security: Security::Plain,
        check: CheckKind::Crc,
    }
}

pub(super) fn strike() -> PeripheralOrder {
    PeripheralOrder::Output {
        number: 0,
        control: OutputControl::OnFor(50.try_into().unwrap()),
    }
}

impl Line {
    /// A line with secure readers at these addresses.
    pub(super) fn new(addresses: &[u8]) -> Self {
        let mut line = Self {
            bus: Bus::new(BusSettings::new(BAUD)),
            models: Vec::new(),
            now: at(0),
            fault: None,
            events: Vec::new(),
            sent: Vec::new(),
            random: Box::new(numbers(0x1234_5678_9ABC_DEF1)),
            pending: Vec::new(),
        };
        for number in addresses {
            line.add(Model::new(*number), secure());
        }
        line
    }

    /// A line with readers that are all online.
    pub(super) fn online(addresses: &[u8]) -> Self {
        let mut line = Self::new(addresses);
        line.run(SECOND);
        for number in addresses {
            assert!(line.is_online(*number), "reader {number} came up");
        }
        line.events.clear();
        line
    }

    pub(super) fn add(&mut self, model: Model, settings: PeripheralSettings) {
        self.bus
            .add(address(model.address), settings, self.now)
            .unwrap();
        self.models.push(model);
    }

    pub(super) fn model(&mut self, number: u8) -> &mut Model {
        let found = self.models.iter_mut().find(|m| m.address == number);
        found.unwrap()
    }

    pub(super) fn is_online(&self, number: u8) -> bool {
        self.bus.sessions[&address(number)].is_up()
    }

    pub(super) fn run(&mut self, time: Duration) {
        let end = self.now.plus(time);
        while self.now < end {
            self.step(end);
        }
    }

    /// Runs until something is so; fails after `limit`.
    #[track_caller]
    pub(super) fn run_until(&mut self, limit: Duration, is_so: impl Fn(&Self) -> bool) -> Duration {
        let start = self.now;
        while !is_so(self) {
            assert!(self.now.since(start) < limit, "not within {limit:?}");
            self.step(self.now.plus(limit));
        }
        self.now.since(start)
    }

    /// Somebody holds a card to a reader five times a second until it is read; fails after
    /// `limit`.
    #[track_caller]
    pub(super) fn swipe_until_read(&mut self, number: u8, limit: Duration) -> Duration {
        let start = self.now;
        self.model(number).news.clear();
        let had = self.cards(number);
        while self.cards(number) == had {
            assert!(self.now.since(start) < limit, "not within {limit:?}");
            self.model(number).news = [(0x50, super::model::CARD.to_vec())].into();
            self.run(SECOND / 5);
        }
        self.now.since(start)
    }

    /// One slot or one wait.
    pub(super) fn step(&mut self, end: Moment) {
        match self.bus.next(self.now, &mut self.random) {
            Step::Transmit {
                bytes, reply_by, ..
            } => self.slot(&bytes, reply_by),
            Step::Wait { until } => {
                let until = until.min(end).max(self.now.plus(Duration::from_micros(10)));
                while let Some(bytes) = self.arrives(until) {
                    let _ = self.bus.received(&bytes, self.now);
                }
                self.now = until;
            }
        }
        for (address, event) in self.bus.take_events() {
            self.events.push((self.now, address.number(), event));
        }
    }

    fn slot(&mut self, bytes: &[u8], mut reply_by: Moment) {
        self.sent.push((self.now, 0, bytes.to_vec()));
        let number = bytes[1];
        let spoken = self.now.plus(BAUD.time_of(bytes.len()));
        let mut model = self.models.iter_mut().find(|m| m.address == number);
        let reply = model.as_mut().and_then(|model| model.hear(bytes));
        let mut exchange = Exchange {
            address: number,
            asked: bytes,
            reply,
            model: model.map(|model| &mut *model),
        };
        let pieces = match &mut self.fault {
            Some(fault) => fault(&mut exchange),
            None => exchange.whole(),
        };
        for (later, piece) in pieces {
            self.sent.push((self.now, 1, piece.clone()));
            let heard = spoken.plus(TURNAROUND).plus(BAUD.time_of(piece.len()));
            self.pending.push((heard.plus(later), piece));
        }
        while let Some(bytes) = self.arrives(reply_by) {
            match self.bus.received(&bytes, self.now) {
                Progress::Waiting { reply_by: later } => reply_by = later,
                Progress::Done => return,
            }
        }
        self.now = self.now.max(reply_by);
        self.bus.timed_out(self.now);
    }

    /// The next bytes that arrive until then; time goes on to when they do.
    fn arrives(&mut self, until: Moment) -> Option<Vec<u8>> {
        self.pending.sort_by_key(|(at, _)| *at);
        let (at, _) = self.pending.first()?;
        if *at > until {
            return None;
        }
        let (at, bytes) = self.pending.remove(0);
        self.now = self.now.max(at);
        Some(bytes)
    }

    pub(super) fn cards(&self, number: u8) -> usize {
        let is_card = |event: &PeripheralEvent| matches!(event, PeripheralEvent::Card(_));
        self.count(number, is_card)
    }

    pub(super) fn count(&self, number: u8, is_wanted: impl Fn(&PeripheralEvent) -> bool) -> usize {
        let of = self.events.iter().filter(|(_, from, _)| *from == number);
        of.filter(|(_, _, event)| is_wanted(event)).count()
    }

    pub(super) fn has(&self, number: u8, wanted: &PeripheralEvent) -> bool {
        self.count(number, |event| event == wanted) > 0
    }
}
