//! The lines of a site, as the rest of the program holds them.

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{SyncSender, TrySendError, sync_channel};
use std::thread::JoinHandle;

use tokio::sync::mpsc::Sender;

use super::outbox::Outbox;
use super::port_state::PortState;
use super::readers::Readers;
use super::shared::{LineStatus, Message, Shared};
use super::thread::LineThread;
use crate::control::lines::{
    FromReader, LineFault, LinkState, LinkStatus, ReaderLines, ReaderOrder, ReaderPlan,
};
use crate::types::{BusName, ReaderId, World};
use crate::wire::osdp::{Baud, Bus, BusSettings};

/// Orders that may wait for one line: a strike, a light, a tone and a text for each of 8 readers,
/// twice.
const ORDERS_MAX: usize = 64;
/// Name of the thread of readers whose bus nobody configured.
const NOWHERE: &str = "unconfigured";

/// One serial line as it is configured.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LineConfig {
    /// Its name, by which readers say where they are.
    pub name: BusName,
    /// Path of its port, best a stable one below `/dev/serial/by-id`.
    pub port: PathBuf,
    /// Bits a second: 9,600, 19,200, 38,400, 57,600, 115,200 or 230,400.
    pub baud: u32,
}

/// Reads the key of a reader: `None` where it has none, words for people where it cannot be read.
///
/// Called from the threads of the lines, again every few seconds while a reader is not online.
pub type ReaderKeySource = Arc<dyn Fn(&ReaderId) -> Result<Option<[u8; 16]>, String> + Send + Sync>;

/// What the lines are made of.
pub struct FieldParts {
    /// The lines.
    pub lines: Vec<LineConfig>,
    /// Where keys come from.
    pub keys: ReaderKeySource,
    /// Clock and entropy.
    pub world: Arc<dyn World>,
    /// Who is told of readers. Where there is no room states wait, cards and keys are dropped.
    pub reports: Sender<FromReader>,
}

impl fmt::Debug for FieldParts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FieldParts")
            .field("lines", &self.lines)
            .finish_non_exhaustive()
    }
}

/// What all threads have in common.
struct Common {
    keys: ReaderKeySource,
    world: Arc<dyn World>,
    reports: Sender<FromReader>,
}

/// The way to one thread.
#[derive(Debug, Clone)]
struct Line {
    shared: Arc<Shared>,
    orders: SyncSender<Message>,
}

impl Line {
    /// Wakes the thread; where its queue is full it is awake.
    fn wake(&self) {
        drop(self.orders.try_send(Message::Look));
    }
}

/// The serial lines of a site. Orders go to the thread of a line; nothing here waits for one.
#[derive(Debug)]
pub struct Field {
    lines: BTreeMap<BusName, Line>,
    /// Readers whose bus nobody configured.
    nowhere: Line,
}

/// The threads of the lines. Dropping them ends them as [`FieldThreads::stop`] does.
#[derive(Debug)]
pub struct FieldThreads {
    running: Vec<(Line, JoinHandle<()>)>,
}

impl Field {
    /// Starts a thread for each line. No port has to be there: each is opened when it can be.
    ///
    /// Fails where a speed is none that OSDP knows, a name is there twice, or the system gives no
    /// thread.
    pub fn start(parts: FieldParts) -> io::Result<(Self, FieldThreads)> {
        let FieldParts {
            lines: configs,
            keys,
            world,
            reports,
        } = parts;
        let common = Common {
            keys,
            world,
            reports,
        };
        let mut threads = FieldThreads {
            running: Vec::new(),
        };
        let mut lines = BTreeMap::new();
        for config in configs {
            let baud = Baud::from_bits_per_second(config.baud);
            let baud = baud.ok_or_else(|| refused(&config, "no speed of OSDP"))?;
            let port = config.port.to_str();
            let port = port.ok_or_else(|| refused(&config, "a path that is not UTF-8"))?;
            let line = threads.start(&common, &config.name, Some((port, baud)))?;
            if lines.insert(config.name.clone(), line).is_some() {
                return Err(refused(&config, "a name that is taken"));
            }
        }
        let nowhere = BusName::parse(NOWHERE).map_err(io::Error::other)?;
        let nowhere = threads.start(&common, &nowhere, None)?;
        Ok((Self { lines, nowhere }, threads))
    }

    /// What can be said of each line, by name.
    pub fn lines(&self) -> Vec<LineStatus> {
        let lines = self.lines.values();
        lines.map(|line| line.shared.line()).collect()
    }

    fn all(&self) -> impl Iterator<Item = &Line> {
        self.lines.values().chain([&self.nowhere])
    }
}

fn refused(config: &LineConfig, what: &str) -> io::Error {
    let LineConfig { name, port, baud } = config;
    let port = port.display();
    io::Error::new(
        io::ErrorKind::InvalidInput,
        format!("bus `{name}` (port `{port}`, {baud} baud) has {what}"),
    )
}

impl ReaderLines for Field {
    fn plan(&self, plans: Vec<ReaderPlan>) {
        let mut by_line: BTreeMap<Option<&BusName>, Vec<ReaderPlan>> = BTreeMap::new();
        for plan in plans {
            let line = self.lines.get_key_value(&plan.bus).map(|(name, _)| name);
            by_line.entry(line).or_default().push(plan);
        }
        let nowhere = by_line.remove(&None).unwrap_or_default();
        for (name, line) in &self.lines {
            line.shared
                .plan(by_line.remove(&Some(name)).unwrap_or_default());
        }
        self.nowhere.shared.plan(nowhere);
        self.all().for_each(Line::wake);
    }

    fn send(&self, reader: &ReaderId, order: ReaderOrder) -> Result<(), LineFault> {
        let found = self
            .all()
            .find_map(|line| Some((line, line.shared.state_of(reader)?)));
        let (line, state) = found.ok_or_else(|| LineFault::Unknown(reader.clone()))?;
        match state {
            LinkState::Secure | LinkState::Plain => {}
            LinkState::Offline | LinkState::Refused | LinkState::LineDown => {
                return Err(LineFault::Offline(reader.clone()));
            }
        }
        let message = Message::Order(reader.clone(), order);
        line.orders.try_send(message).map_err(|error| match error {
            TrySendError::Full(_) => LineFault::Full(reader.clone()),
            TrySendError::Disconnected(_) => LineFault::Offline(reader.clone()),
        })
    }

    fn statuses(&self) -> Vec<LinkStatus> {
        let mut all: Vec<LinkStatus> = self.all().flat_map(|l| l.shared.statuses()).collect();
        all.sort_by(|a, b| a.plan.reader.cmp(&b.plan.reader));
        all
    }
}

impl FieldThreads {
    /// Ends all threads; strikes that are released are locked first where their readers answer.
    ///
    /// Blocks for about a second at most.
    pub fn stop(self) {
        drop(self);
    }

    fn start(
        &mut self,
        common: &Common,
        name: &BusName,
        port: Option<(&str, Baud)>,
    ) -> io::Result<Line> {
        let now = common.world.now().moment;
        let (orders, receiver) = sync_channel(ORDERS_MAX);
        let path = port.map(|(path, _)| path);
        let baud = port.map_or(Baud::B9600, |(_, baud)| baud);
        let shared = Arc::new(Shared::new(
            name.clone(),
            path.unwrap_or_default().to_owned(),
        ));
        let thread = LineThread {
            name: name.clone(),
            path: path.map(Arc::from),
            baud,
            shared: Arc::clone(&shared),
            orders: receiver,
            world: Arc::clone(&common.world),
            bus: Bus::new(BusSettings::new(baud)),
            readers: Readers::new(Arc::clone(&common.keys), now),
            outbox: Outbox::new(common.reports.clone()),
            state: PortState::new(now),
        };
        // Its messages go where those of whoever starts it go.
        let messages = tracing::dispatcher::get_default(Clone::clone);
        let handle = std::thread::Builder::new()
            .name(format!("bus-{name}"))
            .spawn(move || tracing::dispatcher::with_default(&messages, || thread.run()))?;
        let line = Line { shared, orders };
        self.running.push((line.clone(), handle));
        Ok(line)
    }
}

impl Drop for FieldThreads {
    fn drop(&mut self) {
        for (line, _) in &self.running {
            line.shared.stop();
            line.wake();
        }
        for (line, handle) in self.running.drain(..) {
            if handle.join().is_err() {
                let bus = line.shared.line().bus;
                tracing::error!(%bus, "the thread of this bus did not end in order");
            }
        }
    }
}
