//! Where a key is: `/Equipment/Trigger/Variables/ADC0[3]`.
//!
//! Names are compared without regard to ASCII case, as MIDAS does, and keep their spelling. A name
//! may hold brackets (`Rate [Hz]`), so a path is split into names only; whether `[3]` is an index
//! is asked when the key is looked up, and the literal name is tried first.

use std::fmt;
use std::hash::{Hash, Hasher};

use crate::{Error, Result};

/// The place of a key or directory, from the root; the root itself has no names.
///
/// ```
/// let path = pactolus_odb::Path::parse("/Runinfo//Run number/")?;
/// assert_eq!(path.to_string(), "/Runinfo/Run number");
/// assert_eq!(path, pactolus_odb::Path::parse("/RUNINFO/run Number")?);
/// # Ok::<(), pactolus_odb::Error>(())
/// ```
#[derive(Clone, Default)]
pub struct Path {
    names: Vec<String>,
}

/// The levels of directories a tree may have. MIDAS's paths of 256 characters have fewer.
pub const MAX_DEPTH: usize = 64;

/// The bytes a name may have. MIDAS itself cuts names at 31.
pub const MAX_NAME: usize = 255;

impl Path {
    /// The path of the root.
    pub const ROOT: Path = Path { names: Vec::new() };

    /// Reads a path; the slash in front may be missing, `.` and empty names mean nothing, `..`
    /// goes up.
    ///
    /// # Errors
    /// [`Error::Name`] for a name that no key can have, [`Error::Depth`] for too many of them.
    pub fn parse(text: &str) -> Result<Path> {
        Path::ROOT.join(text)
    }

    /// The path `text` has seen from here; an absolute `text` stays as it is.
    ///
    /// # Errors
    /// As [`Path::parse`].
    pub fn join(&self, text: &str) -> Result<Path> {
        let mut path = if text.starts_with('/') { Path::ROOT } else { self.clone() };
        for name in text.split('/') {
            match name {
                "" | "." => {}
                ".." => drop(path.names.pop()),
                name => path.push(name)?,
            }
        }
        Ok(path)
    }

    /// This path with one more name, taken as it is.
    ///
    /// # Errors
    /// As [`Path::parse`]; a slash in the name is an error too.
    pub fn child(&self, name: &str) -> Result<Path> {
        let mut path = self.clone();
        path.push(name)?;
        Ok(path)
    }

    /// Adds one name.
    pub(crate) fn push(&mut self, name: &str) -> Result<()> {
        check_name(name)?;
        if self.names.len() == MAX_DEPTH {
            return Err(Error::Depth { path: self.to_string(), limit: MAX_DEPTH });
        }
        self.names.push(name.to_owned());
        Ok(())
    }

    /// All of `other` below this path.
    ///
    /// # Errors
    /// [`Error::Depth`] if there are too many names together.
    pub fn append(&self, other: &Path) -> Result<Path> {
        let mut path = self.clone();
        other.names.iter().try_for_each(|name| path.push(name))?;
        Ok(path)
    }

    /// The names, from the root on.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// The last name, or `None` for the root.
    pub fn name(&self) -> Option<&str> {
        self.names.last().map(String::as_str)
    }

    /// The path without its last name, or `None` for the root.
    pub fn parent(&self) -> Option<Path> {
        let (_, names) = self.names.split_last()?;
        Some(Path { names: names.to_vec() })
    }

    /// Is this the root?
    pub fn is_root(&self) -> bool {
        self.names.is_empty()
    }

    /// Is this `base`, or below it?
    pub fn starts_with(&self, base: &Path) -> bool {
        self.names.len() >= base.names.len()
            && self.names.iter().zip(&base.names).all(|(a, b)| a.eq_ignore_ascii_case(b))
    }

    /// The part of the path below `base`, or `None` if it is not below it.
    pub fn below(&self, base: &Path) -> Option<Path> {
        self.starts_with(base).then(|| Path { names: self.names[base.names.len()..].to_vec() })
    }

    /// The path without its slash in front, as in dumps inside a run file.
    pub(crate) fn relative(&self) -> String {
        self.names.join("/")
    }
}

/// May a key have this name?
pub(crate) fn check_name(name: &str) -> Result<()> {
    let why = if name.is_empty() {
        "it is empty"
    } else if name.len() > MAX_NAME {
        "it is longer than 255 bytes"
    } else if name.contains('/') {
        "a slash separates directories"
    } else if matches!(name, "." | "..") {
        "it means a directory itself, or the one above"
    } else if name.bytes().any(|byte| byte < b' ') {
        "it holds a control character"
    } else {
        return Ok(());
    };
    Err(Error::Name { name: name.chars().take(64).collect(), why })
}

/// An index behind a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Index {
    /// `[3]`: one element.
    One(usize),
    /// `[2-4]` or `[2..4]`: the elements from the first to the last, both included.
    Range(usize, usize),
    /// `[*]`: every element.
    All,
}

impl Index {
    /// Splits `name[3]` into `name` and the index; `None` if the text does not end in one.
    pub fn split(text: &str) -> Option<(&str, Index)> {
        let (name, index) = text.strip_suffix(']')?.rsplit_once('[')?;
        (!name.is_empty()).then_some(())?;
        Some((name, Index::parse(index)?))
    }

    /// Reads what stands between the brackets.
    pub fn parse(text: &str) -> Option<Index> {
        let number = |text: &str| {
            let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
            digits.then(|| text.parse::<usize>().ok()).flatten()
        };
        if text == "*" {
            return Some(Index::All);
        }
        match text.split_once("..").or_else(|| text.split_once('-')) {
            Some((first, last)) => Some(Index::Range(number(first)?, number(last)?)),
            None => number(text).map(Index::One),
        }
    }
}

impl PartialEq for Path {
    fn eq(&self, other: &Path) -> bool {
        self.names.len() == other.names.len() && self.starts_with(other)
    }
}

impl Eq for Path {}

impl Hash for Path {
    fn hash<H: Hasher>(&self, state: &mut H) {
        for name in &self.names {
            name.bytes().for_each(|byte| state.write_u8(byte.to_ascii_lowercase()));
            state.write_u8(b'/');
        }
    }
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&format!("/{}", self.relative()))
    }
}

impl fmt::Debug for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]
    use super::*;

    fn check_index(text: &str, wanted: Option<(&str, Index)>) {
        assert_eq!(Index::split(text), wanted, "{text}");
    }

    #[test]
    fn only_numbers_in_brackets_are_an_index() {
        check_index("Pedestal[3]", Some(("Pedestal", Index::One(3))));
        check_index("Pedestal[*]", Some(("Pedestal", Index::All)));
        check_index("Pedestal[2-4]", Some(("Pedestal", Index::Range(2, 4))));
        check_index("Pedestal[2..4]", Some(("Pedestal", Index::Range(2, 4))));
        check_index("Rate [Hz]", None);
        check_index("name[weird", None);
        check_index("a[]", None);
        check_index("[3]", None);
        check_index("a[+3]", None);
        check_index("a[99999999999999999999999]", None);
        check_index("a[1][2]", Some(("a[1]", Index::One(2))));
    }

    #[test]
    fn a_path_below_another_ignores_case() {
        let path = Path::parse("/Equipment/Trigger/Variables").unwrap();
        assert!(path.starts_with(&Path::parse("equipment/TRIGGER").unwrap()));
        assert!(!path.starts_with(&Path::parse("/Equipment/Trig").unwrap()));
        assert_eq!(path.below(&Path::parse("/Equipment").unwrap()).unwrap().relative(), "Trigger/Variables");
        assert_eq!(path.join("../Common").unwrap().to_string(), "/Equipment/Trigger/Common");
        assert_eq!(path.join("/x").unwrap().to_string(), "/x");
    }

    #[test]
    fn a_path_has_an_end() {
        assert!(matches!(Path::parse(&"a/".repeat(65)), Err(Error::Depth { .. })));
        assert!(matches!(Path::parse("a\nb"), Err(Error::Name { .. })));
        assert!(matches!(Path::ROOT.child("a/b"), Err(Error::Name { .. })));
    }
}
