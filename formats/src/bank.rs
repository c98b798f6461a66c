//! Banks: a four-letter name, a type and data.

use std::fmt;
use std::marker::PhantomData;

use bytemuck::Pod;

use crate::{Element, Order, Tid};

/// The name of a bank: four bytes, shorter names padded with NUL.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct BankName([u8; 4]);

impl BankName {
    /// A name from its four bytes.
    pub const fn new(name: [u8; 4]) -> BankName {
        BankName(name)
    }

    /// A name from text of one to four bytes; `None` if it is empty or longer.
    pub fn parse(name: &str) -> Option<BankName> {
        let bytes = name.as_bytes();
        if bytes.is_empty() || bytes.len() > 4 {
            return None;
        }
        let mut padded = [0; 4];
        padded[..bytes.len()].copy_from_slice(bytes);
        Some(BankName(padded))
    }

    /// The four bytes.
    pub const fn bytes(self) -> [u8; 4] {
        self.0
    }

    /// The bytes before the first NUL, as they stand in `.asc`.
    pub fn text(&self) -> &[u8] {
        let end = self.0.iter().position(|&b| b == 0).unwrap_or(4);
        &self.0[..end]
    }
}

impl fmt::Display for BankName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match std::str::from_utf8(self.text()) {
            Ok(text) if !text.chars().any(char::is_control) => f.pad(text),
            _ => f.pad(&self.text().escape_ascii().to_string()),
        }
    }
}

impl fmt::Debug for BankName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.to_string())
    }
}

/// The declaration of a bank: name, type, number of elements and unit in one constant.
///
/// ```
/// use pactolus_formats::BankDef;
/// /// Drift times [ns], one per wire, negative if the wire was silent.
/// pub const TIME: BankDef<f32> = BankDef::new(b"TIME").size(96).unit("ns");
/// assert_eq!(TIME.name().to_string(), "TIME");
/// ```
pub struct BankDef<T> {
    name: BankName,
    size: Option<usize>,
    unit: &'static str,
    element: PhantomData<fn() -> T>,
}

impl<T> Clone for BankDef<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for BankDef<T> {}

impl<T> BankDef<T> {
    /// A bank of any number of elements, without unit.
    pub const fn new(name: &[u8; 4]) -> BankDef<T> {
        BankDef { name: BankName::new(*name), size: None, unit: "", element: PhantomData }
    }

    /// States how many elements the bank has, or at most has.
    #[must_use]
    pub const fn size(self, elements: usize) -> BankDef<T> {
        BankDef { size: Some(elements), ..self }
    }

    /// States the unit of the elements.
    #[must_use]
    pub const fn unit(self, unit: &'static str) -> BankDef<T> {
        BankDef { unit, ..self }
    }

    /// The name.
    pub const fn name(&self) -> BankName {
        self.name
    }

    /// The declared number of elements, if any.
    pub const fn elements(&self) -> Option<usize> {
        self.size
    }

    /// The unit, or an empty string.
    pub const fn unit_name(&self) -> &'static str {
        self.unit
    }
}

impl<T: Element> fmt::Debug for BankDef<T> {
    /// `CADC: FLOAT[4] MeV`
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.name, T::TID)?;
        if let Some(elements) = self.size {
            write!(f, "[{elements}]")?;
        }
        if self.unit.is_empty() { Ok(()) } else { write!(f, " {}", self.unit) }
    }
}

/// A view of one bank of an event. Nothing is copied.
#[derive(Clone, Copy, Debug)]
pub struct Bank<'a> {
    /// Its name.
    pub name: BankName,
    /// The type as the file has it; see [`tid`](Bank::tid).
    pub code: u32,
    /// The contents, without padding, in `order`.
    pub data: &'a [u8],
    /// Byte order of `data`.
    pub order: Order,
}

impl<'a> Bank<'a> {
    /// The type, or `None` if MIDAS knows no such type.
    #[inline]
    pub fn tid(&self) -> Option<Tid> {
        Tid::from_bank_code(self.code)
    }

    /// The type's name; `<unknown>` as MIDAS prints it.
    pub fn type_name(&self) -> &'static str {
        self.tid().map_or("<unknown>", Tid::name)
    }

    /// Number of elements; bytes for types without a fixed size.
    #[inline]
    pub fn len(&self) -> usize {
        // Units are powers of two.
        self.data.len() >> self.tid().map_or(0, |tid| tid.unit().trailing_zeros())
    }

    /// Whether the bank holds no element.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The elements as `T`.
    ///
    /// # Errors
    /// [`WrongType`] if the bank holds another type, or structs of another size.
    #[inline]
    pub fn values<T: Element>(&self) -> Result<Values<'a, T>, WrongType> {
        // Another type may be accepted, too: text as bytes.
        if (self.code == T::TID.code() || self.tid().is_some_and(T::accepts))
            && (T::TID != Tid::Struct || self.data.len().is_multiple_of(T::SIZE))
        {
            Ok(Values { data: self.data, order: self.order, element: PhantomData })
        } else {
            Err(WrongType {
                bank: self.name,
                wanted: T::TID,
                wanted_size: T::SIZE,
                found: self.type_name(),
                bytes: self.data.len(),
            })
        }
    }

    /// The text of a STRING, CHAR or LINK bank up to the first NUL.
    pub fn text(&self) -> &'a [u8] {
        let end = self.data.iter().position(|&b| b == 0).unwrap_or(self.data.len());
        &self.data[..end]
    }
}

/// A bank was read as a type that it does not hold.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct WrongType {
    /// The bank.
    pub bank: BankName,
    /// The type asked for.
    pub wanted: Tid,
    /// Bytes of one element asked for.
    pub wanted_size: usize,
    /// The name of the type in the event.
    pub found: &'static str,
    /// Bytes in the bank.
    pub bytes: usize,
}

impl fmt::Display for WrongType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let WrongType { bank, wanted, wanted_size, found, bytes } = self;
        if *wanted == Tid::Struct && *found == Tid::Struct.name() {
            let mend = "give the struct that derives Bank the members of the bank";
            write!(f, "bank {bank}: structs of {wanted_size} bytes wanted, {bytes} bytes found: {mend}")
        } else {
            write!(f, "bank {bank}: {wanted} wanted, {found} found")?;
            match Tid::from_name(found).and_then(rust_type) {
                Some(rust) => write!(f, ": declare it as BankDef<{rust}>"),
                None => Ok(()),
            }
        }
    }
}

/// The Rust type that reads elements of this type.
fn rust_type(tid: Tid) -> Option<&'static str> {
    Some(match tid {
        Tid::Byte | Tid::Char | Tid::Bitfield | Tid::String | Tid::Array => "u8",
        Tid::Sbyte => "i8",
        Tid::Word => "u16",
        Tid::Short => "i16",
        Tid::Dword => "u32",
        Tid::Int => "i32",
        Tid::Int64 => "i64",
        Tid::Uint64 => "u64",
        Tid::Float => "f32",
        Tid::Double => "f64",
        Tid::Bool => "bool",
        Tid::Struct | Tid::Key | Tid::Link => return None,
    })
}

impl std::error::Error for WrongType {}

/// The elements of a bank, read in place whatever their alignment and byte order.
pub struct Values<'a, T> {
    data: &'a [u8],
    order: Order,
    element: PhantomData<T>,
}

impl<T> Clone for Values<'_, T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Values<'_, T> {}

impl<'a, T: Element> Values<'a, T> {
    /// Number of elements.
    #[inline]
    pub fn len(&self) -> usize {
        self.data.len() / T::SIZE
    }

    /// Whether there are none.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Element `i`.
    ///
    /// # Panics
    /// If `i` is not below [`len`](Self::len); see [`get`](Self::get).
    #[inline]
    #[track_caller]
    pub fn at(&self, i: usize) -> T {
        match self.data.get(i * T::SIZE..).and_then(|rest| rest.get(..T::SIZE)) {
            Some(bytes) => T::read(bytes, self.order),
            None => beyond(i, self.len()),
        }
    }

    /// Element `i`, or `None` beyond the end.
    #[inline]
    pub fn get(&self, i: usize) -> Option<T> {
        (i < self.len()).then(|| self.at(i))
    }

    /// The elements in order.
    #[inline]
    pub fn iter(&self) -> impl ExactSizeIterator<Item = T> + DoubleEndedIterator + use<'a, T> {
        let order = self.order;
        self.data.chunks_exact(T::SIZE).map(move |b| T::read(b, order))
    }

    /// The elements as a slice, if they lie aligned in memory and in this machine's byte order;
    /// [`iter`](Self::iter) works always.
    pub fn as_slice(&self) -> Option<&'a [T]>
    where
        T: Pod,
    {
        let native = if cfg!(target_endian = "little") { Order::Little } else { Order::Big };
        if T::SIZE > 1 && self.order != native {
            return None;
        }
        let whole = self.len() * T::SIZE;
        bytemuck::try_cast_slice(&self.data[..whole]).ok()
    }
}

#[cold]
#[track_caller]
fn beyond(i: usize, len: usize) -> ! {
    panic!("element {i} of a bank of {len} elements: stay below its len(), or ask with get({i})")
}

impl<'a, T: Element + fmt::Debug> fmt::Debug for Values<'a, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}
