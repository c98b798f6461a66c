//! Recent events of this computer: a stream in shared memory as a live source.
//!
//! One thread reads the stream ([`pull`]) and puts what it has got into a bounded spool, as the bytes of a
//! `.mid` file: a BOR with the ODB, events, an EOR. So everything behind is the same as for files.
//!
//! What happens while the analysis is slower than the producer is what the user wants of it: the thread reads
//! on and passes events over, each of which is accounted for, or leaves them where they are, and the producer
//! waits for it.

mod hand;
mod pull;
mod ring;
mod stream;
#[cfg(test)]
mod tests;

pub use stream::{Shm, StopAt};
