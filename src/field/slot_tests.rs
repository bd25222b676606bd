use std::cell::Cell;
use std::collections::VecDeque;
use std::rc::Rc;
use std::sync::Mutex;

use super::*;
use crate::types::{Now, UtcTime};
use crate::wire::osdp::{
    Address, Baud, BusSettings, CheckKind, PeripheralSettings, Security, Step,
};

/// A clock that others move.
#[derive(Debug, Default)]
struct Clock(Mutex<Duration>);

impl Clock {
    fn pass(&self, time: Duration) {
        *self.0.lock().unwrap() += time;
    }
}

impl World for Clock {
    fn now(&self) -> Now {
        Now {
            utc: UtcTime::EPOCH,
            moment: Moment::from_start(*self.0.lock().unwrap()),
        }
    }

    fn fill_random(&self, buffer: &mut [u8]) {
        buffer.fill(4);
    }
}

/// A line that takes some bytes at a time and says what it was told to, again and again.
struct Script<'a> {
    clock: &'a Clock,
    takes: VecDeque<usize>,
    says: io::Result<Vec<u8>>,
    sent: Vec<u8>,
    reads: Rc<Cell<usize>>,
}

impl Wire for Script<'_> {
    fn clear(&mut self) -> io::Result<()> {
        Ok(())
    }

    fn read(&mut self, buffer: &mut [u8], wait: Duration) -> io::Result<usize> {
        self.reads.set(self.reads.get() + 1);
        match &self.says {
            Ok(bytes) if bytes.is_empty() => {
                self.clock.pass(wait);
                Ok(0)
            }
            Ok(bytes) => {
                self.clock.pass(Duration::from_micros(10));
                buffer[..bytes.len()].copy_from_slice(bytes);
                Ok(bytes.len())
            }
            Err(error) => Err(error.kind().into()),
        }
    }

    fn write(&mut self, bytes: &[u8], wait: Duration) -> io::Result<usize> {
        let count = self.takes.pop_front().unwrap_or(0).min(bytes.len());
        if count == 0 {
            self.clock.pass(wait);
        }
        self.sent.extend_from_slice(&bytes[..count]);
        Ok(count)
    }
}

/// A turn with a line that takes and says this: how it ended, when, what was sent, how many reads.
fn turn(
    takes: &[usize],
    says: io::Result<Vec<u8>>,
    is_over: &dyn Fn() -> bool,
) -> (io::Result<SlotEnd>, Duration, Vec<u8>, usize) {
    let clock = Clock::default();
    let mut bus = Bus::new(BusSettings::new(Baud::B9600));
    let plain = PeripheralSettings {
        security: Security::Plain,
        check: CheckKind::Crc,
    };
    let start = Moment::from_start(Duration::ZERO);
    bus.add(Address::new(1).unwrap(), plain, start).unwrap();
    let Step::Transmit {
        bytes, reply_by, ..
    } = bus.next(start, &mut |_| {})
    else {
        panic!("nothing to send");
    };
    let reads = Rc::new(Cell::new(0));
    let mut script = Script {
        clock: &clock,
        takes: takes.iter().copied().collect(),
        says,
        sent: Vec::new(),
        reads: Rc::clone(&reads),
    };
    let mut turn = Turn {
        wire: &mut script,
        world: &clock,
        is_over,
    };
    let end = turn.take(&mut bus, &bytes, reply_by);
    let now = clock.now().moment;
    // Whatever happened, the bus goes on.
    bus.next(now, &mut |_| {});
    let whole = bytes;
    let sent = script.sent;
    assert!(whole.starts_with(&sent));
    (end, now.since(start), sent, reads.get())
}

const NEVER: &dyn Fn() -> bool = &|| false;

#[test]
fn a_command_goes_out_in_as_many_pieces_as_the_port_takes() {
    let (end, took, sent, _) = turn(&[1, 0, 3, 2, 100], Ok(Vec::new()), NEVER);
    // The write that took nothing waited for as long as it might.
    assert_eq!(end.unwrap_err().kind(), ErrorKind::TimedOut);
    assert_eq!((took, sent.len()), (WRITE_TIME_MAX, 1));
    let (end, took, sent, _) = turn(&[1, 3, 2, 100], Ok(Vec::new()), NEVER);
    assert_eq!(end.unwrap(), SlotEnd::Over);
    assert!(sent.len() >= 8, "{sent:?}");
    assert!(took > Duration::from_millis(200) && took < Duration::from_millis(300));
}

#[test]
fn a_port_that_takes_no_bytes_is_broken() {
    let (end, took, sent, reads) = turn(&[], Ok(Vec::new()), NEVER);
    assert_eq!(end.unwrap_err().kind(), ErrorKind::TimedOut);
    assert_eq!((took, sent.len(), reads), (WRITE_TIME_MAX, 0, 0));
}

#[test]
fn a_port_that_fails_ends_the_turn() {
    let (end, ..) = turn(&[100], Err(ErrorKind::BrokenPipe.into()), NEVER);
    assert_eq!(end.unwrap_err().kind(), ErrorKind::BrokenPipe);
}

#[test]
fn bytes_without_end_end_the_turn() {
    for flood in [
        vec![0x53; READ_BYTES],
        vec![0; READ_BYTES],
        vec![0x53, 0x81],
    ] {
        let (end, took, _, reads) = turn(&[100], Ok(flood.clone()), NEVER);
        assert_eq!(end.unwrap(), SlotEnd::Flooded, "{flood:?}");
        assert!(reads * flood.len() <= SLOT_BYTES_MAX + READ_BYTES);
        assert!(took < Duration::from_millis(300));
    }
}

#[test]
fn a_turn_is_heard_out_unless_it_takes_too_long() {
    let (end, took, ..) = turn(&[100], Ok(Vec::new()), &|| true);
    assert_eq!(end.unwrap(), SlotEnd::Over);
    assert!(took > Duration::from_millis(200));
}
