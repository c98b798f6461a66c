//! `load`: a dump into the database.

use super::{Call, Command, Error, Result, Takes};
use crate::{Dump, Load};

pub(super) const COMMAND: Command = Command {
    name: "load",
    usage: "load [-x] FILE",
    help: "load a dump: .odb, .xml or .json\n\
        Its first bytes say which. Keys come to where the dump says that they were\n\
        saved, or below the current directory. Missing keys are made, others are set\n\
        and keep their type. What cannot be read or loaded is told of, the rest is\n\
        loaded; then the command has failed. XML and JSON that break off or break the\n\
        rules of their form are not loaded at all.\n\
        -x  also the access modes and times of .json, and /System/Clients: for an ODB\n\
        \x20   that shall be as the saved one",
    takes: &[Takes::File],
    run,
};

/// Keys that are told of one by one.
const MOST: usize = 20;

fn run(call: &mut Call<'_>) -> Result<()> {
    let exact = !call.flags("x")?.is_empty();
    let name = call.wanted("a file")?;
    call.may_change()?;
    let dump = read(call, &name)?;
    let at = dump.root.is_none().then(|| call.shell.at.clone());
    let loaded =
        call.change(|tree| Ok(tree.load(&dump, &Load { at: at.clone(), exact, ..Load::default() })))?;
    if loaded.failed.is_empty() {
        let places = dump.remarks.len();
        return if places == 0 { Ok(()) } else { Err(Error::Unread { name, places }) };
    }
    tell(call, &name, loaded.failed.iter().map(|(_, error)| format!("key left out: {error}")));
    let failed = loaded.failed.len();
    Err(Error::NotLoaded { name, failed, all: failed + loaded.set.len() })
}

/// Reads a whole dump; what was passed over in it is told.
pub(super) fn read(call: &mut Call<'_>, name: &str) -> Result<Dump> {
    let bytes = call.around.load(name).map_err(Error::Load)?;
    let dump = Dump::parse(&bytes).map_err(|error| Error::Load(format!("{name}: {error}").into()))?;
    tell(call, name, dump.remarks.iter().map(ToString::to_string));
    Ok(dump)
}

/// Tells of the first of them, and how many there are besides.
fn tell(call: &mut Call<'_>, name: &str, lines: impl ExactSizeIterator<Item = String>) {
    let more = lines.len().saturating_sub(MOST);
    for line in lines.take(MOST) {
        call.around.warn(&format!("{name}: {line}"));
    }
    if more > 0 {
        call.around.warn(&format!("{name}: and {more} more"));
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Capture, Shell, answers, sample};
    use crate::{Odb, Tree};

    /// The answers of a shell that can load these texts.
    fn check(files: &[(&str, &str)], lines: &[&str], wanted: &str) {
        let mut shell = Shell::new(Odb::from(sample()));
        let saved = files.iter().map(|(name, text)| ((*name).to_owned(), text.as_bytes().to_vec()));
        let mut capture = Capture { saved: saved.collect(), ..Capture::default() };
        assert_eq!(answers(&mut shell, &mut capture, lines), wanted, "{lines:?}");
    }

    #[test]
    fn keys_come_to_where_they_were_saved() {
        let xml = "<odb root=\"/Runinfo\"><key name=\"State\" type=\"INT\">1</key></odb>";
        check(&[("a", xml)], &["cd Equipment", "load a", "get /Runinfo/State"], "1\n");
        let odb = "[/Runinfo]\nState = INT : 2\n\n[Trigger/Common]\nEvent ID = WORD : 7\n";
        check(
            &[("a", odb)],
            &["cd Equipment", "load a", "get /Runinfo/State", "get 'Trigger/Common/Event ID'"],
            "2\n7\n",
        );
        let json = "{ \"new\" : 5 }";
        check(&[("a", json)], &["cd Runinfo", "load a", "get new"], "5\n");
    }

    #[test]
    fn what_cannot_be_loaded_is_told_and_the_rest_is_loaded() {
        let odb = "[/Runinfo]\nState = INT : 2\nRun number = STRING : [8] many\nonce upon a time\n\
            [/Runinfo/State]\nx = INT : 1\n";
        check(
            &[("a.odb", odb)],
            &["load a.odb", "get /Runinfo/State"],
            "? a.odb: line 4 (byte 58): neither a section nor 'name = TYPE : value'\n\
             ? a.odb: key left out: /Runinfo/Run number as INT: STRING many does not fit\n\
             ? a.odb: key left out: /Runinfo/State is a value, not a directory\n\
             ! a.odb: 2 of 3 keys could not be loaded\n2\n",
        );
        check(
            &[("a", "[/Runinfo]\nState = INT : 2\n")],
            &["chmod R Runinfo", "load a", "get Runinfo/State"],
            "? a: key left out: /Runinfo/State is write protected\n\
             ! a: 1 of 1 keys could not be loaded\n3\n",
        );
    }

    #[test]
    fn a_cut_dump_is_loaded_and_has_failed() {
        let warned = "? a.odb: line 5 (byte 49): an array of 3 ends after 1\n";
        check(
            &[("a.odb", "[/Runinfo]\nState = INT : 2\nlist = INT[3] :\n[0] 5\n")],
            &["load a.odb", "get Runinfo/State"],
            &format!("{warned}! a.odb: 1 place could not be read; the rest is loaded\n2\n"),
        );
        check(
            &[("a.odb", "[/Runinfo]\nonce\nupon\nState = INT : 2\n")],
            &["load a.odb", "get Runinfo/State"],
            "? a.odb: line 2 (byte 11): neither a section nor 'name = TYPE : value'\n\
             ? a.odb: line 3 (byte 16): neither a section nor 'name = TYPE : value'\n\
             ! a.odb: 2 places could not be read; the rest is loaded\n2\n",
        );
    }

    #[test]
    fn what_is_no_dump_is_not_loaded() {
        check(&[], &["load a"], "! entity not found\n");
        check(
            &[("a", "hello")],
            &["load a"],
            "! a: not an ODB dump: 'h' where '<', '{', '[' or ';' was expected (byte 0)\n",
        );
        check(
            &[("a", "{ \"new\" : 5, ")],
            &["load a", "find new"],
            "! a: JSON dump, line 1 (byte 13): '\"' expected, the end found\n",
        );
        check(&[], &["load"], "! 'load' needs a file; usage: load [-x] FILE\n");
    }

    #[test]
    fn what_was_saved_is_loaded_as_it_was() {
        for (name, flag) in [("x.odb", ""), ("x.xml", ""), ("x.json", ""), ("x.json", "-x ")] {
            let mut capture = Capture::default();
            let mut shell = Shell::new(Odb::from(sample()));
            answers(&mut shell, &mut capture, &["chmod R Runinfo/State", &format!("save {name}")]);
            let mut copy = Shell::new(Odb::from(Tree::new()));
            assert_eq!(answers(&mut copy, &mut capture, &[&format!("load {flag}{name}")]), "");
            if flag.is_empty() {
                answers(&mut shell, &mut capture, &["chmod RWD Runinfo/State"]);
            }
            let trees = [&shell, &copy].map(|shell| shell.odb().snapshot().unwrap_or_default());
            assert!(trees[0].same(&trees[1]), "{name} {flag}");
        }
    }
}
