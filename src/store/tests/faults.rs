use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use super::{
    disks::{FailingDisk, Fault, SmallDisk},
    fixtures::{at, config, created_on, dense_entries, entry, first_batch, reopened},
};
use crate::store::{CommitError, create, format::FORMAT, open};

/// Commits and keeps house until the first error; says how many were acknowledged.
fn work(folder: &std::path::Path, disk: Arc<FailingDisk>) -> u64 {
    let mut config = config(folder, "one");
    config.snapshot_every_bytes = 2000;
    if create(&config, &*disk, &first_batch(FORMAT)).is_err() {
        return 0;
    }
    let Ok(mut store) = open(&config, disk) else {
        return 0;
    };
    for index in 0..24 {
        if let Err(error) = store.writer.commit(entry(index)) {
            if let CommitError::Poisoned(_) = error {
                let again = store.writer.commit(entry(index));
                assert_eq!(again, Err(error), "poisoned once is poisoned for ever");
                assert!(store.writer.health().poisoned.is_some());
                assert_eq!(store.writer.committed().0, index + 1);
            }
            return index;
        }
        if index % 4 == 0 {
            store.writer.housekeep(at(index));
        }
    }
    24
}

/// After a fault at any change of a file: what was acknowledged is there, and at most one more.
fn check_every_fault(fault: fn(u64) -> Fault) {
    let mut changes = 0;
    let mut number = 1;
    while number == 1 || number <= changes + 1 {
        let folder = tempfile::tempdir().unwrap();
        let disk = Arc::new(FailingDisk::new(fault(number)));
        let acknowledged = work(folder.path(), Arc::clone(&disk));
        changes = changes.max(disk.count());
        match reopened(folder.path(), "one") {
            Ok(store) => {
                let found = dense_entries(&store.reader);
                let right = found == acknowledged || found == acknowledged + 1;
                assert!(
                    right,
                    "fault {number}: {acknowledged} acknowledged, {found} found"
                );
            }
            Err(error) => assert_eq!(acknowledged, 0, "fault {number}: {error}"),
        }
        number += 1;
    }
    assert!(changes > 60, "the work does {changes} changes");
}

#[test]
fn a_change_that_fails_once_loses_nothing_acknowledged() {
    check_every_fault(Fault::Once);
}

#[test]
fn a_disk_that_dies_loses_nothing_acknowledged() {
    check_every_fault(Fault::ForEver);
}

#[test]
fn a_full_disk_refuses_commits_until_there_is_room() {
    let folder = tempfile::tempdir().unwrap();
    let left = Arc::new(AtomicU64::new(3 * 4096));
    let disk = SmallDisk {
        left: Arc::clone(&left),
    };
    let mut store = created_on(folder.path(), Arc::new(disk));
    let mut index = 0;
    let error = loop {
        match store.writer.commit(entry(index)) {
            Ok(_) => index += 1,
            Err(error) => break error,
        }
    };
    assert!(index > 20, "three segments were filled");
    assert!(matches!(error, CommitError::NoRoom(_)), "{error}");
    store.writer.housekeep(at(1));
    assert!(store.writer.health().next_segment.is_some());
    assert_eq!(store.writer.health().poisoned, None);
    left.store(1 << 20, Ordering::SeqCst);
    store.writer.commit(entry(index)).unwrap();
    store.writer.housekeep(at(2));
    assert_eq!(store.writer.health().next_segment, None);
    assert_eq!(dense_entries(&store.reader), index + 1);
    drop(store);
    let store = reopened(folder.path(), "two").unwrap();
    assert_eq!(dense_entries(&store.reader), index + 1);
}
