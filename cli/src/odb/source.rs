//! A file as a tree: a run file's dump, or a dump of its own.

use std::error::Error;
use std::fmt;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use pactolus::Events;
use pactolus::formats::asc::is_text;
use pactolus::formats::event::Kind as EventKind;
use pactolus::formats::mid::{Block, Stop};
use pactolus::formats::{Damage, Input};
use pactolus::odb::dump::{Kind, Limits};
use pactolus::odb::{Dump, Load, Tree};

use crate::dump::open;

/// The ODB of a file.
pub(super) struct Source {
    pub(super) tree: Tree,
    /// Where the text of it ends early, if it does.
    pub(super) damage: Option<Problem>,
    /// Was anything else of it left out?
    pub(super) is_partial: bool,
}

/// What is wrong with a file.
#[derive(Debug)]
pub(super) struct Problem {
    file: PathBuf,
    what: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.file.display(), self.what)
    }
}

impl Error for Problem {}

/// Remarks that are shown.
const MOST: usize = 5;

/// How a run file begins: id and mask of its BOR event.
const BOR: &[u8] = &[0x00, 0x80, 0x4d, 0x49];

/// Bytes of a dump that is a file of its own; a text without end must not fill the memory.
pub(super) const MAX_TEXT: u64 = 1 << 30;

impl Source {
    /// Reads a file; what was passed over is told.
    pub(super) fn open(path: &Path, eor: bool, err: &mut dyn Write) -> Result<Source, Box<dyn Error>> {
        let mut input = open(path)?;
        let name = input.name().to_owned();
        let problem = |what: String| Problem { file: name.clone(), what };
        let unread = |error: io::Error| pactolus::formats::Error::io("read", &name)(error);
        let first = input.peek(Input::PEEK).map_err(unread)?.to_vec();
        let text = match dump_kind(&first) {
            Some(_) if eor => {
                return Err(problem("--eor: this is a dump, only run files have a second one".into()).into());
            }
            Some(_) => {
                let mut text = Vec::new();
                input.take(MAX_TEXT).read_to_end(&mut text).map_err(unread)?;
                text
            }
            None => from_run(input, first.starts_with(BOR) || is_text(&first), eor, &name)?,
        };
        let kind = Kind::detect(&text).map_err(|error| problem(error.to_string()))?;
        let (dump, damage) = Dump::read(kind, &text, &Limits::default());
        if dump.entries.is_empty() && !dump.remarks.is_empty() {
            return Err(problem(format!("no ODB dump: {}", dump.remarks[0])).into());
        }
        let mut tree = Tree::new();
        let loaded = tree.load(&dump, &Load { exact: true, ..Load::default() });
        let failed = loaded.failed.iter().map(|(_, error)| format!("key left out: {error}"));
        let left_out: Vec<String> = dump.remarks.iter().map(ToString::to_string).chain(failed).collect();
        for what in left_out.iter().take(MOST) {
            writeln!(err, "pactolus: {}", problem(what.clone()))?;
        }
        if let Some(more @ 1..) = left_out.len().checked_sub(MOST) {
            writeln!(err, "pactolus: {}", problem(format!("and {more} more")))?;
        }
        let damage = damage.map(|error| problem(error.to_string()));
        Ok(Source { tree, damage, is_partial: !left_out.is_empty() })
    }

    /// Reads a file that must be whole.
    pub(super) fn whole(path: &Path, eor: bool, err: &mut dyn Write) -> Result<Tree, Box<dyn Error>> {
        let source = Source::open(path, eor, err)?;
        source.damage.map_or(Ok(source.tree), |damage| Err(damage.into()))
    }
}

/// The form of a dump by its first bytes; none for a run file, whose headers hold zeros.
fn dump_kind(first: &[u8]) -> Option<Kind> {
    Kind::detect(first).ok().filter(|_| !first.contains(&0))
}

/// The dump in a run's first BOR or EOR event.
fn from_run(input: Input, begins_a_run: bool, eor: bool, name: &Path) -> Result<Vec<u8>, Box<dyn Error>> {
    let problem = |what: String| Box::new(Problem { file: name.to_owned(), what });
    let (wanted, word) = if eor {
        (EventKind::Eor, "end-of-run event (EOR)")
    } else {
        (EventKind::Bor, "begin-of-run event (BOR)")
    };
    let read = pactolus::formats::Error::io("read", name);
    let mut events = Events::new(input, pactolus::formats::Limits::default()).map_err(read)?;
    let mut block = Block::new();
    let mut seen = 0;
    let mut broken: Option<Damage> = None;
    let missing = |broken: &Option<Damage>| match broken {
        Some(damage) => problem(format!("no whole {word} in this run: {damage}")),
        None => problem(format!("no ODB in this run: it has no {word}")),
    };
    loop {
        let stop = events.read(&mut block, 1 << 16).map_err(pactolus::formats::Error::io("read", name))?;
        for event in block.events() {
            seen += 1;
            let kind = event.header.kind();
            if kind == wanted {
                let text = event.payload;
                if text.iter().all(|byte| byte.is_ascii_whitespace() || *byte == 0) {
                    return Err(problem(format!("no ODB in this run: its {word} is empty")));
                }
                return Ok(text.to_vec());
            }
            // It is the first event of a run that has it; messages may stand before it.
            if kind == EventKind::Data && !eor {
                return Err(missing(&broken));
            }
        }
        match stop {
            Stop::End if seen == 0 && !begins_a_run => {
                let why = broken.map_or_else(String::new, |damage| format!(": {damage}"));
                return Err(problem(format!("neither an ODB dump nor a run file{why}")));
            }
            Stop::End => return Err(missing(&broken)),
            Stop::Damaged(damage) => {
                broken.get_or_insert(damage);
            }
            Stop::Full | Stop::Bor | Stop::Eor | Stop::Pause => {}
        }
    }
}
