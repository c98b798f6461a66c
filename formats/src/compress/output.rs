//! A compressed file being written.

use std::fmt;
use std::io::{self, IoSlice, Write};

use super::Compression;
use super::pack::{Around, Packer, Piece};
use crate::Pool;
use crate::pool::InOrder;

/// Compresses what is written to it into another writer.
///
/// Call [`finish`](Output::finish): without the end that it writes, the file counts as cut.
/// The same content gives the same file, however it is cut into writes and whoever packs it; it
/// contains no time and no name.
/// The standard tools read it: `gzip`, `lz4`, `bzip2`, `zstd`.
///
/// Content is cut into pieces of fixed size, each of which is packed on its own, on the threads of a
/// [`Pool`] if it is given one. Two pieces for each thread can be on their way and one be filled:
/// then writing waits for the inner writer. Without a pool it is one piece.
///
/// Behind an error of the inner writer all that follows gives that error again: what the file holds
/// then is torn. An interrupted call is no such error; it can be made again.
pub struct Output<W: Write> {
    packer: Packer,
    around: Around,
    inner: W,
    queue: InOrder<Piece>,
    /// The piece being filled.
    piece: Piece,
    /// Buffers of pieces that were written.
    spare: Vec<Piece>,
    /// Whether a piece was handed in.
    begun: bool,
    failed: Option<io::Error>,
}

impl<W: Write> Output<W> {
    /// Begins a file.
    ///
    /// | compression | levels | default | made of |
    /// |---|---|---|---|
    /// | gzip | 0 to 9 | 3 | members of 1 MiB of content |
    /// | bzip2 | 1 to 9 | 9 | streams of 99 kB of content times the level |
    /// | zstd | 1 to 22 | 3 | frames of 4 MiB of content, with length and checksum |
    /// | lz4 | - | - | one frame of independent 1 MiB blocks with block and content checksums |
    /// | none | - | - | the bytes as they are |
    ///
    /// Measured on one thread with analyzed events of the sample experiment, once of 96 bytes (four
    /// channels each of ADC, TDC and calibrated ADC, and a sum), once of 2 kB (1000 channels of noise):
    /// MB/s of content, and how much smaller the file is. For comparison, `gzip -6` makes the small
    /// events 3.42 times smaller, the big ones 1.34 times.
    ///
    /// | compression, level | small: MB/s | ratio | big: MB/s | ratio |
    /// |---|---|---|---|---|
    /// | gzip 1 | 369 | 2.59 | 142 | 1.01 |
    /// | gzip 2 | 207 | 3.14 | 69 | 1.37 |
    /// | **gzip 3** | 167 | 3.28 | 68 | 1.37 |
    /// | gzip 4 | 129 | 3.36 | 67 | 1.37 |
    /// | gzip 6 | 83 | 3.44 | 63 | 1.37 |
    /// | gzip 9 | 31 | 3.50 | 30 | 1.34 |
    /// | lz4 | 760 | 2.39 | 4200 | 1.02 |
    /// | bzip2 1 | 23 | 4.59 | 19 | 1.58 |
    /// | **bzip2 9** | 22 | 5.41 | 18 | 1.61 |
    /// | zstd 1 | 650 | 3.59 | 1050 | 1.37 |
    /// | zstd 2 | 500 | 3.83 | 840 | 1.37 |
    /// | **zstd 3** | 400 | 3.88 | 400 | 1.38 |
    /// | zstd 5 | 190 | 3.99 | 115 | 1.38 |
    /// | zstd 7 | 105 | 4.11 | 93 | 1.39 |
    ///
    /// # Errors
    /// [`InvalidInput`](io::ErrorKind::InvalidInput) if there is no such level.
    pub fn new(compression: Compression, level: Option<u32>, inner: W) -> io::Result<Output<W>> {
        Ok(Output {
            packer: Packer::new(compression, level)?,
            around: Around::new(compression),
            inner,
            queue: InOrder::new(None),
            piece: Piece::default(),
            spare: Vec::new(),
            begun: false,
            failed: None,
        })
    }

    /// Packs on the threads of a pool from here on.
    #[must_use]
    pub fn with_pool(mut self, pool: Pool) -> Output<W> {
        // What is on its way comes first. An error is kept: all that follows gives it.
        let _ = self.attempt(Output::drain);
        self.queue = InOrder::new(Some(pool));
        self
    }

    /// How it compresses.
    pub fn compression(&self) -> Compression {
        self.packer.compression()
    }

    /// Writes what is still held back and the end of the stream, flushes, and gives the inner
    /// writer back.
    ///
    /// # Errors
    /// Those of the inner writer, also earlier ones. The file is incomplete then.
    pub fn finish(mut self) -> io::Result<W> {
        if self.compression() == Compression::None {
            while let Err(error) = self.flush() {
                if error.kind() != io::ErrorKind::Interrupted {
                    return Err(error);
                }
            }
            return Ok(self.inner);
        }
        self.attempt(|output| {
            if !output.piece.content.is_empty() || !output.begun {
                output.hand_in()?;
            }
            output.drain()?;
            output.inner.write_all(&output.around.tail())?;
            output.inner.flush()
        })?;
        Ok(self.inner)
    }

    /// Does something that leaves the file torn if it fails, unless it is torn.
    fn attempt<T>(&mut self, act: impl FnOnce(&mut Output<W>) -> io::Result<T>) -> io::Result<T> {
        self.sound()?;
        let result = act(self);
        // Nothing was written then, and who writes pieces has tried again.
        if let Some(error) = result.as_ref().err().filter(|e| e.kind() != io::ErrorKind::Interrupted) {
            self.failed = Some(again(error));
        }
        result
    }

    fn sound(&self) -> io::Result<()> {
        self.failed.as_ref().map_or(Ok(()), |error| Err(again(error)))
    }

    /// Gives the piece to those who pack. Waits while they have enough of them.
    fn hand_in(&mut self) -> io::Result<()> {
        if !self.begun {
            self.begun = true;
            self.inner.write_all(&self.around.head())?;
        }
        // What is packed may be as long as the content.
        while self.queue.is_full(2 * self.packer.piece())
            && let Some(packed) = self.queue.next()
        {
            self.put(packed?)?;
        }
        let empty = self.spare.pop().unwrap_or_default();
        let mut piece = std::mem::replace(&mut self.piece, empty);
        self.around.note(&piece.content);
        let packer = self.packer;
        self.queue.push(move || packer.pack(&mut piece).map(|()| piece));
        while let Some(packed) = self.queue.try_next() {
            self.put(packed?)?;
        }
        Ok(())
    }

    /// Waits for all pieces that were handed in, and writes them.
    fn drain(&mut self) -> io::Result<()> {
        while let Some(packed) = self.queue.next() {
            self.put(packed?)?;
        }
        Ok(())
    }

    fn put(&mut self, mut piece: Piece) -> io::Result<()> {
        self.inner.write_all(&piece.packed)?;
        piece.content.clear();
        self.spare.push(piece);
        Ok(())
    }
}

impl<W: Write> Write for Output<W> {
    /// Takes what the piece being filled has room for.
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        if self.compression() == Compression::None {
            return self.attempt(|output| output.inner.write(buf));
        }
        self.sound()?;
        let size = self.packer.piece();
        if self.piece.content.len() >= size {
            self.attempt(Output::hand_in)?;
        }
        let content = &mut self.piece.content;
        content.reserve_exact(size - content.len());
        let n = buf.len().min(size - content.len());
        content.extend_from_slice(&buf[..n]);
        Ok(n)
    }

    fn write_vectored(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        if self.compression() == Compression::None {
            return self.attempt(|output| output.inner.write_vectored(slices));
        }
        self.write(slices.iter().find(|slice| !slice.is_empty()).map_or(&[], |slice| slice))
    }

    /// Passes on the pieces that are complete. It does not change what the file will hold.
    fn flush(&mut self) -> io::Result<()> {
        if self.compression() == Compression::None {
            return self.attempt(|output| output.inner.flush());
        }
        self.attempt(|output| {
            if output.piece.content.len() >= output.packer.piece() {
                output.hand_in()?;
            }
            output.drain()?;
            output.inner.flush()
        })
    }
}

impl<W: Write> fmt::Debug for Output<W> {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.debug_struct("Output").field("compression", &self.compression()).finish_non_exhaustive()
    }
}

/// The same error once more.
fn again(error: &io::Error) -> io::Error {
    match error.raw_os_error() {
        Some(code) => io::Error::from_raw_os_error(code),
        None => io::Error::new(error.kind(), error.to_string()),
    }
}
