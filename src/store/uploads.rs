//! Uploaded files between upload and apply: in memory, for an hour, each its caller's own.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use data_encoding::HEXLOWER;

use crate::types::{Caller, Moment, World};

/// Most items in an upload.
pub const ITEMS_MAX: usize = 20_000;
/// Most bytes of items in an upload, as they were encoded on the wire.
pub const BYTES_MAX: usize = 8 * 1024 * 1024;
/// How long an upload is kept.
pub const KEPT: Duration = Duration::from_hours(1);
/// Most uploads of one caller at once; its oldest makes room.
const PER_CALLER_MAX: usize = 8;
/// Most uploads at once, so that they hold 512 MiB of wire bytes at worst.
const ALL_MAX: usize = 64;
/// Collection of resource names.
const COLLECTION: &str = "uploads/";

/// Why an upload was not kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum UploadRefused {
    /// It has more than 20,000 items.
    #[error("an upload has at most {ITEMS_MAX} items")]
    Items,
    /// It has more than 8 MiB.
    #[error("an upload has at most {BYTES_MAX} bytes")]
    Bytes,
    /// Other callers hold all places.
    #[error("there are too many uploads just now")]
    Places,
}

/// An upload that is still coming in. Refuses what would not fit before it is held.
#[derive(Debug)]
pub struct Incoming<T> {
    items: Vec<T>,
    bytes: usize,
}

impl<T: prost::Message> Incoming<T> {
    /// Starts empty.
    pub fn new() -> Self {
        Self {
            items: Vec::new(),
            bytes: 0,
        }
    }

    /// Adds an item.
    pub fn push(&mut self, item: T) -> Result<(), UploadRefused> {
        if self.items.len() >= ITEMS_MAX {
            return Err(UploadRefused::Items);
        }
        self.bytes = self.bytes.saturating_add(item.encoded_len());
        if self.bytes > BYTES_MAX {
            return Err(UploadRefused::Bytes);
        }
        self.items.push(item);
        Ok(())
    }

    /// Number of items so far; at most 20,000.
    pub fn count(&self) -> u32 {
        u32::try_from(self.items.len()).unwrap_or(u32::MAX)
    }
}

impl<T: prost::Message> Default for Incoming<T> {
    fn default() -> Self {
        Self::new()
    }
}

struct Kept<T> {
    owner: Caller,
    /// What it is for, for example the list it is to replace.
    purpose: String,
    since: Moment,
    items: Arc<Vec<T>>,
}

/// Uploads of one kind.
///
/// Somebody else's upload answers as one that does not exist.
pub struct Uploads<T> {
    kept: Mutex<BTreeMap<String, Kept<T>>>,
}

impl<T> fmt::Debug for Uploads<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Uploads({} kept, [redacted])", self.lock().len())
    }
}

impl<T> Default for Uploads<T> {
    fn default() -> Self {
        Self {
            kept: Mutex::new(BTreeMap::new()),
        }
    }
}

impl<T> Uploads<T> {
    /// Keeps an upload and names it, `uploads/{upload}`.
    pub fn keep(
        &self,
        owner: &Caller,
        purpose: &str,
        incoming: Incoming<T>,
        world: &dyn World,
    ) -> Result<String, UploadRefused> {
        let mut id = [0_u8; 16];
        world.fill_random(&mut id);
        let name = format!("{COLLECTION}{}", HEXLOWER.encode(&id));
        let since = world.now().moment;
        let mut kept = self.lock();
        kept.retain(|_, upload| since.since(upload.since) < KEPT);
        let own = kept.iter().filter(|(_, upload)| upload.owner == *owner);
        if own.clone().count() >= PER_CALLER_MAX {
            let oldest = own.min_by_key(|(_, upload)| upload.since);
            let oldest = oldest.map(|(name, _)| name.clone());
            oldest.map(|name| kept.remove(&name));
        }
        if kept.len() >= ALL_MAX {
            return Err(UploadRefused::Places);
        }
        let upload = Kept {
            owner: owner.clone(),
            purpose: purpose.to_owned(),
            since,
            items: Arc::new(incoming.items),
        };
        kept.insert(name.clone(), upload);
        Ok(name)
    }

    /// The items of a caller's upload for this purpose; `None` if there is no such upload.
    pub fn find(
        &self,
        owner: &Caller,
        purpose: &str,
        name: &str,
        now: Moment,
    ) -> Option<Arc<Vec<T>>> {
        let kept = self.lock();
        let upload = kept.get(name)?;
        let fits = upload.owner == *owner && upload.purpose == purpose;
        let fresh = now.since(upload.since) < KEPT;
        (fits && fresh).then(|| Arc::clone(&upload.items))
    }

    /// Forgets an upload that was applied.
    pub fn forget(&self, owner: &Caller, name: &str) {
        let mut kept = self.lock();
        if kept.get(name).is_some_and(|upload| upload.owner == *owner) {
            kept.remove(name);
        }
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Kept<T>>> {
        // The map is whole after every statement, so a panic elsewhere does not spoil it.
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pb::v1::AccessListLine;
    use crate::types::{Now, UtcTime};
    use std::sync::atomic::{AtomicU64, Ordering};

    #[derive(Debug, Default)]
    struct Still {
        seconds: AtomicU64,
        draws: AtomicU64,
    }

    impl World for Still {
        fn now(&self) -> Now {
            let elapsed = Duration::from_secs(self.seconds.load(Ordering::Relaxed));
            Now {
                utc: UtcTime::EPOCH,
                moment: Moment::from_start(elapsed),
            }
        }

        fn fill_random(&self, buffer: &mut [u8]) {
            let draw = self.draws.fetch_add(1, Ordering::Relaxed).to_be_bytes();
            let tail = buffer.len() - draw.len();
            buffer[tail..].copy_from_slice(&draw);
        }
    }

    fn operator(id: &str) -> Caller {
        Caller::Operator(id.into())
    }

    fn one() -> Incoming<AccessListLine> {
        let mut incoming = Incoming::new();
        incoming.push(AccessListLine::default()).unwrap();
        incoming
    }

    #[test]
    fn an_upload_is_its_callers_own_and_for_its_purpose() {
        let (uploads, world) = (Uploads::default(), Still::default());
        let name = uploads.keep(&operator("a"), "acme", one(), &world).unwrap();
        let at = world.now().moment;
        assert!(uploads.find(&operator("a"), "acme", &name, at).is_some());
        assert!(uploads.find(&operator("b"), "acme", &name, at).is_none());
        assert!(uploads.find(&operator("a"), "other", &name, at).is_none());
        uploads.forget(&operator("b"), &name);
        assert!(uploads.find(&operator("a"), "acme", &name, at).is_some());
        uploads.forget(&operator("a"), &name);
        assert!(uploads.find(&operator("a"), "acme", &name, at).is_none());
    }

    #[test]
    fn an_upload_is_gone_after_an_hour() {
        let (uploads, world) = (Uploads::default(), Still::default());
        let name = uploads.keep(&operator("a"), "", one(), &world).unwrap();
        world.seconds.store(3_599, Ordering::Relaxed);
        let find = || uploads.find(&operator("a"), "", &name, world.now().moment);
        assert!(find().is_some());
        world.seconds.store(3_600, Ordering::Relaxed);
        assert!(find().is_none());
    }

    #[test]
    fn a_callers_ninth_upload_replaces_its_first() {
        let (uploads, world) = (Uploads::default(), Still::default());
        let keep = |second| {
            world.seconds.store(second, Ordering::Relaxed);
            uploads.keep(&operator("a"), "", one(), &world).unwrap()
        };
        let names: Vec<_> = (0..9).map(keep).collect();
        let at = world.now().moment;
        let found = names
            .iter()
            .map(|name| uploads.find(&operator("a"), "", name, at).is_some());
        let found: Vec<_> = found.collect();
        assert_eq!(found[..2], [false, true]);
        assert!(found[8]);
    }

    #[test]
    fn there_is_a_place_for_sixty_four_uploads() {
        let (uploads, world) = (Uploads::default(), Still::default());
        for caller in 0..8 {
            for _ in 0..8 {
                let owner = operator(&caller.to_string());
                uploads.keep(&owner, "", one(), &world).unwrap();
            }
        }
        assert_eq!(
            uploads.keep(&operator("x"), "", one(), &world),
            Err(UploadRefused::Places)
        );
        assert!(uploads.keep(&operator("3"), "", one(), &world).is_ok());
    }

    #[test]
    fn an_upload_has_a_bound_on_items_and_bytes() {
        let mut many = Incoming::new();
        for _ in 0..ITEMS_MAX {
            many.push(AccessListLine::default()).unwrap();
        }
        assert_eq!(
            many.push(AccessListLine::default()),
            Err(UploadRefused::Items)
        );
        let mut long = Incoming::new();
        let line = AccessListLine {
            display_name: "x".repeat(BYTES_MAX),
            ..AccessListLine::default()
        };
        assert_eq!(long.push(line), Err(UploadRefused::Bytes));
    }
}
