//! What the shell finds in this program: standard output, files, the clock, perhaps a terminal.

use std::error::Error;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use pactolus::formats::WholeFile;
use pactolus::odb::shell::{Paint, Surroundings};

/// What the shell finds here.
pub(crate) struct Program<'p> {
    out: Stoppable<'p>,
    err: &'p mut dyn Write,
    colour: bool,
    /// Asks the user, if there is one.
    ask: Option<fn(&str) -> bool>,
}

impl<'p> Program<'p> {
    /// A program without a terminal.
    pub(crate) fn new(out: &'p mut dyn Write, err: &'p mut dyn Write) -> Program<'p> {
        Program { out: Stoppable { out, stop: None }, err, colour: false, ask: None }
    }

    /// ... with colours.
    pub(crate) fn colour(self, on: bool) -> Program<'p> {
        Program { colour: on, ..self }
    }

    /// ... that ends a command when it is asked to.
    pub(crate) fn stop(mut self, is_asked: impl Fn() -> bool + 'p) -> Program<'p> {
        self.out.stop = Some(Box::new(is_asked));
        self
    }

    /// ... with a user, who can end a command and be asked.
    pub(super) fn user(self, stop: Arc<AtomicBool>, ask: fn(&str) -> bool) -> Program<'p> {
        Program { ask: Some(ask), ..self.stop(move || stop.load(Ordering::Relaxed)) }
    }

    /// Says why a command was not done.
    pub(super) fn refuse(&mut self, error: &dyn std::fmt::Display) -> io::Result<()> {
        match self.colour {
            true => writeln!(self.err, "\x1b[31m{error}\x1b[0m"),
            false => writeln!(self.err, "{error}"),
        }
    }
}

impl Surroundings for Program<'_> {
    fn out(&mut self) -> &mut dyn Write {
        &mut self.out
    }

    fn save(&mut self, name: &str, contents: &[u8]) -> Result<(), Box<dyn Error>> {
        write(name.as_ref(), contents, &mut self.out)
    }

    fn load(&mut self, name: &str) -> Result<Vec<u8>, Box<dyn Error>> {
        if name == "-" {
            return Err("standard input has the commands: the name of a file expected, '-' found".into());
        }
        let mut text = Vec::new();
        let input = crate::dump::open(name.as_ref())?;
        let unread = pactolus::formats::Error::io("read", name);
        io::Read::read_to_end(&mut io::Read::take(input, super::source::MAX_TEXT), &mut text)
            .map_err(unread)?;
        Ok(text)
    }

    fn now(&self) -> u32 {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        u32::try_from(since.as_secs()).unwrap_or(u32::MAX)
    }

    fn warn(&mut self, text: &str) {
        // Nobody may read it.
        let _ = writeln!(self.err, "pactolus: {text}");
    }

    fn ask(&mut self, question: &str) -> Option<bool> {
        self.ask.map(|ask| ask(question))
    }

    fn stopped(&self) -> bool {
        self.out.is_stopped()
    }

    fn paint(&self, what: Paint, text: &[u8]) -> Vec<u8> {
        let colour: &[u8] = match what {
            Paint::Directory => b"\x1b[1;34m",
            Paint::Link => b"\x1b[36m",
            _ => b"",
        };
        if self.colour && !colour.is_empty() { [colour, text, b"\x1b[0m"].concat() } else { text.to_vec() }
    }
}

/// Writes a file whole, or not at all; `-` is the output. Links to files stay links, and what is no
/// regular file (a FIFO, a device) is written into.
pub(super) fn write(path: &Path, contents: &[u8], out: &mut dyn Write) -> Result<(), Box<dyn Error>> {
    // The system's name for the output may be that of a file, which would be replaced below our hands.
    if path == Path::new("-") || path == Path::new("/dev/stdout") {
        return Ok(out.write_all(contents).and_then(|()| out.flush())?);
    }
    let unwritten = pactolus::formats::Error::io("write", path);
    let written = match fs::metadata(path) {
        Ok(there) if !there.is_file() && !there.is_dir() => {
            let opened = File::options().write(true).open(path);
            opened.and_then(|mut file| file.write_all(contents)).map_err(unwritten)
        }
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(unwritten(error)),
        _ => WholeFile::write(target(path), contents),
    };
    written.map_err(|error| pactolus::Error::Output(error).into())
}

/// Where the links at the end of a path lead to, whether it is there or not.
fn target(path: &Path) -> PathBuf {
    let mut path = path.to_owned();
    // The system has refused circles already, unless somebody makes one now.
    for _ in 0..64 {
        let Ok(target) = fs::read_link(&path) else { break };
        path = path.parent().unwrap_or(Path::new("")).join(target);
    }
    path
}

/// An output that the user can end.
struct Stoppable<'p> {
    out: &'p mut dyn Write,
    stop: Option<Box<dyn Fn() -> bool + 'p>>,
}

impl Stoppable<'_> {
    /// Bytes between two looks at whether to end.
    const PIECE: usize = 4096;

    fn is_stopped(&self) -> bool {
        self.stop.as_ref().is_some_and(|is_asked| is_asked())
    }
}

impl Write for Stoppable<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.is_stopped() {
            return Err(io::Error::other("stopped"));
        }
        self.out.write(&bytes[..bytes.len().min(Stoppable::PIECE)])
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}
