//! How soon a reader opens doors again after what took it away, and what its neighbours lost.
//!
//! `cargo bench --bench recovery`. Prints, asserts nothing. A whole server polls simulated lines
//! at 115,200 baud: two readers on one line, a third on another. `SLUSS_BENCH_ROUNDS` sets how
//! often each cause is measured, 10 by default.

#[path = "../tests/readers/house.rs"]
#[expect(dead_code, clippy::unwrap_used, reason = "shared with the tests")]
mod house;
#[path = "../tests/readers/seen.rs"]
#[expect(dead_code, clippy::panic, reason = "shared with the tests")]
mod seen;

use std::time::{Duration, Instant};

use anyhow::Context as _;
use sluss_sim::{FaultKind, ReaderHandle, Seen, SimBus};

use house::{House, alex};
use seen::{Watcher, is_lock, is_release};

/// How long noise or a storm lasts.
const LASTS: Duration = Duration::from_secs(2);
/// Within which a card that was handed over opens, or does not count.
const DECIDED_WITHIN: Duration = Duration::from_millis(50);

/// What takes readers away.
#[derive(Debug, Clone, Copy)]
enum Cause {
    Unplug,
    Noise,
    Restart,
    Busy,
}

impl Cause {
    const ALL: [Self; 4] = [Self::Unplug, Self::Noise, Self::Restart, Self::Busy];

    fn name(self) -> &'static str {
        match self {
            Self::Unplug => "adapter unplugged for 2 s and plugged in",
            Self::Noise => "2 s of noise",
            Self::Restart => "reader restarts",
            Self::Busy => "2 s of BUSY",
        }
    }

    /// Lets it happen; when it was over.
    fn happen(self, line: &SimBus, device: &ReaderHandle) -> anyhow::Result<Instant> {
        Ok(match self {
            Self::Unplug => {
                line.unplug()?;
                std::thread::park_timeout(LASTS);
                // The clock of the devices is asked before, so that the replug is counted.
                let over = device.clear_faults();
                line.replug()?;
                over
            }
            Self::Noise => {
                let over = line.noise(LASTS);
                std::thread::park_timeout(LASTS);
                over
            }
            Self::Restart => device.restart(),
            Self::Busy => {
                device.fault(FaultKind::Busy.until_cleared());
                std::thread::park_timeout(LASTS);
                device.clear_faults()
            }
        })
    }
}

/// What one cause did, over all its rounds.
#[derive(Debug, Default)]
struct Row {
    back: Vec<Duration>,
    same_line: Lost,
    other_line: Lost,
}

/// Polls of a neighbour: those that had no answer, and those that had one.
#[derive(Debug, Clone, Copy, Default)]
struct Lost {
    lost: u64,
    answered: u64,
}

impl Lost {
    async fn so_far(house: &House, reader: &str) -> Self {
        let counters = house.reader(reader).await.counters.unwrap_or_default();
        Self {
            lost: counters.timeouts,
            answered: counters.replies,
        }
    }

    fn add(&mut self, before: Self, after: Self) {
        self.lost += after.lost.saturating_sub(before.lost);
        self.answered += after.answered.saturating_sub(before.answered);
    }
}

fn main() -> anyhow::Result<()> {
    if !std::env::args().any(|arg| arg == "--bench") {
        println!("nothing is measured without --bench");
        return Ok(());
    }
    let rounds = std::env::var("SLUSS_BENCH_ROUNDS").map_or(Ok(10), |text| text.parse())?;
    tokio::runtime::Runtime::new()?.block_on(bench(rounds))
}

async fn bench(rounds: u32) -> anyhow::Result<()> {
    let mut house = House::open().await;
    println!(
        "| what happened | opens again after, mean | worst | lost by its neighbour on the line | by a reader on another line |"
    );
    println!("|---|---|---|---|---|");
    for cause in Cause::ALL {
        let mut row = Row::default();
        for _ in 0..rounds {
            measure(&house, cause, &mut row).await?;
        }
        let mean = row.back.iter().sum::<Duration>() / rounds.max(1);
        let worst = row.back.iter().max().copied().unwrap_or_default();
        let of = |lost: Lost| format!("{} of {}", lost.lost, lost.lost + lost.answered);
        println!(
            "| {} | {} ms | {} ms | {} | {} |",
            cause.name(),
            mean.as_millis(),
            worst.as_millis(),
            of(row.same_line),
            of(row.other_line)
        );
    }
    house.stop().await;
    Ok(())
}

async fn measure(house: &House, cause: Cause, row: &mut Row) -> anyhow::Result<()> {
    let line = house.north.as_ref().context("the line")?;
    let device = house.device("r-office");
    let mut seen = Watcher::of(&device);
    let cage = Lost::so_far(house, "r-cage").await;
    let hall = Lost::so_far(house, "r-hall").await;
    let over = cause.happen(line, &device)?;
    // The next card is shown when the one before was read: none waits in the reader.
    let opened = loop {
        device.present(&alex());
        let read = seen.wait(|seen| is_release(seen) || *seen == Seen::CardReported);
        if is_release(&read.what) {
            break read;
        }
        if let Some(opened) = seen.within(DECIDED_WITHIN, is_release) {
            break opened;
        }
    };
    row.back.push(opened.at.saturating_duration_since(over));
    seen.wait(is_lock);
    house.until_secure("r-cage").await;
    row.same_line.add(cage, Lost::so_far(house, "r-cage").await);
    row.other_line
        .add(hall, Lost::so_far(house, "r-hall").await);
    Ok(())
}
