//! What the column of a bank looks like.

use std::sync::Arc;

use arrow_schema::{DataType, Field as Column, Fields};

use crate::tuple::ColumnDef;
use crate::{Field, Layout, Tid};

/// What one value of a column is.
#[derive(Clone, Debug)]
pub(super) enum Shape {
    /// A list of elements of a fixed size.
    List(Tid),
    /// One text.
    Text,
    /// Raw bytes.
    Bytes,
    /// Structs; exactly one of them unless `many`.
    Struct { layout: Arc<Layout>, many: bool },
}

impl Shape {
    /// The shape of a bank of type `code` in a column that is defined as `def`.
    pub(super) fn of(code: u32, def: Option<&ColumnDef>) -> Shape {
        match Tid::from_bank_code(code) {
            Some(Tid::Char | Tid::String | Tid::Link) => Shape::Text,
            Some(Tid::Struct) => match def.and_then(|def| Some((usable(def.layout.as_ref()?)?, def.many))) {
                Some((layout, many)) => Shape::Struct { layout: Arc::clone(layout), many },
                None => Shape::Bytes,
            },
            Some(tid) if tid.size() > 0 => Shape::List(tid),
            _ => Shape::Bytes,
        }
    }

    /// The members, if this is a struct.
    pub(super) fn layout(&self) -> Option<&Arc<Layout>> {
        match self {
            Shape::Struct { layout, .. } => Some(layout),
            _ => None,
        }
    }

    /// The type of the column as long as every text is UTF-8 and every bank holds one struct.
    pub(super) fn data_type(&self) -> DataType {
        match self {
            Shape::List(tid) => DataType::List(element(item_type(*tid))),
            Shape::Text => DataType::Utf8,
            Shape::Bytes => DataType::Binary,
            Shape::Struct { layout, many } => {
                let item = DataType::Struct(struct_fields(layout));
                if *many { DataType::List(element(item)) } else { item }
            }
        }
    }
}

/// `layout`, if structs of it can be stored.
pub(super) fn usable(layout: &Arc<Layout>) -> Option<&Arc<Layout>> {
    let sized = (1..=i32::MAX as usize).contains(&layout.size());
    (sized && members(layout).next().is_some()).then_some(layout)
}

/// The members that have a column.
pub(super) fn members(layout: &Layout) -> impl Iterator<Item = &Field> {
    layout.fields().iter().filter(|field| field.count > 0)
}

/// The bytes from the start to the end of the last member: a struct without its end padding.
pub(super) fn bare_size(layout: &Layout) -> usize {
    layout.fields().iter().map(|field| field.offset + field.size()).max().unwrap_or(0)
}

/// The type of one member.
///
/// An array is a list, though all of them are of one size: Arrow's C++ library, and so pyarrow and
/// pandas, cannot read a null fixed-size list from Parquet ("Expected all lists to be of size=2 but
/// index 1 had size=0", version 26).
pub(super) fn member_type(field: &Field) -> DataType {
    let item = item_type(field.tid);
    if is_array(field) { DataType::List(element(item)) } else { item }
}

/// Whether a member is a list. An array of CHAR is one text.
pub(super) fn is_array(field: &Field) -> bool {
    field.count > 1 && !matches!(field.tid, Tid::Char | Tid::Array | Tid::Struct | Tid::Key)
}

/// The members of a struct as Arrow has them.
pub(super) fn struct_fields(layout: &Layout) -> Fields {
    let mut taken: Vec<String> = Vec::new();
    members(layout)
        .map(|field| {
            let name = free_name(&field.name, |name| taken.iter().any(|t| t.eq_ignore_ascii_case(name)));
            taken.push(name.clone());
            Column::new(name, member_type(field), false)
        })
        .collect()
}

/// The type of one element, or of one text.
pub(super) fn item_type(tid: Tid) -> DataType {
    match tid {
        Tid::Byte | Tid::Bitfield => DataType::UInt8,
        Tid::Sbyte => DataType::Int8,
        Tid::Word => DataType::UInt16,
        Tid::Short => DataType::Int16,
        Tid::Dword => DataType::UInt32,
        Tid::Int => DataType::Int32,
        Tid::Bool => DataType::Boolean,
        Tid::Float => DataType::Float32,
        Tid::Double => DataType::Float64,
        Tid::Int64 => DataType::Int64,
        Tid::Uint64 => DataType::UInt64,
        Tid::Char | Tid::String | Tid::Link => DataType::Utf8,
        Tid::Array | Tid::Struct | Tid::Key => DataType::Binary,
    }
}

/// The element of a list, under the name that the Parquet specification gives it.
pub(super) fn element(item: DataType) -> Arc<Column> {
    Arc::new(Column::new("element", item, false))
}

/// `name`, or `name` with so many `_` that it is not taken. Readers as DuckDB take names that differ
/// in case for the same.
pub(super) fn free_name(name: &str, taken: impl Fn(&str) -> bool) -> String {
    let mut name = if name.is_empty() { "_".to_owned() } else { name.to_owned() };
    while taken(&name) {
        name.push('_');
    }
    name
}
