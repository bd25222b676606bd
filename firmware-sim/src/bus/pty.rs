//! A pseudo terminal under a stable path, which is opened like a serial port.

use std::ffi::OsString;
use std::fs;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStringExt;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use rustix::pty::OpenptFlags;
use rustix::termios::OptionalActions;

/// The line's end of a pseudo terminal; gone when dropped, and its path with it.
#[derive(Debug)]
pub(crate) struct Pty {
    line: OwnedFd,
    path: PathBuf,
    device: PathBuf,
}

/// What reading brought.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Fetched {
    Bytes(usize),
    Nothing,
    /// Whoever had opened it has closed it.
    HungUp,
}

impl Pty {
    /// Makes one and links `path` to it. A link that is there is replaced, nothing else is.
    ///
    /// It is raw already, so that a host that sets nothing gets the bytes as they are.
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC;
        let line = rustix::pty::openpt(flags)?;
        rustix::pty::grantpt(&line)?;
        rustix::pty::unlockpt(&line)?;
        rustix::io::ioctl_fionbio(&line, true)?;
        let mut attributes = rustix::termios::tcgetattr(&line)?;
        attributes.make_raw();
        rustix::termios::tcsetattr(&line, OptionalActions::Now, &attributes)?;
        let name = rustix::pty::ptsname(&line, Vec::new())?;
        let device = PathBuf::from(OsString::from_vec(name.into_bytes()));
        link(path, &device)?;
        Ok(Self {
            line,
            path: path.to_owned(),
            device,
        })
    }

    /// Writes as much as the host's buffer takes; how much that was.
    pub(crate) fn write(&self, bytes: &[u8]) -> usize {
        let mut written = 0;
        while let Some(rest) = bytes.get(written..).filter(|rest| !rest.is_empty()) {
            match rustix::io::write(&self.line, rest) {
                Ok(0) => break,
                Ok(count) => written += count,
                Err(rustix::io::Errno::INTR) => {}
                Err(_) => break,
            }
        }
        written
    }

    /// Reads what is there.
    pub(crate) fn read(&self, bytes: &mut [u8]) -> Fetched {
        match rustix::io::read(&self.line, bytes) {
            Ok(0) => Fetched::HungUp,
            Ok(count) => Fetched::Bytes(count),
            Err(rustix::io::Errno::AGAIN | rustix::io::Errno::INTR) => Fetched::Nothing,
            Err(_) => Fetched::HungUp,
        }
    }
}

impl AsFd for Pty {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.line.as_fd()
    }
}

impl Drop for Pty {
    fn drop(&mut self) {
        // Only its own: another may have put one there by now.
        if fs::read_link(&self.path).is_ok_and(|target| target == self.device) {
            // Gone is what it should be; whoever opens a dead link is told so.
            let _gone = fs::remove_file(&self.path);
        }
    }
}

/// Links `path` to `device` in one step.
fn link(path: &Path, device: &Path) -> io::Result<()> {
    if fs::symlink_metadata(path).is_ok_and(|found| !found.is_symlink()) {
        let told = format!("`{}` is there and is no link", path.display());
        return Err(io::Error::new(io::ErrorKind::AlreadyExists, told));
    }
    let mut beside = path.as_os_str().to_owned();
    beside.push(format!(".{}", std::process::id()));
    if let Err(error) = fs::remove_file(&beside)
        && error.kind() != io::ErrorKind::NotFound
    {
        return Err(error);
    }
    symlink(device, &beside)?;
    fs::rename(&beside, path)
}
