use prost::Message as _;

use super::*;
use crate::ledger::{Epoch, KeyName, Salt, SigningKey, leaf_hash};
use crate::pb::v1::feed_leaf::Decoded;

fn acme() -> CustomerId {
    CustomerId::parse("acme").unwrap()
}

fn signer() -> SigningKey {
    SigningKey::from_seed(KeyName::parse("dc1.example").unwrap(), &[7; 32]).unwrap()
}

fn origin() -> Origin {
    Origin::feed(
        &KeyName::parse("dc1.example").unwrap(),
        &acme(),
        Epoch::FIRST,
    )
}

fn leaf_of(index: u64, kind: LeafKind, record: Vec<u8>, decoded: Decoded) -> v1::FeedLeaf {
    let salt = Salt::from_bytes([u8::try_from(index % 251).unwrap(); 32]);
    v1::FeedLeaf {
        index,
        kind: i32::from(kind.number()),
        leaf_hash: leaf_hash(index, kind, &record, &salt).as_bytes().to_vec(),
        record,
        salt: salt.as_bytes().to_vec(),
        decoded: Some(decoded),
        display: None,
    }
}

fn leaf(index: u64) -> v1::FeedLeaf {
    if index == 0 {
        let genesis = v1::GenesisRecord {
            format: 1,
            origin: origin().to_string(),
            time_zone: "Europe/Stockholm".into(),
            precision: v1::Precision::Hour.into(),
        };
        let bytes = genesis.encode_to_vec();
        return leaf_of(0, LeafKind::Genesis, bytes, Decoded::Genesis(genesis));
    }
    let entry = v1::EntryRecord {
        access_point: format!("accessPoints/d{index}-in"),
        decision: v1::Decision::Grant.into(),
        ..v1::EntryRecord::default()
    };
    leaf_of(
        index,
        LeafKind::Entry,
        entry.encode_to_vec(),
        Decoded::Entry(entry),
    )
}

fn leaves(count: u64) -> Vec<v1::FeedLeaf> {
    (0..count).map(leaf).collect()
}

fn checkpoint_of(leaves: &[v1::FeedLeaf]) -> v1::Checkpoint {
    let mut tree = Frontier::default();
    for leaf in leaves {
        tree.push(Hash::parse(&leaf.leaf_hash).unwrap());
    }
    let (size, root) = (tree.size(), tree.root());
    let head = Checkpoint {
        origin: origin(),
        size,
        root,
    };
    v1::Checkpoint {
        tree_size: size,
        root_hash: root.as_bytes().to_vec(),
        note: head.sign(&signer()),
    }
}

fn checker() -> FeedChecker {
    let keys = vec![signer().verifying_key().clone()];
    FeedChecker::new(&acme(), Position::beginning(), keys)
}

/// A checker that has taken these leaves.
fn fed(leaves: &[v1::FeedLeaf]) -> FeedChecker {
    let mut checker = checker();
    for leaf in leaves {
        checker.leaf(leaf).unwrap();
    }
    checker
}

#[test]
fn an_honest_feed_is_accepted() {
    let all = leaves(9);
    let mut checker = fed(&all);
    assert_eq!(
        checker.checkpoint(&checkpoint_of(&all)),
        Ok(Verdict::Verified)
    );
    assert_eq!(
        checker.checkpoint(&checkpoint_of(&all[..4])),
        Ok(Verdict::Verified)
    );
    assert_eq!(checker.verified_size(), Some(9));
}

#[test]
fn a_tampered_record_is_refused() {
    let mut bad = leaf(3);
    *bad.record.last_mut().unwrap() ^= 1;
    assert_eq!(
        fed(&leaves(3)).leaf(&bad),
        Err(FeedFault::LeafHash { index: 3 })
    );
}

#[test]
fn decoded_fields_that_differ_from_the_record_are_refused() {
    let mut bad = leaf(3);
    let Some(Decoded::Entry(entry)) = &mut bad.decoded else {
        panic!("an entry");
    };
    entry.decision = v1::Decision::Denial.into();
    assert_eq!(
        fed(&leaves(3)).leaf(&bad),
        Err(FeedFault::Decoded { index: 3 })
    );
}

#[test]
fn content_without_a_salt_is_refused_and_an_erased_leaf_is_not() {
    let mut bad = leaf(3);
    bad.salt.clear();
    assert!(matches!(
        fed(&leaves(3)).leaf(&bad),
        Err(FeedFault::Shape { index: 3, .. })
    ));
    bad.record.clear();
    bad.decoded = None;
    let mut all = leaves(5);
    let honest = checkpoint_of(&all);
    all[3] = bad;
    let mut checker = fed(&all);
    assert_eq!(checker.checkpoint(&honest), Ok(Verdict::Verified));
}

#[test]
fn a_dropped_leaf_is_refused() {
    let expected = FeedFault::Index {
        expected: 3,
        found: 4,
    };
    assert_eq!(fed(&leaves(3)).leaf(&leaf(4)), Err(expected));
}

#[test]
fn leaves_in_another_order_are_refused() {
    let expected = FeedFault::Index {
        expected: 3,
        found: 2,
    };
    assert_eq!(fed(&leaves(3)).leaf(&leaf(2)), Err(expected));
}

#[test]
fn leaves_that_swapped_their_indices_are_refused() {
    let mut moved = leaf(4);
    moved.index = 3;
    assert_eq!(
        fed(&leaves(3)).leaf(&moved),
        Err(FeedFault::LeafHash { index: 3 })
    );
}

#[test]
fn a_wrong_root_is_refused_before_and_after_its_leaves() {
    let all = leaves(5);
    let mut other = leaves(5);
    other[2].leaf_hash[0] ^= 1;
    let forged = checkpoint_of(&other);
    let refused = FeedFault::Root { size: 5 };
    assert_eq!(fed(&all).checkpoint(&forged), Err(refused.clone()));
    let mut early = fed(&all[..4]);
    assert_eq!(early.checkpoint(&forged), Ok(Verdict::Awaiting));
    assert_eq!(early.leaf(&all[4]), Err(refused));
}

#[test]
fn a_note_of_another_key_or_another_customer_is_refused() {
    let all = leaves(3);
    let mut checkpoint = checkpoint_of(&all);
    let stranger = SigningKey::from_seed(KeyName::parse("dc1.example").unwrap(), &[8; 32]).unwrap();
    let mut head = Checkpoint {
        origin: origin(),
        size: 3,
        root: Hash::parse(&checkpoint.root_hash).unwrap(),
    };
    checkpoint.note = head.sign(&stranger);
    let refused = fed(&all).checkpoint(&checkpoint);
    assert!(
        matches!(refused, Err(FeedFault::Note { size: 3, .. })),
        "{refused:?}"
    );

    head.origin = Origin::parse("dc1.example/feed/bolt/e1").unwrap();
    checkpoint.note = head.sign(&signer());
    let refused = fed(&all).checkpoint(&checkpoint);
    assert!(
        matches!(refused, Err(FeedFault::Origin { .. })),
        "{refused:?}"
    );
}

#[test]
fn a_note_that_differs_from_its_fields_is_refused_without_a_key_too() {
    let all = leaves(3);
    let mut checkpoint = checkpoint_of(&all);
    checkpoint.note = checkpoint_of(&all[..2]).note;
    let refused = Err(FeedFault::NoteDiffers { size: 3 });
    assert_eq!(fed(&all).checkpoint(&checkpoint), refused);
    let mut keyless = FeedChecker::new(&acme(), Position::beginning(), Vec::new());
    for leaf in &all {
        keyless.leaf(leaf).unwrap();
    }
    assert_eq!(keyless.checkpoint(&checkpoint), refused);
    assert_eq!(
        keyless.checkpoint(&checkpoint_of(&all)),
        Ok(Verdict::Verified)
    );
}

#[test]
fn another_origin_without_a_restore_is_refused() {
    let all = leaves(3);
    let next = Origin::feed(
        &KeyName::parse("dc1.example").unwrap(),
        &acme(),
        Epoch::FIRST.next().unwrap(),
    );
    let honest = checkpoint_of(&all);
    let head = Checkpoint {
        origin: next,
        size: 3,
        root: Hash::parse(&honest.root_hash).unwrap(),
    };
    let moved = v1::Checkpoint {
        note: head.sign(&signer()),
        ..honest
    };
    let mut checker = fed(&all);
    assert!(matches!(
        checker.checkpoint(&moved),
        Err(FeedFault::Origin { .. })
    ));
    assert!(checker.begin_epoch(2));
    assert_eq!(checker.checkpoint(&moved), Ok(Verdict::Verified));
}

#[test]
fn an_epoch_that_begins_further_back_keeps_the_tree() {
    let all = leaves(6);
    let mut checker = fed(&all);
    assert!(checker.begin_epoch(3));
    for leaf in &all[4..] {
        checker.leaf(leaf).unwrap();
    }
    assert_eq!(
        checker.checkpoint(&checkpoint_of(&all)),
        Ok(Verdict::Verified)
    );
}

#[test]
fn a_feed_joined_in_the_middle_compares_no_roots() {
    let all = leaves(6);
    let mut checker = FeedChecker::new(&acme(), Position::at(3), Vec::new());
    for leaf in &all[3..] {
        checker.leaf(leaf).unwrap();
    }
    assert_eq!(
        checker.checkpoint(&checkpoint_of(&all)),
        Ok(Verdict::NotComparable)
    );
}

#[test]
fn a_feed_joined_in_the_middle_refuses_another_customers_heads() {
    let bolt = CustomerId::parse("bolt").unwrap();
    let head = checkpoint_of(&leaves(6));
    for keys in [Vec::new(), vec![signer().verifying_key().clone()]] {
        let mut checker = FeedChecker::new(&bolt, Position::at(3), keys);
        let refused = checker.checkpoint(&head);
        assert!(
            matches!(refused, Err(FeedFault::Origin { .. })),
            "{refused:?}"
        );
    }
}

#[test]
fn a_reader_goes_on_where_it_stood() {
    let all = leaves(6);
    let at = fed(&all[..4]).position().clone();
    let mut checker = FeedChecker::new(&acme(), at, Vec::new());
    for leaf in &all[4..] {
        checker.leaf(leaf).unwrap();
    }
    assert_eq!(
        checker.checkpoint(&checkpoint_of(&all)),
        Ok(Verdict::Verified)
    );
}
