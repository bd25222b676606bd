//! `slussd cert`: issues, revokes and lists the certificates of callers.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Result;
use clap::{Args, Subcommand};
use sluss::client::print::{Cell, Column, OutputFormat, Place, Printer, note, text};
use sluss::config::Config;
use sluss::env::System;
use sluss::init::identity_folder;
use sluss::pki::{Days, PkiError, PkiFolder, Registered};
use sluss::service::auth::CertificateSerial;
use sluss::store::disk::RealDisk;
use sluss::types::{Caller, CallerKind, UtcTime, World as _};

use super::{AtConfig, Slip};

/// Days before its end from which a certificate is shown as one that ends soon.
const SOON_DAYS: u64 = 30;
const SECONDS_PER_DAY: u64 = 86_400;

#[derive(Debug, Subcommand)]
pub(crate) enum Cert {
    /// Make a certificate and put it into a folder with ca.pem, cert.pem, key.pem and log.pub
    ///
    /// The folder is what its owner gives to `sluss --identity`. A caller may have several
    /// certificates: to renew one, issue the next into another folder with --out, and revoke the
    /// old one when it is no longer used.
    #[command(after_help = "Examples:\n  \
        slussd cert issue --config /var/lib/sluss/slussd.toml controller gate-1\n  \
        slussd cert issue customer acme --days 90 --out ./acme\n  \
        slussd cert issue operator night-shift")]
    Issue(Issue),
    /// Make a certificate count no longer; a running server takes note within about a second
    #[command(after_help = "Example:\n  \
        slussd cert revoke 5c0e9b3f6a7d481c9e2b7f60d1a4c835")]
    Revoke(Revoke),
    /// List every certificate that was issued
    #[command(after_help = "Examples:\n  \
        slussd cert list\n  \
        slussd cert list -o csv > certificates.csv")]
    List(List),
}

#[derive(Debug, Args)]
pub(crate) struct Issue {
    #[command(flatten)]
    at: AtConfig,
    /// controller, customer, desk or operator
    #[arg(value_parser = parse_kind)]
    kind: CallerKind,
    /// Id of the controller, customer, desk or operator
    id: String,
    /// Days until it ends, 1 to 1830
    #[arg(long, default_value = "365", value_parser = parse_days)]
    days: Days,
    /// Folder to put it in [default: identities/KIND-ID beside the configuration]
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct Revoke {
    #[command(flatten)]
    at: AtConfig,
    /// Its serial number, as `slussd cert list` shows it
    #[arg(value_parser = CertificateSerial::parse)]
    serial: CertificateSerial,
}

#[derive(Debug, Args)]
pub(crate) struct List {
    #[command(flatten)]
    at: AtConfig,
    /// How to print it
    #[arg(short, long, value_enum, default_value = "table")]
    output: OutputFormat,
}

impl Cert {
    /// Does it.
    pub(crate) fn run(self) -> Result<()> {
        match self {
            Self::Issue(args) => issue(&args),
            Self::Revoke(args) => revoke(&args),
            Self::List(args) => list(&args),
        }
    }
}

fn pki(config: &Config) -> PkiFolder {
    PkiFolder::new(&config.folders.pki, Arc::new(RealDisk))
}

fn issue(args: &Issue) -> Result<()> {
    let config = Config::read(&args.at.config)?;
    let caller = Caller::parse(args.kind, &args.id).map_err(|expected| Slip {
        what: format!("<ID>: {expected}"),
    })?;
    let beside = args.at.config.parent().unwrap_or(Path::new("."));
    let out = args
        .out
        .clone()
        .unwrap_or_else(|| identity_folder(beside, &caller));
    let pki = pki(&config);
    let authority = pki.authority(&config.site)?;
    let issued = pki.issue_identity(
        &authority,
        caller.clone(),
        (args.days, &out),
        &System::start(),
    );
    let issued = match issued {
        Err(PkiError::Exists(file)) => {
            let folder = file.parent().unwrap_or(&file).display().to_string();
            anyhow::bail!(
                "{folder}: holds a certificate already, which is not overwritten; \
                 name another folder with --out"
            );
        }
        issued => issued?,
    };
    text(&format!("{}\n", out.display()))?;
    let end = issued.not_after.rfc3339();
    note(&format!(
        "{caller} has certificate {} until {end}",
        issued.serial
    ));
    Ok(())
}

fn revoke(args: &Revoke) -> Result<()> {
    let config = Config::read(&args.at.config)?;
    let now = System::start().now().utc;
    pki(&config).register().revoke(&args.serial, now)?;
    note(&format!("{} is revoked", args.serial));
    Ok(())
}

fn list(args: &List) -> Result<()> {
    const fn column(name: &'static str, width: u16) -> Column {
        let place = Place::Everywhere;
        Column { name, width, place }
    }
    const COLUMNS: &[Column] = &[
        column("subject", 20),
        column("state", 9),
        column("not_after", 20),
        column("serial", 32),
    ];
    let config = Config::read(&args.at.config)?;
    let now = System::start().now().utc;
    let mut printer = Printer::stdout(args.output, COLUMNS);
    for row in pki(&config).register().list()? {
        printer.row(vec![
            Cell::text(row.subject.as_str()),
            Cell::text(state(&row, now)),
            Cell::text(row.not_after.rfc3339()),
            Cell::text(row.serial.as_str()),
        ])?;
    }
    printer.finish()?;
    Ok(())
}

fn state(row: &Registered, now: UtcTime) -> &'static str {
    let left_seconds = row.not_after.seconds_since(now);
    match (row.revoked, left_seconds) {
        (true, _) => "revoked",
        (false, 0) => "ended",
        (false, left) if left < SOON_DAYS.saturating_mul(SECONDS_PER_DAY) => "ends soon",
        (false, _) => "valid",
    }
}

#[derive(Debug, thiserror::Error)]
#[error("expected controller, customer, desk or operator")]
struct NoKind;

fn parse_kind(text: &str) -> Result<CallerKind, NoKind> {
    CallerKind::parse(text).ok_or(NoKind)
}

#[derive(Debug, thiserror::Error)]
#[error("expected a number of days from 1 to 1830")]
struct NoDays;

fn parse_days(text: &str) -> Result<Days, NoDays> {
    let count = text.parse().map_err(|_| NoDays)?;
    Days::new(count).map_err(|_| NoDays)
}
