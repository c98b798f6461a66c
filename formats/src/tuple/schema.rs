//! The columns of a table, as far as they are known.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::{Array, ArrayRef, RecordBatch};
use arrow_schema::{ArrowError, DataType, Field, Schema, SchemaRef, TimeUnit};

use super::adapt::{adapt, join, narrow};
use super::columns::{Batch, BatchColumn, Key, Sparse};
use super::flat::{self, Leaf};
use super::pending::join_arrays;
use super::refused::{Refusal, Refused};
use super::rows::{Present, Row};
use super::shape::{Shape, free_name, member_type, members, usable};
use super::writer::CHUNK_ROWS;
use super::{TableDef, TableKind};
use crate::{Layout, Tid};

/// More banks than this in one table come from broken data: every column takes memory in the
/// writer. The largest experiments have some hundreds.
pub(super) const MAX_COLUMNS: usize = 4096;

/// A flat table gets no more columns than this for elements, of all banks together. Every column
/// costs some 10 kB in a Parquet writer.
pub(super) const MAX_ELEMENTS: usize = 1 << 16;

/// ... and a bank no more than this, unless more are declared: each costs every row a cell, and one
/// broken event must not make a table of 30,000 columns (measured: minutes, where it took a second).
pub(super) const MAX_UNDECLARED: usize = 1 << 10;

/// Values, nulls among them, that are spread over the columns of a flat table at a time.
const CELLS: usize = 1 << 22;

/// The names of the columns that every table has.
pub(super) const HEAD: [&str; 5] = ["run", "serial", "timestamp", "trigger_mask", "epoch"];

/// The name of the only column of FIXED events whose members nobody names.
const PAYLOAD: &str = "payload";

/// The columns of a table in the order of their booking. They grow, but none ever moves or goes.
pub(super) struct TableSchema {
    def: Arc<TableDef>,
    kind: TableKind,
    columns: Vec<Column>,
    index: HashMap<Key, usize>,
    plan: Arc<Plan>,
    /// Whether each element gets a column of its own, and how many of those are left.
    flat: Option<usize>,
    /// Whether `plan` lags behind `columns`.
    grown: bool,
    /// Whether the columns are written down already, so that none can grow.
    settled: bool,
}

/// One column behind the five of the head.
struct Column {
    name: String,
    /// The type of the bank: from its definition, or from the data if that is `settled`.
    code: u32,
    settled: bool,
    data_type: DataType,
    /// The type as long as no value makes it grow.
    natural: DataType,
    /// The members of its structs.
    layout: Option<Arc<Layout>>,
    /// Elements, or structs, that have a column in a flat table.
    width: usize,
}

/// The columns of a file.
#[derive(PartialEq)]
pub(super) struct Plan {
    pub(super) schema: SchemaRef,
    /// The same in list form.
    pub(super) list: SchemaRef,
    /// Of a flat table, where the values of the columns behind the head come from.
    pub(super) leaves: Option<Vec<Leaf>>,
}

impl Plan {
    /// The columns of a file in list form.
    pub(super) fn list(schema: SchemaRef) -> Plan {
        Plan { list: Arc::clone(&schema), schema, leaves: None }
    }

    /// Where the values of column `at` come from, if they are not those of a column in list form.
    pub(super) fn leaf(&self, at: usize) -> Option<&Leaf> {
        self.leaves.as_ref()?.get(at.checked_sub(HEAD.len())?)
    }

    /// Rows that are written at a time. It follows from the columns alone, so that equal tables
    /// are equal files.
    pub(super) fn rows(&self) -> usize {
        match &self.leaves {
            Some(leaves) => (CELLS / leaves.len().max(1)).clamp(1, CHUNK_ROWS),
            None => CHUNK_ROWS,
        }
    }

    /// Columns in list form as batches of the file.
    pub(super) fn batches(
        &self,
        arrays: Vec<ArrayRef>,
    ) -> impl Iterator<Item = Result<RecordBatch, ArrowError>> {
        let rows = arrays.first().map_or(0, |array| array.len());
        (0..rows).step_by(self.rows()).map(move |start| {
            let arrays = match &self.leaves {
                Some(leaves) => {
                    let slice = |array: &ArrayRef| array.slice(start, self.rows().min(rows - start));
                    flat::flatten(&arrays.iter().map(slice).collect::<Vec<_>>(), leaves)?
                }
                None => arrays.clone(),
            };
            RecordBatch::try_new(Arc::clone(&self.schema), arrays)
        })
    }
}

/// Rows of a batch whose columns are those of the table; `None` where a column is all null.
pub(super) struct Piece {
    pub(super) head: Arc<Vec<Row>>,
    pub(super) columns: Vec<Option<Sparse>>,
}

impl TableSchema {
    /// The columns that a table has from the start.
    pub(super) fn new(def: &Arc<TableDef>, kind: TableKind, flat: bool) -> TableSchema {
        let mut schema = TableSchema {
            def: Arc::clone(def),
            kind,
            columns: Vec::new(),
            index: HashMap::new(),
            plan: Arc::new(Plan::list(Arc::new(Schema::empty()))),
            flat: flat.then_some(MAX_ELEMENTS),
            grown: false,
            settled: false,
        };
        match def.fixed.as_ref().map(usable) {
            Some(Some(layout)) => {
                for (i, field) in members(layout).enumerate() {
                    let code = field.tid.code();
                    let at = schema.book(Key::Member(i), &field.name, code, member_type(field), None);
                    schema.declare(at, field.count);
                }
            }
            Some(None) => {
                schema.book(Key::Member(0), PAYLOAD, Tid::Array.code(), DataType::Binary, None);
            }
            None => {}
        }
        for bank in &def.banks {
            if !schema.index.contains_key(&Key::Bank(bank.name)) {
                let shape = Shape::of(bank.code, Some(bank));
                let code = bank.code & 0xff;
                let at = schema.book(
                    Key::Bank(bank.name),
                    &bank.name.to_string(),
                    code,
                    shape.data_type(),
                    shape.layout().cloned(),
                );
                let single = matches!(shape, Shape::Struct { many: false, .. });
                schema.declare(at, if single { 1 } else { bank.elements.unwrap_or(0) });
            }
        }
        schema.rebuild();
        schema
    }

    /// The columns of the file, as far as they are known.
    pub(super) fn plan(&self) -> &Arc<Plan> {
        &self.plan
    }

    /// From now on no column grows: values that do not fit are left out.
    pub(super) fn settle(&mut self) {
        self.settled = true;
    }

    /// Puts the columns of `batch` where the table has them, and grows the table for those that
    /// need it. Values of a type that is not the column's are left out and returned.
    ///
    /// # Errors
    /// Those of Arrow, if columns are settled.
    pub(super) fn accept(&mut self, batch: Batch) -> Result<(Piece, Vec<Refused>), ArrowError> {
        let Batch { head, columns, mut refused } = batch;
        let mut piece = Piece { head, columns: Vec::new() };
        for column in columns {
            self.accept_column(column, &mut piece, &mut refused)?;
        }
        if self.flat.is_some() {
            self.widen(&mut piece, &mut refused)?;
        }
        refused.sort_by_key(|refused| refused.row);
        if self.grown {
            self.rebuild();
        }
        Ok((piece, refused))
    }

    /// The same for a batch that was cut: types follow from its own values alone.
    pub(super) fn accept_exactly(&mut self, mut batch: Batch) -> Result<(Piece, Vec<Refused>), ArrowError> {
        for BatchColumn { key, variants } in &mut batch.columns {
            for (code, sparse) in variants {
                let natural = match *key {
                    Key::Member(_) => self.index.get(key).map(|&at| self.columns[at].natural.clone()),
                    Key::Bank(name) => Some(Shape::of(*code, self.def.bank(name)).data_type()),
                };
                if let Some(natural) = natural
                    && natural != *sparse.values.data_type()
                {
                    let alone = join_arrays(&[Arc::clone(&sparse.values)], sparse.values.data_type())?;
                    sparse.values = narrow(&alone, &natural)?;
                }
            }
        }
        self.accept(batch)
    }

    fn accept_column(
        &mut self,
        column: BatchColumn,
        piece: &mut Piece,
        refused: &mut Vec<Refused>,
    ) -> Result<(), ArrowError> {
        let BatchColumn { key, variants } = column;
        let Some(&(first, _)) = variants.first() else {
            return Ok(());
        };
        let mut refuse = |rows: &Present, head: &[Row], reason: Refusal| {
            refused.extend(rows.iter().map(|row| refusal(key, row, head, reason)));
        };
        let Some(at) = self.find(key, first) else {
            let reason = if self.settled { Refusal::Late } else { Refusal::Columns { limit: MAX_COLUMNS } };
            for (_, sparse) in variants {
                refuse(&sparse.rows, &piece.head, reason);
            }
            return Ok(());
        };
        let column = &mut self.columns[at];
        for (code, mut sparse) in variants {
            if code != column.code {
                refuse(&sparse.rows, &piece.head, Refusal::Type { wanted: column.code, found: code });
                continue;
            }
            let joined = join(&column.data_type, sparse.values.data_type());
            if joined != column.data_type {
                if self.settled {
                    let (fits, rest) = fitting(&sparse, column)?;
                    refuse(&rest, &piece.head, Refusal::Form);
                    sparse = fits;
                } else {
                    self.grown = true;
                    column.data_type = joined;
                }
            }
            piece.columns.resize_with(piece.columns.len().max(at + 1), || None);
            piece.columns[at] = Some(sparse);
        }
        Ok(())
    }

    /// The column of `key`, whose first bank in this batch is of type `code`. `None` if there are
    /// too many.
    fn find(&mut self, key: Key, code: u32) -> Option<usize> {
        let (at, booked) = match (self.index.get(&key), key) {
            (Some(&at), _) => (at, true),
            (None, Key::Bank(name)) if self.columns.len() < MAX_COLUMNS && !self.settled => {
                let data_type = Shape::of(code, None).data_type();
                (self.book(key, &name.to_string(), code, data_type, None), false)
            }
            (None, _) => return None,
        };
        let settled = self.settled;
        let column = &mut self.columns[at];
        if booked && !column.settled && column.code != code && !settled {
            // The definition is wrong about the type; nothing was stored under it yet.
            let def = match key {
                Key::Bank(name) => self.def.bank(name),
                Key::Member(_) => None,
            };
            let shape = Shape::of(code, def);
            self.grown = true;
            column.code = code;
            column.data_type = shape.data_type();
            column.natural = shape.data_type();
            if column.layout.as_ref() != shape.layout() {
                column.layout = shape.layout().cloned();
                column.width = 0;
            }
        }
        column.settled = true;
        Some(at)
    }

    fn book(
        &mut self,
        key: Key,
        name: &str,
        code: u32,
        data_type: DataType,
        layout: Option<Arc<Layout>>,
    ) -> usize {
        let columns = &self.columns;
        let taken = |name: &str| {
            let known = HEAD.iter().copied().chain(columns.iter().map(|column| &*column.name));
            known.into_iter().any(|known| known.eq_ignore_ascii_case(name))
        };
        let name = free_name(name, taken);
        let natural = data_type.clone();
        self.columns.push(Column { name, code, settled: false, data_type, natural, layout, width: 0 });
        self.index.insert(key, self.columns.len() - 1);
        self.grown = true;
        self.columns.len() - 1
    }

    /// Gives the elements that are known before the first event their columns, if there is room.
    fn declare(&mut self, at: usize, elements: usize) {
        let column = &mut self.columns[at];
        let cost = elements.saturating_mul(column.leaves());
        if let Some(left) = &mut self.flat
            && column.is_wide()
            && cost <= *left
        {
            *left -= cost;
            column.width = elements;
        }
    }

    /// Gives lists that are longer than all before them their columns, in the order of the rows, so
    /// that it does not matter where batches end. Those for which there is no room are left out.
    fn widen(&mut self, piece: &mut Piece, refused: &mut Vec<Refused>) -> Result<(), ArrowError> {
        let mut longer = Vec::new();
        for (at, sparse) in piece.columns.iter().enumerate() {
            if let Some(sparse) = sparse
                && self.columns[at].is_wide()
            {
                let width = self.columns[at].width;
                let long = sparse.rows.iter().enumerate().map(|(i, row)| (row, at, i, length(sparse, i)));
                longer.extend(long.filter(|&(.., length)| length > width));
            }
        }
        longer.sort_unstable();
        let mut left_out: HashMap<usize, Vec<usize>> = HashMap::new();
        for (row, at, i, found) in longer {
            let Some(left) = &mut self.flat else { break };
            let column = &mut self.columns[at];
            let cost = found.saturating_sub(column.width).saturating_mul(column.leaves());
            if cost == 0 {
                continue;
            }
            let reason = if self.settled {
                Refusal::Longer { wanted: column.width, found }
            } else if cost > *left {
                Refusal::Elements { found, limit: MAX_ELEMENTS }
            } else if found.saturating_mul(column.leaves()) > MAX_UNDECLARED {
                Refusal::Undeclared { found, limit: MAX_UNDECLARED }
            } else {
                *left -= cost;
                column.width = found;
                self.grown = true;
                continue;
            };
            let key = self.index.iter().find(|(_, place)| **place == at).map(|(key, _)| *key);
            refused.extend(key.map(|key| refusal(key, row, &piece.head, reason)));
            left_out.entry(at).or_default().push(i);
        }
        for (at, out) in left_out {
            if let Some(sparse) = &piece.columns[at] {
                let out: HashSet<usize> = out.into_iter().collect();
                piece.columns[at] = Some(sparse.keep(|i| !out.contains(&i))?);
            }
        }
        Ok(())
    }

    fn rebuild(&mut self) {
        let list = self.build();
        let fields = list.fields();
        let plan = if self.flat.is_none() {
            Plan::list(list)
        } else {
            let mut names: HashSet<String> = HEAD.iter().map(|name| (*name).to_owned()).collect();
            let mut flat: Vec<_> = fields[..HEAD.len()].to_vec();
            let mut leaves = Vec::new();
            for (i, (column, field)) in self.columns.iter().zip(&fields[HEAD.len()..]).enumerate() {
                for (leaf, plain) in flat::expand(i, field, column.width, column.layout.as_deref()) {
                    let name = free_name(plain.name(), |name| names.contains(&name.to_lowercase()));
                    names.insert(name.to_lowercase());
                    flat.push(Arc::new(plain.with_name(name)));
                    leaves.push(leaf);
                }
            }
            Plan { schema: Arc::new(Schema::new(flat)), list, leaves: Some(leaves) }
        };
        self.plan = Arc::new(plan);
        self.grown = false;
    }

    fn build(&self) -> SchemaRef {
        // Parquet has no type for seconds and would store a bare number.
        let unit = match self.kind {
            TableKind::Parquet => TimeUnit::Millisecond,
            TableKind::Arrow => TimeUnit::Second,
        };
        let [run, serial, timestamp, trigger_mask, epoch] = HEAD;
        let mut fields = vec![
            Field::new(run, DataType::UInt32, false),
            Field::new(serial, DataType::UInt32, false),
            Field::new(timestamp, DataType::Timestamp(unit, Some("UTC".into())), false),
            Field::new(trigger_mask, DataType::UInt16, false),
            Field::new(epoch, DataType::UInt32, false),
        ];
        let mut metadata: Vec<BTreeMap<String, String>> = self.columns.iter().map(Column::metadata).collect();
        for bank in &self.def.banks {
            if let Some(&at) = self.index.get(&Key::Bank(bank.name)) {
                for (key, text) in [("description", &bank.description), ("unit", &bank.unit)] {
                    if !text.is_empty() {
                        metadata[at].entry(key.to_owned()).or_insert_with(|| text.clone());
                    }
                }
            }
        }
        for (column, metadata) in self.columns.iter().zip(metadata) {
            fields.push(Field::new(&column.name, column.data_type.clone(), true).with_metadata(metadata));
        }
        Arc::new(Schema::new(fields))
    }
}

impl Column {
    /// Whether it is several columns in a flat table.
    fn is_wide(&self) -> bool {
        matches!(self.data_type, DataType::List(_) | DataType::Struct(_))
    }

    /// Plain columns for one element of a list, or for one struct.
    fn leaves(&self) -> usize {
        self.layout.as_ref().map_or(1, |layout| flat::leaves(layout))
    }

    fn metadata(&self) -> BTreeMap<String, String> {
        let tid = Tid::from_bank_code(self.code).map_or("<unknown>", Tid::name);
        BTreeMap::from([("midas_type".to_owned(), tid.to_owned())])
    }
}

fn refusal(key: Key, row: u32, head: &[Row], reason: Refusal) -> Refused {
    let bank = match key {
        Key::Member(_) => None,
        Key::Bank(name) => Some(name),
    };
    let row = row as usize;
    Refused { row, run: head[row].run, serial: head[row].serial, bank, reason }
}

/// Number of elements of value `i`.
fn length(sparse: &Sparse, i: usize) -> usize {
    match sparse.values.as_list_opt::<i32>() {
        Some(list) => list.value_length(i) as usize,
        None => 1,
    }
}

/// The values that a column holds without growing, and the rows of the others. Each is looked at
/// alone: one of them has made the type of all what it is.
fn fitting(sparse: &Sparse, column: &Column) -> Result<(Sparse, Present), ArrowError> {
    let (mut rows, mut values, mut rest) = (Present::default(), Vec::new(), Present::default());
    for (i, row) in sparse.rows.iter().enumerate() {
        let alone = join_arrays(&[sparse.values.slice(i, 1)], sparse.values.data_type())?;
        let value = narrow(&alone, &column.natural)?;
        if join(&column.data_type, value.data_type()) == column.data_type {
            rows.push(row);
            values.push(adapt(&value, &column.data_type)?);
        } else {
            rest.push(row);
        }
    }
    Ok((Sparse { rows, values: join_arrays(&values, &column.data_type)? }, rest))
}
