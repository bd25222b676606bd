//! Stored bytes, held fast. A change of these files needs a migration; `UPDATE_GOLDEN=1` writes
//! them anew.

use std::{
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
};

use data_encoding::HEXLOWER;
use prost::Message as _;

use super::golden_rows;
use crate::{
    pb::store::{AreaRow, DoorRow, MetaRow, PersonRow},
    store::{
        Batch, CommitSequence, Opened,
        batch::encode_key,
        format::{FORMAT, SegmentHeader, SegmentId, encode_frame},
        tables::{self, Areas, Doors, Meta, Persons, Table},
    },
    types::SiteId,
};

fn golden_folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/store")
}

fn check_golden(name: &str, bytes: &[u8]) {
    let path = golden_folder().join(name);
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        fs::write(&path, bytes).unwrap();
    }
    let kept = fs::read(&path).unwrap();
    let same = kept == bytes;
    assert!(same, "{name} is now:\n{}", String::from_utf8_lossy(bytes));
}

/// Lines of rows, by table.
#[derive(Default)]
pub(super) struct Listing {
    text: String,
    names: Vec<&'static str>,
}

impl Listing {
    pub(super) fn row<T: Table>(&mut self, key: &T::Key, value: &T::Value)
    where
        T::Value: PartialEq + std::fmt::Debug,
    {
        let bytes = value.encode_to_vec();
        assert_eq!(&T::Value::decode(bytes.as_slice()).unwrap(), value);
        assert!(bytes.len() <= crate::store::batch::VALUE_BYTES_MAX);
        let key = HEXLOWER.encode(&encode_key::<T>(key));
        let value = HEXLOWER.encode(&bytes);
        writeln!(self.text, "{} {key} {value}", T::NAME).unwrap();
        self.names.push(T::NAME);
    }
}

#[test]
fn rows_of_every_table_keep_their_bytes() {
    let mut listing = Listing::default();
    golden_rows::list(&mut listing);
    let all: Vec<&str> = tables::ALL.iter().map(|row| row.0).collect();
    assert_eq!(listing.names, all);
    check_golden("tables.txt", listing.text.as_bytes());
}

#[test]
fn headers_and_frames_keep_their_bytes() {
    let header = SegmentHeader {
        segment: SegmentId(3),
        format: FORMAT,
        site: SiteId::parse("north").unwrap(),
        node: 1,
        first: CommitSequence(40),
    };
    let mut batch = Batch::new();
    let area = AreaRow {
        display_name: "Hall".to_owned(),
        ..AreaRow::default()
    };
    batch.put::<Areas>(&"hall".to_owned(), &area);
    batch.remove::<Areas>(&"yard".to_owned());
    let frame = encode_frame(SegmentId(3), CommitSequence(40), &batch.encode()).unwrap();
    let text = format!(
        "segment-header {}\nframe {}\n",
        HEXLOWER.encode(&header.encode()[..64]),
        HEXLOWER.encode(&frame)
    );
    check_golden("segments.txt", text.as_bytes());
}

/// A whole store as a program of an older format left it: one segment, no sled, no marker.
fn old_store(format: u32, rows: &Batch) -> Vec<u8> {
    let mut batch = Batch::new();
    let meta = MetaRow {
        format,
        site: "north".to_owned(),
        node: 1,
        journal_next: 5,
        directory_version: 9,
        last_removal_version: 8,
        last_written_at: 0,
    };
    batch.put::<Meta>(&(), &meta);
    batch.append(rows.clone());
    let header = SegmentHeader {
        segment: SegmentId(1),
        format,
        site: SiteId::parse("north").unwrap(),
        node: 1,
        first: CommitSequence(1),
    };
    let mut bytes = header.encode();
    bytes.extend(encode_frame(SegmentId(1), CommitSequence(1), &batch.encode()).unwrap());
    bytes.resize(2048, 0);
    bytes
}

fn format_1() -> Vec<u8> {
    let mut batch = Batch::new();
    // Format 1 knew no `access_ended`.
    for (id, valid_until) in [
        ("p-past", Some(1_700_000_000)),
        ("p-future", Some(1_900_000_000)),
        ("p-open", None),
    ] {
        let person = PersonRow {
            state: 1,
            valid_from: Some(1_600_000_000),
            valid_until,
            ..PersonRow::default()
        };
        batch.put::<Persons>(&id.to_owned(), &person);
    }
    old_store(1, &batch)
}

fn format_2() -> Vec<u8> {
    let mut batch = Batch::new();
    // Format 2 knew neither wirings nor times of doors.
    let door = DoorRow {
        display_name: "Door 1".to_owned(),
        controller: "c-1".to_owned(),
        ..DoorRow::default()
    };
    batch.put::<Doors>(&"d-1".to_owned(), &door);
    old_store(2, &batch)
}

#[test]
fn the_stores_of_older_formats_are_kept() {
    check_golden("format-1.seg", &format_1());
    check_golden("format-2.seg", &format_2());
}

/// Puts the kept store of an older format into a folder.
pub(super) fn put_old_store(format: u32, folder: &Path) {
    let kept = golden_folder().join(format!("format-{format}.seg"));
    fs::copy(kept, folder.join("0000000001.seg")).unwrap();
}

/// What the store of format 1 must have become.
pub(super) fn check_persons_migrated(store: &Opened) {
    check_meta(store);
    let rows = store.reader.range::<Persons>(.., 9).unwrap();
    let ended: Vec<_> = rows
        .iter()
        .map(|(id, row)| (id.as_str(), row.valid_from, row.access_ended))
        .collect();
    let from = Some(1_600_000_000);
    assert_eq!(
        ended,
        [
            ("p-future", from, None),
            ("p-open", from, None),
            ("p-past", from, Some(1_700_000_000))
        ]
    );
    let base = store.base.rows::<Persons>().map(Result::unwrap);
    assert_eq!(base.collect::<Vec<_>>(), rows);
}

/// What the store of format 2 must have become.
pub(super) fn check_doors_migrated(store: &Opened) {
    check_meta(store);
    let rows = store.reader.range::<Doors>(.., 9).unwrap();
    let timed = DoorRow {
        display_name: "Door 1".to_owned(),
        controller: "c-1".to_owned(),
        wiring: None,
        strike_tenths: 50,
        held_after_seconds: 30,
        pre_alarm_seconds: 10,
    };
    assert_eq!(rows, [("d-1".to_owned(), timed)]);
    let base = store.base.rows::<Doors>().map(Result::unwrap);
    assert_eq!(base.collect::<Vec<_>>(), rows);
}

fn check_meta(store: &Opened) {
    let meta = store.reader.get::<Meta>(&()).unwrap().unwrap();
    assert_eq!((meta.format, meta.journal_next), (FORMAT, 5));
}
