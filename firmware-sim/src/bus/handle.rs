//! What a test, a demonstration or a command holds of a line and of its readers.

use std::io::{self, PipeWriter, Write as _};
use std::path::{Path, PathBuf};
use std::sync::mpsc::Receiver;
use std::sync::{Arc, Condvar, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use super::engine::{Engine, Line, Shared, invalid, system_random};
use super::pty::Pty;
use super::settings::{BusSettings, LineCounters};
use super::state::State;
use crate::Card;
use crate::clock::ticks;
use crate::osdp::{Counters, Exchange, Fault, InvalidKeys, Observed, ReaderSettings};

/// A port appears or vanishes within this, or something is wrong with the system.
const PORT_TIMEOUT: Duration = Duration::from_secs(2);

/// A line with readers that runs in a thread of its own until it is dropped.
#[derive(Debug)]
pub struct SimBus {
    shared: Arc<Shared>,
    path: PathBuf,
    waker: Arc<PipeWriter>,
    thread: Option<JoinHandle<()>>,
}

impl SimBus {
    /// Makes the port and lets the line run.
    ///
    /// Fails if a reader cannot be as it is set, two have one address, the path is taken by
    /// something that is no link, or the system has no pseudo terminal left.
    pub fn start(settings: BusSettings, readers: Vec<ReaderSettings>) -> io::Result<Self> {
        let state = State::new(&settings, readers, system_random).map_err(invalid)?;
        let port = Pty::open(&settings.path)?;
        let shared = Arc::new(Shared {
            line: Mutex::new(Line {
                state,
                wants_port: true,
                has_port: true,
                is_over: false,
            }),
            port_changed: Condvar::new(),
        });
        let (reader, writer) = io::pipe()?;
        let engine = Engine {
            shared: Arc::clone(&shared),
            path: settings.path.clone(),
            port: Some(port),
            waker: reader,
            has_spoken: false,
        };
        let thread = thread::Builder::new()
            .name("sim-bus".to_owned())
            .spawn(move || engine.run())?;
        Ok(Self {
            shared,
            path: settings.path,
            waker: Arc::new(writer),
            thread: Some(thread),
        })
    }

    /// Where the port is opened.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The reader with that address, if there is one.
    pub fn reader(&self, address: u8) -> Option<ReaderHandle> {
        let line = self.shared.lock();
        let mut readers = line.state.readers.iter();
        let number = readers.position(|reader| reader.address() == address)?;
        drop(line);
        Some(ReaderHandle {
            shared: Arc::clone(&self.shared),
            waker: Arc::clone(&self.waker),
            number,
        })
    }

    /// Takes the adapter away: the path vanishes, whoever has it open is hung up.
    pub fn unplug(&self) -> io::Result<()> {
        self.want_port(false)
    }

    /// Plugs it in again: the path is back.
    pub fn replug(&self) -> io::Result<()> {
        self.want_port(true)
    }

    /// Puts noise on the wire for so long, from now on; the time at which it ends.
    pub fn noise(&self, duration: Duration) -> Instant {
        let until = self.shared.lock().state.noise(ticks(), duration);
        wake(&self.waker);
        until
    }

    /// Whether the host hears its own bytes.
    pub fn echo(&self, is_on: bool) {
        self.shared.lock().state.has_echo = is_on;
    }

    /// What the line has counted so far.
    pub fn counters(&self) -> LineCounters {
        self.shared.lock().state.counters
    }

    fn want_port(&self, wants_port: bool) -> io::Result<()> {
        let mut line = self.shared.lock();
        line.wants_port = wants_port;
        wake(&self.waker);
        let (line, waited) = self
            .shared
            .port_changed
            .wait_timeout_while(line, PORT_TIMEOUT, |line| line.has_port != wants_port)
            .map_err(|_| io::Error::other("the line's thread has ended"))?;
        drop(line);
        if waited.timed_out() {
            let told = format!("`{}` cannot be made", self.path.display());
            return Err(io::Error::other(told));
        }
        Ok(())
    }
}

impl Drop for SimBus {
    fn drop(&mut self) {
        self.shared.lock().is_over = true;
        wake(&self.waker);
        if let Some(thread) = self.thread.take() {
            // A panic of the thread was printed where it happened.
            let _ended = thread.join();
        }
    }
}

/// Lets the thread look at what has changed.
fn wake(mut waker: &PipeWriter) {
    // Full or closed: then it is awake already, or will never be again.
    let _written = waker.write(&[1]);
}

/// One reader on a line; clones are the same reader.
#[derive(Debug, Clone)]
pub struct ReaderHandle {
    pub(super) shared: Arc<Shared>,
    waker: Arc<PipeWriter>,
    pub(super) number: usize,
}

impl ReaderHandle {
    /// Does something with the reader under the line's lock, now.
    fn with<T: Default>(&self, act: impl FnOnce(&mut crate::osdp::Reader, Instant) -> T) -> T {
        self.with_line(|line, now| {
            let reader = line.state.readers.get_mut(self.number);
            reader.map(|reader| act(reader, now)).unwrap_or_default()
        })
    }

    pub(super) fn with_line<T>(&self, act: impl FnOnce(&mut Line, Instant) -> T) -> T {
        let mut line = self.shared.lock();
        let now = ticks();
        line.state.advance(now);
        let done = act(&mut line, now);
        line.state.settle(now);
        drop(line);
        wake(&self.waker);
        done
    }

    /// Presents a card; when. It is handed over at the next POLL.
    pub fn present(&self, card: &Card) -> Instant {
        self.at(|reader| reader.present(card))
    }

    /// Presents bits, also such as no card has: the length is not compared with the bytes, of
    /// which 64 are taken at most.
    pub fn present_bits(&self, bit_length: u16, bits: &[u8]) -> Instant {
        self.at(|reader| reader.present_bits(bit_length, bits))
    }

    /// Presents a card that the reader hands over as characters (FMT), 64 at most.
    pub fn present_text(&self, text: &str) -> Instant {
        self.at(|reader| reader.present_text(text))
    }

    /// Types keys: `0` to `9`, `*`, `#`. They come in one reply for every 32.
    pub fn type_keys(&self, keys: &str) -> Result<Instant, InvalidKeys> {
        let mut typed = Ok(());
        let at = self.at(|reader| typed = reader.type_keys(keys));
        typed.map(|()| at)
    }

    /// Opens or closes the reader's case.
    pub fn tamper(&self, is_open: bool) {
        self.with(|reader, _| reader.set_local_status(Some(is_open), None));
    }

    /// Whether its power supply has failed.
    pub fn power_failed(&self, has_failed: bool) {
        self.with(|reader, _| reader.set_local_status(None, Some(has_failed)));
    }

    /// Sets an input; one that is not there stays so.
    pub fn input(&self, number: u8, is_active: bool) {
        self.with(|reader, _| reader.set_input(number, is_active));
    }

    /// Whether an output is on.
    pub fn output(&self, number: u8) -> bool {
        self.with(|reader, _| reader.output(number))
    }

    /// Restarts it: session, outputs and waiting events are gone.
    pub fn restart(&self) -> Instant {
        let mut restarted_at = None;
        self.with(|reader, now| {
            reader.restart(now);
            restarted_at = Some(now);
        });
        restarted_at.unwrap_or_else(ticks)
    }

    /// Switches install mode on or off, in which it answers the default key.
    pub fn install_mode(&self, is_on: bool) {
        self.with(|reader, _| reader.set_install_mode(is_on));
    }

    /// Lets something go wrong; several add up.
    pub fn fault(&self, fault: Fault) {
        self.with(|reader, _| reader.fault(fault));
    }

    /// Nothing goes wrong any more; when.
    pub fn clear_faults(&self) -> Instant {
        self.at(crate::osdp::Reader::clear_faults)
    }

    /// What it has counted so far.
    pub fn counters(&self) -> Counters {
        self.with(|reader, _| reader.counters())
    }

    /// Number of POLLs it has answered.
    pub fn polls(&self) -> u64 {
        self.counters().polls
    }

    /// What happens at it from now on; who does not read loses the newest after 16,384.
    pub fn observe(&self) -> Receiver<Observed> {
        let mut receiver = None;
        self.with(|reader, _| receiver = Some(reader.observe()));
        receiver.unwrap_or_else(|| std::sync::mpsc::channel().1)
    }

    /// Records its exchanges from now on, 20,000 at most.
    pub fn record(&self) {
        self.with(|reader, _| reader.record());
    }

    /// Ends recording; what was said since.
    pub fn recording(&self) -> Vec<Exchange> {
        self.with(|reader, _| reader.recording())
    }

    /// Puts in its place a thing without a key that answers as was recorded.
    ///
    /// It answers the same bytes with the same, else the next recorded command of the same code
    /// and sequence number, else nothing.
    pub fn replay(&self, exchanges: Vec<Exchange>) {
        self.with(|reader, _| reader.start_replay(exchanges));
    }

    fn at(&self, act: impl FnOnce(&mut crate::osdp::Reader)) -> Instant {
        let mut acted_at = None;
        self.with(|reader, now| {
            act(reader);
            acted_at = Some(now);
        });
        acted_at.unwrap_or_else(ticks)
    }
}
