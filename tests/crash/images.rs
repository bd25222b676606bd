//! Runs a site, cuts the power, makes images and opens them.

use std::{
    collections::BTreeMap,
    fs, io,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    thread,
    time::Instant,
};

use anyhow::{Context as _, Result, anyhow};
use sluss::store::{disk::Disk, secrets::Secrets};
use tempfile::TempDir;

use crate::{
    args::Args,
    check::{Broken, Found, invariant_2_nothing_acknowledged_is_lost, is_not_made},
    held::{Clients, Held},
    random::Random,
    recording::{Cut, LeftOut, RecordingDisk},
    remains::make_folders,
    running::{self, Running},
    staged_world::StagedWorld,
    tally::{Column, Figure, Tally, print},
    workload::Workload,
};

/// How often each client asks for something in one run.
const TURNS: u64 = 24;
/// One cut in so many changes; some changes count more than once.
const CUT_ONE_IN: u64 = 40;
/// The same while an image is opened, which is shorter.
const CUT_ONE_IN_AGAIN: u64 = 12;
/// Images made of one cut.
const IMAGES_PER_CUT: u64 = 2;
/// One image in so many is opened under the recorder and cut once more.
const CUT_AGAIN: u64 = 4;

/// One kind of test.
#[derive(Debug, Clone)]
struct Plan {
    seed: u64,
    images: u64,
    left_out: LeftOut,
    /// Whether images are opened as if the kernel had not been started anew.
    same_boot: bool,
    secrets: Arc<Secrets>,
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
        secrets: running::secrets(args.seed)?,
    };
    let control = Plan {
        images: (args.images / 10).clamp(100, 400),
        ..real.clone()
    };
    let without = |left_out, same_boot| Plan {
        left_out,
        same_boot,
        ..control.clone()
    };
    // No power cut leaves the boot id as it was. Given as if one did, sled is not rebuilt but
    // believed as far as its marker vouches for it: with its sync left out that is much more
    // often wrong.
    let columns = [
        run_plan(&real, ("power", "cuts"))?,
        run_plan(
            &without(LeftOut::Segments, false),
            ("segments", "not synced"),
        )?,
        run_plan(&without(LeftOut::Keyring, false), ("keyring", "not synced"))?,
        run_plan(
            &without(LeftOut::Nothing, true),
            ("sled synced", "and believed"),
        )?,
        run_plan(
            &without(LeftOut::Sled, true),
            ("sled not synced", "and believed"),
        )?,
    ];
    print(&columns);
    let is_sound = is_as_due(&columns);
    println!("crash: images {}", if is_sound { "ok" } else { "FAILED" });
    Ok(is_sound)
}

/// The real run loses nothing; each control loses something, so that the test is seen to see.
fn is_as_due([real, segments, keyring, believed, unsynced]: &[Column; 5]) -> bool {
    let broken = |column: &Column| column.1.get(Figure::Broken);
    let sled = (believed.1.sled_lost(), unsynced.1.sled_lost());
    println!(
        "crash: sled had not what was vouched for {} times, synced {}",
        sled.1, sled.0
    );
    let rows = [
        (broken(real) == 0, "something was lost"),
        (
            broken(segments) > 0,
            "leaving out the sync of segments lost nothing: the test is blind",
        ),
        (
            broken(keyring) > 0,
            "leaving out the sync of the keyring lost nothing: the test is blind",
        ),
        (
            sled.1 > sled.0,
            "leaving out the sync of sled changed nothing: the test is blind",
        ),
    ];
    for (_, what) in rows.iter().filter(|(is_due, _)| !is_due) {
        println!("crash: {what}");
    }
    rows.iter().all(|(is_due, _)| *is_due)
}

/// Makes runs until there are images enough. Which runs count does not depend on threads.
fn run_plan(plan: &Plan, title: (&'static str, &'static str)) -> Result<Column> {
    #[expect(
        clippy::disallowed_methods,
        reason = "a figure for people, nothing depends on it"
    )]
    let started = Instant::now();
    let (next, done) = (AtomicU64::new(0), AtomicU64::new(0));
    let tallies = Mutex::new(BTreeMap::new());
    let threads = thread::available_parallelism().map_or(1, usize::from);
    let work = || -> Result<()> {
        while done.load(Ordering::SeqCst) < plan.images {
            let number = next.fetch_add(1, Ordering::SeqCst);
            let tally = one_run(plan, number).with_context(|| format!("run {number}"))?;
            done.fetch_add(tally.get(Figure::Images), Ordering::SeqCst);
            let mut tallies = tallies.lock().unwrap_or_else(PoisonError::into_inner);
            tallies.insert(number, tally);
        }
        Ok(())
    };
    thread::scope(|scope| -> Result<()> {
        let workers: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        for worker in workers {
            worker.join().map_err(|_| anyhow!("a worker panicked"))??;
        }
        Ok(())
    })?;
    let mut all = Tally::default();
    for tally in tallies
        .into_inner()
        .unwrap_or_else(PoisonError::into_inner)
        .into_values()
    {
        if all.get(Figure::Images) < plan.images {
            all.add(tally);
        }
    }
    Ok((title, all, started.elapsed().as_secs_f32()))
}

/// Lets one site work, and looks at images of it.
fn one_run(plan: &Plan, number: u64) -> Result<Tally> {
    let seed = plan.seed.wrapping_mul(1_000_003).wrapping_add(number);
    let mut tally = Tally::default();
    tally.count(Figure::Runs, 1);
    let folder = scratch()?;
    make_folders(folder.path())?;
    let clients = Clients::default();
    let parts = (CUT_ONE_IN, plan.left_out);
    let disk = RecordingDisk::new(folder.path(), Random::part(seed, 2), parts, &clients)?;
    let shared: Arc<dyn Disk> = Arc::new(disk.clone());
    running::make(folder.path(), &plan.secrets, &shared, &clients)?;
    let workload = Workload {
        seed,
        boot: "run-1",
        turns: TURNS,
    };
    work(plan, folder.path(), "one", (workload, &disk, &clients))?;
    let mut part = 1000_u64;
    for cut in disk.cuts()? {
        tally.count(Figure::Cuts, 1);
        for _ in 0..IMAGES_PER_CUT {
            // Chance of its own for each, so that none hangs on what was found in another.
            part = part.saturating_add(1);
            let mut random = Random::part(seed, part);
            Image { plan, number }.look(&cut, &mut random, &mut tally)?;
        }
    }
    Ok(tally)
}

/// Opens a site on the recording disk and lets it work.
fn work(
    plan: &Plan,
    folder: &Path,
    boot: &str,
    (workload, disk, clients): (Workload, &RecordingDisk, &Clients),
) -> Result<()> {
    let shared: Arc<dyn Disk> = Arc::new(disk.clone());
    let world = Arc::new(StagedWorld::waiting(Random::part(workload.seed, 3)));
    let running = Running::start(folder, boot, &plan.secrets, &shared, &world)?;
    workload.run(running, &world, clients, disk)
}

#[derive(Debug, Clone, Copy)]
struct Image<'a> {
    plan: &'a Plan,
    number: u64,
}

impl Image<'_> {
    /// Not in controls: what they lost once would be counted again.
    fn cuts_again(self) -> bool {
        self.plan.left_out == LeftOut::Nothing && !self.plan.same_boot
    }

    fn boot(self) -> &'static str {
        if self.plan.same_boot { "one" } else { "two" }
    }

    /// Makes an image, opens it, and sometimes cuts the power again meanwhile.
    fn look(self, cut: &Cut, random: &mut Random, tally: &mut Tally) -> Result<()> {
        let folder = scratch()?;
        cut.remains.write_image(folder.path(), random)?;
        if self.cuts_again() && random.once_in(CUT_AGAIN) {
            self.look_again(folder.path(), &cut.held, random, tally)?;
        } else {
            self.check((folder.path(), self.boot()), &cut.held, tally);
        }
        Ok(())
    }

    /// Opens an image under the recorder, goes on working, and looks at an image of that.
    fn look_again(
        self,
        folder: &Path,
        before: &Held,
        random: &mut Random,
        tally: &mut Tally,
    ) -> Result<()> {
        tally.count(Figure::CutAgain, 1);
        let clients = Clients::new(before.clone());
        let parts = (CUT_ONE_IN_AGAIN, LeftOut::Nothing);
        let disk = RecordingDisk::new(folder, Random::new(random.next()), parts, &clients)?;
        let workload = Workload {
            seed: random.next(),
            boot: "run-2",
            turns: random.below(3),
        };
        let worked = work(self.plan, folder, self.boot(), (workload, &disk, &clients));
        if let Err(error) = worked
            && !is_not_made(before.made, &error)
        {
            let mut found = Found::default();
            found.tell(Broken::Unopened, format!("{error:#}"));
            tally.image(&self.name(before), &found);
            return Ok(());
        }
        let cuts = disk.cuts()?;
        let chosen = cuts
            .get(random.index(cuts.len()))
            .context("no cut was made")?;
        let again = scratch()?;
        chosen.remains.write_image(again.path(), random)?;
        self.check((again.path(), "three"), &chosen.held, tally);
        Ok(())
    }

    fn check(self, (folder, boot): (&Path, &str), held: &Held, tally: &mut Tally) {
        tally.count(Figure::Entries, count(held.entries.len()));
        tally.count(Figure::Heads, count(held.heads.len()));
        let secrets = &self.plan.secrets;
        let found = invariant_2_nothing_acknowledged_is_lost(folder, boot, secrets, held);
        tally.image(&self.name(held), &found);
    }

    fn name(self, held: &Held) -> String {
        let entries = held.entries.len();
        format!("run {}, after {entries} entries", self.number)
    }
}

fn count(many: usize) -> u64 {
    u64::try_from(many).unwrap_or(u64::MAX)
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
