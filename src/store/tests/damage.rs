use std::{
    fs,
    path::{Path, PathBuf},
};

use super::fixtures::{created, dense_entries, entry, first_batch, reopened};
use crate::store::{
    Batch, CommitSequence, OpenError,
    format::{CommitSequence as Sequence, FORMAT, SegmentId, encode_frame, frame_bytes},
    segments_scan::{Damage, DamageKind},
};

/// Length in its file of the frame of [`entry`]; all those used here are of the same length.
fn frame_len() -> usize {
    len_of(&entry(1))
}

fn len_of(batch: &Batch) -> usize {
    let payload_bytes = u64::try_from(batch.payload_bytes()).unwrap();
    usize::try_from(frame_bytes(payload_bytes)).unwrap()
}

/// Where the frame of an entry lies in the first segment.
fn offset(index: usize) -> usize {
    512 + len_of(&first_batch(FORMAT)) + index * frame_len()
}

/// A store with so many entries, closed.
fn filled(folder: &Path, count: u64) {
    let mut store = created(folder);
    for index in 0..count {
        store.writer.commit(entry(index)).unwrap();
    }
    store.writer.close();
}

/// The marker vouches for commits; without it the end is anybody's guess.
fn forget_marker(folder: &Path) {
    fs::remove_file(folder.join("marker")).unwrap();
}

fn segment(folder: &Path, id: u64) -> PathBuf {
    folder.join(SegmentId(id).file_name())
}

fn change(path: &Path, at: usize, bytes: &[u8]) {
    let mut whole = fs::read(path).unwrap();
    whole[at..at + bytes.len()].copy_from_slice(bytes);
    fs::write(path, whole).unwrap();
}

fn refused(folder: &Path) -> OpenError {
    reopened(folder, "two").map(|_| ()).unwrap_err()
}

#[test]
fn a_torn_end_is_zeroed_wherever_it_is_torn() {
    for cut in (0..frame_len() - 8).step_by(8) {
        let folder = tempfile::tempdir().unwrap();
        filled(folder.path(), 3);
        forget_marker(folder.path());
        let path = segment(folder.path(), 1);
        // What came after `cut` never reached the disk; the record's last bytes are no padding.
        change(&path, offset(2) + cut, &vec![0; frame_len() - cut]);
        let mut store = reopened(folder.path(), "two").unwrap();
        assert_eq!(dense_entries(&store.reader), 2, "cut {cut}");
        assert_eq!(store.report.zeroed_bytes > 0, cut > 0, "cut {cut}");
        let rest = fs::read(&path).unwrap().split_off(offset(2));
        assert!(rest.iter().all(|b| *b == 0), "cut {cut}");
        store.writer.commit(entry(2)).unwrap();
        assert_eq!(dense_entries(&store.reader), 3);
    }
}

#[test]
fn garbage_behind_the_end_is_zeroed_even_where_the_next_frame_would_begin_with_zeros() {
    let folder = tempfile::tempdir().unwrap();
    filled(folder.path(), 2);
    let path = segment(folder.path(), 1);
    change(&path, offset(2) + 512, &[7; 40]);
    let store = reopened(folder.path(), "two").unwrap();
    assert_eq!(dense_entries(&store.reader), 2);
    assert!(store.report.zeroed_bytes > 0);
    let rest = fs::read(&path).unwrap().split_off(offset(2));
    assert!(rest.iter().all(|b| *b == 0));
}

#[test]
fn a_bad_frame_before_a_good_one_is_refused_and_nothing_is_changed() {
    for at in [0, 4, 40, 300] {
        let folder = tempfile::tempdir().unwrap();
        filled(folder.path(), 4);
        forget_marker(folder.path());
        let path = segment(folder.path(), 1);
        change(&path, offset(2) + at, &[0xEE]);
        let before = fs::read(&path).unwrap();
        let damage = Damage {
            file: path.clone(),
            offset: u64::try_from(offset(2)).unwrap(),
            kind: DamageKind::FrameBeforeGood {
                good_offset: u64::try_from(offset(3)).unwrap(),
            },
        };
        assert_eq!(refused(folder.path()), OpenError::Damaged(damage));
        assert!(fs::read(&path).unwrap() == before);
    }
}

#[test]
fn a_frame_zeroed_before_a_good_one_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    filled(folder.path(), 4);
    let path = segment(folder.path(), 1);
    change(&path, offset(2), &vec![0; frame_len()]);
    assert!(matches!(
        refused(folder.path()),
        OpenError::Damaged(Damage {
            kind: DamageKind::FrameBeforeGood { .. },
            ..
        })
    ));
}

#[test]
fn a_bad_last_frame_that_the_marker_vouches_for_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    filled(folder.path(), 3);
    let path = segment(folder.path(), 1);
    change(&path, offset(2) + 100, &[0xEE]);
    let before = fs::read(&path).unwrap();
    let cut_short = OpenError::CutShort {
        end: CommitSequence(3),
        promised: CommitSequence(4),
    };
    assert_eq!(refused(folder.path()), cut_short);
    assert!(fs::read(&path).unwrap() == before);
}

#[test]
fn any_bad_frame_in_a_segment_that_is_not_the_last_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    filled(folder.path(), 30);
    forget_marker(folder.path());
    let path = segment(folder.path(), 1);
    // The last frame of the first segment: nothing lies behind it in its file.
    let last = offset((4096 - offset(0)) / frame_len() - 1);
    change(&path, last + 50, &[0xEE]);
    let damage = Damage {
        file: path,
        offset: u64::try_from(last).unwrap(),
        kind: DamageKind::Frame,
    };
    assert_eq!(refused(folder.path()), OpenError::Damaged(damage));
}

#[test]
fn frames_missing_at_the_end_of_a_segment_that_is_not_the_last_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    filled(folder.path(), 30);
    forget_marker(folder.path());
    let path = segment(folder.path(), 1);
    let count = (4096 - offset(0)) / frame_len();
    let last = offset(count - 1);
    change(&path, last, &vec![0; frame_len()]);
    let due = u64::try_from(count + 1).unwrap();
    let kind = DamageKind::Order {
        due: Sequence(due),
        found: Sequence(due + 1),
    };
    let damage = Damage {
        file: path,
        offset: u64::try_from(last).unwrap(),
        kind,
    };
    assert_eq!(refused(folder.path()), OpenError::Damaged(damage));
}

#[test]
fn a_missing_segment_and_a_damaged_header_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    filled(folder.path(), 40);
    let second = segment(folder.path(), 2);
    let whole = fs::read(&second).unwrap();
    let kind_of = |error| {
        let OpenError::Damaged(damage) = error else {
            panic!("{error}");
        };
        (damage.file, damage.kind)
    };
    change(&second, 9, &[0xEE]);
    let header = (second.clone(), DamageKind::Header);
    assert_eq!(kind_of(refused(folder.path())), header);
    fs::remove_file(&second).unwrap();
    let missing = (second.clone(), DamageKind::Missing);
    assert_eq!(kind_of(refused(folder.path())), missing);
    fs::write(&second, whole).unwrap();
    assert_eq!(
        dense_entries(&reopened(folder.path(), "two").unwrap().reader),
        40
    );
}

#[test]
fn a_good_frame_with_the_wrong_number_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    filled(folder.path(), 2);
    let path = segment(folder.path(), 1);
    let stray = encode_frame(SegmentId(1), Sequence(9), &entry(2).encode()).unwrap();
    change(&path, offset(2), &stray);
    let kind = DamageKind::Order {
        due: Sequence(4),
        found: Sequence(9),
    };
    let damage = Damage {
        file: path,
        offset: u64::try_from(offset(2)).unwrap(),
        kind,
    };
    assert_eq!(refused(folder.path()), OpenError::Damaged(damage));
}

#[test]
fn a_frame_of_another_segment_is_no_frame_here() {
    let folder = tempfile::tempdir().unwrap();
    filled(folder.path(), 2);
    let path = segment(folder.path(), 1);
    let stray = encode_frame(SegmentId(2), Sequence(4), &entry(2).encode()).unwrap();
    change(&path, offset(2), &stray);
    let store = reopened(folder.path(), "two").unwrap();
    assert_eq!(dense_entries(&store.reader), 2);
}
