//! One reader: what its bus tells of it, turned into what the rest of the program is told.

use std::borrow::Cow;
use std::sync::Arc;

use zeroize::Zeroizing;

use super::strikes::Strikes;
use super::tally::Tally;
use crate::control::lines::{LinkState, LinkStatus, ReaderEvent, ReaderPlan, TypedKeys};
use crate::types::{Moment, ReaderSecurity, UtcTime};
use crate::wire::card::RawCard;
use crate::wire::osdp::{
    Address, Capabilities, Counters, Identity, Key, Keys, OfflineCause, PeripheralEvent,
    PeripheralOrder, SecurityFault,
};

/// What is wrong with a reader that was never heard.
pub(super) const NOT_YET: &str = "it has not answered yet";
/// What is wrong with a reader that is not heard any more.
const SILENT: &str = "it does not answer: check its power, its wiring and its address";
/// Keys handed up at a time.
const KEYS_MAX: usize = 12;

/// What the rest of the program was told of the link last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Told {
    Nothing,
    Online,
    Offline,
    LineDown,
}

/// One reader of a line.
#[derive(Debug)]
pub(super) struct Link {
    pub(super) plan: ReaderPlan,
    pub(super) address: Address,
    /// Whether the bus polls it.
    pub(super) is_on_bus: bool,
    /// The key it is polled with.
    pub(super) key: Option<Zeroizing<[u8; 16]>>,
    pub(super) state: LinkState,
    pub(super) trouble: Cow<'static, str>,
    pub(super) told: Told,
    pub(super) capabilities: Capabilities,
    pub(super) strikes: Strikes,
    pub(super) heard_at: Option<UtcTime>,
    pub(super) tally: Tally,
    identity: Option<Identity>,
    switches: Option<(bool, bool)>,
    inputs: Option<Vec<bool>>,
    /// What was logged last.
    logged: LinkState,
    is_changed: bool,
}

impl Link {
    pub(super) fn new(plan: ReaderPlan, address: Address) -> Self {
        Self {
            plan,
            address,
            is_on_bus: false,
            key: None,
            state: LinkState::Offline,
            trouble: Cow::Borrowed(NOT_YET),
            told: Told::Nothing,
            capabilities: Capabilities::default(),
            strikes: Strikes::default(),
            heard_at: None,
            tally: Tally::default(),
            identity: None,
            switches: None,
            inputs: None,
            logged: LinkState::Offline,
            is_changed: true,
        }
    }

    /// Whether it answers, and is listened to.
    pub(super) fn is_online(&self) -> bool {
        matches!(self.state, LinkState::Secure | LinkState::Plain)
    }

    /// Takes what the bus tells; what is to be reported of it.
    pub(super) fn hear(&mut self, event: PeripheralEvent, now: Moment) -> Vec<ReaderEvent> {
        match event {
            PeripheralEvent::Online {
                identity,
                capabilities,
                is_secure,
            } => {
                self.identity = Some(identity);
                self.capabilities = capabilities;
                self.came_up(is_secure)
            }
            PeripheralEvent::Offline { cause } => self.went_away(cause),
            PeripheralEvent::Card(card) => self.card(card),
            PeripheralEvent::FormattedCard(_) => {
                let reader = &self.plan.reader;
                tracing::warn!(%reader, "a card came as characters and was dropped: set the \
                    reader to hand over bits");
                Vec::new()
            }
            PeripheralEvent::Keys(keys) => self.keys(&keys),
            PeripheralEvent::LocalStatus {
                tamper,
                power_failed,
            } => self.switched(tamper, power_failed),
            PeripheralEvent::Inputs(inputs) => self.inputs(inputs),
            PeripheralEvent::Outputs(_) | PeripheralEvent::Heads(_) => Vec::new(),
            PeripheralEvent::Performed { order } => self.performed(&order, now),
            PeripheralEvent::Refused { order, failure } => {
                let reader = &self.plan.reader;
                tracing::debug!(%reader, ?order, ?failure, "an order was not done");
                self.refused(&order)
            }
            PeripheralEvent::SecurityFault(fault) => self.distrusted(fault),
        }
    }

    /// Ends what was: its line, its session or its place on the line is gone.
    pub(super) fn down(
        &mut self,
        state: LinkState,
        trouble: impl Into<Cow<'static, str>>,
    ) -> Vec<ReaderEvent> {
        let trouble = trouble.into();
        self.is_changed |= self.state != state || self.trouble != trouble;
        self.state = state;
        self.trouble = trouble;
        self.strikes.lost()
    }

    /// As [`Self::down`], and tells that it does not answer, unless that was told.
    pub(super) fn offline(
        &mut self,
        state: LinkState,
        trouble: impl Into<Cow<'static, str>>,
    ) -> Vec<ReaderEvent> {
        let mut events = self.down(state, trouble);
        if self.told != Told::Offline {
            self.told = Told::Offline;
            events.push(ReaderEvent::Offline);
        }
        events
    }

    /// The port is gone, or was never there.
    pub(super) fn line_down(&mut self, why: &Arc<str>, is_news: bool) -> Vec<ReaderEvent> {
        let mut events = self.down(LinkState::LineDown, why.to_string());
        if is_news || self.told != Told::LineDown {
            self.told = Told::LineDown;
            events.push(ReaderEvent::LineDown(Arc::clone(why)));
        }
        events
    }

    /// The port is back; whether the reader is will show.
    pub(super) fn line_up(&mut self) {
        if self.state == LinkState::LineDown {
            self.state = LinkState::Offline;
            self.trouble = Cow::Borrowed(NOT_YET);
            self.is_changed = true;
        }
    }

    /// Whether something has changed since this was asked last; what it has become is logged.
    pub(super) fn take_change(&mut self) -> bool {
        let is_changed = std::mem::take(&mut self.is_changed);
        if is_changed && self.logged != self.state {
            self.log();
            self.logged = self.state;
        }
        is_changed
    }

    fn log(&self) {
        let (reader, trouble) = (&self.plan.reader, &self.trouble);
        match self.state {
            LinkState::Secure => tracing::info!(%reader, "the reader is online, secured"),
            LinkState::Plain => tracing::warn!(%reader, "the reader is online, in clear"),
            LinkState::Refused => tracing::warn!(%reader, "the reader is not trusted: {trouble}"),
            LinkState::Offline if self.trouble == NOT_YET => {}
            LinkState::Offline => tracing::warn!(%reader, "the reader is offline: {trouble}"),
            // Its line has said so.
            LinkState::LineDown => {}
        }
    }

    /// The port is back for long enough, and the reader is not.
    pub(super) fn left_behind(&mut self) -> Vec<ReaderEvent> {
        if self.told != Told::LineDown || self.is_online() {
            return Vec::new();
        }
        let trouble = match self.trouble.clone() {
            trouble if trouble == NOT_YET => Cow::Borrowed(SILENT),
            trouble => trouble,
        };
        self.offline(self.state, trouble)
    }

    fn came_up(&mut self, is_secure: bool) -> Vec<ReaderEvent> {
        let mut events = self.strikes.lost();
        self.is_changed = true;
        self.state = match (self.plan.security, is_secure) {
            (ReaderSecurity::SecureChannel, true) => LinkState::Secure,
            (ReaderSecurity::Plain, _) => LinkState::Plain,
            // The bus is told to never do this; nothing depends on that alone.
            (ReaderSecurity::SecureChannel, false) => {
                self.state = LinkState::Refused;
                self.trouble = Cow::Borrowed("it speaks in clear");
                events.push(ReaderEvent::NotTrusted("it speaks in clear"));
                return events;
            }
        };
        self.trouble = Cow::Borrowed("");
        self.told = Told::Online;
        // Told again, because they may have changed meanwhile.
        self.switches = None;
        self.inputs = None;
        events.push(ReaderEvent::Online);
        events
    }

    fn went_away(&mut self, cause: OfflineCause) -> Vec<ReaderEvent> {
        let (state, trouble) = match cause {
            OfflineCause::NoReply => (LinkState::Offline, SILENT),
            OfflineCause::Busy => (
                LinkState::Offline,
                "it says nothing but that it is busy: restart it",
            ),
            OfflineCause::SessionRefused => (
                LinkState::Offline,
                "it refuses to open a session: check that its key is set",
            ),
            OfflineCause::Security => (
                LinkState::Refused,
                "it does not prove that it knows its key: set the key of this reader again",
            ),
            // The line tells that of all its readers.
            OfflineCause::PortLost => return self.strikes.lost(),
        };
        // While the line was down the reader could not be asked: it has its time after that.
        if self.told == Told::LineDown {
            return self.strikes.lost();
        }
        self.offline(state, trouble)
    }

    fn card(&mut self, card: RawCard) -> Vec<ReaderEvent> {
        if !self.is_online() {
            return Vec::new();
        }
        self.tally.card();
        vec![ReaderEvent::Card(card)]
    }

    fn keys(&self, keys: &Keys) -> Vec<ReaderEvent> {
        if !self.is_online() {
            return Vec::new();
        }
        let typed = |some: &[Key]| {
            let mut text = Zeroizing::new(String::with_capacity(KEYS_MAX));
            text.extend(some.iter().filter_map(|key| match key {
                Key::Digit(digit) => char::from_digit((*digit).into(), 10),
                Key::Star => Some('*'),
                Key::Hash => Some('#'),
            }));
            ReaderEvent::Keys(TypedKeys(text))
        };
        keys.0.chunks(KEYS_MAX).map(typed).collect()
    }

    fn switched(&mut self, is_tampered: bool, is_power_failing: bool) -> Vec<ReaderEvent> {
        let switches = Some((is_tampered, is_power_failing));
        if self.switches == switches {
            return Vec::new();
        }
        self.switches = switches;
        self.is_changed = true;
        vec![ReaderEvent::Switches {
            is_tampered,
            is_power_failing,
        }]
    }

    fn inputs(&mut self, inputs: Vec<bool>) -> Vec<ReaderEvent> {
        if self.inputs.as_ref() == Some(&inputs) {
            return Vec::new();
        }
        self.inputs = Some(inputs.clone());
        self.is_changed = true;
        vec![ReaderEvent::Inputs(inputs)]
    }

    fn performed(&mut self, order: &PeripheralOrder, now: Moment) -> Vec<ReaderEvent> {
        let event = match order {
            PeripheralOrder::Output { number, control } => {
                self.strikes.performed(*number, *control, now)
            }
            PeripheralOrder::Led(_) | PeripheralOrder::Buzzer(_) | PeripheralOrder::Text(_) => None,
        };
        event.into_iter().collect()
    }

    fn refused(&mut self, order: &PeripheralOrder) -> Vec<ReaderEvent> {
        let event = match order {
            PeripheralOrder::Output { number, control } => self.strikes.refused(*number, *control),
            PeripheralOrder::Led(_) | PeripheralOrder::Buzzer(_) | PeripheralOrder::Text(_) => None,
        };
        event.into_iter().collect()
    }

    fn distrusted(&mut self, fault: SecurityFault) -> Vec<ReaderEvent> {
        let (words, ends_session) = match fault {
            SecurityFault::WrongKey => ("it does not know its key", true),
            SecurityFault::DefaultKey => ("it has the key it was delivered with", true),
            SecurityFault::RepeatedRandom => ("it repeats a random number", true),
            SecurityFault::BadMac => ("a frame had a wrong authentication code", true),
            SecurityFault::Unencrypted => ("a card or keys came unencrypted", false),
        };
        let mut events = Vec::new();
        if ends_session {
            events = self.down(LinkState::Refused, words);
        }
        events.push(ReaderEvent::NotTrusted(words));
        events
    }

    /// The bus forgets this reader; what it counted is kept.
    pub(super) fn left_bus(&mut self, counters: Option<&Counters>) {
        self.tally.keep(counters);
        self.is_on_bus = false;
        self.key = None;
    }

    /// Writes all that is known of it.
    pub(super) fn write(&self, status: &mut LinkStatus) {
        status.state = self.state;
        status.trouble = self.trouble.clone().into_owned();
        let (is_tampered, is_power_failing) = self.switches.unwrap_or_default();
        status.is_tampered = is_tampered;
        status.is_power_failing = is_power_failing;
        let inputs = self.inputs.as_ref().filter(|_| self.is_online());
        status.inputs = inputs.cloned().unwrap_or_default();
        status.heard_at = self.heard_at;
        if let Some(identity) = &self.identity {
            let [v0, v1, v2] = identity.vendor;
            let [f0, f1, f2] = identity.firmware;
            status.vendor = format!("{v0:02x}{v1:02x}{v2:02x}");
            status.model = format!("{}.{}", identity.model, identity.version);
            status.serial = format!("{:08x}", identity.serial);
            status.firmware = format!("{f0}.{f1}.{f2}");
        }
    }
}
