//! What the program may ask of the world besides files and peers: the time, and chance.

use super::Now;

/// Identity of this run of the operating system's kernel.
///
/// Files written under another one may have lost what was never synced.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BootIdentity(pub String);

/// Clock and entropy. `env.rs` implements it for real; tests bring their own.
pub trait World: Send + Sync + std::fmt::Debug {
    /// Reads both clocks at once.
    fn now(&self) -> Now;

    /// Fills a buffer with unpredictable bytes.
    ///
    /// # Panics
    ///
    /// If the operating system has no entropy to give: nothing safe can be done without.
    fn fill_random(&self, buffer: &mut [u8]);
}
