//! The value of a key: an array of one of MIDAS's types, often of length 1.

use std::borrow::Cow;
use std::io::Write as _;

use pactolus_formats::Tid;
use pactolus_formats::text::format_g;

use crate::text;

mod exact;

/// Strings of one key: each has the same room, `size` bytes with the closing NUL.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Strings {
    /// Bytes that MIDAS reserves for each string, closing NUL included.
    pub size: usize,
    /// The strings, without NUL. MIDAS knows no encoding; most are ASCII or UTF-8.
    pub values: Vec<Vec<u8>>,
}

/// The values of a key, all of one type.
///
/// `==` compares as numbers (NaN differs from itself); [`Value::same`] compares bit by bit.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Value {
    /// `BYTE`, also known as `UINT8`.
    Byte(Vec<u8>),
    /// `SBYTE`, `INT8`.
    Sbyte(Vec<i8>),
    /// `CHAR`: single characters of no stated encoding.
    Char(Vec<u8>),
    /// `WORD`, `UINT16`.
    Word(Vec<u16>),
    /// `SHORT`, `INT16`.
    Short(Vec<i16>),
    /// `DWORD`, `UINT32`.
    Dword(Vec<u32>),
    /// `INT`, `INT32`.
    Int(Vec<i32>),
    /// `BOOL`.
    Bool(Vec<bool>),
    /// `FLOAT`.
    Float(Vec<f32>),
    /// `DOUBLE`.
    Double(Vec<f64>),
    /// `BITFIELD`: MIDAS's text forms print nothing for it.
    Bitfield(Vec<u8>),
    /// `STRING`.
    String(Strings),
    /// `LINK`: the path of another key, perhaps with an index.
    Link(Vec<u8>),
    /// `INT64`, of newer MIDAS.
    Int64(Vec<i64>),
    /// `UINT64`, of newer MIDAS.
    Uint64(Vec<u64>),
}

/// One element as a number.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Number {
    /// From every whole type, `CHAR` and `BOOL` (0 or 1).
    Whole(i128),
    /// From `FLOAT` and `DOUBLE`.
    Real(f64),
}

/// The variant's vector, whatever its elements; the string types have their own arms.
macro_rules! on_array {
    ($value:expr, $array:ident => $do:expr, $strings:ident => $on_strings:expr, $link:ident => $on_link:expr) => {
        match $value {
            Value::Byte($array) => $do,
            Value::Sbyte($array) => $do,
            Value::Char($array) => $do,
            Value::Word($array) => $do,
            Value::Short($array) => $do,
            Value::Dword($array) => $do,
            Value::Int($array) => $do,
            Value::Bool($array) => $do,
            Value::Float($array) => $do,
            Value::Double($array) => $do,
            Value::Bitfield($array) => $do,
            Value::Int64($array) => $do,
            Value::Uint64($array) => $do,
            Value::String($strings) => $on_strings,
            Value::Link($link) => $on_link,
        }
    };
}

impl Value {
    /// The most elements a key can have: 16,777,216. MIDAS's whole ODB has a few MB.
    pub const MAX_LEN: usize = 1 << 24;

    /// One string, with as much room as it needs but at least MIDAS's usual 32 bytes.
    pub fn string(text: impl Into<Vec<u8>>) -> Value {
        let text = text.into();
        let size = (text.len() + 1).max(32);
        Value::String(Strings { size, values: vec![text] })
    }

    /// The numbers of a type, little-endian, one behind the other; bytes behind the last whole one do not
    /// count. `None` for BOOL, which is stored in several ways, for text, and for types no key has.
    pub fn from_le_bytes(tid: Tid, bytes: &[u8]) -> Option<Value> {
        macro_rules! numbers {
            ($variant:ident, $type:ty) => {{
                let (chunks, _) = bytes.as_chunks::<{ size_of::<$type>() }>();
                Value::$variant(chunks.iter().map(|chunk| <$type>::from_le_bytes(*chunk)).collect())
            }};
        }
        Some(match tid {
            Tid::Byte => Value::Byte(bytes.to_vec()),
            Tid::Char => Value::Char(bytes.to_vec()),
            Tid::Bitfield => Value::Bitfield(bytes.to_vec()),
            Tid::Sbyte => numbers!(Sbyte, i8),
            Tid::Word => numbers!(Word, u16),
            Tid::Short => numbers!(Short, i16),
            Tid::Dword => numbers!(Dword, u32),
            Tid::Int => numbers!(Int, i32),
            Tid::Int64 => numbers!(Int64, i64),
            Tid::Uint64 => numbers!(Uint64, u64),
            Tid::Float => numbers!(Float, f32),
            Tid::Double => numbers!(Double, f64),
            Tid::Bool | Tid::String | Tid::Link | Tid::Array | Tid::Struct | Tid::Key => return None,
        })
    }

    /// No elements of this type yet; `None` for types no key has (ARRAY, STRUCT, KEY).
    pub fn empty(tid: Tid) -> Option<Value> {
        Some(match tid {
            Tid::Byte => Value::Byte(Vec::new()),
            Tid::Sbyte => Value::Sbyte(Vec::new()),
            Tid::Char => Value::Char(Vec::new()),
            Tid::Word => Value::Word(Vec::new()),
            Tid::Short => Value::Short(Vec::new()),
            Tid::Dword => Value::Dword(Vec::new()),
            Tid::Int => Value::Int(Vec::new()),
            Tid::Bool => Value::Bool(Vec::new()),
            Tid::Float => Value::Float(Vec::new()),
            Tid::Double => Value::Double(Vec::new()),
            Tid::Bitfield => Value::Bitfield(Vec::new()),
            Tid::String => Value::String(Strings { size: 32, values: Vec::new() }),
            Tid::Link => Value::Link(Vec::new()),
            Tid::Int64 => Value::Int64(Vec::new()),
            Tid::Uint64 => Value::Uint64(Vec::new()),
            Tid::Array | Tid::Struct | Tid::Key => return None,
        })
    }

    /// The type.
    pub fn tid(&self) -> Tid {
        match self {
            Value::Byte(_) => Tid::Byte,
            Value::Sbyte(_) => Tid::Sbyte,
            Value::Char(_) => Tid::Char,
            Value::Word(_) => Tid::Word,
            Value::Short(_) => Tid::Short,
            Value::Dword(_) => Tid::Dword,
            Value::Int(_) => Tid::Int,
            Value::Bool(_) => Tid::Bool,
            Value::Float(_) => Tid::Float,
            Value::Double(_) => Tid::Double,
            Value::Bitfield(_) => Tid::Bitfield,
            Value::String(_) => Tid::String,
            Value::Link(_) => Tid::Link,
            Value::Int64(_) => Tid::Int64,
            Value::Uint64(_) => Tid::Uint64,
        }
    }

    /// How many elements.
    pub fn len(&self) -> usize {
        on_array!(self, a => a.len(), s => s.values.len(), _l => 1)
    }

    /// Has it no elements?
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Bytes of one element in MIDAS; strings and links count their closing NUL.
    pub fn item_size(&self) -> usize {
        match self {
            Value::String(strings) => strings.size,
            Value::Link(target) => target.len() + 1,
            other => other.tid().size(),
        }
    }

    /// Element `index` as a number; `None` beyond the end, and for strings and links.
    pub fn number(&self, index: usize) -> Option<Number> {
        use Number::{Real, Whole};
        Some(match self {
            Value::Byte(a) | Value::Char(a) | Value::Bitfield(a) => Whole((*a.get(index)?).into()),
            Value::Sbyte(a) => Whole((*a.get(index)?).into()),
            Value::Word(a) => Whole((*a.get(index)?).into()),
            Value::Short(a) => Whole((*a.get(index)?).into()),
            Value::Dword(a) => Whole((*a.get(index)?).into()),
            Value::Int(a) => Whole((*a.get(index)?).into()),
            Value::Bool(a) => Whole((*a.get(index)?).into()),
            Value::Int64(a) => Whole((*a.get(index)?).into()),
            Value::Uint64(a) => Whole((*a.get(index)?).into()),
            Value::Float(a) => Real((*a.get(index)?).into()),
            Value::Double(a) => Real(*a.get(index)?),
            Value::String(_) | Value::Link(_) => return None,
        })
    }

    /// The bytes of string `index`, or of a link's target.
    pub fn bytes(&self, index: usize) -> Option<&[u8]> {
        match self {
            Value::String(strings) => strings.values.get(index).map(Vec::as_slice),
            Value::Link(target) if index == 0 => Some(target),
            _ => None,
        }
    }

    /// Appends the text of element `index` as MIDAS prints it; nothing beyond the end.
    pub fn write_text(&self, index: usize, out: &mut Vec<u8>) {
        match self {
            Value::Char(a) => out.extend(a.get(index).filter(|&&c| c != 0)),
            Value::Bitfield(_) => {}
            Value::Bool(a) => out.extend(a.get(index).map(|&on| if on { b'y' } else { b'n' })),
            Value::Float(a) => {
                if let Some(&x) = a.get(index) {
                    format_g(out, x.into(), 7);
                }
            }
            Value::Double(a) => {
                if let Some(&x) = a.get(index) {
                    format_g(out, x, 16);
                }
            }
            Value::String(_) | Value::Link(_) => out.extend_from_slice(self.bytes(index).unwrap_or(b"")),
            whole => {
                if let Some(Number::Whole(n)) = whole.number(index) {
                    // Writing into a vector cannot fail.
                    let _ = write!(out, "{n}");
                }
            }
        }
    }

    /// As [`Value::write_text`], but a FLOAT of which 7 digits are not enough, and a DOUBLE of which
    /// 16 are not, gets as many as it needs, and a BITFIELD is a number: `0x0f`.
    pub(crate) fn write_exact(&self, index: usize, out: &mut Vec<u8>) {
        let number = match self {
            Value::Float(a) => a.get(index).map(|&x| f64::from(x)),
            Value::Double(a) => a.get(index).copied(),
            Value::Bitfield(a) => {
                return out.extend(a.get(index).iter().flat_map(|x| format!("{x:#04x}").into_bytes()));
            }
            _ => return self.write_text(index, out),
        };
        let Some(x) = number else { return };
        let single = matches!(self, Value::Float(_));
        let start = out.len();
        // 17 are enough for every DOUBLE, hence for what a FLOAT is as a DOUBLE.
        for digits in if single { [7, 8, 9, 17] } else { [16, 17, 17, 17] } {
            out.truncate(start);
            format_g(out, x, digits);
            let read = text::lenient_float(&out[start..]);
            if x.is_nan() || if single { read as f32 == x as f32 } else { read == x } {
                break;
            }
        }
    }

    /// The text of element `index`, for people: as MIDAS prints it, other bytes than UTF-8 replaced.
    pub fn text(&self, index: usize) -> String {
        let mut out = Vec::new();
        self.write_text(index, &mut out);
        String::from_utf8_lossy(&out).into_owned()
    }

    /// Every element, for messages: `5`, `[1, 2, 3]`, cut after eight.
    pub(crate) fn summary(&self) -> String {
        if self.len() == 1 {
            return self.text(0).chars().take(80).collect();
        }
        let some = (0..self.len().min(8)).map(|i| self.text(i).chars().take(20).collect::<String>());
        let dots = if self.len() > 8 { ", ..." } else { "" };
        format!("[{}{dots}]", some.collect::<Vec<_>>().join(", "))
    }

    /// Appends an element read as MIDAS reads text: `0x` is hexadecimal, then C's `atoi` and `atof`.
    /// Nothing is refused, rubbish is 0. A link is replaced.
    pub(crate) fn push_text(&mut self, text: &[u8]) {
        let whole = || text::lenient_integer(text);
        match self {
            // `as`: a number too large wraps, as in C.
            Value::Byte(a) => a.push(whole() as u8),
            Value::Sbyte(a) => a.push(whole() as i8),
            Value::Char(a) => a.push(text.first().copied().unwrap_or(0)),
            Value::Word(a) => a.push(whole() as u16),
            Value::Short(a) => a.push(whole() as i16),
            Value::Dword(a) => a.push(whole() as u32),
            Value::Int(a) => a.push(whole() as i32),
            Value::Bool(a) => a.push(text::lenient_bool(text)),
            Value::Float(a) => a.push(text::lenient_float(text) as f32),
            Value::Double(a) => a.push(text::lenient_float(text)),
            Value::Bitfield(a) => a.push(whole() as u8),
            Value::Int64(a) => a.push(whole() as i64),
            Value::Uint64(a) => a.push(whole() as u64),
            Value::String(strings) => {
                strings.size = strings.size.max(text.len() + 1);
                strings.values.push(text.to_vec());
            }
            Value::Link(target) => *target = text.to_vec(),
        }
    }

    /// One element of type `tid` from what a user typed; `None` if the text is no such value, all
    /// of it, within the range of the type.
    pub fn parse(tid: Tid, text: &str) -> Option<Value> {
        let whole = || text::strict_integer(text);
        Some(match tid {
            Tid::Bool => Value::Bool(vec![text::strict_bool(text)?]),
            Tid::Float => {
                let wide = text::strict_float(text)?;
                let narrow = wide as f32;
                (narrow.is_finite() || !wide.is_finite()).then(|| Value::Float(vec![narrow]))?
            }
            Tid::Double => Value::Double(vec![text::strict_float(text)?]),
            Tid::String => Value::string(text),
            Tid::Link => Value::Link(text.into()),
            Tid::Char => match *text.as_bytes() {
                [] => Value::Char(vec![0]),
                [c] => Value::Char(vec![c]),
                _ => return None,
            },
            Tid::Bitfield => Value::Bitfield(vec![u8::try_from(whole()?).ok()?]),
            _ => {
                let mut value = Value::empty(tid)?;
                value.push_number(Number::Whole(whole()?)).then_some(value)?
            }
        })
    }

    /// Appends a number if it fits without loss; says whether it did.
    fn push_number(&mut self, number: Number) -> bool {
        fn push<T: TryFrom<i128>>(array: &mut Vec<T>, number: Number) -> bool {
            number.whole().and_then(|n| T::try_from(n).ok()).map(|n| array.push(n)).is_some()
        }
        match self {
            Value::Byte(a) | Value::Char(a) | Value::Bitfield(a) => push(a, number),
            Value::Sbyte(a) => push(a, number),
            Value::Word(a) => push(a, number),
            Value::Short(a) => push(a, number),
            Value::Dword(a) => push(a, number),
            Value::Int(a) => push(a, number),
            Value::Int64(a) => push(a, number),
            Value::Uint64(a) => push(a, number),
            Value::Bool(a) => match number.whole() {
                Some(n @ 0..=1) => {
                    a.push(n == 1);
                    true
                }
                _ => false,
            },
            Value::Float(a) => number.single().map(|x| a.push(x)).is_some(),
            Value::Double(a) => number.double().map(|x| a.push(x)).is_some(),
            Value::String(_) | Value::Link(_) => false,
        }
    }

    /// This value as another type, if no element loses anything (an INT as a FLOAT that holds it
    /// exactly, a BOOL as 0 or 1).
    ///
    /// # Errors
    /// The index of the first element that does not fit, 0 also if the types never fit.
    pub fn convert(&self, tid: Tid) -> Result<Cow<'_, Value>, usize> {
        if self.tid() == tid {
            return Ok(Cow::Borrowed(self));
        }
        let mut converted = Value::empty(tid).ok_or(0_usize)?;
        for index in 0..self.len() {
            let fits = self.number(index).is_some_and(|number| converted.push_number(number));
            if !fits {
                return Err(index);
            }
        }
        Ok(Cow::Owned(converted))
    }

    /// As [`Value::convert`], but a DOUBLE that becomes a FLOAT is rounded to the nearest, as the
    /// decimal text of a dump is.
    ///
    /// # Errors
    /// As [`Value::convert`].
    pub fn convert_text(&self, tid: Tid) -> Result<Cow<'_, Value>, usize> {
        match (self, tid) {
            (Value::Double(a), Tid::Float) => {
                Ok(Cow::Owned(Value::Float(a.iter().map(|&x| x as f32).collect())))
            }
            _ => self.convert(tid),
        }
    }

    /// Element `index` alone.
    pub fn element(&self, index: usize) -> Option<Value> {
        self.slice(index, index)
    }

    /// The elements `first` to `last`, both included.
    pub(crate) fn slice(&self, first: usize, last: usize) -> Option<Value> {
        let range = first..last.checked_add(1)?;
        macro_rules! cut {
            ($($variant:ident)*) => {
                match self {
                    $(Value::$variant(a) => Value::$variant(a.get(range)?.to_vec()),)*
                    Value::String(s) => {
                        Value::String(Strings { size: s.size, values: s.values.get(range)?.to_vec() })
                    }
                    Value::Link(target) => Value::Link((range == (0..1)).then(|| target.clone())?),
                }
            };
        }
        Some(cut!(Byte Sbyte Char Word Short Dword Int Bool Float Double Bitfield Int64 Uint64))
    }

    /// Puts element `from` of another value of the same type in place of element `index`, or behind
    /// the last one; says whether it could.
    pub(crate) fn put(&mut self, index: usize, other: &Value, from: usize) -> bool {
        macro_rules! put {
            ($($variant:ident)*) => {
                match (self, other) {
                    $((Value::$variant(a), Value::$variant(b)) => place(a, index, b.get(from)),)*
                    (Value::String(a), Value::String(b)) => {
                        let new = b.values.get(from);
                        a.size = a.size.max(new.map_or(0, |text| text.len() + 1));
                        place(&mut a.values, index, new)
                    }
                    (Value::Link(a), Value::Link(b)) if index == 0 && from == 0 => {
                        a.clone_from(b);
                        true
                    }
                    _ => false,
                }
            };
        }
        put!(Byte Sbyte Char Word Short Dword Int Bool Float Double Bitfield Int64 Uint64)
    }

    /// Cuts the array or adds zeros (`n`, empty strings); a link stays as it is.
    pub(crate) fn resize(&mut self, len: usize) {
        on_array!(self, a => a.resize(len, Default::default()), s => s.values.resize(len, Vec::new()), _l => ());
    }

    /// The room of each string; nothing for other types.
    pub(crate) fn grow_strings(&mut self, size: usize) {
        if let Value::String(strings) = self {
            strings.size = strings.size.max(size);
        }
    }

    /// Same type, same length, and the same bits; string sizes included.
    pub fn same(&self, other: &Value) -> bool {
        match (self, other) {
            (Value::Float(a), Value::Float(b)) => {
                a.len() == b.len() && a.iter().zip(b).all(|(a, b)| a.to_bits() == b.to_bits())
            }
            (Value::Double(a), Value::Double(b)) => {
                a.len() == b.len() && a.iter().zip(b).all(|(a, b)| a.to_bits() == b.to_bits())
            }
            _ => self == other,
        }
    }
}

fn place<T: Clone>(array: &mut Vec<T>, index: usize, new: Option<&T>) -> bool {
    let Some(new) = new else { return false };
    if index == array.len() {
        array.push(new.clone());
        return true;
    }
    array.get_mut(index).map(|old| old.clone_from(new)).is_some()
}

impl Number {
    /// The whole number, if it is one.
    pub(crate) fn whole(self) -> Option<i128> {
        match self {
            Number::Whole(n) => Some(n),
            // -0.0 is no whole number: its sign would be lost. Beyond 2^64 no integer type reaches.
            Number::Real(x) if x == x.trunc() && x.abs() < 2e19 && !(x == 0.0 && x.is_sign_negative()) => {
                Some(x as i128)
            }
            Number::Real(_) => None,
        }
    }

    /// The number in double precision, if it is exact.
    pub(crate) fn double(self) -> Option<f64> {
        match self {
            Number::Whole(n) => Some(n as f64).filter(|x| *x as i128 == n),
            Number::Real(x) => Some(x),
        }
    }

    /// The number in single precision, if it is exact; NaN stays NaN.
    pub(crate) fn single(self) -> Option<f32> {
        let wide = self.double()?;
        let narrow = wide as f32;
        (f64::from(narrow) == wide || wide.is_nan()).then_some(narrow)
    }
}

#[cfg(test)]
mod tests;
