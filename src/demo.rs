//! The demonstration: a fresh site, a day's story, and each customer's feed, for real.
//!
//! Server, store, TLS and clients are the real ones. Only the wall clock is the story's, so that
//! a day can be told in a second.

mod clock;
mod play;
mod read;
mod site;
mod story;

use std::path::PathBuf;
use std::sync::Arc;

use anyhow::{Context as _, Result};

use self::clock::StoryClock;
use self::site::Scene;
use self::story::Story;
use crate::client::print::note;

/// What the demonstration is asked to do.
#[derive(Debug, Clone, Default, clap::Args)]
#[command(after_help = "Examples:\n  \
    slussd demo                    # then try the commands that it prints\n  \
    slussd demo --once --json\n  \
    slussd demo --once --from ./my-site --folder ./kept")]
pub struct DemoArgs {
    /// End after the story; 0 only if everything came out as it says
    #[arg(long)]
    pub once: bool,
    /// Print JSON lines instead of text
    #[arg(long)]
    pub json: bool,
    /// Folder with a site, lists and a story of your own (site.toml, CUSTOMER.csv, story.toml)
    #[arg(long, value_name = "DIR")]
    pub from: Option<PathBuf>,
    /// Keep the site in this new folder instead of a scratch folder
    #[arg(long, value_name = "DIR")]
    pub folder: Option<PathBuf>,
    /// Stop the server after the story and wait for Enter: change its files, and see it found
    #[arg(long)]
    pub pause: bool,
}

/// Runs the demonstration; whether everything came out as the story says.
pub fn run(args: &DemoArgs) -> Result<bool> {
    let runtime = tokio::runtime::Runtime::new().context("the runtime cannot be started")?;
    runtime.block_on(demonstrate(args))
}

async fn demonstrate(args: &DemoArgs) -> Result<bool> {
    let story = Story::read(args.from.as_deref())?;
    let clock = Arc::new(StoryClock::start(story.day()?));
    let scene = Scene::build(args, Arc::clone(&clock)).await?;
    note(&format!(
        "a site in {}, serving on {}",
        scene.folder().display(),
        scene.address()
    ));

    let mut faults = play::play(&scene, &story, &clock, args.json).await?;
    let scene = scene
        .restart(|| if args.pause { wait_for_enter() } else { Ok(()) })
        .await?;
    note("the server was stopped and started again; now each customer reads its feed");
    for customer in story.customers() {
        faults.extend(read::read(&scene, &story, &customer, args.json).await?);
    }
    for fault in &faults {
        note(&format!("NOT AS THE STORY SAYS: {fault}"));
    }
    if faults.is_empty() {
        note("everything came out as the story says");
    }
    if !args.once {
        clock.go_on();
        scene.tell_what_to_try();
        tokio::signal::ctrl_c()
            .await
            .context("signals cannot be waited for")?;
    }
    scene.end().await?;
    Ok(faults.is_empty())
}

fn wait_for_enter() -> Result<()> {
    note("the server is stopped; press Enter to start it again");
    let mut line = String::new();
    std::io::stdin()
        .read_line(&mut line)
        .context("cannot read from stdin")?;
    Ok(())
}
