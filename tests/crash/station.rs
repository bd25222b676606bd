//! A controller of the kill test, and what it wrote down.

use std::fs::File;
use std::io::Write as _;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Context as _, ensure};
use sluss_sim::{CallError, Card, Controller, ControllerSettings, Verdict};

use super::doors::badge_card;
use super::house::House;

/// Set before the kill: from then on a broken line is what is expected.
#[derive(Debug, Clone, Default)]
pub(crate) struct Stop(Arc<AtomicBool>);

impl Stop {
    pub(crate) fn kill(&self, house: &mut House) -> anyhow::Result<()> {
        self.0.store(true, Ordering::SeqCst);
        house.kill()
    }

    fn is_set(&self) -> bool {
        self.0.load(Ordering::SeqCst)
    }
}

/// One attempt of a station; it is what its number makes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shown {
    /// The badge that the list names.
    Badge,
    /// A card whose format names the attempt.
    Marked,
}

fn shown(number: u64) -> Shown {
    if number.is_multiple_of(2) {
        Shown::Badge
    } else {
        Shown::Marked
    }
}

/// A controller that shows its badge and marked cards in turn.
#[derive(Debug)]
pub(crate) struct Station {
    number: usize,
    controller: Controller,
    /// Acknowledgements, one in a line, synced one by one.
    log: File,
    path: PathBuf,
    /// Whether the last attempt has no answer yet.
    in_doubt: bool,
    /// The entry of the last answer.
    last_entry: String,
    /// Attempts that were acknowledged under one entry and then known under another.
    moved: u64,
}

/// What a station wrote down.
#[derive(Debug, Default)]
pub(crate) struct Told {
    /// Numbers of the attempts with a marked card.
    pub(crate) marked: Vec<u64>,
    /// Number of grants.
    pub(crate) granted: u64,
    /// All journal entries.
    pub(crate) entries: Vec<String>,
    /// How many were acknowledged when repeated.
    pub(crate) repeated: u64,
}

impl Told {
    pub(crate) fn count(&self) -> u64 {
        self.granted + u64::try_from(self.marked.len()).unwrap_or(u64::MAX)
    }
}

impl Station {
    pub(crate) fn new(
        number: usize,
        settings: &ControllerSettings,
        path: PathBuf,
    ) -> anyhow::Result<Self> {
        Ok(Self {
            number,
            controller: Controller::start(settings, &format!("boot-{number}"))?,
            log: File::options().create_new(true).append(true).open(&path)?,
            path,
            in_doubt: false,
            last_entry: String::new(),
            moved: 0,
        })
    }

    pub(crate) fn number(&self) -> usize {
        self.number
    }

    pub(crate) fn access_point(&self) -> String {
        format!("accessPoints/door-{}-in", self.number)
    }

    /// Attempts whose entry did not stay the same.
    pub(crate) fn moved(&self) -> u64 {
        self.moved
    }

    /// The card format that marks an attempt.
    pub(crate) fn mark(&self, number: u64) -> String {
        format!("K{}-{number}", self.number)
    }

    /// Asks again and again until the server is gone.
    pub(crate) async fn ask_until(&mut self, stop: &Stop) -> anyhow::Result<()> {
        let mut outcome = self.repeat().await;
        while outcome.is_ok() {
            outcome = self.ask().await;
        }
        match outcome {
            Ok(()) => Ok(()),
            Err(Trouble::Call(error)) if stop.is_set() && error.means_own_rules() => Ok(()),
            Err(Trouble::Call(error)) => {
                Err(error).with_context(|| format!("station {} before the kill", self.number))
            }
            Err(Trouble::Other(error)) => Err(error),
        }
    }

    /// Repeats the attempt that got no answer, if there is one.
    pub(crate) async fn settle(&mut self) -> anyhow::Result<()> {
        match self.repeat().await {
            Ok(()) => Ok(()),
            Err(Trouble::Call(error)) => Err(error.into()),
            Err(Trouble::Other(error)) => Err(error),
        }
    }

    /// Repeats the last attempt. Without an answer so far it gets one; with one it is known.
    async fn repeat(&mut self) -> Result<(), Trouble> {
        let number = self.controller.last_counter();
        if number == 0 {
            return Ok(());
        }
        let entry = match self.controller.repeat_last().await {
            Ok(answer) => answer.entry,
            Err(error) => entry_of(error)?,
        };
        if self.in_doubt {
            return self.write_down(number, entry, "repeated");
        }
        self.moved += u64::from(entry != self.last_entry);
        Ok(())
    }

    async fn ask(&mut self) -> Result<(), Trouble> {
        let number = self.controller.last_counter() + 1;
        let (card, due) = match shown(number) {
            Shown::Badge => (badge_card(self.number), Verdict::Grant),
            Shown::Marked => {
                let card = Card::raw(&self.mark(number), 32, &[0xC0, 0xDE, 0, 0]);
                (card.map_err(|e| Trouble::Other(e.into()))?, Verdict::Denial)
            }
        };
        let access_point = self.access_point();
        self.in_doubt = true;
        let answer = self.controller.authorize(&access_point, &card, None).await;
        let answer = match answer {
            Ok(answer) => answer,
            // It was written; the answer was lost with the line, or came too late.
            Err(error) => return self.write_down(number, entry_of(error)?, "answered"),
        };
        if answer.decision != due {
            let wrong = format!("attempt {number} is due {due:?}: {answer:?}");
            return Err(Trouble::Other(anyhow::anyhow!(wrong)));
        }
        self.write_down(number, answer.entry, "answered")
    }

    fn write_down(&mut self, number: u64, entry: String, how: &str) -> Result<(), Trouble> {
        let line = format!("{number} {entry} {how}\n");
        self.log
            .write_all(line.as_bytes())
            .and_then(|()| self.log.sync_data())
            .map_err(|e| Trouble::Other(e.into()))?;
        self.in_doubt = false;
        self.last_entry = entry;
        Ok(())
    }

    /// Reads what was written down.
    pub(crate) fn told(&self) -> anyhow::Result<Told> {
        let mut told = Told::default();
        let mut last = 0;
        for line in std::fs::read_to_string(&self.path)?.lines() {
            let mut words = line.split(' ');
            let mut word = || words.next().with_context(|| line.to_owned());
            let (number, entry, how) = (word()?.parse::<u64>()?, word()?, word()?);
            ensure!(number == last + 1, "{line}: after {last}");
            last = number;
            match shown(number) {
                Shown::Badge => told.granted += 1,
                Shown::Marked => told.marked.push(number),
            }
            told.entries.push(entry.to_owned());
            told.repeated += u64::from(how == "repeated");
        }
        Ok(told)
    }
}

/// The entry of an attempt that is written but opens nothing any more.
fn entry_of(error: CallError) -> Result<String, Trouble> {
    match (error.reason(), error.entry()) {
        ("ATTEMPT_ALREADY_DECIDED" | "GRANT_STALE", Some(entry)) => Ok(entry.to_owned()),
        _ => Err(Trouble::Call(error)),
    }
}

/// Why a station stopped.
enum Trouble {
    /// A call failed.
    Call(CallError),
    /// Something that a kill does not explain.
    Other(anyhow::Error),
}
