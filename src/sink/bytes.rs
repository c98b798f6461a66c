//! Outputs of events: bytes, compressed on the way.

use std::io::{self, IoSlice, Write};
use std::path::{Path, PathBuf};

use pactolus_formats::compress::Output;
use pactolus_formats::{Error as FormatError, Pool, WholeFile};

use crate::job::OutputFile;

/// Pieces of memory that the system takes in one call.
const SLICES: usize = 1024;

/// Where bytes go.
pub(super) enum Target<'j> {
    File(WholeFile),
    Stdout(&'j mut dyn Write),
}

impl Write for Target<'_> {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        match self {
            Target::File(file) => file.write(buf),
            Target::Stdout(stdout) => stdout.write(buf),
        }
    }

    fn write_vectored(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        match self {
            Target::File(file) => file.write_vectored(slices),
            Target::Stdout(stdout) => stdout.write_vectored(slices),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Target::File(file) => file.flush(),
            Target::Stdout(stdout) => stdout.flush(),
        }
    }
}

/// A file of bytes, compressed on the way.
pub(super) struct ByteFile<'j> {
    path: PathBuf,
    output: Output<Target<'j>>,
}

impl<'j> ByteFile<'j> {
    pub(super) fn create(
        output: &OutputFile,
        path: &Path,
        stdout: &mut Option<&'j mut dyn Write>,
        pool: Option<&Pool>,
    ) -> Result<ByteFile<'j>, FormatError> {
        // One output of a job at the most is standard output; it stays open over all runs.
        let (target, path) = match stdout.take_if(|_| output.is_stdout()) {
            Some(stdout) => (Target::Stdout(stdout), Path::new("(standard output)")),
            None => (Target::File(WholeFile::create(path)?), path),
        };
        let mut output =
            Output::new(output.compression, None, target).map_err(FormatError::io("create", path))?;
        if let Some(pool) = pool {
            output = output.with_pool(pool.clone());
        }
        Ok(ByteFile { path: path.to_owned(), output })
    }

    pub(super) fn write(&mut self, slices: &[IoSlice<'_>]) -> Result<(), FormatError> {
        self.slices(slices).map_err(|error| FormatError::io("write", &self.path)(error))
    }

    /// As few calls of the system as there can be: events that the fold has finished stand between
    /// others in small pieces.
    fn slices(&mut self, slices: &[IoSlice<'_>]) -> io::Result<()> {
        let (mut first, mut skip) = (0, 0);
        while first < slices.len() {
            let written = match skip {
                0 => self.output.write_vectored(&slices[first..slices.len().min(first + SLICES)]),
                _ => self.output.write(&slices[first][skip..]),
            };
            match written {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(n) => skip += n,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
            while first < slices.len() && skip >= slices[first].len() {
                skip -= slices[first].len();
                first += 1;
            }
        }
        Ok(())
    }

    /// Completes the file and brings it to the disk.
    pub(super) fn settle(self) -> Result<Target<'j>, FormatError> {
        let mut target = self.output.finish().map_err(FormatError::io("write", &self.path))?;
        if let Target::File(file) = &mut target {
            file.settle()?;
        }
        Ok(target)
    }
}
