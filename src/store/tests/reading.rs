use super::fixtures::{area, at, created, dense_entries, entry};
use crate::{
    pb::store::{FeedLeafRow, SourceEventRow},
    store::{
        Batch, ReadError, StoreConfig,
        tables::{Areas, FeedLeaves, Journal, SourceEvents},
    },
};

#[test]
fn a_commit_is_seen_before_it_is_applied_and_after() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = created(folder.path());
    for index in 0..5 {
        store.writer.commit(entry(index)).unwrap();
        assert_eq!(dense_entries(&store.reader), index + 1);
        if index == 2 {
            store.writer.apply();
            assert_eq!(dense_entries(&store.reader), index + 1);
        }
    }
}

#[test]
fn a_removed_row_is_gone_before_it_is_applied_and_after() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = created(folder.path());
    let id = "hall".to_owned();
    let mut put = Batch::new();
    put.put::<Areas>(&id, &area(1));
    store.writer.commit(put).unwrap();
    store.writer.apply();
    let mut remove = Batch::new();
    remove.remove::<Areas>(&id);
    store.writer.commit(remove).unwrap();
    for _ in 0..2 {
        assert_eq!(store.reader.get::<Areas>(&id), Ok(None));
        assert_eq!(store.reader.range::<Areas>(.., 9), Ok(Vec::new()));
        store.writer.apply();
    }
}

#[test]
fn ranges_are_cut_at_the_limit_over_sled_and_overlay_and_chunks() {
    let folder = tempfile::tempdir().unwrap();
    let store = created(folder.path());
    // Every second entry is in sled, those between in the overlay, over more than one chunk.
    let mut batches = [Batch::new(), Batch::new()];
    for index in 0..3000_u64 {
        let side = usize::try_from(index % 2).unwrap();
        batches[side].put::<Journal>(&index, &super::fixtures::entry_row(index));
    }
    let [even, odd] = batches;
    let config = StoreConfig {
        segment_bytes: 1 << 20,
        ..store.writer.config.clone()
    };
    store.writer.close();
    let mut store =
        crate::store::open(&config, std::sync::Arc::new(crate::store::disk::RealDisk)).unwrap();
    store.writer.roll().unwrap();
    store.writer.commit(even).unwrap();
    store.writer.apply();
    store.writer.commit(odd).unwrap();
    let keys = |from: u64, limit| -> Vec<u64> {
        let rows = store.reader.range::<Journal>(from.., limit).unwrap();
        rows.into_iter().map(|row| row.0).collect()
    };
    assert_eq!(keys(0, 5000), (0..3000).collect::<Vec<_>>());
    assert_eq!(keys(7, 2000), (7..2007).collect::<Vec<_>>());
    assert_eq!(keys(2999, 10), [2999]);
    let backwards = (std::ops::Bound::Included(9), std::ops::Bound::Excluded(3));
    assert_eq!(store.reader.range::<Journal>(backwards, 9), Ok(Vec::new()));
}

#[test]
fn rows_of_one_customer_are_nobody_elses() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = created(folder.path());
    let mut batch = Batch::new();
    for customer in ["ab", "a", "a-b", "b"] {
        for index in 0..3 {
            let row = FeedLeafRow {
                journal: index,
                ..FeedLeafRow::default()
            };
            batch.put::<FeedLeaves>(&(customer.to_owned(), index), &row);
            let event = (customer.to_owned(), ("boot".to_owned(), index));
            batch.put::<SourceEvents>(&event, &SourceEventRow::default());
        }
    }
    store.writer.commit(batch).unwrap();
    let rows = store
        .reader
        .rows_of::<FeedLeaves, _>("a", None, 99)
        .unwrap();
    let keys: Vec<_> = rows.iter().map(|row| (row.0.0.as_str(), row.0.1)).collect();
    assert_eq!(keys, [("a", 0), ("a", 1), ("a", 2)]);
    let behind = ("a".to_owned(), 0);
    let rows = store.reader.rows_of::<FeedLeaves, _>("a", Some(&behind), 1);
    assert_eq!(rows.unwrap()[0].0.1, 1);
    let events = store.reader.rows_of::<SourceEvents, _>("a", None, 99);
    assert_eq!(events.unwrap().len(), 3);
}

#[test]
fn a_closed_store_says_so_to_readers_that_are_left() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = created(folder.path());
    store.writer.housekeep(at(1));
    store.writer.close();
    let left = store.reader.get::<Areas>(&"hall".to_owned());
    assert_eq!(left, Err(ReadError::Closed));
}
