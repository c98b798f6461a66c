//! The command line as a function: `pactolus`, and every user's own analyzer.
//!
//! ```no_run
//! use std::process::ExitCode;
//!
//! fn main() -> ExitCode {
//!     pactolus_cli::main(pactolus_modules::catalogue())
//! }
//! ```
//!
//! This is the only floor that prints, ends the process, or looks at its surroundings. Each
//! subcommand is one file; its help is the doc comment of its arguments.

mod analyze;
mod args;
mod attach;
mod bridge;
mod check;
mod demo;
mod dump;
mod follow;
mod hist;
mod inputs;
mod lines;
mod live;
mod live_input;
mod login;
mod manual;
mod merge;
mod midas;
mod new;
mod odb;
mod patient;
mod program;
mod progress;
mod publish;
mod scan;
mod shard;
mod shared;
mod shm;
mod signals;
mod simulate;
mod status;
mod summary;
mod telling;
mod verify;

use std::ffi::OsString;
use std::io::{self, Write};
use std::process::ExitCode;

use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};
use pactolus::{Catalogue, Stop};

/// All went well.
const OK: u8 = 0;
/// Finished, but with damage or module errors.
const DAMAGED: u8 = 1;
/// Could not run.
const REFUSED: u8 = 2;
/// Stopped by the user.
const STOPPED: u8 = 3;
/// The live source ended before the run did, or was silent for too long.
const ENDED: u8 = 4;
/// An output could not be written.
const UNWRITTEN: u8 = 5;

/// A subcommand's answer: its exit code, or why it could not run.
type Outcome = Result<u8, Box<dyn std::error::Error>>;

/// An analyzer program: its modules, and the definition that it brings along.
pub struct App {
    catalogue: Catalogue,
    definition: Option<&'static str>,
    stop: Stop,
    /// Signals and standard output are those of the process.
    process: bool,
    /// How the user calls the program.
    program: String,
    /// What drawings go to.
    screen: hist::Screen,
}

impl App {
    /// A program with these modules.
    pub fn new(catalogue: Catalogue) -> App {
        let screen = hist::Screen::PIPE;
        App {
            catalogue,
            definition: None,
            stop: Stop::new(),
            process: false,
            program: "pactolus".into(),
            screen,
        }
    }

    /// ... that uses this definition unless `-a` names another.
    #[must_use]
    pub fn definition(mut self, text: &'static str) -> App {
        self.definition = Some(text);
        self
    }

    /// Runs the program with the arguments of the process.
    pub fn main(mut self) -> ExitCode {
        limit_panics();
        if let Some(program) = std::env::args_os().next() {
            self.program = program.to_string_lossy().into_owned();
        }
        self.screen = hist::Screen::of_process();
        self.process = true;
        outlive_file_limit();
        let args: Vec<OsString> = std::env::args_os().skip(1).collect();
        ExitCode::from(run(&self, &args, &mut io::stdout(), &mut io::stderr()))
    }
}

impl App {
    /// What follows ends early if the user asks for it; `becomes` says what becomes of it then.
    pub(crate) fn stoppable(&self, becomes: &'static str) -> Stop {
        if self.process {
            signals::listen(&self.stop, becomes);
        }
        self.stop.clone()
    }
}

/// Runs the program with these modules and the arguments of the process.
pub fn main(catalogue: Catalogue) -> ExitCode {
    App::new(catalogue).main()
}

/// Runs the program with these arguments, the program's name not among them; its exit code.
///
/// | code | meaning |
/// |---|---|
/// | 0 | all well |
/// | 1 | finished, but with damage or module errors (counts printed) |
/// | 2 | could not run: usage, missing file, refused chain |
/// | 3 | stopped by the user |
/// | 4 | what is live was silent for too long, is not there, or is not what it was |
/// | 5 | an output could not be written: disk full, quota, a closed pipe that wanted events |
///
/// A closed pipe that shows text, as in `pactolus dump run00042.mid | head`, is all well.
pub fn run(app: &App, args: &[OsString], out: &mut dyn Write, err: &mut dyn Write) -> u8 {
    let outcome = parse(args).and_then(|command| match command {
        Command::Analyze(args) => analyze::run(app, *args, out, err),
        Command::Merge(args) => merge::run(app, &args, out, err),
        Command::Dump(args) => dump::run(app, &args, out, err),
        Command::Scan(args) => scan::run(&args, out, err),
        Command::Hist(args) => hist::run(app, &args, out),
        Command::Midas(args) => midas::run(app, &args, out, err),
        Command::Odb(args) => odb::run(app, &args, out, err),
        Command::Check(args) => check::run(app, &args, out),
        Command::Bridge(args) => bridge::run(app, &args, out, err),
        Command::Shm(args) => shm::run(&args, out, err),
        Command::Simulate(args) => simulate::run(app, &args, out, err),
        Command::Verify(args) => verify::run(app, &args, out, err),
        Command::Demo(args) => demo::run(app, &args, out),
        Command::New(args) => new::run(&args, out),
        Command::Man(args) => manual::man(&args, out),
        Command::Completions(args) => manual::completions(app, &args, out),
    });
    match outcome {
        Ok(code) => code,
        Err(error) => match error.downcast_ref::<clap::Error>() {
            Some(usage) if usage.use_stderr() => {
                let _ = writeln!(err, "{}", one_line(usage));
                REFUSED
            }
            // `--help` and `--version` are no errors.
            Some(help) => {
                let _ = write!(out, "{help}");
                OK
            }
            None => report(&*error, err),
        },
    }
}

/// Says why a command failed; its exit code.
fn report(error: &(dyn std::error::Error + 'static), err: &mut dyn Write) -> u8 {
    // Bare errors of the system come from what we print ourselves: pages for people, whose reader
    // may have seen enough. Events that could not be written are an `Output` error.
    if let Some(stdout) = error.downcast_ref::<io::Error>() {
        if stdout.kind() == io::ErrorKind::BrokenPipe {
            return OK;
        }
        let _ = writeln!(err, "pactolus: cannot write (standard output): {stdout}");
        return UNWRITTEN;
    }
    let _ = writeln!(err, "pactolus: {}", chain(error));
    match error.downcast_ref::<pactolus::Error>() {
        Some(error) if error.is_output() => UNWRITTEN,
        Some(error) if error.is_away() => ENDED,
        _ => REFUSED,
    }
}

fn parse(args: &[OsString]) -> Result<Command, Box<dyn std::error::Error>> {
    args::refuse_foreign(args)?;
    args::refuse_followed(args)?;
    let name = OsString::from("pactolus");
    let args = args::attached(args);
    let matches = Cli::command().try_get_matches_from(std::iter::once(name).chain(args))?;
    Ok(Cli::from_arg_matches(&matches)?.command)
}

/// What clap says over several lines, in one; a missing subcommand gets the whole help.
fn one_line(usage: &clap::Error) -> String {
    let text = usage.to_string();
    if usage.kind() == clap::error::ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand {
        return text.trim_end().to_owned();
    }
    let mut lines = text.lines().map(str::trim).filter(|line| !line.is_empty()).peekable();
    let first = lines.next().unwrap_or_default();
    let mut first = first.strip_prefix("error: ").unwrap_or(first).to_owned();
    // What is missing stands below, each on a line.
    while let Some(missing) = lines.next_if(|line| first.contains(':') && line.starts_with(['<', '-'])) {
        first = format!("{first} {missing}");
    }
    let tip = lines.find(|line| line.starts_with("tip:")).map(|tip| format!("; {tip}"));
    format!("pactolus: {first}{}", tip.unwrap_or_default())
}

/// An error with its causes, unless its own text has them.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        let inner_text = inner.to_string();
        if !text.contains(&inner_text) {
            text = format!("{text}: {inner_text}");
        }
        cause = inner.source();
    }
    text
}

/// A module that panics at every event must not flood the terminal: the report counts them all.
fn limit_panics() {
    use std::sync::atomic::{AtomicU32, Ordering};
    static SHOWN: AtomicU32 = AtomicU32::new(0);
    let standard = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        if SHOWN.fetch_add(1, Ordering::Relaxed) < 5 {
            standard(panic);
        }
    }));
}

/// A file that grows beyond `ulimit -f`, as batch systems set it, must fail as on a full disk: by
/// default the signal ends the process at once, and unfinished files stay behind.
fn outlive_file_limit() {
    #[cfg(unix)]
    {
        // Any handler will do; without one the process ends, as it would have.
        let caught = std::sync::Arc::default();
        let _ = signal_hook::flag::register(signal_hook::consts::SIGXFSZ, caught);
    }
}

/// Multi-stage event analyzer for experiments that run the MIDAS data acquisition system.
#[derive(Parser)]
#[command(
    name = "pactolus",
    version,
    max_term_width = 80,
    after_help = "Try `pactolus demo`, then `pactolus analyze --help`."
)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Analyze(Box<args::AnalyzeArgs>),
    Check(check::CheckArgs),
    Merge(merge::MergeArgs),
    Dump(dump::DumpArgs),
    Scan(scan::ScanArgs),
    Hist(hist::HistArgs),
    Midas(midas::MidasArgs),
    Odb(odb::OdbArgs),
    Bridge(Box<bridge::BridgeArgs>),
    Shm(shm::ShmArgs),
    Simulate(simulate::SimulateArgs),
    Verify(verify::VerifyArgs),
    Demo(demo::DemoArgs),
    New(new::NewArgs),
    Man(manual::ManArgs),
    Completions(manual::CompletionsArgs),
}
