//! `save`: a directory as a text.

use super::{Call, Command, Error, Result, Takes};
use crate::Save;

pub(super) const COMMAND: Command = Command {
    name: "save",
    usage: "save [-xj] FILE [PATH]",
    help: "save a directory as .odb, .xml or .json\n\
        The name of the file says which; `-` is standard output. Without a path, the\n\
        current directory is saved. What a form cannot hold is an error that names the\n\
        key; JSON holds everything.\n\
        -x  XML, whatever the name\n\
        -j  JSON, whatever the name",
    takes: &[Takes::File, Takes::Directory],
    run,
};

fn run(call: &mut Call<'_>) -> Result<()> {
    let flags = call.flags("xj")?;
    let (name, path) = match call.words.as_slice() {
        [name] => (name.clone(), call.shell.at.clone()),
        [name, path] => (name.clone(), call.path(path)?),
        [] => return Err(call.needs("a file")),
        [_, _, third, ..] => {
            return Err(call.usage(format!("a file and a path expected, '{third}' is a third word")));
        }
    };
    let form = match (flags.contains('x'), flags.contains('j')) {
        (true, true) => return Err(call.usage("one of -x and -j expected, both found".to_owned())),
        (true, false) => Save::xml(),
        (false, true) => Save::json(),
        (false, false) => Save::by_name(&name),
    };
    let text = form.write(&call.tree, &path.to_string())?;
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
        check("save", "! 'save' needs a file; usage: save [-xj] FILE [PATH]\n");
    }

    #[test]
    fn a_flag_says_the_form_whatever_the_name() {
        for (line, name, begins) in [
            ("save -x run.odb /Runinfo", "run.odb", "<?xml "),
            ("save -j - /Runinfo", "-", "{\n"),
            ("save run.odb /Runinfo -j", "run.odb", "{\n"),
            ("save - /Runinfo", "-", "[/Runinfo]\n"),
        ] {
            let saved = answer(&sample(), false, &[line]);
            assert!(saved.starts_with(&format!("saved {name}: {begins}")), "{line}: {saved}");
        }
        for (flag, letter) in [("-c", "c"), ("-s", "s"), ("-cs", "c"), ("-jq", "q")] {
            let wanted = format!("! 'save' knows no -{letter}; usage: save [-xj] FILE [PATH]\n");
            assert_eq!(answer(&sample(), false, &[&format!("save {flag} x")]), wanted);
        }
        let wanted = "! one of -x and -j expected, both found; usage: save [-xj] FILE [PATH]\n";
        assert_eq!(answer(&sample(), false, &["save -x -j x"]), wanted);
    }

    #[test]
    fn the_current_directory_is_saved() {
        let saved = answer(&sample(), false, &["cd Runinfo", "save x.xml"]);
        assert!(saved.contains("<odb root=\"/Runinfo\"") && saved.contains("\"Run number\""), "{saved}");
    }
}
