//! No personal data and no key in traces or statuses (invariant 11): a whole run, everything said
//! at the finest level is kept, and what was planted is looked for in it.
//!
//! A program has one place for its messages, so that this is a program of its own.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test that cannot go on says so by stopping"
)]

#[path = "invariants/house.rs"]
#[expect(dead_code, reason = "shared with the tests of the other invariants")]
mod house;

use std::collections::BTreeSet;
use std::fmt::Debug;
use std::io::{self, Write};
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use data_encoding::{BASE64, BASE64_NOPAD, BASE64URL_NOPAD, Encoding, HEXLOWER, HEXUPPER};
use sluss::pb::v1 as pb;
use sluss::pb::v1::site_part::Part;
use sluss::pb::v1::watch_request::Start;
use tonic::{Response, Status};
use tracing_subscriber::fmt::format::FmtSpan;

use house::{
    ACME, CAGE, Customer, Draft, Gate, House, OFFICE, SITE, h10301, is_grant, leaves, list_lines,
    upload_list, watch,
};

/// A name in the site file, and one that a list brings.
const NAMES: [&str; 2] = ["Ziggy Quasarwick", "Wilhelmina Xanthippe"];
/// Numbers printed on badges: one of the site file, one of a list, one that nobody has.
const NUMBERS: [&str; 3] = ["QX-77-ZEBRA", "NEW-5551212", "LOST-8080133"];
/// A PIN, and what somebody typed instead.
const PINS: [&str; 2] = ["739518264057", "860273915548"];
/// The UID of a card that a badge has, and of one that none has.
const CARDS: [[u8; 7]; 2] = [
    [0x04, 0xA1, 0xB2, 0xC3, 0xD4, 0xE5, 0xF6],
    [0x04, 0x9F, 0x8E, 0x7D, 0x6C, 0x5B, 0x4A],
];

/// Everything that was said.
#[derive(Debug, Clone, Default)]
struct Said(Arc<Mutex<Vec<u8>>>);

impl Said {
    /// Each line once: most of what a protocol says it says again and again.
    fn lines(&self) -> String {
        let said = self.0.lock().unwrap();
        let lines: BTreeSet<&[u8]> = said.split(|byte| *byte == b'\n').collect();
        let lines: Vec<_> = lines.into_iter().map(latin).collect();
        lines.join("\n")
    }
}

impl Write for Said {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Keeps what traces and panics say from now on.
fn listen() -> Said {
    let said = Said::default();
    let (to, panics) = (said.clone(), said.clone());
    tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_span_events(FmtSpan::NEW)
        .with_ansi(false)
        .without_time()
        .with_writer(move || to.clone())
        .init();
    let before = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        let _ = writeln!(panics.clone(), "{panic}");
        before(panic);
    }));
    said
}

/// Bytes as a text of as many characters, which can be searched fast.
fn latin(bytes: &[u8]) -> String {
    bytes.iter().copied().map(char::from).collect()
}

/// The ways in which bytes may show: as they are, in hex, as a list of numbers, and in base64
/// from whichever of its three beginnings.
fn forms(secret: &[u8]) -> Vec<String> {
    let numbers: Vec<_> = secret.iter().map(u8::to_string).collect();
    let mut forms = vec![
        latin(secret),
        HEXLOWER.encode(secret),
        HEXUPPER.encode(secret),
        numbers.join(", "),
    ];
    for encoding in [BASE64_NOPAD, BASE64URL_NOPAD] {
        forms.extend((0..3).map(|before| within_base64(&encoding, before, secret)));
    }
    forms
}

/// The characters of base64 that depend on the secret alone, where so many bytes stand before it.
fn within_base64(encoding: &Encoding, before: usize, secret: &[u8]) -> String {
    let text = encoding.encode(&[&[0; 2][..before], secret].concat());
    let first = (before * 8).div_ceil(6);
    let whole = (before + secret.len()) * 8 / 6;
    text.get(first..whole).unwrap().to_owned()
}

/// A secret that is looked for, and what to call it where it is found.
struct Planted {
    what: String,
    forms: Vec<String>,
}

impl Planted {
    fn new(what: impl Into<String>, secret: &[u8]) -> Self {
        Self {
            what: what.into(),
            forms: forms(secret),
        }
    }

    /// The line of a text in which it shows.
    fn line_of<'a>(&self, text: &'a str) -> Option<&'a str> {
        let at = self.forms.iter().find_map(|form| text.find(form))?;
        let (before, behind) = text.split_at(at);
        let begin = before.rfind('\n').map_or(0, |newline| newline + 1);
        let end = behind.find('\n').map_or(text.len(), |newline| at + newline);
        text.get(begin..end)
    }
}

fn of_people() -> Vec<Planted> {
    let texts = NAMES.iter().chain(&NUMBERS).chain(&PINS);
    let cards = CARDS.iter().map(|uid| Planted::new("a card's bits", uid));
    texts
        .map(|text| Planted::new(*text, text.as_bytes()))
        .chain(cards)
        .collect()
}

/// The site's secrets, and the private keys of its certificates.
fn of_the_site(house: &House) -> Vec<Planted> {
    let mut found = Vec::new();
    for path in files_under(house.folder()) {
        let what = path
            .strip_prefix(house.folder())
            .unwrap()
            .display()
            .to_string();
        let Ok(text) = std::fs::read_to_string(&path) else {
            continue;
        };
        if what.starts_with("keys/") {
            // `PRIVATE+KEY+NAME+ID+BASE64`, or hex.
            let signer = text.trim().splitn(5, '+').nth(4);
            let bytes = match signer {
                Some(key) => BASE64.decode(key.as_bytes()).ok(),
                None => HEXLOWER.decode(text.trim().as_bytes()).ok(),
            };
            found.extend(bytes.map(|bytes| Planted::new(&what, &bytes)));
            found.push(Planted::new(what, text.trim().as_bytes()));
        } else if text.contains("PRIVATE KEY") {
            let lines = text.lines().filter(|line| !line.starts_with("-----"));
            found.extend(lines.map(|line| Planted::new(&what, line.as_bytes())));
        }
    }
    found
}

fn files_under(folder: &Path) -> Vec<std::path::PathBuf> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files.extend(files_under(&path));
        } else {
            files.push(path);
        }
    }
    files
}

#[test]
fn what_is_planted_is_found_in_every_form() {
    let planted = of_people();
    for (secret, sought) in NAMES.iter().chain(&NUMBERS).chain(&PINS).zip(&planted) {
        let bytes = secret.as_bytes();
        let shown = [
            format!("name={secret} "),
            format!("{bytes:?}"),
            format!("{bytes:02x?}").replace(", ", ""),
            HEXUPPER.encode(bytes),
            BASE64_NOPAD.encode(bytes),
            BASE64_NOPAD.encode(&[b"a", bytes, b"z"].concat()),
            BASE64URL_NOPAD.encode(&[b"ab", bytes, b"zz"].concat()),
        ];
        for text in shown {
            let lines = format!("before\n{text}\nbehind\n");
            assert_eq!(sought.line_of(&lines), Some(text.as_str()), "{secret}");
            assert_eq!(sought.line_of("nothing of it"), None);
        }
    }
}

/// Statuses that callers received.
#[derive(Debug, Default)]
struct Statuses {
    heard: String,
    /// What the caller puts into wrong places just now.
    sent: String,
}

impl Statuses {
    /// Keeps a refusal. An id that is not known is told back to whoever sent it, as the id of
    /// a resource and in no other form; that much is left out.
    fn note<T: Debug>(&mut self, answer: Result<T, Status>) {
        if let Err(status) = answer {
            let details = String::from_utf8_lossy(status.details());
            let told = format!("{status:?}\n{}\n{details}\n", status.message());
            let told_back = format!("/{}` is not known", self.sent);
            self.heard += &told.replace(&told_back, "");
        }
    }

    fn must<T: Debug>(&mut self, answer: Result<T, Status>) {
        assert!(answer.is_err(), "{answer:?}");
        self.note(answer);
    }
}

fn uid(card: usize) -> pb::Card {
    pb::Card {
        format: "UID".to_owned(),
        bit_length: 56,
        bits: CARDS[card].to_vec(),
    }
}

/// The demonstration's site with what is planted in it.
fn draft() -> Draft {
    let card = HEXLOWER.encode(&CARDS[0]);
    let planted = |text: &str| {
        text.replace("Alex Morgan", NAMES[0])
            .replace("A-1001", NUMBERS[0])
            .replace("\"2846\"", &format!("\"{}\"", PINS[0]))
            .replace(
                "{ format = \"H10301\", bits = 26, hex = \"9501 f480\" }",
                &format!("{{ format = \"UID\", bits = 56, hex = \"{card}\" }}"),
            )
    };
    let newcomer = format!(
        "{},{},office,,round-the-clock,2024-01-01,,persons/p-190\n",
        NUMBERS[1], NAMES[1]
    );
    let draft = Draft {
        site: planted(SITE),
        acme: planted(ACME) + &newcomer,
        ..Draft::default()
    };
    for secret in [NAMES[0], NUMBERS[0], PINS[0], &card] {
        assert!(draft.site.contains(secret), "{secret} is not planted");
    }
    draft
}

#[tokio::test(flavor = "multi_thread")]
async fn invariant_11_planted_secrets_never_show() {
    let said = listen();
    let mut statuses = Statuses::default();
    let house = House::open(draft()).await;
    let mut gate = house.gate("gate-1", "run-1").await;
    at_the_doors(&house, &mut gate, &mut statuses).await;
    wrong_places(&house, &mut gate, &mut statuses).await;
    read_everything(&house).await;
    let house = house.restart().await;
    let mut gate = house.gate("gate-1", "run-2").await;
    at_the_doors(&house, &mut gate, &mut statuses).await;
    read_everything(&house).await;
    let of_site = of_the_site(&house);
    house.close().await;

    let said = said.lines();
    for ordinary in ["door.authorize", "rpc.call", "TRACE", "the store is open"] {
        assert!(said.contains(ordinary), "{ordinary} was not heard");
    }
    assert!(of_site.len() > 10, "the site's keys were not read");
    for planted in of_people().iter().chain(&of_site) {
        for (heard, place) in [(&said, "traces"), (&statuses.heard, "statuses")] {
            assert_eq!(planted.line_of(heard), None, "{} in {place}", planted.what);
        }
    }
}

/// Attempts of every kind, and events.
async fn at_the_doors(house: &House, gate: &mut Gate, statuses: &mut Statuses) {
    let mut request = gate.request(CAGE, &uid(0));
    PINS[0].clone_into(&mut request.pin);
    assert!(is_grant(&gate.ask(request.clone()).await.unwrap()));
    gate.ask(request.clone()).await.unwrap();
    let mut other = request.clone();
    PINS[1].clone_into(&mut other.pin);
    statuses.must(gate.ask(other).await);
    house.world.advance(Duration::from_secs(3));
    statuses.must(gate.ask(request).await);

    let cards = [uid(0), uid(1), h10301(42, 1_003), h10301(42, 1_004)];
    for card in cards {
        for pin in ["", PINS[0], PINS[1]] {
            for point in [CAGE, OFFICE, "accessPoints/d-hall-in"] {
                let mut request = gate.request(point, &card);
                pin.clone_into(&mut request.pin);
                gate.ask(request).await.unwrap();
            }
        }
    }
    let mut report = gate.events(OFFICE, 2);
    let decided = pb::ControllerDecision {
        card: Some(uid(1)),
        decision: pb::Decision::Grant.into(),
        reasons: Vec::new(),
    };
    report.events[1].event = Some(pb::door_event::Event::Decided(decided));
    gate.client
        .report_door_events(report.clone())
        .await
        .unwrap();
    CAGE.clone_into(&mut report.events[0].access_point);
    statuses.must(gate.client.report_door_events(report).await);
}

/// Every planted text in every field that it does not belong in.
async fn wrong_places(house: &House, gate: &mut Gate, statuses: &mut Statuses) {
    let acme = house.customer("acme").await;
    let card = String::from_utf8_lossy(&CARDS[0]).into_owned();
    let hex = HEXLOWER.encode(&CARDS[0]);
    let texts = NAMES.iter().chain(&NUMBERS).chain(&PINS).copied();
    for text in texts.chain([card.as_str(), hex.as_str()]) {
        text.clone_into(&mut statuses.sent);
        wrong_at_doors(text, gate, statuses).await;
        wrong_questions(text, &acme, statuses).await;
        wrong_lists(text, &acme, statuses).await;
        wrong_sites(text, house, statuses).await;
    }
}

async fn wrong_at_doors(text: &str, gate: &mut Gate, statuses: &mut Statuses) {
    let spoils: [fn(&mut pb::AuthorizeRequest, String); 5] = [
        |r, text| r.access_point = text,
        |r, text| r.access_point = format!("accessPoints/{text}"),
        |r, text| r.boot_id = text,
        |r, text| r.card.get_or_insert_default().format = text,
        |r, text| r.pin = format!("{text}{text}"),
    ];
    for spoil in spoils {
        let mut request = gate.request(OFFICE, &uid(1));
        spoil(&mut request, text.to_owned());
        statuses.note(gate.ask(request).await);
        let mut report = gate.events(OFFICE, 1);
        report.events[0].access_point = format!("accessPoints/{text}");
        report.boot_id = text.to_owned();
        statuses.must(gate.client.report_door_events(report).await);
    }
}

async fn wrong_questions(text: &str, acme: &Customer, statuses: &mut Statuses) {
    let (mut feed, mut explain) = (acme.feed.clone(), acme.explain.clone());
    statuses.must(watch(&mut feed, text, None).await.map(drop));
    let token = Some(Start::ResumeToken(text.as_bytes().to_vec()));
    statuses.must(watch(&mut feed, "acme", token).await.map(drop));
    let parent = "customers/acme".to_owned();
    let page_token = text.to_owned();
    let request = pb::ListFeedLeavesRequest {
        parent,
        page_token,
        ..Default::default()
    };
    statuses.must(feed.list_feed_leaves(request).await);
    let entry = format!("customers/acme/feed/{text}");
    let request = pb::ExplainEntryRequest { entry };
    statuses.must(explain.explain_entry(request).await);
    let right = pb::WhatIfRequest {
        person: "persons/p-101".to_owned(),
        access_point: OFFICE.to_owned(),
        ..Default::default()
    };
    let spoils: [fn(&mut pb::WhatIfRequest, String); 4] = [
        |r, text| r.person = text,
        |r, text| r.person = format!("persons/{text}"),
        |r, text| r.access_point = format!("doors/{text}"),
        |r, text| (r.person, r.badge_number) = (String::new(), text),
    ];
    for spoil in spoils {
        let mut request = right.clone();
        spoil(&mut request, text.to_owned());
        statuses.note(explain.what_if(request).await);
    }
    for name in [
        text.to_owned(),
        format!("persons/{text}"),
        format!("badges/{text}"),
    ] {
        let mut directory = acme.directory.clone();
        let person = pb::GetPersonRequest { name: name.clone() };
        statuses.must(directory.get_person(person).await);
        statuses.must(directory.get_badge(pb::GetBadgeRequest { name }).await);
    }
}

async fn wrong_lists(text: &str, acme: &Customer, statuses: &mut Statuses) {
    let mut lists = acme.lists.clone();
    let parent = "customers/acme/accessList".to_owned();
    let spoils: [fn(&mut pb::AccessListLine, String); 9] = [
        |line, text| line.badge_number = text,
        |line, text| line.badge_number = text.repeat(9),
        |line, text| line.display_name = text.repeat(20),
        |line, text| line.person = text,
        |line, text| line.areas = vec![text],
        |line, text| line.doors = vec![format!("doors/{text}")],
        |line, text| line.schedule = format!("schedules/{text}"),
        |line, text| line.approver = text,
        |line, text| line.approver = format!("persons/{text}"),
    ];
    for spoil in spoils {
        let mut lines = list_lines(ACME);
        spoil(&mut lines[1], text.to_owned());
        let upload = upload_list(&mut lists, &parent, lines).await.unwrap();
        let parent = parent.clone();
        let plan = pb::PlanAccessListRequest { parent, upload };
        statuses.note(lists.plan_access_list(plan).await);
    }
    let upload = upload_list(&mut lists, &parent, list_lines(ACME))
        .await
        .unwrap();
    let right = pb::ApplyAccessListRequest {
        parent,
        upload,
        etag: "none".to_owned(),
        request_id: "wrong".to_owned(),
    };
    let spoils: [fn(&mut pb::ApplyAccessListRequest, String); 4] = [
        |r, text| r.parent = text,
        |r, text| r.upload = format!("uploads/{text}"),
        |r, text| r.etag = text,
        |r, text| r.request_id = text,
    ];
    for spoil in spoils {
        let mut request = right.clone();
        spoil(&mut request, text.to_owned());
        statuses.must(lists.apply_access_list(request).await);
    }
}

async fn wrong_sites(text: &str, house: &House, statuses: &mut Statuses) {
    let spoils: [fn(&mut Part, String); 7] = [
        |part, text| {
            if let Part::Area(area) = part {
                area.name = text;
            }
        },
        |part, text| {
            if let Part::Person(person) = part {
                person.person.get_or_insert_default().name = text;
            }
        },
        |part, text| {
            if let Part::Person(person) = part {
                person.pin = text.repeat(2);
            }
        },
        |part, text| {
            if let Part::Person(person) = part {
                person.person.get_or_insert_default().display_name = text.repeat(20);
            }
        },
        |part, text| {
            if let Part::Badge(badge) = part {
                badge.card.get_or_insert_default().format = text.repeat(2);
            }
        },
        |part, text| {
            if let Part::Badge(badge) = part {
                badge.badge.get_or_insert_default().badge_number = text.repeat(9);
            }
        },
        |part, text| {
            if let Part::Door(door) = part {
                door.controller = format!("controllers/{text}");
            }
        },
    ];
    for spoil in spoils {
        let site = draft().site;
        let planned = house.plan_site(&site, |part| spoil(part, text.to_owned()));
        statuses.note(planned.await);
    }
}

/// What those who may read it read: feeds, streams, reasons, people.
async fn read_everything(house: &House) {
    for customer in ["acme", "bolt"] {
        let mut clients = house.customer(customer).await;
        let page = leaves(&mut clients.feed, customer, 0).await;
        let mut stream = watch(&mut clients.feed, customer, None).await.unwrap();
        for leaf in page.leaves {
            stream.message().await.unwrap().unwrap();
            let entry = format!("customers/{customer}/feed/{}", leaf.index);
            let request = pb::ExplainEntryRequest { entry };
            let _ = clients.explain.explain_entry(request).await;
        }
        let people = clients
            .directory
            .list_persons(pb::ListPersonsRequest::default());
        let people = people.await.map(Response::into_inner).unwrap();
        assert!(
            people
                .persons
                .iter()
                .all(|person| !person.display_name.is_empty())
        );
        let badges = clients
            .directory
            .list_badges(pb::ListBadgesRequest::default());
        badges.await.unwrap();
        let parent = format!("customers/{customer}/accessList");
        let entries = pb::ListAccessListEntriesRequest {
            parent,
            ..Default::default()
        };
        clients
            .lists
            .list_access_list_entries(entries)
            .await
            .unwrap();
    }
}
