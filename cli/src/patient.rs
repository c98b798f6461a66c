//! Standard output, whose reader may take nothing any more.

use std::io::{self, Write};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::time::{Duration, Instant};

use pactolus::Stop;

/// How long a reader may take nothing once the job is to stop.
const PATIENCE: Duration = Duration::from_secs(1);

/// How often it is asked whether the job is to stop.
const GLANCE: Duration = Duration::from_millis(50);

/// Bytes written at a time: what a pipe holds.
const PIECE: usize = 1 << 16;

/// Standard output of the process, for events. Whoever reads may take his time, until the user stops
/// the job: then a reader who takes nothing is not waited for.
///
/// A thread of its own writes, because nothing else gets away from a pipe that is full.
pub(crate) struct Patient {
    stop: Stop,
    give: SyncSender<Vec<u8>>,
    done: Receiver<(Vec<u8>, io::Result<usize>)>,
    /// Reused from piece to piece.
    piece: Vec<u8>,
    given_up: bool,
}

impl Patient {
    /// Writes to standard output.
    ///
    /// # Errors
    /// If it is closed, or there can be no thread.
    pub(crate) fn stdout(stop: &Stop) -> io::Result<Patient> {
        Patient::new(own_stdout()?, stop)
    }

    fn new(mut out: impl Write + Send + 'static, stop: &Stop) -> io::Result<Patient> {
        let (give, pieces) = sync_channel::<Vec<u8>>(1);
        let (tell, done) = sync_channel(1);
        let write = move || {
            for piece in pieces {
                let written = out.write(&piece).and_then(|n| out.flush().map(|()| n));
                if tell.send((piece, written)).is_err() {
                    break;
                }
            }
        };
        std::thread::Builder::new().name("standard output".into()).spawn(write)?;
        Ok(Patient { stop: stop.clone(), give, done, piece: Vec::new(), given_up: false })
    }

    fn give_up(&mut self) -> io::Error {
        self.given_up = true;
        io::Error::new(io::ErrorKind::TimedOut, "the job was to stop, and its reader takes nothing")
    }
}

impl Write for Patient {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        if self.given_up {
            return Err(self.give_up());
        }
        let mut piece = std::mem::take(&mut self.piece);
        piece.clear();
        piece.extend_from_slice(&buf[..buf.len().min(PIECE)]);
        let gone = || io::Error::other("the thread that writes is gone");
        self.give.send(piece).map_err(|_| gone())?;
        let mut stopped: Option<Instant> = None;
        loop {
            match self.done.recv_timeout(GLANCE) {
                Ok((piece, written)) => {
                    self.piece = piece;
                    return written;
                }
                Err(RecvTimeoutError::Disconnected) => return Err(gone()),
                Err(RecvTimeoutError::Timeout) if self.stop.is_asked() => {
                    if stopped.get_or_insert_with(Instant::now).elapsed() >= PATIENCE {
                        return Err(self.give_up());
                    }
                }
                Err(RecvTimeoutError::Timeout) => {}
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        // Every piece is out before the next comes.
        Ok(())
    }
}

/// Standard output for a thread of its own, which nothing waits for that wants the one of the process.
///
/// # Errors
/// If it is closed.
#[cfg(unix)]
pub(crate) fn own_stdout() -> io::Result<std::fs::File> {
    use std::os::fd::AsFd;

    Ok(std::fs::File::from(io::stdout().as_fd().try_clone_to_owned()?))
}

/// Standard output.
#[cfg(not(unix))]
pub(crate) fn own_stdout() -> io::Result<io::Stdout> {
    Ok(io::stdout())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reader_is_waited_for_until_the_job_is_to_stop() {
        let (mut reader, writer) = io::pipe().unwrap();
        let stop = Stop::new();
        let mut out = Patient::new(writer, &stop).unwrap();
        let bytes: Vec<u8> = (0..1_000_000_u32).map(|i| (i % 251) as u8).collect();
        let read = std::thread::spawn(move || {
            let mut part = vec![0; 500_000];
            std::thread::sleep(Duration::from_millis(200));
            io::Read::read_exact(&mut reader, &mut part).unwrap();
            (reader, part)
        });
        out.write_all(&bytes[..500_000]).unwrap();
        let (reader, part) = read.join().unwrap();
        assert!(part == bytes[..500_000]);
        let begun = Instant::now();
        let ask = stop.clone();
        std::thread::spawn(move || {
            std::thread::sleep(Duration::from_millis(300));
            ask.ask();
        });
        let error = out.write_all(&bytes[500_000..]).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        assert!(begun.elapsed() >= Duration::from_millis(1200), "{:?}", begun.elapsed());
        assert_eq!(out.write(b"more").unwrap_err().kind(), io::ErrorKind::TimedOut);
        drop(reader);
    }

    #[test]
    fn errors_come_where_they_happen() {
        let (reader, writer) = io::pipe().unwrap();
        let mut out = Patient::new(writer, &Stop::new()).unwrap();
        out.write_all(b"some").unwrap();
        drop(reader);
        assert_eq!(out.write(b"more").unwrap_err().kind(), io::ErrorKind::BrokenPipe);
    }
}
