//! Rust structs kept in step with a directory of the ODB.

use pactolus_formats::Tid;

use crate::typed::{Element, Typed};
use crate::{Error, Number, Path, Result, Tree, Value};

/// Parameters: a struct whose fields are keys of one directory. Made by `#[derive(Record)]`.
///
/// In the order things are called: [`defaults`](Record::defaults) makes an instance,
/// [`create`](Record::create) makes the keys that are missing (stored ones win), and
/// [`load`](Record::load) reads them all. The trait is object-safe but for `defaults`.
///
/// ```
/// use pactolus_odb::{Odb, Path, Record};
///
/// #[derive(Record, Clone)]
/// struct Summing {
///     /// Smallest amplitude that counts [MeV]
///     #[key("ADC threshold", default = 5.0, min = 0.0)]
///     threshold: f32,
/// }
///
/// let odb = Odb::local();
/// let at = Path::parse("/Analyzer/Parameters/ADC summing")?;
/// let mut summing = Summing::defaults();
/// odb.change(|tree| summing.create(tree, &at, &|_| None))?;
/// odb.set("/Analyzer/Parameters/ADC summing/ADC threshold", 33.5)?;
/// summing.load(&odb.snapshot()?, &at)?;
/// assert_eq!(summing.threshold, 33.5);
/// # Ok::<(), pactolus_odb::Error>(())
/// ```
///
/// # Attributes
/// `#[key("Name", default = .., min = .., max = .., len = .., per = ..)]`, each part optional:
/// - the name of the key; without one, that of the field. A key is found ignoring case and with
///   `_` as good as a blank;
/// - `default`: the value of a missing key; for a `Vec` or array, of each element, or an array;
/// - `min`, `max`: what a stored number must be at least or at most, or loading is an error;
/// - `len`: the length of a `Vec` when its key is missing;
/// - `per = BANK`: one value per element of this bank, a `BankDef`.
///
/// `#[key(skip)]` is a field of the struct alone, made by `Default`. The documentation of the
/// field describes the key; the last `[..]` in it is the unit.
#[diagnostic::on_unimplemented(
    message = "`{Self}` has no parameters yet: it is no `Record`",
    label = "is no `Record`",
    note = "write `#[derive(Record, Clone)]` above `struct {Self}`: its fields are its parameters, none are fine, too"
)]
pub trait Record {
    /// An instance with the default of every field.
    fn defaults() -> Self
    where
        Self: Sized;

    /// What the keys are, in the order of the fields.
    fn fields(&self) -> Vec<Field>;

    /// Reads every field from the directory at `path`; one whose key is missing stays as it is.
    ///
    /// # Errors
    /// [`Error::Type`], [`Error::Length`], [`Error::Limit`] and those of [`Tree::value`]. Fields
    /// read before the error have their new values.
    fn load(&mut self, tree: &Tree, path: &Path) -> Result<()>;

    /// Makes the keys that are missing, with the values of this instance, and says which.
    ///
    /// `lengths` gives the elements of a bank, for arrays that have one value per element and know
    /// no length from elsewhere.
    ///
    /// # Errors
    /// [`Error::NoLength`] and those of [`Tree::create`].
    fn create(&self, tree: &mut Tree, path: &Path, lengths: &Lengths<'_>) -> Result<Vec<Path>>;

    /// The arrays with one value per element of a bank, and how long they are now.
    fn per(&self) -> Vec<Per>;
}

/// How many elements a bank has, if that is known.
pub type Lengths<'a> = dyn Fn([u8; 4]) -> Option<usize> + 'a;

/// One field of a record.
#[derive(Clone, Debug, PartialEq)]
pub struct Field {
    /// Name of the key.
    pub name: &'static str,
    /// Type of the key when it is made.
    pub tid: Tid,
    /// One or several values.
    pub shape: Shape,
    /// What it is, from the documentation of the field, without the unit.
    pub description: &'static str,
    /// The unit, from the last brackets of the documentation.
    pub unit: Option<&'static str>,
    /// What every element must be at least.
    pub min: Option<f64>,
    /// What every element must be at most.
    pub max: Option<f64>,
    /// Elements that a missing `Vec` gets.
    pub len: Option<usize>,
    /// The bank that has one element per value.
    pub per: Option<Bank>,
    /// The default: of the whole key, or of each element of a `Vec` (then it has length 1).
    pub default: Value,
}

/// How many values a field has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// One.
    Scalar,
    /// As many as its type says.
    Array(usize),
    /// As many as are stored.
    Vec,
}

/// A bank as a record knows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bank {
    /// Its four letters.
    pub name: [u8; 4],
    /// Its elements, if its definition says.
    pub elements: Option<usize>,
}

impl Bank {
    fn text(&self) -> String {
        String::from_utf8_lossy(&self.name).trim_end_matches(['\0', ' ']).to_owned()
    }
}

/// An array with one value per element of a bank.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Per {
    /// Name of the key.
    pub key: &'static str,
    /// Name of the bank.
    pub bank: [u8; 4],
    /// Values the field has now.
    pub len: usize,
}

impl Field {
    /// Reads this field from its key in the directory at `path`, or leaves it if the key is
    /// missing. For the code that `derive(Record)` writes.
    ///
    /// # Errors
    /// As [`Record::load`].
    #[doc(hidden)]
    pub fn load<T: Typed>(&self, tree: &Tree, path: &Path, field: &mut T) -> Result<()> {
        let Some(at) = self.find(tree, path)? else { return Ok(()) };
        let at = at.to_string();
        let value = tree.value(&at)?;
        let new = T::from_value(&value)
            .map_err(|mismatch| mismatch.at(&at, <T::Element as crate::typed::Element>::TID, &value))?;
        self.check(&at, &value)?;
        *field = new;
        Ok(())
    }

    /// Makes the key of this field in the directory at `path` if it is missing, and adds its path
    /// to `made`. For the code that `derive(Record)` writes.
    ///
    /// # Errors
    /// As [`Record::create`].
    #[doc(hidden)]
    pub fn create<T: Typed>(
        &self,
        tree: &mut Tree,
        path: &Path,
        field: &T,
        lengths: &Lengths<'_>,
        made: &mut Vec<Path>,
    ) -> Result<()> {
        if self.find(tree, path)?.is_some() {
            return Ok(());
        }
        let mut value: Value = field.clone().into();
        if let (true, Some(bank)) = (value.is_empty(), &self.per) {
            let len = bank.elements.or_else(|| lengths(bank.name));
            let len = len.ok_or_else(|| Error::NoLength { key: self.name.to_owned(), bank: bank.text() })?;
            value = self.repeated::<T::Element>(len, path)?;
        }
        let at = path.child(self.name)?;
        tree.create(&at.to_string(), value)?;
        made.push(at);
        Ok(())
    }

    fn repeated<T: Element>(&self, len: usize, path: &Path) -> Result<Value> {
        if len > Value::MAX_LEN {
            let path = format!("{path}/{}", self.name);
            return Err(Error::TooLong { path, wanted: len, limit: Value::MAX_LEN });
        }
        let element = T::read(&self.default, 0).unwrap_or_default();
        Ok(T::pack(vec![element; len]))
    }

    /// The path of the key in its directory, if it is there.
    fn find(&self, tree: &Tree, path: &Path) -> Result<Option<Path>> {
        let directory = match tree.directory(&path.to_string()) {
            Ok(directory) => directory,
            Err(Error::NotFound { .. }) => return Ok(None),
            Err(other) => return Err(other),
        };
        directory.get_loose(self.name).map(|key| path.child(key.name())).transpose()
    }

    fn check(&self, path: &str, value: &Value) -> Result<()> {
        if self.min.is_none() && self.max.is_none() {
            return Ok(());
        }
        let (min, max) = (self.min.unwrap_or(f64::NEG_INFINITY), self.max.unwrap_or(f64::INFINITY));
        for index in 0..value.len() {
            let Some(number) = value.number(index) else { continue };
            let x = match number {
                Number::Whole(n) => n as f64,
                Number::Real(x) => x,
            };
            // NaN is within no limits.
            let (bound, limit) = match () {
                () if x >= min && x <= max => continue,
                () if x > max => ("at most", max),
                () if self.min.is_some() => ("at least", min),
                () => ("at most", max),
            };
            let path = if value.len() > 1 { format!("{path}[{index}]") } else { path.to_owned() };
            return Err(Error::Limit { path, value: value.text(index), bound, limit });
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
