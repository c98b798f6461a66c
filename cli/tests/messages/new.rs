//! Crates of users, and manual pages.

use std::fs;

use crate::{Place, Provokers, Ran, provoke};

/// A command in a crate that was made.
fn in_crate(place: &Place, change: impl Fn(&Place), line: &str) -> Ran {
    let made = place.run("new @a");
    assert_eq!(made.code, 0, "{}", made.said);
    change(place);
    place.process("cd a;", line, b"")
}

pub(crate) fn all() -> Provokers {
    [names(), sources(), places(), modules()].into_iter().flatten().collect()
}

fn names() -> Provokers {
    provoke! {
        "\"...\": the name of a crate begins with a small letter, and has small letters and digits, with single - or _ between them: my-analyzer" => |p| {
            p.run("new @2nd")
        };
        "\"...\": the name of a module begins with a small letter, and has small letters, digits and _ only: peak_finder" => |p| {
            p.run("new @a --module PeakFinder")
        };
        "\"...\": a name has at most ... letters, this one has ..." => |p| {
            p.run("new @an-analyzer-for-everything-we-have-ever-seen")
        };
        "\"...\": this name is taken by ...: give another" => |p| p.run("new @a --module event");
    }
}

fn sources() -> Provokers {
    provoke! {
        "--pactolus ...: this is no checkout of Pactolus, which has cli/Cargo.toml and modules/Cargo.toml" => |p| {
            p.run("new @a --pactolus @")
        };
        "--pactolus ...: a directory, a git URL or a version wanted: ../pactolus, https://example.org/pactolus.git, ..." => |p| {
            p.run("new @a --pactolus newest")
        };
        "--pactolus ...: a manifest cannot name this directory, it is not UTF-8" => |p| {
            p.process("d=$(printf 'x/\\377'); mkdir -p $d; ln -s $d y;", "new a --pactolus y", b"")
        };
    }
}

fn places() -> Provokers {
    provoke! {
        "... exists: give another name; a crate of that name gets another module with `cd ... && pactolus new --module MODULE`" => |p| {
            p.put("a", "mine").run("new @a")
        };
        "there is no crate around this directory: go to one that `pactolus new NAME` has made, or give a NAME" => |p| {
            p.process("", "new --module peaks", b"")
        };
        "... is not that of a crate with modules, which has src/lib.rs and depends on pactolus: `pactolus new NAME` makes one" => |p| {
            p.put("Cargo.toml", "[package]\nname = \"a\"\n").process("", "new --module peaks", b"")
        };
        "...Cargo.toml: TOML parse error at line 1, column 9: ..." => |p| {
            p.put("Cargo.toml", "[package\n").process("", "new --module peaks", b"")
        };
    }
}

fn modules() -> Provokers {
    provoke! {
        "... exists, and nothing was changed: give the module another name" => |p| {
            in_crate(p, |_| {}, "new --module amplitude")
        };
        "src/lib.rs is not as it was made, and was left as it is. Add to it by hand" => |p| {
            in_crate(p, |p| fs::write(p.path("a/src/lib.rs"), "").unwrap(), "new --module peaks")
        };
        "analyzer.toml is not as it was made, and was left as it is. Add to it by hand," => |p| {
            in_crate(p, |p| fs::write(p.path("a/analyzer.toml"), "").unwrap(), "new --module peaks")
        };
        "cannot make the directory ...: File exists (os error 17)" => |p| p.put("man1", "").run("man @man1");
    }
}
