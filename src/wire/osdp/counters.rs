//! What is counted; every counter stays at its highest value.

/// What one reader did since it was added.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counters {
    /// Commands sent, repeats included.
    pub sent: u64,
    /// Sound replies.
    pub replies: u64,
    /// Slots in which no sound reply came.
    pub timeouts: u64,
    /// Commands sent again with the same bytes.
    pub repeats: u64,
    /// Replies that say busy.
    pub busy: u64,
    /// Refusals.
    pub naks: u64,
    /// Replies with another sequence number: late or doubled. Dropped.
    pub wrong_sequence: u64,
    /// Frames with a wrong authentication code. Each ended a session.
    pub bad_macs: u64,
    /// Frames without security in a secured session. Dropped.
    pub clear_in_session: u64,
    /// Frames with a security block that has no place there. Dropped.
    pub unexpected_block: u64,
    /// Sound frames whose content is not what their code says. Dropped.
    pub malformed: u64,
    /// Replies that answer another command. Dropped.
    pub unexpected_reply: u64,
    /// Cards and keys read before the session was fully up. Dropped.
    pub stale_reads: u64,
    /// Sessions fully up.
    pub sessions: u64,
    /// Handshakes that failed.
    pub handshake_failures: u64,
    /// Events dropped because nobody took them.
    pub events_dropped: u64,
}

/// What a line carried beside sound replies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct LineCounters {
    /// Bytes received.
    pub bytes: u64,
    /// Bytes that belong to no frame.
    pub noise_bytes: u64,
    /// Frames whose check is wrong.
    pub bad_checks: u64,
    /// Own commands heard again.
    pub echoes: u64,
    /// Replies of a reader that was not asked. Dropped.
    pub wrong_address: u64,
    /// Bytes that came while nobody was asked. Dropped.
    pub unasked_bytes: u64,
}

/// Counts one, never past the highest value.
pub(super) fn count(counter: &mut u64) {
    add(counter, 1);
}

/// Counts so many, never past the highest value.
pub(super) fn add(counter: &mut u64, many: usize) {
    *counter = counter.saturating_add(u64::try_from(many).unwrap_or(u64::MAX));
}
