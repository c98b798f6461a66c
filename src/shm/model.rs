//! The ring as a model, of which loom tries all orders of steps and all that the memory model lets a thread see.
//!
//! The code is that of the stream, over words of loom; the stream is tiny: four frames of one event. Each model is
//! bounded to a few changes of the thread in hand, which finds the faults that there were within seconds. More
//! of them: `LOOM_MAX_PREEMPTIONS=4`.
//!
//! Loom takes accesses that are `SeqCst` for `AcqRel` ones, so what is proven here relies on fences only.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering::{self, Acquire, Relaxed, SeqCst};
use std::sync::atomic::{AtomicBool, AtomicU64};

use loom::sync::atomic as loomed;
use loom::sync::{Condvar, Mutex};
use loom::thread;

use super::bell::Bell;
use super::frame::{HEAD, Head};
use super::layout::{Layout, group, slot, word};
use super::reader::{self, Found};
use super::slots::{self, Slot};
use super::words::Words;
use super::writer::Writer;
use super::{counts, group as groups};

/// Bytes of a frame of one or two events of eight bytes.
const FRAME: u64 = 128;
const FRAMES: u64 = 4;

/// Words of which loom knows those that more than one thread touches.
#[derive(Clone)]
struct Modelled(Arc<(BTreeMap<usize, loomed::AtomicU64>, Vec<AtomicU64>)>);

impl Words for Modelled {
    fn load(&self, at: usize, order: Ordering) -> u64 {
        match self.0.0.get(&at) {
            Some(word) => word.load(order),
            None => self.0.1[at].load(Relaxed),
        }
    }

    fn store(&self, at: usize, value: u64, order: Ordering) {
        match self.0.0.get(&at) {
            Some(word) => word.store(value, order),
            None => self.0.1[at].store(value, Relaxed),
        }
    }

    fn exchange(&self, at: usize, now: u64, new: u64) -> bool {
        self.0.0[&at].compare_exchange(now, new, SeqCst, SeqCst).is_ok()
    }

    fn add(&self, at: usize, value: u64) {
        match self.0.0.get(&at) {
            Some(word) => drop(word.fetch_add(value, SeqCst)),
            None => drop(self.0.1[at].fetch_add(value, Relaxed)),
        }
    }

    fn fence(&self, order: Ordering) {
        loomed::fence(order);
    }
}

/// A stream that holds four frames.
struct Tiny {
    layout: Layout,
    words: Vec<AtomicU64>,
}

impl Tiny {
    fn new(slots: usize, groups: usize) -> Tiny {
        let layout = Layout { size: FRAME * FRAMES, slots, groups, ids: 4 };
        let words = (0..layout.words()).map(|_| AtomicU64::new(0)).collect();
        Tiny { layout, words }
    }

    /// So many frames were written.
    fn filled(self, frames: u64) -> Tiny {
        let mut writer = Writer::new(Plain(&self.words), self.layout).unwrap();
        (0..frames).for_each(|serial| assert!(write(&mut writer, serial)));
        drop(writer);
        self
    }

    /// A consumer that wants all has come.
    fn attended(self, number: usize, group: Option<usize>) -> Tiny {
        let held = Some(0).filter(|_| group.is_none());
        slots::put(&Plain(&self.words), &self.layout, number, &Slot { all: true, group, held, journal: 0 });
        self
    }

    /// With these words, and those of the frames, for loom.
    fn modelled(self, shared: &[usize]) -> (Modelled, Layout) {
        let layout = self.layout;
        // Of each frame that by which it is known, its event, and its account.
        let frames = (0..FRAMES).flat_map(|n| [0, 8, 10].map(|word| layout.at(n * FRAME) + word));
        let shared = [&[word::RESERVED, word::PUBLISHED], shared].concat();
        let shared = shared.into_iter().chain(frames);
        let shared = shared.map(|at| (at, loomed::AtomicU64::new(self.words[at].load(Relaxed)))).collect();
        (Modelled(Arc::new((shared, self.words))), layout)
    }
}

/// Words before the model begins.
struct Plain<'a>(&'a [AtomicU64]);

impl Words for Plain<'_> {
    fn load(&self, at: usize, _: Ordering) -> u64 {
        self.0[at].load(Relaxed)
    }

    fn store(&self, at: usize, value: u64, _: Ordering) {
        self.0[at].store(value, Relaxed);
    }

    fn exchange(&self, _: usize, _: u64, _: u64) -> bool {
        false
    }

    fn add(&self, at: usize, value: u64) {
        self.0[at].fetch_add(value, Relaxed);
    }

    fn fence(&self, _: Ordering) {}
}

/// Writes a frame of one event, if nobody is to be waited for.
fn write(writer: &mut Writer<impl Words>, serial: u64) -> bool {
    if !writer.open(8) {
        return false;
    }
    writer.put(&serial.to_ne_bytes());
    writer.count(1);
    writer.close(0);
    true
}

/// Reads the frame at a position. One that holds is whole.
fn read(words: &Modelled, layout: &Layout, at: u64) -> Option<Head> {
    let (mut bytes, mut accounts) = (Vec::new(), Vec::new());
    let head = match reader::head(words, layout, (at, at + FRAME), &mut accounts) {
        Found::Frame(head) => head,
        Found::Overwritten => return None,
        Found::Nonsense => panic!("no frame at {at}"),
    };
    reader::copy(words, layout, (at, &head), &mut bytes);
    reader::is_valid(words, layout, at).then(|| {
        assert_eq!(bytes, (at / FRAME).to_ne_bytes(), "torn");
        assert_eq!(accounts[0].before, at / FRAME, "torn");
        head
    })
}

fn check(preemptions: usize, model: impl Fn() + Sync + Send + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.max_branches = 10_000;
    builder.preemption_bound = builder.preemption_bound.or(Some(preemptions));
    builder.check(model);
}

#[test]
fn what_holds_after_it_was_copied_is_whole() {
    check(3, || {
        let (words, layout) = Tiny::new(0, 0).filled(FRAMES).modelled(&[]);
        let mut writer = Writer::new(words.clone(), layout).unwrap();
        let reader = thread::spawn(move || {
            let mut at = 0;
            for _ in 0..2 {
                let next = read(&words, &layout, at).map(|head| at + head.length);
                at = next.unwrap_or_else(|| reader::next_mark(&words, &layout, at));
                if at >= words.load(word::PUBLISHED, Acquire) {
                    break;
                }
            }
        });
        write(&mut writer, FRAMES);
        write(&mut writer, FRAMES + 1);
        reader.join().unwrap();
    });
}

#[test]
fn what_is_published_is_seen() {
    check(3, || {
        let (words, layout) = Tiny::new(0, 0).modelled(&[]);
        let mut writer = Writer::new(words.clone(), layout).unwrap();
        let reader = thread::spawn(move || {
            let published = words.load(word::PUBLISHED, Acquire);
            for at in (0..published).step_by(FRAME as usize) {
                assert!(read(&words, &layout, at).is_some());
            }
        });
        (0..2).for_each(|serial| assert!(write(&mut writer, serial)));
        reader.join().unwrap();
    });
}

fn shared_by_slots(layout: &Layout) -> Vec<usize> {
    let slots = (0..layout.slots).flat_map(|n| [slot::STATE, slot::HELD].map(|word| layout.slot(n) + word));
    let groups = (0..layout.groups).map(|n| layout.group(n) + group::CURSOR);
    slots.chain(groups).chain([word::CHANGES]).collect()
}

#[test]
fn who_wants_all_is_not_overtaken() {
    check(2, || {
        let tiny = Tiny::new(1, 0).filled(FRAMES).attended(0, None);
        let shared = shared_by_slots(&tiny.layout);
        let (words, layout) = tiny.modelled(&shared);
        let mut writer = Writer::new(words.clone(), layout).unwrap();
        let reader = thread::spawn(move || {
            for at in [0, FRAME] {
                assert!(read(&words, &layout, at).is_some(), "overtaken at {at}");
                slots::hold(&words, &layout, 0, Some(at + FRAME));
            }
        });
        let mut serial = FRAMES;
        for _ in 0..3 {
            serial += u64::from(write(&mut writer, serial));
        }
        reader.join().unwrap();
    });
}

#[test]
fn who_comes_and_wants_all_is_not_overtaken() {
    check(2, || {
        let tiny = Tiny::new(1, 0).filled(FRAMES);
        let shared = [shared_by_slots(&tiny.layout), vec![word::COUNTING, word::COUNTED]].concat();
        let (words, layout) = tiny.modelled(&shared);
        let mut writer = Writer::new(words.clone(), layout).unwrap();
        let reader = thread::spawn(move || {
            // As a consumer begins.
            let held = Some(words.load(word::COUNTED, Acquire));
            slots::put(&words, &layout, 0, &Slot { all: true, group: None, held, journal: 0 });
            let mut totals = Vec::new();
            let Some(at) = counts::consistent(&words, &layout, &mut totals) else { return };
            slots::hold(&words, &layout, 0, Some(at));
            if at < words.load(word::PUBLISHED, Acquire) {
                assert!(read(&words, &layout, at).is_some(), "overtaken at {at}");
            }
        });
        let mut serial = FRAMES;
        for _ in 0..FRAMES + 2 {
            serial += u64::from(write(&mut writer, serial));
        }
        reader.join().unwrap();
    });
}

/// Takes the next frame as a member of a group.
fn take(words: &Modelled, layout: &Layout, member: usize) -> Option<u64> {
    let at = groups::cursor(words, layout, 0);
    let taken =
        Some(at).filter(|at| groups::hold(words, layout, (0, member), *at) && advance(words, layout, *at));
    slots::hold(words, layout, member, None);
    taken
}

/// Reads the frame that is held, and takes it.
fn advance(words: &Modelled, layout: &Layout, at: u64) -> bool {
    let mut accounts = Vec::new();
    let Found::Frame(head) = reader::head(words, layout, (at, at + FRAME), &mut accounts) else {
        // Only if another has taken it meanwhile.
        assert!(!groups::advance(words, layout, 0, (at, at + FRAME)), "overtaken at {at}");
        return false;
    };
    let is_ours = groups::advance(words, layout, 0, (at, at + head.length));
    assert!(!is_ours || read(words, layout, at).is_some(), "overtaken at {at}, which was taken");
    is_ours
}

#[test]
fn what_a_member_of_a_group_has_in_hand_is_not_overwritten() {
    check(2, || {
        let tiny = Tiny::new(1, 1).filled(FRAMES).attended(0, Some(0));
        let shared = shared_by_slots(&tiny.layout);
        let (words, layout) = tiny.modelled(&shared);
        let mut writer = Writer::new(words.clone(), layout).unwrap();
        let member = thread::spawn(move || {
            assert_eq!(take(&words, &layout, 0), Some(0));
        });
        write(&mut writer, FRAMES);
        member.join().unwrap();
    });
}

#[test]
fn two_of_a_group_never_take_the_same_frame() {
    check(2, || {
        let tiny = Tiny::new(2, 1).filled(FRAMES).attended(0, Some(0)).attended(1, Some(0));
        let shared = shared_by_slots(&tiny.layout);
        let (words, layout) = tiny.modelled(&shared);
        let mut writer = Writer::new(words.clone(), layout).unwrap();
        let member = |number: usize| {
            let words = words.clone();
            thread::spawn(move || take(&words, &layout, number))
        };
        let (one, other) = (member(0), member(1));
        write(&mut writer, FRAMES);
        let taken = [one, other].map(|member| member.join().unwrap());
        assert!(taken[0] != taken[1] && taken.contains(&Some(0)), "{taken:?}");
    });
}

#[test]
fn totals_hold_for_the_position_that_is_told() {
    check(3, || {
        let tiny = Tiny::new(0, 0);
        let (one, two) = (tiny.layout.total(1), tiny.layout.total(2));
        let (words, layout) = tiny.modelled(&[word::COUNTING, word::COUNTED, one, two]);
        let mut writer = Writer::new(words.clone(), layout).unwrap();
        let reader = thread::spawn(move || {
            let mut totals = Vec::new();
            if let Some(at) = counts::consistent(&words, &layout, &mut totals) {
                let wanted = at / FRAME;
                assert!(totals.iter().all(|(_, total)| *total == wanted), "{totals:?} at {at}");
                // What is published behind them is at most one frame.
                assert!(at == 0 || !totals.is_empty());
            }
        });
        for _ in 0..2 {
            assert!(writer.open(16));
            writer.put(&[0; 16]);
            writer.count(1);
            writer.count(2);
            writer.close(0);
        }
        reader.join().unwrap();
    });
}

/// A bell, something that is published, and where one sleeps as on a futex.
struct Sleeping {
    strokes: loomed::AtomicU32,
    asleep: loomed::AtomicU32,
    published: loomed::AtomicU64,
    bed: (Mutex<()>, Condvar),
}

impl Bell for Sleeping {
    fn strokes(&self) -> u32 {
        self.strokes.load(SeqCst)
    }

    fn add_stroke(&self) {
        self.strokes.fetch_add(1, SeqCst);
    }

    fn is_asleep(&self) -> bool {
        self.asleep.load(Relaxed) != 0
    }

    fn say_asleep(&self, asleep: bool) {
        self.asleep.store(asleep.into(), SeqCst);
    }

    fn fence(&self) {
        loomed::fence(SeqCst);
    }
}

impl Sleeping {
    fn new() -> Sleeping {
        Sleeping {
            strokes: loomed::AtomicU32::new(0),
            asleep: loomed::AtomicU32::new(0),
            published: loomed::AtomicU64::new(0),
            bed: (Mutex::new(()), Condvar::new()),
        }
    }

    fn wait(&self, wanted: u64) {
        let is_there = || self.published.load(Relaxed) >= wanted;
        while !is_there() {
            let strokes = self.lie_down();
            if !is_there() {
                let mut bed = self.bed.0.lock().unwrap();
                // What is asked once within the lock; who wakes takes the lock behind the stroke.
                if self.strokes() == strokes {
                    bed = self.bed.1.wait(bed).unwrap();
                }
                drop(bed);
            }
        }
    }

    fn publish(&self, value: u64) {
        self.published.store(value, Relaxed);
        if self.stroke() {
            drop(self.bed.0.lock().unwrap());
            self.bed.1.notify_all();
        }
    }
}

#[test]
fn who_sleeps_is_woken() {
    static SLEPT: AtomicBool = AtomicBool::new(false);
    // That nobody sleeps for ever is what loom sees to.
    check(3, || {
        let bell = loom::sync::Arc::new(Sleeping::new());
        let sleeper = bell.clone();
        let sleeper = thread::spawn(move || {
            (1..=2).for_each(|wanted| sleeper.wait(wanted));
            SLEPT.fetch_or(sleeper.strokes.load(Relaxed) > 0, Relaxed);
        });
        bell.publish(1);
        bell.publish(2);
        sleeper.join().unwrap();
    });
    assert!(SLEPT.load(Relaxed));
}

#[test]
fn all_who_sleep_are_woken() {
    check(2, || {
        let bell = loom::sync::Arc::new(Sleeping::new());
        let sleepers = [0, 1].map(|_| {
            let bell = bell.clone();
            thread::spawn(move || bell.wait(1))
        });
        bell.publish(1);
        sleepers.into_iter().for_each(|sleeper| sleeper.join().unwrap());
    });
}

/// The models are of the size that is said above.
#[test]
fn a_frame_is_as_long_as_it_is_said() {
    assert_eq!((Head::length(8, 1), Head::length(16, 2)), (FRAME, FRAME));
    assert_eq!(HEAD / 8, 8);
}
