//! What the stages of a job did to each event, taken down word by word.

use std::sync::{Arc, Mutex, PoisonError};

use pactolus_formats::{BankName, Header};

use crate::Event;
use crate::histo::Histograms;
use crate::module::{NewEvent, Notes, Result, Verdict, reason};

/// A log that the threads of a job share.
#[derive(Clone, Debug, Default)]
pub(crate) struct Log(Arc<Mutex<Logged>>);

/// What is in it.
#[derive(Debug, Default)]
pub(crate) struct Logged {
    /// In the order in which stages have ended.
    pub(crate) steps: Vec<Step>,
    /// As they were when the run had ended.
    pub(crate) histograms: Histograms,
}

/// What one stage did to one event.
#[derive(Clone, Debug)]
pub(crate) struct Step {
    /// Number of the stage in the analyzer.
    pub(crate) stage: u32,
    /// Header of the event as it was read.
    pub(crate) header: Header,
    /// Its verdict, or why the event was lost.
    pub(crate) verdict: Result<Verdict, String>,
    /// The banks that the event had then: name, type code, little-endian bytes.
    pub(crate) banks: Vec<(BankName, u32, Vec<u8>)>,
    /// The events that the stage has made of it.
    pub(crate) queued: Vec<NewEvent>,
    /// It has left a message.
    pub(crate) says: bool,
    /// Allocations that the module has made.
    pub(crate) allocations: u64,
}

impl Log {
    /// A stage is done with an event; so many new events were there before.
    pub(crate) fn add(
        &self,
        (stage, event): (u32, &Event<'_>),
        verdict: &Result<Verdict>,
        (notes, queued): (&Notes, usize),
        allocations: u64,
    ) {
        let banks = event.banks().map(|bank| {
            let mut data = bank.data.to_vec();
            pactolus_formats::layout::to_little(bank.tid(), bank.order, &mut data);
            (bank.name, bank.code, data)
        });
        let step = Step {
            stage,
            header: event.raw().header,
            verdict: verdict.as_ref().copied().map_err(reason),
            banks: banks.collect(),
            queued: notes.queue.borrow().iter().skip(queued).cloned().collect(),
            says: !notes.messages.borrow().is_empty(),
            allocations,
        };
        self.with(|logged| logged.steps.push(step));
    }

    /// The run has ended.
    pub(crate) fn ended(&self, histograms: &Histograms) {
        self.with(|logged| logged.histograms = histograms.clone());
    }

    /// All of it.
    pub(crate) fn take(&self) -> Logged {
        self.with(std::mem::take)
    }

    fn with<T>(&self, change: impl FnOnce(&mut Logged) -> T) -> T {
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
