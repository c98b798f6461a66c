//! The event as a module sees it: raw banks in place, appended banks in an arena.

use std::cell::Cell;
use std::fmt;

use bumpalo::Bump;
use pactolus_formats::mid::layout::{Area, BankKind, Banks as Walk};
use pactolus_formats::{Bank, BankDef, BankName, DamageKind, Element, EventView, Header, Order, Tid, Values};

/// Why a bank was not appended.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AppendError {
    /// Events are append-only: what exists is never changed.
    #[error(
        "bank {0} cannot be appended: the event has one of that name, which is never changed: give the new one another name"
    )]
    Exists(BankName),
    /// A FIXED event is one structure and has no banks.
    #[error(
        "bank {0} cannot be appended: the event is in FIXED format and has no banks: put it into a new one, with Context::queue"
    )]
    Fixed(BankName),
}

/// Where a raw bank lies in the payload.
#[derive(Clone, Copy, Debug)]
struct Slot {
    name: BankName,
    code: u32,
    start: u32,
    len: u32,
}

/// The raw banks of one event: where they lie. Reused from event to event.
#[derive(Debug, Default)]
pub(crate) struct Index {
    slots: Vec<Slot>,
    order: Order,
    kind: Option<BankKind>,
    /// The banks stand in the event as they are written: little-endian, nothing between or behind them.
    packed: bool,
}

impl Index {
    /// Walks the banks of `event`.
    pub(crate) fn walk(&mut self, event: &EventView<'_>) -> Result<(), DamageKind> {
        self.slots.clear();
        let mut walk: Walk<'_> = event.banks();
        let Some(area) = walk.area() else {
            (self.order, self.kind, self.packed) = (Order::Little, None, false);
            return walk.try_for_each(|bank| bank.map(drop));
        };
        if !area.is_plausible() {
            return Err(DamageKind::AreaFlags { flags: area.flags });
        }
        let kind = area.kind();
        (self.order, self.kind) = (area.order, Some(kind));
        // Padding may hold anything.
        let mut odd = 0;
        let mut end = Area::SIZE;
        let payload = event.payload.as_ptr() as usize;
        for bank in walk {
            let bank = bank?;
            let (start, len) = (bank.data.as_ptr() as usize - payload, bank.data.len());
            odd |= len & 7 | (start ^ (end + kind.header_size()));
            end = start + len;
            self.slots.push(Slot { name: bank.name, code: bank.code, start: start as u32, len: len as u32 });
        }
        // The longest headers have a field that may hold anything, too.
        let plain = area.order == Order::Little && kind != BankKind::Bank32A;
        self.packed = plain && odd == 0 && end == event.payload.len();
        Ok(())
    }

    /// Forgets the banks: the event is a FIXED structure.
    pub(crate) fn clear(&mut self) {
        self.slots.clear();
        (self.kind, self.packed) = (None, false);
    }
}

/// An appended bank and the one after it.
struct Appended<'a> {
    bank: Bank<'a>,
    next: Cell<Option<&'a Appended<'a>>>,
}

/// One event on its way through a chain.
///
/// Raw banks stay where they were read; appended banks go to an arena, so views never move and
/// both [`get`](Event::get) and [`append`](Event::append) take `&self`. What exists is never
/// changed. Where a name occurs twice, the first bank counts, as in MIDAS.
pub struct Event<'a> {
    view: EventView<'a>,
    /// As it was read: `view` may hold banks that were appended before the event was deferred.
    original: EventView<'a>,
    index: &'a Index,
    fixed: bool,
    arena: &'a Bump,
    first: Cell<Option<&'a Appended<'a>>>,
    last: Cell<Option<&'a Appended<'a>>>,
    /// The mount's own names for banks: (as the module says, as in the event).
    names: Cell<&'a [(BankName, BankName)]>,
}

impl fmt::Debug for Event<'_> {
    /// Its header, and its banks with their types and lengths.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bank = |bank: Bank<'_>| format!("{}: {}[{}]", bank.name, bank.type_name(), bank.len());
        let banks: Vec<String> = self.banks().map(bank).collect();
        f.debug_struct("Event").field("header", self.header()).field("banks", &banks).finish()
    }
}

impl<'a> Event<'a> {
    pub(crate) fn new(
        view: EventView<'a>,
        original: EventView<'a>,
        index: &'a Index,
        fixed: bool,
        arena: &'a Bump,
    ) -> Event<'a> {
        Event {
            view,
            original,
            index,
            fixed,
            arena,
            first: Cell::new(None),
            last: Cell::new(None),
            names: Cell::new(&[]),
        }
    }

    /// From here on, the module's bank names stand for others.
    #[inline]
    pub(crate) fn rename(&self, names: &'a [(BankName, BankName)]) {
        self.names.set(names);
    }

    #[inline]
    fn named(&self, name: BankName) -> BankName {
        let names = self.names.get();
        names.iter().find(|(own, _)| *own == name).map_or(name, |(_, mounted)| *mounted)
    }

    /// The header.
    #[inline]
    pub fn header(&self) -> &Header {
        &self.view.header
    }

    /// Event id.
    #[inline]
    pub fn id(&self) -> u16 {
        self.view.header.id
    }

    /// Serial number; counts from 0 in each run, for each event id.
    #[inline]
    pub fn serial(&self) -> u32 {
        self.view.header.serial
    }

    /// Trigger mask.
    #[inline]
    pub fn mask(&self) -> u16 {
        self.view.header.mask
    }

    /// Time stamp [Unix seconds].
    #[inline]
    pub fn time(&self) -> u32 {
        self.view.header.time
    }

    /// The event as it was read.
    pub fn raw(&self) -> EventView<'a> {
        self.original
    }

    /// The contents of a FIXED event as a `#[derive(Bank)]` struct; `None` if the event has banks,
    /// or is smaller than the struct.
    pub fn fixed<T: Element>(&self) -> Option<T> {
        let bytes = self.view.payload.get(..T::SIZE)?;
        self.fixed.then(|| T::read(bytes, Order::Little))
    }

    /// Whether this is a FIXED event: one structure, no banks.
    #[inline]
    pub fn is_fixed(&self) -> bool {
        self.fixed
    }

    /// The elements of bank `def`, `None` if the event has no such bank.
    ///
    /// # Errors
    /// [`WrongType`](pactolus_formats::WrongType) if the bank holds another type.
    #[inline]
    pub fn get<T: Element>(
        &self,
        def: BankDef<T>,
    ) -> Result<Option<Values<'a, T>>, pactolus_formats::WrongType> {
        self.find(self.named(def.name())).map(|bank| bank.values()).transpose()
    }

    /// The first bank of this name.
    #[inline]
    pub fn bank(&self, name: BankName) -> Option<Bank<'a>> {
        self.find(self.named(name))
    }

    #[inline]
    fn find(&self, name: BankName) -> Option<Bank<'a>> {
        if let Some(slot) = self.index.slots.iter().find(|s| s.name == name) {
            return Some(self.raw_bank(slot));
        }
        self.entries().find(|bank| bank.name == name).copied()
    }

    #[inline]
    fn raw_bank(&self, slot: &Slot) -> Bank<'a> {
        let start = slot.start as usize;
        let data = &self.view.payload[start..start + slot.len as usize];
        Bank { name: slot.name, code: slot.code, data, order: self.index.order }
    }

    /// The raw banks, with their headers, if they may be written as they stand.
    #[inline]
    pub(crate) fn packed(&self) -> Option<&'a [u8]> {
        self.view.payload.get(Area::SIZE..).filter(|_| self.index.packed)
    }

    /// All banks: raw ones in their order, then appended ones in theirs.
    pub fn banks(&self) -> impl Iterator<Item = Bank<'a>> + Clone + use<'a, '_> {
        self.index.slots.iter().map(|slot| self.raw_bank(slot)).chain(self.appended())
    }

    /// The banks that stages have appended, in their order.
    #[inline]
    pub(crate) fn appended(&self) -> impl Iterator<Item = Bank<'a>> + Clone + use<'a> {
        self.entries().copied()
    }

    /// The same where they lie: who looks for one copies no other.
    #[inline]
    fn entries(&self) -> impl Iterator<Item = &'a Bank<'a>> + Clone + use<'a> {
        let mut next = self.first.get();
        std::iter::from_fn(move || {
            let here = next?;
            next = here.next.get();
            Some(&here.bank)
        })
    }

    /// Whether a stage has appended a bank.
    #[inline]
    pub(crate) fn has_appended(&self) -> bool {
        self.first.get().is_some()
    }

    /// The kind of bank headers that the event was read with.
    #[inline]
    pub(crate) fn bank_kind(&self) -> BankKind {
        self.index.kind.unwrap_or(BankKind::Bank32)
    }

    /// Appends bank `def` with these elements.
    ///
    /// # Errors
    /// If the event has a bank of that name, or no banks at all because it is FIXED.
    pub fn append<T: Element>(&self, def: BankDef<T>, values: &[T]) -> Result<(), AppendError> {
        self.append_with(def, values.len(), |i| values[i])
    }

    /// Appends bank `def` of `len` elements, element `i` being `value(i)`. Nothing is allocated.
    ///
    /// # Errors
    /// If the event has a bank of that name, or no banks at all because it is FIXED.
    #[inline]
    pub fn append_with<T: Element>(
        &self,
        def: BankDef<T>,
        len: usize,
        mut value: impl FnMut(usize) -> T,
    ) -> Result<(), AppendError> {
        let name = self.appendable(def.name())?;
        let data = self.room(len * T::SIZE);
        for (i, slot) in data.chunks_exact_mut(T::SIZE).enumerate() {
            value(i).write(slot);
        }
        self.push(Bank { name, code: T::TID.code(), data, order: Order::Little });
        Ok(())
    }

    /// Appends a bank from bytes as they stand in a file, little-endian.
    ///
    /// # Errors
    /// If the event has a bank of that name, or no banks at all because it is FIXED.
    pub fn append_bytes(&self, name: BankName, tid: Tid, bytes: &[u8]) -> Result<(), AppendError> {
        let name = self.appendable(name)?;
        let data = self.arena.alloc_slice_copy(bytes);
        self.push(Bank { name, code: tid.code(), data, order: Order::Little });
        Ok(())
    }

    /// Memory of the arena. Most banks are small, and a few stores cost less than the call that clears
    /// any amount.
    #[inline]
    fn room(&self, bytes: usize) -> &'a mut [u8] {
        match bytes {
            0..=16 => &mut self.arena.alloc([0; 16])[..bytes],
            17..=32 => &mut self.arena.alloc([0; 32])[..bytes],
            _ => self.arena.alloc_slice_fill_copy(bytes, 0),
        }
    }

    #[inline]
    fn appendable(&self, name: BankName) -> Result<BankName, AppendError> {
        let name = self.named(name);
        if self.fixed {
            Err(AppendError::Fixed(name))
        } else if self.find(name).is_some() {
            Err(AppendError::Exists(name))
        } else {
            Ok(name)
        }
    }

    #[inline]
    fn push(&self, bank: Bank<'a>) {
        let entry: &'a Appended<'a> = self.arena.alloc(Appended { bank, next: Cell::new(None) });
        match self.last.replace(Some(entry)) {
            Some(last) => last.next.set(Some(entry)),
            None => self.first.set(Some(entry)),
        }
    }
}
