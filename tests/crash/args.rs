//! The command line.

/// What is to be done.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Args {
    /// Images to make and open; the controls come on top.
    pub(crate) images: u64,
    /// Processes to kill.
    pub(crate) kills: u64,
    /// Where chance begins.
    pub(crate) seed: u64,
}

impl Args {
    /// Reads the command line; `None` if nothing is to be done.
    ///
    /// `cargo test` hands its own arguments to every test: a filter that does not fit means that
    /// this one is not wanted.
    pub(crate) fn parse(words: impl Iterator<Item = String>) -> Result<Option<Self>, String> {
        let mut args = Self {
            images: 2000,
            kills: 200,
            seed: 1,
        };
        let mut words = words;
        while let Some(word) = words.next() {
            match word.as_str() {
                "--images" => args.images = number(&word, words.next())?,
                "--kills" => args.kills = number(&word, words.next())?,
                "--seed" => args.seed = number(&word, words.next())?,
                "--long" => (args.images, args.kills) = (10_000, 1000),
                "--list" => {
                    println!("crash: test");
                    return Ok(None);
                }
                "--test-threads" | "--format" | "--color" | "--skip" => drop(words.next()),
                "--nocapture" | "--no-capture" | "--show-output" | "--exact" | "--quiet" | "-q" => {
                }
                "--ignored" => return Ok(None),
                word if word.starts_with("--test-threads=") => {}
                word if word.starts_with('-') => return Err(format!("`{word}` is not known")),
                filter if "crash".contains(filter) => {}
                _ => return Ok(None),
            }
        }
        Ok(Some(args))
    }
}

fn number(flag: &str, word: Option<String>) -> Result<u64, String> {
    word.and_then(|w| w.parse().ok())
        .ok_or_else(|| format!("`{flag}` needs a number"))
}
