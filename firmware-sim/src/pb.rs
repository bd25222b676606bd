//! Client stubs, generated from `proto/sluss/v1`.
#![expect(
    unreachable_pub,
    unused_qualifications,
    clippy::allow_attributes,
    clippy::allow_attributes_without_reason,
    clippy::pedantic,
    reason = "generated code"
)]

tonic::include_proto!("sluss.v1");
