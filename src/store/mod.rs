//! L2, the store: segments are the truth, sled is what is read (DESIGN section 6).

pub mod disk;
pub mod tables;
