//! Requests to exit: the hardware releases, Sluss only knows that it does.

use std::time::Duration;

use super::contact::SETTLES_WITHIN;
use super::words::ExitReading;
use crate::types::Moment;

/// How long after a request to exit has ended an opening is not forced.
///
/// The hardware releases the door for some seconds by a timer of its own, usually five.
pub const EXIT_SHUNT: Duration = Duration::from_secs(5);

/// How long a request to exit that does not end keeps an opening from being forced.
///
/// People linger before a sensor; a button that is jammed or taped down must not silence the
/// alarm for ever.
pub const EXIT_SHUNT_MAX: Duration = Duration::from_mins(1);

const _: () = assert!(EXIT_SHUNT.as_millis() < EXIT_SHUNT_MAX.as_millis());

/// A request-to-exit input.
#[derive(Debug, Default)]
pub(super) struct Exit {
    latest: Option<ExitReading>,
    press: Option<Press>,
}

#[derive(Debug)]
struct Press {
    began: Moment,
    ended: Option<Moment>,
}

impl Press {
    fn shunts_until(&self) -> Moment {
        let longest = self.began.plus(EXIT_SHUNT_MAX);
        self.ended
            .map_or(longest, |ended| ended.plus(EXIT_SHUNT).min(longest))
    }

    /// Whether it goes on when it is read as active now.
    fn bounces(&self, now: Moment) -> bool {
        self.ended
            .is_some_and(|ended| now.since(ended) < SETTLES_WITHIN)
    }
}

impl Exit {
    /// Takes a reading; tells whether it is a new request.
    ///
    /// One that was active when it was read first is none: nobody saw it begin.
    pub(super) fn read(&mut self, reading: ExitReading, now: Moment) -> bool {
        let before = self.latest.replace(reading);
        if before == Some(reading) {
            return false;
        }
        match (reading, &mut self.press) {
            (ExitReading::Inactive, Some(press)) => press.ended = Some(now),
            (ExitReading::Inactive, None) => {}
            (ExitReading::Active, Some(press)) if press.bounces(now) => press.ended = None,
            (ExitReading::Active, _) => {
                self.press = Some(Press {
                    began: now,
                    ended: None,
                });
                return before.is_some();
            }
        }
        false
    }

    /// Whether an opening at this moment is not forced.
    pub(super) fn shunts(&self, at: Moment) -> bool {
        self.press
            .as_ref()
            .is_some_and(|press| press.began <= at && at < press.shunts_until())
    }
}
