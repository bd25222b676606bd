//! `sluss why`: every rule that failed, and the smallest change that would pass.

use std::fmt::Write as _;

use clap::{ArgGroup, Args, ValueEnum};
use serde_json::{Value, json};

use super::{customer, instant, parse_customer, zone};
use crate::client::connect::{ConnectArgs, Connection, connect, request};
use crate::client::exit::Failure;
use crate::client::print::text;
use crate::client::safe_text::{is_unsafe, visible};
use crate::client::{local_time, words};
use crate::pb::v1::explain_service_client::ExplainServiceClient;
use crate::pb::v1::{
    Decision, ExplainEntryRequest, ExplainEntryResponse, Explanation, WhatIfRequest,
};
use crate::types::{AccessPointId, BadgeNumber, CustomerId, DoorId, PersonId};

const EXAMPLES: &str = "\
The exit code is 3 where the answer is a denial.

Examples:
  sluss why journal/demo/1/42
  sluss why 17
  sluss why --person p-101 --door d-cage-a
  sluss why --badge B-1042 --access-point d-cage-a-in --at '2026-12-24 08:15' --with-pin";

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
#[command(group = ArgGroup::new("what").required(true).args(["entry", "person", "badge"]))]
#[command(group = ArgGroup::new("where").args(["door", "access_point"]))]
pub(super) struct WhyArgs {
    /// An entry: `journal/SITE/NODE/SEQUENCE`, `customers/ID/feed/INDEX`, or an index of the own feed
    #[arg(conflicts_with_all = ["where", "at", "with_pin"])]
    entry: Option<String>,
    /// What if: this person came
    #[arg(long, value_name = "ID", requires = "where", value_parser = person_name)]
    person: Option<String>,
    /// What if: the holder of the badge with this printed number came
    #[arg(long, value_name = "NUMBER", requires = "where", value_parser = badge_number)]
    badge: Option<String>,
    /// What if: to the entry side of this door
    #[arg(long, value_name = "ID", value_parser = door_name)]
    door: Option<String>,
    /// What if: to this access point
    #[arg(long, value_name = "ID", value_parser = access_point_name)]
    access_point: Option<String>,
    /// What if: then; a time in the site's zone or RFC 3339 [default: now]
    #[arg(long, value_name = "TIME")]
    at: Option<String>,
    /// What if: with the right PIN
    #[arg(long)]
    with_pin: bool,
    /// Whose feed an index is of; by default the customer of the certificate
    #[arg(long, value_name = "ID", value_parser = parse_customer)]
    customer: Option<CustomerId>,
    /// How to print
    #[arg(short, long, value_enum, default_value = "text")]
    output: WhyFormat,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum WhyFormat {
    /// Sentences.
    Text,
    /// One JSON object.
    Json,
}

pub(super) async fn run(connection: &ConnectArgs, args: WhyArgs) -> Result<(), Failure> {
    let connection = connect(connection).await?;
    let answer = match &args.entry {
        Some(entry) => explain_entry(&connection, &args, entry).await?,
        None => what_if(&connection, &args).await?,
    };
    match args.output {
        WhyFormat::Text => text(&answer.text)?,
        WhyFormat::Json => text(&format!("{}\n", safe_json(&answer.json)))?,
    }
    if answer.decision == i32::from(Decision::Denial) {
        return Err(Failure::Denied);
    }
    Ok(())
}

/// What is printed, and what was decided.
struct Answer {
    decision: i32,
    text: String,
    json: Value,
}

async fn explain_entry(
    connection: &Connection,
    args: &WhyArgs,
    entry: &str,
) -> Result<Answer, Failure> {
    let entry = if entry.parse::<u64>().is_ok() {
        let customer = customer(connection, args.customer.as_ref())?;
        format!("{}/feed/{entry}", customer.name())
    } else {
        entry.to_owned()
    };
    let ask = ExplainEntryRequest {
        entry: entry.clone(),
    };
    let mut client = ExplainServiceClient::new(connection.channel());
    let found = client.explain_entry(request(ask)).await?.into_inner();
    Ok(Answer {
        decision: found.decision,
        text: entry_text(&entry, &found),
        json: entry_json(&entry, &found),
    })
}

async fn what_if(connection: &Connection, args: &WhyArgs) -> Result<Answer, Failure> {
    let ask = WhatIfRequest {
        person: args.person.clone().unwrap_or_default(),
        badge_number: args.badge.clone().unwrap_or_default(),
        access_point: args
            .door
            .clone()
            .or_else(|| args.access_point.clone())
            .unwrap_or_default(),
        at_time: match args.at.as_deref() {
            Some(at) => instant(zone(connection).await?, "--at", Some(at))?,
            None => None,
        },
        with_pin: args.with_pin,
    };
    let mut client = ExplainServiceClient::new(connection.channel());
    let found = client.what_if(request(ask)).await?.into_inner();
    let explanation = found.explanation.unwrap_or_default();
    let mut text = String::new();
    explanation_text(&mut text, "it would be", &explanation);
    Ok(Answer {
        decision: explanation.decision,
        text,
        json: explanation_json(&explanation),
    })
}

/// `granted`, `denied` or what a newer server says.
fn decided(decision: i32) -> String {
    match Decision::try_from(decision) {
        Ok(Decision::Grant) => "granted".to_owned(),
        Ok(Decision::Denial) => "denied".to_owned(),
        Ok(Decision::Unspecified) | Err(_) => words::decision(decision),
    }
}

fn reasons(numbers: &[i32]) -> Vec<String> {
    numbers
        .iter()
        .map(|number| words::reason(*number))
        .collect()
}

fn entry_text(entry: &str, found: &ExplainEntryResponse) -> String {
    let mut text = String::new();
    let mut line = format!("{entry} was {}", decided(found.decision));
    // Writing to a string cannot fail, here and below.
    let _ = write!(line, " at {}", found.access_point);
    let at = local_time::show(found.event_time.as_ref());
    if !at.is_empty() {
        let _ = write!(line, ", {at}");
    }
    if !found.reasons.is_empty() {
        let _ = write!(line, ": {}", reasons(&found.reasons).join(", "));
    }
    let _ = writeln!(text, "{}", visible(&line));
    match &found.today {
        Some(today) => explanation_text(&mut text, "under today's rules it would be", today),
        None => text.push_str(
            "more is told only of your own people, and only as long as their rules are known\n",
        ),
    }
    text
}

fn explanation_text(text: &mut String, lead: &str, explanation: &Explanation) {
    let mut line = format!("{lead} {}", decided(explanation.decision));
    if !explanation.list_entry.is_empty() {
        let _ = write!(line, " by {}", explanation.list_entry);
    }
    let _ = writeln!(text, "{}", visible(&line));
    for rule in &explanation.failed_rules {
        let said = said_of(&rule.resource, &rule.detail);
        let line = format!("{said} ({})", words::reason(rule.reason));
        let _ = writeln!(text, "  - {}", visible(&line));
    }
    if explanation.changes.is_empty() {
        if explanation.decision == i32::from(Decision::Denial) {
            let _ = writeln!(text, "no change of the rules would let it pass");
        }
        return;
    }
    let _ = writeln!(text, "the smallest change that would let it pass:");
    for (change, number) in explanation.changes.iter().zip(1_u32..) {
        let line = said_of(&change.resource, &change.action);
        let _ = writeln!(text, "  {number}. {}", visible(&line));
    }
}

/// A sentence about a resource, which is put before it only where the sentence does not name it.
fn said_of(resource: &str, sentence: &str) -> String {
    if resource.is_empty() || sentence.contains(resource) {
        sentence.to_owned()
    } else {
        format!("{resource}: {sentence}")
    }
}

fn entry_json(entry: &str, found: &ExplainEntryResponse) -> Value {
    let at = local_time::show(found.event_time.as_ref());
    json!({
        "entry": entry,
        "decision": words::decision(found.decision),
        "reasons": reasons(&found.reasons),
        "event_time": if at.is_empty() { Value::Null } else { at.into() },
        "access_point": words::bare_id(&found.access_point),
        "today": found.today.as_ref().map(explanation_json),
    })
}

fn explanation_json(explanation: &Explanation) -> Value {
    let rules: Vec<Value> = explanation
        .failed_rules
        .iter()
        .map(|rule| {
            json!({
                "reason": words::reason(rule.reason),
                "resource": rule.resource,
                "detail": rule.detail,
            })
        })
        .collect();
    let changes: Vec<Value> = explanation
        .changes
        .iter()
        .map(|change| json!({ "resource": change.resource, "action": change.action }))
        .collect();
    json!({
        "decision": words::decision(explanation.decision),
        "failed_rules": rules,
        "changes": changes,
        "list_entry": match explanation.list_entry.as_str() {
            "" => Value::Null,
            entry => entry.into(),
        },
    })
}

/// JSON with what could drive a terminal escaped.
fn safe_json(value: &Value) -> String {
    let mut safe = String::new();
    for c in value.to_string().chars() {
        if is_unsafe(c) {
            let _ = write!(safe, "\\u{:04x}", u32::from(c));
        } else {
            safe.push(c);
        }
    }
    safe
}

fn person_name(text: &str) -> Result<String, String> {
    let id = text.strip_prefix("persons/").unwrap_or(text);
    PersonId::parse(id)
        .map(|id| id.name())
        .map_err(|error| error.to_string())
}

fn door_name(text: &str) -> Result<String, String> {
    let id = text.strip_prefix("doors/").unwrap_or(text);
    DoorId::parse(id)
        .map(|id| id.name())
        .map_err(|error| error.to_string())
}

fn access_point_name(text: &str) -> Result<String, String> {
    let id = text.strip_prefix("accessPoints/").unwrap_or(text);
    AccessPointId::parse(id)
        .map(|id| id.name())
        .map_err(|error| error.to_string())
}

fn badge_number(text: &str) -> Result<String, String> {
    BadgeNumber::parse(text)
        .map(|number| number.reveal().to_owned())
        .map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pb::v1::{DenialReason, FailedRule, SuggestedChange};

    fn denial() -> Explanation {
        Explanation {
            decision: Decision::Denial.into(),
            failed_rules: vec![FailedRule {
                reason: DenialReason::NotOnAccessList.into(),
                resource: "persons/p-101".into(),
                detail: "no line of `acme` covers areas/cage-a".into(),
            }],
            changes: vec![
                SuggestedChange {
                    resource: "customers/acme/accessList".into(),
                    action: "add a line\u{1b}[2J for persons/p-101".into(),
                },
                SuggestedChange {
                    resource: "doors/d-1".into(),
                    action: "Open doors/d-1.".into(),
                },
            ],
            list_entry: String::new(),
        }
    }

    #[test]
    fn an_answer_names_every_rule_and_the_change() {
        let mut text = String::new();
        explanation_text(&mut text, "it would be", &denial());
        assert_eq!(
            text,
            "it would be denied\n  - persons/p-101: no line of `acme` covers areas/cage-a \
             (not_on_access_list)\nthe smallest change that would let it pass:\n  1. \
             customers/acme/accessList: add a line\\u{1b}[2J for persons/p-101\n  2. Open \
             doors/d-1.\n"
        );
    }

    #[test]
    fn json_reads_back_and_cannot_drive_a_terminal() {
        let json = safe_json(&explanation_json(&denial()));
        assert!(!json.chars().any(is_unsafe));
        let value: Value = serde_json::from_str(&json).unwrap();
        assert_eq!(value["failed_rules"][0]["reason"], "not_on_access_list");
    }
}
