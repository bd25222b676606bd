//! Our errors as `google.rpc.Status`: code, reason, fields. Texts never quote a person's data.

use std::collections::HashMap;

use tonic::{Code, Status};
use tonic_types::StatusExt as _;
use tonic_types::{BadRequest, ErrorDetail, ErrorInfo, FieldViolation, LocalizedMessage};

/// Domain of the reasons (`google.rpc.ErrorInfo.domain`).
pub const DOMAIN: &str = "sluss";

/// Most bytes of field violations in one status. They travel in a trailer, and peers give
/// trailers 8 KiB; in base64, with the rest, 4 KiB fit.
const VIOLATION_BYTES_MAX: usize = 4_096;

/// Longest description of one violation in characters.
const DESCRIPTION_CHARS_MAX: usize = 300;

/// Why a call failed; each has one code and one word, which never change their meaning.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Reason {
    /// A field does not hold what it should.
    InvalidField,
    /// An event's counter was used for another event.
    CounterReused,
    /// A request id was used for another request.
    RequestIdReused,
    /// Not a resume token of this feed.
    ResumeTokenInvalid,
    /// Not a page token of this list.
    PageTokenInvalid,
    /// It does not exist, or is not the caller's: the two answer alike.
    NotFound,
    /// The attempt was decided; its grant is not given out again.
    AttemptAlreadyDecided,
    /// It changed since the caller read it.
    EtagMismatch,
    /// The store was restored since the token was given out.
    EpochChanged,
    /// The index lies outside what is kept.
    IndexNotKept,
    /// The record was erased; that it was there is all that is left.
    RecordErased,
    /// A stored record is not what was written.
    RecordDamaged,
    /// The grant was durable too late to open the door; it is logged as not taken.
    GrantStale,
    /// The rules changed again and again while the attempt was decided; nothing was granted.
    RulesChanging,
    /// No rule allows this caller this call.
    RpcNotAllowed,
    /// The connection names no caller.
    CertificateMissing,
    /// The certificate is revoked.
    CertificateRevoked,
    /// The certificate has ended.
    CertificateExpired,
    /// Too many writes wait; nothing was written.
    QueueFull,
    /// The subscriber reads more slowly than entries come.
    SubscriberTooSlow,
    /// The caller has as many streams or uploads as it may have.
    TooManyStreams,
    /// The upload is longer than allowed.
    UploadTooLarge,
    /// The upload stood still, or took too long in all; nothing of it was kept.
    UploadStalled,
    /// The log cannot be written; nothing was.
    StoreReadOnly,
    /// What is read is being rebuilt from the log.
    StoreRebuilding,
    /// What drives the door cannot be reached: nothing was done, and nothing will be.
    DoorOffline,
    /// The door did not answer an order in time: nobody knows whether it was done.
    DoorSilent,
    /// The door could not do what was ordered.
    DoorRefused,
    /// The controller has opened another session.
    SessionReplaced,
    /// Nothing was heard on the session for two beats.
    SessionSilent,
    /// The server is stopping.
    ShuttingDown,
    /// A fault of the server.
    Internal,
}

impl Reason {
    /// Its code.
    pub fn code(self) -> Code {
        match self {
            Self::InvalidField
            | Self::CounterReused
            | Self::RequestIdReused
            | Self::ResumeTokenInvalid
            | Self::PageTokenInvalid => Code::InvalidArgument,
            Self::NotFound => Code::NotFound,
            Self::AttemptAlreadyDecided => Code::AlreadyExists,
            Self::EtagMismatch | Self::SessionReplaced => Code::Aborted,
            Self::EpochChanged | Self::RecordErased | Self::DoorRefused => Code::FailedPrecondition,
            Self::IndexNotKept => Code::OutOfRange,
            Self::RecordDamaged => Code::DataLoss,
            Self::GrantStale | Self::UploadStalled | Self::SessionSilent => Code::DeadlineExceeded,
            Self::RpcNotAllowed => Code::PermissionDenied,
            Self::CertificateMissing | Self::CertificateRevoked | Self::CertificateExpired => {
                Code::Unauthenticated
            }
            Self::QueueFull
            | Self::SubscriberTooSlow
            | Self::TooManyStreams
            | Self::UploadTooLarge => Code::ResourceExhausted,
            Self::RulesChanging
            | Self::StoreReadOnly
            | Self::StoreRebuilding
            | Self::DoorOffline
            | Self::DoorSilent
            | Self::ShuttingDown => Code::Unavailable,
            Self::Internal => Code::Internal,
        }
    }

    /// Its word in `google.rpc.ErrorInfo.reason`.
    pub fn word(self) -> &'static str {
        match self {
            Self::InvalidField => "INVALID_FIELD",
            Self::CounterReused => "COUNTER_REUSED",
            Self::RequestIdReused => "REQUEST_ID_REUSED",
            Self::ResumeTokenInvalid => "RESUME_TOKEN_INVALID",
            Self::PageTokenInvalid => "PAGE_TOKEN_INVALID",
            Self::NotFound => "NOT_FOUND",
            Self::AttemptAlreadyDecided => "ATTEMPT_ALREADY_DECIDED",
            Self::EtagMismatch => "ETAG_MISMATCH",
            Self::EpochChanged => "EPOCH_CHANGED",
            Self::IndexNotKept => "INDEX_NOT_KEPT",
            Self::RecordErased => "RECORD_ERASED",
            Self::RecordDamaged => "RECORD_DAMAGED",
            Self::GrantStale => "GRANT_STALE",
            Self::RulesChanging => "RULES_CHANGING",
            Self::RpcNotAllowed => "RPC_NOT_ALLOWED",
            Self::CertificateMissing => "CERTIFICATE_MISSING",
            Self::CertificateRevoked => "CERTIFICATE_REVOKED",
            Self::CertificateExpired => "CERTIFICATE_EXPIRED",
            Self::QueueFull => "QUEUE_FULL",
            Self::SubscriberTooSlow => "SUBSCRIBER_TOO_SLOW",
            Self::TooManyStreams => "TOO_MANY_STREAMS",
            Self::UploadTooLarge => "UPLOAD_TOO_LARGE",
            Self::UploadStalled => "UPLOAD_STALLED",
            Self::StoreReadOnly => "STORE_READ_ONLY",
            Self::StoreRebuilding => "STORE_REBUILDING",
            Self::DoorOffline => "DOOR_OFFLINE",
            Self::DoorSilent => "DOOR_SILENT",
            Self::DoorRefused => "DOOR_REFUSED",
            Self::SessionReplaced => "SESSION_REPLACED",
            Self::SessionSilent => "SESSION_SILENT",
            Self::ShuttingDown => "SHUTTING_DOWN",
            Self::Internal => "INTERNAL",
        }
    }

    /// Its text for people who read logs.
    fn text(self) -> &'static str {
        match self {
            Self::InvalidField => "a field is wrong",
            Self::CounterReused => "the counter was used for another event",
            Self::RequestIdReused => "the request id was used for another request",
            Self::ResumeTokenInvalid => "this is no resume token of this feed",
            Self::PageTokenInvalid => "this is no page token of this list",
            Self::NotFound => "no such resource",
            Self::AttemptAlreadyDecided => "the attempt was decided before",
            Self::EtagMismatch => "it changed since it was read; plan again",
            Self::EpochChanged => "the store was restored; resume with the new token",
            Self::IndexNotKept => "the index is outside what is kept",
            Self::RecordErased => "the record was erased",
            Self::RecordDamaged => "a stored record is not what was written",
            Self::GrantStale => "it was written too late and opens nothing",
            Self::RulesChanging => "the rules are changing; nothing was granted",
            Self::RpcNotAllowed => "this caller may not call this",
            Self::CertificateMissing => "the connection names no caller",
            Self::CertificateRevoked => "the certificate is revoked",
            Self::CertificateExpired => "the certificate has ended",
            Self::QueueFull => "too many writes wait; nothing was written",
            Self::SubscriberTooSlow => "more comes than is read; go on from where you were",
            Self::TooManyStreams => "too many streams or uploads of this caller are open",
            Self::UploadTooLarge => "the upload is too large",
            Self::UploadStalled => "the upload stood still or took too long",
            Self::StoreReadOnly => "the log cannot be written; nothing was",
            Self::StoreRebuilding => "what is read is being rebuilt from the log",
            Self::DoorOffline => {
                "what drives the door cannot be reached; nothing was done, and nothing will be"
            }
            Self::DoorSilent => "the door did not answer; look at it, it may have been done",
            Self::DoorRefused => "the door could not do it",
            Self::SessionReplaced => "the controller has opened another session",
            Self::SessionSilent => "nothing was heard for two beats",
            Self::ShuttingDown => "the server is stopping",
            Self::Internal => "a fault of the server",
        }
    }
}

/// What is wrong with one field of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldFault {
    /// Path of the field, or `line 12` of an upload.
    pub field: String,
    /// What it should hold. Never quotes what it holds if that may be personal data.
    pub description: String,
}

/// A sentence for a person, in both languages of the desk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sentence {
    /// In Swedish.
    pub sv: &'static str,
    /// In English.
    pub en: &'static str,
}

/// A failure without more to say.
pub fn fault(reason: Reason) -> Status {
    build(reason, reason.text(), [], Vec::new())
}

/// A failure with details by key, for example the token to resume from.
///
/// Keys are of the form `[a-z_]+`. Values are ids, indices and tokens, never personal data.
pub fn fault_with<const N: usize>(reason: Reason, metadata: [(&'static str, String); N]) -> Status {
    build(reason, reason.text(), metadata, Vec::new())
}

/// A failure with a sentence for whoever stands at the desk.
pub fn fault_in_words(reason: Reason, sentence: Sentence) -> Status {
    let words = vec![
        ErrorDetail::from(LocalizedMessage::new("sv", sentence.sv)),
        ErrorDetail::from(LocalizedMessage::new("en", sentence.en)),
    ];
    build(reason, reason.text(), [], words)
}

/// There is no such resource, or it is not the caller's. `resource` is its kind, such as `door`.
pub fn not_found(resource: &'static str) -> Status {
    let metadata = [("resource", resource.to_owned())];
    build(
        Reason::NotFound,
        &format!("no such {resource}"),
        metadata,
        Vec::new(),
    )
}

/// One field is wrong.
pub fn invalid(field: impl Into<String>, description: impl Into<String>) -> Status {
    invalid_for(Reason::InvalidField, field, description)
}

/// One field is wrong, for a reason of its own such as [`Reason::CounterReused`].
pub fn invalid_for(
    reason: Reason,
    field: impl Into<String>,
    description: impl Into<String>,
) -> Status {
    let fault = FieldFault {
        field: field.into(),
        description: description.into(),
    };
    let text = format!("`{}`: {}", fault.field, shortened(&fault.description));
    let violations = vec![ErrorDetail::from(BadRequest::new(vec![violation(&fault)]))];
    build(reason, &text, [], violations)
}

/// Several fields are wrong. As many as fit are listed, in order; the text says how many there are.
pub fn invalid_all(faults: &[FieldFault]) -> Status {
    let mut bytes = 0_usize;
    let listed: Vec<FieldViolation> = faults
        .iter()
        .map(violation)
        .take_while(|violation| {
            let size = violation
                .field
                .len()
                .saturating_add(violation.description.len());
            bytes = bytes.saturating_add(size).saturating_add(8);
            bytes <= VIOLATION_BYTES_MAX
        })
        .collect();
    let text = match (faults.len(), listed.len()) {
        (1, _) => "one field or line is wrong".to_owned(),
        (all, shown) if all == shown => format!("{all} fields or lines are wrong"),
        (all, shown) => format!("{all} fields or lines are wrong; the first {shown} are listed"),
    };
    let metadata = [("fault_count", faults.len().to_string())];
    let violations = vec![ErrorDetail::from(BadRequest::new(listed))];
    build(Reason::InvalidField, &text, metadata, violations)
}

/// It changed since the caller read it.
pub fn conflict() -> Status {
    fault(Reason::EtagMismatch)
}

/// The attempt was decided before; `entry` names its line in the log.
pub fn already_decided(entry: String) -> Status {
    fault_with(Reason::AttemptAlreadyDecided, [("entry", entry)])
}

fn violation(fault: &FieldFault) -> FieldViolation {
    FieldViolation::new(fault.field.clone(), shortened(&fault.description))
}

fn shortened(text: &str) -> String {
    text.chars().take(DESCRIPTION_CHARS_MAX).collect()
}

fn build<const N: usize>(
    reason: Reason,
    text: &str,
    metadata: [(&'static str, String); N],
    mut details: Vec<ErrorDetail>,
) -> Status {
    let metadata: HashMap<String, String> = metadata
        .into_iter()
        .map(|(key, value)| (key.to_owned(), value))
        .collect();
    details.insert(0, ErrorInfo::new(reason.word(), DOMAIN, metadata).into());
    Status::with_error_details_vec(reason.code(), text, details)
}

#[cfg(test)]
mod tests {
    use super::*;

    const REASONS: [Reason; 32] = [
        Reason::InvalidField,
        Reason::CounterReused,
        Reason::RequestIdReused,
        Reason::ResumeTokenInvalid,
        Reason::PageTokenInvalid,
        Reason::NotFound,
        Reason::AttemptAlreadyDecided,
        Reason::EtagMismatch,
        Reason::EpochChanged,
        Reason::IndexNotKept,
        Reason::RecordErased,
        Reason::RecordDamaged,
        Reason::GrantStale,
        Reason::RulesChanging,
        Reason::RpcNotAllowed,
        Reason::CertificateMissing,
        Reason::CertificateRevoked,
        Reason::CertificateExpired,
        Reason::QueueFull,
        Reason::SubscriberTooSlow,
        Reason::TooManyStreams,
        Reason::UploadTooLarge,
        Reason::UploadStalled,
        Reason::StoreReadOnly,
        Reason::StoreRebuilding,
        Reason::DoorOffline,
        Reason::DoorSilent,
        Reason::DoorRefused,
        Reason::SessionReplaced,
        Reason::SessionSilent,
        Reason::ShuttingDown,
        Reason::Internal,
    ];

    #[test]
    fn every_status_carries_its_word_and_domain() {
        for reason in REASONS {
            let status = fault(reason);
            let info = status.get_details_error_info().unwrap();
            assert_eq!(status.code(), reason.code());
            assert_eq!(
                (info.reason.as_str(), info.domain.as_str()),
                (reason.word(), DOMAIN)
            );
            let upper_snake = |c: char| c.is_ascii_uppercase() || c == '_';
            assert!(info.reason.chars().all(upper_snake), "{}", info.reason);
        }
    }

    #[test]
    fn words_and_codes_are_those_of_the_golden_file() {
        let now: Vec<String> = REASONS
            .iter()
            .map(|reason| format!("{} {:?}", reason.word(), reason.code()))
            .collect();
        let golden: Vec<&str> = include_str!("../../tests/golden/reasons.txt")
            .lines()
            .collect();
        assert_eq!(now, golden);
    }

    #[test]
    fn a_wrong_field_is_named() {
        let status = invalid("badge_number", "must have 1 to 64 bytes");
        let violations = status.get_details_bad_request().unwrap().field_violations;
        assert_eq!(violations.len(), 1);
        assert_eq!(violations[0].field, "badge_number");
        assert_eq!(status.message(), "`badge_number`: must have 1 to 64 bytes");
    }

    #[test]
    fn twenty_thousand_faults_still_fit_a_trailer() {
        let faults: Vec<FieldFault> = (0..20_000)
            .map(|line| FieldFault {
                field: format!("line {line}"),
                description: "x".repeat(1_000),
            })
            .collect();
        let status = invalid_all(&faults);
        let listed = status.get_details_bad_request().unwrap().field_violations;
        assert!(listed.len() >= 10, "{}", listed.len());
        assert_eq!(listed[0].field, "line 0");
        assert!(status.details().len() < 5_500, "{}", status.details().len());
        assert!(status.message().starts_with("20000 fields"));
    }

    #[test]
    fn a_sentence_comes_in_both_languages() {
        let status = fault_in_words(
            Reason::QueueFull,
            Sentence {
                sv: "Försök igen.",
                en: "Try again.",
            },
        );
        let locales: Vec<String> = status
            .get_error_details_vec()
            .into_iter()
            .filter_map(|detail| {
                let ErrorDetail::LocalizedMessage(message) = detail else {
                    return None;
                };
                Some(message.locale)
            })
            .collect();
        assert_eq!(locales, ["sv", "en"]);
    }
}
