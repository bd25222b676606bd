//! Reads commits over all segments, in their order.

use std::path::Path;

use super::{
    batch::Batch,
    disk::Disk,
    format::{CommitSequence, SegmentId},
    segments_scan::{DamageKind, ScanError, SegmentReader, Step, damage},
};

/// Commits in their order, over all segments from one on.
#[derive(Debug)]
pub(super) struct Commits<'a> {
    disk: &'a dyn Disk,
    folder: &'a Path,
    segment: SegmentReader,
}

impl<'a> Commits<'a> {
    /// Starts at the first commit of a segment.
    pub(super) fn from_segment(
        disk: &'a dyn Disk,
        folder: &'a Path,
        id: SegmentId,
    ) -> Result<Self, ScanError> {
        Ok(Self {
            segment: SegmentReader::open(disk, folder, id)?,
            disk,
            folder,
        })
    }

    /// The next commit, up to one that is known to be durable; `None` behind that.
    pub(super) fn next_through(
        &mut self,
        through: CommitSequence,
    ) -> Result<Option<(CommitSequence, Batch)>, ScanError> {
        while self.segment.due() <= through {
            let offset = self.segment.position();
            match self.segment.step()? {
                Step::Frame { sequence, payload } => {
                    let batch = Batch::decode(&payload);
                    let batch =
                        batch.map_err(|_| self.segment.damage(offset, DamageKind::Payload))?;
                    return Ok(Some((sequence, batch)));
                }
                Step::End => self.next_segment()?,
                Step::Bad => {
                    return Err(self.segment.damage(offset, DamageKind::Frame));
                }
                Step::OutOfOrder(found) => {
                    let due = self.segment.due();
                    return Err(self
                        .segment
                        .damage(offset, DamageKind::Order { due, found }));
                }
            }
        }
        Ok(None)
    }

    fn next_segment(&mut self) -> Result<(), ScanError> {
        let due = self.segment.due();
        let id = self.segment.header().segment.next();
        if !self.disk.exists(&self.folder.join(id.file_name())) {
            return Err(damage(
                &self.folder.join(id.file_name()),
                0,
                DamageKind::Missing,
            ));
        }
        self.segment = SegmentReader::open(self.disk, self.folder, id)?;
        let found = self.segment.header().first;
        if found != due {
            return Err(self.segment.damage(0, DamageKind::Order { due, found }));
        }
        Ok(())
    }
}
