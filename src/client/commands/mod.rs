//! The commands. Each is thin: read what is given, call, print.

mod feed;
mod list;
mod plan;
mod site;
mod why;

use std::error::Error as _;
use std::ffi::OsString;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use super::connect::{ConnectArgs, Connection, connect, request};
use super::exit::{Exit, Failure};
use super::identity::caller_of_certificate;
use super::local_time::{Edge, parse_instant, timestamp};
use super::print::note;
use crate::pb::v1::GetSiteRequest;
use crate::pb::v1::directory_service_client::DirectoryServiceClient;
use crate::types::{CustomerId, SiteZone};

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
