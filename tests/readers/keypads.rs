//! Badge and PIN at a keypad.

use sluss::pb::v1 as pb;
use sluss_sim::{Card, ReaderHandle};

use crate::house::{House, alex, robin};
use crate::seen::{AMBER, Watcher, denied, granted, is_lock, is_release, shows};

const CAGE: &str = "d-cage-in";

/// Shows a card, and types keys when the reader asks for them.
fn present(device: &ReaderHandle, seen: &mut Watcher, (card, keys): (&Card, &str)) {
    device.present(card);
    seen.wait(shows(AMBER, true));
    device.type_keys(keys).unwrap();
}

async fn last(house: &House) -> pb::EntryRecord {
    house.entries(CAGE).await.pop().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_card_and_its_pin_open_and_neither_does_alone() {
    let mut house = House::open().await;
    let device = house.device("r-cage");
    let mut seen = Watcher::of(&device);
    // Keys without a card are nobody's.
    device.type_keys("2846#").unwrap();
    seen.polls(30);
    assert_eq!((seen.releases(), house.entries(CAGE).await.len()), (0, 0));

    present(&device, &mut seen, (&alex(), "2846#"));
    seen.wait(is_release);
    seen.wait(granted);
    let entry = last(&house).await;
    let both = [pb::Factor::Badge, pb::Factor::Pin].map(i32::from);
    assert_eq!(entry.verified, both);
    seen.wait(is_lock);

    // What was typed wrongly is taken back with a star.
    present(&device, &mut seen, (&alex(), "99*2846#"));
    seen.wait(is_release);
    seen.wait(is_lock);

    // A card on its own, said to be all.
    present(&device, &mut seen, (&alex(), "#"));
    seen.wait(denied);
    assert_eq!(
        last(&house).await.reasons,
        [i32::from(pb::DenialReason::PinRequired)]
    );

    // Another card in the middle: the first gets its entry, the PIN is the second's.
    device.present(&robin());
    seen.wait(shows(AMBER, true));
    present(&device, &mut seen, (&alex(), "7319#"));
    seen.wait(denied);
    seen.wait(denied);
    let entries = house.entries(CAGE).await;
    let reasons: Vec<_> = entries[3..].iter().map(|e| e.reasons.clone()).collect();
    let [required, wrong] =
        [pb::DenialReason::PinRequired, pb::DenialReason::InvalidPin].map(i32::from);
    assert_eq!(reasons, [vec![required], vec![wrong]]);
    seen.polls(30);
    assert_eq!(seen.releases(), 2);
    house.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_pins_lock_their_person_out_and_nobody_else() {
    use pb::DenialReason::{InvalidPin, PinLockedOut};
    let mut house = House::open().await;
    let device = house.device("r-cage");
    let mut seen = Watcher::of(&device);
    for _ in 0..5 {
        present(&device, &mut seen, (&robin(), "1111#"));
        seen.wait(denied);
        assert!(last(&house).await.reasons.contains(&InvalidPin.into()));
    }
    present(&device, &mut seen, (&robin(), "7319#"));
    seen.wait(denied);
    assert_eq!(last(&house).await.reasons, [i32::from(PinLockedOut)]);
    seen.polls(30);
    assert_eq!(seen.releases(), 0);
    present(&device, &mut seen, (&alex(), "2846#"));
    seen.wait(is_release);

    // A restart of the server forgives nothing.
    house.stop().await;
    house.start().await;
    house.until_secure("r-cage").await;
    let mut seen = Watcher::of(&device);
    present(&device, &mut seen, (&robin(), "7319#"));
    seen.wait(denied);
    assert_eq!(last(&house).await.reasons, [i32::from(PinLockedOut)]);
    house.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn duress_opens_raises_an_alarm_and_looks_like_any_other_entry() {
    let mut house = House::open().await;
    let device = house.device("r-cage");
    let mut seen = Watcher::of(&device);
    present(&device, &mut seen, (&alex(), "2846#"));
    seen.wait(is_release);
    seen.wait(granted);
    seen.wait(is_lock);
    assert_eq!(house.standing().await, []);
    present(&device, &mut seen, (&alex(), "2847#"));
    seen.wait(is_release);
    seen.wait(granted);
    house
        .until_standing(&[(pb::AlarmKind::Duress, "doors/d-cage")])
        .await;
    let mut entries = house.entries(CAGE).await;
    for entry in &mut entries {
        // When, and which in the row, differ between any two.
        entry.time = None;
        entry.source_counter = 0;
    }
    assert_eq!(entries.len(), 2);
    assert_eq!(entries[0], entries[1]);
    // Nothing else in the feed tells of it either.
    assert_eq!(house.events("d-cage").await, []);
    let alarm = house.alarms().await.remove(0);
    for name in ["Alex", "Morgan", "p-101", "A-1001"] {
        assert!(!alarm.detail.contains(name), "{}", alarm.detail);
    }
    house.stop().await;
}
