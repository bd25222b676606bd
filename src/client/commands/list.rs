//! `sluss list show|plan|apply|history`.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use tonic::transport::Channel;

use super::{customer, instant, parse_customer, plan, zone};
use crate::client::connect::{ConnectArgs, connect, request};
use crate::client::exit::Failure;
use crate::client::list_file;
use crate::client::local_time::{self, Edge};
use crate::client::print::{Cell, Column, OutputFormat, Place, Printer, note};
use crate::client::words::{self, counted};
use crate::pb::v1::access_list_service_client::AccessListServiceClient;
use crate::pb::v1::{
    AccessListEntry, AccessListVersion, ApplyAccessListRequest, ListAccessListEntriesRequest,
    ListAccessListVersionsRequest, PlanAccessListRequest, PlanAccessListResponse,
    UploadAccessListRequest,
};
use crate::types::{CustomerId, SiteZone};

/// Entries in a page, the most that the server gives.
const PAGE_SIZE: i32 = 100;

#[derive(Debug, Subcommand)]
pub(super) enum ListCommand {
    /// Show the entries in force, now or at a time
    ///
    /// With `-o csv` the output is a file that `list apply` reads; dates and times are those of
    /// the site's zone. ENTRY is the number that `why` names a line by.
    #[command(
        after_help = "Examples:\n  sluss list show\n  sluss list show --as-of 2026-06-30\n  sluss list show --customer acme -o csv > acme.csv"
    )]
    Show(ShowArgs),
    /// Say what applying a list would change
    #[command(after_help = "Examples:\n  sluss list plan acme.csv")]
    Plan(PlanArgs),
    /// Replace the list by a file
    ///
    /// Plans first, prints the plan, and applies exactly that plan: if the list changes in
    /// between, nothing is applied and the exit code is 6. Persons that are new are made.
    #[command(
        after_help = "Examples:\n  sluss list apply acme.csv\n  sluss list apply acme.csv --customer acme --dry-run"
    )]
    Apply(ApplyArgs),
    /// Show all versions of the list, newest first
    #[command(after_help = "Examples:\n  sluss list history\n  sluss list history -o json")]
    History(CommonArgs),
}

#[derive(Debug, Args)]
pub(super) struct CommonArgs {
    /// Whose list; by default the customer of the certificate
    #[arg(long, value_name = "ID", value_parser = parse_customer)]
    customer: Option<CustomerId>,
    /// How to print
    #[arg(short, long, value_enum, default_value = "table")]
    output: OutputFormat,
}

#[derive(Debug, Args)]
pub(super) struct ShowArgs {
    #[command(flatten)]
    common: CommonArgs,
    /// The list as it was then: a date (its beginning) or a time in the site's zone, or RFC 3339
    #[arg(long, value_name = "TIME")]
    as_of: Option<String>,
}

#[derive(Debug, Args)]
pub(super) struct PlanArgs {
    /// The list (CSV)
    file: PathBuf,
    #[command(flatten)]
    common: CommonArgs,
}

#[derive(Debug, Args)]
pub(super) struct ApplyArgs {
    #[command(flatten)]
    plan: PlanArgs,
    /// Apply only if the plan is made against this etag, as an earlier plan named it
    #[arg(long, value_name = "ETAG")]
    etag: Option<String>,
    /// Print the plan and change nothing
    #[arg(long)]
    dry_run: bool,
}

type Client = AccessListServiceClient<Channel>;

pub(super) async fn run(connection: &ConnectArgs, command: ListCommand) -> Result<(), Failure> {
    match command {
        ListCommand::Show(args) => show(connection, args).await,
        ListCommand::Plan(args) => upload_and_plan(connection, &args).await.map(drop),
        ListCommand::Apply(args) => apply(connection, args).await,
        ListCommand::History(args) => history(connection, args).await,
    }
}

fn list_name(customer: &CustomerId) -> String {
    format!("{}/accessList", customer.name())
}

const fn column(name: &'static str, width: u16) -> Column {
    Column {
        name,
        width,
        place: Place::Everywhere,
    }
}

const ENTRY_COLUMNS: [Column; 10] = [
    Column {
        name: "entry",
        width: 5,
        place: Place::TableOnly,
    },
    column("badge", 8),
    column("person", 6),
    column("name", 12),
    column("areas", 8),
    column("doors", 5),
    column("schedule", 8),
    column("valid_from", 10),
    column("valid_until", 10),
    column("approver", 8),
];

async fn show(connection: &ConnectArgs, args: ShowArgs) -> Result<(), Failure> {
    let connection = connect(connection).await?;
    let customer = customer(&connection, args.common.customer.as_ref())?;
    let zone = zone(&connection).await?;
    let as_of_time = instant(zone, "--as-of", args.as_of.as_deref())?;
    let mut client = Client::new(connection.channel());
    let mut printer = Printer::stdout(args.common.output, &ENTRY_COLUMNS);
    let mut page_token = String::new();
    loop {
        let ask = ListAccessListEntriesRequest {
            parent: list_name(&customer),
            page_size: PAGE_SIZE,
            page_token,
            as_of_time,
        };
        let page = client
            .list_access_list_entries(request(ask))
            .await?
            .into_inner();
        for entry in &page.entries {
            printer.row(entry_row(zone, args.common.output, entry))?;
        }
        printer.flush()?;
        page_token = page.next_page_token;
        if page_token.is_empty() {
            break;
        }
    }
    if printer.is_empty() {
        note(&match args.as_of {
            Some(then) => format!("the access list of {customer} had no entry at {then}"),
            None => format!("the access list of {customer} is empty"),
        });
    }
    printer.finish()?;
    Ok(())
}

/// A row of the list: local dates and bare ids for people and for files of theirs, exact
/// instants for programs.
fn entry_row(zone: SiteZone, format: OutputFormat, entry: &AccessListEntry) -> Vec<Cell> {
    let time = |instant: Option<&prost_types::Timestamp>, edge| match format {
        OutputFormat::Table | OutputFormat::Csv => local_time::show_local(zone, instant, edge),
        OutputFormat::Json | OutputFormat::Jsonl => local_time::show(instant),
    };
    let approver = match format {
        OutputFormat::Table => words::bare_id(&entry.approver),
        OutputFormat::Csv | OutputFormat::Json | OutputFormat::Jsonl => entry.approver.as_str(),
    };
    vec![
        Cell::text(words::bare_id(&entry.name)),
        Cell::text(entry.badge_number.as_str()),
        Cell::text(words::bare_id(&entry.person)),
        Cell::text(entry.display_name.as_str()),
        Cell::List(words::bare_ids(&entry.areas)),
        Cell::List(words::bare_ids(&entry.doors)),
        Cell::text(words::bare_id(&entry.schedule)),
        Cell::text(time(entry.valid_from.as_ref(), Edge::From)),
        Cell::text(time(entry.valid_until.as_ref(), Edge::Until)),
        Cell::text(approver),
    ]
}

const VERSION_COLUMNS: [Column; 6] = [
    column("version", 7),
    column("create_time", 20),
    column("applied_by", 12),
    column("added_count", 5),
    column("removed_count", 5),
    column("entry_count", 5),
];

async fn history(connection: &ConnectArgs, args: CommonArgs) -> Result<(), Failure> {
    let connection = connect(connection).await?;
    let customer = customer(&connection, args.customer.as_ref())?;
    let mut client = Client::new(connection.channel());
    let mut printer = Printer::stdout(args.output, &VERSION_COLUMNS);
    let mut page_token = String::new();
    loop {
        let ask = ListAccessListVersionsRequest {
            parent: list_name(&customer),
            page_size: PAGE_SIZE,
            page_token,
        };
        let page = client
            .list_access_list_versions(request(ask))
            .await?
            .into_inner();
        for version in &page.versions {
            printer.row(version_row(version))?;
        }
        printer.flush()?;
        page_token = page.next_page_token;
        if page_token.is_empty() {
            break;
        }
    }
    if printer.is_empty() {
        note(&format!("the access list of {customer} has no version yet"));
    }
    printer.finish()?;
    Ok(())
}

fn version_row(version: &AccessListVersion) -> Vec<Cell> {
    vec![
        Cell::number(version.version),
        Cell::text(local_time::show(version.create_time.as_ref())),
        Cell::text(version.applied_by.as_str()),
        Cell::number(version.added_count),
        Cell::number(version.removed_count),
        Cell::number(version.entry_count),
    ]
}

/// A plan that was printed, and what applying it needs.
struct Planned {
    client: Client,
    parent: String,
    upload: String,
    plan: PlanAccessListResponse,
}

async fn upload_and_plan(connection: &ConnectArgs, args: &PlanArgs) -> Result<Planned, Failure> {
    let connection = connect(connection).await?;
    let customer = customer(&connection, args.common.customer.as_ref())?;
    let lines = list_file::read(&args.file, zone(&connection).await?)?;
    let file = args.file.display().to_string();
    let mut client = Client::new(connection.channel());
    let parent = list_name(&customer);
    let messages: Vec<UploadAccessListRequest> = plan::chunks(lines)
        .into_iter()
        .map(|lines| UploadAccessListRequest {
            parent: parent.clone(),
            lines,
        })
        .collect();
    let upload = client
        .upload_access_list(request(tokio_stream::iter(messages)))
        .await
        .map_err(|status| Failure::of_file(status, &file))?
        .into_inner()
        .upload;
    let ask = PlanAccessListRequest {
        parent: parent.clone(),
        upload: upload.clone(),
    };
    let plan = client
        .plan_access_list(request(ask))
        .await
        .map_err(|status| Failure::of_file(status, &file))?
        .into_inner();
    print_plan(args.common.output, &plan)?;
    Ok(Planned {
        client,
        parent,
        upload,
        plan,
    })
}

fn print_plan(format: OutputFormat, plan: &PlanAccessListResponse) -> Result<(), Failure> {
    plan::print(format, &plan.changes)?;
    plan::note_rest(
        plan.changes.len(),
        [plan.added_count, plan.removed_count, 0],
    );
    note(&format!(
        "plan: {} to add, {} to remove, {} to make (etag {})",
        counted(plan.added_count.into(), "entry", "entries"),
        plan.removed_count,
        counted(plan.new_person_count.into(), "person", "persons"),
        plan.etag
    ));
    Ok(())
}

async fn apply(connection: &ConnectArgs, args: ApplyArgs) -> Result<(), Failure> {
    let mut planned = upload_and_plan(connection, &args.plan).await?;
    plan::same_etag(args.etag.as_deref(), &planned.plan.etag)?;
    if args.dry_run {
        return Ok(());
    }
    let ask = ApplyAccessListRequest {
        request_id: plan::request_id(&planned.upload),
        parent: planned.parent,
        upload: planned.upload,
        etag: planned.plan.etag,
    };
    let file = args.plan.file.display().to_string();
    let done = planned
        .client
        .apply_access_list(request(ask))
        .await
        .map_err(|status| Failure::of_file(status, &file))?
        .into_inner();
    let version = done.version.unwrap_or_default();
    note(&format!(
        "applied: version {}, {} in force, {} made",
        version.version,
        counted(version.entry_count.into(), "entry", "entries"),
        counted(done.new_person_count.into(), "person", "persons")
    ));
    Ok(())
}
