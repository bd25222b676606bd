//! Lines that talk rubbish, readers that are not who they should be, nobody who listens.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serialport::{SerialPort as _, TTYPort};
use sluss_sim::{FaultKind, SimBus};

use super::scene::{SECOND, Scene, is_online, key, plan, port, reader, simulated};
use crate::control::lines::{FromReader, LinkState, ReaderEvent, ReaderLines as _};
use crate::types::Moment;

fn is_card(report: &FromReader) -> bool {
    matches!(report.event, ReaderEvent::Card(_))
}

/// Presents cards at a reader until one goes up; when it did. What is read before a session is
/// up is dropped, so that one card is not enough.
fn card_goes_up(scene: &Scene, line: &SimBus, (address, name): (u8, &str)) -> Moment {
    for _ in 0..100 {
        line.reader(address)
            .unwrap()
            .present_bits(26, &[0x95, 0x18, 0x1C, 0xC0]);
        let until = scene.now().plus(Duration::from_millis(100));
        let seen = scene.until(|scene| scene.now() >= until);
        let is_its = |report: &&FromReader| report.reader == reader(name) && is_card(report);
        if let Some(card) = seen.iter().find(is_its) {
            return card.at;
        }
    }
    panic!("no card of {name}: {:?}", scene.field.statuses());
}

fn both_online(scene: &Scene) {
    scene.until(|scene| [scene.state("a"), scene.state("b")] == [LinkState::Secure; 2]);
}

#[test]
fn readers_are_back_within_3_s_of_noise() {
    let (_folder, path) = port();
    let line = simulated(&path, &[1, 2]);
    let plans = vec![plan("a", "north", 1), plan("b", "north", 2)];
    let scene = Scene::start(&[("north", &path)], plans);
    both_online(&scene);
    line.noise(2 * SECOND);
    let end = scene.now().plus(2 * SECOND);
    scene.until(|scene| scene.now() >= end);
    for who in [(1, "a"), (2, "b")] {
        let card = card_goes_up(&scene, &line, who);
        assert!(card.since(end) < 3 * SECOND, "{:?}", card.since(end));
    }
    assert!(scene.field.lines()[0].counters.noise_bytes > 100);
}

#[test]
fn a_reader_that_never_stops_talking_keeps_no_thread_from_stopping() {
    let (_folder, path) = port();
    let line = simulated(&path, &[1, 2]);
    let plans = vec![plan("a", "north", 1), plan("b", "north", 2)];
    let mut scene = Scene::start(&[("north", &path)], plans);
    both_online(&scene);
    line.reader(2)
        .unwrap()
        .fault(FaultKind::NeverStops.until_cleared());
    let is_off = |report: &FromReader| report.event == ReaderEvent::Offline;
    scene.wait_for(is_off);
    line.reader(2).unwrap().clear_faults();
    let quiet = scene.now();
    for who in [(1, "a"), (2, "b")] {
        let card = card_goes_up(&scene, &line, who);
        assert!(card.since(quiet) < 3 * SECOND, "{:?}", card.since(quiet));
    }
    line.reader(2)
        .unwrap()
        .fault(FaultKind::NeverStops.until_cleared());
    let took = scene.stop();
    assert!(took < SECOND, "{took:?}");
}

#[test]
fn a_flood_of_bytes_is_bounded_and_counted() {
    let (mut master, slave) = TTYPort::pair().unwrap();
    let path = slave.name().unwrap();
    let is_over = Arc::new(AtomicBool::new(false));
    let over = Arc::clone(&is_over);
    // Starts of frames that announce much, and never their end.
    let flood = [0x53, 0x81, 0xA0, 0x05, 0x05].repeat(100);
    let babbler = std::thread::spawn(move || {
        while !over.load(Ordering::Relaxed) {
            let _sent = master.write(&flood);
        }
    });
    let mut scene = Scene::start(&[("north", Path::new(&path))], vec![plan("a", "north", 1)]);
    let seen = scene.until(|scene| scene.field.lines()[0].counters.floods >= 3);
    assert!(
        seen.iter().all(|r| r.event == ReaderEvent::Offline),
        "{seen:?}"
    );
    let took = scene.stop();
    assert!(took < SECOND, "{took:?}");
    is_over.store(true, Ordering::Relaxed);
    drop(slave);
    babbler.join().unwrap();
}

#[test]
fn a_reader_with_another_key_is_refused_until_it_has_the_right_one() {
    let (_folder, path) = port();
    let line = simulated(&path, &[1]);
    let keys = Arc::new(Mutex::new(BTreeMap::from([(reader("a"), key(99))])));
    let plans = vec![plan("a", "north", 1)];
    let scene = Scene::start_with(&[("north", &path)], plans, Arc::clone(&keys));
    let distrusts = |report: &FromReader| matches!(report.event, ReaderEvent::NotTrusted(_));
    line.reader(1)
        .unwrap()
        .present_bits(26, &[0x95, 0x18, 0x1C, 0xC0]);
    scene.wait_for(distrusts);
    assert_eq!(scene.state("a"), LinkState::Refused);
    assert_eq!(scene.status("a").counters.cards, 0);
    keys.lock().unwrap().insert(reader("a"), key(1));
    scene.until_online("a");
    assert_eq!(scene.state("a"), LinkState::Secure);
}

#[test]
fn a_reader_without_a_key_waits_for_one() {
    let (_folder, path) = port();
    let _line = simulated(&path, &[1]);
    let keys = Arc::default();
    let plans = vec![plan("a", "north", 1)];
    let scene = Scene::start_with(&[("north", &path)], plans, Arc::clone(&keys));
    let report = scene.wait_for(|_| true);
    assert_eq!(report.event, ReaderEvent::Offline);
    assert!(scene.status("a").trouble.contains("has no key"));
    assert_eq!(scene.status("a").counters.commands, 0);
    keys.lock().unwrap().insert(reader("a"), [7; 16]);
    scene.until(|scene| scene.status("a").trouble.contains("its key must not"));
    keys.lock().unwrap().insert(reader("a"), key(1));
    scene.until_online("a");
}

#[test]
fn nobody_who_listens_does_not_hold_up_the_line() {
    let (_folder, path) = port();
    let line = simulated(&path, &[1]);
    let (sender, mut receiver) = tokio::sync::mpsc::channel(1);
    let keys = Arc::new(Mutex::new(BTreeMap::from([(reader("a"), key(1))])));
    let mut held = None;
    let mut scene = Scene::start_reporting(&[("north", &path)], keys, sender, |forward| {
        held = Some(forward);
    });
    scene.field.plan(vec![plan("a", "north", 1)]);
    scene.until(|scene| scene.state("a") == LinkState::Secure);
    let device = line.reader(1).unwrap();
    device.present_bits(26, &[0x95, 0x18, 0x1C, 0xC0]);
    device.input(1, true);
    scene.until(|scene| scene.field.lines()[0].counters.reports_dropped == 1);
    let polls = device.polls();
    scene.until(|_| device.polls() > polls + 50);
    // Who listens late hears of states, the newest of each, and of no card.
    let mut heard = Vec::new();
    scene.until(|_| {
        heard.extend(receiver.try_recv().ok().map(|report| report.event));
        heard.contains(&ReaderEvent::Inputs(vec![false, true, false, false]))
    });
    assert_eq!(heard[0], ReaderEvent::Online);
    assert!(
        !heard
            .iter()
            .any(|event| matches!(event, ReaderEvent::Card(_)))
    );
    assert!(scene.messages.with("dropped").len() <= 2);
    scene.stop();
    drop(held);
}

#[test]
fn a_reader_that_stays_as_it_was_keeps_its_session() {
    let (_folder, path) = port();
    let _line = simulated(&path, &[1, 2]);
    let scene = Scene::start(&[("north", &path)], vec![plan("a", "north", 1)]);
    scene.until_online("a");
    scene.keys.lock().unwrap().insert(reader("b"), key(2));
    scene
        .field
        .plan(vec![plan("a", "north", 1), plan("b", "north", 2)]);
    let report = scene.wait_for(is_online);
    assert_eq!(report.reader, reader("b"));
    assert_eq!(scene.status("a").counters.sessions, 1);
}
