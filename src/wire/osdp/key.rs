//! The secret that a reader and the site share.

use std::fmt;

use zeroize::Zeroize;

/// A key that must not be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum WeakKey {
    /// The key every reader is delivered with (SCBK-D), or bytes that count up or down.
    #[error("must not be the default key or another run of bytes")]
    Run,
    /// The same few bytes again and again.
    #[error("must not repeat itself")]
    Repeated,
}

/// Secret of one reader, 128 bits (OSDP 2.2, SCBK). Never the default key.
#[derive(Clone)]
pub struct SecureKey([u8; 16]);

/// Fewer different bytes than this are not random: of 16 random bytes practically all differ.
const DISTINCT_MIN: usize = 8;

impl SecureKey {
    /// Takes a key unless somebody else could guess it.
    pub fn new(bytes: [u8; 16]) -> Result<Self, WeakKey> {
        let step = |pair: &[u8]| match pair {
            [first, second] => second.wrapping_sub(*first),
            _ => 0,
        };
        let mut steps = bytes.windows(2).map(step);
        let first_step = steps.next();
        if steps.all(|next| Some(next) == first_step) {
            return Err(WeakKey::Run);
        }
        let mut sorted = bytes;
        sorted.sort_unstable();
        let changes = sorted.windows(2).filter(|pair| step(pair) != 0).count();
        let repeats = (1..=8).any(|period| {
            bytes
                .iter()
                .skip(period)
                .eq(bytes.iter().take(16_usize.saturating_sub(period)))
        });
        sorted.zeroize();
        if repeats || changes.saturating_add(1) < DISTINCT_MIN {
            return Err(WeakKey::Repeated);
        }
        Ok(Self(bytes))
    }

    /// Any key, for readers made up in tests.
    #[cfg(test)]
    pub(super) fn unchecked(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    pub(super) fn bytes(&self) -> &[u8; 16] {
        &self.0
    }
}

impl Drop for SecureKey {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl fmt::Debug for SecureKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecureKey([redacted])")
    }
}

#[cfg(test)]
#[path = "key_tests.rs"]
mod tests;
