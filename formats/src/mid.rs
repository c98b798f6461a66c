//! MIDAS binary event files, `.mid`.
//!
//! A file is a plain run of events: no file header, no index, no padding between events.
//!
//! ```text
//! file   = { event }
//! event  = header payload                     header: 16 bytes, see `event`
//! payload of BOR, EOR      = ODB dump as text, NUL
//! payload of a message     = text, NUL
//! payload of a FIXED event = one C structure
//! payload of a data event  = area { bank }    see `mid::layout`
//! ```
//!
//! Headers are little-endian. The payload of a data event is in the byte order of the frontend
//! that made it; the flags of its bank area tell which.
//!
//! Source: `midas.h`, `midas.c` (`bk_*`) and `mlogger.c` of 2017; BANK32A as newer MIDAS writes it.
//! The corpus holds files of the real logger (`run00001` to `run00008`), of the real bank library
//! (`run00100` to `run00107`) and of an independent writer (`run00108` to `run00110`).

mod block;
mod fragments;
mod frame;
pub mod layout;
mod reader;
mod window;
mod writer;

pub use block::Block;
pub use reader::{Reader, Stop};
pub use writer::{write_behind, write_event, write_raw};

use window::Window;

#[cfg(test)]
mod tests;
