//! An allocator that counts.

#![allow(unsafe_code, reason = "only a global allocator can count allocations, and its trait is unsafe")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};

/// The system's allocator, counting: for tests that nothing is allocated per event.
///
/// ```
/// use pactolus::harness::Allocations;
///
/// #[global_allocator]
/// static ALLOCATIONS: Allocations = Allocations;
///
/// let before = Allocations::made();
/// let words = vec![1_u16, 2, 3];
/// assert!(Allocations::made() > before && words.len() == 3);
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct Allocations;

static MADE: AtomicU64 = AtomicU64::new(0);
static IN_USE: AtomicUsize = AtomicUsize::new(0);
static PEAK: AtomicUsize = AtomicUsize::new(0);

thread_local! {
    /// Those of this thread. It needs no destructor, so that it may be touched at any time.
    static OWN: Cell<u64> = const { Cell::new(0) };
}

impl Allocations {
    /// Allocations of the process so far; one that grows or shrinks is one more.
    pub fn made() -> u64 {
        MADE.load(Relaxed)
    }

    /// Memory in use, in bytes.
    pub fn in_use() -> usize {
        IN_USE.load(Relaxed)
    }

    /// The most memory that was in use since [`forget_peak`](Allocations::forget_peak), in bytes.
    pub fn peak() -> usize {
        PEAK.load(Relaxed)
    }

    /// Begins to look for a new peak, at what is in use now.
    pub fn forget_peak() {
        PEAK.store(Allocations::in_use(), Relaxed);
    }
}

/// Allocations of this thread so far; 0 where nobody counts.
pub(crate) fn allocations() -> u64 {
    OWN.with(Cell::get)
}

fn took(bytes: usize) {
    // A thread that is about to end may have no counter.
    let _ = OWN.try_with(|own| own.set(own.get() + 1));
    MADE.fetch_add(1, Relaxed);
    PEAK.fetch_max(IN_USE.fetch_add(bytes, Relaxed) + bytes, Relaxed);
}

// SAFETY: every call goes to the system's allocator with the arguments as they came; counting
// touches atomic integers and a cell of the thread, and allocates nothing.
unsafe impl GlobalAlloc for Allocations {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        took(layout.size());
        // SAFETY: the caller keeps the contract of `alloc`.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        took(layout.size());
        // SAFETY: the caller keeps the contract of `alloc_zeroed`.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, place: *mut u8, layout: Layout) {
        IN_USE.fetch_sub(layout.size(), Relaxed);
        // SAFETY: `place` came from the system's allocator with this layout.
        unsafe { System.dealloc(place, layout) }
    }

    unsafe fn realloc(&self, place: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        IN_USE.fetch_sub(layout.size(), Relaxed);
        took(size);
        // SAFETY: `place` came from the system's allocator with this layout.
        unsafe { System.realloc(place, layout, size) }
    }
}
