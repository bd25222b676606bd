//! `sluss site plan|apply FILE`.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use tonic::transport::Channel;

use super::plan;
use crate::client::connect::{ConnectArgs, Connection, connect, request};
use crate::client::exit::Failure;
use crate::client::fault::{FaultList, FileFaults};
use crate::client::print::{OutputFormat, note};
use crate::client::site_file;
use crate::client::words::bare_id;
use crate::pb::v1::directory_service_client::DirectoryServiceClient;
use crate::pb::v1::site_part::Part;
use crate::pb::v1::site_service_client::SiteServiceClient;
use crate::pb::v1::{
    ApplySiteRequest, GetSiteRequest, PlanSiteRequest, PlanSiteResponse, SitePart,
    UploadSiteRequest,
};

#[derive(Debug, Subcommand)]
pub(super) enum SiteCommand {
    /// Say what applying a site file would change
    #[command(
        after_help = "Examples:\n  sluss site plan site.toml\n  sluss site plan site.toml -o json"
    )]
    Plan(PlanArgs),
    /// Make the site what a site file says
    ///
    /// Plans first, prints the plan, and applies exactly that plan: if the site changes in
    /// between, nothing is applied and the exit code is 6.
    #[command(
        after_help = "Examples:\n  sluss site apply site.toml\n  sluss site apply site.toml --etag 17"
    )]
    Apply(ApplyArgs),
}

#[derive(Debug, Args)]
pub(super) struct PlanArgs {
    /// The site file (TOML)
    file: PathBuf,
    /// How to print the changes
    #[arg(short, long, value_enum, default_value = "table")]
    output: OutputFormat,
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

pub(super) async fn run(connection: &ConnectArgs, command: SiteCommand) -> Result<(), Failure> {
    match command {
        SiteCommand::Plan(args) => upload_and_plan(connection, &args).await.map(drop),
        SiteCommand::Apply(args) => apply(connection, args).await,
    }
}

/// A plan that was printed, and what applying it needs.
struct Planned {
    client: SiteServiceClient<Channel>,
    upload: String,
    plan: PlanSiteResponse,
}

async fn upload_and_plan(connection: &ConnectArgs, args: &PlanArgs) -> Result<Planned, Failure> {
    // The file is read before anything is called: its faults need no server.
    let parts = site_file::read(&args.file)?;
    let file = args.file.display().to_string();
    let connection = connect(connection).await?;
    check_site(&connection, &file, &parts).await?;
    let mut client = SiteServiceClient::new(connection.channel());
    let messages: Vec<UploadSiteRequest> = plan::chunks(parts)
        .into_iter()
        .map(|parts| UploadSiteRequest { parts })
        .collect();
    let upload = client
        .upload_site(request(tokio_stream::iter(messages)))
        .await
        .map_err(|status| Failure::of_file(status, &file))?
        .into_inner()
        .upload;
    let ask = PlanSiteRequest {
        upload: upload.clone(),
    };
    let plan = client
        .plan_site(request(ask))
        .await
        .map_err(|status| Failure::of_file(status, &file))?
        .into_inner();
    plan::print(args.output, &plan.changes)?;
    let counts = [plan.added_count, plan.changed_count, plan.removed_count];
    plan::note_rest(plan.changes.len(), counts);
    note(&format!(
        "plan: {} to add, {} to change, {} to remove (etag {})",
        plan.added_count, plan.changed_count, plan.removed_count, plan.etag
    ));
    Ok(Planned {
        client,
        upload,
        plan,
    })
}

/// A file that names its site is for no other: the wrong server would be emptied of its own.
async fn check_site(
    connection: &Connection,
    file: &str,
    parts: &[SitePart],
) -> Result<(), Failure> {
    let named = parts.iter().find_map(|part| match &part.part {
        Some(Part::Site(site)) if !site.name.is_empty() => Some((part.line, &site.name)),
        _ => None,
    });
    let Some((line, name)) = named else {
        return Ok(());
    };
    let mut directory = DirectoryServiceClient::new(connection.channel());
    let site = directory.get_site(request(GetSiteRequest {})).await?;
    Ok(same_site((file, line), name, &site.into_inner().name)?)
}

/// Whether the site that a line of a file names is the one here; both are resource names.
fn same_site((file, line): (&str, u32), named: &str, here: &str) -> Result<(), FileFaults> {
    let mut faults = FaultList::default();
    if named != here {
        let (here, named) = (bare_id(here), bare_id(named));
        let what = format!("expected `{here}`, the site of this server, found `{named}`");
        faults.push(line, "site.id", what);
    }
    faults.finish(file, ())
}

async fn apply(connection: &ConnectArgs, args: ApplyArgs) -> Result<(), Failure> {
    let mut planned = upload_and_plan(connection, &args.plan).await?;
    plan::same_etag(args.etag.as_deref(), &planned.plan.etag)?;
    if args.dry_run {
        return Ok(());
    }
    let ask = ApplySiteRequest {
        request_id: plan::request_id(&planned.upload),
        upload: planned.upload,
        etag: planned.plan.etag,
    };
    let file = args.plan.file.display().to_string();
    let done = planned
        .client
        .apply_site(request(ask))
        .await
        .map_err(|status| Failure::of_file(status, &file))?
        .into_inner();
    note(&format!(
        "applied: {} added, {} changed, {} removed (etag {})",
        done.added_count, done.changed_count, done.removed_count, done.etag
    ));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_of_another_site_is_refused_by_its_line() {
        assert!(same_site(("f.toml", 4), "sites/dc1", "sites/dc1").is_ok());
        let refused = same_site(("f.toml", 4), "sites/dc2", "sites/dc1").unwrap_err();
        assert_eq!(
            refused.lines(),
            ["f.toml:4: site.id: expected `dc1`, the site of this server, found `dc2`"]
        );
    }
}
