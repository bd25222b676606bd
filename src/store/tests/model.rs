//! The store against a plain map, under random commits, housekeeping and openings.

use std::{collections::BTreeMap, path::Path};

use proptest::prelude::*;

use super::fixtures::{at, config, created_on};
use crate::{
    pb::store::SourceCounterRow,
    store::{Batch, Opened, disk::RealDisk, open, tables::SourceCounters},
};

type Key = (String, String);
type Model = BTreeMap<Key, u64>;

#[derive(Debug, Clone)]
enum Step {
    Commit(Vec<(Key, Option<u64>)>),
    Apply,
    Housekeep,
    Snapshot,
    FailSled,
    Kill,
    Close,
    NewKernel,
}

fn key() -> impl Strategy<Value = Key> {
    ("[ab]{1,2}", "[a-c]").prop_map(|(customer, point)| (customer, point))
}

fn step() -> impl Strategy<Value = Step> {
    let ops = prop::collection::vec((key(), prop::option::of(any::<u64>())), 0..6);
    prop_oneof![
        8 => ops.prop_map(Step::Commit),
        2 => Just(Step::Apply),
        2 => Just(Step::Housekeep),
        1 => Just(Step::Snapshot),
        1 => Just(Step::FailSled),
        1 => Just(Step::Kill),
        1 => Just(Step::Close),
        1 => Just(Step::NewKernel),
    ]
}

fn batch(ops: &[(Key, Option<u64>)]) -> Batch {
    let mut batch = Batch::new();
    for (key, value) in ops {
        match value {
            Some(last) => batch.put::<SourceCounters>(key, &SourceCounterRow { last: *last }),
            None => batch.remove::<SourceCounters>(key),
        }
    }
    batch
}

fn check(store: &Opened, model: &Model) {
    let all = store.reader.range::<SourceCounters>(.., 999).unwrap();
    let found: Model = all
        .iter()
        .map(|(key, row)| (key.clone(), row.last))
        .collect();
    assert_eq!((&found, found.len()), (model, all.len()));
    for customer in ["a", "ab", "b"] {
        let rows = store.reader.rows_of::<SourceCounters, _>(customer, None, 3);
        let rows: Vec<_> = rows.unwrap().into_iter().map(|r| (r.0, r.1.last)).collect();
        let expected = model.iter().filter(|(key, _)| key.0 == customer).take(3);
        let expected: Vec<_> = expected.map(|(k, v)| (k.clone(), *v)).collect();
        assert_eq!(rows, expected);
    }
    for customer in ["a", "bb"] {
        let key = (customer.to_owned(), "b".to_owned());
        let row = store.reader.get::<SourceCounters>(&key).unwrap();
        assert_eq!(row.map(|r| r.last), model.get(&key).copied());
    }
}

fn reopened(folder: &Path, boot: u32, model: &Model) -> Opened {
    let mut config = config(folder, &boot.to_string());
    config.snapshot_every_bytes = 1500;
    let store = open(&config, std::sync::Arc::new(RealDisk)).unwrap();
    let base = store.base.rows::<SourceCounters>().map(Result::unwrap);
    let base: Model = base.map(|(key, row)| (key, row.last)).collect();
    assert_eq!(&base, model);
    store
}

fn run(steps: &[Step]) {
    let folder = tempfile::tempdir().unwrap();
    let mut store = created_on(folder.path(), std::sync::Arc::new(RealDisk));
    let (mut model, mut boot) = (Model::new(), 0);
    for (seconds, step) in (0..).zip(steps) {
        match step {
            Step::Commit(ops) => {
                store.writer.commit(batch(ops)).unwrap();
                for (key, value) in ops {
                    match value {
                        Some(value) => model.insert(key.clone(), *value),
                        None => model.remove(key),
                    };
                }
            }
            Step::Apply => store.writer.apply(),
            Step::Housekeep => store.writer.housekeep(at(seconds)),
            Step::Snapshot => drop(store.writer.snapshot().unwrap()),
            Step::FailSled => {
                store.writer.fail_engine();
                // Two hours each, so that it is never given up.
                store.writer.housekeep(at(100_000 + seconds * 7200));
                store.writer.finish_rebuild().unwrap();
            }
            Step::Kill => {
                drop(store);
                store = reopened(folder.path(), boot, &model);
            }
            Step::Close => {
                store.writer.close();
                store = reopened(folder.path(), boot, &model);
            }
            Step::NewKernel => {
                drop(store);
                boot += 1;
                store = reopened(folder.path(), boot, &model);
            }
        }
        check(&store, &model);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn reads_equal_a_plain_map(steps in prop::collection::vec(step(), 1..30)) {
        run(&steps);
    }
}
