//! Ports that are not there, not ports, not ours, or gone.

use std::sync::Arc;
use std::time::Duration;

use super::scene::{BAUD, SECOND, Scene, is_online, plan, port, reader, simulated};
use crate::control::lines::{FromReader, LinkState, ReaderEvent};
use crate::field::PortFault;
use crate::field::port::Port;

/// Within which a reader is back after the cause of its absence has ended.
const BACK_WITHIN: Duration = Duration::from_secs(3);

fn is_down(report: &FromReader) -> bool {
    matches!(report.event, ReaderEvent::LineDown(_))
}

#[test]
fn what_is_no_serial_port_is_refused_with_its_path() {
    let (folder, path) = port();
    std::fs::write(&path, "a text").unwrap();
    let open = |path: &str| {
        let path = Arc::from(path);
        Port::open(&path, BAUD).map(|_| ()).unwrap_err()
    };
    for path in [
        path.to_str().unwrap(),
        folder.path().to_str().unwrap(),
        "/dev/null",
    ] {
        let fault = open(path);
        assert_eq!(fault, PortFault::NotSerial(Arc::from(path)));
        assert!(
            fault
                .to_string()
                .contains(&format!("`{path}` is not a serial port"))
        );
    }
    let nothing = folder.path().join("nothing");
    let nothing = nothing.to_str().unwrap();
    assert_eq!(open(nothing), PortFault::Missing(Arc::from(nothing)));
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "a text");
}

#[test]
fn a_file_in_place_of_a_port_is_said_once_and_tried_again() {
    let (_folder, path) = port();
    std::fs::write(&path, "a text").unwrap();
    let scene = Scene::start(&[("north", &path)], vec![plan("a", "north", 1)]);
    let why = scene.wait_for(is_down).event;
    let seen = scene.until(|scene| scene.field.lines()[0].counters.faults >= 4);
    assert_eq!(seen, []);
    let said = scene.messages.with("not a serial port");
    assert_eq!(said.len(), 1, "{said:?}");
    assert!(said[0].contains(path.to_str().unwrap()) && said[0].contains("bus=north"));
    let status = scene.status("a");
    assert_eq!(status.state, LinkState::LineDown);
    assert_eq!(why, ReaderEvent::LineDown(Arc::from(status.trouble)));
    std::fs::remove_file(&path).unwrap();
    let _line = simulated(&path, &[1]);
    let there = scene.now();
    let back = scene.wait_for(is_online);
    assert!(back.at.since(there) < BACK_WITHIN);
}

#[test]
fn a_port_that_appears_is_opened_at_once() {
    let (_folder, path) = port();
    let scene = Scene::start(&[("north", &path)], vec![plan("a", "north", 1)]);
    let down = scene.wait_for(is_down);
    let why = format!("port `{}` is not there", path.display());
    let ReaderEvent::LineDown(told) = down.event else {
        unreachable!()
    };
    assert!(told.starts_with(&why), "{told}");
    // Long enough that pauses are at their longest, and that a reader would be offline.
    let long = scene.now().plus(9 * SECOND);
    scene.until(|scene| scene.now() >= long);
    let _line = simulated(&path, &[1]);
    let there = scene.now();
    // Nothing is told before: a reader that could not be asked is not offline.
    let back = scene.wait_for(|_| true);
    assert!(is_online(&back), "{back:?}");
    assert!(back.at.since(there) < SECOND, "{:?}", back.at.since(there));
    assert_eq!(scene.messages.with("is not there").len(), 1);
    assert_eq!(scene.messages.with("open again").len(), 1);
}

#[test]
fn a_reader_that_does_not_come_back_with_its_port_is_offline() {
    let (_folder, path) = port();
    let scene = Scene::start(&[("north", &path)], vec![plan("a", "north", 1)]);
    scene.wait_for(is_down);
    let _line = simulated(&path, &[2]);
    let report = scene.wait_for(|_| true);
    assert_eq!(report.event, ReaderEvent::Offline);
    let status = scene.status("a");
    assert_eq!(status.state, LinkState::Offline);
    assert!(
        status.trouble.contains("does not answer"),
        "{}",
        status.trouble
    );
}

#[test]
fn a_port_of_somebody_else_is_taken_when_it_is_free() {
    let (_folder, path) = port();
    let _line = simulated(&path, &[1]);
    let other = Port::open(&Arc::from(path.to_str().unwrap()), BAUD).unwrap();
    let scene = Scene::start(&[("north", &path)], vec![plan("a", "north", 1)]);
    scene.wait_for(is_down);
    assert!(scene.status("a").trouble.contains("in use"));
    scene.until(|scene| scene.field.lines()[0].counters.faults >= 3);
    drop(other);
    let free = scene.now();
    let back = scene.wait_for(is_online);
    assert!(back.at.since(free) < BACK_WITHIN);
    assert_eq!(scene.messages.with("in use").len(), 1);
}

#[test]
fn an_adapter_that_is_plugged_in_again_is_back_within_3_s() {
    let (_folder, path) = port();
    let line = simulated(&path, &[1]);
    let scene = Scene::start(&[("north", &path)], vec![plan("a", "north", 1)]);
    scene.until_online("a");
    for round in 1..=3 {
        line.unplug().unwrap();
        scene.wait_for(is_down);
        assert_eq!(scene.state("a"), LinkState::LineDown);
        assert!(!scene.field.lines()[0].is_open);
        line.replug().unwrap();
        let there = scene.now();
        line.reader(1).unwrap().present_bits(26, &[0, 0, 0, round]);
        scene.until_online("a");
        line.reader(1).unwrap().present_bits(26, &[0, 0, 0, round]);
        let card = scene.wait_for(|report| matches!(report.event, ReaderEvent::Card(_)));
        assert!(card.at.since(there) < BACK_WITHIN);
        let said = scene.messages.with("WARN");
        assert_eq!(said.len(), usize::from(round), "{said:?}");
    }
}

#[test]
fn a_line_without_its_port_is_no_concern_of_another() {
    let (_folder, path) = port();
    let (_other_folder, other_path) = port();
    let line = simulated(&path, &[1]);
    let other = simulated(&other_path, &[1]);
    let lines = [("north", path.as_path()), ("south", other_path.as_path())];
    let plans = vec![plan("a", "north", 1), plan("b", "south", 1)];
    let scene = Scene::start(&lines, plans);
    scene.until(|scene| {
        let states = [scene.state("a"), scene.state("b")];
        states == [LinkState::Secure; 2]
    });
    line.unplug().unwrap();
    let before = scene.status("b").counters;
    scene.wait_for(is_down);
    for card in 0..5 {
        other.reader(1).unwrap().present_bits(26, &[0, 0, 0, card]);
        let report = scene.wait_for(|report| matches!(report.event, ReaderEvent::Card(_)));
        assert_eq!(report.reader, reader("b"));
    }
    let after = scene.status("b").counters;
    assert_eq!(
        (after.timeouts, after.sessions),
        (before.timeouts, before.sessions)
    );
    assert_eq!(scene.state("a"), LinkState::LineDown);
}
