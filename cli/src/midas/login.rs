//! How `pactolus midas` logs in.

use std::error::Error;
use std::fmt;

use pactolus::midas::{self, Client, Inbox, Login, Session, Writes};

use super::MidasArgs;
use crate::attach::NAME;

/// The connection went when we were in.
#[derive(Debug)]
pub(super) struct Lost(pub(super) String);

impl fmt::Display for Lost {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "the connection to the experiment is lost: {}", self.0)
    }
}

impl Error for Lost {}

/// Logs in and reads the ODB.
pub(super) fn open(args: &MidasArgs, watched: &[String], writes: Writes) -> Result<Session, Box<dyn Error>> {
    let inbox = Inbox::new();
    let client = Client::connect(&login(args)?, &inbox)?;
    Session::over(client, inbox, watched, writes).map_err(|error| match error.is_lost() {
        true => Lost(error.to_string()).into(),
        false => error.into(),
    })
}

/// What the flags say.
pub(super) fn login(args: &MidasArgs) -> Result<Login, Box<dyn Error>> {
    let mut login = Login::new(args.server.clone(), NAME);
    args.login.apply(&mut login)?;
    login.experiment = Some(experiment(args)?);
    Ok(login)
}

/// The name of the experiment: the only one, if none is given.
fn experiment(args: &MidasArgs) -> Result<String, Box<dyn Error>> {
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
