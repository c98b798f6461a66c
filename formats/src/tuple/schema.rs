//! The columns of a table, as far as they are known.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use arrow_schema::{DataType, Field, Schema, SchemaRef, TimeUnit};

use super::adapt::join;
use super::columns::{Batch, BatchColumn, Head, Key, Sparse};
use super::refused::{Refusal, Refused};
use super::shape::{Shape, free_name, member_type, members, usable};
use super::{TableDef, TableKind};
use crate::Tid;

/// More banks than this in one table come from broken data: every column takes memory in the
/// writer. The largest experiments have some hundreds.
pub(super) const MAX_COLUMNS: usize = 4096;

/// The names of the columns that every table has.
pub(super) const HEAD: [&str; 5] = ["run", "serial", "timestamp", "trigger_mask", "epoch"];

/// The columns of a table in the order of their booking. They grow, but none ever moves or goes.
pub(super) struct TableSchema {
    def: Arc<TableDef>,
    kind: TableKind,
    columns: Vec<Column>,
    index: HashMap<Key, usize>,
    arrow: SchemaRef,
    /// Whether `arrow` lags behind `columns`.
    grown: bool,
}

/// One column behind the five of the head.
struct Column {
    name: String,
    /// The type of the bank: from its definition, or from the data if that is `settled`.
    code: u32,
    settled: bool,
    data_type: DataType,
}

/// Rows of a batch whose columns are those of the table; `None` where a column is all null.
pub(super) struct Piece {
    pub(super) head: Head,
    pub(super) columns: Vec<Option<Sparse>>,
}

impl TableSchema {
    /// The columns that a table has from the start.
    pub(super) fn new(def: &Arc<TableDef>, kind: TableKind) -> TableSchema {
        let mut schema = TableSchema {
            def: Arc::clone(def),
            kind,
            columns: Vec::new(),
            index: HashMap::new(),
            arrow: Arc::new(Schema::empty()),
            grown: false,
        };
        if let Some(layout) = def.fixed.as_ref().and_then(usable) {
            for (i, field) in members(layout).enumerate() {
                schema.book(Key::Member(i), &field.name, field.tid.code(), member_type(field));
            }
        }
        for bank in &def.banks {
            if !schema.index.contains_key(&Key::Bank(bank.name)) {
                let data_type = Shape::of(bank.code, Some(bank)).data_type();
                schema.book(Key::Bank(bank.name), &bank.name.to_string(), bank.code & 0xff, data_type);
            }
        }
        schema.arrow = schema.build();
        schema.grown = false;
        schema
    }

    /// As Arrow has it, with the columns known so far.
    pub(super) fn arrow(&self) -> &SchemaRef {
        &self.arrow
    }

    /// Puts the columns of `batch` where the table has them, and grows the table for those that
    /// need it. Values of a type that is not the column's are left out and returned.
    pub(super) fn accept(&mut self, batch: Batch) -> (Piece, Vec<Refused>) {
        let Batch { head, columns, mut refused, .. } = batch;
        let mut piece = Piece { head, columns: Vec::new() };
        for column in columns {
            self.accept_column(column, &mut piece, &mut refused);
        }
        refused.sort_by_key(|refused| refused.row);
        if self.grown {
            self.arrow = self.build();
            self.grown = false;
        }
        (piece, refused)
    }

    fn accept_column(&mut self, column: BatchColumn, piece: &mut Piece, refused: &mut Vec<Refused>) {
        let BatchColumn { key, variants } = column;
        let Some(&(first, _)) = variants.first() else {
            return;
        };
        let bank = match key {
            Key::Member(_) => None,
            Key::Bank(name) => Some(name),
        };
        let mut refuse = |sparse: Sparse, head: &Head, reason: Refusal| {
            refused.extend(sparse.rows.iter().map(|&row| {
                let row = row as usize;
                Refused { row, run: head.run[row], serial: head.serial[row], bank, reason }
            }));
        };
        let Some(at) = self.settle(key, first) else {
            for (_, sparse) in variants {
                refuse(sparse, &piece.head, Refusal::Columns { limit: MAX_COLUMNS });
            }
            return;
        };
        let column = &mut self.columns[at];
        for (code, sparse) in variants {
            if code == column.code {
                let joined = join(&column.data_type, sparse.values.data_type());
                self.grown |= joined != column.data_type;
                column.data_type = joined;
                piece.columns.resize_with(piece.columns.len().max(at + 1), || None);
                piece.columns[at] = Some(sparse);
            } else {
                refuse(sparse, &piece.head, Refusal::Type { wanted: column.code, found: code });
            }
        }
    }

    /// The column of `key`, whose first bank in this batch is of type `code`. `None` if there are
    /// too many.
    fn settle(&mut self, key: Key, code: u32) -> Option<usize> {
        let (at, booked) = match (self.index.get(&key), key) {
            (Some(&at), _) => (at, true),
            (None, Key::Bank(name)) if self.columns.len() < MAX_COLUMNS => {
                let data_type = Shape::of(code, None).data_type();
                (self.book(key, &name.to_string(), code, data_type), false)
            }
            (None, _) => return None,
        };
        let column = &mut self.columns[at];
        if booked && !column.settled && column.code != code {
            // The definition is wrong about the type; nothing was stored under it yet.
            let def = match key {
                Key::Bank(name) => self.def.bank(name),
                Key::Member(_) => None,
            };
            self.grown = true;
            column.code = code;
            column.data_type = Shape::of(code, def).data_type();
        }
        column.settled = true;
        Some(at)
    }

    fn book(&mut self, key: Key, name: &str, code: u32, data_type: DataType) -> usize {
        let columns = &self.columns;
        let taken = |name: &str| {
            let known = HEAD.iter().copied().chain(columns.iter().map(|column| &*column.name));
            known.into_iter().any(|known| known.eq_ignore_ascii_case(name))
        };
        let name = free_name(name, taken);
        self.columns.push(Column { name, code, settled: false, data_type });
        self.index.insert(key, self.columns.len() - 1);
        self.grown = true;
        self.columns.len() - 1
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
    fn metadata(&self) -> BTreeMap<String, String> {
        let tid = Tid::from_bank_code(self.code).map_or("<unknown>", Tid::name);
        BTreeMap::from([("midas_type".to_owned(), tid.to_owned())])
    }
}
