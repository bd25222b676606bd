//! Nothing opens without a durable entry (invariant 1), read at the output of the reader.

use std::fs::OpenOptions;
use std::sync::Arc;

use sluss::pb::v1 as pb;
use sluss::store::JournalKind;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;
use tonic_types::StatusExt as _;

use crate::disks::{Failing, SwitchedDisk};
use crate::house::{Draft, House, alex, until, until_so};
use crate::journal::{journal, those};
use crate::seen::{Watcher, is_lock, is_release, trouble};

const OFFICE: &str = "d-office-in";
const STORE_TROUBLE: [(pb::AlarmKind, &str); 1] = [(pb::AlarmKind::StoreTrouble, "store")];

async fn on(disk: &SwitchedDisk) -> House {
    let disk = Arc::new(disk.clone());
    let draft = Draft {
        disk,
        ..Draft::default()
    };
    let house = House::draft(draft).await;
    house.until_secure("r-office").await;
    house.until_secure("r-hall").await;
    house
}

/// What the health service says of the decisions.
async fn health(house: &House) -> ServingStatus {
    let mut client = HealthClient::new(house.operator().await);
    let request = HealthCheckRequest {
        service: "sluss.v1.DoorService".to_owned(),
    };
    client.check(request).await.unwrap().into_inner().status()
}

#[tokio::test(flavor = "multi_thread")]
async fn invariant_1_a_store_that_fails_never_energises_the_strike() {
    let disk = SwitchedDisk::new(Failing::Everything);
    let mut house = on(&disk).await;
    let (office, hall) = (house.device("r-office"), house.device("r-hall"));
    let (mut at_office, mut at_hall) = (Watcher::of(&office), Watcher::of(&hall));
    office.present(&alex());
    at_office.wait(is_release);
    at_office.wait(is_lock);

    disk.fails(true);
    for _ in 0..5 {
        office.present(&alex());
        hall.present(&alex());
        at_office.wait(trouble);
        at_hall.wait(trouble);
    }
    let refused = house.order("d-office", pb::DoorAction::Open, None).await;
    assert_eq!(refused.unwrap_err().code(), tonic::Code::Unavailable);
    house.until_standing(&STORE_TROUBLE).await;
    until(&ServingStatus::NotServing, async || health(&house).await).await;

    // What cannot be known again is not believed again while this server runs.
    disk.fails(false);
    office.present(&alex());
    at_office.wait(trouble);
    at_office.polls(100);
    at_hall.polls(100);
    assert_eq!((at_office.releases(), at_hall.releases()), (1, 0));

    house.stop().await;
    house.start().await;
    house.until_secure("r-office").await;
    assert_eq!((at_office.releases(), at_hall.releases()), (1, 0));
    until(&ServingStatus::Serving, async || health(&house).await).await;
    office.present(&alex());
    at_office.wait(is_release);
    assert_eq!(house.standing().await, []);
    house.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn invariant_1_leave_that_comes_too_late_opens_nothing_and_is_said() {
    let disk = SwitchedDisk::new(Failing::Slow);
    let mut house = on(&disk).await;
    let device = house.device("r-office");
    let mut seen = Watcher::of(&device);
    disk.fails(true);
    device.present(&alex());
    seen.wait(trouble);
    let ordered = house.order("d-office", pb::DoorAction::Open, None).await;
    let info = ordered.unwrap_err().get_details_error_info().unwrap();
    assert_eq!(info.reason, "GRANT_STALE");
    disk.fails(false);
    // Both are on disk by now.
    until(&1, async || house.entries(OFFICE).await.len()).await;
    // The grant stands in the feed, and so does that it was of no use.
    let told = [
        pb::DoorEventKind::AccessNotTaken,
        pb::DoorEventKind::OpenedByOrder,
    ];
    house.until_events("d-office", &told).await;
    seen.polls(50);
    assert_eq!(seen.releases(), 0);
    device.present(&alex());
    seen.wait(is_release);
    // The journal says that nobody passed by them.
    let lines = journal(&mut house).await;
    let not_taken = those(&lines, JournalKind::AccessNotTaken, "");
    assert_eq!(not_taken.len(), 2, "{lines:?}");
}

/// Leaves so many bytes free in the newest segment, as if the others were written already.
fn shorten_segment(house: &House, free: u64) {
    let is_segment = |path: &std::path::Path| path.extension().is_some_and(|e| e == "seg");
    let files = std::fs::read_dir(&house.config.folders.store).unwrap();
    let mut segments: Vec<_> = files.map(|file| file.unwrap().path()).collect();
    segments.retain(|path| is_segment(path));
    segments.sort();
    let path = segments.last().unwrap();
    let bytes = std::fs::read(path).unwrap();
    let used = bytes.iter().rposition(|byte| *byte != 0).unwrap();
    let used = u64::try_from(used).unwrap().next_multiple_of(512);
    let file = OpenOptions::new().write(true).open(path).unwrap();
    file.set_len(used + free).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn invariant_1_a_full_disk_never_energises_the_strike_until_there_is_room() {
    let disk = SwitchedDisk::new(Failing::NewFiles);
    let mut house = on(&disk).await;
    house.stop().await;
    shorten_segment(&house, 8 * 1024);
    disk.fails(true);
    house.start().await;
    house.until_secure("r-office").await;
    let device = house.device("r-office");
    let mut seen = Watcher::of(&device);
    // As long as there is room in this segment cards open; then one does not.
    let mut opened = 0;
    loop {
        device.present(&alex());
        if trouble(&seen.wait(|seen| is_release(seen) || trouble(seen)).what) {
            break;
        }
        opened += 1;
        assert!(opened < 50, "8 KiB have room for so many entries");
        seen.wait(is_lock);
    }
    house.until_standing(&STORE_TROUBLE).await;
    until(&ServingStatus::NotServing, async || health(&house).await).await;
    for _ in 0..3 {
        device.present(&alex());
        seen.wait(trouble);
    }
    seen.polls(50);
    assert_eq!(seen.releases(), opened);

    disk.fails(false);
    until(&ServingStatus::Serving, async || health(&house).await).await;
    house.until_standing(&[]).await;
    // What waited for room is written now; it opens nothing any more.
    until_so("it is written", async || {
        house.entries(OFFICE).await.len() > opened
    })
    .await;
    seen.polls(50);
    assert_eq!(seen.releases(), opened);
    device.present(&alex());
    seen.wait(is_release);

    let lines = journal(&mut house).await;
    let kinds = [JournalKind::AlarmRaised, JournalKind::AlarmCleared];
    let written = kinds.map(|kind| those(&lines, kind, "STORE_TROUBLE").len());
    assert_eq!(written, [1, 1], "{lines:?}");
}
