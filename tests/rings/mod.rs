//! What the tests of streams in shared memory need: processes to be stopped and killed, and accounts.
//!
//! Such a process is this test binary, started again for its test `child`. Sizes are those of a test that takes
//! seconds, and the long ones if `PACTOLUS_LONG` is set.

#![allow(
    dead_code,
    unreachable_pub,
    clippy::unwrap_used,
    reason = "a module of several tests; each uses a part, and one that cannot go on has failed"
)]

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use pactolus::formats::{EventView, Header};
use pactolus::shm::{Consumer, Lost, Next, Options, Producer, StreamName, Transition, TransitionKind, Want};
use tempfile::TempDir;

/// Far longer than anything here takes.
pub const HANGS: Duration = Duration::from_secs(60);

/// What the process is to do.
const ROLE: &str = "PACTOLUS_RECENT_ROLE";

/// Whether the long form was asked for.
pub fn is_long() -> bool {
    std::env::var_os("PACTOLUS_LONG").is_some()
}

/// A size: that of a test of seconds, or the long one.
pub fn size<T>(short: T, long: T) -> T {
    if is_long() { long } else { short }
}

/// A directory for streams, in memory if there is such a one.
pub fn directory() -> TempDir {
    let shared = std::path::Path::new("/dev/shm");
    if shared.is_dir() { TempDir::new_in(shared).unwrap() } else { TempDir::new().unwrap() }
}

pub fn name(dir: &TempDir) -> StreamName {
    named(dir, "lxe")
}

pub fn named(dir: &TempDir, name: &str) -> StreamName {
    StreamName::new(dir.path().join(name).to_str().unwrap()).unwrap()
}

pub fn producer(name: &StreamName, size: u64) -> Producer {
    let mut options = Options::default();
    options.size = size;
    Producer::create(name, options).unwrap()
}

pub fn consumer(name: &StreamName, all: bool) -> Consumer {
    Consumer::attach(name, &Want { name: "test".into(), all, group: None }).unwrap()
}

/// Pushes an event whose payload follows from its run, id and serial number.
pub fn push(producer: &mut Producer, run: u32, id: u16, serial: u32, size: usize) {
    let mut payload = vec![check_byte(run, id, serial); size.max(4)];
    payload[..4].copy_from_slice(&run.to_le_bytes());
    let header = Header { id, mask: 1, serial, time: 7, size: payload.len() as u32 };
    producer.event(&header, &payload).unwrap();
}

fn check_byte(run: u32, id: u16, serial: u32) -> u8 {
    (run.wrapping_mul(31) ^ u32::from(id) ^ serial.wrapping_mul(7)) as u8
}

/// An event as [`push`] makes them: run, id, serial number. A torn one fails.
pub fn each(mut bytes: &[u8], mut told: impl FnMut(u32, u16, u32)) -> u64 {
    let mut count = 0;
    while !bytes.is_empty() {
        let (event, rest) = EventView::parse(bytes).expect("a whole event");
        let Header { id, serial, .. } = event.header;
        let run = u32::from_le_bytes(event.payload[..4].try_into().unwrap());
        let wanted = check_byte(run, id, serial);
        assert!(event.payload[4..].iter().all(|byte| *byte == wanted), "torn: {:?}", event.header);
        told(run, id, serial);
        (bytes, count) = (rest, count + 1);
    }
    count
}

/// What a consumer has of an id.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Account {
    pub received: u64,
    pub lost: Lost,
}

impl Account {
    pub fn sum(&self) -> u64 {
        self.received + self.lost.overrun + self.lost.too_big + self.lost.unattended
    }
}

/// The accounts of a consumer since the last transition, and what it has seen.
#[derive(Default)]
pub struct Tally {
    pub ids: BTreeMap<u16, Account>,
    /// The run in hand, by the transitions.
    pub run: Option<u32>,
    last: BTreeMap<u16, u32>,
    bytes: Vec<u8>,
}

/// What came next.
#[derive(Debug, PartialEq)]
pub enum Came {
    Events(u64),
    /// With the accounts before it.
    Transition(Transition, BTreeMap<u16, Account>),
    Nothing,
    Over,
}

impl Tally {
    /// Takes what comes next. Events must be of the run in hand, in order and whole.
    pub fn next(&mut self, consumer: &mut Consumer) -> Came {
        self.bytes.clear();
        let next = consumer.next(&mut self.bytes, None).unwrap();
        let (ids, last) = (&mut self.ids, &mut self.last);
        let run = self.run;
        let count = each(&self.bytes, |of, id, serial| {
            assert_eq!(Some(of), run, "an event of another run");
            let before = last.insert(id, serial);
            assert!(before.is_none_or(|before| before < serial), "{serial} behind {before:?}");
            ids.entry(id).or_default().received += 1;
        });
        for (id, lost) in consumer.missed() {
            let sum = &mut self.ids.entry(id).or_default().lost;
            sum.overrun += lost.overrun;
            sum.too_big += lost.too_big;
            sum.unattended += lost.unattended;
        }
        match next {
            Next::Events { count: said, .. } => {
                assert_eq!(count, said);
                Came::Events(count)
            }
            Next::Transition(transition) => {
                use TransitionKind::{Begin, Cut, End};
                match transition.kind {
                    Begin => {
                        assert_eq!(self.run.replace(transition.run), None, "a begin within a run");
                        self.last.clear();
                    }
                    End | Cut => assert_eq!(self.run.take(), Some(transition.run)),
                    _ => {}
                }
                // What was before us belongs to the run that is told first.
                let keeps = transition.is_replay;
                Came::Transition(
                    transition,
                    if keeps { BTreeMap::new() } else { std::mem::take(&mut self.ids) },
                )
            }
            Next::Nothing => Came::Nothing,
            Next::Over => Came::Over,
        }
    }

    /// Takes all until the next transition, which is waited for.
    pub fn until_transition(&mut self, consumer: &mut Consumer) -> (Transition, BTreeMap<u16, Account>) {
        let begun = Instant::now();
        loop {
            match self.next(consumer) {
                Came::Transition(transition, accounts) => return (transition, accounts),
                Came::Events(_) => {}
                Came::Nothing => {
                    consumer.wait(Duration::from_millis(100));
                    assert!(begun.elapsed() < HANGS, "no transition comes");
                }
                Came::Over => panic!("it is over"),
            }
        }
    }
}

/// A process that takes part.
pub struct Process {
    child: Child,
    to: Option<ChildStdin>,
    from: BufReader<ChildStdout>,
}

impl Drop for Process {
    /// Nobody publishes on behind a test that has failed.
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Process {
    /// Starts this test binary again for its test `child`.
    pub fn start(role: &str) -> Process {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["--exact", "child", "--nocapture", "--test-threads", "1"]).env(ROLE, role);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let (to, from) = (child.stdin.take(), BufReader::new(child.stdout.take().unwrap()));
        Process { child, to, from }
    }

    /// The next line that it says; `None` if it has ended.
    pub fn line(&mut self) -> Option<String> {
        loop {
            let mut line = String::new();
            if self.from.read_line(&mut line).unwrap() == 0 {
                return None;
            }
            // The test harness speaks, too.
            if let Some((_, said)) = line.trim_end().split_once("@ ") {
                return Some(said.to_owned());
            }
        }
    }

    fn signal(&self, signal: rustix::process::Signal) {
        let pid = rustix::process::Pid::from_raw(self.child.id() as i32).unwrap();
        rustix::process::kill_process(pid, signal).unwrap();
    }

    /// As a user who presses Ctrl-Z.
    pub fn stall(&self) {
        self.signal(rustix::process::Signal::STOP);
    }

    pub fn go_on(&self) {
        self.signal(rustix::process::Signal::CONT);
    }

    /// `kill -9`
    pub fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Lets it end, and waits.
    pub fn end(mut self) {
        drop(self.to.take());
        while self.line().is_some() {}
        assert!(self.child.wait().unwrap().success());
    }
}

/// What this process was started for: words.
pub fn role() -> Option<Vec<String>> {
    Some(std::env::var(ROLE).ok()?.split_whitespace().map(str::to_owned).collect())
}

/// Says a line to the process that has started this one.
pub fn say(line: &str) {
    let mut out = std::io::stdout().lock();
    // The other side may be gone.
    let _ = writeln!(out, "@ {line}");
    let _ = out.flush();
}

/// Random numbers of no quality, the same each time.
pub struct Dice(u64);

impl Dice {
    pub fn new(seed: u64) -> Dice {
        Dice(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    pub fn below(&mut self, most: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % most
    }
}

pub fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
