//! `sluss alarm list|watch|ack`.

use std::collections::BTreeMap;
use std::io::Stdout;
use std::time::Duration;

use clap::{Args, Subcommand};
use tonic::transport::Channel;
use tonic::{Code, Request, Status};

use super::{column, data, shown_time, zone_if_told};
use crate::client::connect::{ConnectArgs, Connection, connect, request};
use crate::client::exit::{Failure, reason};
use crate::client::print::{Cell, Column, OutputError, OutputFormat, Printer, note, reader_left};
use crate::client::words;
use crate::pb::v1::alarm_service_client::AlarmServiceClient;
use crate::pb::v1::watch_alarms_response::Message;
use crate::pb::v1::{AcknowledgeAlarmRequest, Alarm, ListAlarmsRequest, WatchAlarmsRequest};
use crate::types::{AlarmNumber, SiteZone};

/// The first pause before watching again.
const BACK_OFF_FIRST: Duration = Duration::from_millis(500);
/// The longest pause: a server that is back is noticed within half a minute.
const BACK_OFF_MAX: Duration = Duration::from_secs(30);

#[derive(Debug, Subcommand)]
pub(super) enum AlarmCommand {
    /// List the alarms that stand or wait to be acknowledged, newest first
    ///
    /// An alarm goes from the list when its cause has ended and somebody has acknowledged it.
    #[command(after_help = "Examples:\n  sluss alarm list\n  sluss alarm list -o json")]
    List(OutputArgs),
    /// Print each alarm as it is raised, ends and is acknowledged, through restarts of the server
    ///
    /// Begins with those that stand, oldest first. Ends with an interrupt.
    #[command(after_help = "Examples:\n  sluss alarm watch\n  sluss alarm watch -o jsonl")]
    Watch(OutputArgs),
    /// Say that somebody has seen to alarms
    #[command(after_help = "Examples:\n  sluss alarm ack 17\n  sluss alarm ack --all")]
    Ack(AckArgs),
}

#[derive(Debug, Args)]
pub(super) struct OutputArgs {
    /// How to print
    #[arg(short, long, value_enum, default_value = "table")]
    output: OutputFormat,
}

#[derive(Debug, Args)]
pub(super) struct AckArgs {
    /// The alarms, by number
    #[arg(value_name = "ALARM", value_parser = parse_alarm, required_unless_present = "all")]
    alarms: Vec<AlarmNumber>,
    /// All that were not acknowledged yet
    #[arg(long, conflicts_with = "alarms")]
    all: bool,
    #[command(flatten)]
    print: OutputArgs,
}

type Client = AlarmServiceClient<Channel>;

pub(super) async fn run(connection: &ConnectArgs, command: AlarmCommand) -> Result<(), Failure> {
    match command {
        AlarmCommand::List(args) => list(connection, args.output).await,
        AlarmCommand::Watch(args) => watch(connection, args.output).await,
        AlarmCommand::Ack(args) => acknowledge(connection, args).await,
    }
}

/// A number or a name of the command line; clap prints the error.
fn parse_alarm(text: &str) -> Result<AlarmNumber, String> {
    let number = text.strip_prefix("alarms/").unwrap_or(text);
    let number = number
        .parse()
        .map_err(|_| "expected the number of an alarm");
    Ok(AlarmNumber(number?))
}

const COLUMNS: [Column; 9] = [
    column("alarm", 5),
    column("state", 12),
    column("kind", 18),
    column("subject", 16),
    column("raised", 19),
    column("ended", 19),
    data("acknowledged"),
    column("acknowledged_by", 12),
    column("detail", 12),
];

/// Prints alarms.
struct Alarms {
    printer: Printer<Stdout>,
    format: OutputFormat,
    zone: Option<SiteZone>,
}

impl Alarms {
    async fn new(connection: &Connection, format: OutputFormat) -> Result<Self, Failure> {
        let zone = match format {
            OutputFormat::Table => zone_if_told(connection).await?,
            OutputFormat::Json | OutputFormat::Jsonl | OutputFormat::Csv => None,
        };
        Ok(Self {
            printer: Printer::stdout(format, &COLUMNS),
            format,
            zone,
        })
    }

    fn print(&mut self, alarm: &Alarm) -> Result<(), OutputError> {
        let time = |time: &Option<_>| shown_time(self.zone, self.format, time.as_ref());
        let row = vec![
            Cell::text(words::bare_id(&alarm.name)),
            Cell::text(state(alarm)),
            Cell::text(words::alarm_kind(alarm.kind)),
            Cell::text(alarm.subject.as_str()),
            time(&alarm.raise_time),
            time(&alarm.clear_time),
            time(&alarm.acknowledge_time),
            Cell::text(alarm.acknowledged_by.as_str()),
            Cell::text(alarm.detail.as_str()),
        ];
        self.printer.row(row)
    }
}

/// What has become of an alarm, in one word.
fn state(alarm: &Alarm) -> &'static str {
    match (alarm.clear_time.is_some(), alarm.acknowledge_time.is_some()) {
        (false, false) => "stands",
        (false, true) => "acknowledged",
        (true, false) => "ended",
        (true, true) => "closed",
    }
}

async fn list(connection: &ConnectArgs, format: OutputFormat) -> Result<(), Failure> {
    let connection = connect(connection).await?;
    let mut client = Client::new(connection.channel());
    let all = client.list_alarms(request(ListAlarmsRequest {})).await?;
    let mut output = Alarms::new(&connection, format).await?;
    for alarm in &all.into_inner().alarms {
        output.print(alarm)?;
    }
    if output.printer.is_empty() {
        note("no alarms stand");
    }
    output.printer.finish()?;
    Ok(())
}

async fn acknowledge(connection: &ConnectArgs, args: AckArgs) -> Result<(), Failure> {
    let connection = connect(connection).await?;
    let mut client = Client::new(connection.channel());
    let mut output = Alarms::new(&connection, args.print.output).await?;
    let names = if args.all {
        let all = client.list_alarms(request(ListAlarmsRequest {})).await?;
        let waits = |alarm: &Alarm| alarm.acknowledge_time.is_none();
        let all = all.into_inner().alarms.into_iter().filter(waits);
        all.map(|alarm| alarm.name).collect()
    } else {
        args.alarms.iter().map(|number| number.name()).collect()
    };
    let names: Vec<String> = names;
    if names.is_empty() {
        note("no alarm waits to be acknowledged");
    }
    for name in names {
        let ask = AcknowledgeAlarmRequest { name: name.clone() };
        match client.acknowledge_alarm(request(ask)).await {
            Ok(alarm) => output.print(alarm.get_ref())?,
            // Of all that stood one may have gone meanwhile, acknowledged by somebody else.
            Err(status) if args.all && status.code() == Code::NotFound => {}
            Err(status) => {
                output.printer.finish()?;
                note(&format!("sluss: {name} was not acknowledged"));
                return Err(status.into());
            }
        }
    }
    output.printer.finish()?;
    Ok(())
}

async fn watch(connection: &ConnectArgs, format: OutputFormat) -> Result<(), Failure> {
    if format == OutputFormat::Json {
        let what = "-o json is one array and cannot end while watching; use -o jsonl";
        return Err(Failure::Usage(what.to_owned()));
    }
    let connection = connect(connection).await?;
    let watcher = Watcher {
        output: Alarms::new(&connection, format).await?,
        known: BTreeMap::new(),
        has_caught_up: false,
        pause: BACK_OFF_FIRST,
    };
    watcher.run(&connection).await
}

/// Follows the alarms until the user stops it (interrupt), through restarts of the server.
struct Watcher {
    output: Alarms,
    /// What was printed of the alarms that are listed; the server lists a thousand at most.
    known: BTreeMap<String, Alarm>,
    has_caught_up: bool,
    pause: Duration,
}

/// Why a stream ended, where that is no failure.
enum End {
    /// The user wants no more.
    Stopped,
    /// To be opened again after a pause.
    Again(Status),
}

impl Watcher {
    async fn run(mut self, connection: &Connection) -> Result<(), Failure> {
        let mut client = Client::new(connection.channel());
        loop {
            let end = tokio::select! {
                end = self.follow(&mut client) => end?,
                _ = tokio::signal::ctrl_c() => End::Stopped,
            };
            let End::Again(status) = end else {
                self.output.printer.finish()?;
                return Ok(());
            };
            if !may_be_back(&status) {
                return Err(status.into());
            }
            if let Some(refused) = connection.refusal(&status).await {
                return Err(refused.into());
            }
            let seconds = self.pause.as_secs_f32();
            let message = status.message();
            note(&format!(
                "sluss: {message}; watching again in {seconds:.1} s"
            ));
            tokio::select! {
                () = tokio::time::sleep(self.pause) => {}
                _ = tokio::signal::ctrl_c() => return Ok(self.output.printer.finish()?),
            }
            self.pause = self.pause.saturating_mul(2).min(BACK_OFF_MAX);
        }
    }

    /// Watches until the stream ends.
    async fn follow(&mut self, client: &mut Client) -> Result<End, Failure> {
        // No deadline: the stream is meant to stay open; keep-alive notices a cut line.
        let opened = client.watch_alarms(Request::new(WatchAlarmsRequest {}));
        let mut stream = match opened.await {
            Ok(stream) => stream.into_inner(),
            Err(status) => return Ok(End::Again(status)),
        };
        let mut reader_left = std::pin::pin!(reader_left());
        let mut listed = BTreeMap::new();
        let mut is_listing = true;
        loop {
            let message = tokio::select! {
                biased;
                () = &mut reader_left => return Err(OutputError::Closed.into()),
                message = stream.message() => message,
            };
            match message {
                Ok(Some(message)) => match message.message {
                    Some(Message::Alarm(alarm)) if is_listing => {
                        self.show(&alarm)?;
                        listed.insert(alarm.name.clone(), alarm);
                    }
                    Some(Message::Alarm(alarm)) => self.change(alarm)?,
                    Some(Message::CaughtUp(_)) => {
                        is_listing = false;
                        self.caught_up(std::mem::take(&mut listed));
                    }
                    None => {}
                },
                Ok(None) => return Ok(End::Again(Status::unavailable("the stream ended"))),
                Err(status) => return Ok(End::Again(status)),
            }
        }
    }

    /// Prints an alarm, unless it was printed as it is.
    fn show(&mut self, alarm: &Alarm) -> Result<(), Failure> {
        if self.known.get(&alarm.name) != Some(alarm) {
            self.output.print(alarm)?;
            self.output.printer.flush()?;
        }
        Ok(())
    }

    fn change(&mut self, alarm: Alarm) -> Result<(), Failure> {
        self.show(&alarm)?;
        if state(&alarm) == "closed" {
            self.known.remove(&alarm.name);
        } else {
            self.known.insert(alarm.name.clone(), alarm);
        }
        Ok(())
    }

    /// What stands has been told; what is not in it any more has gone while nobody watched.
    fn caught_up(&mut self, listed: BTreeMap<String, Alarm>) {
        if self.output.printer.is_empty() && !self.has_caught_up {
            note("no alarms stand");
        }
        let gone = self.known.keys().filter(|name| !listed.contains_key(*name));
        for name in gone {
            note(&format!("sluss: {name} has gone meanwhile"));
        }
        self.known = listed;
        self.has_caught_up = true;
        self.pause = BACK_OFF_FIRST;
    }
}

/// Whether watching again can help.
fn may_be_back(status: &Status) -> bool {
    if reason(status).as_deref() == Some("TOO_MANY_STREAMS") {
        return false;
    }
    match status.code() {
        Code::Unavailable
        | Code::DeadlineExceeded
        | Code::ResourceExhausted
        | Code::Cancelled
        | Code::Aborted
        | Code::Unknown
        | Code::Internal => true,
        Code::Ok
        | Code::InvalidArgument
        | Code::NotFound
        | Code::AlreadyExists
        | Code::PermissionDenied
        | Code::FailedPrecondition
        | Code::OutOfRange
        | Code::Unimplemented
        | Code::DataLoss
        | Code::Unauthenticated => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_alarm_is_named_by_number_or_by_name() {
        assert_eq!(parse_alarm("17"), Ok(AlarmNumber(17)));
        assert_eq!(parse_alarm("alarms/17"), Ok(AlarmNumber(17)));
        assert!(parse_alarm("x").is_err());
    }

    #[test]
    fn the_state_of_an_alarm_is_one_word() {
        let time = Some(prost_types::Timestamp::default());
        let words = [(None, None), (None, time), (time, None), (time, time)].map(
            |(clear_time, acknowledge_time)| {
                state(&Alarm {
                    clear_time,
                    acknowledge_time,
                    ..Alarm::default()
                })
            },
        );
        assert_eq!(words, ["stands", "acknowledged", "ended", "closed"]);
    }
}
