use super::*;

use std::os::unix::fs::{FileTypeExt as _, symlink};
use std::process::{Command, Stdio};
use std::thread;

use rustix::fs::{CWD, FileType, Mode};
use rustix::process::{Gid, Uid};
use rustix::thread::{set_thread_groups, set_thread_res_gid, set_thread_res_uid};

const SIZE: u64 = 1 << 20;

/// A directory as `/dev/shm` is one.
struct Place(tempfile::TempDir);

impl Place {
    fn new() -> Place {
        let place = tempfile::tempdir().unwrap();
        fs::set_permissions(place.path(), Permissions::from_mode(0o1777)).unwrap();
        Place(place)
    }

    fn name(&self, name: &str) -> StreamName {
        StreamName::within(self.0.path(), uid(), name).unwrap()
    }

    /// The directory of this user.
    fn ours(&self) -> PathBuf {
        self.0.path().join(format!("pactolus-{}", uid()))
    }

    fn path(&self, below: &str) -> PathBuf {
        self.0.path().join(below)
    }

    /// The files of this user.
    fn files(&self) -> Vec<String> {
        let entries = fs::read_dir(self.ours()).into_iter().flatten();
        let mut files: Vec<String> = entries.map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
        files.sort();
        files
    }
}

fn create(name: &StreamName) -> RingFile {
    let made = RingFile::create(name, SIZE, 0o600).unwrap();
    assert!(made.publish_new().unwrap());
    made
}

fn mode(path: &Path) -> u32 {
    fs::symlink_metadata(path).unwrap().mode() & 0o7777
}

/// Does something as another user, if we are one who can become another.
fn as_other(act: impl FnOnce() + Send) {
    const OTHER: u32 = 65534;
    if uid() != 0 {
        return;
    }
    thread::scope(|scope| {
        let other = scope.spawn(|| {
            // The system knows users of threads, and this one ends here.
            let (user, group) = (Uid::from_raw(OTHER), Gid::from_raw(OTHER));
            set_thread_groups(&[]).unwrap();
            set_thread_res_gid(Some(group), Some(group), Some(group)).unwrap();
            set_thread_res_uid(Some(user), Some(user), Some(user)).unwrap();
            assert_eq!(uid(), OTHER);
            act();
        });
        other.join().unwrap();
    });
}

fn refusal(result: Result<RingFile>) -> String {
    result.expect_err("refused").to_string()
}

#[test]
fn a_stream_is_found_when_it_is_whole() {
    let place = Place::new();
    let name = place.name("lxe");
    assert!(matches!(RingFile::open(&name), Err(Error::Absent { .. })));
    let made = RingFile::create(&name, SIZE, 0o600).unwrap();
    assert_eq!(mode(&place.ours()), 0o711);
    assert_eq!(made.path, name.path());
    assert!(!made.is_current());
    assert!(matches!(RingFile::open(&name), Err(Error::Absent { .. })));
    assert!(made.publish_new().unwrap());
    assert!(made.is_current());
    assert_eq!(place.files(), ["lxe.ring"]);
    let found = RingFile::open(&name).unwrap();
    assert!(found.is_current());
    assert_eq!(found.file.metadata().unwrap().len(), SIZE);
    drop((made, found));
    assert_eq!(place.files(), ["lxe.ring"], "it stays");
}

#[test]
fn a_new_stream_has_a_producer_from_the_beginning() {
    let place = Place::new();
    let made = create(&place.name("lxe"));
    let found = RingFile::open(&place.name("lxe")).unwrap();
    assert!(lock::is_locked(&found.file, LOCKS).unwrap());
    assert!(!lock::is_locked(&found.file, LOCKS + 1).unwrap());
    lock::unlock(&made.file, LOCKS).unwrap();
    assert!(!lock::is_locked(&found.file, LOCKS).unwrap());
}

#[test]
fn who_may_take_part_does_not_depend_on_the_mask() {
    let place = Place::new();
    for wanted in [0o600, 0o660, 0o666] {
        let made = RingFile::create(&place.name("lxe"), SIZE, wanted).unwrap();
        assert!(made.publish_new().unwrap());
        assert_eq!(mode(&made.path), wanted);
        made.remove().unwrap();
    }
    // Not a program, nor one of another user.
    let made = RingFile::create(&place.name("lxe"), SIZE, 0o104660).unwrap();
    assert_eq!(made.file.metadata().unwrap().mode() & 0o7777, 0o660);
}

#[test]
fn what_is_not_published_leaves_nothing() {
    let place = Place::new();
    let name = place.name("lxe");
    drop(RingFile::create(&name, SIZE, 0o600).unwrap());
    assert!(place.files().is_empty());
    let error = RingFile::create(&name, 1 << 60, 0o600).unwrap_err();
    let text = error.to_string();
    assert!(matches!(error, Error::Full { .. }), "{text}");
    let begins = format!("no room for {}: {} bytes wanted, ", name.path().display(), 1u64 << 60);
    assert!(text.starts_with(&begins), "{text}");
    assert!(place.files().is_empty());
}

#[test]
fn who_reads_a_stream_that_is_replaced_or_removed_finds_out() {
    let place = Place::new();
    let name = place.name("lxe");
    let old = create(&name);
    fs::remove_file(name.path()).unwrap();
    assert!(!old.is_current());
    let new = create(&name);
    assert!(!old.is_current() && new.is_current());
    old.remove().unwrap();
    assert!(new.is_current(), "what has replaced it is not removed with it");
    new.remove().unwrap();
    assert!(!new.is_current());
    assert!(place.files().is_empty());
    new.remove().unwrap();
}

#[test]
fn of_two_who_make_a_stream_one_is_first() {
    let place = Place::new();
    let name = place.name("lxe");
    let (one, other) =
        (RingFile::create(&name, SIZE, 0o600).unwrap(), RingFile::create(&name, SIZE, 0o600).unwrap());
    assert!(one.publish_new().unwrap());
    assert!(!other.publish_new().unwrap());
    drop(other);
    assert!(one.is_current());
    assert_eq!(place.files(), ["lxe.ring"]);
}

#[test]
fn many_who_make_a_stream_at_once_leave_one() {
    let place = Place::new();
    let name = place.name("lxe");
    for _ in 0..20 {
        let make = || RingFile::create(&name, 4096, 0o600).unwrap().publish_new().unwrap();
        let firsts = thread::scope(|scope| {
            let makers: Vec<_> = (0..4).map(|_| scope.spawn(make)).collect();
            makers.into_iter().map(|maker| u32::from(maker.join().unwrap())).sum::<u32>()
        });
        assert_eq!(firsts, 1);
        assert_eq!(place.files(), ["lxe.ring"]);
        RingFile::open(&name).unwrap().remove().unwrap();
    }
}

#[test]
fn what_a_kill_has_left_is_removed_and_nothing_else() {
    let place = Place::new();
    let name = place.name("lxe");
    let living = RingFile::create(&name, SIZE, 0o600).unwrap();
    // Another process is at it: our open file is handed to it.
    let at_it = place.ours().join(".lxe.77.1.tmp");
    let file = File::create_new(&at_it).unwrap();
    assert!(lock::try_lock(&file, LOCKS).unwrap());
    let mut process = Command::new("sleep").arg("60").stdin(Stdio::from(file)).spawn().unwrap();
    let others =
        [".lxe.2.77.1.tmp", ".lx.77.1.tmp", ".lxe.77.tmp", ".lxe.77.1.tmp.x", ".lxe.a.1.tmp", "lxe.tmp"];
    for file in others.iter().chain(&[".lxe.77.0.tmp", ".lxe.1.99.tmp"]) {
        fs::write(place.ours().join(file), "x").unwrap();
    }
    symlink(place.ours().join("lxe.tmp"), place.ours().join(".lxe.5.5.tmp")).unwrap();
    // Killed between its two names.
    fs::hard_link(&at_it, place.ours().join("lxe.ring")).unwrap();
    drop(RingFile::create(&name, SIZE, 0o600).unwrap());
    let left = place.files();
    for file in others.iter().chain(&[".lxe.5.5.tmp", "lxe.ring"]) {
        assert!(left.iter().any(|l| l == file), "{file} of {left:?}");
    }
    assert_eq!(left.len(), others.len() + 3, "{left:?}");
    assert!(living.is_at(living.temporary.as_deref().unwrap()));
    // One name of a living process stays.
    fs::rename(place.ours().join("lxe.ring"), &at_it).unwrap();
    drop(RingFile::create(&name, SIZE, 0o600).unwrap());
    assert!(at_it.exists());
    process.kill().unwrap();
    process.wait().unwrap();
    for _ in 0..1000 {
        drop(RingFile::create(&name, SIZE, 0o600).unwrap());
        if !at_it.exists() {
            return;
        }
    }
    panic!("the leftover of a killed process stays");
}

#[test]
fn what_is_no_file_is_no_stream_and_nobody_waits_for_it() {
    let place = Place::new();
    drop(create(&place.name("lxe")));
    let ring = |name: &str| place.ours().join(format!("{name}.ring"));
    rustix::fs::mknodat(CWD, ring("pipe"), FileType::Fifo, Mode::from_raw_mode(0o600), 0).unwrap();
    fs::create_dir(ring("directory")).unwrap();
    symlink(ring("lxe"), ring("link")).unwrap();
    symlink("/no/where", ring("nowhere")).unwrap();
    let _socket = std::os::unix::net::UnixListener::bind(ring("socket")).unwrap();
    let check = |name: &str, kind: &str| {
        let error = RingFile::open(&place.name(name)).unwrap_err();
        assert!(matches!(error, Error::NotAStream { .. }), "{error}");
        let path = ring(name);
        let why = format!("it is {kind}, and a file is wanted");
        let wanted = format!("{} is no stream of this version of Pactolus: {why}", path.display());
        assert_eq!(error.to_string(), wanted);
    };
    check("pipe", "a pipe");
    check("directory", "a directory");
    check("socket", "a socket");
    check("link", "a symbolic link");
    check("nowhere", "a symbolic link");
    // If one is put there after we have looked.
    assert!(open_quietly(&ring("pipe"), true).unwrap().metadata().unwrap().file_type().is_fifo());
    assert!(open_quietly(&ring("link"), true).is_err());
    // Elsewhere a link is as good as a file.
    symlink(ring("lxe"), place.path("there.ring")).unwrap();
    let there = RingFile::open(&place.name(place.path("there").to_str().unwrap())).unwrap();
    assert!(there.is_current());
}

#[test]
fn an_absent_stream_is_away_and_a_closed_one_is_not() {
    let place = Place::new();
    let error = RingFile::open(&place.name("lxe")).unwrap_err();
    assert!(error.is_away());
    assert_eq!(error.to_string(), "nobody has made this stream");
    drop(create(&place.name("lxe")));
    let error = RingFile::open(&place.name("lxa")).unwrap_err();
    assert_eq!(error.to_string(), "nobody has made this stream; did you mean shm:lxe?");
    let error = RingFile::open(&place.name("/no/where/lxe")).unwrap_err();
    assert_eq!(error.to_string(), "nobody has made this stream, there is no directory /no/where");
    let error = RingFile::create(&place.name("/no/where/lxe"), SIZE, 0o600).unwrap_err();
    assert!(error.to_string().starts_with("cannot make a stream in /no/where: "), "{error}");
    let file = place.path("file");
    fs::write(&file, "").unwrap();
    let error = RingFile::open(&place.name(file.join("lxe").to_str().unwrap())).unwrap_err();
    assert!(matches!(error, Error::Io { .. }), "{error}");
}

#[test]
fn the_directory_of_a_user_must_be_his_alone() {
    let place = Place::new();
    let ours = place.ours();
    let shown = ours.display();
    let check = |wanted: &str| {
        let wanted = format!("no rights to use {shown}: {wanted}");
        assert_eq!(refusal(RingFile::create(&place.name("lxe"), SIZE, 0o600)), wanted);
        assert_eq!(refusal(RingFile::open(&place.name("lxe"))), wanted);
    };
    let real = place.path("real");
    fs::create_dir(&real).unwrap();
    symlink(&real, &ours).unwrap();
    check("it is a symbolic link, and a directory is wanted; remove it, or give the path of a file");
    assert!(fs::read_dir(&real).unwrap().next().is_none());
    fs::remove_file(&ours).unwrap();
    fs::write(&ours, "").unwrap();
    check("it is a file, and a directory is wanted; remove it, or give the path of a file");
    fs::remove_file(&ours).unwrap();
    drop(create(&place.name("lxe")));
    for mode in [0o770, 0o703] {
        fs::set_permissions(&ours, Permissions::from_mode(mode)).unwrap();
        check(&format!("others may write there (mode {mode:o}); say \"chmod 711 {shown}\""));
    }
    // What else its owner has chosen is his affair.
    fs::set_permissions(&ours, Permissions::from_mode(0o700)).unwrap();
    RingFile::create(&place.name("lxe"), SIZE, 0o600).unwrap();
    assert_eq!(mode(&ours), 0o700);
    as_other(|| {
        let trap = StreamName::within(place.0.path(), 0, "lxe").unwrap();
        let wanted =
            "it belongs to user 0, not to this one, 65534; have it removed, or give the path of a file";
        let wanted = format!("no rights to use {shown}: {wanted}");
        assert_eq!(refusal(RingFile::create(&trap, SIZE, 0o600)), wanted);
        assert_eq!(refusal(RingFile::open(&trap)), wanted);
    });
}

#[test]
fn a_stream_of_another_user_is_opened_if_he_allows_it() {
    let place = Place::new();
    let name = place.name("lxe");
    let ours = place.ours();
    let path = ours.join("lxe");
    drop(create(&name));
    as_other(|| {
        // By its name he finds none of his own, and is led to it; to open it he has no rights.
        let error = RingFile::open(&place.name("lxe")).unwrap_err();
        assert!(error.is_away());
        let other = format!("another user has one of this name, shm:{}", path.display());
        assert_eq!(error.to_string(), format!("nobody has made this stream; {other}"));
        let by_path = place.name(path.to_str().unwrap());
        let error = RingFile::open(&by_path).unwrap_err();
        assert!(!error.is_away());
        let whose = "it belongs to user 0 and group 0, mode 600";
        let advice = "its producer opens it to the group with --mode 660, to everybody with --mode 666";
        let wanted = format!("no rights to open {}.ring: {whose}; {advice}", path.display());
        assert_eq!(error.to_string(), wanted);
        // Nor may he put one there.
        let error = RingFile::create(&by_path, SIZE, 0o600).unwrap_err().to_string();
        let wanted = format!("no rights to make a stream in {}: it belongs to user 0 and", ours.display());
        assert!(error.starts_with(&wanted), "{error}");
        // Both have one of this name.
        create(&place.name("lxe"));
        assert!(RingFile::open(&place.name("lxe")).is_ok());
    });
    fs::set_permissions(name.path(), Permissions::from_mode(0o666)).unwrap();
    as_other(|| {
        let found = RingFile::open(&place.name(path.to_str().unwrap())).unwrap();
        assert!(lock::try_lock(&found.file, LOCKS + 16).unwrap());
        let error = found.remove().unwrap_err();
        assert!(matches!(error, Error::NoRights { what: "remove", .. }), "{error}");
    });
    fs::set_permissions(&ours, Permissions::from_mode(0o700)).unwrap();
    as_other(|| {
        let error = RingFile::open(&place.name(path.to_str().unwrap())).unwrap_err();
        let closed = format!("{} belongs to user 0 and cannot be passed (mode 700)", ours.display());
        let advice = format!("its owner says \"chmod a+x {}\"", ours.display());
        let wanted = format!("no rights to open {}.ring: {closed}; {advice}", path.display());
        assert_eq!(error.to_string(), wanted);
    });
}

#[test]
fn a_stream_at_a_path_lies_there() {
    let place = Place::new();
    let path = place.path("a.b");
    let name = place.name(path.to_str().unwrap());
    let made = RingFile::create(&name, SIZE, 0o660).unwrap();
    assert!(made.publish_new().unwrap());
    assert_eq!(made.path, place.path("a.b.ring"));
    assert!(RingFile::open(&name).unwrap().is_current());
    assert!(!place.ours().exists());
    assert_eq!(fs::read_dir(place.0.path()).unwrap().count(), 1);
}
