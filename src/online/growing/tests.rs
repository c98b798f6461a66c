//! Files that grow, and what else happens to them.

use std::fs;
use std::io::Write;

use super::*;

struct Scene {
    place: tempfile::TempDir,
}

impl Scene {
    fn new() -> Scene {
        let place = tempfile::tempdir().unwrap();
        fs::create_dir(place.path().join("fast")).unwrap();
        fs::create_dir(place.path().join("slow")).unwrap();
        Scene { place }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.place.path().join(name)
    }

    fn append(&self, name: &str, bytes: &[u8]) {
        let file = File::options().append(true).create(true).open(self.path(name));
        file.unwrap().write_all(bytes).unwrap();
    }

    fn open(&self, names: &[&str], timeout: Option<Duration>) -> Growing {
        let paths = names.iter().map(|name| self.path(name)).collect();
        Growing::open(paths, timeout, || None).unwrap().unwrap()
    }
}

/// All that is there now.
fn there(growing: &mut Growing) -> String {
    let mut all = Vec::new();
    match growing.read_to_end(&mut all) {
        Ok(_) => all.extend(b"."),
        Err(error) => assert_eq!(error.kind(), io::ErrorKind::WouldBlock),
    }
    String::from_utf8(all).unwrap()
}

/// How it ends, if it does soon.
fn ending(growing: &mut Growing) -> Option<Ending> {
    let until = Instant::now() + 3 * SETTLED;
    while Instant::now() < until && there(growing) != "." {
        std::thread::sleep(Duration::from_millis(10));
    }
    growing.handle().ending()
}

#[test]
fn what_comes_is_read_once() {
    let scene = Scene::new();
    scene.append("fast/run1.mid", b"one");
    let mut growing = scene.open(&["fast/run1.mid"], None);
    assert_eq!(there(&mut growing), "one");
    assert_eq!(there(&mut growing), "");
    scene.append("fast/run1.mid", b"two");
    assert!(growing.handle().has_more());
    assert_eq!(there(&mut growing), "two");
    assert_eq!(growing.handle().size(), 6);
    assert_eq!(ending(&mut growing), None);
    growing.handle().finish();
    scene.append("fast/run1.mid", b"!");
    assert_eq!(there(&mut growing), "!");
    assert_eq!(ending(&mut growing), Some(Ending::Whole));
}

#[test]
fn a_rename_ends_it_and_a_time_does() {
    let scene = Scene::new();
    scene.append("fast/run1.mid.inprogress", b"one");
    let mut growing = scene.open(&["fast/run1.mid"], None);
    assert_eq!(there(&mut growing), "one");
    fs::rename(scene.path("fast/run1.mid.inprogress"), scene.path("fast/run1.mid")).unwrap();
    assert_eq!(ending(&mut growing), Some(Ending::Renamed));

    let second = Duration::from_millis(500);
    let mut growing = scene.open(&["fast/run1.mid"], Some(second));
    assert_eq!(there(&mut growing), "one");
    assert_eq!(ending(&mut growing), Some(Ending::TimedOut(second)));
    assert!(Growing::open(vec![scene.path("slow/run1.mid")], None, || Some(SETTLED)).unwrap().is_none());

    let paths = vec![scene.path("fast/run1.mid")];
    let mut growing = Growing::open(paths, None, || Some(SETTLED)).unwrap().unwrap();
    assert_eq!(there(&mut growing), "one");
    assert_eq!(ending(&mut growing), Some(Ending::Followed));
}

#[test]
fn a_copy_goes_on_where_the_first_was_deleted() {
    let scene = Scene::new();
    scene.append("fast/run1.mid", b"one two three");
    let mut growing = scene.open(&["fast/run1.mid", "slow/run1.mid"], None);
    assert_eq!(there(&mut growing), "one two three");
    scene.append("slow/run1.mid", b"one two");
    fs::remove_file(scene.path("fast/run1.mid")).unwrap();
    assert_eq!(there(&mut growing), "");
    scene.append("slow/run1.mid", b" three");
    assert_eq!(there(&mut growing), "");
    scene.append("slow/run1.mid", b" four");
    assert_eq!(there(&mut growing), " four");
    growing.handle().finish();
    assert_eq!(ending(&mut growing), Some(Ending::Whole));
    assert_eq!(growing.handle().news(), Vec::<String>::new());
}

#[test]
fn a_file_that_is_moved_to_the_other_directory_goes_on() {
    let scene = Scene::new();
    scene.append("fast/run1.mid", b"one");
    let mut growing = scene.open(&["fast/run1.mid", "slow/run1.mid"], None);
    assert_eq!(there(&mut growing), "one");
    fs::rename(scene.path("fast/run1.mid"), scene.path("slow/run1.mid")).unwrap();
    assert_eq!(ending(&mut growing), None);
    scene.append("slow/run1.mid", b" two");
    assert_eq!(there(&mut growing), " two");
}

#[test]
fn a_copy_in_its_place_goes_on_and_another_file_does_not() {
    let scene = Scene::new();
    scene.append("slow/run1.mid", b"one two");
    let mut growing = scene.open(&["slow/run1.mid"], None);
    assert_eq!(there(&mut growing), "one two");
    scene.append("slow/.run1.mid.x", b"one two three");
    fs::rename(scene.path("slow/.run1.mid.x"), scene.path("slow/run1.mid")).unwrap();
    assert_eq!(there(&mut growing), " three");
    scene.append("slow/.run1.mid.x", b"four five six seven");
    fs::rename(scene.path("slow/.run1.mid.x"), scene.path("slow/run1.mid")).unwrap();
    assert_eq!(ending(&mut growing), Some(Ending::Replaced));
    let news = growing.handle().news();
    assert!(news.len() == 1 && news[0].contains("they differ before byte 13"), "{news:?}");
}

#[test]
fn a_file_that_shrinks_ends() {
    let scene = Scene::new();
    scene.append("fast/run1.mid", b"one two three");
    let mut growing = scene.open(&["fast/run1.mid"], None);
    assert_eq!(there(&mut growing), "one two three");
    File::options().write(true).open(scene.path("fast/run1.mid")).unwrap().set_len(4).unwrap();
    assert_eq!(ending(&mut growing), Some(Ending::Shrunk { from: 13, to: 4 }));
}

#[test]
fn what_is_deleted_is_said_and_what_comes_is_read() {
    let scene = Scene::new();
    scene.append("fast/run1.mid", b"one");
    let mut growing = scene.open(&["fast/run1.mid"], None);
    assert_eq!(there(&mut growing), "one");
    let mut writer = File::options().append(true).open(scene.path("fast/run1.mid")).unwrap();
    fs::remove_file(scene.path("fast/run1.mid")).unwrap();
    assert_eq!(there(&mut growing), "");
    writer.write_all(b" two").unwrap();
    assert_eq!(there(&mut growing), " two");
    assert_eq!(growing.handle().news().len(), 1);
}
