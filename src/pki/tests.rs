//! The authority and its folder, with real files.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;

use super::*;
use crate::env::System;
use crate::service::auth::{CertificateSerial, Revocations, identify};
use crate::store::disk::RealDisk;
use crate::types::{Caller, CallerKind, SiteId, World as _};

fn site() -> SiteId {
    SiteId::parse("sto1").unwrap()
}

fn caller() -> Subject {
    Subject::Caller(Caller::parse(CallerKind::Controller, "north-1").unwrap())
}

struct Fixture {
    world: System,
    folder: PkiFolder,
    authority: Authority,
    root: tempfile::TempDir,
}

fn fixture() -> Fixture {
    let root = tempfile::tempdir().unwrap();
    let world = System::start();
    let folder = PkiFolder::new(root.path(), std::sync::Arc::new(RealDisk));
    let authority = folder.create(&site(), &world).unwrap();
    Fixture {
        world,
        folder,
        authority,
        root,
    }
}

fn der(issued: &Issued) -> CertificateDer<'static> {
    CertificateDer::from_pem_slice(issued.certificate_pem.as_bytes()).unwrap()
}

#[test]
fn a_certificate_names_its_caller_and_nobody_else() {
    let f = fixture();
    // Signed by the authority as read back from its files.
    let authority = f.folder.authority(&site()).unwrap();
    let issued = f
        .folder
        .issue(&authority, caller(), Days::YEAR, &f.world)
        .unwrap();
    let identity = identify(&der(&issued), &site()).unwrap();
    assert_eq!(Subject::Caller(identity.caller), caller());
    assert_eq!(identity.serial, issued.serial);
    assert_eq!(issued.serial.as_str().len(), 32);
    let other = SiteId::parse("sto2").unwrap();
    assert!(identify(&der(&issued), &other).is_err());
}

#[test]
fn a_server_certificate_names_no_caller() {
    let f = fixture();
    let names = vec![
        ServerName::parse("localhost").unwrap(),
        ServerName::parse("127.0.0.1").unwrap(),
    ];
    let issued = f
        .authority
        .issue(Subject::Server(names), Days::YEAR, &f.world)
        .unwrap();
    assert!(identify(&der(&issued), &site()).is_err());
    f.folder.write_server(&issued).unwrap();
    f.folder.server_certificate().unwrap();
}

#[test]
fn names_of_servers_follow_the_grammar() {
    for good in ["localhost", "sluss.example.com", "10.0.0.1", "::1"] {
        assert!(ServerName::parse(good).is_ok(), "{good}");
    }
    for bad in ["", "a b", "-a", "a..b", "*", "a_b", &"a.".repeat(200)] {
        assert!(ServerName::parse(bad).is_err(), "{bad}");
    }
}

fn identity(f: &Fixture, out: &Path) -> Result<Issued, PkiError> {
    let caller = Caller::parse(CallerKind::Controller, "north-1").unwrap();
    let what = (Days::YEAR, out);
    f.folder
        .issue_identity(&f.authority, caller, what, &f.world)
}

#[test]
fn an_identity_is_a_folder_whose_files_only_its_owner_can_read() {
    let f = fixture();
    let out = f.root.path().join("north-1");
    f.folder.write_log_key("sto1+0000+AA").unwrap();
    let issued = identity(&f, &out).unwrap();
    for name in ["ca.pem", "cert.pem", "key.pem", "log.pub", "../ca.key.pem"] {
        let mode = std::fs::metadata(out.join(name))
            .unwrap()
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o600, "{name}");
    }
    let read = |name| std::fs::read_to_string(out.join(name)).unwrap();
    assert_eq!(read("ca.pem"), f.authority.certificate_pem());
    assert_eq!(read("cert.pem"), issued.certificate_pem);
    assert_eq!(read("key.pem"), *issued.key_pem);
    assert_eq!(read("log.pub"), "sto1+0000+AA\n");
}

#[test]
fn a_key_that_others_can_read_is_refused() {
    let f = fixture();
    let key = f.root.path().join("ca.key.pem");
    std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o640)).unwrap();
    assert!(matches!(f.folder.authority(&site()), Err(PkiError::Exposed(path)) if path == key));
}

#[test]
fn nothing_is_overwritten_and_then_nothing_is_issued() {
    let f = fixture();
    assert!(matches!(
        f.folder.create(&site(), &f.world),
        Err(PkiError::Exists(_))
    ));
    let out = f.root.path().join("north-1");
    f.folder.write_log_key("sto1+0000+AA").unwrap();
    let first = identity(&f, &out).unwrap();
    assert!(matches!(identity(&f, &out), Err(PkiError::Exists(path)) if path.starts_with(&out)));
    assert_eq!(
        std::fs::read_to_string(out.join("key.pem")).unwrap(),
        *first.key_pem
    );
    assert_eq!(f.folder.register().list().unwrap().len(), 1);
}

#[test]
fn a_revoked_certificate_is_listed_as_such_and_enters_the_set() {
    let f = fixture();
    let first = f
        .folder
        .issue(&f.authority, caller(), Days::YEAR, &f.world)
        .unwrap();
    let second = f
        .folder
        .issue(&f.authority, caller(), Days::YEAR, &f.world)
        .unwrap();
    let register = f.folder.register();
    let revocations = Revocations::default();
    register.refresh(&revocations).unwrap();
    assert!(!revocations.contains(&first.serial));
    register.revoke(&first.serial, f.world.now().utc).unwrap();
    register.revoke(&first.serial, f.world.now().utc).unwrap();
    register.refresh(&revocations).unwrap();
    assert!(revocations.contains(&first.serial));
    assert!(!revocations.contains(&second.serial));
    let mut listed: Vec<_> = register
        .list()
        .unwrap()
        .into_iter()
        .map(|row| (row.subject, row.serial, row.not_after, row.revoked))
        .collect();
    listed.sort_by_key(|row| !row.3);
    assert_eq!(
        listed,
        [(&first, true), (&second, false)].map(|(i, revoked)| (
            i.subject.to_string(),
            i.serial.clone(),
            i.not_after,
            revoked
        ))
    );
}

#[test]
fn a_serial_number_never_issued_cannot_be_revoked() {
    let f = fixture();
    let typo = CertificateSerial::parse("4a").unwrap();
    let refused = f.folder.register().revoke(&typo, f.world.now().utc);
    assert!(matches!(refused, Err(PkiError::NotIssued)));
}

#[test]
fn a_register_that_cannot_be_read_changes_nothing() {
    let f = fixture();
    let issued = f
        .folder
        .issue(&f.authority, caller(), Days::YEAR, &f.world)
        .unwrap();
    let register = f.folder.register();
    let revocations = Revocations::default();
    register.revoke(&issued.serial, f.world.now().utc).unwrap();
    register.refresh(&revocations).unwrap();
    std::fs::remove_dir_all(f.root.path().join("revoked")).unwrap();
    assert!(register.refresh(&revocations).is_err());
    assert!(revocations.contains(&issued.serial));
}

#[test]
fn a_damaged_register_is_named() {
    let f = fixture();
    let path = f.root.path().join("issued/4a.toml");
    std::fs::write(&path, "subject = 1").unwrap();
    let error = f.folder.register().list().unwrap_err().to_string();
    assert!(error.starts_with(&path.display().to_string()), "{error}");
}
