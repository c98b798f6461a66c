//! A stage: a module mounted under a name, with its switch, parameters, counts and time.

use std::cell::Cell;
use std::panic::{self, AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Once};

use pactolus_formats::BankName;

use crate::banks::Banks;
use crate::module::{BoxError, Context, EndOfRun, Module, Result, Sequential, Setup, Verdict};
use crate::{Event, Run};

/// A [`Module`] of any type, able to make fresh copies of itself.
pub(crate) trait AnyModule: Module {
    fn fresh(&self) -> Box<dyn AnyModule>;
    fn as_record(&mut self) -> &mut dyn pactolus_odb::Record;
}

impl<M: Module + Clone + 'static> AnyModule for M {
    fn fresh(&self) -> Box<dyn AnyModule> {
        Box::new(self.clone())
    }

    fn as_record(&mut self) -> &mut dyn pactolus_odb::Record {
        self
    }
}

/// A [`Sequential`] of any type, able to make fresh copies of itself. `Sync` because the mounted
/// original is shared; the copies that run are not.
pub(crate) trait AnySequential: Sequential + Sync {
    fn fresh(&self) -> Box<dyn AnySequential>;
    fn as_record(&mut self) -> &mut dyn pactolus_odb::Record;
}

impl<M: Sequential + Clone + Sync + 'static> AnySequential for M {
    fn fresh(&self) -> Box<dyn AnySequential> {
        Box::new(self.clone())
    }

    fn as_record(&mut self) -> &mut dyn pactolus_odb::Record {
        self
    }
}

/// Calls a module's method; a panic is an error like another.
#[inline]
pub(crate) fn guarded<T>(call: impl FnOnce() -> Result<T>) -> Result<T> {
    catch_unwind(AssertUnwindSafe(call)).unwrap_or_else(|panic| Err(panic_text(&*panic).into()))
}

/// The same for `event`.
#[inline]
pub(crate) fn guarded_event<T>(call: impl FnOnce() -> Result<T>) -> Result<T> {
    catch_unwind(AssertUnwindSafe(call)).unwrap_or_else(|panic| Err(event_panic_text(&*panic).into()))
}

thread_local! {
    /// Where this thread has panicked last.
    static PLACE: Cell<Option<String>> = const { Cell::new(None) };
}

/// From here on, the place of a panic is known: only a hook is told of it. The one that was there is
/// called as before.
pub(crate) fn note_places() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let before = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            let place = info.location().map(|at| format!("{}:{}", at.file(), at.line()));
            let _ = PLACE.try_with(|last| last.set(place));
            before(info);
        }));
    });
}

/// Forgets where: the next event is another matter.
pub(crate) fn forget_place() {
    PLACE.set(None);
}

/// What a panic of this thread has said, and where.
#[cold]
pub(crate) fn panic_text(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().copied().or_else(|| panic.downcast_ref::<String>().map(|s| &**s));
    let text = text.unwrap_or("without a message");
    let place = PLACE.take().map(|place| format!(" at {place}")).unwrap_or_default();
    format!("panicked{place}: {text}")
}

/// ... in `event`, where it most often is a bank, which the standard library cannot know.
#[cold]
pub(crate) fn event_panic_text(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic_text(panic);
    match text.ends_with("called `Option::unwrap()` on a `None` value") {
        true => format!(
            "{text}; where the event has no such bank, go on without: let Some(bank) = event.get(...)? else {{ return Ok(Keep) }}"
        ),
        false => text,
    }
}

/// A module of either kind, as the catalogue makes it and a request mounts it.
pub(crate) struct Mountable(pub(crate) Either);

pub(crate) enum Either {
    Wide(Box<dyn AnyModule>),
    Sequential(Box<dyn AnySequential>),
}

impl Mountable {
    /// A module that keeps nothing between events.
    pub(crate) fn module(module: impl Module + Clone + 'static) -> Mountable {
        Mountable(Either::Wide(Box::new(module)))
    }

    /// A module that sees the events one after the other.
    pub(crate) fn sequential(module: impl Sequential + Clone + Sync + 'static) -> Mountable {
        Mountable(Either::Sequential(Box::new(module)))
    }

    pub(crate) fn fresh(&self) -> Mountable {
        match &self.0 {
            Either::Wide(m) => Mountable(Either::Wide(m.fresh())),
            Either::Sequential(m) => Mountable(Either::Sequential(m.fresh())),
        }
    }

    pub(crate) fn record(&mut self) -> &mut dyn pactolus_odb::Record {
        match &mut self.0 {
            Either::Wide(m) => m.as_record(),
            Either::Sequential(m) => m.as_record(),
        }
    }

    pub(crate) fn banks(&self) -> Banks {
        match &self.0 {
            Either::Wide(m) => m.banks(),
            Either::Sequential(m) => m.banks(),
        }
    }

    /// Every bank that it names, each once.
    pub(crate) fn known_banks(&mut self) -> Vec<BankName> {
        let banks = self.banks();
        let per = self.record().fields().into_iter().filter_map(|field| Some(BankName::new(field.per?.name)));
        let mut known: Vec<BankName> = Vec::new();
        for name in banks.reads().iter().chain(banks.writes()).map(|bank| bank.name).chain(per) {
            if !known.contains(&name) {
                known.push(name);
            }
        }
        known
    }

    pub(crate) fn prepare(&mut self, setup: &mut Setup<'_>) -> Result<()> {
        match &mut self.0 {
            Either::Wide(m) => m.prepare(setup),
            Either::Sequential(m) => m.prepare(setup),
        }
    }

    pub(crate) fn bor(&mut self, run: &Run) -> Result<()> {
        match &mut self.0 {
            Either::Wide(m) => m.bor(run),
            Either::Sequential(m) => m.bor(run),
        }
    }
}

/// A stage of one run: switch and parameters are settled.
pub(crate) struct Stage {
    pub(crate) name: String,
    /// Number in the analyzer, over all chains.
    pub(crate) number: u32,
    pub(crate) on: bool,
    pub(crate) body: Body,
    /// Banks that stand for those that the module names.
    pub(crate) names: Vec<(BankName, BankName)>,
    /// Arrays with one value per element of a bank: the shortest for each bank.
    pub(crate) lengths: Vec<Length>,
}

pub(crate) enum Body {
    Wide(Arc<dyn AnyModule>),
    /// Number of the module among the run's sequential ones.
    Sequential(usize),
}

/// A parameter array that has one value per element of a bank.
#[derive(Clone, Debug)]
pub(crate) struct Length {
    pub(crate) bank: BankName,
    pub(crate) key: String,
    pub(crate) len: usize,
}

impl Length {
    #[cold]
    fn too_short(&self, elements: usize) -> BoxError {
        TooShort { key: self.key.clone(), len: self.len, bank: self.bank, elements }.into()
    }
}

/// A parameter array is too short for a bank.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "parameter \"{key}\" has {len} values, but bank {bank} has {elements} elements: \
     give it {elements}, in the definition, a -c file or the ODB"
)]
#[non_exhaustive]
pub struct TooShort {
    /// The parameter.
    pub key: String,
    /// Values that it has.
    pub len: usize,
    /// The bank.
    pub bank: BankName,
    /// Elements that the bank has, or may have.
    pub elements: usize,
}

impl Stage {
    /// Refuses an event with a bank that is longer than a parameter array.
    #[inline(always)]
    fn check_lengths(&self, event: &Event<'_>) -> Result<()> {
        for length in &self.lengths {
            if let Some(found) = event.bank(length.bank)
                && found.len() > length.len
            {
                return Err(length.too_short(found.len()));
            }
        }
        Ok(())
    }

    /// Passes one event through the module.
    #[inline(always)]
    pub(crate) fn event<'a>(
        &'a self,
        event: &Event<'a>,
        context: &Context<'_>,
        sequential: &mut [Box<dyn AnySequential>],
    ) -> Result<Verdict> {
        event.rename(&self.names);
        self.check_lengths(event)?;
        match &self.body {
            Body::Wide(module) => module.event(event, context),
            Body::Sequential(i) => sequential[*i].event(event, context),
        }
    }

    pub(crate) fn eor(&self, run: &EndOfRun<'_>, sequential: &mut [Box<dyn AnySequential>]) -> Result<()> {
        match &self.body {
            Body::Wide(module) => module.eor(run),
            Body::Sequential(i) => sequential[*i].eor(run),
        }
    }
}
