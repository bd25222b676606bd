//! What the commands share: connecting, printing, exit codes, files that people write.
//!
//! `sluss` calls the published API only; nothing here touches a store. Data goes to standard
//! output through [`print`], everything else to standard error.

pub mod exit;
pub mod print;
pub mod safe_text;

pub mod connect;
pub mod identity;

mod probe;

pub mod fault;
pub mod list_file;
pub mod local_time;
pub mod site_file;

mod leaf_check;

pub mod feed_check;
pub mod feed_row;
pub mod feed_state;
pub mod feed_watch;
pub mod words;

pub mod commands;
