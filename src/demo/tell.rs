//! Tells the story while it is played: each step, what came of it, and how long that took.

use std::io::Write as _;
use std::time::Duration;

use anyhow::Result;
use serde_json::json;

use super::story::Step;
use crate::client::words::bare_id;
use crate::pb::v1::Alarm;

/// What came of a step.
#[derive(Debug)]
pub(super) struct Outcome {
    /// A decision, an event, or what else was seen.
    pub(super) decision: String,
    pub(super) reasons: Vec<String>,
    /// How long it took, if anything came.
    pub(super) took: Option<Duration>,
    pub(super) way: Way,
}

/// From what to what a time was taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    /// From the card to the strike, or to the light that says no.
    Swiped,
    /// From the last key to the strike, or to the light that says no.
    Typed,
    /// From asking to the answer, over gRPC.
    Asked,
    /// From an operator's order to its answer, when the door has done it.
    Ordered,
    /// From reporting to the answer, over gRPC.
    Reported,
    /// From a door that opens to the customers' feeds.
    Seen,
}

impl Way {
    fn words(self) -> &'static str {
        match self {
            Self::Swiped => "swipe to unlock",
            Self::Typed => "last key to unlock",
            Self::Asked => "asked to answered",
            Self::Ordered => "ordered to done",
            Self::Reported => "reported to acknowledged",
            Self::Seen => "door to feeds",
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Swiped => "card",
            Self::Typed => "last_key",
            Self::Asked => "request",
            Self::Ordered => "order",
            Self::Reported => "report",
            Self::Seen => "door",
        }
    }

    fn is_line(self) -> bool {
        matches!(self, Self::Swiped | Self::Typed)
    }
}

/// Prints the story, as text or as JSON lines.
#[derive(Debug)]
pub(super) struct Teller {
    is_json: bool,
    /// Times of grants: on a line, and over gRPC.
    line_times: Vec<Duration>,
    grpc_times: Vec<Duration>,
}

impl Teller {
    pub(super) fn new(is_json: bool) -> Self {
        Self {
            is_json,
            line_times: Vec::new(),
            grpc_times: Vec::new(),
        }
    }

    /// A step begins.
    pub(super) fn step(&self, step: &Step) -> Result<()> {
        if !self.is_json {
            writeln!(std::io::stdout(), "{}  {}", step.at, step.says)?;
        }
        Ok(())
    }

    /// What came of it.
    pub(super) fn outcome(&mut self, step: &Step, outcome: &Outcome) -> Result<()> {
        let Outcome {
            decision,
            reasons,
            took,
            way,
        } = outcome;
        let is_grant = decision == "GRANT";
        if let Some(took) = took.filter(|_| is_grant) {
            let times = if way.is_line() {
                &mut self.line_times
            } else {
                &mut self.grpc_times
            };
            times.push(took);
        }
        if self.is_json {
            let line = if step.event.is_some() {
                json!({
                    "kind": "door_event", "at": step.at, "access_point": step.access_point,
                    "event": decision, "says": step.says,
                    "ms": took.map(ms), "since": way.name(),
                })
            } else {
                json!({
                    "kind": "attempt", "at": step.at, "access_point": step.access_point,
                    "decision": decision, "reasons": reasons, "says": step.says,
                    "ms": took.map(ms), "since": way.name(),
                })
            };
            writeln!(std::io::stdout(), "{line}")?;
            return Ok(());
        }
        let is_plain = reasons.is_empty() && took.is_some();
        let why = if is_plain {
            way.words()
        } else {
            &*reasons.join(", ")
        };
        row(&step.access_point, decision, *took, why)
    }

    /// A field event has come to the feeds.
    pub(super) fn sequel(&self, step: &Step, event: &str) -> Result<()> {
        if self.is_json {
            let line = json!({
                "kind": "door_event", "at": step.at, "access_point": step.access_point,
                "event": event,
            });
            writeln!(std::io::stdout(), "{line}")?;
            return Ok(());
        }
        row(&step.access_point, event, None, "")
    }

    /// An alarm was raised, or is over and acknowledged.
    pub(super) fn alarm(&self, step: &Step, alarm: &Alarm, took: Option<Duration>) -> Result<()> {
        let kind = alarm.kind().as_str_name();
        let kind = kind.strip_prefix("ALARM_KIND_").unwrap_or(kind);
        let is_over = alarm.clear_time.is_some();
        if self.is_json {
            let line = json!({
                "kind": "alarm", "at": step.at, "alarm": bare_id(&alarm.name), "what": kind,
                "subject": alarm.subject, "detail": alarm.detail, "ended": is_over,
                "acknowledged_by": alarm.acknowledged_by, "ms": took.map(ms),
            });
            writeln!(std::io::stdout(), "{line}")?;
            return Ok(());
        }
        let number = format!("alarm {}", bare_id(&alarm.name));
        if is_over {
            let told = format!("ended, acknowledged by {}", alarm.acknowledged_by);
            return row(&number, kind, None, &told);
        }
        row(&number, kind, took, "raised")?;
        writeln!(std::io::stdout(), "{:21}{}", "", alarm.detail)?;
        Ok(())
    }

    /// All times of grants together.
    pub(super) fn times(&mut self) -> Result<()> {
        let ways = [
            ("line", "swipe to unlock on a line", &mut self.line_times),
            ("grpc", "asked over gRPC", &mut self.grpc_times),
        ];
        for (name, words, times) in ways {
            times.sort_unstable();
            let middle = times.len().saturating_sub(1) / 2;
            let picked = [times.first(), times.get(middle), times.last()];
            let [Some(least), Some(median), Some(most)] = picked.map(|time| time.map(|t| ms(*t)))
            else {
                continue;
            };
            let (count, mut out) = (times.len(), std::io::stdout().lock());
            if self.is_json {
                let line = json!({
                    "kind": "times", "way": name, "count": count, "min_ms": least,
                    "median_ms": median, "max_ms": most,
                });
                writeln!(out, "{line}")?;
            } else {
                let told = format!("{least:.1} to {most:.1} ms, median {median:.1} ms");
                writeln!(out, "       {words}, {count} times: {told}")?;
            }
        }
        Ok(())
    }
}

/// Milliseconds, to the tenth.
fn ms(time: Duration) -> f64 {
    (time.as_secs_f64() * 10_000.0).round() / 10.0
}

/// One line under a step.
fn row(place: &str, what: &str, took: Option<Duration>, rest: &str) -> Result<()> {
    let took = took.map(|took| format!("{:.1} ms", ms(took)));
    let took = took.unwrap_or_default();
    let line = format!("       {place:<12}  {what:<15} {took:>9}  {rest}");
    writeln!(std::io::stdout(), "{}", line.trim_end())?;
    Ok(())
}
