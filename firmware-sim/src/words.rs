//! What is said at a door: attempts' answers, events, acknowledgements.

use std::time::Duration;

use crate::{CallError, pb};

/// Longest time that a grant may be acted on, whatever the answer says (`AuthorizeResponse`).
const GRANT_VALID_MAX: Duration = Duration::from_secs(2);

/// What was decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Verdict {
    /// The door may be opened.
    Grant,
    /// The door stays shut.
    Denial,
}

/// The server's answer to an attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// Grant or denial.
    pub decision: Verdict,
    /// Why it is a denial, as the API names the reasons: `NOT_ON_ACCESS_LIST` and so on.
    pub reasons: Vec<String>,
    /// The journal entry, `journal/{site}/{node}/{sequence}`.
    pub entry: String,
    /// The factors that were verified: `BADGE`, `PIN` and so on.
    pub verified: Vec<String>,
    /// How long after sending a grant may be acted on, 0..=2 s; zero for a denial.
    pub valid_for: Duration,
}

/// Field events (`DoorEventKind` of the API).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum DoorEventKind {
    /// The door was opened after a grant.
    AccessTaken,
    /// A grant was not used.
    AccessNotTaken,
    /// Somebody asked to leave by button or sensor.
    RequestToExit,
    /// The door opened without a grant or a request to exit.
    DoorForced,
    /// The door stayed open too long.
    DoorHeld,
    /// The door closed after it had been forced or held.
    DoorClosed,
    /// A reader or its line was tampered with.
    Tamper,
}

/// A field event, before it has a number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DoorEvent {
    /// Where, `accessPoints/{access_point}`.
    pub access_point: String,
    /// What.
    pub kind: DoorEventKind,
}

/// That the server has an event on disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Acknowledgement {
    /// The event's counter.
    pub counter: u64,
    /// The journal entry.
    pub entry: String,
    /// Whether the server had it before.
    pub already_known: bool,
}

impl Verdict {
    pub(crate) fn message(self) -> pb::Decision {
        match self {
            Self::Grant => pb::Decision::Grant,
            Self::Denial => pb::Decision::Denial,
        }
    }
}

impl DoorEventKind {
    pub(crate) fn message(self) -> pb::DoorEventKind {
        match self {
            Self::AccessTaken => pb::DoorEventKind::AccessTaken,
            Self::AccessNotTaken => pb::DoorEventKind::AccessNotTaken,
            Self::RequestToExit => pb::DoorEventKind::RequestToExit,
            Self::DoorForced => pb::DoorEventKind::DoorForced,
            Self::DoorHeld => pb::DoorEventKind::DoorHeld,
            Self::DoorClosed => pb::DoorEventKind::DoorClosed,
            Self::Tamper => pb::DoorEventKind::Tamper,
        }
    }
}

/// Reads an answer; one that breaks the API opens nothing.
pub(crate) fn answer(response: pb::AuthorizeResponse) -> Result<Answer, CallError> {
    let decision = match response.decision() {
        pb::Decision::Grant => Verdict::Grant,
        pb::Decision::Denial => Verdict::Denial,
        pb::Decision::Unspecified => return Err(CallError::BadAnswer("no decision")),
    };
    if response.entry.is_empty() {
        return Err(CallError::BadAnswer("no entry"));
    }
    let unnamed = |number: &i32| format!("NUMBER_{number}");
    let reasons = response.reasons.iter().map(|number| {
        pb::DenialReason::try_from(*number).map_or_else(
            |_| unnamed(number),
            |reason| bare(reason.as_str_name(), "DENIAL_REASON_"),
        )
    });
    let verified = response.verified.iter().map(|number| {
        pb::Factor::try_from(*number).map_or_else(
            |_| unnamed(number),
            |factor| bare(factor.as_str_name(), "FACTOR_"),
        )
    });
    let (reasons, verified) = (reasons.collect(), verified.collect());
    let valid_for = response
        .valid_for
        .filter(|_| decision == Verdict::Grant)
        .and_then(|d| Duration::try_from(d).ok())
        .unwrap_or_default();
    Ok(Answer {
        decision,
        reasons,
        entry: response.entry,
        verified,
        valid_for: valid_for.min(GRANT_VALID_MAX),
    })
}

/// The name of an enum's value without the enum's own.
fn bare(name: &str, prefix: &str) -> String {
    name.strip_prefix(prefix).unwrap_or(name).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::grant;

    #[test]
    fn an_answer_that_breaks_the_api_opens_nothing() {
        for bad in [grant(""), pb::AuthorizeResponse::default()] {
            assert!(matches!(answer(bad), Err(CallError::BadAnswer(_))));
        }
        let negative = pb::AuthorizeResponse {
            valid_for: Some(prost_types::Duration {
                seconds: -1,
                nanos: 0,
            }),
            ..grant("journal/s/1/1")
        };
        assert_eq!(answer(negative).unwrap().valid_for, Duration::ZERO);
    }
}
