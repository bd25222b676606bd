//! When a snapshot is taken, and how its work is cut into slices.

use std::ops::Bound;

use super::{
    disk::{Disk, DiskFailure},
    reader::{ReadError, Reader},
    segments::SegmentPlan,
    snapshot::{SnapshotInfo, SnapshotWriter},
    tables::ENTRIES_FROM,
};

/// Rows written in one slice.
const SLICE_ROWS: usize = 1024;

/// Why no snapshot was taken. The one before is still there.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SnapshotError {
    /// The disk refused.
    #[error(transparent)]
    Disk(#[from] DiskFailure),
    /// Nothing can be read now.
    #[error(transparent)]
    Read(#[from] ReadError),
}

#[derive(Debug)]
struct Running {
    writer: SnapshotWriter,
    from: Bound<Vec<u8>>,
}

/// Takes snapshots, a slice at a time.
#[derive(Debug)]
pub(super) struct SnapshotTask {
    plan: SegmentPlan,
    every_bytes: u64,
    last_bytes: u64,
    unsaved_bytes: u64,
    running: Option<Running>,
}

impl SnapshotTask {
    pub(super) fn new(
        plan: SegmentPlan,
        every_bytes: u64,
        last_bytes: u64,
        unsaved_bytes: u64,
    ) -> Self {
        Self {
            plan,
            every_bytes,
            last_bytes,
            unsaved_bytes,
            running: None,
        }
    }

    /// Counts what was committed since the last snapshot began.
    pub(super) fn count(&mut self, frame_bytes: u64) {
        self.unsaved_bytes = self.unsaved_bytes.saturating_add(frame_bytes);
    }

    /// Does a slice of the snapshot that is due, if one is, and returns it when it is whole.
    ///
    /// One is due when the commits since the last are longer than it was, so that snapshots
    /// never write more than commits do.
    pub(super) fn advance(
        &mut self,
        disk: &dyn Disk,
        reader: &Reader,
    ) -> Result<Option<SnapshotInfo>, SnapshotError> {
        let due = self.unsaved_bytes >= self.every_bytes.max(self.last_bytes);
        if self.running.is_none() && !due {
            return Ok(None);
        }
        let done = self.slice(disk, reader);
        if done.is_err() {
            self.running = None;
        }
        match done {
            // While sled is rebuilt there is nothing to read; that is no fault of the snapshot.
            Err(SnapshotError::Read(ReadError::Rebuilding { .. })) => Ok(None),
            done => done,
        }
    }

    /// Takes a whole snapshot at once.
    pub(super) fn take_now(
        &mut self,
        disk: &dyn Disk,
        reader: &Reader,
    ) -> Result<SnapshotInfo, SnapshotError> {
        self.running = None;
        loop {
            let done = self.slice(disk, reader);
            if done.is_err() {
                self.running = None;
            }
            if let Some(info) = done? {
                return Ok(info);
            }
        }
    }

    fn slice(
        &mut self,
        disk: &dyn Disk,
        reader: &Reader,
    ) -> Result<Option<SnapshotInfo>, SnapshotError> {
        let mut running = match self.running.take() {
            Some(running) => running,
            None => self.begin(disk, reader)?,
        };
        let end = Bound::Excluded(vec![ENTRIES_FROM]);
        let rows = reader.raw(running.from.clone(), &end, SLICE_ROWS)?;
        running.writer.chunk(&rows)?;
        if rows.len() == SLICE_ROWS
            && let Some((last, _)) = rows.last()
        {
            running.from = Bound::Excluded(last.clone());
            self.running = Some(running);
            return Ok(None);
        }
        let info = running.writer.finish(disk, reader.committed())?;
        self.last_bytes = info.len_bytes;
        Ok(Some(info))
    }

    fn begin(&mut self, disk: &dyn Disk, reader: &Reader) -> Result<Running, SnapshotError> {
        let writer = SnapshotWriter::begin(disk, &self.plan, reader.committed())?;
        self.unsaved_bytes = 0;
        Ok(Running {
            writer,
            from: Bound::Included(vec![1]),
        })
    }
}
