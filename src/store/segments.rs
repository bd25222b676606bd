//! The segments: append-only files, one frame per commit, and the truth of the store.
//!
//! A frame is one write and one sync, and the next is not written before that sync has returned.
//! So only the last frame can be torn by a power cut.

use std::{path::PathBuf, sync::Arc};

use super::{
    disk::{Disk, DiskFailure, DiskFile, failed_to},
    format::{
        self, CommitSequence, FORMAT, SEGMENT_HEADER_BYTES, SegmentHeader, SegmentId, encode_frame,
    },
    segments_scan::SegmentReader,
    segments_spare::{Spare, remove_spare},
};
use crate::types::SiteId;

/// Why a commit was not appended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum AppendError {
    /// It is longer than a segment; nothing was written.
    TooLarge,
    /// There is no next segment; nothing was written, and it may be tried again.
    NoSegment(DiskFailure),
    /// It is not known what is on the disk now.
    Failed(DiskFailure),
}

/// Whose segments they are and how long new ones become.
#[derive(Debug, Clone)]
pub(super) struct SegmentPlan {
    pub(super) folder: PathBuf,
    pub(super) site: SiteId,
    pub(super) node: u32,
    pub(super) segment_bytes: u64,
}

/// The segment that is being written, and the one prepared to follow it.
#[derive(Debug)]
pub(super) struct SegmentLog {
    disk: Arc<dyn Disk>,
    plan: SegmentPlan,
    file: Box<dyn DiskFile>,
    id: SegmentId,
    len_bytes: u64,
    position: u64,
    due: CommitSequence,
    spare: Option<Spare>,
}

impl SegmentLog {
    /// Writes the very first segment with its first commit in it.
    ///
    /// The file gets its name last, so that a store is there with its first commit or not at all.
    pub(super) fn create(
        disk: &dyn Disk,
        plan: &SegmentPlan,
        payload: &[u8],
    ) -> Result<(), AppendError> {
        let (id, first) = (SegmentId(1), CommitSequence(1));
        let frame = encode_frame(id, first, payload).ok_or(AppendError::TooLarge)?;
        if !fits_empty(plan.segment_bytes, len_u64(&frame)) {
            return Err(AppendError::TooLarge);
        }
        create_first(disk, plan, &header_of(plan, id, first), &frame).map_err(AppendError::Failed)
    }

    /// Goes on behind what was found in the last segment.
    pub(super) fn resume(disk: Arc<dyn Disk>, plan: SegmentPlan, last: SegmentReader) -> Self {
        let (id, position, due) = (last.header().segment, last.position(), last.due());
        let (file, len_bytes) = last.into_file();
        Self {
            disk,
            plan,
            file,
            id,
            len_bytes,
            position,
            due,
            spare: None,
        }
    }

    /// Number of the next commit.
    pub(super) fn due(&self) -> CommitSequence {
        self.due
    }

    /// Appends one commit; it is durable when this returns. Its length in the file is returned.
    pub(super) fn append(&mut self, payload: &[u8]) -> Result<u64, AppendError> {
        let payload_bytes = len_u64(payload);
        let frame_bytes = format::frame_bytes(payload_bytes);
        if frame_bytes > self.len_bytes.saturating_sub(self.position) {
            if !fits_empty(self.plan.segment_bytes, frame_bytes) {
                return Err(AppendError::TooLarge);
            }
            self.roll()?;
        }
        let frame = encode_frame(self.id, self.due, payload).ok_or(AppendError::TooLarge)?;
        let path = self.plan.folder.join(self.id.file_name());
        self.file
            .write_all_at(self.position, &frame)
            .map_err(failed_to("write", &path))
            .map_err(AppendError::Failed)?;
        self.file
            .sync_data()
            .map_err(failed_to("sync", &path))
            .map_err(AppendError::Failed)?;
        self.position = self.position.saturating_add(frame_bytes);
        self.due = self.due.next();
        Ok(frame_bytes)
    }

    /// Prepares a slice of the next segment. An error costs nothing but the preparation.
    pub(super) fn prepare(&mut self) -> Result<(), DiskFailure> {
        let done = self.prepare_slice();
        if done.is_err() {
            self.drop_spare();
        }
        done
    }

    /// Goes over to the next segment at once.
    ///
    /// The header is durable before the file gets its name, and the name before the file is used.
    pub(super) fn roll(&mut self) -> Result<(), AppendError> {
        let prepared = self.finish_spare();
        let file = match prepared {
            Ok(file) => file,
            Err(failure) => {
                self.drop_spare();
                return Err(AppendError::NoSegment(failure));
            }
        };
        self.disk
            .sync_folder(&self.plan.folder)
            .map_err(failed_to("sync", &self.plan.folder))
            .map_err(AppendError::Failed)?;
        self.file = file;
        self.id = self.id.next();
        self.len_bytes = self.plan.segment_bytes;
        self.position = SEGMENT_HEADER_BYTES;
        Ok(())
    }

    fn prepare_slice(&mut self) -> Result<(), DiskFailure> {
        let mut spare = self.take_spare()?;
        spare.fill_slice(self.plan.segment_bytes)?;
        self.spare = Some(spare);
        Ok(())
    }

    fn finish_spare(&mut self) -> Result<Box<dyn DiskFile>, DiskFailure> {
        let mut spare = self.take_spare()?;
        while !spare.is_filled(self.plan.segment_bytes) {
            spare.fill_slice(self.plan.segment_bytes)?;
        }
        let header = header_of(&self.plan, self.id.next(), self.due);
        spare.give_name(&*self.disk, &self.plan.folder, &header)
    }

    fn take_spare(&mut self) -> Result<Spare, DiskFailure> {
        match self.spare.take() {
            Some(spare) => Ok(spare),
            None => Spare::begin(&*self.disk, &self.plan.folder),
        }
    }

    /// Half a spare is of no use to anybody; it is begun anew at the next try.
    fn drop_spare(&mut self) {
        self.spare = None;
        if let Err(failure) = remove_spare(&*self.disk, &self.plan.folder) {
            tracing::warn!(%failure, "a half-made segment could not be removed");
        }
    }
}

fn create_first(
    disk: &dyn Disk,
    plan: &SegmentPlan,
    header: &SegmentHeader,
    frame: &[u8],
) -> Result<(), DiskFailure> {
    let folder = &plan.folder;
    let mut spare = Spare::begin(disk, folder)?;
    while !spare.is_filled(plan.segment_bytes) {
        spare.fill_slice(plan.segment_bytes)?;
    }
    spare.write(SEGMENT_HEADER_BYTES, frame)?;
    spare.give_name(disk, folder, header)?;
    disk.sync_folder(folder).map_err(failed_to("sync", folder))
}

fn header_of(plan: &SegmentPlan, segment: SegmentId, first: CommitSequence) -> SegmentHeader {
    SegmentHeader {
        segment,
        format: FORMAT,
        site: plan.site.clone(),
        node: plan.node,
        first,
    }
}

fn fits_empty(segment_bytes: u64, frame_bytes: u64) -> bool {
    frame_bytes <= segment_bytes.saturating_sub(SEGMENT_HEADER_BYTES)
}

fn len_u64(bytes: &[u8]) -> u64 {
    u64::try_from(bytes.len()).unwrap_or(u64::MAX)
}
