//! Any bytes at any time: nothing panics, nothing grows, nothing is believed.

use std::time::Duration;

use proptest::prelude::*;

use super::line::{Line, SECOND, address, at, numbers, plain, secure, strike};
use super::model::{CARD, rechecked};
use crate::types::Moment;
use crate::wire::osdp::frame::FRAME_BYTES_MAX;
use crate::wire::osdp::{Baud, Bus, BusSettings, PeripheralEvent, Step};

/// What the line does to one reply.
#[derive(Debug, Clone)]
enum Mischief {
    Nothing,
    Lost,
    Late(u8),
    Twice(u8),
    /// Bytes before and after it.
    Between(Vec<u8>, Vec<u8>),
    /// One byte is another, with a check that is right or not.
    Changed(u16, u8, bool),
    Cut(u16),
    Restart,
    Instead(Vec<u8>),
    /// Bytes that come some time later, in whoever's turn.
    Afterwards(u8, Vec<u8>),
}

fn noise() -> impl Strategy<Value = Vec<u8>> {
    let byte = prop_oneof![
        any::<u8>(),
        Just(0x53),
        Just(0x82),
        Just(0x00),
        Just(0x08),
        Just(0x04),
        Just(0x0E)
    ];
    proptest::collection::vec(byte, 0..40)
}

fn mischief() -> impl Strategy<Value = Mischief> {
    prop_oneof![
        3 => Just(Mischief::Nothing),
        1 => Just(Mischief::Lost),
        1 => any::<u8>().prop_map(Mischief::Late),
        1 => any::<u8>().prop_map(Mischief::Twice),
        2 => (noise(), noise()).prop_map(|(a, b)| Mischief::Between(a, b)),
        2 => (any::<u16>(), 1_u8.., any::<bool>()).prop_map(|(a, b, c)| Mischief::Changed(a, b, c)),
        1 => any::<u16>().prop_map(Mischief::Cut),
        1 => Just(Mischief::Restart),
        1 => noise().prop_map(Mischief::Instead),
        1 => (any::<u8>(), noise()).prop_map(|(a, b)| Mischief::Afterwards(a, b)),
    ]
}

fn made(mischief: &Mischief, reply: Vec<u8>) -> Vec<(Duration, Vec<u8>)> {
    let millis = |n: u8| Duration::from_millis(u64::from(n) * 2);
    let zero = Duration::ZERO;
    match mischief {
        Mischief::Nothing | Mischief::Restart => vec![(zero, reply)],
        Mischief::Lost => Vec::new(),
        Mischief::Late(later) => vec![(millis(*later), reply)],
        Mischief::Twice(later) => vec![(zero, reply.clone()), (millis(*later), reply)],
        Mischief::Between(before, after) => vec![(zero, [&before[..], &reply, after].concat())],
        Mischief::Changed(index, bits, is_rechecked) => {
            let mut changed = reply;
            let index = usize::from(*index) % changed.len();
            changed[index] ^= bits;
            if *is_rechecked {
                changed = rechecked(changed);
            }
            vec![(zero, changed)]
        }
        Mischief::Cut(len) => {
            let mut cut = reply;
            cut.truncate(usize::from(*len) % cut.len());
            vec![(zero, cut)]
        }
        Mischief::Instead(bytes) => vec![(zero, bytes.clone())],
        Mischief::Afterwards(later, bytes) => {
            vec![(zero, reply), (millis(*later), bytes.clone())]
        }
    }
}

fn mischievous(line: &mut Line, tape: Vec<Mischief>) {
    let mut tape = tape.into_iter().cycle();
    line.fault = Some(Box::new(move |exchange| {
        let Some(reply) = exchange.reply.take_if(|_| exchange.address == 2) else {
            return exchange.whole();
        };
        let mischief = tape.next().unwrap_or(Mischief::Nothing);
        if let (Mischief::Restart, Some(model)) = (&mischief, &mut exchange.model) {
            model.restart();
        }
        made(&mischief, reply)
    }));
}

/// What the owner of a bus may do, in any order.
#[derive(Debug, Clone)]
enum Operation {
    Next,
    Receive(Vec<u8>),
    /// A frame with right check from this address: sequence, block, code, data.
    Frame(u8, u8, Option<u8>, u8, Vec<u8>),
    TimedOut,
    Later(u16),
    Order,
    PortLost,
}

fn operation() -> impl Strategy<Value = Operation> {
    let data = proptest::collection::vec(any::<u8>(), 0..40);
    let code = prop_oneof![any::<u8>(), 0x40_u8..0x59, 0x76_u8..0x7A];
    let block = proptest::option::of(0x11_u8..0x19);
    let frame = (0_u8..4, 0_u8..4, block, code, data);
    prop_oneof![
        4 => Just(Operation::Next),
        2 => noise().prop_map(Operation::Receive),
        6 => frame.prop_map(|(a, b, c, d, e)| Operation::Frame(a, b, c, d, e)),
        1 => Just(Operation::TimedOut),
        1 => any::<u16>().prop_map(Operation::Later),
        1 => Just(Operation::Order),
        1 => Just(Operation::PortLost),
    ]
}

fn frame_of(address: u8, sequence: u8, block: Option<u8>, code: u8, data: &[u8]) -> Vec<u8> {
    let block = block.map_or_else(Vec::new, |kind| vec![3, kind, 1]);
    let len = 5 + block.len() + 1 + data.len() + 2;
    let [low, high] = u16::try_from(len).unwrap().to_le_bytes();
    let has_block = if block.is_empty() { 0 } else { 8 };
    let head = [0x53, address | 0x80, low, high, sequence | 4 | has_block];
    let body = [&head[..], &block, &[code], data, &[0, 0]].concat();
    rechecked(body)
}

fn perform(bus: &mut Bus, operation: Operation, now: &mut Moment) {
    let mut random = numbers(5);
    match operation {
        Operation::Next => {
            if let Step::Transmit { bytes, .. } = bus.next(*now, &mut random) {
                assert!(bytes.len() <= FRAME_BYTES_MAX);
            }
        }
        Operation::Receive(bytes) => {
            let _ = bus.received(&bytes, *now);
        }
        Operation::Frame(address, sequence, block, code, data) => {
            let bytes = frame_of(address, sequence, block, code, &data);
            let _ = bus.received(&bytes, *now);
        }
        Operation::TimedOut => bus.timed_out(*now),
        Operation::Later(millis) => {
            *now = now.plus(Duration::from_millis(u64::from(millis)));
        }
        Operation::Order => {
            let _ = bus.order(address(1), strike(), *now);
        }
        Operation::PortLost => bus.port_lost(*now),
    }
    *now = now.plus(Duration::from_millis(2));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn whatever_the_line_does_only_cards_that_were_read_are_told_and_the_reader_comes_back(
        tape in proptest::collection::vec(mischief(), 1..60),
    ) {
        let mut line = Line::online(&[1, 2, 3]);
        mischievous(&mut line, tape);
        let mut given = 0;
        for _ in 0..6 {
            line.model(2).news.push_back((0x50, CARD.to_vec()));
            given += 1;
            line.run(SECOND / 2);
        }
        prop_assert!(line.cards(2) <= given);
        line.fault = None;
        line.swipe_until_read(2, SECOND * 3);
        for neighbour in [1, 3] {
            let counters = line.bus.counters(address(neighbour)).unwrap();
            prop_assert_eq!(counters.sessions, 1);
            prop_assert_eq!(counters.bad_macs, 0);
            prop_assert_eq!(line.cards(neighbour), 0);
        }
    }
}

proptest! {
    #[test]
    fn whatever_the_owner_does_a_secure_reader_without_its_key_is_never_believed(
        operations in proptest::collection::vec(operation(), 0..200),
    ) {
        let mut bus = Bus::new(BusSettings::new(Baud::B9600));
        let mut now = at(0);
        bus.add(address(0), secure(), now).unwrap();
        bus.add(address(1), plain(), now).unwrap();
        bus.add(address(2), secure(), now).unwrap();
        for operation in operations {
            perform(&mut bus, operation, &mut now);
            prop_assert!(bus.held_bytes() <= 2 * FRAME_BYTES_MAX);
        }
        let events = bus.take_events();
        prop_assert!(events.len() <= 3 * 64);
        for (from, event) in events {
            let is_told = !matches!(
                event,
                PeripheralEvent::Offline { .. } | PeripheralEvent::SecurityFault(_)
            );
            prop_assert!(!is_told || from == address(1), "{:?}", event);
        }
    }
}
