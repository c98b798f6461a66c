//! How `pactolus midas` logs in.

use std::error::Error;

use pactolus::midas::{self, Login, Session, Writes};

use super::MidasArgs;
use crate::attach::NAME;

/// Logs in and reads the ODB.
pub(super) fn open(args: &MidasArgs, watched: &[String], writes: Writes) -> Result<Session, Box<dyn Error>> {
    Ok(Session::open(&login(args)?, watched, writes)?)
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
