//! Exit codes, and errors as lines for standard error.

use std::process::ExitCode;

use tonic::{Code, Status};
use tonic_types::StatusExt as _;

use super::connect::ConnectError;
use super::fault::{FileFaults, violation_line};
use super::feed_check::FeedFault;
use super::feed_state::StateError;
use super::print::OutputError;
use super::safe_text::visible;

/// Field violations shown of one refusal; the server bounds them too.
const VIOLATIONS_SHOWN_MAX: usize = 200;

/// How a command ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// Done; 0.
    Ok,
    /// Something went wrong that has no code of its own; 1.
    Failure,
    /// The command line or a file is wrong; 2.
    Usage,
    /// The answer is a denial; 3.
    NegativeDecision,
    /// The caller may not do this; 4.
    NotAllowed,
    /// What was named is not there; 5.
    NotFound,
    /// It changed meanwhile, or exists already; 6.
    Conflict,
    /// The server cannot be reached or cannot answer now; 7.
    Unavailable,
}

impl Exit {
    /// The number the process ends with, 0..=7.
    pub fn code(self) -> u8 {
        match self {
            Self::Ok => 0,
            Self::Failure => 1,
            Self::Usage => 2,
            Self::NegativeDecision => 3,
            Self::NotAllowed => 4,
            Self::NotFound => 5,
            Self::Conflict => 6,
            Self::Unavailable => 7,
        }
    }

    /// What a status means; its reason decides before its code.
    pub fn of_status(status: &Status) -> Self {
        match reason(status).as_deref() {
            Some("UPLOAD_TOO_LARGE") => return Self::Usage,
            Some("DOOR_REFUSED") => return Self::Failure,
            Some(_) | None => {}
        }
        match status.code() {
            Code::Ok => Self::Ok,
            Code::InvalidArgument => Self::Usage,
            Code::PermissionDenied | Code::Unauthenticated => Self::NotAllowed,
            Code::NotFound | Code::OutOfRange => Self::NotFound,
            Code::AlreadyExists | Code::Aborted | Code::FailedPrecondition => Self::Conflict,
            Code::Unavailable | Code::DeadlineExceeded | Code::ResourceExhausted => {
                Self::Unavailable
            }
            Code::Cancelled
            | Code::Unknown
            | Code::Unimplemented
            | Code::Internal
            | Code::DataLoss => Self::Failure,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}

/// The machine-readable reason of a status, from its `ErrorInfo`.
pub fn reason(status: &Status) -> Option<String> {
    status
        .get_details_error_info()
        .map(|info| info.reason)
        .filter(|reason| !reason.is_empty())
}

/// A status, and the file whose upload it is about.
#[derive(Debug)]
pub struct Refusal {
    /// What the server said.
    pub status: Status,
    /// The file whose lines its violations name.
    pub file: Option<String>,
}

/// Why a command did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// No connection could be set up.
    #[error(transparent)]
    Connect(#[from] ConnectError),
    /// The server answered with an error.
    #[error("the server refused")]
    Refused(Box<Refusal>),
    /// The command line asks for what cannot be.
    #[error("{0}")]
    Usage(String),
    /// A file has wrong lines.
    #[error("{0}")]
    File(#[from] FileFaults),
    /// The feed is not what it claims to be.
    #[error("{0}")]
    Feed(#[from] FeedFault),
    /// The state file cannot be used.
    #[error("{0}")]
    State(#[from] StateError),
    /// Standard output cannot be written.
    #[error(transparent)]
    Output(#[from] OutputError),
    /// Something changed between plan and apply.
    #[error("{0}")]
    Conflict(String),
    /// What was asked for was answered, and the answer is a denial.
    #[error("denied")]
    Denied,
}

impl From<Status> for Failure {
    fn from(status: Status) -> Self {
        Self::Refused(Box::new(Refusal { status, file: None }))
    }
}

impl Failure {
    /// A status that speaks of the lines of a file.
    pub fn of_file(status: Status, file: &str) -> Self {
        Self::Refused(Box::new(Refusal {
            status,
            file: Some(file.to_owned()),
        }))
    }

    /// The exit code it stands for.
    pub fn exit(&self) -> Exit {
        match self {
            Self::Connect(error) => error.exit(),
            Self::Refused(refusal) => Exit::of_status(&refusal.status),
            Self::Usage(_) | Self::File(_) => Exit::Usage,
            Self::Output(OutputError::Closed) => Exit::Ok,
            Self::Feed(_) | Self::State(_) | Self::Output(OutputError::Write(_)) => Exit::Failure,
            Self::Conflict(_) => Exit::Conflict,
            Self::Denied => Exit::NegativeDecision,
        }
    }

    /// What standard error is told, line by line; nothing where the reader of our output left or
    /// where the answer itself is the denial.
    pub fn lines(&self) -> Vec<String> {
        match self {
            Self::Output(OutputError::Closed) | Self::Denied => Vec::new(),
            Self::File(faults) => faults.lines(),
            Self::Refused(refusal) => refusal.lines(),
            Self::Connect(_)
            | Self::Usage(_)
            | Self::Feed(_)
            | Self::State(_)
            | Self::Output(OutputError::Write(_))
            | Self::Conflict(_) => vec![format!("sluss: {}", visible(&self.to_string()))],
        }
    }
}

/// What whoever stands before a door that did not do it can do next.
fn what_next(reason: &str) -> Option<&'static str> {
    match reason {
        "DOOR_OFFLINE" => Some("sluss: `sluss alarm list` says what is wrong there"),
        "DOOR_SILENT" => Some("sluss: look at the door before you order again"),
        "DOOR_REFUSED" => Some("sluss: look at the door; `sluss alarm list` may say more"),
        "GRANT_STALE" => Some("sluss: order again"),
        _ => None,
    }
}

impl Refusal {
    fn lines(&self) -> Vec<String> {
        let violations = self
            .status
            .get_details_bad_request()
            .map(|bad| bad.field_violations)
            .unwrap_or_default();
        let more = violations.len().saturating_sub(VIOLATIONS_SHOWN_MAX);
        let mut lines = vec![self.headline()];
        lines.extend(
            violations
                .iter()
                .take(VIOLATIONS_SHOWN_MAX)
                .map(|v| self.violation(&v.field, &v.description)),
        );
        if more > 0 {
            lines.push(format!("sluss: and {more} more"));
        }
        let reason = reason(&self.status);
        lines.extend(
            reason
                .and_then(|reason| what_next(&reason))
                .map(str::to_owned),
        );
        lines
    }

    fn headline(&self) -> String {
        let message = match self.status.message() {
            "" => self.status.code().description(),
            message => message,
        };
        match reason(&self.status) {
            Some(reason) => format!("sluss: {} ({})", visible(message), visible(&reason)),
            None => format!("sluss: {}", visible(message)),
        }
    }

    fn violation(&self, field: &str, what: &str) -> String {
        let (line, key) = violation_line(field);
        let place = match (&self.file, line) {
            (Some(file), Some(line)) => format!("{file}:{line}: {key}"),
            (Some(file), None) => format!("{file}: {key}"),
            (None, _) => field.to_owned(),
        };
        visible(&format!("{place}: {what}")).into_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tonic_types::{ErrorDetails, FieldViolation};

    #[test]
    fn every_code_has_its_exit() {
        let expected = [
            (Code::Ok, 0),
            (Code::Cancelled, 1),
            (Code::Unknown, 1),
            (Code::InvalidArgument, 2),
            (Code::DeadlineExceeded, 7),
            (Code::NotFound, 5),
            (Code::AlreadyExists, 6),
            (Code::PermissionDenied, 4),
            (Code::ResourceExhausted, 7),
            (Code::FailedPrecondition, 6),
            (Code::Aborted, 6),
            (Code::OutOfRange, 5),
            (Code::Unimplemented, 1),
            (Code::Internal, 1),
            (Code::Unavailable, 7),
            (Code::DataLoss, 1),
            (Code::Unauthenticated, 4),
        ];
        for (code, exit) in expected {
            assert_eq!(
                Exit::of_status(&Status::new(code, "")).code(),
                exit,
                "{code:?}"
            );
        }
    }

    #[test]
    fn an_upload_that_is_too_large_is_the_callers_fault() {
        let details = ErrorDetails::with_error_info("UPLOAD_TOO_LARGE", "sluss", []);
        let status = Status::with_error_details(Code::ResourceExhausted, "too large", details);
        assert_eq!(Exit::of_status(&status), Exit::Usage);
    }

    #[test]
    fn a_door_that_did_not_do_it_says_what_to_do() {
        for (code, reason, exit) in [
            (Code::Unavailable, "DOOR_OFFLINE", Exit::Unavailable),
            (Code::Unavailable, "DOOR_SILENT", Exit::Unavailable),
            (Code::FailedPrecondition, "DOOR_REFUSED", Exit::Failure),
            (Code::DeadlineExceeded, "GRANT_STALE", Exit::Unavailable),
        ] {
            let details = ErrorDetails::with_error_info(reason, "sluss", []);
            let failure = Failure::from(Status::with_error_details(code, "no", details));
            assert_eq!(failure.exit(), exit);
            let lines = failure.lines();
            assert_eq!(
                (lines.len(), &lines[0]),
                (2, &format!("sluss: no ({reason})"))
            );
        }
    }

    #[test]
    fn violations_name_file_and_line() {
        let mut details = ErrorDetails::with_bad_request(vec![
            FieldViolation::new("lines[12].areas", "no such area"),
            FieldViolation::new("parent", "not yours"),
        ]);
        details.set_error_info("LIST_INVALID", "sluss", []);
        let status = Status::with_error_details(Code::InvalidArgument, "bad \u{1b}[2J", details);
        assert_eq!(
            Failure::of_file(status, "a.csv").lines(),
            [
                "sluss: bad \\u{1b}[2J (LIST_INVALID)",
                "a.csv:12: areas: no such area",
                "a.csv: parent: not yours",
            ]
        );
    }

    #[test]
    fn a_reader_that_left_is_a_quiet_end() {
        let failure = Failure::from(OutputError::Closed);
        assert_eq!((failure.exit(), failure.lines().len()), (Exit::Ok, 0));
    }
}
