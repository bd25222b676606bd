//! SIGKILL under load: nothing that a controller saw acknowledged may be missing, twice or moved.
//!
//! Eight controllers ask over mutual TLS. Each writes down every acknowledgement, synced, in a
//! file of its own: those files say what the server owes. Every other attempt shows a card of a
//! format that is used once, so that the customer's feed names the very attempt; the others are
//! grants and are counted. What was under way when the server died is repeated under its number.

#[path = "books.rs"]
mod books;
#[path = "doors.rs"]
mod doors;
#[path = "feed.rs"]
mod feed;
#[path = "../interop/house.rs"]
mod house;
#[path = "../interop/line.rs"]
mod line;
#[path = "station.rs"]
mod station;

use std::fmt;
use std::path::Path;
use std::time::Duration;

use anyhow::Context as _;
use tokio::runtime::Runtime;
use tokio::task::JoinSet;

use self::doors::{CUSTOMERS, STATIONS};
use self::feed::Feed;
use self::house::{House, Papers};
use self::station::{Station, Stop};
use crate::{args::Args, random::Random};

/// When the server is killed: so many milliseconds after it is ready, and so many more at most.
const KILL_AFTER_MS: u64 = 10;
const KILL_WITHIN_MS: u64 = 140;
/// In this time something is acknowledged, on the slowest machine.
const LONG_ENOUGH: Duration = Duration::from_secs(1);
/// Feeds are compared with their signed checkpoints after each so many kills.
const ROOTS_EVERY: u64 = 10;
/// Kills in the control; the last one is put back.
const CONTROL_KILLS: u64 = 3;
/// What the kills showed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct KillReport {
    /// Times that the server was killed.
    kills: u64,
    /// Attempts that a controller saw acknowledged.
    acknowledged: u64,
    /// Of these, acknowledged when repeated after a restart.
    repeated: u64,
    /// Attempts acknowledged that are in no feed.
    lost: u64,
    /// Attempts that are in a feed more than once.
    duplicates: u64,
    /// Indices that are missing in a feed.
    holes: u64,
    /// Attempts acknowledged under one entry and known under another later, and entries that
    /// were given to two attempts.
    moved: u64,
    /// Leaves that changed after they had been read.
    changed: u64,
    /// Times that a feed's root was computed anew and was the signed one.
    roots: u64,
    /// Leaves in the feeds at the end.
    leaves: u64,
}

impl KillReport {
    /// Whether nothing is missing, twice or changed, and something was looked at.
    fn is_clean(&self) -> bool {
        let faults = self.lost + self.duplicates + self.holes + self.moved + self.changed;
        faults == 0 && self.acknowledged > 0 && self.roots > 0
    }
}

impl fmt::Display for KillReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} kills, {} acknowledged ({} when repeated), {} leaves, {} roots: \
             {} lost, {} twice, {} holes, {} moved, {} changed",
            self.kills,
            self.acknowledged,
            self.repeated,
            self.leaves,
            self.roots,
            self.lost,
            self.duplicates,
            self.holes,
            self.moved,
            self.changed
        )
    }
}

/// Kills as often as it is told, and once more with a store that forgets; whether the first
/// showed no fault and the second did.
pub(crate) fn run(args: &Args) -> anyhow::Result<bool> {
    if args.kills == 0 {
        return Ok(true);
    }
    let report = run_on(Store::Keeps, args.kills, args.seed)?;
    println!("crash: {report}");
    let control = run_on(Store::Forgets, CONTROL_KILLS, args.seed)?;
    println!("crash: control: a store that forgets: {control}");
    if control.lost == 0 {
        println!("crash: putting the store back lost nothing: the test is blind");
    }
    let fine = report.is_clean() && control.lost > 0;
    println!("crash: kills {}", if fine { "ok" } else { "FAILED" });
    Ok(fine)
}

/// Whether the store is left alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Store {
    /// It is.
    Keeps,
    /// After the last kill it is put back to what it was at the kill before.
    Forgets,
}

/// Kills a server so many times under load and says what is missing. The seed sets the instants.
///
/// Fails where the test itself cannot go on; what the server owes is in the report.
fn run_on(store: Store, kills: u64, seed: u64) -> anyhow::Result<KillReport> {
    let folder = tempfile::tempdir()?;
    let runtime = Runtime::new()?;
    let _entered = runtime.enter();
    let mut scene = Scene::set(folder.path())?;
    let mut random = Random::new(seed);
    for kill in 1..=kills {
        let alive = match store {
            Store::Keeps => Duration::from_millis(KILL_AFTER_MS + random.below(KILL_WITHIN_MS)),
            Store::Forgets => LONG_ENOUGH,
        };
        runtime.block_on(scene.hammer_and_kill(alive))?;
        if store == Store::Forgets {
            scene.forget(kills - kill)?;
        }
        scene
            .house
            .start()
            .with_context(|| format!("start {kill}"))?;
        for feed in &mut scene.feeds {
            runtime.block_on(feed.read_on(kill % ROOTS_EVERY == 0))?;
        }
    }
    runtime.block_on(scene.settle())?;
    scene.report(kills)
}

/// The server, those who ask it and those who read.
struct Scene {
    house: House,
    stations: Vec<Station>,
    feeds: Vec<Feed>,
}

impl Scene {
    /// Makes the site, its people and its lists, and starts the server. Needs a runtime.
    fn set(folder: &Path) -> anyhow::Result<Self> {
        let mut house = House::make(folder)?;
        house.start()?;
        let mut feeds = Vec::new();
        let mut lists = Vec::new();
        for customer in CUSTOMERS {
            let papers = house.issue("customer", customer)?;
            feeds.push(Feed::new(customer, &house, &papers)?);
            lists.push((papers, doors::list(customer)));
        }
        let lists: Vec<(&Papers, &str)> = lists
            .iter()
            .map(|(papers, list)| (papers, list.as_str()))
            .collect();
        house.furnish(&doors::site(), &lists)?;
        let mut stations = Vec::new();
        for number in 0..STATIONS {
            let papers = house.issue("controller", &format!("gate-{number}"))?;
            let settings = line::settings(&house, &papers)?;
            let log = house.file(&format!("gate-{number}.log"));
            stations.push(Station::new(number, &settings, log)?);
        }
        Ok(Self {
            house,
            stations,
            feeds,
        })
    }

    /// Lets all stations ask, and kills the server after a while.
    async fn hammer_and_kill(&mut self, alive: Duration) -> anyhow::Result<()> {
        let stop = Stop::default();
        let mut tasks = JoinSet::new();
        for mut station in std::mem::take(&mut self.stations) {
            let stop = stop.clone();
            tasks.spawn(async move {
                let ended = station.ask_until(&stop).await;
                (station, ended)
            });
        }
        // A station that ends before the kill has met something other than a kill.
        let early = tokio::time::timeout(alive, tasks.join_next()).await;
        stop.kill(&mut self.house)?;
        let mut take = |(station, ended): (Station, anyhow::Result<()>)| {
            self.stations.push(station);
            ended
        };
        if let Ok(Some(done)) = early {
            take(done?)?;
        }
        while let Some(done) = tasks.join_next().await {
            take(done?)?;
        }
        self.stations.sort_by_key(Station::number);
        Ok(())
    }

    /// What was under way at the last kill is settled; then everything is read again.
    async fn settle(&mut self) -> anyhow::Result<()> {
        for station in &mut self.stations {
            station.settle().await?;
        }
        for feed in &mut self.feeds {
            feed.read_on(true).await?;
            feed.read_again().await?;
        }
        Ok(())
    }

    /// Keeps a copy of the store before the last kill, and puts it back after it.
    fn forget(&self, kills_left: u64) -> anyhow::Result<()> {
        let (store, before) = (self.house.file("site/store"), self.house.file("before"));
        match kills_left {
            1 => copy_folder(&store, &before),
            0 => {
                std::fs::remove_dir_all(&store)?;
                copy_folder(&before, &store)
            }
            _ => Ok(()),
        }
    }

    /// Holds what the stations were told against what the feeds say.
    fn report(&self, kills: u64) -> anyhow::Result<KillReport> {
        let mut report = KillReport {
            kills,
            ..KillReport::default()
        };
        let mut entries = std::collections::BTreeSet::new();
        for station in &self.stations {
            let feed = self
                .feeds
                .get(station.number() % CUSTOMERS.len())
                .context("each station has a customer")?;
            let told = station.told()?;
            report.acknowledged += told.count();
            report.moved += station.moved();
            report.repeated += told.repeated;
            for number in &told.marked {
                report.lost += u64::from(!feed.books.is_marked(&station.mark(*number)));
            }
            let grants = feed.books.grants_at(&station.access_point());
            report.lost += told.granted.saturating_sub(grants);
            report.duplicates += grants.saturating_sub(told.granted);
            for entry in told.entries {
                report.moved += u64::from(!entries.insert(entry));
            }
        }
        for feed in &self.feeds {
            report.holes += feed.books.holes();
            report.changed += feed.books.changed();
            report.roots += feed.roots;
            report.duplicates += feed.books.marked_twice();
            report.leaves += feed.books.leaf_count();
        }
        Ok(report)
    }
}

fn copy_folder(from: &Path, to: &Path) -> anyhow::Result<()> {
    std::fs::create_dir(to)?;
    for item in std::fs::read_dir(from)? {
        let item = item?;
        let target = to.join(item.file_name());
        if item.file_type()?.is_dir() {
            copy_folder(&item.path(), &target)?;
        } else {
            std::fs::copy(item.path(), target)?;
        }
    }
    Ok(())
}
