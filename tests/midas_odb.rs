//! The ODB of an experiment as this process sees it, over a server of MIDAS.

#![cfg(unix)]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::cell::RefCell;
use std::sync::Arc;
use std::time::{Duration, Instant};

use pactolus::midas::{Address, Client, Inbox, Login, Mirror, Session, Writes};
use pactolus::odb::store::RULES;
use pactolus::odb::{Dump, Mode, Odb, Path, Save, Store, Strings, Tree, Value};

#[path = "mserver/mod.rs"]
mod mserver;

use mserver::{Options, Server, Version};

const ALL: [Version; 3] = [Version::V2014, Version::V2017, Version::V2022];
/// Numbers of calls: `db_find_link` and so on.
const WRITES: [u32; 9] = [11203, 11204, 11205, 11210, 11214, 11215, 11216, 11227, 11239];

fn server(version: Version) -> Server {
    Server::start(Options { version, ..Options::default() })
}

fn login(server: &Server) -> Login {
    Login::new(Address::new("127.0.0.1", server.port()), "Watcher")
}

fn session(server: &Server, watched: &[&str], writes: Writes) -> Session {
    let watched: Vec<String> = watched.iter().map(|path| (*path).to_owned()).collect();
    Session::open(&login(server), &watched, writes).unwrap()
}

/// Waits until this is so; how long it took.
#[track_caller]
fn until(what: &str, mut is_so: impl FnMut() -> bool) -> Duration {
    let begun = Instant::now();
    while !is_so() {
        assert!(begun.elapsed() < Duration::from_secs(20), "{what}");
        std::thread::sleep(Duration::from_micros(200));
    }
    begun.elapsed()
}

/// One of everything that an ODB can have.
fn strange() -> Tree {
    let mut tree = Tree::new();
    let strings = Strings { size: 40, values: vec![b"one".to_vec(), Vec::new(), b"\xb5s".to_vec()] };
    let values = [
        ("BYTE", Value::Byte(vec![0, 255])),
        ("SBYTE", Value::Sbyte(vec![-128, 127])),
        ("CHAR", Value::Char(b"a".to_vec())),
        ("WORD", Value::Word(vec![0, u16::MAX])),
        ("SHORT", Value::Short(vec![i16::MIN, 1])),
        ("DWORD", Value::Dword(vec![u32::MAX])),
        ("INT", Value::Int(vec![i32::MIN, 1, 2])),
        ("BOOL", Value::Bool(vec![true, false])),
        ("FLOAT", Value::Float(vec![0.1, f32::NAN])),
        ("DOUBLE", Value::Double(vec![-0.0, 0.1])),
        ("STRING", Value::String(strings)),
        ("Rate [Hz]", Value::from(2.5f32)),
        ("odd[3]", Value::from(3)),
        (&pactolus::odb::spelling::from_bytes(b"latin \xb5"), Value::from(1)),
        ("gr\u{fc}n", Value::from(1)),
    ];
    tree.set_now(1_700_000_000);
    for (name, value) in values {
        tree.create(&format!("/Strange/{name}"), value).unwrap();
    }
    tree.create("/Strange/deep/er/and/deeper/still", 1).unwrap();
    tree.create_directory("/Strange/empty").unwrap();
    tree.create_link("/Strange/link", "/Runinfo/State").unwrap();
    tree.create_link("/Strange/to one", "/Strange/INT[1]").unwrap();
    tree.create_link("/Strange/nowhere", "/Not/there").unwrap();
    tree.create_link("/Strange/directory", "/Equipment/Trigger/Common").unwrap();
    tree.set_mode("/Strange/WORD", Mode::READ, false).unwrap();
    tree.set_mode("/Strange/deep", Mode::READ | Mode::WRITE, true).unwrap();
    tree
}

/// Without the entries of programs that have logged in.
fn without_clients(tree: &Tree) -> Tree {
    let mut tree = tree.clone();
    for path in ["/System", "/Programs"] {
        tree.graft(&Path::parse(path).unwrap(), None).unwrap();
    }
    tree
}

#[test]
fn the_tree_is_the_one_of_the_experiment_to_the_byte() {
    for version in ALL {
        let server = server(version);
        server.change(|tree| {
            let strange = strange();
            let key = strange.find("/Strange").unwrap().key.clone();
            tree.graft(&Path::parse("/Strange").unwrap(), Some(key)).unwrap();
        });
        let session = session(&server, &[], Writes::Nothing);
        let (mine, its) = (session.odb().snapshot().unwrap(), server.tree());
        assert_eq!(session.left_out(), Vec::<String>::new());
        assert_eq!(mine.diff(&its), [], "{version:?}");
        assert!(mine.identical(&its), "{version:?}: names, order, modes, times");
        for save in [Save::odb(), Save::json(), Save::xml()] {
            assert_eq!(save.write(&mine, "/Runinfo"), save.write(&its, "/Runinfo"));
            assert_eq!(save.write(&mine, "/Strange"), save.write(&its, "/Strange"));
        }
    }
}

#[test]
fn nothing_is_written_but_what_may_be() {
    let server = server(Version::V2017);
    let session = session(
        &server,
        &["/Runinfo"],
        Writes::Below(vec!["/Out".into(), "/Equipment/Trigger/Common/Period".into()]),
    );
    let before = server.tree();
    let calls = server.calls();
    let odb = session.odb();
    odb.change(|tree| {
        tree.set("/Runinfo/State", 3)?;
        tree.delete("/Equipment/Scaler")?;
        tree.create("/Own/x", 1)?;
        tree.rename("/Logger/Data dir", "Data Dir")?;
        tree.set_mode("/Runinfo", Mode::READ, true)?;
        tree.reorder("/Runinfo", 0)
    })
    .unwrap();
    assert!(server.tree().identical(&before), "all of it stays here");
    let new = |id: &u32| server.calls().get(id) > calls.get(id);
    assert_eq!(WRITES.iter().filter(|id| new(id)).collect::<Vec<_>>(), Vec::<&u32>::new());
    assert_eq!((odb.get("/Runinfo/State"), odb.exists("/Equipment/Scaler")), (Ok(3), false));
    // Both at once: only one of them is sent.
    odb.change(|tree| {
        tree.set("/Equipment/Trigger/Common/Period", 100)?;
        tree.set("/Equipment/Trigger/Common/Type", 7)?;
        tree.create("/Out/deep/y", vec![1u16, 2])?;
        tree.create_link("/Out/link", "/Runinfo/State")
    })
    .unwrap();
    let its = server.tree();
    assert_eq!(its.get("/Equipment/Trigger/Common/Period"), Ok(100));
    assert_eq!(its.get("/Equipment/Trigger/Common/Type"), Ok(2));
    assert_eq!(its.get("/Out/deep/y"), Ok(vec![1u16, 2]));
    assert_eq!(its.find_link("/Out/link").unwrap().key.value(), Some(&Value::Link("/Runinfo/State".into())));
    let mine = odb.snapshot().unwrap();
    assert_eq!(mine.get("/Equipment/Trigger/Common/Type"), Ok(7));
    assert!(mine.literal(&Path::parse("/Out").unwrap()).unwrap().same(its.find("/Out").unwrap().key));
    assert_eq!(server.offences(), Vec::<String>::new());
}

#[test]
fn one_key_that_changes_is_one_key_that_is_read() {
    for version in ALL {
        let server = server(version);
        let session =
            session(&server, &["/Equipment/Trigger", "/Runinfo/State", "/Nowhere"], Writes::Nothing);
        let odb = session.odb();
        let mut total = Duration::ZERO;
        let reads = |server: &Server| server.calls().get(&11213).copied().unwrap_or(0);
        let before = reads(&server);
        for period in 1..=10 {
            server.change(|tree| tree.set("/Equipment/Trigger/Common/Period", period).unwrap());
            total +=
                until("the change is seen", || odb.get("/Equipment/Trigger/Common/Period") == Ok(period));
        }
        assert!(total < Duration::from_millis(500), "{total:?} for ten");
        let read = reads(&server) - before;
        // The oldest does not say which key it was.
        assert!(version == Version::V2014 || read <= 40, "{version:?}: {read} values were read");
        server.change(|tree| tree.set("/Runinfo/State", 3).unwrap());
        until("a single key is watched", || odb.get("/Runinfo/State") == Ok(3));
    }
}

#[test]
fn keys_that_come_and_go_are_seen() {
    let server = server(Version::V2022);
    let session = session(&server, &["/Equipment/Trigger", "/Later/on"], Writes::Nothing);
    let odb = session.odb();
    server.change(|tree| {
        tree.delete("/Equipment/Trigger/Variables").unwrap();
        tree.create("/Equipment/Trigger/Common/New", 5).unwrap();
        tree.create("/Later/on/x", 7).unwrap();
        tree.reorder("/Equipment/Trigger/Common/Period", 0).unwrap();
    });
    let took = until("all is seen", || {
        odb.get("/Later/on/x") == Ok(7)
            && odb.get("/Equipment/Trigger/Common/New") == Ok(5)
            && !odb.exists("/Equipment/Trigger/Variables")
    });
    assert!(took < Duration::from_secs(4), "{took:?}");
    let first = |tree: &Tree| {
        tree.directory("/Equipment/Trigger/Common").unwrap().iter().next().unwrap().name().to_owned()
    };
    assert_eq!(first(&odb.snapshot().unwrap()), "Period");
    // What has come is watched, too, and what has gone poisons nothing.
    server.change(|tree| tree.set("/Later/on/x", 8).unwrap());
    assert!(until("it is seen", || odb.get("/Later/on/x") == Ok(8)) < Duration::from_secs(1));
    server.change(|tree| tree.delete("/Equipment/Trigger").unwrap());
    until("it is gone", || !odb.exists("/Equipment/Trigger"));
    server.change(|tree| tree.create("/Equipment/Trigger/Common/Period", 1).unwrap());
    until("it is back", || odb.get("/Equipment/Trigger/Common/Period") == Ok(1));
    server.change(|tree| tree.set("/Equipment/Trigger/Common/Period", 2).unwrap());
    assert!(
        until("it is seen", || odb.get("/Equipment/Trigger/Common/Period") == Ok(2)) < Duration::from_secs(1)
    );
}

#[test]
fn what_links_lead_to_is_watched() {
    let server = server(Version::V2017);
    server.change(|tree| {
        tree.create("/Shared/a", 1).unwrap();
        tree.create("/Shared/b", vec![1, 2]).unwrap();
        tree.create_link("/Mine/one", "/Shared/a").unwrap();
        tree.create_link("/Mine/all", "/Further").unwrap();
        tree.create_link("/Further/two", "/Shared/b[1]").unwrap();
    });
    let session = session(&server, &["/Mine"], Writes::Nothing);
    let odb = session.odb();
    server.change(|tree| tree.set("/Shared/a", 5).unwrap());
    let soon = Duration::from_secs(1);
    assert!(until("the target", || odb.get("/Mine/one") == Ok(5)) < soon);
    server.change(|tree| tree.set("/Shared/b[1]", 7).unwrap());
    assert!(until("a target behind a target", || odb.get("/Mine/all/two") == Ok(7)) < soon);
    // Elsewhere now.
    server.change(|tree| {
        tree.create("/Other", 9).unwrap();
        tree.replace("/Mine/one", Value::Link("/Other".into())).unwrap();
    });
    until("another target", || odb.get("/Mine/one") == Ok(9));
    server.change(|tree| tree.set("/Other", 10).unwrap());
    assert!(until("it is watched", || odb.get("/Mine/one") == Ok(10)) < soon);
}

#[test]
fn what_is_set_here_lasts_until_it_is_set_there() {
    let server = server(Version::V2017);
    let session = session(&server, &["/Equipment"], Writes::Nothing);
    let odb = session.odb();
    odb.set("/Equipment/Trigger/Common/Period", 42).unwrap();
    server.change(|tree| tree.set("/Equipment/Trigger/Common/Type", 9).unwrap());
    until("the other key", || odb.get("/Equipment/Trigger/Common/Type") == Ok(9));
    assert_eq!(odb.get("/Equipment/Trigger/Common/Period"), Ok(42));
    server.change(|tree| tree.set("/Equipment/Trigger/Common/Period", 43).unwrap());
    until("this key", || odb.get("/Equipment/Trigger/Common/Period") == Ok(43));
}

#[test]
fn a_mirror_outlives_its_clients() {
    let server = server(Version::V2017);
    let inbox = Inbox::new();
    let mirror = Mirror::new(Arc::clone(&inbox), Writes::Below(vec!["/Out".into()]));
    let watched = ["/Runinfo".to_owned()];
    let mut client = Client::connect(&login(&server), &inbox).unwrap();
    mirror.attach(&mut client, &watched).unwrap();
    let odb = Odb::new(Arc::clone(&mirror) as Arc<dyn Store>);
    odb.put("/Own/x", 5).unwrap();
    odb.set("/Logger/Data dir", "/mine").unwrap();
    let revision = odb.revision();
    server.kill("Watcher");
    until("the end is told", || !inbox.take().is_empty());
    mirror.lost("the server was killed");
    assert!(odb.put("/Out/y", 1).is_err());
    odb.put("/Own/z", 6).unwrap();
    server.change(|tree| {
        tree.set("/Runinfo/Run number", 77).unwrap();
        tree.create("/Out/there", 1).unwrap();
    });
    drop(client);
    let mut client = Client::connect(&login(&server), &inbox).unwrap();
    mirror.attach(&mut client, &watched).unwrap();
    assert!(odb.revision() > revision);
    assert_eq!((odb.get("/Runinfo/Run number"), odb.get("/Out/there")), (Ok(77), Ok(1)));
    assert_eq!((odb.get("/Own/x"), odb.get("/Own/z")), (Ok(5), Ok(6)));
    assert_eq!(odb.get::<String>("/Logger/Data dir"), Ok("/mine".into()));
    let writer = {
        let odb = odb.clone();
        std::thread::spawn(move || odb.put("/Out/y", 1))
    };
    until("it is sent", || {
        mirror.serve(&mut client).unwrap();
        writer.is_finished()
    });
    writer.join().unwrap().unwrap();
    assert_eq!(server.tree().get("/Out/y"), Ok(1));
    // Nothing has changed: reading all anew is no change.
    let revision = odb.revision();
    mirror.refresh(&mut client).unwrap();
    mirror.look(&mut client, &[]).unwrap();
    assert_eq!(odb.revision(), revision);
}

#[test]
fn writes_are_the_smallest_calls() {
    let server = server(Version::V2017);
    let session = session(&server, &[], Writes::All);
    let odb = session.odb();
    odb.create("/T/array", (0..100).collect::<Vec<i32>>()).unwrap();
    odb.create("/T/text", "abc").unwrap();
    let mut before = server.calls();
    let mut made = |what: &dyn Fn() -> pactolus::odb::Result<()>| {
        what().unwrap();
        let calls = server.calls();
        let count = |id: &u32| calls.get(id).copied().unwrap_or(0) - before.get(id).copied().unwrap_or(0);
        let made: Vec<(u32, u64)> =
            WRITES.iter().map(|id| (*id, count(id))).filter(|(_, count)| *count > 0).collect();
        before = calls;
        made
    };
    assert_eq!(made(&|| odb.set("/T/array[5]", -1)), [(11215, 1)]);
    assert_eq!(made(&|| odb.set("/T/array", vec![7; 100])), [(11214, 1)]);
    // So many that all are sent at once.
    let many = |tree: &mut Tree| (0..40).try_for_each(|at| tree.set(&format!("/T/array[{at}]"), at));
    assert_eq!(made(&|| odb.change(many)), [(11214, 1)]);
    assert_eq!(made(&|| odb.change(|tree| tree.resize("/T/array", 50))), [(11239, 1)]);
    assert_eq!(made(&|| odb.change(|tree| tree.resize("/T/array", 60))), [(11239, 1)]);
    assert_eq!(made(&|| odb.set("/T/text", "another")), [(11214, 1)]);
    assert_eq!(made(&|| odb.change(|tree| tree.rename("/T/text", "Text"))), [(11227, 1)]);
    assert_eq!(made(&|| odb.change(|tree| tree.set_mode("/T/Text", Mode::READ, false))), [(11216, 1)]);
    assert_eq!(made(&|| odb.change(|tree| tree.set_mode("/T/Text", Mode::default(), false))), [(11216, 1)]);
    assert_eq!(made(&|| odb.delete("/T/Text")), [(11210, 1)]);
    assert_eq!(made(&|| odb.create_link()), [(11204, 1)]);
    let its = server.tree();
    assert!(its.find("/T").unwrap().key.same(odb.snapshot().unwrap().find("/T").unwrap().key));
    assert_eq!(its.get::<Vec<i32>>("/T/array").unwrap().len(), 60);
}

trait CreateLink {
    fn create_link(&self) -> pactolus::odb::Result<()>;
}

impl CreateLink for Odb {
    fn create_link(&self) -> pactolus::odb::Result<()> {
        self.change(|tree| tree.create_link("/T/link", "/T/array[3]"))
    }
}

#[test]
fn what_only_we_watch_is_deleted() {
    let server = server(Version::V2017);
    let session = session(&server, &["/Equipment", "/Runinfo"], Writes::All);
    let odb = session.odb();
    odb.delete("/Equipment/Scaler").unwrap();
    assert!(!server.tree().exists("/Equipment/Scaler"));
    // And is watched as before.
    assert_eq!(server.watched("Watcher").len(), 2);
    server.change(|tree| tree.set("/Equipment/Trigger/Common/Period", 7).unwrap());
    until("a change", || odb.get("/Equipment/Trigger/Common/Period") == Ok(7));
}

#[test]
fn nothing_is_deleted_around_what_somebody_watches() {
    for version in ALL {
        let server = server(version);
        let session = session(&server, &["/Equipment/Trigger/Common", "/Runinfo/State"], Writes::All);
        let odb = session.odb();
        let inbox = Inbox::new();
        let other = Login::new(Address::new("127.0.0.1", server.port()), "Other");
        let mut other = Client::connect(&other, &inbox).unwrap();
        let key = other.find(pactolus::midas::Key::ROOT, "/Equipment/Trigger/Statistics").unwrap().unwrap();
        other.watch(key).unwrap();
        assert_eq!(other.info(key).unwrap().watches, 1);
        for path in ["/Equipment", "/Equipment/Trigger", "/Equipment/Trigger/Statistics"] {
            let error = odb.delete(path).unwrap_err().to_string();
            assert!(error.contains("another program watches /Equipment/Trigger/Statistics"), "{error}");
        }
        assert!(server.tree().exists("/Equipment/Trigger/Statistics") && odb.exists("/Equipment/Trigger"));
        // Our own watch is there again.
        assert_eq!(server.watched("Watcher").len(), 2);
        other.unwatch(key).unwrap();
        odb.delete("/Equipment").unwrap();
        assert!(!server.tree().exists("/Equipment"));
        assert_eq!(server.offences(), Vec::<String>::new());
    }
}

#[test]
fn the_only_key_of_a_directory_is_not_moved() {
    let server = server(Version::V2022);
    server.change(|tree| {
        tree.create("/T/a", 1).unwrap();
        tree.create("/T/b", 1).unwrap();
    });
    let session = session(&server, &[], Writes::All);
    server.change(|tree| tree.delete("/T/a").unwrap());
    session.odb().change(|tree| tree.reorder("/T/b", 0)).unwrap();
    assert_eq!(server.calls().get(&11229), None);
    assert_eq!(server.offences(), Vec::<String>::new());
}

#[test]
fn what_midas_cannot_have_stays_here_and_takes_nothing_with_it() {
    let server = server(Version::V2022);
    server.change(|tree| {
        tree.create("/Out/b", 1).unwrap();
        tree.create("/Target", 1).unwrap();
        tree.create_link("/Out/link", "/Target").unwrap();
    });
    let session = session(&server, &[], Writes::Below(vec!["/Out".into()]));
    let odb = session.odb();
    odb.change(|tree| {
        tree.create("/Out/Statistics/Rate [Hz]", 2.5)?;
        tree.create("/Out/Statistics/Events", 7)?;
        tree.create("/Out/Statistics/ blank", 7)?;
        tree.set_mode("/Out/link", Mode::READ, false)
    })
    .unwrap();
    assert_eq!(server.tree().get("/Out/Statistics/Events"), Ok(7));
    assert_eq!(server.tree().directory("/Out/Statistics").unwrap().len(), 1);
    let all = |odb: &Odb| {
        let private = (odb.get("/Out/Statistics/Rate [Hz]"), odb.get("/Out/Statistics/ blank"));
        assert_eq!(private, (Ok(2.5), Ok(7)));
    };
    all(&odb);
    // Also when its directory is sent anew.
    odb.change(|tree| tree.set_mode("/Out/Statistics", Mode::READ | Mode::WRITE, false)).unwrap();
    odb.change(|tree| tree.create("/Out/Statistics/More", 8)).unwrap();
    all(&odb);
    assert_eq!(server.tree().find("/Target").unwrap().key.mode(), Mode::default(), "not of the target");
    assert_eq!(odb.snapshot().unwrap().find_link("/Out/link").unwrap().key.mode(), Mode::READ);
    // Names from elsewhere are refused there.
    assert_eq!(server.offences(), Vec::<String>::new());
    let all = self::session(&server, &[], Writes::All);
    let error = all.odb().create("/Out/Rate [Hz]", 1).unwrap_err().to_string();
    assert!(error.contains("304"), "{error}");
}

#[test]
fn what_is_changed_here_while_an_order_is_late_stays() {
    let server = server(Version::V2017);
    let inbox = Inbox::new();
    let mirror = Mirror::new(Arc::clone(&inbox), Writes::Below(vec!["/Out".into()]));
    let mut login = login(&server);
    login.timeout = Duration::from_secs(60);
    let mut client = Client::connect(&login, &inbox).unwrap();
    mirror.attach(&mut client, &[]).unwrap();
    let odb = Odb::new(Arc::clone(&mirror) as Arc<dyn Store>);
    server.freeze("Watcher", true);
    std::thread::scope(|scope| {
        let late = scope.spawn(|| odb.put("/Out/y", 1));
        scope.spawn(|| {
            inbox.wait(Duration::from_secs(5));
            mirror.serve(&mut client).unwrap();
        });
        let error = late.join().unwrap().unwrap_err().to_string();
        assert!(error.contains("it may be there"), "{error}");
        odb.put("/Own/x", 5).unwrap();
        server.freeze("Watcher", false);
    });
    assert_eq!((odb.get("/Own/x"), odb.get("/Out/y")), (Ok(5), Ok(1)));
}

#[test]
fn the_whole_is_looked_at_without_a_watch() {
    let server = server(Version::V2022);
    let session = session(&server, &["/"], Writes::Nothing);
    let odb = session.odb();
    assert_eq!(server.watched("Watcher"), Vec::<String>::new());
    for period in [5, 6, 7] {
        server.change(|tree| tree.set("/Equipment/Trigger/Common/Period", period).unwrap());
        let took = until("a value", || odb.get("/Equipment/Trigger/Common/Period") == Ok(period));
        assert!(took < Duration::from_secs(5), "{took:?}");
    }
    server.change(|tree| tree.create("/New/x", 1).unwrap());
    until("a key", || odb.get("/New/x") == Ok(1));
}

#[test]
fn a_session_of_a_server_that_hangs_is_closed_soon() {
    let server = server(Version::V2022);
    let session = session(&server, &[], Writes::Nothing);
    server.freeze("Watcher", true);
    let begun = Instant::now();
    drop(session);
    assert!(begun.elapsed() < Duration::from_secs(4), "{:?}", begun.elapsed());
}

#[test]
fn the_log_is_told_on_request_by_who_was_let_in() {
    let server = Server::start(Options { password: Some("secret".into()), ..Options::default() });
    let mut login = login(&server);
    let told =
        |server: &Server| server.messages().iter().filter(|text| text.contains("Program Watcher")).count();
    login.messages = true;
    assert!(Client::connect(&login, &Inbox::new()).is_err());
    login.password = Some("secret".into());
    login.messages = false;
    Client::connect(&login, &Inbox::new()).unwrap().exit().unwrap();
    assert_eq!(told(&server), 0);
    login.messages = true;
    Client::connect(&login, &Inbox::new()).unwrap().exit().unwrap();
    assert_eq!(told(&server), 2, "{:?}", server.messages());
}

#[test]
fn what_the_server_refuses_is_told_with_its_path() {
    let server = server(Version::V2017);
    let session = session(&server, &[], Writes::All);
    let odb = session.odb();
    // Done there, and not told.
    server.change(|tree| {
        tree.set_mode("/Runinfo/State", Mode::READ, false).unwrap();
        tree.delete("/Runinfo/Run number").unwrap();
    });
    let said = |result: pactolus::odb::Result<()>| result.unwrap_err().to_string();
    assert_eq!(said(odb.set("/Runinfo/State", 3)), "/Runinfo/State is write protected");
    assert_eq!(said(odb.set("/Runinfo/Run number", 3)), "no key /Runinfo/Run number");
    // What was tried has been read back.
    assert!(!odb.exists("/Runinfo/Run number"));
    assert_eq!(odb.snapshot().unwrap().find("/Runinfo/State").unwrap().key.mode(), Mode::READ);
    let long = "n".repeat(40);
    assert!(said(odb.create(&format!("/{long}"), 1)).contains("at most 31 bytes"));
    assert!(said(odb.create("/big", vec![0.0f64; 1 << 20])).contains("at most 524288 can be held"));
    assert_eq!(odb.set("/Equipment/Trigger/Common/Period", 1), Ok(()), "it goes on");
    assert_eq!(server.offences(), Vec::<String>::new());
}

#[test]
fn a_session_says_that_it_is_lost() {
    let server = server(Version::V2022);
    let session = session(&server, &["/Runinfo"], Writes::All);
    let odb = session.odb();
    let mut watch = odb.watch("/Runinfo").unwrap();
    server.kill("Watcher");
    let error = watch.next(Duration::from_secs(20)).unwrap_err().to_string();
    assert!(error.contains("lost"), "{error}");
    assert!(session.lost().is_some());
    assert!(odb.set("/Runinfo/State", 3).is_err());
}

#[test]
fn a_closed_session_leaves_nothing_behind() {
    let server = server(Version::V2017);
    let session = session(&server, &["/"], Writes::Nothing);
    assert_eq!(session.name(), "Watcher");
    assert!(server.clients().contains(&"Watcher".to_owned()));
    let odb = session.odb();
    drop(session);
    assert!(server.wait_for_clients(|clients| !clients.contains(&"Watcher".to_owned())));
    assert!(odb.set("/Runinfo/State", 3).is_err());
    assert_eq!(server.offences(), Vec::<String>::new());
}

#[test]
fn a_large_odb_is_read_at_once() {
    let mut text = String::new();
    for directory in 0..50 {
        text += &format!("[/Many/{directory}]\n");
        (0..10).for_each(|key| text += &format!("key {key} = INT : {key}\n"));
        text += "\n";
    }
    let server = Server::start(Options { odb: Some(text), ..Options::default() });
    let begun = Instant::now();
    let session = session(&server, &[], Writes::Nothing);
    let took = begun.elapsed();
    assert_eq!(session.odb().snapshot().unwrap().directory("/Many").unwrap().len(), 50);
    println!("{took:?} for 600 keys, log-in included");
    assert!(took < Duration::from_secs(1), "{took:?}");
}

#[test]
fn it_is_a_store_as_far_as_midas_can_be_one() {
    // MIDAS itself says when a key was written, and its names end at 31 bytes.
    let not = ["the revision grows with every change only", "what is large, long or deep is kept"];
    let open = RefCell::new(Vec::new());
    for (name, rule) in RULES.iter().filter(|(name, _)| !not.contains(name)) {
        println!("{name}");
        let server = server(Version::V2022);
        let session = session(&server, &[], Writes::All);
        rule(Arc::clone(session.odb().store()));
        assert_eq!(server.offences(), Vec::<String>::new(), "{name}");
        open.borrow_mut().push((session, server));
    }
    assert!(not.iter().all(|name| RULES.iter().any(|(rule, _)| rule == name)));
}

#[test]
fn a_dump_of_it_is_loaded_as_any() {
    let server = server(Version::V2017);
    let session = session(&server, &[], Writes::Nothing);
    let text = session.odb().save("/", &Save::json()).unwrap();
    let loaded = Dump::parse(&text).unwrap().tree();
    assert!(without_clients(&loaded).same(&without_clients(&server.tree())));
}
