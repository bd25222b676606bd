//! Stubs generated from `proto/sluss/v1`; the server's side is used by the tests alone.
#![expect(
    unreachable_pub,
    unused_qualifications,
    clippy::allow_attributes,
    clippy::allow_attributes_without_reason,
    clippy::as_conversions,
    clippy::pedantic,
    reason = "generated code"
)]
// Not `expect`: rustc counts that as a use of every message, and then calls it unfulfilled.
#![allow(dead_code, reason = "a controller needs a part of the API")]

tonic::include_proto!("sluss.v1");
