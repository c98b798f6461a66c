//! How `pactolus midas` logs in.

use std::error::Error;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use pactolus::midas::{self, Callbacks, Login, Session, Writes};

use super::MidasArgs;

/// How to log in.
#[derive(Args)]
pub(super) struct LoginArgs {
    /// Ports on which the server connects to us: for calls, for notes, for events, and one for programs
    /// of the experiment; any free ports by default
    #[arg(long, value_name = "A,B,C[,D]", global = true)]
    callback_ports: Option<Callbacks>,

    /// How long to wait for an answer of the server
    #[arg(long, value_name = "SECONDS", default_value = "10", value_parser = crate::follow::seconds, global = true)]
    pub(super) timeout: Duration,

    /// Our name among the clients of the experiment
    #[arg(long, default_value = "pactolus", global = true)]
    name: String,

    /// File with the password of the experiment, in its first line
    #[arg(long, value_name = "FILE", global = true)]
    password_file: Option<PathBuf>,
}

/// The most bytes of a password and what stands behind it.
const MOST: u64 = 4096;

/// Logs in and reads the ODB.
pub(super) fn open(args: &MidasArgs, watched: &[String], writes: Writes) -> Result<Session, Box<dyn Error>> {
    let mut login = Login::new(args.server.clone(), args.login.name.as_str());
    login.callbacks = args.login.callback_ports;
    login.timeout = args.login.timeout;
    login.password = args.login.password_file.as_deref().map(password).transpose()?;
    login.experiment = Some(experiment(args)?);
    Ok(Session::open(&login, watched, writes)?)
}

/// The name of the experiment: the only one, if none is given.
pub(super) fn experiment(args: &MidasArgs) -> Result<String, Box<dyn Error>> {
    if let Some(name) = &args.experiment {
        return Ok(name.clone());
    }
    let names = midas::experiments(&args.server, args.login.timeout)?;
    match names.as_slice() {
        [name] => Ok(name.clone()),
        [] => Err(format!("the server at {} has no experiment", args.server).into()),
        names => Err(format!(
            "the server at {} has several experiments, name one: {}",
            args.server,
            names.join(", ")
        )
        .into()),
    }
}

fn password(file: &Path) -> Result<String, Box<dyn Error>> {
    let mut text = String::new();
    let read = std::fs::File::open(file).and_then(|file| file.take(MOST).read_to_string(&mut text));
    read.map_err(pactolus::formats::Error::io("read", file))?;
    Ok(text.lines().next().unwrap_or_default().to_owned())
}
