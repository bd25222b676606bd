//! Reads a customer's feed as that customer, recomputes its tree, and compares it with the story.

use std::collections::VecDeque;
use std::io::Write as _;
use std::time::Duration;

use anyhow::{Context as _, Result, anyhow};
use serde_json::json;

use super::site::Scene;
use super::story::{Line, Story};
use crate::client::feed_check::{CheckedLeaf, FeedChecker, Position, Verdict};
use crate::ledger::record::Record;
use crate::pb::v1::feed_service_client::FeedServiceClient;
use crate::pb::v1::subject::Subject;
use crate::pb::v1::{
    Decision, DenialReason, DoorEventKind, FeedLeaf, FeedTime, ListFeedLeavesRequest,
};
use crate::types::CustomerId;

/// How long a signed head may keep us waiting after a start.
const HEAD_WAIT: Duration = Duration::from_secs(10);

/// Reads and compares one feed; answers what is not as the story says.
pub(super) async fn read(
    scene: &Scene,
    story: &Story,
    customer: &CustomerId,
    json: bool,
) -> Result<Vec<String>> {
    let checked = match tokio::time::timeout(HEAD_WAIT, leaves(scene, customer)).await {
        Ok(Ok(checked)) => checked,
        Ok(Err(error)) => return Ok(vec![format!("feed of {customer}: {error:#}")]),
        Err(_) => return Ok(vec![format!("feed of {customer}: its head is not signed")]),
    };
    let mut due = VecDeque::from(story.lines(customer)?);
    let missing = |line: &Line| format!("missing: {}", line.words());
    let mut faults = Vec::new();
    if !json {
        let date = story.date.format("%Y-%m-%d");
        writeln!(std::io::stdout(), "\nThe feed of {customer}, {date}")?;
    }
    for leaf in &checked {
        let found = line(leaf.record.as_ref());
        tell(customer, leaf.index, found.as_ref(), json)?;
        let Some(found) = found else { continue };
        let index = leaf.index;
        if let Some(skipped) = due.iter().position(|line| *line == found) {
            faults.extend(due.drain(..skipped).map(|line| missing(&line)));
            due.pop_front();
        } else {
            let expected = due.pop_front();
            let expected = expected.map_or("nothing more".to_owned(), |line| line.words());
            let found = found.words();
            faults.push(format!("index {index}: expected {expected}, found {found}"));
        }
    }
    faults.extend(due.iter().map(missing));
    let (count, mut out) = (checked.len(), std::io::stdout().lock());
    if !json {
        writeln!(
            out,
            "     {count} leaves, tree recomputed here: its root is the signed one"
        )?;
    }
    let named = faults.into_iter();
    Ok(named
        .map(|fault| format!("feed of {customer}, {fault}"))
        .collect())
}

/// All leaves, each checked, and the tree's root compared with the signed head.
async fn leaves(scene: &Scene, customer: &CustomerId) -> Result<Vec<CheckedLeaf>> {
    let mut client = FeedServiceClient::new(scene.channel_as_customer(customer).await?);
    let keys = vec![scene.log_key()?];
    loop {
        let mut checker = FeedChecker::new(customer, Position::beginning(), keys.clone());
        let mut passed = Vec::new();
        let mut page_token = String::new();
        let checkpoint = loop {
            let parent = customer.name();
            let request = ListFeedLeavesRequest {
                parent,
                page_token,
                ..ListFeedLeavesRequest::default()
            };
            let page = client
                .list_feed_leaves(request)
                .await
                .map_err(|s| refused(&s))?;
            let page = page.into_inner();
            for leaf in &page.leaves {
                passed.push(check(&mut checker, leaf)?);
            }
            page_token = page.next_page_token;
            if page_token.is_empty() {
                break page.checkpoint;
            }
        };
        if let Some(checkpoint) = checkpoint
            && checker.checkpoint(&checkpoint).context("the signed head")? == Verdict::Verified
        {
            return Ok(passed);
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

fn check(checker: &mut FeedChecker, leaf: &FeedLeaf) -> Result<CheckedLeaf> {
    checker
        .leaf(leaf)
        .with_context(|| format!("index {}", leaf.index))
}

fn refused(status: &tonic::Status) -> anyhow::Error {
    use tonic_types::StatusExt as _;
    let info = status.get_details_error_info();
    let index = info.and_then(|info| info.metadata.get("index").cloned());
    match index {
        Some(index) => anyhow!("index {index}: {}", status.message()),
        None => anyhow!("{}", status.message()),
    }
}

/// What a leaf says in the story's words; `None` for a leaf that no step makes.
pub(super) fn line(record: Option<&Record>) -> Option<Line> {
    match record {
        Some(Record::Entry(entry)) => {
            let reasons = entry
                .reasons
                .iter()
                .filter_map(|r| DenialReason::try_from(*r).ok());
            let name = |r: DenialReason| bare(r.as_str_name(), "DENIAL_REASON_");
            let decision = Decision::try_from(entry.decision).unwrap_or_default();
            let subject = entry.subject.as_ref().and_then(|s| s.subject.as_ref());
            Some(Line {
                who: who(subject),
                decision: bare(decision.as_str_name(), "DECISION_"),
                reasons: reasons.map(name).collect(),
                ..at(entry.time.as_ref(), &entry.access_point)
            })
        }
        Some(Record::DoorEvent(event)) => {
            let kind = DoorEventKind::try_from(event.kind).unwrap_or_default();
            Some(Line {
                who: "-".to_owned(),
                decision: bare(kind.as_str_name(), "DOOR_EVENT_KIND_"),
                ..at(event.time.as_ref(), &event.access_point)
            })
        }
        Some(Record::Genesis(_) | Record::Other { .. }) | None => None,
    }
}

fn at(time: Option<&FeedTime>, access_point: &str) -> Line {
    Line {
        date: time.map(|t| t.date.clone()).unwrap_or_default(),
        hour: time.map(|t| t.hour).unwrap_or_default(),
        who: String::new(),
        access_point: bare(access_point, "accessPoints/"),
        decision: String::new(),
        reasons: Vec::new(),
    }
}

fn who(subject: Option<&Subject>) -> String {
    match subject {
        Some(Subject::BadgeNumber(number)) => number.clone(),
        Some(Subject::Pseudonym(_)) => "a stranger".to_owned(),
        Some(Subject::UnknownCard(_)) => "an unknown card".to_owned(),
        None => String::new(),
    }
}

fn bare(name: &str, prefix: &str) -> String {
    name.strip_prefix(prefix).unwrap_or(name).to_owned()
}

fn tell(customer: &CustomerId, index: u64, line: Option<&Line>, json: bool) -> Result<()> {
    let mut out = std::io::stdout().lock();
    match (line, json) {
        (Some(line), true) => {
            let shown = json!({
                "kind": "leaf", "customer": customer.as_str(), "index": index,
                "date": line.date, "hour": line.hour, "badge_number": line.who,
                "access_point": line.access_point, "decision": line.decision,
                "reasons": line.reasons,
            });
            writeln!(out, "{shown}")?;
        }
        (None, true) => {
            let kind = json!({"kind": "genesis", "customer": customer.as_str(), "index": index});
            writeln!(out, "{kind}")?;
        }
        (Some(line), false) => {
            let (hour, who, point, decision) =
                (line.hour, &line.who, &line.access_point, &line.decision);
            let reasons = line.reasons.join(", ");
            let told =
                format!("{index:>3}  {hour:02}h  {who:<15} {point:<12} {decision}  {reasons}");
            writeln!(out, "{}", told.trim_end())?;
        }
        (None, false) => writeln!(out, "{index:>3}  the feed begins")?,
    }
    Ok(())
}
