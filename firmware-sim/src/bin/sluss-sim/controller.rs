//! A controller that asks once.

use std::fs;

use anyhow::{Context as _, bail};
use sluss_sim::{Card, Controller, ControllerSettings, Order, ReaderOrder, Verdict};

use crate::args;

/// A name for this run that no other run has.
const BOOT_ID: &str = "/proc/sys/kernel/random/uuid";

pub(crate) fn authorize(args: &args::Controller) -> anyhow::Result<()> {
    let read = |name: &str| {
        let file = args.papers.join(name);
        fs::read_to_string(&file).with_context(|| format!("`{}`", file.display()))
    };
    let settings = ControllerSettings {
        endpoint: args.server.clone(),
        server_name: args.server_name.clone(),
        ca_pem: read("ca.pem")?,
        certificate_pem: read("cert.pem")?,
        key_pem: read("key.pem")?,
    };
    let card = card(&args.card)?;
    let boot_id = fs::read_to_string(BOOT_ID).context("a name for this run")?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()?;
    let answer = runtime.block_on(async {
        let mut controller = Controller::connect(&settings, boot_id.trim()).await?;
        let pin = args.pin.as_deref();
        controller.authorize(&args.access_point, &card, pin).await
    })?;
    match answer.decision {
        Verdict::Grant => println!("granted: {}", answer.entry),
        Verdict::Denial => println!("denied ({}): {}", answer.reasons.join(", "), answer.entry),
    }
    Ok(())
}

fn card(text: &str) -> anyhow::Result<Card> {
    let order = Order::parse(&format!("present {text}")).map_err(anyhow::Error::msg)?;
    match order {
        Order::Reader(ReaderOrder::Present(card)) => Ok(card),
        Order::Reader(_) | Order::Line(_) | Order::Door(_) => bail!("`{text}` is no card"),
    }
}
