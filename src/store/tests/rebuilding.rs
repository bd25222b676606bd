use std::{fs, sync::Arc};

use super::{
    disks::GatedDisk,
    fixtures::{area, at, config, created, dense_entries, entry, reopened},
};
use crate::store::{
    OpenError, ReadError, ReadState,
    disk::RealDisk,
    open,
    open_report::{RebuildReason, SledFound},
    tables::{Areas, Journal},
};

#[test]
fn commits_go_on_while_sled_is_rebuilt_and_are_read_afterwards() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = created(folder.path());
    for index in 0..20 {
        store.writer.commit(entry(index)).unwrap();
    }
    store.writer.close();
    let mut config = config(folder.path(), "two");
    config.rebuild_at_once_commits = 0;
    let (disk, go) = GatedDisk::new();
    let mut store = open(&config, disk).unwrap();
    let count = store.base.get::<Areas>(&"count".to_owned());
    assert_eq!(count, Ok(Some(area(19))), "the base is there at once");
    let rebuilding = ReadError::Rebuilding { done: 0, total: 21 };
    assert_eq!(store.reader.get::<Journal>(&0), Err(rebuilding));
    // More than the overlay holds, so that the rebuild needs the segments for them.
    for index in 20..1200 {
        store.writer.commit(entry(index)).unwrap();
    }
    store.writer.apply();
    store.writer.housekeep(at(1));
    let total = 1201;
    let state = ReadState::Rebuilding { done: 0, total };
    assert_eq!(store.reader.state(), state);
    drop(go);
    store.writer.finish_rebuild().unwrap();
    assert_eq!(dense_entries(&store.reader), 1200);
    store.writer.commit(entry(1200)).unwrap();
    store.writer.close();
    let store = reopened(folder.path(), "two").unwrap();
    assert_eq!(store.report.sled, SledFound::Kept { replayed: 0 });
    assert_eq!(dense_entries(&store.reader), 1201);
}

#[test]
fn a_rebuild_that_was_cut_off_is_begun_anew() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = created(folder.path());
    store.writer.commit(entry(0)).unwrap();
    store.writer.close();
    let mut config = config(folder.path(), "two");
    config.rebuild_at_once_commits = 0;
    let (disk, go) = GatedDisk::new();
    let store = open(&config, disk).unwrap();
    drop(go);
    drop(store);
    let store = reopened(folder.path(), "two").unwrap();
    let no_marker = SledFound::Rebuilt(RebuildReason::NoMarker);
    assert_eq!(store.report.sled, no_marker);
    assert_eq!(dense_entries(&store.reader), 1);
}

#[test]
fn sled_failing_while_running_is_rebuilt_and_doors_go_on() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = created(folder.path());
    for index in 0..10 {
        store.writer.commit(entry(index)).unwrap();
    }
    store.writer.apply();
    store.writer.fail_engine();
    let answer = store.reader.get::<Journal>(&0);
    assert!(matches!(answer, Err(ReadError::Rebuilding { .. })));
    store.writer.commit(entry(10)).unwrap();
    store.writer.housekeep(at(1));
    store.writer.finish_rebuild().unwrap();
    assert_eq!(dense_entries(&store.reader), 11);
}

#[test]
fn sled_failing_three_times_in_an_hour_is_broken_and_commits_go_on() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = created(folder.path());
    // The first lies more than an hour before the others and does not count.
    for (index, seconds) in [0, 3601, 3602, 3603].into_iter().enumerate() {
        assert_eq!(store.reader.state(), ReadState::Ready, "at {seconds}");
        store.writer.fail_engine();
        store.writer.housekeep(at(seconds));
        store.writer.finish_rebuild().unwrap();
        let index = u64::try_from(index).unwrap();
        store.writer.commit(entry(index)).unwrap();
    }
    assert!(matches!(store.reader.state(), ReadState::Broken(_)));
    store.writer.housekeep(at(7300));
    assert!(matches!(store.reader.state(), ReadState::Broken(_)));
    drop(store);
    let store = reopened(folder.path(), "one").unwrap();
    assert_eq!(dense_entries(&store.reader), 4);
}

#[test]
fn a_snapshot_stands_in_for_segments_that_went() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = created(folder.path());
    for index in 0..40 {
        store.writer.commit(entry(index)).unwrap();
    }
    store.writer.snapshot().unwrap();
    let id = "hall".to_owned();
    let mut batch = entry(40);
    batch.put::<Areas>(&id, &area(7));
    store.writer.commit(batch).unwrap();
    store.writer.close();
    fs::remove_file(folder.path().join("0000000001.seg")).unwrap();
    let store = reopened(folder.path(), "two").unwrap();
    assert!(store.report.snapshot.is_some());
    let count = Some(area(40));
    assert_eq!(
        store.base.get::<Areas>(&"count".to_owned()),
        Ok(count.clone())
    );
    assert_eq!(store.reader.get::<Areas>(&"count".to_owned()), Ok(count));
    assert_eq!(store.reader.get::<Areas>(&id), Ok(Some(area(7))));
    let rows = store.reader.range::<Journal>(.., 99).unwrap();
    assert!(rows.len() > 20 && rows.last().unwrap().0 == 40);
    drop(store);
    for name in fs::read_dir(folder.path()).unwrap().map(Result::unwrap) {
        if name.file_name().to_string_lossy().starts_with("snapshot") {
            fs::remove_file(name.path()).unwrap();
        }
    }
    let refused = reopened(folder.path(), "three").map(|_| ()).unwrap_err();
    assert!(matches!(refused, OpenError::NoSnapshot { .. }), "{refused}");
}

#[test]
fn a_snapshot_taken_in_slices_while_commits_go_on_is_exact() {
    let folder = tempfile::tempdir().unwrap();
    created(folder.path()).writer.close();
    let mut config = config(folder.path(), "one");
    config.segment_bytes = 1 << 20;
    config.snapshot_every_bytes = 1;
    let mut store = open(&config, Arc::new(RealDisk)).unwrap();
    let mut rows = crate::store::Batch::new();
    for index in 0..2500 {
        rows.put::<Areas>(&format!("area-{index:04}"), &area(1));
    }
    store.writer.roll().unwrap();
    store.writer.commit(rows).unwrap();
    store.writer.apply();
    // Between slices rows behind, at and before the snapshot's place change or go.
    for (round, index) in [100_u64, 50, 2000, 1500, 2400].into_iter().enumerate() {
        let mut batch = entry(u64::try_from(round).unwrap());
        batch.remove::<Areas>(&format!("area-{index:04}"));
        batch.put::<Areas>(&format!("area-{:04}", index + 1), &area(2));
        batch.put::<Areas>(&format!("area-{:04}b", index + 1), &area(3));
        store.writer.commit(batch).unwrap();
        store.writer.housekeep(at(0));
    }
    let expected = store.reader.range::<Areas>(.., 9999).unwrap();
    drop(store);
    let store = reopened(folder.path(), "two").unwrap();
    let info = store.report.snapshot.clone().unwrap();
    assert!(info.begin < info.end, "it took several slices: {info:?}");
    assert_eq!(store.reader.range::<Areas>(.., 9999), Ok(expected));
    let base: Vec<_> = store.base.rows::<Areas>().map(Result::unwrap).collect();
    assert_eq!(store.reader.range::<Areas>(.., 9999), Ok(base));
}

#[test]
fn a_damaged_snapshot_is_passed_over_while_all_segments_are_there() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = created(folder.path());
    for index in 0..5 {
        store.writer.commit(entry(index)).unwrap();
    }
    let info = store.writer.snapshot().unwrap();
    drop(store);
    let mut bytes = fs::read(&info.path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&info.path, bytes).unwrap();
    let store = reopened(folder.path(), "two").unwrap();
    assert_eq!(store.report.snapshot, None);
    assert_eq!(dense_entries(&store.reader), 5);
}

#[test]
fn a_snapshot_that_ends_behind_the_segments_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = created(folder.path());
    let shorter = fs::read(folder.path().join("0000000001.seg")).unwrap();
    store.writer.commit(entry(0)).unwrap();
    store.writer.snapshot().unwrap();
    drop(store);
    fs::write(folder.path().join("0000000001.seg"), shorter).unwrap();
    let refused = reopened(folder.path(), "two").map(|_| ()).unwrap_err();
    assert!(matches!(refused, OpenError::CutShort { .. }), "{refused}");
}
