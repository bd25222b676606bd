//! A site of its own for a test: the real programs, a scratch folder, certificates, a server.

use std::fs;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail, ensure};

/// How long a server may take until it accepts connections, in a debug build on a busy machine.
const READY_WITHIN: Duration = Duration::from_secs(30);
/// Pause between two looks at what is waited for.
const LOOK_AGAIN: Duration = Duration::from_millis(5);

/// A site and its server, which is killed when this is dropped.
#[derive(Debug)]
pub(crate) struct House {
    folder: PathBuf,
    address: SocketAddr,
    server: Option<Child>,
}

/// A folder with `ca.pem`, `cert.pem` and `key.pem`.
#[derive(Debug, Clone)]
pub(crate) struct Papers {
    folder: PathBuf,
}

#[expect(
    clippy::disallowed_methods,
    reason = "a test has to give up after some time; nothing here decides anything"
)]
fn ticks() -> Instant {
    Instant::now()
}

/// Looks again and again until something is there, at most `within`.
pub(crate) fn wait_for<T>(
    what: &str,
    within: Duration,
    mut look: impl FnMut() -> anyhow::Result<Option<T>>,
) -> anyhow::Result<T> {
    let begun = ticks();
    loop {
        if let Some(found) = look()? {
            return Ok(found);
        }
        ensure!(begun.elapsed() < within, "not within {within:?}: {what}");
        std::thread::park_timeout(LOOK_AGAIN);
    }
}

impl House {
    /// Makes a site in an empty folder; no server runs yet.
    pub(crate) fn make(folder: &Path) -> anyhow::Result<Self> {
        let address = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
        let house = Self {
            folder: folder.to_owned(),
            address,
            server: None,
        };
        slussd(&[
            "init",
            "--folder",
            text(&house.site())?,
            "--site",
            "test",
            "--name",
            "Test",
            "--zone",
            "Europe/Stockholm",
            "--listen",
            &address.to_string(),
        ])?;
        Ok(house)
    }

    fn site(&self) -> PathBuf {
        self.folder.join("site")
    }

    /// The server's configuration.
    pub(crate) fn config(&self) -> PathBuf {
        self.site().join("slussd.toml")
    }

    /// Where the server listens.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// A file of the test's own, beside the site.
    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// Starts the server and waits until it accepts connections.
    pub(crate) fn start(&mut self) -> anyhow::Result<()> {
        let log = fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(self.file("slussd.log"))?;
        let server = Command::new(env!("CARGO_BIN_EXE_slussd"))
            .args(["serve", "--config", text(&self.config())?])
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()?;
        let server = self.server.insert(server);
        let address = self.address;
        wait_for("the server accepts connections", READY_WITHIN, || {
            if let Some(ended) = server.try_wait()? {
                bail!("the server ended: {ended}");
            }
            Ok(TcpStream::connect(address).ok())
        })
        .with_context(|| self.last_words())?;
        Ok(())
    }

    /// Kills the server with SIGKILL and waits until it is gone.
    pub(crate) fn kill(&mut self) -> anyhow::Result<()> {
        let mut server = self.server.take().context("no server runs")?;
        server.kill()?;
        server.wait()?;
        Ok(())
    }

    /// The end of what the server said.
    pub(crate) fn last_words(&self) -> String {
        const LINES: usize = 20;
        let log = fs::read_to_string(self.file("slussd.log")).unwrap_or_default();
        let lines: Vec<&str> = log.lines().collect();
        let from = lines.len().saturating_sub(LINES);
        lines.get(from..).unwrap_or_default().join("\n")
    }

    /// Gives out papers: of what kind, for whom, for example `controller`, `gate-1`.
    pub(crate) fn issue(&self, kind: &str, id: &str) -> anyhow::Result<Papers> {
        self.issue_into(&format!("{kind}-{id}"), kind, id)
    }

    /// Gives out papers into a folder of this name.
    pub(crate) fn issue_into(&self, name: &str, kind: &str, id: &str) -> anyhow::Result<Papers> {
        let folder = self.file(name);
        slussd(&[
            "cert",
            "issue",
            "--config",
            text(&self.config())?,
            "--out",
            text(&folder)?,
            kind,
            id,
        ])?;
        Ok(Papers { folder })
    }

    /// Runs a command of a caller against the server and returns what it printed.
    pub(crate) fn sluss(&self, papers: &Papers, args: &[&str]) -> anyhow::Result<String> {
        run(Command::new(env!("CARGO_BIN_EXE_sluss"))
            .args(args)
            .env("SLUSS_SERVER", format!("https://{}", self.address))
            .env("SLUSS_IDENTITY", papers.folder()))
    }

    /// Makes the site what a file says, and the lists of customers what their CSV says.
    pub(crate) fn furnish(&self, site: &str, lists: &[(&Papers, &str)]) -> anyhow::Result<()> {
        let operator = self.issue("operator", "test")?;
        let file = self.file("site.toml");
        fs::write(&file, site)?;
        self.sluss(&operator, &["site", "apply", text(&file)?])?;
        for (customer, csv) in lists {
            let file = self.file("list.csv");
            fs::write(&file, csv)?;
            self.sluss(customer, &["list", "apply", text(&file)?])?;
        }
        Ok(())
    }
}

impl Drop for House {
    fn drop(&mut self) {
        // A test that fails early must not leave a server behind.
        if self.server.is_some() {
            let _ = self.kill();
        }
    }
}

impl Papers {
    /// Where they lie.
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }
}

/// Runs the server's program to its end and returns what it printed.
pub(crate) fn slussd(args: &[&str]) -> anyhow::Result<String> {
    run(Command::new(env!("CARGO_BIN_EXE_slussd")).args(args))
}

/// Runs a program to its end; what it said is in the error.
pub(crate) fn run(command: &mut Command) -> anyhow::Result<String> {
    let output = command.stdin(Stdio::null()).output()?;
    let told = String::from_utf8_lossy(&output.stdout).into_owned();
    ensure!(
        output.status.success(),
        "{command:?} ended with {}\n{told}{}",
        output.status,
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(told)
}

/// A path as an argument.
pub(crate) fn text(path: &Path) -> anyhow::Result<&str> {
    path.to_str().context("a path that is not UTF-8")
}
