//! What holds for a door whatever happens to it.

use std::time::Duration;

use proptest::prelude::*;

use super::fixture::{Do, FULL, Line, at, input, ms};
use super::oracle::History;
use super::{DoorSetup, DriveKind};
use crate::control::LockState;
use crate::types::DoorTiming;

/// Effects of one step at most.
const EFFECTS_MAX: usize = 40;

/// Deeds that the second model knows, with the pauses before them.
fn deeds() -> impl Strategy<Value = Vec<(u64, Do)>> {
    let pause = prop_oneof![
        4 => (0_u64..6).prop_map(|n| n * 10),
        3 => (0_u64..60).prop_map(|n| n * 50),
        2 => (0_u64..40).prop_map(|n| n * 1_000),
    ];
    let deed = prop_oneof![
        6 => Just(Do::Opens),
        6 => Just(Do::Closes),
        4 => prop::sample::select(vec![Do::Grant("in"), Do::Grant("out")]),
        1 => Just(Do::LateGrant),
        1 => Just(Do::Open),
        1 => Just(Do::Lock),
        1 => (1_u64..40).prop_map(|s| Do::Unlock(s * 1_000)),
        2 => prop::sample::select(vec![Do::Press, Do::Leave]),
        1 => prop::sample::select(vec![Do::Online, Do::Offline]),
        1 => Just(Do::Online),
        4 => any::<bool>().prop_map(Do::Set),
        1 => Just(Do::Refused),
    ];
    prop::collection::vec((pause, deed), 1..60)
}

/// A door made and timed in another way.
fn setup() -> impl Strategy<Value = Do> {
    let s = Duration::from_secs;
    let slow = DoorTiming::new(Some(s(60)), Some(s(3_600)), Some(s(0))).unwrap();
    let quick = DoorTiming::new(Some(s(1)), Some(s(1)), None).unwrap();
    let timing = prop::sample::select(vec![DoorTiming::USUAL, slow, quick]);
    let drive = prop::sample::select(vec![DriveKind::Reader, DriveKind::Controller]);
    (drive, timing, any::<bool>(), any::<bool>()).prop_map(|(drive, timing, contact, exit)| {
        Do::Setup(DoorSetup {
            drive,
            timing,
            has_contact: contact,
            has_request_to_exit: exit,
        })
    })
}

/// Every release has a leave of its own, and comes of it at once or while it stands.
fn releases_are_allowed(history: &History) {
    let step = history.steps.last().unwrap();
    let count = |word: &str| step.effects.iter().filter(|e| e.starts_with(word)).count();
    let is_leave = matches!(step.what, Do::Grant(_) | Do::Open);
    assert!(count("release") <= usize::from(is_leave), "{step:?}");
    assert!(count("keep") <= 1, "{step:?}");
    if count("keep") == 1 {
        assert!(history.is_ordered_unlocked(step.at), "{step:?}");
    }
    if count("release") + count("keep") > 0 {
        assert!(history.is_online(history.steps.len()), "{step:?}");
    }
}

/// What is not released is locked, and nothing stays released longer than it may.
fn locked_unless_released(history: &History) {
    let now = history.now();
    let told = history.told_last();
    let is_online = history.is_online(history.steps.len());
    match history.lock {
        LockState::Unknown => assert!(!is_online || told == Some("lock")),
        LockState::Locked => assert!(is_online && told == Some("lock")),
        LockState::Released => {
            assert!(is_online && told == Some("release"));
            let last = *history.times("release").last().unwrap();
            // It may wait 2 s for its line, and is told once more how long when it is answered.
            assert!(now < last + 2_000 + 5_000 + 5_000);
        }
        LockState::Unlocked => {
            assert!(is_online && told == Some("keep"));
            assert!(history.is_ordered_unlocked(now));
            assert!(now < history.times("keep").last().unwrap() + 10_000);
        }
    }
}

/// Forced and taken are exactly what the second model says.
fn openings_are_judged(history: &History) {
    assert_eq!(history.times("DoorForced"), history.forced());
    let mut taken = Vec::new();
    for step in &history.steps {
        for event in &step.effects {
            let side = event.strip_prefix("AccessTaken ");
            taken.extend(side.map(|side| (step.at, side.to_owned())));
        }
    }
    assert_eq!(taken, history.taken());
    for side in ["in", "out"] {
        let is_in = side == "in";
        let grant = |s: &&super::oracle::Step| {
            s.what == Do::Grant(side) || is_in && s.what == Do::LateGrant
        };
        let granted = history.steps.iter().filter(grant).count();
        let ended = history.times(&format!("AccessTaken {side}")).len()
            + history.times(&format!("AccessNotTaken {side}")).len();
        assert!(ended <= granted, "{side}");
    }
}

/// Alarms are raised and cleared in turn, and stand as the door does.
fn alarms_match(history: &History) {
    for kind in ["DoorForced", "DoorHeld"] {
        let raised = history.times(&format!("raise {kind}"));
        let cleared = history.times(&format!("clear {kind}"));
        assert!(cleared.len() == raised.len() || cleared.len() + 1 == raised.len());
        let in_turn = raised.iter().zip(&cleared).all(|(r, c)| r <= c);
        let no_overlap = cleared
            .iter()
            .zip(raised.iter().skip(1))
            .all(|(c, r)| c <= r);
        assert!(in_turn && no_overlap, "{kind} {raised:?} {cleared:?}");
    }
    let stands = |kind: &str| {
        history.times(&format!("raise {kind}")).len()
            > history.times(&format!("clear {kind}")).len()
    };
    let forced = history.forced().last().copied();
    let closed = history.closings().last().copied();
    assert_eq!(stands("DoorForced"), forced.is_some() && forced > closed);

    let now = history.now();
    let eased = ["release", "keep"].map(|word| history.times(word).last().copied());
    let since = history.open_since().max(eased[0]).max(eased[1]);
    let has_long_been_open =
        history.open_since().is_some() && since.is_some_and(|since| now >= since + 30_000 + 12_000);
    if has_long_been_open && !history.is_ordered_unlocked(now) {
        assert!(stands("DoorHeld"));
    }
    let held_now = history.steps.last().unwrap();
    if held_now.effects.iter().any(|e| e == "raise DoorHeld") {
        let open = history.open_since().expect("a held door is open");
        // The contact counts 50 ms after the opening.
        assert!(now + 50 >= open + 30_000);
        assert!(!history.is_ordered_unlocked(now));
        let order_ended = history
            .times("keep")
            .last()
            .is_some_and(|k| now < k + 27_000);
        assert!(!order_ended);
    }
}

fn deadlines_lie_ahead(line: &Line, now: u64) {
    if let Some(deadline) = line.state.next_deadline().map(ms) {
        assert!(deadline > now && deadline <= now + 86_400_000);
    }
}

proptest! {
    #[test]
    fn whatever_happens_the_door_is_as_the_second_model_says(deeds in deeds()) {
        History::play(&deeds, |history, line| {
            releases_are_allowed(history);
            locked_unless_released(history);
            openings_are_judged(history);
            alarms_match(history);
            deadlines_lie_ahead(line, history.now());
        });
    }

    #[test]
    fn no_sequence_at_no_time_breaks_it(
        deeds in deeds(),
        setups in prop::collection::vec(setup(), 60),
        times in prop::collection::vec(2_000_u64..200_000, 60),
        is_setup in prop::collection::vec(prop::bool::weighted(0.1), 60),
    ) {
        let mut line = Line::ready(FULL);
        let mut clock = 0;
        for (index, (_, deed)) in deeds.iter().enumerate() {
            // Times go forth and back; ticks are missed.
            let now = times[index];
            clock = clock.max(now);
            let what = if is_setup[index] { setups[index] } else { *deed };
            let effects = line.state.step(input(what, now), at(now));
            prop_assert!(effects.len() <= EFFECTS_MAX, "{} effects", effects.len());
            let releases = effects.iter().map(super::fixture::words);
            let releases = releases.filter(|e| e.starts_with("release")).count();
            prop_assert!(releases <= usize::from(matches!(what, Do::Grant(_) | Do::Open)));
            deadlines_lie_ahead(&line, clock);
        }
    }
}
