//! What each command does and how it is answered, secured or not.

use std::time::Instant;

use super::codes::{Nak, command, reply};
use super::events::Event;
use super::fault::FaultKind;
use super::observed::Seen;
use super::orders;
use super::reader::Reader;
use super::settings::{ADDRESS_MAX, CardReport, SecureKey};

/// A reply before it is secured and framed.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) code: u8,
    pub(crate) data: Vec<u8>,
}

impl Answer {
    pub(crate) fn new(code: u8, data: impl Into<Vec<u8>>) -> Self {
        let data = data.into();
        Self { code, data }
    }

    fn ack() -> Self {
        Self::new(reply::ACK, [])
    }

    pub(crate) fn nak(nak: Nak) -> Self {
        Self::new(reply::NAK, [nak.code()])
    }
}

fn flags(all: impl Iterator<Item = bool>) -> Vec<u8> {
    all.map(u8::from).collect()
}

impl Reader {
    /// Obeys a command; `is_secure` says whether it came through the secure channel.
    pub(super) fn obey(
        &mut self,
        code: u8,
        data: &[u8],
        is_secure: bool,
        at: Instant,
    ) -> Result<Answer, Nak> {
        match code {
            command::POLL => Ok(self.poll(at)),
            command::ID => Ok(Answer::new(reply::PDID, self.settings.identity.bytes())),
            command::CAP => Ok(Answer::new(reply::PDCAP, self.capabilities())),
            command::LSTAT => Ok(Answer::new(reply::LSTATR, self.local_status())),
            command::ISTAT => Ok(Answer::new(reply::ISTATR, self.input_status())),
            command::OSTAT => Ok(Answer::new(reply::OSTATR, self.output_status())),
            command::RSTAT => Ok(Answer::new(reply::RSTATR, [0])),
            command::OUT => self.set_outputs(data, at),
            command::LED => {
                for seen in orders::lights(data)? {
                    self.tell(&seen, at);
                }
                Ok(Answer::ack())
            }
            command::BUZ => {
                self.tell(&orders::buzzer(data)?, at);
                Ok(Answer::ack())
            }
            command::TEXT => {
                self.tell(&orders::text(data)?, at);
                Ok(Answer::ack())
            }
            command::COMSET => self.set_communication(data, at),
            command::KEYSET => self.set_key(data, is_secure, at),
            command::ACURXSIZE | command::KEEPACTIVE if data.len() == 2 => Ok(Answer::ack()),
            command::ACURXSIZE | command::KEEPACTIVE => Err(Nak::Length),
            command::ABORT => Ok(Answer::ack()),
            _ => Err(Nak::UnknownCommand),
        }
    }

    fn poll(&mut self, at: Instant) -> Answer {
        self.counters.polls += 1;
        let Some(Event { code, data }) = self.events.pop() else {
            return Answer::ack();
        };
        match code {
            reply::RAW | reply::FMT => self.tell(&Seen::CardReported, at),
            reply::KEYPPAD => self.tell(&Seen::KeysReported, at),
            _ => {}
        }
        Answer::new(code, data)
    }

    /// Function, compliance, number of (OSDP 2.2, annex B).
    fn capabilities(&mut self) -> Vec<u8> {
        let [low, high] = self.settings.receive_bytes.to_le_bytes();
        let is_secure = u8::from(!self.faults.take(FaultKind::NoSecurity));
        let card = match self.settings.card_report {
            CardReport::Raw => 1,
            CardReport::Fmt => 2,
        };
        [
            [1, 1, self.settings.inputs],
            [2, 3, self.settings.outputs],
            [3, card, 0],
            [4, 4, 1],
            [5, 2, 1],
            [6, 1, 1],
            [8, 1, 0],
            [9, is_secure, is_secure],
            [10, low, high],
            [11, low, high],
            [13, 0, 1],
            [16, 2, 0],
        ]
        .concat()
    }

    pub(super) fn local_status(&self) -> Vec<u8> {
        vec![u8::from(self.tamper), u8::from(self.power_failed)]
    }

    pub(super) fn input_status(&self) -> Vec<u8> {
        flags(self.inputs.iter().copied())
    }

    pub(super) fn output_status(&self) -> Vec<u8> {
        flags(self.outputs.iter().map(super::outputs::Output::is_on))
    }

    fn set_outputs(&mut self, data: &[u8], at: Instant) -> Result<Answer, Nak> {
        for (number, control) in orders::outputs(data, self.outputs.len())? {
            self.change_output(number, at, |output| output.control(control, at));
        }
        Ok(Answer::ack())
    }

    /// COMSET: what is in force afterwards is said in the reply.
    fn set_communication(&mut self, data: &[u8], at: Instant) -> Result<Answer, Nak> {
        let [address, b0, b1, b2, b3] = *data else {
            return Err(Nak::Length);
        };
        let baud = u32::from_le_bytes([b0, b1, b2, b3]);
        if self.settings.accepts_comset && address <= ADDRESS_MAX && baud > 0 {
            self.settings.address = address;
            self.baud = baud;
            self.tell(&Seen::Comset { address, baud }, at);
        }
        let mut now = vec![self.settings.address];
        now.extend_from_slice(&self.baud.to_le_bytes());
        Ok(Answer::new(reply::COM, now))
    }

    /// KEYSET: a key of type 1 (SCBK), taken in a secure channel only.
    fn set_key(&mut self, data: &[u8], is_secure: bool, at: Instant) -> Result<Answer, Nak> {
        if !is_secure {
            return Err(Nak::SecurityRequired);
        }
        let [kind, len, bytes @ ..] = data else {
            return Err(Nak::Length);
        };
        let Ok(bytes) = <[u8; 16]>::try_from(bytes) else {
            return Err(Nak::Length);
        };
        if (*kind, *len) != (1, 16) {
            return Err(Nak::Record);
        }
        self.settings.key = Some(SecureKey::new(bytes));
        self.settings.is_install_mode = false;
        self.tell(&Seen::KeySet, at);
        Ok(Answer::ack())
    }
}
