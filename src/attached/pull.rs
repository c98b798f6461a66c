//! The thread that owns the connection.

use std::collections::BTreeMap;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use pactolus_formats::Header;
use pactolus_formats::event::{BOR, EOR, MIDAS_MAGIC};
use pactolus_odb::Save;

use super::experiment::Experiment;
use super::runs::{Runinfo, Runs, Step};
use super::spool::{Item, Spool, headers, places as places_of};
use crate::Sampling;
use crate::analyzer::Analyzer;
use crate::feed::Ended;
use crate::job::{Job, Stop};
use crate::midas::{
    Buffer, Client, Error, Inbox, Key, KeyInfo, Message, Mirror, Note, Result, Transition, TransitionKind,
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

/// So long a start of a run waits for us at the most.
const PATIENT: Duration = Duration::from_secs(1);

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

    pub(super) fn is_recent(&self) -> bool {
        self.requests.iter().all(|(_, _, sampling)| *sampling == Sampling::Recent)
    }
}

/// A start of which we are told, until the run before is drained.
#[derive(Default)]
struct Gate {
    asked: Mutex<Option<u32>>,
    answered: Condvar,
}

impl Gate {
    /// Waits until the start is known and the run before is over, but not for ever.
    fn ask(&self, run: u32, inbox: &Inbox) {
        *self.asked.lock().unwrap_or_else(PoisonError::into_inner) = Some(run);
        inbox.wake();
        let asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        let waits = |asked: &mut Option<u32>| *asked == Some(run);
        drop(self.answered.wait_timeout_while(asked, PATIENT, waits));
    }

    fn asked(&self) -> Option<u32> {
        *self.asked.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn answer(&self) {
        *self.asked.lock().unwrap_or_else(PoisonError::into_inner) = None;
        self.answered.notify_all();
    }
}

/// Why nobody pulls any more.
enum Done {
    /// Nobody reads any more.
    Stopped,
    /// The experiment has asked us to end.
    Asked,
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
    /// The run in hand is over as soon as its last events are there: another has begun ...
    is_followed: bool,
    /// ... or it was stopped.
    is_stopped: bool,
    /// The last serial number of each event id in the run.
    serials: Vec<(u16, u32)>,
    /// Events outside of runs, by id.
    outside: BTreeMap<u16, u64>,
    /// When something came the last time.
    heard: Instant,
    is_attached: bool,
    is_over: bool,
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
            if transition.kind != TransitionKind::Start {
                return Ok(());
            }
            let waiting = waits.waiting();
            if veto && waiting > 0 {
                return Err(format!("the last run is not analyzed to its end: {waiting} bytes wait"));
            }
            if let Some(inbox) = bell.upgrade() {
                asking.ask(transition.run, &inbox);
            }
            Ok(())
        });
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
            is_followed: false,
            is_stopped: false,
            serials: Vec::new(),
            outside: BTreeMap::new(),
            heard: Instant::now(),
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
        if client.name() != self.experiment.login.name {
            self.spool.say(format!(
                "{}: another program is called {}, so this one is called {} there",
                self.experiment,
                self.experiment.login.name,
                client.name()
            ));
        }
        self.tell(&mut client, Message::Info, "is attached");
        self.heard = Instant::now();
        Ok(client)
    }

    /// Tells the log of the experiment, if we may.
    fn tell(&self, client: &mut Client, kind: Message, what: &str) {
        if self.experiment.messages {
            let Experiment { login, .. } = &self.experiment;
            let text = format!("Program {} on host {} {what}", client.name(), login.host);
            // It is a courtesy.
            let _ = client.message(kind, &text);
        }
    }

    /// Takes the size of the largest event from the ODB.
    fn believe(&self, client: &mut Client) {
        let largest = self.mirror.live().get::<u32>("/Experiment/MAX_EVENT_SIZE").unwrap_or(LARGEST);
        client.set_capacity(largest as usize + Header::SIZE);
    }

    /// Pulls until nobody reads any more, and connects again whenever the connection is lost.
    pub(super) fn run(mut self, client: Client) {
        let mut open = Some(client);
        while let Some(mut client) = open.take() {
            match self.serve(&mut client) {
                Ok(done) => {
                    if let Done::Asked = done {
                        self.spool.say(format!("{} has asked this program to end", self.experiment));
                        self.stop.ask();
                    }
                    self.tell(&mut client, Message::Info, "has ended");
                    // Who leaves need not hear an answer.
                    let _ = client.exit();
                }
                Err(error) => {
                    self.lose(&error);
                    drop(client);
                    open = self.again();
                }
            }
        }
        self.mirror.lost("the connection to the experiment is closed");
    }

    /// The connection is lost.
    fn lose(&mut self, error: &Error) {
        self.mirror.lost("the connection to the experiment is lost");
        self.gate.answer();
        self.spool.set_level(0);
        if self.runs.current().is_some() && !self.is_unwanted {
            self.spool.push(Item::Broken);
        }
        self.spool.say(format!("{}: {error}; connecting again", self.experiment));
    }

    /// Connects again; nothing if nobody wants it any more, or it is of no use.
    fn again(&mut self) -> Option<Client> {
        let lost = Instant::now();
        let (mut pause, mut said) = (FIRST, String::new());
        loop {
            let next = Instant::now() + pause;
            while Instant::now() < next {
                if self.spool.stops() || self.is_silent_too_long() {
                    return None;
                }
                std::thread::sleep(LONGEST);
            }
            pause = (pause * 2).min(LAST);
            let heard = self.heard;
            let client = self.log_in().and_then(|mut client| {
                self.go_on(&mut client, lost)?;
                Ok(client)
            });
            match client {
                Ok(client) => return Some(client),
                // While an experiment is restarted, any error may come, and all of them may pass.
                Err(error) => {
                    self.heard = heard;
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
        let Some(run) = self.runs.current() else { return Ok(()) };
        if now.is_going_on() && now.number == run {
            if !self.is_unwanted {
                self.spool.push(Item::Again(format!(
                    "the connection to {experiment} was lost for {seconds:.1} s: events of this time are not analyzed"
                )));
            }
            return Ok(());
        }
        if !self.is_unwanted {
            self.spool.push(Item::Gone(format!(
                "run {run} is not complete: it ended while the connection to {experiment} was lost, {seconds:.1} s"
            )));
        }
        self.runs.end();
        (self.is_followed, self.is_unwanted) = (false, false);
        Ok(())
    }

    /// Pulls until nobody reads any more, or nothing is to come.
    fn serve(&mut self, client: &mut Client) -> Result<Done> {
        let mut places = Places::find(client)?;
        let (mut looked, mut idle): (Option<Instant>, _) = (None, SHORTEST);
        loop {
            if self.spool.stops() {
                return Ok(Done::Stopped);
            }
            let notes = self.inbox.take();
            if notes.iter().any(|note| matches!(note, Note::StopAsked)) {
                return Ok(Done::Asked);
            }
            self.mirror.serve(client)?;
            if !notes.is_empty() || looked.is_none_or(|at| at.elapsed() >= LOOK) {
                let was = looked.replace(Instant::now());
                self.hear(client, &notes)?;
                self.mirror.look(client, &notes)?;
                self.look(client, &mut places)?;
                // A level is worth less than events.
                if was.is_none_or(|at| at.elapsed() >= LOOK) {
                    self.level(client)?;
                }
            }
            // What is written at the end of a job still goes through us.
            if self.is_over || self.spool.is_full(SHORTEST) {
                self.inbox.wait(LONGEST);
                continue;
            }
            if self.pull(client, &mut places)? {
                idle = SHORTEST;
                continue;
            }
            if self.is_draining() {
                self.end(client)?;
                looked = None;
            } else if self.is_silent_too_long() {
                continue;
            }
            self.inbox.wait(idle);
            idle = (idle * 2).min(LONGEST);
        }
    }

    /// What we are told of transitions.
    fn hear(&mut self, client: &mut Client, notes: &[Note]) -> Result<()> {
        for note in notes {
            let Note::Transition(transition) = note else { continue };
            match transition.kind {
                TransitionKind::Stop => {
                    if let Some(run) = self.runs.stop() {
                        // It was too short to be seen.
                        self.begin(client, run)?;
                        self.runs.stop();
                    }
                }
                TransitionKind::StartAbort => self.runs.give_up(),
                _ => {}
            }
        }
        Ok(())
    }

    /// What run there is.
    fn look(&mut self, client: &mut Client, places: &mut Places) -> Result<()> {
        let now = places.read(client)?;
        let is_first = !std::mem::replace(&mut self.is_attached, true);
        match self.runs.look(now) {
            Step::None => {}
            Step::Drain => self.is_stopped = true,
            Step::Next => self.is_followed = true,
            Step::Begin(run) => {
                self.begin(client, run)?;
                if is_first && !self.is_unwanted {
                    self.spool.say(format!(
                        "attached to run {run} while it is going on: what came before is not analyzed"
                    ));
                }
            }
        }
        // A start waits until the run before is over.
        if let Some(run) = self.gate.asked().filter(|_| self.runs.current().is_none()) {
            self.runs.start(run);
            self.gate.answer();
        }
        Ok(())
    }

    /// The run is over when nothing more comes.
    fn is_draining(&self) -> bool {
        self.runs.current().is_some() && (self.is_followed || self.is_stopped)
    }

    fn level(&mut self, client: &mut Client) -> Result<()> {
        let mut level = 0;
        for buffer in &self.buffers {
            level += client.level(*buffer)?;
        }
        self.spool.set_level(level);
        Ok(())
    }

    /// Asks for events; whether there were some.
    fn pull(&mut self, client: &mut Client, places: &mut Places) -> Result<bool> {
        let mut came = false;
        for i in 0..self.buffers.len() {
            let mut piece = self.spool.piece();
            let received = match client.receive(self.buffers[i], EVENTS, BATCH, &mut piece) {
                Ok(received) => received,
                Err(error) => {
                    // What came before the connection was lost is of the run in hand, unless that is over.
                    if self.runs.current().is_some() && !self.is_followed {
                        self.note(&piece);
                        self.pass(piece);
                    }
                    return Err(error);
                }
            };
            came |= received.events > 0 || !received.truncated.is_empty();
            for header in &received.truncated {
                self.spool.miss(header.id, |account| {
                    account.offered += 1;
                    account.too_big += 1;
                });
                self.spool.say(format!(
                    "event id {}, serial {}, has {} bytes of data, more than /Experiment/MAX_EVENT_SIZE was: it is not analyzed",
                    header.id, header.serial, header.size
                ));
            }
            if !received.truncated.is_empty() {
                self.mirror.refresh(client)?;
                self.believe(client);
            }
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

    /// Gives events to their run.
    fn take(&mut self, client: &mut Client, places: &mut Places, mut piece: Vec<u8>) -> Result<()> {
        if self.runs.current().is_none() {
            match self.runs.of_event(places.read(client)?) {
                Some(run) => self.begin(client, run)?,
                None => {
                    headers(&piece).for_each(|header| *self.outside.entry(header.id).or_default() += 1);
                    self.spool.give_back(piece);
                    return Ok(());
                }
            }
        }
        if self.is_followed
            && let Some(at) = self.turn(&piece)
        {
            let rest = piece.split_off(at);
            self.pass(piece);
            self.end(client)?;
            // The rest says whether it belongs to a run.
            return self.take(client, places, rest);
        }
        self.note(&piece);
        self.pass(piece);
        Ok(())
    }

    fn pass(&mut self, piece: Vec<u8>) {
        match self.is_unwanted || self.is_over || piece.is_empty() {
            true => self.spool.give_back(piece),
            false => self.spool.events(piece),
        }
    }

    /// Where the events of the next run begin: serial numbers begin anew with each.
    fn turn(&self, piece: &[u8]) -> Option<usize> {
        let known = |header: &Header| self.serials.iter().find(|(id, _)| *id == header.id);
        let is_back = |header: &Header| known(header).is_some_and(|(_, last)| header.serial <= *last);
        places_of(piece).find(|(header, _)| is_back(header)).map(|(_, at)| at)
    }

    fn note(&mut self, piece: &[u8]) {
        for header in headers(piece) {
            match self.serials.iter_mut().find(|(id, _)| *id == header.id) {
                Some((_, last)) => *last = header.serial,
                None => self.serials.push((header.id, header.serial)),
            }
        }
    }

    /// Begins a run, with a snapshot of the ODB.
    fn begin(&mut self, client: &mut Client, run: u32) -> Result<()> {
        self.runs.begin(run);
        (self.is_followed, self.is_stopped) = (false, false);
        self.serials.clear();
        self.heard = Instant::now();
        let is_behind = self.experiment.runs.is_some_and(|(_, last)| run > last);
        self.is_unwanted = is_behind || self.experiment.runs.is_some_and(|(first, _)| run < first);
        if is_behind {
            self.over(None);
        }
        if self.is_unwanted || self.is_over {
            return Ok(());
        }
        self.mirror.refresh(client)?;
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
            self.mirror.refresh(client)?;
            self.boundary(EOR, run, "/Runinfo/Stop time binary");
            self.spool.push(Item::End);
        }
        self.runs.end();
        (self.is_followed, self.is_stopped, self.is_unwanted) = (false, false, false);
        if self.experiment.runs.is_some_and(|(_, last)| run >= last) {
            self.over(None);
        }
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
        // The number is written first.
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
