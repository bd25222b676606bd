use std::{fs, sync::Arc};

use super::fixtures::{area, at, config, created, dense_entries, entry, reopened};
use crate::store::{
    CommitSequence, OpenError,
    batch::Op,
    check::{SledChecked, check, rebuild},
    disk::RealDisk,
    engine::Engine,
    tables::{Areas, Table as _},
};

#[test]
fn a_sound_store_is_counted_and_found_sound() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = created(folder.path());
    for index in 0..20 {
        store.writer.commit(entry(index)).unwrap();
    }
    store.writer.housekeep(at(1));
    store.writer.snapshot().unwrap();
    store.writer.commit(entry(20)).unwrap();
    store.writer.apply();
    drop(store);
    let report = check(&config(folder.path(), "one"), &RealDisk).unwrap();
    assert!(report.is_sound(), "{report:?}");
    assert_eq!(
        (report.frame_count, report.newest),
        (22, CommitSequence(22))
    );
    // 21 entries, their count and the row of the store itself.
    assert_eq!(report.row_count, 23);
    assert_eq!(report.snapshot.unwrap().row_count, 2);
    // The newest entry and the count are applied at the next start, whatever sled has of them.
    let compared = SledChecked::Compared {
        right: 21,
        wrong: 0,
        missing: 0,
    };
    assert_eq!(report.sled, compared);
}

#[test]
fn a_row_that_sled_has_otherwise_is_found_and_rebuilt() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = created(folder.path());
    store.writer.commit(entry(0)).unwrap();
    store.writer.close();
    let engine = Engine::open(&folder.path().join("sled")).unwrap();
    let lie = Op {
        key: Arc::from([&[Areas::PREFIX], &b"count"[..]].concat()),
        value: Some(Arc::from([8, 8])),
    };
    engine.apply(&[lie], CommitSequence(2)).unwrap();
    engine.flush().unwrap();
    drop(engine);
    let config = config(folder.path(), "one");
    let report = check(&config, &RealDisk).unwrap();
    assert!(!report.is_sound());
    let compared = SledChecked::Compared {
        right: 2,
        wrong: 1,
        missing: 0,
    };
    assert_eq!(report.sled, compared);
    assert_eq!(rebuild(&config, Arc::new(RealDisk)).unwrap().newest.0, 2);
    assert!(check(&config, &RealDisk).unwrap().is_sound());
    let store = reopened(folder.path(), "one").unwrap();
    assert_eq!(dense_entries(&store.reader), 1);
}

#[test]
fn a_snapshot_with_a_row_too_many_is_found() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = created(folder.path());
    // A snapshot of another history of the same length: only its rows differ.
    let mut other = entry(0);
    other.put::<Areas>(&"other".to_owned(), &area(1));
    store.writer.commit(other).unwrap();
    let info = store.writer.snapshot().unwrap();
    drop(store);
    let kept = fs::read(&info.path).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let mut store = created(folder.path());
    store.writer.commit(entry(0)).unwrap();
    drop(store);
    fs::write(folder.path().join(info.path.file_name().unwrap()), kept).unwrap();
    let report = check(&config(folder.path(), "one"), &RealDisk).unwrap();
    assert_eq!((report.snapshot_wrong, report.is_sound()), (1, false));
}

#[test]
fn a_torn_end_is_told_and_left_and_damage_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = created(folder.path());
    store.writer.commit(entry(0)).unwrap();
    store.writer.close();
    let path = folder.path().join("0000000001.seg");
    let mut bytes = fs::read(&path).unwrap();
    bytes[4000] = 1;
    fs::write(&path, &bytes).unwrap();
    let config = config(folder.path(), "one");
    let report = check(&config, &RealDisk).unwrap();
    assert!(report.torn_bytes > 0 && report.is_sound());
    assert!(fs::read(&path).unwrap() == bytes, "nothing was changed");
    bytes[530] ^= 1;
    fs::write(&path, &bytes).unwrap();
    let damaged = check(&config, &RealDisk).unwrap_err();
    assert!(matches!(damaged, OpenError::Damaged(_)), "{damaged}");
}
