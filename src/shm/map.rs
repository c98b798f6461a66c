//! The mapped part of a stream.
//!
//! | what it relies on | who sees to it |
//! |---|---|
//! | the file has all bytes that are mapped | [`Map::new`] asks for its length; whoever makes the file shorter by hand kills the processes that use it, as with any mapped file |
//! | words are touched atomically only | they are never handed out otherwise |
//! | the words of the bells are touched as 32-bit words only | nobody else uses their places |

use std::fs::File;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use memmap2::{MmapOptions, MmapRaw};

use super::words::Words;

/// Words of a file; clones share them.
#[derive(Clone)]
pub(super) struct Map(Arc<MmapRaw>);

impl Map {
    /// Maps the first bytes of a file, a multiple of eight.
    pub(super) fn new(file: &File, bytes: u64) -> io::Result<Map> {
        let found = file.metadata()?.len();
        let short = || {
            let why = format!("{bytes} bytes wanted, {found} found");
            io::Error::new(io::ErrorKind::UnexpectedEof, why)
        };
        let length = usize::try_from(bytes).ok().filter(|_| found >= bytes).ok_or_else(short)?;
        Ok(Map(Arc::new(MmapOptions::new().len(length).map_raw(file)?)))
    }

    #[allow(unsafe_code, reason = "words in a mapped file")]
    #[inline]
    fn words(&self) -> &[AtomicU64] {
        // SAFETY: the map begins at a page, so it is aligned, and has as many bytes as it says. It lives as long
        // as `self`. All who map the file touch these words atomically only.
        unsafe { std::slice::from_raw_parts(self.0.as_mut_ptr().cast::<AtomicU64>(), self.0.len() / 8) }
    }

    /// The halves of a word, as words on which one can sleep.
    #[allow(unsafe_code, reason = "words in a mapped file")]
    #[inline]
    pub(super) fn bell(&self, at: usize) -> (&AtomicU32, &AtomicU32) {
        assert!(at < self.0.len() / 8);
        // SAFETY: as above; the word at `at` is inside, and nobody touches it as a word of 64 bits.
        let half =
            |n: usize| unsafe { AtomicU32::from_ptr(self.0.as_mut_ptr().cast::<u32>().add(2 * at + n)) };
        (half(0), half(1))
    }
}

impl Words for Map {
    #[inline]
    fn load(&self, at: usize, order: Ordering) -> u64 {
        self.words().load(at, order)
    }

    #[inline]
    fn store(&self, at: usize, value: u64, order: Ordering) {
        self.words().store(at, value, order);
    }

    #[inline]
    fn exchange(&self, at: usize, now: u64, new: u64) -> bool {
        self.words().exchange(at, now, new)
    }

    #[inline]
    fn add(&self, at: usize, value: u64) {
        self.words().add(at, value);
    }

    #[inline]
    fn fence(&self, order: Ordering) {
        self.words().fence(order);
    }

    #[inline]
    fn put(&self, at: usize, bytes: &[u8]) {
        self.words().put(at, bytes);
    }

    #[inline]
    fn take(&self, at: usize, bytes: &mut [u8]) {
        self.words().take(at, bytes);
    }
}
