//! MIDAS text event files, `.asc`, exactly as `mana` prints them.
//!
//! ```text
//! record = "%ID " id " TR " mask " NR " serial LF { bank } LF         id and mask signed 16 bit
//! bank   = "BK " name " TP " type " SZ " count LF { value LF }        count: elements, or bytes
//! struct = { member ":" LF { value LF } }                             for a STRUCT with definition
//! fixed  = { member LF { value LF } }                                 instead of banks
//! ```
//!
//! Numbers are printed as C does: integers `%d` and `%u`, FLOAT `%.7g`, DOUBLE `%.16g`, BOOL `y`
//! or `n`, CHAR the byte itself. A BITFIELD is an empty line per element, types without a text
//! form are `<unknown>` per byte.
//!
//! `mana` prints a STRING or LINK bank of n bytes as n lines of which only the first is in the
//! bank; here it is that one line. It overruns its buffer beyond 100 kB; here an event has any
//! size.

mod writer;

pub use writer::{write_event, write_fixed};
