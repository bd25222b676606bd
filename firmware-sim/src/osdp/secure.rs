//! The secure channel, as the reader's side of it (OSDP 2.2, annex D).

use std::fmt;

use aes::Aes128;
use aes::cipher::{BlockCipherDecrypt, BlockCipherEncrypt, KeyInit};

use super::frame::MAC_BYTES;
use super::settings::SecureKey;

/// Bytes of an AES block.
pub(crate) const BLOCK_BYTES: usize = 16;
/// Bytes of each side's random number.
pub(crate) const RANDOM_BYTES: usize = 8;
/// First byte of the padding.
const PAD: u8 = 0x80;

type Block = [u8; BLOCK_BYTES];

fn encrypt(key: &Block, block: Block) -> Block {
    let mut block = block.into();
    Aes128::new(&(*key).into()).encrypt_block(&mut block);
    block.into()
}

fn decrypt(key: &Block, block: Block) -> Block {
    let mut block = block.into();
    Aes128::new(&(*key).into()).decrypt_block(&mut block);
    block.into()
}

fn xor(mut left: Block, right: &Block) -> Block {
    for (l, r) in left.iter_mut().zip(right) {
        *l ^= r;
    }
    left
}

/// A block of at most 16 bytes, padded with 80 00.. where it is shorter.
fn padded(bytes: &[u8]) -> Block {
    let mut block = [0; BLOCK_BYTES];
    for (to, from) in block.iter_mut().zip(bytes.iter().chain(&[PAD])) {
        *to = *from;
    }
    block
}

fn joined(first: [u8; RANDOM_BYTES], second: [u8; RANDOM_BYTES]) -> Block {
    let mut block = [0; BLOCK_BYTES];
    for (to, from) in block.iter_mut().zip(first.into_iter().chain(second)) {
        *to = from;
    }
    block
}

/// The keys of one session and the numbers it was made with.
#[derive(Clone)]
pub(crate) struct Handshake {
    encryption: Block,
    mac_1: Block,
    mac_2: Block,
    client_random: [u8; RANDOM_BYTES],
    server_random: [u8; RANDOM_BYTES],
}

impl fmt::Debug for Handshake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Handshake([redacted])")
    }
}

impl Handshake {
    /// `server` is the control panel's number (RND.A), `client` the reader's (RND.B).
    pub(crate) fn new(
        key: &SecureKey,
        server: [u8; RANDOM_BYTES],
        client: [u8; RANDOM_BYTES],
    ) -> Self {
        let derived = |first: u8, second: u8| {
            let mut block = [0; BLOCK_BYTES];
            let [a0, a1, a2, a3, a4, a5, _, _] = server;
            let bytes = [first, second, a0, a1, a2, a3, a4, a5];
            for (to, from) in block.iter_mut().zip(bytes) {
                *to = from;
            }
            encrypt(key.bytes(), block)
        };
        Self {
            encryption: derived(0x01, 0x82),
            mac_1: derived(0x01, 0x01),
            mac_2: derived(0x01, 0x02),
            client_random: client,
            server_random: server,
        }
    }

    /// What proves that the reader has the key.
    pub(crate) fn client_cryptogram(&self) -> Block {
        encrypt(
            &self.encryption,
            joined(self.server_random, self.client_random),
        )
    }

    /// What proves that the control panel has it.
    pub(crate) fn server_cryptogram(&self) -> Block {
        encrypt(
            &self.encryption,
            joined(self.client_random, self.server_random),
        )
    }

    /// The first MAC of the chain.
    pub(crate) fn initial_mac(&self) -> Block {
        encrypt(&self.mac_2, encrypt(&self.mac_1, self.server_cryptogram()))
    }

    /// MAC over all bytes of a frame before it, chained from the other side's last.
    pub(crate) fn mac(&self, bytes: &[u8], chained: &Block) -> Block {
        let mut mac = *chained;
        let mut blocks = bytes.chunks(BLOCK_BYTES).peekable();
        while let Some(block) = blocks.next() {
            let block = match block.first_chunk::<BLOCK_BYTES>() {
                Some(whole) => *whole,
                None => padded(block),
            };
            let is_last = blocks.peek().is_none();
            let key = if is_last { &self.mac_2 } else { &self.mac_1 };
            mac = encrypt(key, xor(block, &mac));
        }
        mac
    }

    /// Encrypts data, padded always.
    pub(crate) fn encrypt(&self, data: &[u8], chained: &Block) -> Vec<u8> {
        let mut last = chained.map(|byte| !byte);
        let mut bytes = Vec::new();
        let whole = data.chunks_exact(BLOCK_BYTES);
        let rest = padded(whole.remainder());
        for block in whole.chain(std::iter::once(rest.as_slice())) {
            last = encrypt(&self.encryption, xor(padded(block), &last));
            bytes.extend_from_slice(&last);
        }
        bytes
    }

    /// Decrypts data and takes its padding away; `None` if it is not as long blocks are, or if
    /// there is no padding. No bytes are no data.
    pub(crate) fn decrypt(&self, bytes: &[u8], chained: &Block) -> Option<Vec<u8>> {
        let mut last = chained.map(|byte| !byte);
        let mut data = Vec::new();
        for block in bytes.chunks(BLOCK_BYTES) {
            let block = *block.first_chunk::<BLOCK_BYTES>()?;
            data.extend_from_slice(&xor(decrypt(&self.encryption, block), &last));
            last = block;
        }
        while data.last() == Some(&0) {
            data.pop();
        }
        match data.pop() {
            None | Some(PAD) => Some(data),
            Some(_) => None,
        }
    }
}

/// A secure channel that is up.
#[derive(Debug)]
pub(crate) struct Channel {
    keys: Handshake,
    /// The control panel's last MAC.
    command_mac: Block,
    /// The reader's last MAC.
    reply_mac: Block,
}

impl Channel {
    /// A channel after its handshake.
    pub(crate) fn new(keys: Handshake) -> Self {
        Self {
            reply_mac: keys.initial_mac(),
            command_mac: [0; BLOCK_BYTES],
            keys,
        }
    }

    /// Takes a command's MAC and its data; `None` if either is not this channel's.
    pub(crate) fn open(
        &mut self,
        signed: &[u8],
        mac: [u8; MAC_BYTES],
        encrypted: Option<&[u8]>,
    ) -> Option<Vec<u8>> {
        let full = self.keys.mac(signed, &self.reply_mac);
        if full.first_chunk::<MAC_BYTES>() != Some(&mac) {
            return None;
        }
        let data = match encrypted {
            Some(bytes) => self.keys.decrypt(bytes, &self.reply_mac)?,
            None => Vec::new(),
        };
        self.command_mac = full;
        Some(data)
    }

    /// Data of the reply to the command opened last, encrypted.
    pub(crate) fn seal(&self, data: &[u8]) -> Vec<u8> {
        self.keys.encrypt(data, &self.command_mac)
    }

    /// The MAC of a reply's bytes, as it is sent.
    pub(crate) fn sign(&mut self, bytes: &[u8]) -> [u8; MAC_BYTES] {
        self.reply_mac = self.keys.mac(bytes, &self.command_mac);
        let [m0, m1, m2, m3, ..] = self.reply_mac;
        [m0, m1, m2, m3]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys() -> Handshake {
        Handshake::new(&SecureKey::DEFAULT, [0xA; 8], [0xB; 8])
    }

    #[test]
    fn data_of_every_length_comes_back() {
        let chained = [7; BLOCK_BYTES];
        for len in 0..70_u8 {
            let data: Vec<u8> = (0..len).collect();
            let sealed = keys().encrypt(&data, &chained);
            assert_eq!(sealed.len() % BLOCK_BYTES, 0);
            assert!(sealed.len() > data.len());
            assert_eq!(keys().decrypt(&sealed, &chained), Some(data));
        }
        assert_eq!(keys().decrypt(&[], &chained), Some(Vec::new()));
        assert_eq!(keys().decrypt(&[1; 15], &chained), None);
    }

    #[test]
    fn the_last_block_of_a_mac_has_its_own_key() {
        let keys = keys();
        let zero = [0; BLOCK_BYTES];
        assert_eq!(keys.mac(&zero, &zero), encrypt(&keys.mac_2, zero));
        let first = encrypt(&keys.mac_1, zero);
        let both = encrypt(&keys.mac_2, xor(padded(&[1]), &first));
        assert_eq!(keys.mac(&[[0; 16].as_slice(), &[1]].concat(), &zero), both);
    }

    #[test]
    fn a_channel_does_not_open_what_was_changed() {
        let mut channel = Channel::new(keys());
        let mac = keys().mac(b"command", &keys().initial_mac());
        let sent = *mac.first_chunk().unwrap();
        assert_eq!(channel.open(b"commanD", sent, None), None);
        assert_eq!(channel.open(b"command", sent, None), Some(Vec::new()));
        assert_eq!(channel.open(b"command", sent, Some(&[1, 2])), None);
    }
}
