//! Verifies a whole store that nobody has open, and builds its sled anew on request.

use std::{collections::BTreeMap, ops::Bound, sync::Arc};

use super::{
    batch::Op,
    disk::Disk,
    engine::{Engine, EngineFault},
    format::CommitSequence,
    marker::Marker,
    open::{self, OpenError},
    open_report::OpenReport,
    rebuild::{RebuildError, sled_folder},
    segments_all::Scanned,
    segments_commits::Commits,
    settings::StoreConfig,
    snapshot::{self, SnapshotInfo},
    tables::is_mutable,
};

/// Rows read at once.
const STEP_ROWS: usize = 1024;

/// What was found in a store whose segments are sound.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckReport {
    /// Segments read.
    pub segment_count: usize,
    /// Frames read; the commits are dense.
    pub frame_count: u64,
    /// The newest commit.
    pub newest: CommitSequence,
    /// Bytes of a torn commit behind the end; the next start zeroes them.
    pub torn_bytes: u64,
    /// Rows there are by the segments and the snapshot.
    pub row_count: usize,
    /// The snapshot that counts, if there is one.
    pub snapshot: Option<SnapshotInfo>,
    /// Rows that the snapshot has otherwise than the segments; all segments must be there.
    pub snapshot_wrong: u64,
    /// What is in sled.
    pub sled: SledChecked,
}

impl CheckReport {
    /// Whether nothing is wrong but what the next start mends by itself.
    pub fn is_sound(&self) -> bool {
        let sled_sound = match &self.sled {
            SledChecked::NotBelieved(_) => true,
            SledChecked::Compared { wrong, missing, .. } => wrong.saturating_add(*missing) == 0,
            SledChecked::Fails(_) => false,
        };
        self.snapshot_wrong == 0 && sled_sound
    }
}

/// What was found in sled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SledChecked {
    /// The next start will build it anew, so it was not looked at.
    NotBelieved(&'static str),
    /// It was compared row by row, but for what the next start applies to it.
    Compared {
        /// Rows that are right.
        right: u64,
        /// Rows with another value, or that should not be there.
        wrong: u64,
        /// Rows that are not there.
        missing: u64,
    },
    /// It does not open or cannot be read.
    Fails(String),
}

/// What every row should be, by checksum: rows themselves may be more than memory holds.
type Sums = BTreeMap<Arc<[u8]>, u32>;

/// Verifies a store. It must not be open. Nothing in it is changed but sled's own files.
///
/// Damage of the segments is an error; what else is wrong is in the report.
pub fn check(config: &StoreConfig, disk: &dyn Disk) -> Result<CheckReport, OpenError> {
    let _lock = open::lock(&config.folder)?;
    let scanned = open::scan_ours(config, disk)?;
    let snapshot = open::find_snapshot(config, disk, &scanned)?;
    let marker = Marker::read(disk, &config.folder);
    let vouched = marker.as_ref().map(|m| m.sequence);
    let whole = scanned.oldest() <= CommitSequence(1);
    let mut sums = Sums::new();
    if let (Some(info), false) = (&snapshot, whole) {
        read_snapshot(config, disk, info, |op| note(&mut sums, op))?;
    }
    // Where all segments are there, the snapshot is not needed and can be compared.
    let skip = snapshot.as_ref().filter(|_| !whole).map(|info| info.begin);
    let touched = replay(config, disk, &scanned, &mut sums, (skip, vouched))?;
    let snapshot_wrong = match &snapshot {
        Some(info) if whole => compare_snapshot(config, disk, &scanned, info, &sums)?,
        Some(_) | None => 0,
    };
    Ok(CheckReport {
        segment_count: scanned.segments.len(),
        frame_count: scanned.frame_count,
        newest: scanned.newest(),
        torn_bytes: scanned.last.rest_bytes()?,
        row_count: sums.len(),
        snapshot,
        snapshot_wrong,
        sled: check_sled(config, marker.as_ref(), &sums, &touched),
    })
}

/// Builds sled anew from the snapshot and the segments, and waits for it.
pub fn rebuild(config: &StoreConfig, disk: Arc<dyn Disk>) -> Result<OpenReport, OpenError> {
    let lock = open::lock(&config.folder)?;
    open::scan_ours(config, &*disk)?;
    Marker::remove(&*disk, &config.folder)?;
    drop(lock);
    let at_once = StoreConfig {
        rebuild_at_once_commits: u64::MAX,
        ..config.clone()
    };
    let opened = open::open(&at_once, disk)?;
    opened.writer.close();
    Ok(opened.report)
}

fn note(sums: &mut Sums, op: &Op) {
    match &op.value {
        Some(value) => sums.insert(Arc::clone(&op.key), crc32fast::hash(value)),
        None => sums.remove(&op.key),
    };
}

fn read_snapshot(
    config: &StoreConfig,
    disk: &dyn Disk,
    info: &SnapshotInfo,
    mut take: impl FnMut(&Op),
) -> Result<(), OpenError> {
    let plan = config.segment_plan();
    snapshot::read(disk, &plan, &info.path, |ops| {
        ops.iter().for_each(&mut take);
    })
    .map_err(RebuildError::from)?;
    Ok(())
}

/// Lays all commits over each other. Returns the keys that the next start applies to sled.
fn replay(
    config: &StoreConfig,
    disk: &dyn Disk,
    scanned: &Scanned,
    sums: &mut Sums,
    (in_snapshot, vouched): (Option<CommitSequence>, Option<CommitSequence>),
) -> Result<Sums, OpenError> {
    let first = scanned.segment_of(CommitSequence::NONE);
    let mut commits = Commits::from_segment(disk, &config.folder, first)?;
    let mut touched = Sums::new();
    while let Some((sequence, batch)) = commits.next_through(scanned.newest())? {
        for op in batch.ops() {
            if !(Some(sequence) <= in_snapshot && is_mutable(&op.key)) {
                note(sums, op);
            }
            if Some(sequence) > vouched {
                touched.insert(Arc::clone(&op.key), 0);
            }
        }
    }
    Ok(touched)
}

/// The snapshot with the commits from its begin on must be what the segments alone are.
fn compare_snapshot(
    config: &StoreConfig,
    disk: &dyn Disk,
    scanned: &Scanned,
    info: &SnapshotInfo,
    expected: &Sums,
) -> Result<u64, OpenError> {
    let mut sums = Sums::new();
    read_snapshot(config, disk, info, |op| note(&mut sums, op))?;
    let first = scanned.segment_of(info.begin.next());
    let mut commits = Commits::from_segment(disk, &config.folder, first)?;
    while let Some((sequence, batch)) = commits.next_through(scanned.newest())? {
        if sequence > info.begin {
            let changing = batch.ops().iter().filter(|op| is_mutable(&op.key));
            changing.for_each(|op| note(&mut sums, op));
        }
    }
    let extra = sums.keys().filter(|key| !expected.contains_key(*key));
    let differing = expected
        .iter()
        .filter(|(key, sum)| is_mutable(key) && sums.get(*key) != Some(*sum));
    Ok(count_u64(extra.count().saturating_add(differing.count())))
}

fn check_sled(
    config: &StoreConfig,
    marker: Option<&Marker>,
    sums: &Sums,
    touched: &Sums,
) -> SledChecked {
    let Some(marker) = marker else {
        return SledChecked::NotBelieved("there is no marker");
    };
    if marker.boot != config.boot {
        return SledChecked::NotBelieved("the kernel was started since");
    }
    match compare_sled(config, marker, sums, touched) {
        Ok(checked) => checked,
        Err(EngineFault(what)) => SledChecked::Fails(what),
    }
}

fn compare_sled(
    config: &StoreConfig,
    marker: &Marker,
    sums: &Sums,
    touched: &Sums,
) -> Result<SledChecked, EngineFault> {
    let engine = Engine::open(&sled_folder(&config.folder))?;
    if engine.applied()? < marker.sequence {
        return Ok(SledChecked::NotBelieved("it has less than the marker says"));
    }
    let (mut right, mut wrong, mut known): (u64, u64, u64) = (0, 0, 0);
    // Behind the engine's own row.
    let mut from = Bound::Included(vec![1]);
    loop {
        let start = from.as_ref().map(Vec::as_slice);
        let rows = engine.range(start, Bound::Unbounded, STEP_ROWS)?;
        let Some((last, _)) = rows.last() else {
            break;
        };
        from = Bound::Excluded(last.clone());
        for (key, value) in rows {
            if !touched.contains_key(key.as_slice()) {
                let sum = sums.get(key.as_slice());
                let same = sum == Some(&crc32fast::hash(&value));
                known = known.saturating_add(u64::from(sum.is_some()));
                let count = if same { &mut right } else { &mut wrong };
                *count = count.saturating_add(1);
            }
        }
    }
    let due = sums.keys().filter(|key| !touched.contains_key(*key));
    Ok(SledChecked::Compared {
        right,
        wrong,
        missing: count_u64(due.count()).saturating_sub(known),
    })
}

fn count_u64(count: usize) -> u64 {
    u64::try_from(count).unwrap_or(u64::MAX)
}
