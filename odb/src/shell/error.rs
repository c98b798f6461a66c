//! What keeps a command from being done.

/// The result of a command.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What keeps a command from being done.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// No such command.
    #[error("no command '{name}'{}; `help` lists them", hint(.nearest))]
    Unknown {
        /// The word.
        name: String,
        /// The command that looks most like it.
        nearest: Option<String>,
    },
    /// A command with words it cannot use.
    #[error("{what}; usage: {usage}")]
    Usage {
        /// What is wrong with them.
        what: String,
        /// The words it can use.
        usage: &'static str,
    },
    /// A quote or backslash that nothing follows.
    #[error("{what} at character {at} does not end")]
    Open {
        /// What it is.
        what: &'static str,
        /// Where it begins, from 1.
        at: usize,
    },
    /// An answer without end, because links lead back.
    #[error("more than {limit} values: links lead to the same directories again and again")]
    TooMany {
        /// The most values of an answer.
        limit: usize,
    },
    /// The tree.
    #[error(transparent)]
    Odb(#[from] crate::Error),
    /// A link to a key that is not there.
    #[error("{link} leads to {target}: {missing}")]
    Leads {
        /// Path of the link.
        link: String,
        /// Where it leads to.
        target: String,
        /// What is missing.
        #[source]
        missing: crate::Error,
    },
    /// The answer could not be written.
    #[error("the answer could not be written: {0}")]
    Output(#[from] std::io::Error),
    /// What `save` made could not be kept.
    #[error("{0}")]
    Save(#[source] Box<dyn std::error::Error>),
    /// What was to be loaded could not be had.
    #[error("{0}")]
    Load(#[source] Box<dyn std::error::Error>),
    /// Some keys of a dump could not be loaded; which, was told.
    #[error("{name}: {failed} of {all} keys could not be loaded")]
    NotLoaded {
        /// The name of the dump.
        name: String,
        /// Keys that could not.
        failed: usize,
        /// Keys that it has.
        all: usize,
    },
    /// Some of a dump could not be read; where, was told.
    #[error("{name}: {places} {} could not be read; the rest is loaded", if *.places == 1 { "place" } else { "places" })]
    Unread {
        /// The name of the dump.
        name: String,
        /// Places that could not.
        places: usize,
    },
    /// A database that is only read.
    #[error("'{command}' changes the ODB: {why}")]
    ReadOnly {
        /// The command.
        command: &'static str,
        /// Why it is only read, and what to do.
        why: String,
    },
    /// Values for an array that are neither one for named elements nor as many as there are.
    #[error("{path} has {wanted} elements, {}: as many expected, or one for {path}[0] or {path}[*]", values(*.found))]
    Count {
        /// The path of the array.
        path: String,
        /// Its elements, or those that an index names.
        wanted: usize,
        /// The values given.
        found: usize,
    },
}

fn hint(nearest: &Option<String>) -> String {
    nearest.as_ref().map_or_else(String::new, |name| format!(", did you mean '{name}'?"))
}

fn values(number: usize) -> String {
    format!("{number} {} found", if number == 1 { "value" } else { "values" })
}
