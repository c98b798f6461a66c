//! Type numbers of banks and ODB keys.
//!
//! Source: `midas.h`, `TID_*`. The corpus holds every type up to LINK (`run00100.mid`), and
//! INT64 and UINT64 in `run00108.mid`.

use std::fmt;

macro_rules! tids {
    ($($(#[$doc:meta])* $variant:ident = $code:literal, $size:literal, $name:literal, $modern:literal;)*) => {
        /// The type of the elements of a bank, or of the values of an ODB key.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[repr(u8)]
        pub enum Tid { $($(#[$doc])* $variant = $code,)* }

        impl Tid {
            /// Every type, in the order of their numbers.
            pub const ALL: &[Tid] = &[$(Tid::$variant),*];

            /// The type with this number, or `None` if MIDAS knows no such type.
            #[inline]
            pub const fn from_code(code: u32) -> Option<Tid> {
                match code { $($code => Some(Tid::$variant),)* _ => None }
            }

            /// Bytes per element; 0 for types without a fixed size (STRING, ARRAY, STRUCT, KEY, LINK).
            #[inline]
            pub const fn size(self) -> usize {
                match self { $(Tid::$variant => $size,)* }
            }

            /// The name in text files: `WORD`, `FLOAT`, ...
            pub const fn name(self) -> &'static str {
                match self { $(Tid::$variant => $name,)* }
            }

            /// The type of this name, old (`WORD`) or new (`UINT16`), ignoring case.
            pub fn from_name(name: &str) -> Option<Tid> {
                $(if name.eq_ignore_ascii_case($name) || name.eq_ignore_ascii_case($modern) {
                    return Some(Tid::$variant);
                })*
                None
            }
        }
    };
}

tids! {
    /// Unsigned byte.
    Byte = 1, 1, "BYTE", "UINT8";
    /// Signed byte.
    Sbyte = 2, 1, "SBYTE", "INT8";
    /// One character.
    Char = 3, 1, "CHAR", "CHAR8";
    /// Unsigned 16-bit word.
    Word = 4, 2, "WORD", "UINT16";
    /// Signed 16-bit word.
    Short = 5, 2, "SHORT", "INT16";
    /// Unsigned 32-bit word.
    Dword = 6, 4, "DWORD", "UINT32";
    /// Signed 32-bit word.
    Int = 7, 4, "INT", "INT32";
    /// Truth value, stored in 32 bits.
    Bool = 8, 4, "BOOL", "BOOLEAN";
    /// IEEE single precision.
    Float = 9, 4, "FLOAT", "FLOAT32";
    /// IEEE double precision.
    Double = 10, 8, "DOUBLE", "FLOAT64";
    /// Bits; one byte each in MIDAS's table of sizes.
    Bitfield = 11, 1, "BITFIELD", "BITS";
    /// NUL-terminated text.
    String = 12, 0, "STRING", "STRING8";
    /// Raw bytes.
    Array = 13, 0, "ARRAY", "ARRAY8";
    /// A C structure; its members stand in the analyzer definition or the ODB.
    Struct = 14, 0, "STRUCT", "STRUCTURE";
    /// An ODB directory.
    Key = 15, 0, "KEY", "DIR";
    /// The path of another ODB key.
    Link = 16, 0, "LINK", "SYMLINK";
    /// Signed 64-bit word.
    Int64 = 17, 8, "INT64", "QINT";
    /// Unsigned 64-bit word.
    Uint64 = 18, 8, "UINT64", "QWORD";
}

impl Tid {
    /// The number in files.
    #[inline]
    pub const fn code(self) -> u32 {
        self as u32
    }

    /// The type of a bank header's type field: obsolete CAMAC and FASTBUS codes (0x100 and up)
    /// carry the base type in the low byte.
    #[inline]
    pub const fn from_bank_code(code: u32) -> Option<Tid> {
        Tid::from_code(code & 0xff)
    }

    /// Bytes per element as a divisor, a power of two: 1 for types without a fixed size.
    #[inline]
    pub const fn unit(self) -> usize {
        match self.size() {
            0 => 1,
            n => n,
        }
    }
}

impl fmt::Display for Tid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}
