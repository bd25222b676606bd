//! The store as a whole.

mod disks;
mod fixtures;

mod checking;
mod damage;
mod faults;
mod golden;
mod golden_rows;
mod log;
mod log_scene;
mod model;
mod reading;
mod rebuilding;
mod reopening;
