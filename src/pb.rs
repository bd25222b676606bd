//! Messages and service stubs generated from `proto/`.
#![expect(
    unused_qualifications,
    clippy::allow_attributes,
    clippy::allow_attributes_without_reason,
    clippy::as_conversions,
    clippy::large_enum_variant,
    clippy::pedantic,
    reason = "generated code"
)]

/// The published API, `sluss.v1`.
pub mod v1 {
    tonic::include_proto!("sluss.v1");
}

/// Stored records, `sluss.store.v1`; internal, never served.
pub mod store {
    tonic::include_proto!("sluss.store.v1");
}

/// Encoded file descriptors of the published API, for reflection and for tests.
pub const API_DESCRIPTORS: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/api.bin"));

/// Encoded file descriptors of the stored records, with their annotations.
pub const STORE_DESCRIPTORS: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/store.bin"));
