//! Lines that carry rubbish, readers that misbehave: counted, nothing opens, soon over.

use std::io::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serialport::{SerialPort as _, TTYPort};
use sluss::pb::v1 as pb;
use sluss_sim::{BusSettings, FaultKind, SimBus};

use crate::house::{BAUD, Draft, House, alex, devices, until_so};
use crate::seen::{Watcher, is_lock};

/// Within which a reader is back after the cause of its absence has ended.
const BACK_WITHIN: Duration = Duration::from_secs(3);

/// What a reader had lost and answered at a moment.
struct Neighbour {
    reader: &'static str,
    before: pb::ReaderCounters,
}

impl Neighbour {
    async fn at(house: &House, reader: &'static str) -> Self {
        let before = house.reader(reader).await.counters.unwrap();
        Self { reader, before }
    }

    /// It was polled all the time, and lost nothing. One in a hundred is the machine's, which
    /// may have more to do than lets a simulated reader answer in its time.
    async fn noticed_nothing(&self, house: &House, polls_min: u64) {
        let now = house.reader(self.reader).await.counters.unwrap();
        let answered = now.replies - self.before.replies;
        let lost = now.timeouts - self.before.timeouts;
        assert!(answered >= polls_min, "{answered} of {}", self.reader);
        assert!(lost * 100 <= answered, "{lost} of {answered} lost");
        assert_eq!(now.sessions, self.before.sessions);
    }
}

async fn entries(house: &House) -> usize {
    let mut count = 0;
    for point in ["d-office-in", "d-cage-in", "d-hall-in"] {
        count += house.entries(point).await.len();
    }
    count
}

fn counted(counters: &pb::ReaderCounters) -> u64 {
    counters.bad_frames + counters.bad_macs + counters.dropped + counters.timeouts + counters.busy
}

/// What goes wrong with the reader of the office alone, and whether its line is jammed by it.
const FAULTS: [FaultKind; 9] = [
    FaultKind::ReplyLost,
    FaultKind::ReplyLate(Duration::from_millis(300)),
    FaultKind::ReplyCorrupted,
    FaultKind::ReplyTruncated,
    FaultKind::WrongSequence,
    FaultKind::WrongAddress,
    FaultKind::WrongMac,
    FaultKind::Busy,
    FaultKind::Silence,
];

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_that_misbehaves_is_counted_opens_nothing_and_is_back_within_3_s() {
    let mut house = House::open().await;
    let device = house.device("r-office");
    let mut seen = Watcher::of(&device);
    for fault in FAULTS {
        let before = house.reader("r-office").await.counters.unwrap();
        let (releases, written) = (seen.releases(), entries(&house).await);
        let on_other_line = Neighbour::at(&house, "r-hall").await;
        let on_same_line = Neighbour::at(&house, "r-cage").await;
        device.fault(fault.until_cleared());
        until_so("it is counted", async || {
            let now = house.reader("r-office").await.counters.unwrap();
            counted(&now) >= counted(&before) + 2
        })
        .await;
        let neighbour = Watcher::of(&house.device("r-hall"));
        neighbour.polls(60);
        assert_eq!(
            (seen.releases(), entries(&house).await),
            (releases, written)
        );
        let ended = device.clear_faults();
        on_other_line.noticed_nothing(&house, 60).await;
        // A reply that is late or of another address comes in the neighbour's slot.
        let is_in_its_slot = matches!(fault, FaultKind::ReplyLate(_) | FaultKind::WrongAddress);
        if !is_in_its_slot {
            on_same_line.noticed_nothing(&house, 1).await;
        }
        let back = seen.opens_after(&alex(), ended);
        assert!(back < BACK_WITHIN, "{fault:?}: {back:?}");
        seen.wait(is_lock);
    }
    house.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reply_that_comes_twice_or_an_echo_changes_nothing() {
    let mut house = House::open().await;
    let device = house.device("r-office");
    let mut seen = Watcher::of(&device);
    let before = house.reader("r-office").await.counters.unwrap();
    device.fault(FaultKind::ReplyDuplicated.until_cleared());
    house.north.as_ref().unwrap().echo(true);
    seen.polls(50);
    device.present(&alex());
    seen.wait(crate::seen::is_release);
    seen.wait(is_lock);
    seen.polls(50);
    assert_eq!((seen.releases(), entries(&house).await), (1, 1));
    let now = house.reader("r-office").await.counters.unwrap();
    assert_eq!(now.sessions, before.sessions);
    house.stop().await;
}

/// Jams the line of two readers by what `jam` begins; the end of it is what `end` says.
async fn jammed(
    jam: impl Fn(&House) -> Option<std::time::Instant>,
    end: impl Fn(&House) -> Option<std::time::Instant>,
) {
    let mut house = House::open().await;
    let (office, cage) = (house.device("r-office"), house.device("r-cage"));
    let (mut at_office, at_cage) = (Watcher::of(&office), Watcher::of(&cage));
    let before = house.reader("r-office").await.counters.unwrap();
    let on_other_line = Neighbour::at(&house, "r-hall").await;
    let ends_at = jam(&house);
    Watcher::of(&house.device("r-hall")).polls(200);
    on_other_line.noticed_nothing(&house, 200).await;
    assert_eq!((at_office.releases(), entries(&house).await), (0, 0));
    let ended = end(&house).or(ends_at).unwrap();
    let back = at_office.opens_after(&alex(), ended);
    assert!(back < BACK_WITHIN, "{back:?}");
    let polls = cage.polls();
    until_so("its neighbour is back", async || cage.polls() > polls + 20).await;
    house.until_secure("r-cage").await;
    at_cage.polls(20);
    let now = house.reader("r-office").await.counters.unwrap();
    assert!(counted(&now) > counted(&before));
    on_other_line.noticed_nothing(&house, 200).await;
    house.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn noise_on_a_line_opens_nothing_and_its_readers_are_back_within_3_s() {
    let noise = |house: &House| {
        let line = house.north.as_ref().unwrap();
        Some(line.noise(Duration::from_secs(2)))
    };
    jammed(noise, |_| None).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_that_never_stops_is_over_3_s_after_it_stops() {
    let babble = |house: &House| {
        let device = house.device("r-cage");
        device.fault(FaultKind::NeverStops.until_cleared());
        None
    };
    jammed(babble, |house| Some(house.device("r-cage").clear_faults())).await;
}

/// Frames that announce what never comes, frames that are too short, half frames, and bytes of
/// every kind; the same each time.
fn rubbish() -> Vec<u8> {
    let mut bytes = Vec::new();
    for length in [0_u16, 1, 6, 7, 8, 128, 1_440, 1_441, 0x7FFF, u16::MAX] {
        let [low, high] = length.to_le_bytes();
        bytes.extend([0xFF, 0x53, 0x81, low, high, 0x04, 0x40]);
        bytes.extend([0x53, 0x81, low, high, 0x0C, low, 0x15, high]);
        bytes.extend([0x53, 0x01, low, high]);
    }
    let mut state = 0x2545_F491_u32;
    for _ in 0..4_000 {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        bytes.extend(state.to_be_bytes());
    }
    bytes
}

#[tokio::test(flavor = "multi_thread")]
async fn invariant_9_bytes_of_any_kind_on_a_line_open_nothing() {
    let mut house = House::draft(Draft {
        south: None,
        ..Draft::default()
    })
    .await;
    for reader in ["r-office", "r-cage"] {
        house.until_secure(reader).await;
    }
    let neighbour = Neighbour::at(&house, "r-office").await;
    let (mut master, slave) = TTYPort::pair().unwrap();
    let port = house.port("south");
    std::os::unix::fs::symlink(slave.name().unwrap(), &port).unwrap();
    // The port is the server's alone.
    drop(slave);
    let is_over = Arc::new(AtomicBool::new(false));
    let over = Arc::clone(&is_over);
    let babbler = std::thread::spawn(move || {
        let rubbish = rubbish();
        while !over.load(Ordering::Relaxed) {
            for piece in rubbish.chunks(61) {
                // Full, or not opened by the server yet: it reads at its own pace.
                let _sent = master.write(piece);
                std::thread::park_timeout(Duration::from_millis(1));
            }
        }
    });
    until_so("it is counted", async || {
        let counters = house.reader("r-hall").await.counters.unwrap();
        counters.bad_frames > 20 && counters.commands > 5
    })
    .await;
    Watcher::of(&house.device("r-office")).polls(200);
    let status = house.reader("r-hall").await;
    let counters = status.counters.unwrap();
    assert_ne!(status.state(), pb::ReaderState::Secure);
    assert_eq!((counters.cards, counters.sessions), (0, 0));
    assert_eq!(entries(&house).await, 0);
    neighbour.noticed_nothing(&house, 200).await;

    is_over.store(true, Ordering::Relaxed);
    babbler.join().unwrap();
    std::fs::remove_file(&port).unwrap();
    let line = SimBus::start(BusSettings::new(&port, BAUD), devices("south"));
    house.south = Some(line.unwrap());
    house.until_secure("r-hall").await;
    let mut seen = Watcher::of(&house.device("r-hall"));
    house.device("r-hall").present(&alex());
    seen.wait(crate::seen::is_release);
    house.stop().await;
}
