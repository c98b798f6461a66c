//! Values of the ODB as bytes of the wire, and back.

use pactolus::formats::Tid;
use pactolus::odb::{Number, Value};

use super::wire::JUNK;

/// All elements. Behind the NUL of a string stands rubbish, as in the real ODB.
pub fn to_bytes(value: &Value) -> Vec<u8> {
    let mut out = Vec::new();
    let whole = |index: usize| match value.number(index) {
        Some(Number::Whole(n)) => n,
        _ => 0,
    };
    for index in 0..value.len() {
        match value {
            Value::String(strings) => {
                let mut text = strings.values[index].clone();
                text.truncate(strings.size.saturating_sub(1));
                // A string that was only created has no room at all.
                if strings.size > 0 {
                    text.push(0);
                }
                text.resize(strings.size, JUNK);
                out.extend(text);
            }
            Value::Link(target) => {
                out.extend(target);
                out.push(0);
            }
            Value::Float(a) => out.extend(a[index].to_le_bytes()),
            Value::Double(a) => out.extend(a[index].to_le_bytes()),
            other => {
                let size = other.tid().size();
                out.extend(&whole(index).to_le_bytes()[..size]);
            }
        }
    }
    out
}

/// `values` elements of a type; `None` if the bytes do not hold them, or no key can.
pub fn from_bytes(tid: Tid, bytes: &[u8], values: usize) -> Option<Value> {
    let text = |bytes: &[u8]| {
        let end = bytes.iter().position(|&byte| byte == 0).unwrap_or(bytes.len());
        bytes[..end].to_vec()
    };
    match tid {
        Tid::Link => Some(Value::Link(text(bytes))),
        Tid::String => {
            let size = bytes.len().checked_div(values)?;
            let values = (0..values).map(|i| text(&bytes[i * size..(i + 1) * size])).collect();
            Some(Value::String(pactolus::odb::Strings { size, values }))
        }
        Tid::Bool => {
            let (words, _) = bytes.get(..values.checked_mul(4)?)?.as_chunks::<4>();
            Some(Value::Bool(words.iter().map(|word| *word != [0; 4]).collect()))
        }
        Tid::Int64 | Tid::Uint64 => None,
        _ => Value::from_le_bytes(tid, bytes.get(..values.checked_mul(tid.size())?)?),
    }
}

/// What a new key holds: one zero, or a string without any room.
pub fn new(tid: Tid) -> Option<Value> {
    match tid {
        Tid::String => Some(Value::String(pactolus::odb::Strings { size: 0, values: vec![Vec::new()] })),
        _ => from_bytes(tid, &[0; 8], 1),
    }
}
