//! Which stage makes the difference between two runs of the same job, and which only follow.

use std::fmt;

use serde::Serialize;

use crate::analyzer::Analyzer;
use crate::chain::Mounted;
use crate::verify::watch::{Track, Watched};

/// What the result of a stage depends on that it should not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Cause {
    /// It differs between two equal runs with one thread: what it keeps from one run to the next,
    /// the time, or chance.
    Chance,
    /// It differs only where events come in another order.
    Order,
}

/// A stage that gives different results for the same input.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Culprit {
    /// The request it is mounted on.
    pub request: String,
    /// The stage.
    pub stage: String,
    /// What its result depends on.
    pub cause: Cause,
    /// The first run where it differs.
    pub run: u32,
    /// Events of that run that come out differently; 0 if only the end of the run does. Of a long
    /// run, stretches of [`stretch`](Culprit::stretch) events.
    pub differ: u64,
    /// Number of the first of them in its input; the first of its stretch.
    pub first: u64,
    /// Events of a stretch.
    pub stretch: u64,
    /// Places of the combinations where it differs, in [`Verified::cases`](crate::Verified::cases).
    pub cases: Vec<usize>,
    /// A culprit before it in its chain: should the stage read a bank of that one without declaring
    /// it, it only follows.
    pub behind: Option<String>,
}

/// A stage whose result differs because its input does.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Follower {
    /// The request it is mounted on.
    pub request: String,
    /// The stage.
    pub stage: String,
    /// The bank that it reads, and the stage that appends it; without one, it gets other events.
    pub reads: Option<(String, String)>,
}

impl Culprit {
    /// Where it differs: `run 42: 12 events, the first is event 7`.
    pub fn place(&self) -> String {
        let Culprit { run, differ, first, stretch, .. } = self;
        match (differ, stretch) {
            (0, _) => format!("run {run}: the end of the run"),
            (1, 1) => format!("run {run}: event {first}"),
            (_, 1) => format!("run {run}: {differ} events, the first is event {first}"),
            // No event has the number 0.
            _ => {
                let last = first - first % stretch + stretch - 1;
                format!("run {run}: {differ} stretches of {stretch} events, the first is {first} to {last}")
            }
        }
    }
}

impl fmt::Display for Culprit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "stage \"{}\" of request \"{}\" differs, {}", self.stage, self.request, self.place())
    }
}

impl Follower {
    /// Why: `it reads CADC, which "ADC calibration" appends`.
    pub fn reason(&self) -> String {
        match &self.reads {
            Some((bank, writer)) => format!("it reads {bank}, which \"{writer}\" appends"),
            None => "it meets other events".into(),
        }
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Cause::Chance => "between equal runs: by the time, by chance, or by an earlier run",
            Cause::Order => "with other threads, blocks or shards: by the order in which events come",
        })
    }
}

impl fmt::Display for Follower {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "stage \"{}\" of request \"{}\" follows: {}", self.stage, self.request, self.reason())
    }
}

/// How a stage differs in a run of one combination.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Deviation {
    /// Place of the combination.
    pub(super) case: usize,
    pub(super) run: u32,
    /// Number of the stage.
    pub(super) stage: usize,
    /// Stretches that differ although their input does not; the end of the run does.
    own: u64,
    end: bool,
    first: u64,
    stretch: u64,
}

impl Deviation {
    fn is_own(&self) -> bool {
        self.own > 0 || self.end
    }
}

/// How the stages of a run differ from those of the reference.
pub(super) fn compare(case: usize, run: u32, reference: &Watched, other: &Watched) -> Vec<Deviation> {
    let pairs = reference.stages.iter().zip(&other.stages).enumerate();
    let mut deviations: Vec<Deviation> = pairs
        .filter_map(|(stage, (a, b))| {
            let (own, first, stretch, follows) = stretches(a, b);
            let end = a.end.output != b.end.output;
            let differs = own > 0 || follows || end;
            differs.then_some(Deviation { case, run, stage, own, end, first, stretch })
        })
        .collect();
    // The end of a run sees what all stages did: it is nobody's own where another differs.
    if deviations.iter().any(|d| d.own > 0) {
        deviations.iter_mut().for_each(|d| d.end = false);
    }
    deviations
}

/// Stretches that differ although their input does not, the first event and the length of these;
/// whether others differ in their input.
fn stretches(a: &Track, b: &Track) -> (u64, u64, u64, bool) {
    let (mut a, mut b) = (a.clone(), b.clone());
    while a.shift < b.shift {
        a.widen();
    }
    while b.shift < a.shift {
        b.widen();
    }
    let (mut own, mut first, mut follows) = (0, None, false);
    for at in 0..a.stretches.len().max(b.stretches.len()) {
        let of = |track: &Track| track.stretches.get(at).copied().unwrap_or_default();
        let (x, y) = (of(&a), of(&b));
        if x.input != y.input {
            follows = true;
        } else if x.output != y.output {
            own += 1;
            // Events are counted from 1.
            first.get_or_insert(((at as u64) << a.shift).max(1));
        }
    }
    (own, first.unwrap_or(0), 1 << a.shift, follows)
}

/// Names the culprits among stages that differ, and what only follows. `equal`: the combinations
/// that should be like the reference in every respect.
pub(super) fn blame(
    analyzer: &Analyzer,
    deviations: &[Deviation],
    equal: &[usize],
) -> (Vec<Culprit>, Vec<Follower>) {
    let mut culprits: Vec<Culprit> = Vec::new();
    let mut followers = Vec::new();
    let stages = analyzer.chains.iter().flat_map(|chain| chain.stages.iter().map(move |s| (chain, s)));
    // Stages before this one that differ: what they append, others may read.
    let mut before: Vec<(&str, &Mounted)> = Vec::new();
    for (number, (chain, stage)) in stages.enumerate() {
        let of_stage = || deviations.iter().filter(|d| d.stage == number);
        if of_stage().next().is_none() {
            continue;
        }
        let request = chain.request.name.clone();
        let own: Vec<&Deviation> = of_stage().filter(|d| d.is_own()).collect();
        let by_chance = own.iter().find(|d| equal.contains(&d.case));
        if let Some(shown) = by_chance.or(own.first()) {
            let mut cases: Vec<usize> = own.iter().map(|d| d.case).collect();
            cases.dedup();
            let mut earlier = before.iter().filter(|(chain, s)| *chain == request && s.writes().count() > 0);
            let behind = earlier.find(|(_, s)| culprits.iter().any(|c| c.stage == s.name));
            let behind = behind.map(|(_, s)| s.name.clone());
            culprits.push(Culprit {
                request,
                stage: stage.name.clone(),
                cause: if by_chance.is_some() { Cause::Chance } else { Cause::Order },
                run: shown.run,
                differ: shown.own,
                first: shown.first,
                stretch: shown.stretch,
                cases,
                behind,
            });
        } else {
            let mut earlier = before.iter().rev().filter(|(chain, _)| *chain == request);
            let reads = earlier.find_map(|(_, writer)| {
                let bank = writer.writes().find(|bank| stage.reads().any(|read| read.name == bank.name))?;
                Some((bank.name.to_string(), writer.name.clone()))
            });
            followers.push(Follower { request, stage: stage.name.clone(), reads });
        }
        before.push((&chain.request.name, stage));
    }
    (culprits, followers)
}
