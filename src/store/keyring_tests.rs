//! What the keyring promises, on real files.

use std::fs;
use std::io;
use std::os::unix::fs::FileExt as _;
use std::sync::atomic::{AtomicU64, Ordering};

use tempfile::TempDir;

use super::super::disk::RealDisk;
use super::super::seal::testing::CountingWorld;
use super::super::seal::{RecordKey, SealKey};
use super::*;
use crate::types::{CustomerId, PersonId};

const AAD: Aad<'_> = Aad {
    table: "Persons",
    owner: "p1",
    record: RecordKey::Text("p1"),
    schema: 1,
};

/// A folder, a key-encryption key and chance.
struct Bench {
    home: TempDir,
    path: PathBuf,
    kek: Kek,
    world: CountingWorld,
}

impl Bench {
    fn new() -> Self {
        let (home, world) = (tempfile::tempdir().unwrap(), CountingWorld::default());
        Self {
            path: home.path().join("keyring"),
            kek: Kek(SealKey::random(&world)),
            home,
            world,
        }
    }

    fn create(&self) -> Keyring {
        Keyring::create(Arc::new(RealDisk), &self.path, &self.kek).unwrap()
    }

    fn open(&self) -> Result<Keyring, KeyringError> {
        Keyring::open(Arc::new(RealDisk), &self.path, &self.kek)
    }

    fn ensure(&self, ring: &Keyring, scope: &KeyScope) -> KeyId {
        ring.ensure(std::slice::from_ref(scope), &self.world)
            .unwrap()[0]
    }

    fn seal(&self, ring: &Keyring, scope: &KeyScope) -> SealedBlob {
        let key = self.ensure(ring, scope);
        ring.seal(key, &AAD, b"Astrid", &self.world).unwrap()
    }

    fn bytes(&self) -> Vec<u8> {
        fs::read(&self.path).unwrap()
    }

    fn names(&self) -> Vec<String> {
        RealDisk.list(self.home.path()).unwrap()
    }

    /// Whether bytes stand in any file of the folder.
    fn finds(&self, wanted: &[u8]) -> bool {
        self.names().iter().any(|name| {
            let bytes = fs::read(self.home.path().join(name)).unwrap();
            bytes.windows(wanted.len()).any(|w| w == wanted)
        })
    }
}

fn contact(person: &str) -> KeyScope {
    KeyScope::Person {
        person: PersonId::parse(person).unwrap(),
        holder: Holder::Site,
        category: Category::Contact,
    }
}

fn log(person: &str) -> KeyScope {
    KeyScope::Person {
        person: PersonId::parse(person).unwrap(),
        holder: Holder::Customer(CustomerId::parse("acme").unwrap()),
        category: Category::Log,
    }
}

fn month(month: u8) -> KeyScope {
    KeyScope::Month {
        holder: Holder::Site,
        year: 2026,
        month,
    }
}

fn wrapped(ring: &Keyring, scope: &KeyScope) -> Vec<u8> {
    let keys = ring.read_keys();
    keys.by_id[&keys.by_scope[scope]].wrapped.wrapped.to_vec()
}

#[test]
fn keys_are_made_once_and_read_back() {
    let bench = Bench::new();
    let ring = bench.create();
    let scopes = [contact("p1"), log("p1"), month(11), contact("p1")];
    let ids = ring.ensure(&scopes, &bench.world).unwrap();
    assert_eq!(ids[0], ids[3]);
    assert!(ids[0] != ids[1] && ids[1] != ids[2] && ids[0] != ids[2]);
    let blob = bench.seal(&ring, &contact("p1"));
    let before = bench.bytes();
    assert_eq!(ring.ensure(&scopes, &bench.world).unwrap(), ids);
    assert_eq!(bench.bytes(), before);
    drop(ring);
    let ring = bench.open().unwrap();
    assert_eq!(ring.ensure(&scopes, &bench.world).unwrap(), ids);
    assert_eq!(ring.key_for(&month(11)), Some(ids[2]));
    assert_eq!(ring.key_for(&month(12)), None);
    assert_eq!(ring.unseal(&blob, &AAD).unwrap().as_slice(), b"Astrid");
    assert!(!ring.had_torn_end());
    assert_eq!(bench.bytes(), before);
}

#[test]
fn sealed_bytes_moved_to_another_row_are_damaged() {
    let bench = Bench::new();
    let ring = bench.create();
    let blob = bench.seal(&ring, &contact("p1"));
    let elsewhere = Aad { owner: "p2", ..AAD };
    assert_eq!(ring.unseal(&blob, &elsewhere), Err(SealError::Damaged));
    let key_id = bench.ensure(&ring, &contact("p2")).number();
    let swapped = SealedBlob { key_id, ..blob };
    assert_eq!(ring.unseal(&swapped, &AAD), Err(SealError::Damaged));
}

#[test]
fn an_erased_key_is_gone_from_every_file_and_never_comes_back() {
    let bench = Bench::new();
    let ring = bench.create();
    let (gone, kept) = (contact("p1"), log("p1"));
    let (blob, other) = (bench.seal(&ring, &gone), bench.seal(&ring, &kept));
    let secret = wrapped(&ring, &gone);
    let old = fs::File::open(&bench.path).unwrap();
    assert!(bench.finds(&secret));
    ring.erase(&[gone.clone(), contact("never-seen")], 7)
        .unwrap();

    let check = |ring: &Keyring| {
        assert_eq!(ring.unseal(&blob, &AAD), Err(SealError::KeyGone));
        assert_eq!(ring.unseal(&other, &AAD).unwrap().as_slice(), b"Astrid");
        for scope in [&gone, &contact("never-seen")] {
            assert_eq!(ring.key_for(scope), None);
            assert_eq!(ring.tombstone(scope), Some(7));
            let again = ring.ensure(&[kept.clone(), scope.clone()], &bench.world);
            assert!(
                matches!(&again, Err(KeyringError::Tombstoned { scope: s }) if s == scope),
                "{again:?}"
            );
        }
        assert_eq!(ring.last_removal(), 7);
    };
    check(&ring);
    assert!(!bench.finds(&secret));
    assert_eq!(bench.names(), ["keyring"]);
    let mut lingering = vec![1; usize::try_from(old.metadata().unwrap().len()).unwrap()];
    old.read_exact_at(&mut lingering, 0).unwrap();
    assert!(lingering.iter().all(|b| *b == 0), "the old file is wiped");

    let id = bench.ensure(&ring, &contact("p2"));
    assert!(id.number() > blob.key_id, "no number is used again");
    drop(ring);
    let ring = bench.open().unwrap();
    check(&ring);
    assert_eq!(ring.key_for(&contact("p2")), Some(id));
}

#[test]
fn the_number_of_a_key_is_not_used_again_when_the_newest_was_erased() {
    let bench = Bench::new();
    let ring = bench.create();
    let erased = bench.ensure(&ring, &contact("p1"));
    ring.erase(&[contact("p1")], 1).unwrap();
    drop(ring);
    let ring = bench.open().unwrap();
    assert!(bench.ensure(&ring, &contact("p2")) > erased);
}

#[test]
fn removals_are_remembered_and_never_fall() {
    let bench = Bench::new();
    let ring = bench.create();
    ring.note_removal(5).unwrap();
    ring.note_removal(3).unwrap();
    assert_eq!(ring.last_removal(), 5);
    ring.erase(&[month(1)], 4).unwrap();
    assert_eq!(ring.last_removal(), 5);
    ring.erase(&[month(1)], 9).unwrap();
    assert_eq!(ring.tombstone(&month(1)), Some(4));
    assert_eq!(bench.open().unwrap().last_removal(), 9);
}

#[test]
fn an_end_torn_at_any_byte_is_dropped_and_written_over() {
    let bench = Bench::new();
    let ring = bench.create();
    let kept = bench.ensure(&ring, &contact("p1"));
    let before = bench.bytes();
    ring.ensure(&[contact("p2"), log("p2")], &bench.world)
        .unwrap();
    drop(ring);
    let whole = bench.bytes();
    for cut in before.len()..whole.len() {
        let short = whole[..cut].to_vec();
        let mut zeroed = short.clone();
        zeroed.resize(whole.len(), 0);
        let mut holed = whole.clone();
        holed[before.len()..=cut].fill(0);
        for image in [short, zeroed, holed] {
            if image == whole {
                continue;
            }
            fs::write(&bench.path, &image).unwrap();
            let ring = bench.open().unwrap();
            let is_clean = image[before.len()..].iter().all(|b| *b == 0);
            assert_eq!(ring.had_torn_end(), !is_clean, "cut at {cut}");
            assert_eq!(ring.key_for(&contact("p1")), Some(kept));
            assert_eq!(ring.key_for(&log("p2")), None);
            assert!(bench.bytes()[before.len()..].iter().all(|b| *b == 0));
            let id = bench.ensure(&ring, &month(2));
            drop(ring);
            let ring = bench.open().unwrap();
            assert_eq!(ring.key_for(&month(2)), Some(id));
            assert!(!ring.had_torn_end());
        }
    }
}

#[test]
fn a_flipped_byte_before_the_last_frame_is_refused_with_its_place() {
    let bench = Bench::new();
    let ring = bench.create();
    let header = bench.bytes().len();
    bench.ensure(&ring, &contact("p1"));
    let first = bench.bytes().len();
    bench.ensure(&ring, &contact("p2"));
    drop(ring);
    let whole = bench.bytes();
    for at in 0..first {
        let mut spoilt = whole.clone();
        spoilt[at] ^= 0x10;
        fs::write(&bench.path, &spoilt).unwrap();
        let error = bench.open().unwrap_err();
        let expected = match at {
            0..8 => matches!(error, KeyringError::NotAKeyring { .. }),
            8..12 => matches!(error, KeyringError::Newer { .. }),
            _ => {
                let place = if at < header { 0 } else { header };
                matches!(error, KeyringError::Damaged { offset, .. } if offset == place)
            }
        };
        assert!(expected, "byte {at}: {error}");
        assert_eq!(
            bench.bytes(),
            spoilt,
            "nothing is written to a damaged file"
        );
    }
    for at in first..whole.len() {
        let mut spoilt = whole.clone();
        spoilt[at] ^= 0x10;
        fs::write(&bench.path, &spoilt).unwrap();
        let ring = bench.open().unwrap();
        assert!(ring.had_torn_end(), "byte {at} of the last frame");
        assert!(ring.key_for(&contact("p1")).is_some());
        assert!(ring.key_for(&contact("p2")).is_none());
    }
}

#[test]
fn another_key_encryption_key_is_refused_even_without_keys() {
    let bench = Bench::new();
    drop(bench.create());
    let other = Kek(SealKey::random(&bench.world));
    let error = Keyring::open(Arc::new(RealDisk), &bench.path, &other).unwrap_err();
    assert!(matches!(error, KeyringError::WrongKek { .. }), "{error}");
}

#[test]
fn a_keyring_is_never_overwritten_and_a_missing_one_is_named() {
    let bench = Bench::new();
    let error = bench.open().unwrap_err();
    assert!(matches!(error, KeyringError::Missing { .. }), "{error}");
    assert!(error.to_string().contains(bench.path.to_str().unwrap()));
    for name in ["keyring", "keyring.new", "keyring.old"] {
        let path = bench.home.path().join(name);
        fs::write(&path, "old").unwrap();
        let made = Keyring::create(Arc::new(RealDisk), &bench.path, &bench.kek);
        assert!(matches!(made, Err(KeyringError::Exists { .. })), "{made:?}");
        assert_eq!(fs::read_to_string(&path).unwrap(), "old");
        fs::remove_file(&path).unwrap();
    }
}

#[test]
fn absurd_numbers_of_scopes_are_refused() {
    let bench = Bench::new();
    let ring = bench.create();
    let before = bench.bytes();
    let many = vec![month(1); 16_385];
    assert!(matches!(
        ring.ensure(&many, &bench.world),
        Err(KeyringError::TooMany)
    ));
    assert_eq!(bench.bytes(), before);
}

#[test]
fn neither_keys_nor_the_kek_stand_in_the_file_or_in_debug() {
    let bench = Bench::new();
    let ring = bench.create();
    let id = bench.ensure(&ring, &contact("p1"));
    let key = ring.read_keys().by_id[&id].key.clone();
    assert!(!bench.finds(key.reveal()) && !bench.finds(bench.kek.0.reveal()));
    let shown = format!("{ring:?}");
    let first = format!("{:?}", &key.reveal()[..4]);
    assert!(!shown.contains(first.trim_matches(['[', ']'])));
}

/// A disk whose every call fails after some: what a program that ends there leaves behind.
#[derive(Debug)]
struct EndingDisk {
    calls_left: Arc<AtomicU64>,
}

#[derive(Debug)]
struct EndingFile {
    file: Box<dyn DiskFile>,
    calls_left: Arc<AtomicU64>,
}

fn count_down(calls_left: &AtomicU64) -> io::Result<()> {
    let less = |left: u64| left.checked_sub(1);
    calls_left
        .fetch_update(Ordering::Relaxed, Ordering::Relaxed, less)
        .map(|_| ())
        .map_err(|_| io::Error::other("the disk is gone"))
}

impl EndingDisk {
    fn of(calls: u64) -> (Arc<Self>, Arc<AtomicU64>) {
        let calls_left = Arc::new(AtomicU64::new(calls));
        let disk = Self {
            calls_left: calls_left.clone(),
        };
        (Arc::new(disk), calls_left)
    }

    fn file(&self, file: Box<dyn DiskFile>) -> Box<dyn DiskFile> {
        let calls_left = self.calls_left.clone();
        Box::new(EndingFile { file, calls_left })
    }
}

impl Disk for EndingDisk {
    fn create(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        count_down(&self.calls_left)?;
        RealDisk.create(path).map(|file| self.file(file))
    }
    fn open(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        count_down(&self.calls_left)?;
        RealDisk.open(path).map(|file| self.file(file))
    }
    fn create_folder(&self, path: &Path) -> io::Result<()> {
        RealDisk.create_folder(path)
    }
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        count_down(&self.calls_left)?;
        RealDisk.rename(from, to)
    }
    fn remove(&self, path: &Path) -> io::Result<()> {
        count_down(&self.calls_left)?;
        RealDisk.remove(path)
    }
    fn sync_folder(&self, path: &Path) -> io::Result<()> {
        count_down(&self.calls_left)?;
        RealDisk.sync_folder(path)
    }
    fn sync_foreign(&self, path: &Path) -> io::Result<()> {
        RealDisk.sync_foreign(path)
    }
    fn list(&self, path: &Path) -> io::Result<Vec<String>> {
        RealDisk.list(path)
    }
    fn exists(&self, path: &Path) -> bool {
        RealDisk.exists(path)
    }
}

impl DiskFile for EndingFile {
    fn len_bytes(&self) -> io::Result<u64> {
        self.file.len_bytes()
    }
    fn read_exact_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        self.file.read_exact_at(offset, buffer)
    }
    fn write_all_at(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        count_down(&self.calls_left)?;
        self.file.write_all_at(offset, bytes)
    }
    fn sync_data(&self) -> io::Result<()> {
        count_down(&self.calls_left)?;
        self.file.sync_data()
    }
}

#[test]
fn a_failed_write_or_sync_leaves_it_read_only_with_nothing_acknowledged() {
    for calls in 0..2 {
        let bench = Bench::new();
        let blob = bench.seal(&bench.create(), &contact("p1"));
        let (disk, calls_left) = EndingDisk::of(u64::MAX);
        let ring = Keyring::open(disk, &bench.path, &bench.kek).unwrap();
        calls_left.store(calls, Ordering::Relaxed);
        let failed = ring.ensure(&[contact("p2")], &bench.world);
        assert!(matches!(failed, Err(KeyringError::Io { .. })), "{failed:?}");
        calls_left.store(u64::MAX, Ordering::Relaxed);

        let after = bench.bytes();
        for refused in [
            ring.ensure(&[contact("p2")], &bench.world).map(|_| ()),
            ring.erase(&[contact("p1")], 1),
            ring.note_removal(1),
        ] {
            assert!(
                matches!(refused, Err(KeyringError::ReadOnly)),
                "{refused:?}"
            );
        }
        assert_eq!(ring.key_for(&contact("p2")), None);
        assert_eq!(ring.unseal(&blob, &AAD).unwrap().as_slice(), b"Astrid");
        bench.ensure(&ring, &contact("p1"));
        assert_eq!(bench.bytes(), after);
    }
}

#[test]
fn erasing_that_ends_anywhere_leaves_all_or_exactly_the_rest() {
    let mut undone = 0;
    for calls in 0.. {
        let bench = Bench::new();
        let ring = bench.create();
        let (gone, kept) = (contact("p1"), log("p1"));
        let blobs = [bench.seal(&ring, &gone), bench.seal(&ring, &kept)];
        let secret = wrapped(&ring, &gone);
        drop(ring);
        let (disk, calls_left) = EndingDisk::of(u64::MAX);
        let ring = Keyring::open(disk, &bench.path, &bench.kek).unwrap();
        calls_left.store(calls, Ordering::Relaxed);
        let erased = ring.erase(std::slice::from_ref(&gone), 7);
        drop(ring);

        let ring = bench.open().unwrap();
        assert_eq!(bench.names(), ["keyring"], "tidied after call {calls}");
        assert_eq!(ring.unseal(&blobs[1], &AAD).unwrap().as_slice(), b"Astrid");
        if ring.tombstone(&gone).is_some() {
            assert_eq!(ring.unseal(&blobs[0], &AAD), Err(SealError::KeyGone));
            assert_eq!(ring.last_removal(), 7);
            assert!(!bench.finds(&secret), "call {calls}");
        } else {
            assert!(erased.is_err(), "acknowledged and undone at call {calls}");
            assert_eq!(ring.unseal(&blobs[0], &AAD).unwrap().as_slice(), b"Astrid");
            undone += 1;
        }
        if erased.is_ok() {
            assert!(undone > 3 && calls > 8, "{undone} of {calls} undone");
            return;
        }
    }
}

#[test]
fn opening_that_ends_anywhere_can_be_done_again() {
    for begun in 5..8 {
        for calls in 0..12 {
            let bench = Bench::new();
            let ring = bench.create();
            let blob = bench.seal(&ring, &log("p1"));
            drop(ring);
            let (disk, calls_left) = EndingDisk::of(u64::MAX);
            let ring = Keyring::open(disk, &bench.path, &bench.kek).unwrap();
            calls_left.store(begun, Ordering::Relaxed);
            ring.erase(&[contact("p1")], 7).unwrap_err();
            drop(ring);
            let (disk, _) = EndingDisk::of(calls);
            let _ended = Keyring::open(disk, &bench.path, &bench.kek);
            let ring = bench.open().unwrap();
            assert_eq!(ring.unseal(&blob, &AAD).unwrap().as_slice(), b"Astrid");
            assert_eq!(bench.names(), ["keyring"]);
        }
    }
}

#[test]
fn a_writer_and_readers_share_it() {
    let bench = Bench::new();
    let ring = bench.create();
    let blob = bench.seal(&ring, &log("p1"));
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                for _ in 0..200 {
                    assert_eq!(ring.unseal(&blob, &AAD).unwrap().as_slice(), b"Astrid");
                }
            });
        }
        for number in 0..20_u8 {
            bench.ensure(&ring, &month(number));
        }
        ring.erase(&[month(3)], 1).unwrap();
    });
    assert_eq!(bench.open().unwrap().key_for(&month(3)), None);
}
