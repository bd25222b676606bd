//! The journal, read from the store when nobody has it open.

use std::sync::Arc;

use sluss::store::disk::{Disk, RealDisk};
use sluss::store::keyring::Keyring;
use sluss::store::secrets::Secrets;
use sluss::store::{Feeds, JournalKind, StoreConfig, StoredEntry, open};

use crate::house::House;

/// One entry, as far as tests look at it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Line {
    pub(crate) sequence: u64,
    pub(crate) kind: JournalKind,
    pub(crate) actor: String,
    pub(crate) detail: String,
}

/// Stops the server and reads all of its journal.
pub(crate) async fn journal(house: &mut House) -> Vec<Line> {
    house.stop().await;
    let disk: Arc<dyn Disk> = Arc::new(RealDisk);
    let folders = &house.config.folders;
    let store = StoreConfig::new(
        folders.store.clone(),
        house.config.site.clone(),
        house.config.node,
        house.boot.clone(),
        house.world.now().utc,
    );
    let opened = open(&store, Arc::clone(&disk)).unwrap();
    let secrets = Secrets::load(&folders.keys).unwrap();
    let keyring = Keyring::open(disk, &folders.keyring(), &secrets.kek).unwrap();
    let feeds = Feeds::new(opened.reader.clone(), Arc::new(keyring), Arc::default());
    let mut lines = Vec::new();
    for sequence in 1.. {
        let Some(StoredEntry { kind, body }) = feeds.journal(sequence).unwrap() else {
            break;
        };
        let body = body.unwrap_or_default();
        lines.push(Line {
            sequence,
            kind,
            actor: body.actor,
            detail: body.detail,
        });
    }
    lines
}

/// Those of a kind whose detail names something.
pub(crate) fn those<'a>(lines: &'a [Line], kind: JournalKind, what: &str) -> Vec<&'a Line> {
    let is_it = |line: &&Line| line.kind == kind && line.detail.contains(what);
    lines.iter().filter(is_it).collect()
}
