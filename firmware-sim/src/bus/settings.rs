//! What a line is.

use std::path::PathBuf;
use std::time::Duration;

/// How long a reader takes to answer unless it is told otherwise.
const TURNAROUND: Duration = Duration::from_millis(3);
/// Bits of a byte on the wire: start, eight, stop.
const BITS_PER_BYTE: u64 = 10;
const NANOS_PER_SECOND: u64 = 1_000_000_000;

/// A line: two wires, half duplex, with a serial port at one end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BusSettings {
    /// Where the port is opened; a symbolic link that is made, and removed at the end.
    pub path: PathBuf,
    /// Speed in baud, 1 or more; a byte has 10 bits (8N1).
    pub baud: u32,
    /// From the last byte of a command to the first of the reply, 1 to 20 ms on a real line.
    pub turnaround: Duration,
}

impl BusSettings {
    /// A line at `baud` with a turnaround of 3 ms.
    pub fn new(path: impl Into<PathBuf>, baud: u32) -> Self {
        Self {
            path: path.into(),
            baud,
            turnaround: TURNAROUND,
        }
    }

    /// How long a byte takes.
    pub fn byte_time(&self) -> Duration {
        let baud = u64::from(self.baud.max(1));
        Duration::from_nanos(BITS_PER_BYTE * NANOS_PER_SECOND / baud)
    }
}

/// What a line counted since it was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct LineCounters {
    /// Bytes that the host put on the wire.
    pub host_bytes: u64,
    /// Bytes that others put on the wire.
    pub other_bytes: u64,
    /// Bytes that met another on the wire and arrived as something else.
    pub collided_bytes: u64,
    /// Bytes that the host did not fetch in time.
    pub lost_bytes: u64,
    /// How often the port was opened and closed again.
    pub hang_ups: u64,
}
