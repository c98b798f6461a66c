//! The thread that owns the connection.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use pactolus_formats::Header;
use pactolus_formats::event::{BOR, EOR, MIDAS_MAGIC};
use pactolus_odb::Save;

use super::experiment::Experiment;
use super::gate::Gate;
use super::runs::{Runinfo, Runs, Step};
use super::spool::{Item, Spool, headers, places as places_of};
use crate::Sampling;
use crate::analyzer::Analyzer;
use crate::feed::Ended;
use crate::job::{Job, Stop};
use crate::midas::{
    Buffer, Client, Error, Inbox, Key, KeyInfo, Mirror, Note, Result, Transition, TransitionKind,
};

/// A batch of events: so many bytes, or so many events.
const BATCH: usize = 256 << 10;
const EVENTS: usize = 4096;

/// How often `/Runinfo` is looked at, and the level of the buffers.
const LOOK: Duration = Duration::from_millis(100);

/// How long nobody asks for events when there are none, the longer the quieter it is.
const SHORTEST: Duration = Duration::from_micros(500);
const LONGEST: Duration = Duration::from_millis(10);

/// How long it is waited for before it is tried again to connect, the longer the more often it has failed.
const FIRST: Duration = Duration::from_millis(100);
const LAST: Duration = Duration::from_secs(10);

/// So long after we were asked to end we may write what was found. MIDAS waits five seconds.
const FAREWELL: Duration = Duration::from_secs(3);

/// MIDAS's read cache at the server, as all its programs have it [bytes].
const CACHE: u32 = 100_000;

/// Requests that MIDAS allows for in one buffer.
const REQUESTS: usize = 10;

/// MIDAS's largest event where the ODB does not say [bytes].
const LARGEST: u32 = 4 << 20;

/// MIDAS's answer where a key is not there.
const NO_KEY: i32 = 312;

/// The requests of one buffer: event id, trigger mask, sampling.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Wanted {
    buffer: String,
    requests: Vec<(Option<u16>, Option<u16>, Sampling)>,
}

impl Wanted {
    /// What the chains want.
    pub(super) fn of(analyzer: &Analyzer, sampling: Option<Sampling>) -> Vec<Wanted> {
        let mut wanted: Vec<Wanted> = Vec::new();
        for chain in &analyzer.chains {
            let request = &chain.request;
            let any = |number: i32| u16::try_from(number).ok();
            let own = (any(request.id), any(request.mask), sampling.unwrap_or(request.sampling));
            match wanted.iter_mut().find(|wanted| wanted.buffer == request.buffer) {
                Some(wanted) if wanted.requests.contains(&own) => {}
                Some(wanted) => wanted.requests.push(own),
                None => wanted.push(Wanted { buffer: request.buffer.clone(), requests: vec![own] }),
            }
        }
        if wanted.is_empty() {
            let all = (None, None, sampling.unwrap_or_default());
            wanted.push(Wanted { buffer: "SYSTEM".into(), requests: vec![all] });
        }
        for wanted in &mut wanted {
            if wanted.requests.len() > REQUESTS {
                let samplings = wanted.requests.iter().map(|(_, _, sampling)| *sampling);
                // One for all, which must not be stricter than any.
                let first = wanted.requests[0].2;
                let same = samplings.clone().all(|sampling| sampling == first);
                wanted.requests = vec![(None, None, if same { first } else { Sampling::default() })];
            }
        }
        wanted
    }

    /// Whether the readout may wait for us.
    fn is_strict(&self) -> bool {
        self.requests.iter().any(|(_, _, sampling)| *sampling == Sampling::All)
    }

    pub(super) fn is_recent(&self) -> bool {
        self.requests.iter().all(|(_, _, sampling)| *sampling == Sampling::Recent)
    }
}

/// Where `/Runinfo` says what there is.
struct Places {
    state: (Key, KeyInfo),
    number: (Key, KeyInfo),
    /// It is not there before the first transition of an experiment.
    transition: Option<(Key, KeyInfo)>,
    started: Option<(Key, KeyInfo)>,
}

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
    /// The run in hand is over as soon as its last events are there: another has begun, and at most so many
    /// bytes of it are still to come ...
    followed: Option<u64>,
    /// ... or it was stopped.
    is_stopped: bool,
    /// The last serial number of each event id in the run.
    serials: Vec<(u16, u32)>,
    /// Events outside of runs, by id.
    outside: BTreeMap<u16, u64>,
    /// What came when the connection was lost, and whose run is not known.
    held: Option<Vec<u8>>,
    /// The largest event that was met, with its header [bytes].
    largest: usize,
    /// Event ids of which somebody knows that they are too big.
    too_big: Vec<u16>,
    /// Our name there, if somebody knows that it is another.
    renamed: Option<String>,
    /// When something came the last time.
    heard: Instant,
    /// When the experiment has asked us to end.
    asked: Option<Instant>,
    /// How long it is waited for until the next attempt to connect.
    pause: Duration,
    /// The run in hand, if there is one, was found by us.
    is_attached: bool,
    is_over: bool,
}

impl Drop for Puller {
    /// Nobody is to wait for it, also if it has failed.
    fn drop(&mut self) {
        self.gate.open(false);
        self.mirror.lost("the connection to the experiment is closed");
        self.over(Some(Ended::Lost(self.experiment.to_string())));
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
            followed: None,
            is_stopped: false,
            serials: Vec::new(),
            outside: BTreeMap::new(),
            held: None,
            largest: 0,
            too_big: Vec::new(),
            renamed: None,
            heard: Instant::now(),
            asked: None,
            pause: FIRST,
            is_attached: false,
            is_over: false,
        }
    }

    /// Connects, mirrors the ODB and asks for events.
    pub(super) fn log_in(&mut self) -> Result<Client> {
        let mut client = Client::connect(&self.experiment.login, &self.inbox)?;
        self.mirror.attach(&mut client, &self.watched)?;
        self.believe(&mut client);
        self.buffers.clear();
        for wanted in &self.wanted {
            let buffer = client.open_buffer(&wanted.buffer)?;
            if !wanted.requests.iter().any(|(_, _, sampling)| *sampling == Sampling::Recent) {
                client.cache(buffer, CACHE)?;
            }
            for ((id, mask, sampling), number) in wanted.requests.iter().zip(0..) {
                client.request(buffer, *id, *mask, *sampling, number)?;
            }
            self.buffers.push(buffer);
        }
        if client.name() != self.experiment.login.name && self.renamed.as_deref() != Some(client.name()) {
            self.renamed = Some(client.name().to_owned());
            self.spool.say(format!(
                "{}: another program is called {}, so this one is called {} there",
                self.experiment,
                self.experiment.login.name,
                client.name()
            ));
        }
        Ok(client)
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

    /// The connection is lost.
    fn lose(&mut self, error: &Error) {
        self.mirror.lost("the connection to the experiment is lost");
        self.gate.open(false);
        self.spool.set_level(0);
        if self.runs.current().is_some() && !self.is_unwanted {
            self.spool.push(Item::Broken);
        }
        self.spool.say(format!("{}: {error}; connecting again", self.experiment));
    }

    /// Connects again; nothing if nobody wants it any more.
    fn again(&mut self) -> Option<Client> {
        let lost = Instant::now();
        let mut said = String::new();
        loop {
            let next = Instant::now() + self.pause;
            while Instant::now() < next {
                if self.spool.stops() || self.asked.is_some() || self.is_silent_too_long() {
                    return None;
                }
                std::thread::sleep(LONGEST);
            }
            self.pause = (self.pause * 2).min(LAST);
            let client = self.log_in().and_then(|mut client| {
                self.go_on(&mut client, lost)?;
                Ok(client)
            });
            match client {
                Ok(client) => return Some(client),
                // While an experiment is restarted, any error may come, and all of them may pass.
                Err(error) => {
                    self.mirror.lost("the connection to the experiment is lost");
                    let why = error.to_string();
                    if why != said {
                        self.spool.say(format!("{}: {why}; still trying", self.experiment));
                        said = why;
                    }
                }
            }
        }
    }

    /// What has become of the run while the connection was lost.
    fn go_on(&mut self, client: &mut Client, lost: Instant) -> Result<()> {
        let seconds = lost.elapsed().as_secs_f64();
        let now = Places::find(client)?.read(client)?;
        let experiment = &self.experiment;
        self.spool.say(format!("{experiment}: connected again after {seconds:.1} s"));
        let current = self.runs.current();
        if now.is_going_on() && current == Some(now.number) {
            if !self.is_unwanted {
                self.spool.push(Item::Again(format!(
                    "the connection to {experiment} was lost for {seconds:.1} s: events of this time are not analyzed"
                )));
            }
            return Ok(());
        }
        if let Some(run) = current {
            if !self.is_unwanted {
                self.spool.push(Item::Gone(format!(
                    "run {run} is not complete: it ended while the connection to {experiment} was lost, {seconds:.1} s"
                )));
            }
            self.leave(run);
        }
        // What has begun meanwhile is met while it is going on.
        self.runs.forget();
        self.is_attached = false;
        Ok(())
    }

    /// The run is over, for us.
    fn leave(&mut self, run: u32) {
        self.runs.end();
        (self.followed, self.is_stopped, self.is_unwanted) = (None, false, false);
        if self.experiment.runs.is_some_and(|(_, last)| run >= last) {
            self.over(None);
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
            let discards = self.is_over || self.stop.is_asked();
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
            } else if self.is_silent_too_long() {
                continue;
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
            // What has not come by now is of the next.
            TransitionKind::Start if current.is_some_and(|run| run != told.run) && !self.is_over => {
                if self.followed.is_none() {
                    self.followed = Some(self.level(client)?);
                }
                return Ok(());
            }
            TransitionKind::Start if current.is_none() => self.begin(client, told.run)?,
            TransitionKind::Start => {}
            _ if current.is_some() && !self.is_over => {
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
        // Who is told of transitions looks only at what was before.
        if self.is_told() && !is_first {
            return Ok(());
        }
        let now = places.read(client)?;
        match self.runs.look(now) {
            Step::None => {}
            Step::Drain => self.is_stopped = true,
            // What has not come by now is of the next.
            Step::Next if self.followed.is_none() => self.followed = Some(self.level(client)?),
            Step::Next => {}
            Step::Begin(run) => {
                self.begin(client, run)?;
                if is_first && !self.is_unwanted {
                    self.spool.say(format!(
                        "attached to run {run} while it is going on: what came before is not analyzed"
                    ));
                }
            }
        }
        Ok(())
    }

    /// Whether we are told of transitions.
    fn is_told(&self) -> bool {
        self.experiment.login.transitions.is_some()
    }

    /// The run is over when nothing more comes.
    fn is_draining(&self) -> bool {
        self.runs.current().is_some() && (self.followed.is_some() || self.is_stopped)
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
            came |= received.events > 0 || !received.truncated.is_empty();
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
                    match self.runs.current().is_some() && self.followed.is_none() {
                        true => self.pass(piece),
                        false => self.held = Some(piece),
                    }
                    return Err(error);
                }
            };
            came |= received.events > 0 || !received.truncated.is_empty();
            self.truncated(client, &received.truncated);
            match piece.is_empty() {
                true => self.spool.give_back(piece),
                false => self.take(client, places, piece)?,
            }
        }
        if came {
            self.heard = Instant::now();
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
                    headers(&piece).for_each(|header| *self.outside.entry(header.id).or_default() += 1);
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
        let turn = self.turn(&piece);
        if let Some(at) = turn.filter(|at| *at < piece.len()) {
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
        match self.is_unwanted || self.is_over || piece.is_empty() {
            true => self.spool.give_back(piece),
            false => self.spool.events(piece),
        }
    }

    /// Where the events of the next run begin, if it has begun: behind what was there when that was seen, or
    /// before, since serial numbers begin anew with each run.
    fn turn(&mut self, piece: &[u8]) -> Option<usize> {
        for (header, at) in places_of(piece) {
            let last = self.serials.iter_mut().find(|(id, _)| *id == header.id);
            if let Some(left) = &mut self.followed {
                let size = (Header::SIZE + header.size as usize).next_multiple_of(8) as u64;
                if *left < size || last.as_ref().is_some_and(|(_, last)| header.serial < *last) {
                    return Some(at);
                }
                *left -= size;
            }
            match last {
                Some((_, last)) => *last = header.serial,
                None => self.serials.push((header.id, header.serial)),
            }
        }
        None
    }

    /// Begins a run, with a snapshot of the ODB.
    fn begin(&mut self, client: &mut Client, run: u32) -> Result<()> {
        let is_behind = self.experiment.runs.is_some_and(|(_, last)| run > last);
        let is_unwanted = is_behind || self.experiment.runs.is_some_and(|(first, _)| run < first);
        if !is_unwanted && !self.is_over {
            self.mirror.refresh(client)?;
        }
        self.runs.begin(run);
        (self.followed, self.is_stopped, self.is_unwanted) = (None, false, is_unwanted);
        self.serials.clear();
        self.too_big.clear();
        self.heard = Instant::now();
        if is_behind {
            self.over(None);
        }
        if self.is_unwanted || self.is_over {
            return Ok(());
        }
        self.believe(client);
        self.say_outside();
        self.spool.push(Item::Begin(run));
        self.boundary(BOR, run, "/Runinfo/Start time binary");
        Ok(())
    }

    /// Ends the run in hand.
    fn end(&mut self, client: &mut Client) -> Result<()> {
        let Some(run) = self.runs.current() else { return Ok(()) };
        if !self.is_unwanted && !self.is_over {
            // If another has begun, the ODB is that of the next.
            if self.followed.is_none() {
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
        self.spool.events(bytes);
    }

    /// Says how many events belonged to no run.
    fn say_outside(&mut self) {
        let outside = std::mem::take(&mut self.outside);
        if outside.is_empty() {
            return;
        }
        let ids: Vec<String> = outside.iter().map(|(id, count)| format!("{count} of id {id}")).collect();
        self.spool.say(format!(
            "{} events came while no run was going on, and are not analyzed: {}",
            outside.values().sum::<u64>(),
            ids.join(", ")
        ));
    }

    /// Whether nothing has come for too long, which is the end.
    fn is_silent_too_long(&mut self) -> bool {
        let timeout = self.experiment.timeout.filter(|timeout| self.heard.elapsed() >= *timeout);
        if let Some(timeout) = timeout {
            let seconds = timeout.as_secs_f64();
            let why = format!("no event from {} for {seconds} s (--live-timeout)", self.experiment);
            self.over(Some(Ended::TimedOut(why)));
        }
        self.is_over
    }

    /// Nothing more comes.
    fn over(&mut self, ended: Option<Ended>) {
        if !std::mem::replace(&mut self.is_over, true) {
            self.say_outside();
            // What has come of a run that goes on is analyzed.
            self.spool.push(Item::Over(ended));
        }
    }
}

impl Places {
    fn find(client: &mut Client) -> Result<Places> {
        let mut find = |path: &str| {
            let missing = || Error::Refused { call: "db_find_key", what: path.to_owned(), status: NO_KEY };
            Places::place(client, path)?.ok_or_else(missing)
        };
        Ok(Places {
            state: find("/Runinfo/State")?,
            number: find("/Runinfo/Run number")?,
            transition: None,
            started: None,
        })
    }

    fn place(client: &mut Client, path: &str) -> Result<Option<(Key, KeyInfo)>> {
        let Some(key) = client.find(Key::ROOT, path)? else { return Ok(None) };
        Ok(Some((key, client.info(key)?)))
    }

    fn read(&mut self, client: &mut Client) -> Result<Runinfo> {
        if self.transition.is_none() {
            self.transition = Places::place(client, "/Runinfo/Transition in progress")?;
        }
        if self.started.is_none() {
            self.started = Places::place(client, "/Runinfo/Start time binary")?;
        }
        let mut read = |(key, info): &(Key, KeyInfo)| {
            let bytes = client.data(*key, info)?;
            Ok(bytes.first_chunk().map_or(0, |bytes| i32::from_le_bytes(*bytes)))
        };
        let transition = self.transition.as_ref().map_or(Ok(0), &mut read)?;
        let state = read(&self.state)?;
        let number = read(&self.number)?.cast_unsigned();
        let started = self.started.as_ref().map_or(Ok(0), &mut read)?.cast_unsigned();
        Ok(Runinfo { state, number, transition, started })
    }
}
