//! A stream decoded on a thread of its own, some way ahead of the one who reads it.

use std::collections::VecDeque;
use std::io::{self, Read};
use std::sync::mpsc::{SendError, sync_channel};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};

use super::decoder::{Decoder, Piece, Wide};
use crate::pool::Pool;

/// Gives what a [`Decoder`] gives: the same bytes, in the same pieces, errors and places.
pub(super) struct Ahead {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
    piece: Piece,
    /// How far it has been read, in bytes and in places.
    read: usize,
    place: usize,
    /// Where the compressed file has been decoded to for what was read.
    offset: u64,
    state: State,
}

enum State {
    Reading,
    /// The system has refused a read. The next may succeed.
    Refused,
    /// The compressed bytes are broken.
    Broken(io::ErrorKind, String),
    Ended,
}

/// What the thread has to say, in the order of the file.
enum Item {
    Piece(Piece),
    Refused(io::Error, u64),
    Broken(io::Error, u64),
    End(u64),
    Resumed(io::Result<bool>, u64),
}

/// What the thread waits for behind an error.
#[derive(Clone, Copy)]
enum Request {
    /// That it tries to read on.
    Again,
    Resume,
}

#[derive(Default)]
struct Shared {
    queue: Mutex<Queue>,
    changed: Condvar,
}

#[derive(Default)]
struct Queue {
    items: VecDeque<Item>,
    /// Content of the pieces among them.
    bytes: usize,
    request: Option<Request>,
    /// Memory of pieces that have been read.
    spare: Vec<Vec<u8>>,
    /// One of the two has gone.
    closed: bool,
}

/// The thread rests while so much content waits to be read.
const AHEAD: usize = 3 << 20;
/// Content that the decoder is asked for at a time.
const PIECE: usize = 256 << 10;
/// Pieces whose memory is kept, and the most for each.
const SPARE: usize = 4;
const MAX_SPARE: usize = 2 << 20;

impl Ahead {
    /// Starts the thread. If the system has no room for one, the decoder comes back.
    pub(super) fn start<R: Read + Send + 'static>(
        decoder: Decoder<R>,
        pool: Pool,
        window: usize,
    ) -> Result<Ahead, Box<Decoder<R>>> {
        let shared = Arc::new(Shared::default());
        let (give, take) = sync_channel(1);
        let theirs = Closes(Arc::clone(&shared));
        let spawned = thread::Builder::new().name("unpacker".into()).spawn(move || {
            if let Ok(wide) = take.recv() {
                run(wide, &theirs.0);
            }
        });
        let Ok(thread) = spawned else { return Err(Box::new(decoder)) };
        let offset = decoder.told();
        if let Err(SendError(wide)) = give.send(Wide::new(decoder, pool, window)) {
            return Err(Box::new(wide.into_decoder()));
        }
        let (thread, piece) = (Some(thread), Piece::default());
        Ok(Ahead { shared, thread, piece, read: 0, place: 0, offset, state: State::Reading })
    }

    /// How far the compressed file has been decoded for what was read.
    pub(super) fn offset(&self) -> u64 {
        self.offset
    }

    /// Whether all has been read, to the end.
    pub(super) fn has_ended(&self) -> bool {
        matches!(self.state, State::Ended)
    }

    /// See [`ByteSource::resume`](super::ByteSource::resume).
    pub(super) fn resume(&mut self) -> io::Result<bool> {
        if !matches!(self.state, State::Broken(..)) {
            return Ok(false);
        }
        self.shared.ask(Request::Resume);
        loop {
            match self.next() {
                Item::Resumed(resumed, offset) => {
                    self.offset = offset;
                    if matches!(resumed, Ok(true)) {
                        self.state = State::Reading;
                    }
                    return resumed;
                }
                // The thread has gone: nobody will answer.
                Item::End(_) => return Ok(false),
                _ => {}
            }
        }
    }

    /// The next item, when it is there.
    fn next(&mut self) -> Item {
        if let Some(item) = self.shared.next() {
            return item;
        }
        // It has gone without a word, so it panicked: as the decoder would have done here.
        match self.thread.take().map(JoinHandle::join) {
            Some(Err(panic)) => std::panic::resume_unwind(panic),
            _ => Item::End(self.offset),
        }
    }
}

impl Ahead {
    /// Goes to the next piece; whether there is one.
    fn next_piece(&mut self) -> io::Result<bool> {
        match &self.state {
            State::Ended => return Ok(false),
            State::Broken(kind, why) => return Err(io::Error::new(*kind, why.clone())),
            State::Refused => self.shared.ask(Request::Again),
            State::Reading => {}
        }
        self.state = State::Reading;
        loop {
            match self.next() {
                Item::Piece(piece) if piece.bytes.is_empty() => {}
                Item::Piece(piece) => {
                    let read = std::mem::replace(&mut self.piece, piece);
                    self.shared.keep(read.bytes);
                    (self.read, self.place) = (0, 0);
                    return Ok(true);
                }
                Item::Refused(error, offset) => {
                    (self.state, self.offset) = (State::Refused, offset);
                    return Err(error);
                }
                Item::Broken(error, offset) => {
                    (self.state, self.offset) = (State::Broken(error.kind(), error.to_string()), offset);
                    return Err(error);
                }
                Item::End(offset) => {
                    (self.state, self.offset) = (State::Ended, offset);
                    return Ok(false);
                }
                Item::Resumed(..) => {}
            }
        }
    }

    /// Copies what was decoded for one place.
    fn copy(&mut self, out: &mut [u8]) -> usize {
        let places = &self.piece.places;
        while let Some((_, place)) = places.get(self.place).filter(|(from, _)| *from <= self.read) {
            self.offset = *place;
            self.place += 1;
        }
        let end = places.get(self.place).map_or(self.piece.bytes.len(), |(from, _)| *from);
        let rest = &self.piece.bytes[self.read..end];
        let n = rest.len().min(out.len());
        out[..n].copy_from_slice(&rest[..n]);
        self.read += n;
        n
    }
}

impl Read for Ahead {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        if out.is_empty() {
            return Ok(0);
        }
        let mut done = 0;
        loop {
            if self.read == self.piece.bytes.len() && !self.next_piece()? {
                return Ok(done);
            }
            done += self.copy(&mut out[done..]);
            let goes_on = self.piece.goes_on && self.read == self.piece.bytes.len();
            if !goes_on || done == out.len() {
                return Ok(done);
            }
        }
    }
}

impl Drop for Ahead {
    /// The thread may be in a read that never returns: then it is not waited for.
    fn drop(&mut self) {
        self.shared.close();
        if !matches!(self.state, State::Reading) {
            // It has ended, or waits for a request. Whether it panicked no longer matters.
            let _ = self.thread.take().map(JoinHandle::join);
        }
    }
}

/// The thread, until everything is read or nobody reads any more.
fn run<R: Read>(mut wide: Wide<R>, shared: &Shared) {
    loop {
        let item = match wide.next(&|| shared.spare()) {
            Some(piece) => Item::Piece(piece),
            None => decode(wide.decoder(), shared.spare()),
        };
        let (is_piece, is_end) = (matches!(item, Item::Piece(_)), matches!(item, Item::End(_)));
        if !shared.give(item) || is_end || (!is_piece && !goes_on(wide.decoder(), shared)) {
            return;
        }
    }
}

/// Behind an error: does what the reader asks for, until decoding goes on or he has gone.
fn goes_on<R: Read>(decoder: &mut Decoder<R>, shared: &Shared) -> bool {
    loop {
        match shared.request() {
            None => return false,
            Some(Request::Again) => return true,
            Some(Request::Resume) => {
                let resumed = decoder.resume();
                let on = matches!(resumed, Ok(true));
                if !shared.give(Item::Resumed(resumed, decoder.told())) {
                    return false;
                }
                if on {
                    return true;
                }
            }
        }
    }
}

fn decode<R: Read>(decoder: &mut Decoder<R>, mut bytes: Vec<u8>) -> Item {
    bytes.resize(PIECE, 0);
    let read = decoder.read(&mut bytes);
    let offset = decoder.told();
    match read {
        Ok(0) => Item::End(offset),
        Ok(n) => {
            bytes.truncate(n);
            Item::Piece(Piece { bytes, places: vec![(0, offset)], goes_on: decoder.holds() })
        }
        Err(error) if decoder.is_broken() => Item::Broken(error, offset),
        Err(error) => Item::Refused(error, offset),
    }
}

impl Shared {
    /// Hands an item to the reader when there is room; whether he is still there.
    fn give(&self, item: Item) -> bool {
        let mut queue = self.wait(|queue| queue.bytes < AHEAD);
        if let Item::Piece(piece) = &item {
            queue.bytes += piece.bytes.len();
        }
        queue.items.push_back(item);
        self.changed.notify_all();
        !queue.closed
    }

    /// The next item; `None` if there will be none.
    fn next(&self) -> Option<Item> {
        let mut queue = self.wait(|queue| !queue.items.is_empty());
        let item = queue.items.pop_front();
        if let Some(Item::Piece(piece)) = &item {
            queue.bytes -= piece.bytes.len();
            self.changed.notify_all();
        }
        item
    }

    fn ask(&self, request: Request) {
        lock(&self.queue).request = Some(request);
        self.changed.notify_all();
    }

    /// What the reader asks for; `None` if he has gone.
    fn request(&self) -> Option<Request> {
        self.wait(|queue| queue.request.is_some()).request.take()
    }

    fn keep(&self, bytes: Vec<u8>) {
        let mut queue = lock(&self.queue);
        if queue.spare.len() < SPARE && (PIECE..=MAX_SPARE).contains(&bytes.capacity()) {
            queue.spare.push(bytes);
        }
    }

    fn spare(&self) -> Vec<u8> {
        lock(&self.queue).spare.pop().unwrap_or_default()
    }

    fn close(&self) {
        lock(&self.queue).closed = true;
        self.changed.notify_all();
    }

    /// Waits until something is so, or the other one has gone.
    fn wait(&self, so: impl Fn(&Queue) -> bool) -> MutexGuard<'_, Queue> {
        let waits = |queue: &mut Queue| !so(queue) && !queue.closed;
        self.changed.wait_while(lock(&self.queue), waits).unwrap_or_else(PoisonError::into_inner)
    }
}

/// Says that the thread has gone, also if it panicked.
struct Closes(Arc<Shared>);

impl Drop for Closes {
    fn drop(&mut self) {
        self.0.close();
    }
}

/// Nobody panics while holding the lock.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_resumed_where_the_thread_has_gone() {
        let shared = Arc::new(Shared::default());
        drop(Closes(Arc::clone(&shared)));
        let state = State::Broken(io::ErrorKind::InvalidData, "broken".into());
        let piece = Piece::default();
        let mut ahead = Ahead { shared, thread: None, piece, read: 0, place: 0, offset: 7, state };
        let (tell, told) = sync_channel(1);
        thread::spawn(move || {
            let resumed = ahead.resume().map_err(|error| error.to_string());
            let read = ahead.read(&mut [0]).map_err(|error| error.to_string());
            tell.send((resumed, read, ahead.offset())).unwrap();
        });
        let answers = told.recv_timeout(std::time::Duration::from_secs(20));
        assert_eq!(answers, Ok((Ok(false), Err("broken".into()), 7)));
    }
}
