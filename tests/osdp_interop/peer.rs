//! A Python peer that runs beside the test.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, bail, ensure};

use super::house::wait_for;

/// How long the peer may take until its lines are there, on a busy machine.
const THERE_WITHIN: Duration = Duration::from_secs(30);
/// How long it may take to its end; each of its own waits is shorter.
const DONE_WITHIN: Duration = Duration::from_mins(4);

/// A process that is killed when this is dropped.
#[derive(Debug)]
pub(crate) struct Peer {
    process: Child,
    log: PathBuf,
}

impl Peer {
    /// Starts a script of `tests/` with its task; what it says goes to a file beside that.
    pub(crate) fn start(python: &Path, script: &Path, task: &Path) -> anyhow::Result<Self> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let log = task.with_extension("log");
        let file = File::create(&log)?;
        let process = Command::new(python)
            .arg(root.join(script))
            .arg(task)
            .env("SLUSS_EXAMPLES", root.join("docs/examples"))
            .env("PYTHONPATH", root.join("tests/interop"))
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .stdin(Stdio::null())
            .stdout(file.try_clone()?)
            .stderr(file)
            .spawn()
            .with_context(|| python.display().to_string())?;
        Ok(Self { process, log })
    }

    /// Waits for a file that the peer makes.
    pub(crate) fn wait_until_there(&mut self, path: &Path) -> anyhow::Result<()> {
        let Self { process, log } = self;
        wait_for(&path.display().to_string(), THERE_WITHIN, || {
            if let Some(ended) = process.try_wait()? {
                bail!("the peer ended: {ended}\n{}", said(log));
            }
            Ok(path.exists().then_some(()))
        })
    }

    /// Waits for the peer's end and returns what it said; an error if a fact did not hold.
    pub(crate) fn wait(mut self) -> anyhow::Result<String> {
        let process = &mut self.process;
        let ended = wait_for("the peer comes to its end", DONE_WITHIN, || {
            Ok(process.try_wait()?)
        })
        .with_context(|| said(&self.log))?;
        let told = said(&self.log);
        ensure!(ended.success(), "the peer ended with {ended}\n{told}");
        Ok(told)
    }
}

fn said(log: &Path) -> String {
    fs::read_to_string(log).unwrap_or_default()
}

impl Drop for Peer {
    fn drop(&mut self) {
        // A test that fails early must not leave a peer behind.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
