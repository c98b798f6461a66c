//! Which compression it is.

use std::fmt;

/// The ways a file can be compressed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Compression {
    /// Not at all.
    #[default]
    None,
    /// gzip.
    Gzip,
    /// LZ4 frames, standard and legacy.
    Lz4,
    /// bzip2.
    Bzip2,
    /// Zstandard.
    Zstd,
}

/// Bytes that tell the formats apart.
pub(super) const MAGIC: usize = 4;

const GZIP: [u8; 3] = [0x1f, 0x8b, 0x08];
/// RFC 1952: these flags "must be zero".
const GZIP_RESERVED_FLAGS: u8 = 0xe0;
const BZIP2: &[u8; 3] = b"BZh";
pub(super) const ZSTD: [u8; 4] = 0xFD2F_B528_u32.to_le_bytes();
pub(super) const LZ4: [u8; 4] = 0x184D_2204_u32.to_le_bytes();
pub(super) const LZ4_LEGACY: [u8; 4] = 0x184C_2102_u32.to_le_bytes();

impl Compression {
    /// The ways to compress, without [`Compression::None`].
    pub const ALL: [Compression; 4] =
        [Compression::Gzip, Compression::Lz4, Compression::Bzip2, Compression::Zstd];

    /// What the first bytes of a file say.
    ///
    /// At least four bytes are needed for an answer other than [`Compression::None`]. Skippable
    /// frames, which LZ4 and Zstandard share, are stepped over as far as the bytes reach;
    /// if they reach no further, the answer is [`Compression::Zstd`].
    ///
    /// ```
    /// use pactolus_formats::Compression;
    /// assert_eq!(Compression::detect(&[0x1f, 0x8b, 0x08, 0x00]), Compression::Gzip);
    /// // An event with id 0x8b1f and trigger mask 1 begins like gzip, but not for long.
    /// assert_eq!(Compression::detect(&[0x1f, 0x8b, 0x01, 0x00]), Compression::None);
    /// ```
    pub fn detect(first_bytes: &[u8]) -> Compression {
        if first_bytes.len() < MAGIC {
            return Compression::None;
        }
        let bytes = behind_skippable(first_bytes);
        if is_skippable(bytes) {
            return Compression::Zstd;
        }
        match Compression::ALL.into_iter().find(|c| c.begins(bytes)) {
            Some(compression) => compression,
            // A skippable frame, then something unknown: compressed, but damaged.
            None if bytes.len() < first_bytes.len() => Compression::Zstd,
            None => Compression::None,
        }
    }

    /// Whether more bytes may change what [`detect`](Compression::detect) says of at least four.
    pub(super) fn is_open(first_bytes: &[u8]) -> bool {
        is_skippable(behind_skippable(first_bytes))
    }

    /// Whether these bytes are skippable frames to the last of them.
    pub(super) fn is_skipped(first_bytes: &[u8]) -> bool {
        let last = behind_skippable(first_bytes);
        is_skippable(last) && last.len() >= 8 && last.len() - 8 == skippable_len(last)
    }

    /// What a file name's extension promises, without the dot and in any case: `gz`, `lz4`, `bz2`,
    /// `zst`. `None` if it promises no compression.
    pub fn from_extension(extension: &str) -> Option<Compression> {
        Compression::ALL
            .into_iter()
            .find(|c| c.extension().is_some_and(|known| known.eq_ignore_ascii_case(extension)))
    }

    /// The extension for file names, without the dot; `None` for [`Compression::None`].
    pub fn extension(self) -> Option<&'static str> {
        match self {
            Compression::None => None,
            Compression::Gzip => Some("gz"),
            Compression::Lz4 => Some("lz4"),
            Compression::Bzip2 => Some("bz2"),
            Compression::Zstd => Some("zst"),
        }
    }

    /// Whether a member, frame or stream of this compression can begin with these bytes.
    /// Fewer than [`MAGIC`] bytes need only be a beginning of the magic number.
    pub(super) fn begins(self, bytes: &[u8]) -> bool {
        match self {
            Compression::None => true,
            Compression::Gzip => {
                agree(bytes, &GZIP) && bytes.get(3).is_none_or(|flags| flags & GZIP_RESERVED_FLAGS == 0)
            }
            Compression::Lz4 => agree(bytes, &LZ4) || agree(bytes, &LZ4_LEGACY) || is_skippable(bytes),
            Compression::Bzip2 => {
                agree(bytes, BZIP2) && bytes.get(3).is_none_or(|level| (b'1'..=b'9').contains(level))
            }
            Compression::Zstd => agree(bytes, &ZSTD) || is_skippable(bytes),
        }
    }
}

impl Compression {
    /// A magic number with one wrong byte, put right.
    pub(super) fn mend(self, bytes: &[u8]) -> Option<[u8; MAGIC]> {
        let found: &[u8; MAGIC] = bytes.first_chunk()?;
        // What the last byte says besides is kept.
        let [.., last] = *found;
        let right = match self {
            Compression::None => return None,
            Compression::Gzip => vec![[GZIP[0], GZIP[1], GZIP[2], last & !GZIP_RESERVED_FLAGS]],
            Compression::Lz4 => vec![LZ4, LZ4_LEGACY],
            Compression::Bzip2 => {
                let level = if (b'1'..=b'9').contains(&last) { last } else { b'9' };
                vec![[BZIP2[0], BZIP2[1], BZIP2[2], level]]
            }
            Compression::Zstd => vec![ZSTD],
        };
        let wrong = |right: &[u8; MAGIC]| right.iter().zip(found).filter(|(a, b)| a != b).count();
        right.into_iter().find(|right| wrong(right) == 1)
    }
}

impl fmt::Display for Compression {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.pad(match self {
            Compression::None => "none",
            Compression::Gzip => "gzip",
            Compression::Lz4 => "lz4",
            Compression::Bzip2 => "bzip2",
            Compression::Zstd => "zstd",
        })
    }
}

/// Whether a frame begins that both LZ4 and Zstandard step over: `184D2A50` to `184D2A5F`.
pub(super) fn is_skippable(bytes: &[u8]) -> bool {
    bytes.first().is_some_and(|first| first & 0xf0 == 0x50) && agree(&bytes[1..], &[0x2a, 0x4d, 0x18])
}

/// What stands behind the skippable frames that these bytes begin with, if that is enough to tell what it
/// is; else from the last of them on.
fn behind_skippable(mut bytes: &[u8]) -> &[u8] {
    while is_skippable(bytes)
        && let Some((head, rest)) = bytes.split_at_checked(8)
        && let Some(behind) = rest.get(skippable_len(head)..)
        && behind.len() >= MAGIC
    {
        bytes = behind;
    }
    bytes
}

/// Length of a skippable frame's content, from the frame's first eight bytes.
pub(super) fn skippable_len(head: &[u8]) -> usize {
    head.get(4..8).map_or(0, |len| u32::from_le_bytes([len[0], len[1], len[2], len[3]]) as usize)
}

/// Whether two byte strings agree as far as both go.
fn agree(bytes: &[u8], magic: &[u8]) -> bool {
    bytes.iter().zip(magic).all(|(a, b)| a == b)
}
