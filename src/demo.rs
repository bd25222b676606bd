//! The demonstration: a fresh site, a day's story, and each customer's feed, for real.
//!
//! Server, store, TLS, OSDP and clients are the real ones; readers, doors and the controller are
//! simulated. Only the wall clock is the story's, so that a day can be told in seconds.

mod story;

mod clock;

mod plan;

mod site;

mod fill;

mod devices;

mod gate;

mod desk;

mod live;

mod swipe;

mod play;

mod after;

mod tell;

mod read;

mod visit;

use std::path::PathBuf;
use std::sync::Arc;

use anyhow::{Context as _, Result};

use self::clock::StoryClock;
use self::devices::Devices;
use self::gate::Gate;
use self::play::Stage;
use self::site::{BAUD, Scene};
use self::story::Story;
use crate::client::print::note;
use crate::client::words::counted;
use crate::types::World as _;

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
    let (scene, mut devices) = Scene::build(args, &story, Arc::clone(&clock)).await?;
    introduce(&scene, &devices);
    let stage = Stage {
        scene: &scene,
        devices: &mut devices,
        clock: &clock,
        is_json: args.json,
    };
    let mut faults = play::play(stage, &story).await?;

    let scene = restart(scene, &mut devices, args.pause).await?;
    let begun = clock.now().moment;
    let missing = devices.all_online().await;
    if missing.is_empty() && devices.reader_count() > 0 {
        let ms = clock.now().moment.since(begun).as_millis();
        note(&format!(
            "the readers were back by themselves within {ms} ms"
        ));
    }
    let lost = |reader| format!("reader {reader} did not come back after the restart");
    faults.extend(missing.into_iter().map(lost));
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
        let gate = Gate::open(&scene, "demo-2").await?;
        visit::visit(&scene, &mut devices).await?;
        gate.close().await;
    }
    scene.end(devices).await?;
    Ok(faults.is_empty())
}

fn introduce(scene: &Scene, devices: &Devices) {
    let folder = scene.folder().display();
    note(&format!(
        "a site in {folder}, serving on {}",
        scene.address()
    ));
    let counts = [devices.reader_count(), devices.bus_count()];
    let [readers, lines] = counts.map(|count| u64::try_from(count).unwrap_or_default());
    if readers > 0 {
        let readers = counted(readers, "simulated reader", "simulated readers");
        let lines = counted(lines, "line", "lines");
        note(&format!("{readers} on {lines} of {BAUD} baud\n"));
    }
}

/// Stops the server and starts it again; what was seen of the devices before does not count.
async fn restart(scene: Scene, devices: &mut Devices, is_paused: bool) -> Result<Scene> {
    let restarted = scene.restart(|| {
        devices.forget();
        if is_paused { wait_for_enter() } else { Ok(()) }
    });
    let scene = restarted.await?;
    note("\nthe server was stopped and started again; now each customer reads its feed");
    Ok(scene)
}

fn wait_for_enter() -> Result<()> {
    note("the server is stopped; press Enter to start it again");
    let mut line = String::new();
    std::io::stdin()
        .read_line(&mut line)
        .context("cannot read from stdin")?;
    Ok(())
}
