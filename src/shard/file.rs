//! The form of a part file.
//!
//! ```text
//! PACTPART            8 bytes
//! version             4: 1
//! records, each:
//!   tag               1
//!   place             8  of the item in the job, counted from 1; 0 for the head
//!   length            8  of the body
//!   sum               4  CRC-32C of the body
//!   sum               4  CRC-32C of the 21 bytes before
//!   body
//! ```
//!
//! Little-endian. The first record is the head, the last the close, whose body is the number of
//! records before it (8 bytes). Nothing of a record is believed before its sums agree.

use std::fmt::Display;
use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use crc32c::crc32c;
use pactolus_formats::wire::{Bytes, Wire};
use pactolus_formats::{Error as FormatError, WholeFile};

use crate::Error;
use crate::shard::Shard;

pub(crate) const MAGIC: [u8; 8] = *b"PACTPART";
pub(crate) const VERSION: u32 = 2;
/// Bytes before the first record.
const FRONT: usize = 12;
/// Bytes of a record before its body.
const TITLE: usize = 25;
/// Bytes of the last record.
const CLOSE: usize = TITLE + 8;

/// What a record is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tag {
    /// The job.
    Head,
    /// A run begins.
    Begin,
    /// What a block contributes: in one part only.
    Block,
    /// Broken bytes.
    Damage,
    /// What the text of an input does not hold.
    Refused,
    /// What a shard's own blocks of a run have filled of one histogram: each part has another.
    Histogram,
    /// A run ends.
    End,
    /// An input without any event.
    Empty,
    /// The part is whole.
    Close,
}

const TAGS: [Tag; 9] = [
    Tag::Head,
    Tag::Begin,
    Tag::Block,
    Tag::Damage,
    Tag::Refused,
    Tag::Histogram,
    Tag::End,
    Tag::Empty,
    Tag::Close,
];

impl Tag {
    fn code(self) -> u8 {
        TAGS.iter().position(|tag| *tag == self).map_or(0, |i| i as u8 + 1)
    }

    fn from_code(code: u8) -> Option<Tag> {
        TAGS.get(usize::from(code).checked_sub(1)?).copied()
    }
}

/// A part being written: it appears when it is whole.
pub(crate) struct Records {
    path: PathBuf,
    file: WholeFile,
    count: u64,
}

impl Records {
    pub(crate) fn create(path: &Path) -> Result<Records, FormatError> {
        let mut file = WholeFile::create(path)?;
        let front = file.write_all(&MAGIC).and_then(|()| file.write_all(&VERSION.to_le_bytes()));
        front.map_err(FormatError::io("write", path))?;
        Ok(Records { path: path.to_owned(), file, count: 0 })
    }

    pub(crate) fn write(&mut self, tag: Tag, place: u64, body: &[u8]) -> Result<(), Error> {
        let mut title = vec![tag.code()];
        place.put(&mut title);
        body.len().put(&mut title);
        crc32c(body).put(&mut title);
        crc32c(&title).put(&mut title);
        let written = self.file.write_all(&title).and_then(|()| self.file.write_all(body));
        written.map_err(FormatError::io("write", &self.path)).map_err(Error::Output)?;
        self.count += 1;
        Ok(())
    }

    /// Gives the part its name; its size in bytes.
    pub(crate) fn finish(mut self, place: u64) -> Result<u64, Error> {
        let mut count = Vec::new();
        self.count.put(&mut count);
        self.write(Tag::Close, place, &count)?;
        self.file.finish().map_err(Error::Output)
    }
}

/// The front of a record.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Title {
    pub(crate) tag: Tag,
    pub(crate) place: u64,
    length: u64,
    sum: u32,
}

impl Title {
    fn parse(bytes: &[u8; TITLE]) -> Option<Title> {
        let mut from = Bytes::new(bytes);
        let tag = Tag::from_code(from.value().ok()?)?;
        let (place, length) = from.value().ok()?;
        let (sum, own): (u32, u32) = from.value().ok()?;
        (crc32c(&bytes[..TITLE - 4]) == own).then_some(Title { tag, place, length, sum })
    }
}

/// A part being read, record by record.
pub(crate) struct PartFile {
    pub(crate) path: PathBuf,
    /// Known as soon as the head is read.
    pub(crate) shard: Option<Shard>,
    file: BufReader<File>,
    size: u64,
    /// The next byte that is read.
    at: u64,
    /// Records before the next.
    count: u64,
    /// The next record; its body was not read.
    pub(crate) next: Title,
}

impl PartFile {
    /// Opens a part, up to the body of its head.
    pub(crate) fn open(path: &Path) -> Result<PartFile, Error> {
        let opened = File::open(path).map_err(FormatError::io("open", path))?;
        let size = opened.metadata().map_err(FormatError::io("open", path))?.len();
        let next = Title { tag: Tag::Close, place: 0, length: 0, sum: 0 };
        let file = BufReader::with_capacity(1 << 16, opened);
        let mut part = PartFile { path: path.to_owned(), shard: None, file, size, at: 0, count: 0, next };
        let mut front = [0; FRONT];
        let known = part.fill(&mut front);
        if !front.starts_with(&MAGIC) {
            if let Err(error) = known
                && size >= FRONT as u64
            {
                return Err(error);
            }
            return Err(part.error("this is none: merge takes the files that analyze --shard has written"));
        }
        known?;
        let version = u32::take(&mut Bytes::new(&front[MAGIC.len()..])).unwrap_or_default();
        if version != VERSION {
            return Err(
                part.error(format!("form {version} found, {VERSION} wanted: use the program that wrote it"))
            );
        }
        if let Err(broken) = part.advance() {
            part.check_end()?;
            return Err(broken);
        }
        if part.next.tag != Tag::Head {
            return Err(part.broken(FRONT as u64));
        }
        Ok(part)
    }

    /// Finds out a part that was cut, before anything is made of it.
    pub(crate) fn check_end(&mut self) -> Result<(), Error> {
        let at = self.at;
        let mut is_close = false;
        if let Some(close) = self.size.checked_sub(CLOSE as u64) {
            let mut title = [0; TITLE];
            self.seek(close)?;
            self.fill(&mut title)?;
            is_close = Title::parse(&title).is_some_and(|t| t.tag == Tag::Close && t.length == 8);
            self.seek(at)?;
        }
        let cut = || self.error(format!("cut short at byte {}{}", self.size, self.again()));
        if is_close { Ok(()) } else { Err(cut()) }
    }

    fn seek(&mut self, at: u64) -> Result<(), Error> {
        self.file.seek(SeekFrom::Start(at)).map_err(FormatError::io("read", &self.path))?;
        self.at = at;
        Ok(())
    }

    fn fill(&mut self, bytes: &mut [u8]) -> Result<(), Error> {
        match self.file.read_exact(bytes) {
            Ok(()) => {
                self.at += bytes.len() as u64;
                Ok(())
            }
            // It has become shorter since it was opened.
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Err(self.broken(self.at)),
            Err(error) => Err(FormatError::io("read", &self.path)(error).into()),
        }
    }

    /// Goes to the next record.
    fn advance(&mut self) -> Result<(), Error> {
        let start = self.at;
        let mut title = [0; TITLE];
        self.fill(&mut title)?;
        // What it claims must be there before there is room made for it.
        let fits = |title: &Title| title.length <= self.size.saturating_sub(start + TITLE as u64);
        self.next = Title::parse(&title).filter(fits).ok_or_else(|| self.broken(start))?;
        Ok(())
    }

    /// Reads the body of the next record, and goes on to the one behind it.
    pub(crate) fn body(&mut self, body: &mut Vec<u8>) -> Result<(), Error> {
        let Title { tag, length, sum, .. } = self.next;
        let start = self.at;
        body.clear();
        body.resize(usize::try_from(length).map_err(|_| self.broken(start))?, 0);
        self.fill(body)?;
        if crc32c(body) != sum {
            return Err(self.broken(start));
        }
        if tag != Tag::Close {
            self.count += 1;
            return self.advance();
        }
        let ends = Bytes::new(body).value() == Ok(self.count) && self.at == self.size;
        if ends { Ok(()) } else { Err(self.broken(start)) }
    }

    /// How far it has been read, and how long it is.
    pub(crate) fn progress(&self) -> (u64, u64) {
        (self.at, self.size)
    }

    /// What is wrong with it.
    pub(crate) fn error(&self, message: impl Into<String>) -> Error {
        Error::Part { path: self.path.clone(), message: message.into() }
    }

    /// A record at this byte is not what was written.
    pub(crate) fn broken(&self, at: u64) -> Error {
        self.error(format!("broken at byte {at}{}", self.again()))
    }

    /// A record is whole and makes no sense.
    pub(crate) fn malformed(&self, title: Title, why: impl Display) -> Error {
        self.error(format!("record {} ({:?}) makes no sense: {why}", title.place, title.tag))
    }

    fn again(&self) -> String {
        match self.shard {
            Some(shard) => format!(": run analyze --shard {shard} again"),
            None => ": run its shard again".into(),
        }
    }
}
