//! One block through the wide stages: what a worker does.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Instant;

use bumpalo::Bump;
use pactolus_formats::event::Kind;
use pactolus_formats::mid::{self, Block};
use pactolus_formats::tuple::Columns;
use pactolus_formats::{DamageKind, EventView};

use crate::copies::Copy;
use crate::emit;
use crate::epoch::Epoch;
use crate::event::{Event, Index};
use crate::harness::allocations;
use crate::histo::Fills;
use crate::job::Stop;
use crate::ledger::{BadBanks, Failure, Message};
use crate::module::{self, BoxError, Context, Notes, Result, Verdict};
use crate::partial::{Deferred, Partial, TableKey, To};
use crate::stage::{AnySequential, Body, Stage, event_panic_text, forget_place, guarded_event};
use crate::test::{Board, Tally};
use crate::verify::Entry;

/// One event in so many is timed. A clock read costs as much as a small module.
const TIMED: u32 = 64;

/// Where an event is on its way.
#[derive(Clone, Copy)]
struct Place {
    /// Number of the event in its input.
    number: u64,
    /// First byte of the event in its input.
    offset: u64,
    /// First chain that may see it.
    from: usize,
    /// In the fold, where sequential stages run.
    fold: bool,
    /// Made by a module.
    created: bool,
}

/// The workspace of one block: everything is reused from block to block.
pub(crate) struct Worker {
    arena: Bump,
    index: Index,
    notes: Notes,
    board: Board,
    pub(crate) fills: Fills,
    /// The last stretch of tests, as the fold takes it.
    tally: Tally,
    clock: u32,
    columns: Vec<(TableKey, Columns)>,
    /// The epoch that `columns` belong to.
    booked: Option<u64>,
    pub(crate) partial: Partial,
}

impl Worker {
    pub(crate) fn new() -> Worker {
        Worker {
            arena: Bump::new(),
            index: Index::default(),
            notes: Notes::default(),
            board: Board::new(0),
            fills: Fills::default(),
            tally: Tally::new(0),
            clock: 0,
            columns: Vec::new(),
            booked: None,
            partial: Partial::default(),
        }
    }

    /// Empties the workspace for events of `epoch`.
    pub(crate) fn begin(&mut self, epoch: &Epoch) {
        self.partial.clear(epoch.chains.len(), epoch.stages());
        self.board = Board::new(epoch.tests.len());
        self.notes.watch.switch(epoch.watch.is_some());
        if self.booked != Some(epoch.unique) {
            self.columns.clear();
            self.fills = Fills::new(&epoch.histograms);
            self.booked = Some(epoch.unique);
        }
        // What was filled and not fetched was not wanted.
        self.fills.clear();
    }

    /// Bytes that it holds.
    pub(crate) fn capacity(&self) -> usize {
        // What the columns of a block have become, and as much room that stays for the next.
        let tables = 2 * self.partial.tables_memory();
        self.arena.allocated_bytes() + self.partial.capacity() + tables + self.fills.capacity()
    }

    /// Passes the events of `block` through the wide stages. `data_before`: data events of the
    /// same input that came before this block; stale events are counted, and passed over. If it breaks off,
    /// the answer is how many bytes it has come to.
    pub(crate) fn block(
        &mut self,
        epoch: &Epoch,
        block: &Block,
        (mut data_before, is_stale): (u64, bool),
        until: Until<'_>,
    ) -> Option<u64> {
        self.begin(epoch);
        let start = block.bytes().as_ptr() as usize;
        let mut cut = None;
        for (number, view) in (block.first..).zip(block.events()) {
            if until.is_before(number) {
                cut = Some((view.payload.as_ptr() as usize - start - pactolus_formats::Header::SIZE) as u64);
                break;
            }
            if epoch.selection.is_beyond(number, data_before) {
                // Reading ends here, wherever the block does.
                break;
            }
            match view.kind() {
                Kind::Data => {
                    data_before += 1;
                    let source = self.partial.counts.source(view.header.id);
                    source.serial(view.header.serial);
                    let account = &mut source.account;
                    account.offered += 1;
                    if is_stale {
                        account.stale += 1;
                        continue;
                    }
                    if !epoch.selection.wants(number) {
                        account.left_out += 1;
                        continue;
                    }
                    account.delivered += 1;
                    let at = view.payload.as_ptr() as usize - start - pactolus_formats::Header::SIZE;
                    let offset = block.offset + at as u64;
                    let place = Place { number, offset, from: 0, fold: false, created: false };
                    self.offer(epoch, place, view, &mut []);
                    if epoch.strict && self.partial.counts.has_trouble() {
                        break;
                    }
                }
                _ => {
                    self.partial.counts.system += 1;
                    if epoch.wanted.mid {
                        mid::write_raw(&mut self.partial.mid.bytes, &view);
                    }
                }
            }
        }
        self.end();
        cut
    }

    /// The last stretch ends; columns become a batch.
    pub(crate) fn end(&mut self) {
        if self.board.has_tests() {
            self.partial.tallies.push(&self.board);
        }
        for (key, columns) in &mut self.columns {
            if columns.rows() > 0 {
                self.partial.tables.push((*key, columns.finish()));
            }
        }
    }

    /// Finishes an event that waited for the fold.
    pub(crate) fn finish(
        &mut self,
        epoch: &Epoch,
        deferred: &Deferred,
        event: EventView<'_>,
        original: EventView<'_>,
        sequential: &mut [Box<dyn AnySequential>],
    ) {
        let place = Place { number: deferred.number, offset: 0, from: 0, fold: true, created: false };
        self.chain(epoch, place, deferred.chain, deferred.stage, event, original, sequential);
        if !self.notes.queue.get_mut().is_empty() {
            self.queued(epoch, place, deferred.chain, sequential);
        }
    }

    /// The tests set since the last call.
    pub(crate) fn tally(&mut self) -> Option<&Tally> {
        if !self.board.has_tests() {
            return None;
        }
        self.board.take_into(&mut self.tally);
        Some(&self.tally)
    }

    /// Offers an event to the chains from `place.from` on.
    fn offer(
        &mut self,
        epoch: &Epoch,
        place: Place,
        view: EventView<'_>,
        sequential: &mut [Box<dyn AnySequential>],
    ) {
        let mut matched = false;
        for (number, chain) in epoch.chains.iter().enumerate().skip(place.from) {
            if !chain.wants(&view.header) || chain.fallback && matched {
                continue;
            }
            matched = true;
            let account = self.partial.counts.request(number, view.header.id);
            *if place.created { &mut account.created } else { &mut account.matched } += 1;
            if chain.in_fold && !place.fold {
                // Broken banks are found here: the fold knows no offsets.
                if self.walk(epoch, place, number, &view) {
                    self.partial.defer_raw(
                        &self.board,
                        To { chain: number, stage: 0, number: place.number },
                        view,
                    );
                }
                continue;
            }
            self.chain(epoch, place, number, 0, view, view, sequential);
            if !self.notes.queue.get_mut().is_empty() {
                self.queued(epoch, place, number, sequential);
            }
        }
        if !matched && !place.created {
            self.partial.counts.id(view.header.id).unrequested += 1;
        }
    }

    /// Offers the events that modules of chain `number` have made to the later chains.
    #[cold]
    fn queued(
        &mut self,
        epoch: &Epoch,
        place: Place,
        number: usize,
        sequential: &mut [Box<dyn AnySequential>],
    ) {
        for new in self.notes.queue.take() {
            let bytes = new.encode();
            if let Some((view, _)) = EventView::parse(&bytes) {
                let place = Place { from: number + 1, created: true, ..place };
                self.offer(epoch, place, view, sequential);
            }
        }
    }

    /// Finds the banks of an event; `false` if they are broken, which is counted.
    #[inline]
    fn walk(&mut self, epoch: &Epoch, place: Place, number: usize, view: &EventView<'_>) -> bool {
        if epoch.chains[number].fixed(view.header.id).is_some() {
            self.index.clear();
            return true;
        }
        match self.index.walk(view) {
            Ok(()) => true,
            Err(kind) => {
                self.broken(place, number, view, kind);
                false
            }
        }
    }

    /// Counts an event whose banks are broken.
    #[cold]
    fn broken(&mut self, place: Place, number: usize, view: &EventView<'_>, kind: DamageKind) {
        let counts = &mut self.partial.counts;
        let account = counts.request(number, view.header.id);
        *if place.created { &mut account.created } else { &mut account.matched } -= 1;
        // Counted once, however many requests want the event.
        if !place.created && counts.damage.last().is_none_or(|d| d.event != place.number) {
            let id = counts.id(view.header.id);
            id.damaged += 1;
            id.delivered -= 1;
            counts.damage.push(BadBanks {
                id: view.header.id,
                serial: view.header.serial,
                event: place.number,
                offset: place.offset,
                kind,
            });
        }
    }

    /// Passes an event through chain `number` from stage `from` on.
    #[allow(clippy::too_many_arguments, reason = "one call each from the two ways into a chain")]
    fn chain(
        &mut self,
        epoch: &Epoch,
        place: Place,
        number: usize,
        from: usize,
        view: EventView<'_>,
        original: EventView<'_>,
        sequential: &mut [Box<dyn AnySequential>],
    ) {
        if !self.walk(epoch, place, number, &view) {
            return;
        }
        let chain = &epoch.chains[number];
        let fixed = chain.fixed(view.header.id).is_some();
        let Worker { arena, index, notes, board, fills, clock, partial, columns, .. } = self;
        arena.reset();
        *clock = clock.wrapping_add(1);
        let timed = *clock % TIMED == 1;
        let event = Event::new(view, original, index, fixed, arena);
        forget_place();
        let mut context = Context {
            run: &epoch.run,
            epoch: epoch.number,
            board,
            fills,
            notes,
            stage: 0,
            header: view.header,
        };
        // The stage in hand, for when it panics.
        let at = Cell::new(from);
        let mut failed = None;
        let mut stages = || {
            for (i, stage) in chain.stages.iter().enumerate().skip(from) {
                if !stage.on {
                    continue;
                }
                at.set(i);
                if matches!(stage.body, Body::Sequential(_)) && !place.fold {
                    return End::Deferred;
                }
                context.stage = stage.number;
                let account = &mut partial.counts.stages[stage.number as usize];
                account.entered += 1;
                let verdict = if timed || epoch.watch.is_some() {
                    closely(epoch, stage, place, &event, &context, sequential, partial)
                } else {
                    stage.event(&event, &context, sequential)
                };
                if !notes.messages.borrow().is_empty() {
                    messages(place, stage.number, notes, partial);
                }
                match verdict {
                    Ok(Verdict::Keep) => {}
                    Ok(Verdict::Skip) => return End::Skipped,
                    Err(reason) => {
                        failed = Some(reason);
                        return End::Lost;
                    }
                }
            }
            End::Kept
        };
        // Whatever a panicking module leaves half done is its own: events are append-only, and the
        // event is dropped.
        let end = match catch_unwind(AssertUnwindSafe(&mut stages)) {
            Ok(end) => end,
            Err(panic) => {
                failed = Some(event_panic_text(&*panic).into());
                End::Lost
            }
        };
        let stage = || &chain.stages[at.get()];
        match end {
            End::Kept => {}
            End::Lost => {
                if !notes.messages.borrow().is_empty() {
                    // It had something to say before it panicked.
                    messages(place, stage().number, notes, partial);
                }
                // What a lost event would have brought about is lost with it.
                notes.queue.borrow_mut().clear();
                partial.counts.stages[stage().number as usize].failed += 1;
                if let Some(reason) = failed {
                    partial.counts.lose(number, failure(&stage().name, &view, place, &reason));
                }
                return;
            }
            End::Deferred => {
                let to = To { chain: number, stage: at.get(), number: place.number };
                if let Err(error) = partial.defer(board, to, &event, original) {
                    partial.counts.lose(number, failure(&stage().name, &view, place, &error.into()));
                }
                return;
            }
            End::Skipped => {
                partial.counts.stages[stage().number as usize].skipped += 1;
                partial.counts.request(number, view.header.id).skipped += 1;
                return;
            }
        }
        if !chain.automatic.is_empty() {
            event.rename(&[]);
            chain.automatic.iter().for_each(|automatic| automatic.fill(&event, fills));
        }
        let written = emit::write(epoch, chain, number, &event, original, partial, columns);
        match written {
            Ok(()) => {
                partial.counts.request(number, view.header.id).kept += 1;
                if chain.use_tests && board.has_tests() {
                    board.keep();
                }
                if let Some(copies) = &epoch.copies
                    && copies.are_wanted(number)
                {
                    copy(place, number, &event, &original, partial);
                }
            }
            Err(reason) => {
                partial.counts.lose(number, failure(&chain.name, &view, place, &reason));
            }
        }
    }
}

/// When the work on a block is broken off.
#[derive(Clone, Copy)]
pub(crate) enum Until<'s> {
    /// When the job is to stop.
    Asked(&'s [Stop]),
    /// Before this number.
    Number(u64),
}

impl Until<'_> {
    #[inline]
    fn is_before(self, number: u64) -> bool {
        match self {
            Until::Asked(stops) => stops.iter().any(Stop::is_asked),
            Until::Number(end) => number >= end,
        }
    }
}

/// How the stages let go of an event.
enum End {
    Kept,
    Skipped,
    /// Before a sequential stage.
    Deferred,
    Lost,
}

/// Passes an event through a stage, and takes the time or looks at what the stage does.
#[inline(never)]
fn closely<'a>(
    epoch: &Epoch,
    stage: &'a Stage,
    place: Place,
    event: &Event<'a>,
    context: &Context<'_>,
    sequential: &mut [Box<dyn AnySequential>],
    partial: &mut Partial,
) -> Result<Verdict> {
    let watch = epoch.watch.as_ref();
    let reads = watch.map(|watch| &watch.reads[stage.number as usize]);
    let entry = reads.map(|reads| Entry::new(reads, place.number, event, context.notes));
    let queued = context.notes.queue.borrow().len();
    let made = allocations();
    let start = Instant::now();
    let verdict = guarded_event(|| stage.event(event, context, sequential));
    let account = &mut partial.counts.stages[stage.number as usize];
    account.timed += 1;
    account.nanos += start.elapsed().as_nanos() as u64;
    let allocated = allocations() - made;
    if let Some(entry) = entry {
        partial.watched.push(entry.seen(stage.number, event, &verdict, context.notes));
    }
    if let Some(log) = watch.and_then(|watch| watch.log.as_ref()) {
        log.add((stage.number, event), &verdict, (context.notes, queued), allocated);
    }
    verdict
}

/// Copies an event for the ODB, unless the block has one of the same request.
#[cold]
fn copy(place: Place, chain: usize, event: &Event<'_>, original: &EventView<'_>, partial: &mut Partial) {
    if partial.copies.iter().all(|copy| copy.chain != chain) {
        partial.copies.extend(Copy::new(chain, place.number, event, original));
    }
}

/// Takes the messages of a stage.
#[cold]
fn messages(place: Place, stage: u32, notes: &Notes, partial: &mut Partial) {
    let texts = notes.messages.take();
    let messages = texts.into_iter().map(|text| Message { event: place.number, stage, text });
    partial.counts.messages.extend(messages);
}

#[cold]
fn failure(stage: &str, view: &EventView<'_>, place: Place, reason: &BoxError) -> Failure {
    Failure {
        stage: stage.to_owned(),
        id: view.header.id,
        serial: view.header.serial,
        event: place.number,
        reason: module::reason(reason),
    }
}
