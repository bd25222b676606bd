//! The services that read and change rules, over a real store, as their callers see them.

use std::sync::Arc;

use tempfile::TempDir;
use tonic::{Code, Request, Response, Status};
use tonic_types::StatusExt as _;

use super::access_list::AccessLists;
use super::auth::{CertificateSerial, ConnectionId, Peer};
use super::directory::Directory;
use super::rule_desk::RuleDesk;
use super::site::SiteFiles;
use crate::env::System;
use crate::ledger::KeyName;
use crate::pb::store as rows;
use crate::pb::v1 as pb;
use crate::pb::v1::access_list_service_server::AccessListService as _;
use crate::pb::v1::directory_service_server::DirectoryService as _;
use crate::pb::v1::site_part::Part;
use crate::pb::v1::site_service_server::SiteService as _;
use crate::policy::RosterParts;
use crate::store::directory::{Vault, empty_rules};
use crate::store::disk::RealDisk;
use crate::store::format::FORMAT;
use crate::store::keyring::Keyring;
use crate::store::secrets::Secrets;
use crate::store::tables::{Meta, Requests, Site};
use crate::store::uploads::Incoming;
use crate::store::{Batch, LogParts, StoreConfig, create, open, start_log};
use crate::types::{
    BootIdentity, Caller, ControllerId, CustomerId, SiteId, SiteZone, UtcTime, World,
};

struct Bench {
    site: SiteFiles,
    lists: AccessLists,
    directory: Directory,
    world: Arc<System>,
    _home: TempDir,
}

fn first_batch() -> Batch {
    let mut first = Batch::new();
    let meta = rows::MetaRow {
        format: FORMAT,
        site: "north".to_owned(),
        node: 1,
        directory_version: 1,
        ..rows::MetaRow::default()
    };
    let site = rows::SiteRow {
        id: "north".to_owned(),
        display_name: "North".to_owned(),
        time_zone: "Europe/Stockholm".to_owned(),
        duress_pin: false,
    };
    first.put::<Meta>(&(), &meta);
    first.put::<Site>(&(), &site);
    first
}

impl Bench {
    fn new() -> Self {
        let home = tempfile::tempdir().unwrap();
        let world = Arc::new(System::start());
        let name = KeyName::parse("north.example").unwrap();
        let secrets = Secrets::create(&home.path().join("secrets"), &*world, name).unwrap();
        let real_disk = Arc::new(RealDisk);
        let path = home.path().join("keyring");
        let keyring = Keyring::create(real_disk.clone(), &path, &secrets.kek).unwrap();
        let (keyring, secrets) = (Arc::new(keyring), Arc::new(secrets));
        let vault = Vault::new(Arc::clone(&keyring), Arc::clone(&secrets), world.clone());
        let config = StoreConfig {
            segment_bytes: 1024 * 1024,
            ..StoreConfig::new(
                home.path().join("store"),
                SiteId::parse("north").unwrap(),
                1,
                BootIdentity("test".to_owned()),
                UtcTime::EPOCH,
            )
        };
        create(&config, &*real_disk, &first_batch()).unwrap();
        let opened = open(&config, real_disk).unwrap();
        let zone = SiteZone::parse("Europe/Stockholm").unwrap();
        let reader = opened.reader.clone();
        let parts = LogParts {
            site: SiteId::parse("north").unwrap(),
            log_name: KeyName::parse("north.example").unwrap(),
            pseudonym_key: secrets.pseudonym.clone(),
            keyring,
            world: world.clone(),
            rules: empty_rules(RosterParts::new(zone), 1).unwrap(),
            segment_bytes: config.segment_bytes,
            queue: 64,
        };
        let log = start_log((opened, parts)).unwrap();
        let rules = Arc::clone(&log.published.rules);
        let rule_desk = RuleDesk::new(rules, reader, (vault, secrets), log.scribe);
        let desk = Arc::new(rule_desk);
        Self {
            site: SiteFiles::new(Arc::clone(&desk)),
            lists: AccessLists::new(Arc::clone(&desk)),
            directory: Directory::new(desk),
            world,
            _home: home,
        }
    }

    /// With the site of [`parts`], applied.
    async fn with_site() -> Self {
        let bench = Self::new();
        let upload = bench.upload_site(parts());
        let plan = bench.plan_site(&upload).await.unwrap();
        bench.apply_site(&upload, &plan.etag, "r-1").await.unwrap();
        bench
    }

    fn upload_site(&self, parts: Vec<pb::SitePart>) -> String {
        let mut incoming = Incoming::new();
        for part in parts {
            incoming.push(part).unwrap();
        }
        let uploads = self.site.uploads();
        uploads
            .keep(&operator(), "site", incoming, &*self.world)
            .unwrap()
    }

    async fn plan_site(&self, upload: &str) -> Result<pb::PlanSiteResponse, Status> {
        let upload = upload.to_owned();
        let asked = asked(&operator(), pb::PlanSiteRequest { upload });
        Ok(self.site.plan_site(asked).await?.into_inner())
    }

    async fn apply_site(
        &self,
        upload: &str,
        etag: &str,
        request_id: &str,
    ) -> Result<pb::ApplySiteResponse, Status> {
        let request = pb::ApplySiteRequest {
            upload: upload.to_owned(),
            etag: etag.to_owned(),
            request_id: request_id.to_owned(),
        };
        let asked = asked(&operator(), request);
        Ok(self.site.apply_site(asked).await?.into_inner())
    }

    /// Uploads and applies acme's list.
    async fn apply_list(&self, lines: Vec<pb::AccessListLine>) -> pb::AccessListVersion {
        let mut incoming = Incoming::new();
        for line in lines {
            incoming.push(line).unwrap();
        }
        let kept = self
            .lists
            .uploads()
            .keep(&acme(), "acme", incoming, &*self.world);
        let upload = kept.unwrap();
        let request = pb::PlanAccessListRequest {
            parent: ACME_LIST.to_owned(),
            upload: upload.clone(),
        };
        let plan = self.lists.plan_access_list(asked(&acme(), request)).await;
        let request = pb::ApplyAccessListRequest {
            parent: ACME_LIST.to_owned(),
            request_id: upload.replace('/', "-"),
            upload,
            etag: plan.unwrap().into_inner().etag,
        };
        let applied = self.lists.apply_access_list(asked(&acme(), request)).await;
        applied.unwrap().into_inner().version.unwrap()
    }
}

const ACME_LIST: &str = "customers/acme/accessList";

fn asked<T>(caller: &Caller, message: T) -> Request<T> {
    let mut request = Request::new(message);
    request.extensions_mut().insert(Peer {
        caller: caller.clone(),
        serial: CertificateSerial::from_bytes(&[1]).unwrap(),
        not_after: UtcTime::EPOCH.plus_seconds(u32::MAX),
        connection: ConnectionId(1),
    });
    request
}

fn operator() -> Caller {
    Caller::Operator("ops".into())
}

fn gate() -> Caller {
    Caller::Controller(ControllerId::parse("c1").unwrap())
}

fn acme() -> Caller {
    Caller::Customer(CustomerId::parse("acme").unwrap())
}

fn part(line: u32, part: Part) -> pb::SitePart {
    pb::SitePart {
        line,
        part: Some(part),
    }
}

fn site(line: u32) -> pb::SitePart {
    let site = pb::Site {
        display_name: "North".to_owned(),
        time_zone: "Europe/Stockholm".to_owned(),
        ..pb::Site::default()
    };
    part(line, Part::Site(site))
}

fn customer(line: u32, id: &str) -> pb::SitePart {
    let customer = pb::Customer {
        name: format!("customers/{id}"),
        display_name: id.to_owned(),
        precision: 1,
        shared_area_grants: false,
    };
    part(line, Part::Customer(customer))
}

fn area(line: u32, id: &str, customers: &[&str]) -> pb::SitePart {
    let area = pb::Area {
        name: format!("areas/{id}"),
        display_name: id.to_owned(),
        protection_class: 2,
        customers: customers.iter().map(|c| format!("customers/{c}")).collect(),
    };
    part(line, Part::Area(area))
}

fn person(line: u32, id: &str, of: &[&str]) -> pb::SitePart {
    let memberships = of.iter().map(|customer| pb::Membership {
        customer: format!("customers/{customer}"),
        may_approve: true,
    });
    let person = pb::Person {
        name: format!("persons/{id}"),
        display_name: format!("Name of {id}"),
        state: 1,
        memberships: memberships.collect(),
        ..pb::Person::default()
    };
    let site_person = pb::SitePerson {
        person: Some(person),
        pin: String::new(),
    };
    part(line, Part::Person(site_person))
}

/// Two customers with a cage each, a lobby that is shared, a contractor who works for both.
fn parts() -> Vec<pb::SitePart> {
    let controller = pb::Controller {
        name: "controllers/c1".to_owned(),
        display_name: "c1".to_owned(),
    };
    let door = pb::Door {
        name: "doors/d1".to_owned(),
        display_name: "d1".to_owned(),
        controller: "controllers/c1".to_owned(),
        wiring: None,
        timing: None,
    };
    let point = pb::AccessPoint {
        name: "accessPoints/d1-in".to_owned(),
        door: "doors/d1".to_owned(),
        from_area: "areas/cage-b".to_owned(),
        to_area: "areas/cage-a".to_owned(),
        direction: 1,
        default_requirement: 1,
        factor_rules: Vec::new(),
    };
    vec![
        site(1),
        customer(2, "acme"),
        customer(3, "bolt"),
        area(4, "lobby", &[]),
        area(5, "cage-a", &["acme"]),
        area(6, "cage-b", &["bolt"]),
        part(7, Part::Controller(controller)),
        part(8, Part::Door(door)),
        part(9, Part::AccessPoint(point)),
        person(10, "ann", &["acme"]),
        person(11, "both", &["acme", "bolt"]),
        person(12, "bo", &["bolt"]),
    ]
}

/// With a second door into acme's cage, which hangs on a reader.
fn parts_with_reader() -> Vec<pb::SitePart> {
    let door = pb::Door {
        name: "doors/d2".to_owned(),
        display_name: "d2".to_owned(),
        controller: String::new(),
        wiring: Some(pb::DoorWiring {
            reader: "readers/r1".to_owned(),
            strike_output: 1,
            contact_input: Some(0),
            request_to_exit_input: None,
        }),
        timing: None,
    };
    let point = pb::AccessPoint {
        name: "accessPoints/d2-in".to_owned(),
        door: "doors/d2".to_owned(),
        from_area: "areas/lobby".to_owned(),
        to_area: "areas/cage-a".to_owned(),
        direction: 1,
        default_requirement: 1,
        factor_rules: Vec::new(),
    };
    let reader = pb::Reader {
        name: "readers/r1".to_owned(),
        display_name: "r1".to_owned(),
        access_point: "accessPoints/d2-in".to_owned(),
        bus: "north".to_owned(),
        address: 3,
        security: 1,
        card_formats: vec!["H10301".to_owned()],
        has_keypad: true,
    };
    let added = [
        part(13, Part::Door(door)),
        part(14, Part::AccessPoint(point)),
        part(15, Part::Reader(reader)),
    ];
    parts().into_iter().chain(added).collect()
}

fn line(person: &str) -> pb::AccessListLine {
    pb::AccessListLine {
        line: 2,
        person: format!("persons/{person}"),
        areas: vec!["areas/cage-a".to_owned()],
        approver: "persons/ann".to_owned(),
        ..pb::AccessListLine::default()
    }
}

fn reason(status: &Status) -> String {
    status.get_details_error_info().unwrap().reason
}

#[tokio::test]
async fn asking_twice_to_apply_is_asking_once() {
    let bench = Bench::new();
    let upload = bench.upload_site(parts());
    let plan = bench.plan_site(&upload).await.unwrap();
    assert_eq!((plan.added_count, plan.etag.as_str()), (11, "1"));
    let first = bench.apply_site(&upload, "1", "r-1").await.unwrap();
    let second = bench.apply_site(&upload, "1", "r-1").await.unwrap();
    assert_eq!(first, second);
    assert_eq!(first.etag, "2");
    let reused = bench.apply_site(&upload, "2", "r-1").await.unwrap_err();
    assert_eq!(reused.code(), Code::InvalidArgument);
    assert_eq!(reason(&reused), "REQUEST_ID_REUSED");
}

#[tokio::test]
async fn a_plan_of_yesterday_is_not_applied() {
    let bench = Bench::with_site().await;
    let upload = bench.upload_site(parts());
    let stale = bench.apply_site(&upload, "1", "r-2").await.unwrap_err();
    assert_eq!(stale.code(), Code::Aborted);
    assert_eq!(reason(&stale), "ETAG_MISMATCH");
    let rows = bench.site.desk().reader();
    let requests = rows.range::<Requests>(.., 10).unwrap();
    assert_eq!(requests.len(), 1, "what was refused leaves nothing");
}

#[tokio::test]
async fn faults_of_a_file_name_line_and_field() {
    let bench = Bench::new();
    let upload = bench.upload_site(vec![site(1), area(4, "Cage", &["nobody"])]);
    let refused = bench.plan_site(&upload).await.unwrap_err();
    let violations = refused.get_details_bad_request().unwrap().field_violations;
    assert_eq!(violations[0].field, "line 4: area.name");
}

#[tokio::test]
async fn somebody_elses_upload_is_not_there() {
    let bench = Bench::new();
    let upload = bench.upload_site(parts());
    let other = Caller::Operator("other".into());
    let asked = asked(&other, pb::PlanSiteRequest { upload });
    let refused = bench.site.plan_site(asked).await.unwrap_err();
    assert_eq!(refused.code(), Code::NotFound);
}

#[tokio::test]
async fn another_customers_list_answers_as_one_that_does_not_exist() {
    let bench = Bench::with_site().await;
    let read = async |parent: &str| {
        let request = pb::GetAccessListVersionRequest {
            parent: parent.to_owned(),
            as_of_time: None,
        };
        let asked = asked(&acme(), request);
        let refused = bench.lists.get_access_list_version(asked).await;
        let refused = refused.unwrap_err();
        (refused.code(), refused.message().to_owned())
    };
    let theirs = read("customers/bolt/accessList").await;
    assert_eq!(theirs.0, Code::NotFound);
    assert_eq!(theirs, read("customers/nobody/accessList").await);
}

#[tokio::test]
async fn a_list_is_read_back_page_by_page_from_one_edition() {
    let bench = Bench::with_site().await;
    bench.apply_list(vec![line("ann"), line("both")]).await;
    let page = async |page_token: String| {
        let request = pb::ListAccessListEntriesRequest {
            parent: ACME_LIST.to_owned(),
            page_size: 1,
            page_token,
            as_of_time: None,
        };
        let asked = asked(&acme(), request);
        let page = bench.lists.list_access_list_entries(asked).await;
        page.unwrap().into_inner()
    };
    let first = page(String::new()).await;
    assert_eq!(first.entries[0].display_name, "Name of ann");
    assert_eq!(first.etag, "1");
    bench.apply_list(vec![line("ann")]).await;
    let second = page(first.next_page_token).await;
    assert_eq!(second.entries[0].person, "persons/both");
    assert_eq!(second.next_page_token, "");
    assert_eq!(page(String::new()).await.etag, "2");
}

#[tokio::test]
async fn versions_come_newest_first() {
    let bench = Bench::with_site().await;
    for lines in [vec![line("ann")], vec![line("both")], vec![]] {
        bench.apply_list(lines).await;
    }
    let mut numbers = Vec::new();
    let mut page_token = String::new();
    loop {
        let request = pb::ListAccessListVersionsRequest {
            parent: ACME_LIST.to_owned(),
            page_size: 2,
            page_token,
        };
        let asked = asked(&acme(), request);
        let page = bench.lists.list_access_list_versions(asked).await;
        let page = page.unwrap().into_inner();
        numbers.extend(page.versions.iter().map(|v| v.version));
        page_token = page.next_page_token;
        if page_token.is_empty() {
            break;
        }
    }
    assert_eq!(numbers, [3, 2, 1]);
}

#[tokio::test]
async fn a_customer_sees_its_own_people_areas_and_nothing_else() {
    let bench = Bench::with_site().await;
    let areas = bench
        .directory
        .list_areas(asked(&acme(), pb::ListAreasRequest::default()));
    let areas = areas.await.unwrap().into_inner().areas;
    let names: Vec<_> = areas.iter().map(|a| a.name.as_str()).collect();
    assert_eq!(names, ["areas/cage-a", "areas/lobby"]);
    let request = pb::ListPersonsRequest::default();
    let persons = bench.directory.list_persons(asked(&acme(), request)).await;
    let persons = persons.unwrap().into_inner().persons;
    let names: Vec<_> = persons.iter().map(|p| p.name.as_str()).collect();
    assert_eq!(names, ["persons/ann", "persons/both"]);
    assert_eq!(persons[1].display_name, "Name of both");
    assert_eq!(persons[1].memberships.len(), 1, "not who else it works for");
    let request = pb::ListAccessPointsRequest::default();
    let points = bench.directory.list_access_points(asked(&acme(), request));
    let points = points.await.unwrap().into_inner().access_points;
    let sides = (points[0].from_area.as_str(), points[0].to_area.as_str());
    assert_eq!(sides, ("", "areas/cage-a"), "not what lies behind the door");
}

#[tokio::test]
async fn what_is_not_the_callers_answers_as_what_does_not_exist() {
    let bench = Bench::with_site().await;
    let read = async |caller: &Caller, name: &str| {
        let name = name.to_owned();
        let asked = asked(caller, pb::GetPersonRequest { name });
        let found = bench.directory.get_person(asked).await;
        found
            .map(|found| found.into_inner().display_name)
            .map_err(|refused| (refused.code(), refused.message().to_owned()))
    };
    let nobody = read(&acme(), "persons/nobody").await;
    assert_eq!(nobody.as_ref().unwrap_err().0, Code::NotFound);
    assert_eq!(read(&acme(), "persons/bo").await, nobody);
    let desk = Caller::Desk("front".into());
    assert_eq!(read(&desk, "persons/bo").await, nobody);
    let bo = read(&operator(), "persons/bo").await;
    assert_eq!(bo, Ok("Name of bo".to_owned()));
}

#[tokio::test]
async fn readers_are_seen_by_operators_alone() {
    let bench = Bench::with_site().await;
    let upload = bench.upload_site(parts_with_reader());
    let plan = bench.plan_site(&upload).await.unwrap();
    bench.apply_site(&upload, &plan.etag, "r-2").await.unwrap();
    let get = async |caller: &Caller, name: &str| {
        let name = name.to_owned();
        let asked = asked(caller, pb::GetReaderRequest { name });
        let found = bench.directory.get_reader(asked).await;
        found
            .map(Response::into_inner)
            .map_err(|refused| (refused.code(), refused.message().to_owned()))
    };
    let list = async |caller: &Caller| {
        let request = pb::ListReadersRequest::default();
        let page = bench.directory.list_readers(asked(caller, request)).await;
        page.unwrap().into_inner().readers
    };
    let reader = get(&operator(), "readers/r1").await.unwrap();
    assert_eq!((reader.address, reader.bus.as_str()), (3, "north"));
    assert_eq!(list(&operator()).await, [reader]);
    let nobody = get(&operator(), "readers/nobody").await;
    assert_eq!(nobody.as_ref().unwrap_err().0, Code::NotFound);
    for caller in [gate(), acme(), Caller::Desk("front".into())] {
        assert_eq!(get(&caller, "readers/r1").await, nobody, "{caller}");
        assert_eq!(list(&caller).await, [], "{caller}");
    }
}

#[tokio::test]
async fn what_drives_a_door_is_shown_to_operators_and_its_controller() {
    let bench = Bench::with_site().await;
    let upload = bench.upload_site(parts_with_reader());
    let plan = bench.plan_site(&upload).await.unwrap();
    bench.apply_site(&upload, &plan.etag, "r-2").await.unwrap();
    let doors = async |caller: &Caller| {
        let request = pb::ListDoorsRequest::default();
        let page = bench.directory.list_doors(asked(caller, request)).await;
        page.unwrap().into_inner().doors
    };
    let all = doors(&operator()).await;
    let wiring = all[1].wiring.as_ref().unwrap();
    assert_eq!(
        (wiring.reader.as_str(), wiring.strike_output),
        ("readers/r1", 1)
    );
    let strike_time = all[1].timing.unwrap().strike_time.unwrap();
    assert_eq!(strike_time.seconds, 5, "what was not said is told");
    let driven = doors(&gate()).await;
    assert_eq!(driven, all[..1], "a door on a reader is no controller's");
    let hidden = |door: &pb::Door| pb::Door {
        controller: String::new(),
        wiring: None,
        timing: None,
        ..door.clone()
    };
    let expected: Vec<_> = all.iter().map(hidden).collect();
    assert_eq!(doors(&acme()).await, expected);
}

#[tokio::test]
async fn a_site_file_of_what_is_shown_changes_nothing() {
    let bench = Bench::with_site().await;
    let upload = bench.upload_site(parts_with_reader());
    let plan = bench.plan_site(&upload).await.unwrap();
    bench.apply_site(&upload, &plan.etag, "r-2").await.unwrap();
    let request = pb::ListDoorsRequest::default();
    let doors = bench
        .directory
        .list_doors(asked(&operator(), request))
        .await;
    let doors = doors.unwrap().into_inner().doors;
    let mut again = parts_with_reader();
    again.retain(|part| !matches!(part.part, Some(Part::Door(_))));
    again.extend(doors.into_iter().map(|door| part(20, Part::Door(door))));
    let upload = bench.upload_site(again);
    let plan = bench.plan_site(&upload).await.unwrap();
    assert_eq!(plan.changes, []);
}

#[tokio::test]
async fn a_list_of_resources_comes_in_pages() {
    let bench = Bench::with_site().await;
    let page = async |page_token: String| {
        let request = pb::ListAreasRequest {
            page_size: 2,
            page_token,
        };
        let page = bench
            .directory
            .list_areas(asked(&operator(), request))
            .await;
        let page = page.unwrap().into_inner();
        let names: Vec<_> = page.areas.into_iter().map(|a| a.name).collect();
        (names, page.next_page_token)
    };
    let (first, token) = page(String::new()).await;
    assert_eq!(first, ["areas/cage-a", "areas/cage-b"]);
    let (second, token) = page(token).await;
    assert_eq!(
        (second, token.as_str()),
        (vec!["areas/lobby".to_owned()], "")
    );
}

#[tokio::test]
async fn a_call_without_a_certificate_sees_nothing() {
    let bench = Bench::with_site().await;
    let asked = Request::new(pb::GetSiteRequest {});
    let refused = bench.directory.get_site(asked).await.unwrap_err();
    assert_eq!(refused.code(), Code::Unauthenticated);
}

#[tokio::test]
async fn the_world_is_asked_for_the_time() {
    let bench = Bench::with_site().await;
    let before = bench.world.now().utc;
    let version = bench.apply_list(vec![line("ann")]).await;
    assert!(version.create_time.unwrap().seconds >= before.unix());
}

/// A stream of messages that has ended.
fn nothing<M: prost::Message + Default + 'static>() -> tonic::Streaming<M> {
    let decoder = tonic_prost::ProstDecoder::<M>::new(tonic::codec::BufferSettings::default());
    tonic::Streaming::new_request(decoder, tonic::body::Body::empty(), None, None)
}

#[tokio::test]
async fn an_upload_without_a_place_is_refused_whatever_it_is_for() {
    let bench = Bench::with_site().await;
    let intake = bench.site.desk().intake();
    let pending = || tokio_stream::pending::<()>();
    for caller in [operator(), acme()] {
        let places: Vec<_> = (0..2)
            .map(|_| intake.begin(&caller, pending()).unwrap())
            .collect();
        let site = bench.site.upload_site(asked(&caller, nothing())).await;
        assert_eq!(reason(&site.unwrap_err()), "TOO_MANY_STREAMS");
        let list = bench.lists.upload_access_list(asked(&caller, nothing()));
        assert_eq!(reason(&list.await.unwrap_err()), "TOO_MANY_STREAMS");
        drop(places);
        for _ in 0..3 {
            let site = bench.site.upload_site(asked(&caller, nothing())).await;
            assert!(
                site.is_ok(),
                "a place is given back when the upload has ended"
            );
        }
    }
}
