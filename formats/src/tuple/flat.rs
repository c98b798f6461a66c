//! Flat tables: a plain column for each element.
//!
//! | in list form | columns of a flat table |
//! |---|---|
//! | `ADC0` list | `ADC0_0`, `ADC0_1`, ... |
//! | `ASUM` struct | `ASUM_Sum`, `ASUM_Average` |
//! | `HITS` list of structs | `HITS_0_x`, `HITS_0_y`, `HITS_1_x`, ... |
//! | `Voltage V` list (FIXED events) | `Voltage_V_0`, `Voltage_V_1`, ... |
//! | text, bytes | one column |
//!
//! This page knows how a table in list form becomes a flat one; how wide is known to the schema.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::{Array, ArrayRef, ListArray, StructArray, UInt32Array, new_null_array};
use arrow_schema::{ArrowError, DataType, Field, FieldRef};
use arrow_select::interleave::interleave;
use arrow_select::take::take;

use super::schema::HEAD;
use super::shape::{is_array, members};
use crate::Layout;

/// Where the values of a plain column come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Leaf {
    /// Column behind the head, in list form.
    column: usize,
    /// Which of several structs.
    item: usize,
    /// Which member of the struct.
    member: usize,
    /// Which element of the list, or of the member.
    element: usize,
}

/// Plain columns for one struct.
pub(super) fn leaves(layout: &Layout) -> usize {
    members(layout).map(|field| if is_array(field) { field.count } else { 1 }).sum()
}

/// The plain columns of `field`, which is column number `column` behind the head: of a list, the
/// first `width` elements; of a struct, all or none.
pub(super) fn expand(
    column: usize,
    field: &Field,
    width: usize,
    layout: Option<&Layout>,
) -> Vec<(Leaf, Field)> {
    let mut all = Vec::new();
    let name = plain(field.name());
    let one = Leaf { column, item: 0, member: 0, element: 0 };
    let mut add = |leaf: Leaf, name: String, data_type: &DataType| {
        let plain = Field::new(name, data_type.clone(), true).with_metadata(field.metadata().clone());
        all.push((leaf, plain));
    };
    let mut structs = |item: usize, name: &str, fields: &[FieldRef]| {
        let counts = layout.into_iter().flat_map(members).map(|member| member.count);
        for (member, (field, count)) in fields.iter().zip(counts).enumerate() {
            let name = format!("{name}_{}", plain(field.name()));
            let leaf = Leaf { item, member, ..one };
            match field.data_type() {
                DataType::List(value) => {
                    for element in 0..count {
                        add(Leaf { element, ..leaf }, format!("{name}_{element}"), value.data_type());
                    }
                }
                value => add(leaf, name, value),
            }
        }
    };
    match field.data_type() {
        DataType::Struct(fields) if width > 0 => structs(0, &name, fields),
        DataType::Struct(_) => {}
        DataType::List(value) => match value.data_type() {
            DataType::Struct(fields) => {
                (0..width).for_each(|item| structs(item, &format!("{name}_{item}"), fields));
            }
            value => {
                (0..width)
                    .for_each(|element| add(Leaf { element, ..one }, format!("{name}_{element}"), value));
            }
        },
        value => add(one, name, value),
    }
    all
}

/// `Voltage V` as `Voltage_V`: mana's rule, which every program takes for one word.
fn plain(name: &str) -> String {
    name.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect()
}

/// The arrays of a table in list form as those of a flat one.
pub(super) fn flatten(arrays: &[ArrayRef], leaves: &[Leaf]) -> Result<Vec<ArrayRef>, ArrowError> {
    let (head, columns) = arrays.split_at(HEAD.len().min(arrays.len()));
    let values = leaves.iter().map(|leaf| cleared(leaf.values(&columns[leaf.column])?));
    head.iter().cloned().map(Ok).chain(values).collect()
}

/// The same with zeros where it is null. `take` leaves the first of all values there, which depends on
/// where a chunk begins.
fn cleared(array: ArrayRef) -> Result<ArrayRef, ArrowError> {
    let data_type = array.data_type();
    if array.null_count() == 0 || data_type.primitive_width().is_none() && *data_type != DataType::Boolean {
        return Ok(array);
    }
    let null = new_null_array(data_type, 1);
    let pick = |row| if array.is_null(row) { (0, 0) } else { (1, row) };
    let picks: Vec<(usize, usize)> = (0..array.len()).map(pick).collect();
    interleave(&[null.as_ref(), array.as_ref()], &picks)
}

impl Leaf {
    /// The plain column of this number among those of `column`, to tell it from others.
    pub(super) fn nth(column: usize, number: usize) -> Leaf {
        Leaf { column, item: 0, member: 0, element: number }
    }

    /// The column behind the head, in list form, that holds its values.
    pub(super) fn column(&self) -> usize {
        self.column
    }

    /// The values of this plain column, of which `array` holds all.
    pub(super) fn values(&self, array: &ArrayRef) -> Result<ArrayRef, ArrowError> {
        match array.data_type() {
            DataType::List(_) => {
                let list = array.as_list::<i32>();
                match list.values().as_struct_opt() {
                    Some(structs) => self.member(structs, &places(list, None, self.item)),
                    None => take(list.values(), &places(list, None, self.element), None),
                }
            }
            DataType::Struct(_) => {
                let structs = array.as_struct();
                let rows = (0..structs.len() as u32).map(|row| structs.is_valid(row as usize).then_some(row));
                self.member(structs, &rows.collect())
            }
            _ => Ok(Arc::clone(array)),
        }
    }

    /// The values of this member, of the structs at `at`.
    fn member(&self, structs: &StructArray, at: &UInt32Array) -> Result<ArrayRef, ArrowError> {
        let member = structs.column(self.member);
        match member.as_list_opt::<i32>() {
            Some(list) => take(list.values(), &places(list, Some(at), self.element), None),
            None => take(member, at, None),
        }
    }
}

/// Where element number `element` of each list lies, or of each of the lists at `at`; null where
/// there is no such element.
fn places(list: &ListArray, at: Option<&UInt32Array>, element: usize) -> UInt32Array {
    let place = |row: usize| {
        let there = list.is_valid(row) && element < list.value_length(row) as usize;
        there.then(|| list.value_offsets()[row] as u32 + element as u32)
    };
    match at {
        Some(at) => at.iter().map(|row| place(row? as usize)).collect(),
        None => (0..list.len()).map(place).collect(),
    }
}
