//! The serial port: opening it, and the words for what is wrong with it.

use std::fs::Metadata;
use std::io::{self, ErrorKind, Read as _, Write as _};
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use serialport::{ClearBuffer, DataBits, FlowControl, Parity, SerialPort as _, StopBits, TTYPort};

/// What the system says of a device that is no terminal; serialport passes on the words alone.
const NO_TERMINAL: &str = "Not a typewriter";

/// Why a port cannot be used, and what to do about it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PortFault {
    /// There is nothing at its path.
    #[error("port `{0}` is not there: plug the adapter in, or correct its path")]
    Missing(Arc<str>),
    /// There is something else at its path.
    #[error("port `{0}` is not a serial port: correct its path")]
    NotSerial(Arc<str>),
    /// This user may not open it.
    #[error(
        "port `{0}` may not be opened by this user: add the user to the group of the port, \
         often `dialout`"
    )]
    Denied(Arc<str>),
    /// Another program has it.
    #[error("port `{0}` is in use: stop the other program, or give each bus a port of its own")]
    Busy(Arc<str>),
    /// The system refuses to set it up.
    #[error("port `{port}` cannot be set up ({error}): check the adapter and its driver")]
    Unusable {
        /// Its path.
        port: Arc<str>,
        /// What the system says.
        error: String,
    },
    /// It worked, and does not any more.
    #[error("port `{port}` has stopped working ({error}): check the adapter and its cable")]
    Lost {
        /// Its path.
        port: Arc<str>,
        /// What the system says.
        error: String,
    },
}

impl PortFault {
    /// What an error on an open port means: mostly that its adapter was unplugged.
    pub(super) fn lost(port: &Arc<str>, error: &io::Error) -> Self {
        if Path::new(&**port).exists() {
            return Self::Lost {
                port: Arc::clone(port),
                error: error.to_string(),
            };
        }
        Self::Missing(Arc::clone(port))
    }

    fn from_opening(port: &Arc<str>, error: &serialport::Error) -> Self {
        let port = Arc::clone(port);
        match error.kind() {
            serialport::ErrorKind::NoDevice => Self::Busy(port),
            serialport::ErrorKind::Io(ErrorKind::NotFound) => Self::Missing(port),
            serialport::ErrorKind::Io(ErrorKind::PermissionDenied) => Self::Denied(port),
            serialport::ErrorKind::Unknown if error.to_string() == NO_TERMINAL => {
                Self::NotSerial(port)
            }
            serialport::ErrorKind::Io(_)
            | serialport::ErrorKind::InvalidInput
            | serialport::ErrorKind::Unknown => Self::Unusable {
                port,
                error: error.to_string(),
            },
        }
    }
}

/// A line as bytes. What is behind it may do anything.
pub(super) trait Wire {
    /// Forgets what came and what has not gone out yet.
    fn clear(&mut self) -> io::Result<()>;

    /// Waits for bytes, for so long at most; 0 if none came.
    fn read(&mut self, buffer: &mut [u8], wait: Duration) -> io::Result<usize>;

    /// Sends the first of some bytes, waiting for so long at most; 0 if none could be sent.
    fn write(&mut self, bytes: &[u8], wait: Duration) -> io::Result<usize>;
}

/// An open serial port: 8 data bits, no parity, 1 stop bit, no flow control, nobody else's.
#[derive(Debug)]
pub(super) struct Port(TTYPort);

impl Port {
    /// Opens it. Anything but a character device is refused without being opened.
    pub(super) fn open(path: &Arc<str>, baud: u32) -> Result<Self, PortFault> {
        match std::fs::metadata(&**path) {
            Ok(metadata) if metadata.file_type().is_char_device() => {}
            Ok(_) => return Err(PortFault::NotSerial(Arc::clone(path))),
            Err(error) if error.kind() == ErrorKind::PermissionDenied => {
                return Err(PortFault::Denied(Arc::clone(path)));
            }
            Err(_) => return Err(PortFault::Missing(Arc::clone(path))),
        }
        serialport::new(&**path, baud)
            .data_bits(DataBits::Eight)
            .parity(Parity::None)
            .stop_bits(StopBits::One)
            .flow_control(FlowControl::None)
            .exclusive(true)
            .open_native()
            .map(Self)
            .map_err(|error| PortFault::from_opening(path, &error))
    }
}

impl Wire for Port {
    // Both directions: what a reader did not take in its time would otherwise fill the buffer
    // of a pseudo-terminal until a write blocks.
    fn clear(&mut self) -> io::Result<()> {
        self.0.clear(ClearBuffer::All).map_err(io::Error::from)
    }

    fn read(&mut self, buffer: &mut [u8], wait: Duration) -> io::Result<usize> {
        self.0.set_timeout(wait).map_err(io::Error::from)?;
        // A port that is ready and has nothing to read was hung up.
        let read = self.0.read(buffer);
        match read {
            Ok(0) => Err(io::Error::new(ErrorKind::BrokenPipe, "hung up")),
            read => none_in_time(read),
        }
    }

    fn write(&mut self, bytes: &[u8], wait: Duration) -> io::Result<usize> {
        self.0.set_timeout(wait).map_err(io::Error::from)?;
        none_in_time(self.0.write(bytes))
    }
}

/// That nothing could be done in time, or yet, is no error.
fn none_in_time(done: io::Result<usize>) -> io::Result<usize> {
    let is_early = |kind| {
        [
            ErrorKind::TimedOut,
            ErrorKind::Interrupted,
            ErrorKind::WouldBlock,
        ]
        .contains(&kind)
    };
    match done {
        Err(error) if is_early(error.kind()) => Ok(0),
        done => done,
    }
}

/// What a path looks like from outside: changes when a device comes, goes or is given away.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Looks(Option<[u64; 6]>);

impl Looks {
    /// Looks at a path without opening it.
    pub(super) fn of(path: &str) -> Self {
        let traits = |metadata: Metadata| {
            [
                metadata.dev(),
                metadata.ino(),
                metadata.rdev(),
                u64::from(metadata.mode()),
                u64::from(metadata.uid()),
                u64::from(metadata.gid()),
            ]
        };
        Self(std::fs::metadata(path).ok().map(traits))
    }
}
