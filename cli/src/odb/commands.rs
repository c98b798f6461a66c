//! `pactolus odb FILE`: commands of the ODB shell on it.

use std::error::Error;
use std::io::{self, BufRead, IsTerminal, Write};
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use pactolus::formats::WholeFile;
use pactolus::odb::Odb;
use pactolus::odb::shell::{self, Shell, Surroundings};

use super::OdbArgs;
use super::source::Source;
use crate::{DAMAGED, OK, Outcome};

pub(super) fn run(args: &OdbArgs, file: &Path, out: &mut dyn Write, err: &mut dyn Write) -> Outcome {
    if args.commands.is_empty() {
        if file.as_os_str() == "-" {
            return Err("standard input is the file: commands are given with -c".into());
        }
        if io::stdin().is_terminal() {
            return Err("commands are given with -c 'ls /', or one on a line of standard input".into());
        }
    }
    let source = Source::open(file, args.eor, err)?;
    let mut code = if source.is_partial { DAMAGED } else { OK };
    if let Some(damage) = &source.damage {
        writeln!(err, "pactolus: {damage}; what came before it is shown")?;
        code = DAMAGED;
    }
    let mut shell = Shell::new(Odb::from(source.tree)).json(args.json);
    let mut program = Program { out };
    if args.commands.is_empty() {
        for line in io::stdin().lock().lines() {
            let line = line.map_err(|e| format!("cannot read (standard input): {e}"))?;
            one(&mut shell, &line, &mut program)?;
        }
    }
    for line in &args.commands {
        one(&mut shell, line, &mut program)?;
    }
    Ok(code)
}

/// Runs a line. The first that fails ends the program: what follows may depend on it.
fn one(shell: &mut Shell, line: &str, program: &mut Program<'_>) -> Result<(), Box<dyn Error>> {
    match shell.run(line, program) {
        Ok(()) => Ok(program.out.flush()?),
        Err(shell::Error::Output(error)) => Err(error.into()),
        Err(shell::Error::Save(error)) => Err(error),
        Err(error) => Err(format!("{line}: {error}").into()),
    }
}

/// What the shell finds here: standard output, files, the clock.
struct Program<'p> {
    out: &'p mut dyn Write,
}

impl Surroundings for Program<'_> {
    fn out(&mut self) -> &mut dyn Write {
        self.out
    }

    fn save(&mut self, name: &str, contents: &[u8]) -> Result<(), Box<dyn Error>> {
        WholeFile::write(name, contents).map_err(|error| pactolus::Error::Output(error).into())
    }

    fn now(&self) -> u32 {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        u32::try_from(since.as_secs()).unwrap_or(u32::MAX)
    }
}
