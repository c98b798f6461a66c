//! A key as bytes.
//!
//! | bytes | what |
//! |---|---|
//! | 1 | the type; `KEY` for a directory |
//! | 2 | access mode |
//! | 4 | last written [Unix seconds] |
//! | 1 + n | the name |
//! | directory: 8 each | the numbers of its keys, in order |
//! | value: 4 | number of elements; for a LINK the bytes of its target |
//! | STRING: 8 | room of each string |
//! | STRING: 8 + n each | the strings |
//! | other types | the elements, one behind the other |
//!
//! All numbers are little-endian.

use pactolus_formats::Tid;
use pactolus_formats::wire::{Bytes, Malformed, Wire, put_bytes};

use crate::key::{Content, Key};
use crate::path::check_name;
use crate::{Mode, Strings, Value};

/// A key as it was stored.
pub(super) struct Record {
    pub(super) name: String,
    pub(super) mode: Mode,
    pub(super) last_written: u32,
    pub(super) body: Body,
}

/// What a stored key holds.
pub(super) enum Body {
    /// The numbers of its keys.
    Directory(Vec<u64>),
    Value(Value),
}

/// Adds the bytes of a key; `children` are the numbers of its keys.
pub(super) fn put(key: &Key, children: &[u64], to: &mut Vec<u8>) {
    // Types are below 256, names at most 255 bytes: the tree lets no others in.
    to.push(key.tid().code() as u8);
    key.mode.0.put(to);
    key.last_written.put(to);
    to.push(key.name.len() as u8);
    to.extend_from_slice(key.name.as_bytes());
    match &key.content {
        Content::Directory(_) => children.iter().for_each(|child| child.put(to)),
        Content::Value(value) => put_value(value, to),
    }
}

macro_rules! plain {
    ($value:expr, $to:expr, [$($variant:ident)*], $other:pat => $on_other:expr) => {
        match $value {
            $(Value::$variant(array) => {
                array.iter().for_each(|x| $to.extend_from_slice(&x.to_le_bytes()));
            })*
            $other => $on_other,
        }
    };
}

fn put_value(value: &Value, to: &mut Vec<u8>) {
    let len = match value {
        Value::Link(target) => target.len(),
        value => value.len(),
    };
    // The tree limits the length of arrays and, as paths, that of links.
    (len as u32).put(to);
    match value {
        Value::Bool(array) => to.extend(array.iter().map(|&on| u8::from(on))),
        Value::Link(target) => to.extend_from_slice(target),
        Value::String(strings) => {
            strings.size.put(to);
            strings.values.iter().for_each(|text| put_bytes(to, text));
        }
        value => plain!(
            value, to,
            [Byte Sbyte Char Word Short Dword Int Float Double Bitfield Int64 Uint64],
            _ => {}
        ),
    }
}

/// The key of these bytes.
pub(super) fn take(bytes: &[u8]) -> Result<Record, Malformed> {
    let mut from = Bytes::new(bytes);
    let tid = from.value::<u8>()?;
    let tid = Tid::from_code(tid.into()).ok_or_else(|| from.wrong("a type"))?;
    let mode = Mode(from.value()?);
    let last_written = from.value()?;
    let length = from.value::<u8>()?;
    let name = from.take(length.into())?;
    // The root alone has no name.
    let name = std::str::from_utf8(name).ok().filter(|name| name.is_empty() || check_name(name).is_ok());
    let name = name.ok_or_else(|| from.wrong("a name"))?.to_owned();
    let body = match tid {
        Tid::Key => Body::Directory(directory(&mut from)?),
        tid => Body::Value(value(tid, &mut from)?),
    };
    from.end()?;
    Ok(Record { name, mode, last_written, body })
}

fn directory(from: &mut Bytes<'_>) -> Result<Vec<u64>, Malformed> {
    let mut children = Vec::with_capacity(from.left() / 8);
    while from.left() > 0 {
        children.push(from.value()?);
    }
    Ok(children)
}

fn value(tid: Tid, from: &mut Bytes<'_>) -> Result<Value, Malformed> {
    let len = from.value::<u32>()? as usize;
    Ok(match tid {
        Tid::Bool => Value::Bool(from.take(len)?.iter().map(|&byte| byte != 0).collect()),
        Tid::Link => Value::Link(from.take(len)?.to_vec()),
        Tid::String => {
            let size = from.value()?;
            let mut values = Vec::new();
            for _ in 0..len {
                values.push(from.bytes()?.to_vec());
            }
            Value::String(Strings { size, values })
        }
        Tid::Array | Tid::Struct | Tid::Key => return Err(from.wrong("a type of values")),
        number => {
            let wanted = len.checked_mul(number.unit()).ok_or_else(|| from.wrong("fewer elements"))?;
            let bytes = from.take(wanted)?;
            Value::from_le_bytes(number, bytes).ok_or_else(|| from.wrong("a type of numbers"))?
        }
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]
    use super::*;

    fn bytes(value: Value) -> Vec<u8> {
        let mut key = Key::new("Name \u{fc}", Content::Value(value));
        key.mode = Mode::READ;
        key.last_written = 7;
        let mut bytes = Vec::new();
        put(&key, &[], &mut bytes);
        bytes
    }

    #[test]
    fn every_value_comes_back() {
        let check = |value: Value| {
            let record = take(&bytes(value.clone())).unwrap();
            assert_eq!(
                (record.name.as_str(), record.mode, record.last_written),
                ("Name \u{fc}", Mode::READ, 7)
            );
            assert!(matches!(record.body, Body::Value(found) if found.same(&value)), "{value:?}");
        };
        check(Value::Byte(vec![0, 255]));
        check(Value::Sbyte(vec![-128]));
        check(Value::Char(vec![b'x']));
        check(Value::Word(vec![65535; 3]));
        check(Value::Short(vec![-2]));
        check(Value::Dword(vec![u32::MAX]));
        check(Value::Int(vec![i32::MIN, 5]));
        check(Value::Bool(vec![true, false]));
        check(Value::Float(vec![f32::NAN, -0.0]));
        check(Value::Double(vec![f64::MAX, f64::NEG_INFINITY]));
        check(Value::Bitfield(vec![3]));
        check(Value::Int64(vec![i64::MIN]));
        check(Value::Uint64(vec![u64::MAX]));
        check(Value::Link(b"/Types/\xfcarr[3]".to_vec()));
        check(Value::String(Strings { size: 40, values: vec![b"a\nb".to_vec(), Vec::new(), vec![0xff]] }));
        check(Value::Int(Vec::new()));
    }

    #[test]
    fn broken_bytes_are_no_key() {
        let whole = bytes(Value::String(Strings { size: 40, values: vec![b"text".to_vec()] }));
        for cut in 0..whole.len() {
            assert!(take(&whole[..cut]).is_err(), "cut at {cut}");
        }
        // What comes of changed bytes is another key, or none; never a panic or more memory than bytes.
        for at in 0..whole.len() {
            for byte in [0, 1, 0x7f, 0x80, 0xff] {
                let mut changed = whole.clone();
                changed[at] = byte;
                drop(take(&changed));
            }
        }
        let mut long = bytes(Value::Int(vec![1]));
        let at = long.len() - 8;
        long[at..at + 4].copy_from_slice(&u32::MAX.to_le_bytes());
        assert!(take(&long).is_err(), "a length that nothing stands for");
    }
}
