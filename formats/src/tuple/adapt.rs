//! Types of columns that grow, and arrays that follow.
//!
//! A column grows in two ways: text becomes bytes when a value is no UTF-8, and a struct becomes
//! a list of structs when a bank holds several. Both may happen inside one another.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::{
    Array, ArrayRef, BinaryArray, BooleanArray, ListArray, StringArray, StructArray, new_null_array,
};
use arrow_buffer::OffsetBuffer;
use arrow_schema::{ArrowError, DataType, Field, FieldRef};
use arrow_select::filter::filter;

use super::shape::element;

/// The smallest type that holds the values of both; `a` if there is none.
pub(super) fn join(a: &DataType, b: &DataType) -> DataType {
    match (a, b) {
        (DataType::Utf8, DataType::Binary) => DataType::Binary,
        (DataType::Struct(fields), DataType::Struct(others)) if fields.len() == others.len() => {
            DataType::Struct(fields.iter().zip(others).map(|(a, b)| join_field(a, b)).collect())
        }
        (DataType::List(a), DataType::List(b)) => DataType::List(join_field(a, b)),
        (DataType::List(a), b @ DataType::Struct(_)) => DataType::List(with_type(a, join(a.data_type(), b))),
        (a @ DataType::Struct(_), DataType::List(b)) => DataType::List(with_type(b, join(a, b.data_type()))),
        _ => a.clone(),
    }
}

fn join_field(a: &FieldRef, b: &FieldRef) -> FieldRef {
    with_type(a, join(a.data_type(), b.data_type()))
}

fn with_type(field: &FieldRef, data_type: DataType) -> FieldRef {
    if *field.data_type() == data_type {
        Arc::clone(field)
    } else {
        Arc::new(Field::clone(field).with_data_type(data_type))
    }
}

/// The same values as `natural`, the type before it grew by [`join`], as far as they allow that.
/// `array` must hold nothing besides its values, as one that was just made.
pub(super) fn narrow(array: &ArrayRef, natural: &DataType) -> Result<ArrayRef, ArrowError> {
    match (array.data_type(), natural) {
        (DataType::Binary, DataType::Utf8) => {
            let (offsets, bytes, nulls) = array.as_binary::<i32>().clone().into_parts();
            match StringArray::try_new(offsets, bytes, nulls) {
                Ok(text) => Ok(Arc::new(text)),
                Err(_) => Ok(Arc::clone(array)),
            }
        }
        (DataType::Struct(found), DataType::Struct(fields)) => {
            let array = array.as_struct();
            let children = array.columns().iter().zip(fields).map(|(a, field)| narrow(a, field.data_type()));
            let children: Vec<ArrayRef> = children.collect::<Result<_, _>>()?;
            let fields = found.iter().zip(&children).map(|(f, a)| with_type(f, a.data_type().clone()));
            Ok(Arc::new(StructArray::try_new(fields.collect(), children, array.nulls().cloned())?))
        }
        (DataType::List(_), single @ DataType::Struct(_)) => {
            let list = array.as_list::<i32>();
            if (0..list.len()).all(|row| list.is_valid(row) && list.value_length(row) == 1) {
                narrow(list.values(), single)
            } else {
                narrow_items(list, single)
            }
        }
        (DataType::List(_), DataType::List(item)) => narrow_items(array.as_list::<i32>(), item.data_type()),
        _ => Ok(Arc::clone(array)),
    }
}

fn narrow_items(list: &ListArray, natural: &DataType) -> Result<ArrayRef, ArrowError> {
    let values = narrow(list.values(), natural)?;
    let item = element(values.data_type().clone());
    Ok(Arc::new(ListArray::try_new(item, list.offsets().clone(), values, list.nulls().cloned())?))
}

/// `array` as `wanted`, a type that its own has grown to by [`join`].
///
/// # Errors
/// If it has not: then only an array of nulls can be turned.
pub(super) fn adapt(array: &ArrayRef, wanted: &DataType) -> Result<ArrayRef, ArrowError> {
    if array.data_type() == wanted {
        return Ok(Arc::clone(array));
    }
    match (array.data_type(), wanted) {
        (DataType::Utf8, DataType::Binary) => {
            Ok(Arc::new(BinaryArray::from(array.as_string::<i32>().clone())))
        }
        (DataType::Struct(_), DataType::Struct(fields)) => {
            let array = array.as_struct();
            let children =
                array.columns().iter().zip(fields).map(|(child, field)| adapt(child, field.data_type()));
            Ok(Arc::new(StructArray::try_new(
                fields.clone(),
                children.collect::<Result<_, _>>()?,
                array.nulls().cloned(),
            )?))
        }
        (DataType::Struct(_), DataType::List(item)) => {
            // One struct is a list of one; null stays null and takes no room.
            let single = array.as_struct();
            let valid = |row| usize::from(single.is_valid(row));
            let offsets = OffsetBuffer::from_lengths((0..single.len()).map(valid));
            let values = match single.nulls() {
                Some(nulls) if nulls.null_count() > 0 => {
                    filter(array, &BooleanArray::new(nulls.inner().clone(), None))?
                }
                _ => Arc::clone(array),
            };
            let values = adapt(&values, item.data_type())?;
            Ok(Arc::new(ListArray::try_new(Arc::clone(item), offsets, values, single.nulls().cloned())?))
        }
        (DataType::List(_), DataType::List(item)) => {
            let list = array.as_list::<i32>();
            let values = adapt(list.values(), item.data_type())?;
            Ok(Arc::new(ListArray::try_new(
                Arc::clone(item),
                list.offsets().clone(),
                values,
                list.nulls().cloned(),
            )?))
        }
        // A definition named a type, and no bank of it ever came.
        _ if array.null_count() == array.len() => Ok(new_null_array(wanted, array.len())),
        (found, _) => Err(ArrowError::CastError(format!("{wanted} wanted, {found} found"))),
    }
}
