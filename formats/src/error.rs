//! What can be wrong with bytes, and where.

use std::fmt;
use std::io;
use std::path::PathBuf;

use crate::BankName;

/// The reasons for [`Damage`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DamageKind {
    /// The input ends inside an event header.
    #[error("event header cut short: {needed} bytes needed, {left} left")]
    HeaderCutShort {
        /// Bytes of a header.
        needed: usize,
        /// Bytes in the input.
        left: usize,
    },
    /// The input ends inside a payload.
    #[error("event body cut short: {needed} bytes needed, {left} left")]
    BodyCutShort {
        /// Bytes that the header claims.
        needed: usize,
        /// Bytes in the input.
        left: usize,
    },
    /// An event claims to be larger than the limit.
    #[error("event of {claimed} bytes: at most {limit} expected")]
    EventTooLarge {
        /// Bytes that the header claims.
        claimed: usize,
        /// The limit in force.
        limit: usize,
    },
    /// There is no event where one should begin.
    #[error("event header wanted, found id {id:#06x}, mask {mask:#06x}, size {size}")]
    NoHeader {
        /// What stands in the place of the event id.
        id: u16,
        /// What stands in the place of the trigger mask.
        mask: u16,
        /// What stands in the place of the size.
        size: u32,
    },
    /// An event and its bank area disagree on the size, and no event begins behind it.
    #[error("event of id {id} claims {claimed} bytes, its banks claim {banks}")]
    BankTotal {
        /// Event id.
        id: u16,
        /// Bytes of payload that the header claims.
        claimed: usize,
        /// Bytes of payload that the bank area claims.
        banks: usize,
    },
    /// An event in FIXED format has another size than those before, and no event begins behind it.
    #[error("event of id {id} claims {claimed} bytes, those before it had {seen}")]
    FixedSize {
        /// Event id.
        id: u16,
        /// Bytes of payload that the header claims.
        claimed: usize,
        /// Bytes of payload that events with this id had before.
        seen: usize,
    },
    /// An event holds the begin of another, which reaches beyond its end: it was cut.
    #[error("event of id {id} and {size} bytes is cut: another event begins inside of it")]
    Crossed {
        /// Event id.
        id: u16,
        /// Bytes of payload that the header claims.
        size: u32,
    },
    /// A fragment without the one that begins its event.
    #[error("fragment of an event of id {id}: its first fragment is missing")]
    StrayFragment {
        /// Event id.
        id: u16,
    },
    /// An event of which not all fragments came.
    #[error("fragments of an event of id {id} incomplete: {needed} bytes needed, {left} found")]
    FragmentsMissing {
        /// Event id.
        id: u16,
        /// Bytes of payload that the first fragment claims.
        needed: usize,
        /// Bytes that came.
        left: usize,
    },
    /// The payload is too small for the header of a bank area.
    #[error("bank area header cut short: {needed} bytes needed, {left} left")]
    AreaCutShort {
        /// Bytes of the header.
        needed: usize,
        /// Bytes in the payload.
        left: usize,
    },
    /// The flags of the bank area are none that MIDAS sets.
    #[error("bank area flags 0x01, 0x11 or 0x31 wanted, {flags:#x} found")]
    AreaFlags {
        /// The flags found.
        flags: u32,
    },
    /// The event ends inside a bank header.
    #[error("bank header cut short: {needed} bytes needed, {left} left")]
    BankHeaderCutShort {
        /// Bytes of the header.
        needed: usize,
        /// Bytes in the event.
        left: usize,
    },
    /// The event ends inside the data of a bank.
    #[error("bank {bank} cut short: {needed} bytes needed, {left} left")]
    BankCutShort {
        /// The bank.
        bank: BankName,
        /// Bytes that its header claims.
        needed: usize,
        /// Bytes in the event.
        left: usize,
    },
    /// A line of a text is not what its place asks for.
    #[error("line {line} at byte {offset}{}: {wanted} wanted, {found} found", of_bank(.bank))]
    Line {
        /// Number of the line, counted from 1.
        line: u64,
        /// Its first byte, counted in the uncompressed stream.
        offset: u64,
        /// The bank it should belong to, if any.
        bank: Option<BankName>,
        /// What the place asks for.
        wanted: String,
        /// The line, or its beginning.
        found: String,
    },
    /// A line of a text is longer than the limit.
    #[error("a line of more than {limit} bytes")]
    LineTooLong {
        /// The limit in force.
        limit: usize,
    },
    /// A text ends inside an event.
    #[error("event cut short: the empty line at its end is missing")]
    TextCutShort,
    /// The compressed stream is cut or broken.
    #[error("{0}")]
    Compression(String),
}

impl DamageKind {
    /// What is wrong, without numbers: to count by.
    pub fn reason(&self) -> &'static str {
        match self {
            DamageKind::HeaderCutShort { .. } => "event header cut short",
            DamageKind::BodyCutShort { .. } => "event body cut short",
            DamageKind::EventTooLarge { .. } => "event too large",
            DamageKind::NoHeader { .. } => "no event header",
            DamageKind::BankTotal { .. } => "event and banks disagree on size",
            DamageKind::FixedSize { .. } => "FIXED event of another size",
            DamageKind::Crossed { .. } => "event cut inside of a file",
            DamageKind::StrayFragment { .. } => "fragment without the first",
            DamageKind::FragmentsMissing { .. } => "fragments missing",
            DamageKind::AreaCutShort { .. } => "bank area header cut short",
            DamageKind::AreaFlags { .. } => "bank area flags",
            DamageKind::BankHeaderCutShort { .. } => "bank header cut short",
            DamageKind::BankCutShort { .. } => "bank cut short",
            DamageKind::Line { .. } => "line of another kind",
            DamageKind::LineTooLong { .. } => "line too long",
            DamageKind::TextCutShort => "text cut short",
            DamageKind::Compression(_) => "compression",
        }
    }
}

fn of_bank(bank: &Option<BankName>) -> String {
    bank.map_or_else(String::new, |bank| format!(", bank {bank}"))
}

/// Broken bytes, with their place. Not fatal: what came before them is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Damage {
    /// What is wrong.
    pub kind: DamageKind,
    /// First byte concerned, counted in the uncompressed stream as far as it could be had.
    pub offset: u64,
    /// First byte behind the broken ones, where reading goes on: what lies between is lost.
    pub end: u64,
    /// How far the compressed file had been read by then, if it is compressed.
    pub compressed_offset: Option<u64>,
    /// Where decoding of the compressed file went on or ended, if it broke off: how much the bytes
    /// between would have given is not known.
    pub compressed_end: Option<u64>,
    /// Number of the event in its input, counted from 1.
    pub event: u64,
}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Damage { kind, offset, end, compressed_offset, compressed_end, event } = self;
        write!(f, "{kind} at byte {offset}")?;
        if let Some(at) = compressed_offset {
            write!(f, " (byte {at} of the compressed file)")?;
        }
        write!(f, ", event {event}")?;
        let bytes = |n: u64| format!("{n} byte{}", if n == 1 { "" } else { "s" });
        let packed = compressed_end.zip(*compressed_offset).map_or(0, |(end, at)| end.saturating_sub(at));
        match (end.saturating_sub(*offset), packed) {
            (0, 0) => Ok(()),
            (lost, 0) => write!(f, "; {} lost", bytes(lost)),
            (0, packed) => write!(f, "; {} of the compressed file lost", bytes(packed)),
            (lost, packed) => {
                write!(f, "; {} lost, and {} of the compressed file", bytes(lost), bytes(packed))
            }
        }
    }
}

impl std::error::Error for Damage {}

/// Why a file could not be opened, read or written at all.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The operating system refused.
    #[error("cannot {action} {}: {source}", path.display())]
    Io {
        /// What was tried: `open`, `read`, `create`, `write`, `rename`.
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// Its answer.
        source: io::Error,
    },
    /// A name ends in no extension that we write.
    #[error("{path:?}: unknown output type; known are .mid and .asc, each also with .gz .lz4 .bz2 .zst, and .parquet, .arrow, .json (histograms)", path = path.display().to_string())]
    UnknownOutput {
        /// The name.
        path: PathBuf,
    },
    /// An event cannot be written in this format.
    #[error("{0}")]
    Unwritable(String),
    /// Writing a table failed.
    #[error("cannot write table {}: {reason}", path.display())]
    Table {
        /// The file.
        path: PathBuf,
        /// What the table library says.
        reason: String,
    },
    /// Reading a table failed.
    #[error("cannot read table {}: {reason}", path.display())]
    NoTable {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
}

impl Error {
    /// An [`Error::Io`] from its parts, for `map_err`.
    pub fn io(action: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Error {
        let path = path.into();
        move |source| Error::Io { action, path, source }
    }
}

/// A result with this crate's [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;
