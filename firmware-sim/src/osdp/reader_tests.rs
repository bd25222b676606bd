//! The reader against the tests' control panel.

use std::time::{Duration, Instant};

use super::codes::{command, reply};
use super::fault::FaultKind;
use super::frame::{Check, parse};
use super::observed::Seen;
use super::panel::{Panel, hear};
use super::reader::Reader;
use super::settings::{ReaderSettings, SecureKey};
use crate::Card;
use crate::clock::ticks;

const KEY: SecureKey = SecureKey::new([0x42; 16]);
const TURNAROUND: Duration = Duration::from_millis(3);
const OPEN_3_S: [u8; 4] = [0, 5, 30, 0];
const POLL: (u8, &[u8]) = (command::POLL, &[]);
const OUT: (u8, &[u8]) = (command::OUT, &OPEN_3_S);

/// Different bytes at each call, the same in each run.
fn counted(bytes: &mut [u8]) {
    use std::sync::atomic::{AtomicU8, Ordering};
    static NEXT: AtomicU8 = AtomicU8::new(1);
    bytes.fill(NEXT.fetch_add(1, Ordering::Relaxed));
}

fn reader(settings: ReaderSettings) -> Reader {
    Reader::new(settings, 9600, TURNAROUND, counted)
}

/// A reader with the secure channel up.
fn secured() -> (Reader, Panel, Instant) {
    let at = ticks();
    let mut reader = reader(ReaderSettings::secure(5, KEY));
    let mut panel = Panel::new(5);
    assert!(panel.secure(&mut reader, at, &KEY, 1).is_some());
    (reader, panel, at)
}

fn plain() -> (Reader, Panel, Instant) {
    (reader(ReaderSettings::plain(5)), Panel::new(5), ticks())
}

fn nak(code: u8) -> (u8, Vec<u8>) {
    (reply::NAK, vec![code])
}

fn ack() -> (u8, Vec<u8>) {
    (reply::ACK, Vec::new())
}

#[test]
fn a_card_and_keys_come_through_the_secure_channel_once() {
    let (mut reader, mut panel, at) = secured();
    reader.present(&Card::h10301(42, 12_345));
    reader.type_keys("12#").unwrap();
    let card = vec![0, 1, 26, 0, 0x95, 0x18, 0x1C, 0xC0];
    assert_eq!(panel.ask(&mut reader, at, POLL), (reply::RAW, card));
    let keys = vec![0, 3, 0x31, 0x32, 0x0D];
    assert_eq!(panel.ask(&mut reader, at, POLL), (reply::KEYPPAD, keys));
    assert_eq!(panel.ask(&mut reader, at, POLL), ack());
}

#[test]
fn an_enforcing_reader_says_in_clear_who_it_is_and_no_more() {
    let at = ticks();
    let mut reader = reader(ReaderSettings::secure(5, KEY));
    reader.present(&Card::h10301(42, 12_345));
    let mut panel = Panel::new(5);
    assert_eq!(panel.ask(&mut reader, at, (command::ID, &[0])).1.len(), 12);
    assert_eq!(
        panel.ask(&mut reader, at, (command::CAP, &[0])).0,
        reply::PDCAP
    );
    let key = [[1, 16].as_slice(), &[7; 16]].concat();
    for order in [POLL, OUT, (command::KEYSET, &key), (command::LSTAT, &[])] {
        assert_eq!(panel.ask(&mut reader, at, order), nak(6));
    }
    assert!(!reader.output(0));
}

#[test]
fn the_same_sequence_brings_the_same_reply_and_is_obeyed_once() {
    let (mut reader, mut panel, at) = secured();
    reader.present(&Card::h10301(42, 12_345));
    let poll = panel.command(command::POLL, &[]);
    let first = hear(&mut reader, &poll, at);
    assert_eq!(hear(&mut reader, &poll, at), first);
    panel.read(&first.unwrap());
    let open = panel.command(command::OUT, &OPEN_3_S);
    let later = at + Duration::from_secs(2);
    panel.read(&hear(&mut reader, &open, at).unwrap());
    hear(&mut reader, &open, later).unwrap();
    assert_eq!(
        reader.due(),
        Some(at + Duration::from_secs(3)),
        "not begun again"
    );
    assert_eq!(reader.counters().repeats, 2);
}

#[test]
fn a_wrong_sequence_is_refused_and_changes_nothing() {
    let (mut reader, mut panel, at) = secured();
    let mut ahead = panel.clone();
    ahead.command(command::POLL, &[]);
    let open = ahead.command(command::OUT, &OPEN_3_S);
    let refused = hear(&mut reader, &open, at).unwrap();
    assert_eq!(parse(&refused).unwrap().data, [4]);
    assert!(!reader.output(0));
    assert_eq!(panel.ask(&mut reader, at, OUT), ack());
    assert!(reader.output(0));
}

#[test]
fn sequence_0_begins_anew_without_the_channel() {
    let (mut reader, mut panel, at) = secured();
    panel.begin();
    assert_eq!(panel.ask(&mut reader, at, OUT), nak(6));
    assert!(panel.secure(&mut reader, at, &KEY, 1).is_some());
    assert_eq!(panel.ask(&mut reader, at, OUT), ack());
}

#[test]
fn a_wrong_mac_ends_the_channel_and_opens_nothing() {
    let (mut reader, mut panel, at) = secured();
    let observed = reader.observe();
    let mut open = panel.command(command::OUT, &OPEN_3_S);
    super::frame::spoil_mac(&mut open);
    let refused = hear(&mut reader, &open, at).unwrap();
    assert_eq!(parse(&refused).unwrap().data, [6]);
    assert!(!reader.output(0));
    assert_eq!(reader.counters().bad_macs, 1);
    let down = observed
        .try_iter()
        .any(|o| o.what == Seen::SecureChannelDown);
    assert!(down);
    let poll = panel.command(command::POLL, &[]);
    let refused = hear(&mut reader, &poll, at).unwrap();
    assert_eq!(parse(&refused).unwrap().data, [5]);
}

#[test]
fn a_clear_command_ends_the_channel_and_is_not_obeyed() {
    let (mut reader, panel, at) = secured();
    // Even one that otherwise obeys in clear.
    reader.settings.is_secure_enforced = false;
    let mut stranger = Panel::new(5);
    stranger.sequence = panel.sequence;
    assert_eq!(stranger.ask(&mut reader, at, OUT), nak(6));
    assert!(!reader.output(0));
}

#[test]
fn busy_is_not_obeyed_and_the_same_bytes_are_then() {
    let (mut reader, mut panel, at) = secured();
    reader.fault(FaultKind::Busy.once());
    let open = panel.command(command::OUT, &OPEN_3_S);
    let busy = parse(&hear(&mut reader, &open, at).unwrap()).unwrap();
    assert_eq!((busy.code, busy.sequence, busy.mac), (reply::BUSY, 0, None));
    assert!(!reader.output(0));
    let done = hear(&mut reader, &open, at).unwrap();
    assert_eq!(panel.read(&done), ack());
    assert!(reader.output(0));
}

#[test]
fn each_fault_does_what_it_says() {
    let healthy = || {
        let (mut reader, mut panel, at) = secured();
        let poll = panel.command(command::POLL, &[]);
        (hear(&mut reader, &poll, at).unwrap(), poll)
    };
    let after = |kind: FaultKind| {
        let (mut reader, mut panel, at) = secured();
        reader.fault(kind.once());
        let poll = panel.command(command::POLL, &[]);
        hear(&mut reader, &poll, at)
    };
    let len = healthy().0.len();
    assert_eq!(after(FaultKind::ReplyLost), None);
    assert_eq!(after(FaultKind::Silence), None);
    assert_eq!(after(FaultKind::Restart), None);
    assert_eq!(parse(&after(FaultKind::ReplyCorrupted).unwrap()), None);
    assert_eq!(after(FaultKind::ReplyTruncated).unwrap().len(), len / 2);
    assert_eq!(after(FaultKind::ReplyDuplicated).unwrap().len(), len * 2);
    let frame = |kind| parse(&after(kind).unwrap()).unwrap();
    assert_ne!(frame(FaultKind::WrongSequence).sequence, 2);
    assert_ne!(frame(FaultKind::WrongAddress).address, 0x85);
    let spoilt = std::panic::catch_unwind(|| {
        let (mut reader, mut panel, at) = secured();
        reader.fault(FaultKind::WrongMac.once());
        panel.ask(&mut reader, at, POLL)
    });
    assert!(spoilt.is_err(), "the panel takes no wrong MAC");
}

#[test]
fn a_late_reply_is_late() {
    let (mut reader, mut panel, at) = plain();
    let late = Duration::from_millis(250);
    reader.fault(FaultKind::ReplyLate(late).once());
    let delay = |reader: &mut Reader, bytes: Vec<u8>| {
        let said = bytes.iter().filter_map(|byte| reader.hear(*byte, at));
        said.last().unwrap().delay
    };
    let poll = panel.command(command::POLL, &[]);
    assert_eq!(delay(&mut reader, poll), TURNAROUND + late);
    let poll = panel.command(command::POLL, &[]);
    assert_eq!(delay(&mut reader, poll), TURNAROUND);
}

#[test]
fn the_default_key_is_answered_in_install_mode_alone_until_a_key_is_set() {
    let at = ticks();
    let mut reader = reader(ReaderSettings {
        is_secure_enforced: true,
        ..ReaderSettings::plain(5)
    });
    let mut panel = Panel::new(5);
    assert!(
        panel
            .secure(&mut reader, at, &SecureKey::DEFAULT, 0)
            .is_none()
    );
    reader.set_install_mode(true);
    assert!(
        panel
            .secure(&mut reader, at, &SecureKey::DEFAULT, 0)
            .is_some()
    );
    let key = [[1, 16].as_slice(), KEY.bytes()].concat();
    assert_eq!(panel.ask(&mut reader, at, (command::KEYSET, &key)), ack());
    assert_eq!(panel.ask(&mut reader, at, POLL), ack(), "the channel stays");
    assert!(
        panel
            .secure(&mut reader, at, &SecureKey::DEFAULT, 0)
            .is_none()
    );
    assert!(panel.secure(&mut reader, at, &KEY, 1).is_some());
}

#[test]
fn an_attacker_with_the_default_key_answers_whatever_is_asked_for() {
    let at = ticks();
    let mut reader = reader(ReaderSettings::plain(5));
    reader.fault(FaultKind::DefaultKeyOnly.until_cleared());
    let mut panel = Panel::new(5);
    assert!(panel.secure(&mut reader, at, &KEY, 1).is_none());
    assert!(
        panel
            .secure(&mut reader, at, &SecureKey::DEFAULT, 1)
            .is_some()
    );
}

#[test]
fn a_restart_forgets_all_but_the_settings() {
    let (mut reader, mut panel, at) = secured();
    panel.ask(&mut reader, at, OUT);
    reader.present(&Card::h10301(42, 12_345));
    reader.restart(at);
    assert!(!reader.output(0));
    let poll = panel.command(command::POLL, &[]);
    let refused = hear(&mut reader, &poll, at).unwrap();
    assert_eq!(parse(&refused).unwrap().data, [4]);
    assert!(panel.secure(&mut reader, at, &KEY, 1).is_some());
    assert_eq!(
        panel.ask(&mut reader, at, POLL),
        ack(),
        "no card from before"
    );
}

#[test]
fn after_8_s_of_silence_the_channel_is_gone_and_cards_wait() {
    let (mut reader, mut panel, at) = secured();
    let observed = reader.observe();
    reader.present(&Card::h10301(42, 12_345));
    let later = at + Duration::from_secs(8);
    assert_eq!(reader.due(), Some(later));
    reader.advance(later);
    assert!(observed.try_iter().any(|o| o.what == Seen::Offline));
    let poll = panel.command(command::POLL, &[]);
    let refused = hear(&mut reader, &poll, later).unwrap();
    assert_eq!(parse(&refused).unwrap().data, [4]);
    assert!(panel.secure(&mut reader, later, &KEY, 1).is_some());
    assert_eq!(panel.ask(&mut reader, later, POLL).0, reply::RAW);
}

#[test]
fn a_timed_output_is_seen_on_and_off_at_its_times() {
    let (mut reader, mut panel, at) = secured();
    let observed = reader.observe();
    panel.ask(&mut reader, at, OUT);
    reader.advance(at + Duration::from_secs(5));
    let seen: Vec<_> = observed.try_iter().map(|o| (o.at, o.what)).collect();
    let output = |is_on| Seen::Output { number: 0, is_on };
    let off_at = at + Duration::from_secs(3);
    assert_eq!(seen, [(at, output(true)), (off_at, output(false))]);
}

#[test]
fn status_is_reported_on_poll_and_when_asked() {
    let (mut reader, mut panel, at) = secured();
    reader.set_local_status(Some(true), None);
    reader.set_input(2, true);
    reader.set_input(2, true);
    assert_eq!(
        panel.ask(&mut reader, at, POLL),
        (reply::LSTATR, vec![1, 0])
    );
    let inputs = (reply::ISTATR, vec![0, 0, 1, 0]);
    assert_eq!(panel.ask(&mut reader, at, POLL), inputs);
    assert_eq!(panel.ask(&mut reader, at, POLL), ack());
    assert_eq!(panel.ask(&mut reader, at, (command::ISTAT, &[])), inputs);
    let outputs = (reply::OSTATR, vec![0, 0]);
    assert_eq!(panel.ask(&mut reader, at, (command::OSTAT, &[])), outputs);
    assert_eq!(
        panel.ask(&mut reader, at, (command::RSTAT, &[])).0,
        reply::RSTATR
    );
    for order in [command::ACURXSIZE, command::KEEPACTIVE] {
        assert_eq!(panel.ask(&mut reader, at, (order, &[0, 1])), ack());
    }
    assert_eq!(panel.ask(&mut reader, at, (command::ABORT, &[])), ack());
    assert_eq!(panel.ask(&mut reader, at, (0xA1, &[])), nak(3));
    assert_eq!(panel.ask(&mut reader, at, (command::OUT, &[1])), nak(2));
}

#[test]
fn comset_is_answered_with_what_is_in_force() {
    let (mut reader, mut panel, at) = plain();
    let wanted = [9, 0, 0xC2, 0x01, 0];
    let still = vec![5, 0x80, 0x25, 0, 0];
    let asked = panel.ask(&mut reader, at, (command::COMSET, &wanted));
    assert_eq!(asked, (reply::COM, still));
    reader.settings.accepts_comset = true;
    let asked = panel.ask(&mut reader, at, (command::COMSET, &wanted));
    assert_eq!(asked, (reply::COM, wanted.to_vec()));
    assert_eq!((reader.address(), reader.baud()), (9, 115_200));
}

#[test]
fn a_checksum_is_answered_with_a_checksum() {
    let (mut reader, mut panel, at) = plain();
    panel.check = Check::Checksum;
    let poll = panel.command(command::POLL, &[]);
    let answer = parse(&hear(&mut reader, &poll, at).unwrap()).unwrap();
    assert_eq!((answer.check, answer.code), (Check::Checksum, reply::ACK));
}

#[test]
fn commands_to_others_and_replies_of_others_are_not_answered() {
    let (mut reader, _, at) = plain();
    let poll = Panel::new(6).command(command::POLL, &[]);
    assert_eq!(hear(&mut reader, &poll, at), None);
    let reply = Panel::new(0x85).command(command::POLL, &[]);
    assert_eq!(hear(&mut reader, &reply, at), None);
    let everybody = Panel::new(0x7F).command(command::ID, &[0]);
    assert_eq!(hear(&mut reader, &everybody, at).unwrap()[1], 0xFF);
}

#[test]
fn no_garbage_opens_anything() {
    let mut state = 7_u32;
    let mut random = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        state.to_be_bytes()
    };
    for _ in 0..3000 {
        // Each time in a channel that is up, with a command that would open if left as it is.
        let (mut reader, mut panel, at) = secured();
        let [choice, place, change, _] = random();
        let real = panel.command(command::OUT, &OPEN_3_S);
        let mut bytes = real.clone();
        let place = usize::from(place) % bytes.len();
        bytes[place] ^= change.max(1);
        if choice.is_multiple_of(2) {
            super::frame::check_again(&mut bytes);
        }
        if choice.is_multiple_of(3) {
            bytes.truncate(place);
        }
        hear(&mut reader, &bytes, at);
        // A changed check that was made good again is the command itself.
        assert_eq!(reader.output(0), bytes == real, "{bytes:02x?}");
    }
}

#[test]
fn a_recorded_session_replays_where_the_random_number_is_the_same() {
    let (mut reader, mut panel, at) = plain();
    reader.settings = ReaderSettings::secure(5, KEY);
    reader.record();
    panel.secure(&mut reader, at, &KEY, 1).unwrap();
    reader.present(&Card::h10301(42, 12_345));
    assert_eq!(panel.ask(&mut reader, at, POLL).0, reply::RAW);
    let exchanges = reader.recording();
    assert_eq!(exchanges.len(), 3);

    let (mut thing, mut panel, at) = plain();
    thing.start_replay(exchanges);
    // The tests' panel has one fixed number: the very fault that a replay needs.
    assert!(panel.secure(&mut thing, at, &KEY, 1).is_some());
    assert_eq!(panel.ask(&mut thing, at, POLL).0, reply::RAW);
    let poll = panel.command(command::POLL, &[]);
    assert_eq!(hear(&mut thing, &poll, at), None);
}
