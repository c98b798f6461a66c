//! The ODB shell in a terminal: a prompt, editing, completion, history, Ctrl-C.

use std::io::Write;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use pactolus::odb::shell::{self, Shell, Surroundings};
use rustyline::completion::{Completer, Pair};
use rustyline::error::ReadlineError;
use rustyline::highlight::Highlighter;
use rustyline::hint::Hinter;
use rustyline::history::{FileHistory, MemHistory};
use rustyline::validate::Validator;
use rustyline::{CompletionType, Config, Context, Editor, Helper};

use super::place::Place;
use super::program::Program;
use crate::{App, Outcome};

/// Lines that the history keeps.
const KEPT: usize = 1000;

pub(super) fn run(app: &App, place: Place, out: &mut dyn Write, err: &mut dyn Write) -> Outcome {
    let stop = interrupts();
    let colour = app.screen.colour;
    let mut program = Program::new(out, err).colour(colour).user(Arc::clone(&stop), ask);
    let config = Config::builder().completion_type(CompletionType::List).max_history_size(KEPT);
    let unusable =
        |error: ReadlineError| format!("the terminal cannot be used: {error}; give commands with -c");
    let config = config.and_then(|config| config.history_ignore_dups(true)).map_err(unusable)?.build();
    let mut editor: Editor<Line, FileHistory> = Editor::with_config(config).map_err(unusable)?;
    editor.set_helper(Some(Line { shell: place.shell }));
    let history = history();
    if let Some(file) = &history {
        // The first time there is none.
        let _ = editor.load_history(file);
    }
    while let Some(line) = editor.helper() {
        let line = match editor.readline(&prompt(&place.name, &line.shell)) {
            Ok(line) => line,
            // Ctrl-C drops the line.
            Err(ReadlineError::Interrupted) => continue,
            Err(ReadlineError::Eof) => break,
            Err(error) => return Err(unusable(error).into()),
        };
        if !line.trim().is_empty() {
            let _ = editor.add_history_entry(&line);
            // After each line: who is killed keeps what was typed.
            if let Some(file) = &history {
                let _ = editor.append_history(file);
            }
        }
        stop.store(false, Ordering::Relaxed);
        let Some(Line { shell }) = editor.helper_mut() else { break };
        // What is pasted may have several.
        for line in line.lines() {
            match shell.run(line, &mut program) {
                Ok(()) if shell.ended() => break,
                Ok(()) => {}
                // Ctrl-C ends the command, not the shell.
                Err(shell::Error::Output(_) | shell::Error::Save(_)) if stop.load(Ordering::Relaxed) => break,
                Err(shell::Error::Output(error)) => return Err(error.into()),
                Err(error) => {
                    program.refuse(&error)?;
                    break;
                }
            }
        }
        stop.store(false, Ordering::Relaxed);
        program.out().flush()?;
        if shell.ended() {
            break;
        }
    }
    Ok(place.code)
}

/// As `odbedit`'s: `[daq:R]/Equipment/Trigger> `.
fn prompt(name: &str, shell: &Shell) -> String {
    let state = match shell.odb().get::<i32>("/Runinfo/State") {
        Ok(1) => ":S",
        Ok(2) => ":P",
        Ok(3) => ":R",
        _ => "",
    };
    let at = crate::dump::text::escaped(shell.at().to_string().as_bytes());
    format!("[{name}{state}]{at}> ")
}

/// Asks yes or no; anything but yes is no.
fn ask(question: &str) -> bool {
    let editor = Editor::<(), MemHistory>::with_history(Config::default(), MemHistory::new());
    let answer = editor.and_then(|mut editor| editor.readline(&format!("{question} (y/[n]) ")));
    answer.is_ok_and(|answer| matches!(answer.trim(), "y" | "Y" | "yes"))
}

/// Where lines are kept: in the directory for such things, or nowhere.
fn history() -> Option<PathBuf> {
    let variable = |name| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let state = variable("XDG_STATE_HOME").or_else(|| Some(variable("HOME")?.join(".local/state")))?;
    let directory = state.join("pactolus");
    std::fs::create_dir_all(&directory).ok()?;
    Some(directory.join("odb_history"))
}

/// Set by Ctrl-C while a command runs. At the prompt, the terminal gives it as a key.
fn interrupts() -> Arc<AtomicBool> {
    let stop = Arc::new(AtomicBool::new(false));
    #[cfg(unix)]
    // If it cannot be heard, Ctrl-C ends the program.
    let _ = signal_hook::flag::register(signal_hook::consts::SIGINT, Arc::clone(&stop));
    #[cfg(not(unix))]
    {
        let stop = Arc::clone(&stop);
        let _ = ctrlc::set_handler(move || stop.store(true, Ordering::Relaxed));
    }
    stop
}

/// The shell, as the editor of lines sees it.
struct Line {
    shell: Shell,
}

impl Completer for Line {
    type Candidate = Pair;

    fn complete(&self, line: &str, at: usize, _: &Context<'_>) -> rustyline::Result<(usize, Vec<Pair>)> {
        let (start, candidates) = self.shell.complete(line, at, &mut files);
        let pair =
            |candidate: shell::Candidate| Pair { display: candidate.shown, replacement: candidate.text };
        Ok((start, candidates.into_iter().map(pair).collect()))
    }
}

/// The files whose path begins with this text, directories with a slash behind them.
fn files(begin: &str) -> Vec<String> {
    let (above, name) = begin.split_at(begin.rfind('/').map_or(0, |slash| slash + 1));
    let directory = if above.is_empty() { "." } else { above };
    let mut found = Vec::new();
    for entry in std::fs::read_dir(directory).into_iter().flatten().flatten() {
        let Ok(file) = entry.file_name().into_string() else { continue };
        if file.starts_with(name) && (name.starts_with('.') || !file.starts_with('.')) {
            let slash = if entry.path().is_dir() { "/" } else { "" };
            found.push(format!("{above}{file}{slash}"));
        }
    }
    found.sort();
    found
}

impl Hinter for Line {
    type Hint = String;
}

impl Highlighter for Line {}

impl Validator for Line {}

impl Helper for Line {}
