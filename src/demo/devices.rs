//! The simulated readers and doors on their lines, and what is seen of them.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use sluss_sim::{
    BusSettings, DoorWiring, Observed, Person, ReaderHandle, ReaderSettings, SecureKey, Seen,
    SimBus, SimDoor,
};
use tokio::sync::mpsc;
use tokio::time::timeout;

use super::plan::SitePlan;
use crate::config::Config;
use crate::pb::v1;
use crate::store::reader_keys::{ReaderKey, ReaderKeys};
use crate::types::{DoorId, ReaderId, World};

/// Observations that may wait; more are left with the simulator, which keeps thousands.
const SEEN_MAX: usize = 256;
/// How long a device may take for what it is asked, on a busy machine.
pub(super) const SEEN_WITHIN: Duration = Duration::from_secs(5);
/// A door that was not moved for so long belongs to no grant any more: for half a second after a
/// release an opening still counts as allowed, as a slow line may tell of it late.
const DESERTED_AFTER: Duration = Duration::from_millis(600);
/// Whoever is let in opens the door so long after it was released.
const OPENS_AFTER: Duration = Duration::from_millis(20);
/// And lets it close so long after that.
const OPEN_FOR: Duration = Duration::from_millis(150);

/// Lines with readers and doors; they run until this is dropped.
#[derive(Debug)]
pub(super) struct Devices {
    plan: SitePlan,
    readers: BTreeMap<ReaderId, ReaderHandle>,
    doors: BTreeMap<DoorId, WiredDoor>,
    seen: mpsc::Receiver<(ReaderId, Observed)>,
    /// Readers that did not come online once; nobody waits for them again.
    given_up: BTreeSet<ReaderId>,
    /// After the readers: a line ends when it is dropped.
    buses: Vec<SimBus>,
}

/// A door that hangs on a reader.
#[derive(Debug, Clone)]
pub(super) struct WiredDoor {
    pub(super) door: SimDoor,
    pub(super) reader: ReaderId,
    pub(super) strike_output: u8,
    /// How long it may stand open.
    pub(super) held_after: Duration,
}

impl Devices {
    /// Starts a line for each that is configured, with its readers, their keys and doors.
    ///
    /// `odd` are keys that readers have instead of those that the server is given.
    pub(super) fn start(
        plan: SitePlan,
        config: &Config,
        odd: &BTreeMap<String, String>,
        world: &dyn World,
    ) -> Result<Self> {
        let (tell, seen) = mpsc::channel(SEEN_MAX);
        let mut devices = Self {
            plan,
            readers: BTreeMap::new(),
            doors: BTreeMap::new(),
            seen,
            given_up: BTreeSet::new(),
            buses: Vec::new(),
        };
        for bus in &config.buses {
            let own = |(_, reader): &(&ReaderId, &v1::Reader)| reader.bus == bus.name.as_str();
            let own: Vec<_> = devices.plan.readers.iter().filter(own).collect();
            let mut settings = Vec::new();
            for (id, reader) in &own {
                let key = key(id, reader, config, (odd, world))?;
                settings.push(reader_settings(reader, key)?);
            }
            let line = SimBus::start(BusSettings::new(&bus.port, bus.baud), settings)
                .with_context(|| format!("the line `{}`", bus.name))?;
            for (id, reader) in own {
                let address = u8::try_from(reader.address)?;
                let handle = line.reader(address).context("a reader of the line")?;
                watch(id.clone(), &handle, tell.clone())?;
                devices.readers.insert(id.clone(), handle);
            }
            devices.buses.push(line);
        }
        devices.wire()?;
        Ok(devices)
    }

    fn wire(&mut self) -> Result<()> {
        for (id, door) in &self.plan.doors {
            let Some(wiring) = &door.wiring else {
                continue;
            };
            let reader = ReaderId::from_name(&wiring.reader)?;
            let handle = self.readers.get(&reader);
            let handle = handle.with_context(|| format!("{id} hangs on no reader"))?;
            let terminal = |number: Option<u32>| number.map(u8::try_from).transpose();
            let strike_output = u8::try_from(wiring.strike_output)?;
            let terminals = DoorWiring {
                strike_output,
                contact_input: terminal(wiring.contact_input)?,
                request_to_exit_input: terminal(wiring.request_to_exit_input)?,
            };
            let held_after = door.timing.as_ref().and_then(|timing| timing.held_after);
            let held_after = held_after.and_then(|time| Duration::try_from(time).ok());
            let wired = WiredDoor {
                door: SimDoor::wire(handle, terminals),
                reader,
                strike_output,
                held_after: held_after.unwrap_or(Duration::from_secs(30)),
            };
            self.doors.insert(id.clone(), wired);
        }
        Ok(())
    }

    pub(super) fn plan(&self) -> &SitePlan {
        &self.plan
    }

    pub(super) fn bus_count(&self) -> usize {
        self.buses.len()
    }

    pub(super) fn reader_count(&self) -> usize {
        self.readers.len()
    }

    pub(super) fn reader(&self, id: &ReaderId) -> Option<&ReaderHandle> {
        self.readers.get(id)
    }

    pub(super) fn door(&self, id: &DoorId) -> Option<&WiredDoor> {
        self.doors.get(id)
    }

    /// Doors whose contact tells whether they are open.
    pub(super) fn watched_doors(&self) -> Vec<DoorId> {
        let has_contact = |door: &v1::Door| {
            let wiring = door.wiring.as_ref();
            wiring.is_some_and(|wiring| wiring.contact_input.is_some())
        };
        let doors = self.plan.doors.iter().filter(|(_, door)| has_contact(door));
        doors.map(|(id, _)| id.clone()).collect()
    }

    /// Everybody who is let in from now on passes.
    pub(super) fn let_pass(&self) {
        for wired in self.doors.values() {
            wired.door.person(passes());
        }
    }

    /// What happens next at any reader; `None` where there are none.
    pub(super) async fn next(&mut self) -> Option<(ReaderId, Observed)> {
        self.seen.recv().await
    }

    /// Passes over what has been seen so far.
    pub(super) fn forget(&mut self) {
        while self.seen.try_recv().is_ok() {}
    }

    /// Waits until something is seen that is wanted.
    pub(super) async fn wait_for<T>(
        &mut self,
        mut wanted: impl FnMut(&ReaderId, &Observed) -> Option<T>,
    ) -> Option<T> {
        let looking = async {
            loop {
                let (reader, observed) = self.seen.recv().await?;
                if let Some(found) = wanted(&reader, &observed) {
                    return Some(found);
                }
            }
        };
        timeout(SEEN_WITHIN, looking).await.ok().flatten()
    }

    /// Waits until every reader has been talked to and shown something, which the server does
    /// when its door knows it; answers those that were not, each once.
    pub(super) async fn all_online(&mut self) -> BTreeSet<ReaderId> {
        let awaited = self.readers.keys();
        let awaited = awaited.filter(|id| !self.given_up.contains(*id));
        let mut missing: BTreeSet<ReaderId> = awaited.cloned().collect();
        if missing.is_empty() {
            return missing;
        }
        let is_plain = |reader: &v1::Reader| reader.security() == v1::ReaderSecurity::Plain;
        let plain = self.plan.readers.iter().filter(|(_, r)| is_plain(r));
        let mut up: BTreeSet<ReaderId> = plain.map(|(id, _)| id.clone()).collect();
        let left = &mut missing;
        let all = self.wait_for(move |reader, observed| {
            if matches!(observed.what, Seen::SecureChannelUp { .. }) {
                up.insert(reader.clone());
            } else if matches!(observed.what, Seen::Led(_)) && up.contains(reader) {
                left.remove(reader);
            }
            left.is_empty().then_some(())
        });
        let _ = all.await;
        self.given_up.extend(missing.iter().cloned());
        missing
    }

    /// Waits until a door is closed and locked again; false if that takes too long.
    pub(super) async fn settled(&mut self, wired: &WiredDoor) -> bool {
        while wired.door.is_released() || wired.door.is_open() {
            let moved = |_: &ReaderId, seen: &Observed| {
                matches!(seen.what, Seen::DoorReleased(false) | Seen::DoorOpen(false)).then_some(())
            };
            if self.wait_for(moved).await.is_none() {
                return false;
            }
        }
        true
    }

    /// Waits until nobody has gone through a door for so long that whoever opens it now forces it.
    pub(super) async fn deserted(&mut self, wired: &WiredDoor) {
        self.settled(wired).await;
        self.forget();
        let moves = async {
            let moved = |at: &ReaderId, seen: &Observed| {
                let is_move = matches!(seen.what, Seen::DoorReleased(_) | Seen::DoorOpen(_));
                (at == &wired.reader && is_move).then_some(())
            };
            self.wait_for(moved).await
        };
        // That nothing is seen for so long is what is waited for.
        let _ = timeout(DESERTED_AFTER, moves).await;
    }
}

/// Somebody who opens the door and lets it close.
pub(super) fn passes() -> Person {
    Person::Opens {
        after: OPENS_AFTER,
        open_for: Some(OPEN_FOR),
    }
}

/// Somebody who opens the door and leaves it open.
pub(super) fn keeps_it_open() -> Person {
    Person::Opens {
        after: OPENS_AFTER,
        open_for: None,
    }
}

/// Time from something that was done to something that was seen.
pub(super) fn between(done: Instant, seen: Instant) -> Duration {
    seen.saturating_duration_since(done)
}

fn reader_settings(reader: &v1::Reader, key: Option<SecureKey>) -> Result<ReaderSettings> {
    let address = u8::try_from(reader.address)?;
    Ok(match key {
        Some(key) => ReaderSettings::secure(address, key),
        None => ReaderSettings::plain(address),
    })
}

/// Gives the server a reader's key; answers the one that the reader has.
fn key(
    id: &ReaderId,
    reader: &v1::Reader,
    config: &Config,
    (odd, world): (&BTreeMap<String, String>, &dyn World),
) -> Result<Option<SecureKey>> {
    if reader.security() == v1::ReaderSecurity::Plain {
        return Ok(None);
    }
    let key = ReaderKey::random(world)?;
    ReaderKeys::new(&config.folders.keys).put(id, &key)?;
    Ok(Some(match odd.get(id.as_str()) {
        Some(text) => SecureKey::from_hex(text).with_context(|| format!("the key of {id}"))?,
        None => SecureKey::new(*key.reveal()),
    }))
}

/// Hands on what is seen at a reader, until its line has ended.
fn watch(
    id: ReaderId,
    reader: &ReaderHandle,
    tell: mpsc::Sender<(ReaderId, Observed)>,
) -> Result<()> {
    let seen = reader.observe();
    let hand_on = move || {
        for observed in seen {
            if tell.blocking_send((id.clone(), observed)).is_err() {
                return;
            }
        }
    };
    let thread = std::thread::Builder::new().name("demo-eyes".to_owned());
    thread.spawn(hand_on).context("a thread")?;
    Ok(())
}
