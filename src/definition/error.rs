//! Why a definition is refused.

use std::path::PathBuf;

/// Why a definition was refused.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DefinitionError {
    /// The file could not be read.
    #[error("cannot read the definition {}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// Not TOML, or an unknown or missing key.
    #[error("{}: {message}", path.display())]
    Syntax {
        /// The file.
        path: PathBuf,
        /// What is wrong, with its line.
        message: String,
    },
    /// A value that means nothing.
    #[error("{}: {}{place}: {message}", path.display(), line.map(|n| format!("line {n}: ")).unwrap_or_default())]
    Value {
        /// The file.
        path: PathBuf,
        /// The line, unless it is a default that does not stand there.
        line: Option<usize>,
        /// Which entry: `request "Trigger", bank "ADC0"`.
        place: String,
        /// What is wrong.
        message: String,
    },
}
