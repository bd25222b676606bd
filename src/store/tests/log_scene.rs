//! A small site with a running log: one customer, one door, one person that may pass.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use ring::rand::{SecureRandom as _, SystemRandom};

use crate::ledger::KeyName;
use crate::policy::{Roster, RosterParts, decide};
use crate::store::disk::{Disk, RealDisk};
use crate::store::keyring::Keyring;
use crate::store::secrets::Secrets;
use crate::store::{
    AppendError, AttemptEntry, Feeds, Log, LogParts, Opened, Recorded, RuleChange, Rules, Source,
    Writer, create, open, start_log,
};
use crate::types::{
    AccessListEntry, AccessPoint, AccessPointId, Area, AreaId, Attempt, Badge, BadgeId,
    BadgeNumber, BadgeState, BootId, Caller, CardCheck, CardFormat, CardKey, Controller,
    ControllerId, Customer, CustomerId, Direction, DisplayName, Door, DoorDrive, DoorId,
    DoorTiming, EntryNumber, EntryRef, FactorRequirement, Membership, Moment, Now, Person,
    PersonId, PersonState, PinEvidence, Precision, PresentedCard, ProtectionClass, ScheduleId,
    Scope, SiteId, SiteZone, SourceEvent, UtcTime, Validity, World,
};

use super::fixtures::{config, first_batch};
use crate::store::format::FORMAT;

/// A world whose clocks the test sets.
#[derive(Debug)]
pub(super) struct SetWorld {
    utc: AtomicI64,
    moment_ms: AtomicU64,
    random: Mutex<SystemRandom>,
}

impl SetWorld {
    fn new() -> Self {
        #[expect(clippy::disallowed_methods, reason = "keys of a test may be anything")]
        let random = Mutex::new(SystemRandom::new());
        Self {
            utc: AtomicI64::new(1_800_000_000),
            moment_ms: AtomicU64::new(0),
            random,
        }
    }

    /// Sets the wall clock.
    pub(super) fn set_utc(&self, seconds: i64) {
        self.utc.store(seconds, Ordering::SeqCst);
    }

    /// Lets time pass on the monotonic clock.
    pub(super) fn pass(&self, ms: u64) {
        self.moment_ms.fetch_add(ms, Ordering::SeqCst);
    }
}

impl World for SetWorld {
    fn now(&self) -> Now {
        let ms = self.moment_ms.load(Ordering::SeqCst);
        Now {
            utc: UtcTime::from_unix(self.utc.load(Ordering::SeqCst)).unwrap(),
            moment: Moment::from_start(Duration::from_millis(ms)),
        }
    }

    fn fill_random(&self, buffer: &mut [u8]) {
        self.random.lock().unwrap().fill(buffer).unwrap();
    }
}

/// A site with a log that runs.
pub(super) struct Scene {
    folder: PathBuf,
    disk: Arc<dyn Disk>,
    pub(super) world: Arc<SetWorld>,
    secrets: Secrets,
    keyring: Arc<Keyring>,
    pub(super) parts: RosterParts,
    pub(super) log: Log,
    pub(super) feeds: Feeds,
}

pub(super) fn acme() -> CustomerId {
    CustomerId::parse("acme").unwrap()
}

impl Scene {
    /// A new site in a folder, with the rules of [`parts`] in force.
    pub(super) fn new(folder: &Path) -> Self {
        Self::on(folder, Arc::new(RealDisk))
    }

    pub(super) fn on(folder: &Path, disk: Arc<dyn Disk>) -> Self {
        let world = Arc::new(SetWorld::new());
        let secrets = Secrets::create(
            &folder.join("keys"),
            &*world,
            KeyName::parse("north.test").unwrap(),
        )
        .unwrap();
        let real: Arc<dyn Disk> = Arc::new(RealDisk);
        let keyring = Keyring::create(real, &folder.join("keyring"), &secrets.kek).unwrap();
        let settings = settings(folder);
        create(&settings, &RealDisk, &first_batch(FORMAT)).unwrap();
        let opened = open(&settings, Arc::clone(&disk)).unwrap();
        let keyring = Arc::new(keyring);
        let nothing = RosterParts::new(SiteZone::parse("Europe/Stockholm").unwrap());
        let log = start(opened, &secrets, &keyring, &world, rules(&nothing, 0));
        let mut scene = Self::joined(folder, disk, world, (secrets, keyring), log);
        scene.change(parts()).unwrap();
        scene
    }

    fn joined(
        folder: &Path,
        disk: Arc<dyn Disk>,
        world: Arc<SetWorld>,
        (secrets, keyring): (Secrets, Arc<Keyring>),
        (log, feeds): (Log, Feeds),
    ) -> Self {
        let folder = folder.to_owned();
        Self {
            folder,
            disk,
            world,
            secrets,
            keyring,
            parts: parts(),
            log,
            feeds,
        }
    }

    /// Stops the log in order and starts it again.
    pub(super) fn restart(self) -> Self {
        let version = self.log.published.rules.load().roster.version();
        let Self {
            folder,
            disk,
            world,
            secrets,
            keyring,
            parts,
            log,
            feeds,
        } = self;
        drop(feeds);
        log.thread.stop();
        let opened = open(&settings(&folder), Arc::clone(&disk)).unwrap();
        let log = start(opened, &secrets, &keyring, &world, rules(&parts, version));
        let again = Self::joined(&folder, disk, world, (secrets, keyring), log);
        Self { parts, ..again }
    }

    /// Ends the log in order.
    pub(super) fn stop(self) {
        self.log.thread.stop();
    }

    /// Brings other rules into force.
    pub(super) fn change(&mut self, parts: RosterParts) -> Result<u64, crate::store::ChangeError> {
        let base_version = self.log.published.rules.load().roster.version();
        let change = RuleChange {
            base_version,
            batch: crate::store::Batch::new(),
            rules: rules(&parts, base_version + 1),
            kind: crate::pb::store::JournalKind::SiteChanged,
            actor: Caller::Operator("op".into()),
            detail: "changed by a test".to_owned(),
            takes_away: true,
            lists: Vec::new(),
        };
        self.parts = parts;
        run(self.log.scribe.change_rules(change))
    }

    /// An attempt with the known card, decided by the rules in force.
    pub(super) fn attempt(&self, counter: u64) -> AttemptEntry {
        self.attempt_with(counter, 7, PinEvidence::NotGiven)
    }

    /// An attempt with a card of this key.
    pub(super) fn attempt_with(&self, counter: u64, card: u8, pin: PinEvidence) -> AttemptEntry {
        let rules = self.log.published.rules.load();
        let now = self.world.now();
        let attempt = Attempt {
            access_point: point(),
            card: card_of(card),
            pin,
        };
        AttemptEntry {
            source: source(counter, 1),
            access_point: point(),
            card: card_of(card),
            pin,
            decision: decide(&rules.roster, &attempt, now.utc),
            rules_version: rules.roster.version(),
            event_at: now.utc,
            decided: now.moment,
        }
    }

    /// Has an attempt written.
    pub(super) fn record(&self, entry: AttemptEntry) -> Result<Recorded, AppendError> {
        run(self.log.scribe.record_attempt(entry))
    }

    /// How many leaves the feed has; each must be readable, with its index.
    pub(super) fn leaf_count(&self) -> u64 {
        let leaves = self.feeds.leaves(&acme(), 0, 100_000).unwrap();
        assert!(leaves.iter().all(|leaf| leaf.secret.is_some()));
        let next = leaves.last().map_or(0, |leaf| leaf.index + 1);
        assert!(
            leaves.iter().map(|leaf| leaf.index).eq(0..next),
            "no gap, no duplicate, no reorder"
        );
        next
    }
}

/// What was written, read after a stop; while the writer lives.
pub(super) fn reopened(folder: &Path) -> (Writer, Feeds) {
    let disk: Arc<dyn Disk> = Arc::new(RealDisk);
    let secrets = Secrets::load(&folder.join("keys")).unwrap();
    let keyring = Keyring::open(Arc::clone(&disk), &folder.join("keyring"), &secrets.kek).unwrap();
    let opened = open(&settings(folder), disk).unwrap();
    let feeds = Feeds::new(opened.reader, Arc::new(keyring), Arc::default());
    (opened.writer, feeds)
}

/// Waits for the scribe.
pub(super) fn run<T>(asked: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap()
        .block_on(asked)
}

/// Where an event was born; `body` tells one request from another.
pub(super) fn source(counter: u64, body: u8) -> Source {
    let controller = ControllerId::parse("gate").unwrap();
    let boot = BootId::parse("run-1").unwrap();
    Source {
        event: SourceEvent {
            controller,
            boot,
            counter,
        },
        body: [body; 16],
    }
}

pub(super) fn point() -> AccessPointId {
    AccessPointId::parse("d-in").unwrap()
}

pub(super) fn card_of(key: u8) -> PresentedCard {
    let format = CardFormat::parse("H10301").unwrap();
    PresentedCard {
        format,
        bit_length: 26,
        key: CardKey::from_bytes([key; 16]),
        check: CardCheck::Sound,
    }
}

fn settings(folder: &Path) -> crate::store::StoreConfig {
    crate::store::StoreConfig {
        segment_bytes: 1024 * 1024,
        ..config(&folder.join("store"), "one")
    }
}

fn rules(parts: &RosterParts, version: u64) -> Rules {
    let roster = Roster::compile(parts, version).unwrap();
    Rules {
        parts: Arc::new(parts.clone()),
        roster: Arc::new(roster),
    }
}

fn start(
    opened: Opened,
    secrets: &Secrets,
    keyring: &Arc<Keyring>,
    world: &Arc<SetWorld>,
    rules: Rules,
) -> (Log, Feeds) {
    let reader = opened.reader.clone();
    let world: Arc<dyn World> = world.clone();
    let parts = LogParts {
        site: SiteId::parse("north").unwrap(),
        log_name: KeyName::parse("north.test").unwrap(),
        pseudonym_key: secrets.pseudonym.clone(),
        keyring: Arc::clone(keyring),
        world,
        rules,
        segment_bytes: 1024 * 1024,
        queue: 64,
    };
    let log = start_log((opened, parts)).unwrap();
    let feeds = Feeds::new(
        reader,
        Arc::clone(keyring),
        Arc::clone(&log.published.doorbells),
    );
    (log, feeds)
}

/// One customer, one door into its cage, one person on its list, one that approved.
pub(super) fn parts() -> RosterParts {
    let mut parts = RosterParts::new(SiteZone::parse("Europe/Stockholm").unwrap());
    add_places(&mut parts);
    add_people(&mut parts);
    parts
}

fn name(text: &str) -> DisplayName {
    DisplayName::parse(text).unwrap()
}

fn cage() -> AreaId {
    AreaId::parse("cage").unwrap()
}

fn add_places(parts: &mut RosterParts) {
    let lobby = AreaId::parse("lobby").unwrap();
    let (door, gate) = (
        DoorId::parse("d").unwrap(),
        ControllerId::parse("gate").unwrap(),
    );
    let class = ProtectionClass::new(3).unwrap();
    let customer = Customer {
        id: acme(),
        display_name: name("Acme"),
        precision: Precision::Hour,
        shared_area_grants: false,
    };
    parts.customers.insert(acme(), customer);
    for (id, customers) in [(lobby.clone(), vec![]), (cage(), vec![acme()])] {
        let area = Area {
            id: id.clone(),
            display_name: name("area"),
            class,
            customers,
        };
        parts.areas.insert(id, area);
    }
    let controller = Controller {
        id: gate.clone(),
        display_name: name("gate"),
    };
    parts.controllers.insert(gate.clone(), controller);
    let named = Door {
        id: door.clone(),
        display_name: name("door"),
        drive: DoorDrive::Controller(gate),
        timing: DoorTiming::USUAL,
    };
    parts.doors.insert(door.clone(), named);
    let side = AccessPoint {
        id: point(),
        door,
        from_area: lobby,
        to_area: cage(),
        direction: Direction::Entry,
        default_requirement: FactorRequirement::Badge,
        factor_rules: Vec::new(),
    };
    parts.access_points.insert(point(), side);
}

fn add_people(parts: &mut RosterParts) {
    let person = |id| PersonId::parse(id).unwrap();
    for (id, may_approve) in [("p-1", false), ("p-9", true)] {
        let memberships = vec![Membership {
            customer: acme(),
            may_approve,
        }];
        let state = PersonState::Active;
        let validity = Validity::ALWAYS;
        let known = Person {
            id: person(id),
            state,
            validity,
            memberships,
        };
        parts.persons.insert(person(id), known);
    }
    let badge = Badge {
        id: BadgeId::parse("b-1").unwrap(),
        person: person("p-1"),
        state: BadgeState::Active,
        validity: Validity::ALWAYS,
        card: CardKey::from_bytes([7; 16]),
        number: Some(BadgeNumber::parse("A-1").unwrap()),
    };
    parts.badges.insert(badge.id.clone(), badge);
    let entry = EntryRef {
        customer: acme(),
        number: EntryNumber(1),
    };
    let line = AccessListEntry {
        entry: entry.clone(),
        person: person("p-1"),
        scope: Scope {
            areas: vec![cage()],
            doors: Vec::new(),
        },
        schedule: ScheduleId::always(),
        validity: Validity::ALWAYS,
        approver: person("p-9"),
    };
    parts.entries.insert(entry, line);
}
