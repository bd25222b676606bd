//! Sealing: AES-256-GCM over small pieces of personal data (DESIGN section 9).

use std::fmt;

use ring::aead::{self, AES_256_GCM, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use zeroize::Zeroizing;

use crate::types::World;
use crate::wire::Writer;

/// Longest text that is sealed in one piece, in bytes; rows stay far below.
const PLAINTEXT_BYTES_MAX: usize = 65_536;
/// Sets this use of AES-GCM apart from any other.
const DOMAIN: &str = "sluss-seal/v1";

/// Why something could not be sealed or unsealed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SealError {
    /// The key was erased, or its keyring is lost: what it sealed can never be read again.
    #[error("the key is gone, and with it what it sealed")]
    KeyGone,
    /// The bytes are not what this key sealed in this place: altered, moved or damaged.
    #[error("the sealed bytes do not belong to this key and place")]
    Damaged,
    /// More than can be sealed in one piece.
    #[error("at most {PLAINTEXT_BYTES_MAX} bytes are sealed in one piece")]
    TooLong,
}

/// Which record a sealed piece belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RecordKey<'a> {
    /// One with a number.
    Number(u64),
    /// One with an id.
    Text(&'a str),
}

/// Where a sealed piece belongs. In any other place it cannot be unsealed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Aad<'a> {
    /// Name of the table.
    pub table: &'static str,
    /// Id of the person or customer that the row is about.
    pub owner: &'a str,
    /// The record within that.
    pub record: RecordKey<'a>,
    /// Version of what is inside.
    pub schema: u32,
}

impl Aad<'_> {
    /// All fields with the key's id, each led by its length.
    pub(super) fn encode(&self, key_id: u64) -> Vec<u8> {
        let mut out = Writer::new();
        field(&mut out, DOMAIN.as_bytes());
        field(&mut out, self.table.as_bytes());
        field(&mut out, self.owner.as_bytes());
        match self.record {
            RecordKey::Number(number) => {
                field(&mut out, b"number");
                field(&mut out, &number.to_be_bytes());
            }
            RecordKey::Text(text) => {
                field(&mut out, b"text");
                field(&mut out, text.as_bytes());
            }
        }
        field(&mut out, &self.schema.to_be_bytes());
        field(&mut out, &key_id.to_be_bytes());
        out.into_bytes()
    }
}

fn field(out: &mut Writer, bytes: &[u8]) {
    out.u64(u64::try_from(bytes.len()).unwrap_or(u64::MAX));
    out.bytes(bytes);
}

/// Nonce, and ciphertext with its tag.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Sealed {
    pub(super) nonce: [u8; NONCE_LEN],
    pub(super) ciphertext: Vec<u8>,
}

/// An AES-256 key; never shown, wiped when dropped.
#[derive(Clone)]
pub struct SealKey(Zeroizing<[u8; 32]>);

impl SealKey {
    /// From its bytes.
    pub fn from_bytes(bytes: Zeroizing<[u8; 32]>) -> Self {
        Self(bytes)
    }

    /// A new one.
    pub fn random(world: &dyn World) -> Self {
        let mut bytes = Zeroizing::new([0; 32]);
        world.fill_random(bytes.as_mut_slice());
        Self(bytes)
    }

    /// Its bytes, to be wrapped or to derive from.
    pub(super) fn reveal(&self) -> &[u8] {
        self.0.as_slice()
    }

    /// Seals with a random nonce. One key seals far fewer than the 2^32 pieces that allows.
    pub(super) fn seal(
        &self,
        aad: &[u8],
        plaintext: &[u8],
        world: &dyn World,
    ) -> Result<Sealed, SealError> {
        if plaintext.len() > PLAINTEXT_BYTES_MAX {
            return Err(SealError::TooLong);
        }
        let mut nonce = [0; NONCE_LEN];
        world.fill_random(&mut nonce);
        // The tag is appended in place: without the room for it a copy of the text would be left.
        let room = plaintext.len().saturating_add(AES_256_GCM.tag_len());
        let mut buffer = Zeroizing::new(Vec::with_capacity(room));
        buffer.extend_from_slice(plaintext);
        self.cipher()?
            .seal_in_place_append_tag(
                Nonce::assume_unique_for_key(nonce),
                aead::Aad::from(aad),
                &mut *buffer,
            )
            .map_err(|_| SealError::TooLong)?;
        let ciphertext = std::mem::take(&mut *buffer);
        Ok(Sealed { nonce, ciphertext })
    }

    /// Unseals what [`SealKey::seal`] sealed with the same additional data.
    pub(super) fn unseal(
        &self,
        nonce: &[u8],
        aad: &[u8],
        ciphertext: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, SealError> {
        let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| SealError::Damaged)?;
        let mut buffer = Zeroizing::new(ciphertext.to_vec());
        let len_bytes = self
            .cipher()?
            .open_in_place(nonce, aead::Aad::from(aad), &mut buffer)
            .map_err(|_| SealError::Damaged)?
            .len();
        buffer.truncate(len_bytes);
        Ok(buffer)
    }

    fn cipher(&self) -> Result<LessSafeKey, SealError> {
        UnboundKey::new(&AES_256_GCM, self.reveal())
            .map(LessSafeKey::new)
            .map_err(|_| SealError::Damaged)
    }
}

impl fmt::Debug for SealKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SealKey([redacted])")
    }
}

/// A world for tests: no time passes, and chance counts.
#[cfg(test)]
pub(super) mod testing {
    use std::sync::atomic::{AtomicU64, Ordering};
    use std::time::Duration;

    use ring::digest;

    use crate::types::{Moment, Now, UtcTime, World};

    #[derive(Debug, Default)]
    pub(in crate::store) struct CountingWorld(AtomicU64);

    impl World for CountingWorld {
        fn now(&self) -> Now {
            Now {
                utc: UtcTime::EPOCH,
                moment: Moment::from_start(Duration::ZERO),
            }
        }

        fn fill_random(&self, buffer: &mut [u8]) {
            for chunk in buffer.chunks_mut(32) {
                let count = self.0.fetch_add(1, Ordering::Relaxed).to_be_bytes();
                let hash = digest::digest(&digest::SHA256, &count);
                chunk.copy_from_slice(&hash.as_ref()[..chunk.len()]);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::testing::CountingWorld;
    use super::*;

    const AAD: Aad<'_> = Aad {
        table: "Persons",
        owner: "p1",
        record: RecordKey::Text("p1"),
        schema: 1,
    };

    #[test]
    fn what_is_sealed_is_unsealed_in_its_place_only() {
        let world = CountingWorld::default();
        let key = SealKey::random(&world);
        let sealed = key.seal(&AAD.encode(7), b"Astrid", &world).unwrap();
        let open = |key: &SealKey, aad: Aad<'_>, key_id| {
            key.unseal(&sealed.nonce, &aad.encode(key_id), &sealed.ciphertext)
        };
        assert_eq!(open(&key, AAD, 7).unwrap().as_slice(), b"Astrid");
        let elsewhere = [
            Aad {
                table: "Badges",
                ..AAD
            },
            Aad { owner: "p2", ..AAD },
            Aad {
                record: RecordKey::Text("p2"),
                ..AAD
            },
            Aad {
                record: RecordKey::Number(1),
                ..AAD
            },
            Aad { schema: 2, ..AAD },
        ];
        for aad in elsewhere {
            assert_eq!(open(&key, aad, 7), Err(SealError::Damaged), "{aad:?}");
        }
        assert_eq!(open(&key, AAD, 8), Err(SealError::Damaged));
        let other = SealKey::random(&world);
        assert_eq!(open(&other, AAD, 7), Err(SealError::Damaged));
    }

    #[test]
    fn moving_a_byte_between_fields_is_another_place() {
        let a = Aad {
            owner: "ab",
            record: RecordKey::Text("c"),
            ..AAD
        };
        let b = Aad {
            owner: "a",
            record: RecordKey::Text("bc"),
            ..AAD
        };
        assert_ne!(a.encode(1), b.encode(1));
    }

    #[test]
    fn no_two_pieces_share_a_nonce_or_show_the_text() {
        let world = CountingWorld::default();
        let key = SealKey::random(&world);
        let pieces = [(); 2].map(|()| key.seal(b"", b"Astrid", &world).unwrap());
        assert_ne!(pieces[0].nonce, pieces[1].nonce);
        assert!(!pieces[0].ciphertext.windows(6).any(|w| w == b"Astrid"));
    }

    #[test]
    fn damage_and_absurd_sizes_are_refused() {
        let world = CountingWorld::default();
        let key = SealKey::random(&world);
        let sealed = key.seal(b"", b"Astrid", &world).unwrap();
        for at in 0..sealed.ciphertext.len() {
            let mut bytes = sealed.ciphertext.clone();
            bytes[at] ^= 1;
            assert_eq!(
                key.unseal(&sealed.nonce, b"", &bytes),
                Err(SealError::Damaged)
            );
        }
        assert_eq!(key.unseal(b"", b"", b""), Err(SealError::Damaged));
        assert_eq!(
            key.seal(b"", &vec![0; PLAINTEXT_BYTES_MAX + 1], &world),
            Err(SealError::TooLong)
        );
    }

    #[test]
    fn keys_are_not_shown() {
        let key = SealKey::from_bytes(Zeroizing::new([0x5A; 32]));
        assert_eq!(format!("{key:?}"), "SealKey([redacted])");
    }
}
