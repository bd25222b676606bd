//! Requests as the gate hands them on, for tests.

use ring::hmac;
use tonic::{Request, Status};
use tonic_types::StatusExt as _;

use super::auth::{CertificateSerial, ConnectionId, Peer};
use crate::types::{Caller, UtcTime};

/// A request of a caller.
pub(in crate::service) fn asked<T>(caller: &Caller, message: T) -> Request<T> {
    let mut request = Request::new(message);
    request.extensions_mut().insert(Peer {
        caller: caller.clone(),
        serial: CertificateSerial::from_bytes(&[1]).unwrap(),
        not_after: UtcTime::EPOCH.plus_seconds(u32::MAX),
        connection: ConnectionId(1),
    });
    request
}

/// An operator.
pub(in crate::service) fn operator() -> Caller {
    Caller::Operator("first".into())
}

/// A key of page tokens.
pub(in crate::service) fn page_key() -> hmac::Key {
    hmac::Key::new(hmac::HMAC_SHA256, &[7; 32])
}

/// The reason of a status, and the first field it names if it names one.
pub(in crate::service) fn reason(status: &Status) -> String {
    let info = status.get_details_error_info().unwrap();
    let fields = status.get_details_bad_request();
    let field = fields.and_then(|bad| bad.field_violations.into_iter().next());
    match field {
        Some(violation) => format!("{} {}", info.reason, violation.field),
        None => info.reason,
    }
}
