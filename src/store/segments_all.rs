//! Looks at all segments at opening, and mends the end of the last.

use std::path::Path;

use super::{
    disk::{Disk, failed_to},
    format::{CommitSequence, SegmentId},
    segments_scan::{DamageKind, ScanError, SegmentReader, Step, damage},
};

/// What a scan of all segments found.
#[derive(Debug)]
pub(super) struct Scanned {
    /// All segments with their first commits, oldest first.
    pub(super) segments: Vec<(SegmentId, CommitSequence)>,
    /// The last segment, read to its end.
    pub(super) last: SegmentReader,
    /// How many frames there are.
    pub(super) frame_count: u64,
}

impl Scanned {
    /// The newest commit.
    pub(super) fn newest(&self) -> CommitSequence {
        self.last.due().previous()
    }

    /// The oldest commit that is still there.
    pub(super) fn oldest(&self) -> CommitSequence {
        self.segments
            .first()
            .map_or(CommitSequence::NONE, |(_, first)| *first)
    }

    /// The segment a commit lies in, or would.
    pub(super) fn segment_of(&self, sequence: CommitSequence) -> SegmentId {
        self.segments
            .iter()
            .rev()
            .find(|(_, first)| *first <= sequence)
            .or(self.segments.first())
            .map_or(SegmentId(1), |(id, _)| *id)
    }
}

/// Reads every frame of every segment. Writes nothing.
///
/// The last one is synced first: what is read must not vanish later.
pub(super) fn scan(disk: &dyn Disk, folder: &Path) -> Result<Option<Scanned>, ScanError> {
    let names = disk.list(folder).map_err(failed_to("list", folder))?;
    let ids: Vec<SegmentId> = names
        .iter()
        .filter_map(|name| SegmentId::from_file_name(name))
        .collect();
    let (Some(first_id), Some(last_id)) = (ids.first(), ids.last()) else {
        return Ok(None);
    };
    SegmentReader::open(disk, folder, *last_id)?.sync()?;
    let mut segment = SegmentReader::open(disk, folder, *first_id)?;
    let mut segments = vec![(*first_id, segment.header().first)];
    let mut frame_count: u64 = 0;
    loop {
        let end = read_to_end(&mut segment, &mut frame_count)?;
        let id = segment.header().segment;
        if id == *last_id {
            refuse_good_behind(&segment)?;
            return Ok(Some(Scanned {
                segments,
                last: segment,
                frame_count,
            }));
        }
        if matches!(end, Step::Bad) {
            return Err(segment.damage(segment.position(), DamageKind::Frame));
        }
        segment = open_after(disk, folder, &segment)?;
        segments.push((segment.header().segment, segment.header().first));
    }
}

fn open_after(
    disk: &dyn Disk,
    folder: &Path,
    before: &SegmentReader,
) -> Result<SegmentReader, ScanError> {
    let id = before.header().segment.next();
    let path = folder.join(id.file_name());
    if !disk.exists(&path) {
        return Err(damage(&path, 0, DamageKind::Missing));
    }
    let next = SegmentReader::open(disk, folder, id)?;
    let (due, found) = (before.due(), next.header().first);
    if due != found {
        // The end of the one before is where commits are missing.
        return Err(before.damage(before.position(), DamageKind::Order { due, found }));
    }
    Ok(next)
}

fn read_to_end(segment: &mut SegmentReader, frame_count: &mut u64) -> Result<Step, ScanError> {
    loop {
        match segment.step()? {
            Step::Frame { .. } => *frame_count = frame_count.saturating_add(1),
            Step::OutOfOrder(found) => {
                let due = segment.due();
                return Err(segment.damage(segment.position(), DamageKind::Order { due, found }));
            }
            end @ (Step::End | Step::Bad) => return Ok(end),
        }
    }
}

fn refuse_good_behind(last: &SegmentReader) -> Result<(), ScanError> {
    match last.good_frame_behind(last.position())? {
        None => Ok(()),
        Some(good_offset) => {
            let kind = DamageKind::FrameBeforeGood { good_offset };
            Err(last.damage(last.position(), kind))
        }
    }
}

/// Zeroes what a torn commit left behind the end, and makes the last commit durable for certain.
///
/// Returns how many bytes were zeroed.
pub(super) fn mend_end(scanned: &Scanned) -> Result<u64, ScanError> {
    let zeroed_bytes = scanned.last.zero_rest()?;
    scanned.last.rewrite_last()?;
    scanned.last.sync()?;
    Ok(zeroed_bytes)
}
