//! What a door controller is told, and when (invariants 1, 10 and 14).

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use sluss::pb::v1 as pb;
use sluss::pb::v1::subject::Subject;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tonic::Code;

use crate::house::{
    ACME, Draft, Gate, House, OFFICE, SITE, detail, field, h10301, is_grant, leaves, reason,
    sequence,
};

/// The badge number of a leaf, where it tells of an attempt with one.
fn badge_of(leaf: &pb::FeedLeaf) -> Option<&str> {
    let Some(pb::feed_leaf::Decoded::Entry(entry)) = &leaf.decoded else {
        return None;
    };
    match entry.subject.as_ref()?.subject.as_ref()? {
        Subject::BadgeNumber(number) => Some(number),
        Subject::Pseudonym(_) | Subject::UnknownCard(_) => None,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn invariant_1_no_grant_before_the_entry_can_be_read() {
    const ATTEMPTS: usize = 25;
    let house = Arc::new(House::open(Draft::with_gates_to(9)).await);
    let begin = house.feed_size("acme").await;
    let mut lanes = JoinSet::new();
    for n in 2..=9_u16 {
        let house = Arc::clone(&house);
        lanes.spawn(async move {
            let mut gate = house.gate(&format!("gate-{n}"), "run-1").await;
            let (mut feed, mut operator) = (house.feed("acme").await, house.operator().await);
            let (card, badge) = (h10301(42, 3_000 + n), format!("A-30{n}"));
            let point = format!("accessPoints/d-{n}-in");
            let mut from = begin;
            for _ in 0..ATTEMPTS {
                let answer = gate.attempt(&point, &card).await;
                assert!(is_grant(&answer), "{answer:?}");
                // The customer reads this grant, and this one alone, since the last of this badge.
                let page = leaves(&mut feed, "acme", from).await;
                let own = |leaf: &&pb::FeedLeaf| badge_of(leaf) == Some(&badge);
                let new: Vec<_> = page.leaves.iter().filter(own).collect();
                assert_eq!(new.len(), 1, "{badge}: {}", answer.entry);
                from = new[0].index + 1;
                // And the journal has the entry that the answer names.
                let entry = answer.entry;
                let request = pb::ExplainEntryRequest { entry };
                let told = operator.explain_entry(request).await.unwrap().into_inner();
                assert_eq!(told.decision, i32::from(pb::Decision::Grant));
                assert_eq!(told.access_point, point);
            }
        });
    }
    while let Some(done) = lanes.join_next().await {
        done.unwrap();
    }
}

/// Connections that ask without a pause.
const LANES: usize = 4;

/// An entry of the journal, by its number, and whether it grants.
type Entry = (u64, bool);

/// Asks until the right is gone and has been refused many times; no attempt that was sent after
/// `is_gone` was set is granted, nor is an older grant given out again. Answers what was written.
async fn hammer(
    mut gate: Gate,
    is_gone: Arc<AtomicBool>,
    warm: mpsc::UnboundedSender<()>,
) -> Vec<Entry> {
    const WARM: usize = 5;
    const REFUSALS: usize = 20;
    let card = h10301(42, 1_002);
    let (mut grants, mut refusals, mut granted) = (0, 0, None);
    let mut written = Vec::new();
    while refusals < REFUSALS {
        let sent_after = is_gone.load(Ordering::SeqCst);
        let request = gate.request(OFFICE, &card);
        let answer = gate.ask(request.clone()).await.unwrap();
        written.push((sequence(&answer.entry), is_grant(&answer)));
        if is_grant(&answer) {
            assert!(!sent_after, "granted after the right was removed");
            granted = Some((request, answer.entry));
            grants += 1;
            if grants == WARM {
                warm.send(()).unwrap();
            }
        } else if sent_after {
            refusals += 1;
        }
    }
    let (request, entry) = granted.unwrap();
    let refused = gate.ask(request).await.unwrap_err();
    assert_eq!(reason(&refused), "ATTEMPT_ALREADY_DECIDED");
    assert_eq!(detail(&refused, "entry"), Some(entry));
    written
}

/// The journal as it was written: grants, then the change of the rules, then denials.
///
/// The change is the one number that no attempt has.
fn change_parts_grants_from_denials(mut written: Vec<Entry>) {
    written.sort_unstable();
    let first = written[0].0;
    let grants = written.iter().take_while(|entry| entry.1).count();
    let is_refused = written[grants..].iter().all(|entry| !entry.1);
    assert!(is_refused, "a grant behind a denial: {written:?}");
    let change = first + u64::try_from(grants).unwrap();
    let numbers = written.iter().map(|entry| entry.0);
    let expected = (first..).filter(|number| *number != change);
    assert!(
        numbers.eq(expected.take(written.len())),
        "the change is between them: {written:?}"
    );
}

/// Ways to take the right of badge A-1002 away: what happens, the site file and the list.
fn removals() -> [(&'static str, String, String); 4] {
    let with = |id: &str, line: &str| {
        let named = format!("id = \"{id}\"\n");
        let changed = SITE.replace(&named, &format!("{named}{line}\n"));
        assert_ne!(changed, SITE);
        changed
    };
    let kept: Vec<_> = ACME
        .lines()
        .filter(|line| !line.starts_with("A-1002"))
        .collect();
    let suspended = "state = \"suspended\"";
    let acme = || ACME.to_owned();
    [
        ("the person is suspended", with("p-102", suspended), acme()),
        (
            "the list entry is removed",
            SITE.to_owned(),
            kept.join("\n") + "\n",
        ),
        (
            "the badge is blocked",
            with("b-102", "state = \"blocked\""),
            acme(),
        ),
        (
            "the approver is suspended",
            with("p-190", suspended),
            acme(),
        ),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn invariant_10_a_removed_right_is_refused_at_the_next_try() {
    let house = House::open(Draft::default()).await;
    for (number, (what, site, list)) in removals().iter().enumerate() {
        let is_gone = Arc::new(AtomicBool::new(false));
        let (warm, mut are_warm) = mpsc::unbounded_channel();
        let mut lanes = JoinSet::new();
        for lane in 0..LANES {
            let gate = house.gate("gate-1", &format!("run-{number}-{lane}")).await;
            lanes.spawn(hammer(gate, Arc::clone(&is_gone), warm.clone()));
        }
        drop(warm);
        for _ in 0..LANES {
            assert_eq!(are_warm.recv().await, Some(()), "{what}: granted before");
        }
        if list == ACME {
            house.apply_site(site).await.unwrap();
        } else {
            house.apply_list("acme", list).await.unwrap();
        }
        is_gone.store(true, Ordering::SeqCst);
        let written = lanes.join_all().await;
        change_parts_grants_from_denials(written.concat());
        house.apply_site(SITE).await.unwrap();
        house.apply_list("acme", ACME).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn invariant_14_a_repeat_within_two_seconds_gets_the_same_answer() {
    let mut house = House::open(Draft::default()).await;
    let mut gate = house.gate("gate-1", "run-1").await;
    for (card, granted) in [(h10301(42, 1_001), true), (h10301(99, 777), false)] {
        let size = house.feed_size("acme").await;
        let request = gate.request(OFFICE, &card);
        let other = pb::AuthorizeRequest {
            pin: "1234".to_owned(),
            ..request.clone()
        };
        let first = gate.ask(request.clone()).await.unwrap();
        assert_eq!(is_grant(&first), granted);
        assert_eq!(gate.ask(request.clone()).await.unwrap(), first);

        house.world.advance(Duration::from_millis(1_999));
        let again = gate.ask(request.clone()).await.unwrap();
        let left = again.valid_for.map(|left| (left.seconds, left.nanos));
        assert_eq!(left, granted.then_some((0, 1_000_000)));
        let of_first = pb::AuthorizeResponse {
            valid_for: first.valid_for,
            ..again
        };
        assert_eq!(of_first, first);
        refused_as_reused(&mut gate, &other).await;

        house.world.advance(Duration::from_millis(1));
        known(&mut gate, &request, &first.entry).await;
        refused_as_reused(&mut gate, &other).await;
        assert_eq!(house.feed_size("acme").await, size + 1);

        house = house.restart().await;
        let mut after = house.gate("gate-1", "run-1").await;
        known(&mut after, &request, &first.entry).await;
        refused_as_reused(&mut after, &other).await;
        assert_eq!(house.feed_size("acme").await, size + 1);
        gate.client = after.client;
    }
}

/// The request was decided, and its answer is not given out again.
async fn known(gate: &mut Gate, request: &pb::AuthorizeRequest, entry: &str) {
    let status = gate.ask(request.clone()).await.unwrap_err();
    assert_eq!(status.code(), Code::AlreadyExists);
    assert_eq!(reason(&status), "ATTEMPT_ALREADY_DECIDED");
    assert_eq!(detail(&status, "entry").as_deref(), Some(entry));
}

async fn refused_as_reused(gate: &mut Gate, request: &pb::AuthorizeRequest) {
    let status = gate.ask(request.clone()).await.unwrap_err();
    assert_eq!(status.code(), Code::InvalidArgument);
    assert_eq!(reason(&status), "COUNTER_REUSED");
    assert_eq!(field(&status), "counter");
}

#[tokio::test(flavor = "multi_thread")]
async fn one_attempt_sent_eight_times_at_once_is_one_entry_and_one_answer() {
    let house = House::open(Draft::default()).await;
    let size = house.feed_size("acme").await;
    let mut first = house.gate("gate-1", "run-1").await;
    let request = first.request(OFFICE, &h10301(42, 1_001));
    let mut lanes = JoinSet::new();
    for _ in 0..8 {
        let mut gate = house.gate("gate-1", "run-1").await;
        let request = request.clone();
        lanes.spawn(async move { gate.ask(request).await.unwrap() });
    }
    let answers = lanes.join_all().await;
    assert!(is_grant(&answers[0]));
    assert!(
        answers.iter().all(|answer| *answer == answers[0]),
        "{answers:?}"
    );
    assert_eq!(house.feed_size("acme").await, size + 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_and_an_attempt_never_share_a_counter() {
    let house = House::open(Draft::default()).await;
    let mut gate = house.gate("gate-1", "run-1").await;
    let request = gate.request(OFFICE, &h10301(42, 1_001));
    gate.ask(request.clone()).await.unwrap();
    let mut events = gate.events(OFFICE, 2);
    let size = house.feed_size("acme").await;

    let mut reused = events.clone();
    reused.events[0].counter = request.counter;
    let status = gate.client.report_door_events(reused).await.unwrap_err();
    assert_eq!(reason(&status), "COUNTER_REUSED");
    assert_eq!(
        house.feed_size("acme").await,
        size,
        "all of a report or nothing"
    );

    let mut told = Vec::new();
    for is_known in [false, true] {
        let done = gate
            .client
            .report_door_events(events.clone())
            .await
            .unwrap();
        let done = done.into_inner().acknowledgements;
        assert!(done.iter().all(|event| event.already_known == is_known));
        told.push(
            done.into_iter()
                .map(|event| event.entry)
                .collect::<Vec<_>>(),
        );
    }
    assert_eq!(told[0], told[1]);
    assert_eq!(house.feed_size("acme").await, size + 2);
    events.events[0].access_point = "accessPoints/d-hall-in".to_owned();
    let status = gate.client.report_door_events(events).await.unwrap_err();
    assert_eq!(reason(&status), "COUNTER_REUSED");
}
