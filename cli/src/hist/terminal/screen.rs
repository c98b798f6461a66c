//! What a drawing goes to.

use std::io::IsTerminal;

use terminal_size::{Width, terminal_size};

/// A terminal, or what takes its place.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Screen {
    /// Characters in a line.
    pub(crate) width: usize,
    pub(crate) colour: bool,
}

impl Screen {
    /// A pipe or a file.
    pub(crate) const PIPE: Screen = Screen { width: 80, colour: false };

    /// The standard output of this process. `COLUMNS` says how wide it is, or the terminal;
    /// `NO_COLOR` wants none, as on <https://no-color.org>.
    pub(crate) fn of_process() -> Screen {
        let is_terminal = std::io::stdout().is_terminal();
        let columns = std::env::var("COLUMNS").ok().and_then(|columns| columns.parse().ok());
        let terminal = || is_terminal.then(terminal_size).flatten().map(|(Width(width), _)| width.into());
        let width: usize = columns.or_else(terminal).unwrap_or(Screen::PIPE.width);
        let unwanted = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        // Narrower, there is no room for an axis; wider, lines are hard to follow.
        Screen { width: width.clamp(40, 240), colour: is_terminal && !unwanted }
    }
}
