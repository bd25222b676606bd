//! Bytes of segments: the header of a file, and frames, each of which is one commit.
//!
//! Numbers are big endian. `docs/store.md` draws them; golden files hold them fast.

use std::fmt;

use crate::{
    types::SiteId,
    wire::{Reader, Writer},
};

/// Format of the stored bytes this program writes. It rises with every change of them.
pub const FORMAT: u32 = 3;

/// A segment's header has a block of its own, so that no frame shares its fate.
pub const SEGMENT_HEADER_BYTES: u64 = 512;

/// Length of a frame's header.
pub const FRAME_HEADER_BYTES: u64 = 32;

/// Frames begin at multiples of this, so that looking for one is quick.
pub const FRAME_ALIGN_BYTES: u64 = 8;

const SEGMENT_MAGIC: &[u8; 8] = b"SLUSSSEG";
const FRAME_MAGIC: u32 = 0x534c_4652;
/// Bytes of a frame's header that its checksum covers.
const FRAME_SUMMED_BYTES: usize = 28;

/// Number of a commit. The first is 1; 0 stands before all. There is no gap.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct CommitSequence(pub u64);

impl CommitSequence {
    /// Stands before the first commit.
    pub const NONE: Self = Self(0);

    /// The one after.
    #[must_use]
    pub fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }

    /// The one before; that of the first is [`Self::NONE`].
    #[must_use]
    pub fn previous(self) -> Self {
        Self(self.0.saturating_sub(1))
    }
}

impl fmt::Display for CommitSequence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// Number of a segment file. The first is 1; there is no gap between the oldest and the newest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SegmentId(pub u64);

impl SegmentId {
    /// The one after.
    #[must_use]
    pub fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }

    /// Its file's name, `NNNNNNNNNN.seg`.
    pub fn file_name(self) -> String {
        format!("{:010}.seg", self.0)
    }

    /// The segment whose file has this name.
    pub fn from_file_name(name: &str) -> Option<Self> {
        let digits = name.strip_suffix(".seg")?;
        let plain = digits.len() == 10 && digits.bytes().all(|b| b.is_ascii_digit());
        plain.then(|| digits.parse().ok().map(Self)).flatten()
    }
}

/// Header of a segment file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SegmentHeader {
    /// Which segment.
    pub segment: SegmentId,
    /// Format of the program that began it.
    pub format: u32,
    /// Site of the store.
    pub site: SiteId,
    /// Node within the site.
    pub node: u32,
    /// Its first commit.
    pub first: CommitSequence,
}

impl SegmentHeader {
    /// Its bytes, [`SEGMENT_HEADER_BYTES`] long, filled up with zeros.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Writer::new();
        out.bytes(SEGMENT_MAGIC);
        out.u64(self.segment.0);
        out.u32(self.format);
        out.u32(self.node);
        out.u64(self.first.0);
        let site = self.site.as_str().as_bytes();
        out.u8(u8::try_from(site.len()).unwrap_or(u8::MAX));
        out.bytes(site);
        let sum = crc32fast::hash(out.as_bytes());
        out.u32(sum);
        let mut bytes = out.into_bytes();
        bytes.resize(usize::try_from(SEGMENT_HEADER_BYTES).unwrap_or(0), 0);
        bytes
    }

    /// Reads one; `None` if the bytes are none.
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        let mut from = Reader::new(bytes);
        let good_magic = from.array::<8>().ok()? == *SEGMENT_MAGIC;
        let segment = SegmentId(from.u64().ok()?);
        let format = from.u32().ok()?;
        let node = from.u32().ok()?;
        let first = CommitSequence(from.u64().ok()?);
        let site_bytes = usize::from(from.u8().ok()?);
        let site = from.take(site_bytes).ok()?;
        let summed = bytes.len().checked_sub(from.remaining())?;
        let good_sum = from.u32().ok()? == crc32fast::hash(bytes.get(..summed)?);
        let site = SiteId::parse(std::str::from_utf8(site).ok()?).ok()?;
        (good_magic && good_sum).then_some(Self {
            segment,
            format,
            site,
            node,
            first,
        })
    }
}

/// Header of a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FrameHeader {
    /// The segment it lies in.
    pub segment: SegmentId,
    /// Its commit.
    pub sequence: CommitSequence,
    /// Length of what follows the header.
    pub payload_bytes: u32,
    sum: u32,
}

impl FrameHeader {
    /// Reads one; `None` if the bytes are none. Its checksum is looked at in [`Self::covers`].
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        let mut from = Reader::new(bytes);
        let good_magic = from.u32().ok()? == FRAME_MAGIC;
        let payload_bytes = from.u32().ok()?;
        let segment = SegmentId(from.u64().ok()?);
        let sequence = CommitSequence(from.u64().ok()?);
        let good_rest = from.u32().ok()? == 0;
        let sum = from.u32().ok()?;
        (good_magic && good_rest).then_some(Self {
            segment,
            sequence,
            payload_bytes,
            sum,
        })
    }

    /// Whether its checksum is that of itself and this payload.
    pub fn covers(&self, payload: &[u8]) -> bool {
        let head = self.summed();
        self.sum == checksum(&head, payload)
    }

    /// Length of the whole frame in its file.
    pub fn frame_bytes(&self) -> u64 {
        frame_bytes(u64::from(self.payload_bytes))
    }

    fn summed(&self) -> Vec<u8> {
        let mut out = Writer::with_capacity(FRAME_SUMMED_BYTES);
        out.u32(FRAME_MAGIC);
        out.u32(self.payload_bytes);
        out.u64(self.segment.0);
        out.u64(self.sequence.0);
        out.u32(0);
        out.into_bytes()
    }
}

/// Length in its file of a frame with a payload of this length.
pub fn frame_bytes(payload_bytes: u64) -> u64 {
    FRAME_HEADER_BYTES
        .saturating_add(payload_bytes)
        .next_multiple_of(FRAME_ALIGN_BYTES)
}

/// A whole frame; `None` if the payload is longer than a frame can say.
pub fn encode_frame(
    segment: SegmentId,
    sequence: CommitSequence,
    payload: &[u8],
) -> Option<Vec<u8>> {
    let header = FrameHeader {
        segment,
        sequence,
        payload_bytes: u32::try_from(payload.len()).ok()?,
        sum: 0,
    };
    let len_bytes = usize::try_from(header.frame_bytes()).ok()?;
    let head = header.summed();
    let sum = checksum(&head, payload);
    let mut out = Writer::with_capacity(len_bytes);
    out.bytes(&head);
    out.u32(sum);
    out.bytes(payload);
    let mut bytes = out.into_bytes();
    bytes.resize(len_bytes, 0);
    Some(bytes)
}

fn checksum(head: &[u8], payload: &[u8]) -> u32 {
    let mut sum = crc32fast::Hasher::new();
    sum.update(head);
    sum.update(payload);
    sum.finalize()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header() -> SegmentHeader {
        SegmentHeader {
            segment: SegmentId(7),
            format: FORMAT,
            site: SiteId::parse("north").unwrap(),
            node: 3,
            first: CommitSequence(41),
        }
    }

    #[test]
    fn a_header_reads_back_and_one_changed_bit_is_seen() {
        let bytes = header().encode();
        assert_eq!(bytes.len(), 512);
        assert_eq!(SegmentHeader::decode(&bytes), Some(header()));
        for at in 0..42 {
            let mut bad = bytes.clone();
            bad[at] ^= 1;
            assert_eq!(SegmentHeader::decode(&bad), None, "byte {at}");
        }
    }

    #[test]
    fn a_frame_reads_back_and_one_changed_bit_is_seen() {
        let bytes = encode_frame(SegmentId(7), CommitSequence(41), b"payload").unwrap();
        assert_eq!(bytes.len(), 40);
        for at in 0..39 {
            let mut bad = bytes.clone();
            bad[at] ^= 1;
            let good = FrameHeader::decode(&bad).is_some_and(|h| {
                let end = 32 + usize::try_from(h.payload_bytes).unwrap();
                bad.get(32..end).is_some_and(|payload| h.covers(payload))
            });
            assert!(!good, "byte {at}");
        }
    }

    #[test]
    fn only_ten_digits_name_a_segment() {
        assert_eq!(
            SegmentId::from_file_name("0000000012.seg"),
            Some(SegmentId(12))
        );
        for bad in ["12.seg", "000000001x.seg", "+000000012.seg", "spare", ""] {
            assert_eq!(SegmentId::from_file_name(bad), None, "{bad}");
        }
    }
}
