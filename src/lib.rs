//! Sluss: access control for data centres.
//!
//! Folders are layers; each imports only what stands above it in this list
//! (`docs/architecture.md`, checked by `tests/tidy.rs`).

pub mod pb;

pub mod types;

pub mod policy;

pub mod ledger;
pub mod wire;

pub mod store;

pub mod control;

pub mod field;

pub mod service;

pub mod config;
pub mod env;
pub mod init;
pub mod pki;
pub mod telemetry;

pub mod client;

pub mod server;

#[cfg(feature = "demo")]
pub mod demo;
