//! The books that the kill test keeps of a feed see every fault that a feed can have.

#[path = "crash/books.rs"]
mod books;

use books::{Books, Hash, hash_of_record, root};
use ct_merkle::HashableLeaf;
use ct_merkle::mem_backed_tree::MemoryBackedTree;
use sha2::{Digest as _, Sha256};
use sluss::pb::v1::subject::Subject;
use sluss::pb::v1::{Decision, EntryRecord, FeedLeaf, LeafKind, Subject as WhoStood, UnknownCard};

fn leaf(index: u64, subject: Subject, source_counter: u64) -> FeedLeaf {
    let record = EntryRecord {
        subject: Some(WhoStood {
            subject: Some(subject),
        }),
        access_point: "accessPoints/a".to_owned(),
        decision: Decision::Grant.into(),
        source_counter,
        ..EntryRecord::default()
    };
    let mut leaf = FeedLeaf {
        index,
        kind: LeafKind::Entry.into(),
        record: prost::Message::encode_to_vec(&record),
        salt: vec![7; 32],
        ..FeedLeaf::default()
    };
    leaf.leaf_hash = hash_of_record(&leaf).map(Vec::from).unwrap_or_default();
    leaf
}

fn marked(index: u64, mark: &str, source_counter: u64) -> FeedLeaf {
    let card = UnknownCard {
        format: mark.to_owned(),
        ..UnknownCard::default()
    };
    leaf(index, Subject::UnknownCard(card), source_counter)
}

fn books(leaves: &[FeedLeaf]) -> Books {
    let mut books = Books::default();
    let all = leaves.iter().all(|leaf| books.take(leaf).is_ok());
    assert!(all, "a leaf was refused");
    books
}

#[test]
fn a_feed_that_is_whole_shows_no_fault() {
    let mut books = books(&[marked(0, "K-1", 1), marked(1, "K-2", 2)]);
    books.compare(0, &marked(0, "K-1", 1)).unwrap();
    assert!(books.is_marked("K-1") && books.is_marked("K-2"));
    assert_eq!(
        (books.holes(), books.marked_twice(), books.changed()),
        (0, 0, 0)
    );
}

#[test]
fn grants_are_counted_where_they_were_given() {
    let badge = Subject::BadgeNumber("B-1".to_owned());
    let leaves = [leaf(0, badge.clone(), 1), leaf(1, badge, 2)];
    let books = books(&leaves);
    assert_eq!(books.grants_at("accessPoints/a"), 2);
    assert_eq!(books.grants_at("accessPoints/b"), 0);
    let hashes: Vec<Hash> = leaves.iter().map(|l| hash_of_record(l).unwrap()).collect();
    assert_eq!(books.root(), root(&hashes));
}

#[test]
fn a_missing_leaf_is_a_hole() {
    let books = books(&[marked(0, "K-1", 1), marked(2, "K-3", 3)]);
    assert_eq!(books.holes(), 2, "one of the index, one of the source");
    assert!(!books.is_marked("K-2"));
}

#[test]
fn an_attempt_that_stands_twice_is_seen() {
    let books = books(&[marked(0, "K-1", 1), marked(1, "K-1", 2)]);
    assert_eq!(books.marked_twice(), 1);
}

#[test]
fn a_leaf_that_became_another_is_seen() {
    let mut books = books(&[marked(0, "K-1", 1)]);
    books.compare(0, &marked(0, "K-9", 1)).unwrap();
    assert_eq!(books.changed(), 1);
}

#[test]
fn a_leaf_that_is_not_its_records_is_refused() {
    let mut leaf = marked(0, "K-1", 1);
    leaf.salt = vec![8; 32];
    assert!(Books::default().take(&leaf).is_err());
}

/// The bytes of a leaf before the tree's own prefix is put in front.
struct Committed(Vec<u8>);

impl HashableLeaf for Committed {
    fn hash<H: ct_merkle::digest::Update>(&self, hasher: &mut H) {
        hasher.update(&self.0);
    }
}

#[test]
fn the_root_is_that_of_another_library() {
    let mut tree = MemoryBackedTree::<Sha256, Committed>::new();
    let mut leaves = Vec::new();
    for number in 0..100_u8 {
        let hash: Hash = Sha256::digest([0, number]).into();
        leaves.push(hash);
        tree.push(Committed(vec![number]));
        assert_eq!(root(&leaves)[..], tree.root().as_bytes()[..], "{number}");
    }
}
