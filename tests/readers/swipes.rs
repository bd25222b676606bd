//! A card at a reader: what opens, what is written, what is shown.

use std::time::{Duration, Instant};

use sluss::pb::v1 as pb;
use sluss::pb::v1::subject::Subject;
use sluss_sim::{Card, DoorWiring, Person, ReaderHandle, Seen, SimDoor};

use crate::house::{House, alex, until_so};
use crate::seen::{Watcher, denied, granted, is_lock, is_release};

const OFFICE: &str = "d-office-in";

/// The door of the office as it is wired in the site file.
pub(crate) fn office_door(house: &House) -> SimDoor {
    let wiring = DoorWiring {
        strike_output: 0,
        contact_input: Some(0),
        request_to_exit_input: Some(1),
    };
    SimDoor::wire(&house.device("r-office"), wiring)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_swipe_opens_the_door_and_its_entry_is_in_the_feed_by_then() {
    let mut house = House::open().await;
    let device = house.device("r-office");
    let mut seen = Watcher::of(&device);
    let presented = device.present(&alex());
    let released = seen.wait(is_release);
    assert_eq!(
        released.what,
        Seen::Output {
            number: 0,
            is_on: true
        }
    );
    let entries = house.entries(OFFICE).await;
    let [entry] = entries.as_slice() else {
        panic!("{entries:?}")
    };
    assert_eq!(entry.decision(), pb::Decision::Grant);
    let badge = Subject::BadgeNumber("A-1001".to_owned());
    assert_eq!(entry.subject.as_ref().unwrap().subject, Some(badge));
    assert_eq!(entry.verified, [i32::from(pb::Factor::Badge)]);
    seen.wait(granted);
    let locked = seen.wait(is_lock);
    let lasted = locked.at.duration_since(released.at);
    // The strike time is a second; the reader counts it in tenths.
    assert!(lasted >= Duration::from_millis(800), "{lasted:?}");
    assert!(lasted <= Duration::from_millis(1_600), "{lasted:?}");
    assert!(released.at > presented);
    assert_eq!(seen.releases(), 1);
    house.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_contact_tells_whether_access_was_taken() {
    use pb::DoorEventKind::{AccessNotTaken, AccessTaken};
    let mut house = House::open().await;
    let door = office_door(&house);
    let device = house.device("r-office");
    let mut seen = Watcher::of(&device);
    door.person(Person::Opens {
        after: Duration::from_millis(200),
        open_for: Some(Duration::from_millis(500)),
    });
    device.present(&alex());
    seen.wait(|seen| *seen == Seen::DoorOpen(false));
    house.until_events("d-office", &[AccessTaken]).await;
    // Somebody who comes before the door is seen closed may have passed with the first.
    house
        .until_position("d-office", pb::DoorPosition::Closed)
        .await;
    door.person(Person::Stays);
    device.present(&alex());
    seen.wait(is_release);
    house
        .until_events("d-office", &[AccessTaken, AccessNotTaken])
        .await;
    assert_eq!(house.standing().await, []);
    house.stop().await;
}

/// What somebody presents, and why it opens nothing.
async fn denies(house: &House, present: impl Fn(&ReaderHandle) -> Instant) -> Vec<i32> {
    let device = house.device("r-office");
    let mut seen = Watcher::of(&device);
    let before = house.entries(OFFICE).await.len();
    present(&device);
    seen.wait(denied);
    seen.polls(30);
    assert_eq!(seen.releases(), 0, "{:?}", seen.all());
    let entries = house.entries(OFFICE).await;
    assert_eq!(entries.len(), before + 1);
    let entry = entries.last().unwrap();
    assert_eq!(entry.decision(), pb::Decision::Denial);
    entry.reasons.clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_denied_shows_red_and_releases_nothing() {
    use pb::DenialReason::{CardFormatNotAccepted, CardParity, UnknownCard};
    let mut house = House::open().await;
    let unknown = denies(&house, |d| d.present(&Card::h10301(42, 9999))).await;
    assert_eq!(unknown, [i32::from(UnknownCard)]);
    // Alex's card with one bit of its number misread.
    let mut bits = alex().bits().to_vec();
    bits[2] ^= 1;
    let misread = denies(&house, |d| d.present_bits(26, &bits)).await;
    assert_eq!(misread, [i32::from(CardParity)]);
    // The bits of Alex's card, and eight more.
    let mut bits = alex().bits().to_vec();
    bits.push(0);
    let long = denies(&house, |d| d.present_bits(34, &bits)).await;
    assert_eq!(long, [i32::from(CardFormatNotAccepted)]);
    house.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn bits_whose_length_is_a_lie_are_no_card() {
    let mut house = House::open().await;
    let device = house.device("r-office");
    let mut seen = Watcher::of(&device);
    for (length, bytes) in [(26, 3), (26, 5), (0, 0), (u16::MAX, 4), (0, 4), (512, 1)] {
        device.present_bits(length, &alex().bits().repeat(2)[..bytes]);
    }
    device.present_text("95181CC0");
    seen.polls(60);
    assert_eq!((seen.releases(), house.entries(OFFICE).await.len()), (0, 0));
    device.present(&alex());
    seen.wait(is_release);
    assert_eq!(house.entries(OFFICE).await.len(), 1);
    house.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn invariant_10_removed_means_removed_at_the_very_next_swipe() {
    let mut house = House::open().await;
    let device = house.device("r-office");
    let mut seen = Watcher::of(&device);
    device.present(&alex());
    seen.wait(is_release);
    seen.wait(is_lock);
    let kept = "badge,name,areas,doors,schedule,valid from,valid until,approver
A-1002,Robin Berg,office,,round-the-clock,2024-01-01,,persons/p-190
";
    house.apply_list(kept).await.unwrap();
    device.present(&alex());
    seen.wait(denied);
    seen.polls(30);
    assert_eq!(seen.releases(), 1);
    let last = house.entries(OFFICE).await.pop().unwrap();
    let reason = pb::DenialReason::NotOnAccessList;
    assert_eq!(last.reasons, [i32::from(reason)]);
    house.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_that_is_removed_is_no_longer_spoken_to() {
    let mut house = House::open().await;
    let device = house.device("r-hall");
    let mut seen = Watcher::of(&device);
    let (site, _) = crate::house::SITE
        .split_once("[[door]]\nid = \"d-hall\"")
        .unwrap();
    let (_, rest) = crate::house::SITE
        .split_once("[[reader]]\nid = \"r-office\"")
        .unwrap();
    let (first, rest) = rest.split_once("[[reader]]\nid = \"r-hall\"").unwrap();
    let (_, rest) = rest.split_once("[[schedule]]").unwrap();
    let without = format!("{site}[[reader]]\nid = \"r-office\"{first}[[schedule]]{rest}");
    house.apply_site(&without).await.unwrap();
    device.present(&alex());
    // It is not polled any more, so that it finds out by itself.
    seen.wait(|seen| *seen == Seen::Offline);
    assert_eq!(seen.releases(), 0);
    assert_eq!(house.entries("d-hall-in").await.len(), 0);
    let office = house.device("r-office");
    let mut seen = Watcher::of(&office);
    office.present(&alex());
    seen.wait(is_release);
    house.apply_site(crate::house::SITE).await.unwrap();
    house.until_secure("r-hall").await;
    let polls = device.polls();
    until_so("it is polled again", async || device.polls() > polls + 20).await;
    // What it kept from the time in which it was nobody's opens nothing.
    assert_eq!(Watcher::of(&device).releases(), 0);
    assert_eq!(house.entries("d-hall-in").await.len(), 0);
    house.stop().await;
}
