//! `diff`: what differs.

use super::{Call, Command, Error, Result, Takes, load};
use crate::{Difference, Dump, Load, Path, Tree, diff};

pub(super) const COMMAND: Command = Command {
    name: "diff",
    usage: "diff WHAT [PATH]",
    help: "compare two directories or keys, or a dump and the ODB\n\
        WHAT is a path, to compare with PATH; or a dump, to compare with what the ODB\n\
        has in its place, or only below PATH. A word alone is a dump, and so is one that\n\
        ends in .odb, .xml or .json.\n\
        Lines begin with - for keys that only the first has, + for those that only the\n\
        second has, ~ for others with another value, type or length. Order, access\n\
        modes and times do not count. With --json, one object per line.\n\
        Examples: diff before.odb\n\
        \x20         diff /Equipment/Trigger /Equipment/Scaler",
    takes: &[Takes::Either, Takes::Path],
    run,
};

fn run(call: &mut Call<'_>) -> Result<()> {
    let differences = if let [file] = call.words.as_slice() {
        with_file(call, &file.clone(), None)?
    } else {
        let (first, second) = call.two("a file, or two paths")?;
        if is_file(&first) {
            with_file(call, &first, Some(&second))?
        } else {
            let (first, second) = (whole(call, &first)?, whole(call, &second)?);
            call.tree.diff_keys(&first, &call.tree, &second)?
        }
    };
    let lines = diff::lines(&differences);
    call.say(diff::page(&lines, call.shell.json))
}

fn is_file(word: &str) -> bool {
    let extension = word.rsplit_once('.').map_or("", |(_, extension)| extension);
    ["odb", "xml", "json", "js"].iter().any(|known| known.eq_ignore_ascii_case(extension))
}

/// The path of a key or directory; not of an element.
fn whole(call: &Call<'_>, word: &str) -> Result<String> {
    let found = call.find(word)?;
    if found.index.is_some() {
        return Err(call.usage(format!("'diff' compares whole keys, an index found: {word}")));
    }
    Ok(found.path.to_string())
}

fn with_file(call: &mut Call<'_>, file: &str, path: Option<&str>) -> Result<Vec<Difference>> {
    let dump = load::read(call, file)?;
    let at = dump.root.clone().unwrap_or_else(|| call.shell.at.clone());
    let place = match path {
        Some(path) => call.path(path)?,
        None => place(&dump, &at)?,
    };
    let mut tree = Tree::new();
    let loaded = tree.load(&dump, &Load { at: Some(at), exact: true, ..Load::default() });
    if let Some((_, error)) = loaded.failed.into_iter().next() {
        return Err(Error::Load(format!("{file}: {error}").into()));
    }
    // A path that neither has is a slip of the finger, not an equality.
    let text = place.to_string();
    if path.is_some() && tree.find_link(&text).is_err() {
        call.tree.find_link(&text)?;
    }
    Ok(tree.diff_below(&call.tree, &place))
}

/// The directory that holds all of a dump.
fn place(dump: &Dump, at: &Path) -> Result<Path> {
    if let Some(root) = &dump.root {
        return Ok(root.clone());
    }
    let mut common: Option<Path> = None;
    for entry in &dump.entries {
        let base = if entry.absolute { &Path::ROOT } else { at };
        let mut directory = base.append(&entry.directory)?;
        if let Some(before) = &common {
            while !before.starts_with(&directory) {
                directory = directory.parent().unwrap_or_default();
            }
        }
        common = Some(directory);
    }
    Ok(common.unwrap_or_else(|| at.clone()))
}

#[cfg(test)]
mod tests {
    use super::super::{Capture, Shell, answer, answers, check, sample};
    use crate::Odb;

    #[test]
    fn two_directories_are_compared() {
        let lines = [
            "cp Runinfo Other",
            "set Other/State 1",
            "del 'Runinfo/Run number'",
            "mkdir Other/x",
            "create int Other/x/y",
        ];
        let wanted = "~ /Runinfo/State: 3 -> 1\n+ /Runinfo/Run number: INT 8\n+ /Runinfo/x/y: INT 0\n";
        check(&[&lines[..], &["diff Runinfo Other"]].concat(), wanted);
        check(&["diff Runinfo/State 'Runinfo/Run number'"], "~ /Runinfo/State: 3 -> 8\n");
        check(&["diff Here Equipment/Trigger"], "");
    }

    #[test]
    fn a_dump_is_compared_with_its_place() {
        let check = |save: &str, lines: &[&str], wanted: &str| {
            let mut shell = Shell::new(Odb::from(sample()));
            let mut capture = Capture::default();
            answers(&mut shell, &mut capture, &[save]);
            assert_eq!(answers(&mut shell, &mut capture, lines), wanted, "{save} {lines:?}");
        };
        for name in ["x.odb", "x.xml", "x.json"] {
            check(&format!("save {name} Runinfo"), &[&format!("diff {name}")], "");
            let change = ["set Runinfo/State 1", "create int new", "create int Runinfo/new", "cd Equipment"];
            let diff = format!("diff {name}");
            let wanted = "~ /Runinfo/State: 3 -> 1\n+ /Runinfo/new: INT 0\n";
            check(&format!("save {name} Runinfo"), &[&change[..], &[&diff]].concat(), wanted);
            let diff = format!("diff {name} /Runinfo/State");
            check(&format!("save {name}"), &[&change[..], &[&diff]].concat(), "~ /Runinfo/State: 3 -> 1\n");
        }
        check("save x.odb", &["diff x.odb /Runinof"], "! no key /Runinof, did you mean 'Runinfo'?\n");
    }

    #[test]
    fn machines_get_json() {
        let wanted = "{\"change\":\"changed\",\"path\":\"/Runinfo/State\",\
            \"left\":{\"type\":\"INT\",\"len\":1,\"values\":[\"3\"]},\
            \"right\":{\"type\":\"INT\",\"len\":1,\"values\":[\"8\"]}}\n";
        assert_eq!(answer(&sample(), true, &["diff Runinfo/State 'Runinfo/Run number'"]), wanted);
    }

    #[test]
    fn what_cannot_be_compared_is_said() {
        let usage = "usage: diff WHAT [PATH]\n";
        check(&["diff"], &format!("! 'diff' needs a file, or two paths; {usage}"));
        check(&["diff none.odb"], "! entity not found\n");
        check(&["diff Runinof Equipment"], "! no key /Runinof, did you mean 'Runinfo'?\n");
        let adc0 = "Equipment/Trigger/Variables/ADC0";
        check(
            &[&format!("diff {adc0}[0] {adc0}[1]")],
            &format!("! 'diff' compares whole keys, an index found: {adc0}[0]; {usage}"),
        );
    }
}
