//! Checkpoints: signed heads of a tree (C2SP tlog-checkpoint).

use std::fmt;

use data_encoding::BASE64;

use super::hash::Hash;
use super::key::{KeyName, SigningKey, VerifyingKey, is_name};
use super::note::{self, NoteError};
use crate::types::CustomerId;

/// Longest origin in bytes.
const ORIGIN_BYTES_MAX: usize = 300;

/// Text that is not an origin of ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an origin is visible ASCII without +, ending in an epoch, as `dc1.example/feed/acme/e1`")]
pub struct InvalidOrigin;

/// Why a checkpoint is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CheckpointError {
    /// The note is refused.
    #[error(transparent)]
    Note(#[from] NoteError),
    /// A known key signed it, but it is not origin, size and root.
    #[error("the signed text is not origin, size and root")]
    Malformed,
    /// It is about another log.
    #[error("the checkpoint is for `{found}`")]
    Origin {
        /// What it is about.
        found: Origin,
    },
}

/// Number of a life of a log; a restore from a backup begins the next.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Epoch(u32);

impl Epoch {
    /// The epoch of a new log.
    pub const FIRST: Self = Self(1);

    /// From its number, 1 or more.
    pub fn new(number: u32) -> Option<Self> {
        (number >= 1).then_some(Self(number))
    }

    /// Its number, 1 or more.
    pub fn number(self) -> u32 {
        self.0
    }

    /// The one after it; `None` after the last that can be numbered.
    pub fn next(self) -> Option<Self> {
        self.0.checked_add(1).map(Self)
    }
}

/// Names a log, for example `dc1.example/feed/acme/e1`; no two logs share one.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Origin {
    text: String,
    epoch: Epoch,
}

impl Origin {
    /// The origin of a customer's feed at the site that signs under this name.
    pub fn feed(site: &KeyName, customer: &CustomerId, epoch: Epoch) -> Self {
        let (site, number) = (site.as_str(), epoch.number());
        Self {
            text: format!("{site}/feed/{customer}/e{number}"),
            epoch,
        }
    }

    /// Parses it.
    pub fn parse(text: &str) -> Result<Self, InvalidOrigin> {
        let (log, last) = text.rsplit_once('/').ok_or(InvalidOrigin)?;
        let digits = last.strip_prefix('e').ok_or(InvalidOrigin)?;
        let number = decimal(digits).and_then(|n| u32::try_from(n).ok());
        let epoch = number.and_then(Epoch::new).ok_or(InvalidOrigin)?;
        if log.is_empty() || !is_name(text, ORIGIN_BYTES_MAX) {
            return Err(InvalidOrigin);
        }
        let text = text.to_owned();
        Ok(Self { text, epoch })
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Its epoch.
    pub fn epoch(&self) -> Epoch {
        self.epoch
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// The head of a log at some size.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkpoint {
    /// The log.
    pub origin: Origin,
    /// Number of leaves.
    pub size: u64,
    /// RFC 6962 root over them.
    pub root: Hash,
}

impl Checkpoint {
    /// The text that is signed: origin, size and root, a line each.
    pub fn text(&self) -> String {
        let root = BASE64.encode(self.root.as_bytes());
        format!("{}\n{}\n{root}\n", self.origin, self.size)
    }

    /// The signed note. The caller sees to it that the head is durable and continues the last.
    pub fn sign(&self, key: &SigningKey) -> String {
        note::sign(&self.text(), key)
    }

    /// Takes a note that one of the keys has signed; of other keys it knows nothing.
    ///
    /// One key signs all feeds of a site: compare the origin, or use [`Checkpoint::verify_for`].
    pub fn verify(note: &str, keys: &[VerifyingKey]) -> Result<Self, CheckpointError> {
        let text = note::verify(note, keys)?;
        Self::parse(text).ok_or(CheckpointError::Malformed)
    }

    /// Takes a note about this very log that one of the keys has signed.
    pub fn verify_for(
        note: &str,
        keys: &[VerifyingKey],
        origin: &Origin,
    ) -> Result<Self, CheckpointError> {
        let checkpoint = Self::verify(note, keys)?;
        if checkpoint.origin == *origin {
            return Ok(checkpoint);
        }
        let found = checkpoint.origin;
        Err(CheckpointError::Origin { found })
    }

    /// From the signed text. Extension lines are refused: no log of ours writes any.
    fn parse(text: &str) -> Option<Self> {
        let mut lines = text.strip_suffix('\n')?.split('\n');
        let origin = Origin::parse(lines.next()?).ok()?;
        let size = decimal(lines.next()?)?;
        let root = BASE64.decode(lines.next()?.as_bytes()).ok()?;
        let root = Hash::parse(&root).ok()?;
        lines
            .next()
            .is_none()
            .then_some(Self { origin, size, root })
    }
}

/// A number as C2SP writes it: digits only, no leading zero.
fn decimal(text: &str) -> Option<u64> {
    let number: u64 = text.parse().ok()?;
    (number.to_string() == text).then_some(number)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn key() -> SigningKey {
        SigningKey::from_seed(KeyName::parse("dc1.example").unwrap(), &[1; 32]).unwrap()
    }

    fn keys() -> Vec<VerifyingKey> {
        vec![key().verifying_key().clone()]
    }

    fn checkpoint(size: u64) -> Checkpoint {
        Checkpoint {
            origin: Origin::parse("dc1.example/feed/acme/e1").unwrap(),
            size,
            root: Hash::from_bytes([0xAB; 32]),
        }
    }

    #[test]
    fn origins_follow_the_grammar() {
        let acme = CustomerId::parse("acme").unwrap();
        let name = KeyName::parse("dc1.example").unwrap();
        let epoch = Epoch::FIRST.next().unwrap();
        let origin = Origin::feed(&name, &acme, epoch);
        assert_eq!(origin.as_str(), "dc1.example/feed/acme/e2");
        assert_eq!(Origin::parse(origin.as_str()), Ok(origin));
        for bad in [
            "",
            "e1",
            "/e1",
            "dc1.example",
            "dc1.example/e0",
            "dc1.example/e01",
            "dc1.example/e+1",
            "dc1.example/e4294967296",
            "dc1 example/e1",
            "dc1+example/e1",
            "dc1\nexample/e1",
            "dc1.example/é/e1",
        ] {
            assert_eq!(Origin::parse(bad), Err(InvalidOrigin), "{bad:?}");
        }
    }

    #[test]
    fn a_checkpoint_of_another_feed_is_refused() {
        let note = checkpoint(3).sign(&key());
        let other = Origin::parse("dc1.example/feed/umbra/e1").unwrap();
        let found = checkpoint(3).origin;
        assert_eq!(
            Checkpoint::verify_for(&note, &keys(), &other),
            Err(CheckpointError::Origin {
                found: found.clone()
            })
        );
        assert_eq!(
            Checkpoint::verify_for(&note, &keys(), &found),
            Ok(checkpoint(3))
        );
    }

    #[test]
    fn a_signed_text_that_is_no_checkpoint_is_refused() {
        let good = checkpoint(3).text();
        for bad in [
            "hello\n".to_owned(),
            good.replace("\n3\n", "\n03\n"),
            good.replace("\n3\n", "\n-3\n"),
            good.replace("\n3\n", "\n18446744073709551616\n"),
            good.replace("q6s=", "q6s"),
            format!("{good}extension\n"),
        ] {
            let note = note::sign(&bad, &key());
            assert_eq!(
                Checkpoint::verify(&note, &keys()),
                Err(CheckpointError::Malformed),
                "{bad:?}"
            );
        }
    }

    proptest! {
        #[test]
        fn signed_checkpoints_read_back(size: u64, root: [u8; 32]) {
            let signed = Checkpoint { size, root: Hash::from_bytes(root), ..checkpoint(0) };
            prop_assert_eq!(Checkpoint::verify(&signed.sign(&key()), &keys()), Ok(signed));
        }

        #[test]
        fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
            let _ = Checkpoint::verify(&String::from_utf8_lossy(&bytes), &keys());
        }

        #[test]
        fn no_lines_make_it_panic(lines in "([a-z0-9/+=\n— ]{0,30}\n){0,8}") {
            prop_assert!(Checkpoint::verify(&lines, &keys()).is_err());
        }

        #[test]
        fn a_note_with_one_byte_altered_is_refused(at: prop::sample::Index, flip in 1_u8..) {
            let mut note = checkpoint(3).sign(&key()).into_bytes();
            let at = at.index(note.len());
            note[at] ^= flip;
            if let Ok(altered) = String::from_utf8(note) {
                prop_assert!(Checkpoint::verify(&altered, &keys()).is_err());
            }
        }

        #[test]
        fn a_note_cut_short_is_refused(end: prop::sample::Index) {
            let note = checkpoint(3).sign(&key());
            let end = end.index(note.len());
            if let Some(cut) = note.get(..end) {
                prop_assert!(Checkpoint::verify(cut, &keys()).is_err());
            }
        }
    }
}
