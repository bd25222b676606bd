//! Running a scenario.

use std::collections::{HashMap, VecDeque};
use std::io;
use std::path::Path;
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use super::file::{Scenario, Step, What, When};
use super::orders::{Expectation, Order, describe};
use crate::clock::ticks;
use crate::{Observed, ReaderHandle, SimBus, SimDoor};

/// Why a scenario did not come to its end.
#[derive(Debug, thiserror::Error)]
pub enum Failed {
    /// An expectation was not met.
    #[error("line {line}: {what}")]
    Expectation {
        /// The file's line, from 1.
        line: usize,
        /// What was expected, and what came instead.
        what: String,
    },
    /// A line cannot be made.
    #[error("line `{name}`: {error}")]
    Bus {
        /// The serial line's name.
        name: String,
        /// Why.
        error: io::Error,
    },
}

/// One reader and what was seen of it that nothing has waited for yet.
struct Watched {
    reader: ReaderHandle,
    observed: Receiver<Observed>,
    waiting: VecDeque<Observed>,
}

impl Watched {
    /// The next observation until then.
    fn next(&mut self, deadline: Instant) -> Option<Observed> {
        let left = deadline.saturating_duration_since(ticks());
        self.waiting
            .pop_front()
            .or_else(|| self.observed.recv_timeout(left).ok())
    }
}

/// Everything that runs.
struct Running<'a> {
    buses: HashMap<String, SimBus>,
    readers: HashMap<(String, u8), Watched>,
    doors: HashMap<String, SimDoor>,
    begun: Instant,
    tell: &'a mut dyn FnMut(&str),
}

impl Scenario {
    /// Runs it to its end; relative paths of ports are taken from `folder`.
    ///
    /// `tell` is given a line for everything that is done and seen. Ends with the first
    /// expectation that is not met.
    pub fn run(&self, folder: &Path, tell: &mut dyn FnMut(&str)) -> Result<(), Failed> {
        let mut running = self.start(folder, tell)?;
        let mut last = running.begun;
        for step in &self.steps {
            let due = match step.when {
                When::At(time) => running.begun + time,
                When::After(time) => last + time,
            };
            pause(due);
            last = running.step(step)?;
        }
        Ok(())
    }

    fn start<'a>(
        &self,
        folder: &Path,
        tell: &'a mut dyn FnMut(&str),
    ) -> Result<Running<'a>, Failed> {
        let mut running = Running {
            buses: HashMap::new(),
            readers: HashMap::new(),
            doors: HashMap::new(),
            begun: ticks(),
            tell,
        };
        for line in &self.lines {
            let mut settings = line.settings.clone();
            settings.path = folder.join(&settings.path);
            let bus = SimBus::start(settings, line.readers.clone());
            let name = line.name.clone();
            let bus = bus.map_err(|error| Failed::Bus {
                name: name.clone(),
                error,
            })?;
            for settings in &line.readers {
                let Some(reader) = bus.reader(settings.address) else {
                    continue;
                };
                let watched = Watched {
                    observed: reader.observe(),
                    reader,
                    waiting: VecDeque::new(),
                };
                let key = (name.clone(), settings.address);
                running.readers.insert(key, watched);
            }
            running.say(&format!("line `{name}` is at {}", bus.path().display()));
            running.buses.insert(name, bus);
        }
        for part in &self.doors {
            let key = (part.line.clone(), part.reader);
            if let Some(watched) = running.readers.get(&key) {
                let door = SimDoor::wire(&watched.reader, part.wiring);
                door.person(part.person);
                running.doors.insert(part.name.clone(), door);
            }
        }
        Ok(running)
    }
}

impl Running<'_> {
    fn say(&mut self, what: &str) {
        let millis = self.begun.elapsed().as_millis();
        (self.tell)(&format!("{millis:>7} ms  {what}"));
    }

    /// Does a step; when it was over.
    fn step(&mut self, step: &Step) -> Result<Instant, Failed> {
        match &step.what {
            What::Order(order) => self.order(order, step)?,
            What::Expect(expected, within) => return self.expect(expected, *within, step),
            What::ExpectNot(expected, within) => self.expect_not(expected, *within, step)?,
        }
        Ok(ticks())
    }

    fn order(&mut self, order: &Order, step: &Step) -> Result<(), Failed> {
        self.say(&format!("line {}: done", step.line_number));
        match order {
            Order::Reader(order) => {
                let address = step.reader.unwrap_or_default();
                if let Some(watched) = self.readers.get_mut(&(step.line.clone(), address)) {
                    order.give(&watched.reader);
                }
            }
            Order::Line(order) => {
                if let Some(bus) = self.buses.get(&step.line) {
                    order.give(bus).map_err(|error| Failed::Bus {
                        name: step.line.clone(),
                        error,
                    })?;
                }
            }
            Order::Door(order) => {
                let name = step.door.as_deref().unwrap_or_default();
                if let Some(door) = self.doors.get(name) {
                    order.give(door);
                }
            }
        }
        Ok(())
    }

    fn expect(
        &mut self,
        expected: &Expectation,
        within: Duration,
        step: &Step,
    ) -> Result<Instant, Failed> {
        let deadline = ticks() + within;
        let mut others = Vec::new();
        while let Some(observed) = self.next(step, deadline) {
            let said = describe(&observed.what);
            self.say(&format!(
                "reader {}: {said}",
                step.reader.unwrap_or_default()
            ));
            if expected.is_met_by(&observed.what) {
                return Ok(observed.at);
            }
            others.push(said);
        }
        let words = expected.words();
        let what = if others.is_empty() {
            format!(
                "expected `{words}`, saw nothing within {} ms",
                within.as_millis()
            )
        } else {
            format!("expected `{words}`, saw {}", others.join(", "))
        };
        Err(Failed::Expectation {
            line: step.line_number,
            what,
        })
    }

    fn expect_not(
        &mut self,
        unexpected: &Expectation,
        within: Duration,
        step: &Step,
    ) -> Result<(), Failed> {
        let deadline = ticks() + within;
        let mut kept = VecDeque::new();
        while let Some(observed) = self.next(step, deadline) {
            if unexpected.is_met_by(&observed.what) {
                return Err(Failed::Expectation {
                    line: step.line_number,
                    what: format!("saw `{}`", unexpected.words()),
                });
            }
            kept.push_back(observed);
        }
        let key = (step.line.clone(), step.reader.unwrap_or_default());
        if let Some(watched) = self.readers.get_mut(&key) {
            watched.waiting = kept;
        }
        Ok(())
    }

    fn next(&mut self, step: &Step, deadline: Instant) -> Option<Observed> {
        let key = (step.line.clone(), step.reader?);
        self.readers.get_mut(&key)?.next(deadline)
    }
}

/// Waits until then.
fn pause(until: Instant) {
    let left = until.saturating_duration_since(ticks());
    if !left.is_zero() {
        let (_kept, never) = channel::<()>();
        // Nothing is ever sent: it always ends with the time.
        let _timeout = never.recv_timeout(left);
    }
}
