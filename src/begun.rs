//! Runs and epochs before their first event: parameters in place, modules prepared.

use std::sync::Arc;

use pactolus_formats::{BankName, Layout};
use pactolus_odb::{Odb, Path as OdbPath, Record, Tree};

use crate::analyzer::Analyzer;
use crate::chain::{Chain, Mounted, in_fold};
use crate::columns::{columns, table};
use crate::copies::Copies;
use crate::epoch::{Epoch, Format, RunChain, Watching, unique};
use crate::histo::{Automatic, Store};
use crate::job::{Job, OutputKind};
use crate::layers::{Base, EventDefinition, Files, Origins, Settled, bank_switch, fill, setting};
use crate::module::{Booked, BoxError, Setup};
use crate::recorded::RecordedRun;
use crate::request::Request;
use crate::sink::Sinks;
use crate::stage::{AnySequential, Body, Either, Length, Mountable, Stage, guarded, note_places};
use crate::{Error, Run};

/// A run whose first event may come.
pub(crate) struct Begun {
    pub(crate) epoch: Arc<Epoch>,
    pub(crate) sequential: Vec<Box<dyn AnySequential>>,
    /// The ODB of the run, which others may have too.
    pub(crate) odb: Odb,
    /// The values that the run begins with.
    pub(crate) tree: Tree,
    /// The ODB that they were taken from.
    pub(crate) seen: Tree,
    /// Values of a shared ODB with which the run cannot begin.
    pub(crate) refused: Option<Tree>,
    /// Its values were recorded, and so are those of later epochs.
    pub(crate) record: Option<Arc<RecordedRun>>,
    /// The first key of a shared ODB that is protected and was not written.
    pub(crate) skipped: Option<String>,
    /// What later epochs take over.
    pub(crate) earlier: Earlier,
    /// What is known of its events.
    pub(crate) definitions: Vec<EventDefinition>,
    pub(crate) origins: Origins,
    pub(crate) warnings: Vec<String>,
    /// What it was begun from, so that it can be begun again elsewhere: the payload of its BOR ...
    pub(crate) dump: Option<Vec<u8>>,
    /// ... and its configuration files.
    pub(crate) files: Files,
}

/// An epoch whose first event may come.
pub(crate) struct Made {
    pub(crate) epoch: Epoch,
    pub(crate) sequential: Vec<Fresh>,
}

/// The first epoch of a run, and what later ones take over.
pub(crate) struct Started {
    pub(crate) epoch: Arc<Epoch>,
    pub(crate) earlier: Earlier,
    pub(crate) sequential: Vec<Box<dyn AnySequential>>,
}

impl Made {
    /// Begins a run with it.
    pub(crate) fn start(self) -> Started {
        let Made { epoch, sequential } = self;
        let mut earlier = Earlier::default();
        earlier.add(&epoch, &sequential);
        let sequential = sequential.into_iter().map(|fresh| fresh.module).collect();
        Started { epoch: Arc::new(epoch), earlier, sequential }
    }
}

/// A sequential stage of an epoch, as if no event had been before.
pub(crate) struct Fresh {
    pub(crate) module: Box<dyn AnySequential>,
    /// What was booked before it, so that one that is prepared again gets the same handles ...
    pub(crate) before: Booked,
    /// ... and with it.
    pub(crate) after: Booked,
    /// Its switch is on.
    pub(crate) on: bool,
    /// The run has begun for it with this epoch.
    pub(crate) begins: bool,
}

/// Where a stage is made.
struct Place<'a> {
    /// Its number in the analyzer.
    number: u32,
    run: &'a Run,
    tree: &'a Tree,
    /// For which sequential stages the run has begun.
    begun: &'a [bool],
}

/// What a new epoch takes over from those before it in the run.
#[derive(Clone, Default)]
pub(crate) struct Earlier {
    /// How many there were.
    pub(crate) epochs: u32,
    /// The tests booked so far: they keep their numbers.
    pub(crate) tests: Vec<String>,
    /// Where they fill their histograms.
    pub(crate) stores: Vec<Arc<Store>>,
    /// For which sequential stages the run has begun.
    pub(crate) begun: Vec<bool>,
    /// Which events the ODB wants.
    pub(crate) copies: Option<Arc<Copies>>,
}

impl Earlier {
    /// Takes note of one more.
    pub(crate) fn add(&mut self, epoch: &Epoch, sequential: &[Fresh]) {
        self.epochs = epoch.number + 1;
        self.tests.clone_from(&epoch.tests);
        self.copies.clone_from(&epoch.copies);
        if !self.stores.iter().any(|store| Arc::ptr_eq(store, &epoch.histograms)) {
            self.stores.push(Arc::clone(&epoch.histograms));
        }
        self.begun.resize(sequential.len(), false);
        self.begun.iter_mut().zip(sequential).for_each(|(begun, fresh)| *begun |= fresh.begins);
    }
}

impl Analyzer {
    /// Settles the parameters of a run and prepares the modules.
    pub(crate) fn begin(
        &self,
        job: &Job,
        base: &Base,
        (run, numbered): (Run, bool),
        dump: Option<&[u8]>,
    ) -> Result<Begun, Error> {
        let settled = base.settle(self, job, (&run, numbered), dump)?;
        self.begun(job, run, dump, settled)
    }

    /// Begins a run with what was recorded of it.
    pub(crate) fn begin_again(
        &self,
        job: &Job,
        base: &Base,
        run: Run,
        dump: Option<&[u8]>,
        record: Arc<RecordedRun>,
    ) -> Result<Begun, Error> {
        let settled = base.settle_recorded(self, job, &run, &record)?;
        Ok(Begun { record: Some(record), ..self.begun(job, run, dump, settled)? })
    }

    /// Prepares the modules for settled values.
    fn begun(&self, job: &Job, run: Run, dump: Option<&[u8]>, settled: Settled) -> Result<Begun, Error> {
        let Settled { odb: seen, tree, skipped, definitions, origins, mut warnings, files } = settled;
        let made = self.epoch(job, &run, (&tree, &definitions), Earlier::default())?;
        let banks = job.outputs.iter().any(|output| output.kind != OutputKind::Histograms);
        if banks && !job.filter {
            warnings.extend(self.all_off(&made.epoch.chains));
        }
        let odb = job.odb.clone().unwrap_or_else(|| Odb::from(tree.clone()));
        let dump = dump.map(<[u8]>::to_vec);
        let Started { epoch, earlier, sequential } = made.start();
        Ok(Begun {
            epoch,
            sequential,
            odb,
            tree,
            seen,
            refused: None,
            record: None,
            skipped,
            earlier,
            definitions,
            origins,
            warnings,
            dump,
            files,
        })
    }

    /// Prepares the modules for the values of a tree, and what is defined of the events of the run.
    pub(crate) fn epoch(
        &self,
        job: &Job,
        run: &Run,
        (tree, definitions): (&Tree, &[EventDefinition]),
        earlier: Earlier,
    ) -> Result<Made, Error> {
        let Earlier { epochs, tests, stores, begun, mut copies } = earlier;
        let mut booked = Booked { tests, histograms: Vec::new() };
        let mut sequential = Vec::new();
        let mut chains = Vec::new();
        let mut number = 0;
        for chain in &self.chains {
            let mut stages = Vec::new();
            for mounted in &chain.stages {
                let place = Place { number, run, tree, begun: &begun };
                stages.push(self.stage(mounted, place, &mut booked, &mut sequential)?);
                number += 1;
            }
            let mut ready = self.chain(&chain.request, stages, chain, (tree, definitions))?;
            ready.automatic = automatic(&chain.request, chain, &ready.layouts, &mut booked)?;
            chains.push(ready);
        }
        if self.chains.is_empty() {
            chains = without_definition(definitions);
        }
        put_in_fold(&mut chains, &self.chains);
        if epochs == 0 && job.odb.is_some() {
            copies = Some(Arc::new(Copies::new(chains.iter().filter(|chain| !chain.fallback).count())));
        }
        // Equal bookings share their histograms, whatever lies between them.
        let known = stores.into_iter().find(|store| store.shapes() == booked.histograms);
        let histograms = known.unwrap_or_else(|| Arc::new(Store::new(run.number, booked.histograms)));
        let log = job.watch.as_ref().and_then(|witness| witness.log().cloned());
        if let Some(log) = &log {
            log.booked(&booked.tests);
        }
        let epoch = Epoch {
            run: run.clone(),
            number: epochs,
            unique: unique(),
            chains,
            tests: booked.tests,
            histograms,
            copies,
            filter: job.filter,
            wanted: Sinks::wanted(job),
            selection: job.selection,
            strict: job.strict,
            watch: job.watch.as_ref().map(|_| Watching { reads: self.reads(), log }),
        };
        Ok(Made { epoch, sequential })
    }

    /// The banks that each stage declares to read, under the names of its mount.
    fn reads(&self) -> Vec<Vec<BankName>> {
        let stages = self.chains.iter().flat_map(|chain| &chain.stages);
        stages.map(|stage| stage.reads().map(|bank| bank.name).collect()).collect()
    }

    /// A stage with its switch and parameters in place.
    fn stage(
        &self,
        mounted: &Mounted,
        place: Place<'_>,
        booked: &mut Booked,
        sequential: &mut Vec<Fresh>,
    ) -> Result<Stage, Error> {
        let Place { number, run, tree, begun } = place;
        let name = &mounted.name;
        let failed = |source| Error::Stage { stage: name.clone(), run: run.number, source };
        let on = setting(tree, &format!("{}/Module switches/{name}", self.root()), true)?;
        let mut module = mounted.module.fresh();
        let before = match &module.0 {
            Either::Wide(_) => None,
            Either::Sequential(_) => Some(booked.clone()),
        };
        // One that remembers goes on where it was: its run has begun.
        let goes_on = before.is_some() && begun.get(sequential.len()).is_some_and(|begun| *begun);
        if on {
            self.prepare(mounted, module.record(), tree).map_err(failed)?;
            // A panic of a module is an error like another, here too.
            note_places();
            let declared = |bank: BankName| self.elements(mounted, bank);
            let mut setup = Setup::new(run, name, booked, &declared);
            guarded(|| module.prepare(&mut setup)).map_err(failed)?;
            if !goes_on {
                guarded(|| module.bor(run)).map_err(failed)?;
            }
        }
        let lengths = shortest(&mut module);
        let body = match module.0 {
            Either::Wide(module) => Body::Wide(Arc::from(module)),
            Either::Sequential(module) => {
                let (before, after) = (before.unwrap_or_default(), booked.clone());
                sequential.push(Fresh { module, before, after, on, begins: on && !goes_on });
                Body::Sequential(sequential.len() - 1)
            }
        };
        Ok(Stage { name: name.clone(), number, on, body, names: mounted.banks.clone(), lengths })
    }

    /// Fills the parameters of a module from the ODB.
    pub(crate) fn prepare(
        &self,
        mounted: &Mounted,
        record: &mut dyn Record,
        tree: &Tree,
    ) -> Result<(), BoxError> {
        let directory = OdbPath::parse(&format!("{}/Parameters/{}", self.root(), mounted.name))?;
        fill(record, tree, &directory, |bank| self.elements(mounted, BankName::new(bank)))
    }

    /// A request with what the ODB says of its events.
    fn chain(
        &self,
        request: &Request,
        stages: Vec<Stage>,
        chain: &Chain,
        (tree, definitions): (&Tree, &[EventDefinition]),
    ) -> Result<RunChain, Error> {
        let common = format!("{}/{}/Common", self.root(), request.name);
        let id = setting(tree, &format!("{common}/Event ID"), request.id)?;
        let definition = definitions.iter().find(|event| event.id == id).cloned().unwrap_or_default();
        let format = match request.fixed.clone().or(definition.fixed) {
            Some(layout) => Format::Fixed(layout),
            None if id == -1 => Format::Mixed(
                definitions
                    .iter()
                    .filter_map(|event| Some((u16::try_from(event.id).ok()?, event.fixed.clone()?)))
                    .collect(),
            ),
            None => Format::Banks,
        };
        let mut off = Vec::new();
        for bank in &request.banks {
            if let Some(path) = bank_switch(&self.root(), bank.name)
                && setting(tree, &path, 1_u32)? == 0
            {
                off.push(bank.name);
            }
        }
        let mut layouts: Vec<(BankName, Arc<Layout>)> =
            request.banks.iter().filter_map(|b| Some((b.name, b.layout.clone()?))).collect();
        let written = chain.stages.iter().flat_map(Mounted::writes);
        layouts.extend(written.filter_map(|b| Some((b.name, b.layout?))));
        layouts.extend(definition.structs);
        Ok(RunChain {
            name: request.name.clone(),
            id,
            mask: setting(tree, &format!("{common}/Trigger mask"), request.mask)?,
            enabled: setting(tree, &format!("{common}/Enabled"), true)?,
            use_tests: request.use_tests,
            fallback: false,
            table: Arc::new(table(&request.name, &format, &off, columns(request, chain), &layouts)),
            format,
            off,
            layouts,
            stages,
            automatic: Vec::new(),
            in_fold: false,
        })
    }

    /// As in mana, a listed bank is not written until its switch is on, which is easily forgotten.
    fn all_off(&self, chains: &[RunChain]) -> Vec<String> {
        let listed = self.chains.iter().map(|c| c.request.banks.len());
        let silent = chains.iter().zip(listed).filter(|(c, listed)| *listed > 0 && c.off.len() == *listed);
        let names: Vec<String> = silent.map(|(c, _)| format!("\"{}\"", c.name)).collect();
        none_written(&names, &self.root()).into_iter().collect()
    }
}

/// What to say of requests none of whose banks is written.
pub(crate) fn none_written(names: &[String], root: &str) -> Option<String> {
    (!names.is_empty()).then(|| {
        format!(
            "no bank of {} is written: their switches in {root}/Bank switches are all off",
            names.join(", ")
        )
    })
}

/// Requests from the experiment's own ODB, and one for all that it does not name.
fn without_definition(definitions: &[EventDefinition]) -> Vec<RunChain> {
    let plain = |name: String, id, format: Format, layouts: Vec<(BankName, Arc<Layout>)>| RunChain {
        table: Arc::new(table(&name, &format, &[], Vec::new(), &layouts)),
        name,
        id,
        mask: -1,
        enabled: true,
        use_tests: false,
        fallback: id == -1,
        format,
        off: Vec::new(),
        layouts,
        stages: Vec::new(),
        automatic: Vec::new(),
        in_fold: false,
    };
    let mut chains: Vec<RunChain> = Vec::new();
    for event in definitions {
        // Of several equipments with one id, the first counts, as in MIDAS.
        if chains.iter().all(|c| c.id != event.id) && event.id >= 0 {
            let format = event.fixed.clone().map_or(Format::Banks, Format::Fixed);
            chains.push(plain(event.name.clone(), event.id, format, event.structs.clone()));
        }
    }
    chains.push(plain("other".into(), -1, Format::Banks, Vec::new()));
    chains
}

/// The histograms of the banks that a request marks.
fn automatic(
    request: &Request,
    chain: &Chain,
    layouts: &[(BankName, Arc<Layout>)],
    booked: &mut Booked,
) -> Result<Vec<Automatic>, Error> {
    let mut marked = Vec::new();
    for bank in request.banks.iter().filter(|bank| !bank.histograms.is_empty()) {
        let layout = layouts.iter().find(|(name, _)| *name == bank.name).map(|(_, layout)| layout);
        let booking = Automatic::book(booked, &request.name, bank, chain.elements(bank), layout);
        marked.extend(booking.map_err(|e| Error::Job(e.to_string()))?);
    }
    Ok(marked)
}

/// For each bank, the shortest array that has one value per element.
fn shortest(module: &mut Mountable) -> Vec<Length> {
    let mut lengths: Vec<Length> = Vec::new();
    for per in module.record().per() {
        let bank = BankName::new(per.bank);
        match lengths.iter_mut().find(|l| l.bank == bank) {
            Some(known) if known.len <= per.len => {}
            Some(known) => *known = Length { bank, key: per.key.to_owned(), len: per.len },
            None => lengths.push(Length { bank, key: per.key.to_owned(), len: per.len }),
        }
    }
    lengths
}

/// Chains behind one that makes events in the fold run there as well, so that new events and
/// events from the source reach them in the order of the run. Another epoch may decide otherwise: a block
/// is all of one epoch, and within it either way gives the same order.
fn put_in_fold(chains: &mut [RunChain], mounted: &[Chain]) {
    let sequential =
        |chain: &RunChain| chain.stages.iter().any(|s| s.on && matches!(s.body, Body::Sequential(_)));
    let kinds =
        chains.iter().zip(mounted).map(|(chain, mounted)| (sequential(chain), mounted.makes_events()));
    let places = in_fold(kinds);
    for (chain, place) in chains.iter_mut().zip(places) {
        chain.in_fold = place;
    }
}
