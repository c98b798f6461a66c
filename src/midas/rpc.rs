//! Calls and their replies on the first of the three connections.

use std::io;
use std::time::{Duration, Instant};

use super::line::{GROUPS, Line, is_gone, is_late};
use super::wire::{self, CELL, Call, HEAD, Reply};
use super::{Error, Result};

/// Most calls under way.
pub(crate) const DEPTH: usize = 32;
/// Most bytes of replies under way, as far as known: they wait in the memory of two kernels.
pub(crate) const UNDER_WAY: usize = 8 << 20;
/// Bytes of the buffer: many small replies are one read.
const BUFFER: usize = 256 << 10;
/// What is read at once of a long reply: memory is taken as bytes come, not as they are promised.
const STEP: usize = 1 << 20;
/// The slowest server that is waited for [bytes/s].
const SLOWEST: u64 = 100_000;
/// What the server writes into this connection when it gives us up.
const EXIT: &[u8] = b"EXIT\0";

/// A connection for calls. Behind an error that [loses](Error::is_lost) it, it says only that.
pub(crate) struct Rpc {
    line: Box<dyn Line>,
    buffer: Box<[u8]>,
    begin: usize,
    end: usize,
    timeout: Duration,
    /// As the line has it.
    patience: Duration,
    /// Several replies are under way.
    is_group: bool,
    lost: Option<String>,
}

/// The reply that is awaited: since when, how long, how much of it is there.
pub(crate) struct Awaited {
    name: &'static str,
    since: Instant,
    within: Duration,
    got: usize,
    want: usize,
}

impl Rpc {
    pub(crate) fn new(line: Box<dyn Line>, timeout: Duration) -> Rpc {
        let buffer = vec![0; BUFFER].into_boxed_slice();
        let patience = Duration::ZERO;
        Rpc { line, buffer, begin: 0, end: 0, timeout, patience, is_group: false, lost: None }
    }

    /// How long an answer may take from now on.
    pub(crate) fn set_timeout(&mut self, timeout: Duration) {
        self.timeout = timeout;
    }

    pub(crate) fn is_lost(&self) -> bool {
        self.lost.is_some()
    }

    /// Says who we are: `44 name`. Our byte order is little endian on any host.
    pub(crate) fn greet(&mut self, name: &str) -> Result<()> {
        const GREETING: &str = "greeting";
        self.guarded(GREETING, |rpc| {
            rpc.send(GREETING, format!("44 {name}\0").as_bytes())?;
            let mut awaited = rpc.await_reply(GREETING);
            let mut answer = Vec::new();
            while answer.last() != Some(&0) {
                if answer.len() == 32 {
                    break;
                }
                answer.push(rpc.take::<1>(&mut awaited)?[0]);
            }
            // The number of its hardware: it converts for us, so that any will do.
            let text = wire::text(&answer);
            if answer.last() != Some(&0) || text.trim().parse::<u32>().is_err() {
                let want = "the number of its hardware".to_owned();
                return Err(Error::Wire { call: GREETING, at: 0, want, found: wire::shown(&answer) });
            }
            Ok(())
        })
    }

    /// One call, and its reply of at most so many bytes of parameters.
    pub(crate) fn call<T>(
        &mut self,
        call: &Call,
        most: usize,
        decode: impl FnOnce(i32, Reply) -> Result<T>,
    ) -> Result<T> {
        self.guarded(call.name, |rpc| {
            rpc.send(call.name, call.bytes())?;
            rpc.reply(call.name, most, decode)
        })
    }

    /// A call whose reply is no more than a cell or two of numbers.
    pub(crate) fn plain<T>(
        &mut self,
        call: &Call,
        decode: impl FnOnce(i32, Reply) -> Result<T>,
    ) -> Result<T> {
        self.call(call, 8 * CELL, decode)
    }

    /// Calls of one kind with what their replies may hold; the answers are in their order. All replies are
    /// read, also behind one that says no.
    pub(crate) fn group<T>(
        &mut self,
        calls: &[(Call, usize)],
        mut decode: impl FnMut(usize, i32, Reply) -> Result<T>,
    ) -> Result<Vec<T>> {
        let mut answers = Vec::with_capacity(calls.len());
        while answers.len() < calls.len() {
            let rest = &calls[answers.len()..];
            let mut bytes = 0;
            let fits = |(_, most): &&(Call, usize)| {
                bytes += most;
                bytes <= UNDER_WAY
            };
            let deep = rest.iter().take(if GROUPS { DEPTH } else { 1 }).take_while(fits).count().max(1);
            let first = answers.len();
            self.guarded(rest[0].0.name, |rpc| {
                let all: Vec<u8> = rest[..deep].iter().flat_map(|(call, _)| call.bytes()).copied().collect();
                rpc.send(rest[0].0.name, &all)?;
                rpc.is_group = deep > 1;
                let mut refused = None;
                for (i, (call, most)) in rest[..deep].iter().enumerate() {
                    match rpc.reply(call.name, *most, |status, reply| decode(first + i, status, reply)) {
                        Ok(answer) => answers.push(answer),
                        Err(error) if error.is_lost() => return Err(error),
                        Err(error) => refused = refused.or(Some(error)),
                    }
                }
                refused.map_or(Ok(()), Err)
            })?;
        }
        Ok(answers)
    }

    /// Does something that may lose the connection, if it is not lost.
    pub(crate) fn guarded<T>(
        &mut self,
        name: &'static str,
        with: impl FnOnce(&mut Rpc) -> Result<T>,
    ) -> Result<T> {
        if let Some(why) = &self.lost {
            return Err(Error::Lost { call: name, why: why.clone() });
        }
        self.is_group = false;
        let done = with(self);
        if let Err(error) = &done
            && error.is_lost()
        {
            self.lost = Some(error.to_string());
        }
        done
    }

    /// Sends calls.
    pub(crate) fn send(&mut self, name: &'static str, bytes: &[u8]) -> Result<()> {
        if self.begin < self.end {
            let awaited = self.await_reply(name);
            self.farewell(&awaited)?;
            let found = wire::shown(&self.buffer[self.begin..self.end]);
            return Err(Error::Wire { call: name, at: 0, want: "nothing before the call".to_owned(), found });
        }
        match self.line.write(bytes, self.timeout) {
            Ok(()) => Ok(()),
            Err(error) if is_gone(&error) => {
                // What it has said last may still be there.
                let mut awaited = self.await_reply(name);
                self.fill(EXIT.len(), &mut awaited)?;
                self.farewell(&awaited)?;
                Err(Error::Io { call: name, source: error })
            }
            Err(error) if is_late(&error) => {
                Err(Error::Late { call: name, within: self.timeout, got: 0, want: 0 })
            }
            Err(source) => Err(Error::Io { call: name, source }),
        }
    }

    /// Several replies are under way.
    pub(crate) fn in_group(&mut self, is_group: bool) {
        self.is_group = is_group;
    }

    fn reply<T>(
        &mut self,
        name: &'static str,
        most: usize,
        decode: impl FnOnce(i32, Reply) -> Result<T>,
    ) -> Result<T> {
        let mut awaited = self.await_reply(name);
        let (status, bytes) = self.head(&mut awaited, most)?;
        if bytes <= self.buffer.len() {
            self.fill(bytes, &mut awaited)?;
            let at = self.begin;
            self.begin += bytes;
            return decode(status, Reply::new(name, &self.buffer[at..at + bytes]));
        }
        let mut parameters = Vec::new();
        self.append(bytes, &mut parameters, &mut awaited)?;
        decode(status, Reply::new(name, &parameters))
    }

    /// From now on a reply is awaited.
    pub(crate) fn await_reply(&self, name: &'static str) -> Awaited {
        Awaited { name, since: Instant::now(), within: self.timeout, got: 0, want: 0 }
    }

    /// The status of a reply, and the bytes of its parameters, at most so many.
    pub(crate) fn head(&mut self, awaited: &mut Awaited, most: usize) -> Result<(i32, usize)> {
        let head = match self.fill(HEAD, awaited) {
            Ok(()) => self.take::<HEAD>(awaited)?,
            Err(error) => {
                self.farewell(awaited)?;
                return Err(error);
            }
        };
        if head.starts_with(EXIT) {
            return Err(Error::Exit { call: awaited.name });
        }
        let (status, bytes) = wire::head(awaited.name, &head, most)?;
        awaited.want = HEAD + bytes;
        awaited.within += Duration::from_millis(1000 * bytes as u64 / SLOWEST);
        Ok((status, bytes))
    }

    /// The next bytes.
    pub(crate) fn take<const N: usize>(&mut self, awaited: &mut Awaited) -> Result<[u8; N]> {
        self.fill(N, awaited)?;
        let mut bytes = [0; N];
        bytes.copy_from_slice(&self.buffer[self.begin..self.begin + N]);
        self.begin += N;
        Ok(bytes)
    }

    /// The next bytes, behind others. The length is one that we have asked for.
    pub(crate) fn append(&mut self, bytes: usize, to: &mut Vec<u8>, awaited: &mut Awaited) -> Result<()> {
        let mut left = bytes;
        let there = left.min(self.end - self.begin);
        to.extend_from_slice(&self.buffer[self.begin..self.begin + there]);
        self.begin += there;
        left -= there;
        while left > 0 {
            if left <= self.buffer.len() {
                self.fill(left, awaited)?;
                to.extend_from_slice(&self.buffer[self.begin..self.begin + left]);
                self.begin += left;
                return Ok(());
            }
            let (begin, step) = (to.len(), left.min(STEP));
            to.resize(begin + step, 0);
            let mut got = 0;
            while got < step {
                match read(&mut self.line, &mut self.patience, self.is_group, &mut to[begin + got..], awaited)
                {
                    Ok(n) => got += n,
                    Err(error) => {
                        to.truncate(begin + got);
                        return Err(error);
                    }
                }
            }
            left -= step;
        }
        Ok(())
    }

    /// Passes over bytes.
    pub(crate) fn skip(&mut self, bytes: usize, awaited: &mut Awaited) -> Result<()> {
        let mut left = bytes;
        while left > 0 {
            let step = left.min(self.buffer.len());
            self.fill(step, awaited)?;
            self.begin += step;
            left -= step;
        }
        Ok(())
    }

    /// Reads until so many bytes are in the buffer, which is large enough.
    fn fill(&mut self, bytes: usize, awaited: &mut Awaited) -> Result<()> {
        if self.end - self.begin >= bytes {
            return Ok(());
        }
        if self.begin + bytes > self.buffer.len() || self.begin == self.end {
            self.buffer.copy_within(self.begin..self.end, 0);
            (self.begin, self.end) = (0, self.end - self.begin);
        }
        while self.end - self.begin < bytes {
            let free = &mut self.buffer[self.end..];
            self.end += read(&mut self.line, &mut self.patience, self.is_group, free, awaited)?;
        }
        Ok(())
    }

    /// Whether what has come is the server's farewell.
    fn farewell(&self, awaited: &Awaited) -> Result<()> {
        match self.buffer[self.begin..self.end].starts_with(EXIT) {
            true => Err(Error::Exit { call: awaited.name }),
            false => Ok(()),
        }
    }
}

/// One read of some bytes, within the time of the reply.
fn read(
    line: &mut Box<dyn Line>,
    patience: &mut Duration,
    is_group: bool,
    to: &mut [u8],
    awaited: &mut Awaited,
) -> Result<usize> {
    let name = awaited.name;
    loop {
        let left = awaited.within.saturating_sub(awaited.since.elapsed());
        if left.is_zero() {
            return Err(Error::Late {
                call: name,
                within: awaited.within,
                got: awaited.got,
                want: awaited.want,
            });
        }
        // Only where it matters: it is one more call of the system.
        if patience.abs_diff(left) > awaited.within / 16 {
            line.patience(left.max(Duration::from_millis(1)))
                .map_err(|source| Error::Io { call: name, source })?;
            *patience = left;
        }
        if is_group {
            line.quick();
        }
        match line.read(to) {
            Ok(0) => return Err(Error::Closed { call: name, got: awaited.got, want: awaited.want }),
            Ok(bytes) => {
                awaited.got += bytes;
                return Ok(bytes);
            }
            Err(error) if is_late(&error) || error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) if is_gone(&error) => {
                return Err(Error::Closed { call: name, got: awaited.got, want: awaited.want });
            }
            Err(source) => return Err(Error::Io { call: name, source }),
        }
    }
}

impl std::fmt::Debug for Rpc {
    fn fmt(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
        f.debug_struct("Rpc")
            .field("timeout", &self.timeout)
            .field("lost", &self.lost)
            .finish_non_exhaustive()
    }
}
