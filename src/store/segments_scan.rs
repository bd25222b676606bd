//! Reads segments: what is in them, where they end, and whether an end is torn or damaged.

use std::{
    io,
    path::{Path, PathBuf},
};

use super::{
    disk::{Disk, DiskFailure, DiskFile, failed_to},
    format::{
        CommitSequence, FRAME_ALIGN_BYTES, FRAME_HEADER_BYTES, FrameHeader, SEGMENT_HEADER_BYTES,
        SegmentHeader, SegmentId,
    },
};

/// How much is looked at in one go when looking for frames or bytes that are not zero.
const WINDOW_BYTES: usize = 64 * 1024;

/// What is wrong in a file whose bytes were durable once.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DamageKind {
    /// The header is none, or names another segment.
    #[error("its header is damaged")]
    Header,
    /// A bad frame, and a valid one behind it.
    #[error("a frame is bad, and a good one lies behind it at offset {good_offset}")]
    FrameBeforeGood {
        /// Where the good one lies.
        good_offset: u64,
    },
    /// A bad frame where only a good one can be: what lies behind it was durable too.
    #[error("a frame that was durable is bad")]
    Frame,
    /// A good frame with another number than the one that is due.
    #[error("commit {found} lies where {due} is due")]
    Order {
        /// Which one is due.
        due: CommitSequence,
        /// Which one is there.
        found: CommitSequence,
    },
    /// A frame whose checksum is right and whose payload is none.
    #[error("a frame cannot be understood")]
    Payload,
    /// The file is not there, but one after it is.
    #[error("it is missing, and later ones are there")]
    Missing,
}

/// Damage, and where.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{}` is damaged at offset {offset}: {kind}", file.display())]
pub struct Damage {
    /// The file.
    pub file: PathBuf,
    /// Where in it, in bytes.
    pub offset: u64,
    /// What.
    pub kind: DamageKind,
}

/// Why segments could not be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ScanError {
    /// The disk refused.
    #[error(transparent)]
    Disk(#[from] DiskFailure),
    /// The bytes are not what was written.
    #[error(transparent)]
    Damage(#[from] Damage),
}

/// What lies at a position.
#[derive(Debug)]
pub(super) enum Step {
    /// The frame that is due.
    Frame {
        /// Its commit.
        sequence: CommitSequence,
        /// What is in it.
        payload: Vec<u8>,
    },
    /// Nothing was ever written here.
    End,
    /// Something that is no frame.
    Bad,
    /// A frame, but not the one that is due.
    OutOfOrder(CommitSequence),
}

/// Reads one segment from front to back.
#[derive(Debug)]
pub(super) struct SegmentReader {
    file: Box<dyn DiskFile>,
    path: PathBuf,
    header: SegmentHeader,
    len_bytes: u64,
    position: u64,
    last_frame: Option<u64>,
    due: CommitSequence,
}

impl SegmentReader {
    /// Opens a segment and reads its header.
    pub(super) fn open(disk: &dyn Disk, folder: &Path, id: SegmentId) -> Result<Self, ScanError> {
        let path = folder.join(id.file_name());
        let file = disk.open(&path).map_err(failed_to("open", &path))?;
        let len_bytes = file.len_bytes().map_err(failed_to("measure", &path))?;
        let head = read_at(&*file, &path, 0, SEGMENT_HEADER_BYTES.min(len_bytes))?;
        let header = SegmentHeader::decode(&head).filter(|h| h.segment == id);
        let Some(header) = header else {
            return Err(damage(&path, 0, DamageKind::Header));
        };
        Ok(Self {
            due: header.first,
            file,
            path,
            header,
            len_bytes,
            position: SEGMENT_HEADER_BYTES,
            last_frame: None,
        })
    }

    /// Its header.
    pub(super) fn header(&self) -> &SegmentHeader {
        &self.header
    }

    /// Where the next frame is due.
    pub(super) fn position(&self) -> u64 {
        self.position
    }

    /// Which commit is due next.
    pub(super) fn due(&self) -> CommitSequence {
        self.due
    }

    /// Damage of this file.
    pub(super) fn damage(&self, offset: u64, kind: DamageKind) -> ScanError {
        damage(&self.path, offset, kind)
    }

    /// Looks at the position, and goes on behind it if the frame that is due is there.
    pub(super) fn step(&mut self) -> Result<Step, ScanError> {
        if self.room() < FRAME_HEADER_BYTES {
            return Ok(Step::End);
        }
        let head = read_at(&*self.file, &self.path, self.position, FRAME_HEADER_BYTES)?;
        if is_zero(&head) {
            return Ok(Step::End);
        }
        let Some((header, payload)) = self.frame_at(self.position, &head)? else {
            return Ok(Step::Bad);
        };
        if header.sequence != self.due {
            return Ok(Step::OutOfOrder(header.sequence));
        }
        self.last_frame = Some(self.position);
        self.position = self.position.saturating_add(header.frame_bytes());
        self.due = self.due.next();
        Ok(Step::Frame {
            sequence: header.sequence,
            payload,
        })
    }

    /// Offset of the first good frame behind an offset.
    pub(super) fn good_frame_behind(&self, offset: u64) -> Result<Option<u64>, ScanError> {
        let step = usize::try_from(FRAME_ALIGN_BYTES).unwrap_or(1);
        let mut from = offset.saturating_add(FRAME_ALIGN_BYTES);
        while let Some(window) = self.window(from)? {
            if !is_zero(&window) {
                for (at, word) in (from..).step_by(step).zip(window.chunks(step)) {
                    if !is_zero(word) && self.is_frame(at)? {
                        return Ok(Some(at));
                    }
                }
            }
            from = from.saturating_add(u64::try_from(window.len()).unwrap_or(u64::MAX));
        }
        Ok(None)
    }

    /// How much behind the position is not zero, counted by windows.
    pub(super) fn rest_bytes(&self) -> Result<u64, ScanError> {
        self.each_rest(|_, _| Ok(()))
    }

    /// Zeroes all behind the position that is not zero, and says how much that was.
    pub(super) fn zero_rest(&self) -> Result<u64, ScanError> {
        self.each_rest(|from, window| {
            let zeroed = self.file.write_all_at(from, &vec![0; window.len()]);
            Ok(zeroed.map_err(failed_to("write", &self.path))?)
        })
    }

    fn each_rest(
        &self,
        mut found: impl FnMut(u64, &[u8]) -> Result<(), ScanError>,
    ) -> Result<u64, ScanError> {
        let mut found_bytes: u64 = 0;
        let mut from = self.position;
        while let Some(window) = self.window(from)? {
            let window_bytes = u64::try_from(window.len()).unwrap_or(u64::MAX);
            if !is_zero(&window) {
                found(from, &window)?;
                found_bytes = found_bytes.saturating_add(window_bytes);
            }
            from = from.saturating_add(window_bytes);
        }
        Ok(found_bytes)
    }

    /// Writes the last frame once more as it is.
    ///
    /// A sync that failed in an earlier run may have left it in memory marked as written; only
    /// a page that is written anew is certain to be synced.
    pub(super) fn rewrite_last(&self) -> Result<(), ScanError> {
        let Some(from) = self.last_frame else {
            return Ok(());
        };
        let len_bytes = self.position.saturating_sub(from);
        let bytes = read_at(&*self.file, &self.path, from, len_bytes)?;
        self.file
            .write_all_at(from, &bytes)
            .map_err(failed_to("write", &self.path))?;
        Ok(())
    }

    /// Makes the file durable.
    pub(super) fn sync(&self) -> Result<(), ScanError> {
        self.file
            .sync_data()
            .map_err(failed_to("sync", &self.path))
            .map_err(ScanError::from)
    }

    /// The file and its length, to be written on.
    pub(super) fn into_file(self) -> (Box<dyn DiskFile>, u64) {
        (self.file, self.len_bytes)
    }

    fn room(&self) -> u64 {
        self.len_bytes.saturating_sub(self.position)
    }

    fn window(&self, from: u64) -> Result<Option<Vec<u8>>, ScanError> {
        let left = self.len_bytes.saturating_sub(from);
        let len = left.min(u64::try_from(WINDOW_BYTES).unwrap_or(0));
        if len == 0 {
            return Ok(None);
        }
        read_at(&*self.file, &self.path, from, len).map(Some)
    }

    fn is_frame(&self, at: u64) -> Result<bool, ScanError> {
        if self.len_bytes.saturating_sub(at) < FRAME_HEADER_BYTES {
            return Ok(false);
        }
        let head = read_at(&*self.file, &self.path, at, FRAME_HEADER_BYTES)?;
        Ok(self.frame_at(at, &head)?.is_some())
    }

    fn frame_at(&self, at: u64, head: &[u8]) -> Result<Option<(FrameHeader, Vec<u8>)>, ScanError> {
        let header = FrameHeader::decode(head).filter(|h| h.segment == self.header.segment);
        let Some(header) = header else {
            return Ok(None);
        };
        if header.frame_bytes() > self.len_bytes.saturating_sub(at) {
            return Ok(None);
        }
        let payload_at = at.saturating_add(FRAME_HEADER_BYTES);
        let payload_bytes = u64::from(header.payload_bytes);
        let payload = read_at(&*self.file, &self.path, payload_at, payload_bytes)?;
        Ok(header.covers(&payload).then_some((header, payload)))
    }
}

pub(super) fn damage(file: &Path, offset: u64, kind: DamageKind) -> ScanError {
    ScanError::Damage(Damage {
        file: file.to_owned(),
        offset,
        kind,
    })
}

/// Compares slices rather than bytes: one call of `memcmp` for a whole window.
fn is_zero(bytes: &[u8]) -> bool {
    static ZEROS: [u8; WINDOW_BYTES] = [0; WINDOW_BYTES];
    ZEROS.get(..bytes.len()) == Some(bytes)
}

fn read_at(
    file: &dyn DiskFile,
    path: &Path,
    from: u64,
    len_bytes: u64,
) -> Result<Vec<u8>, ScanError> {
    let too_long = |_| io::Error::from(io::ErrorKind::FileTooLarge);
    let len = usize::try_from(len_bytes).map_err(too_long);
    let mut bytes = vec![0; len.map_err(failed_to("read", path))?];
    file.read_exact_at(from, &mut bytes)
        .map_err(failed_to("read", path))?;
    Ok(bytes)
}
