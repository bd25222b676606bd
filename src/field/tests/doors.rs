//! From the card to the strike, and what may not reach it.

use std::sync::mpsc::Receiver;
use std::time::Duration;

use sluss_sim::{FaultKind, Observed, Seen};

use super::scene::{SECOND, Scene, plan, port, reader, simulated};
use crate::control::lines::{
    FromReader, Indication, LineFault, LinkState, ReaderEvent, ReaderLines as _, ReaderOrder,
};
use crate::types::Terminal;

fn strike() -> Terminal {
    Terminal::new(0).unwrap()
}

fn is_strike(report: &FromReader) -> bool {
    matches!(
        report.event,
        ReaderEvent::StrikeSet { .. } | ReaderEvent::StrikeRefused { .. }
    )
}

/// What the strike did, in order, until the light is ordered.
fn switched(observed: &Receiver<Observed>) -> Vec<bool> {
    let mut seen = Vec::new();
    loop {
        let what = observed.recv_timeout(5 * SECOND).unwrap().what;
        if matches!(what, Seen::Led(_)) {
            return seen;
        }
        if let Seen::Output { number: 0, is_on } = what {
            seen.push(is_on);
        }
    }
}

fn open(scene: &Scene, lasts: Duration, age: Duration) {
    let release = scene.release(lasts, age);
    let output = strike();
    let order = ReaderOrder::Release { output, release };
    scene.field.send(&reader("a"), order).unwrap();
}

fn show(scene: &Scene) {
    let order = ReaderOrder::Show(Indication::Idle);
    scene.field.send(&reader("a"), order).unwrap();
}

#[test]
fn a_card_goes_up_and_its_release_reaches_the_output() {
    let (_folder, path) = port();
    let line = simulated(&path, &[1]);
    let scene = Scene::start(&[("north", &path)], vec![plan("a", "north", 1)]);
    scene.until_online("a");
    assert_eq!(scene.state("a"), LinkState::Secure);
    let device = line.reader(1).unwrap();
    let observed = device.observe();

    device.present_bits(26, &[0x95, 0x18, 0x1C, 0xC0]);
    let report = scene.wait_for(|report| matches!(report.event, ReaderEvent::Card(_)));
    let ReaderEvent::Card(card) = report.event else {
        unreachable!()
    };
    assert_eq!(card.bits(), [0x95, 0x18, 0x1C, 0xC0]);

    open(&scene, Duration::from_millis(340), Duration::ZERO);
    let done = ReaderEvent::StrikeSet {
        output: strike(),
        is_release: true,
    };
    let report = scene.wait_for(is_strike);
    assert_eq!(report.event, done);
    assert!(report.at.since(scene.now()) < SECOND);
    // Released for a time, the reader locks by itself.
    let mut seen = Vec::new();
    while seen.len() < 2 {
        let Observed { at, what } = observed.recv_timeout(5 * SECOND).unwrap();
        if let Seen::Output { number: 0, is_on } = what {
            seen.push((at, is_on));
        }
    }
    let lasted = seen[1].0.duration_since(seen[0].0);
    assert_eq!((seen[0].1, seen[1].1), (true, false));
    assert!((Duration::from_millis(300)..Duration::from_millis(340)).contains(&lasted));

    let status = scene.status("a");
    assert_eq!(
        (status.vendor.as_str(), status.serial.as_str()),
        ("5c2623", "00010001")
    );
    assert_eq!((status.counters.cards, status.counters.sessions), (1, 1));
    assert!(status.heard_at.is_some() && status.counters.replies > 3);
    let logged = scene.messages.with("");
    assert!(
        !logged
            .iter()
            .any(|line| line.contains("95") && line.contains("card"))
    );
}

#[test]
fn a_release_that_came_too_late_reaches_no_output() {
    let (_folder, path) = port();
    let line = simulated(&path, &[1]);
    let scene = Scene::start(&[("north", &path)], vec![plan("a", "north", 1)]);
    scene.until_online("a");
    let observed = line.reader(1).unwrap().observe();
    open(&scene, SECOND, 2 * SECOND);
    let refused = ReaderEvent::StrikeRefused { output: strike() };
    assert_eq!(scene.wait_for(is_strike).event, refused);
    show(&scene);
    assert!(switched(&observed).is_empty());
    open(&scene, SECOND, Duration::ZERO);
    scene.wait_for(is_strike);
    show(&scene);
    assert_eq!(switched(&observed), [true]);
}

#[test]
fn a_release_is_not_repeated_to_a_busy_reader_when_it_is_too_old() {
    let (_folder, path) = port();
    let line = simulated(&path, &[1]);
    let scene = Scene::start(&[("north", &path)], vec![plan("a", "north", 1)]);
    scene.until_online("a");
    let device = line.reader(1).unwrap();
    let observed = device.observe();
    // After a card the line is held for the order, so that the order is what meets a busy reader.
    device.present_bits(26, &[0x95, 0x18, 0x1C, 0xC0]);
    scene.wait_for(|report| matches!(report.event, ReaderEvent::Card(_)));
    device.fault(FaultKind::Busy.until_cleared());
    let ordered = scene.now();
    open(&scene, SECOND, Duration::from_millis(1_700));
    let report = scene.wait_for(is_strike);
    let refused = ReaderEvent::StrikeRefused { output: strike() };
    assert_eq!(report.event, refused);
    let took = report.at.since(ordered);
    assert!(took < SECOND, "{took:?}");
    device.clear_faults();
    scene.until(|scene| scene.state("a") == LinkState::Secure);
    show(&scene);
    assert!(switched(&observed).is_empty());
}

#[test]
fn what_is_released_is_locked_when_the_threads_end() {
    let (_folder, path) = port();
    let line = simulated(&path, &[1]);
    let mut scene = Scene::start(&[("north", &path)], vec![plan("a", "north", 1)]);
    scene.until_online("a");
    let device = line.reader(1).unwrap();
    open(&scene, 10 * SECOND, Duration::ZERO);
    scene.wait_for(is_strike);
    assert!(device.output(0));
    let took = scene.stop();
    assert!(!device.output(0));
    assert!(took < SECOND, "{took:?}");
    let order = ReaderOrder::Lock { output: strike() };
    let refused = scene.field.send(&reader("a"), order);
    assert_eq!(refused, Err(LineFault::Offline(reader("a"))));
    assert_eq!(scene.state("a"), LinkState::LineDown);
}

#[test]
fn keys_and_switches_go_up() {
    let (_folder, path) = port();
    let line = simulated(&path, &[1]);
    let scene = Scene::start(&[("north", &path)], vec![plan("a", "north", 1)]);
    scene.until_online("a");
    let device = line.reader(1).unwrap();
    device.type_keys("01234567890123#").unwrap();
    let mut typed = String::new();
    while typed.len() < 15 {
        let report = scene.wait_for(|report| matches!(report.event, ReaderEvent::Keys(_)));
        let ReaderEvent::Keys(keys) = report.event else {
            unreachable!()
        };
        assert!(keys.0.len() <= 12);
        typed.push_str(&keys.0);
    }
    assert_eq!(typed, "01234567890123#");
    device.tamper(true);
    scene.wait_for(|report| {
        matches!(
            report.event,
            ReaderEvent::Switches {
                is_tampered: true,
                ..
            }
        )
    });
    assert!(scene.status("a").is_tampered);
    device.input(2, true);
    let opened = ReaderEvent::Inputs(vec![false, false, true, false]);
    scene.wait_for(|report| report.event == opened);
}

#[test]
fn a_reader_that_is_not_planned_or_not_there_is_ordered_nothing() {
    let (_folder, path) = port();
    let _line = simulated(&path, &[1]);
    let plans = vec![
        plan("a", "north", 1),
        plan("b", "north", 2),
        plan("c", "south", 1),
    ];
    let scene = Scene::start(&[("north", &path)], plans);
    scene.until_online("a");
    let lock = || ReaderOrder::Lock { output: strike() };
    let send = |name: &str| scene.field.send(&reader(name), lock());
    assert_eq!(send("a"), Ok(()));
    assert_eq!(send("b"), Err(LineFault::Offline(reader("b"))));
    assert_eq!(send("c"), Err(LineFault::Offline(reader("c"))));
    assert_eq!(send("x"), Err(LineFault::Unknown(reader("x"))));
    assert_eq!(scene.state("c"), LinkState::LineDown);
    assert!(
        scene
            .status("c")
            .trouble
            .contains("not in the configuration")
    );
    scene.field.plan(vec![plan("b", "north", 2)]);
    assert_eq!(send("a"), Err(LineFault::Unknown(reader("a"))));
}
