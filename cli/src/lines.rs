//! What a job that goes on for days says on standard output, whether anybody reads it or not.

use std::io::{self, Write};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use pactolus::Stop;

use crate::patient::own_stdout;

/// How long a reader may take nothing once the job is to stop.
const PATIENCE: Duration = Duration::from_secs(1);

/// How often it is asked whether the job is to stop.
const GLANCE: Duration = Duration::from_millis(50);

/// Whole lines, each written at once. Where this fails, the job goes on, and nothing more is written.
pub(crate) struct Lines<'o> {
    to: To<'o>,
    failed: Failed,
    told: bool,
}

/// Why nothing more is written.
type Failed = Arc<Mutex<Option<io::Error>>>;

enum To<'o> {
    Here(&'o mut dyn Write),
    Apart(Apart),
}

/// A thread that writes: the job does not wait for a reader who takes his time.
struct Apart {
    give: Sender<Vec<u8>>,
    /// Texts that are not written yet.
    pending: Arc<AtomicUsize>,
    /// Is closed when all is written.
    done: Receiver<()>,
    stop: Stop,
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
    pub(crate) fn stdout(stop: &Stop) -> io::Result<Lines<'o>> {
        Lines::apart(own_stdout()?, stop)
    }

    fn apart(mut out: impl Write + Send + 'static, stop: &Stop) -> io::Result<Lines<'o>> {
        let (give, texts) = channel::<Vec<u8>>();
        let (end, done) = channel();
        let (pending, failed) = (Arc::new(AtomicUsize::new(0)), Failed::default());
        let (left, why) = (Arc::clone(&pending), Arc::clone(&failed));
        let write = move || {
            let _end: Sender<()> = end;
            let mut well = true;
            for text in texts {
                if well && let Err(error) = out.write_all(&text).and_then(|()| out.flush()) {
                    well = false;
                    fail(&why, error);
                }
                left.fetch_sub(1, Ordering::Relaxed);
            }
        };
        std::thread::Builder::new().name("standard output".into()).spawn(write)?;
        let apart = Apart { give, pending, done, stop: stop.clone() };
        Ok(Lines { to: To::Apart(apart), failed, told: false })
    }

    /// Whether all that was given is written: what is of this moment only need not wait for the rest.
    pub(crate) fn is_idle(&self) -> bool {
        match &self.to {
            To::Here(_) => true,
            To::Apart(apart) => apart.pending.load(Ordering::Relaxed) == 0,
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
            To::Apart(apart) => {
                apart.pending.fetch_add(1, Ordering::Relaxed);
                // The thread goes on until this side is gone.
                let _ = apart.give.send(text);
            }
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
        if let To::Apart(Apart { give, done, stop, .. }) = self.to {
            drop(give);
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

fn fail(failed: &Failed, error: io::Error) {
    *failed.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;

    #[test]
    fn a_reader_who_takes_nothing_is_not_waited_for() {
        let (mut reader, writer) = io::pipe().unwrap();
        let stop = Stop::new();
        let mut lines = Lines::apart(writer, &stop).unwrap();
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
        let mut lines = Lines::apart(writer, &Stop::new()).unwrap();
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
        let mut lines = Lines::apart(writer, &Stop::new()).unwrap();
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
        let mut lines = Lines::apart(Full, &Stop::new()).unwrap();
        lines.put(b"one\n".to_vec());
        assert_eq!(lines.end().unwrap_err().kind(), io::ErrorKind::StorageFull);
    }
}
