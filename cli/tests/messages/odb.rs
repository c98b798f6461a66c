//! ODB dumps, and the shell on them.

use crate::common::MidFile;
use crate::{Place, Provokers, Ran, provoke};

/// Looks into a dump: its first bytes say in which form it is.
fn look(place: &Place, text: impl AsRef<[u8]>) -> Ran {
    place.put("a.dump", text).run("odb @a.dump -c pwd")
}

/// An `.odb` text behind a sound key.
fn plain(place: &Place, text: &str) -> Ran {
    look(place, format!("[/]\nok = INT : 1\n{text}"))
}

/// XML behind a sound key.
fn xml(place: &Place, text: &str) -> Ran {
    look(place, format!("<odb root=\"/\"><key name=\"ok\" type=\"INT\">1</key>{text}"))
}

/// JSON behind a sound key.
fn json(place: &Place, text: &str) -> Ran {
    look(place, format!("{{ \"ok\" : 1,{text}"))
}

/// A command on a small ODB.
fn shell(place: &Place, command: &str) -> Ran {
    const TREE: &str = r#"{ "Runinfo" : { "State" : 3, "Run number" : 8 }, "ADC" : [ 1, 2, 3 ],
        "Hidden/key" : { "type" : 7, "access_mode" : 2 }, "Hidden" : 1,
        "A/key" : { "type" : 16, "link" : "/B" }, "A" : "/B", "B/key" : { "type" : 16, "link" : "/A" }, "B" : "/A" }"#;
    place.put("a.json", TREE).run_args(&["odb", "@a.json", "-c", command])
}

/// Commands on a new ODB in a directory.
fn on_odb(place: &Place, commands: &[&str]) -> Ran {
    let commands = commands.iter().flat_map(|command| ["-c", command]);
    place.run_args(&["odb", "--create", "@daq"].into_iter().chain(commands).collect::<Vec<_>>())
}

/// A new ODB in a directory, then damaged: each of the first bytes, wherever it stands, becomes the second.
fn damaged(place: &Place, commands: &[&str], damage: &[(&[u8], &[u8])]) -> Ran {
    on_odb(place, commands);
    let mut bytes = std::fs::read(place.path("daq/data.mdb")).unwrap();
    for (from, to) in damage {
        let mut at = 0;
        while let Some(found) = bytes[at..].windows(from.len()).position(|window| window == *from) {
            at += found;
            bytes[at..at + to.len()].copy_from_slice(to);
            at += to.len();
        }
    }
    place.put("daq/data.mdb", bytes).run("odb @daq -c pwd")
}

/// Converts a JSON dump to `.odb`.
fn convert(place: &Place, json: &str) -> Ran {
    place.put("a.json", json).run("odb convert @a.json @a.odb")
}

/// Looks into a run file.
fn run(place: &Place, file: MidFile, flag: &str) -> Ran {
    place.put("run00042.mid", file.bytes).run(&format!("odb @run00042.mid -c pwd{flag}"))
}

/// Directories of links, each to the next directory: what is below them is endless for a reader.
fn many() -> String {
    let links = |to: u32| (0..16).map(move |n| format!("l{n} = LINK : [4] /d{to}\n")).collect::<String>();
    let directories: String = (1..5).map(|n| format!("[/d{n}]\n{}", links(n + 1))).collect();
    format!("{directories}[/d5]\n{}", (0..16).map(|n| format!("v{n} = INT : 1\n")).collect::<String>())
}

pub(crate) fn all() -> Provokers {
    [structure(), keys(), files(), commands(), conversions()].into_iter().flatten().collect()
}

/// Dumps whose structure breaks.
fn structure() -> Provokers {
    provoke! {
        "a string of several lines that does not end" => |p| plain(p, "x = STRING : [====#$@$#====]\nline\n");
        "at most ... keys expected, more found" => |p| look(p, "a = BOOL : y\n".repeat((1 << 20) + 1).replacen('a', "[/]\na", 1));
        "at most ... bytes of a string expected, more found" => |p| {
            plain(p, &format!("x = STRING : [32] {}\n", "x".repeat(17 << 20)))
        };
        "at most ... bytes of memory expected, more needed" => |p| {
            json(p, &format!("\"x\":[{}1]}}", "1,".repeat(5 << 20)))
        };
        "at most ... levels of directories expected, more found" => |p| json(p, &"\"a\":{".repeat(70));
        "at most ... values within each other expected, more found" => |p| {
            json(p, &format!("\"a\":{}", "[".repeat(100)))
        };
        "at most ... elements within each other expected, more found" => |p| xml(p, &"<x>".repeat(100));
        "at most ... attributes expected, more found" => |p| {
            xml(p, &format!("<key {}>", "a=\"1\" ".repeat(40)))
        };
        "/...: more than ... levels of directories" => |p| plain(p, &format!("[{}]\n", "/d".repeat(70)));
        "'...' cannot be the name of a key: ..." => |p| look(p, "<odb root=\"/a\x01b\"></odb>");
        "element 'odb' expected, '...' found" => |p| look(p, "<html></html>");
        "element 'odb' expected, the end found" => |p| look(p, "<?xml version=\"1.0\"?>\n");
        "cut short: '</...>' expected, the end found" => |p| xml(p, "<dir name=\"d\">");
        "'</...>' expected, '</...>' found" => |p| xml(p, "<dir name=\"d\"></odb>");
        "nothing expected, '</...>' found" => |p| xml(p, "</odb></dir>");
        "a tag that does not end" => |p| xml(p, "<dir name=\"d\"");
        "a closing tag that does not end" => |p| xml(p, "</odb");
        "a comment that does not end" => |p| xml(p, "<!-- made");
        "a CDATA section that does not end" => |p| xml(p, "<![CDATA[ text");
        "an instruction that does not end" => |p| xml(p, "<?xml");
        "a declaration that does not end" => |p| xml(p, "<!DOCTYPE");
        "a name of an element expected after '<'" => |p| xml(p, "< dir>");
        "an attribute 'name=\"value\"' expected" => |p| xml(p, "<dir name>");
        "a quote expected after '...='" => |p| xml(p, "<dir name=d>");
        "a string that does not end" => |p| json(p, "\"x");
        "'\"' expected, ... found" => |p| json(p, "x : 1 }");
        "':' expected, ... found" => |p| json(p, "\"x\" 1 }");
        "',' or '}' expected, ... found" => |p| json(p, "\"x\" : 1 \"y\" : 2 }");
        "',' or ']' expected, ... found" => |p| json(p, "\"x\" : [ 1 2 ] }");
        "a value expected, ... found" => |p| json(p, "\"x\" : }");
        "an escape expected, ... found" => |p| json(p, "\"x\\");
        "four hexadecimal digits expected, ... found" => |p| json(p, "\"x\" : \"\\u12\" }");
        "the end expected, ... found" => |p| json(p, "\"x\" : 1 } more");
    }
}

/// Keys that are left out.
fn keys() -> Provokers {
    provoke! {
        "an element without an array" => |p| plain(p, "[3] 4\n");
        "a section title without ']': its keys are passed over" => |p| plain(p, "[/Runinfo\nx = INT : 1\n");
        "neither a section nor 'name = TYPE : value'" => |p| plain(p, "once upon a time\n");
        "'...' cannot be the name of a key: it holds a control character: the keys of this section are passed over" => |p| {
            plain(p, "[/a\x01b]\nx = INT : 1\n")
        };
        "'...' cannot be the name of a key: it is empty" => |p| xml(p, "<key name=\"\" type=\"INT\">1</key></odb>");
        "'...' cannot be the name of a key: it is longer than 255 bytes" => |p| {
            plain(p, &format!("{} = INT : 1\n", "x".repeat(300)))
        };
        "'...' cannot be the name of a key: a slash separates directories" => |p| plain(p, "a/b = INT : 1\n");
        "'...' cannot be the name of a key: it means a directory itself, or the one above" => |p| {
            plain(p, ".. = INT : 1\n")
        };
        "'...' cannot be the name of a key: it holds a control character" => |p| plain(p, "a\x01b = INT : 1\n");
        "an array of ... ends after ..." => |p| plain(p, "x = INT[5] :\n[0] 1\n");
        "key '...': type ... has no value in text" => |p| plain(p, "x = STRUCT : 1\n");
        "key '...' of unknown type '...'" => |p| plain(p, "x = INTEGER : 1\n");
        "key '...' has no value" => |p| json(p, "\"x\" : null }");
        "key '...' left out: an array of links, which no ODB has" => |p| {
            xml(p, "<keyarray name=\"x\" type=\"LINK\" num_values=\"1\"><value>/ok</value></keyarray></odb>")
        };
        "element '...' without a name" => |p| xml(p, "<key type=\"INT\">1</key></odb>");
        "unexpected element '...'" => |p| xml(p, "<html/></odb>");
        "the end expected, element '...' found" => |p| xml(p, "</odb><odb/>");
        "a NUL ends the dump, but ... bytes of text follow" => |p| {
            plain(p, &format!("; {}\n\0x = INT : 1\n", "-".repeat(80)))
        };
        "key left out: ... as ...: ... does not fit" => |p| plain(p, "ok = STRING : [32] two\n");
        "key left out: ... is a value, not a directory" => |p| plain(p, "[/ok]\nx = INT : 1\n");
        "key left out: ... is a directory, not a value" => |p| {
            plain(p, "[/d]\nx = INT : 1\n[/]\nd = INT : 1\n")
        };
        "key left out: ... has no element ...: its length is ..." => |p| plain(p, "x = INT[2] :\n[99] 5\n[1] 6\n");
        "key left out: ... is write protected" => |p| {
            json(p, "\"x/key\" : { \"type\" : 7, \"access_mode\" : 1 }, \"x\" : 1, \"x\" : 2 }")
        };
        "and ... more" => |p| plain(p, &"?\n".repeat(9));
    }
}

/// Files that hold no ODB.
fn files() -> Provokers {
    provoke! {
        "--eor: this is a dump, only run files have a second one" => |p| {
            p.put("a.odb", "[/]\nok = INT : 1\n").run("odb @a.odb --eor -c pwd")
        };
        "neither an ODB dump nor a run file..." => |p| look(p, "once upon a time there was a file\n");
        "no ODB dump: ..." => |p| look(p, "[nothing\n");
        "no ODB in this run: it has no begin-of-run event (BOR)" => |p| {
            run(p, MidFile::new().words(1, 0, "ADC0", &[1]).eor(42), "")
        };
        "no ODB in this run: it has no end-of-run event (EOR)" => |p| {
            run(p, MidFile::new().bor(42).words(1, 0, "ADC0", &[1]), " --eor")
        };
        "no ODB in this run: its ... is empty" => |p| run(p, MidFile::new().bor(42).eor(42), "");
        "no whole ... in this run: ..." => |p| {
            let mut file = MidFile::new().raw(0x8000, 0x494d, 42, &[b'x'; 400]);
            file.bytes.truncate(300);
            run(p, file, "")
        };
        "not an ODB dump: ... where '<', '{', '[' or ';' was expected (byte ...)" => |p| {
            run(p, MidFile::new().raw(0x8000, 0x494d, 42, b"saved elsewhere\0").eor(42), "")
        };
        "... dump, line ... (byte ...): ..." => |p| {
            p.put("a.json", "{ \"x\" : 1").put("b.json", "{ \"x\" : 1 }").run("odb diff @a.json @b.json")
        };
        "standard input is the file: commands are given with -c" => |p| p.run("odb -");
        "standard input has the commands: the name of a file expected, '-' found" => |p| on_odb(p, &["load -- -"]);
        "no ODB is named: give a directory or a file, or set PACTOLUS_ODB" => |p| {
            p.process("env -u PACTOLUS_ODB", "odb", b"")
        };
        "no directory or file ...; --create makes a new ODB there" => |p| p.run("odb @daq -c pwd");
        "no ODB in ...; --create makes one" => |p| p.run("odb @. -c pwd");
        "ODB store: no rights to read and write ... (...): give them to the directory (chmod g+rwx ...), and let the owner of the files open it once" => |p| {
            p.run("odb --create /sys/pactolus -c pwd")
        };
        "ODB store: ... cannot be mapped (...): a limit of virtual memory is too small for it (ulimit -v)" => |p| {
            p.process("ulimit -v 3000000; exec", "odb --create daq -c pwd", b"")
        };
        "ODB store: .../data.mdb is no database that this program knows (...)" => |p| {
            std::fs::create_dir(p.path("daq")).unwrap();
            p.put("daq/data.mdb", [b'x'; 9000]).run("odb @daq -c pwd")
        };
        "ODB store: ... is in form ..., this program knows form 1 only: use a newer one" => |p| {
            damaged(p, &["pwd"], &[(b"pactolus ODB\x01", b"pactolus ODB\x02")])
        };
        "ODB store: ... holds a database of another program" => |p| {
            damaged(p, &["pwd"], &[(b"pactolus ODB", b"someone else")])
        };
        "ODB store: ...: key number ... is broken: ..." => |p| {
            damaged(p, &["create int xyzzy"], &[(b"\x05xyzzy", b"\xffxyzzy")])
        };
        "ODB store: the stored tree is broken: key number ... is in no directory" => |p| {
            let [two, three, four] = [2, 3, 4].map(u64::to_le_bytes);
            damaged(p, &["mkdir x/y", "mkdir z"], &[(&[two, four].concat(), &[two, three].concat())])
        };
        "ODB store: the stored tree is broken: '...' has two keys '...'" => |p| {
            damaged(p, &["create int xyzzy", "create int plugh"], &[(b"xyzzy", b"plugh")])
        };
        "ODB store: the stored tree is broken: key number ... of ... is missing" => |p| {
            let [two, three, nine] = [2, 3, 9].map(u64::to_le_bytes);
            damaged(p, &["mkdir x", "mkdir y"], &[(&[two, three].concat(), &[two, nine].concat())])
        };
        "...: there is an ODB that was made without --durable: save it, and make another one" => |p| {
            on_odb(p, &["pwd"]);
            p.run("odb --create --durable @daq -c pwd")
        };
        "... is a file: --create makes a directory" => |p| {
            p.put("run1.mid", "").run("odb --create @run1.mid -c pwd")
        };
        "...: --eor: this is a directory, only run files have a second ODB" => |p| p.run("odb @. --eor -c pwd");
        "... is a file and does not change: the directory of an ODB expected" => |p| {
            p.put("a.odb", "[/]\nok = INT : 1\n").run("odb watch --odb @a.odb")
        };
        "cannot read (standard input): ..." => |p| {
            p.put("a.odb", "[/]\nok = INT : 1\n").process("exec 0<.; exec", "odb a.odb", b"")
        };
        "configuration file ...: ..." => |p| {
            p.put("run00042.mid", crate::mid::run_of(2).eor(42).bytes).put("a.json", "{ \"x\" : 1");
            p.run("analyze @run00042.mid -c @a.json")
        };
        "warning: ... line ...: ..." => |p| {
            p.put("run00042.mid", crate::mid::run_of(2).eor(42).bytes).put("a.odb", "[/]\nx = INT : 1\n?\n");
            p.run("analyze @run00042.mid -c @a.odb")
        };
        "warning: run ...: its ODB dump cannot be read: ..." => |p| {
            let run = MidFile::new().raw(0x8000, 0x494d, 42, b"{ \"x\" : \0").words(1, 0, "ADC0", &[1]).eor(42);
            p.put("run00042.mid", run.bytes).run("analyze @run00042.mid")
        };
    }
}

/// Commands of the shell.
fn commands() -> Provokers {
    provoke! {
        "no command '...', did you mean '...'?; `help` lists them" => |p| shell(p, "lss");
        "no command '...'; `help` lists them" => |p| shell(p, "manufacture");
        "'...' knows no -...; usage: ..." => |p| shell(p, "ls -q");
        "one word expected, '...' is a second one (paths with blanks need quotes); usage: ..." => |p| {
            shell(p, "get /Runinfo/Run number")
        };
        "'...' needs ...; usage: ..." => |p| shell(p, "get");
        "two words expected, '...' is a third one (paths with blanks need quotes); usage: ..." => |p| {
            on_odb(p, &["ren /Run number Number"])
        };
        "nothing expected behind '...', '...' found; usage: ..." => |p| shell(p, "pwd here");
        "a file and a path expected, '...' is a third word; usage: ..." => |p| shell(p, "save a.odb / b");
        "one of -x and -j expected, both found; usage: ..." => |p| shell(p, "save -xj -");
        "the quote at character ... does not end" => |p| shell(p, "ls '/Runinfo");
        "the backslash at character ... does not end" => |p| shell(p, "ls \\");
        "no key ..., did you mean '...'?" => |p| shell(p, "get /Runinfo/Stat");
        "... leads to ...: no key ..., did you mean '...'?" => |p| {
            on_odb(p, &["create int Alpha", "ln Alpha L", "ren Alpha Alpha2", "get L"])
        };
        "... leads to ...: no key ..." => |p| {
            on_odb(p, &["create int Alpha", "ln Alpha L", "del Alpha", "get L"])
        };
        "no key ..." => |p| shell(p, "get /Nowhere/At/All");
        "... is a directory, not a value" => |p| shell(p, "get /Runinfo");
        "... is a value, not a directory" => |p| shell(p, "cd /ADC");
        "... has no element ...: its length is ..." => |p| shell(p, "get /ADC[3]");
        "... is read protected" => |p| shell(p, "get /Hidden");
        "... is write protected" => |p| on_odb(p, &["create int x", "chmod R x", "set x 1"]);
        "... is delete protected" => |p| on_odb(p, &["create int x", "chmod R x", "del x"]);
        "... exists already" => |p| on_odb(p, &["create int x", "mkdir x"]);
        "...: a whole number from ... to ... (...) expected, '...' found" => |p| {
            on_odb(p, &["create word x", "set x 70000"])
        };
        "...: a number of at most 3.4e38 (FLOAT) expected, '...' found" => |p| {
            on_odb(p, &["create float x", "set x 1e99"])
        };
        "...: a number (DOUBLE) expected, '...' found" => |p| on_odb(p, &["create double x", "set x one"]);
        "...: y or n (BOOL) expected, '...' found" => |p| on_odb(p, &["create bool x", "set x maybe"]);
        "...: one character of one byte (CHAR) expected, '...' found" => |p| {
            on_odb(p, &["create char x", "set x xy"])
        };
        "... has ... elements, ... found: as many expected, or one for ...[0] or ...[*]" => |p| {
            on_odb(p, &["create int x[3]", "set x 1"])
        };
        "one value expected, '...' is a second one (text with blanks needs quotes); usage: ..." => |p| {
            on_odb(p, &["create string x", "set x two words"])
        };
        "a type expected, '...' found...; usage: ..." => |p| on_odb(p, &["create whole x"]);
        "a key of values expected, ... found: directories are made by mkdir; usage: ..." => |p| {
            on_odb(p, &["create key x"])
        };
        "a key of values expected, ... found: links are made by ln; usage: ..." => |p| on_odb(p, &["create link x"]);
        "a key of values expected, ... found: only banks have this type; usage: ..." => |p| {
            on_odb(p, &["create struct x"])
        };
        "a number of elements from 1 to ... expected, '...' found; usage: ..." => |p| on_odb(p, &["create int x[0]"]);
        "room for a string of 1 to ... bytes expected, '...' found; usage: ..." => |p| {
            on_odb(p, &["create string x[1][0]"])
        };
        "the root cannot be deleted; usage: ..." => |p| on_odb(p, &["del /"]);
        "top, bottom or a number expected, '...' found; usage: ..." => |p| on_odb(p, &["create int x", "move x up"]);
        "letters of RWDE or a number from 0 to 15 expected, '...' found; usage: ..." => |p| {
            on_odb(p, &["create int x", "chmod X x"])
        };
        "'...' changes whole arrays, an index found; usage: ..." => |p| {
            on_odb(p, &["create int x[3]", "resize x[1] 2"])
        };
        "... has ... elements and cannot be cut to ...: use resize; usage: ..." => |p| {
            on_odb(p, &["create int x[3]", "trunc x 4"])
        };
        "'diff' compares whole keys, an index found: ...; usage: ..." => |p| {
            on_odb(p, &["create int x[3]", "diff x[0] x[1]"])
        };
        "'...' cannot be the name of a key: the root has no name" => |p| on_odb(p, &["ren / x"]);
        "...: ... of ... keys could not be loaded" => |p| {
            p.put("a.odb", "[/]\nx = INT : 5\n");
            let load = format!("load '{}'", p.path("a.odb").display());
            on_odb(p, &["create int x", "chmod R x", &load])
        };
        "...: ... could not be read; the rest is loaded" => |p| {
            p.put("a.odb", "[/]\nx = INT[3] :\n[0] 5\n");
            on_odb(p, &[&format!("load '{}'", p.path("a.odb").display())])
        };
        "'...' changes the ODB: ... is a file and is not changed: save it as .json and load that into an ODB" => |p| {
            shell(p, "set /Runinfo/State 1")
        };
        "...: more than ... links lead on from here, or in a circle" => |p| shell(p, "get /A");
        "...: more than ... levels of directories" => |p| shell(p, &format!("cd {}", "/d".repeat(70)));
        "more than ... values: links lead to the same directories again and again" => |p| {
            p.put("a.odb", many()).run_args(&["odb", "@a.odb", "-c", "jsvalues /d1"])
        };
    }
}

/// What a form cannot hold.
fn conversions() -> Provokers {
    provoke! {
        "... cannot be saved as ...: its name would not be found again; save as .json" => |p| {
            convert(p, "{ \"[x\" : 1 }")
        };
        "... cannot be saved as ...: a string holds a NUL; save as .json" => |p| {
            convert(p, "{ \"x\" : \"a\\u0000b\" }")
        };
        "... cannot be saved as ...: the target of a link holds a line end; save as .json" => |p| {
            convert(p, "{ \"x/key\" : { \"type\" : 16, \"link\" : \"/a\\nb\" }, \"x\" : \"/a\\nb\" }")
        };
        "... cannot be saved as ...: an array of strings holds a line end; save as .json" => |p| {
            convert(p, "{ \"x\" : [ \"a\\nb\", \"c\" ] }")
        };
        "... cannot be saved as ...: a character is a line end; save as .json" => |p| {
            convert(p, "{ \"x/key\" : { \"type\" : 3 }, \"x\" : \"\\n\" }")
        };
        "... cannot be saved as ...: bitfields have no text; save as .json" => |p| {
            convert(p, "{ \"x/key\" : { \"type\" : 11 }, \"x\" : 5 }")
        };
        "... cannot be saved as ...: a line of the string looks like its end; save as .json" => |p| {
            convert(p, "{ \"x\" : \"====#$@$#====\\nb\" }")
        };
        "...: .odb, .xml or .json expected, or --format" => |p| {
            p.put("a.json", "{ \"x\" : 1 }").run("odb convert @a.json @a.txt")
        };
        "... does not hold ...; .json does" => |p| {
            convert(p, "{ \"x/key\" : { \"type\" : 7, \"access_mode\" : 1 }, \"x\" : 1, \"empty\" : {} }")
        };
    }
}
