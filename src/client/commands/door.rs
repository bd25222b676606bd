//! `sluss door open|lock|unlock|status`.

use std::time::Duration;

use clap::{ArgGroup, Args, Subcommand};
use data_encoding::HEXLOWER;
use tonic::transport::Channel;

use super::{column, shown_time, zone, zone_if_told};
use crate::client::connect::{ConnectArgs, Connection, connect, request};
use crate::client::exit::Failure;
use crate::client::local_time::{parse_lasting, parse_until, timestamp};
use crate::client::print::{Cell, Column, OutputFormat, Printer, note};
use crate::client::words;
use crate::env::System;
use crate::pb::v1::door_order_service_client::DoorOrderServiceClient;
use crate::pb::v1::{
    DoorAction, DoorPosition, DoorStatus, GetDoorStatusRequest, ListDoorStatusesRequest, LockState,
    OrderDoorRequest,
};
use crate::types::{DoorId, World as _};

/// Doors in a page.
const PAGE_SIZE: u32 = 500;
/// Random bytes in a request id: no two orders share one.
const REQUEST_ID_BYTES: usize = 16;

#[derive(Debug, Subcommand)]
pub(super) enum DoorCommand {
    /// Release a door once
    ///
    /// The order is in the journal, with the name of the certificate, before the door hears of
    /// it. A door that cannot be reached is not opened later either.
    #[command(after_help = "Examples:\n  sluss door open d-main")]
    Open(OrderArgs),
    /// Lock a door, whatever was ordered before
    #[command(after_help = "Examples:\n  sluss door lock d-main")]
    Lock(OrderArgs),
    /// Leave a door unlocked for a time, at most 24 hours; it locks by itself after that
    #[command(
        after_help = "Examples:\n  sluss door unlock d-main --for 10m\n  sluss door unlock d-main --until 17:30\n  sluss door unlock d-main --until '2026-11-24 06:00'"
    )]
    Unlock(UnlockArgs),
    /// Show what is known of a door, or of all doors
    #[command(after_help = "Examples:\n  sluss door status\n  sluss door status d-main -o json")]
    Status(StatusArgs),
}

#[derive(Debug, Args)]
pub(super) struct OrderArgs {
    /// The door
    #[arg(value_parser = parse_door)]
    door: DoorId,
    /// How to print
    #[arg(short, long, value_enum, default_value = "table")]
    output: OutputFormat,
}

#[derive(Debug, Args)]
#[command(group = ArgGroup::new("end").required(true).args(["until", "lasts"]))]
pub(super) struct UnlockArgs {
    #[command(flatten)]
    order: OrderArgs,
    /// Until then: HH:MM, a date (its end) or a time in the site's zone, or RFC 3339
    #[arg(long, value_name = "TIME")]
    until: Option<String>,
    /// For so long: 90s, 10m, 1h30m
    #[arg(long = "for", value_name = "DURATION", value_parser = read_lasting)]
    lasts: Option<Duration>,
}

#[derive(Debug, Args)]
pub(super) struct StatusArgs {
    /// The door; by default all of them
    #[arg(value_parser = parse_door)]
    door: Option<DoorId>,
    /// How to print
    #[arg(short, long, value_enum, default_value = "table")]
    output: OutputFormat,
}

type Client = DoorOrderServiceClient<Channel>;

pub(super) async fn run(connection: &ConnectArgs, command: DoorCommand) -> Result<(), Failure> {
    match command {
        DoorCommand::Open(args) => {
            let connection = connect(connection).await?;
            order(&connection, &args, (DoorAction::Open, None)).await
        }
        DoorCommand::Lock(args) => {
            let connection = connect(connection).await?;
            order(&connection, &args, (DoorAction::Lock, None)).await
        }
        DoorCommand::Unlock(args) => {
            let connection = connect(connection).await?;
            let until = Some(until(&connection, &args).await?);
            order(&connection, &args.order, (DoorAction::Unlock, until)).await
        }
        DoorCommand::Status(args) => status(connection, args).await,
    }
}

/// An id or a name of the command line; clap prints the error.
fn parse_door(text: &str) -> Result<DoorId, String> {
    let id = text.strip_prefix("doors/").unwrap_or(text);
    DoorId::parse(id).map_err(|error| error.to_string())
}

fn read_lasting(text: &str) -> Result<Duration, String> {
    parse_lasting(text).map_err(|error| error.to_string())
}

/// When the door is to lock again.
async fn until(
    connection: &Connection,
    args: &UnlockArgs,
) -> Result<prost_types::Timestamp, Failure> {
    let now = System::start().now().utc;
    if let Some(lasts) = args.lasts {
        // More than a day is the server's to refuse, in its own words.
        let seconds = u32::try_from(lasts.as_secs()).unwrap_or(u32::MAX);
        return Ok(timestamp(now.plus_seconds(seconds)));
    }
    let text = args.until.as_deref().unwrap_or_default();
    parse_until(zone(connection).await?, text, now)
        .map(timestamp)
        .map_err(|error| Failure::Usage(format!("--until: {error}")))
}

const ORDER_COLUMNS: [Column; 4] = [
    column("door", 8),
    column("done", 8),
    column("until", 19),
    column("entry", 12),
];

async fn order(
    connection: &Connection,
    args: &OrderArgs,
    (action, until_time): (DoorAction, Option<prost_types::Timestamp>),
) -> Result<(), Failure> {
    let mut random = [0; REQUEST_ID_BYTES];
    System::start().fill_random(&mut random);
    let ask = OrderDoorRequest {
        name: args.door.name(),
        action: action.into(),
        until_time,
        request_id: format!("sluss-{}", HEXLOWER.encode(&random)),
    };
    let mut client = Client::new(connection.channel());
    let done = client.order_door(request(ask)).await?.into_inner();
    let zone = match until_time {
        Some(_) => Some(zone(connection).await?),
        None => None,
    };
    let word = match action {
        DoorAction::Open => "opened",
        DoorAction::Lock => "locked",
        DoorAction::Unlock => "unlocked",
        DoorAction::Unspecified => "nothing",
    };
    let mut printer = Printer::stdout(args.output, &ORDER_COLUMNS);
    printer.row(vec![
        Cell::text(args.door.as_str()),
        Cell::text(word),
        shown_time(zone, args.output, until_time.as_ref()),
        Cell::text(done.entry),
    ])?;
    printer.finish()?;
    Ok(())
}

const STATUS_COLUMNS: [Column; 7] = [
    column("door", 12),
    column("online", 6),
    column("lock", 8),
    column("position", 8),
    column("unlocked_until", 19),
    column("heard", 19),
    column("alarms", 6),
];

async fn status(connection: &ConnectArgs, args: StatusArgs) -> Result<(), Failure> {
    let connection = connect(connection).await?;
    let zone = match args.output {
        OutputFormat::Table => zone_if_told(&connection).await?,
        OutputFormat::Json | OutputFormat::Jsonl | OutputFormat::Csv => None,
    };
    let mut client = Client::new(connection.channel());
    let mut printer = Printer::stdout(args.output, &STATUS_COLUMNS);
    let row = |status: &DoorStatus| status_row(status, |time| shown_time(zone, args.output, time));
    if let Some(door) = &args.door {
        let ask = GetDoorStatusRequest { name: door.name() };
        let status = client.get_door_status(request(ask)).await?.into_inner();
        printer.row(row(&status))?;
        printer.finish()?;
        return Ok(());
    }
    let mut page_token = String::new();
    loop {
        let ask = ListDoorStatusesRequest {
            page_size: PAGE_SIZE,
            page_token,
        };
        let page = client.list_door_statuses(request(ask)).await?.into_inner();
        for status in &page.statuses {
            printer.row(row(status))?;
        }
        printer.flush()?;
        page_token = page.next_page_token;
        if page_token.is_empty() {
            break;
        }
    }
    if printer.is_empty() {
        note("the site has no door");
    }
    printer.finish()?;
    Ok(())
}

fn status_row(
    status: &DoorStatus,
    time: impl Fn(Option<&prost_types::Timestamp>) -> Cell,
) -> Vec<Cell> {
    let lock = match status.lock() {
        LockState::Unspecified => String::new(),
        LockState::Locked | LockState::Released | LockState::Unlocked => {
            words::lock_state(status.lock)
        }
    };
    let position = match status.position() {
        DoorPosition::Unspecified => String::new(),
        DoorPosition::Closed | DoorPosition::Open => words::door_position(status.position),
    };
    vec![
        Cell::text(words::bare_id(&status.door)),
        Cell::Flag(status.is_online),
        Cell::text(lock),
        Cell::text(position),
        time(status.unlocked_until_time.as_ref()),
        time(status.heard_time.as_ref()),
        Cell::List(words::bare_ids(&status.alarms)),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_door_is_named_by_id_or_by_name() {
        assert_eq!(parse_door("d-main"), parse_door("doors/d-main"));
        assert!(parse_door("areas/d-main").is_err());
    }

    #[test]
    fn what_is_not_known_of_a_door_is_left_empty() {
        let status = DoorStatus {
            door: "doors/d".to_owned(),
            lock: 99,
            ..DoorStatus::default()
        };
        let row = status_row(&status, |_| Cell::Empty);
        assert_eq!(row[0], Cell::text("d"));
        assert_eq!((&row[2], &row[3]), (&Cell::Empty, &Cell::Empty));
    }
}
