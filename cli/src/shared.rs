//! The ODB that several programs share.

use std::path::{Path, PathBuf};

use pactolus::odb::{Error, Odb};

/// The variable that names it where no argument does.
pub(crate) const VARIABLE: &str = "PACTOLUS_ODB";

/// Where it is: as the argument says, else the environment.
pub(crate) fn place(argument: Option<&Path>) -> Option<PathBuf> {
    let named = || std::env::var_os(VARIABLE).filter(|dir| !dir.is_empty()).map(PathBuf::from);
    argument.map(Path::to_owned).or_else(named)
}

/// Opens it.
pub(crate) fn open(dir: &Path) -> Result<Odb, String> {
    Odb::open(dir).map_err(|error| match error {
        Error::NoStore { dir } => format!("no ODB in {dir}: `pactolus odb --create {dir}` makes one"),
        other => format!("ODB in {}: {other}", dir.display()),
    })
}
