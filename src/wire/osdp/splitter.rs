//! Finds frames in what a line delivers, in pieces of any size, between noise.

use super::LineCounters;
use super::counters::{add, count};
use super::frame::{FRAME_BYTES_MAX, Frame, FrameError, HEADER_BYTES, Header, MARK, START};

/// Finds frames in bytes; holds less than two frames of the greatest length.
#[derive(Debug, Default)]
pub struct Splitter {
    buffer: Vec<u8>,
}

impl Splitter {
    /// Starts empty.
    pub fn new() -> Self {
        Self::default()
    }

    /// Forgets what is not yet a frame; returns how many bytes that were.
    pub fn clear(&mut self) -> usize {
        let left = self.buffer.len();
        self.buffer.clear();
        left
    }

    /// How many bytes are held.
    pub fn len(&self) -> usize {
        self.buffer.len()
    }

    /// Whether none is.
    pub fn is_empty(&self) -> bool {
        self.buffer.is_empty()
    }

    /// Takes as many bytes as there is room for, and returns the rest.
    ///
    /// Call [`Splitter::next`] until it returns `None`, then there is room again.
    #[must_use]
    pub fn push<'a>(&mut self, bytes: &'a [u8]) -> &'a [u8] {
        let room = FRAME_BYTES_MAX
            .saturating_mul(2)
            .saturating_sub(self.buffer.len());
        let (now, later) = bytes.split_at_checked(room).unwrap_or((bytes, &[]));
        self.buffer.extend_from_slice(now);
        later
    }

    /// The next frame whose length and check are right. What is none is counted and skipped.
    ///
    /// After a start byte that begins no frame the search goes on at the byte after it, so that
    /// a frame behind noise is found.
    pub fn next(&mut self, line: &mut LineCounters) -> Option<Frame> {
        let mut from = 0_usize;
        let found = loop {
            from = self.next_start(from, line);
            let rest = self.buffer.get(from..).unwrap_or_default();
            match first_frame(rest) {
                Ok(found) => break found,
                Err(FrameError::Check) => count(&mut line.bad_checks),
                Err(FrameError::Header | FrameError::Length | FrameError::Parts) => {}
            }
            from = from.saturating_add(1);
            count(&mut line.noise_bytes);
        };
        let len_bytes = found.as_ref().map_or(0, |(_, len_bytes)| *len_bytes);
        let used = from.saturating_add(len_bytes).min(self.buffer.len());
        self.buffer.drain(..used);
        found.map(|(frame, _)| frame)
    }

    /// Where the next start byte is, or the end. What lies before it is noise, but for marks.
    fn next_start(&self, from: usize, line: &mut LineCounters) -> usize {
        let rest = self.buffer.get(from..).unwrap_or_default();
        let start = rest.iter().position(|byte| *byte == START);
        let skipped = rest.iter().take(start.unwrap_or(rest.len()));
        add(
            &mut line.noise_bytes,
            skipped.filter(|b| **b != MARK).count(),
        );
        start.map_or(self.buffer.len(), |start| from.saturating_add(start))
    }

    /// How many bytes are missing from the reply of this address that has begun, and how long
    /// it is; `None` where none has.
    pub(super) fn missing(&self, address: u8) -> Option<(usize, usize)> {
        let bytes = self.buffer.get(..HEADER_BYTES)?;
        let header = Header::read(bytes).ok()?;
        let missing = header.len_bytes.saturating_sub(self.buffer.len());
        (header.is_reply && header.address == address).then_some((missing, header.len_bytes))
    }
}

/// The frame that begins at the first byte, and its length; `None` where bytes are missing.
fn first_frame(bytes: &[u8]) -> Result<Option<(Frame, usize)>, FrameError> {
    let header = match Header::read(bytes) {
        Err(FrameError::Parts) => return Ok(None),
        header => header?,
    };
    let Some(whole) = bytes.get(..header.len_bytes) else {
        return Ok(None);
    };
    Ok(Some((Frame::parse(whole)?, header.len_bytes)))
}

#[cfg(test)]
#[path = "splitter_tests.rs"]
mod tests;
