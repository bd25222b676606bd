//! How a session is opened: who proves what, and what is asked before the reader is online.

use super::answer::Heard;
use super::{Challenged, OWN_KEY, Phase, Proving, RANDOMS_MAX, Session, Stage};
use crate::types::Moment;
use crate::wire::osdp::counters::count;
use crate::wire::osdp::event::{PeripheralEvent, SecurityFault};
use crate::wire::osdp::frame::Frame;
use crate::wire::osdp::reply::{ClientProof, Reply};
use crate::wire::osdp::secure::{Randoms, SecureChannel, is_equal};

impl Session {
    /// What a reader says of itself before it is believed is not kept.
    pub(super) fn identified(&mut self, reply: &Reply, now: Moment) -> Heard {
        if !matches!(reply, Reply::Identity(_)) {
            count(&mut self.counters.unexpected_reply);
            self.fail(now);
            return Heard::Answer;
        }
        self.take_in_flight();
        self.phase = if self.is_secure() {
            Phase::Challenge(None)
        } else {
            Phase::Inside(None, Stage::Identify)
        };
        Heard::Answer
    }

    pub(super) fn challenged(
        &mut self,
        challenged: Option<Challenged>,
        frame: &Frame,
        reply: Reply,
        now: Moment,
    ) -> Heard {
        let (Some(challenged), Some(block), Reply::ClientProof(proof)) =
            (challenged, &frame.block, reply)
        else {
            count(&mut self.counters.unexpected_reply);
            self.fail(now);
            return Heard::Answer;
        };
        if block.data.first() != Some(&OWN_KEY) {
            self.distrust(SecurityFault::DefaultKey, now);
            return Heard::Answer;
        }
        match self.prove(challenged, &proof) {
            Ok(proving) => {
                self.take_in_flight();
                self.unique = Some(proof.unique);
                self.phase = Phase::Prove(proving);
            }
            Err(fault) => self.distrust(fault, now),
        }
        Heard::Answer
    }

    /// Checks the reader's proof and makes ours.
    fn prove(
        &mut self,
        challenged: Challenged,
        proof: &ClientProof,
    ) -> Result<Proving, SecurityFault> {
        let Challenged { keys, random } = challenged;
        let randoms = Randoms {
            panel: random,
            reader: proof.random,
        };
        let expected = keys.client_cryptogram(randoms);
        if !is_equal(&expected, &proof.cryptogram) {
            return Err(SecurityFault::WrongKey);
        }
        if self.randoms.contains(&proof.random) {
            return Err(SecurityFault::RepeatedRandom);
        }
        if self.randoms.len() >= RANDOMS_MAX {
            self.randoms.pop_front();
        }
        self.randoms.push_back(proof.random);
        let server_cryptogram = keys.server_cryptogram(randoms);
        let initial_mac = keys.initial_mac(&server_cryptogram);
        Ok(Proving {
            keys,
            server_cryptogram,
            initial_mac,
        })
    }

    pub(super) fn proved(
        &mut self,
        proving: Proving,
        frame: &Frame,
        reply: &Reply,
        now: Moment,
    ) -> Heard {
        let (Some(block), Reply::InitialMac(mac)) = (&frame.block, reply) else {
            count(&mut self.counters.unexpected_reply);
            self.fail(now);
            return Heard::Answer;
        };
        // 01 says that the reader believes our cryptogram.
        let is_accepted = block.data.first() == Some(&0x01);
        if !is_accepted || !is_equal(mac, &proving.initial_mac) {
            self.distrust(SecurityFault::WrongKey, now);
            return Heard::Answer;
        }
        self.take_in_flight();
        let channel = SecureChannel::new(proving.keys, proving.initial_mac);
        self.phase = Phase::Inside(Some(channel), Stage::Identify);
        Heard::Answer
    }

    pub(super) fn enter(&mut self, next: Stage) {
        if let Phase::Inside(_, stage) = &mut self.phase {
            *stage = next;
        }
    }

    /// Replies of a session that is believed and not yet up.
    pub(super) fn opening(&mut self, stage: Stage, reply: Reply, now: Moment) -> Heard {
        match (stage, reply) {
            (Stage::Identify, Reply::Identity(mut identity)) => {
                self.take_in_flight();
                identity.unique = self.unique;
                self.identity = Some(identity);
                self.enter(Stage::Capabilities);
            }
            (Stage::Capabilities, Reply::Capabilities(capabilities)) => {
                self.take_in_flight();
                self.capabilities = capabilities;
                self.enter(Stage::Drain);
            }
            (Stage::Drain, Reply::Ack) => {
                self.take_in_flight();
                self.enter(Stage::Up);
                self.up(now);
            }
            (Stage::Drain, reply) => {
                self.take_in_flight();
                if matches!(reply, Reply::Card(_) | Reply::Formatted(_) | Reply::Keys(_)) {
                    count(&mut self.counters.stale_reads);
                }
            }
            (Stage::Identify | Stage::Capabilities | Stage::Up, _) => {
                count(&mut self.counters.unexpected_reply);
                self.fail(now);
            }
        }
        Heard::Answer
    }

    fn up(&mut self, now: Moment) {
        self.came_up(now);
        self.status.begin(now);
        let Some(identity) = self.identity.clone() else {
            return;
        };
        self.tell(PeripheralEvent::Online {
            identity,
            capabilities: self.capabilities.clone(),
            is_secure: self.is_secured(),
        });
    }
}
