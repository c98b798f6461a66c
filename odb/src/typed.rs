//! Rust types as values of keys, without loss.

use pactolus_formats::Tid;

use crate::value::Strings;
use crate::{Error, Value};

/// One element of a key as a Rust type: the numbers, `bool` and `String`.
#[diagnostic::on_unimplemented(
    message = "a field of type `{Self}` cannot be a parameter",
    label = "no type of a parameter",
    note = "parameters are numbers, `bool`, `String`, and `Vec` or arrays of them",
    note = "a field that is no parameter, as a handle of a histogram or a table made in `prepare`, needs `#[key(skip)]`"
)]
pub trait Element: Clone + Default + Send + Sync + 'static {
    /// The MIDAS type that a new key of this type gets.
    const TID: Tid;

    /// Element `index` of a value, if it fits without loss.
    ///
    /// # Errors
    /// Says what is in the way; the caller adds the path.
    fn read(value: &Value, index: usize) -> Result<Self, Mismatch>;

    /// These elements as a value of type [`Element::TID`].
    fn pack(elements: Vec<Self>) -> Value;
}

/// A Rust type that a whole key can be read into: an [`Element`], a `Vec` or an array of them.
#[diagnostic::on_unimplemented(
    message = "a key cannot be read as `{Self}`",
    label = "no type of a key",
    note = "parameters are numbers, `bool`, `String`, and `Vec` or arrays of them",
    note = "a field that is no parameter, as a handle of a histogram or a table made in `prepare`, needs `#[key(skip)]`"
)]
pub trait Typed: Sized + Clone + Into<Value> {
    /// The type of one element.
    type Element: Element;

    /// Reads the value of a key.
    ///
    /// # Errors
    /// Says what is in the way; the caller adds the path.
    fn from_value(value: &Value) -> Result<Self, Mismatch>;
}

/// Why a value does not fit a Rust type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mismatch {
    /// This element cannot be had in the wanted type without loss.
    Element(usize),
    /// So many elements were wanted; another number is there.
    Length(usize),
    /// The string is no UTF-8, from this byte on.
    NotUtf8(usize),
}

impl Mismatch {
    /// The error of the key at `path`, whose value was to be read as the type `wanted`.
    pub fn at(self, path: &str, wanted: Tid, value: &Value) -> Error {
        let path = path.to_owned();
        match self {
            Mismatch::Element(index) => Error::Type {
                path: if value.len() > 1 { format!("{path}[{index}]") } else { path },
                wanted,
                stored: value.tid(),
                value: value.element(index).unwrap_or_else(|| value.clone()).summary(),
            },
            Mismatch::Length(wanted) => Error::Length { path, wanted, found: value.len() },
            Mismatch::NotUtf8(offset) => Error::NotUtf8 { path, offset },
        }
    }
}

macro_rules! scalar {
    ($type:ty) => {
        impl Typed for $type {
            type Element = $type;

            fn from_value(value: &Value) -> Result<Self, Mismatch> {
                if value.len() == 1 { <$type>::read(value, 0) } else { Err(Mismatch::Length(1)) }
            }
        }

        impl From<$type> for Value {
            fn from(element: $type) -> Value {
                <$type>::pack(vec![element])
            }
        }
    };
}

macro_rules! element {
    ($($type:ident $variant:ident |$number:ident| $read:expr;)*) => {
        $(
            impl Element for $type {
                const TID: Tid = Tid::$variant;

                fn read(value: &Value, index: usize) -> Result<Self, Mismatch> {
                    value.number(index).and_then(|$number| $read).ok_or(Mismatch::Element(index))
                }

                fn pack(elements: Vec<Self>) -> Value {
                    Value::$variant(elements)
                }
            }

            scalar!($type);
        )*
    };
}

element! {
    u8 Byte |n| n.whole()?.try_into().ok();
    i8 Sbyte |n| n.whole()?.try_into().ok();
    u16 Word |n| n.whole()?.try_into().ok();
    i16 Short |n| n.whole()?.try_into().ok();
    u32 Dword |n| n.whole()?.try_into().ok();
    i32 Int |n| n.whole()?.try_into().ok();
    u64 Uint64 |n| n.whole()?.try_into().ok();
    i64 Int64 |n| n.whole()?.try_into().ok();
    f32 Float |n| n.single();
    f64 Double |n| n.double();
    bool Bool |n| match n.whole()? {
        0 => Some(false),
        1 => Some(true),
        _ => None,
    };
}

impl Element for String {
    const TID: Tid = Tid::String;

    fn read(value: &Value, index: usize) -> Result<String, Mismatch> {
        let bytes = value.bytes(index).ok_or(Mismatch::Element(index))?;
        let text = std::str::from_utf8(bytes).map_err(|error| Mismatch::NotUtf8(error.valid_up_to()))?;
        Ok(text.to_owned())
    }

    fn pack(elements: Vec<String>) -> Value {
        let values: Vec<Vec<u8>> = elements.into_iter().map(String::into_bytes).collect();
        let size = values.iter().map(|text| text.len() + 1).fold(32, usize::max);
        Value::String(Strings { size, values })
    }
}

scalar!(String);

impl<T: Element> Typed for Vec<T> {
    type Element = T;

    fn from_value(value: &Value) -> Result<Self, Mismatch> {
        (0..value.len()).map(|index| T::read(value, index)).collect()
    }
}

impl<T: Element, const N: usize> Typed for [T; N] {
    type Element = T;

    fn from_value(value: &Value) -> Result<Self, Mismatch> {
        let elements = <Vec<T> as Typed>::from_value(value)?;
        elements.try_into().map_err(|_| Mismatch::Length(N))
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Value {
        Value::string(text)
    }
}

impl<T: Element> From<Vec<T>> for Value {
    fn from(elements: Vec<T>) -> Value {
        T::pack(elements)
    }
}

impl<T: Element> From<&[T]> for Value {
    fn from(elements: &[T]) -> Value {
        T::pack(elements.to_vec())
    }
}

impl<T: Element, const N: usize> From<[T; N]> for Value {
    fn from(elements: [T; N]) -> Value {
        T::pack(elements.to_vec())
    }
}
