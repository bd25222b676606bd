//! A second, slow model of a door: looks through all that has happened anew for each question.
//!
//! It knows no state of the door, only what was done to it and what it did to its strike. It is
//! about doors on readers; times are milliseconds, and ticks come exactly when they are due.

use super::fixture::{Do, FULL, Line};
use crate::control::LockState;

/// What was done at a time, and what came of it.
#[derive(Debug)]
pub(super) struct Step {
    pub(super) at: u64,
    pub(super) what: Do,
    pub(super) effects: Vec<String>,
}

/// A change of the contact that counted.
#[derive(Debug, PartialEq)]
struct Change {
    /// When it counted.
    at: u64,
    /// In which step.
    step: usize,
    is_open: bool,
    /// Step of the newest opening in it.
    edge: usize,
}

#[derive(Debug)]
pub(super) struct History {
    pub(super) steps: Vec<Step>,
    pub(super) lock: LockState,
}

impl History {
    /// Plays pauses and deeds at a ready door; after each step `check` looks at all so far.
    pub(super) fn play(deeds: &[(u64, Do)], mut check: impl FnMut(&Self, &Line)) {
        let mut line = Line::new(FULL);
        let mut history = Self {
            steps: Vec::new(),
            lock: LockState::Unknown,
        };
        let ready = [Do::Online, Do::Set(false), Do::Closes, Do::Leave].map(|what| (0, what));
        // Late enough for a grant that is two seconds old.
        let mut now = 2_000;
        for (pause, what) in ready.iter().chain(deeds) {
            now += pause;
            while let Some(due) = line.state.next_deadline().map(super::fixture::ms) {
                if due > now {
                    break;
                }
                history.step(&mut line, Do::Tick, due);
                check(&history, &line);
            }
            history.step(&mut line, *what, now);
            check(&history, &line);
        }
    }

    fn step(&mut self, line: &mut Line, what: Do, at: u64) {
        let effects = line.step(what, at);
        let effects = effects.iter().map(super::fixture::words).collect();
        self.steps.push(Step { at, what, effects });
        self.lock = line.state.lock_state();
    }

    pub(super) fn now(&self) -> u64 {
        self.steps.last().map_or(0, |step| step.at)
    }

    /// Whether the device was online before this step.
    pub(super) fn is_online(&self, before: usize) -> bool {
        let link = self.steps[..before]
            .iter()
            .rev()
            .find(|s| matches!(s.what, Do::Online | Do::Offline));
        link.is_some_and(|s| s.what == Do::Online)
    }

    /// First step of the session in which this step lies.
    fn session(&self, step: usize) -> usize {
        let begins = |s: &Step| matches!(s.what, Do::Online | Do::Offline);
        self.steps[..=step].iter().rposition(begins).unwrap_or(0)
    }

    /// What the strike was told before a step in its session: when, and in which word.
    fn told(&self, before: usize) -> Vec<(u64, &str)> {
        let session = &self.steps[self.session(before)..before];
        let all = session
            .iter()
            .flat_map(|s| s.effects.iter().map(move |e| (s.at, e)));
        all.filter_map(|(at, e)| Some((at, e.split(' ').next()?)))
            .filter(|(_, word)| matches!(*word, "release" | "keep" | "lock"))
            .collect()
    }

    /// What the strike was told last.
    pub(super) fn told_last(&self) -> Option<&str> {
        let before = self.steps.len();
        let all = self.steps[..before].iter().flat_map(|s| &s.effects);
        let mut words = all.filter_map(|e| e.split(' ').next());
        words.rfind(|word| matches!(*word, "release" | "keep" | "lock"))
    }

    /// Whether the strike allowed an opening in this step.
    fn strike_allows(&self, step: usize) -> bool {
        let told = self.told(step);
        let Some(last) = told.iter().rposition(|(_, word)| *word != "lock") else {
            return false;
        };
        match told.get(last + 1) {
            None => true,
            Some((locked, _)) => self.steps[step].at < locked + 500,
        }
    }

    /// Whether a request to exit allowed an opening in this step.
    fn exit_allows(&self, step: usize) -> bool {
        let (mut began, mut ended, mut is_active) = (None, None::<u64>, false);
        for s in &self.steps[self.session(step)..step] {
            if s.what == Do::Press && !is_active {
                is_active = true;
                if ended.is_none_or(|e| s.at - e >= 50) {
                    began = Some(s.at);
                }
                ended = None;
            } else if s.what == Do::Leave && is_active {
                is_active = false;
                ended = Some(s.at);
            }
        }
        let at = self.steps[step].at;
        began.is_some_and(|b| at < b + 60_000) && ended.is_none_or(|e| at < e + 5_000)
    }

    /// The changes of the contact that counted up to now, of all sessions.
    fn changes(&self) -> Vec<Change> {
        let mut changes = Vec::new();
        let (mut settled, mut latest) = (None, None);
        let mut window: Option<(u64, usize)> = None;
        for (index, s) in self.steps.iter().enumerate() {
            if let Some((ends, edge)) = window.filter(|(ends, _)| *ends <= s.at) {
                window = None;
                if settled != latest {
                    settled = latest;
                    changes.push(Change {
                        at: ends,
                        step: index,
                        is_open: latest == Some(Do::Opens),
                        edge,
                    });
                }
            }
            if matches!(s.what, Do::Online | Do::Offline) {
                (settled, latest, window) = (None, None, None);
            }
            let is_reading = matches!(s.what, Do::Opens | Do::Closes);
            if !is_reading || !self.is_online(index) || latest == Some(s.what) {
                continue;
            }
            if latest.is_none() {
                settled = Some(s.what);
                changes.push(Change {
                    at: s.at,
                    step: index,
                    is_open: s.what == Do::Opens,
                    edge: usize::MAX,
                });
            } else {
                let (ends, edge) = window.unwrap_or((s.at + 50, index));
                let is_newer = s.what == Do::Opens;
                window = Some((ends, if is_newer { index } else { edge }));
            }
            latest = Some(s.what);
        }
        changes
    }

    /// When the door has to have been called forced.
    pub(super) fn forced(&self) -> Vec<u64> {
        let openings = self.changes().into_iter();
        openings
            .filter(|c| c.is_open && c.edge != usize::MAX)
            .filter(|c| !self.strike_allows(c.edge) && !self.exit_allows(c.edge))
            .map(|c| c.at)
            .collect()
    }

    /// When the door was seen closed, be it for the first time.
    pub(super) fn closings(&self) -> Vec<u64> {
        let changes = self.changes().into_iter();
        changes.filter(|c| !c.is_open).map(|c| c.at).collect()
    }

    /// Since when the door has been open, as far as the contact says; `None` if it is not, or if
    /// nobody knows.
    pub(super) fn open_since(&self) -> Option<u64> {
        let last = self.steps.len() - 1;
        let change = self.changes().into_iter().next_back()?;
        let is_known = change.step >= self.session(last) && self.is_online(last + 1);
        (is_known && change.is_open).then_some(change.at)
    }

    /// When an access has to have been taken, and at which side.
    pub(super) fn taken(&self) -> Vec<(u64, String)> {
        let openings: Vec<_> = self
            .changes()
            .into_iter()
            .filter(|c| c.is_open && c.edge != usize::MAX)
            .collect();
        let mut taken = Vec::new();
        let mut used = 0;
        for opening in openings {
            let grants: Vec<_> = (used..opening.edge)
                .filter(|g| self.waits(*g, opening.edge))
                .collect();
            for grant in &grants[grants.len().saturating_sub(8)..] {
                if let Do::Grant(side) = self.steps[*grant].what {
                    taken.push((opening.at, side.to_owned()));
                }
            }
            used = opening.edge;
        }
        taken
    }

    /// Whether a step was a grant that still waits in a later step.
    fn waits(&self, grant: usize, step: usize) -> bool {
        let was_released = self.steps[grant]
            .effects
            .iter()
            .any(|e| e.starts_with("release"));
        if !matches!(self.steps[grant].what, Do::Grant(_)) || !was_released {
            return false;
        }
        let mut over_at = None;
        for s in &self.steps[grant..step] {
            let ends = matches!(s.what, Do::Online | Do::Offline);
            if ends || over_at.is_some_and(|over| s.at >= over) {
                return false;
            }
            for word in &s.effects {
                if word.starts_with("keep") {
                    return false;
                } else if word.starts_with("release") {
                    over_at = None;
                } else if word.starts_with("lock") && over_at.is_none() {
                    over_at = Some(s.at + 500);
                }
            }
        }
        over_at.is_none_or(|over| self.steps[step].at < over)
    }

    /// Whether an order that is in force leaves the door unlocked.
    pub(super) fn is_ordered_unlocked(&self, now: u64) -> bool {
        let order = self.steps.iter().enumerate().rev().find(|(index, s)| {
            matches!(s.what, Do::Lock) || matches!(s.what, Do::Unlock(_)) && self.is_online(*index)
        });
        order.is_some_and(|(index, s)| {
            let is_refused = |s: &Step| {
                let has = |word| s.effects.iter().any(|e| e == word);
                s.what == Do::Refused && has("answer Refused") && has("lock")
            };
            matches!(s.what, Do::Unlock(lasts) if now < s.at + lasts)
                && !self.steps[index..].iter().any(is_refused)
        })
    }

    /// When anything of these words came of it.
    pub(super) fn times(&self, prefix: &str) -> Vec<u64> {
        let all = self
            .steps
            .iter()
            .flat_map(|s| s.effects.iter().map(move |e| (s.at, e)));
        all.filter(|(_, e)| e.starts_with(prefix))
            .map(|(at, _)| at)
            .collect()
    }
}
