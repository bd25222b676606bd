//! The one place that walks over bytes. Numbers are big endian, unless a name ends in `_le`.

/// Why bytes could not be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CursorError {
    /// Fewer bytes are left than were asked for.
    #[error("bytes end too early: {wanted_bytes} wanted, {left_bytes} left")]
    Short {
        /// How many were asked for.
        wanted_bytes: usize,
        /// How many are left.
        left_bytes: usize,
    },
}

/// Reads bytes from front to back; never past their end.
///
/// A read that fails takes nothing.
#[derive(Debug, Clone)]
pub struct Reader<'a> {
    bytes: &'a [u8],
}

impl<'a> Reader<'a> {
    /// Starts at the first byte.
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { bytes }
    }

    /// How many bytes are left.
    pub fn remaining(&self) -> usize {
        self.bytes.len()
    }

    /// Whether none is left.
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// Takes all bytes that are left.
    pub fn rest(&mut self) -> &'a [u8] {
        std::mem::take(&mut self.bytes)
    }

    /// Takes so many bytes.
    pub fn take(&mut self, len_bytes: usize) -> Result<&'a [u8], CursorError> {
        let (head, tail) = self
            .bytes
            .split_at_checked(len_bytes)
            .ok_or(CursorError::Short {
                wanted_bytes: len_bytes,
                left_bytes: self.bytes.len(),
            })?;
        self.bytes = tail;
        Ok(head)
    }

    /// Takes as many bytes as the array holds.
    pub fn array<const N: usize>(&mut self) -> Result<[u8; N], CursorError> {
        let (head, tail) = self.bytes.split_first_chunk().ok_or(CursorError::Short {
            wanted_bytes: N,
            left_bytes: self.bytes.len(),
        })?;
        self.bytes = tail;
        Ok(*head)
    }

    /// Takes a number of 1 byte.
    pub fn u8(&mut self) -> Result<u8, CursorError> {
        self.array().map(u8::from_be_bytes)
    }

    /// Takes a number of 2 bytes.
    pub fn u16(&mut self) -> Result<u16, CursorError> {
        self.array().map(u16::from_be_bytes)
    }

    /// Takes a number of 2 bytes, little endian.
    pub fn u16_le(&mut self) -> Result<u16, CursorError> {
        self.array().map(u16::from_le_bytes)
    }

    /// Takes a number of 4 bytes.
    pub fn u32(&mut self) -> Result<u32, CursorError> {
        self.array().map(u32::from_be_bytes)
    }

    /// Takes a number of 4 bytes, little endian.
    pub fn u32_le(&mut self) -> Result<u32, CursorError> {
        self.array().map(u32::from_le_bytes)
    }

    /// Takes a number of 8 bytes.
    pub fn u64(&mut self) -> Result<u64, CursorError> {
        self.array().map(u64::from_be_bytes)
    }
}

/// Appends bytes; what is written is never too long for its buffer.
#[derive(Debug, Clone, Default)]
pub struct Writer {
    bytes: Vec<u8>,
}

impl Writer {
    /// Starts empty.
    pub fn new() -> Self {
        Self::default()
    }

    /// Starts empty, with room for so many bytes.
    pub fn with_capacity(len_bytes: usize) -> Self {
        Self {
            bytes: Vec::with_capacity(len_bytes),
        }
    }

    /// How many bytes are written.
    pub fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Whether none is.
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// What is written so far.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// What is written.
    pub fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }

    /// Appends bytes as they are.
    pub fn bytes(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    /// Appends a number of 1 byte.
    pub fn u8(&mut self, number: u8) {
        self.bytes(&number.to_be_bytes());
    }

    /// Appends a number of 2 bytes.
    pub fn u16(&mut self, number: u16) {
        self.bytes(&number.to_be_bytes());
    }

    /// Appends a number of 2 bytes, little endian.
    pub fn u16_le(&mut self, number: u16) {
        self.bytes(&number.to_le_bytes());
    }

    /// Appends a number of 4 bytes.
    pub fn u32(&mut self, number: u32) {
        self.bytes(&number.to_be_bytes());
    }

    /// Appends a number of 8 bytes.
    pub fn u64(&mut self, number: u64) {
        self.bytes(&number.to_be_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_reads_back_big_endian() {
        let mut writer = Writer::new();
        writer.u8(1);
        writer.u16(0x0203);
        writer.u32(0x0405_0607);
        writer.u64(0x0809_0A0B_0C0D_0E0F);
        writer.bytes(b"ab");
        let expected: Vec<u8> = (1..=15).chain(*b"ab").collect();
        assert_eq!(writer.as_bytes(), expected);
        let mut reader = Reader::new(writer.as_bytes());
        assert_eq!(reader.u8(), Ok(1));
        assert_eq!(reader.u16(), Ok(0x0203));
        assert_eq!(reader.u32(), Ok(0x0405_0607));
        assert_eq!(reader.u64(), Ok(0x0809_0A0B_0C0D_0E0F));
        assert_eq!(reader.take(1), Ok(&b"a"[..]));
        assert_eq!(reader.rest(), b"b");
        assert!(reader.is_empty());
    }

    #[test]
    fn little_endian_numbers_read_back() {
        let mut writer = Writer::new();
        writer.u16_le(0x0102);
        writer.bytes(&[6, 5, 4, 3]);
        assert_eq!(writer.as_bytes(), [2, 1, 6, 5, 4, 3]);
        let mut reader = Reader::new(writer.as_bytes());
        assert_eq!(reader.u16_le(), Ok(0x0102));
        assert_eq!(reader.u32_le(), Ok(0x0304_0506));
    }

    #[test]
    fn a_short_read_takes_nothing() {
        let mut reader = Reader::new(&[1, 2, 3]);
        let short = |wanted_bytes| CursorError::Short {
            wanted_bytes,
            left_bytes: 3,
        };
        assert_eq!(reader.u32(), Err(short(4)));
        assert_eq!(reader.take(usize::MAX), Err(short(usize::MAX)));
        assert_eq!(reader.remaining(), 3);
        assert_eq!(reader.u8(), Ok(1));
    }
}
