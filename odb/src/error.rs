//! What can go wrong in the tree, its stores and its text forms.

use pactolus_formats::Tid;

/// The result of everything here that can fail.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What was wanted, what was found, and where.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// No key of this path.
    #[error("no key {path}{}", hint(.nearest))]
    NotFound {
        /// The path asked for.
        path: String,
        /// The name in the same directory that looks most like the missing one.
        nearest: Option<String>,
    },
    /// A key was to be made where one is.
    #[error("{path} exists already")]
    Exists {
        /// Path of the key.
        path: String,
    },
    /// A value was wanted, a directory found.
    #[error("{path} is a directory, not a value")]
    IsDirectory {
        /// Path of the directory.
        path: String,
    },
    /// A directory was wanted, a value found.
    #[error("{path} is a value, not a directory")]
    NotDirectory {
        /// Path of the value.
        path: String,
    },
    /// The access mode of the key forbids it.
    #[error("{path} is {access} protected")]
    Protected {
        /// Path of the key.
        path: String,
        /// `read`, `write` or `delete`.
        access: &'static str,
    },
    /// The stored value does not fit the wanted type without loss.
    #[error("{path} as {wanted}: {stored} {value} does not fit")]
    Type {
        /// Path of the key.
        path: String,
        /// The type asked for, in the words of who asked.
        wanted: Tid,
        /// The type of the value at hand.
        stored: Tid,
        /// The value, or the element of it that does not fit.
        value: String,
    },
    /// One value was wanted and several are there, or the lengths of two arrays differ.
    #[error("{path}: {wanted} wanted, {found} stored")]
    Length {
        /// Path of the key.
        path: String,
        /// Elements wanted.
        wanted: usize,
        /// Elements found.
        found: usize,
    },
    /// An element beyond the end of an array.
    #[error("{path} has no element {index}: its length is {len}")]
    Index {
        /// Path of the key.
        path: String,
        /// The element asked for.
        index: usize,
        /// The length of the array.
        len: usize,
    },
    /// A text that is no value of the type.
    #[error("{path}: {} ({tid}) expected, '{text}' found", expected(*tid))]
    Text {
        /// Path of the key.
        path: String,
        /// The type of the key.
        tid: Tid,
        /// The text.
        text: String,
    },
    /// A string that is not UTF-8 was asked for as text.
    #[error("{path}: the string is not UTF-8 (byte {offset} of it)")]
    NotUtf8 {
        /// Path of the key.
        path: String,
        /// Where the first byte stands that is not UTF-8.
        offset: usize,
    },
    /// Links that lead to links, too often.
    #[error("{path}: more than {limit} links lead on from here, or in a circle")]
    LinkDepth {
        /// The path asked for.
        path: String,
        /// How many links are followed.
        limit: usize,
    },
    /// Not a name of a key.
    #[error("'{}' cannot be the name of a key: {why}", name.escape_debug())]
    Name {
        /// The name.
        name: String,
        /// What is wrong with it.
        why: &'static str,
    },
    /// A path with too many directories.
    #[error("{path}: more than {limit} levels of directories")]
    Depth {
        /// The beginning of the path.
        path: String,
        /// The most levels a tree may have.
        limit: usize,
    },
    /// An array longer than a key can hold.
    #[error("{path}: {wanted} elements wanted, at most {limit} can be held")]
    TooLong {
        /// Path of the key.
        path: String,
        /// Elements wanted.
        wanted: usize,
        /// Elements allowed.
        limit: usize,
    },
    /// A parameter beyond its limits.
    #[error("{path} is {value}, but must be {bound} {limit}")]
    Limit {
        /// Path of the key, with the element if it is an array.
        path: String,
        /// The stored value.
        value: String,
        /// `at least` or `at most`.
        bound: &'static str,
        /// The limit.
        limit: f64,
    },
    /// A parameter array is to be made and its length is known nowhere.
    #[error(
        "'{key}' has one value per element of bank {bank}, and nothing says how many that is: \
         give {bank} a size in the definition, or set {key} in the ODB"
    )]
    NoLength {
        /// Name of the key.
        key: String,
        /// Name of the bank.
        bank: String,
    },
    /// A dump that breaks the rules of its format.
    #[error("{kind} dump, line {line} (byte {offset}): {what}")]
    Syntax {
        /// The format.
        kind: crate::dump::Kind,
        /// Line, from 1.
        line: usize,
        /// Byte offset in the dump, from 0.
        offset: usize,
        /// What was wanted and what was found.
        what: String,
    },
    /// A dump of none of the three formats.
    #[error("not an ODB dump: {found} where '<', '{{', '[' or ';' was expected (byte {offset})")]
    UnknownDump {
        /// What stands there.
        found: String,
        /// Byte offset of it.
        offset: usize,
    },
    /// Something a text format cannot hold.
    #[error("{path} cannot be saved as {kind}: {why}; save as .json")]
    Unwritable {
        /// The format.
        kind: crate::dump::Kind,
        /// Path of the key.
        path: String,
        /// What the format cannot hold.
        why: &'static str,
    },
    /// There is no database.
    #[error("no ODB in {dir}")]
    NoStore {
        /// The directory where it should be.
        dir: String,
    },
    /// The store could not be read or written.
    #[error("ODB store: {0}")]
    Store(String),
}

fn hint(nearest: &Option<String>) -> String {
    nearest.as_ref().map_or_else(String::new, |name| format!(", did you mean '{name}'?"))
}

/// What a user may type for a value of this type.
fn expected(tid: Tid) -> String {
    let (low, high): (i128, i128) = match tid {
        Tid::Sbyte => (i8::MIN.into(), i8::MAX.into()),
        Tid::Byte | Tid::Bitfield => (0, u8::MAX.into()),
        Tid::Word => (0, u16::MAX.into()),
        Tid::Short => (i16::MIN.into(), i16::MAX.into()),
        Tid::Dword => (0, u32::MAX.into()),
        Tid::Int => (i32::MIN.into(), i32::MAX.into()),
        Tid::Int64 => (i64::MIN.into(), i64::MAX.into()),
        Tid::Uint64 => (0, u64::MAX.into()),
        Tid::Bool => return "y or n".to_owned(),
        Tid::Char => return "one character of one byte".to_owned(),
        Tid::Float => return "a number of at most 3.4e38".to_owned(),
        Tid::Double => return "a number".to_owned(),
        Tid::String | Tid::Link | Tid::Array | Tid::Struct | Tid::Key => return "text".to_owned(),
    };
    format!("a whole number from {low} to {high}")
}
