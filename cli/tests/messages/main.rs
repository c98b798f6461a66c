//! Every message of `docs/messages.md` is provoked, and ends with the exit code that stands there.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use pactolus_cli::App;
use tempfile::TempDir;

#[path = "../../../tests/common/mod.rs"]
mod common;

#[path = "../../../tests/mserver/mod.rs"]
mod mserver;

mod asc;
mod attach;
mod definitions;
mod hist;
mod histograms;
mod inputs;
mod live;
mod mid;
mod midas;
mod new;
mod odb;
mod outputs;
mod packed;
mod recorded;
mod rotated;
mod shards;
mod shared;
mod shm;
mod sources;
mod tables;
mod verify;

/// Exit code, and all that was printed.
struct Ran {
    code: u8,
    said: String,
}

/// Makes what it needs in a place of its own, and runs the program.
type Provoke = fn(&Place) -> Ran;

/// Messages as they stand in the page, each with what provokes it.
type Provokers = Vec<(&'static str, Provoke)>;

/// A directory. In arguments `@` stands for it; what is printed has it not.
struct Place(TempDir);

impl Place {
    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// Writes a file.
    fn put(&self, name: &str, bytes: impl AsRef<[u8]>) -> &Place {
        fs::write(self.path(name), bytes).unwrap();
        self
    }

    fn dir(&self) -> String {
        format!("{}/", self.0.path().display())
    }

    fn args(&self, args: &[&str]) -> Vec<OsString> {
        args.iter().map(|arg| arg.replace('@', &self.dir()).into()).collect()
    }

    /// Runs a command line, cut at its blanks, in this process.
    fn run(&self, line: &str) -> Ran {
        self.run_args(&line.split(' ').collect::<Vec<_>>())
    }

    fn run_args(&self, args: &[&str]) -> Ran {
        let mut out = Vec::new();
        let ran = self.run_into(args, &mut out);
        Ran { said: self.said(&out) + &ran.said, ..ran }
    }

    fn run_into(&self, args: &[&str], out: &mut dyn Write) -> Ran {
        let mut err = Vec::new();
        let app = App::new(pactolus_modules::catalogue());
        let code = pactolus_cli::run(&app, &self.args(args), out, &mut err);
        Ran { code, said: self.said(&err) }
    }

    /// Runs the program itself, behind some words of bash, with this standard input.
    fn process(&self, bash: &str, line: &str, stdin: &[u8]) -> Ran {
        // It may wait for somebody who has failed.
        let script = format!("{bash} timeout --foreground -k 1 300 \"$@\"");
        let mut command = Command::new("bash");
        command.args(["-c", &script, "bash", env!("CARGO_BIN_EXE_pactolus")]);
        command.args(self.args(&line.split(' ').collect::<Vec<_>>())).current_dir(self.0.path());
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        // It may have ended without reading it.
        let _ = child.stdin.take().unwrap().write_all(stdin);
        let ran = child.wait_with_output().unwrap();
        let said = self.said(&[ran.stdout, ran.stderr].concat());
        let code = ran.status.code().unwrap_or_else(|| panic!("{line}: {}: {said}", ran.status));
        Ran { code: u8::try_from(code).unwrap(), said }
    }

    /// Begins the program itself; what it hears and says goes through pipes.
    fn spawn(&self, args: &[&str]) -> Child {
        let mut command = Command::new(env!("CARGO_BIN_EXE_pactolus"));
        command.args(self.args(args)).current_dir(self.0.path());
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    }

    fn said(&self, bytes: &[u8]) -> String {
        String::from_utf8_lossy(bytes).replace(&self.dir(), "")
    }
}

/// What a row of the page says.
#[derive(Debug)]
struct Row {
    message: String,
    code: u8,
    /// The whole line, with MESSAGE where it stands.
    frame: String,
}

fn page() -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/messages.md")).unwrap()
}

/// What stands between the backticks around a text, of which there may be several.
fn code_span(text: &str) -> Option<&str> {
    let text = text.trim();
    let ticks = text.len() - text.trim_start_matches('`').len();
    let inside = text.get(ticks..text.len() - ticks)?;
    (ticks > 0).then_some(if ticks > 1 { inside.trim() } else { inside })
}

/// The rows of all tables of messages. Above each stands `Printed as` with the line.
fn rows(page: &str) -> Vec<Row> {
    let mut rows = Vec::new();
    let mut frame = String::new();
    let mut in_table = false;
    for line in page.lines() {
        if let Some(printed) = line.strip_prefix("Printed as ") {
            frame = code_span(printed.trim_end_matches('.')).unwrap().to_owned();
            assert!(frame.contains("MESSAGE"), "{line}");
        }
        in_table = line.starts_with('|') && (in_table || line.starts_with("| message |"));
        if !in_table || line.starts_with("| message |") || line.starts_with("|---") {
            continue;
        }
        let cells: Vec<&str> = line.trim_matches('|').split(" | ").collect();
        let [message, code, meaning] = cells[..] else { panic!("three cells wanted: {line}") };
        assert!(!meaning.trim().is_empty(), "{line}");
        let message = code_span(message).unwrap_or_else(|| panic!("{line}")).to_owned();
        rows.push(Row { message, code: code.trim().parse().unwrap(), frame: frame.clone() });
    }
    rows
}

/// Whether a line is a pattern in which `...` stands for anything.
fn matches(pattern: &str, line: &str) -> bool {
    let (first, rest) = pattern.split_once("...").map_or((pattern, None), |(a, b)| (a, Some(b)));
    let Some(behind) = line.strip_prefix(first) else { return false };
    match rest {
        None => behind.is_empty(),
        Some(rest) => {
            (0..=behind.len()).any(|at| behind.is_char_boundary(at) && matches(rest, &behind[at..]))
        }
    }
}

/// Pairs of a message and what provokes it.
macro_rules! provoke {
    ($($message:expr => $provoke:expr;)*) => {
        vec![$({
            let provoke: crate::Provoke = $provoke;
            ($message, provoke)
        }),*]
    };
}
pub(crate) use provoke;

/// Standard output of which every write fails so.
struct Failing(i32);

impl Write for Failing {
    fn write(&mut self, _: &[u8]) -> io::Result<usize> {
        Err(io::Error::from_raw_os_error(self.0))
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn every_message_of_the_page_is_printed_with_its_exit_code() {
    let page = page();
    let mut rows: BTreeMap<String, Row> = BTreeMap::new();
    for row in self::rows(&page) {
        let twice = rows.insert(row.message.clone(), row);
        assert!(twice.is_none(), "twice in the page: {twice:?}");
    }
    assert!(rows.len() > 150, "{} rows found", rows.len());
    let mut wrong = Vec::new();
    let topics = [
        mid::all,
        packed::all,
        asc::all,
        midas::all,
        attach::all,
        new::all,
        odb::all,
        tables::all,
        rotated::all,
        definitions::all,
        inputs::all,
        live::all,
        histograms::all,
        outputs::all,
        hist::all,
        shards::all,
        recorded::all,
        shared::all,
        shm::all,
        verify::all,
    ];
    for (message, provoke) in topics.into_iter().flat_map(|all| all()) {
        let Some(row) = rows.remove(message) else {
            wrong.push(format!("not in the page, or provoked twice: {message}"));
            continue;
        };
        let ran = provoke(&Place(TempDir::new().unwrap()));
        let line = row.frame.replace("MESSAGE", message);
        if !ran.said.lines().any(|found| matches(&line, found.trim())) {
            let said: String = ran.said.chars().take(1500).collect();
            wrong.push(format!("not printed: {line}\n  but, with code {}: {said}", ran.code));
        } else if ran.code != row.code {
            wrong.push(format!("code {} wanted, {} found: {message}", row.code, ran.code));
        }
    }
    wrong.extend(rows.into_keys().map(|message| format!("nothing provokes: {message}")));
    assert!(wrong.is_empty(), "{} faults\n{}", wrong.len(), wrong.join("\n"));
}

/// A source file of the workspace.
fn source(name: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(name)).unwrap()
}

#[test]
fn every_reason_by_which_damage_is_counted_is_in_the_page() {
    let (page, source) = (page(), source("formats/src/error.rs"));
    let body = source.split_once("pub fn reason(").unwrap().1.split_once("\n    }\n").unwrap().0;
    let reasons: Vec<&str> = body
        .lines()
        .filter_map(|line| line.trim().strip_suffix("\",")?.split_once("=> \""))
        .map(|r| r.1)
        .collect();
    assert!(reasons.len() >= 16, "{reasons:?}");
    for reason in reasons {
        assert!(page.contains(&format!("`{reason}`")), "{reason}");
    }
}

#[test]
fn the_table_of_exit_codes_has_all_of_them() {
    let (page, source) = (page(), source("cli/src/lib.rs"));
    let constants = source.lines().filter_map(|line| line.strip_prefix("const ")?.split_once(": u8 = "));
    let mut wanted: Vec<u8> =
        constants.map(|(_, code)| code.trim_end_matches(';').parse().unwrap()).collect();
    let table = page.split_once("| code |").unwrap().1.split_once("\n\n").unwrap().0;
    let mut found: Vec<u8> =
        table.lines().filter_map(|line| line.strip_prefix("| ")?.split(' ').next()?.parse().ok()).collect();
    wanted.sort_unstable();
    found.sort_unstable();
    assert_eq!(found, wanted);
}

/// Where the messages of the page are made.
const SOURCES: &[&str] = &[
    "formats/src/error.rs",
    "formats/src/asc/reader.rs",
    "formats/src/asc/record.rs",
    "formats/src/asc/record/dump.rs",
    "formats/src/asc/record/end.rs",
    "formats/src/asc/record/structure.rs",
    "formats/src/asc/record/text.rs",
    "formats/src/asc/refused.rs",
    "formats/src/compress/bzip2.rs",
    "formats/src/compress/decoder.rs",
    "formats/src/compress/gzip.rs",
    "formats/src/compress/lz4.rs",
    "formats/src/compress/lz4/frame.rs",
    "formats/src/compress/zstd.rs",
    "formats/src/tuple/join.rs",
    "formats/src/tuple/part.rs",
    "formats/src/tuple/refused.rs",
    "odb/src/dump/draft.rs",
    "odb/src/dump/json.rs",
    "odb/src/dump/json/node.rs",
    "odb/src/dump/odb.rs",
    "odb/src/dump/odb/writer.rs",
    "odb/src/dump/xml.rs",
    "odb/src/dump/xml/tag.rs",
    "odb/src/shell/call.rs",
    "odb/src/shell/error.rs",
    "odb/src/shell/words.rs",
    "odb/src/store/shared.rs",
    "odb/src/store/shared/env.rs",
    "odb/src/store/shared/mirror.rs",
    "odb/src/store/shared/place.rs",
    "src/attached/experiment.rs",
    "src/attached/pull.rs",
    "src/attached/runs.rs",
    "src/catalogue.rs",
    "src/copies.rs",
    "src/definition.rs",
    "src/definition/keys.rs",
    "src/definition/value.rs",
    "src/fold/copied.rs",
    "src/fold/written.rs",
    "src/feed.rs",
    "src/feed/hearing.rs",
    "src/feed/spool.rs",
    "src/feed/streams.rs",
    "src/fold/live.rs",
    "src/histo/files.rs",
    "src/histo/root/read.rs",
    "src/histo/runs.rs",
    "src/histo/table.rs",
    "src/hot.rs",
    "src/last.rs",
    "src/job.rs",
    "src/events.rs",
    "src/online/arrivals.rs",
    "src/online/follow.rs",
    "src/online/followed.rs",
    "src/online/following.rs",
    "src/online/growing.rs",
    "src/online/places.rs",
    "src/midas/address.rs",
    "src/midas/carry.rs",
    "src/midas/error.rs",
    "src/midas/mirror.rs",
    "src/midas/session.rs",
    "src/midas/steps.rs",
    "src/pipe.rs",
    "src/recent/hand.rs",
    "src/recent/pull.rs",
    "src/recent/stream.rs",
    "src/recorded.rs",
    "src/recorded/read.rs",
    "src/shard.rs",
    "src/shard/file.rs",
    "src/shard/head.rs",
    "src/shard/merge.rs",
    "src/shard/part.rs",
    "src/shard/parts.rs",
    "src/shm/error.rs",
    "src/shm/file.rs",
    "src/shm/name.rs",
    "src/sink.rs",
    "src/sink/rotation.rs",
    "cli/src/bridge.rs",
    "cli/src/bridge/carry.rs",
    "cli/src/check.rs",
    "cli/src/dump/follow.rs",
    "cli/src/follow.rs",
    "cli/src/lines.rs",
    "cli/src/live.rs",
    "cli/src/live_input.rs",
    "cli/src/hist/choice.rs",
    "cli/src/hist/output.rs",
    "src/verify.rs",
    "src/verify/blame.rs",
    "src/verify/digest.rs",
    "cli/src/inputs.rs",
    "cli/src/merge/runs.rs",
    "cli/src/merge/tables.rs",
    "cli/src/midas/login.rs",
    "cli/src/midas/show.rs",
    "cli/src/manual.rs",
    "cli/src/new.rs",
    "cli/src/new/added.rs",
    "cli/src/new/names.rs",
    "cli/src/new/source.rs",
    "cli/src/odb/convert.rs",
    "cli/src/odb/commands.rs",
    "cli/src/odb/place.rs",
    "cli/src/odb/program.rs",
    "cli/src/odb/source.rs",
    "cli/src/patient.rs",
    "cli/src/publish.rs",
    "cli/src/publish/publisher.rs",
    "cli/src/publish/telling.rs",
    "cli/src/scan/check.rs",
    "cli/src/shared.rs",
    "cli/src/shm.rs",
    "cli/src/simulate.rs",
    "cli/src/simulate/pace.rs",
    "cli/src/telling.rs",
    "cli/src/verify.rs",
];

/// Texts that are no messages of their own.
const NOT_IN_THE_PAGE: &[&str] = &[
    // What libraries delete or make in an experiment: no command does.
    "another program watches ..., and who deletes it would damage the experiment's ODB",
    "MIDAS's names have no blank at an end",
    // What merge says when all is well.
    "... histogram... of ... run...",
    "wrote ... (... bytes)",
    "wrote ...: ... bytes, ... rows, from ... part...",
    "left out ...: histograms, not a part of a table",
    "the parts may be removed",
    // What a definition wants and where: parts of what is said to it.
    "an array of numbers",
    "true or false",
    "an array of tables",
    "a number, text, true or false, or an array of them",
    "a number, text, true or false, or an array of them wanted",
    "a type like \"WORD[4]\", or a table with it",
    "true or false, or a table with an axis",
    "a table of parameters",
    "request number ...",
    "..., module ...",
    "..., module number ...",
    "..., field ...",
    "..., histogram of ...",
    "a long text",
    // What is told when all is well, and parts of that.
    "a run that is going on is cut",
    "the run ends here",
    "waiting for ...",
    "run ..., paused",
    "waiting for a run",
    ", nothing new for ...",
    "... ev so far",
    "waits for ..., ... in all",
    "run ...: ..., ..., ...",
    ", ... of them waiting for consumers",
    "; cut: it has no EOR",
    "......: ..., ..., ...; ... s, ... events/s, .../s\\n",
    "consumers were waited for, ...\\n",
    "run ... is cut",
    "no run is cut",
    "... of the source passed over\\n",
    "... passed over",
    "stopped before the end, as you asked: ...\\n",
    "wrote ...: run ..., ... events, ... bytes; ...B/s",
    "no stream of this user",
    "...  ...  ... of room, mode ...",
    "; consumers were waited for, ...",
    "; ... too big",
    "... (pid ...)",
    "what it can",
    // Of the library: the program looks before.
    "...: no event is as young as 0 s (--max-age)",
    "no event can be published of this: ...",
    "stopped while waiting for a consumer",
    // Faults of ours.
    "the thread that publishes has failed",
    "...: the thread that reads it has failed",
    "run ... cannot be made: ...",
    // Parts.
    "its end was not told",
    "set the mode of",
    "; another user has one of this name, shm:......",
    // There of several.
    ", of which 1 event was published before",
    // Ends and parts of messages.
    "; 1 byte lost",
    "no more members",
    "elements of a key",
    "reading and writing",
    "reading, writing and the histograms of marked banks",
    "... thread..., blocks of ... bytes",
    ", 1 shard",
    "histogram ... of run ...",
    ", ... shards",
    "behind a lock; take chance from context.random(), the time from the event",
    // A table.
    "... ... ... ...  result",
    "... ... ... ...  ...",
    // What the library says in one line stands in several.
    "stage \"...\" of request \"...\" differs, ...",
    "stage \"...\" of request \"...\" follows: ...",
    // In the text below a table.
    "... lines before this were left out: nobody has read them",
    "... summaries before this were left out: nobody has read them\\n",
    // A fault of ours.
    "a line of type ... cannot be written: ...",
    // The middle of one.
    "a directory or ...",
    "there is no such directory, and if it is a file that is to come, ...",
    "what may have changed",
    "run ...: events are not copied to the ODB: ...",
    // Parts of them.
    "the form of the first",
    "it is ..., the bank ...",
    "it is a directory, the bank ...",
    "the change of ... and ... more",
    "stage \"...\": ...",
    // Of the library: the program looks before.
    "input ...: what is followed is the only input: leave one of the two out",
    // A fault of ours.
    "the thread that writes is gone",
    "cannot write its report: ...",
    "a shard has followed what others change",
    "the access modes of ...",
    "... ... without keys",
    "a shard before this",
    "settings before this",
    "number of shards",
    "contents of ...",
    "a list of files before this",
    "the number of an input before this",
    "a block of this run",
    "no second head",
    "nobody books ...",
    "no part of it was given",
    "other bins of ...",
    // Of the library: the program takes analyzer and job from the parts.
    "no parts: name the files that analyze --shard has written",
    "is of another analyzer or job than this: they differ in ...",
    "a snapshot is newer than it can be",
    "the stored tree has no root",
    // Of the library: the program says which ODB.
    "--odb-load: the ODB is shared, and the file would overwrite it: load it with `pactolus odb`, or leave out --odb (PACTOLUS_ODB)",
    // Of the library: the program has looked at the words before.
    "no address of an experiment",
    "--veto is for who takes part in transitions: add --transitions",
    // Where the job is over.
    "the connection to the experiment is closed",
    // Parts of them, of what stands in the text below the table.
    "... of id ...",
    "Program ... on host ... ...",
    // Paths.
    "/Runinfo/Transition in progress",
    "/Runinfo/Start time binary",
    "/Runinfo/Stop time binary",
    ".../Output/Events to ODB",
    // Of the library: `midas set` makes no key, and the program closes nothing that it needs.
    "MIDAS's names have at most 31 bytes",
    "MIDAS's paths have at most 255 bytes",
    "no experiment is attached",
    "the session is closed",
    "thread of the session",
    // Told when a command is stopped.
    "the experiment is left",
    // Of the library: the program does not ask.
    "...: the database is not what was written to it",
    // It takes 4 GiB, or a network file system; docs/odb.md has them.
    "... is full (... MiB), nothing was changed: delete what is large",
    "... is on a network file system (...), where processes do not share memory: take a directory on a disk of this computer, or below /dev/shm",
    "FUSE, as sshfs",
    // It takes a process that is stopped, a directory that is deleted, a full disk; the tests of the store do.
    "...: process ... is in the midst of a change and does not end it; was it stopped? (kill -CONT ...)",
    "... was deleted while it was open: what is set there now is not seen here, nor the other way round",
    "the disk of ... is full, nothing was changed",
    "...: another program has opened it with more room than this one",
    // Damage of a database that no few bytes make; the tests of the store do.
    "... keys are in no directory",
    "there is no key number ...",
    "key number ... is in two directories",
    "directory number ... is too deep",
    "number ... is not in ...",
    // Reasons in the sources.
    "LMDB maps its files",
    "a flag of LMDB that is about the disk",
    "a merge has the ODB of its parts, not a shared one",
    "a merge has the values of its parts, not recorded ones",
    "a shared ODB may change from one combination to the next",
    // What `new` and `man` tell when all is well, and parts of what they tell else.
    "Wrote ... pages into ....",
    "Made ...: the module ... (src/....rs), its test (tests/....rs), the definition",
    "that mounts it (analyzer.toml), and a run of ... events (runs/run00001.mid).",
    "Made ... and ....",
    "Changed src/lib.rs: ... is in the catalogue.",
    "Changed analyzer.toml: it is mounted on the events with ADC0.",
    "and in catalogue(), behind the other modules,",
    "below the [[request]] of the events with ADC0,",
    "a file of every crate",
    "a module of MIDAS's sample experiment",
    "the prelude of Rust or Pactolus",
    "the language Rust",
    // Lines of a crate.
    "pub mod ...;",
    "pub fn catalogue() -> Catalogue",
    "{ path = ... }",
    "{ git = ... }",
    "name = \"...\"",
    // It takes a directory that is deleted.
    "the working directory is gone: ...",
    // Never printed: what was wrong at first is.
    "bzip2 stream is corrupt",
    // There with fewer dots.
    "...: standard output takes one table, and there are ...: name one, as in -o -.....arrow",
    "...: standard output takes one table, and behind ... comes ...: name one, as in -o -.....arrow",
    // Text of dumps that are written.
    "/MIDAS git revision",
    "a tree is no deeper than its paths",
    "{ \"type\" : ...",
    ", \"num_values\" : ...",
    ", \"item_size\" : ...",
    ", \"access_mode\" : ..., \"last_written\" : ... }",
    "= INT : 0",
    "<?xml version=\"1.0\" encoding=\"ISO-8859-1\"?>\\n",
    "<!-- ... -->\\n",
];

#[test]
fn no_message_of_the_sources_is_missing_in_the_page() {
    let page = page();
    let lines: Vec<String> =
        rows(&page).iter().map(|row| row.frame.replace("MESSAGE", &row.message)).collect();
    let mut missing = Vec::new();
    for name in SOURCES {
        for text in sources::texts(&source(name)) {
            let pattern = format!("...{text}...");
            let known = NOT_IN_THE_PAGE.contains(&text.as_str()) || page.contains(&format!("`{text}`"));
            if !known && !lines.iter().any(|line| matches(&pattern, line)) {
                missing.push(format!("{name}: {text}"));
            }
        }
    }
    assert!(missing.is_empty(), "{}", missing.join("\n"));
}
