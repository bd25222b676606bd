//! `slussd`: the server, and the commands of whoever runs it.

#[path = "slussd/cert.rs"]
mod cert;
#[path = "slussd/reader_key.rs"]
mod reader_key;

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Context as _, Result};
use clap::{Args, Parser, Subcommand};
use sluss::client::print::{note, text};
use sluss::config::{Config, ConfigError};
use sluss::env::System;
use sluss::init::{NewSite, init};
use sluss::ledger::KeyName;
use sluss::pki::ServerName;
use sluss::server;
use sluss::store::StoreConfig;
use sluss::store::check::{CheckReport, SledChecked, check, rebuild};
use sluss::store::disk::RealDisk;
use sluss::telemetry;
use sluss::types::{BootIdentity, DisplayName, SiteId, SiteZone, World as _};

/// Access control for data centres: the server.
///
/// Exit codes: 0 done, 1 failed, 2 the command line or the configuration is wrong.
#[derive(Debug, Parser)]
#[command(
    name = "slussd",
    version,
    arg_required_else_help = true,
    max_term_width = 100,
    after_help = "Examples:\n  \
        slussd init --folder /var/lib/sluss --site dc1 --name \"Data centre 1\" \
        --zone Europe/Stockholm\n  \
        slussd serve --config /var/lib/sluss/slussd.toml\n  \
        slussd cert issue --config /var/lib/sluss/slussd.toml customer acme\n  \
        slussd demo --once"
)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Make a new site: keys, certificates, configuration, empty store
    ///
    /// Nothing is ever overwritten: the folder must be new or empty.
    Init(Init),
    /// Run the server until SIGTERM or SIGINT
    ///
    /// What it has to say goes to standard error; `RUST_LOG` sets how much, `info` by default.
    #[command(after_help = "Examples:\n  \
        slussd serve --config /var/lib/sluss/slussd.toml\n  \
        RUST_LOG=sluss=debug slussd serve --config /var/lib/sluss/slussd.toml")]
    Serve(AtConfig),
    /// Issue, revoke and list the certificates of callers
    #[command(subcommand)]
    Cert(cert::Cert),
    /// Make and take the keys of readers on serial lines
    #[command(subcommand)]
    ReaderKey(reader_key::ReaderKeyCommand),
    /// Verify a store that no server has open
    ///
    /// Reads the whole log and compares with it what is read from (sled, the snapshot). Changes
    /// nothing. The exit code is 0 if the store is sound.
    #[command(after_help = "Example:\n  \
        slussd check --config /var/lib/sluss/slussd.toml")]
    Check(AtConfig),
    /// Build what is read from (sled) anew from the log, while no server runs
    ///
    /// The log is not changed. What was there before stays beside it as `sled.broken-N`.
    #[command(after_help = "Example:\n  \
        slussd rebuild --config /var/lib/sluss/slussd.toml")]
    Rebuild(AtConfig),
    /// Make a site in a scratch folder and play a day's story at it, for real
    ///
    /// Cards and keys come from simulated readers on serial lines (OSDP) and from a simulated
    /// controller over mTLS. Each customer reads its feed as itself and recomputes its tree, and
    /// every line is compared with the story.
    #[cfg(feature = "demo")]
    Demo(sluss::demo::DemoArgs),
}

#[derive(Debug, Args)]
struct AtConfig {
    /// The configuration file
    #[arg(long, value_name = "FILE", default_value = "slussd.toml")]
    config: PathBuf,
}

#[derive(Debug, Args)]
#[command(after_help = "Example:\n  \
    slussd init --folder /var/lib/sluss --site dc1 --name \"Data centre 1\" \
    --zone Europe/Stockholm --listen 10.0.0.5:7443 --host sluss.example.com")]
struct Init {
    /// Folder to make the site in
    #[arg(long, value_name = "DIR")]
    folder: PathBuf,
    /// Id of the site: in every certificate and record, so it cannot be changed later
    #[arg(long, value_name = "ID", value_parser = SiteId::parse)]
    site: SiteId,
    /// Name of the site, shown to people
    #[arg(long, value_parser = DisplayName::parse)]
    name: DisplayName,
    /// IANA time zone of the site, such as Europe/Stockholm
    #[arg(long, value_parser = SiteZone::parse)]
    zone: SiteZone,
    /// Address and port for controllers, customers and operators
    #[arg(
        long,
        value_name = "ADDRESS:PORT",
        default_value = "127.0.0.1:7443",
        value_parser = parse_address
    )]
    listen: SocketAddr,
    /// Name or address under which they reach the server; may be repeated
    #[arg(long, value_name = "NAME", value_parser = ServerName::parse)]
    host: Vec<ServerName>,
    /// Name that the log is signed under [default: the site's id]
    #[arg(long, value_name = "NAME", value_parser = KeyName::parse)]
    log_name: Option<KeyName>,
}

/// The command line asks for what cannot be; exit code 2.
#[derive(Debug, thiserror::Error)]
#[error("{what}")]
struct Slip {
    what: String,
}

#[derive(Debug, thiserror::Error)]
#[error("expected an address and port such as 10.0.0.5:7443 or [::]:7443")]
struct NoAddress;

fn parse_address(text: &str) -> Result<SocketAddr, NoAddress> {
    text.parse().map_err(|_| NoAddress)
}

fn main() -> ExitCode {
    match run(Cli::parse().command) {
        Ok(code) => code,
        Err(error) => {
            note(&format!("slussd: {error:#}"));
            let operator_slip = error.downcast_ref::<ConfigError>().is_some()
                || error.downcast_ref::<Slip>().is_some();
            ExitCode::from(if operator_slip { 2 } else { 1 })
        }
    }
}

fn run(command: Command) -> Result<ExitCode> {
    match command {
        Command::Init(args) => make_site(args)?,
        Command::Serve(at) => serve(&Config::read(&at.config)?)?,
        #[cfg(feature = "demo")]
        Command::Demo(args) => return Ok(ExitCode::from(u8::from(!sluss::demo::run(&args)?))),
        Command::Cert(command) => command.run()?,
        Command::ReaderKey(command) => command.run()?,
        Command::Check(at) => return check_store(&Config::read(&at.config)?),
        Command::Rebuild(at) => rebuild_store(&Config::read(&at.config)?)?,
    }
    Ok(ExitCode::SUCCESS)
}

fn serve(config: &Config) -> Result<()> {
    telemetry::init(config.log_format)?;
    let runtime = tokio::runtime::Runtime::new().context("the runtime cannot be started")?;
    Ok(runtime.block_on(server::serve(config, Arc::new(System::start()), boot()?))?)
}

fn make_site(args: Init) -> Result<()> {
    let log_name = match args.log_name {
        Some(name) => name,
        None => KeyName::parse(args.site.as_str())?,
    };
    let new = NewSite {
        folder: args.folder,
        site: args.site,
        name: args.name,
        zone: args.zone,
        listen: args.listen,
        hosts: args.host,
        log_name,
    };
    let made = init(&new, &System::start(), boot()?)?;
    let (config, operator) = (made.config.display(), made.operator.display());
    let port = new.listen.port();
    text(&format!(
        "Site {} is made. Next:\n\n  \
         slussd serve --config {config}\n  \
         slussd cert issue --config {config} controller gate-1\n  \
         slussd cert issue --config {config} customer acme\n  \
         sluss --server https://localhost:{port} --identity {operator} site plan site.toml\n\n\
         Look at [retention] in {config}; copy {} somewhere safe: \
         without it personal data cannot be read again.\n",
        new.site,
        new.folder.join("keys").display(),
    ))?;
    Ok(())
}

fn boot() -> Result<BootIdentity> {
    System::boot_identity().context("the kernel does not say which run of it this is")
}

fn store_config(config: &Config) -> Result<StoreConfig> {
    let now = System::start().now().utc;
    let (folder, site) = (config.folders.store.clone(), config.site.clone());
    Ok(StoreConfig::new(folder, site, config.node, boot()?, now))
}

fn check_store(config: &Config) -> Result<ExitCode> {
    let report = check(&store_config(config)?, &RealDisk)?;
    text(&report_text(&report)?)?;
    let sound = report.is_sound();
    Ok(if sound {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

fn report_text(report: &CheckReport) -> Result<String, std::fmt::Error> {
    let mut out = String::new();
    writeln!(
        out,
        "segments   {}, {} commits",
        report.segment_count, report.frame_count
    )?;
    writeln!(out, "newest     commit {}", report.newest.0)?;
    writeln!(out, "rows       {}", report.row_count)?;
    if report.torn_bytes > 0 {
        writeln!(
            out,
            "torn end   {} bytes; the next start drops them",
            report.torn_bytes
        )?;
    }
    match &report.snapshot {
        Some(_) => writeln!(out, "snapshot   {} rows wrong", report.snapshot_wrong)?,
        None => writeln!(out, "snapshot   none")?,
    }
    match &report.sled {
        SledChecked::NotBelieved(why) => writeln!(out, "sled       to be rebuilt: {why}")?,
        SledChecked::Compared {
            right,
            wrong,
            missing,
        } => {
            writeln!(
                out,
                "sled       {right} rows right, {wrong} wrong, {missing} missing"
            )?;
        }
        SledChecked::Fails(_) => writeln!(out, "sled       cannot be read")?,
    }
    let verdict = if report.is_sound() {
        "sound"
    } else {
        "not sound: `slussd rebuild` mends sled"
    };
    writeln!(out, "the store is {verdict}")?;
    Ok(out)
}

fn rebuild_store(config: &Config) -> Result<()> {
    let report = rebuild(&store_config(config)?, Arc::new(RealDisk))?;
    note(&format!("rebuilt up to commit {}", report.newest.0));
    Ok(())
}
