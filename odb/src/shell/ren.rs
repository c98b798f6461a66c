//! `ren`: another name.

use super::{Call, Command, Result, Takes};

pub(super) const COMMAND: Command = Command {
    name: "ren",
    usage: "ren PATH NAME",
    help: "give a key another name, in the same directory\n\
        Links that lead to the key are not changed.\n\
        Example: ren /Equipment/Trigger Fast",
    takes: &[Takes::Path, Takes::Other],
    run,
};

fn run(call: &mut Call<'_>) -> Result<()> {
    let (path, name) = call.two("a path and a name")?;
    let path = call.path(&path)?;
    let here = call.shell.at.clone();
    let renamed = call.change(|tree| {
        let before = tree.find_link(&path.to_string())?.path;
        tree.rename(&path.to_string(), &name)?;
        let after = before.parent().unwrap_or_default().child(&name)?;
        Ok(here.below(&before).map(|below| after.append(&below)).transpose()?)
    })?;
    // Who is in the directory stays in it.
    if let Some(at) = renamed {
        call.shell.at = at;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::check;

    #[test]
    fn a_key_has_another_name_at_its_place() {
        check(
            &["ren Runinfo/State 'Old state'", "ls Runinfo"],
            "Old state                       3\nRun number                      8\n",
        );
        check(&["ren Runinfo RUNINFO", "cd runinfo", "pwd"], "/RUNINFO\n");
        check(&["ren Lost Found", "find found"], "/Found\n");
    }

    #[test]
    fn who_is_in_the_directory_stays_in_it() {
        check(&["cd Equipment/Trigger/Common", "ren .. Fast", "pwd"], "/Equipment/Fast/Common\n");
    }

    #[test]
    fn what_cannot_be_a_name_is_said() {
        check(&["ren Runinfo/State 'run NUMBER'"], "! /Runinfo/run NUMBER exists already\n");
        check(
            &["ren Runinfo/State /x"],
            "! '/x' cannot be the name of a key: a slash separates directories\n",
        );
        check(&["ren / x"], "! 'x' cannot be the name of a key: the root has no name\n");
        check(&["ren Runinfo"], "! 'ren' needs a path and a name; usage: ren PATH NAME\n");
    }
}
