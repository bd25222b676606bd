//! What a reply means: whether it is believed, and what follows from it.

use super::recovery::TRIES_MAX;
use super::{InFlight, PeripheralOrder, Phase, Purpose, Security, Session, Stage};
use crate::types::Moment;
use crate::wire::osdp::counters::count;
use crate::wire::osdp::event::{NakCode, OrderFailure, PeripheralEvent, SecurityFault};
use crate::wire::osdp::frame::{BlockKind, Frame};
use crate::wire::osdp::reply::{Reply, ReplyCode, nak_code};
use crate::wire::osdp::secure::OpenError;

/// What a frame of the reader that was asked did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::wire::osdp) enum Heard {
    /// Nothing: the reply is still awaited.
    Nothing,
    /// The slot is over.
    Answer,
    /// The slot is over, and somebody is waiting at the reader.
    Read,
}

/// A reply as far as it is believed.
struct Believed {
    reply: Reply,
    /// Whether nobody on the line could read it.
    is_private: bool,
}

impl Session {
    /// Takes a frame from this reader's address while its answer is awaited.
    pub(in crate::wire::osdp) fn accept(&mut self, frame: &Frame, now: Moment) -> Heard {
        let Some(sequence) = self.in_flight.as_ref().map(|sent| sent.sequence) else {
            return Heard::Nothing;
        };
        if frame.block.is_none() && self.is_secured() {
            return self.clear_in_session(frame, now);
        }
        if is_clear_busy(frame) {
            self.busy(now);
            return Heard::Answer;
        }
        if frame.sequence != sequence {
            count(&mut self.counters.wrong_sequence);
            return Heard::Nothing;
        }
        if !self.expects_block(frame) {
            count(&mut self.counters.unexpected_block);
            return Heard::Nothing;
        }
        self.accept_in_turn(frame, now)
    }

    /// Opens a frame whose place is right, and lets the session go on by it.
    fn accept_in_turn(&mut self, frame: &Frame, now: Moment) -> Heard {
        let (data, is_private) = match &mut self.phase {
            Phase::Inside(Some(channel), _) => match channel.open(frame) {
                Ok(opened) => (Some(opened.data), opened.is_encrypted),
                Err(OpenError::Padding) => (None, true),
                Err(OpenError::Block) => {
                    count(&mut self.counters.unexpected_block);
                    return Heard::Nothing;
                }
                Err(OpenError::Mac) => {
                    self.bad_mac(now);
                    return Heard::Answer;
                }
            },
            Phase::Inside(None, _) => (Some(frame.data.clone()), true),
            Phase::Identify | Phase::Challenge(_) | Phase::Prove(_) => {
                (Some(frame.data.clone()), false)
            }
        };
        count(&mut self.counters.replies);
        self.heard(now);
        let reply = data.map(|data| Reply::parse(frame.code, &data));
        let Some(Ok(reply)) = reply else {
            count(&mut self.counters.malformed);
            return self.answered(None, now);
        };
        if reply == Reply::Busy {
            self.busy(now);
            return Heard::Answer;
        }
        self.follow(frame, Believed { reply, is_private }, now)
    }

    pub(super) fn is_secured(&self) -> bool {
        matches!(self.phase, Phase::Inside(Some(_), _))
    }

    /// Without a MAC nothing is believed in a session. A reader that has lost the session can
    /// say so in no other way; then a new one begins, and nothing else follows from it.
    fn clear_in_session(&mut self, frame: &Frame, now: Moment) -> Heard {
        if is_clear_busy(frame) {
            self.busy(now);
            return Heard::Answer;
        }
        let is_nak = ReplyCode::from_number(frame.code) == Some(ReplyCode::Nak);
        let nak = frame.data.first().filter(|_| is_nak);
        match nak.map(|number| nak_code(*number)) {
            Some(NakCode::Sequence | NakCode::SecurityBlock | NakCode::SecurityRequired) => {
                count(&mut self.counters.naks);
                self.heard(now);
                self.restart(now);
                Heard::Answer
            }
            Some(
                NakCode::BadCheck
                | NakCode::CommandLength
                | NakCode::UnknownCommand
                | NakCode::BiometricType
                | NakCode::BiometricFormat
                | NakCode::CannotProcess
                | NakCode::Other(_),
            )
            | None => {
                count(&mut self.counters.clear_in_session);
                Heard::Nothing
            }
        }
    }

    /// Whether a security block has its place here: each half of the handshake only in answer
    /// to its command, MACs only in a session.
    fn expects_block(&self, frame: &Frame) -> bool {
        let kind = frame.block.as_ref().map(|block| block.kind);
        match self.phase {
            Phase::Identify | Phase::Inside(None, _) => kind.is_none(),
            Phase::Challenge(_) => matches!(kind, None | Some(BlockKind::ClientCryptogram)),
            Phase::Prove(_) => matches!(kind, None | Some(BlockKind::InitialMac)),
            Phase::Inside(Some(_), _) => {
                matches!(kind, Some(BlockKind::Reply | BlockKind::EncryptedReply))
            }
        }
    }

    fn follow(&mut self, frame: &Frame, believed: Believed, now: Moment) -> Heard {
        if let Reply::Nak(code) = believed.reply {
            count(&mut self.counters.naks);
            return self.refused(code, now);
        }
        match std::mem::replace(&mut self.phase, Phase::Identify) {
            Phase::Identify => self.identified(&believed.reply, now),
            Phase::Challenge(challenged) => self.challenged(challenged, frame, believed.reply, now),
            Phase::Prove(proving) => self.proved(proving, frame, &believed.reply, now),
            Phase::Inside(channel, stage) => {
                self.phase = Phase::Inside(channel, stage);
                if stage == Stage::Up {
                    self.sound(now);
                    return self.answered(Some(believed), now);
                }
                self.opening(stage, believed.reply, now)
            }
        }
    }

    /// A refusal: of the session, of its opening, or of one command.
    fn refused(&mut self, code: NakCode, now: Moment) -> Heard {
        match code {
            NakCode::Sequence => self.restart(now),
            // It did not understand the bytes: the same ones again, as after a time-out.
            NakCode::BadCheck if self.may_try_again() => {}
            NakCode::SecurityBlock | NakCode::SecurityRequired
                if matches!(self.phase, Phase::Inside(Some(_), _)) =>
            {
                self.restart(now);
            }
            NakCode::BadCheck
            | NakCode::CommandLength
            | NakCode::UnknownCommand
            | NakCode::SecurityBlock
            | NakCode::SecurityRequired
            | NakCode::BiometricType
            | NakCode::BiometricFormat
            | NakCode::CannotProcess
            | NakCode::Other(_) => self.refused_command(code, now),
        }
        Heard::Answer
    }

    /// Inside the secure channel the chain has moved on, so that the same bytes would be wrong.
    fn may_try_again(&self) -> bool {
        let is_fresh = |sent: &InFlight| sent.tries < TRIES_MAX;
        !self.is_secured() && self.in_flight.as_ref().is_some_and(is_fresh)
    }

    fn refused_command(&mut self, code: NakCode, now: Moment) {
        match self.phase {
            // Some readers say nothing at all outside a secure channel.
            Phase::Identify if self.is_secure() => {
                self.take_in_flight();
                self.phase = Phase::Challenge(None);
            }
            Phase::Identify
            | Phase::Challenge(_)
            | Phase::Prove(_)
            | Phase::Inside(_, Stage::Identify | Stage::Drain) => self.fail(now),
            Phase::Inside(_, Stage::Capabilities) => {
                self.take_in_flight();
                self.enter(Stage::Drain);
            }
            Phase::Inside(_, Stage::Up) => {
                self.sound(now);
                match self.take_in_flight() {
                    Some(Purpose::Order(order)) => {
                        let failure = OrderFailure::Nak(code);
                        self.tell(PeripheralEvent::Refused { order, failure });
                    }
                    Some(purpose) => self.status.refused(&purpose),
                    None => {}
                }
            }
        }
    }

    pub(super) fn is_secure(&self) -> bool {
        match self.settings.security {
            Security::Secure(_) => true,
            Security::Plain => false,
        }
    }

    /// The command in flight has its answer; the next one gets the next number.
    pub(super) fn take_in_flight(&mut self) -> Option<Purpose> {
        self.advance_sequence();
        self.in_flight
            .take()
            .map(|InFlight { purpose, .. }| purpose)
    }

    /// The command in flight is answered in a session; `None` where nobody can read how.
    fn answered(&mut self, believed: Option<Believed>, now: Moment) -> Heard {
        if !self.is_up() {
            self.fail(now);
            return Heard::Answer;
        }
        let Some(purpose) = self.take_in_flight() else {
            return Heard::Answer;
        };
        if let Some(believed) = &believed {
            let was_asked = purpose != Purpose::Poll;
            self.status.learn(&believed.reply, was_asked);
        }
        match (purpose, believed) {
            (Purpose::Order(order), believed) => self.order_answered(order, believed),
            (Purpose::Poll, Some(believed)) => return self.news(believed),
            (Purpose::LocalStatus, Some(believed))
                if matches!(believed.reply, Reply::LocalStatus { .. }) =>
            {
                return self.news(believed);
            }
            (Purpose::Inputs, Some(believed)) if matches!(believed.reply, Reply::Inputs(_)) => {
                return self.news(believed);
            }
            (Purpose::LocalStatus | Purpose::Inputs | Purpose::Open, Some(_)) => {
                count(&mut self.counters.unexpected_reply);
            }
            (Purpose::Poll | Purpose::LocalStatus | Purpose::Inputs | Purpose::Open, None) => {}
        }
        Heard::Answer
    }

    fn order_answered(&mut self, order: PeripheralOrder, believed: Option<Believed>) {
        match believed.map(|believed| believed.reply) {
            Some(Reply::Ack) => self.tell(PeripheralEvent::Performed { order }),
            Some(Reply::Outputs(states)) => {
                self.tell(PeripheralEvent::Performed { order });
                self.tell(PeripheralEvent::Outputs(states));
            }
            Some(_) | None => {
                count(&mut self.counters.unexpected_reply);
                let failure = OrderFailure::Unexpected;
                self.tell(PeripheralEvent::Refused { order, failure });
            }
        }
    }

    /// Something new from a session that is up. Cards and keys that others could read on the
    /// line are not taken.
    fn news(&mut self, believed: Believed) -> Heard {
        let event = match believed.reply {
            Reply::Card(card) => PeripheralEvent::Card(card),
            Reply::Formatted(card) => PeripheralEvent::FormattedCard(card),
            Reply::Keys(keys) => PeripheralEvent::Keys(keys),
            Reply::LocalStatus {
                tamper,
                power_failed,
            } => {
                self.tell(PeripheralEvent::LocalStatus {
                    tamper,
                    power_failed,
                });
                return Heard::Answer;
            }
            Reply::Inputs(states) => {
                self.tell(PeripheralEvent::Inputs(states));
                return Heard::Answer;
            }
            Reply::Outputs(states) => {
                self.tell(PeripheralEvent::Outputs(states));
                return Heard::Answer;
            }
            Reply::Heads(heads) => {
                self.tell(PeripheralEvent::Heads(heads));
                return Heard::Answer;
            }
            Reply::Ack => return Heard::Answer,
            Reply::Nak(_)
            | Reply::Identity(_)
            | Reply::Capabilities(_)
            | Reply::Communication { .. }
            | Reply::ClientProof(_)
            | Reply::InitialMac(_)
            | Reply::Busy => {
                count(&mut self.counters.unexpected_reply);
                return Heard::Answer;
            }
        };
        if !believed.is_private {
            self.tell_fault(SecurityFault::Unencrypted);
            return Heard::Answer;
        }
        self.tell(event);
        Heard::Read
    }
}

/// Busy comes with sequence 0 and outside of everything; it delays and changes nothing.
fn is_clear_busy(frame: &Frame) -> bool {
    frame.block.is_none()
        && frame.sequence == 0
        && ReplyCode::from_number(frame.code) == Some(ReplyCode::Busy)
}
