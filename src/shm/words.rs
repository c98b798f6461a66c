//! Words that processes share.
//!
//! Everything in the mapped part of a stream is a 64-bit word that is only ever touched atomically, events
//! included: so a reader that is overtaken by the writer reads nonsense, finds that out, and drops it, and the
//! memory model of Rust has no objection.

use std::sync::atomic::{AtomicU64, Ordering, fence};

/// Words that others may change at any time. Places are numbers of words.
pub(super) trait Words {
    /// Reads a word.
    fn load(&self, at: usize, order: Ordering) -> u64;

    /// Writes a word.
    fn store(&self, at: usize, value: u64, order: Ordering);

    /// Writes a word if it is `now`; whether it was.
    fn exchange(&self, at: usize, now: u64, new: u64) -> bool;

    /// Adds to a word.
    fn add(&self, at: usize, value: u64);

    /// Keeps what stands before from what stands behind.
    fn fence(&self, order: Ordering);

    /// Reads a word of which nothing else depends.
    fn get(&self, at: usize) -> u64 {
        self.load(at, Ordering::Relaxed)
    }

    /// Writes a word of which nothing else depends.
    fn set(&self, at: usize, value: u64) {
        self.store(at, value, Ordering::Relaxed);
    }

    /// Writes whole words from bytes.
    fn put(&self, at: usize, bytes: &[u8]) {
        debug_assert!(bytes.len().is_multiple_of(8));
        for (place, word) in (at..).zip(bytes.as_chunks().0) {
            self.set(place, u64::from_ne_bytes(*word));
        }
    }

    /// Reads whole words into bytes.
    fn take(&self, at: usize, bytes: &mut [u8]) {
        debug_assert!(bytes.len().is_multiple_of(8));
        for (place, word) in (at..).zip(bytes.as_chunks_mut().0) {
            *word = self.get(place).to_ne_bytes();
        }
    }
}

/// Words in memory.
impl Words for [AtomicU64] {
    #[inline]
    fn load(&self, at: usize, order: Ordering) -> u64 {
        self[at].load(order)
    }

    #[inline]
    fn store(&self, at: usize, value: u64, order: Ordering) {
        self[at].store(value, order);
    }

    #[inline]
    fn exchange(&self, at: usize, now: u64, new: u64) -> bool {
        self[at].compare_exchange(now, new, Ordering::SeqCst, Ordering::SeqCst).is_ok()
    }

    #[inline]
    fn add(&self, at: usize, value: u64) {
        self[at].fetch_add(value, Ordering::SeqCst);
    }

    #[inline]
    fn fence(&self, order: Ordering) {
        fence(order);
    }

    #[inline]
    fn put(&self, at: usize, bytes: &[u8]) {
        let (bytes, _) = bytes.as_chunks();
        for (word, bytes) in self[at..at + bytes.len()].iter().zip(bytes) {
            word.store(u64::from_ne_bytes(*bytes), Ordering::Relaxed);
        }
    }

    #[inline]
    fn take(&self, at: usize, bytes: &mut [u8]) {
        let (bytes, _) = bytes.as_chunks_mut();
        for (word, bytes) in self[at..at + bytes.len()].iter().zip(bytes) {
            *bytes = word.load(Ordering::Relaxed).to_ne_bytes();
        }
    }
}

/// What so many words hold of a text, without what no terminal should get.
pub(super) fn fitting(text: &str, count: usize) -> String {
    let mut fitting = String::new();
    for c in text.chars().filter(|c| !c.is_control()) {
        if fitting.len() + c.len_utf8() > 8 * count {
            break;
        }
        fitting.push(c);
    }
    fitting
}

/// A text in words, as far as it fits.
pub(super) fn put_text(words: &(impl Words + ?Sized), at: usize, count: usize, text: &str) {
    let text = fitting(text, count);
    let mut bytes = vec![0; 8 * count];
    bytes[..text.len()].copy_from_slice(text.as_bytes());
    words.put(at, &bytes);
}

/// The text in words. What is no text is replaced.
pub(super) fn text(words: &(impl Words + ?Sized), at: usize, count: usize) -> String {
    let mut bytes = vec![0; 8 * count];
    words.take(at, &mut bytes);
    let length = bytes.iter().position(|byte| *byte == 0).unwrap_or(bytes.len());
    String::from_utf8_lossy(&bytes[..length]).chars().filter(|c| !c.is_control()).collect()
}
