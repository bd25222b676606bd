//! Whether sled is believed at opening. It is never asked about itself alone.

use std::ops::Bound;

use super::{
    base::{self, BaseTables},
    batch::Op,
    disk::Disk,
    engine::{Engine, EngineFault},
    format::CommitSequence,
    marker::Marker,
    open::OpenError,
    open_report::{RebuildReason, SledFound},
    rebuild::{self, RebuildError},
    segments_all::Scanned,
    segments_commits::Commits,
    settings::StoreConfig,
    tables::{ENTRIES_FROM, FeedLeafHashes, Table as _},
};

/// Rows read at once.
const STEP_ROWS: usize = 1024;

/// What becomes of sled.
pub(super) enum Found {
    /// It has all commits.
    Ready {
        engine: Engine,
        marked: CommitSequence,
        replayed: u64,
    },
    /// It is to be built anew.
    Rebuild(RebuildReason),
}

impl Found {
    pub(super) fn report(&self) -> SledFound {
        match self {
            Self::Ready { replayed, .. } => SledFound::Kept {
                replayed: *replayed,
            },
            Self::Rebuild(reason) => SledFound::Rebuilt(reason.clone()),
        }
    }
}

/// Whether the marker speaks for sled; looks only, and opens nothing.
pub(super) fn look(
    config: &StoreConfig,
    disk: &dyn Disk,
    scanned: &Scanned,
) -> Result<Result<Marker, RebuildReason>, OpenError> {
    let Some(marker) = Marker::read(disk, &config.folder) else {
        return Ok(Err(RebuildReason::NoMarker));
    };
    refuse_cut_short(scanned, marker.sequence)?;
    if marker.boot != config.boot {
        return Ok(Err(RebuildReason::OtherBoot));
    }
    Ok(Ok(marker))
}

/// Opens sled if the marker speaks for it, and applies what it lacks from the segments.
///
/// From the marker, never from sled's own row: that may be ahead of what is really there.
pub(super) fn bring_up(
    config: &StoreConfig,
    disk: &dyn Disk,
    scanned: &Scanned,
    found: Result<Marker, RebuildReason>,
) -> Result<Found, OpenError> {
    let marker = match found {
        Ok(marker) => marker,
        Err(reason) => return Ok(Found::Rebuild(reason)),
    };
    match open_marked(config, disk, scanned, &marker) {
        Err(OpenError::Rebuild(RebuildError::Engine(EngineFault(what)))) => {
            Ok(Found::Rebuild(RebuildReason::Fails(what)))
        }
        done => done,
    }
}

fn open_marked(
    config: &StoreConfig,
    disk: &dyn Disk,
    scanned: &Scanned,
    marker: &Marker,
) -> Result<Found, OpenError> {
    let fault = |fault: EngineFault| OpenError::Rebuild(fault.into());
    let engine = rebuild::open_engine(disk, &config.folder)?;
    let applied = engine.applied().map_err(fault)?;
    let vouched = marker.sequence;
    if applied < vouched {
        return Ok(Found::Rebuild(RebuildReason::Behind { applied, vouched }));
    }
    refuse_cut_short(scanned, applied)?;
    let first = scanned.segment_of(vouched.next());
    let mut commits = Commits::from_segment(disk, &config.folder, first)?;
    let mut replayed: u64 = 0;
    while let Some((sequence, batch)) = commits.next_through(scanned.newest())? {
        if sequence > vouched {
            engine.apply(batch.ops(), sequence).map_err(fault)?;
            replayed = replayed.saturating_add(1);
        }
    }
    Ok(Found::Ready {
        engine,
        marked: vouched,
        replayed,
    })
}

fn refuse_cut_short(scanned: &Scanned, promised: CommitSequence) -> Result<(), OpenError> {
    let end = scanned.newest();
    if promised > end {
        return Err(OpenError::CutShort { end, promised });
    }
    Ok(())
}

/// The mutable tables as sled has them, without leaf hashes.
pub(super) fn read_base(engine: &Engine) -> Result<BaseTables, OpenError> {
    let hashes = FeedLeafHashes::PREFIX;
    let mut tables = BaseTables::default();
    for (from, to) in [(1, hashes), (hashes.saturating_add(1), ENTRIES_FROM)] {
        let mut from = Bound::Included(vec![from]);
        loop {
            let start = from.as_ref().map(Vec::as_slice);
            let rows = engine
                .range(start, Bound::Excluded(&[to]), STEP_ROWS)
                .map_err(|fault| OpenError::Rebuild(fault.into()))?;
            let Some((last, _)) = rows.last() else {
                break;
            };
            from = Bound::Excluded(last.clone());
            for (key, value) in rows {
                debug_assert!(base::holds(&key));
                tables.apply_op(&Op {
                    key: key.into(),
                    value: Some(value.into()),
                });
            }
        }
    }
    Ok(tables)
}
