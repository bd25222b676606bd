//! The bytes of the keyring's file.
//!
//! ```text
//! file   = header, frame...
//! header = "SLUSSKEY", format u32, next key u64, last removal u64, HMAC(KEK, these)[32], CRC-32
//! frame  = "SKRF", number u64, body length u32, body, CRC-32 of all before
//! row    = 1, key id u64, scope, nonce[12], wrapped key[48]
//!        | 2, scope, removal u64                            a tombstone
//!        | 3, removal u64                                   a removal that erased no key
//! ```
//! What is ensured together is one frame, written at once and synced before the next, so only
//! the last frame can be torn. Zeros after the last frame are its end.

use ring::aead::NONCE_LEN;
use ring::hmac;

use super::keyring_scope::{InvalidScope, KeyId, KeyScope};
use super::secrets::Kek;
use crate::ledger::keyed_hash;
use crate::wire::{CursorError, Reader, Writer};

const FILE_MAGIC: [u8; 8] = *b"SLUSSKEY";
const FRAME_MAGIC: [u8; 4] = *b"SKRF";
const FORMAT: u32 = 1;
/// Bytes of a wrapped key: 32 and the tag of 16.
const WRAPPED_BYTES: usize = 48;

const KEY: u8 = 1;
const TOMBSTONE: u8 = 2;
const REMOVAL: u8 = 3;

/// What the header tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Header {
    /// The next key that is made gets this number or a higher one.
    pub(super) next_key: u64,
    /// Number of the last removal when the file was written anew.
    pub(super) last_removal: u64,
}

/// A key, wrapped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct WrappedKey {
    pub(super) id: KeyId,
    pub(super) scope: KeyScope,
    pub(super) nonce: [u8; NONCE_LEN],
    pub(super) wrapped: [u8; WRAPPED_BYTES],
}

/// One thing that the file tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Row {
    Key(WrappedKey),
    Tombstone { scope: KeyScope, removal: u64 },
    Removal(u64),
}

/// What a whole file tells.
#[derive(Debug)]
pub(super) struct Parsed {
    pub(super) header: Header,
    pub(super) rows: Vec<Row>,
    /// How many frames there are, which is the number of the next.
    pub(super) frame_count: u64,
    /// Where the next frame goes.
    pub(super) end: usize,
    /// Whether something torn lies after that, which is to be zeroed.
    pub(super) is_torn: bool,
}

/// Why a file is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum FormatError {
    /// It does not begin as a keyring does.
    NotAKeyring,
    /// A newer program wrote it.
    Newer { format: u32 },
    /// It was made under another key-encryption key.
    WrongKek,
    /// The bytes at this offset are not what was written.
    Damaged { offset: usize },
}

const HEADER_DAMAGED: FormatError = FormatError::Damaged { offset: 0 };

impl From<CursorError> for FormatError {
    /// Only the header is read outside of a frame, whose length is known to be right.
    fn from(_: CursorError) -> Self {
        HEADER_DAMAGED
    }
}

/// The header's bytes.
pub(super) fn encode_header(header: &Header, kek: &Kek) -> Vec<u8> {
    let mut out = Writer::new();
    out.bytes(&FILE_MAGIC);
    out.u32(FORMAT);
    out.u64(header.next_key);
    out.u64(header.last_removal);
    let tag = header_tag(out.as_bytes(), kek);
    out.bytes(&tag);
    out.u32(crc32fast::hash(out.as_bytes()));
    out.into_bytes()
}

/// Proves that a file belongs to a key-encryption key, even one without keys.
fn header_tag(bytes: &[u8], kek: &Kek) -> [u8; 32] {
    let key = hmac::Key::new(hmac::HMAC_SHA256, kek.0.reveal());
    *keyed_hash(&key, "sluss-keyring-header/v1", &[bytes]).as_bytes()
}

/// A frame's bytes.
pub(super) fn encode_frame(number: u64, rows: &[Row]) -> Vec<u8> {
    let mut body = Writer::new();
    for row in rows {
        write_row(&mut body, row);
    }
    let mut out = Writer::new();
    out.bytes(&FRAME_MAGIC);
    out.u64(number);
    out.u32(u32::try_from(body.len()).unwrap_or(u32::MAX));
    out.bytes(body.as_bytes());
    out.u32(crc32fast::hash(out.as_bytes()));
    out.into_bytes()
}

fn write_row(out: &mut Writer, row: &Row) {
    match row {
        Row::Key(key) => {
            out.u8(KEY);
            out.u64(key.id.number());
            key.scope.write(out);
            out.bytes(&key.nonce);
            out.bytes(&key.wrapped);
        }
        Row::Tombstone { scope, removal } => {
            out.u8(TOMBSTONE);
            scope.write(out);
            out.u64(*removal);
        }
        Row::Removal(removal) => {
            out.u8(REMOVAL);
            out.u64(*removal);
        }
    }
}

/// Reads a whole file.
pub(super) fn parse(bytes: &[u8], kek: &Kek) -> Result<Parsed, FormatError> {
    let mut reader = Reader::new(bytes);
    let header = read_header(&mut reader, kek)?;
    let mut rows = Vec::new();
    let mut frame_count: u64 = 0;
    loop {
        let offset = bytes.len().saturating_sub(reader.remaining());
        let mut next = reader.clone();
        if let Some((number, body)) = read_frame(&mut next) {
            if number != frame_count {
                return Err(FormatError::Damaged { offset });
            }
            read_rows(body, &mut rows).map_err(|InvalidScope| FormatError::Damaged { offset })?;
            frame_count = frame_count.saturating_add(1);
            reader = next;
            continue;
        }
        // A torn end, unless something valid follows: then what was acknowledged is damaged.
        if any_frame(reader.clone()) {
            return Err(FormatError::Damaged { offset });
        }
        return Ok(Parsed {
            header,
            rows,
            frame_count,
            end: offset,
            is_torn: reader.rest().iter().any(|b| *b != 0),
        });
    }
}

fn read_header(reader: &mut Reader<'_>, kek: &Kek) -> Result<Header, FormatError> {
    let whole = reader.clone();
    if reader.array() != Ok(FILE_MAGIC) {
        return Err(FormatError::NotAKeyring);
    }
    let format = reader.u32()?;
    if format > FORMAT {
        return Err(FormatError::Newer { format });
    }
    let header = Header {
        next_key: reader.u64()?,
        last_removal: reader.u64()?,
    };
    let signed = whole.remaining().saturating_sub(reader.remaining());
    let tag = reader.array::<32>()?;
    let summed = whole.remaining().saturating_sub(reader.remaining());
    if reader.u32()? != crc32fast::hash(whole.clone().take(summed)?) {
        return Err(HEADER_DAMAGED);
    }
    if tag != header_tag(whole.clone().take(signed)?, kek) {
        return Err(FormatError::WrongKek);
    }
    Ok(header)
}

/// Number and body of the frame that begins here, if a whole and valid one does.
fn read_frame<'a>(reader: &mut Reader<'a>) -> Option<(u64, &'a [u8])> {
    let mut whole = reader.clone();
    if reader.array() != Ok(FRAME_MAGIC) {
        return None;
    }
    let number = reader.u64().ok()?;
    let len_bytes = usize::try_from(reader.u32().ok()?).ok()?;
    let body = reader.take(len_bytes).ok()?;
    let summed = whole.remaining().checked_sub(reader.remaining())?;
    let crc = reader.u32().ok()?;
    (crc32fast::hash(whole.take(summed).ok()?) == crc).then_some((number, body))
}

/// Whether a valid frame begins anywhere after this byte.
fn any_frame(mut reader: Reader<'_>) -> bool {
    while reader.u8().is_ok() {
        if read_frame(&mut reader.clone()).is_some() {
            return true;
        }
    }
    false
}

fn read_rows(body: &[u8], rows: &mut Vec<Row>) -> Result<(), InvalidScope> {
    let mut reader = Reader::new(body);
    while !reader.is_empty() {
        rows.push(match reader.u8()? {
            KEY => Row::Key(WrappedKey {
                id: KeyId::new(reader.u64()?),
                scope: KeyScope::read(&mut reader)?,
                nonce: reader.array()?,
                wrapped: reader.array()?,
            }),
            TOMBSTONE => Row::Tombstone {
                scope: KeyScope::read(&mut reader)?,
                removal: reader.u64()?,
            },
            REMOVAL => Row::Removal(reader.u64()?),
            _ => return Err(InvalidScope),
        });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use zeroize::Zeroizing;

    use super::super::keyring_scope::Holder;
    use super::super::seal::SealKey;
    use super::*;

    /// Computed apart, from the picture above.
    const HEADER: &str = "534c5553534b4559000000010000000000000007000000000000000512d34486aec1dc88\
            e4f049b427c853cb94e12dd3982a6b5ca1f539f4e57703cf84d79934";
    const FRAME: &str = "534b5246000000000000000000000061010000000000000006020007ea0b020202020202\
            020202020202030303030303030303030303030303030303030303030303030303030303\
            03030303030303030303030303030303030302020007ea0b000000000000000403000000\
            0000000005c86dfbb1";

    #[test]
    fn the_file_has_the_golden_bytes() {
        let kek = Kek(SealKey::from_bytes(Zeroizing::new([1; 32])));
        let header = Header {
            next_key: 7,
            last_removal: 5,
        };
        let scope = KeyScope::Month {
            holder: Holder::Site,
            year: 2026,
            month: 11,
        };
        let rows = vec![
            Row::Key(WrappedKey {
                id: KeyId::new(6),
                scope: scope.clone(),
                nonce: [2; 12],
                wrapped: [3; 48],
            }),
            Row::Tombstone { scope, removal: 4 },
            Row::Removal(5),
        ];
        let hex = |bytes: &[u8]| data_encoding::HEXLOWER.encode(bytes);
        let mut file = encode_header(&header, &kek);
        assert_eq!(hex(&file), HEADER);
        let frame = encode_frame(0, &rows);
        assert_eq!(hex(&frame), FRAME);
        file.extend(frame);
        let parsed = parse(&file, &kek).unwrap();
        assert_eq!((parsed.header, parsed.rows), (header, rows));
        assert_eq!((parsed.frame_count, parsed.end), (1, file.len()));
    }

    #[test]
    fn a_frame_that_is_missing_before_a_valid_one_is_found() {
        let kek = Kek(SealKey::from_bytes(Zeroizing::new([1; 32])));
        let header = Header {
            next_key: 1,
            last_removal: 0,
        };
        let mut file = encode_header(&header, &kek);
        let offset = file.len();
        file.extend(encode_frame(1, &[Row::Removal(5)]));
        let error = parse(&file, &kek).unwrap_err();
        assert_eq!(error, FormatError::Damaged { offset });
    }

    proptest::proptest! {
        #[test]
        fn no_bytes_make_it_panic(
            bytes in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..200),
        ) {
            let kek = Kek(SealKey::from_bytes(Zeroizing::new([1; 32])));
            let header = Header { next_key: 1, last_removal: 0 };
            let mut file = encode_header(&header, &kek);
            let _ = parse(&bytes, &kek);
            let _ = read_rows(&bytes, &mut Vec::new());
            file.extend(bytes);
            let _ = parse(&file, &kek);
        }
    }
}
