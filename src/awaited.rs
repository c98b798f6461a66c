//! Bytes of a pipe, whose writer may be silent for long.

use std::io::{self, Read};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel, sync_channel};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

/// Bytes read at a time.
const PIECE: usize = 1 << 17;

/// Pieces that wait to be taken: so few that a live source is not read far ahead.
const AHEAD: usize = 2;

/// How often it is asked whether anybody waits any more.
const GLANCE: Duration = Duration::from_millis(50);

/// A reader that ends where its writer is silent once the job is to stop, however long `open` or `read`
/// would have waited.
///
/// A thread of its own reads. It stays behind in `read` where it was left, until there is something or
/// the process ends.
pub(crate) struct Awaited {
    /// Whether the job is to stop.
    stops: Box<dyn Fn() -> bool + Send>,
    pieces: Receiver<io::Result<Vec<u8>>>,
    /// Gives pieces back.
    back: Sender<Vec<u8>>,
    piece: Vec<u8>,
    /// Bytes of the piece that were taken.
    at: usize,
    ended: bool,
    /// A read waits for what has not come.
    waits: bool,
    arrived: Arrived,
}

/// What has come from the writer and is not taken yet.
#[derive(Clone, Default)]
pub(crate) struct Arrived(Arc<(Mutex<Waiting>, Condvar)>);

#[derive(Default)]
struct Waiting {
    bytes: usize,
    /// Nothing will come any more; to learn that, nobody waits.
    ended: bool,
}

impl Arrived {
    fn change(&self, change: impl FnOnce(&mut Waiting)) {
        change(&mut self.0.0.lock().unwrap_or_else(PoisonError::into_inner));
        self.0.1.notify_all();
    }

    /// Whether a reader would wait now.
    fn is_empty(&self) -> bool {
        self.wait(Duration::ZERO)
    }

    /// Waits until there is something, but not longer than this; whether it still would wait then.
    pub(crate) fn wait(&self, longest: Duration) -> bool {
        let waiting = self.0.0.lock().unwrap_or_else(PoisonError::into_inner);
        let is_empty = |waiting: &mut Waiting| waiting.bytes == 0 && !waiting.ended;
        let (mut waiting, _) =
            self.0.1.wait_timeout_while(waiting, longest, is_empty).unwrap_or_else(PoisonError::into_inner);
        is_empty(&mut waiting)
    }
}

impl Awaited {
    /// Reads what `open` gives.
    ///
    /// # Errors
    /// If there can be no thread. Those of `open` come with the first bytes.
    pub(crate) fn new<R: Read>(
        open: impl FnOnce() -> io::Result<R> + Send + 'static,
        stops: impl Fn() -> bool + Send + 'static,
    ) -> io::Result<Awaited> {
        let (give, pieces) = sync_channel(AHEAD);
        let (back, used) = channel::<Vec<u8>>();
        let arrived = Arrived::default();
        let there = arrived.clone();
        let read = move || {
            let mut reader = match open() {
                Ok(reader) => reader,
                Err(error) => {
                    there.change(|waiting| waiting.ended = true);
                    return drop(give.send(Err(error)));
                }
            };
            loop {
                let mut piece = used.try_recv().unwrap_or_default();
                piece.resize(PIECE, 0);
                let read = match reader.read(&mut piece) {
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                    // Somebody has set the descriptor so; whether to wait is decided further up.
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                        std::thread::sleep(GLANCE);
                        continue;
                    }
                    read => read,
                };
                let last = matches!(read, Ok(0) | Err(_));
                there.change(|waiting| {
                    waiting.bytes += read.as_ref().map_or(0, |n| *n);
                    waiting.ended |= last;
                });
                let piece = read.map(|n| {
                    piece.truncate(n);
                    piece
                });
                if give.send(piece).is_err() || last {
                    break;
                }
            }
        };
        std::thread::Builder::new().name("input".into()).spawn(read)?;
        let stops = Box::new(stops);
        Ok(Awaited { stops, pieces, back, piece: Vec::new(), at: 0, ended: false, waits: true, arrived })
    }

    /// From now on a read gives `WouldBlock` where nothing has come. For waiting there is what this gives.
    pub(crate) fn without_waiting(&mut self) -> Arrived {
        self.waits = false;
        self.arrived.clone()
    }

    /// Waits for the next piece; `false` if there is none.
    fn next(&mut self) -> io::Result<bool> {
        while !self.ended {
            if !self.waits && self.arrived.is_empty() && !(self.stops)() {
                return Err(io::ErrorKind::WouldBlock.into());
            }
            match self.pieces.recv_timeout(GLANCE) {
                Ok(piece) => {
                    let used = std::mem::replace(&mut self.piece, piece?);
                    // At the end nobody takes it.
                    let _ = self.back.send(used);
                    self.at = 0;
                    self.ended = self.piece.is_empty();
                    return Ok(!self.ended);
                }
                Err(RecvTimeoutError::Timeout) if !(self.stops)() => {}
                Err(_) => self.ended = true,
            }
        }
        Ok(false)
    }
}

impl Read for Awaited {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        if self.at == self.piece.len() && !self.next()? {
            return Ok(0);
        }
        let n = buf.len().min(self.piece.len() - self.at);
        buf[..n].copy_from_slice(&self.piece[self.at..self.at + n]);
        self.at += n;
        self.arrived.change(|waiting| waiting.bytes -= n.min(waiting.bytes));
        Ok(n)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::time::Instant;

    use super::*;
    use crate::Stop;

    #[test]
    fn all_bytes_come_in_order() {
        let bytes: Vec<u8> = (0..3_000_001_u32).map(|i| (i % 251) as u8).collect();
        let (reader, mut writer) = io::pipe().unwrap();
        let given = bytes.clone();
        std::thread::spawn(move || given.chunks(70_001).for_each(|piece| writer.write_all(piece).unwrap()));
        let mut awaited = Awaited::new(|| Ok(reader), || false).unwrap();
        let mut found = Vec::new();
        awaited.read_to_end(&mut found).unwrap();
        assert!(found == bytes);
        assert_eq!(awaited.read(&mut [0; 10]).unwrap(), 0);
    }

    #[test]
    fn what_is_there_is_read_and_a_silent_writer_is_left() {
        let (reader, mut writer) = io::pipe().unwrap();
        writer.write_all(b"events").unwrap();
        let (stop, ask) = (Stop::new(), Stop::new());
        let asked = ask.clone();
        std::thread::spawn(move || {
            std::thread::sleep(Duration::from_millis(200));
            asked.ask();
        });
        let begun = Instant::now();
        let mut found = String::new();
        let mut awaited = Awaited::new(|| Ok(reader), move || ask.is_asked() || stop.is_asked()).unwrap();
        awaited.read_to_string(&mut found).unwrap();
        assert_eq!(found, "events");
        assert!(begun.elapsed() >= Duration::from_millis(200));
        drop(writer);
    }

    #[test]
    fn what_has_come_is_known_without_waiting() {
        let (reader, mut writer) = io::pipe().unwrap();
        let mut awaited = Awaited::new(|| Ok(reader), || false).unwrap();
        let arrived = awaited.without_waiting();
        assert!(arrived.is_empty() && arrived.wait(Duration::from_millis(20)));
        let waits = |awaited: &mut Awaited| {
            let error = awaited.read(&mut [0; 10]).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::WouldBlock);
        };
        waits(&mut awaited);
        writer.write_all(b"events").unwrap();
        assert!(!arrived.wait(Duration::from_secs(60)));
        awaited.read_exact(&mut [0; 4]).unwrap();
        assert!(!arrived.is_empty());
        awaited.read_exact(&mut [0; 2]).unwrap();
        assert!(arrived.is_empty());
        waits(&mut awaited);
        drop(writer);
        // An end is something to be read.
        assert!(!arrived.wait(Duration::from_secs(60)));
        assert_eq!(awaited.read(&mut [0; 10]).unwrap(), 0);
    }

    #[test]
    fn who_does_not_wait_hears_of_the_end_when_the_job_is_to_stop() {
        let (reader, _writer) = io::pipe().unwrap();
        let stop = Stop::new();
        let ask = stop.clone();
        let mut awaited = Awaited::new(|| Ok(reader), move || ask.is_asked()).unwrap();
        awaited.without_waiting();
        assert_eq!(awaited.read(&mut [0; 10]).unwrap_err().kind(), io::ErrorKind::WouldBlock);
        stop.ask();
        assert_eq!(awaited.read(&mut [0; 10]).unwrap(), 0);
    }

    /// A descriptor that somebody has set so is no reason to end early.
    #[test]
    fn a_descriptor_that_does_not_wait_is_asked_again() {
        struct Later(usize);
        impl Read for Later {
            fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
                self.0 += 1;
                buf[0] = b'e';
                match self.0 {
                    1 | 3 => Err(io::ErrorKind::WouldBlock.into()),
                    2 | 4 => Ok(1),
                    _ => Ok(0),
                }
            }
        }
        let mut found = String::new();
        Awaited::new(|| Ok(Later(0)), || false).unwrap().read_to_string(&mut found).unwrap();
        assert_eq!(found, "ee");
    }

    #[test]
    fn errors_come_where_they_happen() {
        let mut awaited = Awaited::new(|| Err::<io::Empty, _>(io::Error::other("none")), || false).unwrap();
        assert_eq!(awaited.read(&mut [0; 10]).unwrap_err().to_string(), "none");
        assert_eq!(awaited.read(&mut [0; 10]).unwrap(), 0);
    }
}
