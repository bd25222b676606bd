//! A control panel for the tests.

use std::time::Instant;

use super::codes::{command, scs};
use super::frame::{Check, FrameHead, begin, finish, parse};
use super::reader::Reader;
use super::secure::{BLOCK_BYTES, Handshake};
use super::settings::SecureKey;

type Block = [u8; BLOCK_BYTES];

/// A secure channel as the control panel sees it: keys, own last MAC, the reader's last MAC.
#[derive(Clone)]
struct Channel(Handshake, Block, Block);

#[derive(Clone)]
pub(crate) struct Panel {
    pub(crate) address: u8,
    pub(crate) sequence: u8,
    pub(crate) check: Check,
    channel: Option<Channel>,
}

impl Panel {
    pub(crate) fn new(address: u8) -> Self {
        Self {
            address,
            sequence: 0,
            check: Check::Crc,
            channel: None,
        }
    }

    /// Begins anew: sequence 0, no secure channel.
    pub(crate) fn begin(&mut self) {
        self.sequence = 0;
        self.channel = None;
    }

    /// The next command's bytes.
    pub(crate) fn command(&mut self, code: u8, data: &[u8]) -> Vec<u8> {
        let Some(Channel(keys, own_mac, reader_mac)) = &mut self.channel else {
            return self.frame(code, data, None);
        };
        let (kind, data) = if data.is_empty() {
            (scs::COMMAND_MAC, Vec::new())
        } else {
            (scs::COMMAND_ENCRYPTED, keys.encrypt(data, reader_mac))
        };
        let mut bytes = begin(&FrameHead {
            address: self.address,
            sequence: self.sequence,
            check: self.check,
            security: Some((kind, &[])),
            code,
            data: &data,
        });
        *own_mac = keys.mac(&bytes, reader_mac);
        bytes.extend_from_slice(&own_mac[..4]);
        finish(&mut bytes, self.check);
        self.sequence = self.sequence % 3 + 1;
        bytes
    }

    pub(crate) fn frame(
        &mut self,
        code: u8,
        data: &[u8],
        security: Option<(u8, &[u8])>,
    ) -> Vec<u8> {
        let mut bytes = begin(&FrameHead {
            address: self.address,
            sequence: self.sequence,
            check: self.check,
            security,
            code,
            data,
        });
        finish(&mut bytes, self.check);
        self.sequence = self.sequence % 3 + 1;
        bytes
    }

    /// Code and data of a reply; panics unless it is whole and its MAC good.
    pub(crate) fn read(&mut self, reply: &[u8]) -> (u8, Vec<u8>) {
        let frame = parse(reply).expect("a whole reply");
        assert_eq!(frame.address, self.address | 0x80);
        let Some(mac) = frame.mac else {
            return (frame.code, frame.data);
        };
        let Channel(keys, own_mac, reader_mac) = self.channel.as_mut().expect("a channel");
        let full = keys.mac(&frame.signed, own_mac);
        assert_eq!(full[..4], mac, "MAC");
        let data = if frame.data.is_empty() {
            Vec::new()
        } else {
            keys.decrypt(&frame.data, own_mac).expect("padding")
        };
        *reader_mac = full;
        (frame.code, data)
    }

    /// A command and its reply.
    pub(crate) fn ask(
        &mut self,
        reader: &mut Reader,
        at: Instant,
        order: (u8, &[u8]),
    ) -> (u8, Vec<u8>) {
        let bytes = self.command(order.0, order.1);
        let reply = hear(reader, &bytes, at).expect("a reply");
        self.read(&reply)
    }

    /// Makes a secure channel under sequence 0; `None` where the reader refuses.
    pub(crate) fn secure(
        &mut self,
        reader: &mut Reader,
        at: Instant,
        key: &SecureKey,
        flag: u8,
    ) -> Option<()> {
        self.begin();
        let random = [0xA5; 8];
        let challenge = self.frame(command::CHLNG, &random, Some((scs::CHALLENGE, &[flag])));
        let reply = hear(reader, &challenge, at)?;
        let (_, data) = self.read(&reply);
        let client_random = *data.get(8..16)?.first_chunk()?;
        let keys = Handshake::new(key, random, client_random);
        if data.get(16..32)? != keys.client_cryptogram() {
            return None;
        }
        let proof = keys.server_cryptogram();
        let proof = self.frame(
            command::SCRYPT,
            &proof,
            Some((scs::SERVER_CRYPTOGRAM, &[flag])),
        );
        let reply = hear(reader, &proof, at)?;
        let (_, data) = self.read(&reply);
        assert_eq!(data, keys.initial_mac());
        self.channel = Some(Channel(keys.clone(), [0; BLOCK_BYTES], keys.initial_mac()));
        Some(())
    }
}

/// Bytes that all come at once; what is replied.
pub(crate) fn hear(reader: &mut Reader, bytes: &[u8], at: Instant) -> Option<Vec<u8>> {
    let said = bytes.iter().filter_map(|byte| reader.hear(*byte, at));
    said.last().map(|said| said.bytes)
}
