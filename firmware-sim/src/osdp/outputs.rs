//! Outputs with timers (OUT; OSDP 2.2, 6.9).

use std::time::{Duration, Instant};

/// Timers count in these.
const TICK: Duration = Duration::from_millis(100);

/// What an output is told (control code of OUT).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum OutputControl {
    /// 00: nothing.
    Nothing,
    /// 01, 02: this from now on; a running timer is aborted.
    Permanent(bool),
    /// 03, 04: this once a running timer ends.
    PermanentAfterTimer(bool),
    /// 05, 06: this for a time, then what it was permanently. No time at all: until told.
    Temporary(bool, Duration),
}

impl OutputControl {
    /// Reads a record's control code and timer; `None` if there is no such code.
    pub(crate) fn from_record(code: u8, ticks: u16) -> Option<Self> {
        let control = match code {
            0x00 => Self::Nothing,
            0x01 => Self::Permanent(false),
            0x02 => Self::Permanent(true),
            0x03 => Self::PermanentAfterTimer(false),
            0x04 => Self::PermanentAfterTimer(true),
            0x05 => Self::Temporary(true, TICK * u32::from(ticks)),
            0x06 => Self::Temporary(false, TICK * u32::from(ticks)),
            _ => return None,
        };
        Some(control)
    }
}

/// One output.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Output {
    permanent: bool,
    /// What it is for a time, and until when; no end where the timer was zero.
    temporary: Option<(bool, Option<Instant>)>,
}

impl Output {
    pub(crate) fn is_on(&self) -> bool {
        self.temporary.map_or(self.permanent, |(is_on, _)| is_on)
    }

    pub(crate) fn control(&mut self, control: OutputControl, at: Instant) {
        match control {
            OutputControl::Nothing => {}
            OutputControl::Permanent(is_on) => {
                self.permanent = is_on;
                self.temporary = None;
            }
            OutputControl::PermanentAfterTimer(is_on) => self.permanent = is_on,
            OutputControl::Temporary(is_on, time) => {
                let end = (!time.is_zero()).then(|| at + time);
                self.temporary = Some((is_on, end));
            }
        }
    }

    /// When its timer ends.
    pub(crate) fn due(&self) -> Option<Instant> {
        self.temporary.and_then(|(_, end)| end)
    }

    /// Ends a timer that is due.
    pub(crate) fn advance(&mut self, now: Instant) {
        if self.due().is_some_and(|end| end <= now) {
            self.temporary = None;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::ticks;

    fn after(controls: &[(u8, u16)], elapsed: Duration) -> bool {
        let at = ticks();
        let mut output = Output::default();
        for (code, time) in controls {
            output.control(OutputControl::from_record(*code, *time).unwrap(), at);
        }
        output.advance(at + elapsed);
        output.is_on()
    }

    #[test]
    fn a_timed_output_returns_to_what_it_was() {
        let just_before = Duration::from_millis(2999);
        let then = Duration::from_secs(3);
        assert!(after(&[(5, 30)], just_before));
        assert!(!after(&[(5, 30)], then));
        assert!(!after(&[(2, 0), (6, 30)], just_before));
        assert!(after(&[(2, 0), (6, 30)], then));
    }

    #[test]
    fn permanent_orders_abort_a_timer_or_wait_for_it() {
        let soon = Duration::from_millis(10);
        let then = Duration::from_secs(3);
        assert!(!after(&[(5, 30), (1, 0)], soon));
        assert!(after(&[(5, 30), (3, 0)], soon));
        assert!(!after(&[(2, 0), (5, 30), (3, 0)], then));
        assert!(after(&[(5, 30), (4, 0)], then));
        assert!(after(&[(5, 0)], then));
        assert_eq!(OutputControl::from_record(7, 0), None);
    }
}
