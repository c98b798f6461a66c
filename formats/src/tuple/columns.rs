//! The columns of one block of events.

use std::collections::HashMap;
use std::fmt;
use std::mem;
use std::ops::Range;
use std::sync::Arc;

use arrow_array::{Array, ArrayRef, BooleanArray, ListArray, StructArray};
use arrow_buffer::{OffsetBuffer, ScalarBuffer};
use arrow_schema::{ArrowError, Field as Column, Fields};
use arrow_select::filter::filter;

use super::cells::{Cells, MemberCells, to_nul, without_nuls};
use super::refused::{Refusal, Refused};
use super::rows::{Present, Row};
use super::schema::MAX_COLUMNS;
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
    head: Vec<Row>,
    /// Bytes that every row costs, whatever it holds.
    row_weight: usize,
    fixed: Option<Fixed>,
    /// Banks that were met so far: they stay from block to block.
    banks: Vec<BankColumn>,
    index: HashMap<BankName, usize>,
    /// Those that this block has, in order of appearance.
    met: Vec<usize>,
    refused: Vec<Refused>,
}

impl Columns {
    /// Empty columns for a table.
    pub fn new(def: &Arc<TableDef>) -> Columns {
        let mut columns = Columns {
            def: Arc::clone(def),
            head: Vec::new(),
            row_weight: row_weight(def),
            fixed: def.fixed.as_ref().map(Fixed::new),
            banks: Vec::new(),
            index: HashMap::new(),
            met: Vec::new(),
            refused: Vec::new(),
        };
        for bank in &def.banks {
            columns.book(bank.name);
        }
        columns
    }

    /// Forgets all rows.
    pub fn clear(&mut self) {
        drop(self.finish());
    }

    /// Adds an event of banks as a row.
    pub fn push<'a>(
        &mut self,
        run: u32,
        epoch: u32,
        header: &Header,
        banks: impl IntoIterator<Item = Bank<'a>>,
    ) {
        let row = self.head.len() as u32;
        let mut weight = self.row_weight;
        // Events of one kind hold their banks in one order: the next bank is the next column.
        let mut next = 0;
        for bank in banks {
            let i = match self.banks.get(next) {
                Some(column) if column.name == bank.name => next,
                _ => self.find(bank.name, next),
            };
            next = i + 1;
            let column = &mut self.banks[i];
            if column.last == Some(row) {
                continue;
            }
            if column.last.is_none() {
                self.met.push(i);
            }
            column.last = Some(row);
            weight = weight.saturating_add(bank.data.len());
            if let Err(reason) = column.push(row, &bank, &self.def) {
                let bank = Some(bank.name);
                self.refused.push(Refused { row: row as usize, run, serial: header.serial, bank, reason });
            }
        }
        self.head.push(head(run, epoch, header, weight));
    }

    /// Adds a FIXED event as a row. Members that `payload` does not hold are null. If no members
    /// are known, all of it goes to the column `payload`.
    ///
    /// A table without [`fixed`](TableDef::fixed) keeps the header only.
    pub fn push_fixed(&mut self, run: u32, epoch: u32, header: &Header, payload: &[u8]) {
        let row = self.head.len() as u32;
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
        self.head.push(head(run, epoch, header, weight));
    }

    /// Number of rows so far.
    pub fn rows(&self) -> usize {
        self.head.len()
    }

    /// The rows as arrays. What stays is empty, ready for the next block.
    pub fn finish(&mut self) -> Batch {
        let mut columns = Vec::with_capacity(self.met.len());
        if let Some(fixed) = &mut self.fixed {
            columns.extend(mem::replace(fixed, fixed.anew()).finish());
        }
        columns.extend(self.met.drain(..).map(|i| self.banks[i].finish()));
        // Broken data have new names without end.
        if self.banks.len() > MAX_COLUMNS {
            self.banks.clear();
            self.index.clear();
        }
        // The next block will be like this one.
        let head = Vec::with_capacity(self.head.len());
        Batch {
            head: Arc::new(mem::replace(&mut self.head, head)),
            columns,
            refused: mem::take(&mut self.refused),
        }
    }

    /// The column of a bank, which is perhaps one of those behind `next`: banks are left out more
    /// often than they change places.
    fn find(&mut self, name: BankName, next: usize) -> usize {
        const NEAR: usize = 8;
        let near = self.banks.iter().skip(next).take(NEAR).position(|column| column.name == name);
        near.map_or_else(|| self.book(name), |i| next + i)
    }

    fn book(&mut self, name: BankName) -> usize {
        *self.index.entry(name).or_insert_with(|| {
            self.banks.push(BankColumn::new(name));
            self.banks.len() - 1
        })
    }
}

fn head(run: u32, epoch: u32, header: &Header, weight: usize) -> Row {
    let Header { serial, time, mask, .. } = *header;
    Row { run, serial, time, epoch, mask, weight: u32::try_from(weight).unwrap_or(u32::MAX) }
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
    pub(super) head: Arc<Vec<Row>>,
    pub(super) columns: Vec<BatchColumn>,
    pub(super) refused: Vec<Refused>,
}

impl Batch {
    /// Number of rows.
    pub fn rows(&self) -> usize {
        self.head.len()
    }

    /// Bytes of memory that it holds.
    pub fn memory(&self) -> usize {
        let sparse = self.columns.iter().flat_map(|column| &column.variants).map(|(_, sparse)| sparse);
        let values = sparse.map(|s| s.values.get_array_memory_size() + s.rows.memory());
        values.sum::<usize>() + self.head.capacity() * size_of::<Row>()
    }

    /// The first `rows` rows, and the others.
    pub(super) fn split(mut self, rows: usize) -> (Batch, Batch) {
        let (now, then) = self.head.split_at(rows);
        let head = Arc::new(now.to_vec());
        let mut later = Batch { head: Arc::new(then.to_vec()), columns: Vec::new(), refused: Vec::new() };
        self.head = head;
        (self.refused, later.refused) = self.refused.into_iter().partition(|refused| refused.row < rows);
        later.refused.iter_mut().for_each(|refused| refused.row -= rows);
        let columns = mem::take(&mut self.columns);
        for BatchColumn { key, variants } in columns {
            let (mut first, mut second) = (Vec::new(), Vec::new());
            for (code, sparse) in variants {
                let (at, end) = (sparse.rows.before(rows), sparse.rows.len());
                let part = |range: Range<usize>, by: i64| {
                    let values = sparse.values.slice(range.start, range.len());
                    let mut rows = Present::default();
                    rows.extend(&sparse.rows, range, by);
                    (code, Sparse { rows, values })
                };
                if at > 0 {
                    first.push(part(0..at, 0));
                }
                if at < end {
                    second.push(part(at..end, -(rows as i64)));
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
    pub(super) rows: Present,
    /// As long as `rows`, and without nulls.
    pub(super) values: ArrayRef,
}

impl Sparse {
    /// The values of which `keep` says so, by number.
    pub(super) fn keep(&self, keep: impl Fn(usize) -> bool) -> Result<Sparse, ArrowError> {
        let kept: Vec<bool> = (0..self.rows.len()).map(keep).collect();
        let rows = self.rows.iter().zip(&kept).filter(|(_, kept)| **kept).map(|(row, _)| row);
        Ok(Sparse {
            rows: Present::listed(rows.collect()),
            values: filter(&self.values, &BooleanArray::from(kept))?,
        })
    }
}

/// The members of FIXED events, or their payloads if no members are known.
struct Fixed {
    layout: Option<Arc<Layout>>,
    bytes: usize,
    members: Vec<(Present, MemberCells)>,
    payloads: (Present, Cells),
}

impl Fixed {
    fn new(layout: &Arc<Layout>) -> Fixed {
        let layout = usable(layout).map(Arc::clone);
        let members = layout.iter().flat_map(|layout| members(layout));
        let members = members.map(|field| (Present::default(), MemberCells::new(field))).collect();
        Fixed { layout, bytes: 0, members, payloads: (Present::default(), Cells::new(Tid::Array)) }
    }

    /// The same, empty, with room for as many.
    fn anew(&self) -> Fixed {
        let members = self.members.iter().map(|(_, member)| (Present::default(), member.anew())).collect();
        let payloads = (Present::default(), self.payloads.1.anew());
        Fixed { layout: self.layout.clone(), bytes: 0, members, payloads }
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

/// One bank.
struct BankColumn {
    name: BankName,
    /// The last row of this block that held the bank.
    last: Option<u32>,
    variants: Vec<Variant>,
    /// What the bank was in the last block that had it: empty, with room for as many.
    spare: Option<Variant>,
}

/// The values of a bank as long as it has one type.
struct Variant {
    code: u32,
    bytes: usize,
    rows: Present,
    values: Values,
}

enum Values {
    List { offsets: Vec<i32>, cells: Cells },
    Text { cells: Cells, tid: Tid },
    Bytes(Cells),
    Structs { layout: Arc<Layout>, many: bool, offsets: Vec<i32>, members: Vec<MemberCells> },
}

impl BankColumn {
    fn new(name: BankName) -> BankColumn {
        BankColumn { name, last: None, variants: Vec::new(), spare: None }
    }

    #[inline]
    fn push(&mut self, row: u32, bank: &Bank<'_>, def: &TableDef) -> Result<(), Refusal> {
        let code = base_code(bank.code);
        let i = match self.variants.first() {
            Some(first) if first.code == code => 0,
            _ => self.variant(code, def),
        };
        self.variants[i].push(row, bank)
    }

    fn variant(&mut self, code: u32, def: &TableDef) -> usize {
        self.variants.iter().position(|variant| variant.code == code).unwrap_or_else(|| {
            let spare = self.spare.take_if(|spare| spare.code == code);
            self.variants.push(spare.unwrap_or_else(|| Variant::new(code, def.bank(self.name))));
            self.variants.len() - 1
        })
    }

    /// The values of this block.
    fn finish(&mut self) -> BatchColumn {
        self.last = None;
        self.spare = self.variants.first().map(Variant::anew);
        let variants = self.variants.drain(..).map(|v| (v.code, v.finish())).collect();
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
        Variant { code, bytes: 0, rows: Present::default(), values }
    }

    /// The same, empty, with room for as many.
    fn anew(&self) -> Variant {
        let empty = |offsets: &Vec<i32>| {
            let mut empty = Vec::with_capacity(offsets.len());
            empty.push(0);
            empty
        };
        let values = match &self.values {
            Values::List { offsets, cells } => Values::List { offsets: empty(offsets), cells: cells.anew() },
            Values::Text { cells, tid } => Values::Text { cells: cells.anew(), tid: *tid },
            Values::Bytes(cells) => Values::Bytes(cells.anew()),
            Values::Structs { layout, many, offsets, members } => {
                let members = members.iter().map(MemberCells::anew).collect();
                Values::Structs { layout: Arc::clone(layout), many: *many, offsets: empty(offsets), members }
            }
        };
        Variant { code: self.code, bytes: 0, rows: Present::default(), values }
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
