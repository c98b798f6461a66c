//! `save`: a directory as a text.

use super::{Call, Command, Error, Result, Takes};
use crate::Save;

pub(super) const COMMAND: Command = Command {
    name: "save",
    usage: "save FILE [PATH]",
    help: "save a directory as .odb, .xml or .json, by the file's name\n\
        Without a path, the current directory is saved. What a form cannot hold is an\n\
        error that names the key; JSON holds everything.",
    takes: &[Takes::File, Takes::Directory],
    run,
};

fn run(call: &mut Call<'_>) -> Result<()> {
    let (name, path) = match call.words.as_slice() {
        [name] => (name.clone(), call.shell.at.clone()),
        [name, path] => (name.clone(), call.path(path)?),
        [] => return Err(call.needs("a file")),
        [_, _, third, ..] => {
            return Err(call.usage(format!("a file and a path expected, '{third}' is a third word")));
        }
    };
    let text = Save::by_name(&name).write(&call.tree, &path.to_string())?;
    call.around.save(&name, &text).map_err(Error::Save)
}

#[cfg(test)]
mod tests {
    use super::super::{answer, sample};

    #[test]
    fn the_name_says_which_form() {
        let check =
            |line: &str, wanted: &str| assert_eq!(answer(&sample(), false, &[line]), wanted, "{line}");
        check(
            "save run.odb /Runinfo",
            "saved run.odb: [/Runinfo]\nState = INT : 3\nRun number = INT : 8\n\n\n",
        );
        check("save x.odb /Runinfo/State", "! /Runinfo/State is a value, not a directory\n");
        check("save", "! 'save' needs a file; usage: save FILE [PATH]\n");
    }

    #[test]
    fn the_current_directory_is_saved() {
        let saved = answer(&sample(), false, &["cd Runinfo", "save x.xml"]);
        assert!(saved.contains("<odb root=\"/Runinfo\"") && saved.contains("\"Run number\""), "{saved}");
    }
}
