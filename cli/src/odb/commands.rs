//! `pactolus odb DIR|FILE`: commands of the ODB shell on it.

use std::error::Error;
use std::io::{self, BufRead, IsTerminal, Write};
use std::path::Path;

use pactolus::odb::shell::{self, Shell, Surroundings};
use pactolus::odb::spelling;

use super::OdbArgs;
use super::place::{How, Place, named};
use super::program::Program;
use super::terminal;
use crate::{App, Outcome};

pub(super) fn run(app: &App, args: &OdbArgs, out: &mut dyn Write, err: &mut dyn Write) -> Outcome {
    let path = named(args.place.as_deref())?;
    if args.commands.is_empty() && path == Path::new("-") {
        return Err("standard input is the file: commands are given with -c".into());
    }
    let place = Place::open(&path, How { eor: args.eor, create: args.create, durable: args.durable }, err)?;
    let place = Place { shell: place.shell.json(args.json), ..place };
    if args.commands.is_empty() && app.process && io::stdin().is_terminal() && io::stdout().is_terminal() {
        return terminal::run(app, place, out, err);
    }
    let mut shell = place.shell;
    let mut program = Program::new(out, err).colour(app.screen.colour);
    if args.commands.is_empty() {
        let mut input = io::stdin().lock();
        let mut line = Vec::new();
        while !shell.ended() {
            line.clear();
            let read = input.read_until(b'\n', &mut line);
            if read.map_err(|e| format!("cannot read (standard input): {e}"))? == 0 {
                break;
            }
            // Names and strings may have any bytes.
            one(&mut shell, spelling::from_bytes(&line).trim_end_matches(['\r', '\n']), &mut program)?;
        }
    }
    for line in args.commands.iter() {
        one(&mut shell, line, &mut program)?;
        if shell.ended() {
            break;
        }
    }
    Ok(place.code)
}

/// Runs a line. The first that fails ends the program: what follows may depend on it.
fn one(shell: &mut Shell, line: &str, program: &mut Program<'_>) -> Result<(), Box<dyn Error>> {
    match shell.run(line, program) {
        Ok(()) => Ok(program.out().flush()?),
        Err(error) => Err(ended(error, line)),
    }
}

/// Why the program ends. Outputs and files have codes of their own.
pub(crate) fn ended(error: shell::Error, line: &str) -> Box<dyn Error> {
    match error {
        shell::Error::Output(error) => error.into(),
        shell::Error::Save(error) | shell::Error::Load(error) => error,
        error => {
            let text = spelling::to_bytes(&format!("{line}: {error}"));
            String::from_utf8_lossy(&text).into()
        }
    }
}
