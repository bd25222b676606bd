//! Builds sled anew from the snapshot and the segments, in its own thread, while commits go on.

use std::{
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::JoinHandle,
};

use super::{
    batch::Op,
    disk::{Disk, DiskFailure, failed_to},
    engine::{Engine, EngineFault},
    format::{CommitSequence, SegmentId},
    marker::Marker,
    segments::SegmentPlan,
    segments_commits::Commits,
    segments_scan::ScanError,
    shared::{Shared, Source},
    snapshot::{self, SnapshotFault, SnapshotInfo},
    tables::is_mutable,
};

/// Puts and removes handed to sled at once.
const STEP_OPS: usize = 1024;
const SLED_NAME: &str = "sled";
const ASIDE_PREFIX: &str = "sled.broken-";

/// Why sled was not built.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RebuildError {
    /// sled failed; it may be tried again.
    #[error(transparent)]
    Engine(#[from] EngineFault),
    /// The disk refused; it may be tried again.
    #[error(transparent)]
    Disk(#[from] DiskFailure),
    /// The segments cannot be read; an operator must act.
    #[error(transparent)]
    Scan(#[from] ScanError),
    /// The snapshot cannot be read any more; an operator must act.
    #[error(transparent)]
    Snapshot(#[from] SnapshotFault),
}

/// What sled is built from.
#[derive(Debug, Clone)]
pub(super) struct RebuildPlan {
    pub(super) disk: Arc<dyn Disk>,
    pub(super) plan: SegmentPlan,
    pub(super) oldest_segment: SegmentId,
    pub(super) snapshot: Option<SnapshotInfo>,
}

/// Folder of sled.
pub(super) fn sled_folder(folder: &Path) -> PathBuf {
    folder.join(SLED_NAME)
}

/// A thread that rebuilds.
#[derive(Debug)]
pub(super) struct RebuildThread {
    thread: JoinHandle<Result<(), RebuildError>>,
    stop: Arc<AtomicBool>,
}

impl RebuildThread {
    /// Moves sled aside and starts.
    pub(super) fn start(plan: RebuildPlan, shared: Arc<Shared>) -> Result<Self, DiskFailure> {
        move_aside(&*plan.disk, &plan.plan.folder)?;
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let folder = plan.plan.folder.clone();
        let thread = std::thread::Builder::new()
            .name("store-rebuild".to_owned())
            .spawn(move || rebuild_behind(&plan, &shared, &stopped))
            .map_err(failed_to("start a thread for", &folder))?;
        Ok(Self { thread, stop })
    }

    /// Whether it has ended.
    pub(super) fn is_finished(&self) -> bool {
        self.thread.is_finished()
    }

    /// Waits for its end.
    pub(super) fn join(self) -> Result<(), RebuildError> {
        let panicked = || EngineFault("the rebuild panicked".to_owned());
        self.thread
            .join()
            .unwrap_or_else(|_| Err(panicked().into()))
    }

    /// Tells it to end, and waits.
    pub(super) fn stop(self) -> Result<(), RebuildError> {
        self.stop.store(true, Ordering::Relaxed);
        self.join()
    }
}

#[tracing::instrument(name = "store.rebuild", skip_all)]
fn rebuild_behind(
    plan: &RebuildPlan,
    shared: &Shared,
    stop: &AtomicBool,
) -> Result<(), RebuildError> {
    let done = rebuild_until_even(plan, shared, stop);
    match &done {
        Ok(()) => tracing::info!("the read store is rebuilt"),
        Err(RebuildError::Scan(ScanError::Damage(_)) | RebuildError::Snapshot(_)) => {
            let what = done.as_ref().err().map(ToString::to_string);
            shared.set_source(Source::Broken(what.unwrap_or_default()));
        }
        Err(
            RebuildError::Engine(_)
            | RebuildError::Disk(_)
            | RebuildError::Scan(ScanError::Disk(_)),
        ) => {}
    }
    done
}

fn rebuild_until_even(
    plan: &RebuildPlan,
    shared: &Shared,
    stop: &AtomicBool,
) -> Result<(), RebuildError> {
    let mut build = Build::start(plan, stop)?;
    while !stop.load(Ordering::Relaxed) {
        build.replay(shared.committed(), |has| shared.set_rebuilt(has))?;
        if stop.load(Ordering::Relaxed) {
            break;
        }
        match shared.hand_over(build.engine, build.has) {
            Ok(()) => return Ok(()),
            Err(engine) => build.engine = engine,
        }
    }
    Ok(())
}

/// A sled in the making.
struct Build<'a> {
    engine: Engine,
    has: CommitSequence,
    commits: Commits<'a>,
    snapshot_begin: CommitSequence,
    stop: &'a AtomicBool,
}

impl<'a> Build<'a> {
    fn start(plan: &'a RebuildPlan, stop: &'a AtomicBool) -> Result<Self, RebuildError> {
        let disk = &*plan.disk;
        let folder = &plan.plan.folder;
        let engine = open_engine(disk, folder)?;
        if let Some(info) = &plan.snapshot {
            load(plan, info, &engine, stop)?;
        }
        let commits = Commits::from_segment(disk, folder, plan.oldest_segment)?;
        let begin = plan.snapshot.as_ref().map(|info| info.begin);
        Ok(Self {
            engine,
            has: CommitSequence::NONE,
            commits,
            snapshot_begin: begin.unwrap_or(CommitSequence::NONE),
            stop,
        })
    }

    fn replay(
        &mut self,
        through: CommitSequence,
        mut progress: impl FnMut(CommitSequence),
    ) -> Result<(), RebuildError> {
        let mut ops: Vec<Op> = Vec::new();
        let mut last = self.has;
        while let Some((sequence, batch)) = self.commits.next_through(through)? {
            // Rows that change are in the snapshot up to its begin; older ones are not wanted back.
            let in_snapshot = sequence <= self.snapshot_begin;
            let wanted = |op: &&Op| !(in_snapshot && is_mutable(&op.key));
            ops.extend(batch.ops().iter().filter(wanted).cloned());
            last = sequence;
            if ops.len() >= STEP_OPS {
                self.apply(&mut ops, last)?;
                progress(last);
            }
            if self.stop.load(Ordering::Relaxed) {
                break;
            }
        }
        if last > self.has {
            self.apply(&mut ops, last)?;
        }
        progress(last);
        Ok(())
    }

    fn apply(&mut self, ops: &mut Vec<Op>, through: CommitSequence) -> Result<(), EngineFault> {
        self.engine.apply(ops, through)?;
        self.has = through;
        ops.clear();
        Ok(())
    }
}

/// Opens sled, and makes the names of its files durable, which it does not do itself.
pub(super) fn open_engine(disk: &dyn Disk, folder: &Path) -> Result<Engine, RebuildError> {
    let sled = sled_folder(folder);
    let engine = Engine::open(&sled)?;
    for names in [sled.as_path(), folder] {
        disk.sync_folder(names).map_err(failed_to("sync", names))?;
    }
    Ok(engine)
}

fn load(
    plan: &RebuildPlan,
    info: &SnapshotInfo,
    engine: &Engine,
    stop: &AtomicBool,
) -> Result<(), RebuildError> {
    let mut applied = Ok(());
    let read = snapshot::read(&*plan.disk, &plan.plan, &info.path, |ops| {
        if applied.is_ok() && !stop.load(Ordering::Relaxed) {
            applied = engine.apply(&ops, CommitSequence::NONE);
        }
    });
    read?;
    Ok(applied?)
}

/// Takes sled out of the way. Only the newest one put aside is kept.
///
/// The marker goes first: without it no half-built sled is ever believed.
fn move_aside(disk: &dyn Disk, folder: &Path) -> Result<(), DiskFailure> {
    Marker::remove(disk, folder)?;
    let sled = sled_folder(folder);
    if !disk.exists(&sled) {
        return Ok(());
    }
    let names = disk.list(folder).map_err(failed_to("list", folder))?;
    let number = |name: &String| -> Option<u64> { name.strip_prefix(ASIDE_PREFIX)?.parse().ok() };
    let newest = names.iter().filter_map(number).max().unwrap_or(0);
    let aside = folder.join(format!("{ASIDE_PREFIX}{}", newest.saturating_add(1)));
    disk.rename(&sled, &aside)
        .map_err(failed_to("rename", &sled))?;
    disk.sync_folder(folder)
        .map_err(failed_to("sync", folder))?;
    for older in names.iter().filter(|name| number(name).is_some()) {
        let path = folder.join(older);
        disk.remove_folder(&path)
            .map_err(failed_to("remove", &path))?;
    }
    Ok(())
}
