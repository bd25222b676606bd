//! The alarms of the site as they stand now, in memory.
//!
//! An alarm stands until its cause ends, and is listed until it was acknowledged too. Changes go
//! to whoever watches, and wait in a bounded list for the journal, so that what happens while the
//! store is in trouble is written when it is back.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{Notify, broadcast};

use crate::types::{Alarm, AlarmKind, AlarmNumber, AlarmSubject, Caller, UtcTime};

/// Alarms listed at most; the oldest that ended goes first, then the oldest of all.
const ALARMS_MAX: usize = 1_000;
/// Changes that wait for the journal at most; the oldest are dropped and counted.
const BACKLOG_MAX: usize = 10_000;
/// Changes that a watcher may lag behind.
const WATCH_LAG_MAX: usize = 256;

/// What has become of an alarm.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AlarmStep {
    /// It was raised.
    Raised,
    /// Its cause ended.
    Cleared,
    /// It was acknowledged.
    Acknowledged,
}

/// A change of an alarm, for the journal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AlarmChange {
    /// What has become of it.
    pub step: AlarmStep,
    /// The alarm as it was then.
    pub alarm: Alarm,
}

/// All that stands, and what changes from then on.
#[derive(Debug)]
pub struct AlarmWatch {
    /// What stood when the watch began, oldest first.
    pub standing: Vec<Alarm>,
    /// Each alarm as it changes; a watcher that lags too far is told so.
    pub changes: broadcast::Receiver<Alarm>,
}

#[derive(Debug)]
struct State {
    /// Oldest first.
    alarms: VecDeque<Alarm>,
    next: AlarmNumber,
    backlog: VecDeque<AlarmChange>,
    dropped_count: u64,
}

/// The alarms of the site. Cheap to clone; never blocks for long.
#[derive(Debug, Clone)]
pub struct Alarms {
    state: Arc<Mutex<State>>,
    changes: broadcast::Sender<Alarm>,
    journal_bell: Arc<Notify>,
}

impl Alarms {
    /// None yet. The first one gets this number, or a later one.
    pub fn new(first: AlarmNumber) -> Self {
        let state = State {
            alarms: VecDeque::new(),
            next: first,
            backlog: VecDeque::new(),
            dropped_count: 0,
        };
        Self {
            state: Arc::new(Mutex::new(state)),
            changes: broadcast::Sender::new(WATCH_LAG_MAX),
            journal_bell: Arc::new(Notify::new()),
        }
    }

    /// Raises an alarm; one that stands already stays as it is.
    ///
    /// `detail` is one sentence without names of people.
    pub fn raise(&self, kind: AlarmKind, subject: AlarmSubject, (detail, now): (&str, UtcTime)) {
        let mut state = self.lock();
        let stands = |a: &Alarm| is_at(a, kind, &subject) && a.cleared_at.is_none();
        if state.alarms.iter().any(stands) {
            return;
        }
        let number = state.next;
        state.next = AlarmNumber(number.0.saturating_add(1));
        let alarm = Alarm {
            number,
            kind,
            subject,
            detail: detail.to_owned(),
            raised_at: now,
            cleared_at: None,
            acknowledged: None,
        };
        state.make_room();
        state.alarms.push_back(alarm.clone());
        self.tell(&mut state, AlarmStep::Raised, alarm);
    }

    /// Ends the cause of an alarm; nothing happens where it does not stand.
    pub fn clear(&self, kind: AlarmKind, subject: &AlarmSubject, now: UtcTime) {
        let mut state = self.lock();
        let stands = |a: &&mut Alarm| is_at(a, kind, subject) && a.cleared_at.is_none();
        let Some(alarm) = state.alarms.iter_mut().find(stands) else {
            return;
        };
        alarm.cleared_at = Some(now);
        let alarm = alarm.clone();
        state.forget_done();
        self.tell(&mut state, AlarmStep::Cleared, alarm);
    }

    /// Says that somebody has seen to an alarm; `None` if there is no such alarm.
    ///
    /// An alarm that was acknowledged before stays as it is. What nobody tells the end of ends
    /// with it: duress, and a tamper that a controller has reported.
    pub fn acknowledge(&self, number: AlarmNumber, by: &Caller, now: UtcTime) -> Option<Alarm> {
        let mut state = self.lock();
        let alarm = state.alarms.iter_mut().find(|a| a.number == number)?;
        if alarm.acknowledged.is_some() {
            return Some(alarm.clone());
        }
        alarm.acknowledged = Some((now, by.clone()));
        if alarm.cleared_at.is_none() && has_no_end(alarm) {
            alarm.cleared_at = Some(now);
        }
        let alarm = alarm.clone();
        state.forget_done();
        self.tell(&mut state, AlarmStep::Acknowledged, alarm.clone());
        Some(alarm)
    }

    /// All alarms that stand or wait to be acknowledged, newest first.
    pub fn list(&self) -> Vec<Alarm> {
        self.lock().alarms.iter().rev().cloned().collect()
    }

    /// The list, and each change after it; nothing is missed between the two.
    pub fn watch(&self) -> AlarmWatch {
        let state = self.lock();
        AlarmWatch {
            standing: state.alarms.iter().cloned().collect(),
            changes: self.changes.subscribe(),
        }
    }

    /// The oldest change that waits for the journal, and how many were dropped since this was
    /// asked last.
    pub fn take_change(&self) -> (Option<AlarmChange>, u64) {
        let mut state = self.lock();
        let dropped = std::mem::take(&mut state.dropped_count);
        (state.backlog.pop_front(), dropped)
    }

    /// Puts back, in front, what the journal did not take.
    pub fn put_back(&self, change: AlarmChange) {
        let mut state = self.lock();
        state.backlog.push_front(change);
        state.bound_backlog();
    }

    /// Waits until there is something for the journal.
    pub async fn journal_waits(&self) {
        self.journal_bell.notified().await;
    }

    fn tell(&self, state: &mut State, step: AlarmStep, alarm: Alarm) {
        state.backlog.push_back(AlarmChange {
            step,
            alarm: alarm.clone(),
        });
        state.bound_backlog();
        // Nobody may be watching.
        let _ = self.changes.send(alarm);
        self.journal_bell.notify_one();
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Forgets what has ended and was acknowledged.
    fn forget_done(&mut self) {
        self.alarms
            .retain(|a| a.cleared_at.is_none() || a.acknowledged.is_none());
    }

    fn make_room(&mut self) {
        while self.alarms.len() >= ALARMS_MAX {
            let ended = self.alarms.iter().position(|a| a.cleared_at.is_some());
            self.alarms.remove(ended.unwrap_or(0));
        }
    }

    fn bound_backlog(&mut self) {
        while self.backlog.len() > BACKLOG_MAX {
            self.backlog.pop_front();
            self.dropped_count = self.dropped_count.saturating_add(1);
        }
    }
}

/// Whether nobody will tell that the cause has ended.
fn has_no_end(alarm: &Alarm) -> bool {
    match (alarm.kind, &alarm.subject) {
        (AlarmKind::Duress, _) | (AlarmKind::Tamper, AlarmSubject::Door(_)) => true,
        (
            AlarmKind::DoorForced
            | AlarmKind::DoorHeld
            | AlarmKind::Tamper
            | AlarmKind::ReaderPower
            | AlarmKind::ReaderOffline
            | AlarmKind::ReaderSecurity
            | AlarmKind::BusDown
            | AlarmKind::ControllerOffline
            | AlarmKind::StoreTrouble,
            _,
        ) => false,
    }
}

fn is_at(alarm: &Alarm, kind: AlarmKind, subject: &AlarmSubject) -> bool {
    alarm.kind == kind && alarm.subject == *subject
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::DoorId;

    fn at(seconds: i64) -> UtcTime {
        UtcTime::from_unix(seconds).unwrap()
    }

    fn door(id: &str) -> AlarmSubject {
        AlarmSubject::Door(DoorId::parse(id).unwrap())
    }

    fn forced(alarms: &Alarms, id: &str) {
        alarms.raise(AlarmKind::DoorForced, door(id), ("it opened", at(1)));
    }

    /// All changes that wait, and how many were dropped.
    fn waiting(alarms: &Alarms) -> (Vec<AlarmChange>, u64) {
        let mut found = (Vec::new(), 0);
        loop {
            let (change, dropped) = alarms.take_change();
            found.1 += dropped;
            let Some(change) = change else { return found };
            found.0.push(change);
        }
    }

    fn operator() -> Caller {
        Caller::Operator("first".into())
    }

    #[test]
    fn a_standing_alarm_is_raised_once() {
        let alarms = Alarms::new(AlarmNumber(7));
        forced(&alarms, "a");
        forced(&alarms, "a");
        forced(&alarms, "b");
        let numbers: Vec<u64> = alarms.list().iter().map(|a| a.number.0).collect();
        assert_eq!(numbers, [8, 7]);
        assert_eq!(waiting(&alarms).0.len(), 2);
    }

    #[test]
    fn an_alarm_goes_when_it_has_ended_and_was_acknowledged() {
        for acknowledged_first in [false, true] {
            let alarms = Alarms::new(AlarmNumber(1));
            forced(&alarms, "a");
            let acknowledge = || alarms.acknowledge(AlarmNumber(1), &operator(), at(3));
            if acknowledged_first {
                acknowledge().unwrap();
            }
            alarms.clear(AlarmKind::DoorForced, &door("a"), at(2));
            if !acknowledged_first {
                assert_eq!(alarms.list()[0].cleared_at, Some(at(2)));
                acknowledge().unwrap();
            }
            assert!(alarms.list().is_empty());
            assert_eq!(waiting(&alarms).0.len(), 3);
        }
    }

    #[test]
    fn the_second_acknowledgement_changes_nothing() {
        let alarms = Alarms::new(AlarmNumber(1));
        forced(&alarms, "a");
        let first = alarms.acknowledge(AlarmNumber(1), &operator(), at(3));
        let other = Caller::Operator("second".into());
        assert_eq!(alarms.acknowledge(AlarmNumber(1), &other, at(9)), first);
        assert_eq!(alarms.acknowledge(AlarmNumber(2), &other, at(9)), None);
    }

    #[test]
    fn duress_ends_when_it_is_acknowledged() {
        let alarms = Alarms::new(AlarmNumber(1));
        alarms.raise(AlarmKind::Duress, door("a"), ("a PIN under duress", at(1)));
        let alarm = alarms.acknowledge(AlarmNumber(1), &operator(), at(2));
        assert_eq!(alarm.unwrap().cleared_at, Some(at(2)));
        assert!(alarms.list().is_empty());
    }

    #[test]
    fn a_watch_misses_nothing_between_list_and_changes() {
        let alarms = Alarms::new(AlarmNumber(1));
        forced(&alarms, "a");
        let mut watch = alarms.watch();
        forced(&alarms, "b");
        assert_eq!(watch.standing.len(), 1);
        assert_eq!(watch.changes.try_recv().unwrap().subject, door("b"));
    }

    #[test]
    fn memory_is_bounded_and_what_ended_goes_first() {
        let alarms = Alarms::new(AlarmNumber(1));
        forced(&alarms, "first");
        forced(&alarms, "ended");
        alarms.clear(AlarmKind::DoorForced, &door("ended"), at(2));
        for n in 0..12_000 {
            forced(&alarms, &format!("d{n}"));
            if n == ALARMS_MAX - 2 {
                let listed = alarms.list();
                assert!(listed.iter().any(|a| a.subject == door("first")));
                assert!(listed.iter().all(|a| a.subject != door("ended")));
            }
        }
        assert_eq!(alarms.list().len(), ALARMS_MAX);
        let (backlog, dropped) = waiting(&alarms);
        assert_eq!((backlog.len(), dropped), (BACKLOG_MAX, 2_003));
        let (oldest, _) = alarms.take_change();
        assert_eq!(oldest, None, "all of it was taken");
        alarms.put_back(backlog[0].clone());
        assert_eq!(alarms.take_change().0.as_ref(), backlog.first());
    }
}
