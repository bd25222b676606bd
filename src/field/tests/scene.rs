//! Lines, readers behind them, and somebody who listens.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use sluss_sim::{BusSettings, ReaderSettings, SecureKey, SimBus};
use tempfile::TempDir;
use tracing_subscriber::fmt::MakeWriter;

use crate::control::lines::{
    FromReader, LinkState, LinkStatus, ReaderEvent, ReaderLines as _, ReaderPlan,
};
use crate::control::{StrikeRelease, Unlock};
use crate::env::System;
use crate::field::{Field, FieldParts, FieldThreads, LineConfig};
use crate::store::receipt_for_tests;
use crate::types::{BusName, Moment, Now, ReaderAddress, ReaderId, ReaderSecurity, World};

pub(super) const SECOND: Duration = Duration::from_secs(1);
/// How long anything may take that has no deadline of its own.
const PATIENCE: Duration = Duration::from_secs(15);
pub(super) const BAUD: u32 = 115_200;

/// A clock that is ten seconds old from the start, so that there is a past.
#[derive(Debug)]
pub(super) struct Aged(System);

impl World for Aged {
    fn now(&self) -> Now {
        let now = self.0.now();
        Now {
            moment: now.moment.plus(10 * SECOND),
            ..now
        }
    }

    fn fill_random(&self, buffer: &mut [u8]) {
        self.0.fill_random(buffer);
    }
}

/// What was logged.
#[derive(Debug, Clone, Default)]
pub(super) struct Messages(Arc<Mutex<Vec<u8>>>);

impl io::Write for Messages {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Messages {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

impl Messages {
    /// Lines that hold some words.
    pub(super) fn with(&self, words: &str) -> Vec<String> {
        let text = String::from_utf8(self.0.lock().unwrap().clone()).unwrap();
        let lines = text.lines().filter(|line| line.contains(words));
        lines.map(str::to_owned).collect()
    }
}

pub(super) type Keys = Arc<Mutex<BTreeMap<ReaderId, [u8; 16]>>>;

/// Threads of lines, and somebody who listens to their readers.
pub(super) struct Scene {
    pub(super) field: Field,
    pub(super) world: Arc<Aged>,
    pub(super) messages: Messages,
    pub(super) keys: Keys,
    threads: Option<FieldThreads>,
    reports: Receiver<FromReader>,
}

pub(super) fn reader(name: &str) -> ReaderId {
    ReaderId::parse(name).unwrap()
}

/// A key that looks random.
pub(super) fn key(first: u8) -> [u8; 16] {
    let mut key = [
        0, 0x3D, 0x91, 0xE7, 0x5A, 0x08, 0xC4, 0x66, 0xB2, 0x1F, 0xD9, 0x70, 0x4C, 0xA3, 0x85, 0xFE,
    ];
    key[0] = first;
    key
}

/// A reader on a line of ours.
pub(super) fn plan(name: &str, bus: &str, address: u8) -> ReaderPlan {
    ReaderPlan {
        reader: reader(name),
        bus: BusName::parse(bus).unwrap(),
        address: ReaderAddress::new(address.into()).unwrap(),
        security: ReaderSecurity::SecureChannel,
    }
}

/// A simulated line at a path, with readers that have the keys of their addresses.
pub(super) fn simulated(path: &Path, addresses: &[u8]) -> SimBus {
    let settings = |address: &u8| ReaderSettings::secure(*address, SecureKey::new(key(*address)));
    let readers = addresses.iter().map(settings).collect();
    SimBus::start(BusSettings::new(path, BAUD), readers).unwrap()
}

/// A folder, and the path of a port in it.
pub(super) fn port() -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("port");
    (folder, path)
}

pub(super) fn is_online(report: &FromReader) -> bool {
    report.event == ReaderEvent::Online
}

impl Scene {
    /// Starts lines with the readers of some plans, whose keys are those of their addresses.
    pub(super) fn start(lines: &[(&str, &Path)], plans: Vec<ReaderPlan>) -> Self {
        let keys = plans
            .iter()
            .map(|plan| (plan.reader.clone(), key(plan.address.number())));
        let keys = Arc::new(Mutex::new(keys.collect()));
        Self::start_with(lines, plans, keys)
    }

    pub(super) fn start_with(lines: &[(&str, &Path)], plans: Vec<ReaderPlan>, keys: Keys) -> Self {
        let (sender, mut receiver) = tokio::sync::mpsc::channel(1_024);
        let scene = Self::start_reporting(lines, keys, sender, |forward| {
            std::thread::spawn(move || {
                while let Some(report) = receiver.blocking_recv() {
                    if forward.send(report).is_err() {
                        break;
                    }
                }
            });
        });
        scene.field.plan(plans);
        scene
    }

    pub(super) fn start_reporting(
        lines: &[(&str, &Path)],
        keys: Keys,
        reports: tokio::sync::mpsc::Sender<FromReader>,
        forward: impl FnOnce(std::sync::mpsc::Sender<FromReader>),
    ) -> Self {
        let messages = Messages::default();
        let subscriber = tracing_subscriber::fmt()
            .with_ansi(false)
            .with_max_level(tracing::Level::INFO)
            .with_writer(messages.clone())
            .finish();
        let world = Arc::new(Aged(System::start()));
        let config = |(name, port): &(&str, &Path)| LineConfig {
            name: BusName::parse(name).unwrap(),
            port: port.to_path_buf(),
            baud: BAUD,
        };
        let known = Arc::clone(&keys);
        let parts = FieldParts {
            lines: lines.iter().map(config).collect(),
            keys: Arc::new(move |reader| Ok(known.lock().unwrap().get(reader).copied())),
            world: Arc::<Aged>::clone(&world),
            reports,
        };
        let started = tracing::subscriber::with_default(subscriber, || Field::start(parts));
        let (field, threads) = started.unwrap();
        let (sender, reports) = channel();
        forward(sender);
        Self {
            field,
            world,
            messages,
            keys,
            threads: Some(threads),
            reports,
        }
    }

    pub(super) fn now(&self) -> Moment {
        self.world.now().moment
    }

    /// The next report that is wanted; fails where none comes.
    #[track_caller]
    pub(super) fn wait_for(&self, is_wanted: impl Fn(&FromReader) -> bool) -> FromReader {
        let mut seen = Vec::new();
        let end = self.now().plus(PATIENCE);
        loop {
            match self.reports.recv_timeout(end.since(self.now())) {
                Ok(report) if is_wanted(&report) => return report,
                Ok(report) => seen.push(report),
                Err(error) => panic!("{error}; seen {seen:?}, {:?}", self.messages.with("")),
            }
        }
    }

    /// Reports that come until something is so; fails where that takes too long.
    #[track_caller]
    pub(super) fn until(&self, mut is_so: impl FnMut(&Self) -> bool) -> Vec<FromReader> {
        let mut seen = Vec::new();
        let end = self.now().plus(PATIENCE);
        while !is_so(self) {
            match self.reports.recv_timeout(Duration::from_millis(20)) {
                Ok(report) => seen.push(report),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => panic!("nobody reports any more"),
            }
            assert!(
                self.now() < end,
                "seen {seen:?}, {:?}",
                self.field.statuses()
            );
        }
        seen
    }

    #[track_caller]
    pub(super) fn until_online(&self, name: &str) {
        let wanted = reader(name);
        self.wait_for(|report| report.reader == wanted && is_online(report));
    }

    /// What can be said of a reader.
    pub(super) fn status(&self, name: &str) -> LinkStatus {
        let is_it = |status: &LinkStatus| status.plan.reader == reader(name);
        self.field.statuses().into_iter().find(is_it).unwrap()
    }

    pub(super) fn state(&self, name: &str) -> LinkState {
        self.status(name).state
    }

    /// Leave to release a strike, `age` after its entry.
    pub(super) fn release(&self, lasts: Duration, age: Duration) -> StrikeRelease {
        let now = self.now();
        let recorded = now.since(Moment::from_start(age));
        let recorded = Moment::from_start(recorded);
        let (unlock, _) = Unlock::from_receipt(receipt_for_tests(recorded), recorded).unwrap();
        unlock.release(lasts, recorded).unwrap()
    }

    /// Ends all threads; how long that took.
    pub(super) fn stop(&mut self) -> Duration {
        let started = self.now();
        if let Some(threads) = self.threads.take() {
            threads.stop();
        }
        self.now().since(started)
    }
}
