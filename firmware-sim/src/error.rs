//! Why a call did not bring an answer.

use std::collections::HashMap;

use prost::Message as _;
use tonic::{Code, Status};

/// More detail bytes than this are not looked at; Sluss sends a few hundred.
const DETAILS_BYTES_MAX: usize = 16 * 1024;
/// Type of the detail that carries the reason (`google/rpc/error_details.proto`).
const ERROR_INFO_TYPE: &str = "type.googleapis.com/google.rpc.ErrorInfo";

/// `google.rpc.Status`, as far as it is read here.
#[derive(Clone, PartialEq, prost::Message)]
struct RpcStatus {
    #[prost(message, repeated, tag = "3")]
    details: Vec<prost_types::Any>,
}

/// `google.rpc.ErrorInfo`.
#[derive(Clone, PartialEq, prost::Message)]
struct ErrorInfo {
    #[prost(string, tag = "1")]
    reason: String,
    #[prost(string, tag = "2")]
    domain: String,
    #[prost(map = "string, string", tag = "3")]
    metadata: HashMap<String, String>,
}

/// A status other than OK.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// The gRPC code.
    pub code: Code,
    /// The reason of its `ErrorInfo`, `UPPER_SNAKE`. `None` where no server spoke: the transport
    /// made the status up.
    pub reason: Option<String>,
    /// The journal entry that the `ErrorInfo` names, if any.
    pub entry: Option<String>,
    /// Text for a technician.
    pub message: String,
}

/// Why a call did not bring an answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CallError {
    /// Certificate, key, authority or address cannot be used. The installer's fault.
    #[error("the connection cannot be set up: {0}")]
    Settings(String),
    /// Nothing came back within the deadline.
    #[error("no answer within {} ms", crate::DEADLINE.as_millis())]
    NoAnswer,
    /// The server, or the transport in its place, answered with a status.
    #[error("{:?} {}: {}", .0.code, .0.reason.as_deref().unwrap_or("(no reason)"), .0.message)]
    Refused(Refusal),
    /// The answer breaks the API; the server's fault.
    #[error("the answer breaks the API: {0}")]
    BadAnswer(&'static str),
    /// Nothing has been asked yet.
    #[error("there is no attempt to repeat")]
    NothingToRepeat,
    /// The backlog is full; the event was not taken.
    #[error("the backlog is full")]
    BacklogFull,
}

impl CallError {
    pub(crate) fn from_status(status: &Status) -> Self {
        let info = error_info(status.details());
        Self::Refused(Refusal {
            code: status.code(),
            entry: info.as_ref().and_then(|i| i.metadata.get("entry").cloned()),
            reason: info.map(|i| i.reason),
            message: status.message().to_owned(),
        })
    }

    /// The gRPC code, if there was a status.
    pub fn code(&self) -> Option<Code> {
        self.refusal().map(|r| r.code)
    }

    /// The reason of the `ErrorInfo`; empty if there is none.
    pub fn reason(&self) -> &str {
        self.refusal()
            .and_then(|r| r.reason.as_deref())
            .unwrap_or_default()
    }

    /// The journal entry that the error names, as `ATTEMPT_ALREADY_DECIDED` does.
    pub fn entry(&self) -> Option<&str> {
        self.refusal().and_then(|r| r.entry.as_deref())
    }

    /// Whether the controller now decides by its own rules and hands the attempt in later.
    pub fn means_own_rules(&self) -> bool {
        match self {
            Self::NoAnswer => true,
            Self::Refused(r) => {
                matches!(r.code, Code::Unavailable | Code::ResourceExhausted) || r.is_transport()
            }
            Self::Settings(_) | Self::BadAnswer(_) | Self::NothingToRepeat | Self::BacklogFull => {
                false
            }
        }
    }

    /// Whether the very same request may bring an answer at once: nobody on the other side said
    /// no, the line failed.
    pub(crate) fn may_pass(&self) -> bool {
        match self {
            Self::NoAnswer => true,
            Self::Refused(r) => r.is_transport(),
            Self::Settings(_) | Self::BadAnswer(_) | Self::NothingToRepeat | Self::BacklogFull => {
                false
            }
        }
    }

    fn refusal(&self) -> Option<&Refusal> {
        if let Self::Refused(refusal) = self {
            Some(refusal)
        } else {
            None
        }
    }
}

impl Refusal {
    /// Whether the status was made by the transport: a code that it uses, and no reason.
    fn is_transport(&self) -> bool {
        self.reason.is_none()
            && matches!(
                self.code,
                Code::Unavailable
                    | Code::DeadlineExceeded
                    | Code::Cancelled
                    | Code::Unknown
                    | Code::Internal
            )
    }
}

fn error_info(details: &[u8]) -> Option<ErrorInfo> {
    if details.len() > DETAILS_BYTES_MAX {
        return None;
    }
    let any = RpcStatus::decode(details)
        .ok()?
        .details
        .into_iter()
        .find(|any| any.type_url == ERROR_INFO_TYPE)?;
    ErrorInfo::decode(any.value.as_slice()).ok()
}

/// A status as a server makes it, for tests.
#[cfg(test)]
pub(crate) fn status_with_reason(code: Code, reason: &str, entry: Option<&str>) -> Status {
    let info = ErrorInfo {
        reason: reason.to_owned(),
        domain: "test".to_owned(),
        metadata: entry
            .map(|e| HashMap::from([("entry".to_owned(), e.to_owned())]))
            .unwrap_or_default(),
    };
    let details = RpcStatus {
        details: vec![prost_types::Any {
            type_url: ERROR_INFO_TYPE.to_owned(),
            value: info.encode_to_vec(),
        }],
    };
    Status::with_details(code, "no", details.encode_to_vec().into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reason_and_entry_come_from_the_error_info() {
        let status = status_with_reason(Code::AlreadyExists, "KNOWN", Some("journal/s/1/7"));
        let error = CallError::from_status(&status);
        assert_eq!(error.code(), Some(Code::AlreadyExists));
        assert_eq!(error.reason(), "KNOWN");
        assert_eq!(error.entry(), Some("journal/s/1/7"));
    }

    #[test]
    fn details_that_are_not_a_status_are_no_reason() {
        for details in [vec![0xFF; 40], vec![0; DETAILS_BYTES_MAX + 1]] {
            let status = Status::with_details(Code::Aborted, "no", details.into());
            assert_eq!(CallError::from_status(&status).reason(), "");
        }
    }

    #[test]
    fn own_rules_follow_only_where_the_server_is_away_or_full() {
        let by = |code, reason| CallError::from_status(&status_with_reason(code, reason, None));
        assert!(by(Code::Unavailable, "STORE_READ_ONLY").means_own_rules());
        assert!(by(Code::ResourceExhausted, "QUEUE_FULL").means_own_rules());
        assert!(CallError::NoAnswer.means_own_rules());
        assert!(CallError::from_status(&Status::unknown("broken pipe")).means_own_rules());
        for code in [
            Code::AlreadyExists,
            Code::InvalidArgument,
            Code::NotFound,
            Code::PermissionDenied,
            Code::Unauthenticated,
            Code::Internal,
        ] {
            assert!(!by(code, "ANY").means_own_rules(), "{code:?}");
        }
    }
}
