//! L4, the edge to the network: who may call what, and how answers and errors look.

pub mod listener;

mod connection;
pub mod tls;

pub mod auth;
mod tally;

pub mod rules;

pub mod gate;

pub mod status;

mod convert;
mod paging;

pub mod rule_desk;

pub mod access_list;
pub mod directory;
pub mod site;

#[cfg(test)]
mod rule_tests;
