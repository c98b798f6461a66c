//! What a job that goes on for days says on standard output, whether anybody reads it or not.

use std::collections::VecDeque;
use std::io::{self, Write};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use pactolus::Stop;

use crate::patient::own_stdout;

/// How long a reader may take nothing once the job is to stop.
const PATIENCE: Duration = Duration::from_secs(1);

/// How often it is asked whether the job is to stop.
const GLANCE: Duration = Duration::from_millis(50);

/// So many texts wait for a reader at the most, and so many bytes: he may have stopped for days.
const MOST: usize = 10_000;
const MOST_BYTES: usize = 64 << 20;

/// Whole lines, each written at once. Where this fails, the job goes on, and nothing more is written.
pub(crate) struct Lines<'o> {
    to: To<'o>,
    failed: Failed,
    told: bool,
}

/// Why nothing more is written.
type Failed = Arc<Mutex<Option<io::Error>>>;

/// How it is said that so many texts were left out.
pub(crate) type LeftOut = fn(u64) -> Vec<u8>;

enum To<'o> {
    Here(&'o mut dyn Write),
    Apart(Apart),
}

/// A thread that writes: the job does not wait for a reader who takes his time.
struct Apart {
    waiting: Arc<Waiting>,
    /// Is closed when all is written.
    done: Receiver<()>,
    stop: Stop,
}

/// What is not written yet.
#[derive(Default)]
struct Waiting {
    texts: Mutex<Texts>,
    more: Condvar,
}

#[derive(Default)]
struct Texts {
    texts: VecDeque<Vec<u8>>,
    bytes: usize,
    /// So many, before all these, were too many.
    left_out: u64,
    /// One is being written.
    writes: bool,
    /// No more come.
    ended: bool,
}

impl Waiting {
    fn lock(&self) -> MutexGuard<'_, Texts> {
        self.texts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes one more; of too many, the oldest go.
    fn put(&self, text: Vec<u8>) {
        let mut all = self.lock();
        all.bytes += text.len();
        all.texts.push_back(text);
        while all.texts.len() > MOST || all.texts.len() > 1 && all.bytes > MOST_BYTES {
            let Some(oldest) = all.texts.pop_front() else { break };
            all.bytes -= oldest.len();
            all.left_out += 1;
        }
        self.more.notify_one();
    }

    /// Waits for the next; `None` at the end.
    fn next(&self, left_out: LeftOut) -> Option<Vec<u8>> {
        let mut all = self.lock();
        all.writes = false;
        loop {
            let text = match std::mem::take(&mut all.left_out) {
                0 => all.texts.pop_front().inspect(|text| all.bytes -= text.len()),
                count => Some(left_out(count)),
            };
            if text.is_some() || all.ended {
                all.writes = text.is_some();
                return text;
            }
            all = self.more.wait(all).unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn end(&self) {
        self.lock().ended = true;
        self.more.notify_one();
    }
}

impl<'o> Lines<'o> {
    /// To `out`, for which the job waits.
    pub(crate) fn here(out: &'o mut dyn Write) -> Lines<'o> {
        Lines { to: To::Here(out), failed: Failed::default(), told: false }
    }

    /// To standard output of the process, for which it does not.
    ///
    /// # Errors
    /// If standard output is closed, or there can be no thread.
    pub(crate) fn stdout(stop: &Stop, left_out: LeftOut) -> io::Result<Lines<'o>> {
        Lines::apart(own_stdout()?, stop, left_out)
    }

    fn apart(mut out: impl Write + Send + 'static, stop: &Stop, left_out: LeftOut) -> io::Result<Lines<'o>> {
        let (end, done) = channel();
        let (waiting, failed) = (Arc::new(Waiting::default()), Failed::default());
        let (texts, why) = (Arc::clone(&waiting), Arc::clone(&failed));
        let write = move || {
            let _end: Sender<()> = end;
            let mut well = true;
            while let Some(text) = texts.next(left_out) {
                if well && let Err(error) = out.write_all(&text).and_then(|()| out.flush()) {
                    well = false;
                    fail(&why, error);
                }
            }
        };
        std::thread::Builder::new().name("standard output".into()).spawn(write)?;
        Ok(Lines { to: To::Apart(Apart { waiting, done, stop: stop.clone() }), failed, told: false })
    }

    /// Whether all that was given is written: what is of this moment only need not wait for the rest.
    pub(crate) fn is_idle(&self) -> bool {
        match &self.to {
            To::Here(_) => true,
            To::Apart(Apart { waiting, .. }) => {
                let all = waiting.lock();
                all.texts.is_empty() && !all.writes
            }
        }
    }

    /// Gives lines.
    pub(crate) fn put(&mut self, text: Vec<u8>) {
        match &mut self.to {
            To::Here(out) => {
                let mut failed = self.failed.lock().unwrap_or_else(PoisonError::into_inner);
                if failed.is_none()
                    && let Err(error) = out.write_all(&text).and_then(|()| out.flush())
                {
                    *failed = Some(error);
                }
            }
            To::Apart(apart) => apart.waiting.put(text),
        }
    }

    /// Why nothing more is written, said once.
    pub(crate) fn trouble(&mut self) -> Option<String> {
        let failed = self.failed.lock().unwrap_or_else(PoisonError::into_inner);
        let text = failed.as_ref().filter(|_| !self.told).map(ToString::to_string)?;
        self.told = true;
        Some(text)
    }

    /// Waits until all is written; not for a reader who takes nothing when the job was to stop.
    ///
    /// # Errors
    /// If some of it could not be written. Who hangs up has seen enough.
    pub(crate) fn end(self) -> io::Result<()> {
        if let To::Apart(Apart { waiting, done, stop }) = &self.to {
            waiting.end();
            let mut stopped: Option<Instant> = None;
            while let Err(RecvTimeoutError::Timeout) = done.recv_timeout(GLANCE) {
                if stop.is_asked() && stopped.get_or_insert_with(Instant::now).elapsed() >= PATIENCE {
                    break;
                }
            }
        }
        match self.failed.lock().unwrap_or_else(PoisonError::into_inner).take() {
            Some(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(error),
            _ => Ok(()),
        }
    }
}

impl Drop for Apart {
    /// The thread ends also where nobody waits for it.
    fn drop(&mut self) {
        self.waiting.end();
    }
}

fn fail(failed: &Failed, error: io::Error) {
    *failed.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;

    fn left_out(count: u64) -> Vec<u8> {
        format!("{count} left out\n").into_bytes()
    }

    #[test]
    fn what_waits_for_a_reader_has_a_bound() {
        let (mut reader, writer) = io::pipe().unwrap();
        let mut lines = Lines::apart(writer, &Stop::new(), left_out).unwrap();
        // It fills the pipe, so that all that comes behind waits.
        lines.put([vec![b'x'; 1_000_000], vec![b'\n']].concat());
        let To::Apart(apart) = &lines.to else { panic!() };
        let waiting = Arc::clone(&apart.waiting);
        while !waiting.lock().writes {
            std::thread::sleep(Duration::from_millis(1));
        }
        let count = MOST + 2345;
        (0..count).for_each(|i| lines.put(format!("{i}\n").into_bytes()));
        assert_eq!(waiting.lock().texts.len(), MOST);
        let read = std::thread::spawn(move || {
            let mut text = String::new();
            reader.read_to_string(&mut text).unwrap();
            text
        });
        lines.end().unwrap();
        let text = read.join().unwrap();
        let mut said = text.lines().skip(1);
        assert_eq!(said.next(), Some("2345 left out"));
        assert!(said.eq((2345..count).map(|i| i.to_string())));

        let waiting = Waiting::default();
        (0..100).for_each(|_| waiting.put(vec![0; 1 << 20]));
        let all = waiting.lock();
        assert_eq!((all.texts.len(), all.bytes, all.left_out), (64, MOST_BYTES, 36));
    }

    #[test]
    fn a_reader_who_takes_nothing_is_not_waited_for() {
        let (mut reader, writer) = io::pipe().unwrap();
        let stop = Stop::new();
        let mut lines = Lines::apart(writer, &stop, left_out).unwrap();
        assert!(lines.is_idle());
        let begun = Instant::now();
        (0..100).for_each(|_| lines.put(vec![b'x'; 10_000]));
        assert!(!lines.is_idle());
        stop.ask();
        lines.end().unwrap();
        assert!((PATIENCE..Duration::from_secs(20)).contains(&begun.elapsed()), "{:?}", begun.elapsed());
        let mut some = [0; 10];
        reader.read_exact(&mut some).unwrap();
    }

    #[test]
    fn what_is_given_is_written_in_order_before_the_end() {
        let (mut reader, writer) = io::pipe().unwrap();
        let mut lines = Lines::apart(writer, &Stop::new(), left_out).unwrap();
        let read = std::thread::spawn(move || {
            let mut text = String::new();
            reader.read_to_string(&mut text).unwrap();
            text
        });
        (0..10_000).for_each(|i| lines.put(format!("{i}\n").into_bytes()));
        lines.end().unwrap();
        let wanted: String = (0..10_000).map(|i| format!("{i}\n")).collect();
        assert!(read.join().unwrap() == wanted);
    }

    #[test]
    fn who_hangs_up_has_seen_enough_and_a_full_disk_is_an_error() {
        struct Full;
        impl Write for Full {
            fn write(&mut self, _: &[u8]) -> io::Result<usize> {
                Err(io::ErrorKind::StorageFull.into())
            }
            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        let (reader, writer) = io::pipe().unwrap();
        drop(reader);
        let mut lines = Lines::apart(writer, &Stop::new(), left_out).unwrap();
        lines.put(b"one\n".to_vec());
        while !lines.is_idle() {
            std::thread::sleep(Duration::from_millis(1));
        }
        assert!(lines.trouble().is_some());
        assert!(lines.trouble().is_none());
        lines.put(b"two\n".to_vec());
        lines.end().unwrap();
        let mut full = Full;
        let mut lines = Lines::here(&mut full);
        lines.put(b"one\n".to_vec());
        assert_eq!(lines.end().unwrap_err().kind(), io::ErrorKind::StorageFull);
        let mut lines = Lines::apart(Full, &Stop::new(), left_out).unwrap();
        lines.put(b"one\n".to_vec());
        assert_eq!(lines.end().unwrap_err().kind(), io::ErrorKind::StorageFull);
    }
}
