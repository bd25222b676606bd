//! What can go wrong with a reader.

use std::time::Duration;

/// What goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FaultKind {
    /// The command is obeyed, its reply never sent.
    ReplyLost,
    /// The reply comes so much later.
    ReplyLate(Duration),
    /// One byte of the reply is another.
    ReplyCorrupted,
    /// The second half of the reply is missing.
    ReplyTruncated,
    /// The reply comes twice.
    ReplyDuplicated,
    /// The reply carries another sequence number, with a good check.
    WrongSequence,
    /// The reply carries the next address, with a good check.
    WrongAddress,
    /// The reply's MAC is wrong; replies without one are left alone.
    WrongMac,
    /// The command is answered with BUSY and not obeyed.
    Busy,
    /// The command is not heard.
    Silence,
    /// The reader restarts when it is given a command.
    Restart,
    /// PDCAP says that there is no secure channel.
    NoSecurity,
    /// Every challenge is answered with the default key, whatever was asked for: an attacker who
    /// wants to be given the real one.
    DefaultKeyOnly,
    /// The handshake's random number is the one of the handshake before.
    SameRandom,
    /// It transmits without end, from now on.
    NeverStops,
}

/// What goes wrong, and how often.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fault {
    pub(crate) kind: FaultKind,
    /// `None`: until it is cleared.
    pub(crate) times: Option<u32>,
}

impl FaultKind {
    /// The next time only.
    pub fn once(self) -> Fault {
        self.times(1)
    }

    /// The next `count` times.
    pub fn times(self, count: u32) -> Fault {
        Fault {
            kind: self,
            times: Some(count),
        }
    }

    /// Each time until the faults are cleared.
    pub fn until_cleared(self) -> Fault {
        Fault {
            kind: self,
            times: None,
        }
    }
}

/// Faults set on one reader at most; the oldest goes first.
const FAULTS_MAX: usize = 32;

/// The faults set on one reader.
#[derive(Debug, Default)]
pub(crate) struct Faults(Vec<Fault>);

impl Faults {
    pub(crate) fn add(&mut self, fault: Fault) {
        if self.0.len() >= FAULTS_MAX {
            self.0.remove(0);
        }
        self.0.push(fault);
    }

    pub(crate) fn clear(&mut self) {
        self.0.clear();
    }

    /// Whether there is such a fault, without using it up.
    pub(crate) fn has(&self, kind: FaultKind) -> bool {
        self.0.iter().any(|f| f.kind == kind && f.times != Some(0))
    }

    /// Uses such a fault up once; whether there was one.
    pub(crate) fn take(&mut self, kind: FaultKind) -> bool {
        self.take_which(|k| k == kind).is_some()
    }

    /// The delay of a late reply, used up once.
    pub(crate) fn take_delay(&mut self) -> Duration {
        let late = self.take_which(|kind| matches!(kind, FaultKind::ReplyLate(_)));
        match late {
            Some(FaultKind::ReplyLate(delay)) => delay,
            _ => Duration::ZERO,
        }
    }

    fn take_which(&mut self, is_it: impl Fn(FaultKind) -> bool) -> Option<FaultKind> {
        self.0.retain(|fault| fault.times != Some(0));
        let fault = self.0.iter_mut().find(|fault| is_it(fault.kind))?;
        fault.times = fault.times.map(|left| left.saturating_sub(1));
        Some(fault.kind)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_counted_fault_ends_and_an_uncounted_one_does_not() {
        let mut faults = Faults::default();
        faults.add(FaultKind::Busy.times(2));
        faults.add(FaultKind::ReplyLost.until_cleared());
        let busy = [(); 3].map(|()| faults.take(FaultKind::Busy));
        assert_eq!(busy, [true, true, false]);
        assert!((0..100).all(|_| faults.take(FaultKind::ReplyLost)));
        faults.clear();
        assert!(!faults.take(FaultKind::ReplyLost));
    }

    #[test]
    fn faults_are_bounded() {
        let mut faults = Faults::default();
        for _ in 0..1000 {
            faults.add(FaultKind::Busy.until_cleared());
        }
        assert_eq!(faults.0.len(), FAULTS_MAX);
    }
}
