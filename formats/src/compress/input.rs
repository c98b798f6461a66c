//! A file, pipe or other stream, opened for reading.

use std::collections::VecDeque;
use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use super::ahead::Ahead;
use super::decoder::Decoder;
use super::kind::MAGIC;
use super::{ByteSource, Compression, Progress, is_damage, waits};
use crate::{Error, Limits, Pool, Result};

/// Bytes from a file or stream, decompressed on the fly if they are compressed.
///
/// What is not compressed goes straight into the caller's buffer: read it in large pieces.
/// For cut and corrupt streams see the [module](super).
pub struct Input {
    name: PathBuf,
    compression: Compression,
    progress: Progress,
    /// Decompressed bytes that have been shown but not read.
    peeked: VecDeque<u8>,
    limits: Limits,
    bytes: Bytes,
}

enum Bytes {
    /// Too few have come to see which compression it is.
    First {
        sniffed: Vec<u8>,
        raw: Raw,
    },
    Plain {
        sniffed: io::Cursor<Vec<u8>>,
        raw: Raw,
    },
    Packed(Box<Decoder<Raw>>),
    Ahead(Box<Ahead>),
    /// While it changes hands.
    Nothing,
}

/// Bytes asked for to see which compression it is. Four will do, unless a skippable frame comes first.
const SNIFF: usize = 4096;

impl Input {
    /// The most that [`peek`](Input::peek) shows, in bytes.
    pub const PEEK: usize = 64;

    /// Opens a file.
    ///
    /// # Errors
    /// [`Error::Io`] if it cannot be opened or its first bytes cannot be read.
    pub fn open(path: impl AsRef<Path>) -> Result<Input> {
        Input::open_with(path, &Limits::default())
    }

    /// Opens a file; `limits.window` bounds what a compressed one may ask for.
    ///
    /// # Errors
    /// As for [`open`](Input::open).
    pub fn open_with(path: impl AsRef<Path>, limits: &Limits) -> Result<Input> {
        let path = path.as_ref();
        let file = File::open(path).map_err(Error::io("open", path))?;
        let metadata = file.metadata().map_err(Error::io("open", path))?;
        let total = metadata.is_file().then_some(metadata.len());
        Input::from_reader(Box::new(file), path.to_owned(), total, limits)
    }

    /// The standard input, named `(standard input)`.
    ///
    /// # Errors
    /// [`Error::Io`] if the first bytes cannot be read.
    pub fn stdin() -> Result<Input> {
        Input::stdin_with(&Limits::default())
    }

    /// The standard input; `limits.window` bounds what a compressed stream may ask for.
    ///
    /// # Errors
    /// As for [`stdin`](Input::stdin).
    pub fn stdin_with(limits: &Limits) -> Result<Input> {
        Input::new_with(io::stdin(), "(standard input)", limits)
    }

    /// Any other stream of bytes; the name is for messages. Waits for the first four bytes, unless the
    /// stream says that they [would have to be waited for](super#files-that-grow): then the first reads
    /// see to them.
    ///
    /// # Errors
    /// [`Error::Io`] if the first bytes cannot be read.
    pub fn new(reader: impl Read + Send + 'static, name: impl Into<PathBuf>) -> Result<Input> {
        Input::new_with(reader, name, &Limits::default())
    }

    /// Any other stream of bytes; `limits.window` bounds what a compressed one may ask for.
    ///
    /// # Errors
    /// As for [`new`](Input::new).
    pub fn new_with(
        reader: impl Read + Send + 'static,
        name: impl Into<PathBuf>,
        limits: &Limits,
    ) -> Result<Input> {
        Input::from_reader(Box::new(reader), name.into(), None, limits)
    }

    fn from_reader(
        reader: Box<dyn Read + Send>,
        name: PathBuf,
        total: Option<u64>,
        limits: &Limits,
    ) -> Result<Input> {
        let progress = Progress::new(total);
        let raw = Raw { reader, progress: progress.clone() };
        let bytes = Bytes::First { sniffed: Vec::new(), raw };
        let (compression, peeked, limits) = (Compression::None, VecDeque::new(), *limits);
        let mut input = Input { name, compression, progress, peeked, limits, bytes };
        match input.begin() {
            Err(e) if !waits(&e) => Err(Error::io("read", input.name)(e)),
            _ => Ok(input),
        }
    }

    /// Finds out by the first bytes which compression it is, if that is not known.
    fn begin(&mut self) -> io::Result<()> {
        let Bytes::First { sniffed, raw } = &mut self.bytes else { return Ok(()) };
        sniff(raw, sniffed)?;
        let found = match Compression::detect(sniffed) {
            Compression::None => promised(&self.name, sniffed),
            found => found,
        };
        let first = std::mem::replace(&mut self.bytes, Bytes::Nothing);
        let Bytes::First { sniffed, raw } = first else { return Ok(()) };
        self.compression = found;
        self.bytes = match found {
            Compression::None => Bytes::Plain { sniffed: io::Cursor::new(sniffed), raw },
            packed => Bytes::Packed(Box::new(Decoder::new(raw, sniffed, packed, &self.limits)?)),
        };
        Ok(())
    }

    /// Reads behind the bytes that have been shown.
    fn next(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        if matches!(self.bytes, Bytes::First { .. }) {
            self.begin()?;
        }
        self.bytes.read(buf)
    }

    /// Decompresses ahead, on a thread of its own, and with the pool where the stream has parts that
    /// can be decoded each alone: gzip members of up to 8 MiB, independent LZ4 blocks, bzip2 blocks,
    /// Zstandard frames of up to 8 MiB. What comes out is the same, errors and places included.
    ///
    /// Say so before the first read. What is not compressed is read as before. Memory: 8 MiB for each
    /// thread of the pool, and 44 MiB at the very most. Parts are given when they are whole: where a stream may stall
    /// in the middle and what has arrived is wanted at once, go without. So do with a stream that
    /// [pauses](super#files-that-grow): nothing is lost of it, but what has come may be given late, and
    /// one that pauses within its first bytes is read without the pool.
    ///
    /// ```
    /// use std::io::Read;
    /// use pactolus_formats::{Input, Pool};
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let path = dir.path().join("run00042.mid.gz");
    /// # let mut output = pactolus_formats::compress::Output::new(
    /// #     pactolus_formats::Compression::Gzip, None, std::fs::File::create(&path)?)?;
    /// # std::io::Write::write_all(&mut output, b"drift times")?;
    /// # output.finish()?;
    /// let mut input = Input::open(&path)?.with_pool(Pool::new(2)?);
    /// let mut text = String::new();
    /// input.read_to_string(&mut text)?;
    /// assert_eq!(text, "drift times");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn with_pool(mut self, pool: Pool) -> Input {
        self.bytes = match std::mem::replace(&mut self.bytes, Bytes::Nothing) {
            Bytes::Packed(decoder) => match Ahead::start(*decoder, pool, self.limits.window) {
                Ok(ahead) => Bytes::Ahead(Box::new(ahead)),
                Err(decoder) => Bytes::Packed(decoder),
            },
            bytes => bytes,
        };
        self
    }

    /// Whether the compressed stream is broken here: the next read says how, or looks for the place where it
    /// goes on.
    pub fn is_broken(&self) -> bool {
        matches!(&self.bytes, Bytes::Packed(decoder) if decoder.is_broken())
    }

    /// The file's path or the stream's name.
    pub fn name(&self) -> &Path {
        &self.name
    }

    /// How the bytes are compressed, by the file's first bytes; [`Compression::None`] as long as too few
    /// of them have come.
    pub fn compression(&self) -> Compression {
        self.compression
    }

    /// The next `n` uncompressed bytes, which stay to be read; at most [`PEEK`](Input::PEEK) of
    /// them. Fewer only where the stream ends or is broken: which of the two, the next read says.
    ///
    /// ```
    /// use std::io::{Cursor, Read};
    /// use pactolus_formats::Input;
    /// let mut input = Input::new(Cursor::new("%ID 1 TR 0 NR 7\n"), "run.asc")?;
    /// assert_eq!(input.peek(3).unwrap(), b"%ID");
    /// let mut text = String::new();
    /// input.read_to_string(&mut text).unwrap();
    /// assert!(text.starts_with("%ID 1"));
    /// # Ok::<(), pactolus_formats::Error>(())
    /// ```
    ///
    /// # Errors
    /// Those of the operating system. What had come before stays to be shown and read.
    pub fn peek(&mut self, n: usize) -> io::Result<&[u8]> {
        let n = n.min(Input::PEEK);
        while self.peeked.len() < n {
            let mut more = [0; Input::PEEK];
            match self.next(&mut more[..n - self.peeked.len()]) {
                Ok(0) => break,
                Ok(read) => self.peeked.extend(&more[..read]),
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                // Said again by the next read.
                Err(e) if matches!(&self.bytes, Bytes::Packed(_) | Bytes::Ahead(_)) && is_damage(&e) => break,
                Err(e) => return Err(e),
            }
        }
        let peeked = self.peeked.make_contiguous();
        Ok(&peeked[..n.min(peeked.len())])
    }

    /// Whether the compressed stream stands behind a member or frame, with nothing begun behind it: if
    /// the file ends here, it is whole. Of a stream that [pauses](super#files-that-grow) this is known
    /// when it has given all that has come. What is not compressed has no frames: `true`.
    ///
    /// ```
    /// # use std::io::{ErrorKind, Read, Write};
    /// # use pactolus_formats::{Compression, Input, compress::Output};
    /// # let mut output = Output::new(Compression::Gzip, None, Vec::new())?;
    /// # output.write_all(b"drift times")?;
    /// # let file = output.finish()?;
    /// let mut input = Input::new(std::io::Cursor::new(file), "run00042.mid.gz")?;
    /// assert!(!input.is_between());
    /// input.read_to_end(&mut Vec::new())?;
    /// assert!(input.is_between());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn is_between(&self) -> bool {
        match &self.bytes {
            Bytes::First { sniffed, .. } if sniffed.len() >= MAGIC => Compression::is_skipped(sniffed),
            Bytes::First { sniffed, .. } => promised(&self.name, sniffed) == Compression::None,
            Bytes::Plain { .. } | Bytes::Nothing => true,
            Bytes::Packed(decoder) => decoder.is_between(),
            Bytes::Ahead(ahead) => ahead.has_ended(),
        }
    }

    /// Size of the file in bytes when it was opened; `None` for pipes and the like.
    pub fn total(&self) -> Option<u64> {
        self.progress.total()
    }

    /// Bytes of the file read so far, as they stand in it, compressed or not.
    pub fn consumed(&self) -> u64 {
        self.progress.consumed()
    }

    /// A handle that goes on telling [`consumed`](Input::consumed) when the input has moved to
    /// another thread.
    pub fn progress(&self) -> Progress {
        self.progress.clone()
    }
}

impl Read for Input {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        match self.peeked.is_empty() {
            true => self.next(buf),
            false => self.peeked.read(buf),
        }
    }
}

impl Bytes {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        match self {
            Bytes::Plain { sniffed, raw } => match sniffed.read(buf)? {
                0 => raw.read(buf),
                n => Ok(n),
            },
            Bytes::Packed(decoder) => decoder.read(buf),
            Bytes::Ahead(ahead) => ahead.read(buf),
            Bytes::First { .. } | Bytes::Nothing => Ok(0),
        }
    }
}

impl ByteSource for Input {
    fn compressed_offset(&self) -> Option<u64> {
        match &self.bytes {
            Bytes::First { .. } | Bytes::Plain { .. } | Bytes::Nothing => None,
            Bytes::Packed(decoder) => Some(decoder.told()),
            Bytes::Ahead(ahead) => Some(ahead.offset()),
        }
    }

    /// What can be reached is in the [table](super#damage). Each place lies behind the one before;
    /// but the [`compressed_offset`](ByteSource::compressed_offset) may go back, if decoding had
    /// run beyond that place when it noticed the fault.
    fn resume(&mut self) -> io::Result<bool> {
        match &mut self.bytes {
            Bytes::First { .. } | Bytes::Plain { .. } | Bytes::Nothing => Ok(false),
            Bytes::Packed(decoder) => decoder.resume(),
            Bytes::Ahead(ahead) => ahead.resume(),
        }
    }
}

impl fmt::Debug for Input {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.debug_struct("Input")
            .field("name", &self.name)
            .field("compression", &self.compression)
            .field("progress", &self.progress)
            .finish_non_exhaustive()
    }
}

/// The stream as it stands, counted.
struct Raw {
    reader: Box<dyn Read + Send>,
    progress: Progress,
}

impl Read for Raw {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let n = self.reader.read(buf)?;
        self.progress.add(n);
        Ok(n)
    }
}

/// Reads the first bytes behind those that have come: until they tell the compression, unless the
/// input is shorter or there are [`SNIFF`].
fn sniff(raw: &mut Raw, sniffed: &mut Vec<u8>) -> io::Result<()> {
    let mut more = [0; SNIFF];
    while sniffed.len() < MAGIC || (sniffed.len() < SNIFF && Compression::is_open(sniffed)) {
        match raw.read(&mut more[sniffed.len()..]) {
            Ok(0) => break,
            Ok(n) => sniffed.extend_from_slice(&more[sniffed.len()..][..n]),
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => return Err(e),
        }
    }
    Ok(())
}

/// A file cut inside its magic number, or with one wrong byte there: its name decides.
fn promised(name: &Path, bytes: &[u8]) -> Compression {
    name.extension()
        .and_then(|extension| Compression::from_extension(extension.to_str()?))
        .filter(|compression| match bytes.len() {
            0 => false,
            1..MAGIC => compression.begins(bytes),
            _ => compression.mend(bytes).is_some(),
        })
        .unwrap_or_default()
}
