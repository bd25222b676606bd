//! When a port that could not be opened is tried again.

use std::time::Duration;

use super::port::Looks;
use crate::types::Moment;

/// Pause after the first failure.
const PAUSE_MIN: Duration = Duration::from_millis(200);
/// Longest pause: with what a session takes after it, a reader is back within 3 s.
const PAUSE_MAX: Duration = Duration::from_millis(1_600);
/// How often the path is looked at between, which costs one system call.
pub(super) const LOOK_EVERY: Duration = Duration::from_millis(200);
/// A port open for so long has recovered.
pub(super) const RECOVERED_AFTER: Duration = Duration::from_secs(1);

/// When to try next.
#[derive(Debug)]
pub(super) struct Reopening {
    pause: Duration,
    try_at: Moment,
    looks: Looks,
}

impl Reopening {
    /// The first try is due at once.
    pub(super) fn new(now: Moment) -> Self {
        Self {
            pause: PAUSE_MIN,
            try_at: now,
            looks: Looks::default(),
        }
    }

    /// Whether to try now: the pause is over, or the path looks different.
    pub(super) fn is_due(&mut self, looks: Looks, now: Moment) -> bool {
        if looks != self.looks {
            self.pause = PAUSE_MIN;
            self.looks = looks;
            return true;
        }
        now >= self.try_at
    }

    /// It failed; the pause grows.
    pub(super) fn failed(&mut self, looks: Looks, now: Moment) {
        self.looks = looks;
        self.try_at = now.plus(self.pause);
        self.pause = self.pause.saturating_mul(2).min(PAUSE_MAX);
    }

    /// How long until there may be something to do.
    pub(super) fn wait(&self, now: Moment) -> Duration {
        self.try_at.since(now).min(LOOK_EVERY)
    }

    /// It works: the next failure is the first again.
    pub(super) fn recovered(&mut self) {
        self.pause = PAUSE_MIN;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: u64) -> Moment {
        Moment::from_start(Duration::from_millis(ms))
    }

    #[test]
    fn pauses_grow_to_less_than_two_seconds() {
        let mut reopening = Reopening::new(at(0));
        let mut pauses = Vec::new();
        let mut now = at(0);
        for _ in 0..6 {
            assert!(reopening.is_due(Looks::default(), now));
            reopening.failed(Looks::default(), now);
            pauses.push(reopening.try_at.since(now).as_millis());
            assert!(!reopening.is_due(Looks::default(), now));
            now = reopening.try_at;
        }
        assert_eq!(pauses, [200, 400, 800, 1_600, 1_600, 1_600]);
        reopening.recovered();
        reopening.failed(Looks::default(), now);
        assert_eq!(reopening.try_at.since(now), PAUSE_MIN);
    }

    #[test]
    fn a_path_that_appears_is_tried_at_once() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("port");
        let path = path.to_str().unwrap();
        let mut reopening = Reopening::new(at(0));
        for _ in 0..5 {
            reopening.failed(Looks::of(path), at(0));
        }
        assert!(!reopening.is_due(Looks::of(path), at(1)));
        std::fs::write(path, "").unwrap();
        assert!(reopening.is_due(Looks::of(path), at(1)));
        reopening.failed(Looks::of(path), at(1));
        assert!(!reopening.is_due(Looks::of(path), at(2)));
    }
}
