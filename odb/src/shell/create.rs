//! `create`: a key.

use super::{Call, Command, Result, Takes};
use crate::{Path, Strings, Value};
use pactolus_formats::Tid;

pub(super) const COMMAND: Command = Command {
    name: "create",
    usage: "create TYPE PATH",
    help: "make a key of zeros, `n` or empty strings\n\
        TYPE is one of MIDAS's names, old or new, in any case: INT or INT32.\n\
        `PATH[8]` is an array. Strings have room for 31 characters; `PATH[4][256]` are\n\
        four with room for 255. Directories above are made too.\n\
        Examples: create int Pedestal[8]\n\
        \x20         create string Name[1][256]",
    takes: &[Takes::Type, Takes::Path],
    run,
};

/// Bytes of a string, its closing NUL included.
const MAX_ROOM: usize = 1 << 20;

fn run(call: &mut Call<'_>) -> Result<()> {
    let (word, path) = call.two("a type and a path")?;
    let tid = Tid::from_name(&word).ok_or_else(|| {
        let names = Tid::ALL.iter().map(|tid| tid.name());
        let nearest =
            crate::nearest(&word, names).map_or_else(String::new, |name| format!(", did you mean {name}?"));
        call.usage(format!("a type expected, '{word}' found{nearest}"))
    })?;
    let refused = |what: &str| call.usage(format!("a key of values expected, {tid} found: {what}"));
    match tid {
        Tid::Key => return Err(refused("directories are made by mkdir")),
        Tid::Link => return Err(refused("links are made by ln")),
        Tid::Array | Tid::Struct => return Err(refused("only banks have this type")),
        _ => {}
    }
    let (path, value) = made(call, tid, &path)?;
    call.change(|tree| Ok(tree.create(&path.to_string(), value.clone())?))
}

/// The path without its lengths, and what is made there.
fn made(call: &Call<'_>, tid: Tid, word: &str) -> Result<(Path, Value)> {
    let last = |word: &str| {
        let (name, len) = word.strip_suffix(']')?.rsplit_once('[')?;
        let is_number = !len.is_empty() && len.bytes().all(|byte| byte.is_ascii_digit());
        (is_number && !name.is_empty() && !name.ends_with('/')).then(|| (name.to_owned(), len.to_owned()))
    };
    let (mut name, mut len, mut room) = (word.to_owned(), 1, 32);
    if let Some((before, number)) = last(word) {
        name = before;
        match (tid, last(&name)) {
            (Tid::String, Some((before, first))) => {
                name = before;
                len = call.len(&first)?;
                room = number.parse().ok().filter(|room| (1..=MAX_ROOM).contains(room)).ok_or_else(|| {
                    call.usage(format!(
                        "room for a string of 1 to {MAX_ROOM} bytes expected, '{number}' found"
                    ))
                })?;
            }
            _ => len = call.len(&number)?,
        }
    }
    let mut value = match tid {
        Tid::String => Value::String(Strings { size: room, values: Vec::new() }),
        _ => Value::empty(tid).ok_or_else(|| call.usage(format!("no key has the type {tid}")))?,
    };
    value.resize(len);
    Ok((call.path(&name)?, value))
}

#[cfg(test)]
mod tests {
    use super::super::{answer, check, sample};

    fn check_refused(line: &str, wanted: &str) {
        check(&[line], &format!("! {wanted}; usage: create TYPE PATH\n"));
    }

    #[test]
    fn keys_are_made_with_their_directories() {
        check(
            &["cd Runinfo", "create int a/Pedestal", "create Float32 a/Gain[3]", "ls -r a"],
            "a\n    Pedestal                    0\n    Gain\n                                0\n\
             \x20                               0\n                                0\n",
        );
        check(&["create bool 'Rate [Hz]'", "ls Rate*"], "Rate [Hz]                       n\n");
        check(&["create dword Here/new", "get /Equipment/Trigger/new"], "0\n");
    }

    #[test]
    fn strings_have_room() {
        let types = |line: &str, wanted: &str| {
            let saved = answer(&sample(), false, &[line, "cd a", "save x.odb"]);
            assert_eq!(saved, format!("saved x.odb: [/a]\n{wanted}\n\n"), "{line}");
        };
        types("create string a/x", "x = STRING : [32] \n");
        types("create STRING a/x[2]", "x = STRING[2] :\n[32] \n[32] \n");
        types("create string a/x[2][100]", "x = STRING[2] :\n[100] \n[100] \n");
    }

    #[test]
    fn what_cannot_be_made_is_said() {
        check_refused("create int", "'create' needs a type and a path");
        check_refused("create it x", "a type expected, 'it' found, did you mean INT?");
        check_refused("create KEY x", "a key of values expected, KEY found: directories are made by mkdir");
        check_refused("create link x", "a key of values expected, LINK found: links are made by ln");
        check_refused("create struct x", "a key of values expected, STRUCT found: only banks have this type");
        check_refused("create int x[0]", "a number of elements from 1 to 16777216 expected, '0' found");
        check_refused(
            "create int x[99999999999999999999]",
            "a number of elements from 1 to 16777216 expected, '99999999999999999999' found",
        );
        check_refused("create string x[2][0]", "room for a string of 1 to 1048576 bytes expected, '0' found");
        check(&["create int runinfo/state"], "! /runinfo/state exists already\n");
        check(&["create int Runinfo/State/x"], "! /Runinfo/State is a value, not a directory\n");
    }
}
