//! Ports that are not there, not ports, not ours, or gone.

use std::time::Duration;

use sluss::pb::v1 as pb;
use sluss_sim::{BusSettings, SimBus};

use crate::house::{BAUD, Draft, House, alex, devices, until_so};
use crate::seen::{Watcher, is_release};

const DOWN: (pb::AlarmKind, &str) = (pb::AlarmKind::BusDown, "buses/south");

/// Waits until the reader list says this of the line, with the path of its port.
async fn until_said(house: &House, what: &str) {
    let path = house.port("south");
    until_so(what, async || {
        let status = house.reader("r-hall").await;
        let path = path.to_str().unwrap();
        status.port == path
            && status.state() == pb::ReaderState::BusDown
            && status.trouble.contains(&format!("`{path}`"))
            && status.trouble.contains(what)
    })
    .await;
}

fn opens(house: &House, reader: &str) {
    let device = house.device(reader);
    let mut seen = Watcher::of(&device);
    device.present(&alex());
    seen.wait(is_release);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_port_that_cannot_be_used_is_said_with_its_path_and_tried_again() {
    let mut house = House::draft(Draft {
        south: None,
        ..Draft::default()
    })
    .await;
    house.until_secure("r-office").await;
    let path = house.port("south");
    until_said(&house, "is not there").await;
    house.until_standing(&[DOWN]).await;
    opens(&house, "r-office");

    std::fs::write(&path, "a text").unwrap();
    until_said(&house, "is not a serial port").await;
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "a text");
    std::fs::remove_file(&path).unwrap();

    let elsewhere = house.port("elsewhere");
    let line = SimBus::start(BusSettings::new(&elsewhere, BAUD), devices("south"));
    house.south = Some(line.unwrap());
    let other = serialport::new(elsewhere.to_str().unwrap(), BAUD);
    let mut other = other.open_native().unwrap();
    other.set_exclusive(true).unwrap();
    std::os::unix::fs::symlink(&elsewhere, &path).unwrap();
    until_said(&house, "is in use").await;
    house.until_standing(&[DOWN]).await;
    drop(other);
    house.until_secure("r-hall").await;
    house.until_standing(&[]).await;
    opens(&house, "r-hall");
    // One alarm for all that: it is the same line that could not be used.
    assert_eq!(house.alarms().await.len(), 1);
    house.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_line_that_is_unplugged_is_said_and_back_soon_and_no_concern_of_the_other() {
    let mut house = House::open().await;
    let before = house.reader("r-office").await.counters.unwrap();
    let device = house.device("r-hall");
    let mut seen = Watcher::of(&device);
    for _ in 0..3 {
        let line = house.south.as_ref().unwrap();
        line.unplug().unwrap();
        until_said(&house, "is not there").await;
        house.until_standing(&[DOWN]).await;
        let plugged = device.clear_faults();
        line.replug().unwrap();
        let back = seen.opens_after(&alex(), plugged);
        assert!(back < Duration::from_secs(3), "{back:?}");
        house.until_standing(&[]).await;
    }
    let now = house.reader("r-office").await.counters.unwrap();
    assert_eq!(now.sessions, before.sessions);
    let (lost, answered) = (now.timeouts - before.timeouts, now.replies - before.replies);
    assert!(lost * 100 <= answered, "{lost} of {answered}");
    house.stop().await;
}
