//! Handles of the server's ODB, and what it says of a key.

/// A handle of a key. Valid while the key is there, in the client that got it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Key(pub(crate) i32);

impl Key {
    /// The root of the ODB.
    pub const ROOT: Key = Key(0);

    /// The number that stands for it on the wire, for tests and for errors.
    pub fn number(self) -> i32 {
        self.0
    }
}

/// What the server says of a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyInfo {
    /// Its name, without its path. Bytes that are no UTF-8 stand in it as private characters, see
    /// [`spelling`](pactolus_odb::spelling).
    pub name: String,
    /// Number of its type, as it came.
    pub kind: i32,
    /// How many values it has; of a directory, 1.
    pub values: i32,
    /// Bytes of one value; of strings, their fixed length.
    pub item_size: i32,
    /// Bytes of all values.
    pub total_size: i32,
    /// 1 read, 2 write, 4 delete, 8 exclusive.
    pub mode: u16,
    /// How often it is watched, by any program; not of what is below it.
    pub watches: u16,
    /// When it was last written [Unix seconds].
    pub written: u32,
}

impl KeyInfo {
    /// Number of the type of directories.
    pub const DIRECTORY: i32 = 15;
    /// Number of the type of links.
    pub const LINK: i32 = 16;
    /// Number of the type of strings.
    pub const STRING: i32 = 12;

    /// Whether it is a directory.
    pub fn is_directory(&self) -> bool {
        self.kind == KeyInfo::DIRECTORY
    }

    /// Whether it is a link.
    pub fn is_link(&self) -> bool {
        self.kind == KeyInfo::LINK
    }
}
