//! Who publishes events.

mod hand;

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use pactolus_formats::Header;
use pactolus_formats::event::{BOR, EOR, MIDAS_MAGIC};

use hand::Hand;

use super::layout::{NAME, SLOTS, slot, word};
use super::ring::{GLANCE, PRODUCER, Ring};
use super::status::{self, ConsumerStatus};
use super::words::{Words, put_text, text};
use super::writer::Writer;
use super::{Error, Result, StreamName, TransitionKind};
use crate::job::Stop;

/// How a stream is made.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Options {
    /// Bytes of events that it holds: the next power of two is taken, of 1 MiB at the least and 64 GiB at the most.
    pub size: u64,
    /// Who may take part, as the mode of a file: 0o600 is this user only, 0o660 his group, too.
    pub mode: u32,
    /// How long an event may wait to be published together with others.
    pub delay: Duration,
    /// The name of the program that publishes.
    pub program: String,
    /// Asked while a consumer is waited for, it ends the waiting.
    pub stop: Stop,
}

impl Default for Options {
    fn default() -> Options {
        Options {
            size: 32 << 20,
            mode: 0o600,
            delay: Duration::from_millis(1),
            program: "pactolus".into(),
            stop: Stop::new(),
        }
    }
}

/// The least and the most bytes of events that a stream holds.
const SIZES: std::ops::RangeInclusive<u64> = 1 << 20..=1 << 36;

/// What a producer has published.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct Account {
    /// Events.
    pub events: u64,
    /// Bytes of them.
    pub bytes: u64,
    /// Events for which the stream is too small; its consumers are told.
    pub too_big: u64,
    /// How long consumers that want all have been waited for.
    pub waited: Duration,
    /// The one that is waited for now.
    pub waits_for: Option<String>,
}

/// Publishes events in shared memory of this computer.
///
/// It never waits, but for consumers that want all. One process at a time publishes under a name; if it is gone,
/// also by `kill -9`, another may go on, and consumers find that out.
///
/// ```no_run
/// use pactolus::formats::Header;
/// use pactolus::shm::{Options, Producer, StreamName};
///
/// let mut stream = Producer::create(&StreamName::new("lxe")?, Options::default())?;
/// stream.begin(42, 1_700_000_000, b"")?;
/// let payload = [0; 8]; // banks, as in a file
/// let header = Header { id: 1, mask: 1, serial: 0, time: 1_700_000_000, size: payload.len() as u32 };
/// stream.event(&header, &payload)?;
/// stream.end(42, 1_700_000_001, b"")?;
/// # Ok::<(), pactolus::shm::Error>(())
/// ```
pub struct Producer {
    shared: Arc<Shared>,
    observer: Observer,
    flusher: Option<JoinHandle<()>>,
}

struct Shared {
    hand: Mutex<Hand>,
    /// There is something to be published in a moment, or nothing ever.
    opened: Condvar,
}

/// Sees what a producer does, also while it waits.
#[derive(Clone)]
pub struct Observer {
    ring: Arc<Ring>,
    /// What others had published before.
    before: Account,
}

impl Observer {
    fn now(&self) -> Account {
        let word = |at| self.ring.map.get(at);
        let number = word(word::WAITS_FOR);
        let slot = usize::try_from(number.wrapping_sub(1)).ok().filter(|slot| *slot < SLOTS);
        Account {
            events: word(word::EVENTS),
            bytes: word(word::BYTES),
            too_big: word(word::TOO_BIG),
            waited: self.ring.waited(|| true),
            waits_for: slot.filter(|_| word(word::WAITING) != 0).map(|slot| {
                let at = self.ring.layout.slot(slot);
                format!("{} (pid {})", text(&self.ring.map, at + slot::NAME, NAME), word(at + slot::PID))
            }),
        }
    }

    /// Who reads.
    pub fn consumers(&self) -> Vec<ConsumerStatus> {
        status::consumers(&self.ring)
    }

    /// What was published since the producer was made.
    pub fn account(&self) -> Account {
        let (now, before) = (self.now(), &self.before);
        Account {
            events: now.events.saturating_sub(before.events),
            bytes: now.bytes.saturating_sub(before.bytes),
            too_big: now.too_big.saturating_sub(before.too_big),
            waited: now.waited.saturating_sub(before.waited),
            waits_for: now.waits_for,
        }
    }
}

impl Producer {
    /// Makes a stream, or takes one over whose producer is gone.
    ///
    /// # Errors
    /// If another process publishes there, there is no room, or the system does not let us.
    pub fn create(name: &StreamName, options: Options) -> Result<Producer> {
        let size = options.size.clamp(*SIZES.start(), *SIZES.end()).next_power_of_two();
        let until = Instant::now() + GLANCE;
        let (ring, writer) = loop {
            match Producer::open(name, size, &options)? {
                Some(opened) => break opened,
                None if Instant::now() < until => std::thread::sleep(Duration::from_millis(5)),
                None => return Err(Ring::open(name)?.has_producer()),
            }
        };
        let ring = Arc::new(ring);
        ring.map.set(word::PID, u64::from(std::process::id()));
        put_text(&ring.map, word::PROGRAM, NAME, &options.program);
        ring.map.set(word::WAITING, 0);
        let mut observer = Observer { ring: Arc::clone(&ring), before: Account::default() };
        observer.before = observer.now();
        let mut hand = Hand {
            ring,
            writer,
            run: None,
            stop: options.stop,
            quits: false,
            is_idle: false,
            quiet_until: 0,
        };
        hand.recover()?;
        let shared = Arc::new(Shared { hand: Mutex::new(hand), opened: Condvar::new() });
        let (flushed, delay) = (Arc::clone(&shared), options.delay);
        let flusher = std::thread::Builder::new()
            .name("publish".into())
            .spawn(move || flushed.flush(delay))
            .map_err(|source| observer.ring.error("start a thread for", source))?;
        Ok(Producer { shared, observer, flusher: Some(flusher) })
    }

    /// The stream with the lock of its producer; `None` if another has it.
    fn open(
        name: &StreamName,
        size: u64,
        options: &Options,
    ) -> Result<Option<(Ring, Writer<super::map::Map>)>> {
        let old = match Ring::open(name) {
            Ok(ring) => {
                if !ring.try_lock(PRODUCER)? || !ring.file.is_current() {
                    return Ok(None);
                }
                Some(ring)
            }
            Err(Error::Absent { .. }) => None,
            Err(error) => return Err(error),
        };
        if let Some(ring) = old {
            // One of another size, or in which nothing makes sense, is of no use.
            let is_of_use = ring.layout.size == size && !ring.is_retired();
            let writer = is_of_use.then(|| Writer::new(ring.map.clone(), ring.layout).ok()).flatten();
            if let Some(writer) = writer.filter(|_| ring.run().is_ok()) {
                ring.file.take_over(options.mode)?;
                return Ok(Some((ring, writer)));
            }
            ring.remove()?;
        }
        // We have its lock from the beginning.
        let ring = Ring::create(name, size, options.mode)?;
        if !ring.file.publish_new()? {
            return Ok(None);
        }
        let writer = Writer::new(ring.map.clone(), ring.layout).map_err(|why| ring.damaged(why))?;
        Ok(Some((ring, writer)))
    }

    #[inline]
    fn lock(&self) -> MutexGuard<'_, Hand> {
        self.shared.hand.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Begins a run, with the ODB as text. A run that is going on is cut.
    ///
    /// # Errors
    /// If there is no room for its ODB.
    pub fn begin(&mut self, run: u32, time: u32, odb: &[u8]) -> Result<()> {
        self.lock().transition(TransitionKind::Begin, run, event(BOR, run, time, odb)?)
    }

    /// Ends a run, with the ODB as text.
    ///
    /// # Errors
    /// If there is no room for its ODB.
    pub fn end(&mut self, run: u32, time: u32, odb: &[u8]) -> Result<()> {
        self.lock().transition(TransitionKind::End, run, event(EOR, run, time, odb)?)
    }

    /// The run is paused.
    ///
    /// # Errors
    /// If there is no room to say so.
    pub fn pause(&mut self) -> Result<()> {
        self.lock().turn(TransitionKind::Pause)
    }

    /// The run goes on.
    ///
    /// # Errors
    /// If there is no room to say so.
    pub fn resume(&mut self) -> Result<()> {
        self.lock().turn(TransitionKind::Resume)
    }

    /// Publishes an event.
    ///
    /// # Errors
    /// If the header says another size; [`Error::Stopped`].
    pub fn event(&mut self, header: &Header, payload: &[u8]) -> Result<()> {
        if header.size as usize != payload.len() {
            let why = format!("its header says {} bytes, there are {}", header.size, payload.len());
            return Err(Error::BadEvent { why });
        }
        let mut hand = self.lock();
        match TransitionKind::of(header.kind()) {
            Some(kind) => hand.transition(kind, header.serial, [&header.to_bytes(), payload].concat()),
            None => {
                hand.push(header, payload)?;
                self.shared.opened(hand);
                Ok(())
            }
        }
    }

    /// Publishes whole events, one behind the other as in a `.mid` file. A BOR begins a run, an EOR ends it. A large
    /// event that came in pieces is put together first ([`Arrivals::whole`](crate::Arrivals::whole)): of pieces, a
    /// consumer may miss some.
    ///
    /// # Errors
    /// If the last one is not whole; [`Error::Stopped`].
    pub fn events(&mut self, bytes: &[u8]) -> Result<()> {
        let mut hand = self.lock();
        let done = hand.push_all(bytes);
        self.shared.opened(hand);
        done
    }

    /// Publishes what waits for others.
    pub fn flush(&mut self) {
        self.lock().publish();
    }

    /// What was published since it was made.
    pub fn account(&self) -> Account {
        self.observer.account()
    }

    /// For another thread, to see the same.
    pub fn observer(&self) -> Observer {
        self.observer.clone()
    }
}

/// A BOR or EOR as it stands in a file.
fn event(id: u16, run: u32, time: u32, odb: &[u8]) -> Result<Vec<u8>> {
    let size =
        u32::try_from(odb.len()).map_err(|_| Error::BadEvent { why: "its ODB has more than 4 GB".into() })?;
    let header = Header { id, mask: MIDAS_MAGIC, serial: run, time, size };
    Ok([&header.to_bytes(), odb].concat())
}

impl Drop for Producer {
    fn drop(&mut self) {
        self.lock().quits = true;
        self.shared.opened.notify_all();
        if let Some(flusher) = self.flusher.take() {
            let _ = flusher.join();
        }
        let mut hand = self.lock();
        hand.publish();
        if let Some(run) = hand.run {
            // Who attaches finds that there is no producer in any case.
            let _ = hand.transition(TransitionKind::Cut, run, Vec::new());
        }
        hand.ring.unlock(PRODUCER);
        hand.ring.wake();
        hand.ring.leave();
    }
}

impl Shared {
    /// Something may have to be published in a moment.
    #[inline]
    fn opened(&self, mut hand: MutexGuard<'_, Hand>) {
        if hand.is_idle && hand.writer.is_open() {
            hand.is_idle = false;
            drop(hand);
            self.opened.notify_all();
        }
    }

    /// Publishes what has waited so long.
    fn flush(&self, delay: Duration) {
        let mut hand = self.hand.lock().unwrap_or_else(PoisonError::into_inner);
        while !hand.quits {
            if !hand.writer.is_open() {
                hand.is_idle = true;
                hand = self.opened.wait(hand).unwrap_or_else(PoisonError::into_inner);
                continue;
            }
            hand.is_idle = false;
            let (position, until) = (hand.writer.position(), Instant::now() + delay);
            while !hand.quits && hand.writer.position() == position {
                let left = until.saturating_duration_since(Instant::now());
                if left.is_zero() {
                    hand.publish();
                    break;
                }
                hand = self.opened.wait_timeout(hand, left).unwrap_or_else(PoisonError::into_inner).0;
            }
        }
    }
}
