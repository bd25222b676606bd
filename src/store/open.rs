//! Creates and opens a store: what is believed, what is mended, what is refused.

use std::{
    fs::{File, OpenOptions, TryLockError},
    path::{Path, PathBuf},
    sync::Arc,
};

use super::{
    base::{BaseTables, RowError},
    disk::{Disk, DiskFailure, failed_to},
    format::{CommitSequence, FORMAT, SegmentId},
    migrations::{self, MigrationError},
    open_engine::{self, Found},
    open_report::OpenReport,
    reader::Reader,
    rebuild::{RebuildError, RebuildPlan},
    segments::SegmentLog,
    segments_all::{self, Scanned},
    segments_commits::Commits,
    segments_scan::{Damage, ScanError, SegmentReader},
    segments_spare,
    settings::StoreConfig,
    shared::{Shared, Source},
    snapshot::{self, SnapshotFault, SnapshotInfo},
    tables::Meta,
    writer::{CommitError, Parts, Writer},
};
use crate::types::SiteId;

/// Why a store was not opened. Nothing that was acknowledged is ever cut off.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OpenError {
    /// There is none in this folder.
    #[error("there is no store in `{}`", .0.display())]
    NoStore(PathBuf),
    /// Another process has it open.
    #[error("the store in `{}` is in use", .0.display())]
    InUse(PathBuf),
    /// It was written by a newer program.
    #[error("the store has format {found}, this program knows up to {known}: use a newer program")]
    Newer {
        /// Format of the store.
        found: u32,
        /// Format of this program.
        known: u32,
    },
    /// It belongs to another site or node.
    #[error("the store belongs to node {node} of site `{site}`")]
    Foreign {
        /// Its site.
        site: SiteId,
        /// Its node.
        node: u32,
    },
    /// A segment is damaged.
    #[error(transparent)]
    Damaged(#[from] Damage),
    /// Commits that were durable are not in the segments any more.
    #[error("the segments end at commit {end}, but commit {promised} was durable")]
    CutShort {
        /// Where the segments end.
        end: CommitSequence,
        /// What was durable, by the marker, the snapshot or sled.
        promised: CommitSequence,
    },
    /// The oldest segments are gone and no whole snapshot stands in for them.
    #[error("the segments begin at commit {oldest} and there is no whole snapshot before it")]
    NoSnapshot {
        /// Where the segments begin.
        oldest: CommitSequence,
    },
    /// A row cannot be read, or the row of the store itself is missing.
    #[error(transparent)]
    Row(#[from] RowError),
    /// It is of an older format and could not be brought up to this one; it is unchanged.
    #[error(transparent)]
    Migration(#[from] MigrationError),
    /// The commit that brings it up to this format failed.
    #[error(transparent)]
    Commit(#[from] CommitError),
    /// sled could neither be opened nor built.
    #[error(transparent)]
    Rebuild(#[from] RebuildError),
    /// The disk refused.
    #[error(transparent)]
    Disk(#[from] DiskFailure),
}

impl From<ScanError> for OpenError {
    fn from(error: ScanError) -> Self {
        match error {
            ScanError::Disk(failure) => Self::Disk(failure),
            ScanError::Damage(damage) => Self::Damaged(damage),
        }
    }
}

/// An open store.
#[derive(Debug)]
pub struct Opened {
    /// Writes it; there is one.
    pub writer: Writer,
    /// Reads it.
    pub reader: Reader,
    /// The mutable tables but leaf hashes; to be dropped after the start.
    pub base: BaseTables,
    /// What was found.
    pub report: OpenReport,
}

/// Opens a store.
///
/// Reads every segment. A torn end is mended; damage is refused and nothing is changed. sled is
/// kept only if the marker vouches for it, and built anew otherwise: behind, if that is much.
#[tracing::instrument(name = "store.open", skip_all)]
pub fn open(config: &StoreConfig, disk: Arc<dyn Disk>) -> Result<Opened, OpenError> {
    let folder = config.folder.as_path();
    let lock = lock(folder)?;
    let scanned = scan_ours(config, &*disk)?;
    let snapshot = find_snapshot(config, &*disk, &scanned)?;
    let found = open_engine::look(config, &*disk, &scanned)?;
    let zeroed_bytes = segments_all::mend_end(&scanned)?;
    segments_spare::remove_leftovers(&*disk, folder)?;
    let state = open_engine::bring_up(config, &*disk, &scanned, found)?;
    let base = match &state {
        Found::Ready { engine, .. } => open_engine::read_base(engine)?,
        Found::Rebuild(_) => replay_base(config, &*disk, &scanned, snapshot.as_ref())?,
    };
    let report = OpenReport {
        newest: scanned.newest(),
        segment_count: scanned.segments.len(),
        frame_count: scanned.frame_count,
        zeroed_bytes,
        sled: state.report(),
        snapshot: snapshot.clone(),
        migrated_from: None,
    };
    let rebuild_plan = RebuildPlan {
        disk,
        plan: config.segment_plan(),
        oldest_segment: scanned.segment_of(CommitSequence::NONE),
        snapshot,
    };
    let writer = start(config, rebuild_plan, scanned, state, lock)?;
    finish_opening(writer, base, report)
}

/// Brings the format up if it is older, and hands the parts out.
fn finish_opening(
    mut writer: Writer,
    mut base: BaseTables,
    mut report: OpenReport,
) -> Result<Opened, OpenError> {
    let meta = base.get::<Meta>(&())?;
    let found = meta.ok_or(RowError { table: "Meta" })?.format;
    if found > FORMAT {
        let known = FORMAT;
        return Err(OpenError::Newer { found, known });
    }
    if found < FORMAT {
        let batch = migrations::run(&mut base, found, writer.config.now)?;
        writer.roll()?;
        writer.commit(batch)?;
        writer.apply();
        report.migrated_from = Some(found);
        tracing::info!(from = found, to = FORMAT, "the store has a new format");
    }
    Ok(Opened {
        reader: writer.reader(),
        writer,
        base,
        report,
    })
}

fn start(
    config: &StoreConfig,
    rebuild_plan: RebuildPlan,
    scanned: Scanned,
    state: Found,
    lock: File,
) -> Result<Writer, OpenError> {
    let newest = scanned.newest();
    let saved = rebuild_plan.snapshot.as_ref().map(|info| info.begin);
    let unsaved_bytes = unsaved_bytes(config, &scanned, saved);
    let (source, marked, rebuild) = match state {
        Found::Ready { engine, marked, .. } => (Source::Ready(Arc::new(engine)), marked, false),
        Found::Rebuild(_) => (Source::Rebuilding, CommitSequence::NONE, true),
    };
    let log = SegmentLog::resume(
        Arc::clone(&rebuild_plan.disk),
        config.segment_plan(),
        scanned.last,
    );
    let mut writer = Writer::new(Parts {
        config: config.clone(),
        shared: Arc::new(Shared::new(source, newest)),
        log,
        rebuild_plan,
        marked,
        unsaved_bytes,
        lock,
    });
    if rebuild {
        writer.start_rebuild()?;
        if scanned.frame_count <= config.rebuild_at_once_commits {
            writer.finish_rebuild()?;
        }
    }
    Ok(writer)
}

/// Takes the lock that keeps a second process out. It ends with the process.
pub(super) fn lock(folder: &Path) -> Result<File, OpenError> {
    if !folder.is_dir() {
        return Err(OpenError::NoStore(folder.to_owned()));
    }
    let path = folder.join("lock");
    // Not by way of `Disk`: nothing is ever written to it, and no power cut matters to it.
    let mut options = OpenOptions::new();
    options.create(true).truncate(false).write(true);
    let file = options.open(&path).map_err(failed_to("open", &path))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(OpenError::InUse(folder.to_owned())),
        Err(TryLockError::Error(error)) => Err(failed_to("lock", &path)(error).into()),
    }
}

/// Reads all segments, if they are of this site and node and of no newer format.
pub(super) fn scan_ours(config: &StoreConfig, disk: &dyn Disk) -> Result<Scanned, OpenError> {
    let folder = config.folder.as_path();
    let names = disk.list(folder).map_err(failed_to("list", folder))?;
    let newest = names
        .iter()
        .rev()
        .find_map(|n| SegmentId::from_file_name(n));
    let no_store = || OpenError::NoStore(folder.to_owned());
    let newest = newest.ok_or_else(no_store)?;
    let header = SegmentReader::open(disk, folder, newest)?.header().clone();
    if header.format > FORMAT {
        let (found, known) = (header.format, FORMAT);
        return Err(OpenError::Newer { found, known });
    }
    if header.site != config.site || header.node != config.node {
        let (site, node) = (header.site, header.node);
        return Err(OpenError::Foreign { site, node });
    }
    segments_all::scan(disk, folder)?.ok_or_else(no_store)
}

/// The newest whole snapshot that the segments go on from.
pub(super) fn find_snapshot(
    config: &StoreConfig,
    disk: &dyn Disk,
    scanned: &Scanned,
) -> Result<Option<SnapshotInfo>, OpenError> {
    let folder = config.folder.as_path();
    let plan = config.segment_plan();
    for name in snapshot::names(disk, folder)?.iter().rev() {
        match snapshot::read(disk, &plan, &folder.join(name), |_| ()) {
            Ok(info) if info.end > scanned.newest() => {
                let (end, promised) = (scanned.newest(), info.end);
                return Err(OpenError::CutShort { end, promised });
            }
            Ok(info) if info.begin.next() >= scanned.oldest() => return Ok(Some(info)),
            Ok(info) => tracing::warn!(begin = %info.begin, "a snapshot is too old to be used"),
            Err(SnapshotFault::Disk(failure)) => return Err(failure.into()),
            Err(fault @ SnapshotFault::Damaged(_)) => {
                tracing::warn!(%fault, "a snapshot is not used");
            }
        }
    }
    let oldest = scanned.oldest();
    if oldest > CommitSequence(1) {
        return Err(OpenError::NoSnapshot { oldest });
    }
    Ok(None)
}

/// The mutable tables from the snapshot and the segments, without sled.
fn replay_base(
    config: &StoreConfig,
    disk: &dyn Disk,
    scanned: &Scanned,
    snapshot: Option<&SnapshotInfo>,
) -> Result<BaseTables, OpenError> {
    let mut base = BaseTables::default();
    let mut begin = CommitSequence::NONE;
    if let Some(info) = snapshot {
        let take = |ops: Vec<_>| ops.iter().for_each(|op| base.apply_op(op));
        let read = snapshot::read(disk, &config.segment_plan(), &info.path, take);
        read.map_err(RebuildError::from)?;
        begin = info.begin;
    }
    let first = scanned.segment_of(begin.next());
    let mut commits = Commits::from_segment(disk, &config.folder, first)?;
    while let Some((sequence, batch)) = commits.next_through(scanned.newest())? {
        if sequence > begin {
            base.apply(&batch);
        }
    }
    Ok(base)
}

/// How long the segments are that no snapshot covers, counted by whole segments.
fn unsaved_bytes(config: &StoreConfig, scanned: &Scanned, saved: Option<CommitSequence>) -> u64 {
    let from = scanned.segment_of(saved.unwrap_or(CommitSequence::NONE).next());
    let whole = scanned.segments.iter().filter(|(id, _)| *id > from).count();
    u64::try_from(whole)
        .unwrap_or(u64::MAX)
        .saturating_mul(config.segment_bytes)
}
