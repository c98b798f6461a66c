//! Requests: which events a chain wants, and what is known of their banks.

use std::sync::Arc;

use pactolus_formats::{BankDef, BankName, Element, Header, Layout, Tid};

use crate::banks::BankUse;
use crate::histo::Axis;

/// How events are taken from a live experiment. Files give every event whatever it says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Sampling {
    /// Every event; a slow analyzer makes the readout wait.
    All,
    /// What is free, without making the readout wait.
    #[default]
    NonBlocking,
    /// Only the most recent events.
    Recent,
}

impl Sampling {
    /// MIDAS's number: `GET_ALL` 1, `GET_NONBLOCKING` 2, `GET_RECENT` 4.
    pub const fn code(self) -> i32 {
        match self {
            Sampling::All => 1,
            Sampling::NonBlocking => 2,
            Sampling::Recent => 4,
        }
    }

    /// Its word in a definition.
    pub const fn name(self) -> &'static str {
        match self {
            Sampling::All => "all",
            Sampling::NonBlocking => "nonblocking",
            Sampling::Recent => "recent",
        }
    }

    /// The sampling of this word: `all`, `nonblocking`, `recent`.
    pub fn from_name(name: &str) -> Option<Sampling> {
        match name {
            "all" => Some(Sampling::All),
            "nonblocking" => Some(Sampling::NonBlocking),
            "recent" => Some(Sampling::Recent),
            _ => None,
        }
    }
}

/// A bank that a request declares.
#[derive(Clone, Debug, PartialEq)]
pub struct RequestedBank {
    /// Its name.
    pub name: BankName,
    /// Type of its elements.
    pub tid: Tid,
    /// Number of elements, or the largest number, if known.
    pub elements: Option<usize>,
    /// Unit of the elements, or an empty string.
    pub unit: String,
    /// One sentence, or an empty string.
    pub description: String,
    /// The members of a STRUCT bank.
    pub layout: Option<Arc<Layout>>,
    /// Where its output switch starts, `/<Analyzer>/Bank switches/<bank>`.
    pub switch: bool,
    /// The histograms that it has without any module: of which member (an empty name: of the
    /// elements themselves), over which axis. See [`Request::histogram`].
    pub histograms: Vec<(String, Axis)>,
}

impl From<BankUse> for RequestedBank {
    fn from(bank: BankUse) -> RequestedBank {
        RequestedBank {
            name: bank.name,
            tid: bank.tid,
            elements: bank.elements,
            unit: bank.unit.to_owned(),
            description: String::new(),
            layout: bank.layout,
            switch: true,
            histograms: Vec::new(),
        }
    }
}

/// Which events a chain wants.
///
/// ```
/// use pactolus::prelude::*;
/// const ADC0: BankDef<u16> = BankDef::new(b"ADC0").size(4);
/// let trigger = Request::new("Trigger", 1).tests().bank(ADC0);
/// assert!(trigger.matches(1, 0x10));
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Request {
    /// Name of the event in the ODB and of its tables.
    pub name: String,
    /// Event id; -1 is every id.
    pub id: i32,
    /// Trigger mask; -1 is every mask, else one common bit is enough.
    pub mask: i32,
    /// How events are taken from a live experiment.
    pub sampling: Sampling,
    /// So many of the newest of its events in shared memory are kept while the analysis is behind, and other
    /// events are passed over.
    pub reserve: u32,
    /// Event buffer of a live experiment.
    pub buffer: String,
    /// Whether events that it keeps count the tests.
    pub use_tests: bool,
    /// The members of its events, if they are FIXED structures without banks.
    pub fixed: Option<Arc<Layout>>,
    /// The banks known of its events.
    pub banks: Vec<RequestedBank>,
}

impl Request {
    /// Every event of this id. An id of -1 is every event.
    pub fn new(name: impl Into<String>, id: i32) -> Request {
        Request {
            name: name.into(),
            id,
            mask: -1,
            sampling: Sampling::default(),
            reserve: 0,
            buffer: "SYSTEM".into(),
            use_tests: false,
            fixed: None,
            banks: Vec::new(),
        }
    }

    /// ... with a bit of this trigger mask.
    #[must_use]
    pub fn mask(mut self, mask: i32) -> Request {
        self.mask = mask;
        self
    }

    /// ... taken from a live experiment like this.
    #[must_use]
    pub fn sampling(mut self, sampling: Sampling) -> Request {
        self.sampling = sampling;
        self
    }

    /// ... of which the newest `events` are kept in shared memory while the analysis is behind: rare ones are
    /// not lost among many others. Only for a request of one event id.
    #[must_use]
    pub fn reserve(mut self, events: u32) -> Request {
        self.reserve = events;
        self
    }

    /// ... whose kept events count the tests.
    #[must_use]
    pub fn tests(mut self) -> Request {
        self.use_tests = true;
        self
    }

    /// Declares a bank of these events.
    #[must_use]
    pub fn bank<T: Element>(mut self, def: BankDef<T>) -> Request {
        self.banks.push(BankUse::from(def).into());
        self
    }

    /// Gives a bank of numbers histograms without any module, over `axis`, filled from the events that
    /// the chain keeps. Up to 64 declared elements have one each, `Trigger/ADC0/00`; more of them share
    /// one, element by value; a bank of undeclared size has one for all, `Trigger/ADC0`. Declares the
    /// bank if that was not done.
    ///
    /// ```
    /// use pactolus::prelude::*;
    /// const TDC0: BankDef<u16> = BankDef::new(b"TDC0").size(4);
    /// let trigger = Request::new("Trigger", 1).histogram(TDC0, Axis::regular(400, 0.0, 4000.0).unit("ns"));
    /// assert_eq!(trigger.banks[0].histograms.len(), 1);
    /// ```
    #[must_use]
    pub fn histogram<T: Element>(mut self, def: BankDef<T>, axis: Axis) -> Request {
        if self.banks.iter().all(|bank| bank.name != def.name()) {
            self = self.bank(def);
        }
        for bank in self.banks.iter_mut().filter(|bank| bank.name == def.name()) {
            bank.histograms = vec![(String::new(), axis.clone())];
        }
        self
    }

    /// The events are FIXED structures.
    #[must_use]
    pub fn fixed(mut self, layout: Layout) -> Request {
        self.fixed = Some(Arc::new(layout));
        self
    }

    /// Whether an event with this id and trigger mask is wanted. An event with mask 0 matches only
    /// requests for every mask, as in MIDAS.
    pub fn matches(&self, id: u16, mask: u16) -> bool {
        wants(self.id, self.mask, &Header { id, mask, ..Header::default() })
    }
}

/// The rule of matching, also for ids and masks that were edited in the ODB.
#[inline]
pub(crate) fn wants(id: i32, mask: i32, header: &Header) -> bool {
    (id == -1 || id == i32::from(header.id)) && (mask == -1 || mask & i32::from(header.mask) != 0)
}
