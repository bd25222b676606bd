//! L4, the edge to the network: who may call what, and how answers and errors look.

pub mod listener;

mod connection;
pub mod tls;

pub mod auth;
mod caller;
mod tally;

pub mod rules;

pub mod gate;

pub mod status;

mod convert;
mod paging;
mod read_door;

mod outlet;

mod door_session;

pub mod door;

mod once;

pub mod door_order;

pub mod alarm;
pub mod reader;

mod resume_token;
mod watch;

pub mod feed;
pub mod feed_names;

mod intake;
pub mod rule_desk;

pub mod access_list;
pub mod directory;
pub mod site;

pub mod explain;

#[cfg(test)]
mod asking;

#[cfg(test)]
mod rule_tests;
