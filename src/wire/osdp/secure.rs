//! The secure channel: who proves what, and the chain of authentication codes
//! (OSDP 2.2, annex D).

use std::fmt;

use aes::Aes128;
use aes::cipher::{BlockCipherDecrypt, BlockCipherEncrypt, KeyInit};
use subtle::ConstantTimeEq;

use super::frame::{BlockKind, Envelope, Frame, MAC_BYTES, close};
use super::{Command, SecureKey};

/// One block of AES, the size of keys, cryptograms and full MACs.
pub(super) type Block = [u8; 16];
const BLOCK_BYTES: usize = 16;
/// First byte of what fills a block up.
const PAD: u8 = 0x80;

/// The three keys of one session. Dropped, they are overwritten.
pub(super) struct SessionKeys {
    cipher: Aes128,
    mac_inner: Aes128,
    mac_last: Aes128,
}

impl fmt::Debug for SessionKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SessionKeys([redacted])")
    }
}

fn encrypt(cipher: &Aes128, block: Block) -> Block {
    let mut block = block.into();
    cipher.encrypt_block(&mut block);
    block.into()
}

fn decrypt(cipher: &Aes128, block: Block) -> Block {
    let mut block = block.into();
    cipher.decrypt_block(&mut block);
    block.into()
}

fn xor(left: Block, right: &Block) -> Block {
    let mut out = left;
    for (byte, other) in out.iter_mut().zip(right) {
        *byte ^= other;
    }
    out
}

/// Bytes cut into blocks, the last filled up with zeros.
fn blocks(bytes: &[u8]) -> impl Iterator<Item = Block> {
    bytes
        .chunks(BLOCK_BYTES)
        .map(|chunk| block_of(chunk.iter()))
}

/// The random numbers of one handshake.
#[derive(Clone, Copy)]
pub(super) struct Randoms {
    /// The control panel's, RND.A.
    pub(super) panel: [u8; 8],
    /// The reader's, RND.B.
    pub(super) reader: [u8; 8],
}

/// Bytes as one block, filled up with zeros.
fn block_of<'a>(bytes: impl Iterator<Item = &'a u8>) -> Block {
    let mut block = [0; BLOCK_BYTES];
    for (to, from) in block.iter_mut().zip(bytes) {
        *to = *from;
    }
    block
}

impl SessionKeys {
    /// Keys of the session that begins with this random number of the control panel.
    pub(super) fn derive(key: &SecureKey, panel: [u8; 8]) -> Self {
        let base = Aes128::new(&(*key.bytes()).into());
        let derived = |label: [u8; 2]| {
            let block = block_of(label.iter().chain(panel.iter().take(6)));
            Aes128::new(&encrypt(&base, block).into())
        };
        Self {
            cipher: derived([0x01, 0x82]),
            mac_inner: derived([0x01, 0x01]),
            mac_last: derived([0x01, 0x02]),
        }
    }

    /// What a reader that knows the key sends.
    pub(super) fn client_cryptogram(&self, randoms: Randoms) -> Block {
        let both = block_of(randoms.panel.iter().chain(&randoms.reader));
        encrypt(&self.cipher, both)
    }

    /// What a control panel that knows the key sends.
    pub(super) fn server_cryptogram(&self, randoms: Randoms) -> Block {
        let both = block_of(randoms.reader.iter().chain(&randoms.panel));
        encrypt(&self.cipher, both)
    }

    /// Where the chain of MACs begins.
    pub(super) fn initial_mac(&self, server_cryptogram: &Block) -> Block {
        encrypt(&self.mac_last, encrypt(&self.mac_inner, *server_cryptogram))
    }

    /// Full MAC of bytes, chained to the one before. Unaligned bytes are padded with 80 00...
    pub(super) fn mac(&self, previous: &Block, bytes: &[u8]) -> Block {
        let mut padded = bytes.to_vec();
        if !padded.len().is_multiple_of(BLOCK_BYTES) {
            padded.push(PAD);
        }
        let mut chain = *previous;
        let mut left = blocks(&padded).peekable();
        while let Some(block) = left.next() {
            let key = if left.peek().is_some() {
                &self.mac_inner
            } else {
                &self.mac_last
            };
            chain = encrypt(key, xor(chain, &block));
        }
        chain
    }

    /// Encrypts data, always padded, with the complement of the last MAC of the other side as
    /// initial value.
    pub(super) fn encrypt_data(&self, other_mac: &Block, data: &[u8]) -> Vec<u8> {
        let mut padded = data.to_vec();
        padded.push(PAD);
        let mut chain = other_mac.map(|byte| !byte);
        let mut out = Vec::with_capacity(padded.len().saturating_add(BLOCK_BYTES));
        for block in blocks(&padded) {
            chain = encrypt(&self.cipher, xor(chain, &block));
            out.extend_from_slice(&chain);
        }
        out
    }

    /// Decrypts data; `None` where it is not whole blocks or not padded.
    pub(super) fn decrypt_data(&self, other_mac: &Block, data: &[u8]) -> Option<Vec<u8>> {
        if data.is_empty() || !data.len().is_multiple_of(BLOCK_BYTES) {
            return None;
        }
        let mut chain = other_mac.map(|byte| !byte);
        let mut out = Vec::with_capacity(data.len());
        for block in blocks(data) {
            out.extend_from_slice(&xor(decrypt(&self.cipher, block), &chain));
            chain = block;
        }
        let end = out.iter().rposition(|byte| *byte != 0)?;
        if out.get(end) != Some(&PAD) || out.len().saturating_sub(end) > BLOCK_BYTES {
            return None;
        }
        out.truncate(end);
        Some(out)
    }
}

/// Whether two proofs are equal, in a time that tells nothing about where they differ.
pub(super) fn is_equal(left: &[u8], right: &[u8]) -> bool {
    left.ct_eq(right).into()
}

/// Why a frame in a session was not opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum OpenError {
    /// It is no reply with MAC. Nothing changed.
    Block,
    /// Its MAC is wrong. The session must end.
    Mac,
    /// Its MAC is right, its padding is not. The chain went on.
    Padding,
}

/// A reply that was opened.
pub(super) struct Opened {
    /// What it carries.
    pub(super) data: Vec<u8>,
    /// Whether that was encrypted.
    pub(super) is_encrypted: bool,
}

/// An open channel: its keys and the last full MAC of each side.
#[derive(Debug)]
pub(super) struct SecureChannel {
    keys: SessionKeys,
    command_mac: Block,
    reply_mac: Block,
}

impl SecureChannel {
    /// Begins after the handshake.
    pub(super) fn new(keys: SessionKeys, initial_mac: Block) -> Self {
        Self {
            keys,
            command_mac: [0; BLOCK_BYTES],
            reply_mac: initial_mac,
        }
    }

    /// A whole frame of a command; the block of `envelope` is set here.
    pub(super) fn seal(&mut self, mut envelope: Envelope<'_>, command: &Command) -> Vec<u8> {
        let data = command.data();
        let (kind, data) = if data.is_empty() {
            (BlockKind::Command, data)
        } else {
            let encrypted = self.keys.encrypt_data(&self.reply_mac, &data);
            (BlockKind::EncryptedCommand, encrypted)
        };
        envelope.block = Some((kind, &[]));
        let mut writer = envelope.open(command.code().number(), &data);
        self.command_mac = self.keys.mac(&self.reply_mac, writer.as_bytes());
        writer.bytes(self.command_mac.get(..MAC_BYTES).unwrap_or_default());
        close(writer, envelope.check)
    }

    /// Believes a reply if its MAC is right, and moves the chain on.
    pub(super) fn open(&mut self, frame: &Frame) -> Result<Opened, OpenError> {
        let kind = frame.block.as_ref().map(|block| block.kind);
        let is_encrypted = match kind {
            Some(BlockKind::Reply) => false,
            Some(BlockKind::EncryptedReply) => true,
            Some(
                BlockKind::Challenge
                | BlockKind::ClientCryptogram
                | BlockKind::ServerCryptogram
                | BlockKind::InitialMac
                | BlockKind::Command
                | BlockKind::EncryptedCommand
                | BlockKind::Other(_),
            )
            | None => return Err(OpenError::Block),
        };
        let sent = frame.mac.ok_or(OpenError::Block)?;
        let mac = self.keys.mac(&self.command_mac, &frame.covered);
        if !is_equal(mac.get(..MAC_BYTES).unwrap_or_default(), &sent) {
            return Err(OpenError::Mac);
        }
        self.reply_mac = mac;
        let data = if is_encrypted && !frame.data.is_empty() {
            let plain = self.keys.decrypt_data(&self.command_mac, &frame.data);
            plain.ok_or(OpenError::Padding)?
        } else {
            frame.data.clone()
        };
        Ok(Opened { data, is_encrypted })
    }
}

#[cfg(test)]
#[path = "secure_tests.rs"]
mod tests;
