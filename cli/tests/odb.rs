//! `pactolus odb`, as a user sees it.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::ffi::OsString;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use pactolus::Catalogue;
use pactolus_cli::App;
use tempfile::TempDir;

fn corpus(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/corpus").join(name);
    path.to_str().unwrap().to_owned()
}

/// Exit code, output and errors of `pactolus odb` with these arguments.
fn run(args: &[&str]) -> (u8, String, String) {
    let args: Vec<OsString> = std::iter::once(&"odb").chain(args).map(Into::into).collect();
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let code = pactolus_cli::run(&App::new(Catalogue::new()), &args, &mut out, &mut err);
    (code, String::from_utf8(out).unwrap(), String::from_utf8(err).unwrap())
}

fn check(args: &[&str], wanted: &str) {
    let (code, out, err) = run(args);
    assert_eq!((code, err.as_str(), out.as_str()), (0, "", wanted), "{args:?}");
}

/// A command that cannot run: nothing printed, and why, the file's place left out.
fn check_refused(args: &[&str], code: u8, wanted: &str) {
    let (found, out, err) = run(args);
    let err = err.replace(&corpus(""), "");
    assert_eq!((found, out.as_str(), err.as_str()), (code, "", wanted), "{args:?}");
}

/// A file in a directory of its own.
struct Files {
    dir: TempDir,
}

impl Files {
    fn new(files: &[(&str, &[u8])]) -> Files {
        let dir = TempDir::new().unwrap();
        for (name, contents) in files {
            std::fs::write(dir.path().join(name), contents).unwrap();
        }
        Files { dir }
    }

    fn path(&self, name: &str) -> String {
        self.dir.path().join(name).to_str().unwrap().to_owned()
    }

    fn read(&self, name: &str) -> String {
        String::from_utf8(std::fs::read(self.dir.path().join(name)).unwrap()).unwrap()
    }

    fn names(&self) -> Vec<String> {
        let names = std::fs::read_dir(self.dir.path()).unwrap();
        let mut names: Vec<String> = names.map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }
}

#[test]
fn a_run_file_is_an_odb() {
    check(
        &[&corpus("mid/run00008.mid"), "-c", "ls -lr /Equipment/Fixd/Variables", "-c", "cd /Runinfo", "-c", "ls S*"],
        "\
Key name                        Type    #Val  Size  Last Opn Mode Value
---------------------------------------------------------------------------
Variables                       DIR
    Temperature                 DOUBLE  1     8     >99d 0   RWD  21.125
    Voltage V                   FLOAT   3     4     >99d 0   RWD  \n                                        [0]             1.5
                                        [1]             -2021.25
                                        [2]             1.65e-05
    Count                       INT     1     4     >99d 0   RWD  -165
    Status word                 WORD    1     2     >99d 0   RWD  61605
    Flags                       BYTE    4     1     >99d 0   RWD  \n                                        [0]             165
                                        [1]             255
                                        [2]             0
                                        [3]             7
    On                          BOOL    1     4     >99d 0   RWD  y
    Label                       STRING  1     10    >99d 0   RWD  lab165
State                           1
Start abort                     0
Start Time                      Sat Nov 21 01:42:36 2026
Stop Time binary                0
Start Time binary               1795225356
Stop Time                       Sat Nov 21 01:42:36 2026
",
    );
}

#[test]
fn every_compression_and_every_form_of_dump_is_read() {
    let get = ["-c", "get '/Runinfo/Run number'"];
    for (run, wanted) in [
        ("run00001.mid", "1\n"),
        ("run00002.mid.gz", "2\n"),
        ("run00003.mid.lz4", "3\n"),
        ("run00004.mid.bz2", "4\n"),
        // ASCII, XML and JSON.
        ("run00104.mid", "8\n"),
        ("run00105.mid", "8\n"),
        ("run00106.mid", "8\n"),
    ] {
        check(&[&[corpus(&format!("mid/{run}")).as_str()], &get[..]].concat(), wanted);
    }
    check(&[&corpus("mlogger2014/run00003.mid"), get[0], get[1]], "3\n");
    for name in ["odb/full.odb", "odb/full.xml", "odb/full.json"] {
        check(&[&corpus(name), "-c", "get /Experiment/Name"], "lab\n");
    }
}

#[test]
fn the_contents_decide_not_the_name() {
    let xml = std::fs::read(corpus("odb/Logger.xml")).unwrap();
    let files = Files::new(&[("Logger.odb", &xml), ("run00001.mid", &xml)]);
    for name in ["Logger.odb", "run00001.mid"] {
        check(&[&files.path(name), "-c", "get '/Logger/Write data'"], "y\n");
    }
}

#[test]
fn the_end_of_a_run_has_its_own_odb() {
    let file = corpus("mid/run00008.mid");
    let get = "get '/Equipment/Trigger/Statistics/Events sent'";
    check(&[&file, "-c", get], "14005\n");
    check(&[&file, "--eor", "-c", get], "1564\n");
}

#[test]
fn damage_in_between_does_not_hide_the_end() {
    let mut run8 = std::fs::read(corpus("mid/run00008.mid")).unwrap();
    // The size of an event in the middle.
    let at = run8.windows(4).position(|window| window == b"SCLR").unwrap() + 2000;
    run8[at..at + 300].fill(0xff);
    let files = Files::new(&[("x.mid", &run8)]);
    let get = "get '/Equipment/Trigger/Statistics/Events sent'";
    check(&[&files.path("x.mid"), "--eor", "-c", get], "1564\n");
}

#[test]
fn machines_get_json() {
    let file = corpus("mid/run00008.mid");
    check(&[&file, "--json", "-c", "get /Equipment/Trigger/Variables/ADC0"], "[554,423,367,220]\n");
    check(
        &[&file, "--json", "-c", "ls /Equipment/Trigger/Variables"],
        "[{\"name\":\"ADC0\",\"type\":\"WORD\",\"len\":4,\"size\":2,\"mode\":\"RWD\",\"last_written\":0,\
         \"value\":[554,423,367,220]},{\"name\":\"TDC0\",\"type\":\"WORD\",\"len\":4,\"size\":2,\"mode\":\"RWD\",\
         \"last_written\":0,\"value\":[544,1017,346,620]}]\n",
    );
}

#[test]
fn commands_come_from_standard_input() {
    let mut program = Command::new(env!("CARGO_BIN_EXE_pactolus"))
        .args(["odb", &corpus("mid/run00008.mid")])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = b"# where\ncd /Runinfo\npwd\n\nget State\nlss\npwd\n";
    program.stdin.take().unwrap().write_all(lines).unwrap();
    let output = program.wait_with_output().unwrap();
    assert_eq!(String::from_utf8(output.stdout).unwrap(), "/Runinfo\n1\n");
    let wanted = "pactolus: lss: no command 'lss', did you mean 'ls'?; `help` lists them\n";
    assert_eq!(String::from_utf8(output.stderr).unwrap(), wanted);
    assert_eq!(output.status.code(), Some(2));
}

#[test]
fn the_shell_saves_files() {
    let files = Files::new(&[]);
    let save = format!("save '{}' /Logger/Channels/0/Statistics", files.path("x.odb"));
    check(&[&corpus("odb/Logger.odb"), "-c", &save], "");
    assert!(files.read("x.odb").starts_with("[/Logger/Channels/0/Statistics]\nEvents written = DOUBLE : "));
    let save = format!("save '{}'", files.path("none/x.odb"));
    let (code, out, err) = run(&[&corpus("odb/Logger.odb"), "-c", &save]);
    assert_eq!((code, out.as_str()), (5, ""), "{err}");
    assert!(err.starts_with("pactolus: cannot create "), "{err}");
}

/// What is no file of its own is written into, not replaced.
#[cfg(unix)]
#[test]
fn links_and_pipes_are_not_replaced() {
    let state = corpus("odb/Logger.odb");
    for how in ["save", "convert"] {
        let files = Files::new(&[("there.odb", b"before")]);
        let write = |name: &str| {
            let path = files.path(name);
            let (code, _, err) = match how {
                "save" => run(&[&state, "-c", &format!("save '{path}' /Logger/Channels/0/Statistics")]),
                _ => run(&["convert", &state, &path, "--path", "/Logger/Channels/0/Statistics"]),
            };
            assert_eq!((code, err.as_str()), (0, ""), "{how} {name}");
        };
        for (target, link) in [("there.odb", "link.odb"), ("link.odb", "second.odb"), ("new.odb", "lost.odb")]
        {
            std::os::unix::fs::symlink(target, files.path(link)).unwrap();
        }
        for (link, target) in [("second.odb", "there.odb"), ("lost.odb", "new.odb")] {
            write(link);
            assert!(std::fs::symlink_metadata(files.path(link)).unwrap().is_symlink(), "{how} {link}");
            assert!(files.read(target).starts_with("[/Logger/"), "{how} {link}");
        }
        let (fifo, reader) = (files.path("fifo.odb"), files.path("fifo.odb"));
        assert!(Command::new("mkfifo").arg(&fifo).status().unwrap().success());
        let reader = Command::new("cat").arg(reader).stdout(Stdio::piped()).spawn().unwrap();
        write("fifo.odb");
        let read = reader.wait_with_output().unwrap().stdout;
        assert!(read.starts_with(b"[/Logger/") && read.ends_with(b"\n\n"), "{how}");
        assert_eq!(
            files.names(),
            ["fifo.odb", "link.odb", "lost.odb", "new.odb", "second.odb", "there.odb"],
            "{how}"
        );
    }
    let files = Files::new(&[]);
    std::os::unix::fs::symlink("b.odb", files.path("a.odb")).unwrap();
    std::os::unix::fs::symlink("a.odb", files.path("b.odb")).unwrap();
    let (code, _, err) = run(&[&state, "-c", &format!("save '{}'", files.path("a.odb"))]);
    assert_eq!((code, files.names()), (5, vec!["a.odb".to_owned(), "b.odb".to_owned()]), "{err}");
}

#[test]
fn the_shell_saves_to_standard_output() {
    let state = corpus("odb/Logger.odb");
    for name in ["-", "/dev/stdout"] {
        let save = format!("save {name} /Logger/Channels/0/Statistics");
        let (code, out, err) = run(&[&state, "-c", &save, "-c", "pwd"]);
        assert_eq!((code, err.as_str()), (0, ""));
        assert!(out.starts_with("[/Logger/Channels/0/Statistics]\n") && out.ends_with("\n\n/\n"), "{out}");
        let (_, out, _) = run(&[&state, "-c", &save.replace("save", "save -j")]);
        assert!(out.starts_with("{\n"), "{out}");
        if name != "-" {
            let (code, out, err) = run(&["convert", &state, name, "--format", "odb"]);
            assert_eq!((code, err.as_str(), out.starts_with("[/Logger")), (0, "", true), "{out}");
        }
    }
}

/// Bytes that are no UTF-8 are commands as any others.
#[test]
fn commands_may_be_latin_1() {
    let files = Files::new(&[]);
    let mut program = program(&files.path("daq"), &["--create"]);
    let mut program = program.spawn().unwrap();
    let lines = b"create string /\xb5\r\nset /\xb5 '5 \xb5s'\nget /\xb5\nls\nget /x\xb5";
    program.stdin.take().unwrap().write_all(lines).unwrap();
    let output = program.wait_with_output().unwrap();
    let out = output.stdout.escape_ascii().to_string();
    assert_eq!(out, format!("5 \\xb5s\\n\\xb5{}5 \\xb5s\\n", " ".repeat(31)));
    let err = String::from_utf8(output.stderr).unwrap();
    assert_eq!(err, "pactolus: get /x\u{fffd}: no key /x\u{fffd}, did you mean '\u{fffd}'?\n");
}

#[test]
fn what_cannot_be_shown_is_said() {
    let refused = |file: &str, command: &str, wanted: &str| {
        check_refused(&[&corpus(file), "-c", command], 2, &format!("pactolus: {wanted}\n"));
    };
    refused(
        "mid/run00107.mid",
        "ls",
        "mid/run00107.mid: no ODB in this run: it has no begin-of-run event (BOR)",
    );
    refused(
        "mid/run00100.mid",
        "ls",
        "mid/run00100.mid: no ODB in this run: its begin-of-run event (BOR) is empty",
    );
    refused("mid/none.mid", "ls", "cannot open mid/none.mid: No such file or directory (os error 2)");
    refused("odb/Logger.odb", "ls Loger", "ls Loger: no key /Loger, did you mean 'Logger'?");
    refused("odb/Logger.odb", "get /Logger", "get /Logger: /Logger is a directory, not a value");
    check_refused(
        &[&corpus("odb/Logger.odb"), "--eor", "-c", "ls"],
        2,
        "pactolus: odb/Logger.odb: --eor: this is a dump, only run files have a second one\n",
    );
    check_refused(&["-"], 2, "pactolus: standard input is the file: commands are given with -c\n");
    check_refused(&["diff", "a"], 2, "pactolus: the following required arguments were not provided: <B>\n");
    let run8 = std::fs::read(corpus("mid/run00008.mid")).unwrap();
    let files = Files::new(&[
        ("cut.mid", &run8[..5000]),
        ("x.txt", b"hello world, this is no dump"),
        ("x.toml", b"[a]\nb = 1\n"),
        ("empty", b""),
    ]);
    for (name, wanted) in [
        ("x.txt", "neither an ODB dump nor a run file"),
        ("x.toml", "no ODB dump: line 2 (byte 4): neither a section nor 'name = TYPE : value'"),
        ("empty", "neither an ODB dump nor a run file"),
        ("cut.mid", "no whole begin-of-run event (BOR) in this run: event body cut short"),
    ] {
        let (code, out, err) = run(&[&files.path(name), "-c", "ls"]);
        assert_eq!((code, out.as_str()), (2, ""), "{err}");
        assert!(err.contains(wanted), "{err}");
    }
}

#[test]
fn a_damaged_dump_is_shown_up_to_the_damage() {
    let cut = b"<odb root=\"/\"><key name=\"a\" type=\"INT\">1</key><key name=\"b\" ty";
    let odd = b"[/]\nx = ARRAY : 5\ny = INT : 1\n";
    let files = Files::new(&[("cut.xml", cut), ("odd.odb", odd)]);
    let path = files.path("cut.xml");
    let damage = format!("pactolus: {path}: XML dump, line 1 (byte 46): a tag that does not end");
    let shown = (
        1,
        "a                               1\n".to_owned(),
        format!("{damage}; what came before it is shown\n"),
    );
    assert_eq!(run(&[&path, "-c", "ls"]), shown);
    // Half an ODB is not to be compared or kept.
    assert_eq!(run(&["diff", &path, &path]), (2, String::new(), format!("{damage}\n")));
    assert_eq!(run(&["convert", &path, &files.path("x.json")]), (2, String::new(), format!("{damage}\n")));
    let path = files.path("odd.odb");
    let remark = format!("pactolus: {path}: line 2 (byte 4): key 'x': type ARRAY has no value in text\n");
    assert_eq!(run(&[&path, "-c", "get y"]), (1, "1\n".to_owned(), remark));
    assert_eq!(files.names(), ["cut.xml", "odd.odb"]);
}

const LEFT: &[u8] = b"[/A]
same = INT : 1
number = INT : 5
type = INT : 5
array = FLOAT[3] :
[0] 1
[1] 0.1
[2] 3
longer = WORD[2] :
[0] 1
[1] 2
room = STRING : [32] text
text = STRING : [200] a string that is long enough for a line of its own, and then some more of it
gone = BOOL : y

[/A/old]
x = INT : 1
";

const RIGHT: &[u8] = b"[/A]
same = INT : 1
number = INT : 6
type = DOUBLE : 5
array = FLOAT[3] :
[0] 1
[1] 0.2
[2] 4
longer = WORD[3] :
[0] 1
[1] 2
[2] 3
room = STRING : [64] text
text = STRING : [200] another string
new = LINK : [10] /A/number

[/A/young]
x = INT : 1
";

#[test]
fn what_differs_is_listed() {
    let files = Files::new(&[("left.odb", LEFT), ("right.odb", RIGHT)]);
    let (left, right) = (files.path("left.odb"), files.path("right.odb"));
    let wanted = "\
~ /A/number: 5 -> 6
~ /A/type: INT 5 -> DOUBLE 5
~ /A/array[1]: 0.1 -> 0.2
~ /A/array[2]: 3 -> 4
~ /A/longer: WORD[2] 1 2 -> WORD[3] 1 2 3
~ /A/room: STRING(32) \"text\" -> STRING(64) \"text\"
~ /A/text:
    \"a string that is long enough for a line of its own, and then some more ...
 -> \"another string\"
- /A/gone: BOOL y
- /A/old/x: INT 1
+ /A/new: LINK \"/A/number\"
+ /A/young/x: INT 1
";
    assert_eq!(run(&["diff", &left, &right]), (1, wanted.to_owned(), String::new()));
    assert!(wanted.lines().all(|line| line.len() <= 80));
    let below = "- /A/old/x: INT 1\n";
    assert_eq!(run(&["diff", &left, &right, "--path", "/A/old"]), (1, below.to_owned(), String::new()));
    check(&["diff", &left, &right, "--path", "/a/SAME"], "");
    check_refused(
        &["diff", &left, &right, "--path", "/A/saem"],
        2,
        "pactolus: no key /A/saem, did you mean 'same'?\n",
    );
    let (code, out, _) = run(&["diff", &left, &right, "--json"]);
    let lines: Vec<&str> = out.lines().collect();
    assert_eq!((code, lines.len()), (1, 11));
    assert_eq!(
        lines[2],
        r#"{"change":"changed","path":"/A/array","index":1,"left":{"type":"FLOAT","len":3,"values":["0.1"]},"right":{"type":"FLOAT","len":3,"values":["0.2"]}}"#
    );
    assert_eq!(
        lines[7],
        r#"{"change":"removed","path":"/A/gone","left":{"type":"BOOL","len":1,"values":["y"]}}"#
    );
}

#[test]
fn many_elements_are_cut_short() {
    let array = |first: usize| {
        let elements: String = (0..40).map(|i| format!("[{i}] {}\n", i + first)).collect();
        format!("[/]\nx = INT[40] :\n{elements}")
    };
    let files = Files::new(&[("a.odb", array(0).as_bytes()), ("b.odb", array(1).as_bytes())]);
    let (_, out, _) = run(&["diff", &files.path("a.odb"), &files.path("b.odb")]);
    let lines: Vec<&str> = out.lines().collect();
    assert_eq!((lines.len(), lines[15], lines[16]), (17, "~ /x[15]: 15 -> 16", "~ /x: and 24 more elements"));
}

#[test]
fn forms_of_one_odb_are_equal() {
    for name in ["Logger", "Equipment"] {
        check(&["diff", &corpus(&format!("odb/{name}.odb")), &corpus(&format!("odb/{name}.xml"))], "");
    }
    let runs = [corpus("mid/run00003.mid.lz4"), corpus("mid/run00004.mid.bz2")];
    let (code, out, err) = run(&["diff", &runs[0], &runs[1], "--path", "/Runinfo"]);
    let wanted = "\
~ /Runinfo/Run number: 3 -> 4
~ /Runinfo/Start Time: \"Sat Nov 21 01:40:51 2026\" -> \"Sat Nov 21 01:41:01 2026\"
~ /Runinfo/Start Time binary: 1795225251 -> 1795225261
~ /Runinfo/Stop Time: \"Sat Nov 21 01:40:02 2026\" -> \"Sat Nov 21 01:41:00 2026\"
";
    assert_eq!((code, out.as_str(), err.as_str()), (1, wanted, ""));
}

#[test]
fn a_dump_is_converted() {
    let files = Files::new(&[]);
    let run8 = corpus("mid/run00008.mid");
    for name in ["x.odb", "x.xml", "x.json"] {
        let (code, out, _) = run(&["convert", &run8, &files.path(name)]);
        assert_eq!((code, out.as_str()), (0, ""));
        check(&["diff", &run8, &files.path(name)], "");
    }
    assert_eq!(files.names(), ["x.json", "x.odb", "x.xml"]);
    check(
        &["convert", &run8, "-", "--format", "odb", "--path", "/Equipment/Trigger/Variables"],
        "[/Equipment/Trigger/Variables]\nADC0 = WORD[4] :\n[0] 554\n[1] 423\n[2] 367\n[3] 220\n\
         TDC0 = WORD[4] :\n[0] 544\n[1] 1017\n[2] 346\n[3] 620\n\n",
    );
}

#[test]
fn what_a_form_cannot_hold_is_said_and_leaves_nothing() {
    let files = Files::new(&[("there.odb", b"before")]);
    let types = corpus("odb/Types.json");
    let wanted = "pactolus: /Types/str/multiarr cannot be saved as .odb: an array of strings holds a line end; \
                  save as .json\n";
    for name in ["x.odb", "there.odb"] {
        check_refused(&["convert", &types, &files.path(name)], 2, wanted);
    }
    assert_eq!((files.names(), files.read("there.odb")), (vec!["there.odb".to_owned()], "before".to_owned()));
    // What has no place in the form at all is left out, as odbedit does, but not in silence.
    let (code, _, err) = run(&["convert", &types, &files.path("x.xml")]);
    assert_eq!(
        (code, err.as_str()),
        (0, "pactolus: XML does not hold the access modes of 1 key; .json does\n")
    );
    let (code, _, err) =
        run(&["convert", &corpus("odb/full.xml"), &files.path("l.odb"), "--path", "/Programs"]);
    assert_eq!((code, err.as_str()), (0, ""));
    check(&["convert", &types, &files.path("x.json")], "");
    check(&["diff", &types, &files.path("x.json")], "");
}

#[test]
fn an_output_needs_a_form_and_a_place() {
    let types = corpus("odb/Types.json");
    check_refused(
        &["convert", &types, "x.txt"],
        2,
        "pactolus: x.txt: .odb, .xml or .json expected, or --format\n",
    );
    check_refused(&["convert", &types, "-"], 2, "pactolus: -: .odb, .xml or .json expected, or --format\n");
    let files = Files::new(&[]);
    let (code, out, err) = run(&["convert", &types, &files.path("none/x.json")]);
    assert_eq!((code, out.as_str()), (5, ""), "{err}");
    check_refused(
        &["convert", &types, &files.path("x.json"), "--path", "/Types/int"],
        2,
        "pactolus: /Types/int is a value, not a directory\n",
    );
    assert!(files.names().is_empty());
}

#[test]
fn an_odb_in_a_directory_is_made_and_changed() {
    let files = Files::new(&[("a.odb", b"[/Runinfo]\nState = INT : 3\nRun number = INT : 8\n")]);
    let (daq, load) = (files.path("daq"), format!("load '{}'", files.path("a.odb")));
    check(&[&daq, "--create", "-c", &load], "");
    // It is there from now on, and --create does no harm.
    check(&[&daq, "--create", "-c", "cd Runinfo", "-c", "set State 1", "-c", "get State"], "1\n");
    check(
        &[&daq, "-c", "ls Runinfo"],
        "State                           1\nRun number                      8\n",
    );
    let diff = format!("diff '{}'", files.path("a.odb"));
    check(&[&daq, "-c", &diff], "~ /Runinfo/State: 3 -> 1\n");
    let json = "{\"change\":\"changed\",\"path\":\"/Runinfo/State\",\
        \"left\":{\"type\":\"INT\",\"len\":1,\"values\":[\"3\"]},\
        \"right\":{\"type\":\"INT\",\"len\":1,\"values\":[\"1\"]}}\n";
    check(&[&daq, "--json", "-c", &diff], json);
    check(&[&daq, "-c", "del Runinfo", "-c", "exit", "-c", "nonsense"], "");
    check(&[&daq, "-c", "ls"], "");
}

#[test]
fn the_first_command_that_fails_ends_the_program() {
    let files = Files::new(&[("a.odb", b"[/]\nx = INT : 1\ny = INT : 2\n")]);
    let (daq, load) = (files.path("daq"), format!("load '{}'", files.path("a.odb")));
    let (code, out, err) =
        run(&[&daq, "--create", "-c", "create int x", "-c", "chmod R x", "-c", &load, "-c", "ls"]);
    let file = files.path("a.odb");
    assert_eq!((code, out.as_str()), (2, ""));
    let wanted = format!(
        "pactolus: {file}: key left out: /x is write protected\n\
         pactolus: {load}: {file}: 1 of 2 keys could not be loaded\n"
    );
    assert_eq!(err, wanted);
    // What could be loaded is.
    check(&[&daq, "-c", "get x", "-c", "get y"], "0\n2\n");
}

#[test]
fn no_directory_is_made_where_a_file_is() {
    let files = Files::new(&[("run1.mid", b"")]);
    let (code, out, err) = run(&["--create", &files.path("run1.mid"), "-c", "ls"]);
    let wanted = format!("pactolus: {} is a file: --create makes a directory\n", files.path("run1.mid"));
    assert_eq!((code, out.as_str(), err), (2, "", wanted));
}

#[test]
fn a_file_is_not_changed() {
    let file = corpus("mid/run00008.mid");
    let why = "run00008.mid is a file and is not changed: save it as .json and load that into an ODB";
    check_refused(
        &[&file, "-c", "set /Runinfo/State 3"],
        2,
        &format!("pactolus: set /Runinfo/State 3: 'set' changes the ODB: {why}\n"),
    );
}

/// The program itself, where the environment names the ODB.
fn program(odb: &str, args: &[&str]) -> Command {
    let mut program = Command::new(env!("CARGO_BIN_EXE_pactolus"));
    program.arg("odb").args(args).env("PACTOLUS_ODB", odb);
    program.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    program
}

#[test]
fn the_environment_may_name_the_odb() {
    let files = Files::new(&[]);
    let daq = files.path("daq");
    let run = |args: &[&str]| {
        let output = program(&daq, args).output().unwrap();
        (output.status.code().unwrap(), String::from_utf8([output.stdout, output.stderr].concat()).unwrap())
    };
    let none = format!("pactolus: no directory or file {daq}; --create makes a new ODB there\n");
    assert_eq!(run(&["-c", "pwd"]), (2, none));
    assert_eq!(run(&["--create", "-c", "create int x"]), (0, String::new()));
    assert_eq!(run(&["-c", "get x"]), (0, "0\n".to_owned()));
    // An argument goes before it.
    assert_eq!(run(&[&corpus("odb/Logger.odb"), "-c", "get x"]).0, 2);
    // No terminal has colours.
    assert_eq!(run(&["-c", "mkdir d", "-c", "ls d*"]), (0, "d\n".to_owned()));
}

#[cfg(unix)]
#[test]
fn changes_are_watched_from_another_process() {
    use std::io::{BufRead, BufReader};

    let files = Files::new(&[]);
    let daq = files.path("daq");
    check(&[&daq, "--create", "-c", "create int /Runinfo/x"], "");
    for (args, wanted) in [
        (&["watch", "/Runinfo"][..], "~ /Runinfo/x: "),
        (&["watch", "/Runinfo", "--json"], "{\"change\":\"changed\",\"path\":\"/Runinfo/x\",\"left\""),
    ] {
        let mut watch = program(&daq, args).spawn().unwrap();
        let mut lines = BufReader::new(watch.stdout.take().unwrap()).lines();
        let (told, seen) = std::sync::mpsc::channel();
        let writer = std::thread::spawn({
            let daq = daq.clone();
            // Nobody knows when it begins to watch.
            move || {
                let odb = pactolus::odb::Odb::open(&daq).unwrap();
                for number in 1..600 {
                    odb.set("/Runinfo/x", number).unwrap();
                    if seen.recv_timeout(std::time::Duration::from_millis(50)).is_ok() {
                        return true;
                    }
                }
                false
            }
        });
        let line = lines.next().unwrap().unwrap();
        assert!(line.starts_with(wanted), "{line}");
        told.send(()).unwrap();
        assert!(writer.join().unwrap());
        watch.kill().unwrap();
        watch.wait().unwrap();
    }
    let file = corpus("odb/Logger.odb");
    check_refused(
        &["watch", "--odb", &file],
        2,
        "pactolus: odb/Logger.odb is a file and does not change: the directory of an ODB expected\n",
    );
}

#[test]
fn the_guide_has_every_command() {
    let guide =
        std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/odb.md")).unwrap();
    for command in pactolus::odb::shell::Shell::commands() {
        let row = format!("| `{}` | {} |\n", command.usage, command.help.lines().next().unwrap());
        assert!(guide.contains(&row), "{row}");
    }
}
