//! The tables: key type, value type and prefix of each, bound once.
//!
//! A table is a prefix byte in one sled tree. Keys are built so that their bytes sort as the
//! keys do. A retired table keeps its prefix for ever, marked as such, so that it is not reused.

use std::fmt::Debug;

use crate::pb::store as pb;

/// A kind of rows.
///
/// `ENTRIES` tells the two halves of the store apart: tables of entries only grow and live in
/// segments; the others change and are in the snapshot too.
pub trait Table: Debug + 'static {
    /// Name in golden files and error messages.
    const NAME: &'static str;
    /// First byte of every key; never reused.
    const PREFIX: u8;
    /// Whether rows are only ever added, and so stay out of the snapshot.
    const ENTRIES: bool;
    /// The key.
    type Key: TableKey;
    /// The value, at most 4 KiB encoded.
    type Value: prost::Message + Default + Clone;
}

/// A key that can be written as bytes which sort alike, and read back.
pub trait TableKey: Sized + Clone + Ord + Debug {
    /// Appends the key's bytes.
    fn write(&self, out: &mut Vec<u8>);
    /// Reads the whole of `bytes`; `None` if they are no such key.
    fn read(bytes: &[u8]) -> Option<Self>;
}

impl TableKey for () {
    fn write(&self, _: &mut Vec<u8>) {}

    fn read(bytes: &[u8]) -> Option<Self> {
        bytes.is_empty().then_some(())
    }
}

impl TableKey for u64 {
    fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.to_be_bytes());
    }

    fn read(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(Self::from_be_bytes)
    }
}

impl TableKey for String {
    fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(self.as_bytes());
    }

    fn read(bytes: &[u8]) -> Option<Self> {
        Self::from_utf8(bytes.to_vec()).ok()
    }
}

/// Text and what follows it, divided by a zero byte, which no id contains.
impl<K: TableKey> TableKey for (String, K) {
    fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(self.0.as_bytes());
        out.push(0);
        self.1.write(out);
    }

    fn read(bytes: &[u8]) -> Option<Self> {
        let end = bytes.iter().position(|b| *b == 0)?;
        let (head, tail) = bytes.split_at_checked(end)?;
        Some((String::read(head)?, K::read(tail.get(1..)?)?))
    }
}

/// Declares a table.
macro_rules! table {
    ($(#[$doc:meta])* $name:ident, $prefix:literal, $half:ident, $key:ty => $value:ident) => {
        $(#[$doc])*
        #[derive(Debug)]
        pub struct $name;

        impl Table for $name {
            const NAME: &'static str = stringify!($name);
            const PREFIX: u8 = $prefix;
            const ENTRIES: bool = table!(@half $half);
            type Key = $key;
            type Value = pb::$value;
        }
    };
    (@half entries) => { true };
    (@half mutable) => { false };
}

table!(/// The store itself; one row.
    Meta, 0x01, mutable, () => MetaRow);
table!(/// The site; one row.
    Site, 0x02, mutable, () => SiteRow);
table!(/// Areas by id.
    Areas, 0x03, mutable, String => AreaRow);
table!(/// Doors by id.
    Doors, 0x04, mutable, String => DoorRow);
table!(/// Access points by id.
    AccessPoints, 0x05, mutable, String => AccessPointRow);
table!(/// Controllers by id.
    Controllers, 0x06, mutable, String => ControllerRow);
table!(/// Customers by id.
    Customers, 0x07, mutable, String => CustomerRow);
table!(/// Persons by id.
    Persons, 0x08, mutable, String => PersonRow);
table!(/// Badges by id.
    Badges, 0x09, mutable, String => BadgeRow);
table!(/// PIN verifiers by person.
    Pins, 0x0A, mutable, String => PinRow);
table!(/// Wrong PINs by person.
    PinFailures, 0x0B, mutable, String => PinFailuresRow);
table!(/// Schedules by id.
    Schedules, 0x0C, mutable, String => ScheduleRow);
table!(/// Sets of special days by id.
    SpecialDaysSets, 0x0D, mutable, String => SpecialDaysRow);
table!(/// Access-list entries by customer and number, those removed too.
    ListEntries, 0x0E, mutable, (String, u64) => ListEntryRow);
table!(/// Versions of access lists by customer and number.
    ListVersions, 0x0F, mutable, (String, u64) => ListVersionRow);
table!(/// Keyed hashes of fingerprint templates by person and badge.
    Templates, 0x10, mutable, (String, String) => TemplateRow);
table!(/// Heads of feeds by customer.
    FeedHeads, 0x11, mutable, String => FeedHeadRow);
table!(/// Leaf hashes by customer and index; in the snapshot, so that segments may go.
    FeedLeafHashes, 0x12, mutable, (String, u64) => LeafHashRow);
table!(/// Counters by customer and access point.
    SourceCounters, 0x13, mutable, (String, String) => SourceCounterRow);
table!(/// How far runs of controllers have reported, by controller and boot id.
    ControllerRuns, 0x14, mutable, (String, String) => ControllerRunRow);
table!(/// Writes that were done, by caller and request id.
    Requests, 0x15, mutable, (String, String) => RequestRow);
table!(/// Readers by id.
    Readers, 0x16, mutable, String => ReaderRow);
table!(/// The journal by sequence number.
    Journal, 0x40, entries, u64 => JournalRow);
table!(/// Leaves of feeds by customer and index.
    FeedLeaves, 0x41, entries, (String, u64) => FeedLeafRow);
table!(/// Known events by controller, boot id and counter.
    SourceEvents, 0x42, entries, (String, (String, u64)) => SourceEventRow);

/// Name, prefix and half of every table, by prefix.
pub const ALL: [(&str, u8, bool); 25] = {
    const fn row<T: Table>() -> (&'static str, u8, bool) {
        (T::NAME, T::PREFIX, T::ENTRIES)
    }
    [
        row::<Meta>(),
        row::<Site>(),
        row::<Areas>(),
        row::<Doors>(),
        row::<AccessPoints>(),
        row::<Controllers>(),
        row::<Customers>(),
        row::<Persons>(),
        row::<Badges>(),
        row::<Pins>(),
        row::<PinFailures>(),
        row::<Schedules>(),
        row::<SpecialDaysSets>(),
        row::<ListEntries>(),
        row::<ListVersions>(),
        row::<Templates>(),
        row::<FeedHeads>(),
        row::<FeedLeafHashes>(),
        row::<SourceCounters>(),
        row::<ControllerRuns>(),
        row::<Requests>(),
        row::<Readers>(),
        row::<Journal>(),
        row::<FeedLeaves>(),
        row::<SourceEvents>(),
    ]
};

/// Prefixes from here on are those of tables of entries; those below are of tables that change.
pub const ENTRIES_FROM: u8 = 0x40;

const _: () = {
    let mut rest: &[(&str, u8, bool)] = &ALL;
    while let Some(((_, prefix, entries), tail)) = rest.split_first() {
        assert!(*prefix != 0, "the engine keeps its own row under 0");
        assert!(*entries == (*prefix >= ENTRIES_FROM));
        rest = tail;
    }
};

/// Whether a key is that of a row that changes, and so is in the snapshot.
pub fn is_mutable(key: &[u8]) -> bool {
    key.first().is_some_and(|prefix| *prefix < ENTRIES_FROM)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prefixes_rise_so_none_is_used_twice() {
        assert!(ALL.windows(2).all(|pair| pair[0].1 < pair[1].1));
    }

    #[test]
    fn keys_read_back_and_sort_as_their_bytes() {
        let keys = [
            ("a".to_owned(), 1_u64),
            ("a".to_owned(), 256),
            ("ab".to_owned(), 0),
        ];
        let bytes: Vec<Vec<u8>> = keys
            .iter()
            .map(|k| {
                let mut out = Vec::new();
                k.write(&mut out);
                out
            })
            .collect();
        assert!(bytes.is_sorted());
        assert!(
            keys.iter()
                .zip(&bytes)
                .all(|(k, b)| TableKey::read(b).as_ref() == Some(k))
        );
    }
}
