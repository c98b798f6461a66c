//! Events in shared memory of this computer: `shm:NAME`.
//!
//! A [`Producer`] publishes events and the transitions of runs, any number of [`Consumer`]s reads them. Nobody waits for
//! a consumer, but for those that ask for all events; and each event that one of them does not see is
//! counted, by its id.
//!
//! ```text
//!            [ head | slots of consumers | totals by id |    frames of events, a ring    ] journal of transitions ...
//!              mapped, and touched by atomic words only                                    read and written as a file
//! ```
//!
//! - Events lie in *frames* (`frame`), which are published whole. A position is a number of bytes since the stream was
//!   made, so it grows for ever; the ring holds the last `size` bytes.
//! - The writer says what it will overwrite before it does (`RESERVED`), and what can be read behind (`PUBLISHED`). A
//!   reader copies, and then asks whether it was overtaken meanwhile: then it drops what it has, and goes on where it
//!   will not be overtaken at once. The accounts of the frames say what it has missed of each id.
//! - Transitions lie in the *journal* (`journal`), each with its position, so that no overrun loses one. What all
//!   have read is given back; what a new consumer needs, the begin of the last run, stays.
//! - Who lives is known by locks of the file (`lock`), which the system frees however a process ends. A producer that was killed
//!   leaves what it has published; the next one goes on behind that, and says that the run was cut.
//! - Nothing in the file is believed: positions and sizes are checked, and what makes no sense is an error.
//!
//! What the analysis makes of it is in [`Shm`](crate::Shm).

mod bell;
mod consumer;
mod counts;
mod error;
mod file;
mod frame;
mod group;
mod journal;
mod layout;
mod lock;
mod losses;
mod map;
#[cfg(all(test, not(miri)))]
#[allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]
mod model;
mod name;
mod producer;
#[cfg(test)]
mod races;
mod reader;
mod ring;
mod room;
mod slots;
mod status;
#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]
mod tests;
mod transition;
mod words;
mod writer;

pub use consumer::{Consumer, Next, Want};
pub use error::{Error, Result};
pub use losses::Lost;
pub use name::StreamName;
pub use producer::{Account, Observer, Options, Producer};
pub use status::{ConsumerStatus, ProducerStatus, Status, look, remove, streams};
pub use transition::{Transition, TransitionKind};
