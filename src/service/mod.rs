//! L4, the edge to the network: who may call what, and how answers and errors look.

pub mod listener;

mod connection;
pub mod tls;

pub mod auth;
mod tally;

pub mod rules;

pub mod gate;

pub mod status;
