//! `slussd reader-key`: makes and takes the keys of readers' secure channels.

use std::io::Read as _;

use anyhow::{Context as _, Result};
use clap::{Args, Subcommand};
use sluss::client::print::{note, text};
use sluss::config::Config;
use sluss::env::System;
use sluss::store::reader_keys::{ReaderKey, ReaderKeyError, ReaderKeys};
use sluss::types::ReaderId;
use zeroize::Zeroizing;

use super::{AtConfig, Slip};

/// Longest input in bytes; 32 digits with room for spaces between them.
const INPUT_BYTES_MAX: u64 = 256;

#[derive(Debug, Subcommand)]
pub(crate) enum ReaderKeyCommand {
    /// Make a new key for a reader and print it, once
    ///
    /// The key is to be put into the reader with its maker's tool, at a bench or on a line that
    /// nobody else reaches. It is kept in the site's folder of keys, under readers, and nowhere
    /// else.
    #[command(after_help = "Example:\n  \
        slussd reader-key new r-cage-b --config /var/lib/sluss/slussd.toml")]
    New(OfReader),
    /// Take the key that a reader has already: 32 hexadecimal digits on standard input
    ///
    /// The default key of new readers is refused, and so is one that counts up or down.
    #[command(after_help = "Example:\n  \
        slussd reader-key set r-cage-b < key.txt")]
    Set(OfReader),
}

#[derive(Debug, Args)]
pub(crate) struct OfReader {
    #[command(flatten)]
    at: AtConfig,
    /// Id of the reader, as the site file has it
    #[arg(value_parser = ReaderId::parse)]
    reader: ReaderId,
    /// Put it in the place of the key that the reader had
    #[arg(long)]
    replace: bool,
}

impl ReaderKeyCommand {
    /// Does it.
    pub(crate) fn run(self) -> Result<()> {
        match self {
            Self::New(args) => {
                let key = ReaderKey::random(&System::start())?;
                keep(&args, &key)?;
                text(&format!("{}\n", *key.digits()))?;
                note(
                    "This key is not shown again: put it into the reader with its maker's tool, \
                     at a bench or on a line that nobody else reaches, and keep no copy.",
                );
            }
            Self::Set(args) => keep(&args, &typed_key()?)?,
        }
        Ok(())
    }
}

fn keep(args: &OfReader, key: &ReaderKey) -> Result<()> {
    let config = Config::read(&args.at.config)?;
    let keys = ReaderKeys::new(&config.folders.keys);
    let kept = if args.replace {
        keys.replace(&args.reader, key)
    } else {
        keys.put(&args.reader, key)
    };
    match kept {
        Err(error @ ReaderKeyError::Exists { .. }) => {
            anyhow::bail!("{error}; use --replace, and give the reader the new key too")
        }
        kept => kept?,
    }
    note(&format!("{} has a key", args.reader.name()));
    Ok(())
}

/// The key on standard input; it is never an argument, which others on the machine could see.
fn typed_key() -> Result<ReaderKey> {
    let room = usize::try_from(INPUT_BYTES_MAX).unwrap_or_default();
    let mut input = Zeroizing::new(String::with_capacity(room));
    std::io::stdin()
        .take(INPUT_BYTES_MAX)
        .read_to_string(&mut input)
        .context("the key cannot be read from standard input")?;
    let key = ReaderKey::parse(&input).map_err(|fault| Slip {
        what: format!("standard input: {fault}"),
    })?;
    Ok(key)
}
