//! No customer sees another's, and "not yours" is the same answer as "not there" (invariant 5).

use std::collections::BTreeSet;

use data_encoding::BASE64URL_NOPAD;
use prost::Message;
use sluss::pb::API_DESCRIPTORS;
use sluss::pb::v1 as pb;
use sluss::pb::v1::access_list_service_client::AccessListServiceClient;
use sluss::pb::v1::directory_service_client::DirectoryServiceClient;
use sluss::pb::v1::feed_leaf::Decoded;
use sluss::pb::v1::subject::Subject;
use sluss::pb::v1::watch_request::Start;
use sluss::service::rules;
use sluss::types::{Caller, CallerKind};
use tokio::time::timeout;
use tonic::transport::Channel;
use tonic::{Code, Response, Status};

use crate::house::{
    ACME, BOLT, CAGE, Customer, DEADLINE, Draft, House, OFFICE, SITE, h10301, is_grant, leaves,
    list_lines, reason, upload_list, watch,
};

/// Ids, names and numbers of bolt and its people: acme receives none of them.
const THEIRS: [&str; 17] = [
    "bolt",
    "Bolt",
    "Toni Falk",
    "Bo Quist",
    "B-2001",
    "B-2090",
    "p-toni",
    "p-quist",
    "b-toni",
    "b-quist",
    "b-late",
    "p-late",
    "B-2002",
    "vault-b",
    "Vault of Bolt",
    "areas/cage-b",
    "Lena Late",
];

/// A room behind bolt's cage that acme has no side of.
const VAULT: &str = r#"
[[area]]
id = "vault-b"
name = "Vault of Bolt"
class = 4
customers = ["bolt"]

[[door]]
id = "d-vault-b"
name = "Vault of Bolt"
controller = "gate-1"
entry = { from = "cage-b", to = "vault-b" }
exit = {}
"#;

/// A badge that bolt gives out later, with a card that nobody had before.
const LATE: &str = r#"
[[person]]
id = "p-late"
name = "Lena Late"
customers = ["bolt"]

[[badge]]
id = "b-late"
number = "B-2002"
person = "p-late"
card = { format = "H10301", bits = 26, hex = "CARD" }
"#;

/// With ids that stand for nothing else.
fn named(text: &str) -> String {
    [
        ("p-201", "p-toni"),
        ("p-290", "p-quist"),
        ("b-201", "b-toni"),
        ("b-290", "b-quist"),
    ]
    .iter()
    .fold(text.to_owned(), |text, (old, new)| text.replace(old, new))
}

type Directory = DirectoryServiceClient<Channel>;
type Lists = AccessListServiceClient<Channel>;

/// Two tenants, and a morning at the doors of both.
async fn house() -> House {
    let house = House::open(Draft {
        site: named(SITE) + VAULT,
        bolt: named(BOLT),
        ..Draft::default()
    })
    .await;
    let mut gate = house.gate("gate-1", "run-1").await;
    for point in [
        "d-hall-in",
        "d-cage-a-in",
        "d-cage-b-in",
        "d-vault-b-in",
        "d-main-in",
    ] {
        for card in [h10301(42, 1_001), h10301(42, 2_001), h10301(99, 777)] {
            let mut request = gate.request(&format!("accessPoints/{point}"), &card);
            request.pin.push_str("3951");
            gate.ask(request).await.unwrap();
        }
        let events = gate.events(&format!("accessPoints/{point}"), 2);
        gate.client.report_door_events(events).await.unwrap();
    }
    house
}

/// How a call was answered, where a name in it is not told from another.
type Told = (Code, String, Vec<u8>);

fn told<M: Message>(answer: Result<Response<M>, Status>, name: &[u8]) -> Told {
    match answer {
        Ok(message) => (
            Code::Ok,
            String::new(),
            without(&message.into_inner().encode_to_vec(), name),
        ),
        Err(status) => refusal(&status, name),
    }
}

fn refusal(status: &Status, name: &[u8]) -> Told {
    let text = without(status.message().as_bytes(), name);
    let text = String::from_utf8(text).unwrap();
    (status.code(), text, without(status.details(), name))
}

/// Bytes with every occurrence of a name taken out.
fn without(bytes: &[u8], name: &[u8]) -> Vec<u8> {
    let mut left = Vec::new();
    let mut rest = bytes;
    while let Some((first, after)) = rest.split_first() {
        if !name.is_empty() && rest.starts_with(name) {
            rest = &rest[name.len()..];
        } else {
            left.push(*first);
            rest = after;
        }
    }
    left
}

/// Calls an RPC with a name of bolt's and with one of the same length that stands for nothing.
macro_rules! alike {
    ($probed:ident, $client:expr, $rpc:ident, $theirs:expr, $absent:expr, $ask:expr) => {{
        let (theirs, absent) = (String::from($theirs), String::from($absent));
        assert_eq!(theirs.len(), absent.len(), "names of one length");
        assert_ne!(theirs, absent);
        let ask = $ask;
        let first = $client.clone().$rpc(ask(theirs.clone())).await;
        let second = $client.clone().$rpc(ask(absent.clone())).await;
        assert_eq!(
            told(first, theirs.as_bytes()),
            told(second, absent.as_bytes()),
            "{}: {theirs}",
            stringify!($rpc)
        );
        $probed.insert(stringify!($rpc).to_owned());
    }};
}

/// Reads one resource by a name of bolt's.
macro_rules! get_alike {
    ($probed:ident, $client:expr, $rpc:ident, $request:ident, $theirs:expr, $absent:expr) => {
        alike!($probed, $client, $rpc, $theirs, $absent, |name| {
            pb::$request { name }
        })
    };
}

/// A page token of bolt's is no better than any text of its length.
macro_rules! token_alike {
    ($probed:ident, ($acme:expr, $bolt:expr), $rpc:ident, $request:ident { $($field:ident : $value:expr),* }) => {{
        let ask = |page_token: String| pb::$request { page_size: 1, page_token, $($field: $value),* };
        let page = $bolt.clone().$rpc(ask(String::new())).await.unwrap();
        let token = page.into_inner().next_page_token;
        let token = if token.is_empty() { BASE64URL_NOPAD.encode(&[7; 24]) } else { token };
        alike!($probed, $acme, $rpc, token.as_str(), "A".repeat(token.len()), ask);
    }};
}

/// Every page of a list, as bytes.
macro_rules! whole {
    ($received:ident, $client:expr, $rpc:ident, $request:ident { $($field:ident : $value:expr),* }) => {{
        let mut page_token = String::new();
        loop {
            let request = pb::$request { page_size: 2, page_token, $($field: $value),* };
            let page = $client.clone().$rpc(request).await.unwrap().into_inner();
            $received.push(page.encode_to_vec());
            page_token = page.next_page_token;
            if page_token.is_empty() {
                break;
            }
        }
    }};
}

/// Snake case of an RPC's name.
fn snake(name: &str) -> String {
    let mut out = String::new();
    for c in name.chars() {
        if c.is_ascii_uppercase() && !out.is_empty() {
            out.push('_');
        }
        out.push(c.to_ascii_lowercase());
    }
    out
}

/// RPCs of the API that a customer may call.
fn rpcs_of_customers() -> BTreeSet<String> {
    let set = prost_types::FileDescriptorSet::decode(API_DESCRIPTORS).unwrap();
    let acme = Caller::parse(CallerKind::Customer, "acme").unwrap();
    let mut rpcs = BTreeSet::new();
    for file in &set.file {
        for service in &file.service {
            for method in &service.method {
                let path = format!("/{}.{}/{}", file.package(), service.name(), method.name());
                if rules::allowed(&path, &acme) {
                    rpcs.insert(snake(method.name()));
                }
            }
        }
    }
    rpcs
}

#[tokio::test(flavor = "multi_thread")]
async fn invariant_5_a_customer_sees_its_own_alone() {
    let house = house().await;
    let (acme, bolt) = (house.customer("acme").await, house.customer("bolt").await);
    // It names nothing, and is the same for everybody.
    let mut probed = BTreeSet::from(["get_site".to_owned()]);
    probe_feed(&mut probed, &acme, &bolt).await;
    probe_directory(&mut probed, &acme, &bolt).await;
    probe_lists(&mut probed, &acme, &bolt).await;
    probe_list_lines(&acme).await;
    probe_explain(&mut probed, &acme).await;
    assert_eq!(probed, rpcs_of_customers(), "every RPC is looked at here");
    receives_nothing_of_theirs(&house, &acme).await;
}

async fn probe_feed(probed: &mut BTreeSet<String>, acme: &Customer, bolt: &Customer) {
    let (theirs, absent) = ("customers/bolt", "customers/nobo");
    alike!(
        probed,
        acme.feed,
        list_feed_leaves,
        theirs,
        absent,
        |parent| {
            pb::ListFeedLeavesRequest {
                parent,
                ..Default::default()
            }
        }
    );
    let mut feed = bolt.feed.clone();
    let ask = |page_token: String| pb::ListFeedLeavesRequest {
        parent: "customers/acme".to_owned(),
        page_token,
        ..Default::default()
    };
    let request = pb::ListFeedLeavesRequest {
        parent: theirs.to_owned(),
        page_size: 2,
        ..Default::default()
    };
    let page = feed.list_feed_leaves(request).await.unwrap().into_inner();
    let token = page.next_page_token;
    alike!(
        probed,
        acme.feed,
        list_feed_leaves,
        token.as_str(),
        "A".repeat(token.len()),
        ask
    );

    // Streams: refused at once, with the same words.
    let refused = async |customer: &str, start| {
        let stream = watch(&mut acme.feed.clone(), customer, start).await;
        refusal(&stream.unwrap_err(), customer.as_bytes())
    };
    assert_eq!(refused("bolt", None).await, refused("nobo", None).await);
    let mut stream = watch(&mut feed, "bolt", None).await.unwrap();
    let first = timeout(DEADLINE, stream.message())
        .await
        .unwrap()
        .unwrap()
        .unwrap();
    let theirs = Some(Start::ResumeToken(first.resume_token.clone()));
    let absent = Some(Start::ResumeToken(vec![7; first.resume_token.len()]));
    let told = refused("acme", theirs).await;
    assert_eq!(told, refused("acme", absent).await);
    assert_eq!(told.0, Code::InvalidArgument);
    probed.insert("watch".to_owned());
}

async fn probe_directory(probed: &mut BTreeSet<String>, acme: &Customer, bolt: &Customer) {
    let (ours, theirs) = (&acme.directory, &bolt.directory);
    get_alike!(
        probed,
        ours,
        get_area,
        GetAreaRequest,
        "areas/vault-b",
        "areas/vault-x"
    );
    get_alike!(
        probed,
        ours,
        get_area,
        GetAreaRequest,
        "areas/cage-b",
        "areas/cage-x"
    );
    get_alike!(
        probed,
        ours,
        get_door,
        GetDoorRequest,
        "doors/d-vault-b",
        "doors/d-vault-x"
    );
    let (point, nowhere) = ("accessPoints/d-vault-b-in", "accessPoints/d-vault-x-in");
    get_alike!(
        probed,
        ours,
        get_access_point,
        GetAccessPointRequest,
        point,
        nowhere
    );
    probe_people(probed, ours).await;
    probe_directory_tokens(probed, (ours, theirs)).await;
}

async fn probe_people(probed: &mut BTreeSet<String>, ours: &Directory) {
    get_alike!(
        probed,
        ours,
        get_customer,
        GetCustomerRequest,
        "customers/bolt",
        "customers/nobo"
    );
    get_alike!(
        probed,
        ours,
        get_person,
        GetPersonRequest,
        "persons/p-toni",
        "persons/p-nobo"
    );
    get_alike!(
        probed,
        ours,
        get_badge,
        GetBadgeRequest,
        "badges/b-toni",
        "badges/b-nobo"
    );
    // Times are nobody's: every caller may read them, so that only what is not there is not.
    get_alike!(
        probed,
        ours,
        get_schedule,
        GetScheduleRequest,
        "schedules/x",
        "schedules/y"
    );
    let (days, others) = ("specialDays/x", "specialDays/y");
    get_alike!(
        probed,
        ours,
        get_special_days,
        GetSpecialDaysRequest,
        days,
        others
    );
}

async fn probe_directory_tokens(probed: &mut BTreeSet<String>, pair: (&Directory, &Directory)) {
    token_alike!(probed, (pair.0, pair.1), list_areas, ListAreasRequest {});
    token_alike!(probed, (pair.0, pair.1), list_doors, ListDoorsRequest {});
    token_alike!(
        probed,
        (pair.0, pair.1),
        list_access_points,
        ListAccessPointsRequest {}
    );
    token_alike!(
        probed,
        (pair.0, pair.1),
        list_customers,
        ListCustomersRequest {}
    );
    token_alike!(
        probed,
        (pair.0, pair.1),
        list_persons,
        ListPersonsRequest {}
    );
    token_alike!(probed, (pair.0, pair.1), list_badges, ListBadgesRequest {});
    token_alike!(
        probed,
        (pair.0, pair.1),
        list_schedules,
        ListSchedulesRequest {}
    );
    token_alike!(
        probed,
        (pair.0, pair.1),
        list_special_days_sets,
        ListSpecialDaysSetsRequest {}
    );
}

const OUR_LIST: &str = "customers/acme/accessList";
const THEIR_LIST: &str = "customers/bolt/accessList";
const NO_LIST: &str = "customers/nobo/accessList";

async fn probe_lists(probed: &mut BTreeSet<String>, acme: &Customer, bolt: &Customer) {
    let (ours, theirs) = (&acme.lists, &bolt.lists);
    alike!(
        probed,
        ours,
        get_access_list_version,
        THEIR_LIST,
        NO_LIST,
        |parent| {
            pb::GetAccessListVersionRequest {
                parent,
                as_of_time: None,
            }
        }
    );
    alike!(
        probed,
        ours,
        list_access_list_versions,
        THEIR_LIST,
        NO_LIST,
        |parent| {
            pb::ListAccessListVersionsRequest {
                parent,
                ..Default::default()
            }
        }
    );
    alike!(
        probed,
        ours,
        list_access_list_entries,
        THEIR_LIST,
        NO_LIST,
        |parent| {
            pb::ListAccessListEntriesRequest {
                parent,
                ..Default::default()
            }
        }
    );
    alike!(
        probed,
        ours,
        upload_access_list,
        THEIR_LIST,
        NO_LIST,
        |parent| {
            tokio_stream::iter([pb::UploadAccessListRequest {
                parent,
                lines: Vec::new(),
            }])
        }
    );

    probe_list_tokens(probed, (ours, theirs)).await;
    probe_uploads(probed, (ours, theirs)).await;
}

/// Their page tokens, for our list.
async fn probe_list_tokens(probed: &mut BTreeSet<String>, (ours, theirs): (&Lists, &Lists)) {
    let request = pb::ListAccessListEntriesRequest {
        parent: THEIR_LIST.to_owned(),
        page_size: 1,
        ..Default::default()
    };
    let page = theirs
        .clone()
        .list_access_list_entries(request)
        .await
        .unwrap()
        .into_inner();
    let token = page.next_page_token;
    alike!(
        probed,
        ours,
        list_access_list_entries,
        token.as_str(),
        "A".repeat(token.len()),
        |t| {
            pb::ListAccessListEntriesRequest {
                parent: OUR_LIST.to_owned(),
                page_size: 1,
                page_token: t,
                as_of_time: None,
            }
        }
    );
}

/// Their upload, for our list and for theirs.
async fn probe_uploads(probed: &mut BTreeSet<String>, (ours, theirs): (&Lists, &Lists)) {
    let lines = list_lines(&named(BOLT));
    let upload = upload_list(&mut theirs.clone(), THEIR_LIST, lines)
        .await
        .unwrap();
    let none = format!("uploads/{}", "0".repeat(upload.len() - 8));
    for parent in [OUR_LIST, THEIR_LIST] {
        alike!(
            probed,
            ours,
            plan_access_list,
            upload.as_str(),
            none.as_str(),
            |upload| {
                pb::PlanAccessListRequest {
                    parent: parent.to_owned(),
                    upload,
                }
            }
        );
        alike!(
            probed,
            ours,
            apply_access_list,
            upload.as_str(),
            none.as_str(),
            |upload| {
                pb::ApplyAccessListRequest {
                    parent: parent.to_owned(),
                    upload,
                    etag: "1".to_owned(),
                    request_id: "probe".to_owned(),
                }
            }
        );
    }
    probe_list_names(probed, ours).await;
}

/// Our upload, for their list.
async fn probe_list_names(probed: &mut BTreeSet<String>, ours: &Lists) {
    let own = upload_list(&mut ours.clone(), OUR_LIST, list_lines(ACME))
        .await
        .unwrap();
    alike!(
        probed,
        ours,
        plan_access_list,
        THEIR_LIST,
        NO_LIST,
        |parent| {
            pb::PlanAccessListRequest {
                parent,
                upload: own.clone(),
            }
        }
    );
    alike!(
        probed,
        ours,
        apply_access_list,
        THEIR_LIST,
        NO_LIST,
        |parent| {
            pb::ApplyAccessListRequest {
                parent,
                upload: own.clone(),
                etag: "1".to_owned(),
                request_id: "probe".to_owned(),
            }
        }
    );
}

/// Lines of our list that name what is theirs plan as those that name nothing.
async fn probe_list_lines(acme: &Customer) {
    type Spoil = fn(&mut pb::AccessListLine, String);
    const PROBES: [(&str, &str, Spoil); 8] = [
        ("areas/vault-b", "areas/vault-x", |line, name| {
            line.areas = vec![name];
        }),
        ("areas/cage-b", "areas/cage-x", |line, name| {
            line.areas = vec![name];
        }),
        ("doors/d-vault-b", "doors/d-vault-x", |line, name| {
            line.doors = vec![name];
        }),
        ("persons/p-toni", "persons/p-nobo", |line, name| {
            line.badge_number = String::new();
            line.person = name;
        }),
        ("persons/p-quist", "persons/p-nobod", |line, name| {
            line.approver = name;
        }),
        ("B-2090", "B-7777", |line, name| line.approver = name),
        ("B-2001", "B-7777", |line, name| {
            line.badge_number = name;
            line.display_name = String::new();
        }),
        ("B-2001", "B-7777", |line, name| line.badge_number = name),
    ];
    for (theirs, absent, spoil) in PROBES {
        let mut plans = Vec::new();
        for name in [theirs, absent] {
            let mut lines = list_lines(ACME);
            spoil(&mut lines[2], name.to_owned());
            let mut lists = acme.lists.clone();
            let upload = upload_list(&mut lists, OUR_LIST, lines).await.unwrap();
            let parent = OUR_LIST.to_owned();
            let plan = lists
                .plan_access_list(pb::PlanAccessListRequest { parent, upload })
                .await;
            plans.push(told(plan, name.as_bytes()));
        }
        assert_eq!(plans[0], plans[1], "{theirs}");
    }
}

async fn probe_explain(probed: &mut BTreeSet<String>, acme: &Customer) {
    let ours = &acme.explain;
    for (theirs, absent) in [
        ("customers/bolt/feed/1", "customers/nobo/feed/1"),
        ("customers/bolt/feed/10", "customers/acme/feed/99"),
        ("journal/north/1/12", "journal/north/1/99"),
    ] {
        alike!(probed, ours, explain_entry, theirs, absent, |entry| {
            pb::ExplainEntryRequest { entry }
        });
    }
    let request = |person: &str, badge_number: &str, access_point: &str| pb::WhatIfRequest {
        person: person.to_owned(),
        badge_number: badge_number.to_owned(),
        access_point: access_point.to_owned(),
        at_time: None,
        with_pin: true,
    };
    for point in [OFFICE, CAGE, "doors/d-vault-b", "doors/d-nowhere"] {
        alike!(
            probed,
            ours,
            what_if,
            "persons/p-toni",
            "persons/p-nobo",
            |name: String| { request(&name, "", point) }
        );
        alike!(
            probed,
            ours,
            what_if,
            "B-2001",
            "B-7777",
            |number: String| { request("", &number, point) }
        );
    }
    for person in ["persons/p-101", "persons/p-toni", "persons/p-nobo"] {
        alike!(
            probed,
            ours,
            what_if,
            "doors/d-vault-b",
            "doors/d-vault-x",
            |door: String| { request(person, "", &door) }
        );
        let (point, nowhere) = ("accessPoints/d-vault-b-in", "accessPoints/d-vault-x-in");
        alike!(probed, ours, what_if, point, nowhere, |point: String| {
            request(person, "", &point)
        });
    }
}

/// Reads everything that acme may read, and finds nothing of bolt's in any byte of it.
async fn receives_nothing_of_theirs(house: &House, acme: &Customer) {
    // A card that nobody had was shown; bolt has given it to somebody since.
    let late = h10301(77, 7);
    let mut gate = house.gate("gate-1", "run-2").await;
    assert!(!is_grant(&gate.attempt(OFFICE, &late).await));
    let hex = data_encoding::HEXLOWER.encode(&late.bits);
    let site = named(SITE) + VAULT + &LATE.replace("CARD", &hex);
    house.apply_site(&site).await.unwrap();

    let mut received = Vec::new();
    let page = leaves(&mut acme.feed.clone(), "acme", 0).await;
    assert!(page.next_page_token.is_empty(), "all of it");
    received.push(page.encode_to_vec());
    let mut stream = watch(&mut acme.feed.clone(), "acme", None).await.unwrap();
    for _ in 0..page.total_size {
        let message = timeout(DEADLINE, stream.message()).await.unwrap();
        received.push(message.unwrap().unwrap().encode_to_vec());
    }
    explain_all(&page, acme, &mut received).await;

    list_all(acme, &mut received).await;

    let found = |needle: &str| {
        let holds = |bytes: &&Vec<u8>| bytes.windows(needle.len()).any(|w| w == needle.as_bytes());
        let message = received.iter().find(holds)?;
        Some(String::from_utf8_lossy(message).into_owned())
    };
    for own in ["A-1001", "Alex Morgan", "p-101", "areas/hall", "acme"] {
        assert!(
            found(own).is_some(),
            "{own} is acme's own, and is not found"
        );
    }
    for theirs in THEIRS {
        assert_eq!(found(theirs), None, "acme was sent {theirs}");
    }
}

/// Asks why of every entry in a feed. Of other people's attempts the rules are not told.
async fn explain_all(
    page: &pb::ListFeedLeavesResponse,
    acme: &Customer,
    received: &mut Vec<Vec<u8>>,
) {
    let (mut own, mut strangers, mut unknown) = (0, 0, 0);
    for leaf in &page.leaves {
        let entry = format!("customers/acme/feed/{}", leaf.index);
        let request = pb::ExplainEntryRequest { entry };
        let answer = acme.explain.clone().explain_entry(request).await;
        let Some(Decoded::Entry(entry)) = &leaf.decoded else {
            assert_eq!(reason(&answer.unwrap_err()), "NOT_FOUND");
            continue;
        };
        let answer = answer.unwrap().into_inner();
        received.push(answer.encode_to_vec());
        match entry.subject.as_ref().unwrap().subject.as_ref().unwrap() {
            Subject::BadgeNumber(_) => {
                own += 1;
                assert!(answer.today.is_some());
            }
            Subject::Pseudonym(_) => {
                strangers += 1;
                assert_eq!(answer.today, None);
            }
            Subject::UnknownCard(_) => unknown += 1,
        }
    }
    assert!(
        own > 0 && strangers > 0 && unknown > 0,
        "{own} {strangers} {unknown}"
    );
}

/// Reads every page of every list.
async fn list_all(acme: &Customer, received: &mut Vec<Vec<u8>>) {
    let (directory, lists) = (&acme.directory, &acme.lists);
    whole!(received, directory, list_areas, ListAreasRequest {});
    whole!(received, directory, list_doors, ListDoorsRequest {});
    whole!(
        received,
        directory,
        list_access_points,
        ListAccessPointsRequest {}
    );
    whole!(received, directory, list_customers, ListCustomersRequest {});
    whole!(received, directory, list_persons, ListPersonsRequest {});
    whole!(received, directory, list_badges, ListBadgesRequest {});
    whole!(received, directory, list_schedules, ListSchedulesRequest {});
    whole!(
        received,
        directory,
        list_special_days_sets,
        ListSpecialDaysSetsRequest {}
    );
    let parent = || OUR_LIST.to_owned();
    whole!(
        received,
        lists,
        list_access_list_versions,
        ListAccessListVersionsRequest { parent: parent() }
    );
    whole!(
        received,
        lists,
        list_access_list_entries,
        ListAccessListEntriesRequest {
            parent: parent(),
            as_of_time: None
        }
    );
}
