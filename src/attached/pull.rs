//! The thread that owns the connection.

mod again;

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use pactolus_formats::Header;
use pactolus_formats::event::{BOR, EOR, MIDAS_MAGIC};
use pactolus_odb::Save;

use again::{FIRST, LAST};

use super::border::Border;
use super::experiment::Experiment;
use super::gate::Gate;
use super::runinfo::Places;
use super::runs::{Runs, Step};
use super::wanted::Wanted;
use crate::feed::{Ended, Hearing, Item, Spool, headers};
use crate::job::{Job, Stop};
use crate::midas::{Buffer, Client, Inbox, Mirror, Note, Result, Transition, TransitionKind};

/// A batch of events: so many bytes, or so many events.
const BATCH: usize = 256 << 10;
const EVENTS: usize = 4096;

/// How often `/Runinfo` is looked at, and the level of the buffers.
const LOOK: Duration = Duration::from_millis(100);

/// How long nobody asks for events when there are none, the longer the quieter it is.
const SHORTEST: Duration = Duration::from_micros(500);
const LONGEST: Duration = Duration::from_millis(10);

/// So long after we were asked to end we may write what was found. MIDAS waits five seconds.
const FAREWELL: Duration = Duration::from_secs(3);

/// MIDAS's largest event where the ODB does not say [bytes].
const LARGEST: u32 = 4 << 20;

/// What pulls.
pub(super) struct Puller {
    experiment: Experiment,
    wanted: Vec<Wanted>,
    watched: Vec<String>,
    inbox: Arc<Inbox>,
    mirror: Arc<Mirror>,
    spool: Spool,
    /// Asks the job to end.
    stop: Stop,
    gate: Arc<Gate>,
    buffers: Vec<Buffer>,
    runs: Runs,
    /// The run in hand is not among those that were asked for.
    is_unwanted: bool,
    /// The run in hand is over as soon as its last events are there: another has begun, whose events come behind
    /// this ...
    border: Border,
    /// ... or it was stopped.
    is_stopped: bool,
    hearing: Hearing,
    /// What came when the connection was lost, and whose run is not known.
    held: Option<Vec<u8>>,
    /// The largest event that was met, with its header [bytes].
    largest: usize,
    /// Event ids of which somebody knows that they are too big.
    too_big: Vec<u16>,
    /// Our name there, if somebody knows that it is another.
    renamed: Option<String>,
    /// When the experiment has asked us to end.
    asked: Option<Instant>,
    /// How long it is waited for until the next attempt to connect.
    pause: Duration,
    /// The run in hand is paused.
    is_paused: bool,
    /// The run in hand, if there is one, was found by us.
    is_attached: bool,
}

impl Drop for Puller {
    /// Nobody is to wait for it, also if it has failed.
    fn drop(&mut self) {
        self.gate.open(false);
        self.mirror.lost("the connection to the experiment is closed");
        self.hearing.over(Some(Ended::Lost(self.experiment.to_string())));
    }
}

impl Puller {
    pub(super) fn new(
        experiment: &Experiment,
        (wanted, watched): (Vec<Wanted>, Vec<String>),
        (inbox, mirror, spool): (Arc<Inbox>, Arc<Mirror>, Spool),
        job: &Job,
    ) -> Puller {
        let gate = Arc::new(Gate::default());
        let (asking, veto, bell, waits) =
            (Arc::clone(&gate), experiment.veto, Arc::downgrade(&inbox), spool.clone());
        inbox.on_transition(move |transition: &Transition| {
            let waiting = if veto { waits.waiting() } else { 0 };
            if transition.kind == TransitionKind::Start && waiting > 0 {
                return Err(format!("the last run is not analyzed to its end: {waiting} bytes wait"));
            }
            if let Some(inbox) = bell.upgrade() {
                asking.tell(*transition, &inbox);
            }
            Ok(())
        });
        if experiment.sampling.is_none() && wanted.iter().any(Wanted::is_strict) {
            spool.say(format!(
                "{experiment}: the definition takes all events of a request (sampling = \"all\"): the readout waits if this analyzer is slow; --sampling nonblocking lets it go on"
            ));
        }
        Puller {
            hearing: Hearing::new(&spool, experiment, experiment.timeout),
            experiment: experiment.clone(),
            wanted,
            watched,
            inbox,
            mirror,
            spool,
            stop: job.stop.clone(),
            gate,
            buffers: Vec::new(),
            runs: Runs::default(),
            is_unwanted: false,
            border: Border::default(),
            is_stopped: false,
            held: None,
            largest: 0,
            too_big: Vec::new(),
            renamed: None,
            asked: None,
            pause: FIRST,
            is_paused: false,
            is_attached: false,
        }
    }

    /// Takes the size of the largest event from the ODB, or from one that was larger.
    fn believe(&self, client: &mut Client) {
        let largest = self.mirror.live().get::<u32>("/Experiment/MAX_EVENT_SIZE").unwrap_or(LARGEST);
        client.set_capacity(self.largest.max(largest as usize + Header::SIZE));
    }

    /// Pulls until nobody reads any more, and connects again whenever the connection is lost.
    pub(super) fn run(mut self, client: Client) {
        let mut open = Some(client);
        while let Some(mut client) = open.take() {
            let begun = Instant::now();
            self.gate.open(true);
            let Err(error) = self.serve(&mut client) else { break };
            self.lose(&error);
            drop(client);
            if begun.elapsed() >= LAST {
                self.pause = FIRST;
            }
            open = self.again();
        }
    }

    /// The run is over, for us.
    fn leave(&mut self, run: u32) {
        self.runs.end();
        self.border.lift();
        (self.is_stopped, self.is_unwanted) = (false, false);
        if self.experiment.runs.is_some_and(|(_, last)| run >= last) {
            self.hearing.over(None);
        }
    }

    /// Pulls until nobody reads any more.
    fn serve(&mut self, client: &mut Client) -> Result<()> {
        let mut places = Places::find(client)?;
        let (mut looked, mut idle): (Option<Instant>, _) = (None, SHORTEST);
        if let Some(piece) = self.held.take() {
            self.take(client, &mut places, piece)?;
        }
        while !self.spool.stops() {
            let told = self.gate.first();
            let notes = self.inbox.take();
            if self.asked.is_none() && notes.contains(&Note::StopAsked) {
                self.spool.say(format!("{} has asked this program to end", self.experiment));
                self.stop.ask();
                self.asked = Some(Instant::now());
            }
            // It is not waited for much longer there.
            if self.asked.is_some_and(|asked| asked.elapsed() >= FAREWELL) {
                break;
            }
            self.mirror.serve(client)?;
            if told.is_some() || !notes.is_empty() || looked.is_none_or(|at| at.elapsed() >= LOOK) {
                self.mirror.look(client, &notes)?;
                self.look(client, &mut places)?;
                if let Some(told) = told {
                    self.hear(client, told)?;
                }
                // A level is worth less than events.
                if looked.is_none_or(|at| at.elapsed() >= LOOK) {
                    self.level(client)?;
                }
                looked = Some(Instant::now());
            }
            // Nobody reads what comes, but the readout must not wait for us; and what is written at the end of a
            // job still goes through here.
            let discards = self.hearing.is_over() || self.stop.is_asked();
            if !discards && self.spool.is_full(SHORTEST) {
                continue;
            }
            let came = match discards {
                true => self.discard(client)?,
                false => self.pull(client, &mut places)?,
            };
            if came {
                idle = SHORTEST;
                continue;
            }
            if !discards && self.is_draining() {
                self.end(client)?;
                looked = None;
            } else {
                // If so, what comes is discarded from now on.
                self.hearing.is_silent_too_long();
            }
            self.inbox.wait(idle);
            idle = (idle * 2).min(LONGEST);
        }
        Ok(())
    }

    /// A transition of which we are told.
    fn hear(&mut self, client: &mut Client, told: Transition) -> Result<()> {
        let current = self.runs.current();
        match told.kind {
            TransitionKind::Start
                if current.is_some_and(|run| run != told.run) && !self.hearing.is_over() =>
            {
                return self.see_next(client);
            }
            TransitionKind::Start if current.is_none() => self.begin(client, told.run)?,
            TransitionKind::Start => {}
            _ if current.is_some() && !self.hearing.is_over() => {
                self.is_stopped = true;
                return Ok(());
            }
            _ => {}
        }
        self.gate.take();
        Ok(())
    }

    /// What run there is.
    fn look(&mut self, client: &mut Client, places: &mut Places) -> Result<()> {
        let is_first = !std::mem::replace(&mut self.is_attached, true);
        let now = places.read(client)?;
        // Who is told of transitions looks only at what was before.
        let step = if self.is_told() && !is_first { Step::None } else { self.runs.look(now) };
        match step {
            Step::None => {}
            Step::Drain => self.is_stopped = true,
            Step::Next => self.see_next(client)?,
            Step::Begin(run) => {
                self.begin(client, run)?;
                if is_first && !self.is_unwanted {
                    self.spool.say(format!(
                        "attached to run {run} while it is going on: what came before is not analyzed"
                    ));
                }
            }
        }
        let is_wanted =
            self.runs.current() == Some(now.number) && !self.is_unwanted && !self.hearing.is_over();
        if is_wanted && self.is_paused != now.is_paused() {
            self.is_paused = now.is_paused();
            self.spool.push(Item::Paused(self.is_paused));
        }
        Ok(())
    }

    /// Another run has begun: what has not come by now is of that one.
    fn see_next(&mut self, client: &mut Client) -> Result<()> {
        if !self.border.is_set() {
            let level = self.level(client)?;
            self.border.set(level);
        }
        Ok(())
    }

    /// Whether we are told of transitions.
    fn is_told(&self) -> bool {
        self.experiment.login.transitions.is_some()
    }

    /// The run is over when nothing more comes.
    fn is_draining(&self) -> bool {
        self.runs.current().is_some() && (self.border.is_set() || self.is_stopped)
    }

    /// Bytes that wait at the server.
    fn level(&mut self, client: &mut Client) -> Result<u64> {
        let mut level = 0;
        for buffer in &self.buffers {
            level += client.level(*buffer)?;
        }
        self.spool.set_level(level);
        Ok(level)
    }

    /// Takes events away, whose they may be; whether there were some.
    fn discard(&mut self, client: &mut Client) -> Result<bool> {
        let mut came = false;
        for buffer in &self.buffers {
            let mut piece = self.spool.piece();
            let received = client.receive(*buffer, EVENTS, BATCH, &mut piece);
            self.spool.give_back(piece);
            let received = received?;
            came |= received.has_some();
        }
        Ok(came)
    }

    /// Asks for events; whether there were some.
    fn pull(&mut self, client: &mut Client, places: &mut Places) -> Result<bool> {
        let mut came = false;
        for i in 0..self.buffers.len() {
            let mut piece = self.spool.piece();
            let received = match client.receive(self.buffers[i], EVENTS, BATCH, &mut piece) {
                Ok(received) => received,
                Err(error) => {
                    // It came before the connection was lost.
                    match self.runs.current().is_some() && !self.border.is_set() {
                        true => self.pass(piece),
                        false => self.held = Some(piece),
                    }
                    return Err(error);
                }
            };
            came |= received.has_some();
            self.truncated(client, &received.truncated);
            match piece.is_empty() {
                true => self.spool.give_back(piece),
                false => self.take(client, places, piece)?,
            }
        }
        if came {
            self.hearing.hears();
        }
        Ok(came)
    }

    /// Events that were larger than we have asked for.
    fn truncated(&mut self, client: &mut Client, headers: &[Header]) {
        for header in headers {
            self.largest = self.largest.max(header.size as usize + Header::SIZE);
            if self.runs.current().is_none() || self.is_unwanted {
                continue;
            }
            self.spool.miss(header.id, |account| {
                account.offered += 1;
                account.too_big += 1;
            });
            if !self.too_big.contains(&header.id) {
                self.too_big.push(header.id);
                self.spool.say(format!(
                    "event id {}, serial {}, has {} bytes of data, more than /Experiment/MAX_EVENT_SIZE was: it is not analyzed",
                    header.id, header.serial, header.size
                ));
            }
        }
        if !headers.is_empty() {
            self.believe(client);
        }
    }

    /// Gives events to their run.
    fn take(&mut self, client: &mut Client, places: &mut Places, mut piece: Vec<u8>) -> Result<()> {
        if self.runs.current().is_none() {
            let is_told = self.is_told();
            let run = places.read(client).map(|now| self.runs.of_event(now).filter(|_| !is_told));
            let begun = match run {
                Ok(Some(run)) => self.begin(client, run),
                Ok(None) => {
                    headers(&piece).for_each(|header| self.hearing.outside(header.id, 1));
                    self.spool.give_back(piece);
                    return Ok(());
                }
                Err(error) => Err(error),
            };
            if let Err(error) = begun {
                self.held = Some(piece);
                return Err(error);
            }
        }
        let border = self.border.find(&piece);
        if let Some(at) = border.filter(|at| *at < piece.len()) {
            let rest = piece.split_off(at);
            self.pass(piece);
            if let Err(error) = self.end(client) {
                self.held = Some(rest);
                return Err(error);
            }
            // The rest says whether it belongs to a run.
            return self.take(client, places, rest);
        }
        self.pass(piece);
        Ok(())
    }

    fn pass(&mut self, piece: Vec<u8>) {
        match self.is_unwanted || self.hearing.is_over() || piece.is_empty() {
            true => self.spool.give_back(piece),
            false => self.spool.events(piece),
        }
    }

    /// Begins a run, with a snapshot of the ODB.
    fn begin(&mut self, client: &mut Client, run: u32) -> Result<()> {
        let is_behind = self.experiment.runs.is_some_and(|(_, last)| run > last);
        let is_unwanted = is_behind || self.experiment.runs.is_some_and(|(first, _)| run < first);
        if !is_unwanted && !self.hearing.is_over() {
            self.mirror.refresh(client)?;
        }
        self.runs.begin(run);
        self.border = Border::default();
        (self.is_stopped, self.is_unwanted) = (false, is_unwanted);
        self.is_paused = false;
        self.too_big.clear();
        self.hearing.hears();
        if is_behind {
            self.hearing.over(None);
        }
        if self.is_unwanted || self.hearing.is_over() {
            return Ok(());
        }
        self.believe(client);
        self.hearing.begins(run);
        self.boundary(BOR, run, "/Runinfo/Start time binary");
        Ok(())
    }

    /// Ends the run in hand.
    fn end(&mut self, client: &mut Client) -> Result<()> {
        let Some(run) = self.runs.current() else { return Ok(()) };
        if !self.is_unwanted && !self.hearing.is_over() {
            // If another has begun, the ODB is that of the next.
            if !self.border.is_set() {
                self.mirror.refresh(client)?;
            }
            self.boundary(EOR, run, "/Runinfo/Stop time binary");
            self.spool.push(Item::End);
        }
        self.leave(run);
        Ok(())
    }

    /// A BOR or an EOR with the ODB as it is.
    fn boundary(&self, id: u16, run: u32, time: &str) {
        let tree = self.mirror.live();
        let now = || SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_secs() as u32);
        let time = tree.get::<u32>(time).ok().filter(|time| *time > 0).unwrap_or_else(now);
        // What JSON cannot hold is left out of it there, and nothing else can fail.
        let mut dump = Save::json().write(&tree, "/").unwrap_or_default();
        dump.push(0);
        let header = Header { id, mask: MIDAS_MAGIC, serial: run, time, size: dump.len() as u32 };
        let mut bytes = header.to_bytes().to_vec();
        bytes.extend_from_slice(&dump);
        self.spool.boundary(bytes);
    }
}
