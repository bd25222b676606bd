//! Somebody on the line who does not have the key.

use std::time::Duration;

use super::line::{Exchange, Line, SECOND, address, numbers, plain, secure};
use super::model::{CARD, KEY, Model};
use crate::wire::osdp::{OfflineCause, PeripheralEvent, SecurityFault};

fn is_online(event: &PeripheralEvent) -> bool {
    matches!(event, PeripheralEvent::Online { .. })
}

fn flood(model: &mut Model) {
    for _ in 0..500 {
        model.news.push_back((0x50, CARD.to_vec()));
    }
}

#[track_caller]
fn never_up(mut line: Line, fault: Option<SecurityFault>) {
    let number = line.models[0].address;
    flood(&mut line.models[0]);
    line.run(SECOND * 30);
    assert_eq!(line.cards(number), 0);
    assert_eq!(line.count(number, is_online), 0);
    if let Some(fault) = fault {
        assert!(line.has(number, &PeripheralEvent::SecurityFault(fault)));
        let cause = OfflineCause::Security;
        assert!(line.has(number, &PeripheralEvent::Offline { cause }));
    }
    let counters = line.bus.counters(address(number)).unwrap();
    assert!(counters.handshake_failures <= 40, "it is given pauses");
    let is_proof =
        |(_, who, bytes): &&(_, u8, Vec<u8>)| *who == 0 && bytes[4] & 8 != 0 && bytes[6] == 0x13;
    let proofs = line.sent.iter().filter(is_proof).count();
    assert_eq!(proofs, 0, "nothing is proved to whoever has proved nothing");
}

fn with(change: impl FnOnce(&mut Model)) -> Line {
    let mut line = Line::new(&[]);
    let mut model = Model::new(3);
    change(&mut model);
    line.add(model, secure());
    line
}

#[test]
fn a_reader_with_another_key_never_comes_up() {
    never_up(
        with(|model| model.key[3] ^= 1),
        Some(SecurityFault::WrongKey),
    );
}

#[test]
fn a_reader_that_offers_the_default_key_never_comes_up() {
    let default = *b"0123456789:;<=>?";
    never_up(
        with(|model| model.key = default),
        Some(SecurityFault::WrongKey),
    );
    let offers = with(|model| {
        model.key = default;
        model.key_flag = 0;
    });
    never_up(offers, Some(SecurityFault::DefaultKey));
}

#[test]
fn a_plain_reader_in_a_secure_place_never_comes_up() {
    let plain_only = with(|model| {
        model.is_plain = true;
        model.refuses = vec![0x76];
        model.key_flag = 9;
    });
    never_up(plain_only, Some(SecurityFault::DefaultKey));
}

#[test]
fn a_reader_that_takes_our_proof_for_wrong_or_begins_another_chain_is_not_believed() {
    // The byte changed: the status of the block, a byte of the first MAC.
    for index in [7, 12] {
        let mut line = with(|_| ());
        line.fault = Some(Box::new(move |exchange: &mut Exchange<'_>| {
            let mut pieces = exchange.whole();
            for (_, bytes) in &mut pieces {
                if bytes[4] & 8 != 0 && bytes[6] == 0x14 {
                    bytes[index] ^= 0xFE;
                    *bytes = super::model::rechecked(bytes.clone());
                }
            }
            pieces
        }));
        line.run(SECOND * 5);
        assert_eq!(line.count(3, is_online), 0);
        let fault = SecurityFault::WrongKey;
        assert!(line.has(3, &PeripheralEvent::SecurityFault(fault)));
        assert_eq!(line.bus.counters(address(3)).unwrap().bad_macs, 0);
    }
}

#[test]
fn a_random_number_seen_before_is_refused() {
    let mut line = with(|model| model.repeats_random = true);
    line.run_until(SECOND, |line| line.is_online(3));
    line.model(3).restart();
    line.run(SECOND * 5);
    assert!(
        !line.is_online(3),
        "the same number opened a second session"
    );
    let fault = SecurityFault::RepeatedRandom;
    assert!(line.has(3, &PeripheralEvent::SecurityFault(fault)));
    line.model(3).repeats_random = false;
    line.run_until(SECOND, |line| line.is_online(3));
}

#[test]
fn cards_kept_from_before_the_session_are_dropped() {
    let mut line = Line::online(&[3]);
    line.model(3).restart();
    for _ in 0..5 {
        line.model(3).news.push_back((0x50, CARD.to_vec()));
        line.model(3).news.push_back((0x53, vec![0, 1, b'1']));
    }
    line.run(SECOND);
    assert!(line.is_online(3));
    assert_eq!(line.cards(3), 0);
    assert_eq!(line.count(3, |e| matches!(e, PeripheralEvent::Keys(_))), 0);
    assert_eq!(line.bus.counters(address(3)).unwrap().stale_reads, 10);
    line.model(3).news.push_back((0x50, CARD.to_vec()));
    line.run(SECOND);
    assert_eq!(line.cards(3), 1, "one read in the session counts");
}

#[test]
fn clear_frames_in_a_session_are_dropped_and_counted() {
    let mut line = Line::online(&[3]);
    line.fault = Some(Box::new(|exchange: &mut Exchange<'_>| {
        let sequence = exchange.asked[4] & 3;
        let model = exchange.model.as_ref().unwrap();
        let mut pieces = vec![
            (Duration::ZERO, model.frame(sequence, &[], 0x50, &CARD)),
            (Duration::ZERO, model.frame(sequence, &[], 0x40, &[])),
            (Duration::ZERO, model.frame(sequence, &[], 0x41, &[3])),
        ];
        let whole = exchange.whole().into_iter();
        pieces.extend(whole.map(|(_, b)| (Duration::from_millis(5), b)));
        pieces
    }));
    line.run(SECOND);
    assert!(line.is_online(3));
    assert_eq!(line.cards(3), 0);
    let counters = line.bus.counters(address(3)).unwrap();
    assert!(counters.clear_in_session > 30);
    assert_eq!((counters.sessions, counters.bad_macs), (1, 0));
}

#[test]
fn handshake_replies_injected_into_a_session_change_nothing() {
    let mut line = Line::online(&[3]);
    line.fault = Some(Box::new(|exchange: &mut Exchange<'_>| {
        let sequence = exchange.asked[4] & 3;
        let model = exchange.model.as_ref().unwrap();
        let proof = model.frame(sequence, &[3, 0x12, 1], 0x76, &[0; 32]);
        let initial = model.frame(sequence, &[3, 0x14, 1], 0x78, &[0; 16]);
        let mut pieces = vec![(Duration::ZERO, proof), (Duration::ZERO, initial)];
        let whole = exchange.whole().into_iter();
        pieces.extend(whole.map(|(_, b)| (Duration::from_millis(5), b)));
        pieces
    }));
    line.run(SECOND);
    assert!(line.is_online(3));
    let counters = line.bus.counters(address(3)).unwrap();
    assert!(counters.unexpected_block > 30);
    assert_eq!((counters.sessions, counters.bad_macs), (1, 0));
}

#[test]
fn a_guesser_of_macs_gets_few_guesses() {
    let mut line = Line::online(&[3]);
    line.fault = Some(Box::new(|exchange: &mut Exchange<'_>| {
        let mut pieces = exchange.whole();
        for (_, bytes) in &mut pieces {
            if bytes[4] & 8 != 0 && bytes[6] >= 0x15 {
                let end = bytes.len();
                bytes[end - 3] ^= 0x40;
                *bytes = super::model::rechecked(bytes.clone());
            }
        }
        pieces
    }));
    line.run(SECOND * 60);
    let counters = line.bus.counters(address(3)).unwrap();
    assert!((25..=35).contains(&counters.bad_macs), "{counters:?}");
    let cause = OfflineCause::Security;
    assert!(line.has(3, &PeripheralEvent::Offline { cause }));
    line.fault = None;
    line.run_until(SECOND * 3, |line| line.is_online(3));
}

#[test]
fn a_card_that_everybody_could_read_is_not_taken() {
    let mut line = Line::online(&[3]);
    line.model(3).is_unencrypted = true;
    line.model(3).news.push_back((0x50, CARD.to_vec()));
    line.run(SECOND);
    assert_eq!(line.cards(3), 0);
    let fault = SecurityFault::Unencrypted;
    assert!(line.has(3, &PeripheralEvent::SecurityFault(fault)));
}

/// Records a session with a card, then plays its replies to a bus that was started anew,
/// without knowing the key. Returns how many cards that bus believes.
fn replay(seed_recorded: u64, seed_now: u64) -> usize {
    let mut line = Line::new(&[3]);
    line.random = Box::new(numbers(seed_recorded));
    line.run_until(SECOND, |line| line.is_online(3));
    line.run(SECOND / 10);
    line.model(3).news.push_back((0x50, CARD.to_vec()));
    line.run_until(SECOND, |line| line.cards(3) == 1);
    let replies = line.sent.iter().filter(|(_, who, _)| *who == 1);
    let mut recorded: Vec<_> = replies.map(|(_, _, bytes)| bytes.clone()).collect();
    recorded.reverse();

    let mut line = Line::new(&[]);
    line.random = Box::new(numbers(seed_now));
    let mut nobody = Model::new(3);
    nobody.key = [0; 16];
    line.add(nobody, secure());
    line.fault = Some(Box::new(move |_: &mut Exchange<'_>| {
        let reply = recorded.pop().into_iter();
        reply.map(|bytes| (Duration::ZERO, bytes)).collect()
    }));
    line.run(SECOND * 5);
    line.cards(3)
}

#[test]
fn a_recorded_session_played_again_brings_no_card() {
    assert_eq!(replay(77, 78), 0);
}

#[test]
fn a_recorded_session_would_bring_its_card_if_the_random_numbers_came_again() {
    assert_eq!(replay(77, 77), 1, "the replay is a real one");
}

#[test]
fn each_handshake_has_a_random_number_of_its_own() {
    let mut line = Line::online(&[3]);
    for _ in 0..5 {
        line.model(3).restart();
        line.run(SECOND * 2);
    }
    let challenges = line
        .sent
        .iter()
        .filter(|(_, who, bytes)| *who == 0 && bytes[4] & 8 != 0 && bytes[6] == 0x11);
    let mut seen: Vec<_> = challenges
        .map(|(_, _, bytes)| bytes[9..17].to_vec())
        .collect();
    let all = seen.len();
    seen.sort();
    seen.dedup();
    assert!(all >= 6);
    assert_eq!(seen.len(), all);
}

#[test]
fn a_secured_reader_is_not_believed_in_a_plain_place_without_its_words() {
    let mut line = Line::new(&[]);
    let mut model = Model::new(3);
    model.key = KEY;
    line.add(model, plain());
    flood(line.model(3));
    line.run(SECOND * 10);
    assert_eq!(line.cards(3), 0, "it refuses to speak in the clear");
}
