//! The ODB that several programs share.

use std::path::{Path, PathBuf};

use pactolus::odb::{Error, Odb};

/// Names it where no flag does.
const VARIABLE: &str = "PACTOLUS_ODB";

/// Where it is: as the flag says, else the environment.
pub(crate) fn place(flag: Option<&Path>) -> Option<PathBuf> {
    let named = || std::env::var_os(VARIABLE).filter(|dir| !dir.is_empty()).map(PathBuf::from);
    flag.map(Path::to_owned).or_else(named)
}

/// Opens it.
pub(crate) fn open(dir: &Path) -> Result<Odb, String> {
    Odb::open(dir).map_err(|error| match error {
        Error::NoStore { dir } => format!("no ODB in {dir}: `pactolus odb --create {dir}` makes one"),
        other => format!("ODB in {}: {other}", dir.display()),
    })
}
