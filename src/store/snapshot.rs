//! The snapshot: the mutable tables in one file, taken while commits go on.
//!
//! It is fuzzy: its rows are of some instant between two commits, its begin and its end. With the
//! commits from begin on laid over it is exact, provided they reach its end. Numbers are big
//! endian; every checksum covers the whole file before it.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use super::{
    batch::Op,
    disk::{Disk, DiskFailure, DiskFile, failed_to},
    format::{CommitSequence, FORMAT},
    segments::SegmentPlan,
};
use crate::wire::{CursorError, Reader, Writer};

const MAGIC: &[u8; 8] = b"SLUSSSNP";
pub(super) const PART_NAME: &str = "snapshot.part";
const HEADER_BYTES: u64 = 80;
const TRAILER_BYTES: usize = 16;
/// Longest chunk; far more than is ever written in one.
const CHUNK_BYTES_MAX: u32 = 64 * 1024 * 1024;

/// A snapshot that is whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SnapshotInfo {
    /// Its file.
    pub path: PathBuf,
    /// Everything up to here is in it.
    pub begin: CommitSequence,
    /// Nothing after this is in it.
    pub end: CommitSequence,
    /// Its rows.
    pub row_count: u64,
    /// Its length.
    pub len_bytes: u64,
}

/// Writes a snapshot chunk by chunk.
#[derive(Debug)]
pub(super) struct SnapshotWriter {
    file: Box<dyn DiskFile>,
    folder: PathBuf,
    begin: CommitSequence,
    sum: crc32fast::Hasher,
    position: u64,
    row_count: u64,
}

impl SnapshotWriter {
    /// Starts one that holds everything up to a commit.
    pub(super) fn begin(
        disk: &dyn Disk,
        plan: &SegmentPlan,
        begin: CommitSequence,
    ) -> Result<Self, DiskFailure> {
        let path = plan.folder.join(PART_NAME);
        if disk.exists(&path) {
            disk.remove(&path).map_err(failed_to("remove", &path))?;
        }
        let mut writer = Self {
            file: disk.create(&path).map_err(failed_to("create", &path))?,
            folder: plan.folder.clone(),
            begin,
            sum: crc32fast::Hasher::new(),
            position: 0,
            row_count: 0,
        };
        writer.append(&encode_header(plan, begin))?;
        Ok(writer)
    }

    /// Adds rows, and makes them durable so that the end has little to wait for.
    pub(super) fn chunk(&mut self, rows: &[(Vec<u8>, Vec<u8>)]) -> Result<(), DiskFailure> {
        if rows.is_empty() {
            return Ok(());
        }
        let mut body = Writer::new();
        for (key, value) in rows {
            body.u16(u16::try_from(key.len()).unwrap_or(u16::MAX));
            body.bytes(key);
            body.u32(u32::try_from(value.len()).unwrap_or(u32::MAX));
            body.bytes(value);
        }
        let mut chunk = Writer::with_capacity(body.len().saturating_add(4));
        chunk.u32(u32::try_from(body.len()).unwrap_or(u32::MAX));
        chunk.bytes(body.as_bytes());
        self.append(chunk.as_bytes())?;
        let rows = u64::try_from(rows.len()).unwrap_or(u64::MAX);
        self.row_count = self.row_count.saturating_add(rows);
        self.sync()
    }

    /// Ends it, gives it its name, and removes the ones before it.
    pub(super) fn finish(
        mut self,
        disk: &dyn Disk,
        end: CommitSequence,
    ) -> Result<SnapshotInfo, DiskFailure> {
        let mut trailer = Writer::new();
        trailer.u32(0);
        trailer.u64(end.0);
        trailer.u64(self.row_count);
        self.append(trailer.as_bytes())?;
        self.sync()?;
        let part = self.folder.join(PART_NAME);
        let path = self.folder.join(file_name(self.begin, end));
        disk.rename(&part, &path)
            .map_err(failed_to("rename", &part))?;
        let folder = &self.folder;
        disk.sync_folder(folder)
            .map_err(failed_to("sync", folder))?;
        for older in names(disk, folder)?.iter().map(|n| folder.join(n)) {
            if older != path {
                disk.remove(&older).map_err(failed_to("remove", &older))?;
            }
        }
        disk.sync_folder(folder)
            .map_err(failed_to("sync", folder))?;
        Ok(SnapshotInfo {
            path,
            begin: self.begin,
            end,
            row_count: self.row_count,
            len_bytes: self.position,
        })
    }

    fn append(&mut self, bytes: &[u8]) -> Result<(), DiskFailure> {
        self.sum.update(bytes);
        let mut out = Writer::with_capacity(bytes.len().saturating_add(4));
        out.bytes(bytes);
        out.u32(self.sum.clone().finalize());
        let written = self.file.write_all_at(self.position, out.as_bytes());
        written.map_err(failed_to("write", &self.folder.join(PART_NAME)))?;
        let len_bytes = u64::try_from(out.len()).unwrap_or(u64::MAX);
        self.position = self.position.saturating_add(len_bytes);
        Ok(())
    }

    fn sync(&self) -> Result<(), DiskFailure> {
        let synced = self.file.sync_data();
        synced.map_err(failed_to("sync", &self.folder.join(PART_NAME)))
    }
}

/// Why a file is no snapshot that can be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SnapshotFault {
    /// The disk refused.
    #[error(transparent)]
    Disk(#[from] DiskFailure),
    /// The bytes are not what was written.
    #[error("snapshot `{}` is damaged", .0.display())]
    Damaged(PathBuf),
}

/// Reads a snapshot from front to back, handing every row on, and checks it whole.
///
/// A caller that cannot take rows back reads it twice: once to check.
pub(super) fn read(
    disk: &dyn Disk,
    plan: &SegmentPlan,
    path: &Path,
    mut take: impl FnMut(Vec<Op>),
) -> Result<SnapshotInfo, SnapshotFault> {
    let damaged = || SnapshotFault::Damaged(path.to_owned());
    let mut from = Source::open(disk, path)?;
    let begin = begin_of(&from.summed(HEADER_BYTES)?, plan).ok_or_else(damaged)?;
    let mut row_count: u64 = 0;
    loop {
        let length = from.plain_u32()?;
        if length == 0 {
            break;
        }
        if length > CHUNK_BYTES_MAX {
            return Err(damaged());
        }
        let rows = rows_of(&from.summed(u64::from(length))?).map_err(|_| damaged())?;
        let rows_here = u64::try_from(rows.len()).unwrap_or(u64::MAX);
        row_count = row_count.saturating_add(rows_here);
        take(rows);
    }
    let trailer = from.summed(u64::try_from(TRAILER_BYTES).unwrap_or(0))?;
    let mut trailer = Reader::new(&trailer);
    let end = trailer.u64().map(CommitSequence).map_err(|_| damaged())?;
    let said_count = trailer.u64().map_err(|_| damaged())?;
    if said_count != row_count || end < begin || from.position != from.len_bytes {
        return Err(damaged());
    }
    Ok(SnapshotInfo {
        path: path.to_owned(),
        begin,
        end,
        row_count,
        len_bytes: from.len_bytes,
    })
}

/// Names of the snapshots in a folder, oldest first.
pub(super) fn names(disk: &dyn Disk, folder: &Path) -> Result<Vec<String>, DiskFailure> {
    let mut names = disk.list(folder).map_err(failed_to("list", folder))?;
    names.retain(|name| {
        Path::new(name).extension().is_some_and(|e| e == "snap") && name.starts_with("snapshot-")
    });
    Ok(names)
}

fn file_name(begin: CommitSequence, end: CommitSequence) -> String {
    format!("snapshot-{:020}-{:020}.snap", begin.0, end.0)
}

fn encode_header(plan: &SegmentPlan, begin: CommitSequence) -> Vec<u8> {
    let mut out = Writer::new();
    out.bytes(MAGIC);
    out.u32(FORMAT);
    out.u32(plan.node);
    out.u64(begin.0);
    let site = plan.site.as_str().as_bytes();
    out.u8(u8::try_from(site.len()).unwrap_or(u8::MAX));
    out.bytes(site);
    let mut bytes = out.into_bytes();
    bytes.resize(usize::try_from(HEADER_BYTES).unwrap_or(0), 0);
    bytes
}

/// Begin of the snapshot with this header; `None` if it is none, or of another site or node.
fn begin_of(header: &[u8], plan: &SegmentPlan) -> Option<CommitSequence> {
    let mut from = Reader::new(header);
    let good_magic = from.array::<8>().ok()? == *MAGIC;
    let format = from.u32().ok()?;
    let node = from.u32().ok()?;
    let begin = CommitSequence(from.u64().ok()?);
    let site_bytes = usize::from(from.u8().ok()?);
    let ours = from.take(site_bytes).ok()? == plan.site.as_str().as_bytes();
    (good_magic && format <= FORMAT && node == plan.node && ours).then_some(begin)
}

fn rows_of(body: &[u8]) -> Result<Vec<Op>, CursorError> {
    let mut from = Reader::new(body);
    let mut rows = Vec::new();
    while !from.is_empty() {
        let key_bytes = usize::from(from.u16()?);
        let key = from.take(key_bytes)?.into();
        let value_bytes = usize::try_from(from.u32()?).unwrap_or(usize::MAX);
        let value = Some(Arc::from(from.take(value_bytes)?));
        rows.push(Op { key, value });
    }
    Ok(rows)
}

struct Source<'a> {
    file: Box<dyn DiskFile>,
    path: &'a Path,
    sum: crc32fast::Hasher,
    position: u64,
    len_bytes: u64,
}

impl<'a> Source<'a> {
    fn open(disk: &dyn Disk, path: &'a Path) -> Result<Self, SnapshotFault> {
        let file = disk.open(path).map_err(failed_to("open", path))?;
        let len_bytes = file.len_bytes().map_err(failed_to("measure", path))?;
        Ok(Self {
            file,
            path,
            sum: crc32fast::Hasher::new(),
            position: 0,
            len_bytes,
        })
    }

    fn plain(&mut self, wanted_bytes: u64) -> Result<Vec<u8>, SnapshotFault> {
        let len = usize::try_from(wanted_bytes).ok();
        let fits = wanted_bytes <= self.len_bytes.saturating_sub(self.position);
        let Some(len) = len.filter(|_| fits) else {
            return Err(SnapshotFault::Damaged(self.path.to_owned()));
        };
        let mut bytes = vec![0; len];
        self.file
            .read_exact_at(self.position, &mut bytes)
            .map_err(failed_to("read", self.path))?;
        self.position = self.position.saturating_add(wanted_bytes);
        Ok(bytes)
    }

    fn plain_u32(&mut self) -> Result<u32, SnapshotFault> {
        let bytes = self.plain(4)?;
        self.sum.update(&bytes);
        let number = Reader::new(&bytes).u32();
        number.map_err(|_| SnapshotFault::Damaged(self.path.to_owned()))
    }

    /// Bytes and the checksum of everything so far.
    fn summed(&mut self, wanted_bytes: u64) -> Result<Vec<u8>, SnapshotFault> {
        let bytes = self.plain(wanted_bytes)?;
        self.sum.update(&bytes);
        let said = self.plain(4)?;
        if Reader::new(&said).u32() == Ok(self.sum.clone().finalize()) {
            Ok(bytes)
        } else {
            Err(SnapshotFault::Damaged(self.path.to_owned()))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{store::disk::RealDisk, types::SiteId};

    fn plan(folder: &Path) -> SegmentPlan {
        SegmentPlan {
            folder: folder.to_owned(),
            site: SiteId::parse("north").unwrap(),
            node: 1,
            segment_bytes: 4096,
        }
    }

    fn rows(count: u8) -> Vec<(Vec<u8>, Vec<u8>)> {
        (0..count).map(|n| (vec![3, n], vec![n; 5])).collect()
    }

    fn written(folder: &Path) -> SnapshotInfo {
        let begin = CommitSequence(4);
        let mut writer = SnapshotWriter::begin(&RealDisk, &plan(folder), begin).unwrap();
        writer.chunk(&rows(3)).unwrap();
        writer.chunk(&rows(2)).unwrap();
        writer.finish(&RealDisk, CommitSequence(9)).unwrap()
    }

    #[test]
    fn a_snapshot_reads_back_and_replaces_the_one_before() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("snapshot-1-2.snap"), b"old").unwrap();
        let info = written(folder.path());
        let mut count = 0;
        let read_info = read(&RealDisk, &plan(folder.path()), &info.path, |ops| {
            count += ops.len();
        });
        assert_eq!((read_info, count), (Ok(info.clone()), 5));
        assert_eq!((info.begin.0, info.end.0, info.row_count), (4, 9, 5));
        assert_eq!(names(&RealDisk, folder.path()).unwrap().len(), 1);
    }

    #[test]
    fn any_changed_or_missing_byte_is_seen() {
        let folder = tempfile::tempdir().unwrap();
        let info = written(folder.path());
        let whole = std::fs::read(&info.path).unwrap();
        let is_good = |bytes: &[u8]| {
            std::fs::write(&info.path, bytes).unwrap();
            read(&RealDisk, &plan(folder.path()), &info.path, |_| ()).is_ok()
        };
        for at in 0..whole.len() {
            let mut bad = whole.clone();
            bad[at] ^= 1;
            assert!(!is_good(&bad), "byte {at}");
            assert!(!is_good(&whole[..at]), "cut at {at}");
        }
        assert!(is_good(&whole));
    }
}
