//! Threads at a small ring in memory, with neither files nor calls of the system: for Miri and ThreadSanitizer, too.

use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::{self, Acquire, SeqCst};
use std::thread;

use super::layout::{Layout, group, word};
use super::reader::{self, Found};
use super::slots::{self, Slot};
use super::words::Words;
use super::writer::Writer;
use super::{counts, group as groups};

const FRAMES: u64 = if cfg!(miri) { 60 } else { 20_000 };

#[derive(Clone, Copy)]
struct InMemory<'a>(&'a [AtomicU64]);

impl Words for InMemory<'_> {
    fn load(&self, at: usize, order: Ordering) -> u64 {
        self.0.load(at, order)
    }

    fn store(&self, at: usize, value: u64, order: Ordering) {
        self.0.store(at, value, order);
    }

    fn exchange(&self, at: usize, now: u64, new: u64) -> bool {
        self.0.exchange(at, now, new)
    }

    fn add(&self, at: usize, value: u64) {
        self.0.add(at, value);
    }

    fn fence(&self, order: Ordering) {
        self.0.fence(order);
    }

    fn put(&self, at: usize, bytes: &[u8]) {
        self.0.put(at, bytes);
    }

    fn take(&self, at: usize, bytes: &mut [u8]) {
        self.0.take(at, bytes);
    }
}

fn words(layout: &Layout) -> Vec<AtomicU64> {
    (0..layout.words()).map(|_| AtomicU64::new(0)).collect()
}

/// Writes frames of one to three events, whose bytes say in which frame they are.
fn write(words: InMemory, layout: Layout) {
    let mut writer = Writer::new(words, layout).unwrap();
    for serial in 0..FRAMES {
        while !writer.open(40) {
            thread::yield_now();
        }
        for id in 0..=serial % 3 {
            writer.put(&[serial as u8; 11]);
            writer.count(id as u16);
        }
        writer.close(serial);
    }
}

/// The frame at a position, if it was not overwritten: its length, and which one it is.
fn read(words: InMemory, layout: &Layout, (at, end): (u64, u64)) -> Option<(u64, u64)> {
    let (mut bytes, mut accounts) = (Vec::new(), Vec::new());
    let head = match reader::head(&words, layout, (at, end), &mut accounts) {
        Found::Frame(head) => head,
        Found::Overwritten => return None,
        Found::Nonsense => panic!("no frame at {at}"),
    };
    reader::copy(&words, layout, (at, &head), &mut bytes);
    if !reader::is_valid(&words, layout, at) {
        return None;
    }
    let is_filler = head.events == 0;
    assert!(is_filler || bytes.len() as u64 == 11 * head.events);
    assert!(bytes.iter().all(|byte| *byte == head.time as u8), "torn: {bytes:?} of {}", head.time);
    assert_eq!(accounts.len() as u64, head.events);
    Some((head.length, if is_filler { FRAMES } else { head.time }))
}

#[test]
fn readers_are_overtaken_and_never_deceived() {
    let layout = Layout { size: 1 << 10, slots: 0, groups: 0, ids: 4 };
    let words = words(&layout);
    let words = InMemory(&words);
    thread::scope(|scope| {
        scope.spawn(move || write(words, layout));
        for _ in 0..2 {
            scope.spawn(move || {
                let (mut at, mut last, mut totals) = (0, None, Vec::new());
                while last != Some(FRAMES - 1) {
                    let end = words.load(word::PUBLISHED, Acquire);
                    if at == end {
                        thread::yield_now();
                        continue;
                    }
                    match read(words, &layout, (at, end)) {
                        Some((length, serial)) => {
                            at += length;
                            if serial < FRAMES {
                                assert!(last < Some(serial));
                                last = Some(serial);
                            }
                        }
                        None => at = reader::next_mark(&words, &layout, at),
                    }
                    if let Some(counted) = counts::consistent(&words, &layout, &mut totals) {
                        // Of id 0 there is one in each frame, of id 2 in every third.
                        let total = |id: usize| totals.get(id).map_or(0, |(_, total)| *total);
                        assert!(total(2) == total(0) / 3 && counted >= 64 * total(0), "{totals:?}");
                    }
                }
            });
        }
    });
}

#[test]
fn a_group_that_wants_all_gets_all_once() {
    let layout = Layout { size: 1 << 10, slots: 2, groups: 1, ids: 4 };
    let words = words(&layout);
    let words = InMemory(&words);
    for member in 0..2 {
        slots::put(&words, &layout, member, &Slot { all: true, group: Some(0), held: None, journal: 0 });
    }
    let mut taken: Vec<u64> = thread::scope(|scope| {
        scope.spawn(move || write(words, layout));
        let members = [0, 1].map(|member| {
            scope.spawn(move || {
                let mut taken = Vec::new();
                loop {
                    // Asked first: what is published behind that is the end.
                    let is_all = words.load(layout.total(0), SeqCst) == FRAMES;
                    let (end, at) =
                        (words.load(word::PUBLISHED, Acquire), groups::cursor(&words, &layout, 0));
                    if at >= end {
                        if is_all {
                            return taken;
                        }
                        thread::yield_now();
                        continue;
                    }
                    if !groups::hold(&words, &layout, (0, member), at) {
                        slots::hold(&words, &layout, member, None);
                        continue;
                    }
                    // Overwritten only if another has taken it meanwhile.
                    let length = read(words, &layout, (at, end)).map_or(64, |(length, _)| length);
                    if groups::advance(&words, &layout, 0, (at, at + length)) {
                        let (_, serial) = read(words, &layout, (at, end)).expect("what was taken");
                        taken.extend((serial < FRAMES).then_some(serial));
                    }
                    slots::hold(&words, &layout, member, None);
                }
            })
        });
        members.into_iter().flat_map(|member| member.join().unwrap()).collect()
    });
    assert_eq!(words.load(layout.group(0) + group::CURSOR, SeqCst), words.load(word::PUBLISHED, SeqCst));
    taken.sort_unstable();
    assert_eq!(taken, (0..FRAMES).collect::<Vec<_>>());
}
