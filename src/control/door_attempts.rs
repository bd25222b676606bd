//! A card at a reader: the attempt is made, and what comes of it is done and shown.

use std::sync::Arc;

use super::LockState;
use super::door::DoorInput;
use super::door_task::DoorTask;
use super::keypad::PinTyped;
use super::lines::Indication;
use super::runner::{Answer, AuthorizeError, Presented};
use super::unlock::Unlock;
use crate::types::{AccessPointId, DoorEventKind, ReaderId};
use crate::wire::card::ReadCard;

/// Attempts that may be on their way at one door; more are not taken.
const ATTEMPTS_MAX: usize = 8;

/// An attempt that has come back.
pub(super) struct Attempted {
    reader: ReaderId,
    access_point: AccessPointId,
    answer: Result<Answer, AuthorizeError>,
}

impl DoorTask {
    /// Makes an attempt; the answer comes back to [`Self::attempted`].
    pub(super) fn attempt(&mut self, reader: &ReaderId, card: ReadCard, pin: PinTyped) {
        let Some(post) = self.posts.get(reader) else {
            return;
        };
        if self.attempts.len() >= ATTEMPTS_MAX {
            tracing::warn!(%reader, "a card was not taken: too many attempts are on their way");
            self.show(reader, Indication::Trouble);
            return;
        }
        let access_point = post.reader().access_point.clone();
        let runner = Arc::clone(&self.parts.runner);
        let reader = reader.clone();
        self.attempts.spawn(async move {
            let presented = Presented {
                source: None,
                access_point: access_point.clone(),
                card,
                pin,
            };
            let answer = runner.authorize(presented).await;
            Attempted {
                reader,
                access_point,
                answer,
            }
        });
    }

    pub(super) fn attempted(&mut self, attempted: Attempted) {
        let Attempted {
            reader,
            access_point,
            answer,
        } = attempted;
        match answer {
            Ok(Answer::Grant { unlock, .. }) => self.granted(&reader, unlock, access_point),
            Ok(Answer::Denial(_)) => self.show(&reader, Indication::Denied),
            Err(error) => {
                tracing::warn!(%reader, %error, "nothing may be opened; the door stays shut");
                self.show(&reader, Indication::Trouble);
                if let AuthorizeError::Stale(_) = error {
                    // Its grant stands in the feeds, so that it was of no use has to as well.
                    let now = self.now();
                    self.write_event(DoorEventKind::AccessNotTaken, Some(access_point), now);
                }
            }
        }
    }

    fn granted(&mut self, reader: &ReaderId, unlock: Unlock, access_point: AccessPointId) {
        let now = self.now();
        self.shower = Some(reader.clone());
        let input = DoorInput::Granted {
            unlock,
            access_point,
        };
        self.step(input, now);
        if let Some(reader) = self.shower.take() {
            // The strike was not told anything: it is left unlocked, or the leave was too old.
            let indication = match self.state.lock_state() {
                LockState::Unlocked => Indication::Granted,
                LockState::Locked | LockState::Released | LockState::Unknown => Indication::Trouble,
            };
            self.show(&reader, indication);
        }
    }
}
