//! The thread that lets a line's time pass.

use std::io::{self, PipeReader, Read as _};
use std::num::NonZeroU64;
use std::path::PathBuf;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::pty::{Fetched, Pty};
use super::state::State;
use crate::clock::ticks;

/// Longer than anything here lasts.
pub(crate) const FOREVER: Duration = Duration::from_hours(365 * 24);
/// A line on which nothing happens is looked at this often.
const IDLE: Duration = Duration::from_millis(500);
/// A port that cannot be made is tried again after this.
const RETRY: Duration = Duration::from_millis(100);
/// Bytes read at once.
const READ_BYTES: usize = 4096;

/// What handles and the thread share.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) line: Mutex<Line>,
    pub(crate) port_changed: Condvar,
}

/// A line and what is wanted of its port.
#[derive(Debug)]
pub(crate) struct Line {
    pub(crate) state: State,
    pub(crate) wants_port: bool,
    pub(crate) has_port: bool,
    pub(crate) is_over: bool,
}

impl Shared {
    pub(crate) fn lock(&self) -> MutexGuard<'_, Line> {
        // A panic elsewhere leaves the line as it was after the last byte; going on is safe.
        self.line.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The thread's own part.
pub(crate) struct Engine {
    pub(crate) shared: Arc<Shared>,
    pub(crate) path: PathBuf,
    pub(crate) port: Option<Pty>,
    pub(crate) waker: PipeReader,
    /// Whether the host has spoken since it opened the port; what comes before nobody hears.
    pub(crate) has_spoken: bool,
}

impl Engine {
    /// Runs until the line is over.
    pub(crate) fn run(mut self) {
        // Waits end up to 50 us late otherwise, and bytes with them; where that cannot be set
        // they just do.
        let _set = rustix::thread::set_current_timer_slack(Some(NonZeroU64::MIN));
        loop {
            let now = ticks();
            let mut line = self.shared.lock();
            if line.is_over {
                return;
            }
            line.state.advance(now);
            let bytes = line.state.take_to_host();
            let mut due = line.state.due(now).unwrap_or(now + IDLE);
            let wants_port = line.wants_port;
            drop(line);
            if wants_port != self.port.is_some() {
                self.change_port(wants_port);
                due = now + RETRY;
            }
            self.hand_over(&bytes);
            if self.wait(due) {
                self.fetch();
            }
        }
    }

    fn change_port(&mut self, wants_port: bool) {
        self.has_spoken = false;
        // The old one goes after the new one has its path, which so is never missing between.
        self.port = wants_port.then(|| Pty::open(&self.path).ok()).flatten();
        let mut line = self.shared.lock();
        line.state.hang_up();
        line.has_port = self.port.is_some();
        drop(line);
        self.shared.port_changed.notify_all();
    }

    fn hand_over(&mut self, bytes: &[u8]) {
        let Some(port) = self.port.as_ref().filter(|_| self.has_spoken) else {
            return;
        };
        let written = port.write(bytes);
        if written < bytes.len() {
            let lost = u64::try_from(bytes.len() - written).unwrap_or_default();
            self.shared.lock().state.counters.lost_bytes += lost;
        }
    }

    /// Waits until `due`, until the host writes, or until a handle wakes it; whether the host
    /// did something.
    fn wait(&mut self, due: Instant) -> bool {
        let left = due.saturating_duration_since(ticks());
        let timeout = Timespec::try_from(left).ok();
        let mut both = vec![PollFd::new(&self.waker, PollFlags::IN)];
        both.extend(
            self.port
                .as_ref()
                .map(|port| PollFd::new(port, PollFlags::IN)),
        );
        if poll(&mut both, timeout.as_ref()).is_err() {
            return false;
        }
        let happened: Vec<bool> = both.iter().map(|fd| !fd.revents().is_empty()).collect();
        if happened.first() == Some(&true) {
            // Woken is all there is to know; how often does not matter.
            let _count = self.waker.read(&mut [0; 64]);
        }
        happened.get(1) == Some(&true)
    }

    fn fetch(&mut self) {
        let mut bytes = [0; READ_BYTES];
        let Some(port) = &self.port else {
            return;
        };
        match port.read(&mut bytes) {
            Fetched::Bytes(count) => {
                self.has_spoken = true;
                let now = ticks();
                let mut line = self.shared.lock();
                line.state.advance(now);
                let written = bytes.get(..count).unwrap_or_default();
                line.state.host_sent(written, now);
            }
            Fetched::Nothing => {}
            // A new one: what the last host set there, exclusive use above all, must not stay.
            Fetched::HungUp => {
                self.shared.lock().state.counters.hang_ups += 1;
                self.change_port(true);
            }
        }
    }
}

/// Fills with bytes that nobody can foresee; zeros where the system has none.
pub(crate) fn system_random(bytes: &mut [u8]) {
    let flags = rustix::rand::GetRandomFlags::empty();
    if rustix::rand::getrandom(&mut *bytes, flags).is_err() {
        bytes.fill(0);
    }
}

/// An error of settings as one of input and output.
pub(crate) fn invalid(error: crate::osdp::InvalidSettings) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, error)
}
