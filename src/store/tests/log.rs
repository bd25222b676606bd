//! The log as a whole: what is promised of entries, by the one writer.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::pb::store::JournalKind;
use crate::store::{AppendError, Recorded, Reported, ReportedEntry};
use crate::types::{DoorEventKind, PersonState, PinEvidence, UtcTime, World as _};

use super::disks::{FailingDisk, Fault, SmallDisk};
use super::log_scene::{Scene, acme, parts, point, reopened, run, source};

/// Sequence number of a recorded attempt.
fn sequence(recorded: &Recorded) -> u64 {
    match recorded {
        Recorded::Grant(receipt) => receipt.entry().sequence,
        Recorded::Denial(receipt) => receipt.entry().sequence,
        Recorded::AlreadyDecided(entry) => entry.sequence,
        Recorded::DecideAgain => panic!("nothing was recorded"),
    }
}

#[test]
fn an_attempt_is_in_the_feed_before_it_is_answered() {
    let folder = tempfile::tempdir().unwrap();
    let scene = Scene::new(folder.path());
    let before = scene.leaf_count();
    let recorded = scene.record(scene.attempt(1)).unwrap();
    assert!(matches!(recorded, Recorded::Grant(_)));
    assert_eq!(scene.leaf_count(), before + 1);
    scene.stop();
}

#[test]
fn invariant_3_a_denial_is_written_as_a_grant_is() {
    let folder = tempfile::tempdir().unwrap();
    let scene = Scene::new(folder.path());
    let before = scene.leaf_count();
    let recorded = scene
        .record(scene.attempt_with(1, 99, PinEvidence::NotGiven))
        .unwrap();
    assert!(matches!(recorded, Recorded::Denial(_)));
    assert_eq!(scene.leaf_count(), before + 1);
    let entry = scene.feeds.journal(sequence(&recorded)).unwrap().unwrap();
    assert_eq!(entry.kind, JournalKind::Attempt);
    scene.stop();
}

#[test]
fn invariant_14_asking_twice_is_asking_once() {
    let folder = tempfile::tempdir().unwrap();
    let mut scene = Scene::new(folder.path());
    let entry = scene.attempt(1);
    let first = sequence(&scene.record(entry.clone()).unwrap());
    let leaves = scene.leaf_count();

    let again = scene.record(entry.clone()).unwrap();
    assert!(
        matches!(again, Recorded::Grant(_)),
        "young: the same answer"
    );
    assert_eq!(sequence(&again), first);

    let mut other = entry.clone();
    other.source = Some(source(1, 2));
    assert_eq!(
        scene.record(other).err(),
        Some(AppendError::CounterReused(1))
    );

    scene.world.pass(2_001);
    let late = scene.record(entry.clone()).unwrap();
    assert!(
        matches!(late, Recorded::AlreadyDecided(_)),
        "too old: the entry, and no grant"
    );
    assert_eq!(sequence(&late), first);

    let young = scene.attempt(2);
    let _ = scene.record(young.clone()).unwrap();
    scene.change(parts()).unwrap();
    let after_removal = scene.record(young).unwrap();
    assert!(
        matches!(after_removal, Recorded::AlreadyDecided(_)),
        "a removal came since"
    );

    let scene = scene.restart();
    let after_restart = scene.record(entry).unwrap();
    assert!(matches!(after_restart, Recorded::AlreadyDecided(_)));
    assert_eq!(sequence(&after_restart), first);
    assert_eq!(scene.leaf_count(), leaves + 1);
    scene.stop();
}

#[test]
fn a_reported_event_is_written_once_however_often_it_comes() {
    let folder = tempfile::tempdir().unwrap();
    let scene = Scene::new(folder.path());
    let report = |counters: std::ops::Range<u64>| {
        let event_at = scene.world.now().utc;
        let what = Reported::DoorEvent(DoorEventKind::DoorForced);
        counters
            .map(|counter| ReportedEntry {
                source: Some(source(counter, 1)),
                access_point: point(),
                event_at,
                what: what.clone(),
            })
            .collect::<Vec<_>>()
    };
    let first = run(scene.log.scribe.record_reported(report(1..4))).unwrap();
    assert!(first.iter().all(|known| !known.already_known));
    let leaves = scene.leaf_count();
    let again = run(scene.log.scribe.record_reported(report(2..6))).unwrap();
    let known: Vec<_> = again.iter().map(|a| (a.counter, a.already_known)).collect();
    assert_eq!(known, [(2, true), (3, true), (4, false), (5, false)]);
    assert_eq!(again[0].entry, first[1].entry);
    assert_eq!(scene.leaf_count(), leaves + 2);
    scene.stop();
}

#[test]
fn a_late_event_of_an_old_run_does_not_hide_what_is_known_of_the_new_one() {
    let folder = tempfile::tempdir().unwrap();
    let scene = Scene::new(folder.path());
    let in_run = |run: &str, counter| {
        let mut entry = scene.attempt(counter);
        let boot = crate::types::BootId::parse(run).unwrap();
        entry.source.as_mut().unwrap().event.boot = boot;
        entry
    };
    let ninth = sequence(&scene.record(in_run("b", 9)).unwrap());
    let _ = scene.record(in_run("a", 50)).unwrap();
    let _ = scene.record(in_run("b", 7)).unwrap();
    scene.world.pass(5_000);
    let _ = scene.record(in_run("b", 100)).unwrap();
    let again = scene.record(in_run("b", 9)).unwrap();
    assert!(matches!(again, Recorded::AlreadyDecided(_)));
    assert_eq!(sequence(&again), ninth);
    scene.stop();
}

#[test]
fn invariant_10_a_removed_right_is_refused_at_the_next_try() {
    let folder = tempfile::tempdir().unwrap();
    let mut scene = Scene::new(folder.path());
    let decided_before = scene.attempt(1);
    assert!(decided_before.decision.is_grant());
    let mut without = parts();
    without
        .persons
        .values_mut()
        .for_each(|p| p.state = PersonState::Suspended);
    scene.change(without).unwrap();
    let leaves = scene.leaf_count();
    assert!(matches!(
        scene.record(decided_before).unwrap(),
        Recorded::DecideAgain
    ));
    assert_eq!(
        scene.leaf_count(),
        leaves,
        "nothing is written of a decision that is not taken"
    );
    assert!(matches!(
        scene.record(scene.attempt(1)).unwrap(),
        Recorded::Denial(_)
    ));
    scene.stop();
}

#[test]
fn invariant_12_a_clock_set_back_keeps_the_order() {
    let folder = tempfile::tempdir().unwrap();
    let scene = Scene::new(folder.path());
    let first = sequence(&scene.record(scene.attempt(1)).unwrap());
    scene.world.set_utc(1_500_000_000);
    let second = sequence(&scene.record(scene.attempt(2)).unwrap());
    assert!(second > first);
    let between: Vec<_> = (first + 1..second)
        .map(|n| scene.feeds.journal(n).unwrap().unwrap().kind)
        .collect();
    assert_eq!(between, [JournalKind::ClockFault]);
    let leaves = scene.leaf_count();
    let scene = scene.restart();
    assert_eq!(scene.leaf_count(), leaves);
    let third = sequence(&scene.record(scene.attempt(3)).unwrap());
    assert!(third > second);
    scene.stop();
}

#[test]
fn a_clock_set_back_over_a_restart_is_noted_too() {
    let folder = tempfile::tempdir().unwrap();
    let scene = Scene::new(folder.path());
    let last = sequence(&scene.record(scene.attempt(1)).unwrap());
    let scene = scene.restart();
    scene.world.set_utc(1_500_000_000);
    let next = sequence(&scene.record(scene.attempt(2)).unwrap());
    let kinds: Vec<_> = (last + 1..next)
        .map(|n| scene.feeds.journal(n).unwrap().unwrap().kind)
        .collect();
    assert_eq!(kinds, [JournalKind::ClockFault]);
    scene.stop();
}

#[test]
fn counters_that_overtake_one_another_are_each_written_once() {
    let folder = tempfile::tempdir().unwrap();
    let scene = Scene::new(folder.path());
    let before = scene.leaf_count();
    for counter in [5, 3, 9, 4, 1, 2, 8] {
        let _ = scene.record(scene.attempt(counter)).unwrap();
    }
    assert_eq!(scene.leaf_count(), before + 7);
    scene.world.pass(3_000);
    for counter in [1, 2, 3, 4, 5, 8, 9] {
        let again = scene.record(scene.attempt(counter)).unwrap();
        assert!(matches!(again, Recorded::AlreadyDecided(_)), "{counter}");
    }
    assert_eq!(scene.leaf_count(), before + 7);
    scene.stop();
}

#[test]
fn a_report_of_many_months_asks_for_keys_of_one() {
    let folder = tempfile::tempdir().unwrap();
    let scene = Scene::new(folder.path());
    let keyring = folder.path().join("keyring");
    let before = std::fs::metadata(&keyring).unwrap().len();
    let reports = (0..100_u32)
        .map(|n| ReportedEntry {
            source: Some(source(u64::from(n) + 1, 1)),
            access_point: point(),
            event_at: UtcTime::EPOCH.plus_seconds(n * 40 * 86_400),
            what: Reported::DoorEvent(DoorEventKind::DoorForced),
        })
        .collect();
    run(scene.log.scribe.record_reported(reports)).unwrap();
    let grown = std::fs::metadata(&keyring).unwrap().len() - before;
    assert!(grown < 1_000, "{grown} bytes of new keys");
    scene.stop();
}

#[test]
fn invariant_3_a_failed_append_answers_no_grant() {
    // The number of changes up to a running log, so that faults can be put behind it.
    let folder = tempfile::tempdir().unwrap();
    let counting = Arc::new(FailingDisk::new(Fault::ForEver(u64::MAX)));
    let scene = Scene::on(folder.path(), counting.clone());
    let start = counting.count();
    scene.stop();
    let mut refused = 0;
    for nth in start + 1..start + 9 {
        let folder = tempfile::tempdir().unwrap();
        let scene = Scene::on(
            folder.path(),
            Arc::new(FailingDisk::new(Fault::ForEver(nth))),
        );
        let mut acknowledged = Vec::new();
        for counter in 1..6 {
            match scene.record(scene.attempt(counter)) {
                Ok(recorded) => acknowledged.push(sequence(&recorded)),
                Err(AppendError::Unavailable(_)) => refused += 1,
                Err(other) => panic!("{other}"),
            }
        }
        scene.stop();
        let (_writer, feeds) = reopened(folder.path());
        let missing = acknowledged
            .iter()
            .find(|n| feeds.journal(**n).unwrap().is_none());
        assert_eq!(missing, None, "fault at change {nth}");
    }
    assert!(refused > 0, "no fault was ever met");
}

#[test]
fn what_there_is_no_room_for_is_refused_and_the_log_goes_on_when_there_is() {
    let folder = tempfile::tempdir().unwrap();
    let disk = SmallDisk {
        left: Arc::new(AtomicU64::new(3 * 1024 * 1024)),
    };
    let scene = Scene::on(folder.path(), Arc::new(disk.clone()));
    let mut counter = 0;
    let refused = loop {
        counter += 1;
        if let Err(error) = scene.record(scene.attempt(counter)) {
            break error;
        }
        assert!(counter < 50_000, "the disk never filled up");
    };
    assert!(matches!(refused, AppendError::Unavailable(_)));
    disk.left.store(64 * 1024 * 1024, Ordering::SeqCst);
    // The scribe tries again when it keeps house, after each command and when idle.
    let mut tries = 0;
    while scene.record(scene.attempt(counter + 1)).is_err() {
        tries += 1;
        assert!(tries < 100_000, "the log did not go on");
    }
    scene.leaf_count();
    scene.stop();
}

#[test]
fn wrong_pins_outlive_a_restart_and_a_right_one_clears_them() {
    let folder = tempfile::tempdir().unwrap();
    let scene = Scene::new(folder.path());
    for counter in 1..4 {
        let _ = scene
            .record(scene.attempt_with(counter, 7, PinEvidence::Wrong))
            .unwrap();
    }
    let scene = scene.restart();
    let counts: Vec<_> = scene.log.pin_failures.values().map(|f| f.count).collect();
    assert_eq!(counts, [3]);
    let _ = scene
        .record(scene.attempt_with(9, 7, PinEvidence::Verified))
        .unwrap();
    let scene = scene.restart();
    assert!(scene.log.pin_failures.is_empty());
    scene.stop();
}

#[test]
fn heads_are_rung_only_when_they_can_be_read() {
    let folder = tempfile::tempdir().unwrap();
    let scene = Scene::new(folder.path());
    let mut bell = scene.feeds.doorbells().listen(&acme()).unwrap();
    for counter in 1..50 {
        let _ = scene.record(scene.attempt(counter)).unwrap();
        let size = bell.borrow_and_update().size;
        let last = scene.feeds.leaves(&acme(), size - 1, 1).unwrap();
        assert_eq!(
            last.len(),
            1,
            "a head was rung before its leaf could be read"
        );
    }
    scene.stop();
}
