//! `pactolus midas HOST EXPT ls|get|watch`: commands of the ODB shell that change nothing.

use std::io::Write;

use clap::Args;
use pactolus::midas::{Session, Writes};
use pactolus::odb::shell::Shell;

use super::{MidasArgs, login};
use crate::odb::{Program, ended};
use crate::{App, OK, Outcome, STOPPED};

/// List a directory or a key
#[derive(Args)]
pub(super) struct LsArgs {
    /// Also type, number of values, size, age, access mode and every element
    #[arg(short)]
    long: bool,

    /// Also what is below
    #[arg(short)]
    recursive: bool,

    /// Values only, each element on a line
    #[arg(short)]
    values: bool,

    /// The directory or key; its last name may be a pattern, PATH[3] is one element
    #[arg(value_name = "PATH", default_value = "/")]
    path: String,
}

/// Print a value, each element on a line
#[derive(Args)]
pub(super) struct GetArgs {
    /// The key; PATH[3] is one element, PATH[1..4] are several, PATH[*] all
    #[arg(value_name = "PATH")]
    path: String,
}

/// Print each change as it happens, until Ctrl-C
///
/// Lines begin with `-` for keys that are gone, `+` for new ones, `~` for others, whose value was
/// the first and is the second. MIDAS tells of values that are set; keys that are made, deleted or
/// moved are seen within two seconds. Of the whole ODB, which is what is watched without a PATH, all
/// is seen within two seconds only: a watch of MIDAS around it would keep every program from deleting
/// keys.
#[derive(Args)]
pub(super) struct WatchArgs {
    /// Only this directory or key; it need not exist yet
    #[arg(value_name = "PATH", default_value = "/")]
    path: String,
}

pub(super) fn ls(
    app: &App,
    args: &MidasArgs,
    ls: &LsArgs,
    out: &mut dyn Write,
    err: &mut dyn Write,
) -> Outcome {
    let mut words = vec!["ls".to_owned()];
    for (is_given, flag) in [(ls.long, "-l"), (ls.recursive, "-r"), (ls.values, "-v")] {
        words.extend(is_given.then(|| flag.to_owned()));
    }
    words.extend(["--".to_owned(), ls.path.clone()]);
    command(app, args, words, &[], out, err)
}

pub(super) fn get(
    app: &App,
    args: &MidasArgs,
    get: &GetArgs,
    out: &mut dyn Write,
    err: &mut dyn Write,
) -> Outcome {
    command(app, args, vec!["get".to_owned(), get.path.clone()], &[], out, err)
}

pub(super) fn watch(
    app: &App,
    args: &MidasArgs,
    watch: &WatchArgs,
    out: &mut dyn Write,
    err: &mut dyn Write,
) -> Outcome {
    let path = watch.path.clone();
    command(app, args, vec!["watch".to_owned(), path.clone()], &[path], out, err)
}

fn command(
    app: &App,
    args: &MidasArgs,
    words: Vec<String>,
    watched: &[String],
    out: &mut dyn Write,
    err: &mut dyn Write,
) -> Outcome {
    let session = login::open(args, watched, Writes::Nothing)?;
    run(app, args, &session, words, out, err)
}

/// Runs a command of the shell on the ODB of the experiment.
pub(super) fn run(
    app: &App,
    args: &MidasArgs,
    session: &Session,
    words: Vec<String>,
    out: &mut dyn Write,
    err: &mut dyn Write,
) -> Outcome {
    for what in session.left_out() {
        // Nobody may read it.
        let _ = writeln!(err, "pactolus: left out: {what}");
    }
    let line = words.first().cloned().unwrap_or_default();
    let is_endless = line == "watch";
    // The client takes its leave of the experiment also after Ctrl-C.
    let stop = app.stoppable("the experiment is left");
    let asked = stop.clone();
    let mut shell = Shell::new(session.odb()).json(args.json);
    let mut program = Program::new(out, &mut *err).colour(app.screen.colour).stop(move || asked.is_asked());
    let done = shell.run_words(words, &mut program);
    drop(program);
    match (done, session.lost()) {
        (Err(pactolus::odb::shell::Error::Output(_)), _) if stop.is_asked() => Ok(STOPPED),
        (Err(pactolus::odb::shell::Error::Odb(_)), Some(why)) => Err(login::Lost(why.to_owned()).into()),
        (Err(error), _) => Err(ended(error, &line)),
        (Ok(()), _) if is_endless && stop.is_asked() => Ok(STOPPED),
        (Ok(()), _) => Ok(OK),
    }
}
