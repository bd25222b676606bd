//! Whoever has no key is nobody: recordings, wrong keys, plain readers.

use std::sync::Arc;

use sluss::env::System;
use sluss::pb::v1 as pb;
use sluss::store::JournalKind;
use sluss::types::{Now, World};
use sluss_sim::{ReaderSettings, SecureKey};

use crate::house::{DEADLINE, Draft, House, alex, devices, key, until_so};
use crate::journal::{journal, those};
use crate::seen::{Watcher, is_release};

const HALL: &str = "d-hall-in";
/// Bytes of the random number that a control panel begins a secure channel with.
const CHALLENGE_BYTES: usize = 8;
/// Sessions in a recording. With a number that repeats each is a new chance for the recording.
const SESSIONS: u64 = 4;
/// Recordings of which one at least has to fit; about three in four do.
const RECORDINGS: u32 = 8;

/// A world whose challenges are always the same, as with a generator that nobody has seeded.
#[derive(Debug)]
struct Forgetful(System);

impl World for Forgetful {
    fn now(&self) -> Now {
        self.0.now()
    }

    fn fill_random(&self, buffer: &mut [u8]) {
        if buffer.len() == CHALLENGE_BYTES {
            buffer.fill(0x5A);
            return;
        }
        self.0.fill_random(buffer);
    }
}

/// Records some sessions with a card in each at the reader of the hall, restarts the server and
/// lets a thing without a key say the same again. How many attempts there were before, and how
/// many the recording added; whether it raised the alarm of a reader that is not trusted.
async fn replayed(world: Arc<dyn World>) -> (usize, usize, bool) {
    let draft = Draft {
        world,
        ..Draft::default()
    };
    let mut house = House::draft(draft).await;
    house.until_secure("r-hall").await;
    let device = house.device("r-hall");
    let mut seen = Watcher::of(&device);
    device.record();
    for session in 1..=SESSIONS {
        device.restart();
        let sessions = async || house.reader("r-hall").await.counters.unwrap().sessions;
        until_so("a new session", async || sessions().await > session).await;
        seen.polls(20);
        device.present(&alex());
        seen.wait(is_release);
        seen.polls(5);
    }
    let before = house.entries(HALL).await.len();
    let recording = device.recording();
    assert!(recording.len() > 100, "{}", recording.len());

    house.stop().await;
    device.replay(recording);
    house.start().await;
    // Until the recording has brought a card, or what it has is used up.
    let mut added = 0;
    until_so("a card, or silence", async || {
        added = house.entries(HALL).await.len() - before;
        let counters = house.reader("r-hall").await.counters.unwrap();
        added > 0 || (counters.replies > 0 && counters.timeouts > 5)
    })
    .await;
    let distrusted = (pb::AlarmKind::ReaderSecurity, "readers/r-hall".to_owned());
    let is_distrusted = house.standing().await.contains(&distrusted);
    house.stop().await;
    (before, added, is_distrusted)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_recorded_session_replayed_without_the_key_brings_no_card() {
    let (before, added, is_distrusted) = replayed(Arc::new(System::start())).await;
    assert_eq!((before, added), (usize::try_from(SESSIONS).unwrap(), 0));
    assert!(is_distrusted);
}

/// The control: where numbers repeat, the same recording passes for the reader.
#[tokio::test(flavor = "multi_thread")]
async fn a_recorded_session_would_bring_a_card_if_random_numbers_repeated() {
    // The recording fits only where orders fall between the same polls as before.
    for _ in 0..RECORDINGS {
        let (_, added, _) = replayed(Arc::new(Forgetful(System::start()))).await;
        if added > 0 {
            return;
        }
    }
    panic!("this test could not tell a replay");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_with_another_key_is_refused_and_brings_no_entry() {
    let mut south = devices("south");
    south[0].key = Some(SecureKey::new(key(99)));
    let draft = Draft {
        south: Some(south),
        ..Draft::default()
    };
    let mut house = House::draft(draft).await;
    let device = house.device("r-hall");
    device.present(&alex());
    house.until_state("r-hall", pb::ReaderState::Refused).await;
    house
        .until_standing(&[(pb::AlarmKind::ReaderSecurity, "readers/r-hall")])
        .await;
    device.present(&alex());
    let status = house.reader("r-hall").await;
    assert!(status.trouble.contains("key"), "{}", status.trouble);
    assert_eq!(
        (status.counters.unwrap().cards, device.output(0)),
        (0, false)
    );
    assert_eq!(house.entries(HALL).await.len(), 0);
    // The reader on the other line is none the worse for it.
    house.until_secure("r-office").await;
    let lines = journal(&mut house).await;
    let raised = those(&lines, JournalKind::AlarmRaised, "READER_SECURITY");
    assert_eq!(raised.len(), 1, "{lines:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plain_reader_at_a_secure_address_is_not_listened_to() {
    let mut house = House::draft(Draft {
        south: Some(vec![ReaderSettings::plain(1)]),
        ..Draft::default()
    })
    .await;
    let device = house.device("r-hall");
    let mut seen = Watcher::of(&device);
    for _ in 0..10 {
        device.present(&alex());
    }
    let refused = tokio::time::timeout(DEADLINE, async {
        loop {
            let status = house.reader("r-hall").await;
            if status.counters.unwrap().naks > 3 && !status.trouble.is_empty() {
                return status;
            }
        }
    });
    let status = refused.await.unwrap();
    assert_ne!(status.state(), pb::ReaderState::Secure);
    assert_ne!(status.state(), pb::ReaderState::Plain);
    assert_eq!((status.counters.unwrap().cards, seen.releases()), (0, 0));
    assert_eq!(house.entries(HALL).await.len(), 0);
    house.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plain_reader_is_listened_to_where_the_site_says_so() {
    let (head, tail) = crate::house::SITE.split_once("address = 1\n").unwrap();
    let (middle, tail) = tail.split_once("address = 1\n").unwrap();
    let site = format!("{head}address = 1\n{middle}address = 1\nsecurity = \"plain\"\n{tail}");
    let mut house = House::draft(Draft {
        site,
        south: Some(vec![ReaderSettings::plain(1)]),
        ..Draft::default()
    })
    .await;
    house.until_state("r-hall", pb::ReaderState::Plain).await;
    let device = house.device("r-hall");
    let mut seen = Watcher::of(&device);
    device.present(&alex());
    seen.wait(is_release);
    assert_eq!(house.entries(HALL).await.len(), 1);
    house.stop().await;
}
