//! `del` and `rm`: keys that go.

use super::{Call, Command, Result, Takes};

pub(super) const DEL: Command = Command {
    name: "del",
    usage: "del [-f] PATH...",
    help: "delete keys, and directories with all below them\n\
        A link is deleted, not what it leads to. If one key may not be deleted, nothing\n\
        is. On a terminal, directories with keys are asked for.\n\
        -f  do not ask",
    takes: &[Takes::Path],
    run,
};

pub(super) const RM: Command = Command { name: "rm", usage: "rm [-f] PATH...", ..DEL };

fn run(call: &mut Call<'_>) -> Result<()> {
    let flags = call.flags("f")?;
    let paths = call.paths()?;
    call.may_change()?;
    if paths.iter().any(crate::Path::is_root) {
        return Err(call.usage("the root cannot be deleted".to_owned()));
    }
    for path in paths.iter().filter(|_| !flags.contains('f')) {
        let found = call.tree.find_link(&path.to_string())?;
        let Some(directory) = found.key.directory().filter(|directory| !directory.is_empty()) else {
            continue;
        };
        let keys = crate::tree::Walk::new(found.key, found.path.clone()).count();
        let s = if directory.len() == 1 && keys == 1 { "" } else { "s" };
        let question = format!("delete {} with {keys} key{s} below?", found.path);
        if call.around.ask(&question) == Some(false) {
            return call.say("nothing deleted\n");
        }
    }
    call.change(|tree| {
        paths.iter().try_for_each(|path| tree.delete(&path.to_string()))?;
        Ok(())
    })
}

#[cfg(test)]
mod tests {
    use super::super::{Capture, Shell, answer, answers, check, sample};
    use crate::Odb;

    #[test]
    fn keys_and_directories_are_deleted() {
        check(&["del Runinfo/State", "ls Runinfo"], "Run number                      8\n");
        check(&["rm -f Runinfo Lost", "ls -r"], &answer(&sample(), false, &["del Lost Runinfo", "ls -r"]));
        check(&["del Here", "ls /Equipment"], "Trigger\n");
    }

    #[test]
    fn a_user_is_asked_for_directories() {
        for (yes, flag, wanted) in [
            (Some(false), "", "nothing deleted\n/Runinfo\n/Runinfo/Run number\n"),
            (Some(true), "", ""),
            (None, "", ""),
            (Some(false), "-f ", ""),
        ] {
            let mut shell = Shell::new(Odb::from(sample()));
            let mut capture = Capture { yes, ..Capture::default() };
            let del = format!("del {flag}Runinfo");
            assert_eq!(answers(&mut shell, &mut capture, &[&del, "find run"]), wanted, "{yes:?} {flag}");
            assert_eq!(answers(&mut shell, &mut capture, &["del Lost", "find lost"]), "", "no directory");
        }
    }

    #[test]
    fn if_one_key_is_protected_nothing_is_deleted() {
        check(
            &["chmod RW 'Runinfo/Run number'", "del Lost Runinfo", "ls Runinfo", "find lost"],
            "! /Runinfo/Run number is delete protected\nState                           3\n\
             Run number                      8\n/Lost\n",
        );
    }

    #[test]
    fn the_current_directory_may_go() {
        check(&["cd Equipment/Trigger/Common", "del /Equipment/Trigger", "pwd"], "/Equipment\n");
    }

    #[test]
    fn what_cannot_be_deleted_is_said() {
        check(&["del /"], "! the root cannot be deleted; usage: del [-f] PATH...\n");
        check(&["rm"], "! 'rm' needs a path; usage: rm [-f] PATH...\n");
        check(&["del Runinof"], "! no key /Runinof, did you mean 'Runinfo'?\n");
        check(
            &["del Equipment/Trigger/Variables/ADC0[1]"],
            "! no key /Equipment/Trigger/Variables/ADC0[1]\n",
        );
    }
}
