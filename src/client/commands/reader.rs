//! `sluss reader list`.

use clap::{Args, Subcommand};

use super::{column, data, shown_time, zone_if_told};
use crate::client::connect::{ConnectArgs, connect, request};
use crate::client::exit::Failure;
use crate::client::print::{Cell, Column, OutputFormat, Printer, note};
use crate::client::words;
use crate::pb::v1::reader_service_client::ReaderServiceClient;
use crate::pb::v1::{ListReaderStatusesRequest, ReaderStatus};

/// Readers in a page.
const PAGE_SIZE: u32 = 500;

#[derive(Debug, Subcommand)]
pub(super) enum ReaderCommand {
    /// List all readers with what is counted of them since the server started
    ///
    /// `secure` answers over a secured line, `plain` in clear as it was configured, `refused`
    /// answers but not with its key. The other formats hold more than the table.
    #[command(after_help = "Examples:\n  sluss reader list\n  sluss reader list -o json")]
    List(ListArgs),
}

#[derive(Debug, Args)]
pub(super) struct ListArgs {
    /// How to print
    #[arg(short, long, value_enum, default_value = "table")]
    output: OutputFormat,
}

const COLUMNS: [Column; 23] = [
    column("reader", 12),
    column("state", 8),
    column("bus", 6),
    column("address", 3),
    data("port"),
    data("vendor"),
    data("model"),
    data("serial"),
    data("firmware"),
    column("tampered", 3),
    column("heard", 19),
    column("cards", 5),
    data("commands"),
    data("replies"),
    column("timeouts", 4),
    data("retries"),
    column("bad_frames", 4),
    column("bad_macs", 4),
    data("dropped"),
    data("busy"),
    data("naks"),
    data("sessions"),
    column("trouble", 8),
];

pub(super) async fn run(connection: &ConnectArgs, command: ReaderCommand) -> Result<(), Failure> {
    let ReaderCommand::List(args) = command;
    let connection = connect(connection).await?;
    let zone = match args.output {
        OutputFormat::Table => zone_if_told(&connection).await?,
        OutputFormat::Json | OutputFormat::Jsonl | OutputFormat::Csv => None,
    };
    let mut client = ReaderServiceClient::new(connection.channel());
    let mut printer = Printer::stdout(args.output, &COLUMNS);
    let mut page_token = String::new();
    loop {
        let ask = ListReaderStatusesRequest {
            page_size: PAGE_SIZE,
            page_token,
        };
        let page = client.list_reader_statuses(request(ask)).await?;
        let page = page.into_inner();
        for status in &page.statuses {
            let heard = shown_time(zone, args.output, status.heard_time.as_ref());
            printer.row(row(status, heard))?;
        }
        printer.flush()?;
        page_token = page.next_page_token;
        if page_token.is_empty() {
            break;
        }
    }
    if printer.is_empty() {
        note("the site has no reader");
    }
    printer.finish()?;
    Ok(())
}

fn row(status: &ReaderStatus, heard: Cell) -> Vec<Cell> {
    let counted = status.counters.unwrap_or_default();
    vec![
        Cell::text(words::bare_id(&status.reader)),
        Cell::text(words::reader_state(status.state)),
        Cell::text(status.bus.as_str()),
        Cell::number(status.address),
        Cell::text(status.port.as_str()),
        Cell::text(status.vendor.as_str()),
        Cell::text(status.model.as_str()),
        Cell::text(status.serial.as_str()),
        Cell::text(status.firmware.as_str()),
        Cell::Flag(status.is_tampered),
        heard,
        Cell::number(counted.cards),
        Cell::number(counted.commands),
        Cell::number(counted.replies),
        Cell::number(counted.timeouts),
        Cell::number(counted.retries),
        Cell::number(counted.bad_frames),
        Cell::number(counted.bad_macs),
        Cell::number(counted.dropped),
        Cell::number(counted.busy),
        Cell::number(counted.naks),
        Cell::number(counted.sessions),
        Cell::text(status.trouble.as_str()),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pb::v1::ReaderCounters;

    #[test]
    fn each_count_stands_under_its_name() {
        let counters = ReaderCounters {
            commands: 1,
            replies: 2,
            timeouts: 3,
            retries: 4,
            bad_frames: 5,
            bad_macs: 6,
            dropped: 7,
            busy: 8,
            naks: 9,
            sessions: 10,
            cards: 11,
        };
        let status = ReaderStatus {
            reader: "readers/r1".to_owned(),
            state: 4,
            serial: "0000002a".to_owned(),
            trouble: "wrong key".to_owned(),
            counters: Some(counters),
            ..ReaderStatus::default()
        };
        let mut bytes = Vec::new();
        let mut printer = Printer::new(&mut bytes, OutputFormat::Jsonl, &COLUMNS);
        printer.row(row(&status, Cell::Empty)).unwrap();
        printer.finish().unwrap();
        let found: serde_json::Value = serde_json::from_slice(&bytes).unwrap();
        let names = "commands replies timeouts retries bad_frames bad_macs dropped busy naks \
                     sessions cards";
        let counts: Vec<u64> = names
            .split_whitespace()
            .map(|name| found[name].as_u64().unwrap())
            .collect();
        assert_eq!(counts, (1..=11).collect::<Vec<_>>());
        assert_eq!(
            (&found["reader"], &found["state"]),
            (&"r1".into(), &"refused".into())
        );
        assert_eq!(
            (&found["serial"], &found["trouble"]),
            (&"0000002a".into(), &"wrong key".into())
        );
    }
}
