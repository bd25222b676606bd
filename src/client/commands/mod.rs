//! The commands. Each is thin: read what is given, call, print.

mod alarm;
mod door;
mod feed;
mod list;
mod plan;
mod reader;
mod site;
mod why;

use std::error::Error as _;
use std::ffi::OsString;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use super::connect::{ConnectArgs, Connection, connect, request};
use super::exit::{Exit, Failure};
use super::identity::caller_of_certificate;
use super::local_time::{Edge, parse_instant, show, show_second, timestamp};
use super::print::{Cell, Column, OutputFormat, Place, note};
use crate::pb::v1::GetSiteRequest;
use crate::pb::v1::directory_service_client::DirectoryServiceClient;
use crate::types::{Caller, CustomerId, SiteZone};

/// Commands for operators and customers of a Sluss server.
///
/// Data goes to standard output, everything else to standard error.
#[derive(Debug, Parser)]
#[command(name = "sluss", version, max_term_width = 100, after_help = EXIT_CODES)]
pub struct Cli {
    /// How to reach the server.
    #[command(flatten)]
    connection: ConnectArgs,
    /// What to do.
    #[command(subcommand)]
    command: Command,
}

const EXIT_CODES: &str = "\
Exit codes:
  0 ok, 1 failure, 2 usage or a wrong file, 3 denied, 4 not allowed, 5 not found,
  6 conflict, 7 unavailable

Examples:
  sluss --server https://gate.example:7443 --identity ~/acme feed list
  SLUSS_SERVER=https://gate.example:7443 SLUSS_IDENTITY=~/acme sluss list show";

#[derive(Debug, Subcommand)]
enum Command {
    /// Plan and apply the site file: areas, doors, customers, people, schedules
    #[command(subcommand)]
    Site(site::SiteCommand),
    /// Show and change a customer's access list
    #[command(subcommand)]
    List(list::ListCommand),
    /// Read a customer's access log, checking every entry
    #[command(subcommand)]
    Feed(feed::FeedCommand),
    /// Open, lock and unlock doors, and see how they are
    #[command(subcommand)]
    Door(door::DoorCommand),
    /// See and acknowledge the alarms of the site
    #[command(subcommand)]
    Alarm(alarm::AlarmCommand),
    /// See the readers on their serial lines
    #[command(subcommand)]
    Reader(reader::ReaderCommand),
    /// Say why a door did not open, and what would open it
    Why(why::WhyArgs),
}

/// Runs the command line and returns how it ended. `arguments` begin with the program's name.
pub fn run(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let cli = match Cli::try_parse_from(arguments) {
        Ok(cli) => cli,
        Err(error) => {
            // Help goes to standard output, errors elsewhere; nobody reading is no error.
            let _ = error.print();
            let usage = error.use_stderr();
            return if usage { Exit::Usage } else { Exit::Ok }.into();
        }
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let runtime = match runtime {
        Ok(runtime) => runtime,
        Err(error) => {
            note(&format!("sluss: cannot start: {error}"));
            return Exit::Failure.into();
        }
    };
    let connection = cli.connection.clone();
    match runtime.block_on(dispatch(cli)) {
        Ok(()) => Exit::Ok.into(),
        Err(failure) => {
            let failure = runtime.block_on(sharpen(&connection, failure));
            failure.lines().iter().for_each(|line| note(line));
            if let Some(line) = who_was_refused(&connection, &failure) {
                note(&line);
            }
            failure.exit().into()
        }
    }
}

async fn dispatch(cli: Cli) -> Result<(), Failure> {
    let connection = &cli.connection;
    match cli.command {
        Command::Site(command) => Box::pin(site::run(connection, command)).await,
        Command::List(command) => Box::pin(list::run(connection, command)).await,
        Command::Feed(command) => Box::pin(feed::run(connection, command)).await,
        Command::Door(command) => Box::pin(door::run(connection, command)).await,
        Command::Alarm(command) => Box::pin(alarm::run(connection, command)).await,
        Command::Reader(command) => Box::pin(reader::run(connection, command)).await,
        Command::Why(args) => Box::pin(why::run(connection, args)).await,
    }
}

/// A call that was cut off says little; what the server has against us says more.
async fn sharpen(args: &ConnectArgs, failure: Failure) -> Failure {
    let Failure::Refused(refusal) = &failure else {
        return failure;
    };
    if refusal.status.source().is_none() {
        return failure;
    }
    match connect(args).await {
        Ok(connection) => match connection.refusal(&refusal.status).await {
            Some(refused) => refused.into(),
            None => failure,
        },
        Err(_) => failure,
    }
}

/// Whose certificate it was that may not do this; many a refusal is the wrong folder.
fn who_was_refused(args: &ConnectArgs, failure: &Failure) -> Option<String> {
    let Failure::Refused(refusal) = failure else {
        return None;
    };
    if refusal.status.code() != tonic::Code::PermissionDenied {
        return None;
    }
    let files = args.resolve(|name| std::env::var_os(name)).ok()?;
    let caller = caller_of_certificate(&std::fs::read(&files.cert).ok()?)?;
    let file = files.cert.display();
    Some(format!(
        "sluss: the certificate in `{file}` is that of {caller}"
    ))
}

/// The customer that is meant, or words on how to name one.
fn customer(connection: &Connection, given: Option<&CustomerId>) -> Result<CustomerId, Failure> {
    connection.customer(given).ok_or_else(|| {
        let what = "give --customer ID: the certificate is not a customer's";
        Failure::Usage(what.to_owned())
    })
}

/// The site's zone, in which dates and times are read.
async fn zone(connection: &Connection) -> Result<SiteZone, Failure> {
    let mut directory = DirectoryServiceClient::new(connection.channel());
    let site = directory.get_site(request(GetSiteRequest {})).await?;
    let name = site.into_inner().time_zone;
    SiteZone::parse(&name)
        .map_err(|_| Failure::Usage(format!("the site's time zone `{name}` is not known here")))
}

/// The site's zone for those who may ask for it; a desk may not, and is shown UTC.
async fn zone_if_told(connection: &Connection) -> Result<Option<SiteZone>, Failure> {
    match connection.caller() {
        Some(Caller::Desk(_)) => Ok(None),
        Some(Caller::Controller(_) | Caller::Customer(_) | Caller::Operator(_)) | None => {
            zone(connection).await.map(Some)
        }
    }
}

/// A time for people in a table, and for programs elsewhere.
fn shown_time(
    zone: Option<SiteZone>,
    format: OutputFormat,
    time: Option<&prost_types::Timestamp>,
) -> Cell {
    Cell::text(match format {
        OutputFormat::Table => show_second(zone, time),
        OutputFormat::Json | OutputFormat::Jsonl | OutputFormat::Csv => show(time),
    })
}

/// A column of every format.
const fn column(name: &'static str, width: u16) -> Column {
    Column {
        name,
        width,
        place: Place::Everywhere,
    }
}

/// A column for programs.
const fn data(name: &'static str) -> Column {
    Column {
        name,
        width: 1,
        place: Place::DataOnly,
    }
}

/// A time of the command line, in the site's zone. A date means its beginning.
fn instant(
    zone: SiteZone,
    option: &str,
    text: Option<&str>,
) -> Result<Option<prost_types::Timestamp>, Failure> {
    let Some(text) = text else {
        return Ok(None);
    };
    parse_instant(zone, text, Edge::From)
        .map(|instant| Some(timestamp(instant)))
        .map_err(|error| Failure::Usage(format!("{option}: {error}")))
}

/// An id of the command line; clap prints the error.
fn parse_customer(text: &str) -> Result<CustomerId, String> {
    CustomerId::parse(text).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_well_formed() {
        use clap::CommandFactory as _;
        Cli::command().debug_assert();
    }
}
