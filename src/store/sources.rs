//! Which events are known already (invariant 14).
//!
//! A counter above the highest one seen in its run is new without a look at the table of events,
//! so that the common case reads nothing.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::time::Duration;

use crate::pb::store::{ControllerRunRow, SourceEventRow};
use crate::store::entry::Source;
use crate::store::tables::{ControllerRuns, SourceEvents, Table};
use crate::store::{BaseTables, Batch, ReadError, Reader};
use crate::types::{BootId, ControllerId, Decision, Moment, SourceEvent, UtcTime};

/// How long the same request gets the same answer; a grant is not valid longer either.
const ANSWER_AGE_MAX: Duration = Duration::from_secs(2);
/// Answers kept for repetition at most: two seconds at 50,000 attempts a second.
const RECENT_MAX: usize = 100_000;
/// Runs kept in memory at most; the others are read from the table.
const RUNS_MAX: usize = 4_096;
/// Counters that one run has jumped over and that may still come, kept at most.
const SKIPPED_MAX: usize = 1_024;

/// A decision that may still be answered again.
#[derive(Debug, Clone)]
pub(super) struct Recent {
    pub(super) sequence: u64,
    pub(super) decision: Decision,
    pub(super) rules_version: u64,
    pub(super) decided: Moment,
}

/// What is known of an event. What is in the batch being built counts: answers wait for its sync.
#[derive(Debug)]
pub(super) enum Known {
    /// Nothing: it is new.
    New,
    /// It is written, and its answer may be young enough to be given again.
    Recent(Recent),
    /// It is written, under this sequence number.
    Durable(u64),
    /// Its counter belongs to another request.
    Reused,
}

type RunKey = (ControllerId, BootId);

/// A run as it is known in memory.
#[derive(Debug, Default)]
struct Run {
    row: ControllerRunRow,
    /// Counters below the highest that have not come: new without a look at the table.
    skipped: BTreeSet<u64>,
    /// When it was used last, by [`Sources::uses`].
    used: u64,
}

impl Run {
    fn of(row: ControllerRunRow) -> Self {
        Self {
            row,
            ..Self::default()
        }
    }

    /// Whether a counter is new for certain.
    fn is_new(&self, counter: u64) -> bool {
        counter > self.row.highest_counter || self.skipped.contains(&counter)
    }

    /// When the newest event happened that was handed in.
    fn reported(&self) -> Option<UtcTime> {
        UtcTime::from_unix(self.row.complete_through)
            .ok()
            .filter(|at| *at > UtcTime::EPOCH)
    }

    fn take(&mut self, counter: u64) {
        if counter > self.row.highest_counter {
            let jumped = self.row.highest_counter.saturating_add(1)..counter;
            self.skipped.extend(jumped.rev().take(SKIPPED_MAX));
            while self.skipped.len() > SKIPPED_MAX {
                self.skipped.pop_first();
            }
            self.row.highest_counter = counter;
        } else {
            self.skipped.remove(&counter);
        }
    }
}

/// Known events, and the runs of the controllers that they come from.
#[derive(Debug, Default)]
pub(super) struct Sources {
    runs: HashMap<RunKey, Run>,
    /// Whether there is no run but those in memory: then none is looked for in the table, and
    /// doors do not wait while sled is rebuilt.
    has_all_runs: bool,
    uses: u64,
    /// How far controllers have reported in the batch that is being built.
    reported: Vec<(ControllerId, UtcTime)>,
    recent: HashMap<SourceEvent, ([u8; 16], Recent)>,
    by_age: VecDeque<(Moment, SourceEvent)>,
    /// Events of the batch that is being built: nobody can read them yet.
    staged: HashMap<SourceEvent, ([u8; 16], u64)>,
}

impl Sources {
    /// Runs as they were at opening; one that cannot be read is looked up when it is needed.
    pub(super) fn load(base: &BaseTables) -> Self {
        let mut runs = HashMap::new();
        let mut has_all_runs = true;
        for row in base.rows::<ControllerRuns>() {
            let known = row.ok().and_then(|((controller, boot), row)| {
                let run = (
                    ControllerId::parse(&controller).ok()?,
                    BootId::parse(&boot).ok()?,
                );
                Some((run, Run::of(row)))
            });
            match known {
                Some((key, run)) if runs.len() < RUNS_MAX => drop(runs.insert(key, run)),
                _ => has_all_runs = false,
            }
        }
        let reported = runs
            .iter()
            .filter_map(|((controller, _), run)| Some((controller.clone(), run.reported()?)))
            .collect();
        Self {
            runs,
            has_all_runs,
            reported,
            ..Self::default()
        }
    }

    /// What is known of an event; reads the table of events only for a counter that is not new.
    pub(super) fn look_up(&mut self, source: &Source, reader: &Reader) -> Result<Known, ReadError> {
        if let Some((body, recent)) = self.recent.get(&source.event) {
            let same = *body == source.body;
            return Ok(if same {
                Known::Recent(recent.clone())
            } else {
                Known::Reused
            });
        }
        if let Some((body, sequence)) = self.staged.get(&source.event) {
            return Ok(known(*body == source.body, *sequence));
        }
        let run = self.run(&source.event, reader)?;
        if run.is_none_or(|run| run.is_new(source.event.counter)) {
            return Ok(Known::New);
        }
        let row = reader.get::<SourceEvents>(&key(&source.event))?;
        Ok(row.map_or(Known::New, |row| {
            known(row.body_hash == source.body, row.journal)
        }))
    }

    /// The event's run, from memory or from the table; `None` if nothing of it is known.
    fn run(&mut self, event: &SourceEvent, reader: &Reader) -> Result<Option<&Run>, ReadError> {
        let key = (event.controller.clone(), event.boot.clone());
        if !self.has_all_runs && !self.runs.contains_key(&key) {
            let row = reader.get::<ControllerRuns>(&run_key(&key))?;
            if let Some(row) = row {
                self.runs.insert(key.clone(), Run::of(row));
            }
        }
        Ok(self.runs.get(&key))
    }

    /// Stages that an event is known from this commit on. `decision` is 0 for a field event.
    pub(super) fn stage(&mut self, source: &Source, known: StagedEvent, batch: &mut Batch) {
        let event = &source.event;
        let row = SourceEventRow {
            journal: known.sequence,
            body_hash: source.body.to_vec(),
            decision: known.decision,
        };
        batch.put::<SourceEvents>(&key(event), &row);
        self.staged
            .insert(event.clone(), (source.body, known.sequence));
        let key = (event.controller.clone(), event.boot.clone());
        self.uses = self.uses.saturating_add(1);
        let run = self.runs.entry(key.clone()).or_default();
        run.used = self.uses;
        run.take(event.counter);
        if let Some(at) = known.reported {
            run.row.complete_through = run.row.complete_through.max(at.unix());
            self.reported.push((event.controller.clone(), at));
        }
        batch.put::<ControllerRuns>(&run_key(&key), &run.row);
    }

    /// How far controllers have reported since this was asked last; true once it is durable.
    pub(super) fn take_reported(&mut self) -> Vec<(ControllerId, UtcTime)> {
        std::mem::take(&mut self.reported)
    }

    /// Keeps an answer for repetition.
    pub(super) fn remember(&mut self, source: &Source, recent: Recent) {
        self.by_age
            .push_back((recent.decided, source.event.clone()));
        self.recent
            .insert(source.event.clone(), (source.body, recent));
    }

    /// After a commit: forgets what it staged, answers that are too old, and runs beyond the bound.
    pub(super) fn committed(&mut self, now: Moment) {
        self.staged.clear();
        while let Some((decided, event)) = self.by_age.front() {
            if self.by_age.len() <= RECENT_MAX && now.since(*decided) <= ANSWER_AGE_MAX {
                break;
            }
            self.recent.remove(event);
            self.by_age.pop_front();
        }
        while self.runs.len() > RUNS_MAX {
            let oldest = self.runs.iter().min_by_key(|(_, run)| run.used);
            let Some(oldest) = oldest.map(|(key, _)| key.clone()) else {
                break;
            };
            self.runs.remove(&oldest);
            self.has_all_runs = false;
        }
    }
}

/// What is staged of an event.
#[derive(Debug, Clone, Copy)]
pub(super) struct StagedEvent {
    pub(super) sequence: u64,
    pub(super) decision: u32,
    /// When it happened, for an event that was handed in; `None` for an attempt decided here.
    pub(super) reported: Option<UtcTime>,
}

/// Whether an answer may still be given again.
pub(super) fn is_answerable(recent: &Recent, now: Moment) -> bool {
    now.since(recent.decided) < ANSWER_AGE_MAX
}

fn known(same_body: bool, sequence: u64) -> Known {
    if same_body {
        Known::Durable(sequence)
    } else {
        Known::Reused
    }
}

fn run_key((controller, boot): &RunKey) -> <ControllerRuns as Table>::Key {
    (controller.as_str().to_owned(), boot.as_str().to_owned())
}

fn key(event: &SourceEvent) -> <SourceEvents as Table>::Key {
    (
        event.controller.as_str().to_owned(),
        (event.boot.as_str().to_owned(), event.counter),
    )
}
