//! What the readers of dumps believe of the text.

use crate::{MAX_DEPTH, Value};

/// Bounds on what a dump may hold. A text that goes beyond them is an error with its place; what
/// it merely claims (`INT[2000000000]`, `num_values="1e9"`) costs nothing, since memory follows the
/// values that are there.
///
/// These are bounds on trees; those on events, lines and compressed streams are
/// [`pactolus_formats::Limits`].
///
/// ```
/// use pactolus_odb::dump::{Dump, Kind, Limits};
/// let limits = Limits { elements: 2, ..Limits::default() };
/// let (dump, damage) = Dump::read(Kind::Json, b"{ \"a\" : 1, \"b\" : [ 1, 2, 3 ] }", &limits);
/// assert_eq!(dump.entries.len(), 1);
/// let damage = damage.map(|error| error.to_string()).unwrap_or_default();
/// assert_eq!(damage, "JSON dump, line 1 (byte 17): at most 2 elements of a key expected, more found");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Directories within each other; never more than [`MAX_DEPTH`], whatever stands here.
    pub depth: usize,
    /// Keys and directories.
    pub keys: usize,
    /// Elements of one key.
    pub elements: usize,
    /// Longest string \[bytes].
    pub string: usize,
    /// What reading may keep in memory at a time, roughly counted; the text is not part of it
    /// \[bytes].
    pub memory: usize,
}

impl Default for Limits {
    /// 64 directories within each other, a million keys, 16 Mi elements, strings of 16 MiB,
    /// 256 MiB of memory. The largest ODBs in use have some ten thousand keys and a few MB.
    fn default() -> Limits {
        Limits {
            depth: MAX_DEPTH,
            keys: 1 << 20,
            elements: Value::MAX_LEN,
            string: Value::MAX_LEN,
            memory: 256 << 20,
        }
    }
}
