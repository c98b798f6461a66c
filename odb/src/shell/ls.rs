//! `ls`: what is in a directory.

use super::listing::{Listing, Look};
use super::{Call, Command, Result, Takes, pattern, plain};
use crate::Path;
use crate::key::Content;

pub(super) const COMMAND: Command = Command {
    name: "ls",
    usage: "ls [-lrv] [PATH]",
    help: "list a directory or a key\n\
        -l  also type, number of values, size, age, access mode and every element\n\
        -r  also what is below\n\
        -v  values only, each element on a line\n\
        `PATH[3]` is one element, `PATH[1..4]` are several.\n\
        The last name of the path may be a pattern: `*` is any text, `?` one character.\n\
        With --json, an array of objects.",
    takes: &[Takes::Path],
    run,
};

fn run(call: &mut Call<'_>) -> Result<()> {
    let flags = call.flags("lrv")?;
    let deep = flags.contains('r');
    let look = match (flags.contains('v'), flags.contains('l')) {
        (true, _) => Look::Values,
        (false, true) => Look::Long,
        (false, false) => Look::Short,
    };
    let (path, wanted) = target(call)?;
    let now = call.around.now();
    let found = call.tree.find_link(&path.to_string())?;
    // A link is listed as what it leads to, if that is a directory.
    let led = call.tree.find(&path.to_string()).ok().filter(|found| found.key.directory().is_some());
    let found = led.unwrap_or(found);
    // `Pedestal[3]` is listed as a key of that name.
    let element = match found.index {
        Some(_) => {
            let mut key = found.key.clone();
            key.name = path.name().unwrap_or_default().to_owned();
            key.content = Content::Value(call.tree.value(&path.to_string())?);
            Some(key)
        }
        None => None,
    };
    let key = element.as_ref().unwrap_or(found.key);
    let in_directory = key.directory().filter(|_| !deep);
    let matching = |name: &str| wanted.as_ref().is_none_or(|wanted| pattern::matches(wanted, name));
    let out = if call.shell.json {
        let mut out = Vec::new();
        match in_directory {
            Some(directory) => {
                plain::keys(directory.iter().filter(|key| matching(key.name())), false, &mut out)
            }
            None => plain::keys([key], deep, &mut out),
        }
        out.push(b'\n');
        out
    } else {
        let paint = |what, text: &[u8]| call.around.paint(what, text);
        let mut listing = Listing::new(&call.tree, now, look, wanted, &paint);
        match in_directory {
            Some(directory) => {
                for key in directory.iter() {
                    listing.key(0, key, &found.path.child(key.name())?);
                }
            }
            None => listing.branch(0, key, &found.path),
        }
        listing.finish()
    };
    call.say(out)
}

/// The directory or key to list, and the pattern if the last name is one.
fn target(call: &Call<'_>) -> Result<(Path, Option<String>)> {
    let Some(word) = call.word()? else { return Ok((call.shell.at.clone(), None)) };
    let path = call.path(word)?;
    match (path.name(), path.parent()) {
        (Some(name), Some(parent)) if pattern::is_pattern(name) && !call.tree.exists(&path.to_string()) => {
            Ok((parent, Some(name.to_owned())))
        }
        _ => Ok((path, None)),
    }
}

#[cfg(test)]
mod tests {
    use super::super::{answer, check, sample};

    #[test]
    fn a_directory_is_listed() {
        check(
            &["ls"],
            "Runinfo\nEquipment\n\
             Here -> /Equipment/Trigger      <subdirectory>\n\
             Lost -> /Nothing                <cannot resolve link>\n",
        );
        check(
            &["cd Equipment/Trigger", "ls Variables", "ls Common"],
            "ADC0\n                                17\n                                18\n\
             \x20                               19\n\
             Event ID                        1\nBuffer                          SYSTEM\n",
        );
        check(&["ls Here"], "Common\nVariables\n");
        check(&["ls Runinfo/State"], "State                           3\n");
    }

    #[test]
    fn everything_below_is_listed() {
        check(
            &["ls -r Runinfo"],
            "Runinfo\n    State                       3\n    Run number                  8\n",
        );
        check(
            &["ls -lr /Runinfo"],
            "Key name                        Type    #Val  Size  Last Opn Mode Value\n\
             ---------------------------------------------------------------------------\n\
             Runinfo                         DIR\n\
             \x20   State                       INT     1     4     >99d 0   RWD  3\n\
             \x20   Run number                  INT     1     4     >99d 0   RWD  8\n",
        );
    }

    #[test]
    fn elements_are_listed_alone() {
        check(&["cd Here/Variables", "ls ADC0[1]"], "ADC0[1]                         18\n");
        check(
            &["ls Here/Variables/ADC0[1..2]"],
            "ADC0[1..2]\n                                18\n                                19\n",
        );
        check(
            &["ls Here/Variables/ADC0[3]"],
            "! /Equipment/Trigger/Variables/ADC0 has no element 3: its length is 3\n",
        );
    }

    #[test]
    fn flags_may_stand_behind() {
        check(&["ls Runinfo -r"], &answer(&sample(), false, &["ls -r Runinfo"]));
        check(&["ls -l Runinfo -r"], &answer(&sample(), false, &["ls -lr Runinfo"]));
        // Behind -- is a name.
        check(&["mkdir -- -r", "ls -- -r"], "");
        check(&["ls -"], "! no key /-\n");
    }

    #[test]
    fn values_are_listed_alone() {
        check(&["ls -v Runinfo"], "3\n8\n");
        check(&["ls -v Equipment/Trigger"], "");
        check(&["ls -vr Equipment"], "1\nSYSTEM\n17\n18\n19\n");
        check(&["ls -v Runinfo/*num*"], "8\n");
        check(&["ls -v Here/Variables/ADC0[1]"], "18\n");
        check(&["ln Runinfo/State L", "ls -v L"], "3\n");
        check(&["ls -v Lost"], "<cannot resolve link>\n");
    }

    #[test]
    fn what_may_not_be_read_is_not_shown() {
        let lines = ["chmod W Runinfo/State", "chmod W Equipment/Trigger/Variables", "ln Runinfo/State L"];
        let tree = |line| answer(&sample(), false, &[&lines[..], &[line]].concat());
        assert_eq!(
            tree("ls Runinfo"),
            "State                           <no read access>\nRun number                      8\n"
        );
        assert_eq!(tree("ls -v Runinfo"), "<no read access>\n8\n");
        assert_eq!(
            tree("ls Equipment/Trigger/Variables"),
            "ADC0                            <no read access>\n"
        );
        assert_eq!(tree("ls L"), "L -> /Runinfo/State             <no read access>\n");
        assert_eq!(tree("ls Runinfo/State"), "State                           <no read access>\n");
        assert_eq!(tree("get Runinfo/State"), "! /Runinfo/State is read protected\n");
        // Copies of the tree have it.
        assert!(tree("json Runinfo").contains("\"State\" : 3"));
        assert!(tree("save - Runinfo").contains("State = INT : 3"));
        let json = answer(&sample(), true, &["chmod W Runinfo/State", "ls Runinfo/State"]);
        assert_eq!(
            json,
            "[{\"name\":\"State\",\"type\":\"INT\",\"len\":1,\"size\":4,\"mode\":\"W\",\"last_written\":0}]\n"
        );
    }

    #[test]
    fn names_may_be_patterns() {
        check(&["ls Runinfo/*num*"], "Run number                      8\n");
        check(&["ls *quip?ent"], "Equipment\n");
        check(&["ls -r /*ID*"], "                Event ID        1\n");
        check(&["ls none*"], "");
    }

    #[test]
    fn what_cannot_be_listed_is_named() {
        check(&["ls -x"], "! 'ls' knows no -x; usage: ls [-lrv] [PATH]\n");
        check(&["ls Runinof"], "! no key /Runinof, did you mean 'Runinfo'?\n");
    }

    #[test]
    fn machines_get_json() {
        let check = |line: &str, wanted: &str| assert_eq!(answer(&sample(), true, &[line]), wanted);
        check(
            "ls Equipment/Trigger",
            "[{\"name\":\"Common\",\"type\":\"KEY\",\"len\":2},{\"name\":\"Variables\",\"type\":\"KEY\",\"len\":1}]\n",
        );
        check(
            "ls -r Equipment/Trigger/Variables",
            "[{\"name\":\"Variables\",\"type\":\"KEY\",\"keys\":[{\"name\":\"ADC0\",\"type\":\"WORD\",\"len\":3,\"size\":2,\
             \"mode\":\"RWD\",\"last_written\":0,\"value\":[17,18,19]}]}]\n",
        );
    }
}
