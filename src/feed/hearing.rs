//! What a thread that pulls events hears of its stream as a whole.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::time::{Duration, Instant};

use super::{Ended, Item, Spool};

/// When something came the last time, what came outside of runs, and whether it is over.
pub(crate) struct Hearing {
    spool: Spool,
    name: String,
    timeout: Option<Duration>,
    /// Events that have come while no run was going on, by id.
    outside: BTreeMap<u16, u64>,
    last: Instant,
    is_over: bool,
}

impl Hearing {
    /// Of the stream `name`, which is over if it is silent for so long.
    pub(crate) fn new(spool: &Spool, name: &impl Display, timeout: Option<Duration>) -> Hearing {
        Hearing {
            spool: spool.clone(),
            name: name.to_string(),
            timeout,
            outside: BTreeMap::new(),
            last: Instant::now(),
            is_over: false,
        }
    }

    /// Something has come.
    pub(crate) fn hears(&mut self) {
        self.last = Instant::now();
    }

    /// So many events of an id have come while no run was going on.
    pub(crate) fn outside(&mut self, id: u16, events: u64) {
        *self.outside.entry(id).or_default() += events;
    }

    /// A run begins.
    pub(crate) fn begins(&mut self, run: u32) {
        self.say_outside();
        self.spool.push(Item::Begin(run));
    }

    /// Whether nothing has come for too long, which is the end; also if it is over already.
    pub(crate) fn is_silent_too_long(&mut self) -> bool {
        if let Some(timeout) = self.timeout.filter(|timeout| self.last.elapsed() >= *timeout) {
            let (name, seconds) = (&self.name, timeout.as_secs_f64());
            let why = format!("no event from {name} for {seconds} s (--live-timeout)");
            self.over(Some(Ended::TimedOut(why)));
        }
        self.is_over
    }

    /// Nothing more comes.
    pub(crate) fn over(&mut self, ended: Option<Ended>) {
        if !std::mem::replace(&mut self.is_over, true) {
            self.say_outside();
            // What has come of a run that goes on is analyzed.
            self.spool.push(Item::Over(ended));
        }
    }

    /// It is over, and who asks is told elsewhere.
    pub(crate) fn fails(&mut self) {
        self.is_over = true;
    }

    pub(crate) fn is_over(&self) -> bool {
        self.is_over
    }

    /// Says how many events there were outside of runs since the last time.
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
}
