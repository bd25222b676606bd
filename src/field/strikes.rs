//! Orders to strikes that are on their way, each of which gets one answer.

use std::collections::BTreeMap;
use std::num::NonZeroU16;
use std::time::Duration;

use crate::control::StrikeRelease;
use crate::control::lines::ReaderEvent;
use crate::types::{Moment, Terminal};
use crate::wire::osdp::{OutputControl, PeripheralOrder};

/// Outputs count in these (OSDP 2.2, `osdp_OUT`).
const TENTH: Duration = Duration::from_millis(100);
/// Orders of one reader on their way; the bus holds as many at most, and one is on the line.
const ON_THEIR_WAY_MAX: usize = 17;

/// An order to a strike that has no answer yet.
#[derive(Debug)]
struct OnItsWay {
    output: Terminal,
    /// What allows it; `None` where it locks, which nobody has to allow.
    release: Option<StrikeRelease>,
}

/// The strikes of one reader.
#[derive(Debug, Default)]
pub(super) struct Strikes {
    on_their_way: Vec<OnItsWay>,
    /// Released by us, and until when.
    released: BTreeMap<Terminal, Moment>,
}

/// For how long an output is switched on: whole tenths of a second, rounded down, at least one.
pub(super) fn tenths(lasts: Duration) -> NonZeroU16 {
    let tenths = u16::try_from(lasts.as_millis() / TENTH.as_millis()).unwrap_or(u16::MAX);
    NonZeroU16::new(tenths).unwrap_or(NonZeroU16::MIN)
}

/// The order that a terminal is switched with.
pub(super) fn output(output: Terminal, control: OutputControl) -> PeripheralOrder {
    PeripheralOrder::Output {
        number: output.number(),
        control,
    }
}

impl Strikes {
    /// Whether one more may be on its way.
    pub(super) fn has_room(&self) -> bool {
        self.on_their_way.len() < ON_THEIR_WAY_MAX
    }

    /// Whether any is.
    pub(super) fn is_waiting(&self) -> bool {
        !self.on_their_way.is_empty()
    }

    /// The bus has taken one.
    pub(super) fn sent(&mut self, output: Terminal, release: Option<StrikeRelease>) {
        self.on_their_way.push(OnItsWay { output, release });
    }

    /// Whether a release is on its way that has become too old to be put on the line (again).
    pub(super) fn has_stale(&self, now: Moment) -> bool {
        let is_stale = |release: &StrikeRelease| release.valid_for(now).is_zero();
        let mut releases = self.on_their_way.iter().filter_map(|o| o.release.as_ref());
        releases.any(is_stale)
    }

    /// The reader has done what an output was told; `None` where nobody told it.
    pub(super) fn performed(
        &mut self,
        number: u8,
        control: OutputControl,
        now: Moment,
    ) -> Option<ReaderEvent> {
        let output = Terminal::new(number.into()).ok()?;
        let is_release = match control {
            OutputControl::Off => {
                self.released.remove(&output);
                false
            }
            OutputControl::On => true,
            OutputControl::OnFor(tenths) => {
                let until = now.plus(TENTH.saturating_mul(tenths.get().into()));
                self.released.insert(output, until);
                true
            }
        };
        self.take(output, is_release)?;
        Some(ReaderEvent::StrikeSet { output, is_release })
    }

    /// It has not, or nobody knows.
    pub(super) fn refused(&mut self, number: u8, control: OutputControl) -> Option<ReaderEvent> {
        let output = Terminal::new(number.into()).ok()?;
        self.take(output, control != OutputControl::Off)?;
        Some(ReaderEvent::StrikeRefused { output })
    }

    /// The session is gone, and with it whatever was on its way.
    pub(super) fn lost(&mut self) -> Vec<ReaderEvent> {
        let refused = |o: OnItsWay| ReaderEvent::StrikeRefused { output: o.output };
        self.on_their_way.drain(..).map(refused).collect()
    }

    /// Strikes that are released now, as far as is known.
    pub(super) fn released(&self, now: Moment) -> Vec<Terminal> {
        let still = self.released.iter().filter(|(_, until)| **until > now);
        still.map(|(output, _)| *output).collect()
    }

    fn take(&mut self, output: Terminal, is_release: bool) -> Option<OnItsWay> {
        let is_it = |o: &OnItsWay| o.output == output && o.release.is_some() == is_release;
        let at = self.on_their_way.iter().position(is_it)?;
        Some(self.on_their_way.remove(at))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_strike_is_released_no_longer_than_allowed() {
        let tenths = |ms| tenths(Duration::from_millis(ms)).get();
        assert_eq!([tenths(5_000), tenths(5_099), tenths(199)], [50, 50, 1]);
        assert_eq!([tenths(0), tenths(99)], [1, 1]);
        assert_eq!(tenths(u64::MAX), u16::MAX);
    }

    #[test]
    fn an_answer_nobody_waits_for_is_no_report() {
        let mut strikes = Strikes::default();
        let now = Moment::from_start(Duration::ZERO);
        assert_eq!(strikes.performed(0, OutputControl::Off, now), None);
        assert_eq!(strikes.performed(200, OutputControl::Off, now), None);
        strikes.sent(Terminal::new(0).unwrap(), None);
        assert_eq!(strikes.refused(1, OutputControl::Off), None);
        let on = OutputControl::OnFor(NonZeroU16::MIN);
        assert_eq!(strikes.refused(0, on), None);
        let output = Terminal::new(0).unwrap();
        let set = ReaderEvent::StrikeSet {
            output,
            is_release: false,
        };
        assert_eq!(strikes.performed(0, OutputControl::Off, now), Some(set));
        assert!(!strikes.is_waiting());
    }
}
