//! The threads of a job.
//!
//! There are as many as the job asks for, and they are all alike: each reads a block, passes it through
//! the wide stages, while it is still in the nearest cache, and reads the next. One may read at a time.
//! The caller's thread does the same, but before that it folds what has come in its turn. So one thread
//! does all, in order, and no thread waits for another as long as there is anything to do.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use pactolus_formats::Pool;

use crate::Error;
use crate::analyzer::Analyzer;
use crate::job::{Job, Stop};
use crate::layers::Base;
use crate::online::Online;
use crate::shard::Shard;
use crate::source::{FIRST, Item, Source, Ticket, Work};
use crate::stage::panic_text;

/// How often the fold of a live job hears what the time is while a module is at work.
const TICK: Duration = Duration::from_millis(200);

/// Gets the items in order, and gives tickets back.
pub(crate) type Take<'t> = dyn FnMut(Item) -> Result<Option<Box<Ticket>>, Error> + 't;

/// Reads the inputs of a job and works on them; what they come to goes to `take`.
pub(crate) fn drive(
    analyzer: &Analyzer,
    job: &Job,
    base: &Base,
    pool: Option<Pool>,
    (shard, halt): (Shard, &Stop),
    online: Option<Online>,
    take: &mut Take<'_>,
) -> Result<(), Error> {
    let threads = job.threads.max(1);
    let line = Line {
        state: Mutex::new(State {
            source: Some(Box::new(Source::new(analyzer, job, base, pool, (shard, halt), online.clone()))),
            arrived: BTreeMap::new(),
            next: 0,
            end: None,
            free: Vec::new(),
            tickets: 0,
            // Two for each thread, so that none waits for the fold, and two more.
            most: 2 * threads + 2,
            weight: 0,
            growth: 0,
            block: job.block,
            budget: job.half_of_memory(),
            closed: false,
            alone: threads == 1,
            online,
        }),
        turn: Condvar::new(),
        room: Condvar::new(),
    };
    std::thread::scope(|scope| {
        // Whatever happens here: who waits for something must hear that nothing more comes.
        let _closing = Closing { line: &line, halt };
        for i in 1..threads {
            let builder = std::thread::Builder::new().name(format!("worker {i}"));
            let started = builder.spawn_scoped(scope, || line.help());
            started.map_err(|error| job.cannot_start(&error))?;
        }
        line.fold(take)
    })
}

/// Sends the other threads home when it goes out of scope.
struct Closing<'l, 'j> {
    line: &'l Line<'j>,
    halt: &'l Stop,
}

impl Drop for Closing<'_, '_> {
    fn drop(&mut self) {
        self.halt.ask();
        self.line.lock().closed = true;
        self.line.room.notify_all();
    }
}

/// What the threads share.
struct Line<'j> {
    state: Mutex<State<'j>>,
    /// Something has come in its turn, or can be done by the caller.
    turn: Condvar,
    /// The source and a ticket may be there.
    room: Condvar,
}

struct State<'j> {
    /// Not there while somebody reads, and when all is read.
    source: Option<Box<Source<'j>>>,
    /// What awaits its turn.
    arrived: BTreeMap<u64, Item>,
    /// Whose turn it is.
    next: u64,
    /// How many items there are in all, when that is known.
    end: Option<u64>,
    #[allow(clippy::vec_box, reason = "tickets travel in their boxes")]
    free: Vec<Box<Ticket>>,
    /// Tickets that exist, and how many there may be.
    tickets: usize,
    most: usize,
    /// Bytes that tickets were found to hold, and may hold.
    weight: usize,
    budget: usize,
    /// Bytes that were made at the most of each KiB of a block, and the size of a block.
    growth: usize,
    block: usize,
    /// Nobody is to begin anything.
    closed: bool,
    /// There is no other thread than the caller's.
    alone: bool,
    /// Who wants to know how many tickets are on their way.
    online: Option<Online>,
}

/// Something to do.
enum Task<'j> {
    Read(Box<Source<'j>>, Box<Ticket>),
    Work(Work),
}

impl<'j> State<'j> {
    /// What can be done now, by the caller's thread or another.
    fn task(&mut self, caller: bool) -> Option<Task<'j>> {
        let source = self.source.as_mut().filter(|_| !self.closed)?;
        if let Some(work) = source.work.pop_front() {
            return Some(Task::Work(work));
        }
        // What has come in its turn must not wait for the writer of a pipe.
        if caller && !self.alone && source.is_pipe() {
            return None;
        }
        let ticket = source.spare.pop().or_else(|| self.free.pop()).or_else(|| self.new_ticket())?;
        self.count();
        Some(Task::Read(self.source.take()?, ticket))
    }

    /// Tells how many tickets are on their way.
    fn count(&self) {
        if let Some(online) = &self.online {
            online.gauge.blocks(self.tickets.saturating_sub(self.free.len()), self.most);
        }
    }

    /// As many as allowed, as long as their memory is. One is always allowed besides what the source
    /// holds back.
    fn new_ticket(&mut self) -> Option<Box<Ticket>> {
        let average = self.weight / self.tickets.max(1);
        let held = self.source.as_ref().map_or(0, |source| source.held());
        let fits = self.tickets <= held
            || self.weight + average <= self.budget && (self.tickets + 1) * self.expected() <= self.budget;
        (self.tickets < self.most && fits).then(|| {
            self.tickets += 1;
            Box::new(Ticket::new())
        })
    }

    /// What a ticket is to hold when its block is done.
    fn expected(&self) -> usize {
        self.block.saturating_add(self.growth.saturating_mul(self.block.div_ceil(1 << 10)))
    }

    /// A ticket that has grown too heavy is not used again.
    fn give_back(&mut self, ticket: Box<Ticket>) {
        let too_many = self.tickets > 1 && self.tickets * self.expected() > self.budget;
        if self.weight > self.budget || too_many {
            self.tickets -= 1;
            self.weight -= ticket.weight.min(self.weight);
        } else {
            self.free.push(ticket);
        }
        self.count();
    }

    fn arrives(&mut self, (number, mut item): (u64, Item)) {
        if let Item::Block(ticket) = &mut item {
            self.weigh(ticket);
            // Small blocks have their share of what is there anyway.
            let kib = ticket.block.bytes().len().max(FIRST) / (1 << 10);
            let made = ticket.weight.saturating_sub(ticket.block.capacity());
            self.growth = self.growth.max(made / kib);
        }
        self.arrived.insert(number, item);
    }

    fn weigh(&mut self, ticket: &mut Ticket) {
        let now = ticket.weigh();
        self.weight = self.weight + now - ticket.weight;
        ticket.weight = now;
    }
}

impl<'j> Line<'j> {
    fn lock(&self) -> MutexGuard<'_, State<'j>> {
        // Nobody panics while holding it: what others do is caught.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What the caller's thread does.
    fn fold(&self, take: &mut Take<'_>) -> Result<(), Error> {
        let mut state = self.lock();
        loop {
            let turn = state.next;
            if let Some(item) = state.arrived.remove(&turn) {
                state.next += 1;
                drop(state);
                let ticket = take(item)?;
                state = self.lock();
                if let Some(ticket) = ticket {
                    state.give_back(ticket);
                    self.room.notify_one();
                }
            } else if state.end == Some(turn) {
                return Ok(());
            } else if let Some(task) = state.task(true) {
                drop(state);
                self.work(task);
                state = self.lock();
            } else if state.online.is_some() {
                let (waited, timed) =
                    self.turn.wait_timeout(state, TICK).unwrap_or_else(PoisonError::into_inner);
                state = waited;
                if timed.timed_out() {
                    drop(state);
                    take(Item::Tick)?;
                    state = self.lock();
                }
            } else {
                state = self.turn.wait(state).unwrap_or_else(PoisonError::into_inner);
            }
        }
    }

    /// What the other threads do.
    fn help(&self) {
        let mut state = self.lock();
        while !state.closed && (state.end.is_none() || state.source.is_some()) {
            if let Some(task) = state.task(false) {
                drop(state);
                self.work(task);
                state = self.lock();
            } else {
                state = self.room.wait(state).unwrap_or_else(PoisonError::into_inner);
            }
        }
    }

    fn work(&self, task: Task<'j>) {
        let work = match task {
            Task::Work(work) => Some(work),
            Task::Read(source, ticket) => self.read(source, ticket),
        };
        if let Some(work) = work {
            let arrived = work.done();
            self.lock().arrives(arrived);
            self.turn.notify_one();
        }
    }

    /// Reads, and lets others do so.
    fn read(&self, mut source: Box<Source<'j>>, ticket: Box<Ticket>) -> Option<Work> {
        // A panic here is a fault of ours: it must end the job, not hang it.
        if let Err(panic) = catch_unwind(AssertUnwindSafe(|| source.step(ticket))) {
            source.fail(Error::Internal(panic_text(&*panic)));
        }
        let mut state = self.lock();
        // Before it is worked on, a block weighs what was read.
        source.work.iter_mut().for_each(|work| state.weigh(&mut work.ticket));
        let work = source.work.pop_front();
        source.items.drain(..).for_each(|item| state.arrives(item));
        if source.ended {
            state.end = Some(source.next);
        }
        if !source.ended || !source.work.is_empty() {
            state.source = Some(source);
        }
        self.room.notify_all();
        self.turn.notify_one();
        work
    }
}
