//! Values as JSON for machines: numbers are numbers, also WORD and DWORD, which MIDAS's own JSON
//! writes as text. NaN and infinities are `"NaN"`, `"Infinity"`, `"-Infinity"`; text that is not
//! UTF-8 is `{"hex":"fcb5"}`.

use std::io::Write as _;

use crate::Value;
use crate::key::{Content, Key, Mode};
use crate::value::Number;

/// One element alone, several as an array.
pub(super) fn value(value: &Value, out: &mut Vec<u8>) {
    if value.len() == 1 {
        return element(value, 0, out);
    }
    list(0..value.len(), out, |index, out| element(value, index, out));
}

/// Keys as an array of objects; directories with what is in them if `deep`. What may not be read has
/// no value.
pub(super) fn keys<'k>(keys: impl IntoIterator<Item = &'k Key>, deep: bool, out: &mut Vec<u8>) {
    list(keys, out, |key, out| {
        out.extend_from_slice(b"{\"name\":");
        text(&crate::spelling::to_bytes(key.name()), out);
        // Writing into a vector cannot fail.
        let _ = write!(out, ",\"type\":\"{}\",", key.tid());
        match key.content() {
            Content::Directory(directory) if deep => {
                out.extend_from_slice(b"\"keys\":");
                self::keys(directory.iter(), deep, out);
            }
            Content::Directory(directory) => drop(write!(out, "\"len\":{}", directory.len())),
            Content::Value(value) => {
                let (len, size, mode, time) =
                    (value.len(), value.item_size(), key.mode(), key.last_written());
                let _ =
                    write!(out, "\"len\":{len},\"size\":{size},\"mode\":\"{mode}\",\"last_written\":{time}");
                if mode.has(Mode::READ) {
                    out.extend_from_slice(b",\"value\":");
                    self::value(value, out);
                }
            }
        }
        out.push(b'}');
    });
}

/// An array.
pub(crate) fn list<T>(
    items: impl IntoIterator<Item = T>,
    out: &mut Vec<u8>,
    mut each: impl FnMut(T, &mut Vec<u8>),
) {
    out.push(b'[');
    for (position, item) in items.into_iter().enumerate() {
        if position > 0 {
            out.push(b',');
        }
        each(item, out);
    }
    out.push(b']');
}

fn element(value: &Value, index: usize, out: &mut Vec<u8>) {
    match value {
        Value::Bool(a) => drop(write!(out, "{}", a[index])),
        Value::Char(a) => text(&a[index..=index], out),
        Value::String(_) | Value::Link(_) => text(value.bytes(index).unwrap_or_default(), out),
        Value::Float(a) => match a[index] {
            x if x.is_finite() => drop(write!(out, "{x:?}")),
            x => beyond(x.into(), out),
        },
        Value::Double(a) => match a[index] {
            x if x.is_finite() => drop(write!(out, "{x:?}")),
            x => beyond(x, out),
        },
        whole => {
            if let Some(Number::Whole(n)) = whole.number(index) {
                let _ = write!(out, "{n}");
            }
        }
    }
}

fn beyond(x: f64, out: &mut Vec<u8>) {
    out.extend_from_slice(match x {
        f64::INFINITY => b"\"Infinity\"",
        f64::NEG_INFINITY => b"\"-Infinity\"",
        _ => b"\"NaN\"",
    });
}

/// A string.
pub(crate) fn text(bytes: &[u8], out: &mut Vec<u8>) {
    let Ok(text) = std::str::from_utf8(bytes) else {
        out.extend_from_slice(b"{\"hex\":\"");
        bytes.iter().for_each(|byte| drop(write!(out, "{byte:02x}")));
        out.extend_from_slice(b"\"}");
        return;
    };
    out.push(b'"');
    for c in text.chars() {
        match c {
            '"' | '\\' => {
                let _ = write!(out, "\\{c}");
            }
            '\n' => out.extend_from_slice(b"\\n"),
            c if c < ' ' => drop(write!(out, "\\u{:04x}", u32::from(c))),
            c => drop(write!(out, "{c}")),
        }
    }
    out.push(b'"');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_value_is_json() {
        let check = |value: Value, wanted: &str| {
            let mut out = Vec::new();
            super::value(&value, &mut out);
            assert_eq!(String::from_utf8_lossy(&out), wanted);
        };
        check(Value::Word(vec![65535]), "65535");
        check(Value::Uint64(vec![u64::MAX, 0]), "[18446744073709551615,0]");
        check(Value::Float(vec![0.1, 1e20, f32::NAN]), "[0.1,1e20,\"NaN\"]");
        check(Value::Double(vec![-0.0, f64::NEG_INFINITY]), "[-0.0,\"-Infinity\"]");
        check(Value::Bool(vec![true]), "true");
        check(Value::Char(vec![b'"']), "\"\\\"\"");
        check(Value::from("a\\b\n\u{1}\u{fc}"), "\"a\\\\b\\n\\u0001\u{fc}\"");
        check(Value::string(b"\xfc\xb5".to_vec()), "{\"hex\":\"fcb5\"}");
        check(Value::Int(Vec::new()), "[]");
    }
}
