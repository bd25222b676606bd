//! The marker: up to which commit sled's file is synced, and under which run of the kernel.

use std::path::Path;

use super::{
    disk::{Disk, DiskFailure, failed_to, read_file, replace_file},
    format::CommitSequence,
};
use crate::{
    types::BootIdentity,
    wire::{Reader, Writer},
};

const NAME: &str = "marker";
const MAGIC: &[u8; 8] = b"SLUSSMRK";
/// A boot id of Linux has 36 characters; what is longer is no marker.
const MARKER_BYTES_MAX: u64 = 512;

/// What the marker says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Marker {
    /// sled has this commit and all before it.
    pub(super) sequence: CommitSequence,
    /// The run of the kernel it was written under.
    pub(super) boot: BootIdentity,
}

impl Marker {
    /// Puts this marker in the place of the one before, durably.
    pub(super) fn write(&self, disk: &dyn Disk, folder: &Path) -> Result<(), DiskFailure> {
        replace_file(disk, folder, NAME, &self.encode())
    }

    /// Reads the marker. `None` if there is none or it cannot be read: then sled is rebuilt.
    pub(super) fn read(disk: &dyn Disk, folder: &Path) -> Option<Self> {
        let bytes = read_file(disk, &folder.join(NAME), MARKER_BYTES_MAX).ok()?;
        Self::decode(&bytes)
    }

    /// Takes the marker away, durably: from here on sled is not what it said.
    pub(super) fn remove(disk: &dyn Disk, folder: &Path) -> Result<(), DiskFailure> {
        let path = folder.join(NAME);
        if disk.exists(&path) {
            disk.remove(&path).map_err(failed_to("remove", &path))?;
        }
        disk.sync_folder(folder).map_err(failed_to("sync", folder))
    }

    fn encode(&self) -> Vec<u8> {
        let mut out = Writer::new();
        out.bytes(MAGIC);
        out.u64(self.sequence.0);
        out.u16(u16::try_from(self.boot.0.len()).unwrap_or(u16::MAX));
        out.bytes(self.boot.0.as_bytes());
        let sum = crc32fast::hash(out.as_bytes());
        out.u32(sum);
        out.into_bytes()
    }

    fn decode(bytes: &[u8]) -> Option<Self> {
        let mut from = Reader::new(bytes);
        let good_magic = from.array::<8>().ok()? == *MAGIC;
        let sequence = CommitSequence(from.u64().ok()?);
        let boot_bytes = usize::from(from.u16().ok()?);
        let boot = String::from_utf8(from.take(boot_bytes).ok()?.to_vec()).ok()?;
        let summed = bytes.len().checked_sub(from.remaining())?;
        let good_sum = from.u32().ok()? == crc32fast::hash(bytes.get(..summed)?);
        (good_magic && good_sum && from.is_empty()).then_some(Self {
            sequence,
            boot: BootIdentity(boot),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::disk::RealDisk;

    #[test]
    fn a_marker_reads_back_and_a_damaged_one_is_none() {
        let folder = tempfile::tempdir().unwrap();
        let marker = Marker {
            sequence: CommitSequence(77),
            boot: BootIdentity("b".repeat(36)),
        };
        assert_eq!(Marker::read(&RealDisk, folder.path()), None);
        marker.write(&RealDisk, folder.path()).unwrap();
        assert_eq!(Marker::read(&RealDisk, folder.path()), Some(marker.clone()));
        let bytes = marker.encode();
        for at in 0..bytes.len() {
            let mut bad = bytes.clone();
            bad[at] ^= 1;
            assert_eq!(Marker::decode(&bad), None, "byte {at}");
        }
        Marker::remove(&RealDisk, folder.path()).unwrap();
        assert_eq!(Marker::read(&RealDisk, folder.path()), None);
    }
}
