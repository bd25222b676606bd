//! Two wires: bytes take their time, and two at once are none.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// Number of the host's lane.
pub(crate) const HOST: usize = 0;
/// Number of the lane of noise.
pub(crate) const NOISE: usize = 1;
/// Number of the first reader's lane.
pub(crate) const FIRST_READER: usize = 2;
/// Bytes on their way in one lane at most; more are lost, as in a full driver.
const LANE_BYTES_MAX: usize = 8 * 1024;
/// Bytes are handed over in batches of this length: a USB adapter's latency timer.
const BATCH: Duration = Duration::from_millis(1);
/// Every so many bytes of noise one begins like a frame.
const NOISE_STARTS_EVERY: u32 = 7;

/// A byte that arrived.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Arrived {
    pub(crate) lane: usize,
    pub(crate) byte: u8,
    /// When its last bit was over.
    pub(crate) at: Instant,
    pub(crate) has_collided: bool,
}

#[derive(Debug, Clone, Copy)]
struct OnWire {
    byte: u8,
    start: Instant,
    end: Instant,
}

#[derive(Debug, Default)]
struct Lane {
    queue: VecDeque<OnWire>,
    last_end: Option<Instant>,
    /// Sends garbage from the first time to the second.
    garbage: Option<(Instant, Instant)>,
}

/// What several lanes put on the same two wires.
#[derive(Debug)]
pub(crate) struct Wire {
    byte_time: Duration,
    lanes: Vec<Lane>,
    chance: u32,
}

impl Wire {
    pub(crate) fn new(byte_time: Duration, readers: usize) -> Self {
        let lanes = (0..FIRST_READER + readers).map(|_| Lane::default());
        Self {
            byte_time,
            lanes: lanes.collect(),
            chance: 0x9E37_79B9,
        }
    }

    /// A lane sends bytes one after the other, not before a time; what does not fit is lost.
    pub(crate) fn send(&mut self, lane: usize, bytes: &[u8], not_before: Instant) {
        let byte_time = self.byte_time;
        let Some(lane) = self.lanes.get_mut(lane) else {
            return;
        };
        for byte in bytes {
            if lane.queue.len() >= LANE_BYTES_MAX {
                return;
            }
            let free = lane.queue.back().map(|last| last.end).or(lane.last_end);
            let start = free.map_or(not_before, |free| free.max(not_before));
            let end = start + byte_time;
            let byte = *byte;
            lane.queue.push_back(OnWire { byte, start, end });
        }
    }

    /// A lane sends garbage without a pause from now until then; `None` ends it.
    pub(crate) fn garbage(&mut self, lane: usize, now: Instant, until: Option<Instant>) {
        if let Some(lane) = self.lanes.get_mut(lane) {
            let since = lane.garbage.map_or(now, |(since, _)| since);
            lane.garbage = until.map(|until| (since, until));
        }
    }

    /// Takes back what a lane has not sent yet.
    pub(crate) fn silence(&mut self, lane: usize) {
        if let Some(lane) = self.lanes.get_mut(lane) {
            lane.queue.clear();
        }
    }

    /// The next byte that has arrived by `now`, in the order of arrival.
    pub(crate) fn next(&mut self, now: Instant) -> Option<Arrived> {
        self.fill_garbage(now);
        let heads = self.lanes.iter().enumerate();
        let (lane, end) = heads
            .filter_map(|(lane, it)| Some((lane, it.queue.front()?.end)))
            .min_by_key(|(_, end)| *end)
            .filter(|(_, end)| *end <= now)?;
        let sender = self.lanes.get_mut(lane)?;
        let sent = sender.queue.pop_front()?;
        sender.last_end = Some(end);
        let has_collided = self.lanes.iter().enumerate().any(|(other, it)| {
            let ended_later = it.last_end.is_some_and(|last| last > sent.start);
            let began = it.queue.front().is_some_and(|head| head.start < end);
            other != lane && (ended_later || began)
        });
        let byte = if has_collided {
            sent.byte ^ (self.random() | 1)
        } else {
            sent.byte
        };
        Some(Arrived {
            lane,
            byte,
            at: end,
            has_collided,
        })
    }

    /// When to look again: at the end of what is on the wire, at least once in a millisecond.
    pub(crate) fn due(&self, now: Instant) -> Option<Instant> {
        let lanes = || self.lanes.iter().filter(|lane| !lane.queue.is_empty());
        let first = lanes()
            .filter_map(|lane| lane.queue.front())
            .map(|b| b.end)
            .min()?;
        let all = lanes()
            .filter_map(|lane| lane.queue.back())
            .map(|b| b.end)
            .min()?;
        Some(first.max(all.min(now + BATCH)))
    }

    /// Keeps lanes of garbage a batch ahead.
    fn fill_garbage(&mut self, now: Instant) {
        for lane in 0..self.lanes.len() {
            let ahead = |it: &Lane| {
                let (since, until) = it.garbage?;
                let tail = it.queue.back().map(|last| last.end).or(it.last_end);
                let tail = tail.map_or(since, |tail| tail.max(since));
                let has_room = it.queue.len() < LANE_BYTES_MAX;
                (has_room && tail < until && tail <= now + BATCH).then_some(tail)
            };
            while let Some(tail) = self.lanes.get(lane).and_then(ahead) {
                let byte = self.garbage_byte();
                self.send(lane, &[byte], tail);
            }
        }
    }

    fn garbage_byte(&mut self) -> u8 {
        let byte = self.random();
        if self.chance.is_multiple_of(NOISE_STARTS_EVERY) {
            return 0x53;
        }
        byte
    }

    /// The same bytes in every run (xorshift32).
    fn random(&mut self) -> u8 {
        self.chance ^= self.chance << 13;
        self.chance ^= self.chance >> 17;
        self.chance ^= self.chance << 5;
        let [byte, ..] = self.chance.to_be_bytes();
        byte
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::ticks;

    const BYTE: Duration = Duration::from_micros(100);

    fn all(wire: &mut Wire, now: Instant) -> Vec<Arrived> {
        std::iter::from_fn(|| wire.next(now)).collect()
    }

    #[test]
    fn bytes_arrive_one_byte_time_after_the_other() {
        let begun = ticks();
        let mut wire = Wire::new(BYTE, 1);
        wire.send(HOST, &[1, 2, 3], begun);
        assert!(all(&mut wire, begun + BYTE / 2).is_empty());
        let two = all(&mut wire, begun + BYTE * 2);
        assert_eq!(two.iter().map(|a| a.byte).collect::<Vec<_>>(), [1, 2]);
        assert_eq!(two[1].at, begun + BYTE * 2);
        wire.send(HOST, &[4], begun);
        let rest = all(&mut wire, begun + BYTE * 9);
        assert_eq!(rest[1].at, begun + BYTE * 4);
    }

    #[test]
    fn two_at_once_arrive_as_garbage() {
        let begun = ticks();
        let mut wire = Wire::new(BYTE, 2);
        wire.send(FIRST_READER, &[1, 2, 3], begun);
        wire.send(FIRST_READER + 1, &[9], begun + BYTE * 3 / 2);
        let arrived = all(&mut wire, begun + BYTE * 9);
        let collided: Vec<_> = arrived.iter().map(|a| (a.lane, a.has_collided)).collect();
        assert_eq!(collided, [(2, false), (2, true), (3, true), (2, true)]);
        assert!(arrived[1].byte != 2 && arrived[2].byte != 9);
    }

    #[test]
    fn garbage_fills_the_wire_and_ends() {
        let begun = ticks();
        let mut wire = Wire::new(BYTE, 0);
        wire.garbage(NOISE, begun, Some(begun + BYTE * 1000));
        let mut bytes = Vec::new();
        for step in 0..1500 {
            bytes.extend(all(&mut wire, begun + BYTE * step));
        }
        assert!((990..=1010).contains(&bytes.len()), "{}", bytes.len());
        assert!(bytes.iter().filter(|a| a.byte == 0x53).count() > 50);
        assert!(bytes.iter().all(|a| !a.has_collided));
    }

    #[test]
    fn a_lane_holds_a_bounded_number_of_bytes() {
        let mut wire = Wire::new(BYTE, 0);
        wire.send(HOST, &vec![0; 100_000], ticks());
        assert_eq!(wire.lanes[HOST].queue.len(), LANE_BYTES_MAX);
    }
}
