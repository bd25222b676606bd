//! What goes wrong on a line, and how soon it is over.

use std::time::Duration;

use super::line::{Exchange, Fault, Line, Pieces, SECOND, address, at, numbers, plain, strike};
use super::model::{CARD, Model, rechecked};
use crate::wire::osdp::{OfflineCause, OrderFailure, OrderRefused, PeripheralEvent};

/// A reader with a fault; its neighbours have none.
const FAULTY: u8 = 2;
const NEIGHBOURS: [u8; 3] = [1, 3, 4];
const MILLI: Duration = Duration::from_millis(1);

type Change = fn(&mut Exchange<'_>, &[u8]) -> Pieces;

fn now(bytes: Vec<u8>) -> Pieces {
    vec![(Duration::ZERO, bytes)]
}

fn lost(_: &mut Exchange<'_>, _: &[u8]) -> Pieces {
    Vec::new()
}

fn late(_: &mut Exchange<'_>, reply: &[u8]) -> Pieces {
    vec![(MILLI * 250, reply.to_vec())]
}

fn corrupted(_: &mut Exchange<'_>, reply: &[u8]) -> Pieces {
    let mut reply = reply.to_vec();
    let middle = reply.len() / 2;
    reply[middle] ^= 0x10;
    now(reply)
}

fn truncated(_: &mut Exchange<'_>, reply: &[u8]) -> Pieces {
    let mut reply = reply.to_vec();
    reply.truncate(reply.len() - 3);
    now(reply)
}

fn doubled(_: &mut Exchange<'_>, reply: &[u8]) -> Pieces {
    vec![
        (Duration::ZERO, reply.to_vec()),
        (MILLI * 2, reply.to_vec()),
    ]
}

fn wrong_sequence(_: &mut Exchange<'_>, reply: &[u8]) -> Pieces {
    let mut reply = reply.to_vec();
    reply[4] = (reply[4] & !3) | ((reply[4] + 1) & 3);
    now(rechecked(reply))
}

fn wrong_address(_: &mut Exchange<'_>, reply: &[u8]) -> Pieces {
    let mut reply = reply.to_vec();
    reply[1] = 0x80 | NEIGHBOURS[0];
    now(rechecked(reply))
}

fn echo(exchange: &mut Exchange<'_>, reply: &[u8]) -> Pieces {
    now([exchange.asked, reply].concat())
}

fn noise(exchange: &mut Exchange<'_>, reply: &[u8]) -> Pieces {
    let mut bytes = vec![0; 60];
    numbers(u64::from(exchange.asked[4]) + 99)(&mut bytes);
    for start in bytes.iter_mut().step_by(7) {
        *start = 0x53;
    }
    now([&bytes[..], reply].concat())
}

fn absurd_length(_: &mut Exchange<'_>, reply: &[u8]) -> Pieces {
    now([&[0x53, 0x82, 0xA0, 0x05, 0x04][..], reply].concat())
}

fn bad_mac(_: &mut Exchange<'_>, reply: &[u8]) -> Pieces {
    let mut reply = reply.to_vec();
    let is_secured = reply[4] & 8 != 0 && reply[6] >= 0x15;
    if is_secured {
        let mac = reply.len() - 4;
        reply[mac] ^= 1;
    }
    now(rechecked(reply))
}

fn restarts(exchange: &mut Exchange<'_>, reply: &[u8]) -> Pieces {
    if let Some(model) = &mut exchange.model {
        model.restart();
    }
    now(reply.to_vec())
}

fn busy(exchange: &mut Exchange<'_>, _: &[u8]) -> Pieces {
    let model = exchange.model.as_ref().unwrap();
    now(model.frame(0, &[], 0x79, &[]))
}

fn clear_nak(exchange: &mut Exchange<'_>, _: &[u8]) -> Pieces {
    let sequence = exchange.asked[4] & 3;
    let model = exchange.model.as_ref().unwrap();
    now(model.frame(sequence, &[], 0x41, &[6]))
}

/// A reader that answers for its neighbours, in its own name, and never stops.
fn babble(_: &mut Exchange<'_>, reply: &[u8]) -> Pieces {
    (0..20).map(|n| (MILLI * n, reply.to_vec())).collect()
}

const CHANGES: [(&str, Change); 14] = [
    ("lost", lost),
    ("late", late),
    ("corrupted", corrupted),
    ("truncated", truncated),
    ("doubled", doubled),
    ("wrong sequence", wrong_sequence),
    ("wrong address", wrong_address),
    ("echo", echo),
    ("noise", noise),
    ("absurd length", absurd_length),
    ("bad mac", bad_mac),
    ("restarts", restarts),
    ("busy", busy),
    ("clear nak", clear_nak),
];

/// The change is made to every `nth` reply of the faulty reader, at most `times`.
fn fault(change: Change, nth: u32, mut times: u32) -> Fault {
    let mut count = 0;
    Box::new(move |exchange| {
        if exchange.address == FAULTY && times > 0 {
            count += 1;
            if count % nth == 0 {
                times -= 1;
                let reply = exchange.reply.take().unwrap();
                return change(exchange, &reply);
            }
        }
        exchange.whole()
    })
}

fn neighbours_kept(line: &Line, name: &str) {
    for neighbour in NEIGHBOURS {
        let counters = line.bus.counters(address(neighbour)).unwrap();
        let bad = (counters.timeouts, counters.repeats, counters.bad_macs);
        assert_eq!(bad, (0, 0, 0), "{name}: neighbour {neighbour}");
        assert_eq!(counters.sessions, 1, "{name}: neighbour {neighbour}");
    }
}

fn crowd() -> Line {
    Line::online(&[1, FAULTY, 3, 4])
}

#[test]
fn after_any_single_fault_each_card_arrives_once() {
    for (name, change) in CHANGES {
        let mut line = crowd();
        line.fault = Some(fault(change, 1, 1));
        line.run(SECOND * 3);
        for count in 1..=3 {
            line.model(FAULTY).news.push_back((0x50, CARD.to_vec()));
            line.run(SECOND / 2);
            assert_eq!(line.cards(FAULTY), count, "{name}");
        }
        neighbours_kept(&line, name);
    }
}

#[test]
fn a_fault_at_every_seventh_reply_makes_no_card_out_of_nothing_and_none_twice() {
    for (name, change) in CHANGES {
        let mut line = crowd();
        line.fault = Some(fault(change, 7, u32::MAX));
        let given = 20;
        for _ in 0..given {
            line.model(FAULTY).news.push_back((0x50, CARD.to_vec()));
            line.run(SECOND);
        }
        assert!(line.cards(FAULTY) <= given, "{name}");
        neighbours_kept(&line, name);
    }
}

#[test]
fn within_3_s_after_two_seconds_of_any_fault_the_next_card_arrives() {
    for lasting in [2, 20] {
        for (name, change) in CHANGES {
            let mut line = crowd();
            line.fault = Some(fault(change, 1, u32::MAX));
            line.run(SECOND * lasting);
            line.fault = None;
            line.swipe_until_read(FAULTY, SECOND * 3);
            neighbours_kept(&line, name);
        }
    }
}

#[test]
fn a_reader_that_forgot_its_session_and_says_nothing_is_back_within_3_s() {
    let mut line = crowd();
    line.model(FAULTY).is_mute_outside = true;
    line.model(FAULTY).restart();
    line.run(SECOND / 100);
    line.swipe_until_read(FAULTY, SECOND * 3);
    neighbours_kept(&line, "mute");
}

#[test]
fn a_line_that_echoes_everything_works() {
    let mut line = Line::new(&[1, FAULTY]);
    let mut model = Model::new(3);
    model.is_plain = true;
    line.add(model, plain());
    line.fault = Some(Box::new(|exchange| {
        let reply = exchange.reply.clone().unwrap();
        echo(exchange, &reply)
    }));
    for number in [1, FAULTY, 3] {
        line.run_until(SECOND, |line| line.is_online(number));
        let counters = line.bus.counters(address(number)).unwrap();
        assert_eq!((counters.malformed, counters.unexpected_block), (0, 0));
    }
    assert!(line.bus.line_counters().echoes > 10);
}

#[test]
fn neighbours_of_a_faulty_reader_wait_for_no_more_than_one_slot_at_a_time() {
    for (name, change) in CHANGES {
        let mut line = crowd();
        line.fault = Some(fault(change, 1, u32::MAX));
        line.run(SECOND * 10);
        for neighbour in NEIGHBOURS {
            let asked: Vec<_> = line
                .sent
                .iter()
                .filter(|(_, who, bytes)| *who == 0 && bytes[1] == neighbour)
                .map(|(at, _, _)| *at)
                .collect();
            let longest = asked.windows(2).map(|pair| pair[1].since(pair[0])).max();
            assert!(longest < Some(MILLI * 260), "{name}: {longest:?}");
        }
    }
}

#[test]
fn a_babbling_reader_takes_nothing_from_its_neighbours() {
    let mut line = crowd();
    line.fault = Some(fault(babble, 1, u32::MAX));
    line.run(SECOND * 10);
    neighbours_kept(&line, "babble");
    let line_counters = line.bus.line_counters();
    assert!(line_counters.wrong_address + line_counters.unasked_bytes > 100);
}

#[test]
fn a_late_reply_is_never_taken_for_the_next_one() {
    let mut line = Line::new(&[]);
    let mut model = Model::new(FAULTY);
    model.is_plain = true;
    line.add(model, plain());
    line.run(SECOND);
    line.events.clear();
    // Nothing but the sequence number tells the replies of a plain reader apart.
    line.model(FAULTY).news.push_back((0x50, CARD.to_vec()));
    let mut old = None;
    line.fault = Some(Box::new(move |exchange| {
        let reply = exchange.reply.clone().unwrap();
        if let Some(old) = old.take() {
            return vec![(Duration::ZERO, old), (MILLI * 2, reply)];
        }
        if reply[5] == 0x50 {
            old = Some(reply.clone());
        }
        now(reply)
    }));
    line.run_until(SECOND, |line| line.cards(FAULTY) == 1);
    line.step(at(10_000));
    line.step(at(10_000));
    line.step(at(10_000));
    line.step(at(10_000));
    assert_eq!(line.cards(FAULTY), 1);
    let counters = line.bus.counters(address(FAULTY)).unwrap();
    assert!(counters.wrong_sequence >= 1);
}

#[test]
fn a_lost_reply_is_asked_for_with_the_same_bytes() {
    let mut line = Line::online(&[FAULTY]);
    line.model(FAULTY).news.push_back((0x50, CARD.to_vec()));
    line.fault = Some(fault(lost, 1, 1));
    let before = line.sent.len();
    line.run_until(SECOND, |line| line.cards(FAULTY) == 1);
    let commands: Vec<_> = line.sent[before..]
        .iter()
        .filter(|(_, who, _)| *who == 0)
        .collect();
    assert_eq!(commands[0].2, commands[1].2);
    let counters = line.bus.counters(address(FAULTY)).unwrap();
    assert_eq!((counters.repeats, counters.sessions), (1, 1));
}

#[test]
fn a_strike_whose_acknowledgement_is_lost_is_switched_once() {
    let mut line = crowd();
    line.bus.order(address(FAULTY), strike(), line.now).unwrap();
    line.fault = Some(fault(lost, 1, 2));
    line.run(SECOND);
    assert_eq!(line.model(FAULTY).switched.len(), 1);
    assert!(line.has(FAULTY, &PeripheralEvent::Performed { order: strike() }));
}

#[test]
fn an_order_does_not_outlive_its_session() {
    let mut line = crowd();
    line.model(FAULTY).restart();
    line.bus.order(address(FAULTY), strike(), line.now).unwrap();
    line.bus.order(address(FAULTY), strike(), line.now).unwrap();
    line.run(SECOND * 5);
    assert!(line.is_online(FAULTY));
    assert!(line.model(FAULTY).switched.is_empty());
    let failure = OrderFailure::SessionEnded;
    let order = strike();
    let refused = PeripheralEvent::Refused { order, failure };
    assert_eq!(line.count(FAULTY, |event| *event == refused), 2);
}

#[test]
fn a_strike_does_not_come_later_than_2_s() {
    let mut line = crowd();
    line.model(FAULTY).is_busy = true;
    line.run(SECOND / 10);
    line.bus.order(address(FAULTY), strike(), line.now).unwrap();
    line.run(SECOND * 3 / 2);
    line.model(FAULTY).is_busy = false;
    line.run(SECOND / 10);
    assert_eq!(line.model(FAULTY).switched.len(), 1, "in time");

    line.model(FAULTY).is_busy = true;
    line.run(SECOND / 10);
    line.bus.order(address(FAULTY), strike(), line.now).unwrap();
    line.run(SECOND * 5 / 2);
    line.model(FAULTY).is_busy = false;
    line.run(SECOND * 3);
    assert!(line.is_online(FAULTY));
    assert_eq!(line.model(FAULTY).switched.len(), 1, "too late");
}

#[test]
fn a_silent_reader_is_offline_after_8_s_and_costs_one_slot_a_second() {
    let mut line = crowd();
    let died = line.now;
    line.model(FAULTY).is_dead = true;
    let offline = PeripheralEvent::Offline {
        cause: OfflineCause::NoReply,
    };
    let is_told = |line: &Line| line.has(FAULTY, &offline);
    let after = line.run_until(SECOND * 9, is_told);
    assert!(after >= SECOND * 79 / 10 && after < SECOND * 82 / 10);
    let refused = line.bus.order(address(FAULTY), strike(), line.now);
    assert_eq!(refused, Err(OrderRefused::NotOnline));
    line.run(SECOND * 2);
    let sent = |line: &Line| line.bus.counters(address(FAULTY)).unwrap().sent;
    let before = sent(&line);
    let polls: Vec<u32> = line.models.iter().map(|m| m.polls).collect();
    line.run(SECOND * 10);
    let slots = sent(&line) - before;
    assert!((8..=10).contains(&slots), "{slots} slots");
    assert!(line.models[0].polls - polls[0] > 300, "the others go on");
    assert_eq!(line.count(FAULTY, |event| *event == offline), 1);
    assert!(line.now.since(died) > SECOND * 18);
    line.model(FAULTY).is_dead = false;
    line.run_until(SECOND * 3, |line| line.is_online(FAULTY));
}

#[test]
fn one_reader_is_back_within_3_s_beside_seven_silent_ones() {
    let mut line = Line::new(&[1, 2, 3, 4, 5, 6, 7, 8]);
    for model in &mut line.models {
        model.is_dead = true;
    }
    line.run(SECOND * 30);
    line.model(5).is_dead = false;
    line.run_until(SECOND * 3, |line| line.is_online(5));
    line.model(8).is_dead = false;
    line.run_until(SECOND * 3, |line| line.is_online(8));
}

#[test]
fn a_reader_never_heard_is_told_offline_once() {
    let mut line = Line::new(&[FAULTY]);
    line.model(FAULTY).is_dead = true;
    line.run(SECOND * 60);
    assert_eq!(line.events.len(), 1);
}

#[test]
fn a_lost_port_takes_all_readers_offline_at_once_and_they_come_back() {
    let mut line = crowd();
    line.bus.port_lost(line.now);
    let offline = PeripheralEvent::Offline {
        cause: OfflineCause::PortLost,
    };
    line.run(Duration::from_millis(1));
    for number in [1, 2, 3, 4] {
        assert!(line.has(number, &offline));
    }
    line.run(SECOND);
    for number in [1, 2, 3, 4] {
        assert!(line.is_online(number));
    }
}

#[test]
fn events_nobody_takes_are_bounded() {
    let mut line = Line::online(&[1]);
    for _ in 0..200 {
        line.model(1).news.push_back((0x50, CARD.to_vec()));
    }
    // The made-up line takes events after each step: here only what the bus holds counts.
    while !line.models[0].news.is_empty() {
        let mut random = numbers(3);
        if let crate::wire::osdp::Step::Transmit { bytes, .. } =
            line.bus.next(line.now, &mut random)
        {
            let reply = line.models[0].hear(&bytes).unwrap();
            let _ = line.bus.received(&reply, line.now);
        }
        line.now = line.now.plus(MILLI * 25);
    }
    assert_eq!(line.bus.take_events().len(), 64);
    let counters = line.bus.counters(address(1)).unwrap();
    assert!(counters.events_dropped >= 136);
}
