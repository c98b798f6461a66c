//! `cd`: to another directory.

use super::{Call, Command, Result, Takes};
use crate::{Error, Path};

pub(super) const COMMAND: Command = Command {
    name: "cd",
    usage: "cd [PATH]",
    help: "go to a directory; to the root without a path",
    takes: &[Takes::Directory],
    run,
};

fn run(call: &mut Call<'_>) -> Result<()> {
    let at = match call.word()? {
        None => Path::ROOT,
        Some(word) => {
            let found = call.find(word)?;
            if found.key.directory().is_none() {
                return Err(Error::NotDirectory { path: found.path.to_string() }.into());
            }
            found.path
        }
    };
    call.shell.at = at;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::{answer, sample};

    #[test]
    fn a_path_is_seen_from_here() {
        let lines = ["cd equipment", "pwd", "cd Trigger/Common", "pwd", "cd ..", "pwd", "cd", "pwd"];
        let wanted = "/Equipment\n/Equipment/Trigger/Common\n/Equipment/Trigger\n/\n";
        assert_eq!(answer(&sample(), false, &lines), wanted);
    }

    #[test]
    fn a_link_leads_to_its_target() {
        assert_eq!(answer(&sample(), false, &["cd Here", "pwd"]), "/Equipment/Trigger\n");
    }

    #[test]
    fn what_is_no_directory_is_named() {
        let lines = ["cd Runinfo/State", "cd Equipmnet", "cd a b", "pwd"];
        let wanted = "! /Runinfo/State is a value, not a directory\n\
            ! no key /Equipmnet, did you mean 'Equipment'?\n\
            ! one word expected, 'b' is a second one (paths with blanks need quotes); usage: cd [PATH]\n/\n";
        assert_eq!(answer(&sample(), false, &lines), wanted);
    }
}
