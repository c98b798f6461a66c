//! An event buffer: a ring that producers write and each reader follows at its own place.

use std::sync::mpsc::Sender;
use std::sync::{Condvar, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use super::status;
use super::wire::{Reply, pad8};

pub const GET_ALL: i32 = 1;
pub const GET_RECENT: i32 = 4;

#[derive(Clone, Copy, Debug)]
pub struct Request {
    pub id: i32,
    pub event: u16,
    pub mask: u16,
    pub sampling: i32,
    pub wants_notes: bool,
}

pub struct Ring {
    pub name: String,
    inner: Mutex<Inner>,
    changed: Condvar,
}

struct Inner {
    bytes: Vec<u8>,
    /// Bytes ever written; the place in the ring is the rest of this.
    written: u64,
    readers: Vec<Reader>,
    next: u32,
    /// Threads that wait for a change.
    waiting: usize,
}

pub struct Reader {
    id: u32,
    owner: String,
    at: u64,
    requests: Vec<Request>,
    cache: Vec<u8>,
    cache_at: usize,
    cache_size: usize,
    notes: Sender<Vec<u8>>,
    told: Option<Instant>,
}

/// The parts of an event's header that matter here.
struct Head {
    id: u16,
    mask: u16,
    time: u32,
    size: usize,
}

impl Head {
    fn of(bytes: [u8; 16]) -> Head {
        let word = |at: usize| u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]]);
        let half = |at: usize| u16::from_le_bytes([bytes[at], bytes[at + 1]]);
        Head { id: half(0), mask: half(2), time: word(8), size: 16 + word(12) as usize }
    }
}

impl Request {
    fn wants(&self, head: &Head) -> bool {
        let id = self.event == u16::MAX || self.event == head.id;
        id && (self.mask == u16::MAX || self.mask & head.mask != 0)
    }
}

impl Inner {
    fn copy(&self, at: u64, size: usize, to: &mut Vec<u8>) {
        let start = (at % self.bytes.len() as u64) as usize;
        let first = size.min(self.bytes.len() - start);
        to.extend_from_slice(&self.bytes[start..start + first]);
        to.extend_from_slice(&self.bytes[..size - first]);
    }

    fn head(&self, at: u64) -> Head {
        // Every event begins at a multiple of 8, so does the ring end.
        let start = (at % self.bytes.len() as u64) as usize;
        let mut header = [0; 16];
        let first = 16.min(self.bytes.len() - start);
        header[..first].copy_from_slice(&self.bytes[start..start + first]);
        header[first..].copy_from_slice(&self.bytes[..16 - first]);
        Head::of(header)
    }

    /// Makes room by moving readers on; false if one of them must not be moved.
    fn room(&mut self, size: usize) -> bool {
        let full =
            |at: u64, inner: &Inner| inner.written + (size + 100) as u64 >= at + inner.bytes.len() as u64;
        for index in 0..self.readers.len() {
            let mut at = self.readers[index].at;
            let mut stays = false;
            while !stays && full(at, self) && at < self.written {
                let head = self.head(at);
                let wants = |request: &Request| request.sampling == GET_ALL && request.wants(&head);
                stays = self.readers[index].requests.iter().any(wants);
                if !stays {
                    at += pad8(head.size) as u64;
                }
            }
            self.readers[index].at = at;
            if stays {
                return false;
            }
        }
        true
    }

    fn put(&mut self, event: &[u8]) {
        let start = (self.written % self.bytes.len() as u64) as usize;
        let first = event.len().min(self.bytes.len() - start);
        self.bytes[start..start + first].copy_from_slice(&event[..first]);
        self.bytes[..event.len() - first].copy_from_slice(&event[first..]);
        self.written += pad8(event.len()) as u64;
    }

    fn tell(&mut self, event: &[u8]) {
        let Some(header) = event.first_chunk::<16>() else { return };
        let head = Head::of(*header);
        for reader in &mut self.readers {
            let wants = reader.requests.iter().any(|request| request.wants_notes && request.wants(&head));
            if wants && reader.told.is_none_or(|told| told.elapsed() > Duration::from_millis(500)) {
                reader.told = Some(Instant::now());
                let _ = reader.notes.send(vec![1, 0, 0, 0, 0, 0, 0, 0]);
            }
        }
    }

    fn reader(&mut self, id: u32) -> Option<usize> {
        self.readers.iter().position(|reader| reader.id == id)
    }

    /// The next event that reader `index` wants and has not seen: where, and its size.
    fn next_event(&mut self, index: usize) -> Option<(u64, usize)> {
        let now = super::now();
        loop {
            let reader = &self.readers[index];
            let at = reader.at;
            if at >= self.written {
                return None;
            }
            let head = self.head(at);
            let is_old =
                |request: &Request| request.sampling == GET_RECENT && now > head.time.saturating_add(1);
            let wanted = reader.requests.iter().any(|request| request.wants(&head) && !is_old(request));
            self.readers[index].at = at + pad8(head.size) as u64;
            if wanted {
                return Some((at, head.size));
            }
        }
    }

    fn fill_cache(&mut self, index: usize) {
        let reader = &mut self.readers[index];
        reader.cache_at = 0;
        let mut cache = std::mem::take(&mut reader.cache);
        cache.clear();
        while let Some((at, size)) = self.next_event(index) {
            if cache.len() + pad8(size) > self.readers[index].cache_size {
                // Not this one: it is the next, past the cache if it is too large for it.
                self.readers[index].at = at;
                break;
            }
            self.copy(at, size, &mut cache);
            cache.resize(pad8(cache.len()), 0);
        }
        self.readers[index].cache = cache;
    }
}

impl Ring {
    pub fn new(name: &str, size: usize) -> Ring {
        let inner = Inner {
            bytes: vec![0; pad8(size.max(1000))],
            written: 0,
            readers: Vec::new(),
            next: 1,
            waiting: 0,
        };
        Ring { name: name.to_owned(), inner: Mutex::new(inner), changed: Condvar::new() }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    fn wait<'a>(&'a self, mut inner: MutexGuard<'a, Inner>, longest: Duration) -> MutexGuard<'a, Inner> {
        inner.waiting += 1;
        let woken = self.changed.wait_timeout(inner, longest);
        let mut inner = woken.unwrap_or_else(std::sync::PoisonError::into_inner).0;
        inner.waiting -= 1;
        inner
    }

    fn wake(&self, inner: &Inner) {
        if inner.waiting > 0 {
            self.changed.notify_all();
        }
    }

    pub fn attach(&self, owner: &str, notes: Sender<Vec<u8>>) -> u32 {
        let mut inner = self.lock();
        let id = inner.next;
        inner.next += 1;
        let reader = Reader {
            id,
            owner: owner.to_owned(),
            at: inner.written,
            requests: Vec::new(),
            cache: Vec::new(),
            cache_at: 0,
            cache_size: 0,
            notes,
            told: None,
        };
        inner.readers.push(reader);
        id
    }

    pub fn detach(&self, reader: u32) {
        let mut inner = self.lock();
        inner.readers.retain(|other| other.id != reader);
        self.wake(&inner);
    }

    /// How many read, and where the writer is.
    pub fn header(&self) -> (Vec<String>, usize, u64) {
        let inner = self.lock();
        (inner.readers.iter().map(|reader| reader.owner.clone()).collect(), inner.bytes.len(), inner.written)
    }

    pub fn request(&self, reader: u32, request: Request) -> i32 {
        let mut inner = self.lock();
        let Some(index) = inner.reader(reader) else { return status::BM_INVALID_HANDLE };
        let reader = &mut inner.readers[index];
        if request.sampling == GET_RECENT && reader.cache_size > 0 {
            return status::BM_INVALID_PARAM;
        }
        if reader.requests.len() == 10 {
            return status::BM_NO_SLOT;
        }
        reader.requests.push(request);
        status::SUCCESS
    }

    pub fn withdraw(&self, reader: u32, id: i32) -> i32 {
        let mut inner = self.lock();
        let Some(index) = inner.reader(reader) else { return status::BM_INVALID_HANDLE };
        let before = inner.readers[index].requests.len();
        inner.readers[index].requests.retain(|request| request.id != id);
        let is_gone = inner.readers[index].requests.len() < before;
        self.wake(&inner);
        if is_gone { status::SUCCESS } else { status::BM_NOT_FOUND }
    }

    pub fn set_cache(&self, reader: u32, size: i32) -> i32 {
        let mut inner = self.lock();
        let Some(index) = inner.reader(reader) else { return status::BM_INVALID_HANDLE };
        match usize::try_from(size) {
            Ok(size) if size <= 1_000_000 => inner.readers[index].cache_size = size,
            _ => return status::BM_INVALID_PARAM,
        }
        status::SUCCESS
    }

    /// Unread bytes, those in the cache included.
    pub fn level(&self, reader: u32) -> Option<u64> {
        let mut inner = self.lock();
        let index = inner.reader(reader)?;
        let reader = &inner.readers[index];
        Some(inner.written - reader.at + (reader.cache.len() - reader.cache_at) as u64)
    }

    pub fn skip(&self, reader: u32) {
        let mut inner = self.lock();
        if let Some(index) = inner.reader(reader) {
            let written = inner.written;
            let reader = &mut inner.readers[index];
            (reader.at, reader.cache_at) = (written, reader.cache.len());
        }
        self.wake(&inner);
    }

    /// Puts an event into the ring, perhaps waiting for room while `goes_on`; false without.
    pub fn send(&self, event: &[u8], waits: bool, goes_on: &dyn Fn() -> bool) -> bool {
        let mut inner = self.lock();
        if pad8(event.len()) + 100 >= inner.bytes.len() {
            return false;
        }
        while !inner.room(pad8(event.len())) {
            if !waits || !goes_on() {
                return false;
            }
            inner = self.wait(inner, Duration::from_millis(50));
        }
        inner.put(event);
        inner.tell(event);
        self.wake(&inner);
        true
    }

    /// The next event as the parameters of a reply, waiting for it until `deadline` while `goes_on`;
    /// events past the cache as large as their room if `is_padded`.
    pub fn receive(
        &self,
        reader: u32,
        capacity: usize,
        is_padded: bool,
        deadline: Option<Instant>,
        goes_on: &dyn Fn() -> bool,
        reply: &mut Reply,
    ) -> i32 {
        let mut inner = self.lock();
        loop {
            let Some(index) = inner.reader(reader) else {
                reply.stale(capacity);
                reply.int(capacity as i32);
                return status::BM_INVALID_HANDLE;
            };
            let found = &inner.readers[index];
            if found.cache_at == found.cache.len() && found.cache_size > 0 {
                inner.fill_cache(index);
                self.wake(&inner);
            }
            let found = &mut inner.readers[index];
            let start = reply.bytes.len() + 8;
            if let Some(header) = found.cache[found.cache_at..].first_chunk::<16>() {
                let size = Head::of(*header).size;
                let some = size.min(capacity);
                reply.block(&found.cache[found.cache_at..found.cache_at + some]);
                reply.int(some as i32);
                found.cache_at += pad8(size);
                return if some < size { status::BM_TRUNCATED } else { status::SUCCESS };
            }
            if let Some((at, size)) = inner.next_event(index) {
                let whole = if is_padded { pad8(size) } else { size };
                let some = whole.min(capacity);
                reply.int(some as i32);
                inner.copy(at, some, &mut reply.bytes);
                debug_assert_eq!(reply.bytes.len(), start + some);
                reply.pad();
                reply.int(some as i32);
                self.wake(&inner);
                return if size > capacity { status::BM_TRUNCATED } else { status::SUCCESS };
            }
            let left =
                deadline.map_or(Duration::MAX, |deadline| deadline.saturating_duration_since(Instant::now()));
            if left.is_zero() || !goes_on() {
                reply.int(0);
                reply.int(0);
                return status::BM_ASYNC_RETURN;
            }
            inner = self.wait(inner, left.min(Duration::from_millis(50)));
        }
    }
}
