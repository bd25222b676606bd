//! The state file of a feed reader: where it stands, so that it can go on after a restart.

use std::fs::{self, File};
use std::io::{ErrorKind, Write as _};
use std::path::{Path, PathBuf};

use data_encoding::{BASE64, HEXLOWER};
use serde::{Deserialize, Serialize};

use super::feed_check::Position;
use crate::ledger::{Frontier, Hash, Origin};
use crate::types::CustomerId;

/// Number of the file's form.
const FORMAT: u32 = 1;
/// 48 hashes and a token fit many times over.
const STATE_BYTES_MAX: u64 = 64 * 1024;

/// A state file that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// It cannot be read or written.
    #[error("state file `{}`: {detail}", path.display())]
    Io {
        /// Where.
        path: PathBuf,
        /// Why not.
        detail: String,
    },
    /// It is not a state file, or not of this customer.
    #[error("state file `{}`: expected {expected}", path.display())]
    Content {
        /// Where.
        path: PathBuf,
        /// What was expected.
        expected: String,
    },
}

/// Where a reader stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FeedState {
    /// Whose feed.
    pub customer: CustomerId,
    /// The next leaf, the tree and its log.
    pub position: Position,
    /// Token of the last message; `None` where the feed was listed and not watched.
    pub resume_token: Option<Vec<u8>>,
}

/// The file's form.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct StateText {
    format: u32,
    customer: String,
    next_index: u64,
    resume_token: Option<String>,
    origin: Option<String>,
    /// Roots of the complete subtrees, largest first, in hexadecimal; unset where roots cannot
    /// be compared.
    frontier: Option<Vec<String>>,
}

/// Reads a state; `None` if there is no such file yet.
pub fn load(path: &Path, customer: &CustomerId) -> Result<Option<FeedState>, StateError> {
    let io = |error: std::io::Error| StateError::Io {
        path: path.to_owned(),
        detail: error.to_string(),
    };
    let content = |expected: &str| StateError::Content {
        path: path.to_owned(),
        expected: expected.to_owned(),
    };
    match fs::metadata(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(io(error)),
        Ok(file) if file.len() > STATE_BYTES_MAX => return Err(content("a smaller file")),
        Ok(_) => {}
    }
    let bytes = fs::read(path).map_err(io)?;
    let text: StateText =
        serde_json::from_slice(&bytes).map_err(|error| content(&format!("a state: {error}")))?;
    if text.format != FORMAT {
        return Err(content("the form of this program's version"));
    }
    if text.customer != customer.as_str() {
        return Err(content(&format!(
            "the state of `{customer}`, found another customer's"
        )));
    }
    parsed(&text, customer)
        .map(Some)
        .ok_or_else(|| content("a tree of the size it names"))
}

fn parsed(text: &StateText, customer: &CustomerId) -> Option<FeedState> {
    let hash = |hex: &String| Hash::parse(&HEXLOWER.decode(hex.as_bytes()).ok()?).ok();
    let frontier = match &text.frontier {
        Some(nodes) => {
            let nodes = nodes.iter().map(hash).collect::<Option<Vec<Hash>>>()?;
            Some(Frontier::from_parts(text.next_index, nodes).ok()?)
        }
        None => None,
    };
    let origin = match &text.origin {
        Some(origin) => Some(Origin::parse(origin).ok()?),
        None => None,
    };
    let resume_token = match &text.resume_token {
        Some(token) => Some(BASE64.decode(token.as_bytes()).ok()?),
        None => None,
    };
    Some(FeedState {
        customer: customer.clone(),
        position: Position {
            next_index: Some(text.next_index),
            frontier,
            origin,
        },
        resume_token,
    })
}

/// Writes a state so that after a crash the file is the old one or the new one, whole.
///
/// Call it after the output it speaks of has been flushed: then a crash repeats rows, and never
/// loses one.
pub fn save(path: &Path, state: &FeedState) -> Result<(), StateError> {
    let Some(next_index) = state.position.next_index else {
        return Ok(());
    };
    let nodes = |tree: &Frontier| tree.nodes().iter().map(ToString::to_string).collect();
    let text = StateText {
        format: FORMAT,
        customer: state.customer.to_string(),
        next_index,
        resume_token: state
            .resume_token
            .as_ref()
            .map(|token| BASE64.encode(token)),
        origin: state.position.origin.as_ref().map(ToString::to_string),
        frontier: state.position.frontier.as_ref().map(nodes),
    };
    replace(path, &text).map_err(|error| StateError::Io {
        path: path.to_owned(),
        detail: error.to_string(),
    })
}

fn replace(path: &Path, text: &StateText) -> std::io::Result<()> {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".new");
    let written = path.with_file_name(name);
    let mut file = File::create(&written)?;
    file.write_all(&serde_json::to_vec_pretty(text)?)?;
    file.write_all(b"\n")?;
    file.sync_all()?;
    fs::rename(&written, path)?;
    // The rename counts only once its folder is synced.
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        Some(_) | None => Path::new("."),
    };
    File::open(folder)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn acme() -> CustomerId {
        CustomerId::parse("acme").unwrap()
    }

    fn state() -> FeedState {
        let mut frontier = Frontier::default();
        for byte in 0..3 {
            frontier.push(Hash::from_bytes([byte; 32]));
        }
        FeedState {
            customer: acme(),
            position: Position {
                next_index: Some(3),
                frontier: Some(frontier),
                origin: Origin::parse("dc1.example/feed/acme/e1").ok(),
            },
            resume_token: Some(vec![1, 2, 255]),
        }
    }

    #[test]
    fn a_state_reads_back_as_it_was_written() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("acme.state");
        assert_eq!(load(&path, &acme()).unwrap(), None);
        save(&path, &state()).unwrap();
        save(&path, &state()).unwrap();
        assert_eq!(load(&path, &acme()).unwrap(), Some(state()));
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn another_customers_state_and_a_broken_one_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("s");
        save(&path, &state()).unwrap();
        assert!(load(&path, &CustomerId::parse("bolt").unwrap()).is_err());
        let text = fs::read_to_string(&path).unwrap();
        fs::write(
            &path,
            text.replace("\"next_index\": 3", "\"next_index\": 4"),
        )
        .unwrap();
        assert!(matches!(
            load(&path, &acme()),
            Err(StateError::Content { .. })
        ));
        fs::write(&path, "{").unwrap();
        assert!(matches!(
            load(&path, &acme()),
            Err(StateError::Content { .. })
        ));
    }
}
