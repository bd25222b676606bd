//! How a reader talks: in clear, through the handshake, in the secure channel.

use std::time::Instant;

use super::answer::Answer;
use super::codes::{Nak, command, reply, scs};
use super::fault::FaultKind;
use super::frame::{Check, Frame, FrameHead, REPLY_BIT, begin, finish};
use super::observed::Seen;
use super::reader::Reader;
use super::secure::{Channel, Handshake, RANDOM_BYTES};
use super::settings::SecureKey;

/// Where the reader stands with the control panel.
#[derive(Debug)]
pub(crate) enum Session {
    /// No secure channel.
    Clear,
    /// A challenge was answered; the control panel's proof is awaited.
    Challenged {
        keys: Handshake,
        is_default_key: bool,
    },
    /// The secure channel is up.
    Open(Channel),
}

/// Key flag of the handshake's security blocks: the reader's own key, not the default one.
const OWN_KEY: u8 = 1;

impl Reader {
    /// Answers a command that is in sequence.
    pub(super) fn converse(&mut self, frame: &Frame, at: Instant) -> Vec<u8> {
        let kind = frame.security.as_ref().map(|(kind, _)| *kind);
        match (kind, frame.code) {
            (Some(scs::CHALLENGE), command::CHLNG) => self.challenged(frame, at),
            (Some(scs::SERVER_CRYPTOGRAM), command::SCRYPT) => self.proven(frame, at),
            (Some(scs::COMMAND_MAC | scs::COMMAND_ENCRYPTED), _) => self.secured(frame, at),
            (Some(_), _) | (None, command::CHLNG | command::SCRYPT) => {
                self.refuse(frame, Nak::SecurityBlock)
            }
            (None, _) => self.in_clear(frame, at),
        }
    }

    /// A NAK in clear.
    pub(super) fn refuse(&mut self, frame: &Frame, nak: Nak) -> Vec<u8> {
        self.counters.naks += 1;
        clear_reply(frame, None, &Answer::nak(nak))
    }

    /// BUSY is in clear and has sequence 0 (OSDP 2.2, 7.20).
    pub(super) fn busy(&mut self, frame: &Frame) -> Vec<u8> {
        self.counters.busy += 1;
        let mut head = head_of(frame, reply::BUSY, &[]);
        head.sequence = 0;
        framed(&head)
    }

    fn in_clear(&mut self, frame: &Frame, at: Instant) -> Vec<u8> {
        let is_open = matches!(self.session, Session::Open(_));
        let says_who = matches!(frame.code, command::ID | command::CAP);
        if is_open || (self.settings.is_secure_enforced && !says_who) {
            self.close_channel(at);
            return self.refuse(frame, Nak::SecurityRequired);
        }
        match self.obey(frame.code, &frame.data, false, at) {
            Ok(said) => clear_reply(frame, None, &said),
            Err(nak) => self.refuse(frame, nak),
        }
    }

    /// CHLNG: the reader proves first, so that a stranger learns nothing of the key.
    fn challenged(&mut self, frame: &Frame, at: Instant) -> Vec<u8> {
        self.close_channel(at);
        let asked_own =
            matches!(&frame.security, Some((_, data)) if data.first() == Some(&OWN_KEY));
        let Some(server_random) = frame.data.first_chunk::<RANDOM_BYTES>() else {
            return self.refuse(frame, Nak::Length);
        };
        let forced_default = self.faults.take(FaultKind::DefaultKeyOnly);
        let is_default_key = forced_default || !asked_own;
        let key = match self.settings.key {
            _ if forced_default => Some(SecureKey::DEFAULT),
            own if asked_own => own,
            _ => self.settings.is_install_mode.then_some(SecureKey::DEFAULT),
        };
        let Some(key) = key else {
            self.tell(&Seen::HandshakeRefused, at);
            return self.refuse(frame, Nak::SecurityRequired);
        };
        if !self.faults.take(FaultKind::SameRandom) {
            (self.random)(&mut self.client_random);
        }
        let keys = Handshake::new(&key, *server_random, self.client_random);
        let client_uid = self.settings.identity.client_uid();
        let data = [
            client_uid.as_slice(),
            &self.client_random,
            &keys.client_cryptogram(),
        ];
        let said = Answer::new(reply::CCRYPT, data.concat());
        self.session = Session::Challenged {
            keys,
            is_default_key,
        };
        let flag = [u8::from(!is_default_key)];
        clear_reply(frame, Some((scs::CLIENT_CRYPTOGRAM, &flag)), &said)
    }

    /// SCRYPT: the control panel proves that it has the key too.
    fn proven(&mut self, frame: &Frame, at: Instant) -> Vec<u8> {
        let session = std::mem::replace(&mut self.session, Session::Clear);
        let Session::Challenged {
            keys,
            is_default_key,
        } = session
        else {
            return self.refuse(frame, Nak::SecurityRequired);
        };
        if frame.data != keys.server_cryptogram() {
            self.tell(&Seen::HandshakeRefused, at);
            return self.refuse(frame, Nak::SecurityRequired);
        }
        let said = Answer::new(reply::RMAC_I, keys.initial_mac());
        self.session = Session::Open(Channel::new(keys));
        self.counters.secure_channels += 1;
        self.tell(&Seen::SecureChannelUp { is_default_key }, at);
        clear_reply(frame, Some((scs::INITIAL_MAC, &[1])), &said)
    }

    fn secured(&mut self, frame: &Frame, at: Instant) -> Vec<u8> {
        let Session::Open(channel) = &mut self.session else {
            return self.refuse(frame, Nak::SecurityBlock);
        };
        let is_encrypted =
            matches!(&frame.security, Some((kind, _)) if *kind == scs::COMMAND_ENCRYPTED);
        let encrypted = is_encrypted.then_some(frame.data.as_slice());
        let opened = frame
            .mac
            .and_then(|mac| channel.open(&frame.signed, mac, encrypted));
        let Some(opened) = opened else {
            self.counters.bad_macs += 1;
            self.close_channel(at);
            return self.refuse(frame, Nak::SecurityRequired);
        };
        let data = if is_encrypted { &opened } else { &frame.data };
        let said = self.obey(frame.code, data, true, at).unwrap_or_else(|nak| {
            self.counters.naks += 1;
            Answer::nak(nak)
        });
        match &mut self.session {
            Session::Open(channel) => sealed(channel, frame, &said),
            Session::Clear | Session::Challenged { .. } => clear_reply(frame, None, &said),
        }
    }

    /// Ends the secure channel or the handshake, if there is one.
    pub(super) fn close_channel(&mut self, at: Instant) {
        let session = std::mem::replace(&mut self.session, Session::Clear);
        if let Session::Open(_) = session {
            self.tell(&Seen::SecureChannelDown, at);
        }
    }
}

/// The head of the reply to `frame`.
fn head_of<'a>(frame: &Frame, code: u8, data: &'a [u8]) -> FrameHead<'a> {
    FrameHead {
        address: frame.address | REPLY_BIT,
        sequence: frame.sequence,
        check: frame.check,
        security: None,
        code,
        data,
    }
}

fn clear_reply(frame: &Frame, security: Option<(u8, &[u8])>, said: &Answer) -> Vec<u8> {
    framed(&FrameHead {
        security,
        ..head_of(frame, said.code, &said.data)
    })
}

fn framed(head: &FrameHead<'_>) -> Vec<u8> {
    let mut bytes = begin(head);
    finish(&mut bytes, head.check);
    bytes
}

fn sealed(channel: &mut Channel, frame: &Frame, said: &Answer) -> Vec<u8> {
    let check: Check = frame.check;
    let sealed = if said.data.is_empty() {
        Vec::new()
    } else {
        channel.seal(&said.data)
    };
    let kind = if sealed.is_empty() {
        scs::REPLY_MAC
    } else {
        scs::REPLY_ENCRYPTED
    };
    let mut bytes = begin(&FrameHead {
        security: Some((kind, &[])),
        ..head_of(frame, said.code, &sealed)
    });
    let mac = channel.sign(&bytes);
    bytes.extend_from_slice(&mac);
    finish(&mut bytes, check);
    bytes
}
