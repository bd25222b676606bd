//! The server's end of one controller's session.

use std::sync::Arc;

use tokio::sync::mpsc;
use tokio::time::sleep;

use super::lines::Inner;
use super::{CommandResult, Link, Outgoing, SessionEnd, SessionStep};
use crate::types::{ControllerId, Moment, Now};

/// So many intervals without a message and a controller counts as offline.
const BEATS_LOST: u32 = 2;

/// The server's end of a controller's session.
///
/// Dropped, it counts as lost; [`leave`](Self::leave) ends it in peace.
#[derive(Debug)]
pub struct Session {
    inner: Arc<Inner>,
    controller: ControllerId,
    number: u64,
    commands: mpsc::Receiver<Outgoing>,
    heard: Moment,
    told: Moment,
    ends_as: Link,
}

impl Session {
    pub(super) fn begin(
        inner: Arc<Inner>,
        (controller, number): (ControllerId, u64),
        commands: mpsc::Receiver<Outgoing>,
        now: Now,
    ) -> Self {
        Self {
            inner,
            controller,
            number,
            commands,
            heard: now.moment,
            told: now.moment,
            ends_as: Link::Lost,
        }
    }

    /// Waits until there is something to do. May be dropped while it waits: nothing is lost.
    ///
    /// After an end it answers the same end again.
    pub async fn next(&mut self) -> SessionStep {
        loop {
            let now = self.inner.world.now().moment;
            let interval = self.inner.times.beat;
            let silence = self.heard.plus(interval * BEATS_LOST).since(now);
            let beat = self.told.plus(interval).since(now);
            if silence.is_zero() {
                return SessionStep::Ended(SessionEnd::Silent);
            }
            if beat.is_zero() {
                self.told = now;
                return SessionStep::Beat;
            }
            tokio::select! {
                biased;
                outgoing = self.commands.recv() => {
                    let is_current = self.inner.is_current(self.name());
                    let Some(outgoing) = outgoing.filter(|_| is_current) else {
                        return SessionStep::Ended(SessionEnd::Replaced);
                    };
                    if let Some(outgoing) = self.still_good(outgoing) {
                        self.told = now;
                        return SessionStep::Command(outgoing);
                    }
                }
                () = sleep(silence.min(beat)) => {}
            }
        }
    }

    /// Notes that something was heard of the controller.
    pub fn heard(&mut self) {
        let now = self.inner.world.now();
        self.heard = now.moment;
        self.inner.heard(self.name(), now.utc);
    }

    /// Passes on what became of a command. One that is not known, or was answered before, is
    /// ignored: the controller may be late.
    pub fn acknowledge(&self, command: &str, result: CommandResult) {
        self.inner.settle(self.name(), command, result);
    }

    /// The command, unless it has become too old to be sent; then it is answered as expired.
    fn still_good(&self, outgoing: Outgoing) -> Option<Outgoing> {
        if !outgoing.command.is_stale(self.inner.world.now().moment) {
            return Some(outgoing);
        }
        self.acknowledge(&outgoing.id.0, CommandResult::Expired);
        None
    }

    /// Ends it in peace: nobody needs to be alarmed.
    pub fn leave(mut self) {
        self.ends_as = Link::Left;
    }

    fn name(&self) -> (&ControllerId, u64) {
        (&self.controller, self.number)
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        self.inner.close(self.name(), self.ends_as);
    }
}
