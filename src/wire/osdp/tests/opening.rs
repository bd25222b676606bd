//! What works when nothing is wrong.

use std::time::Duration;

use super::line::{Line, SECOND, address, plain, secure, strike};
use super::model::{CARD, Model};
use crate::wire::card::RawCard;
use crate::wire::osdp::{
    Blink, BuzzerOrder, CheckKind, Key, Keys, LedColor, LedOrder, OrderRefused, PeripheralEvent,
    PeripheralOrder, PeripheralSettings, TextOrder, Tone,
};

#[test]
fn a_secure_reader_comes_online_hands_over_a_card_and_opens_its_strike() {
    let mut line = Line::new(&[5]);
    line.run_until(SECOND, |line| line.is_online(5));
    line.run(SECOND / 10);
    let (_, _, first) = &line.events[0];
    let PeripheralEvent::Online {
        identity,
        is_secure,
        capabilities,
    } = first
    else {
        panic!("online comes first");
    };
    assert!(is_secure);
    assert_eq!(identity.serial, 0x1234_5678);
    assert_eq!(identity.unique, Some([0xC1, 2, 3, 4, 5, 6, 7, 5]));
    assert_eq!(capabilities.0.len(), 3);
    let status = PeripheralEvent::LocalStatus {
        tamper: false,
        power_failed: false,
    };
    assert!(line.has(5, &status));
    assert!(line.has(5, &PeripheralEvent::Inputs(vec![false, true])));

    line.model(5).news.push_back((0x50, CARD.to_vec()));
    line.run_until(SECOND, |line| line.cards(5) == 1);
    let card = RawCard::new(26, vec![0x95, 0x18, 0x1C, 0xC0]).unwrap();
    assert!(line.has(5, &PeripheralEvent::Card(card)));
    line.bus.order(address(5), strike(), line.now).unwrap();
    line.run(SECOND / 10);
    assert_eq!(line.model(5).switched, [(0, 5, 50)]);
    assert!(line.has(5, &PeripheralEvent::Performed { order: strike() }));
}

#[test]
fn a_plain_reader_with_checksums_works_where_that_was_decided() {
    let mut line = Line::new(&[]);
    let mut model = Model::new(0);
    model.is_plain = true;
    model.uses_checksum = true;
    let settings = PeripheralSettings {
        check: CheckKind::Checksum,
        ..plain()
    };
    line.add(model, settings);
    line.run_until(SECOND, |line| line.is_online(0));
    line.model(0).news.push_back((0x50, CARD.to_vec()));
    line.run(SECOND);
    assert_eq!(line.cards(0), 1);
    let is_secure = |event: &PeripheralEvent| {
        matches!(
            event,
            PeripheralEvent::Online {
                is_secure: true,
                ..
            }
        )
    };
    assert_eq!(line.count(0, is_secure), 0);
}

#[test]
fn keys_arrive_as_keys() {
    let mut line = Line::online(&[1]);
    let pressed = vec![0, 4, b'1', b'9', 0x7F, 0x0D];
    line.model(1).news.push_back((0x53, pressed));
    line.run(SECOND / 10);
    let keys = Keys(vec![Key::Digit(1), Key::Digit(9), Key::Star, Key::Hash]);
    assert!(line.has(1, &PeripheralEvent::Keys(keys)));
}

#[test]
fn lights_buzzer_and_text_are_told_after_the_strike() {
    let mut line = Line::online(&[1]);
    let led = LedOrder {
        led: 0,
        temporary: None,
        permanent: Some(Blink::steady(LedColor::Green)),
    };
    let buzzer = BuzzerOrder {
        tone: Tone::Default,
        on_tenths: 2,
        off_tenths: 0,
        count: 1,
    };
    let text = TextOrder::new((1, 1), 5, "Welcome").unwrap();
    for order in [
        PeripheralOrder::Led(led),
        PeripheralOrder::Buzzer(buzzer),
        PeripheralOrder::Text(text),
        strike(),
    ] {
        line.bus.order(address(1), order, line.now).unwrap();
    }
    line.run_until(SECOND, |line| !line.models[0].switched.is_empty());
    assert!(line.model(1).told.is_empty(), "the strike goes first");
    line.run(SECOND / 10);
    assert_eq!(line.model(1).told, [0x69, 0x6A, 0x6B]);
}

#[test]
fn the_strike_is_told_at_once_after_a_card_and_not_after_a_round() {
    let mut line = Line::online(&[1, 2, 3, 4, 5, 6, 7, 8]);
    line.model(3).news.push_back((0x50, CARD.to_vec()));
    line.run_until(SECOND, |line| line.cards(3) == 1);
    let sent = line.sent.len();
    let decided = line.now.plus(Duration::from_millis(8));
    line.step(decided);
    line.step(decided);
    assert_eq!(line.sent.len(), sent, "the line waits for the decision");
    line.bus.order(address(3), strike(), line.now).unwrap();
    line.run_until(SECOND, |line| line.sent.len() > sent);
    let (_, _, next) = &line.sent[sent];
    assert_eq!(next[1], 3, "nobody else is asked first");
    assert_eq!(line.model(3).switched.len(), 1);
}

#[test]
fn a_hold_without_a_decision_ends() {
    let mut line = Line::online(&[1, 2]);
    line.model(1).news.push_back((0x50, CARD.to_vec()));
    line.run_until(SECOND, |line| line.cards(1) == 1);
    let polls = line.model(2).polls;
    line.run(Duration::from_millis(40));
    assert!(line.model(2).polls > polls);
}

#[test]
fn all_readers_of_a_line_get_their_turns_alike() {
    let numbers = [0, 1, 2, 3, 4, 5, 6, 126];
    let mut line = Line::online(&numbers);
    let before: Vec<u32> = line.models.iter().map(|m| m.polls).collect();
    line.run(SECOND * 10);
    let polls = line.models.iter().zip(before).map(|(m, b)| m.polls - b);
    let polls: Vec<u32> = polls.collect();
    let (least, most) = (polls.iter().min().unwrap(), polls.iter().max().unwrap());
    assert!(most - least <= 8, "{polls:?}");
    for number in numbers {
        let counters = line.bus.counters(address(number)).unwrap();
        assert_eq!((counters.repeats, counters.sessions), (0, 1));
    }
}

#[test]
fn an_order_is_refused_while_there_is_no_session() {
    let mut line = Line::new(&[1]);
    let refused = line.bus.order(address(1), strike(), line.now);
    assert_eq!(refused, Err(OrderRefused::NotOnline));
    let refused = line.bus.order(address(2), strike(), line.now);
    assert_eq!(refused, Err(OrderRefused::Unknown));
    line.run(SECOND);
    let orders = (0..17).map(|_| line.bus.order(address(1), strike(), line.now));
    assert_eq!(orders.last(), Some(Err(OrderRefused::QueueFull)));
}

#[test]
fn a_reader_that_knows_no_inputs_is_online_all_the_same() {
    let mut line = Line::new(&[]);
    let mut model = Model::new(1);
    model.refuses = vec![0x62, 0x64, 0x65];
    line.add(model, secure());
    line.run(SECOND * 20);
    assert!(line.is_online(1));
    let counters = line.bus.counters(address(1)).unwrap();
    assert_eq!((counters.naks, counters.sessions), (3, 1));
}
