//! From swipe to unlock over serial lines on which every byte takes its time, beside the floor.
//!
//! `cargo bench --bench swipe`. Prints, asserts nothing. Lines are simulated, secured, and served
//! by the real server in a process of its own; times are taken at the reader: from a card being
//! presented to the output of the strike being on. The floor is what the bytes alone need, see
//! `swipe/floor.rs`; beside it stands a host that answers at once, without store or server.
//! Rounds are interleaved. `SLUSS_BENCH_ROUNDS` sets their number, 3 by default;
//! `SLUSS_BENCH_LINE=fast-8` measures one line alone, a speed and a number of readers.

#[path = "swipe/floor.rs"]
mod floor;
#[expect(dead_code, reason = "shared with tests, which use all of it")]
#[path = "../tests/interop/house.rs"]
mod house;
#[path = "swipe/stand.rs"]
mod stand;

use std::fmt::Write as _;
use std::fs;
use std::io::Write as _;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context as _;

use floor::{Floor, Host, Lengths};
use house::{House, slussd, text};
use stand::{Chance, Stand, Swipe, card};

/// Lines that are measured.
const CASES: [Case; 4] = [
    Case::new("fast-1", 115_200, 1, 40),
    Case::new("fast-8", 115_200, 8, 40),
    Case::new("slow-1", 9_600, 1, 20),
    Case::new("slow-8", 9_600, 8, 24),
];
/// How far over the floor the mean may be.
const MEAN_MAX: Duration = Duration::from_millis(2);
/// How far over the floor's worst the worst may be.
const WORST_MAX: Duration = Duration::from_millis(5);
/// How long a strike is released: short, so that the next swipe may come soon.
const STRIKE_TIME: Duration = Duration::from_millis(300);

/// One line.
#[derive(Debug, Clone, Copy)]
struct Case {
    name: &'static str,
    baud: u32,
    readers: u8,
    /// Swipes in a round.
    swipes: u32,
}

impl Case {
    const fn new(name: &'static str, baud: u32, readers: u8, swipes: u32) -> Self {
        Self {
            name,
            baud,
            readers,
            swipes,
        }
    }

    /// The id of a reader, by its address.
    fn reader(&self, address: u8) -> String {
        format!("{}-{address}", self.name)
    }

    fn addresses(&self) -> impl Iterator<Item = u8> + use<> {
        1..=self.readers
    }
}

/// A line with what its readers know.
struct Line {
    case: Case,
    path: PathBuf,
    keys: Vec<[u8; 16]>,
}

fn main() -> anyhow::Result<()> {
    if !std::env::args().any(|argument| argument == "--bench") {
        println!("nothing is measured without --bench");
        return Ok(());
    }
    let rounds = std::env::var("SLUSS_BENCH_ROUNDS").map_or(Ok(3), |text| text.parse())?;
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR"))?;
    let mut house = House::make(folder.path())?;
    let lines = CASES.map(|case| line(&house, case));
    let lines = lines.into_iter().collect::<anyhow::Result<Vec<_>>>()?;
    house.start()?;
    let customer = house.issue("customer", "acme")?;
    house.furnish(&site(), &[(&customer, LIST)])?;
    println!("milliseconds; load of the machine {}", load());
    println!("{HEADER}");
    let mut detail = String::new();
    let mut chance = Chance::new();
    let only = std::env::var("SLUSS_BENCH_LINE").ok();
    let is_wanted = |line: &&Line| only.as_deref().is_none_or(|name| name == line.case.name);
    for line in lines.iter().filter(is_wanted) {
        let row = measure(line, rounds, &mut chance)
            .with_context(|| format!("{}\n{}", line.case.name, house.last_words()))?;
        println!("{}", row.line());
        detail.push_str(&row.detail());
    }
    println!("\nwhere it goes\n{DETAIL_HEADER}\n{detail}");
    Ok(())
}

/// A line in the server's configuration, with keys for its readers.
fn line(house: &House, case: Case) -> anyhow::Result<Line> {
    let path = house.file(case.name);
    let mut config = fs::OpenOptions::new().append(true).open(house.config())?;
    writeln!(
        config,
        "\n[[bus]]\nname = \"{}\"\nport = \"{}\"\nbaud = {}",
        case.name,
        text(&path)?,
        case.baud
    )?;
    let config = house.config();
    let mut keys = Vec::new();
    for address in case.addresses() {
        let reader = case.reader(address);
        let new = ["reader-key", "new", &reader, "--config", text(&config)?];
        let digits = data_encoding::HEXLOWER_PERMISSIVE.decode(slussd(&new)?.trim().as_bytes())?;
        let key = digits.try_into();
        keys.push(key.ok().context("a key of 16 bytes")?);
    }
    Ok(Line { case, path, keys })
}

/// What was measured of one host.
#[derive(Default)]
struct Figures {
    swipes: Vec<Swipe>,
    /// From one command to the next, in each round.
    slots: Vec<Duration>,
}

/// What was measured on one line.
struct Row {
    case: Case,
    lengths: Lengths,
    floor: Floor,
    host: Figures,
    sluss: Figures,
    load: String,
}

fn measure(line: &Line, rounds: u32, chance: &mut Chance) -> anyhow::Result<Row> {
    let Line { case, path, keys } = line;
    let [mut host, mut sluss] = [Figures::default(), Figures::default()];
    let mut lengths = Lengths::default();
    for round in 0..rounds {
        // Who goes first changes, so that neither always has the quieter machine.
        for turn in 0..2 {
            if (round + turn) % 2 == 0 {
                // The server does not know this path.
                let path = path.with_extension("at-once");
                let stand = Stand::start(&path, case, keys)?;
                let held = Host::start(&path, case, keys)?;
                once(&stand, case, &mut host, chance).context("the host without a server")?;
                lengths = held.stop()?;
            } else {
                let stand = Stand::start(path, case, keys)?;
                once(&stand, case, &mut sluss, chance).context("the server")?;
            }
        }
    }
    Ok(Row {
        case: *case,
        lengths,
        floor: Floor::of(case, lengths),
        host,
        sluss,
        load: load(),
    })
}

fn once(
    stand: &Stand,
    case: &Case,
    figures: &mut Figures,
    chance: &mut Chance,
) -> anyhow::Result<()> {
    stand.wait_online()?;
    let slot = stand.slot();
    figures.slots.push(slot);
    let round = slot * u32::from(case.readers);
    let swipes = stand.swipes(case.swipes, round, chance)?;
    figures.swipes.extend(swipes);
    Ok(())
}

const HEADER: &str = "  baud readers swipes | floor mean   worst | at once mean   worst | \
                      sluss mean     p50   worst | over: mean   worst | goal";
const DETAIL_HEADER: &str = "  baud readers | slot: floor at once   sluss | card to unlock: floor \
                             | at once    p50   worst | sluss    p50   worst | load | \
                             bytes of POLL, ACK, card, OUT";

impl Row {
    fn line(&self) -> String {
        let Case { baud, readers, .. } = self.case;
        let [host, sluss] = [&self.host, &self.sluss].map(|f| Spread::of(f, Swipe::total));
        let over = |value: Duration, floor: Duration| millis(value) - millis(floor);
        let over_mean = over(sluss.mean, self.floor.mean);
        let over_worst = over(sluss.worst, self.floor.worst);
        let is_met = over_mean <= millis(MEAN_MAX) && over_worst <= millis(WORST_MAX);
        format!(
            "{baud:>6} {readers:>7} {:>6} | {:>10.2} {:>7.2} | {:>12.2} {:>7.2} | {:>10.2} {:>7.2} \
             {:>7.2} | {over_mean:>10.2} {over_worst:>7.2} | {}",
            self.sluss.swipes.len(),
            millis(self.floor.mean),
            millis(self.floor.worst),
            millis(host.mean),
            millis(host.worst),
            millis(sluss.mean),
            millis(sluss.p50),
            millis(sluss.worst),
            if is_met { "met" } else { "missed" },
        )
    }

    fn detail(&self) -> String {
        let Case { baud, readers, .. } = self.case;
        let [host, sluss] = [&self.host, &self.sluss].map(|f| Spread::of(f, |s| s.response));
        let [host_slot, sluss_slot] = [&self.host, &self.sluss].map(|f| {
            let mut slots = f.slots.clone();
            slots.sort_unstable();
            slots.get(slots.len() / 2).copied().unwrap_or_default()
        });
        let Lengths {
            poll,
            ack,
            card,
            out,
        } = self.lengths;
        let mut text = String::new();
        let _ = writeln!(
            text,
            "{baud:>6} {readers:>7} | {:>11.2} {:>7.2} {:>7.2} | {:>21.2} | {:>7.2} {:>6.2} \
             {:>7.2} | {:>5.2} {:>6.2} {:>7.2} | {} | {poll}, {ack}, {card}, {out}",
            millis(self.floor.slot),
            millis(host_slot),
            millis(sluss_slot),
            millis(self.floor.response),
            millis(host.mean),
            millis(host.p50),
            millis(host.worst),
            millis(sluss.mean),
            millis(sluss.p50),
            millis(sluss.worst),
            self.load,
        );
        text
    }
}

/// How times spread.
struct Spread {
    mean: Duration,
    p50: Duration,
    worst: Duration,
}

impl Spread {
    fn of(figures: &Figures, what: impl Fn(&Swipe) -> Duration) -> Self {
        let mut times: Vec<Duration> = figures.swipes.iter().map(what).collect();
        times.sort_unstable();
        let count = u32::try_from(times.len()).unwrap_or(u32::MAX).max(1);
        Self {
            mean: times.iter().sum::<Duration>() / count,
            p50: times.get(times.len() / 2).copied().unwrap_or_default(),
            worst: times.last().copied().unwrap_or_default(),
        }
    }
}

fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}

/// Processes that wanted to run in the last minute, on average.
fn load() -> String {
    let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    load.split(' ').next().unwrap_or_default().to_owned()
}

/// The list of the customer.
const LIST: &str = "badge,areas,approver\nB-1,hall,persons/chief\n";

/// One badge, and for each reader a door whose strike and contact hang on it.
fn site() -> String {
    let hex = data_encoding::HEXLOWER.encode(card().bits());
    let mut text = format!(
        "[site]\nname = \"Bench\"\ntime_zone = \"Europe/Stockholm\"\n\
         [[customer]]\nid = \"acme\"\nname = \"Acme\"\n\
         [[area]]\nid = \"lobby\"\nname = \"Lobby\"\nclass = 1\n\
         [[area]]\nid = \"hall\"\nname = \"Hall\"\nclass = 3\ncustomers = [\"acme\"]\n\
         [[person]]\nid = \"chief\"\nname = \"Chief\"\nmay_approve_for = [\"acme\"]\n\
         [[person]]\nid = \"p-1\"\nname = \"Person\"\ncustomers = [\"acme\"]\n\
         [[badge]]\nid = \"b-1\"\nnumber = \"B-1\"\nperson = \"p-1\"\n\
         card = {{ format = \"H10301\", bits = 26, hex = \"{hex}\" }}\n"
    );
    for case in CASES {
        for address in case.addresses() {
            let (bus, reader) = (case.name, case.reader(address));
            let _ = write!(
                text,
                "[[door]]\nid = \"{reader}\"\nname = \"Door\"\nstrike_time = \"{:.1}s\"\n\
                 wiring = {{ reader = \"{reader}\", strike_output = 0, contact_input = 0 }}\n\
                 entry = {{ from = \"lobby\", to = \"hall\" }}\n\
                 [[reader]]\nid = \"{reader}\"\nname = \"Reader\"\naccess_point = \"{reader}-in\"\n\
                 bus = \"{bus}\"\naddress = {address}\ncard_formats = [\"H10301\"]\n",
                STRIKE_TIME.as_secs_f64()
            );
        }
    }
    text
}
