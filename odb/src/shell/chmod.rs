//! `chmod`: what may be done with keys.

use super::{Call, Command, Result, Takes};
use crate::Mode;

pub(super) const COMMAND: Command = Command {
    name: "chmod",
    usage: "chmod MODE PATH",
    help: "say what may be done with a key, or in a directory\n\
        MODE has letters: R read, W write, D delete, E exclusive; or is MIDAS's sum of\n\
        1 for read, 2 for write, 4 for delete, 8 for exclusive.\n\
        As in odbedit, a directory changes with all that is below it.\n\
        Without R, ls and get do not show the value; json, save, diff and watch have it,\n\
        as copies of the tree. Without W, a value is not set, cut or loaded into. Keys\n\
        can be made in a directory, renamed and moved whatever the mode.\n\
        Example: chmod R /Experiment/Name",
    takes: &[Takes::Other, Takes::Path],
    run,
};

fn run(call: &mut Call<'_>) -> Result<()> {
    let (word, path) = call.two("a mode and a path")?;
    let mode = mode(&word).ok_or_else(|| {
        call.usage(format!("letters of RWDE or a number from 0 to 15 expected, '{word}' found"))
    })?;
    let path = call.path(&path)?;
    call.change(|tree| Ok(tree.set_mode(&path.to_string(), mode, true)?))
}

fn mode(word: &str) -> Option<Mode> {
    if word.bytes().all(|byte| byte.is_ascii_digit()) {
        return word.parse().ok().filter(|sum| *sum < 16).map(Mode);
    }
    word.chars().try_fold(Mode(0), |mode, letter| {
        Some(
            mode | match letter.to_ascii_uppercase() {
                'R' => Mode::READ,
                'W' => Mode::WRITE,
                'D' => Mode::DELETE,
                'E' => Mode::EXCLUSIVE,
                _ => return None,
            },
        )
    })
}

#[cfg(test)]
mod tests {
    use super::super::{answer, sample};

    fn modes(line: &str) -> String {
        let listed = answer(&sample(), true, &[line, "ls -r Runinfo"]);
        listed
            .split("\"mode\":\"")
            .skip(1)
            .filter_map(|rest| rest.split('"').next())
            .collect::<Vec<_>>()
            .join(" ")
    }

    #[test]
    fn letters_and_sums_are_modes() {
        assert_eq!(modes("chmod R Runinfo/State"), "R RWD");
        assert_eq!(modes("chmod 3 Runinfo/State"), "RW RWD");
        assert_eq!(modes("chmod rd Runinfo/State"), "RD RWD");
        assert_eq!(modes("chmod 0 Runinfo/State"), " RWD");
        assert_eq!(modes("chmod 15 Runinfo/State"), "RWDE RWD");
    }

    #[test]
    fn a_directory_changes_with_all_below_it() {
        assert_eq!(modes("chmod 1 Runinfo"), "R R");
        let lines = ["chmod 1 Runinfo", "del Runinfo", "chmod rwd Runinfo", "del Runinfo", "find runinfo"];
        assert_eq!(answer(&sample(), false, &lines), "! /Runinfo is delete protected\n");
    }

    #[test]
    fn what_is_no_mode_is_said() {
        for word in ["16", "X", "RX", "-1"] {
            let wanted = format!(
                "! letters of RWDE or a number from 0 to 15 expected, '{word}' found; usage: chmod MODE PATH\n"
            );
            assert_eq!(answer(&sample(), false, &[&format!("chmod {word} Runinfo")]), wanted);
        }
    }
}
