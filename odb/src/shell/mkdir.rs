//! `mkdir`: a directory.

use super::{Call, Command, Result, Takes};
use crate::Error;

pub(super) const COMMAND: Command = Command {
    name: "mkdir",
    usage: "mkdir PATH...",
    help: "make directories\n\
        Those above are made too. One that is there already is an error.\n\
        Example: mkdir '/Analyzer/Module switches'",
    takes: &[Takes::Directory],
    run,
};

fn run(call: &mut Call<'_>) -> Result<()> {
    let paths = call.paths()?;
    call.change(|tree| {
        for path in &paths {
            let path = path.to_string();
            if tree.find_link(&path).is_ok() {
                return Err(Error::Exists { path }.into());
            }
            tree.create_directory(&path)?;
        }
        Ok(())
    })
}

#[cfg(test)]
mod tests {
    use super::super::check;

    #[test]
    fn directories_are_made_with_those_above() {
        check(&["cd Runinfo", "mkdir a/b ../c", "ls -r a", "ls /c"], "a\n    b\n");
        check(&["mkdir Here/new", "ls /Equipment/Trigger"], "Common\nVariables\nnew\n");
    }

    #[test]
    fn all_are_made_or_none() {
        check(&["mkdir a runinfo", "ls a"], "! /runinfo exists already\n! no key /a\n");
        check(&["mkdir Runinfo/State/x"], "! /Runinfo/State is a value, not a directory\n");
        check(&["mkdir"], "! 'mkdir' needs a path; usage: mkdir PATH...\n");
    }
}
