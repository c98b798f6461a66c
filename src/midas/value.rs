//! Values of keys as the server has them, and back: numbers little-endian, strings of one length.

use pactolus_formats::Tid;
use pactolus_odb::{Strings, Value};

use super::KeyInfo;
use super::calls::MOST_VALUES;

/// The type of a key; `None` for one that no key can have.
pub(super) fn tid(info: &KeyInfo) -> Option<Tid> {
    Tid::from_code(u32::try_from(info.kind).ok()?)
}

/// More strings than an ODB has in one key: each takes more room here than there.
const MOST_STRINGS: usize = 1 << 20;

/// Whether a key may hold what the server claims of it.
pub(super) fn is_possible(info: &KeyInfo) -> bool {
    let bytes = usize::try_from(info.total_size).is_ok_and(|bytes| bytes <= MOST_VALUES);
    let values = usize::try_from(info.values)
        .is_ok_and(|values| info.kind != KeyInfo::STRING || values <= MOST_STRINGS);
    bytes && values
}

/// The value in these bytes; `None` if they are not what the server says of the key.
pub(super) fn decode(info: &KeyInfo, bytes: &[u8]) -> Option<Value> {
    let tid = tid(info)?;
    let values = usize::try_from(info.values).ok()?;
    let item = usize::try_from(info.item_size).ok()?;
    let value = match tid {
        Tid::Link => return Some(Value::Link(until_nul(bytes).to_vec())),
        // A key that was made and never set has no room.
        Tid::String if item == 0 => {
            Value::String(Strings { size: 0, values: vec![Vec::new(); values.min(1)] })
        }
        Tid::String => {
            if values.checked_mul(item)? != bytes.len() || values > MOST_STRINGS {
                return None;
            }
            // The last byte of each is its NUL, whatever stands there.
            let text = |room: &[u8]| until_nul(&room[..room.len().saturating_sub(1)]).to_vec();
            Value::String(Strings { size: item, values: bytes.chunks_exact(item).map(text).collect() })
        }
        Tid::Bool => {
            let (words, _) = bytes.as_chunks::<4>();
            Value::Bool(words.iter().map(|word| *word != [0; 4]).collect())
        }
        tid => Value::from_le_bytes(tid, bytes)?,
    };
    (value.len() == values).then_some(value)
}

/// What stands for the value of a key that may not be read: zeros.
pub(super) fn unread(info: &KeyInfo) -> Option<Value> {
    /// More than this is not worth while.
    const MOST: usize = 1 << 20;
    let size = usize::try_from(info.total_size).ok().filter(|size| *size <= MOST);
    match size.and_then(|size| decode(info, &vec![0; size])) {
        Some(value) => Some(value),
        None => Value::empty(tid(info)?),
    }
}

/// The bytes of all elements, as the server takes them.
pub(super) fn encode(value: &Value) -> Vec<u8> {
    let mut bytes = Vec::new();
    (0..value.len()).for_each(|index| put(value, index, &mut bytes));
    bytes
}

/// The bytes of one element.
pub(super) fn encode_element(value: &Value, index: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    put(value, index, &mut bytes);
    bytes
}

fn put(value: &Value, index: usize, bytes: &mut Vec<u8>) {
    macro_rules! number {
        ($array:expr) => {
            bytes.extend($array.get(index).into_iter().flat_map(|number| number.to_le_bytes()))
        };
    }
    match value {
        Value::Byte(a) | Value::Char(a) | Value::Bitfield(a) => bytes.extend(a.get(index)),
        Value::Sbyte(a) => number!(a),
        Value::Word(a) => number!(a),
        Value::Short(a) => number!(a),
        Value::Dword(a) => number!(a),
        Value::Int(a) => number!(a),
        Value::Bool(a) => bytes.extend(a.get(index).into_iter().flat_map(|on| u32::from(*on).to_le_bytes())),
        Value::Float(a) => number!(a),
        Value::Double(a) => number!(a),
        Value::Int64(a) => number!(a),
        Value::Uint64(a) => number!(a),
        text => {
            let start = bytes.len();
            let room = text.item_size();
            let text = text.bytes(index).unwrap_or_default();
            bytes.extend_from_slice(&text[..text.len().min(room.saturating_sub(1))]);
            bytes.resize(start + room, 0);
        }
    }
}

fn until_nul(bytes: &[u8]) -> &[u8] {
    bytes.split(|byte| *byte == 0).next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]
    use super::*;

    fn info(kind: Tid, values: i32, item_size: i32) -> KeyInfo {
        let total_size = values * item_size;
        KeyInfo {
            name: "x".into(),
            kind: kind.code() as i32,
            values,
            item_size,
            total_size,
            mode: 7,
            watches: 0,
            written: 0,
        }
    }

    #[test]
    fn every_type_comes_back_as_it_was() {
        let strings = Strings { size: 5, values: vec![b"abc".to_vec(), Vec::new(), b"\xb5s".to_vec()] };
        let values = [
            Value::Byte(vec![0, 255]),
            Value::Sbyte(vec![-128, 127]),
            Value::Char(b"a\0".to_vec()),
            Value::Word(vec![0, u16::MAX]),
            Value::Short(vec![i16::MIN, 1]),
            Value::Dword(vec![u32::MAX]),
            Value::Int(vec![i32::MIN, 1, 2]),
            Value::Bool(vec![true, false]),
            Value::Float(vec![0.5, f32::NAN]),
            Value::Double(vec![-0.0]),
            Value::Bitfield(vec![0x0f]),
            Value::Int64(vec![i64::MIN]),
            Value::Uint64(vec![u64::MAX]),
            Value::String(strings),
            Value::Link(b"/A/b[1]".to_vec()),
        ];
        for value in values {
            let bytes = encode(&value);
            let info = info(value.tid(), value.len() as i32, value.item_size() as i32);
            assert_eq!(bytes.len(), info.total_size as usize, "{value:?}");
            assert!(decode(&info, &bytes).unwrap().same(&value), "{value:?}");
            let single = (0..value.len()).flat_map(|index| encode_element(&value, index));
            assert_eq!(single.collect::<Vec<_>>(), bytes, "{value:?}");
        }
    }

    #[test]
    fn what_does_not_fit_is_no_value() {
        assert_eq!(decode(&info(Tid::Int, 2, 4), &[0; 4]), None);
        assert_eq!(decode(&info(Tid::Int, -1, 4), &[]), None);
        assert_eq!(decode(&info(Tid::String, 2, 4), &[0; 4]), None);
        assert_eq!(decode(&info(Tid::String, i32::MAX, 0), &[]), None);
        assert_eq!(decode(&info(Tid::Array, 1, 4), &[0; 4]), None);
        // Strings that nobody can hold.
        let claims = info(Tid::String, i32::MAX, 1);
        assert!(!is_possible(&claims) && decode(&claims, &[0; 8]).is_none());
        let huge = KeyInfo { total_size: i32::MAX, ..info(Tid::Int, 1, 4) };
        assert!(!is_possible(&huge) && is_possible(&info(Tid::String, 3, 8)));
        let kind = KeyInfo { kind: 99, ..info(Tid::Int, 1, 4) };
        assert_eq!(decode(&kind, &[0; 4]), None);
        // Not closed.
        let text = Value::String(Strings { size: 4, values: vec![b"abc".to_vec()] });
        assert_eq!(decode(&info(Tid::String, 1, 4), b"abcd"), Some(text));
        // Of BOOL, every bit is true.
        assert_eq!(decode(&info(Tid::Bool, 1, 4), &[0, 0, 1, 0]), Some(Value::Bool(vec![true])));
    }

    #[test]
    fn what_may_not_be_read_is_zeros() {
        assert_eq!(unread(&info(Tid::Int, 2, 4)), Some(Value::Int(vec![0, 0])));
        assert_eq!(unread(&info(Tid::Int, 1 << 28, 4)), Some(Value::Int(Vec::new())));
    }
}
