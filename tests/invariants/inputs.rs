//! Bad input over gRPC: a clear answer, and nothing written.

use sluss::pb::v1 as pb;
use tonic::Code;

use crate::house::{Draft, Gate, House, OFFICE, detail, field, h10301, reason, sequence};

/// The number of the next entry, found by making it.
async fn mark(gate: &mut Gate) -> u64 {
    sequence(&gate.attempt(OFFICE, &h10301(42, 1_001)).await.entry)
}

type Wrong<T> = (&'static str, fn(&mut T), &'static str);

const WRONG_ATTEMPTS: [Wrong<pb::AuthorizeRequest>; 18] = [
    (
        "no access point",
        |r| r.access_point.clear(),
        "access_point",
    ),
    (
        "another name",
        |r| r.access_point = "doors/d-office".into(),
        "access_point",
    ),
    (
        "no id",
        |r| r.access_point = "accessPoints/".into(),
        "access_point",
    ),
    (
        "bytes that are no id",
        |r| r.access_point = "accessPoints/\0\u{202e}".into(),
        "access_point",
    ),
    (
        "a long id",
        |r| r.access_point = format!("accessPoints/{}", "a".repeat(41)),
        "access_point",
    ),
    ("no boot id", |r| r.boot_id.clear(), "boot_id"),
    ("a long boot id", |r| r.boot_id = "b".repeat(65), "boot_id"),
    (
        "a boot id of two lines",
        |r| r.boot_id = "a\nb".into(),
        "boot_id",
    ),
    ("no counter", |r| r.counter = 0, "counter"),
    ("no card", |r| r.card = None, "card"),
    (
        "an empty card",
        |r| r.card = Some(pb::Card::default()),
        "card.format",
    ),
    ("no format", |r| card(r).format.clear(), "card.format"),
    ("no bits", |r| card(r).bit_length = 0, "card.bit_length"),
    (
        "10^6 bits",
        |r| card(r).bit_length = 1_000_000,
        "card.bit_length",
    ),
    (
        "2^32 - 1 bits",
        |r| card(r).bit_length = u32::MAX,
        "card.bit_length",
    ),
    (
        "too many bytes",
        |r| card(r).bits = vec![0xFF; 60_000],
        "card.bits",
    ),
    ("letters as a PIN", |r| r.pin = "12ab".into(), "pin"),
    ("a long PIN", |r| r.pin = "1".repeat(13), "pin"),
];

fn card(request: &mut pb::AuthorizeRequest) -> &mut pb::Card {
    request.card.get_or_insert_default()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bad_attempt_is_told_its_field_and_writes_nothing() {
    let house = House::open(Draft::default()).await;
    let mut gate = house.gate("gate-1", "run-1").await;
    for (what, spoil, wrong) in WRONG_ATTEMPTS {
        let before = mark(&mut gate).await;
        let mut request = gate.request(OFFICE, &h10301(42, 1_001));
        spoil(&mut request);
        let status = gate.ask(request).await.unwrap_err();
        assert_eq!(status.code(), Code::InvalidArgument, "{what}: {status}");
        assert_eq!(reason(&status), "INVALID_FIELD", "{what}");
        assert_eq!(field(&status), wrong, "{what}");
        assert_eq!(
            mark(&mut gate).await,
            before + 1,
            "{what}: something was written"
        );
    }
}

const WRONG_EVENTS: [Wrong<pb::DoorEvent>; 10] = [
    (
        "no access point",
        |e| e.access_point.clear(),
        "events[1].access_point",
    ),
    ("no time", |e| e.event_time = None, "events[1].event_time"),
    (
        "a time out of range",
        |e| time(e).seconds = i64::MAX,
        "events[1].event_time",
    ),
    (
        "two days ahead",
        |e| time(e).seconds += 2 * 86_400,
        "events[1].event_time",
    ),
    (
        "nothing that happened",
        |e| e.event = None,
        "events[1].event",
    ),
    (
        "no kind",
        |e| e.event = Some(pb::door_event::Event::Kind(0)),
        "events[1].kind",
    ),
    (
        "an unknown kind",
        |e| e.event = Some(pb::door_event::Event::Kind(99)),
        "events[1].kind",
    ),
    (
        "no card",
        |e| decided(e, |d| d.card = None),
        "events[1].decided.card",
    ),
    (
        "no decision",
        |e| decided(e, |d| d.decision = 0),
        "events[1].decided.decision",
    ),
    (
        "an unknown reason",
        |e| decided(e, |d| d.reasons = vec![1, 99]),
        "events[1].decided.reasons",
    ),
];

fn time(event: &mut pb::DoorEvent) -> &mut prost_types::Timestamp {
    event.event_time.get_or_insert_default()
}

fn decided(event: &mut pb::DoorEvent, spoil: fn(&mut pb::ControllerDecision)) {
    let mut decision = pb::ControllerDecision {
        card: Some(h10301(42, 1_001)),
        decision: pb::Decision::Denial.into(),
        reasons: Vec::new(),
    };
    spoil(&mut decision);
    event.event = Some(pb::door_event::Event::Decided(decision));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_report_with_one_bad_event_writes_none_of_it() {
    let house = House::open(Draft::default()).await;
    let mut gate = house.gate("gate-1", "run-1").await;
    for (what, spoil, wrong) in WRONG_EVENTS {
        let before = mark(&mut gate).await;
        let mut report = gate.events(OFFICE, 3);
        spoil(&mut report.events[1]);
        let status = gate.client.report_door_events(report).await.unwrap_err();
        assert_eq!(status.code(), Code::InvalidArgument, "{what}: {status}");
        assert_eq!(reason(&status), "INVALID_FIELD", "{what}");
        assert_eq!(field(&status), wrong, "{what}");
        assert_eq!(
            mark(&mut gate).await,
            before + 1,
            "{what}: something was written"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_report_that_is_wrong_as_a_whole_writes_nothing() {
    let house = House::open(Draft::default()).await;
    let mut gate = house.gate("gate-1", "run-1").await;
    let before = mark(&mut gate).await;
    let mut unnumbered = gate.events(OFFICE, 2);
    unnumbered.events[0].counter = 0;
    let status = gate.client.report_door_events(unnumbered).await;
    assert_eq!(field(&status.unwrap_err()), "events[0].counter");
    let mut nameless = gate.events(OFFICE, 2);
    nameless.boot_id.clear();
    let status = gate.client.report_door_events(nameless).await;
    assert_eq!(field(&status.unwrap_err()), "boot_id");
    let mut mixed = gate.events(OFFICE, 2);
    mixed.events.swap(0, 1);
    let status = gate.client.report_door_events(mixed).await;
    assert_eq!(field(&status.unwrap_err()), "events");
    assert_eq!(mark(&mut gate).await, before + 1);
    for count in [0, 201, 600] {
        let before = mark(&mut gate).await;
        let report = gate.events(OFFICE, count);
        let status = gate.client.report_door_events(report).await.unwrap_err();
        assert_eq!(
            (reason(&status), field(&status)),
            ("INVALID_FIELD".into(), "events".into())
        );
        assert_eq!(mark(&mut gate).await, before + 1, "{count} events");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_over_64_kib_is_refused_and_the_connection_goes_on() {
    let house = House::open(Draft::default()).await;
    let mut gate = house.gate("gate-1", "run-1").await;
    let before = mark(&mut gate).await;
    for bytes in [65_536, 4_000_000] {
        let mut request = gate.request(OFFICE, &h10301(42, 1_001));
        card(&mut request).bits = vec![0xFF; bytes];
        let status = gate.ask(request).await.unwrap_err();
        assert_eq!(status.code(), Code::OutOfRange, "{status}");
    }
    assert_eq!(mark(&mut gate).await, before + 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_door_of_another_controller_answers_as_one_that_does_not_exist() {
    let house = House::open(Draft::with_gates_to(2)).await;
    let mut gate = house.gate("gate-2", "run-1").await;
    let (own, known) = ("accessPoints/d-2-in", h10301(42, 3_002));
    let mut told = Vec::new();
    for point in [OFFICE, "accessPoints/d-nowhere-in"] {
        let before = sequence(&gate.attempt(own, &known).await.entry);
        let request = gate.request(point, &known);
        let attempt = gate.ask(request).await.unwrap_err();
        let mut report = gate.events(own, 2);
        report.events[1].access_point = point.to_owned();
        let report = gate.client.report_door_events(report).await.unwrap_err();
        for status in [&attempt, &report] {
            assert_eq!(status.code(), Code::NotFound);
            assert_eq!(reason(status), "NOT_FOUND");
            assert_eq!(detail(status, "resource").as_deref(), Some("access point"));
        }
        let after = sequence(&gate.attempt(own, &known).await.entry);
        assert_eq!(after, before + 1, "{point}: something was written");
        told.push([attempt, report].map(|s| (s.message().to_owned(), s.details().to_vec())));
    }
    assert_eq!(told[0], told[1]);
}
