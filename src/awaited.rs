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
    pub(crate) fn is_empty(&self) -> bool {
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
        Ok(Awaited { stops, pieces, back, piece: Vec::new(), at: 0, ended: false, arrived })
    }

    /// What has come so far, for whoever does not want to wait.
    pub(crate) fn arrived(&self) -> Arrived {
        self.arrived.clone()
    }

    /// Waits for the next piece; `false` if there is none.
    fn next(&mut self) -> io::Result<bool> {
        while !self.ended {
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
        let arrived = awaited.arrived();
        assert!(arrived.is_empty() && arrived.wait(Duration::from_millis(20)));
        writer.write_all(b"events").unwrap();
        assert!(!arrived.wait(Duration::from_secs(60)));
        awaited.read_exact(&mut [0; 4]).unwrap();
        assert!(!arrived.is_empty());
        awaited.read_exact(&mut [0; 2]).unwrap();
        assert!(arrived.is_empty());
        drop(writer);
        // An end is something to be read.
        assert!(!arrived.wait(Duration::from_secs(60)));
        assert_eq!(awaited.read(&mut [0; 10]).unwrap(), 0);
    }

    #[test]
    fn errors_come_where_they_happen() {
        let mut awaited = Awaited::new(|| Err::<io::Empty, _>(io::Error::other("none")), || false).unwrap();
        assert_eq!(awaited.read(&mut [0; 10]).unwrap_err().to_string(), "none");
        assert_eq!(awaited.read(&mut [0; 10]).unwrap(), 0);
    }
}
