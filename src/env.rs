//! The world as it is: the only place that reads clocks, entropy and the kernel's identity.

use std::time::{Instant, SystemTime, UNIX_EPOCH};
use std::{fs, io};

use ring::rand::{SecureRandom as _, SystemRandom};

use crate::types::{BootIdentity, Moment, Now, UtcTime, World};

/// Where Linux tells one run of itself from the next (`random(4)`).
const BOOT_ID: &str = "/proc/sys/kernel/random/boot_id";

/// The operating system's clocks and entropy.
#[derive(Debug)]
pub struct System {
    started: Instant,
    random: SystemRandom,
}

impl System {
    /// Begins to measure moments from now.
    #[expect(
        clippy::disallowed_methods,
        reason = "this is the one place that reads clocks and makes entropy"
    )]
    pub fn start() -> Self {
        Self {
            started: Instant::now(),
            random: SystemRandom::new(),
        }
    }

    /// Reads which run of the kernel this is.
    pub fn boot_identity() -> io::Result<BootIdentity> {
        Ok(BootIdentity(fs::read_to_string(BOOT_ID)?.trim().to_owned()))
    }
}

impl World for System {
    #[expect(
        clippy::disallowed_methods,
        reason = "this is the one place that reads clocks"
    )]
    fn now(&self) -> Now {
        // A clock before 1970 or after 9999 is broken; the start of the range is as good as any,
        // and what compares times treats a step back as a clock fault.
        let utc = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .ok()
            .and_then(|since| i64::try_from(since.as_secs()).ok())
            .and_then(|seconds| UtcTime::from_unix(seconds).ok())
            .unwrap_or(UtcTime::EPOCH);
        Now {
            utc,
            moment: Moment::from_start(self.started.elapsed()),
        }
    }

    fn fill_random(&self, buffer: &mut [u8]) {
        let filled = self.random.fill(buffer);
        // Without entropy no key, salt or serial is safe; stopping is the only right answer.
        assert!(filled.is_ok(), "the operating system gives no entropy");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_clocks_go_forward() {
        let world = System::start();
        let (first, second) = (world.now(), world.now());
        assert!(first.utc > UtcTime::EPOCH);
        assert!(second.moment >= first.moment);
    }

    #[test]
    fn two_draws_differ() {
        let world = System::start();
        let (mut a, mut b) = ([0; 16], [0; 16]);
        world.fill_random(&mut a);
        world.fill_random(&mut b);
        assert_ne!(a, b);
    }

    #[test]
    fn the_kernel_names_its_run() {
        let identity = System::boot_identity().unwrap();
        assert_eq!(identity.0.len(), 36);
        assert_eq!(identity, System::boot_identity().unwrap());
    }
}
