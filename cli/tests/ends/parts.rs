//! Shards and merges that are stopped: a part is whole or none, and so is what is merged.

use std::fs;

use pactolus::simulate::Shape;

use crate::child::{HANGS, Place, Running, bound};
use crate::runner::Test;
use crate::whole;

pub(crate) fn all() -> Vec<Test> {
    vec![("a_part_is_whole_or_none", None, a_part_is_whole_or_none)]
}

/// Events of a run.
const EVENTS: u64 = 60_000;

fn a_part_is_whole_or_none() {
    let place = Place::new();
    place.simulate(1, EVENTS, Shape::Small);
    place.simulate(2, EVENTS, Shape::Small);
    let inputs = ["run00001.mid", "run00002.mid"];
    let mine = place.holds(&[]);
    let clear = || place.holds(&mine).iter().for_each(|name| fs::remove_file(place.path(name)).unwrap());
    let shard = |threads: &'static str| {
        let args = ["analyze", inputs[0], inputs[1], "-o", "o%05d.mid", "-j", threads, "--shard", "1/1"];
        Running::piped(&mut place.command("", &args))
    };
    let merge = || Running::piped(&mut place.command("", &["merge", "o00001.1of1.part"]));
    // How long they take if nobody stops them.
    let whole = shard("2").within(HANGS).unwrap();
    assert_eq!(whole.status.code(), Some(0), "{whole:?}");
    let part = fs::read(place.path("o00001.1of1.part")).unwrap();
    let merged = merge().within(HANGS).unwrap();
    assert_eq!(merged.status.code(), Some(0), "{merged:?}");
    let wanted = place.holds(&mine);

    for (i, signal) in (0..12).zip(["INT", "TERM", "KILL"].into_iter().cycle()) {
        clear();
        let running = shard(["1", "2", "8"][i / 4]);
        std::thread::sleep(whole.after * (2 * i as u32 + 1) / 24);
        running.signal(signal);
        let ended = running.within(bound()).unwrap();
        let held = place.holds(&mine);
        let case = format!("shard, {signal}, {i}: {:?} {}, {held:?}", ended.status, ended.err);
        if ended.status.code() == Some(0) {
            assert_eq!(held, ["o00001.1of1.part"], "{case}");
        } else if ended.status.code() == Some(3) {
            assert!(held.is_empty() && ended.err.contains("stopping: no part is written"), "{case}");
        } else {
            // Killed, or stopped before the program had heard of signals.
            assert!(ended.status.code().is_none(), "{case}");
            assert!(held.iter().all(|name| name.starts_with('.') && signal == "KILL"), "{case}");
        }
    }
    for (i, signal) in (0..12).zip(["INT", "TERM", "KILL"].into_iter().cycle()) {
        clear();
        fs::write(place.path("o00001.1of1.part"), &part).unwrap();
        let running = merge();
        std::thread::sleep(merged.after * (2 * i as u32 + 1) / 24);
        running.signal(signal);
        let ended = running.within(bound()).unwrap();
        let held = place.holds(&mine);
        let case = format!("merge, {signal}, {i}: {:?} {}, {held:?}", ended.status, ended.err);
        match ended.status.code() {
            Some(0) => assert_eq!(held, wanted, "{case}"),
            Some(3) => assert!(held.iter().all(|name| !name.starts_with('.')), "{case}"),
            code => assert!(code.is_none(), "{case}"),
        }
        for run in ["o00001.mid", "o00002.mid"].into_iter().filter(|run| held.iter().any(|name| name == run))
        {
            assert_eq!(whole::events(&place.path(run)).unwrap().events, EVENTS, "{case}");
        }
    }
}
