//! Runs the store, cuts the power, makes images and opens them.

use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    thread,
    time::Instant,
};

use anyhow::{Context as _, Result, anyhow};
use sluss::store::{
    OpenError,
    disk::RealDisk,
    open,
    open_report::{RebuildReason, SledFound},
};
use tempfile::TempDir;

use crate::{
    args::Args,
    random::Random,
    recording::{Cut, LeftOut, RecordingDisk},
    workload::{Promise, Promises, Workload},
};

/// Commits in one run.
const COMMITS: u64 = 40;
/// Images made of one cut.
const IMAGES_PER_CUT: u64 = 3;
/// One image in so many is opened under the recorder and cut once more.
const CUT_AGAIN: u64 = 4;
/// Losses told one by one; more are counted.
const TOLD_MAX: usize = 10;

/// What became of images.
#[derive(Debug, Default)]
struct Tally {
    images: u64,
    runs: u64,
    cuts: u64,
    /// Images of a cut that came while an image was opened.
    cut_again: u64,
    acknowledged: u64,
    /// Commits found that were not acknowledged yet.
    unacknowledged: u64,
    torn: u64,
    rebuilt: u64,
    kept: u64,
    /// sled opened and had less than its marker vouched for.
    sled_behind: u64,
    /// sled did not open.
    sled_fails: u64,
    snapshots: u64,
    /// The power was cut before there was a store.
    no_store: u64,
    lost: u64,
    told: Vec<String>,
}

impl Tally {
    fn add(&mut self, other: Self) {
        self.images = self.images.saturating_add(other.images);
        self.runs = self.runs.saturating_add(other.runs);
        self.cuts = self.cuts.saturating_add(other.cuts);
        self.cut_again = self.cut_again.saturating_add(other.cut_again);
        self.acknowledged = self.acknowledged.saturating_add(other.acknowledged);
        self.unacknowledged = self.unacknowledged.saturating_add(other.unacknowledged);
        self.torn = self.torn.saturating_add(other.torn);
        self.rebuilt = self.rebuilt.saturating_add(other.rebuilt);
        self.kept = self.kept.saturating_add(other.kept);
        self.sled_behind = self.sled_behind.saturating_add(other.sled_behind);
        self.sled_fails = self.sled_fails.saturating_add(other.sled_fails);
        self.snapshots = self.snapshots.saturating_add(other.snapshots);
        self.no_store = self.no_store.saturating_add(other.no_store);
        self.lost = self.lost.saturating_add(other.lost);
        self.told.extend(other.told);
    }

    fn print(&self, title: &str, started: Instant) {
        println!(
            "crash: {title}: {} images of {} cuts in {} runs, {:.1} s",
            self.images,
            self.cuts,
            self.runs,
            started.elapsed().as_secs_f32()
        );
        println!(
            "crash:   {} commits were acknowledged before cuts, {} more were found",
            self.acknowledged, self.unacknowledged
        );
        println!(
            "crash:   {} torn ends, {} with a snapshot, {} cut before the store was there",
            self.torn, self.snapshots, self.no_store
        );
        println!(
            "crash:   {} cut again while being opened; sled kept {}, rebuilt {}: {} behind, {} not opening",
            self.cut_again, self.kept, self.rebuilt, self.sled_behind, self.sled_fails
        );
        println!("crash:   {} images lost something", self.lost);
        for told in self.told.iter().take(TOLD_MAX) {
            println!("crash:     {told}");
        }
    }
}

/// One kind of test.
#[derive(Debug, Clone, Copy)]
struct Plan {
    seed: u64,
    images: u64,
    left_out: LeftOut,
    /// Whether images are opened as if the kernel had not been started anew.
    same_boot: bool,
}

/// Runs the test and its controls; whether all is as it must be.
pub(crate) fn run(args: &Args) -> Result<bool> {
    if args.images == 0 {
        return Ok(true);
    }
    let real = Plan {
        seed: args.seed,
        images: args.images,
        left_out: LeftOut::Nothing,
        same_boot: false,
    };
    let sound = run_plan(real, "power cuts")?.lost == 0;
    let seeing = run_controls(args, real)?;
    println!(
        "crash: images {}",
        if sound && seeing { "ok" } else { "FAILED" }
    );
    Ok(sound && seeing)
}

/// The same without a sync; whether the test sees that.
fn run_controls(args: &Args, real: Plan) -> Result<bool> {
    let control = Plan {
        images: (args.images / 10).clamp(100, 400),
        ..real
    };
    let segments = Plan {
        left_out: LeftOut::Segments,
        ..control
    };
    let segments_lost = run_plan(segments, "control: segments not synced")?.lost;
    if segments_lost == 0 {
        println!("crash: leaving out the sync of segments lost nothing: the test is blind");
    }
    // No power cut leaves the boot id as it was. Given as if one did, sled is believed as far as
    // its marker vouches for it: with its sync left out that is much more often wrong.
    let believed = Plan {
        same_boot: true,
        ..control
    };
    let unsynced = Plan {
        left_out: LeftOut::Sled,
        ..believed
    };
    let synced_lost = run_plan(believed, "sled synced and believed")?.sled_lost();
    let unsynced_lost = run_plan(unsynced, "control: sled not synced and believed")?.sled_lost();
    println!("crash: sled lost what was vouched for {unsynced_lost} times, synced {synced_lost}");
    if unsynced_lost <= synced_lost {
        println!("crash: leaving out the sync of sled changed nothing: the test is blind");
    }
    Ok(segments_lost > 0 && unsynced_lost > synced_lost)
}

fn run_plan(plan: Plan, title: &str) -> Result<Tally> {
    #[expect(
        clippy::disallowed_methods,
        reason = "a figure for people, nothing depends on it"
    )]
    let started = Instant::now();
    let next = AtomicU64::new(0);
    let done = AtomicU64::new(0);
    let threads = thread::available_parallelism().map_or(1, usize::from);
    let work = || -> Result<Tally> {
        let mut tally = Tally::default();
        while done.load(Ordering::SeqCst) < plan.images {
            let number = next.fetch_add(1, Ordering::SeqCst);
            let seed = plan.seed.wrapping_mul(1_000_003).wrapping_add(number);
            let run = one_run(plan, seed).with_context(|| format!("run {number}"))?;
            done.fetch_add(run.images, Ordering::SeqCst);
            tally.add(run);
        }
        Ok(tally)
    };
    let mut tally = Tally::default();
    thread::scope(|scope| -> Result<()> {
        let workers: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        for worker in workers {
            tally.add(worker.join().map_err(|_| anyhow!("a worker panicked"))??);
        }
        Ok(())
    })?;
    tally.print(title, started);
    Ok(tally)
}

/// Fills one store, and looks at images of it.
fn one_run(plan: Plan, seed: u64) -> Result<Tally> {
    let workload = Workload { seed };
    let mut random = Random::part(seed, 1);
    let mut tally = Tally {
        runs: 1,
        ..Tally::default()
    };
    let folder = scratch()?;
    let promises = Promises::default();
    let parts = (20, plan.left_out);
    let disk = RecordingDisk::new(folder.path(), Random::part(seed, 2), parts, &promises)?;
    let config = Workload::config(folder.path(), "one")?;
    Workload::create(&config, &disk, &promises)?;
    workload.run(&config, Arc::new(disk.clone()), &promises, COMMITS)?;
    for cut in disk.cuts()? {
        tally.cuts = tally.cuts.saturating_add(1);
        for _ in 0..IMAGES_PER_CUT {
            let image = Image {
                plan,
                workload,
                boot: if plan.same_boot { "one" } else { "two" },
            };
            image.look(&cut, &mut random, &mut tally)?;
        }
    }
    Ok(tally)
}

#[derive(Debug, Clone, Copy)]
struct Image {
    plan: Plan,
    workload: Workload,
    boot: &'static str,
}

impl Image {
    /// Not in controls: what they lost once would be counted again.
    fn cuts_again(self) -> bool {
        self.plan.left_out == LeftOut::Nothing && !self.plan.same_boot
    }

    /// Makes an image, opens it, and sometimes cuts the power again meanwhile.
    fn look(self, cut: &Cut, random: &mut Random, tally: &mut Tally) -> Result<()> {
        let folder = scratch()?;
        cut.remains.write_image(folder.path(), random)?;
        if self.cuts_again() && random.once_in(CUT_AGAIN) {
            self.look_again(folder.path(), cut.promise, random, tally)?;
        } else {
            self.check(folder.path(), cut.promise, tally);
        }
        Ok(())
    }

    /// Opens an image under the recorder, goes on working, and looks at images of that.
    fn look_again(
        self,
        folder: &Path,
        before: Promise,
        random: &mut Random,
        tally: &mut Tally,
    ) -> Result<()> {
        let promises = Promises::new(before);
        let parts = (10, LeftOut::Nothing);
        let disk = RecordingDisk::new(folder, Random::new(random.next()), parts, &promises)?;
        let config = Workload::config(folder, self.boot)?;
        let count = random.below(4);
        let run = self
            .workload
            .run(&config, Arc::new(disk.clone()), &promises, count);
        if let Err(error) = run
            && !(before.commit == 0 && is_no_store(&error))
        {
            tally.tell(format!("after {}: {error:#}", before.commit));
        }
        let cuts = disk.cuts()?;
        let chosen = cuts
            .get(random.index(cuts.len()))
            .context("no cut was made")?;
        let again = scratch()?;
        chosen.remains.write_image(again.path(), random)?;
        tally.cut_again = tally.cut_again.saturating_add(1);
        let later = Self {
            boot: "three",
            ..self
        };
        later.check(again.path(), chosen.promise, tally);
        Ok(())
    }

    fn check(self, folder: &Path, promise: Promise, tally: &mut Tally) {
        tally.images = tally.images.saturating_add(1);
        tally.acknowledged = tally.acknowledged.saturating_add(promise.commit);
        match self.open_and_check(folder, promise, tally) {
            Ok(()) => {}
            Err(error) if promise.commit == 0 && is_no_store(&error) => {
                tally.no_store = tally.no_store.saturating_add(1);
            }
            Err(error) => tally.tell(format!("after {}: {error:#}", promise.commit)),
        }
    }

    fn open_and_check(self, folder: &Path, promise: Promise, tally: &mut Tally) -> Result<()> {
        let config = Workload::config(folder, self.boot)?;
        let store = open(&config, Arc::new(RealDisk))?;
        tally.torn = tally
            .torn
            .saturating_add(u64::from(store.report.zeroed_bytes > 0));
        let snapshot = u64::from(store.report.snapshot.is_some());
        tally.snapshots = tally.snapshots.saturating_add(snapshot);
        match &store.report.sled {
            SledFound::Kept { .. } => tally.kept = tally.kept.saturating_add(1),
            SledFound::Rebuilt(why) => {
                tally.rebuilt = tally.rebuilt.saturating_add(1);
                let behind = u64::from(matches!(why, RebuildReason::Behind { .. }));
                let fails = u64::from(matches!(why, RebuildReason::Fails(_)));
                tally.sled_behind = tally.sled_behind.saturating_add(behind);
                tally.sled_fails = tally.sled_fails.saturating_add(fails);
            }
        }
        let found = self.workload.check(&store, promise)?;
        let more = found.saturating_sub(promise.commit);
        tally.unacknowledged = tally.unacknowledged.saturating_add(more);
        Ok(())
    }
}

impl Tally {
    /// Images in which sled had not what its marker vouched for, whether that was noticed or not.
    fn sled_lost(&self) -> u64 {
        let noticed = self.sled_behind.saturating_add(self.sled_fails);
        noticed.saturating_add(self.lost)
    }

    fn tell(&mut self, what: String) {
        self.lost = self.lost.saturating_add(1);
        if self.told.len() < TOLD_MAX {
            self.told.push(what);
        }
    }
}

fn is_no_store(error: &anyhow::Error) -> bool {
    matches!(error.downcast_ref(), Some(OpenError::NoStore(_)))
}

/// A folder in memory where there is one: images are many and short-lived.
fn scratch() -> io::Result<TempDir> {
    let memory = PathBuf::from("/dev/shm");
    let base = if fs::metadata(&memory).is_ok_and(|m| m.is_dir()) {
        memory
    } else {
        std::env::temp_dir()
    };
    tempfile::Builder::new()
        .prefix("sluss-crash-")
        .tempdir_in(base)
}
