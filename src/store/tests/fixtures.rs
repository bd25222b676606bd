use std::{path::Path, sync::Arc, time::Duration};

use crate::{
    pb::store::{AreaRow, JournalRow, MetaRow},
    store::{
        Batch, OpenError, Opened, Reader, StoreConfig, create,
        disk::{Disk, RealDisk},
        format::FORMAT,
        open,
        tables::{Areas, Journal, Meta},
    },
    types::{BootIdentity, Moment, SiteId, UtcTime},
};

/// Small segments, so that a few commits fill one.
pub(super) fn config(folder: &Path, boot: &str) -> StoreConfig {
    let site = SiteId::parse("north").unwrap();
    let boot = BootIdentity(boot.to_owned());
    let now = UtcTime::from_unix(1_800_000_000).unwrap();
    StoreConfig {
        segment_bytes: 4096,
        ..StoreConfig::new(folder.to_owned(), site, 1, boot, now)
    }
}

pub(super) fn first_batch(format: u32) -> Batch {
    let meta = MetaRow {
        format,
        site: "north".to_owned(),
        node: 1,
        ..MetaRow::default()
    };
    let mut batch = Batch::new();
    batch.put::<Meta>(&(), &meta);
    batch
}

/// A new store, opened.
pub(super) fn created(folder: &Path) -> Opened {
    created_on(folder, Arc::new(RealDisk))
}

pub(super) fn created_on(folder: &Path, disk: Arc<dyn Disk>) -> Opened {
    let config = config(folder, "one");
    create(&config, &*disk, &first_batch(FORMAT)).unwrap();
    open(&config, disk).unwrap()
}

pub(super) fn reopened(folder: &Path, boot: &str) -> Result<Opened, OpenError> {
    open(&config(folder, boot), Arc::new(RealDisk))
}

/// A commit as the log makes them: one entry, and a row that says how many there are.
pub(super) fn entry(index: u64) -> Batch {
    let mut batch = Batch::new();
    batch.put::<Journal>(&index, &entry_row(index));
    batch.put::<Areas>(&"count".to_owned(), &area(index));
    batch
}

pub(super) fn entry_row(index: u64) -> JournalRow {
    JournalRow {
        kind: 1,
        recorded_at: i64::try_from(index + 1).unwrap(),
        body: None,
    }
}

pub(super) fn area(index: u64) -> AreaRow {
    AreaRow {
        display_name: format!("{index:0300}"),
        ..AreaRow::default()
    }
}

/// How many entries there are; panics unless they are those, dense, with their count.
pub(super) fn dense_entries(reader: &Reader) -> u64 {
    let rows = reader.range::<Journal>(.., 100_000).unwrap();
    for (index, (key, row)) in (0..).zip(&rows) {
        assert_eq!((*key, row), (index, &entry_row(index)));
    }
    let count = u64::try_from(rows.len()).unwrap();
    let said = reader.get::<Areas>(&"count".to_owned()).unwrap();
    assert_eq!(said, count.checked_sub(1).map(area));
    count
}

pub(super) fn at(seconds: u64) -> Moment {
    Moment::from_start(Duration::from_secs(seconds))
}
