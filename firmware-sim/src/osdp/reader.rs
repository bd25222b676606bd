//! The reader: what it is, hears, remembers and tells.

use std::collections::VecDeque;
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::time::{Duration, Instant};

use super::codes::Nak;
use super::events::{Event, Events, InvalidKeys};
use super::fault::{Fault, FaultKind, Faults};
use super::frame::{Assembler, EVERYBODY, Frame, check_again};
use super::observed::{Counters, Exchange, Observed, Seen};
use super::outputs::Output;
use super::secure::RANDOM_BYTES;
use super::session::Session;
use super::settings::{CardReport, ReaderSettings};
use crate::Card;

/// A reader that is not spoken to for this long starts anew (OSDP 2.2, 5.7).
const OFFLINE_AFTER: Duration = Duration::from_secs(8);
/// Observations that wait for one observer at most; further ones are lost to it.
const OBSERVED_MAX: usize = 16 * 1024;
/// Exchanges that are recorded at most.
const EXCHANGES_MAX: usize = 20_000;

/// Bytes to send, and how long after the end of the command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Transmission {
    pub(crate) bytes: Vec<u8>,
    pub(crate) delay: Duration,
}

/// A reader.
#[derive(Debug)]
pub(crate) struct Reader {
    pub(super) settings: ReaderSettings,
    pub(super) baud: u32,
    pub(super) session: Session,
    pub(super) client_random: [u8; RANDOM_BYTES],
    pub(super) random: fn(&mut [u8]),
    pub(super) outputs: Vec<Output>,
    pub(super) inputs: Vec<bool>,
    pub(super) tamper: bool,
    pub(super) power_failed: bool,
    pub(super) events: Events,
    pub(super) faults: Faults,
    pub(super) counters: Counters,
    assembler: Assembler,
    turnaround: Duration,
    /// The command answered last, with its reply and sequence number.
    last: Option<(u8, Exchange)>,
    heard_at: Option<Instant>,
    observers: Vec<SyncSender<Observed>>,
    recorded: Option<VecDeque<Exchange>>,
    replayed: Option<VecDeque<Exchange>>,
}

impl Reader {
    /// A reader on a line of `baud`; `random` makes its part of each handshake.
    pub(crate) fn new(
        settings: ReaderSettings,
        baud: u32,
        turnaround: Duration,
        random: fn(&mut [u8]),
    ) -> Self {
        Self {
            baud,
            session: Session::Clear,
            client_random: [0; RANDOM_BYTES],
            random,
            outputs: vec![Output::default(); settings.outputs.into()],
            inputs: vec![false; settings.inputs.into()],
            tamper: false,
            power_failed: false,
            events: Events::default(),
            faults: Faults::default(),
            counters: Counters::default(),
            assembler: Assembler::new(settings.receive_bytes),
            turnaround: settings.turnaround.unwrap_or(turnaround),
            last: None,
            heard_at: None,
            observers: Vec::new(),
            recorded: None,
            replayed: None,
            settings,
        }
    }

    pub(crate) fn address(&self) -> u8 {
        self.settings.address
    }

    pub(crate) fn baud(&self) -> u32 {
        self.baud
    }

    pub(crate) fn counters(&self) -> Counters {
        Counters {
            bad_checks: self.assembler.bad_checks,
            events_lost: self.events.lost,
            ..self.counters
        }
    }

    /// Whether it transmits without end.
    pub(crate) fn never_stops(&self) -> bool {
        self.faults.has(FaultKind::NeverStops)
    }

    /// Takes a byte whose last bit ended at `at`; what it has to say, if that completes a command.
    pub(crate) fn hear(&mut self, byte: u8, at: Instant) -> Option<Transmission> {
        let (frame, bytes) = self.assembler.push(byte, at)?;
        if frame.address != self.settings.address && frame.address != EVERYBODY {
            return None;
        }
        if let Some(reply) = self.replay(&frame, &bytes) {
            return reply;
        }
        if self.faults.take(FaultKind::Silence) {
            return None;
        }
        if self.faults.take(FaultKind::Restart) {
            self.restart(at);
            return None;
        }
        self.counters.commands += 1;
        self.note_heard(at);
        let reply = self.reply(&frame, bytes, at);
        self.distort(reply)
    }

    fn note_heard(&mut self, at: Instant) {
        self.advance(at);
        if self.heard_at.replace(at).is_none() {
            self.tell(&Seen::Online, at);
        }
    }

    /// The reply to a whole command: repeated, refused, put off or given.
    fn reply(&mut self, frame: &Frame, command: Vec<u8>, at: Instant) -> Vec<u8> {
        let begins = frame.sequence == 0;
        if !begins {
            let last = self.last.as_ref();
            if let Some((_, exchange)) = last.filter(|(_, last)| last.command == command) {
                self.counters.repeats += 1;
                return exchange.reply.clone();
            }
            // 0 begins, then 1, 2, 3, 1, ...
            let next = last.map(|(sequence, _)| sequence % 3 + 1);
            if next != Some(frame.sequence) {
                return self.refuse(frame, Nak::Sequence);
            }
        }
        if self.faults.take(FaultKind::Busy) {
            return self.busy(frame);
        }
        if begins {
            self.close_channel(at);
        }
        let reply = self.converse(frame, at);
        let exchange = Exchange { command, reply };
        if let Some(recorded) = &mut self.recorded
            && recorded.len() < EXCHANGES_MAX
        {
            recorded.push_back(exchange.clone());
        }
        let reply = exchange.reply.clone();
        self.last = Some((frame.sequence, exchange));
        reply
    }

    /// Does to a reply what the faults say.
    fn distort(&mut self, mut bytes: Vec<u8>) -> Option<Transmission> {
        let delay = self.turnaround + self.faults.take_delay();
        if self.faults.take(FaultKind::ReplyLost) {
            return None;
        }
        if self.faults.take(FaultKind::WrongSequence)
            && let Some(control) = bytes.get_mut(4)
        {
            *control ^= 1;
            check_again(&mut bytes);
        }
        if self.faults.take(FaultKind::WrongAddress)
            && let Some(address) = bytes.get_mut(1)
        {
            *address ^= 1;
            check_again(&mut bytes);
        }
        if super::frame::has_mac(&bytes) && self.faults.take(FaultKind::WrongMac) {
            super::frame::spoil_mac(&mut bytes);
        }
        let middle = bytes.len() / 2;
        if self.faults.take(FaultKind::ReplyCorrupted)
            && let Some(byte) = bytes.get_mut(middle)
        {
            *byte ^= 0x10;
        }
        if self.faults.take(FaultKind::ReplyTruncated) {
            bytes.truncate(middle);
        }
        if self.faults.take(FaultKind::ReplyDuplicated) {
            bytes.extend_from_within(..);
        }
        self.counters.replies += 1;
        Some(Transmission { bytes, delay })
    }

    /// When something happens by itself next: a timer, or silence for too long.
    pub(crate) fn due(&self) -> Option<Instant> {
        let offline = self.heard_at.map(|heard| heard + OFFLINE_AFTER);
        let outputs = self.outputs.iter().filter_map(Output::due);
        outputs.chain(offline).min()
    }

    /// Lets happen what is due.
    pub(crate) fn advance(&mut self, now: Instant) {
        for number in 0..self.settings.outputs {
            let output = self.outputs.get(usize::from(number));
            if let Some(end) = output.and_then(Output::due).filter(|end| *end <= now) {
                self.change_output(number, end, |output| output.advance(now));
            }
        }
        let silent = |heard: Instant| now.saturating_duration_since(heard) >= OFFLINE_AFTER;
        if self.heard_at.is_some_and(silent) {
            self.heard_at = None;
            self.last = None;
            self.close_channel(now);
            self.tell(&Seen::Offline, now);
        }
    }

    pub(super) fn change_output(
        &mut self,
        number: u8,
        at: Instant,
        change: impl FnOnce(&mut Output),
    ) {
        let Some(output) = self.outputs.get_mut(usize::from(number)) else {
            return;
        };
        let was_on = output.is_on();
        change(output);
        let is_on = output.is_on();
        if is_on == was_on {
            return;
        }
        self.tell(&Seen::Output { number, is_on }, at);
        if self.settings.reports_outputs {
            let data = self.output_status();
            let code = super::codes::reply::OSTATR;
            self.events.push(Event { code, data });
        }
    }

    /// Whether an output is on; off where there is none of that number.
    pub(crate) fn output(&self, number: u8) -> bool {
        let output = self.outputs.get(usize::from(number));
        output.is_some_and(Output::is_on)
    }

    /// A card is presented.
    pub(crate) fn present(&mut self, card: &Card) {
        match self.settings.card_report {
            CardReport::Raw => {
                let length = u16::try_from(card.bit_length()).unwrap_or(u16::MAX);
                let format = u8::from(card.format() != "UID");
                self.events.push(Event::raw(format, length, card.bits()));
            }
            CardReport::Fmt => {
                let digits = card.bits().iter().map(|byte| format!("{byte:02X}"));
                self.events.push(Event::fmt(&digits.collect::<String>()));
            }
        }
    }

    /// Bits are presented, however many and whatever the length says.
    pub(crate) fn present_bits(&mut self, bit_length: u16, bits: &[u8]) {
        let bits = bits.get(..64).unwrap_or(bits);
        self.events.push(Event::raw(0, bit_length, bits));
    }

    pub(crate) fn present_text(&mut self, text: &str) {
        self.events.push(Event::fmt(text));
    }

    pub(crate) fn type_keys(&mut self, keys: &str) -> Result<(), InvalidKeys> {
        for event in Event::keys(keys)? {
            self.events.push(event);
        }
        Ok(())
    }

    pub(crate) fn set_local_status(&mut self, tamper: Option<bool>, power_failed: Option<bool>) {
        let tamper = tamper.unwrap_or(self.tamper);
        let power_failed = power_failed.unwrap_or(self.power_failed);
        if (tamper, power_failed) == (self.tamper, self.power_failed) {
            return;
        }
        (self.tamper, self.power_failed) = (tamper, power_failed);
        let data = self.local_status();
        let code = super::codes::reply::LSTATR;
        self.events.push(Event { code, data });
    }

    /// An input changes; one that is not there is left alone.
    pub(crate) fn set_input(&mut self, number: u8, is_active: bool) {
        let Some(input) = self.inputs.get_mut(usize::from(number)) else {
            return;
        };
        if std::mem::replace(input, is_active) == is_active {
            return;
        }
        let data = self.input_status();
        let code = super::codes::reply::ISTATR;
        self.events.push(Event { code, data });
    }

    /// Loses everything but its settings and what is wired to it.
    pub(crate) fn restart(&mut self, at: Instant) {
        self.counters.restarts += 1;
        self.tell(&Seen::Restarted, at);
        self.close_channel(at);
        for number in 0..self.settings.outputs {
            self.change_output(number, at, |output| *output = Output::default());
        }
        self.events.clear();
        self.assembler.clear();
        self.last = None;
        self.heard_at = None;
    }

    pub(crate) fn set_install_mode(&mut self, is_on: bool) {
        self.settings.is_install_mode = is_on;
    }

    pub(crate) fn fault(&mut self, fault: Fault) {
        self.faults.add(fault);
    }

    pub(crate) fn clear_faults(&mut self) {
        self.faults.clear();
    }

    /// What happens from now on; the observer that reads too slowly loses the newest.
    pub(crate) fn observe(&mut self) -> Receiver<Observed> {
        let (sender, receiver) = sync_channel(OBSERVED_MAX);
        self.observers.push(sender);
        receiver
    }

    pub(crate) fn tell(&mut self, what: &Seen, at: Instant) {
        self.observers.retain(|observer| {
            let what = what.clone();
            let sent = observer.try_send(Observed { at, what });
            !matches!(sent, Err(TrySendError::Disconnected(_)))
        });
    }

    /// Records every exchange from now on.
    pub(crate) fn record(&mut self) {
        self.recorded = Some(VecDeque::new());
    }

    pub(crate) fn recording(&mut self) -> Vec<Exchange> {
        self.recorded.take().unwrap_or_default().into()
    }

    /// From now on it is a thing without a key that says what once was said.
    pub(crate) fn start_replay(&mut self, exchanges: Vec<Exchange>) {
        self.replayed = Some(exchanges.into());
    }

    /// The recorded reply to the same bytes, or to the same command and sequence number; those
    /// before it are used up. `None` if nothing is replayed.
    #[expect(
        clippy::option_option,
        reason = "not replaying differs from having no reply"
    )]
    fn replay(&mut self, frame: &Frame, command: &[u8]) -> Option<Option<Transmission>> {
        let exchanges = self.replayed.as_mut()?;
        let alike = |exchange: &Exchange| {
            let said = super::frame::parse(&exchange.command);
            said.is_some_and(|said| (said.code, said.sequence) == (frame.code, frame.sequence))
        };
        let place = exchanges
            .iter()
            .position(|exchange| exchange.command == command)
            .or_else(|| exchanges.iter().position(alike));
        let reply = place.and_then(|place| {
            exchanges.drain(..place);
            exchanges.pop_front()
        });
        Some(reply.map(|exchange| Transmission {
            bytes: exchange.reply,
            delay: self.turnaround,
        }))
    }
}
