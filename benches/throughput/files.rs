//! The files that are read: a run of the sample experiment, plain and compressed.

use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, BufWriter, Read, Write};
use std::path::{Path, PathBuf};

use flate2::write::GzEncoder;
use pactolus::formats::Compression;
use pactolus::formats::compress::Output;
use pactolus::simulate::{Shape, Simulation};

use crate::Flags;
use crate::table::Group;

/// Uncompressed bytes of a gzip member.
const MEMBER: u64 = 1 << 20;

/// A run and the places around it.
pub(crate) struct Files {
    dir: PathBuf,
    /// Where outputs go.
    pub(crate) out: PathBuf,
    /// What it holds.
    pub(crate) shape: Shape,
    /// The plain file.
    pub(crate) plain: PathBuf,
    /// Its size.
    pub(crate) bytes: u64,
    /// Its data events.
    pub(crate) events: u64,
}

/// Bytes of a Trigger event.
const fn event_size(shape: Shape) -> u64 {
    48 + 2 * shape.tdc_channels() as u64
}

impl Files {
    /// A run of about so many bytes.
    pub(crate) fn make(shape: Shape, bytes: u64, dir: &Path) -> Files {
        let (out, plain) = (dir.join("out"), dir.join("run00001.mid"));
        fs::create_dir_all(&out).unwrap();
        let events = bytes.div_ceil(event_size(shape));
        let simulation = Simulation { events, shape, ..Simulation::default() };
        simulation.write(&mut File::create(&plain).unwrap()).unwrap();
        let bytes = fs::metadata(&plain).unwrap().len();
        Files { dir: dir.to_owned(), out, shape, plain, bytes, events }
    }

    /// A run that begins as this one, of so many bytes at most when two banks have been appended.
    pub(crate) fn sample(&self, most: u64) -> Files {
        let events = self.events.min(most / (event_size(self.shape) + crate::APPENDED));
        Files::make(self.shape, events * event_size(self.shape), &self.dir.join("sample"))
    }

    /// A table of rows that read it.
    pub(crate) fn group<'a>(&self, flags: &'a Flags) -> Group<'a> {
        Group::new(self.shape, self.events, self.bytes, flags)
    }

    /// Removes all of them, with what lies around them.
    pub(crate) fn remove(self) {
        fs::remove_dir_all(self.dir).unwrap();
    }

    /// As `gzip` makes it.
    pub(crate) fn one_member(&self) -> PathBuf {
        self.pack("one.mid.gz", |from, to| {
            let mut encoder = GzEncoder::new(to, flate2::Compression::new(6));
            io::copy(from, &mut encoder)?;
            encoder.finish()?.flush()
        })
    }

    /// As parallel compressors make it.
    pub(crate) fn members(&self) -> PathBuf {
        self.pack("members.mid.gz", |from, to| {
            while !from.fill_buf()?.is_empty() {
                let mut encoder = GzEncoder::new(&mut *to, flate2::Compression::new(6));
                io::copy(&mut from.take(MEMBER), &mut encoder)?;
                encoder.finish()?;
            }
            to.flush()
        })
    }

    /// As our outputs are.
    pub(crate) fn packed(&self, compression: Compression, extension: &str) -> PathBuf {
        self.pack(&format!("run00001.mid.{extension}"), |from, to| {
            let mut output = Output::new(compression, None, to)?;
            io::copy(from, &mut output)?;
            output.finish()?.flush()
        })
    }

    fn pack(
        &self,
        name: &str,
        pack: impl FnOnce(&mut BufReader<File>, &mut BufWriter<File>) -> io::Result<()>,
    ) -> PathBuf {
        let path = self.dir.join(name);
        if !path.exists() {
            let mut from = BufReader::with_capacity(1 << 20, File::open(&self.plain).unwrap());
            let mut to = BufWriter::with_capacity(1 << 20, File::create(&path).unwrap());
            pack(&mut from, &mut to).unwrap();
        }
        path
    }
}
