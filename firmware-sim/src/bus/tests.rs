//! The line, without a port in its own time and with one in real time.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::OFlags;

use super::door::{Door, DoorWiring, Person};
use super::settings::BusSettings;
use super::state::State;
use super::{ReaderHandle, SimBus, SimDoor};
use crate::clock::ticks;
use crate::osdp::{FaultKind, ReaderSettings, Seen};

/// How reader 1 answers POLL with sequence 0 if it has nothing to tell.
const ACK_1: [u8; 6] = [0x53, 0x81, 0x08, 0x00, 0x04, 0x40];

/// What a line has unless it is told otherwise.
const TURNAROUND: Duration = Duration::from_millis(3);

fn poll_1() -> Vec<u8> {
    frame(&[0x53, 0x01, 0x08, 0x00, 0x04, 0x60])
}

fn frame(bytes: &[u8]) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    bytes.extend_from_slice(&[0, 0]);
    crate::osdp::check_again(&mut bytes);
    bytes
}

fn state(baud: u32, addresses: &[u8]) -> State {
    let settings = BusSettings::new("unused", baud);
    let readers = addresses.iter().map(|a| ReaderSettings::plain(*a));
    State::new(&settings, readers.collect(), |bytes| bytes.fill(7)).unwrap()
}

fn heard_until(state: &mut State, now: Instant) -> Vec<u8> {
    state.advance(now);
    state.take_to_host()
}

#[test]
fn a_reply_takes_the_time_of_the_wire() {
    let begun = ticks();
    let mut state = state(9600, &[1]);
    state.host_sent(&poll_1(), begun);
    // 8 bytes, 3 ms, 8 bytes.
    let byte = Duration::from_nanos(10_000_000_000 / 9600);
    let whole = begun + byte * 16 + TURNAROUND;
    let early = heard_until(&mut state, begun + (byte * 16 + TURNAROUND).mul_f64(0.999));
    assert_eq!(early.len(), 7);
    assert_eq!(early[..6], ACK_1);
    assert_eq!(heard_until(&mut state, whole).len(), 1);
}

#[test]
fn it_does_not_matter_when_the_line_is_looked_at() {
    let begun = ticks();
    let steps = |step: Duration| {
        let mut state = state(115_200, &[1, 2]);
        state.host_sent(&poll_1(), begun);
        let mut heard = Vec::new();
        for number in 1..=400_u32 {
            let now = begun + step * number;
            if now <= begun + Duration::from_millis(20) {
                heard.extend(heard_until(&mut state, now));
            }
        }
        heard.extend(heard_until(&mut state, begun + Duration::from_millis(20)));
        heard
    };
    let fine = steps(Duration::from_micros(50));
    assert_eq!(fine.len(), 8);
    assert_eq!(steps(Duration::from_millis(7)), fine);
}

#[test]
fn two_who_answer_at_once_are_not_understood() {
    let begun = ticks();
    let mut state = state(115_200, &[1, 2]);
    state.host_sent(&frame(&[0x53, 0x7F, 0x08, 0x00, 0x04, 0x60]), begun);
    let heard = heard_until(&mut state, begun + Duration::from_millis(50));
    assert_eq!(heard.len(), 16);
    assert_eq!(state.counters.collided_bytes, 16);
    assert!(!heard.starts_with(&[0x53, 0xFF]));
}

#[test]
fn the_host_hears_itself_where_there_is_echo() {
    let begun = ticks();
    let mut state = state(115_200, &[]);
    state.host_sent(&poll_1(), begun);
    let later = begun + Duration::from_millis(50);
    assert!(heard_until(&mut state, later).is_empty());
    state.has_echo = true;
    state.host_sent(&poll_1(), later);
    let heard = heard_until(&mut state, later + Duration::from_millis(50));
    assert_eq!(heard, poll_1());
}

#[test]
fn who_never_stops_silences_the_line_until_cleared() {
    let begun = ticks();
    let mut state = state(115_200, &[1, 2]);
    state.readers[1].fault(FaultKind::NeverStops.until_cleared());
    state.advance(begun);
    state.host_sent(&poll_1(), begun);
    let later = begun + Duration::from_millis(100);
    let heard = heard_until(&mut state, later);
    assert!(heard.len() > 500, "{}", heard.len());
    assert_eq!(state.readers[0].counters().commands, 0);
    state.readers[1].clear_faults();
    let quiet = later + Duration::from_millis(100);
    heard_until(&mut state, quiet);
    state.host_sent(&poll_1(), quiet);
    let heard = heard_until(&mut state, quiet + Duration::from_millis(50));
    assert!(heard.starts_with(&ACK_1));
}

#[test]
fn noise_spoils_what_is_said_meanwhile_and_ends() {
    let begun = ticks();
    let mut state = state(115_200, &[1]);
    let end = begun + Duration::from_millis(100);
    state.noise(begun, Duration::from_millis(100));
    state.host_sent(&poll_1(), begun);
    let heard = heard_until(&mut state, end);
    assert!(heard.contains(&0x53));
    assert_eq!(state.readers[0].counters().commands, 0);
    let quiet = end + Duration::from_millis(30);
    heard_until(&mut state, quiet);
    state.host_sent(&poll_1(), quiet);
    let heard = heard_until(&mut state, quiet + Duration::from_millis(50));
    assert!(heard.starts_with(&ACK_1));
}

#[test]
fn an_output_releases_the_door_and_its_contact_is_reported() {
    let begun = ticks();
    let mut state = state(115_200, &[1]);
    let mut door = Door::new(
        0,
        DoorWiring {
            strike_output: 1,
            contact_input: Some(3),
            request_to_exit_input: None,
        },
    );
    door.person = Person::Opens {
        after: Duration::from_millis(500),
        open_for: None,
    };
    state.doors.push(door);
    let observed = state.readers[0].observe();
    let open = [0x53, 0x01, 0x0C, 0x00, 0x04, 0x68, 1, 5, 30, 0];
    state.host_sent(&frame(&open), begun);
    let later = begun + Duration::from_secs(1);
    state.advance(later);
    let what: Vec<Seen> = observed.try_iter().map(|o| o.what).collect();
    assert!(what.contains(&Seen::DoorReleased(true)) && what.contains(&Seen::DoorOpen(true)));
    state.host_sent(&frame(&[0x53, 0x01, 0x08, 0x00, 0x05, 0x60]), later);
    state.take_to_host();
    let heard = heard_until(&mut state, later + Duration::from_millis(50));
    assert_eq!(heard[5..10], [0x49, 0, 0, 0, 1]);
}

#[test]
fn readers_with_one_address_are_refused() {
    let readers = vec![ReaderSettings::plain(1), ReaderSettings::plain(1)];
    let settings = BusSettings::new("unused", 9600);
    assert!(State::new(&settings, readers, |_| {}).is_err());
    let far = vec![ReaderSettings::plain(127)];
    assert!(State::new(&settings, far, |_| {}).is_err());
}

const PATIENCE: Duration = Duration::from_secs(5);

fn real(folder: &Path, baud: u32, addresses: &[u8]) -> SimBus {
    let readers = addresses.iter().map(|a| ReaderSettings::plain(*a));
    let settings = BusSettings::new(folder.join("line"), baud);
    SimBus::start(settings, readers.collect()).unwrap()
}

fn open(path: &Path) -> io::Result<File> {
    let flags = OFlags::NOCTTY.bits().try_into().unwrap();
    let mut options = OpenOptions::new();
    options.read(true).write(true).custom_flags(flags);
    options.open(path)
}

/// Reads so many bytes, or says why not.
fn read(port: &mut File, count: usize) -> io::Result<Vec<u8>> {
    let deadline = ticks() + PATIENCE;
    let mut bytes = vec![0; count];
    let mut read = 0;
    while read < count {
        let left = deadline.saturating_duration_since(ticks());
        let timeout = Timespec::try_from(left).unwrap();
        let mut fds = [PollFd::new(port, PollFlags::IN)];
        if poll(&mut fds, Some(&timeout))? == 0 {
            return Err(io::ErrorKind::TimedOut.into());
        }
        match port.read(&mut bytes[read..])? {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            more => read += more,
        }
    }
    Ok(bytes)
}

fn exchange(path: &Path) -> io::Result<(Vec<u8>, Duration)> {
    let mut port = open(path)?;
    rustix::termios::ioctl_tiocexcl(&port)?;
    let begun = ticks();
    port.write_all(&poll_1())?;
    let bytes = read(&mut port, 8)?;
    Ok((bytes, begun.elapsed()))
}

fn is_hang_up(error: &io::Error) -> bool {
    let errno = rustix::io::Errno::IO.raw_os_error();
    error.kind() == io::ErrorKind::UnexpectedEof || error.raw_os_error() == Some(errno)
}

/// A port closed this moment may be handed out once more before the line has noticed.
fn exchange_again(path: &Path) -> (Vec<u8>, Duration) {
    let deadline = ticks() + PATIENCE;
    loop {
        match exchange(path) {
            Ok(done) => return done,
            // A hang-up, as a server sees it that then opens the port again.
            Err(error) if is_hang_up(&error) && ticks() < deadline => {}
            Err(error) => panic!("{error}"),
        }
    }
}

#[test]
fn a_port_is_opened_for_itself_alone_again_and_again() {
    let folder = tempfile::tempdir().unwrap();
    let bus = real(folder.path(), 115_200, &[1]);
    for _ in 0..20 {
        assert!(exchange_again(bus.path()).0.starts_with(&ACK_1));
    }
}

#[test]
fn bytes_come_no_sooner_than_on_a_wire() {
    let folder = tempfile::tempdir().unwrap();
    let bus = real(folder.path(), 9600, &[1]);
    let byte = Duration::from_nanos(10_000_000_000 / 9600);
    let (bytes, elapsed) = exchange_again(bus.path());
    assert!(bytes.starts_with(&ACK_1));
    assert!(elapsed >= byte * 16 + TURNAROUND, "{elapsed:?}");
}

#[test]
fn an_unplugged_port_is_gone_and_comes_back() {
    let folder = tempfile::tempdir().unwrap();
    let bus = real(folder.path(), 115_200, &[1]);
    let mut port = open(bus.path()).unwrap();
    port.write_all(&poll_1()).unwrap();
    read(&mut port, 8).unwrap();
    bus.unplug().unwrap();
    assert!(fs::symlink_metadata(bus.path()).is_err());
    assert!(read(&mut port, 1).is_err());
    bus.replug().unwrap();
    assert!(exchange_again(bus.path()).0.starts_with(&ACK_1));
}

#[test]
fn the_path_is_gone_with_the_line_and_takes_nobody_s_place() {
    let folder = tempfile::tempdir().unwrap();
    let bus = real(folder.path(), 115_200, &[1]);
    let path = bus.path().to_owned();
    drop(bus);
    assert!(fs::symlink_metadata(&path).is_err());
    fs::write(&path, "mine").unwrap();
    let error = SimBus::start(BusSettings::new(&path, 9600), Vec::new()).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::AlreadyExists);
    assert_eq!(fs::read_to_string(&path).unwrap(), "mine");
}

fn only(bus: &SimBus) -> ReaderHandle {
    bus.reader(1).unwrap()
}

#[test]
fn a_forced_door_is_seen_without_a_host() {
    let folder = tempfile::tempdir().unwrap();
    let bus = real(folder.path(), 115_200, &[1]);
    let reader = only(&bus);
    let observed = reader.observe();
    let wiring = DoorWiring {
        strike_output: 0,
        contact_input: Some(0),
        request_to_exit_input: Some(1),
    };
    let door = SimDoor::wire(&reader, wiring);
    let forced_at = door.force(Some(Duration::from_millis(50)));
    let seen = observed.recv_timeout(PATIENCE).unwrap();
    assert_eq!(seen.what, Seen::DoorOpen(true));
    let seen = observed.recv_timeout(PATIENCE).unwrap();
    assert_eq!(seen.what, Seen::DoorOpen(false));
    assert_eq!(seen.at, forced_at + Duration::from_millis(50));
    assert!(!door.is_released());
}
