//! How to log in to an experiment.

use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use pactolus::midas::{Callbacks, Login};

use crate::analyze::host;

/// How to log in.
#[derive(Args)]
pub(crate) struct LoginArgs {
    /// Name of this program among the clients of the experiment; by default that of the analyzer, or
    /// pactolus
    #[arg(long, value_name = "NAME", global = true)]
    name: Option<String>,

    /// File with the password of the experiment, in its first line
    #[arg(long, value_name = "FILE", global = true)]
    password_file: Option<PathBuf>,

    /// Ports of this computer on which the server connects back: for calls, for notes, for events, and one for
    /// the programs of the experiment; by default any that are free
    #[arg(long, value_name = "A,B,C[,D]", global = true)]
    callback_ports: Option<Callbacks>,

    /// How long to wait for an answer of the server
    #[arg(
        long,
        value_name = "SECONDS",
        default_value = "10",
        value_parser = crate::follow::seconds,
        global = true
    )]
    pub(crate) timeout: Duration,
}

/// The most bytes of a password and what stands behind it.
const MOST: u64 = 4096;

impl LoginArgs {
    /// Sets what is said here.
    pub(crate) fn apply(&self, login: &mut Login) -> Result<(), pactolus::formats::Error> {
        login.host = host();
        login.callbacks = self.callback_ports;
        login.timeout = self.timeout;
        if let Some(name) = &self.name {
            login.name.clone_from(name);
        }
        login.password = self.password_file.as_deref().map(password).transpose()?;
        Ok(())
    }

    /// A flag that has no meaning without an experiment.
    pub(crate) fn first_flag(&self) -> Option<&'static str> {
        let LoginArgs { name, password_file, callback_ports, timeout: _ } = self;
        let given = [
            ("--name", name.is_some()),
            ("--password-file", password_file.is_some()),
            ("--callback-ports", callback_ports.is_some()),
        ];
        given.into_iter().find(|(_, given)| *given).map(|(flag, _)| flag)
    }
}

fn password(file: &Path) -> Result<String, pactolus::formats::Error> {
    let mut text = String::new();
    let read = std::fs::File::open(file).and_then(|file| file.take(MOST).read_to_string(&mut text));
    read.map_err(pactolus::formats::Error::io("read", file))?;
    Ok(text.lines().next().unwrap_or_default().to_owned())
}
