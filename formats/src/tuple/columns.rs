//! The columns of one block of events.

use std::collections::HashMap;
use std::fmt;
use std::mem;
use std::sync::Arc;

use arrow_array::{Array, ArrayRef, BooleanArray, ListArray, StructArray};
use arrow_buffer::{OffsetBuffer, ScalarBuffer};
use arrow_schema::{ArrowError, Field as Column, Fields};
use arrow_select::filter::filter;

use super::cells::{Cells, MemberCells, to_nul, without_nuls};
use super::refused::{Refusal, Refused};
use super::shape::{Shape, bare_size, element, members, struct_fields, usable};
use super::writer::CHUNK_BYTES;
use super::{ColumnDef, TableDef};
use crate::{Bank, BankName, Header, Layout, Order, Tid};

/// The most bytes of one bank in one batch: Arrow counts them in 32 bits, and a chunk of rows may
/// hold other rows before the largest possible one.
const MAX_BYTES: usize = i32::MAX as usize - CHUNK_BYTES as usize;

/// Turns events into the rows of a [`Batch`]. One per worker and table.
///
/// Memory follows from what is pushed; a bank costs nothing in rows that do not hold it.
pub struct Columns {
    def: Arc<TableDef>,
    head: Head,
    weights: Vec<u32>,
    /// Bytes that every row costs, whatever it holds.
    row_weight: usize,
    fixed: Option<Fixed>,
    banks: Vec<BankColumn>,
    index: HashMap<BankName, usize>,
    refused: Vec<Refused>,
}

impl Columns {
    /// Empty columns for a table.
    pub fn new(def: &Arc<TableDef>) -> Columns {
        let mut columns = Columns {
            def: Arc::clone(def),
            head: Head::default(),
            weights: Vec::new(),
            row_weight: row_weight(def),
            fixed: None,
            banks: Vec::new(),
            index: HashMap::new(),
            refused: Vec::new(),
        };
        columns.clear();
        columns
    }

    /// Forgets all rows.
    pub fn clear(&mut self) {
        self.head = Head::default();
        self.weights.clear();
        self.fixed = self.def.fixed.as_ref().map(Fixed::new);
        self.banks.clear();
        self.index.clear();
        self.refused.clear();
        let def = Arc::clone(&self.def);
        for bank in &def.banks {
            self.book(bank.name);
        }
    }

    /// Adds an event of banks as a row.
    pub fn push<'a>(
        &mut self,
        run: u32,
        epoch: u32,
        header: &Header,
        banks: impl IntoIterator<Item = Bank<'a>>,
    ) {
        let row = self.head.push(run, epoch, header);
        let mut weight = self.row_weight;
        // Events of one kind hold their banks in one order: the next bank is the next column.
        let mut next = 0;
        for bank in banks {
            let i = match self.banks.get(next) {
                Some(column) if column.name == bank.name => next,
                _ => self.book(bank.name),
            };
            next = i + 1;
            let column = &mut self.banks[i];
            if column.last == Some(row) {
                continue;
            }
            column.last = Some(row);
            weight = weight.saturating_add(bank.data.len());
            if let Err(reason) = column.push(row, &bank, &self.def) {
                let bank = Some(bank.name);
                self.refused.push(Refused { row: row as usize, run, serial: header.serial, bank, reason });
            }
        }
        self.weights.push(u32::try_from(weight).unwrap_or(u32::MAX));
    }

    /// Adds a FIXED event as a row. Members that `payload` does not hold are null. If no members
    /// are known, all of it goes to the column `payload`.
    ///
    /// A table without [`fixed`](TableDef::fixed) keeps the header only.
    pub fn push_fixed(&mut self, run: u32, epoch: u32, header: &Header, payload: &[u8]) {
        let row = self.head.push(run, epoch, header);
        let mut weight = self.row_weight;
        if let Some(fixed) = &mut self.fixed {
            if fixed.layout.is_none() {
                weight = weight.saturating_add(payload.len());
            }
            if let Err(reason) = fixed.push(row, payload) {
                let refused = Refused { row: row as usize, run, serial: header.serial, bank: None, reason };
                self.refused.push(refused);
            }
        }
        self.weights.push(u32::try_from(weight).unwrap_or(u32::MAX));
    }

    /// Number of rows so far.
    pub fn rows(&self) -> usize {
        self.weights.len()
    }

    /// The rows as arrays. What stays is empty, ready for the next block.
    pub fn finish(&mut self) -> Batch {
        let mut columns = Vec::new();
        if let Some(fixed) = self.fixed.take() {
            columns.extend(fixed.finish());
        }
        columns.extend(mem::take(&mut self.banks).into_iter().map(BankColumn::finish));
        let batch = Batch {
            head: mem::take(&mut self.head),
            weights: mem::take(&mut self.weights),
            columns,
            refused: mem::take(&mut self.refused),
        };
        self.clear();
        batch
    }

    fn book(&mut self, name: BankName) -> usize {
        *self.index.entry(name).or_insert_with(|| {
            self.banks.push(BankColumn { name, last: None, variants: Vec::new() });
            self.banks.len() - 1
        })
    }
}

impl fmt::Debug for Columns {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Columns")
            .field("table", &self.def.name)
            .field("rows", &self.rows())
            .finish_non_exhaustive()
    }
}

/// The rows of one block, for [`TableWriter::write`](super::TableWriter::write).
#[derive(Clone)]
pub struct Batch {
    pub(super) head: Head,
    /// Bytes of each row, from which pages and row groups follow.
    pub(super) weights: Vec<u32>,
    pub(super) columns: Vec<BatchColumn>,
    pub(super) refused: Vec<Refused>,
}

impl Batch {
    /// Number of rows.
    pub fn rows(&self) -> usize {
        self.weights.len()
    }

    /// Bytes of memory that it holds.
    pub fn memory(&self) -> usize {
        let sparse = self.columns.iter().flat_map(|column| &column.variants).map(|(_, sparse)| sparse);
        let values = sparse.map(|s| s.values.get_array_memory_size() + s.rows.capacity() * size_of::<u32>());
        // Each row has its weight and the columns that every table has.
        values.sum::<usize>() + self.weights.capacity() * 6 * size_of::<u32>()
    }

    /// The first `rows` rows, and the others.
    pub(super) fn split(mut self, rows: usize) -> (Batch, Batch) {
        let mut later = Batch {
            head: self.head.split_off(rows),
            weights: self.weights.split_off(rows),
            columns: Vec::new(),
            refused: Vec::new(),
        };
        (self.refused, later.refused) = self.refused.into_iter().partition(|refused| refused.row < rows);
        later.refused.iter_mut().for_each(|refused| refused.row -= rows);
        let columns = mem::take(&mut self.columns);
        for BatchColumn { key, variants } in columns {
            let (mut first, mut second) = (Vec::new(), Vec::new());
            for (code, sparse) in variants {
                let at = sparse.rows.partition_point(|&row| (row as usize) < rows);
                let (now, then) =
                    (sparse.values.slice(0, at), sparse.values.slice(at, sparse.rows.len() - at));
                if at > 0 {
                    first.push((code, Sparse { rows: sparse.rows[..at].to_vec(), values: now }));
                }
                if at < sparse.rows.len() {
                    let rows = sparse.rows[at..].iter().map(|&row| row - rows as u32).collect();
                    second.push((code, Sparse { rows, values: then }));
                }
            }
            self.columns.push(BatchColumn { key, variants: first });
            later.columns.push(BatchColumn { key, variants: second });
        }
        (self, later)
    }
}

impl fmt::Debug for Batch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Batch").field("rows", &self.rows()).field("columns", &self.columns.len()).finish()
    }
}

/// What a column holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Key {
    /// This member of a FIXED event.
    Member(usize),
    /// This bank.
    Bank(BankName),
}

/// One column in a batch: an array for each type that the bank has there, in order of appearance.
/// Which of them is right is known only where all batches meet.
#[derive(Clone)]
pub(super) struct BatchColumn {
    pub(super) key: Key,
    pub(super) variants: Vec<(u32, Sparse)>,
}

/// Values and the rows that they belong to, in order. All other rows are null.
#[derive(Clone)]
pub(super) struct Sparse {
    pub(super) rows: Vec<u32>,
    /// As long as `rows`, and without nulls.
    pub(super) values: ArrayRef,
}

impl Sparse {
    /// The values of which `keep` says so, by number.
    pub(super) fn keep(&self, keep: impl Fn(usize) -> bool) -> Result<Sparse, ArrowError> {
        let kept: Vec<bool> = (0..self.rows.len()).map(keep).collect();
        let rows = self.rows.iter().zip(&kept).filter(|(_, kept)| **kept).map(|(row, _)| *row).collect();
        Ok(Sparse { rows, values: filter(&self.values, &BooleanArray::from(kept))? })
    }
}

/// The columns that every table has.
#[derive(Clone, Default)]
pub(super) struct Head {
    pub(super) run: Vec<u32>,
    pub(super) serial: Vec<u32>,
    pub(super) time: Vec<u32>,
    pub(super) mask: Vec<u16>,
    pub(super) epoch: Vec<u32>,
}

impl Head {
    fn push(&mut self, run: u32, epoch: u32, header: &Header) -> u32 {
        let row = self.run.len() as u32;
        self.run.push(run);
        self.serial.push(header.serial);
        self.time.push(header.time);
        self.mask.push(header.mask);
        self.epoch.push(epoch);
        row
    }

    fn split_off(&mut self, at: usize) -> Head {
        Head {
            run: self.run.split_off(at),
            serial: self.serial.split_off(at),
            time: self.time.split_off(at),
            mask: self.mask.split_off(at),
            epoch: self.epoch.split_off(at),
        }
    }
}

/// The members of FIXED events, or their payloads if no members are known.
struct Fixed {
    layout: Option<Arc<Layout>>,
    bytes: usize,
    members: Vec<(Vec<u32>, MemberCells)>,
    payloads: (Vec<u32>, Cells),
}

impl Fixed {
    fn new(layout: &Arc<Layout>) -> Fixed {
        let layout = usable(layout).map(Arc::clone);
        let members = layout.iter().flat_map(|layout| members(layout));
        let members = members.map(|field| (Vec::new(), MemberCells::new(field))).collect();
        Fixed { layout, bytes: 0, members, payloads: (Vec::new(), Cells::new(Tid::Array)) }
    }

    fn push(&mut self, row: u32, payload: &[u8]) -> Result<(), Refusal> {
        let size = self.layout.as_ref().map_or(payload.len(), |layout| layout.size());
        if self.bytes.saturating_add(size) > MAX_BYTES {
            return Err(Refusal::Full);
        }
        self.bytes += size;
        let Some(layout) = &self.layout else {
            self.payloads.0.push(row);
            self.payloads.1.extend(payload, Order::Little);
            return Ok(());
        };
        for (rows, member) in &mut self.members {
            let data = layout.slice(member.field(), payload);
            if data.len() == member.field().size() {
                rows.push(row);
                member.push(data, Order::Little);
            }
        }
        if payload.len() < bare_size(layout) {
            return Err(Refusal::Size { wanted: layout.size(), found: payload.len() });
        }
        Ok(())
    }

    fn finish(self) -> impl Iterator<Item = BatchColumn> {
        let column = |i, code, rows, values| BatchColumn {
            key: Key::Member(i),
            variants: vec![(code, Sparse { rows, values })],
        };
        let (rows, payloads) = self.payloads;
        let payloads = self.layout.is_none().then(|| column(0, Tid::Array.code(), rows, payloads.finish()));
        let members = self.members.into_iter().enumerate().map(move |(i, (rows, member))| {
            let code = member.field().tid.code();
            column(i, code, rows, member.finish())
        });
        members.chain(payloads)
    }
}

/// One bank in one block.
struct BankColumn {
    name: BankName,
    /// The last row that held the bank.
    last: Option<u32>,
    variants: Vec<Variant>,
}

/// The values of a bank as long as it has one type.
struct Variant {
    code: u32,
    bytes: usize,
    rows: Vec<u32>,
    values: Values,
}

enum Values {
    List { offsets: Vec<i32>, cells: Cells },
    Text { cells: Cells, tid: Tid },
    Bytes(Cells),
    Structs { layout: Arc<Layout>, many: bool, offsets: Vec<i32>, members: Vec<MemberCells> },
}

impl BankColumn {
    fn push(&mut self, row: u32, bank: &Bank<'_>, def: &TableDef) -> Result<(), Refusal> {
        let code = base_code(bank.code);
        let i = match self.variants.iter().position(|variant| variant.code == code) {
            Some(i) => i,
            None => {
                self.variants.push(Variant::new(code, def.bank(self.name)));
                self.variants.len() - 1
            }
        };
        self.variants[i].push(row, bank)
    }

    fn finish(self) -> BatchColumn {
        let variants = self.variants.into_iter().map(|v| (v.code, v.finish())).collect();
        BatchColumn { key: Key::Bank(self.name), variants }
    }
}

impl Variant {
    fn new(code: u32, def: Option<&ColumnDef>) -> Variant {
        let values = match Shape::of(code, def) {
            Shape::List(tid) => Values::List { offsets: vec![0], cells: Cells::new(tid) },
            Shape::Text => {
                let tid = Tid::from_bank_code(code).unwrap_or(Tid::String);
                Values::Text { cells: Cells::new(tid), tid }
            }
            Shape::Bytes => Values::Bytes(Cells::new(Tid::Array)),
            Shape::Struct { layout, many } => {
                let members = members(&layout).map(MemberCells::new).collect();
                Values::Structs { layout, many, offsets: vec![0], members }
            }
        };
        Variant { code, bytes: 0, rows: Vec::new(), values }
    }

    fn push(&mut self, row: u32, bank: &Bank<'_>) -> Result<(), Refusal> {
        if self.bytes.saturating_add(bank.data.len()) > MAX_BYTES {
            return Err(Refusal::Full);
        }
        self.bytes += bank.data.len();
        match &mut self.values {
            Values::List { offsets, cells } => {
                cells.extend(bank.data, bank.order);
                offsets.push(cells.len() as i32);
            }
            Values::Text { cells, tid: Tid::Char } => cells.extend(without_nuls(bank.data), bank.order),
            Values::Text { cells, .. } => cells.extend(to_nul(bank.data), bank.order),
            Values::Bytes(cells) => cells.extend(bank.data, bank.order),
            Values::Structs { layout, many, offsets, members } => {
                let (size, found) = (layout.size(), bank.data.len());
                // The last struct may come without its end padding.
                if ![0, bare_size(layout)].contains(&(found % size)) {
                    return Err(Refusal::Size { wanted: size, found });
                }
                let count = found.div_ceil(size);
                if count == 0 && !*many {
                    return Ok(());
                }
                for item in bank.data.chunks(size) {
                    for member in &mut *members {
                        member.push(layout.slice(member.field(), item), bank.order);
                    }
                }
                offsets.push(offsets[offsets.len() - 1] + count as i32);
            }
        }
        self.rows.push(row);
        Ok(())
    }

    fn finish(self) -> Sparse {
        let values: ArrayRef = match self.values {
            Values::List { offsets, cells } => list(offsets, cells.finish()),
            Values::Text { cells, .. } | Values::Bytes(cells) => cells.finish(),
            Values::Structs { layout, many, offsets, members } => {
                let structs = structs(&layout, members);
                let single = !many && structs.len() == self.rows.len();
                if single { structs } else { list(offsets, structs) }
            }
        };
        Sparse { rows: self.rows, values }
    }
}

fn list(offsets: Vec<i32>, values: ArrayRef) -> ArrayRef {
    let offsets = OffsetBuffer::new(ScalarBuffer::from(offsets));
    Arc::new(ListArray::new(element(values.data_type().clone()), offsets, values, None))
}

fn structs(layout: &Layout, members: Vec<MemberCells>) -> ArrayRef {
    let arrays: Vec<ArrayRef> = members.into_iter().map(MemberCells::finish).collect();
    // The types are those of the values: text may have come out as bytes.
    let fields: Fields = struct_fields(layout)
        .iter()
        .zip(&arrays)
        .map(|(field, array)| Column::new(field.name(), array.data_type().clone(), false))
        .collect();
    Arc::new(StructArray::new(fields, arrays, None))
}

/// The type of a bank without obsolete flags.
fn base_code(code: u32) -> u32 {
    code & 0xff
}

/// Header and, since a null struct takes the room of a struct, all structs.
fn row_weight(def: &TableDef) -> usize {
    let banks = def.banks.iter().filter(|bank| !bank.many).filter_map(|bank| usable(bank.layout.as_ref()?));
    let fixed = def.fixed.iter().filter_map(usable);
    banks.chain(fixed).fold(22, |sum, layout| sum.saturating_add(layout.size()))
}
