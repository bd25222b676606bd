//! What a guard would expect of a door, line by line. Times are milliseconds.

use super::fixture::Do::{
    Closes, Grant, LateGrant, Leave, Lock, Offline, Online, Open, Opens, Press, Refused, Set, Tick,
    Unlock,
};
use super::fixture::{Do, FULL, Line, at, input};
use super::*;
use crate::control::{DoorPosition, LockState};
use crate::types::DoorId;

/// Plays a story at a ready door up to a time, and compares all that came of it.
fn check(setup: DoorSetup, story: &[(u64, Do)], until: u64, expected: &[(u64, &str)]) -> Line {
    let mut line = Line::ready(setup);
    line.play(story);
    line.run_to(until);
    let log: Vec<_> = line.log.iter().map(|(ms, w)| (*ms, w.as_str())).collect();
    assert_eq!(log, expected, "{story:?}");
    line
}

const NO_CONTACT: DoorSetup = DoorSetup {
    has_contact: false,
    ..FULL
};

#[test]
fn granted_opened_and_closed_is_taken() {
    let story = [
        (1_000, Grant("in")),
        (1_010, Set(true)),
        (3_000, Opens),
        (4_000, Closes),
    ];
    let line = check(
        FULL,
        &story,
        90_000,
        &[
            (1_000, "release 5000"),
            (3_050, "AccessTaken in"),
            (3_500, "lock"),
        ],
    );
    assert_eq!(line.state.lock_state(), LockState::Locked);
    assert_eq!(line.state.next_deadline(), None);
}

#[test]
fn granted_and_left_shut_is_not_taken() {
    let expected = [
        (1_000, "release 5000"),
        (6_010, "lock"),
        (6_510, "AccessNotTaken out"),
    ];
    check(
        FULL,
        &[(1_000, Grant("out")), (1_010, Set(true))],
        9_000,
        &expected,
    );
}

#[test]
fn an_opening_at_the_last_moment_is_taken_although_it_is_heard_late() {
    let story = [(0, Grant("in")), (10, Set(true)), (5_300, Opens)];
    let expected = [
        (0, "release 5000"),
        (5_010, "lock"),
        (5_350, "AccessTaken in"),
    ];
    check(FULL, &story, 6_000, &expected);
}

#[test]
fn without_a_contact_nobody_claims_who_passed() {
    let story = [(0, Grant("in")), (10, Set(true)), (2_000, Opens)];
    check(
        NO_CONTACT,
        &story,
        90_000,
        &[(0, "release 5000"), (5_010, "lock")],
    );
}

#[test]
fn a_door_that_opens_by_itself_is_forced_until_it_closes() {
    let story = [(1_000, Opens), (9_000, Closes)];
    let expected = [
        (1_050, "DoorForced"),
        (1_050, "raise DoorForced"),
        (9_050, "DoorClosed"),
        (9_050, "clear DoorForced"),
    ];
    check(FULL, &story, 90_000, &expected);
}

#[test]
fn a_second_opening_after_the_passage_is_forced() {
    let story = [
        (0, Grant("in")),
        (10, Set(true)),
        (1_000, Opens),
        (2_000, Closes),
        (3_000, Opens),
    ];
    let line = check(
        FULL,
        &story,
        4_000,
        &[
            (0, "release 5000"),
            (1_050, "AccessTaken in"),
            (1_500, "lock"),
            (3_050, "DoorForced"),
            (3_050, "raise DoorForced"),
        ],
    );
    assert_eq!(line.state.position(), DoorPosition::Open);
}

#[test]
fn an_opening_from_before_a_grant_is_not_taken() {
    let mut line = Line::ready(FULL);
    line.step(Grant("in"), 1_000);
    // Read before the grant, heard after it.
    let late = line.state.step(input(Opens, 990), at(990));
    assert!(late.is_empty());
    line.run_to(9_000);
    let log: Vec<_> = line.log.iter().map(|(_, w)| w.as_str()).collect();
    assert_eq!(
        log,
        ["release 5000", "DoorForced", "raise DoorForced", "lock"]
    );
}

#[test]
fn an_opening_between_two_grants_is_taken_by_the_first_alone() {
    let mut line = Line::ready(FULL);
    line.play(&[(0, Grant("in")), (10, Set(true)), (1_000, Grant("out"))]);
    let _ = line.state.step(input(Opens, 990), at(990));
    line.run_to(12_000);
    let log: Vec<_> = line.log.iter().map(|(_, w)| w.as_str()).collect();
    let expected = ["release 5000", "release 5000", "AccessTaken in", "lock"];
    assert_eq!(log, expected);
}

#[test]
fn a_strike_that_says_released_again_and_again_is_locked_all_the_same() {
    let mut story = vec![(0, Grant("in"))];
    story.extend((0..60).map(|n| (n * 200 + 10, Set(true))));
    let expected = [
        (0, "release 5000"),
        (5_010, "lock"),
        (5_510, "AccessNotTaken in"),
    ];
    check(FULL, &story, 13_000, &expected);
}

#[test]
fn a_door_held_open_warns_and_then_alarms() {
    let story = [
        (0, Grant("in")),
        (10, Set(true)),
        (1_000, Opens),
        (60_000, Closes),
    ];
    let expected = [
        (0, "release 5000"),
        (1_050, "AccessTaken in"),
        (1_500, "lock"),
        (21_000, "warning On"),
        (31_000, "DoorHeld"),
        (31_000, "raise DoorHeld"),
        (60_050, "warning Off"),
        (60_050, "DoorClosed"),
        (60_050, "clear DoorHeld"),
    ];
    check(FULL, &story, 90_000, &expected);
}

#[test]
fn a_grant_at_an_open_door_counts_anew_and_claims_nothing() {
    let story = [
        (0, Grant("in")),
        (10, Set(true)),
        (1_000, Opens),
        (22_000, Grant("in")),
        (22_010, Set(true)),
        (40_000, Closes),
    ];
    let expected = [
        (0, "release 5000"),
        (1_050, "AccessTaken in"),
        (1_500, "lock"),
        (21_000, "warning On"),
        (22_000, "warning Off"),
        (22_000, "release 5000"),
        (27_010, "lock"),
    ];
    check(FULL, &story, 90_000, &expected);
}

#[test]
fn a_second_grant_extends_and_both_are_taken_by_one_opening() {
    let story = [
        (0, Grant("in")),
        (10, Set(true)),
        (4_000, Grant("out")),
        (4_010, Set(true)),
        (8_000, Opens),
    ];
    let expected = [
        (0, "release 5000"),
        (4_000, "release 5000"),
        (8_050, "AccessTaken in"),
        (8_050, "AccessTaken out"),
        (8_500, "lock"),
    ];
    check(FULL, &story, 9_000, &expected);
}

#[test]
fn a_request_to_exit_is_written_once_and_shunts_for_a_while() {
    let exit = [
        (1_000, Press),
        (1_010, Leave),
        (1_020, Press),
        (1_030, Leave),
        (5_000, Opens),
        (6_000, Closes),
    ];
    check(FULL, &exit, 9_000, &[(1_000, "RequestToExit")]);
    let late = [(1_000, Press), (2_000, Leave), (7_000, Opens)];
    let forced = [
        (1_000, "RequestToExit"),
        (7_050, "DoorForced"),
        (7_050, "raise DoorForced"),
    ];
    check(FULL, &late, 9_000, &forced);
}

#[test]
fn a_jammed_exit_button_does_not_silence_the_alarm_for_ever() {
    let forced = [
        (1_000, "RequestToExit"),
        (61_050, "DoorForced"),
        (61_050, "raise DoorForced"),
    ];
    check(FULL, &[(1_000, Press), (61_000, Opens)], 62_000, &forced);
    let lingering = [(1_000, Press), (60_999, Opens), (62_000, Closes)];
    check(FULL, &lingering, 63_000, &[(1_000, "RequestToExit")]);
}

#[test]
fn a_bouncing_contact_makes_one_event() {
    let rattled = [
        (1_000, Opens),
        (1_020, Closes),
        (1_030, Opens),
        (1_049, Closes),
    ];
    check(FULL, &rattled, 2_000, &[]);
    let bouncing = [
        (0, Grant("in")),
        (10, Set(true)),
        (1_000, Opens),
        (1_005, Closes),
        (1_010, Opens),
    ];
    let expected = [
        (0, "release 5000"),
        (1_050, "AccessTaken in"),
        (1_510, "lock"),
    ];
    check(FULL, &bouncing, 2_000, &expected);
    let rattled = [
        (0, Grant("in")),
        (10, Set(true)),
        (5_000, Opens),
        (5_020, Closes),
    ];
    let expected = [
        (0, "release 5000"),
        (5_010, "lock"),
        (5_510, "AccessNotTaken in"),
    ];
    check(FULL, &rattled, 6_000, &expected);
}

#[test]
fn a_grant_that_came_too_late_opens_nothing() {
    check(FULL, &[(3_000, LateGrant)], 9_000, &[(3_000, "stale")]);
}

#[test]
fn an_unlock_of_another_door_opens_nothing() {
    let other = DoorId::parse("other").unwrap();
    let mut line = Line::ready(FULL);
    line.state = DoorState::new(other, FULL, at(0));
    let story = [
        (0, Online),
        (1, Grant("in")),
        (2, Open),
        (3, Unlock(60_000)),
    ];
    line.play(&story);
    line.run_to(90_000);
    let log: Vec<_> = line.log.iter().map(|(_, w)| w.as_str()).collect();
    assert_eq!(
        log,
        [
            "lock",
            "AccessNotTaken in",
            "answer Refused",
            "answer Refused"
        ]
    );
}

#[test]
fn an_order_opens_once_and_is_answered_when_the_strike_has_answered() {
    let story = [(0, Open), (40, Set(true)), (1_000, Opens), (2_000, Closes)];
    let expected = [(0, "release 5000"), (40, "answer Done"), (1_500, "lock")];
    check(FULL, &story, 9_000, &expected);
    let refused = [(0, "release 5000"), (40, "answer Refused"), (40, "lock")];
    check(FULL, &[(0, Open), (40, Refused)], 9_000, &refused);
    let silent = [
        (0, "release 5000"),
        (3_000, "answer Silent"),
        (7_000, "lock"),
    ];
    check(FULL, &[(0, Open)], 9_000, &silent);
}

#[test]
fn an_order_to_lock_ends_what_was_allowed_at_once() {
    let story = [
        (0, Grant("in")),
        (10, Set(true)),
        (1_000, Lock),
        (1_010, Set(false)),
        (2_000, Opens),
    ];
    let expected = [
        (0, "release 5000"),
        (1_000, "lock by order"),
        (1_010, "answer Done"),
        (1_500, "AccessNotTaken in"),
        (2_050, "DoorForced"),
        (2_050, "raise DoorForced"),
    ];
    check(FULL, &story, 9_000, &expected);
    let unlocked = [(0, Unlock(60_000)), (10, Set(true)), (1_000, Lock)];
    let expected = [
        (0, "keep 10000"),
        (10, "answer Done"),
        (1_000, "lock by order"),
    ];
    let line = check(FULL, &unlocked, 1_000, &expected);
    assert_eq!(line.state.lock_state(), LockState::Locked);
    assert_eq!(line.state.unlocked_until(), None);
}

#[test]
fn an_unlocked_door_is_kept_released_and_locks_by_itself() {
    let story = [
        (0, Unlock(8_000)),
        (10, Set(true)),
        (1_000, Opens),
        (2_000, Closes),
        (4_000, Opens),
        (4_500, Grant("in")),
    ];
    let expected = [
        (0, "keep 8000"),
        (10, "answer Done"),
        (3_000, "keep 5000"),
        (6_000, "keep 2000"),
        (8_000, "lock"),
        // Counted from the end.
        (28_000, "warning On"),
        (38_000, "DoorHeld"),
        (38_000, "raise DoorHeld"),
    ];
    let line = check(FULL, &story, 40_000, &expected);
    assert_eq!(line.state.lock_state(), LockState::Locked);
}

#[test]
fn a_held_door_that_is_unlocked_by_order_may_stand_open() {
    let story = [
        (0, Open),
        (10, Set(true)),
        (1_000, Opens),
        (40_000, Unlock(2_000)),
        (41_000, Closes),
    ];
    let expected = [
        (0, "release 5000"),
        (10, "answer Done"),
        (1_500, "lock"),
        (21_000, "warning On"),
        (31_000, "DoorHeld"),
        (31_000, "raise DoorHeld"),
        (40_000, "warning Off"),
        (40_000, "clear DoorHeld"),
        (40_000, "keep 2000"),
        (41_050, "DoorClosed"),
        (42_000, "lock"),
    ];
    check(FULL, &story, 42_000, &expected);
}

#[test]
fn what_is_offline_is_not_released_and_not_known() {
    let story = [
        (0, Grant("in")),
        (10, Offline),
        (20, Grant("out")),
        (30, Open),
        (40, Unlock(9_000)),
        (50, Lock),
        (60, Opens),
    ];
    let expected = [
        (0, "release 5000"),
        (20, "AccessNotTaken out"),
        (30, "answer Refused"),
        (40, "answer Refused"),
        (50, "answer Refused"),
    ];
    let line = check(FULL, &story, 90_000, &expected);
    assert_eq!(line.state.lock_state(), LockState::Unknown);
    assert_eq!(line.state.position(), DoorPosition::Unknown);
}

#[test]
fn what_comes_back_is_locked_first_and_an_open_door_is_not_forced() {
    let story = [
        (0, Offline),
        (9_000, Online),
        (9_010, Opens),
        (9_020, Set(false)),
        (50_000, Closes),
    ];
    let expected = [
        (9_000, "lock"),
        (29_010, "warning On"),
        (39_010, "DoorHeld"),
        (39_010, "raise DoorHeld"),
        (50_050, "warning Off"),
        (50_050, "DoorClosed"),
        (50_050, "clear DoorHeld"),
    ];
    check(FULL, &story, 90_000, &expected);
}

#[test]
fn an_alarm_stands_while_offline_until_the_door_is_seen_closed() {
    let story = [
        (0, Opens),
        (1_000, Offline),
        (2_000, Online),
        (2_010, Opens),
        (3_000, Online),
        (3_010, Closes),
    ];
    let expected = [
        (50, "DoorForced"),
        (50, "raise DoorForced"),
        (2_000, "lock"),
        (3_000, "lock"),
        (3_010, "DoorClosed"),
        (3_010, "clear DoorForced"),
    ];
    check(FULL, &story, 9_000, &expected);
}

#[test]
fn an_unlocked_door_is_released_again_when_it_comes_back_in_time() {
    let story = [
        (0, Unlock(20_000)),
        (10, Offline),
        (9_000, Online),
        (9_010, Offline),
        (30_000, Online),
    ];
    let expected = [
        (0, "keep 10000"),
        (10, "answer Silent"),
        (9_000, "keep 10000"),
        (30_000, "lock"),
    ];
    check(FULL, &story, 31_000, &expected);
}

#[test]
fn a_refused_lock_is_tried_again_a_few_times() {
    let mut line = Line::ready(FULL);
    line.step(Lock, 0);
    for second in 0..20 {
        line.run_to(second * 1_000 + 10);
        line.step(Refused, second * 1_000 + 10);
    }
    let locks = line.log.iter().filter(|(_, w)| w == "lock").count();
    assert_eq!(locks, usize::from(LOCK_TRIES_MAX));
    assert_eq!(line.state.lock_state(), LockState::Unknown);
    line.step(Set(false), 30_000);
    assert_eq!(line.state.lock_state(), LockState::Locked);
}

#[test]
fn a_refused_order_to_unlock_leaves_the_door_locked() {
    let story = [(0, Unlock(60_000)), (10, Refused)];
    let expected = [(0, "keep 10000"), (10, "answer Refused"), (10, "lock")];
    let line = check(FULL, &story, 60_000, &expected);
    assert_eq!(line.state.unlocked_until(), None);
    // Refused once while it stands, it is kept at the next turn.
    let story = [(0, Unlock(60_000)), (10, Set(true)), (3_010, Refused)];
    let expected = [
        (0, "keep 10000"),
        (10, "answer Done"),
        (3_000, "keep 10000"),
        (6_000, "keep 10000"),
    ];
    check(FULL, &story, 7_000, &expected);
}

#[test]
fn a_controller_gets_whole_orders_and_locks_by_itself() {
    let controller = DoorSetup {
        drive: DriveKind::Controller,
        has_contact: false,
        has_request_to_exit: false,
        ..FULL
    };
    let story = [
        (0, Online),
        (1_000, Open),
        (1_010, Set(true)),
        (9_000, Unlock(3_600_000)),
        (9_010, Set(true)),
        (20_000, Lock),
        (20_010, Set(false)),
    ];
    let expected = [
        (1_000, "release 5000"),
        (1_010, "answer Done"),
        (9_000, "keep 3600000"),
        (9_010, "answer Done"),
        (20_000, "lock by order"),
        (20_010, "answer Done"),
    ];
    let line = check(controller, &story, 90_000, &expected);
    assert_eq!(line.state.lock_state(), LockState::Locked);
}

#[test]
fn a_contact_taken_away_clears_its_alarms() {
    let story = [(0, Opens), (1_000, Do::Setup(NO_CONTACT))];
    let expected = [
        (50, "DoorForced"),
        (50, "raise DoorForced"),
        (1_000, "clear DoorForced"),
    ];
    check(FULL, &story, 90_000, &expected);
}

#[test]
fn a_door_that_is_taken_away_is_locked_and_its_alarms_end() {
    let mut line = Line::ready(FULL);
    line.play(&[(0, Opens), (1_000, Unlock(60_000)), (1_010, Tick)]);
    let effects = line.state.end();
    let words: Vec<_> = effects.iter().map(fixture::words).collect();
    assert_eq!(words, ["lock", "answer Silent", "clear DoorForced"]);
}
