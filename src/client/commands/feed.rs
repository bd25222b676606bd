//! `sluss feed list|watch`.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};

use super::{customer, parse_customer};
use crate::client::connect::{ConnectArgs, connect};
use crate::client::exit::Failure;
use crate::client::feed_check::{FeedChecker, Position};
use crate::client::feed_row::COLUMNS;
use crate::client::feed_state;
use crate::client::feed_watch::FeedReader;
use crate::client::print::{OutputFormat, Printer, note};
use crate::client::words::counted;
use crate::ledger::VerifyingKey;
use crate::pb::v1::feed_service_client::FeedServiceClient;
use crate::types::CustomerId;

/// What both ways of reading check.
macro_rules! checks {
    () => {
        "Every leaf is checked here: its record against its leaf hash and its decoded fields, its \
index against the one before, and the roots of checkpoints against the leaves. A feed that fails a \
check ends with exit code 1. Signatures are checked with the key in --log-key, or in the log.pub \
that lies with the certificate.\n\n\
With --state a crash can repeat rows, and never loses one: the state is saved after the output."
    };
}

const LIST_ABOUT: &str = concat!("Print the feed up to its end\n\n", checks!());
const WATCH_ABOUT: &str = concat!(
    "Print the feed as it grows, through restarts of the server\n\n",
    checks!()
);

#[derive(Debug, Subcommand)]
pub(super) enum FeedCommand {
    /// Print the feed up to its end
    #[command(
        long_about = LIST_ABOUT,
        after_help = "Examples:\n  sluss feed list -o csv > log.csv\n  sluss feed list --from 1000 --limit 50\n  sluss feed list --follow -o jsonl"
    )]
    List(ListArgs),
    /// Print the feed as it grows, through restarts of the server
    #[command(
        long_about = WATCH_ABOUT,
        after_help = "Examples:\n  sluss feed watch --latest\n  sluss feed watch -o jsonl --state acme.state >> acme.jsonl"
    )]
    Watch(WatchArgs),
}

#[derive(Debug, Args)]
pub(super) struct CommonArgs {
    /// Whose feed; by default the customer of the certificate
    #[arg(long, value_name = "ID", value_parser = parse_customer)]
    customer: Option<CustomerId>,
    /// How to print
    #[arg(short, long, value_enum, default_value = "table")]
    output: OutputFormat,
    /// Begin with this index; roots can be compared only from 0
    #[arg(long, value_name = "INDEX")]
    from: Option<u64>,
    /// Keep the position in this file, and begin there next time
    #[arg(long, value_name = "FILE", conflicts_with = "from")]
    state: Option<PathBuf>,
    /// The log's public key (`NAME+ID+KEY`), one per line; by default log.pub of --identity
    #[arg(long, value_name = "FILE")]
    log_key: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(super) struct ListArgs {
    #[command(flatten)]
    common: CommonArgs,
    /// Print at most this many leaves
    #[arg(long, value_name = "COUNT", conflicts_with = "follow")]
    limit: Option<u64>,
    /// Go on as `feed watch` at the end
    #[arg(long)]
    follow: bool,
}

#[derive(Debug, Args)]
pub(super) struct WatchArgs {
    #[command(flatten)]
    common: CommonArgs,
    /// Begin with the next new leaf
    #[arg(long, conflicts_with_all = ["from", "state"])]
    latest: bool,
    /// A watch always follows; taken so that both commands read alike
    #[arg(long)]
    follow: bool,
}

pub(super) async fn run(connection: &ConnectArgs, command: FeedCommand) -> Result<(), Failure> {
    match command {
        FeedCommand::List(args) => {
            let passes = Passes {
                list: true,
                follow: args.follow,
                limit: args.limit,
            };
            read(connection, args.common, Position::beginning(), passes).await
        }
        FeedCommand::Watch(args) => {
            let start = if args.latest {
                Position::default()
            } else {
                Position::beginning()
            };
            let passes = Passes {
                list: false,
                follow: true,
                limit: None,
            };
            read(connection, args.common, start, passes).await
        }
    }
}

/// Which ways of reading are taken, one after the other.
struct Passes {
    list: bool,
    follow: bool,
    limit: Option<u64>,
}

async fn read(
    connection: &ConnectArgs,
    args: CommonArgs,
    start: Position,
    passes: Passes,
) -> Result<(), Failure> {
    if passes.follow && args.output == OutputFormat::Json {
        let what = "-o json is one array and cannot end while following; use -o jsonl";
        return Err(Failure::Usage(what.to_owned()));
    }
    let log_key = args.log_key.or_else(|| log_key_beside(connection));
    let keys = read_keys(log_key.as_deref())?;
    let connection = connect(connection).await?;
    let customer = customer(&connection, args.customer.as_ref())?;
    let saved = match &args.state {
        Some(path) => feed_state::load(path, &customer)?,
        None => None,
    };
    let (position, token) = match (saved, args.from) {
        (Some(saved), _) => (saved.position, saved.resume_token),
        (None, Some(index)) => (Position::at(index), None),
        (None, None) => (start, None),
    };
    let first_index = position.next_index;
    let checker = FeedChecker::new(&customer, position, keys);
    let printer = Printer::stdout(args.output, &COLUMNS);
    let mut reader = FeedReader::new(customer, checker, printer);
    reader.state_file = args.state;
    if passes.list {
        let mut client = FeedServiceClient::new(connection.channel());
        reader.list(&mut client, passes.limit).await?;
    } else {
        reader.resume_token = token;
    }
    if passes.follow {
        reader.follow(&connection).await?;
    }
    // The output ends first: on a terminal both would meet in one line.
    let summary = what_was_checked(&reader, first_index);
    reader.printer.finish()?;
    note(&summary);
    Ok(())
}

/// What was checked, and what was not.
fn what_was_checked<W: Write>(reader: &FeedReader<W>, first_index: Option<u64>) -> String {
    let checker = &reader.checker;
    let next = checker.position().next_index.unwrap_or(0);
    let count = next.saturating_sub(first_index.unwrap_or(next));
    let signed = if checker.checks_signatures() {
        "its signature checked"
    } else {
        "its signature not checked (no --log-key, no log.pub with the certificate)"
    };
    let roots = match checker.verified_size() {
        Some(size) => {
            let leaves = counted(size, "leaf", "leaves");
            format!("root compared at {leaves}, {signed}")
        }
        None => "no root compared".to_owned(),
    };
    let customer = &reader.customer;
    match counted(count, "leaf", "leaves") {
        _ if count == 0 => format!("{customer}: no leaf to show; {roots}"),
        leaves => format!("{customer}: {leaves} checked, {roots}"),
    }
}

/// The key that lies with the certificate, as `slussd cert issue` puts it there.
fn log_key_beside(connection: &ConnectArgs) -> Option<PathBuf> {
    let files = connection.resolve(|name| std::env::var_os(name)).ok()?;
    let path = files.cert.parent()?.join("log.pub");
    path.exists().then_some(path)
}

fn read_keys(path: Option<&Path>) -> Result<Vec<VerifyingKey>, Failure> {
    let Some(path) = path else {
        return Ok(Vec::new());
    };
    let file = path.display();
    let text = fs::read_to_string(path)
        .map_err(|error| Failure::Usage(format!("--log-key: cannot read `{file}`: {error}")))?;
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    let keys = lines
        .map(VerifyingKey::parse)
        .collect::<Result<Vec<_>, _>>()
        .map_err(|error| Failure::Usage(format!("--log-key: `{file}`: {error}")))?;
    if keys.is_empty() {
        return Err(Failure::Usage(format!("--log-key: `{file}` holds no key")));
    }
    Ok(keys)
}
