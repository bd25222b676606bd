//! The readers of one line: who is on its bus, with which key, and what each is ordered.

use std::collections::BTreeMap;
use std::time::Duration;

use zeroize::Zeroizing;

use super::lines::ReaderKeySource;
use super::link::Link;
use super::{show, strikes};
use crate::control::lines::{Indication, LinkState, ReaderEvent, ReaderOrder, ReaderPlan};
use crate::control::{GRANT_AGE_MAX, StrikeRelease};
use crate::types::{Moment, ReaderId, ReaderSecurity, Terminal};
use crate::wire::osdp::{
    Address, Bus, CheckKind, OutputControl, PeripheralSettings, SecureKey, Security, WeakKey,
};

/// How often the key of a reader that is not online is read again: it may have been made since.
const KEYS_EVERY: Duration = Duration::from_secs(2);

/// What is to be told of which reader.
pub(super) type Events = Vec<(ReaderId, ReaderEvent)>;

/// A key as it is kept beside its reader, to see when it has changed.
type Key = Zeroizing<[u8; 16]>;

/// The readers of one line.
pub(super) struct Readers {
    links: BTreeMap<ReaderId, Link>,
    keys: ReaderKeySource,
    keys_at: Moment,
}

impl Readers {
    pub(super) fn new(keys: ReaderKeySource, now: Moment) -> Self {
        Self {
            links: BTreeMap::new(),
            keys,
            keys_at: now.plus(KEYS_EVERY),
        }
    }

    /// All of them, on the bus or not.
    pub(super) fn all(&mut self) -> impl Iterator<Item = &mut Link> {
        self.links.values_mut()
    }

    /// Who is polled at an address.
    pub(super) fn at(&mut self, address: Address) -> Option<&mut Link> {
        self.all()
            .find(|link| link.is_on_bus && link.address == address)
    }

    /// Makes the readers those of the plans. Who stays as it was keeps its session.
    pub(super) fn plan(&mut self, plans: Vec<ReaderPlan>, bus: &mut Bus, now: Moment) -> Events {
        self.links.retain(|_, link| {
            let is_planned = plans.contains(&link.plan);
            if !is_planned && link.is_on_bus {
                bus.remove(link.address);
            }
            is_planned
        });
        let mut events = Events::new();
        for plan in plans {
            let address = Address::new(plan.address.number());
            if let (false, Ok(address)) = (self.links.contains_key(&plan.reader), address) {
                let reader = plan.reader.clone();
                let mut link = Link::new(plan, address);
                let told = admit(&mut link, &self.keys, bus, now);
                events.extend(told.into_iter().map(|event| (reader.clone(), event)));
                self.links.insert(reader, link);
            }
        }
        events
    }

    /// Reads the keys of readers that are not online again, every few seconds: whoever has a new
    /// one starts anew with it.
    pub(super) fn look_at_keys(&mut self, bus: &mut Bus, now: Moment) -> Events {
        if now < self.keys_at {
            return Events::new();
        }
        self.keys_at = now.plus(KEYS_EVERY);
        let mut events = Events::new();
        for (reader, link) in &mut self.links {
            if link.is_online() {
                continue;
            }
            if link.is_on_bus {
                let is_new = |(_, key)| key != link.key;
                if !security(&link.plan, &self.keys).is_ok_and(is_new) {
                    continue;
                }
                leave(link, bus);
            }
            let told = admit(link, &self.keys, bus, now);
            events.extend(told.into_iter().map(|event| (reader.clone(), event)));
        }
        events
    }

    /// Tells of readers that have not come back although their port has.
    pub(super) fn left_behind(&mut self) -> Events {
        let mut events = Events::new();
        for (reader, link) in &mut self.links {
            let told = link.left_behind();
            events.extend(told.into_iter().map(|event| (reader.clone(), event)));
        }
        events
    }

    /// Whether the bytes that are about to be sent to an address may hold a release that has
    /// become too old.
    pub(super) fn has_stale(&mut self, address: Address, now: Moment) -> bool {
        self.at(address)
            .is_some_and(|link| link.strikes.has_stale(now))
    }

    /// Begins anew with a reader: whatever was on its way to it is not sent.
    pub(super) fn restart(&mut self, address: Address, bus: &mut Bus, now: Moment) -> Events {
        let Some(link) = self.at(address) else {
            bus.remove(address);
            return Events::new();
        };
        let reader = link.plan.reader.clone();
        let kept = kept_security(link);
        leave(link, bus);
        let mut told = link.down(
            LinkState::Offline,
            "a release could not be sent in time, its session starts anew",
        );
        match kept {
            Some(security) => told.extend(enter(link, security, bus, now)),
            None => told.extend(link.offline(LinkState::Offline, "it has no key")),
        }
        told.into_iter()
            .map(|event| (reader.clone(), event))
            .collect()
    }

    /// Hands an order to the bus; what is to be told at once.
    pub(super) fn order(
        &mut self,
        reader: &ReaderId,
        order: ReaderOrder,
        bus: &mut Bus,
        now: Moment,
    ) -> Events {
        let link = self.links.get_mut(reader).filter(|link| link.is_on_bus);
        let told = match (order, link) {
            (ReaderOrder::Release { output, release }, Some(link)) => {
                release_strike(link, (output, release), bus, now)
            }
            (ReaderOrder::Lock { output }, Some(link)) => lock_strike(link, output, bus, now),
            (ReaderOrder::Show(indication), Some(link)) => {
                show_on(link, indication, bus, now);
                None
            }
            (ReaderOrder::Release { output, .. } | ReaderOrder::Lock { output }, None) => {
                Some(ReaderEvent::StrikeRefused { output })
            }
            (ReaderOrder::Show(_), None) => None,
        };
        told.into_iter()
            .map(|event| (reader.clone(), event))
            .collect()
    }

    /// Orders every strike that is released to be locked.
    pub(super) fn lock_all(&mut self, bus: &mut Bus, now: Moment) {
        for link in self.all().filter(|link| link.is_on_bus) {
            for output in link.strikes.released(now) {
                lock_strike(link, output, bus, now);
            }
        }
    }

    /// Whether any order to a strike has no answer yet.
    pub(super) fn is_waiting(&mut self) -> bool {
        self.all().any(|link| link.strikes.is_waiting())
    }
}

fn release_strike(
    link: &mut Link,
    (output, release): (Terminal, StrikeRelease),
    bus: &mut Bus,
    now: Moment,
) -> Option<ReaderEvent> {
    let refused = Some(ReaderEvent::StrikeRefused { output });
    let left = release.valid_for(now);
    if left.is_zero() {
        let reader = &link.plan.reader;
        tracing::warn!(%reader, "a release came too late and was not sent");
        return refused;
    }
    if !link.strikes.has_room() {
        return refused;
    }
    let control = OutputControl::OnFor(strikes::tenths(release.lasts()));
    // The bus sends no order that is 2 s old; this one is as old as what allows it.
    let since = earlier(now, GRANT_AGE_MAX.saturating_sub(left));
    match bus.order(link.address, strikes::output(output, control), since) {
        Ok(()) => {
            link.strikes.sent(output, Some(release));
            None
        }
        Err(_) => refused,
    }
}

fn lock_strike(
    link: &mut Link,
    output: Terminal,
    bus: &mut Bus,
    now: Moment,
) -> Option<ReaderEvent> {
    let order = strikes::output(output, OutputControl::Off);
    if link.strikes.has_room() && bus.order(link.address, order, now).is_ok() {
        link.strikes.sent(output, None);
        return None;
    }
    Some(ReaderEvent::StrikeRefused { output })
}

fn show_on(link: &Link, indication: Indication, bus: &mut Bus, now: Moment) {
    for order in show::orders(indication, &link.capabilities) {
        if let Err(error) = bus.order(link.address, order, now) {
            tracing::debug!(reader = %link.plan.reader, %error, "nothing is shown");
        }
    }
}

/// So much before a moment, at the earliest the start of the program.
fn earlier(now: Moment, by: Duration) -> Moment {
    let start = Moment::from_start(Duration::ZERO);
    Moment::from_start(now.since(start).saturating_sub(by))
}

/// Puts a reader on the bus, with the key that it has now.
fn admit(link: &mut Link, keys: &ReaderKeySource, bus: &mut Bus, now: Moment) -> Vec<ReaderEvent> {
    match security(&link.plan, keys) {
        Ok(security) => enter(link, security, bus, now),
        Err(trouble) => link.offline(LinkState::Offline, trouble),
    }
}

fn enter(
    link: &mut Link,
    (security, key): (Security, Option<Key>),
    bus: &mut Bus,
    now: Moment,
) -> Vec<ReaderEvent> {
    let settings = PeripheralSettings {
        security,
        check: CheckKind::Crc,
    };
    match bus.add(link.address, settings, now) {
        Ok(()) => {
            link.is_on_bus = true;
            link.key = key;
            Vec::new()
        }
        Err(error) => link.offline(LinkState::Offline, error.to_string()),
    }
}

/// Takes a reader off the bus.
fn leave(link: &mut Link, bus: &mut Bus) {
    link.left_bus(bus.counters(link.address));
    bus.remove(link.address);
}

/// How a reader is spoken to; what is wrong, in words, where it cannot be.
fn security(plan: &ReaderPlan, keys: &ReaderKeySource) -> Result<(Security, Option<Key>), String> {
    match plan.security {
        ReaderSecurity::Plain => Ok((Security::Plain, None)),
        ReaderSecurity::SecureChannel => {
            let key = keys(&plan.reader)?.map(Zeroizing::new);
            let reader = &plan.reader;
            let make = || format!("it has no key: make one with `slussd reader-key new {reader}`");
            let key = key.ok_or_else(make)?;
            secured(key).map_err(|weak| {
                format!("its key {weak}: replace it by `slussd reader-key new {reader} --replace`")
            })
        }
    }
}

/// How it is spoken to now.
fn kept_security(link: &Link) -> Option<(Security, Option<Key>)> {
    match link.plan.security {
        ReaderSecurity::Plain => Some((Security::Plain, None)),
        ReaderSecurity::SecureChannel => secured(link.key.clone()?).ok(),
    }
}

fn secured(key: Key) -> Result<(Security, Option<Key>), WeakKey> {
    Ok((Security::Secure(SecureKey::new(*key)?), Some(key)))
}
