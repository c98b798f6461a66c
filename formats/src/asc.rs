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
//! The logger of 2014 wrote the same with begin and end of run (its format `DUMP`):
//!
//! ```text
//! run    = "%ID " ( "BOR" | "EOR" ) " NR " run number LF dump        the ODB as text, as in `.mid`
//! ```
//!
//! The [`Reader`] takes both, type names old and new (`WORD`, `UINT16`), and whole numbers also in
//! hexadecimal (`0x1f`). A value that is no number of its type is damage. The text of a BITFIELD,
//! ARRAY or KEY bank, of an unknown type, of a structure that nobody defines and of `mana`'s
//! STRING and LINK banks does not hold the value: such a bank is [refused](Refusals) by name, and
//! its event goes on without it.
//!
//! `mana` prints a STRING or LINK bank of n bytes as n lines of which only the first is in the
//! bank; here it is that one line. It overruns its buffer beyond 100 kB; here an event has any
//! size.

mod definitions;
mod line;
mod number;
mod reader;
mod record;
mod refused;
mod writer;

pub use definitions::Definitions;
pub use reader::Reader;
pub use refused::{Reason, Refusal, Refusals};
pub use writer::{write_event, write_fixed};

/// Whether a file that begins with these bytes is such a text. Empty lines may come first.
pub fn is_text(first_bytes: &[u8]) -> bool {
    let blank = first_bytes.iter().take_while(|&&b| b == b'\n').count();
    first_bytes[blank..].starts_with(b"%ID ")
}
