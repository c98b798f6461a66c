//! A connection, as far as the rest knows: bytes in, bytes out, with patience. A socket, or a script.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

/// A connection.
pub(crate) trait Line: Send {
    /// Reads what is there, waiting if there is nothing. No bytes: the other side has closed.
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize>;
    /// Writes all of it, within this time.
    fn write(&mut self, bytes: &[u8], within: Duration) -> io::Result<()>;
    /// For how long a read waits from now on.
    fn patience(&mut self, time: Duration) -> io::Result<()>;
    /// Have what comes next acknowledged at once.
    ///
    /// The server leaves Nagle's algorithm on: the second of two small replies stays with it until the first
    /// is acknowledged, and the receiver of the first waits 40 ms with that. The kernel forgets the wish, so
    /// it is said before each read. 180 events/s become 70,000.
    fn quick(&mut self);
}

/// Whether calls in groups pay here.
pub(crate) const GROUPS: bool = cfg!(target_os = "linux");

impl Line for TcpStream {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        Read::read(self, to)
    }

    fn write(&mut self, bytes: &[u8], within: Duration) -> io::Result<()> {
        let end = deadline(within);
        let mut rest = bytes;
        while !rest.is_empty() {
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(io::ErrorKind::TimedOut.into());
            }
            self.set_write_timeout(Some(left))?;
            match Write::write(self, rest) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(bytes) => rest = rest.get(bytes..).unwrap_or_default(),
                Err(error) if is_late(&error) || error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    fn patience(&mut self, time: Duration) -> io::Result<()> {
        self.set_read_timeout(Some(time))
    }

    fn quick(&mut self) {
        #[cfg(target_os = "linux")]
        // Without it, it is slow and right.
        let _ = rustix::net::sockopt::set_tcp_quickack(&*self, true);
    }
}

/// The longest time that is waited for anything.
pub(crate) const LONGEST: Duration = Duration::from_secs(24 * 60 * 60);

/// When a time is over that begins now; one that is too long is cut.
pub(crate) fn deadline(within: Duration) -> Instant {
    let now = Instant::now();
    now.checked_add(within.min(LONGEST)).unwrap_or(now)
}

/// Whether a read has only waited for too long.
pub(crate) fn is_late(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut)
}

/// Whether the other side is gone.
pub(crate) fn is_gone(error: &io::Error) -> bool {
    use io::ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset, UnexpectedEof};
    matches!(error.kind(), ConnectionReset | BrokenPipe | ConnectionAborted | UnexpectedEof)
}
