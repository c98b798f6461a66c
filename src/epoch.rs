//! A run under one set of parameters: all that a worker needs to know, and nothing that changes.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use pactolus_formats::{Bank, BankName, Header, Layout};

use crate::Run;
use crate::copies::Copies;
use crate::harness::Log;
use crate::histo::{Automatic, Store};
use crate::request::wants;
use crate::stage::Stage;

/// Which outputs want bytes or columns.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Wanted {
    pub(crate) mid: bool,
    pub(crate) asc: bool,
    pub(crate) tables: bool,
}

/// Which events of an input are analysed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Selection {
    /// Number of the first event, counted from 1 over all events of an input.
    pub first: u64,
    /// Number of the last one: reading stops there.
    pub last: Option<u64>,
    /// Only events whose number is a multiple of this.
    pub step: u64,
    /// At most so many data events of an input.
    pub events: Option<u64>,
}

impl Default for Selection {
    /// All events.
    fn default() -> Selection {
        Selection { first: 1, last: None, step: 1, events: None }
    }
}

impl Selection {
    #[inline]
    pub(crate) fn wants(&self, number: u64) -> bool {
        number >= self.first && (self.step <= 1 || number.is_multiple_of(self.step))
    }

    #[inline]
    pub(crate) fn is_beyond(&self, number: u64, data_before: u64) -> bool {
        self.last.is_some_and(|last| number > last) || self.events.is_some_and(|most| data_before >= most)
    }
}

/// How the payload of a request's events is built.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Format {
    /// A bank area.
    Banks,
    /// One structure.
    Fixed(Arc<Layout>),
    /// Events of every id: one structure for these, a bank area for the others.
    Mixed(Vec<(u16, Arc<Layout>)>),
}

/// A request of one run with its stages.
pub(crate) struct RunChain {
    pub(crate) name: String,
    pub(crate) id: i32,
    pub(crate) mask: i32,
    pub(crate) enabled: bool,
    pub(crate) use_tests: bool,
    /// Takes only events that no other request wants.
    pub(crate) fallback: bool,
    pub(crate) format: Format,
    /// Banks whose output switch is off.
    pub(crate) off: Vec<BankName>,
    /// Members of STRUCT banks.
    pub(crate) layouts: Vec<(BankName, Arc<Layout>)>,
    pub(crate) stages: Vec<Stage>,
    /// Histograms of marked banks, filled from events that are kept.
    pub(crate) automatic: Vec<Automatic>,
    /// The whole chain runs in the fold: an earlier one makes events for it there.
    pub(crate) in_fold: bool,
    pub(crate) table: Arc<pactolus_formats::tuple::TableDef>,
}

impl RunChain {
    #[inline]
    pub(crate) fn wants(&self, header: &Header) -> bool {
        self.enabled && wants(self.id, self.mask, header)
    }

    #[inline]
    pub(crate) fn writes(&self, bank: &Bank<'_>) -> bool {
        !self.off.contains(&bank.name)
    }

    pub(crate) fn layout_of(&self, bank: &Bank<'_>) -> Option<&Layout> {
        self.layouts.iter().find(|(name, _)| *name == bank.name).map(|(_, layout)| &**layout)
    }

    /// The members of a FIXED event with this id; `None` if it has banks.
    #[inline]
    pub(crate) fn fixed(&self, id: u16) -> Option<&Arc<Layout>> {
        match &self.format {
            Format::Banks => None,
            Format::Fixed(layout) => Some(layout),
            Format::Mixed(fixed) => fixed.iter().find(|(known, _)| *known == id).map(|(_, layout)| layout),
        }
    }
}

/// A run under one set of parameters.
pub(crate) struct Epoch {
    pub(crate) run: Run,
    /// Number in the run.
    pub(crate) number: u32,
    /// Number in the process: what was booked for another epoch is of no use here.
    pub(crate) unique: u64,
    pub(crate) chains: Vec<RunChain>,
    /// Names of the tests that were booked.
    pub(crate) tests: Vec<String>,
    /// The histograms that were booked, and what was filled.
    pub(crate) histograms: Arc<Store>,
    /// Events for a shared ODB, if it wants some.
    pub(crate) copies: Option<Arc<Copies>>,
    /// Write the original of each event that is kept.
    pub(crate) filter: bool,
    pub(crate) wanted: Wanted,
    pub(crate) selection: Selection,
    /// Stop at the first event that fails.
    pub(crate) strict: bool,
    /// Somebody looks at what stages do.
    pub(crate) watch: Option<Watching>,
}

/// What those who look at stages go by.
pub(crate) struct Watching {
    /// The banks that each stage declares to read.
    pub(crate) reads: Vec<Vec<BankName>>,
    /// Takes all of it down.
    pub(crate) log: Option<Log>,
}

/// A number that no epoch had before.
pub(crate) fn unique() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

impl Epoch {
    /// Stages in all chains together.
    pub(crate) fn stages(&self) -> usize {
        self.chains.iter().map(|c| c.stages.len()).sum()
    }
}
