//! Python with the libraries of a peer, installed into the build folder.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::house::{run, text};

/// The Python that has what a requirements file of `tests/` names, installed anew when that
/// changes. `None`, and loudly said, where it cannot be had; an error if `CI=true`.
pub(crate) fn python(peer: &str) -> anyhow::Result<Option<PathBuf>> {
    match install(peer) {
        Ok(python) => Ok(Some(python)),
        Err(error) if std::env::var("CI").is_ok_and(|ci| ci == "true") => {
            Err(error.context("CI=true: the Python peer must be there"))
        }
        Err(error) => {
            eprintln!("SKIPPED: nothing was checked against Python's libraries: {error:#}");
            Ok(None)
        }
    }
}

fn install(peer: &str) -> anyhow::Result<PathBuf> {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests");
    let requirements = tests.join(peer).join("requirements.txt");
    let wanted = fs::read_to_string(&requirements)?;
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{peer}-venv"));
    let python = folder.join("bin/python");
    let installed = folder.join("installed.txt");
    if fs::read_to_string(&installed).is_ok_and(|text| text == wanted) {
        return Ok(python);
    }
    if folder.exists() {
        fs::remove_dir_all(&folder)?;
    }
    run(Command::new("python3").args(["-m", "venv", text(&folder)?]))?;
    run(Command::new(&python)
        .args(["-m", "pip", "install", "--quiet", "--only-binary", ":all:"])
        .args([
            "--disable-pip-version-check",
            "--requirement",
            text(&requirements)?,
        ]))?;
    fs::write(installed, wanted)?;
    Ok(python)
}
