//! Who calls: from the connection's certificate, put into each request by the gate.

use tonic::{Request, Status};

use super::auth::Peer;
use super::status::{Reason, fault};
use crate::types::Caller;

/// The caller of a request (invariant 5: never from a field).
pub(super) fn caller<T>(request: &Request<T>) -> Result<Caller, Status> {
    let peer = request.extensions().get::<Peer>();
    peer.map(|peer| peer.caller.clone())
        .ok_or_else(|| fault(Reason::CertificateMissing))
}
