//! Signed notes (C2SP signed-note, version 1.0.0).

use data_encoding::BASE64;

use super::key::{SigningKey, VerifyingKey};

/// Longest note in bytes: sixteen signatures of 5 kB in base64, which every verifier must take.
pub const NOTE_BYTES_MAX: usize = 131_072;
/// Most signatures on a note; a verifier must take at least sixteen.
const SIGNATURES_MAX: usize = 32;
/// What a signature line begins with: an em dash and a space.
const SIGNATURE_PREFIX: &str = "\u{2014} ";

/// Why a note is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NoteError {
    /// Longer than any note need be.
    #[error("a note has at most {NOTE_BYTES_MAX} bytes")]
    TooLong,
    /// More signatures than any note need have.
    #[error("a note has at most {SIGNATURES_MAX} signatures")]
    TooManySignatures,
    /// Not text, an empty line and signature lines.
    #[error("not a signed note")]
    Malformed,
    /// None of the signatures is by a key that is trusted.
    #[error("no signature is by a known key")]
    NoKnownKey,
    /// A signature names a key that is trusted, and is not by it: altered on the way, or forged.
    #[error("a signature by a known key does not belong to the text")]
    BadSignature,
}

/// A text, which ends with a newline, with a signature under it.
pub(super) fn sign(text: &str, key: &SigningKey) -> String {
    let verifying = key.verifying_key();
    let mut signature = verifying.id().to_vec();
    signature.extend_from_slice(key.sign(text).as_ref());
    let (name, signature) = (verifying.name().as_str(), BASE64.encode(&signature));
    format!("{text}\n{SIGNATURE_PREFIX}{name} {signature}\n")
}

/// The text of a note that at least one of the keys has signed.
///
/// Signatures by other keys are passed over; a bad one by a key that is known is not.
pub(super) fn verify<'a>(note: &'a str, keys: &[VerifyingKey]) -> Result<&'a str, NoteError> {
    let (text, signatures) = split(note)?;
    let mut is_signed = false;
    for (count, line) in signatures.split_terminator('\n').enumerate() {
        if count >= SIGNATURES_MAX {
            return Err(NoteError::TooManySignatures);
        }
        let (name, signature) = parse_line(line).ok_or(NoteError::Malformed)?;
        let (id, signature) = signature
            .split_first_chunk::<4>()
            .ok_or(NoteError::Malformed)?;
        let known = |key: &&VerifyingKey| key.name().as_str() == name && key.id() == *id;
        if let Some(key) = keys.iter().find(known) {
            if !key.verifies(text, signature) {
                return Err(NoteError::BadSignature);
            }
            is_signed = true;
        }
    }
    if is_signed {
        Ok(text)
    } else {
        Err(NoteError::NoKnownKey)
    }
}

/// Text with its last newline, and signature lines; the last empty line divides them.
fn split(note: &str) -> Result<(&str, &str), NoteError> {
    if note.len() > NOTE_BYTES_MAX {
        return Err(NoteError::TooLong);
    }
    if note.chars().any(|c| c < ' ' && c != '\n') || !note.ends_with('\n') {
        return Err(NoteError::Malformed);
    }
    let (_, signatures) = note.rsplit_once("\n\n").ok_or(NoteError::Malformed)?;
    let text = note
        .strip_suffix(signatures)
        .and_then(|head| head.strip_suffix('\n'))
        .ok_or(NoteError::Malformed)?;
    Ok((text, signatures))
}

/// Key name, and key id with signature, of `— NAME BASE64`.
fn parse_line(line: &str) -> Option<(&str, Vec<u8>)> {
    let (name, signature) = line.strip_prefix(SIGNATURE_PREFIX)?.split_once(' ')?;
    let is_name = !name.is_empty() && !name.contains(|c: char| c.is_whitespace() || c == '+');
    let signature = BASE64.decode(signature.as_bytes()).ok()?;
    is_name.then_some((name, signature))
}

#[cfg(test)]
mod tests {
    use super::super::key::KeyName;
    use super::*;

    fn key(name: &str, seed: u8) -> SigningKey {
        SigningKey::from_seed(KeyName::parse(name).unwrap(), &[seed; 32]).unwrap()
    }

    fn trusted() -> Vec<VerifyingKey> {
        vec![key("dc1.example", 1).verifying_key().clone()]
    }

    #[test]
    fn unknown_keys_are_passed_over() {
        let note = sign("text\n", &key("dc1.example", 1));
        let other = sign("text\n", &key("witness.example", 2));
        let line = other.strip_prefix("text\n\n").unwrap();
        assert_eq!(verify(&format!("{note}{line}"), &trusted()), Ok("text\n"));
        assert_eq!(verify(&other, &trusted()), Err(NoteError::NoKnownKey));
        assert_eq!(verify(&note, &[]), Err(NoteError::NoKnownKey));
    }

    #[test]
    fn the_same_name_with_another_key_is_unknown() {
        let note = sign("text\n", &key("dc1.example", 2));
        assert_eq!(verify(&note, &trusted()), Err(NoteError::NoKnownKey));
    }

    #[test]
    fn a_text_may_hold_empty_lines() {
        let text = "a\n\n\nb\n\n";
        assert_eq!(
            verify(&sign(text, &key("dc1.example", 1)), &trusted()),
            Ok(text)
        );
    }

    #[test]
    fn a_bad_signature_by_a_known_key_spoils_a_good_one() {
        let note = sign("text\n", &key("dc1.example", 1));
        let forged = sign("other\n", &key("dc1.example", 1));
        let line = forged.strip_prefix("other\n\n").unwrap();
        assert_eq!(
            verify(&format!("{note}{line}"), &trusted()),
            Err(NoteError::BadSignature)
        );
    }

    #[test]
    fn sizes_are_bounded() {
        let long = "x".repeat(NOTE_BYTES_MAX + 1);
        assert_eq!(verify(&long, &trusted()), Err(NoteError::TooLong));
        let note = sign("text\n", &key("witness.example", 2));
        let line = note.strip_prefix("text\n\n").unwrap();
        assert_eq!(
            verify(&format!("text\n\n{}", line.repeat(33)), &trusted()),
            Err(NoteError::TooManySignatures)
        );
        let known = sign("text\n", &key("dc1.example", 1));
        assert_eq!(
            verify(&format!("{known}{}", line.repeat(31)), &trusted()),
            Ok("text\n")
        );
    }

    #[test]
    fn what_is_no_note_is_refused() {
        for bad in [
            "",
            "\n",
            "text",
            "text\n",
            "text\n\n— dc1.example AAAAAAA=",
            "text\n\nhello\n",
            "text\n\n— dc1.example\n",
            "text\n\n— dc1.example AAAA\n",
            "text\r\n\n— dc1.example AAAAAAA=\n",
            "text\n\n—  AAAAAAA=\n",
        ] {
            assert_eq!(
                verify(bad, &trusted()),
                Err(NoteError::Malformed),
                "{bad:?}"
            );
        }
    }
}
