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
        loop {
            self.skip_to_start(line);
            let header = match Header::read(&self.buffer) {
                Ok(header) => header,
                Err(FrameError::Parts) => return None,
                Err(FrameError::Header | FrameError::Length | FrameError::Check) => {
                    self.skip_one(line);
                    continue;
                }
            };
            let bytes = self.buffer.get(..header.len_bytes)?;
            match Frame::parse(bytes) {
                Ok(frame) => {
                    self.buffer.drain(..header.len_bytes);
                    return Some(frame);
                }
                Err(FrameError::Check) => count(&mut line.bad_checks),
                Err(FrameError::Header | FrameError::Length | FrameError::Parts) => {}
            }
            self.skip_one(line);
        }
    }

    /// How many bytes are missing from the reply of this address that has begun, and how long
    /// it is; `None` where none has.
    pub(super) fn missing(&self, address: u8) -> Option<(usize, usize)> {
        let bytes = self.buffer.get(..HEADER_BYTES)?;
        let header = Header::read(bytes).ok()?;
        let missing = header.len_bytes.saturating_sub(self.buffer.len());
        (header.is_reply && header.address == address).then_some((missing, header.len_bytes))
    }

    fn skip_to_start(&mut self, line: &mut LineCounters) {
        let is_start = |byte: &u8| *byte == START;
        let noise = self
            .buffer
            .iter()
            .position(is_start)
            .unwrap_or(self.buffer.len());
        let marks = self.buffer.iter().take(noise).filter(|b| **b == MARK);
        add(&mut line.noise_bytes, noise.saturating_sub(marks.count()));
        self.buffer.drain(..noise);
    }

    fn skip_one(&mut self, line: &mut LineCounters) {
        self.buffer.drain(..1);
        count(&mut line.noise_bytes);
    }
}

#[cfg(test)]
#[path = "splitter_tests.rs"]
mod tests;
