//! The list of streams, and what is refused.

use std::path::Path;

use serde_json::{Value, json};

use crate::{Place, run, text};

#[test]
fn the_list_says_who_takes_part_and_a_stream_without_a_producer_can_be_removed() {
    let place = Place::new();
    let mut simulate = place.start("simulate --to shm:@lab --rate 1000 --runs 0 --mode 660");
    let stream = place.wait("lab", |stream| stream["run"].is_number());
    assert_eq!((&stream["mode"], &stream["size"]), (&json!(0o660), &json!(32 << 20)), "{stream}");
    let mut dump = place.start("dump shm:@lab --id 2");
    place.wait_for("lab", 1);
    let list = place.well("shm shm:@lab");
    let first = format!("shm:{}/lab  run ", place.0.path().display());
    assert!(list.starts_with(&first) && list.contains("33.6 MB of room, mode 660\n"), "{list}");
    assert!(list.contains(&format!("\n  producer  pactolus simulate (pid {})\n", simulate.id())), "{list}");
    assert!(list.contains(&format!("\n  {:<24} {:>8} what it can ", "Pactolus", dump.id())), "{list}");
    let wide: Vec<&str> = list.lines().skip(1).filter(|line| line.chars().count() > 80).collect();
    assert!(wide.is_empty(), "{wide:?}");
    // A second producer is refused, and so is to remove it.
    for line in ["simulate --to shm:@lab", "shm --remove shm:@lab"] {
        let ran = place.ran(line);
        let wanted = format!("process {} (pactolus simulate) publishes here", simulate.id());
        assert_eq!(ran.status.code(), Some(2), "{line}");
        assert!(text(&ran.stderr).contains(&wanted), "{line}: {}", text(&ran.stderr));
    }
    for child in [&mut simulate, &mut dump] {
        child.kill().unwrap();
        child.wait().unwrap();
    }
    let stream = place.look("lab").unwrap();
    assert_eq!((&stream["producer"], &stream["consumers"]), (&Value::Null, &json!([])), "{stream}");
    assert!(place.well("shm shm:@lab").contains("\n  producer  none\n"));
    assert_eq!(
        place.well("shm --remove shm:@lab"),
        format!("removed shm:{}/lab\n", place.0.path().display())
    );
    let ran = place.ran("shm --remove shm:@lab");
    assert_eq!(ran.status.code(), Some(4), "{}", text(&ran.stderr));
}

#[test]
fn what_cannot_be_done_has_an_exit_code_and_a_sentence() {
    let place = Place::new();
    place.put("run00001.mid", &run(1, 3));
    let says = |line: &str, code: i32, wanted: &str| {
        let ran = place.ran(line);
        let said = text(&ran.stderr);
        assert_eq!((ran.status.code(), text(&ran.stdout)), (Some(code), ""), "{line}: {said}");
        assert!(said.starts_with("pactolus: ") && said.contains(wanted), "{line}: {said}");
        assert_eq!(said.lines().count(), 1, "{line}: {said}");
    };
    says("bridge shm:@lab --to shm:@lab", 2, "a stream is not published in itself");
    says("bridge shm:@./lab --to shm:@lab", 2, "a stream is not published in itself");
    says("bridge none.mid --to shm:@lab", 2, "cannot open none.mid");
    says("bridge run00001.mid --to lab", 2, "a stream in shared memory wanted, as shm:lxe");
    says("bridge run00001.mid --to shm:@lab --mode 640", 2, "600, 660 or 666 wanted");
    says("bridge run00001.mid --to shm:@lab -r 1 2", 2, "-r is for what is live");
    says(
        "bridge run00001.mid --to shm:@lab --sampling all",
        2,
        "--sampling is for an experiment or a stream",
    );
    says("bridge midas://127.0.0.1:1/lab --to shm:@lab", 4, "no mserver at 127.0.0.1:1");
    says("bridge shm:@none --to shm:@lab --stop endrun", 4, "nobody has made this stream");
    says("bridge run00001.mid --to shm:/nowhere/at/all/lab", 2, "cannot make a stream in /nowhere/at/all");
    says("analyze shm:@none --stop endrun", 4, "nobody has made this stream");
    says("analyze run00001.mid --share split", 2, "--share is for a stream in shared memory, as shm:lxe");
    says("analyze shm:@lab --max-age 3 --sampling all", 2, "--max-age is for --sampling recent");
    says("analyze shm:@lab run00001.mid", 2, "a stream is the only input");
    says("analyze shm:@lab --transitions", 2, "--transitions is for an experiment");
    says("dump midas://127.0.0.1:1/lab --stop endrun", 2, "--stop is for a stream in shared memory");
    says("scan shm:@lab", 2, "only analyze, dump and bridge take what is live");
    says("simulate --rate 5 -o x.mid", 2, "--rate is for a stream in shared memory, --to shm:NAME");
    says("simulate", 2, "say where the run goes");
    says("shm shm:@lab", 4, "nobody has made this stream");
    // Nothing of all this has made one.
    assert!(!Path::new(&place.0.path().join("lab.ring")).exists());
}
