use std::sync::Arc;

use super::fixtures::{area, at, config, created, dense_entries, entry, first_batch, reopened};
use crate::{
    store::{
        CommitError, CommitSequence, CreateError, OpenError, StoreConfig, create,
        disk::RealDisk,
        format::FORMAT,
        open,
        open_report::{RebuildReason, SledFound},
        tables::{Areas, Meta},
    },
    types::SiteId,
};

#[test]
fn every_commit_is_there_after_closing_and_after_a_kill() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = created(folder.path());
    for index in 0..40 {
        store.writer.commit(entry(index)).unwrap();
    }
    store.writer.close();
    let mut store = reopened(folder.path(), "one").unwrap();
    assert_eq!(store.report.sled, SledFound::Kept { replayed: 0 });
    assert!(store.report.segment_count > 3, "small segments were filled");
    for index in 40..50 {
        store.writer.commit(entry(index)).unwrap();
        store.writer.apply();
    }
    // As a kill leaves it: sled and marker are behind the segments.
    drop(store);
    let store = reopened(folder.path(), "one").unwrap();
    assert_eq!(store.report.sled, SledFound::Kept { replayed: 10 });
    assert_eq!(store.report.newest, CommitSequence(51));
    assert_eq!(dense_entries(&store.reader), 50);
}

#[test]
fn sled_is_rebuilt_after_the_kernel_was_started_anew() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = created(folder.path());
    for index in 0..20 {
        store.writer.commit(entry(index)).unwrap();
    }
    store.writer.close();
    for boot in ["two", "three"] {
        let store = reopened(folder.path(), boot).unwrap();
        let rebuilt = SledFound::Rebuilt(RebuildReason::OtherBoot);
        assert_eq!(store.report.sled, rebuilt);
        assert_eq!(dense_entries(&store.reader), 20);
        store.writer.close();
    }
    let aside: Vec<String> = std::fs::read_dir(folder.path())
        .unwrap()
        .map(|e| e.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.starts_with("sled.broken"))
        .collect();
    assert_eq!(aside, ["sled.broken-2"], "one is kept");
}

#[test]
fn the_base_is_the_same_from_sled_and_from_the_segments() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = created(folder.path());
    for index in 0..20 {
        store.writer.commit(entry(index)).unwrap();
    }
    store.writer.close();
    let kept = reopened(folder.path(), "one").unwrap().base;
    let rebuilt = reopened(folder.path(), "two").unwrap().base;
    assert_eq!(kept, rebuilt);
    assert_eq!(kept.get::<Areas>(&"count".to_owned()), Ok(Some(area(19))));
    assert_eq!(kept.row_count(), 2, "entries stay out");
}

#[test]
fn a_sled_that_has_lost_what_the_marker_says_is_rebuilt() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = created(folder.path());
    store.writer.housekeep(at(1));
    let copy = folder.path().join("copy");
    store.writer.close();
    copy_folder(&folder.path().join("sled"), &copy);
    let mut store = reopened(folder.path(), "one").unwrap();
    store.writer.commit(entry(0)).unwrap();
    store.writer.close();
    std::fs::remove_dir_all(folder.path().join("sled")).unwrap();
    std::fs::rename(&copy, folder.path().join("sled")).unwrap();
    let store = reopened(folder.path(), "one").unwrap();
    let behind = RebuildReason::Behind {
        applied: CommitSequence(1),
        vouched: CommitSequence(2),
    };
    assert_eq!(store.report.sled, SledFound::Rebuilt(behind));
    assert_eq!(dense_entries(&store.reader), 1);
}

#[test]
fn a_sled_that_does_not_open_is_rebuilt() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = created(folder.path());
    store.writer.commit(entry(0)).unwrap();
    store.writer.close();
    let file = folder.path().join("sled/conf");
    std::fs::write(&file, b"not a configuration").unwrap();
    let store = reopened(folder.path(), "one").unwrap();
    let why = &store.report.sled;
    assert!(
        matches!(why, SledFound::Rebuilt(RebuildReason::Fails(_))),
        "{why:?}"
    );
    assert_eq!(dense_entries(&store.reader), 1);
}

fn copy_folder(from: &std::path::Path, to: &std::path::Path) {
    std::fs::create_dir(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap().map(Result::unwrap) {
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy_folder(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).unwrap();
        }
    }
}

#[test]
fn a_second_process_is_kept_out() {
    let folder = tempfile::tempdir().unwrap();
    let _store = created(folder.path());
    let second = reopened(folder.path(), "one").map(|_| ());
    assert_eq!(second, Err(OpenError::InUse(folder.path().to_owned())));
}

#[test]
fn a_store_is_made_once_and_with_its_own_row() {
    let folder = tempfile::tempdir().unwrap();
    let config = config(&folder.path().join("store"), "one");
    let made = |batch| create(&config, &RealDisk, &batch);
    assert_eq!(made(entry(0)), Err(CreateError::NoMeta));
    assert_eq!(made(first_batch(FORMAT)), Ok(()));
    assert_eq!(made(first_batch(FORMAT)), Err(CreateError::Exists));
}

#[test]
fn a_folder_without_a_store_is_said_to_be_one() {
    let folder = tempfile::tempdir().unwrap();
    for path in [folder.path().to_owned(), folder.path().join("none")] {
        let opened = reopened(&path, "one").map(|_| ());
        assert_eq!(opened, Err(OpenError::NoStore(path)));
    }
}

#[test]
fn a_newer_store_and_another_sites_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    created(folder.path()).writer.close();
    let ours = config(folder.path(), "one");
    let refused = |config: &StoreConfig| open(config, Arc::new(RealDisk)).map(|_| ()).unwrap_err();
    let other_node = StoreConfig {
        node: 2,
        ..ours.clone()
    };
    let foreign = OpenError::Foreign {
        site: SiteId::parse("north").unwrap(),
        node: 1,
    };
    assert_eq!(refused(&other_node), foreign);
    let mut store = reopened(folder.path(), "one").unwrap();
    let mut meta = store.reader.get::<Meta>(&()).unwrap().unwrap();
    meta.format = FORMAT + 1;
    let mut batch = crate::store::Batch::new();
    batch.put::<Meta>(&(), &meta);
    store.writer.commit(batch).unwrap();
    store.writer.close();
    let newer = OpenError::Newer {
        found: FORMAT + 1,
        known: FORMAT,
    };
    assert_eq!(refused(&ours), newer);
}

#[test]
fn a_commit_longer_than_a_segment_is_refused_before_anything_is_written() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = created(folder.path());
    let mut long = entry(0);
    for index in 0..20 {
        long.put::<Areas>(&format!("area-{index}"), &area(index));
    }
    let before = std::fs::read(folder.path().join("0000000001.seg")).unwrap();
    assert_eq!(store.writer.commit(long), Err(CommitError::TooLarge));
    let after = std::fs::read(folder.path().join("0000000001.seg")).unwrap();
    assert!(before == after);
    store.writer.commit(entry(0)).unwrap();
    assert_eq!(dense_entries(&store.reader), 1);
}

#[test]
fn a_store_of_format_1_is_brought_up_and_stays_up() {
    let folder = tempfile::tempdir().unwrap();
    super::golden::put_old_store(1, folder.path());
    let store = reopened(folder.path(), "one").unwrap();
    assert_eq!(store.report.migrated_from, Some(1));
    super::golden::check_persons_migrated(&store);
    drop(store);
    // Killed before anything but the commit was done; and with another kernel.
    for boot in ["one", "two"] {
        let store = reopened(folder.path(), boot).unwrap();
        assert_eq!(store.report.migrated_from, None);
        super::golden::check_persons_migrated(&store);
    }
}

#[test]
fn a_store_of_format_2_is_brought_up_and_stays_up() {
    let folder = tempfile::tempdir().unwrap();
    super::golden::put_old_store(2, folder.path());
    let store = reopened(folder.path(), "one").unwrap();
    assert_eq!(store.report.migrated_from, Some(2));
    super::golden::check_doors_migrated(&store);
    drop(store);
    let store = reopened(folder.path(), "two").unwrap();
    assert_eq!(store.report.migrated_from, None);
    super::golden::check_doors_migrated(&store);
}
