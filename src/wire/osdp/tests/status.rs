//! Questions about the state of readers: what they cost whoever stands there.

use std::time::Duration;

use super::line::{Line, SECOND};
use crate::wire::osdp::PeripheralEvent;

const EIGHT: [u8; 8] = [1, 2, 3, 4, 5, 6, 7, 8];
const POLL: u8 = 0x60;
const LOCAL_STATUS: u8 = 0x64;
const INPUTS: u8 = 0x65;

/// Addresses and codes of secured commands, in the order in which they were sent.
fn commands(line: &Line) -> Vec<(u8, u8)> {
    let own = line.sent.iter().filter(|(_, side, _)| *side == 0);
    own.map(|(_, _, bytes)| (bytes[1], bytes[7])).collect()
}

fn is_question(code: u8) -> bool {
    [LOCAL_STATUS, INPUTS].contains(&code)
}

/// All readers of a line, after the questions with which a session begins.
fn settled(addresses: &[u8]) -> Line {
    let mut line = Line::online(addresses);
    line.run(SECOND);
    line.sent.clear();
    line
}

#[test]
fn a_reader_that_was_asked_for_its_state_is_polled_at_once() {
    let mut line = settled(&EIGHT);
    line.run(SECOND * 30);
    let commands = commands(&line);
    let pairs = commands.windows(2).filter(|pair| is_question(pair[0].1));
    assert!(pairs.clone().count() > 5);
    for pair in pairs {
        assert_eq!(pair[1], (pair[0].0, POLL));
    }
}

#[test]
fn questions_take_a_share_of_the_line_and_leave_nobody_out() {
    let mut line = settled(&EIGHT);
    line.run(SECOND * 60);
    let commands = commands(&line);
    let questions = commands.iter().filter(|(_, code)| is_question(*code));
    assert!(questions.count() * 90 < commands.len());
    for address in EIGHT {
        for code in [LOCAL_STATUS, INPUTS] {
            let asked = commands.iter().filter(|sent| **sent == (address, code));
            let count = asked.count();
            assert!((3..=15).contains(&count), "{address} {code:x}: {count}");
        }
    }
}

#[test]
fn a_single_reader_is_asked_every_few_seconds() {
    let mut line = settled(&[1]);
    line.run(SECOND * 40);
    for code in [LOCAL_STATUS, INPUTS] {
        let sent = commands(&line);
        let count = sent.iter().filter(|sent| **sent == (1, code)).count();
        assert!((8..=10).contains(&count), "{code:x}: {count}");
    }
}

#[test]
fn a_reader_that_does_not_tell_its_inputs_is_asked_often_once_that_is_seen() {
    let mut line = settled(&EIGHT);
    let told = |inputs: &[bool]| PeripheralEvent::Inputs(inputs.to_vec());
    line.model(3).inputs = vec![1, 1];
    line.run_until(SECOND * 30, |line| line.has(3, &told(&[true, true])));
    for (inputs, states) in [(vec![1, 0], [true, false]), (vec![0, 0], [false, false])] {
        line.model(3).inputs = inputs;
        let within = Duration::from_millis(4_100);
        line.run_until(within, |line| line.has(3, &told(&states)));
    }
}

#[test]
fn a_reader_that_tells_again_is_asked_with_the_others_again() {
    let mut line = settled(&EIGHT);
    line.model(3).inputs = vec![1, 1];
    line.run(SECOND * 30);
    line.model(3).news.push_back((0x49, vec![1, 1]));
    line.run(SECOND);
    line.sent.clear();
    line.run(SECOND * 30);
    let sent = commands(&line);
    let count = sent.iter().filter(|sent| **sent == (3, INPUTS)).count();
    assert!(count < 6, "{count}");
}
