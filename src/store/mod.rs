//! L2, the store: segments are the truth, sled is what is read (DESIGN section 6).

pub mod disk;
pub mod tables;

pub mod secrets;

pub mod seal;

pub mod keyring;
mod keyring_error;
mod keyring_file;
mod keyring_keys;
mod keyring_names;
mod keyring_scope;
