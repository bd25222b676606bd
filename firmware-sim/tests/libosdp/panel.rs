//! libosdp as a control panel in a process of its own.

use std::fs;
use std::io::{BufRead as _, BufReader, Read, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use anyhow::{Context as _, bail, ensure};

const REQUIREMENTS: &str = include_str!("requirements.txt");
pub(crate) const ADDRESS: u8 = 5;
pub(crate) const KEY: [u8; 16] =
    *b"\x9f\x02\x6c\xd1\x44\x83\xe0\x7b\x15\xaa\x38\xf6\x5d\x21\xbc\x70";
/// Longest wait for the peer, which looks at its line 50 times a second and no more.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);
/// The tests install one environment between them.
static INSTALLING: Mutex<()> = Mutex::new(());

fn run(command: &mut Command) -> anyhow::Result<()> {
    let done = command
        .output()
        .with_context(|| format!("cannot run {command:?}"))?;
    let told = String::from_utf8_lossy(&done.stderr).into_owned();
    ensure!(done.status.success(), "{command:?} failed: {told}");
    Ok(())
}

/// The Python that has the peer's library, installed anew when its version changes.
fn python() -> anyhow::Result<PathBuf> {
    let _one_at_a_time = INSTALLING.lock().unwrap_or_else(PoisonError::into_inner);
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("libosdp-venv");
    let python = folder.join("bin/python");
    let installed = folder.join("installed.txt");
    if fs::read_to_string(&installed).is_ok_and(|text| text == REQUIREMENTS) {
        return Ok(python);
    }
    if folder.exists() {
        fs::remove_dir_all(&folder)?;
    }
    run(Command::new("python3").args(["-m", "venv"]).arg(&folder))?;
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    run(Command::new(&python)
        .args(["-m", "pip", "install", "--quiet", "--only-binary", ":all:"])
        .args(["--disable-pip-version-check", "--requirement"])
        .arg(root.join("tests/libosdp/requirements.txt")))?;
    fs::write(installed, REQUIREMENTS)?;
    Ok(python)
}

/// The Python, or `None` after having said so where it may be missing.
pub(crate) fn python_or_skip() -> anyhow::Result<Option<PathBuf>> {
    match python() {
        Ok(python) => Ok(Some(python)),
        Err(error) if std::env::var("CI").is_ok_and(|ci| ci == "true") => {
            Err(error.context("CI=true: libosdp must be there"))
        }
        Err(error) => {
            eprintln!("SKIPPED: the reader was not checked against libosdp: {error:#}");
            Ok(None)
        }
    }
}

fn hex(key: [u8; 16]) -> String {
    format!("{:032x}", u128::from_be_bytes(key))
}

/// libosdp as control panel, and what it said.
pub(crate) struct Panel {
    child: Child,
    orders: ChildStdin,
    said: Receiver<String>,
    pub(crate) heard: Vec<String>,
}

/// Sends on each line until the other side has ended.
fn forward(lines: impl Read + Send + 'static, sender: Sender<String>) {
    thread::spawn(move || {
        for line in BufReader::new(lines).lines().map_while(Result::ok) {
            if sender.send(line).is_err() {
                break;
            }
        }
    });
}

impl Panel {
    pub(crate) fn start(
        python: &Path,
        port: &Path,
        key: [u8; 16],
        grants: Option<&str>,
    ) -> anyhow::Result<Self> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let mut child = Command::new(python)
            .arg(root.join("tests/libosdp/peer.py"))
            .arg(port)
            .args([ADDRESS.to_string(), hex(key)])
            .args(grants)
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()?;
        let orders = child.stdin.take().context("no standard input")?;
        let output = child.stdout.take().context("no standard output")?;
        let log = child.stderr.take().context("no standard error")?;
        let (sender, said) = channel();
        forward(output, sender.clone());
        forward(log, sender);
        Ok(Self {
            child,
            orders,
            said,
            heard: Vec::new(),
        })
    }

    /// Waits for a line with these words; the peer's own begin with `> `.
    pub(crate) fn expect(&mut self, words: &str) -> anyhow::Result<String> {
        loop {
            match self.said.recv_timeout(PATIENCE) {
                Ok(line) if line.contains(words) => return Ok(line),
                Ok(line) => self.heard.push(line),
                Err(_) => bail!("no `{words}`; libosdp said:\n{}", self.heard.join("\n")),
            }
        }
    }

    pub(crate) fn order(&mut self, order: &str) -> anyhow::Result<()> {
        writeln!(self.orders, "{order}")?;
        let word = order.split(' ').next().unwrap_or_default();
        self.expect(&format!("> sent {word}"))?;
        Ok(())
    }
}

impl Drop for Panel {
    fn drop(&mut self) {
        let _gone = self.child.kill();
        let _reaped = self.child.wait();
    }
}
