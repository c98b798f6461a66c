//! `cp`: copies.

use super::call::destination;
use super::{Call, Command, Result, Takes};

pub(super) const COMMAND: Command = Command {
    name: "cp",
    usage: "cp SOURCE DEST",
    help: "copy a key, or a directory with all below it\n\
        If DEST is a directory, the copy comes into it under the same name; else DEST\n\
        is its path, where nothing may be. `SOURCE[3]` is one element. Links are copied\n\
        as links. Access modes come along.\n\
        Example: cp /Equipment/Trigger /Equipment/Trigger2",
    takes: &[Takes::Path],
    run,
};

fn run(call: &mut Call<'_>) -> Result<()> {
    let (source, dest) = call.two("what to copy, and where to")?;
    let (source, dest) = (call.path(&source)?, call.path(&dest)?);
    call.change(|tree| {
        let source = source.to_string();
        let found = tree.find_link(&source)?;
        let name = found.path.name().unwrap_or_default().to_owned();
        let dest = destination(tree, &dest, &name)?;
        Ok(tree.copy(&source, &dest.to_string())?)
    })
}

#[cfg(test)]
mod tests {
    use super::super::check;

    #[test]
    fn a_directory_is_copied_whole() {
        check(
            &[
                "cp Equipment/Trigger /Equipment/Other",
                "diff Equipment/Trigger Equipment/Other",
                "ls Equipment",
            ],
            "Trigger\nOther\n",
        );
        check(
            &["cp Runinfo Equipment", "ls -r /Equipment/Runinfo"],
            "\
Runinfo
    State                       3
    Run number                  8
",
        );
        check(&["cp Runinfo /Runinfo/before/me", "find State"], "/Runinfo/State\n/Runinfo/before/me/State\n");
    }

    #[test]
    fn keys_and_elements_are_copied() {
        check(&["cp Equipment/Trigger/Variables/ADC0[1] x", "ls x"], "x                               18\n");
        check(&["cp Equipment/Trigger/Variables/ADC0[1] Runinfo", "get Runinfo/ADC0"], "18\n");
        check(&["cp Here There", "ls There"], "Common\nVariables\n");
        check(
            &["cp Lost Equipment", "ls /Equipment"],
            "Trigger\nLost -> /Nothing                <cannot resolve link>\n",
        );
    }

    #[test]
    fn what_cannot_be_copied_is_said() {
        check(&["cp Runinfo/State 'Runinfo/Run number'"], "! /Runinfo/Run number exists already\n");
        check(&["cp Runinfo/State Runinfo"], "! /Runinfo/State exists already\n");
        check(&["cp Runinfo"], "! 'cp' needs what to copy, and where to; usage: cp SOURCE DEST\n");
        check(
            &["cp Runinfo Run info"],
            "! two words expected, 'info' is a third one (paths with blanks need quotes); usage: cp SOURCE DEST\n",
        );
        check(
            &["chmod W Runinfo/State", "cp Runinfo Copy", "find copy"],
            "! /Runinfo/State is read protected\n",
        );
    }
}
